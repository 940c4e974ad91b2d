"""How long a Modbus frame is by its own first bytes: requests and answers, by function.

A checksum alone does not tell where a frame ends: one byte 00 too many or too few leaves it good. Where function and
byte count say the length, the checksum is looked at there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LONGEST_FRAME = 256
SHORTEST_FRAME = 4


class Shape(NamedTuple):
    """Bytes of a frame with unit, function and checksum; `counted`: the byte at this place counts further ones."""

    size: int
    counted: int | None = None

    def length(self, frame: bytes) -> int | None:
        """Give the length of the frame that begins so; None: too little of it is there."""
        if self.counted is None:
            return self.size
        return self.size + frame[self.counted] if len(frame) > self.counted else None


_BYTES_AT = 6
_BY_COUNT = Shape(5, counted=2)
REQUESTS = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 8), Shape(8)), **dict.fromkeys((7, 11, 12, 17), Shape(4)), 22: Shape(10),
    24: Shape(6), 43: Shape(7), 15: Shape(9, counted=_BYTES_AT), 16: Shape(9, counted=_BYTES_AT),
    20: _BY_COUNT, 21: _BY_COUNT, 23: Shape(13, counted=10),
}  # fmt: skip
ANSWERS = {
    **dict.fromkeys((1, 2, 3, 4, 12, 17, 20, 21, 23), _BY_COUNT), **dict.fromkeys((5, 6, 8, 11, 15, 16), Shape(8)),
    7: Shape(5), 22: Shape(10),
}  # fmt: skip
REFUSAL = Shape(5)
_ALWAYS_SO = (1, 2, 3, 4, 5, 6, 15, 16)
"""Functions of which no frame has another length: while it is not reached, the rest is still to come."""
_WRITE_COILS, _WRITE_REGISTERS = 15, 16


def lengths(frame: bytes, *, answers: bool) -> Iterator[int]:
    """Yield how long the frame may be that begins with these bytes: as a request, and as an answer where wanted."""
    if len(frame) < SHORTEST_FRAME:
        return
    function, tables = frame[1], (REQUESTS, ANSWERS) if answers else (REQUESTS,)
    shapes = [REFUSAL] if function >= 0x80 else [rows[function] for rows in tables if function in rows]
    for shape in shapes:
        if shape is REQUESTS.get(function) and _contradicts_itself(frame):
            continue
        length = shape.length(frame)
        if length is not None and length <= LONGEST_FRAME:
            yield length


def may_grow(frame: bytes) -> bool:
    """Tell whether these bytes are too few to be the request that they begin."""
    shape = REQUESTS.get(frame[1]) if len(frame) > 1 and frame[1] in _ALWAYS_SO else None
    if shape is None or _contradicts_itself(frame):
        return False
    length = shape.length(frame)
    return length is None or LONGEST_FRAME >= length > len(frame)


def _contradicts_itself(frame: bytes) -> bool:
    """Tell whether a write of many counts its values and its bytes differently: it has no length by its own word."""
    if frame[1] not in (_WRITE_COILS, _WRITE_REGISTERS) or len(frame) <= _BYTES_AT:
        return False
    count = int.from_bytes(frame[4:6], "big")
    return frame[_BYTES_AT] != (-(-count // 8) if frame[1] == _WRITE_COILS else 2 * count)
