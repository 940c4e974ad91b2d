"""One device that is read over Modbus: the requests it is asked, and where each value stands in the answers."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bmsd.tables.rows import Unit


class Layout(Enum):
    """How a value is laid out, high byte and high word first."""

    U8 = ">B"
    U16 = ">H"
    S16 = ">h"
    U32 = ">I"
    S32 = ">i"
    F32 = ">f"


U8, U16, S16, U32, S32, F32 = Layout.U8, Layout.U16, Layout.S16, Layout.U32, Layout.S32, Layout.F32


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: function 3 or 4, first address, number of registers."""

    function: int
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class Value:
    """One value: `raw * multiply / divide` in `unit`, at a byte of the answer to one request."""

    name: str
    """As people write it, with the ending of its unit."""
    symbol: str
    ask: int
    byte: int
    layout: Layout
    multiply: int = 1
    divide: int = 1
    unknown: int | None = None
    """The raw value that means unknown."""

    def read(self, answers: Sequence[Sequence[int] | None]) -> float | None:
        """Take the value from the answers; None: it was not told, or it is no number (S2)."""
        words = answers[self.ask]
        if words is None:
            return None
        data = struct.pack(f">{len(words)}H", *words)
        if self.byte + struct.calcsize(self.layout.value) > len(data):
            return None
        (raw,) = struct.unpack_from(self.layout.value, data, self.byte)
        if raw == self.unknown or not math.isfinite(raw):
            return None
        return float(round(raw * self.multiply / self.divide, 4))


@dataclass(frozen=True, slots=True)
class Device:
    """One kind of device. `source` says where its addresses are from."""

    name: str
    title: str
    asks: tuple[Ask, ...]
    values: tuple[Value, ...]
    source: str
    pause_ms: int = 50
    """Silence that it wants between two requests."""
    as_unit_0: bool = False
    """It answers under unit id 0, too, which elsewhere is everybody and is answered by nobody."""


def of_inside(name: str, unit: Unit) -> tuple[str, str]:
    """Name an inside value as people do, and its unit."""
    return unit.public_name(name), unit.symbol
