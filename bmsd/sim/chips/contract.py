"""What the bench needs of a simulated front-end chip, whatever its family.

A new chip is one class at register level, and one row in `bmsd.sim.chips.kinds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class SimChip(Protocol):
    """One chip between the pack's wires and the bus. It has no clock: `advance` moves it through time."""

    @property
    def chg_permit(self) -> bool:
        """Tell whether the chip lets the charge contactor close."""
        ...

    @property
    def dsg_permit(self) -> bool:
        """Tell whether the chip lets the discharge contactor close."""
        ...

    @property
    def charge_fet(self) -> bool:
        """Tell whether its own charge FET is on."""
        ...

    @property
    def discharge_fet(self) -> bool:
        """Tell whether its own discharge FET is on."""
        ...

    @property
    def balanced_cells(self) -> tuple[int, ...]:
        """Number the cells that it discharges now, from 1."""
        ...

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Answer one combined transaction; OSError EREMOTEIO is a missing acknowledge."""
        ...

    def sense(
        self,
        cell_mv: Sequence[float],
        current_ma: float,
        charger_mv: float,
        load_mv: float,
        temperatures_decic: Sequence[float],
        internal_decic: float = ...,
        stack_mv: float | None = None,
    ) -> None:
        """Set what the pins carry from now on; positive current charges."""
        ...

    def advance(self, now_ms: int) -> None:
        """Let the chip run until a time."""
        ...

    def leave_on(self, chg: bool, dsg: bool) -> None:
        """Begin with FETs that an earlier host left on."""
        ...

    def fault(self, name: str, on: bool, cell: int = 1) -> None:
        """Switch a fault on or off; raise ValueError for one that this chip does not have."""
        ...
