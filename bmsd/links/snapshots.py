"""The core's files as a link sees them: read again only when they changed; an old snapshot is never trusted (S7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bmsd.errors import StaleError
from bmsd.ipc.shared_files import FRESH_MS, boot_id, monotonic_ms, read_document
from bmsd.ipc.snapshot import Snapshot, SnapshotReader


class SharedFile:
    """Another file of the core, read again only when it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._last: dict[str, Any] | None = None

    def last(self) -> dict[str, Any] | None:
        """Give what it says, of this boot; None when there is nothing to read."""
        try:
            version = version_of(self._path)
            if version != self._version:
                self._last, self._version = read_document(self._path), version
        except (OSError, StaleError):
            self._last = self._version = None
        return self._last if self._last is not None and self._last.get("boot") == boot_id() else None


def version_of(path: Path) -> tuple[int, int, int]:
    """Tell one content of a file from another. OSError: there is none."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


class Snapshots:
    """The last snapshot of one runtime directory."""

    def __init__(self, runtime_dir: Path) -> None:
        self.folder = runtime_dir
        self._reader = SnapshotReader(runtime_dir)
        self._last: Snapshot | None = None
        self.trouble = ""
        """Why there is no present snapshot, in words."""

    def last(self) -> Snapshot | None:
        """Give the last snapshot of this boot, of whatever age; None when there is none to read."""
        try:
            self._last = self._reader.last()
        except StaleError as error:
            self._last, self.trouble = None, str(error)
            return None
        if self._last.document.get("boot") != boot_id():
            self.trouble = "the snapshot is from before the last boot: bmsd is not running"
            return None
        return self._last

    def fresh(self, now_ms: int) -> Snapshot | None:
        """Give the snapshot if it is present; else None, and `trouble` says why."""
        last = self.last()
        if last is None:
            return None
        if last.age_ms(now_ms) < 0:
            now_ms = monotonic_ms()  # published since the caller looked at the clock: newer than new, not old
        if last.is_fresh(now_ms):
            self.trouble = ""
            return last
        self.trouble = "the core's data is old: bmsd has stopped or hangs"
        return None

    def old_ms(self) -> int | None:
        """Tell when the snapshot that was read last is no longer fresh; None when there is none."""
        return None if self._last is None else int(self._last.document["at_ms"]) + FRESH_MS + 1
