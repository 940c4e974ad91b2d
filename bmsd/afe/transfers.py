"""The Sans-IO vocabulary of front-end chips: what a procedure asks of the bus, and who does it.

A procedure is a generator that yields `Read`, `Write` and `Wait` and is sent the bytes read. It
never touches a bus or a clock, so it reads like the data sheet and runs against a recording, a
simulated chip or the real one. `run` does framing, checksums, retries and counting for every chip.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeVar

from bmsd.errors import AfeError, BusError, CrcError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Read:
    """Read `length` bytes from `register` on, in one transaction."""

    register: int
    length: int
    crc: bool


@dataclass(frozen=True, slots=True)
class Write:
    """Write `data` from `register` on, in one transaction.

    A probe asks whether the chip accepts this frame at all: a refusal is an answer, neither retried
    nor counted as an error.
    """

    register: int
    data: bytes
    crc: bool
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Let the chip work for `ms` milliseconds."""

    ms: int


Step = Read | Write | Wait
Procedure = Generator[Read | Write | Wait, bytes, T]


class Port(Protocol):
    """One I2C bus."""

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Write `out`, then read `read` bytes (may be 0), in one combined transaction.

        Raises OSError: EREMOTEIO when nobody acknowledges, ETIMEDOUT when the bus is stuck.
        """
        ...


class TransferError(BusError):
    """A transfer failed for good; `errno` says how, `refused` that the chip did not acknowledge."""

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.errno = number

    @property
    def refused(self) -> bool:
        """Tell a missing acknowledge from a bus that is stuck or absent."""
        return self.errno in (errno.EREMOTEIO, errno.ENXIO)


@dataclass(slots=True)
class BusCounter:
    """What the bus has carried since start; the one mutable thing here."""

    transfers: int = 0
    wire_bytes: int = 0
    """Address bytes included."""
    errors: int = 0
    """Failed attempts, also those a retry made good."""


def _table(polynomial: int) -> bytes:
    table = bytearray(256)
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc << 1) ^ polynomial if crc & 0x80 else crc << 1
        table[value] = crc & 0xFF
    return bytes(table)


CRC_TABLE = _table(0x107)
"""CRC-8 of each single byte: x^8+x^2+x+1, start 0, no reflection (TI SLUUBY2B, I2C with CRC)."""

_ONE_BYTE = tuple(bytes((value,)) for value in range(256))

_MEANING = {
    errno.EREMOTEIO: "no acknowledge (EREMOTEIO); check the chip's supply, SDA and SCL, address",
    errno.ENXIO: "no acknowledge (ENXIO); check the chip's supply, SDA and SCL, address",
    errno.ETIMEDOUT: "time-out (ETIMEDOUT): SDA or SCL is held low; check for shorts and pull-ups",
    errno.EIO: "the adapter reports an error (EIO); check wiring, pull-ups and bus speed",
    errno.EAGAIN: "lost the bus to another master (EAGAIN); the front end needs a bus of its own",
    errno.ENOENT: "the bus does not exist (ENOENT); enable I2C, check the bus number",
    errno.EACCES: "no permission for the bus (EACCES); the daemon's user must be in group i2c",
}


def crc8(data: bytes, crc: int = 0) -> int:
    """Compute the CRC-8 of `data`, going on from `crc`."""
    for value in data:
        crc = CRC_TABLE[crc ^ value]
    return crc


def interleave(data: bytes, prefix: int) -> bytes:
    """Put a CRC after each byte; the first goes on from `prefix`, each later one stands alone."""
    wire = bytearray(2 * len(data))
    wire[0::2] = data
    wire[1::2] = data.translate(CRC_TABLE)
    wire[1] = CRC_TABLE[prefix ^ data[0]]
    return bytes(wire)


def write_prefix(address: int, register: int) -> int:
    """Compute the CRC over what precedes the first data byte of a write."""
    return CRC_TABLE[CRC_TABLE[address << 1] ^ register]


def read_prefix(address: int, register: int) -> int:
    """Compute the CRC over what precedes the first data byte of a read, repeated start included."""
    return CRC_TABLE[write_prefix(address, register) ^ (address << 1 | 1)]


@lru_cache(maxsize=512)  # from poll to poll most registers read the same
def read_wire(address: int, register: int, data: bytes) -> bytes:
    """Build what comes over the wire when these data are read, a checksum after each byte."""
    return interleave(data, read_prefix(address, register))


@lru_cache(maxsize=64)
def _write_wire(address: int, register: int, data: bytes) -> bytes:
    return _ONE_BYTE[register] + interleave(data, write_prefix(address, register))


def frame_write(address: int, write: Write) -> bytes:
    """Build the bytes after the address byte."""
    if not write.crc:
        return _ONE_BYTE[write.register] + write.data
    return _write_wire(address, write.register, write.data)


def unframe_read(address: int, read: Read, wire: bytes) -> bytes:
    """Take the data out of what came over the wire.

    Raises CrcError when a checksum or the length is wrong: a short answer is no answer.
    """
    if not read.crc:
        if len(wire) != read.length:
            raise CrcError(_short(address, read, wire))
        return wire
    data = wire[0::2]
    if len(wire) != 2 * read.length or wire != read_wire(address, read.register, data):
        raise CrcError(_wrong_crc(address, read, wire))
    return data


def run(
    procedure: Procedure[T],
    port: Port,
    address: int,
    sleep_ms: Callable[[int], None],
    retries: int = 2,
    counter: BusCounter | None = None,
) -> T:
    """Carry out a procedure and return its result.

    A transfer that fails is tried again at most `retries` times, after a time-out at most once: a
    stuck bus may only cost a bounded part of a period. Then BusError or CrcError is thrown into
    the procedure, which may clean up; what it does not handle comes out here.
    """
    count = counter if counter is not None else BusCounter()
    try:
        step = next(procedure)
        while True:
            if isinstance(step, Wait):
                sleep_ms(step.ms)
                step = procedure.send(b"")
                continue
            try:
                answer = _exchange(step, port, address, retries, count)
            except AfeError as error:
                step = procedure.throw(error)
            else:
                step = procedure.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _exchange(step: Read | Write, port: Port, address: int, retries: int, counter: BusCounter) -> bytes:
    attempt = 0
    while True:
        counter.transfers += 1
        try:
            if isinstance(step, Read):
                length = step.length * 2 if step.crc else step.length
                counter.wire_bytes += 3 + length
                return unframe_read(address, step, port.transfer(address, _ONE_BYTE[step.register], length))
            out = frame_write(address, step)
            counter.wire_bytes += 1 + len(out)
            port.transfer(address, out, 0)
            return b""
        except OSError as error:
            number = error.errno or errno.EIO
            refusal = TransferError(_describe(address, step, number, error), number)
            if isinstance(step, Write) and step.probe and refusal.refused:
                raise refusal from error
            failure: AfeError = refusal
            limit = min(retries, 1) if number == errno.ETIMEDOUT else retries
        except CrcError as error:
            failure, limit = error, retries
        counter.errors += 1
        attempt += 1
        if attempt > limit:
            raise failure


def _what(address: int, step: Read | Write) -> str:
    if isinstance(step, Read):
        act, length = "reading", step.length
    else:
        act, length = "writing", len(step.data)
    return f"{act} {length} bytes at register 0x{step.register:02X} of address 0x{address:02X}"


def _describe(address: int, step: Read | Write, number: int, error: OSError) -> str:
    name = errno.errorcode.get(number, str(number))
    return f"{_what(address, step)}: {_MEANING.get(number, f'{error.strerror or error} ({name})')}"


def _short(address: int, read: Read, wire: bytes) -> str:
    return f"{_what(address, read)}: {len(wire)} bytes came"


def _wrong_crc(address: int, read: Read, wire: bytes) -> str:
    return (
        f"{_what(address, read)}: wrong checksum in {wire.hex(' ')}; "
        "check wiring length, pull-ups, bus speed and clock stretching"
    )
