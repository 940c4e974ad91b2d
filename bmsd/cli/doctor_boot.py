"""What a Raspberry Pi was told at boot: its model, config.txt and the kernel's command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from bmsd.cli.doctor_machine import Machine

CONFIG_PLACES = ("/boot/firmware/config.txt", "/boot/config.txt")
_FILTERS = (
    (r"Pi 5\b|Pi 500|Module 5", {"pi5"}), (r"Pi 4\b|Pi 400|Module 4", {"pi4"}), (r"Pi 3 .*Plus", {"pi3+"}),
    (r"Pi 3\b|Module 3", {"pi3"}), (r"Pi 2\b", {"pi2"}), (r"Zero", {"pi0"}), (r"Zero.* W", {"pi0w"}),
    (r"Zero 2", {"pi02"}), (r"Pi 400", {"pi400"}), (r"Pi 500", {"pi500"}), (r"Module 4", {"cm4"}),
    (r"Module 5", {"cm5"}),
)  # fmt: skip
"""Section names of config.txt that hold on a model."""


@dataclass(frozen=True)
class Boot:
    """One machine's boot configuration; empty where it is no Raspberry Pi or cannot be read."""

    machine: Machine

    @cached_property
    def model(self) -> str:
        """Name the board, as its device tree does."""
        return self.machine.text("/proc/device-tree/model") or ""

    @property
    def is_pi(self) -> bool:
        """Tell whether this is a Raspberry Pi."""
        return "Raspberry Pi" in self.model

    @property
    def is_pi5(self) -> bool:
        """Tell whether the header is on the RP1 chip."""
        return "pi5" in self.names

    @cached_property
    def names(self) -> frozenset[str]:
        """Give the section names of config.txt that hold here."""
        return frozenset({"all"}.union(*(names for text, names in _FILTERS if re.search(text, self.model))))

    @cached_property
    def path(self) -> str:
        """Name the file to write to."""
        return next((path for path in CONFIG_PLACES if self.machine.exists(path)), CONFIG_PLACES[0])

    @cached_property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Give name and value of every line that holds on this model."""
        return tuple(self._lines(self.path))

    def _lines(self, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
        holds = True
        for line in (self.machine.text(path) or "").splitlines():
            text = line.partition("#")[0].strip()
            if section := re.fullmatch(r"\[(.*)\]", text):
                # A filter that is not about the model may hold or not: what is below it is not counted on.
                holds = section[1].strip().lower() in self.names
            elif holds and text.startswith("include ") and depth < 3:
                yield from self._lines(f"{path.rpartition('/')[0]}/{text.split(None, 1)[1]}", depth + 1)
            elif holds and text:
                name, _, value = text.partition("=")
                yield name.strip(), value.strip()

    @cached_property
    def params(self) -> dict[str, str]:
        """Give the parameters of the base device tree, later ones last."""
        found: dict[str, str] = {}
        for name, value in self.lines:
            if name == "dtparam":
                for part in value.split(","):
                    key, _, given = part.partition("=")
                    found[key.strip()] = given.strip() or "on"
        return found

    @cached_property
    def overlays(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """Give every overlay with its parameters."""
        found = []
        for name, value in self.lines:
            if name == "dtoverlay" and value:
                overlay, *parts = value.split(",")
                pairs = (part.partition("=") for part in parts)
                found.append((overlay.strip(), {key.strip(): given.strip() for key, _, given in pairs}))
        return tuple(found)

    @cached_property
    def gpio(self) -> dict[int, tuple[str, ...]]:
        """Give what gpio= lines make of each line; a later one adds to what it does not change."""
        found: dict[int, tuple[str, ...]] = {}
        for name, value in self.lines:
            if name == "gpio":
                lines, _, what = value.partition("=")
                words = tuple(word.strip() for word in what.split(","))
                found |= {line: found.get(line, ()) + words for line in numbers(lines)}
        return found

    def taken(self) -> dict[int, str]:
        """Name the header lines that overlays and buses take for themselves."""
        found: dict[int, str] = {}
        if self.params.get("i2c_arm", self.params.get("i2c", "off")) == "on":
            found |= dict.fromkeys((2, 3), "the I2C bus")
        if self.params.get("spi") == "on":
            found |= dict.fromkeys(range(7, 12), "SPI (dtparam=spi=on)")
        if dict(self.lines).get("enable_uart") == "1" or self.params.get("uart0") == "on":
            found |= dict.fromkeys((14, 15), "the header's UART")
        for name, given in self.overlays:
            found |= dict.fromkeys(_overlay_lines(name, given), f"dtoverlay={name}")
        return found


_INTERRUPTS = {"mcp2515": 25, "mcp251xfd": 25, "sc16is75": 24}
_SPI1 = {"spi1-1cs": (18,), "spi1-2cs": (17, 18), "spi1-3cs": (16, 17, 18), "sc16is752-spi1": (18,)}


def _overlay_lines(name: str, given: dict[str, str]) -> Iterator[int]:
    for start, line in _INTERRUPTS.items():
        if name.startswith(start):
            told = given.get("interrupt", given.get("int_pin", ""))
            yield int(told) if told.isdigit() else line
    if name in _SPI1:
        yield from (*_SPI1[name], 19, 20, 21)
    if name == "w1-gpio":
        told = given.get("gpiopin", "")
        yield int(told) if told.isdigit() else 4


def numbers(text: str) -> Iterator[int]:
    """Read lines as gpio= writes them: 3, 3-4, or a list of both."""
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and (last or first).isdigit():
            yield from range(int(first), min(int(last or first), 60) + 1)
