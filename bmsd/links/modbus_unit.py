"""One Modbus unit: the maps it serves side by side, and what it says to each request.

A map names the functions it takes; whatever no map takes is refused as a function. An address is looked for in
one map after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Protocol

from bmsd.links.modbus_rtu import READS, Order, Refusal, RefusedError, Request, order_of, with_crc


class Map(Protocol):
    """Registers at fixed addresses. RefusedError: no such address, or nothing present to tell."""

    @property
    def functions(self) -> Sequence[int]:
        """Name the functions it takes."""
        ...

    def read(self, address: int, count: int) -> list[int]:
        """Give registers."""
        ...


class Unit:
    """The maps under one unit id."""

    def __init__(self, maps: Sequence[Map]) -> None:
        self._maps = maps

    def answer(self, request: Request) -> bytes | None:
        """Make the complete answer to a request; None where silence is the right one."""
        try:
            maps = [one for one in self._maps if request.function in one.functions]
            if not maps:
                raise RefusedError(Refusal.FUNCTION)
            order = order_of(request)
            return None if order is None else _first(maps, request, order)
        except RefusedError as refused:
            return with_crc(bytes((request.unit, request.function | 0x80, refused.code)))


def _first(maps: Sequence[Map], request: Request, order: Order) -> bytes:
    """Let the first map answer that has the address."""
    for one in maps:
        try:
            return _done(one, request, order)
        except RefusedError as refused:
            if refused.code is not Refusal.ADDRESS:
                raise
    raise RefusedError(Refusal.ADDRESS)


def _done(one: Map, request: Request, order: Order) -> bytes:
    if request.function not in READS:
        raise RefusedError(Refusal.ADDRESS)
    words = one.read(order.address, order.count)
    body = struct.pack(f">{order.count}H", *words)
    return with_crc(bytes((request.unit, request.function, len(body))) + body)
