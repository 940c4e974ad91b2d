"""A ring of CAN frames in a file: one process writes it, others read along, and nobody waits for anybody.

Every record carries its number and a checksum. So a reader knows what it has missed, and never takes a half-written
record for a frame. A new writer makes a new file in the old one's place.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

RECORDS = 8192
"""41 s of a bus with 200 frames a second."""
EXTENDED, REMOTE, ERROR = 0x8000_0000, 0x4000_0000, 0x2000_0000
"""Flags beside the identifier, where SocketCAN has them."""
_RECORD = struct.Struct("<QqIBBxx8s")
_CHECK = struct.Struct("<I")
SIZE = _RECORD.size + _CHECK.size


class Logged(NamedTuple):
    """One frame as logged."""

    number: int
    """Counted from 1 over both directions."""
    time_us: int
    """Wall clock, for people."""
    id: int
    """With the flags above."""
    sent: bool
    """By us; else heard."""
    data: bytes

    def candump(self, interface: str) -> str:
        """Write the frame as `candump -L` does, with the direction behind it."""
        wide = self.id & (EXTENDED | ERROR)
        number = f"{self.id & ~(EXTENDED | REMOTE):08X}" if wide else f"{self.id & 0x7FF:03X}"
        content = "R" if self.id & REMOTE else self.data.hex().upper()
        when = f"{self.time_us // 1_000_000}.{self.time_us % 1_000_000:06d}"
        return f"({when}) {interface} {number}#{content} {'T' if self.sent else 'R'}"


class RingWriter:
    """Write frames into the ring; a full or lost directory is counted, never raised (S9)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._descriptor: int | None = None
        self.failures = 0
        self._open()

    def add(self, time_us: int, identifier: int, sent: bool, data: bytes) -> None:
        """Log one frame of at most 8 bytes."""
        self._number += 1
        body = _RECORD.pack(self._number, time_us, identifier, sent, len(data), data)
        self._write(self._number % RECORDS, body)

    def close(self) -> None:
        """Write nothing more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def _open(self) -> None:
        """Make the file in its full size at once, so that it cannot fail later for want of room."""
        temporary = f"{self._path}.new"
        try:
            self._descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
            os.posix_fallocate(self._descriptor, 0, RECORDS * SIZE)
            os.replace(temporary, self._path)
        except OSError:
            self.failures += 1

    def _write(self, slot: int, body: bytes) -> None:
        if self._descriptor is None:
            return
        try:
            os.pwrite(self._descriptor, body + _CHECK.pack(zlib.crc32(body)), slot * SIZE)
        except OSError:
            self.failures += 1


class RingReader:
    """Read along: every frame once, in order; what was overwritten before it was read is counted as lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._next = 0
        self.lost = 0

    def take(self) -> list[Logged]:
        """Give the frames since the last call; at first all that are kept. OSError: there is no ring."""
        found = self._following() if self._file else []
        if self._file is None or os.fstat(self._file.fileno()).st_ino != self._path.stat().st_ino:
            self.close()
            self._file, self._next = self._path.open("rb", buffering=0), 0
            found += self._kept()
            self._next = self._next or 1
        return found

    def close(self) -> None:
        """Let the file go."""
        if self._file:
            self._file.close()
        self._file = None

    def _following(self) -> list[Logged]:
        """Read from the next record on; after an overrun begin again with the oldest that is kept."""
        found: list[Logged] = []
        while len(found) < RECORDS:
            record = self._at(self._next)
            if record is None or record.number < self._next:
                return found
            if record.number > self._next:
                return found + self._kept()
            found.append(record)
            self._next += 1
        return found

    def _kept(self) -> list[Logged]:
        """Read all records that are kept, up to the first gap: behind it one is just being written."""
        there = sorted(r for slot in range(RECORDS) if (r := self._at(slot)) and r.number >= self._next)
        found = [r for place, r in enumerate(there) if r.number == there[0].number + place]
        if found:
            self.lost += found[0].number - self._next if self._next else 0
            self._next = found[-1].number + 1
        return found

    def _at(self, number: int) -> Logged | None:
        """Read one slot; None where nothing was written yet, or is being written."""
        assert self._file
        content = os.pread(self._file.fileno(), SIZE, number % RECORDS * SIZE)
        body = content[: _RECORD.size]
        if len(content) < SIZE or _CHECK.unpack(content[_RECORD.size :])[0] != zlib.crc32(body):
            return None
        logged, time_us, identifier, sent, length, data = _RECORD.unpack(body)
        return Logged(logged, time_us, identifier, bool(sent), data[:length]) if logged else None


def now_us() -> int:
    """Read the wall clock for a record."""
    return time.time_ns() // 1000
