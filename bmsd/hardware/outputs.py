"""The only writer of contactors and heater in operation: off first, then on, then read back.

`Lines` is what a backend offers. Every backend starts with all lines off and leaves them off.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bmsd.core.types import ALL_OFF, Commands, Levels
from bmsd.errors import OutputError

SWITCHED = ("heater", "charge", "discharge", "main", "precharge", "buzzer")
"""In the order they are switched off: heat and charge first."""

BUTTON = "button"
"""The input that wakes a sleeping pack."""


class Lines(Protocol):
    """The wired output lines and auxiliary contacts, by name."""

    @property
    def wired(self) -> frozenset[str]:
        """Name the outputs that have a line."""
        ...

    def drive(self, name: str, on: bool) -> None:
        """Set one wired line; raise OutputError when it cannot be set."""
        ...

    def read(self, name: str) -> bool:
        """Read one wired line back; raise OutputError when it cannot be read."""
        ...

    def contact(self, name: str) -> bool | None:
        """Read an auxiliary contact, or the button; None where none is wired or it cannot be read."""
        ...

    def close(self) -> None:
        """Switch everything off and let go of the lines."""
        ...


def apply(lines: Lines, commands: Commands) -> Levels:
    """Switch off what is not commanded, then on what is; give back what the lines then read.

    A line that fails to switch off does not keep the others from being switched off.
    """
    wired = lines.wired
    off: list[str] = []
    on: list[str] = []
    for name in SWITCHED:
        if name in wired:
            (on if getattr(commands, name) else off).append(name)
    failed = _drive(lines, off, False) or _drive(lines, on, True)
    return levels(lines, failed)


def all_off(lines: Lines) -> Levels:
    """Switch everything off, each line on its own."""
    return apply(lines, ALL_OFF)


def beat(lines: Lines, level: bool) -> None:
    """Toggle the heartbeat line; a line that fails simply stops beating, which is what it is for."""
    if "heartbeat" in lines.wired:
        _drive(lines, ("heartbeat",), level)


def show(lines: Lines, on: bool) -> None:
    """Light the status LED, or not; it is not read back, because no LED is worth a dark house."""
    if "led" in lines.wired:
        _drive(lines, ("led",), on)


def levels(lines: Lines, failed: Iterable[str] = ()) -> Levels:
    """Read all wired lines back; a line that failed or cannot be read is unknown."""
    readable = lines.wired.difference(failed)
    found = {name: _read(lines, name) if name in readable else None for name in SWITCHED}
    return Levels(**found)


def contacts(lines: Lines) -> Levels:
    """Read the auxiliary contacts."""
    return Levels(
        charge=lines.contact("charge"), discharge=lines.contact("discharge"), main=lines.contact("main")
    )


def is_pressed(lines: Lines) -> bool:
    """Tell whether somebody presses the button; one that cannot be read wakes nobody."""
    return lines.contact(BUTTON) is True


def _drive(lines: Lines, names: Iterable[str], on: bool) -> list[str]:
    failed = []
    for name in names:
        try:
            lines.drive(name, on)
        except OutputError:
            failed.append(name)
    return failed


def _read(lines: Lines, name: str) -> bool | None:
    try:
        return lines.read(name)
    except OutputError:
        return None
