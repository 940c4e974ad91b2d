"""Who this device is, by function 43 with type 14: the texts that Modbus tools ask every device for."""

from __future__ import annotations

from collections.abc import Mapping

from bmsd import __version__
from bmsd.config.load import Config
from bmsd.links.identity import serial_number
from bmsd.links.modbus_rtu import Refusal, RefusedError
from bmsd.tables.chemistries import CHEMISTRIES

FUNCTION = 0x2B
_TYPE = 0x0E
BASIC, REGULAR, EXTENDED, SINGLE = 1, 2, 3, 4
_LAST_OF = {BASIC: 0x02, REGULAR: 0x7F, EXTENDED: 0xFF}
_EVERYTHING = 0x83
"""Conformity: extended, as a stream and one by one."""
_SERIAL = 0x80
_REQUEST_BYTES = 3


def objects_of(config: Config) -> dict[int, bytes]:
    """Give the texts by their numbers; 0 to 6 are those of the standard."""
    texts = {
        0: "bmsd",
        1: f"bmsd-{config.cells}S",
        2: __version__,
        4: "battery management system",
        5: f"{CHEMISTRIES[config.chemistry].title} {config.cells}S",
        _SERIAL: serial_number(),
    }
    return {number: text.encode("ascii", "replace") for number, text in texts.items()}


def answer(objects: Mapping[int, bytes], body: bytes) -> bytes:
    """Answer a request's body. RefusedError: another type, no such level, or no such text."""
    if not body or body[0] != _TYPE:
        raise RefusedError(Refusal.FUNCTION)
    if len(body) != _REQUEST_BYTES:
        raise RefusedError(Refusal.VALUE)
    level, first = body[1], body[2]
    if level == SINGLE:
        if first not in objects:
            raise RefusedError(Refusal.ADDRESS)
        told = {first: objects[first]}
    elif level in _LAST_OF:
        last = _LAST_OF[level]
        begin = first if first in objects and first <= last else 0  # a stream from nowhere begins again
        told = {number: text for number, text in objects.items() if begin <= number <= last}
    else:
        raise RefusedError(Refusal.VALUE)
    listed = b"".join(bytes((number, len(text))) + text for number, text in told.items())
    return bytes((_TYPE, level, _EVERYTHING, 0, 0, len(told))) + listed
