"""The last snapshot, as links and programs read it: whole, of this boot, and with its age (S7)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmsd.errors import StaleError
from bmsd.ipc import snapshot_page as page
from bmsd.ipc.shared_files import FRESH_MS, SCHEMA, SNAPSHOT, boot_id, monotonic_ms

_TRIES = 5
"""A writer faster than this reader may write over both slots while they are read."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published cycle, as read back."""

    document: Mapping[str, Any]

    @property
    def points(self) -> Mapping[str, Any]:
        """Give the points by inside name; None is unknown."""
        points: Mapping[str, Any] = self.document["points"]
        return points

    def age_ms(self, now_ms: int | None = None) -> int:
        """Tell how old the snapshot is."""
        return (monotonic_ms() if now_ms is None else now_ms) - int(self.document["at_ms"])

    def is_fresh(self, now_ms: int | None = None) -> bool:
        """Tell whether the daemon is alive behind this snapshot, in this boot."""
        return self.document.get("boot") == boot_id() and 0 <= self.age_ms(now_ms) <= FRESH_MS


class SnapshotReader:
    """Reads the snapshots of one runtime directory; nothing is read or decoded twice."""

    def __init__(self, runtime_dir: Path) -> None:
        self._path = runtime_dir / SNAPSHOT
        self._descriptor = self._inode = -1
        self._last: Snapshot | None = None
        self._number = 0
        self._words: tuple[bytes, Mapping[str, Any]] = (b"", {})

    def last(self) -> Snapshot:
        """Give the last snapshot, of whatever age. StaleError, in words: there is none to read."""
        try:
            return self._look()
        except FileNotFoundError:
            raise StaleError(
                f"{self._path} does not exist: bmsd is not running, or runs with another --runtime-dir"
            ) from None
        except PermissionError:
            raise StaleError(f"{self._path} may not be read by you: join the group bmsd") from None
        except (OSError, ValueError, RecursionError) as error:
            raise StaleError(f"{self._path} cannot be read: {error}") from None

    def close(self) -> None:
        """Let the file go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _look(self) -> Snapshot:
        inode = os.stat(self._path).st_ino
        if self._descriptor < 0 or inode != self._inode:
            self.close()
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            self._inode, self._last = os.fstat(self._descriptor).st_ino, None
        for _ in range(_TRIES):
            if found := self._newest():
                return found
        raise StaleError(f"{self._path} is half written, or no snapshot of this version of bmsd")

    def _newest(self) -> Snapshot | None:
        """Read the newer slot, or the other where it is not whole; None where neither is."""
        heads = [page.read_head(os.pread(self._descriptor, page.HEAD_SIZE, n * page.SLOT)) for n in (0, 1)]
        for head in sorted(filter(None, heads), key=lambda head: -head.number):
            if self._last is not None and head.number == self._number:
                return self._last
            slot = os.pread(self._descriptor, page.size(head), head.number % 2 * page.SLOT)
            if whole := page.decode(slot):
                return self._keep(*whole)
        return None

    def _keep(self, head: page.Head, points: dict[str, Any], words: bytes) -> Snapshot:
        if words != self._words[0]:
            said = json.loads(words)
            if not isinstance(said, dict) or said.get("schema", SCHEMA) != SCHEMA:
                raise StaleError(
                    f"{self._path} is not of schema {SCHEMA}: bmsd and this program differ in version"
                )
            self._words = (words, said)
        said = self._words[1]
        points |= said.get("texts", {})
        document = {**said, "at_ms": head.at_ms, "time": head.time, "points": points}
        self._last, self._number = Snapshot(document), head.number
        return self._last


def read_snapshot(runtime_dir: Path) -> Snapshot:
    """Read the last snapshot once, of whatever age; raise StaleError when there is none to read."""
    reader = SnapshotReader(runtime_dir)
    try:
        return reader.last()
    finally:
        reader.close()


def fresh_snapshot(runtime_dir: Path) -> Snapshot:
    """Read a snapshot that is present; raise StaleError with its age when it is not."""
    snapshot = read_snapshot(runtime_dir)
    if snapshot.document.get("boot") != boot_id():
        raise StaleError("the snapshot is from before the last boot: bmsd is not running")
    if not snapshot.is_fresh():
        raise StaleError(f"the snapshot is {snapshot.age_ms() / 1000:.1f} s old: bmsd has stopped or hangs")
    return snapshot
