"""A notice that something happened which does not wait for anybody's next look: one counter in a file.

The core writes it; whoever likes watches the file. Nobody is waited for, and nobody need be there (S9).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

NOTICE = "notice"
_COUNTER = struct.Struct("<Q")


class Notice:
    """The file of one daemon. It stays from run to run, so that those who watch it go on watching."""

    def __init__(self, runtime_dir: Path) -> None:
        self._path = runtime_dir / NOTICE
        self._count = 0
        self.failures = 0

    def give(self) -> None:
        """Wake everybody who watches."""
        self._count += 1
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.pwrite(descriptor, _COUNTER.pack(self._count), 0)
            finally:
                os.close(descriptor)
        except OSError:
            self.failures += 1
