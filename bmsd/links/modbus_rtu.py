"""Modbus RTU slave without input or output: bytes and times in, requests out, answers as bytes.

A request is taken when the line has been silent for 3.5 characters. What stands before it in the buffer (noise,
half a frame, another slave's traffic delivered in one batch) is skipped by checksum. Frames for other units and
broadcasts are dropped before anything in them is read. Who answers what is `modbus_unit`'s.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum

from bmsd.errors import PeerError
from bmsd.links.listener import PATIENCE_US, Listener, silence_us

READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 3, 4, 5, 6, 15, 16
READS, SINGLE = (READ_HOLDING, READ_INPUT), (WRITE_COIL, WRITE_REGISTER)
MOST_REGISTERS = 125
_MOST_WRITTEN = {WRITE_COILS: 1968, WRITE_REGISTERS: 123}
_COIL = {0x0000: 0, 0xFF00: 1}
LONGEST_FRAME = 256
_SHORTEST_FRAME = 4
_READ_LENGTH = 8
_ANY_READ = (1, 2, 3, 4)


class Refusal(IntEnum):
    """Exception codes, as the master sees them."""

    FUNCTION = 1
    ADDRESS = 2
    VALUE = 3
    DEVICE = 4
    BUSY = 6
    NO_UNIT = 11


class RefusedError(PeerError):
    """A request that is answered with an exception."""

    def __init__(self, code: Refusal) -> None:
        super().__init__(f"refused with exception {code:02}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """One request to this unit, its checksum already removed."""

    unit: int
    function: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Order:
    """What a request asks for: so many registers or coils from an address, and what shall be written there."""

    address: int
    count: int
    values: tuple[int, ...] = ()


class Framer(Listener):
    """Finds requests to some units in what arrives."""

    def __init__(self, units: Collection[int], baudrate: int) -> None:
        super().__init__(baudrate, most=2 * LONGEST_FRAME)  # what is left of more is no whole frame
        self._units = frozenset(units)

    def take(self, now_us: int) -> Request | None:
        """Give the request that ended before this silence, if there is one."""
        frame = self._ended(now_us, self._find)
        if frame is None:
            return None
        if frame[0] not in self._units or frame[1] >= 0x80:
            self.foreign += 1
            return None
        return Request(frame[0], frame[1], frame[2:-2])

    def _find(self, arrived: bytes) -> bytes | None:
        """Take everything since the last silence as one frame, of whatever unit; else look at its end.

        After something else only a read to us is believed: in a long answer of another slave some tail will one
        day have a good checksum by chance.
        """
        if _SHORTEST_FRAME <= len(arrived) <= LONGEST_FRAME and crc_is_good(arrived):
            return arrived
        tail = arrived[-_READ_LENGTH:]
        is_ours = len(tail) == _READ_LENGTH and tail[0] in self._units and tail[1] in _ANY_READ
        return tail if is_ours and crc_is_good(tail) else None


class Echo:
    """Knows our own acknowledgement of a single write, which an adapter gives back and which looks like the order."""

    def __init__(self, baudrate: int) -> None:
        self._lasts_us = PATIENCE_US + 2 * (_READ_LENGTH * 11_000_000 // baudrate) + silence_us(baudrate)
        self._last: tuple[Request, int] | None = None

    def answered(self, request: Request, now_us: int) -> None:
        """Remember what is answered now."""
        self._last = (request, now_us) if request.function in SINGLE else None

    def is_one(self, request: Request, now_us: int) -> bool:
        """Tell whether this is what was said a moment ago; a master does not repeat an order as fast."""
        last, self._last = self._last, None
        return last is not None and last[0] == request and 0 <= now_us - last[1] <= self._lasts_us


def order_of(request: Request) -> Order | None:
    """Read a request for registers or coils; None where silence is the answer. RefusedError: it makes no sense."""
    body = request.body
    if request.function not in (*READS, *SINGLE, *_MOST_WRITTEN):
        raise RefusedError(Refusal.FUNCTION)
    if request.function in _MOST_WRITTEN:
        return _many_written(request.function, body)
    if len(body) != 4:
        return None  # may be our own answer to a read, echoed by the adapter
    address, second = struct.unpack(">HH", body)
    if request.function in READS:
        if not 1 <= second <= MOST_REGISTERS:
            raise RefusedError(Refusal.VALUE)
        return Order(address, second)
    if request.function == WRITE_COIL:
        if second not in _COIL:
            raise RefusedError(Refusal.VALUE)
        second = _COIL[second]
    return Order(address, 1, (second,))


def _many_written(function: int, body: bytes) -> Order | None:
    if len(body) == 4:
        return None  # our own acknowledgement, echoed by the adapter
    if len(body) < 5:
        raise RefusedError(Refusal.VALUE)
    address, count, length = struct.unpack(">HHB", body[:5])
    data = body[5:]
    needed = -(-count // 8) if function == WRITE_COILS else 2 * count
    if not 1 <= count <= _MOST_WRITTEN[function] or not length == needed == len(data):
        raise RefusedError(Refusal.VALUE)
    if function == WRITE_COILS:
        return Order(address, count, tuple(data[n // 8] >> n % 8 & 1 for n in range(count)))
    return Order(address, count, struct.unpack(f">{count}H", data))


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC = _crc_table()


def crc16(data: bytes) -> int:
    """Work out the Modbus checksum: polynomial 0xA001 reflected, start 0xFFFF."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def crc_is_good(frame: bytes) -> bool:
    """Tell whether a frame ends with its own checksum."""
    return crc16(frame) == 0


def with_crc(frame: bytes) -> bytes:
    """Append the checksum, low byte first."""
    return frame + crc16(frame).to_bytes(2, "little")
