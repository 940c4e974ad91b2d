"""What every front-end driver offers, and the ways it says that a chip cannot be trusted now.

A new chip implements `FrontEnd`, one procedure each, and gets a row in `bmsd.afe.chips`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from bmsd.afe.transfers import Procedure
from bmsd.core.types import Measurement
from bmsd.errors import AfeError


class SettingsLostError(AfeError):
    """The chip no longer holds its settings: a reset, or a value that changed by itself (S6)."""


class NoNewScanError(AfeError):
    """The chip answers, but has measured nothing since the last poll: its values are old (S7)."""


class ChipFacts(NamedTuple):
    """What of a chip's own time and steps others reckon with; its row in `CHIPS` hands it out."""

    first_scan_ms: int
    """How often its first values are looked for after it was configured; it may take several looks."""
    stale_ms: int
    """Without a new scan for longer it has stopped measuring."""
    resting_stale_ms: int
    """The same while it rests."""
    over_current_delay_ms: int
    """Delay of its over-current protection."""
    longest_cell_delay_ms: int
    """Longest delay of its cell voltage protection."""
    lowest_cell_mv: int
    """Lowest limit of its under-voltage protection."""
    fet_follows_ms: int
    """Until its own FETs have followed a command and the next poll tells."""


class FrontEnd(Protocol):
    """One front-end chip as procedures. Every one of them may raise AfeError and its subclasses."""

    def start(self) -> Procedure[None]:
        """Find the chip, forbid its switches, and bring the link into the wanted mode.

        Contactors must be open: it may switch the chip's own protection off for a moment.
        """
        ...

    def configure(self) -> Procedure[None]:
        """Write all settings, read them back and compare (S6). Contactors must be open.

        Raises VerifyError when the chip does not keep them; a driver that only measures always does.
        """
        ...

    def observe(self) -> Procedure[bool]:
        """Find the chip, forbid its switches, and compare what it holds, without a change of any setting.

        Tell whether all of it is as it must be: then it is as good as configured. Contactors may be closed.
        """
        ...

    def glance(self) -> Procedure[Measurement]:
        """Read what can be believed of a chip that was observed and is not as it must be; the rest is None."""
        ...

    def poll(self) -> Procedure[Measurement]:
        """Read one complete new set of values."""
        ...

    def fingerprint(self) -> Procedure[None]:
        """Check cheaply that the settings are as verified; raises SettingsLostError if not (S6)."""
        ...

    def signature(self) -> Procedure[None]:
        """Check the cheapest part of the fingerprint, several times as often; the same error (S6)."""
        ...

    def permit(self, on: bool) -> Procedure[None]:
        """Permit or forbid the chip's switch outputs, a hardware interlock of the contactors."""
        ...

    def fets(self, charge: bool, discharge: bool) -> Procedure[tuple[bool, bool]]:
        """Command the chip's own FETs; give what their status then reads. Off follows at once (S5)."""
        ...

    def rest(self, on: bool) -> Procedure[None]:
        """Let the chip measure slowly to save power, or not. Contactors must be open while it does."""
        ...

    def balance(self, mask: int) -> Procedure[None]:
        """Balance the cells in `mask` (bit 0 is cell 1); must be repeated, 0 stops."""
        ...
