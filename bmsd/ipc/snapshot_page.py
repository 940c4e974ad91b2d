"""The file of the last snapshot: written four times a second, so numbers as numbers, and words only when they change.

Two slots take turns: the last whole snapshot is never the one being written. Each carries its number and a checksum
over everything, so that no reader takes a half-written one. The layout follows the rows of `tables/points.py`; who has
other rows is of another version. Nothing is cut off, extended or waited for: a reader can delay nobody.
"""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from bmsd.ipc.shared_files import SCHEMA
from bmsd.tables.points import POINTS, Count, PointKind

SLOT = 65_536
"""Bytes from one slot to the other: room for every alarm with every reason. What is not written takes no memory."""
UNKNOWN = -(2**63)
_VERSION = 1
_ONE = tuple(p.name for p in POINTS if p.count is Count.ONE and p.kind is not PointKind.TEXT)
_PER_CELL = tuple(p.name for p in POINTS if p.count is Count.PER_CELL)
_PER_SENSOR = tuple(p.name for p in POINTS if p.count is Count.PER_SENSOR)
TEXTS = tuple(p.name for p in POINTS if p.kind is PointKind.TEXT)
"""Points that are words; they stand with the other words."""
_FLAGS = frozenset(p.name for p in POINTS if p.kind is PointKind.FLAG)
LAYOUT = zlib.crc32(repr((_VERSION, _ONE, _PER_CELL, _PER_SENSOR, TEXTS, sorted(_FLAGS))).encode())
_HEAD = struct.Struct("<4sIQqdHHI")
"""Magic, layout, number, monotonic ms, wall clock, cells, sensors, bytes of words."""
HEAD_SIZE = _HEAD.size
_MAGIC = b"bmsd"
_CHECK = struct.Struct("<I")
_MOST_WORDS = SLOT - 8192


class Head(NamedTuple):
    """What a slot says of itself."""

    magic: bytes
    layout: int
    number: int
    """Counted from 1 by each writer."""
    at_ms: int
    time: float
    cells: int
    sensors: int
    words: int
    """Bytes of words."""


@lru_cache(maxsize=8)
def _numbers(cells: int, sensors: int) -> struct.Struct:
    return struct.Struct(f"<{len(_ONE) + len(_PER_CELL) * cells + len(_PER_SENSOR) * sensors}q")


def encode(head: Head, points: Mapping[str, Any], words: bytes) -> bytes:
    """Write one slot: head, points as 64-bit numbers, words, checksum. A point that is missing is unknown."""
    one = map(points.get, _ONE)
    cells = chain.from_iterable(_row(points.get(name), head.cells) for name in _PER_CELL)
    sensors = chain.from_iterable(_row(points.get(name), head.sensors) for name in _PER_SENSOR)
    values = [UNKNOWN if value is None else value for value in chain(one, cells, sensors)]
    body = _HEAD.pack(*head) + _numbers(head.cells, head.sensors).pack(*values) + words
    return body + _CHECK.pack(zlib.crc32(body))


def _row(values: Any, count: int) -> list[Any]:
    """Give one value for each cell or sensor, whatever is there."""
    if values is None or len(values) != count:
        return [*(values or ()), *[None] * count][:count]
    return list(values)


def read_head(data: bytes) -> Head | None:
    """Read the head of a slot; None where there is none of this layout."""
    if len(data) < HEAD_SIZE:
        return None
    head = Head._make(_HEAD.unpack_from(data))
    good = head.magic == _MAGIC and head.layout == LAYOUT and head.words <= _MOST_WORDS
    return head if good else None


def decode(data: bytes) -> tuple[Head, dict[str, Any], bytes] | None:
    """Give head, points and words of a slot; None when it is not whole."""
    head = read_head(data)
    if head is None:
        return None
    end = size(head) - _CHECK.size
    if len(data) < size(head) or _CHECK.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        return None
    numbers = _numbers(head.cells, head.sensors)
    values = [None if value == UNKNOWN else value for value in numbers.unpack_from(data, HEAD_SIZE)]
    points: dict[str, Any] = dict(zip(_ONE, values, strict=False))
    at = len(_ONE)
    for names, count in ((_PER_CELL, head.cells), (_PER_SENSOR, head.sensors)):
        for name in names:
            points[name] = values[at : at + count]
            at += count
    for name in _FLAGS:
        value = points[name]
        points[name] = [_flag(one) for one in value] if isinstance(value, list) else _flag(value)
    return head, points, data[HEAD_SIZE + numbers.size : end]


def _flag(value: int | None) -> bool | None:
    return None if value is None else value != 0


def size(head: Head) -> int:
    """Count the bytes of a whole slot."""
    return HEAD_SIZE + _numbers(head.cells, head.sensors).size + head.words + _CHECK.size


class SnapshotPublisher:
    """Write the snapshots of one daemon; a full or lost directory is counted, never raised (S9)."""

    def __init__(self, path: Path, boot: str) -> None:
        self._path = path
        self._boot = boot
        self._descriptor = -1
        self._inode: int | None = None
        self._said: tuple[Mapping[str, Any] | None, tuple[Any, ...]] = (None, ())
        self._words = b""
        self._number = 0
        self.failures = 0

    def publish(self, points: Mapping[str, Any], words: Mapping[str, Any], now_ms: int) -> bool:
        """Write the points of one cycle; words are encoded when they are another object. Tell whether it worked."""
        texts = tuple(map(points.get, TEXTS))
        if words is not self._said[0] or texts != self._said[1]:
            said = {
                "schema": SCHEMA,
                "boot": self._boot,
                **words,
                "texts": dict(zip(TEXTS, texts, strict=True)),
            }
            self._words = json.dumps(said, separators=(",", ":")).encode()
            self._said = (words, texts)
        self._number += 1
        cells = max(words.get("cells", 0), len(points.get("cell_mv") or ()))
        sensors, length = len(points.get("battery_decic") or ()), len(self._words)
        head = Head(_MAGIC, LAYOUT, self._number, now_ms, time.time(), cells, sensors, length)
        try:
            self._write(encode(head, points, self._words))
        except OSError:
            self.failures += 1
            return False
        return True

    def withdraw(self) -> None:
        """Take the file away: its readers shall see that nobody is there, at once."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            self.failures += 1

    def close(self) -> None:
        """Write nothing more into this file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._inode = -1, None

    def _write(self, slot: bytes) -> None:
        if self._inode is not None and inode_of(self._path) == self._inode:
            _put(self._descriptor, slot, self._number)
            return
        self.close()
        temporary = f"{self._path}.new"
        self._descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        _put(self._descriptor, slot, self._number)
        os.replace(temporary, self._path)
        self._inode = inode_of(self._path)


def inode_of(path: Path) -> int | None:
    """Tell one file from another that took its place; None where there is none."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


def _put(descriptor: int, slot: bytes, number: int) -> None:
    """Write a slot in one go. OSError: there was no room for all of it."""
    if os.pwrite(descriptor, slot, number % 2 * SLOT) < len(slot):
        raise OSError("only a part of the snapshot was written")
