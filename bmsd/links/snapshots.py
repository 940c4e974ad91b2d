"""The core's snapshot as a link sees it: read again only when it changed, and never trusted when old (S7)."""

from __future__ import annotations

from pathlib import Path

from bmsd.bus import SNAPSHOT, Snapshot, boot_id, read_snapshot
from bmsd.errors import StaleError


class Snapshots:
    """The last snapshot of one runtime directory."""

    def __init__(self, runtime_dir: Path) -> None:
        self.folder = runtime_dir
        self._version: tuple[int, int, int] | None = None
        self._last: Snapshot | None = None
        self.trouble = ""
        """Why there is no present snapshot, in words."""

    def last(self) -> Snapshot | None:
        """Give the last snapshot of this boot, of whatever age; None when there is none to read."""
        try:
            status = (self.folder / SNAPSHOT).stat()
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
            if version != self._version:
                self._last = read_snapshot(self.folder)
                self._version = version
        except FileNotFoundError:
            self._forget(f"{self.folder / SNAPSHOT} does not exist: bmsd is not running")
        except (OSError, StaleError) as error:
            self._forget(str(error))
        if self._last is None:
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
        if last.is_fresh(now_ms):
            self.trouble = ""
            return last
        self.trouble = "the core's data is old: bmsd has stopped or hangs"
        return None

    def _forget(self, trouble: str) -> None:
        self._last, self._version, self.trouble = None, None, trouble
