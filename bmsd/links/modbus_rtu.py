"""Modbus RTU slave without input or output: bytes and times in, requests out, answers as bytes.

A request is taken when the line has been silent for 3.5 characters. What stands beside it in the buffer (noise, half
a frame, another slave's traffic delivered in one batch) is passed over: frame by frame where their own first bytes say
how long they are, else by checksum. Frames for other units and broadcasts are dropped before anything in them is read.
Who answers what is `modbus_unit`'s.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum

from bmsd.errors import PeerError
from bmsd.links.listener import PATIENCE_US, Listener, silence_us
from bmsd.links.modbus_shapes import LONGEST_FRAME, SHORTEST_FRAME, lengths, may_grow
from bmsd.tables import jk

READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 3, 4, 5, 6, 15, 16
READS, SINGLE = (READ_HOLDING, READ_INPUT), (WRITE_COIL, WRITE_REGISTER)
MOST_REGISTERS = 125
_MOST_WRITTEN = {WRITE_COILS: 1968, WRITE_REGISTERS: 123}
_WRITES = (*SINGLE, *_MOST_WRITTEN)
_SINGLE_BYTES = tuple(bytes((function,)) for function in SINGLE)
_COIL = {0x0000: 0, 0xFF00: 1}
_READ_LENGTH = 8
_FRAMES_ASKED = tuple(register.to_bytes(2, "big") + b"\0\1\2" for register in jk.FRAMES)
_FRAME_ASKED_LENGTH = 11
"""What asks a JK board for a frame has the form of a write, and orders nothing."""
LATE_US = 500_000
"""How late a busy machine may read what an adapter, known to do so, gave back: it comes before anything else."""
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
class ModbusRequest:
    """One request to this unit, its checksum already removed."""

    unit: int
    function: int
    body: bytes


@dataclass(frozen=True, slots=True)
class RegisterAccess:
    """What a request asks for: so many registers or coils from an address, and what shall be written there."""

    address: int
    count: int
    values: tuple[int, ...] = ()


class Framer(Listener):
    """Finds requests to some units in what arrives."""

    def __init__(self, units: Collection[int], baudrate: int) -> None:
        super().__init__(baudrate, most=2 * LONGEST_FRAME)  # what is left of more is no whole frame
        self._units = frozenset(units)
        self.said = b""
        """What was answered last: an adapter may give it back."""
        self.heard: Counter[int] = Counter()
        """Whole frames by the unit that they name, ours among them."""
        self.came_back: bool | None = None
        """What was said last came back: True, and can be nobody's order; False, before something else; None, not."""

    def take(self, now_us: int) -> ModbusRequest | None:
        """Give the request that ended before this silence, if there is one.

        Only the last frame is answered: a master that has sent something since has given up on the one before.
        """
        arrived = bytes(self._buffer)
        frames = list(self._frames(arrived)) if self._is_over(now_us) else []
        if not frames:
            return None  # perhaps the rest is still to come
        begin, last = frames[-1]
        self.came_back = self._came_back([frame for _, frame in frames])
        others = [frame for _, frame in frames if not self._is_ours(frame)]
        used = len(arrived) if self._is_ours(last) else begin + len(last)
        self.foreign += len(others)
        self.heard.update(frame[0] for _, frame in frames if not frame.startswith(jk.FRAME_HEAD))
        self.garbage += used - sum(map(len, others)) - (len(last) if self._is_ours(last) else 0)
        self._forget(used)
        if self._buffer and 0 not in self._starts:
            self._starts.insert(0, 0)
        return ModbusRequest(last[0], last[1], last[2:-2]) if self._is_ours(last) else None

    def _came_back(self, frames: list[bytes]) -> bool | None:
        sure = self.said[1:2] not in _SINGLE_BYTES
        return sure if self.said and self.said in (frames if sure else frames[:-1]) else None

    def give_up(self) -> None:
        """Judge what has arrived as it stands: nothing more will come."""
        self.take(self._last_us + self._patience_us)
        self._drop(len(self._buffer))

    def _is_ours(self, frame: bytes) -> bool:
        return frame[0] in self._units and frame[1] < 0x80

    def _frames(self, arrived: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield every frame and its place.

        Where the line was silent before, or another frame ends, any frame is believed; elsewhere only a read to us: in
        a long answer of another slave some bytes will one day look like an order by chance.
        """
        at, begins = 0, False
        while at < len(arrived):
            rest = arrived[at:]
            length = self._whole(rest) if begins or at in self._starts else self._read(rest)
            if length:
                yield at, rest[:length]
            # Adapters append one or two bytes 00 when they turn round.
            begins = bool(length) or (begins and not rest[0])
            at += length or 1

    def _whole(self, rest: bytes) -> int:
        """Give the length of the frame that begins here; 0: there is none, or not all of it yet."""
        if self.said and rest.startswith(self.said):
            return len(self.said)
        if rest.startswith(jk.FRAME_HEAD):
            return jk.FRAME_BYTES if jk.is_frame(rest[: jk.FRAME_BYTES]) else 0
        for length in lengths(rest, answers=rest[0] not in self._units):
            if length <= len(rest) and crc_is_good(rest[:length]):
                return length
        evaluation = SHORTEST_FRAME <= len(rest) <= LONGEST_FRAME and not may_grow(rest)
        return len(rest) if evaluation and crc_is_good(rest) else 0

    def _read(self, rest: bytes) -> int:
        """Give the length of a request to us that begins here and only asks, or 0."""
        function = rest[1] if rest[0] in self._units and len(rest) >= _READ_LENGTH else 0
        asks_for_frame = function == WRITE_REGISTERS and rest[2:7] in _FRAMES_ASKED
        length = _READ_LENGTH if function in _ANY_READ else _FRAME_ASKED_LENGTH if asks_for_frame else 0
        return length if length and len(rest) >= length and crc_is_good(rest[:length]) else 0


class Echo:
    """Knows our own words when an adapter gives them back; what acknowledges a single write looks like the order."""

    MOST_AGAIN = 3
    """The same order so many times within a moment is a master's; one more goes round. So many echoes that are missing
    one after the other may each have been lost among other bytes; one more, and there are none."""

    def __init__(self, baudrate: int) -> None:
        self._lasts_us = PATIENCE_US + 2 * (_READ_LENGTH * 11_000_000 // baudrate) + silence_us(baudrate)
        self._late_us = self._lasts_us + LATE_US
        self._last: tuple[ModbusRequest, int] | None = None
        self._gives_back: bool | None = None
        """What the adapter did with words that cannot be taken for another one's."""
        self._again = self._missed = 0

    def answered(self, request: ModbusRequest, now_us: int, reply: bytes = b"") -> None:
        """Remember what is answered now: to a write its first four bytes, to all others what they asked for."""
        said = request.body[:4] if request.function in _WRITES else reply[2:-2]
        self._last = (ModbusRequest(request.unit, request.function, said), now_us) if said else None

    def given_back(self, *, sure: bool) -> None:
        """Note that what was said last is through; `sure`: it can only have been the adapter's."""
        self._last = None
        if sure:
            self._gives_back, self._again, self._missed = True, 0, 0

    def is_one(self, request: ModbusRequest, now_us: int) -> bool:
        """Tell whether this is what was said a moment ago; once told otherwise by the line, a master may repeat it."""
        last, self._last = self._last, None
        if last is None:
            return False
        if request != last[0]:
            self._missed, self._again = self._missed + 1, 0
            self._gives_back = bool(self._gives_back) and self._missed <= self.MOST_AGAIN
            return False
        within_us = self._late_us if self._gives_back else self._lasts_us
        if not 0 <= now_us - last[1] <= within_us:
            return False
        self._again += 1
        return (
            request.function not in SINGLE or self._gives_back is not False or self._again > self.MOST_AGAIN
        )


def order_of(request: ModbusRequest) -> RegisterAccess | None:
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
        return RegisterAccess(address, second)
    if request.function == WRITE_COIL:
        if second not in _COIL:
            raise RefusedError(Refusal.VALUE)
        second = _COIL[second]
    return RegisterAccess(address, 1, (second,))


def _many_written(function: int, body: bytes) -> RegisterAccess | None:
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
        return RegisterAccess(address, count, tuple(data[n // 8] >> n % 8 & 1 for n in range(count)))
    return RegisterAccess(address, count, struct.unpack(f">{count}H", data))


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
