"""The vocabulary of inverter protocols: a frame is a row of signals, bits and texts.

A view maps signal and bit names to inside values. Numbers are clamped into their field, never wrapped. What
is sent for an unknown value is decided per signal: a stated stand-in, or else the frame is not sent (S2, S7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from bmsd.errors import PeerError

Value = int | bool | str | None


class Rounding(Enum):
    """Which way a value goes that falls between two steps of the wire."""

    NEAREST = "nearest"
    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Signal:
    """One number: little-endian at `byte`, worth `value * numerator / denominator` steps on the wire."""

    name: str
    byte: int
    size: int
    numerator: int = 1
    denominator: int = 1
    signed: bool = False
    low: int | None = None
    """Least number of steps ever sent; None: the least the field holds."""
    rounding: Rounding = Rounding.NEAREST
    unknown: int | None = None
    """Inside value sent in place of an unknown one; None: the frame is not sent."""

    @property
    def range(self) -> tuple[int, int]:
        """Give the least and the greatest number of steps."""
        bits = 8 * self.size - self.signed
        least = -(1 << bits) if self.signed else 0
        return (least if self.low is None else self.low), (1 << bits) - 1


@dataclass(frozen=True, slots=True)
class Bit:
    """One bit: set while its flag in the view is true; a flag may stand for alarms."""

    name: str
    byte: int
    bit: int
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """Fixed ASCII characters."""

    name: str
    byte: int
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One CAN frame, field by field; bytes that no field covers are zero."""

    id: int
    length: int
    signals: tuple[Signal, ...] = ()
    bits: tuple[Bit, ...] = ()
    texts: tuple[Text, ...] = ()
    extended: bool = False


def encode(frame: Frame, view: Mapping[str, Value]) -> bytes | None:
    """Fill a frame from a view; None when it would need a value that is unknown."""
    data = bytearray(frame.length)
    for signal in frame.signals:
        value = view.get(signal.name)
        if value is None:
            value = signal.unknown
        if value is None or isinstance(value, str):
            return None
        steps = _steps(signal, value)
        data[signal.byte : signal.byte + signal.size] = steps.to_bytes(
            signal.size, "little", signed=signal.signed
        )
    for bit in frame.bits:
        data[bit.byte] |= bool(view.get(bit.name)) << bit.bit
    for text in frame.texts:
        data[text.byte : text.byte + len(text.text)] = text.text.encode("ascii")
    return bytes(data)


def decode(frame: Frame, data: bytes) -> dict[str, Value]:
    """Read a frame of this or another sender; bytes beyond the row's own are ignored.

    PeerError: the frame is shorter than its row.
    """
    if len(data) < frame.length:
        raise PeerError(f"frame 0x{frame.id:03X} has {len(data)} bytes, {frame.length} are needed")
    view: dict[str, Value] = {}
    for signal in frame.signals:
        field = data[signal.byte : signal.byte + signal.size]
        steps = int.from_bytes(field, "little", signed=signal.signed)
        view[signal.name] = _rounded(steps * signal.denominator, signal.numerator, Rounding.NEAREST)
    for bit in frame.bits:
        view[bit.name] = bool(data[bit.byte] >> bit.bit & 1)
    for text in frame.texts:
        view[text.name] = data[text.byte : text.byte + len(text.text)].decode("ascii", "replace")
    return view


def raised(frames: Iterable[Frame], alarms: frozenset[str]) -> dict[str, Value]:
    """Give the flags of all bits that stand for alarms."""
    bits = (bit for frame in frames for bit in frame.bits if bit.alarms)
    return {bit.name: not alarms.isdisjoint(bit.alarms) for bit in bits}


def _steps(signal: Signal, value: int) -> int:
    low, high = signal.range
    return min(max(_rounded(value * signal.numerator, signal.denominator, signal.rounding), low), high)


def _rounded(value: int, divisor: int, rounding: Rounding) -> int:
    if rounding is Rounding.DOWN:
        return value // divisor
    if rounding is Rounding.UP:
        return -(-value // divisor)
    return (2 * value + divisor) // (2 * divisor)
