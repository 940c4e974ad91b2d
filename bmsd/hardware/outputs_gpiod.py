"""Lines through libgpiod: direction and level are set in one kernel call, so nothing pulses at a start.

Works with both Python interfaces in use: version 2 (Debian 13, PyPI) and version 1 (Debian 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bmsd.errors import OutputError
from bmsd.tables import header

CONSUMER = "bmsd"


class GpiodLines:
    """Output lines and contacts of one GPIO chip."""

    def __init__(
        self, outputs: Mapping[str, int], contacts: Mapping[str, int], chip: str, active_low: bool
    ) -> None:
        import gpiod

        interface = _Version2 if hasattr(gpiod, "request_lines") else _Version1
        self._outputs, self._contacts = dict(outputs), dict(contacts)
        try:
            path = find_chip(chip, interface(gpiod).label)
            self._lines = interface(gpiod)
            self._lines.request(path, list(outputs.values()), list(contacts.values()), active_low)
        except PermissionError as error:
            raise OutputError(
                "the GPIO chip may not be opened: the user that runs bmsd must be in the group gpio"
                " (ls -l /dev/gpiochip*)"
            ) from error
        except OSError as error:
            raise OutputError(
                f"GPIO lines {dict(outputs)} of {chip or 'the header'} cannot be had: {error}."
                " Check the numbers, and who else uses them (gpioinfo)"
            ) from error
        self.wired = frozenset(outputs)

    def drive(self, name: str, on: bool) -> None:
        """Set one line."""
        try:
            self._lines.set(self._outputs[name], on)
        except OSError as error:
            raise OutputError(f"output {name} cannot be set: {error}") from error

    def read(self, name: str) -> bool:
        """Read the line's level back."""
        try:
            return self._lines.get(self._outputs[name])
        except OSError as error:
            raise OutputError(f"output {name} cannot be read: {error}") from error

    def contact(self, name: str) -> bool | None:
        """Read an auxiliary contact."""
        try:
            return self._lines.get(self._contacts[name]) if name in self._contacts else None
        except OSError:
            return None

    def close(self) -> None:
        """Write off, then let go."""
        for name in self._outputs:
            try:
                self.drive(name, False)
            except OutputError:
                continue
        self._lines.release()


def find_chip(wanted: str, label: Any) -> str:
    """Find a GPIO chip by path or label; without a name, the one behind the Raspberry Pi's header."""
    if wanted.startswith("/"):
        return wanted
    labels = (wanted,) if wanted else header.LABELS
    seen = {str(path): label(str(path)) for path in sorted(Path("/dev").glob("gpiochip*"))}
    for path, name in seen.items():
        if name in labels:
            return path
    raise OutputError(
        f"there is no GPIO chip labelled {' or '.join(labels)}; present: {seen or 'none'}."
        " Set outputs.gpio_chip"
    )


class _Version2:
    """libgpiod's Python interface from 2.0 on."""

    def __init__(self, gpiod: Any) -> None:
        self._gpiod = gpiod
        self._request: Any = None

    def label(self, path: str) -> str:
        with self._gpiod.Chip(path) as chip:
            return str(chip.get_info().label)

    def request(self, path: str, outputs: list[int], inputs: list[int], active_low: bool) -> None:
        line = self._gpiod.line
        off = self._gpiod.LineSettings(
            direction=line.Direction.OUTPUT, output_value=line.Value.INACTIVE, active_low=active_low
        )
        config = dict.fromkeys(outputs, off)
        # A broken wire to a contact reads as an open contact, whatever pull the line had before.
        contact = self._gpiod.LineSettings(direction=line.Direction.INPUT, bias=line.Bias.PULL_DOWN)
        config |= dict.fromkeys(inputs, contact)
        self._request = self._gpiod.request_lines(path, consumer=CONSUMER, config=config)

    def set(self, number: int, on: bool) -> None:
        value = self._gpiod.line.Value
        self._request.set_value(number, value.ACTIVE if on else value.INACTIVE)

    def get(self, number: int) -> bool:
        return bool(self._request.get_value(number) == self._gpiod.line.Value.ACTIVE)

    def release(self) -> None:
        self._request.release()


class _Version1:
    """libgpiod's Python interface before 2.0."""

    def __init__(self, gpiod: Any) -> None:
        self._gpiod = gpiod
        self._chip: Any = None
        self._lines: dict[int, Any] = {}

    def label(self, path: str) -> str:
        with self._gpiod.Chip(path) as chip:
            return str(chip.label())

    def request(self, path: str, outputs: list[int], inputs: list[int], active_low: bool) -> None:
        gpiod = self._gpiod
        self._chip = gpiod.Chip(path)
        flags = gpiod.LINE_REQ_FLAG_ACTIVE_LOW if active_low else 0
        for number in outputs:
            line = self._chip.get_line(number)
            line.request(CONSUMER, type=gpiod.LINE_REQ_DIR_OUT, flags=flags, default_vals=[0])
            self._lines[number] = line
        for number in inputs:
            line = self._chip.get_line(number)
            # A broken wire to a contact reads as an open contact, whatever pull the line had before.
            pulled = gpiod.LINE_REQ_FLAG_BIAS_PULL_DOWN
            line.request(CONSUMER, type=gpiod.LINE_REQ_DIR_IN, flags=pulled)
            self._lines[number] = line

    def set(self, number: int, on: bool) -> None:
        self._lines[number].set_value(int(on))

    def get(self, number: int) -> bool:
        return bool(self._lines[number].get_value())

    def release(self) -> None:
        self._chip.close()
