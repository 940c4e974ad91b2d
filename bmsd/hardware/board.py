"""Attach the real board that a configuration describes: I2C bus and GPIO lines."""

from __future__ import annotations

from collections.abc import Mapping

from bmsd.hardware.outputs import Lines


def open_lines(
    backend: str,
    gpio_chip: str,
    lines: Mapping[str, int],
    contacts: Mapping[str, int],
    active_low: bool,
) -> Lines:
    """Request all lines, off; raise OutputError in words when they cannot be had."""
    if backend == "gpiozero":
        from bmsd.hardware.outputs_gpiozero import GpiozeroLines, default_factory

        return GpiozeroLines(lines, contacts, default_factory())
    from bmsd.hardware.outputs_gpiod import GpiodLines

    return GpiodLines(lines, contacts, gpio_chip, active_low)
