"""Listen to a serial line without a word, at one speed after another, and say at which its frames are good."""

from __future__ import annotations

import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import serial

from bmsd.errors import PeerError
from bmsd.links import jk_4e57
from bmsd.links.modbus_rtu import Framer

BAUDRATES = (9600, 19_200, 38_400, 57_600, 115_200, 4800, 2400, 1200)
"""The most usual ones first."""
PARITIES = ("N", "E", "O")
_KEPT_BYTES = 8192


@dataclass(frozen=True, slots=True)
class LineSetting:
    """How fast a line is listened to, and with which parity."""

    baudrate: int
    parity: str


@dataclass(frozen=True, slots=True)
class LineTraffic:
    """What was heard at one setting."""

    setting: LineSetting
    bytes: int = 0
    frames: int = 0
    """Whole Modbus frames with a good checksum, requests and answers of everybody."""
    garbage: int = 0
    """Bytes that belonged to none."""
    units: tuple[int, ...] = ()
    is_4e57: bool = False
    """Whole frames of the older JK protocol were among it."""

    @property
    def fits(self) -> bool:
        """Tell whether this is how the line speaks: frames are good, and most of what is heard is frames."""
        return self.is_4e57 or (self.frames > 0 and 2 * self.garbage <= self.bytes)


class ListenPort(Protocol):
    """What is listened to."""

    timeout: float | None

    def read(self, size: int = 1) -> bytes:
        """Give bytes, at least one unless the time is over."""
        ...


def settings_after(first: LineSetting) -> Iterator[LineSetting]:
    """Yield what else a line may speak."""
    for baudrate, parity in product(BAUDRATES, PARITIES):
        if (found := LineSetting(baudrate, parity)) != first:
            yield found


def search(first: LineSetting, hear: Callable[[LineSetting], LineTraffic]) -> list[LineTraffic]:
    """Listen at the first setting, then at others until one fits; silence at one is silence at all."""
    found = [hear(first)]
    for setting in settings_after(first) if found[0].bytes else ():
        if found[-1].fits:
            break
        found.append(hear(setting))
    return found


def heard_at(path: str, setting: LineSetting, seconds: float) -> LineTraffic:
    """Listen to a port. PeerError: it cannot be had."""
    try:
        with serial.Serial(path, setting.baudrate, parity=setting.parity, timeout=0, exclusive=True) as port:
            port.reset_input_buffer()
            return listened(port, setting, seconds)
    except (OSError, ValueError, termios.error) as error:
        raise PeerError(f"{path} cannot be opened: {error}") from None


def listened(port: ListenPort, setting: LineSetting, seconds: float) -> LineTraffic:
    """Take what a port brings for a time, and find the frames in it."""
    framer, kept, count = Framer((), setting.baudrate), b"", 0
    end_us = time.monotonic_ns() // 1000 + round(seconds * 1e6)
    while (now_us := time.monotonic_ns() // 1000) < end_us:
        due_us = framer.due_us() or end_us
        port.timeout = max(min(due_us, end_us) - now_us, 0) / 1e6
        data = port.read(1)
        if not data:
            framer.take(time.monotonic_ns() // 1000)
            continue
        port.timeout = 0
        data += port.read(256)
        count += len(data)
        kept = (kept + data)[-_KEPT_BYTES:]
        framer.feed(data, time.monotonic_ns() // 1000)
    framer.give_up()
    is_4e57 = jk_4e57.last_frame(kept) is not None
    return LineTraffic(setting, count, framer.foreign, framer.garbage, tuple(sorted(framer.heard)), is_4e57)
