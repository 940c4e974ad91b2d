"""Attach the GPIO lines that a configuration describes, through the backend it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bmsd.hardware.outputs import Lines


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


def open_lines(outputs: OutputsConfig) -> Lines:
    """Request all lines, off; raise OutputError in words when they cannot be had."""
    if outputs.backend == "gpiozero":
        from bmsd.hardware.outputs_gpiozero import GpiozeroLines, default_factory

        return GpiozeroLines(outputs.lines, outputs.feedback, default_factory())
    from bmsd.hardware.outputs_gpiod import GpiodLines

    return GpiodLines(outputs.lines, outputs.feedback, outputs.gpio_chip, outputs.active_low)
