"""The I2C side of the simulated BQ769x2: framing, checksums, the register file and its buffer.

The buffer's checksum and length are enforced as the chip does: a wrong one is ignored without a sign.
In CRC mode a wrong checksum on a write is not acknowledged and nothing is stored.
"""

from __future__ import annotations

import errno
from functools import lru_cache

from bmsd.afe.transfers import CRC_TABLE, read_wire, write_prefix
from bmsd.sim.chips import bq769x2_commands as commands
from bmsd.sim.chips.bq769x2_inside import Inside

_FIRST_VALUE, _AFTER_VALUES = 0x14, 0x3C
_BUFFER, _CHECKSUM, _LENGTH = 0x40, 0x60, 0x61


class ChipLink:
    """One chip's bus interface; `crc` and `address` change by SWAP_COMM_MODE."""

    def __init__(self, chip: Inside, address: int) -> None:
        self._chip = chip
        self._first_address = address
        self._register = 0
        self._busy_reads = 0
        self._answers = 0
        self.reset()

    def reset(self) -> None:
        """Fall back to a plain link at the first address, as on power-up."""
        self.crc = False
        self.address = self._first_address
        self._busy_reads = 0

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Answer one combined transaction."""
        chip = self._chip
        if address != self.address or not chip.powered:
            raise _refusal()
        if out:
            self._register = out[0]
            if len(out) > 1:
                self._write(out[0], self._unframe(out))
        chip.feed_watchdog()
        if not read:
            return b""
        return self._read(self._register, read)

    def _unframe(self, out: bytes) -> bytes:
        """Check a write's checksums and take its data out."""
        data = _checked(self.address, out) if self.crc else out[1:]
        if data is None:
            raise _refusal()
        return data

    def _read(self, register: int, length: int) -> bytes:
        count = (length + 1) // 2 if self.crc else length
        data = bytes(self._chip.registers[register : register + count])
        if self._busy_reads and register < _BUFFER and register + count > 0x3E:
            data = self._with_busy(register, data)
        if len(data) < count:
            data = data.ljust(count, b"\xff")
        if self._chip.faults:
            return self._faulty(register, data, length)
        if not self.crc:
            return data
        return read_wire(self.address, register, data)[:length]

    def _with_busy(self, register: int, data: bytes) -> bytes:
        """Show 0xFFFF in the subcommand registers while the chip works."""
        self._busy_reads -= 1
        start = max(0, 0x3E - register)
        end = min(len(data), _BUFFER - register)
        return data[:start] + b"\xff" * (end - start) + data[end:]

    def _faulty(self, register: int, data: bytes, length: int) -> bytes:
        faults = self._chip.faults
        if "zeros" in faults or "ones" in faults:
            return (b"\x00" if "zeros" in faults else b"\xff") * length
        if "torn" in faults:
            data = self._torn(register, data)
        wire = bytearray(data)
        if self.crc:
            wire = bytearray(read_wire(self.address, register, data)[:length])
            if "crc" in faults:
                wire[1::2] = bytes(value ^ 0x55 for value in wire[1::2])
        if "flip" in faults:
            self._answers += 1
            bit = self._answers % (8 * len(wire))
            wire[bit // 8] ^= 1 << bit % 8
        return bytes(wire)

    def _torn(self, register: int, data: bytes) -> bytes:
        """Take the low byte of a value whose high byte is not in this read from the older scan."""
        last = register + len(data) - 1
        if last % 2 == 0 and _FIRST_VALUE <= last < _AFTER_VALUES:
            return data[:-1] + self._chip.engine.older[last : last + 1]
        return data

    def _write(self, register: int, data: bytes) -> None:
        end = register + len(data)
        registers = self._chip.registers
        for number, value in enumerate(data, register):
            if number in (0x62, 0x63):
                registers[number] &= ~value
            elif number in (0x3E, 0x3F, 0x66, 0x67):
                registers[number] = value
        if register > _LENGTH:
            return
        if register <= 0x3F < end:
            self._command()
        for number in range(max(register, _BUFFER), min(end, _LENGTH + 1)):
            registers[number] = data[number - register]
        if register <= _CHECKSUM and end > _LENGTH:
            self._commit()

    def _command(self) -> None:
        registers = self._chip.registers
        code = registers[0x3E] | registers[0x3F] << 8
        answer = commands.execute(self._chip, code)
        if answer is None:
            return
        registers[_BUFFER : _BUFFER + 32] = answer.ljust(32, b"\0")
        registers[_LENGTH] = len(answer) + 4
        registers[_CHECKSUM] = _checksum(code, answer)
        self._busy_reads = 1

    def _commit(self) -> None:
        registers = self._chip.registers
        length = registers[_LENGTH] - 4
        if not 1 <= length <= 32:
            return
        code = registers[0x3E] | registers[0x3F] << 8
        data = bytes(registers[_BUFFER : _BUFFER + length])
        if registers[_CHECKSUM] == _checksum(code, data):
            commands.write(self._chip, code, data)


@lru_cache(maxsize=64)  # a host repeats itself
def _checked(address: int, out: bytes) -> bytes | None:
    """Take the data out of a write with checksums; None where one is wrong or missing."""
    data, sums = out[1::2], out[2::2]
    expected = data.translate(CRC_TABLE)
    first = CRC_TABLE[write_prefix(address, out[0]) ^ data[0]]
    return data if len(sums) == len(data) and sums[0] == first and sums[1:] == expected[1:] else None


def _checksum(code: int, data: bytes) -> int:
    return ~((code & 0xFF) + (code >> 8) + sum(data)) & 0xFF


def _refusal() -> OSError:
    return OSError(errno.EREMOTEIO, "no acknowledge (simulated)")
