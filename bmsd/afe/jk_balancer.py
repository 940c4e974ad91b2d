"""The serial frames of JK's active balancers: bytes to values and requests to bytes, nothing else.

No link speaks to a balancer yet; the frames are here, tested against a recorded one. Multi-byte fields are
big-endian, sums are of 8 bits. Source: syssi/esphome-jk-bms, components/jk_balancer (a captured frame).
"""

from __future__ import annotations

from dataclasses import dataclass

from bmsd.errors import PeerError

FRAME_LENGTH = 74
HEADER = b"\xeb\x90"
SET_MAX_CURRENT = 0xF4
READ_ALL = 0xFF


@dataclass(frozen=True, slots=True)
class Balancer:
    """What a status frame tells."""

    total_mv: int
    average_mv: int
    cells: int
    alarms: int
    """Bit 0 wrong cell count, 1 line resistance high, 2 over-voltage."""
    balance_ma: int
    trigger_mv: int
    max_ma: int
    on: bool
    cell_mv: tuple[int, ...]
    decic: int


def decode(frame: bytes) -> Balancer:
    """Read a status frame; raise PeerError for a wrong length, header or sum."""
    if len(frame) != FRAME_LENGTH or frame[:2] != HEADER:
        raise PeerError(f"balancer frame of {len(frame)} bytes, {frame[:2].hex()}: expected 74, eb90")
    if sum(frame[:-1]) & 0xFF != frame[-1]:
        raise PeerError(f"balancer frame has the sum {frame[-1]:02x}, expected {sum(frame[:-1]) & 0xFF:02x}")
    cells = frame[8]
    return Balancer(
        total_mv=_word(frame, 4) * 10,
        average_mv=_word(frame, 6),
        cells=cells,
        alarms=frame[12],
        balance_ma=_word(frame, 15),
        trigger_mv=_word(frame, 17),
        max_ma=_word(frame, 19),
        on=bool(frame[21]),
        cell_mv=tuple(_word(frame, 23 + 2 * n) for n in range(min(cells, 24))),
        decic=int.from_bytes(frame[71:73], "big", signed=True),
    )


def request(address: int, function: int, value: int) -> bytes:
    """Build a request frame."""
    body = bytes((0x55, 0xAA, address, function)) + value.to_bytes(2, "big")
    return body + bytes((sum(body) & 0xFF,))


def _word(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big")
