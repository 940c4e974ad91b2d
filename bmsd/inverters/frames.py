"""The vocabulary of inverter protocols: a frame is a row of signals, bits and texts.

A view maps signal and bit names to inside values. Numbers are clamped into their field, never wrapped. What
is sent for an unknown value is decided per signal: a stated stand-in, the protocol's own mark for it, or else
the frame is not sent (S2, S7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from bmsd.errors import PeerError

Value = int | bool | str | None


class Rounding(Enum):
    """Which way a value goes that falls between two steps of the wire."""

    NEAREST = "nearest"
    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Signal:
    """One number: from `byte` on, worth `value * numerator / denominator + offset` steps on the wire."""

    name: str
    byte: int
    size: int
    numerator: int = 1
    denominator: int = 1
    signed: bool = False
    low: int | None = None
    """Least number of steps ever sent; None: the least the field holds."""
    high: int | None = None
    rounding: Rounding = Rounding.NEAREST
    unknown: int | None = None
    """Inside value sent in place of an unknown one."""
    configured: str = ""
    """Name of a configured value that comes before it."""
    absent: int | None = None
    """Highest content of the field, if it means unknown; without this and `unknown` there is no frame."""
    offset: int = 0
    big: bool = False
    """High byte first."""
    bit: int = 0
    bits: int = 0
    """Width where it is less than whole bytes, counted from `bit`; 0: all of them."""

    @property
    def width(self) -> int:
        """Give the width in bits."""
        return self.bits or 8 * self.size

    @property
    def mask(self) -> int:
        """Give the field with every bit set."""
        return (1 << self.width) - 1

    @property
    def order(self) -> Literal["big", "little"]:
        """Give the order of bytes."""
        return "big" if self.big else "little"

    @property
    def range(self) -> tuple[int, int]:
        """Give the least and the greatest number of steps; a mark for unknown at the upper end is not one of them."""
        least = -(1 << self.width - 1) if self.signed else 0
        most = (1 << self.width - self.signed) - 1
        most -= most == self.absent
        return (least if self.low is None else self.low), (most if self.high is None else self.high)


class Coding(Enum):
    """How a flag is written: its width, and the bits for each value it can have."""

    FLAG = (1, {False: 0, True: 1})
    PAIR = (2, {None: 0, True: 1, False: 2})
    """Raised, or expressly not; 0 says nothing."""
    LEVEL = (2, {0: 0, 1: 1, 2: 2, 3: 3})
    """How bad: 1 is serious, 3 is mild, 0 is nothing."""


MILD = 3


@dataclass(frozen=True, slots=True)
class Bit:
    """One flag, set while the view says so; it may stand for alarms."""

    name: str
    byte: int
    bit: int
    alarms: tuple[str, ...] = ()
    mild: tuple[str, ...] = ()
    """Alarms that make a LEVEL mild."""
    coding: Coding = Coding.FLAG
    quiet: bool = False
    """A PAIR that says nothing while its alarms are not raised."""

    @property
    def width(self) -> int:
        """Give the width in bits."""
        width: int = self.coding.value[0]
        return width


@dataclass(frozen=True, slots=True)
class Text:
    """ASCII characters from the view, or else fixed ones; None: without a text there is no frame."""

    name: str
    byte: int
    text: str | None
    length: int = 0
    """Bytes it takes; 0: as many as the fixed text."""
    pad: str = " "

    @property
    def size(self) -> int:
        """Give the bytes it takes."""
        return self.length or len(self.text or "")


@dataclass(frozen=True, slots=True)
class Frame:
    """One CAN frame, field by field; bits that no field covers are zero."""

    id: int
    length: int
    signals: tuple[Signal, ...] = ()
    bits: tuple[Bit, ...] = ()
    texts: tuple[Text, ...] = ()
    extended: bool = False
    period_ms: int = 0
    """0: the protocol's."""
    least: int = 0
    """Bytes another sender may leave it at, fields beyond being unknown; 0: its whole length is needed."""
    only_raised: bool = False
    """Sent only while one of its bits is set."""


def encode(frame: Frame, view: Mapping[str, Value]) -> bytes | None:
    """Fill a frame from a view; None when it would need a value that is unknown."""
    data = bytearray(frame.length)
    for signal in frame.signals:
        value = view.get(signal.name)
        content = _content(signal, view.get(signal.configured) if value is None else value)
        if content is None:
            return None
        place = slice(signal.byte, signal.byte + signal.size)
        whole = int.from_bytes(data[place], signal.order) | content << signal.bit
        data[place] = whole.to_bytes(signal.size, signal.order)
    for bit in frame.bits:
        data[bit.byte] |= bit.coding.value[1].get(view.get(bit.name), 0) << bit.bit
    for text in frame.texts:
        value = view.get(text.name, text.text)
        if not isinstance(value, str):
            return None
        filled = value.ljust(text.size, text.pad)[: text.size]
        data[text.byte : text.byte + text.size] = filled.encode("ascii", "replace")
    return bytes(data)


def decode(frame: Frame, data: bytes) -> dict[str, Value]:
    """Read a frame of this or another sender; bytes beyond the row's own are ignored.

    PeerError: the frame is shorter than its row allows.
    """
    least = frame.least or frame.length
    if len(data) < least:
        raise PeerError(f"frame 0x{frame.id:03X} has {len(data)} bytes, {least} are needed")
    view: dict[str, Value] = {signal.name: _value(signal, data) for signal in frame.signals}
    for bit in frame.bits:
        if bit.byte < len(data):
            wire = data[bit.byte] >> bit.bit & (1 << bit.width) - 1
            view[bit.name] = {code: value for value, code in bit.coding.value[1].items()}.get(wire)
    for text in frame.texts:
        found = data[text.byte : text.byte + text.size].decode("ascii", "replace")
        view[text.name] = found.rstrip(text.pad)
    return view


def beyond(frame: Frame, data: bytes) -> tuple[str, ...]:
    """Name the numbers of a whole frame that are outside their rows' bounds: nobody who is well sends them."""
    names = []
    for signal in frame.signals:
        steps, (low, high) = _steps(signal, data), signal.range
        if steps is not None and not low <= steps + signal.offset <= high:
            names.append(signal.name)
    return tuple(names)


def raised(frames: Iterable[Frame], alarms: frozenset[str], known: bool = True) -> dict[str, Value]:
    """Give the flags of all bits that stand for alarms.

    While the data is lost no pair says that anything is fine (S2).
    """
    bits = (bit for frame in frames for bit in frame.bits if bit.alarms or bit.coding is not Coding.FLAG)
    return {bit.name: _raised(bit, alarms, known) for bit in bits}


def _raised(bit: Bit, alarms: frozenset[str], known: bool) -> Value:
    if not alarms.isdisjoint(bit.alarms):
        return True
    if not alarms.isdisjoint(bit.mild):
        return MILD
    silent = bit.coding is Coding.PAIR and (bit.quiet or not known)
    return None if silent else False


def _content(signal: Signal, value: Value) -> int | None:
    """Give what stands in the field; None when nothing may."""
    if value is None:
        value = signal.unknown
    if value is None:
        return signal.absent
    if isinstance(value, str):
        return None
    low, high = signal.range
    steps = _rounded(value * signal.numerator, signal.denominator, signal.rounding) + signal.offset
    return min(max(steps, low), high) & signal.mask


def _value(signal: Signal, data: bytes) -> int | None:
    steps = _steps(signal, data)
    return None if steps is None else _rounded(steps * signal.denominator, signal.numerator, Rounding.NEAREST)


def _steps(signal: Signal, data: bytes) -> int | None:
    """Give the steps that a field stands for, without its offset; None for absent and for one that is cut off."""
    field = data[signal.byte : signal.byte + signal.size]
    content = int.from_bytes(field, signal.order) >> signal.bit & signal.mask
    if len(field) < signal.size or content == signal.absent:
        return None
    negative = signal.signed and content >> signal.width - 1
    return content - (1 << signal.width) * negative - signal.offset


def _rounded(value: int, divisor: int, rounding: Rounding) -> int:
    if rounding is Rounding.DOWN:
        return value // divisor
    if rounding is Rounding.UP:
        return -(-value // divisor)
    return (2 * value + divisor) // (2 * divisor)
