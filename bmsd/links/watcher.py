"""Wakes a link when the core gives notice (`ipc/notice.py`): inotify, which Python's library does not have."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from bmsd.ipc.notice import NOTICE
from bmsd.links.link import Link

_MODIFIED, _GONE, _IGNORED = 0x0002, 0x0400 | 0x0800, 0x8000
"""IN_MODIFY; IN_DELETE_SELF and IN_MOVE_SELF; IN_IGNORED of inotify(7)."""
_WATCHED = _MODIFIED | _GONE
_MASK_AT = 4
"""Where the mask stands in an event: behind the watch's number, both 32 bits. A watched file has no name in it."""
_EVENT = 16
_MOST = 4096


class NoticeWatcher:
    """Watches the core's notice. Where that cannot be, a link looks by itself."""

    def __init__(self, runtime_dir: Path) -> None:
        self._path = os.fsencode(runtime_dir / NOTICE)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._watches = False

    def wait(self, link: Link, pause_ms: int, tick_ms: int, *descriptors: int) -> list[int]:
        """Wait for a notice, something to read, or a time: the shorter one where no notice can be watched.

        Give where there is something to read.
        """
        fd = self._watched()
        if fd is None:
            return link.wait(min(pause_ms, tick_ms) / 1000, *descriptors)
        ready = link.wait(pause_ms / 1000, fd, *descriptors)
        if fd in ready:
            ready.remove(fd)
            self._clear()
        return ready

    def _watched(self) -> int | None:
        """Give what becomes readable with the next notice; None where nothing is watched."""
        if self._fd < 0:
            return None
        if not self._watches:
            self._watches = self._libc.inotify_add_watch(self._fd, self._path, _WATCHED) >= 0
        return self._fd if self._watches else None

    def _clear(self) -> None:
        """Take the notices that are there; a file that went away is looked for again."""
        events = os.read(self._fd, _MOST)
        for at in range(0, len(events), _EVENT):
            mask = int.from_bytes(events[at + _MASK_AT : at + 2 * _MASK_AT], sys.byteorder)
            if mask & (_GONE | _IGNORED):
                self._watches = False

    def close(self) -> None:
        """Watch no longer."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
