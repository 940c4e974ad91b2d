"""How a BQ769x2 is spoken to: commands, the 32-byte buffer, CONFIG_UPDATE (TI SLUUBY2B, chapter 3).

Every procedure takes `crc`, the link mode the chip is in. Buffer checksums are separate from the link's
and are always compared.
"""

from __future__ import annotations

import struct
from functools import cache, lru_cache

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.transfers import Procedure, Read, Wait, Write
from bmsd.errors import BusError, VerifyError

_WORD = struct.Struct("<H")
_BUSY_POLLS = 20
"""Times a busy chip is asked again, 1 ms apart; the slowest command used here takes 2 ms."""

_SETTLE_MS = 50
"""TI's advice after CONFIG_UPDATE: subcommands that come sooner can end in a reset of the chip."""

_OVERHEAD = 4
"""The length byte counts two address bytes, checksum and itself."""


_read = cache(Read)
_write = lru_cache(maxsize=64)(Write)
_wait = cache(Wait)
"""What is asked of a chip again and again is made once."""


def word(value: int) -> bytes:
    """Put a 16-bit value into little-endian bytes."""
    return _WORD.pack(value)


def checksum(code: int, data: bytes) -> int:
    """Compute the buffer checksum: the inverted byte sum of address and payload."""
    return ~(sum(word(code)) + sum(data)) & 0xFF


def read_word(register: int, crc: bool) -> Procedure[int]:
    """Read a 16-bit direct command in one transaction."""
    value: int = _WORD.unpack((yield _read(register, 2, crc)))[0]
    return value


def command(code: int, crc: bool, wait_ms: int = 1) -> Procedure[None]:
    """Send a subcommand without data and let the chip carry it out."""
    yield _write(reg.SUBCOMMAND, word(code), crc)
    yield _wait(wait_ms)


def read_buffer(code: int, crc: bool) -> Procedure[bytes]:
    """Read what a subcommand answers, or 32 bytes of data memory from address `code` on.

    Raises VerifyError when checksum or length are wrong, BusError when the chip stays busy.
    """
    asked = word(code)
    yield _write(reg.SUBCOMMAND, asked, crc)
    for _ in range(_BUSY_POLLS):
        yield _wait(1)
        if (yield _read(reg.SUBCOMMAND, 2, crc)) == asked:
            break
    else:
        raise BusError(f"subcommand 0x{code:04X} is not done after {_BUSY_POLLS} ms; reset the chip")
    total, length = yield _read(reg.CHECKSUM, 2, crc)
    if not _OVERHEAD < length <= reg.BLOCK + _OVERHEAD:
        raise VerifyError(f"subcommand 0x{code:04X} answers with impossible length {length}")
    data = yield _read(reg.BUFFER, length - _OVERHEAD, crc)
    if checksum(code, data) != total:
        raise VerifyError(f"subcommand 0x{code:04X} answers with a wrong checksum")
    return data


def write_buffer(code: int, data: bytes, crc: bool) -> Procedure[None]:
    """Write data memory or a subcommand's payload.

    Checksum and length go in one write, which triggers. A wrong one is ignored by the chip without a
    sign on the wire: read back what matters.
    """
    yield Write(reg.SUBCOMMAND, word(code) + data, crc)
    yield Write(reg.CHECKSUM, bytes((checksum(code, data), len(data) + _OVERHEAD)), crc)
    yield Wait(2)


def enter_config_update(crc: bool) -> Procedure[None]:
    """Enter CONFIG_UPDATE: switches off, measurement and all protection of the chip stop."""
    yield from command(reg.SET_CFGUPDATE, crc, wait_ms=2)
    yield from _await_config_update(True, crc)


def leave_config_update(crc: bool) -> Procedure[None]:
    """Leave CONFIG_UPDATE; measurement and protection start again, POR is cleared."""
    yield from command(reg.EXIT_CFGUPDATE, crc, wait_ms=2)
    yield from _await_config_update(False, crc)
    yield Wait(_SETTLE_MS)


def _await_config_update(wanted: bool, crc: bool) -> Procedure[None]:
    for _ in range(_BUSY_POLLS):
        status = yield from read_word(reg.BATTERY_STATUS, crc)
        if bool(status & reg.CFGUPDATE) == wanted:
            return
        yield Wait(1)
    change = "enter" if wanted else "leave"
    raise VerifyError(f"the chip does not {change} CONFIG_UPDATE; is it sealed?")
