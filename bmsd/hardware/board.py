"""Attach the GPIO lines that a configuration describes, through the backend it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bmsd.errors import OutputError
from bmsd.hardware.outputs import BUTTON, Lines


@dataclass(frozen=True, slots=True)
class OutputsConfig:
    """GPIO lines; a line that is missing is not wired."""

    backend: str
    gpio_chip: str
    active_low: bool
    lines: Mapping[str, int]
    """Output name (charge, discharge, precharge, heater, buzzer, heartbeat, led) to line number."""
    feedback: Mapping[str, int]
    """Contactor name to the line number of its auxiliary contact."""
    button: int | None = None
    """Line number of the button that wakes a sleeping pack."""

    @property
    def inputs(self) -> dict[str, int]:
        """Name every input with its line number."""
        return {**self.feedback, **({} if self.button is None else {BUTTON: self.button})}

    @property
    def keys(self) -> dict[str, int]:
        """Name every line as the configuration does, with its number."""
        contacts = {f"{name}_feedback": line for name, line in self.feedback.items()}
        return {**self.lines, **contacts, **({} if self.button is None else {BUTTON: self.button})}


@dataclass(frozen=True, slots=True)
class AfeConfig:
    """The front-end chip and its bus."""

    chip: str
    bus: int
    address: int
    crc: bool
    shunt_uohm: int
    battery_sensors: int
    switch_sensor: bool
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class FetsConfig:
    """Where the front-end chip is whose own FETs switch the pack."""

    chip: str
    bus: int
    address: int
    timeout_ms: int


class NoLines:
    """A board without a single line: the front-end chip's own FETs are all there is to switch."""

    wired: frozenset[str] = frozenset()

    def drive(self, name: str, on: bool) -> None:
        """Refuse: nothing is wired."""
        raise OutputError(f"there is no output {name}")

    def read(self, name: str) -> bool:
        """Refuse: nothing is wired."""
        raise OutputError(f"there is no output {name}")

    def contact(self, name: str) -> bool | None:
        """Say that no contact is wired."""
        return None

    def close(self) -> None:
        """Do nothing: nothing is held."""


def open_lines(outputs: OutputsConfig) -> Lines:
    """Request all lines, off; raise OutputError in words when they cannot be had."""
    if not outputs.lines and not outputs.inputs:
        return NoLines()
    if outputs.backend == "gpiozero":
        from bmsd.hardware.outputs_gpiozero import GpiozeroLines, default_factory

        return GpiozeroLines(outputs.lines, outputs.inputs, default_factory())
    from bmsd.hardware.outputs_gpiod import GpiodLines

    return GpiodLines(outputs.lines, outputs.inputs, outputs.gpio_chip, outputs.active_low)
