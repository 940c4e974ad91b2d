"""What this pack says on a Modbus line: the units it answers to, and the maps that each serves side by side.

A map names the functions it takes; whatever no map takes is refused as a function. An address is looked for in
one map after the other.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from bmsd.links import modbus_identity
from bmsd.links.modbus_pack import MappedPack
from bmsd.links.modbus_rtu import (
    READS,
    Echo,
    Framer,
    ModbusRequest,
    Refusal,
    RefusedError,
    RegisterAccess,
    order_of,
    with_crc,
)

_REFUSAL_BYTES = 5


class Map(Protocol):
    """Registers at fixed addresses. RefusedError: no such address, or nothing present to tell."""

    @property
    def functions(self) -> Sequence[int]:
        """Name the functions it takes."""
        ...

    def read(self, address: int, count: int) -> list[int]:
        """Give registers."""
        ...

    def write(self, address: int, words: Sequence[int]) -> bytes:
        """Take what is written, all or nothing; give what is to be said before the acknowledgement."""
        ...


class ModbusUnit:
    """The maps under one unit id."""

    def __init__(self, maps: Sequence[Map], identity: Mapping[int, bytes] | None = None) -> None:
        self._maps, self._identity = maps, identity

    def answer(self, request: ModbusRequest) -> bytes | None:
        """Make the complete answer on a serial line; None where silence is the right one."""
        reply = self._reply(request)
        return None if reply is None else reply[0] + with_crc(reply[1])

    def plain(self, request: ModbusRequest) -> bytes | None:
        """Make the answer alone, as Modbus TCP carries it: unit and all that follows, without a checksum."""
        reply = self._reply(request)
        return None if reply is None else reply[1]

    def _reply(self, request: ModbusRequest) -> tuple[bytes, bytes] | None:
        """Give what is said before the answer, and the answer."""
        try:
            if request.function == modbus_identity.FUNCTION and self._identity is not None:
                told = modbus_identity.answer(self._identity, request.body)
                return b"", bytes((request.unit, request.function)) + told
            maps = [one for one in self._maps if request.function in one.functions]
            if not maps:
                raise RefusedError(Refusal.FUNCTION)
            order = order_of(request)
            return None if order is None else _first(maps, request, order)
        except RefusedError as refused:
            return b"", bytes((request.unit, request.function | 0x80, refused.code))


def _first(maps: Sequence[Map], request: ModbusRequest, order: RegisterAccess) -> tuple[bytes, bytes]:
    """Let the first map answer that has the address."""
    for one in maps:
        try:
            return _done(one, request, order)
        except RefusedError as refused:
            if refused.code is not Refusal.ADDRESS:
                raise
    raise RefusedError(Refusal.ADDRESS)


def _done(one: Map, request: ModbusRequest, order: RegisterAccess) -> tuple[bytes, bytes]:
    head = bytes((request.unit, request.function))
    if request.function not in READS:
        said = one.write(order.address, order.values)
        return said, head + request.body[:4]
    words = one.read(order.address, order.count)
    return b"", head + bytes((2 * order.count,)) + struct.pack(f">{order.count}H", *words)


class Station:
    """All units of one line: bytes and times in, answers out."""

    def __init__(self, units: Mapping[int, ModbusUnit], pack: MappedPack, baudrate: int) -> None:
        self.refused = 0
        self._echo = Echo(baudrate)
        self._units, self._pack = units, pack
        self._framer = Framer(units, baudrate)
        self.feed, self.due_us = self._framer.feed, self._framer.due_us
        self.heard = self._framer.heard

    @property
    def answered(self) -> int:
        """Count the answers, refusals among them."""
        return self._pack.requests

    @property
    def foreign(self) -> int:
        """Count whole frames that were for others."""
        return self._framer.foreign

    @property
    def garbage(self) -> int:
        """Count bytes that belonged to no frame."""
        return self._framer.garbage

    def take(self, now_us: int) -> bytes | None:
        """Answer the request that ended before this silence; None where silence is the answer."""
        request = self._framer.take(now_us)
        if self._framer.came_back is not None:
            self._echo.given_back(sure=self._framer.came_back)
            self._framer.came_back = None
        if request and self._echo.is_one(request, now_us):
            return None
        reply = self._units[request.unit].answer(request) if request else None
        if request and reply is not None:
            self._pack.requests += 1
            self._framer.said = reply
            if len(reply) == _REFUSAL_BYTES and reply[1] & 0x80:
                self.refused += 1
            else:  # a write may have taken its time
                self._echo.answered(request, time.monotonic_ns() // 1000, reply)
        return reply
