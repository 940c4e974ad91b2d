"""What core, links and tools share: small files in the runtime directory, replaced atomically.

A reader can never block the core. Each file carries the monotonic time and the boot it belongs to, so that
nothing old passes as new (S7, S11).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bmsd.errors import StaleError

SCHEMA = 1
SNAPSHOT, EVENTS, PARAMETERS, SOCKET = "snapshot", "events.json", "parameters.json", "bmsd.sock"
WRITES = "writes.json"
"""Until when somebody at the pack lets others write."""
FRESH_MS = 1500
"""A snapshot older than this is stale: the longest period plus half a second of scheduling."""


def monotonic_ms() -> int:
    """Read the clock that decides."""
    return time.monotonic_ns() // 1_000_000


def boot_id() -> str:
    """Name this boot of the machine; monotonic times of another boot mean nothing."""
    try:
        return _boot_id()
    except OSError:
        return "unknown"


@cache
def _boot_id() -> str:
    """Read it once: no process outlives a boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def write_file(path: Path, text: str) -> None:
    """Replace a small file atomically; readers see the old or the new one, never a half."""
    temporary = f"{path}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        write_all(descriptor, text.encode())
    finally:
        os.close(descriptor)
    os.replace(temporary, path)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything: a nearly full disk may take a part and say so."""
    while data:
        data = data[os.write(descriptor, data) :]


def read_document(path: Path) -> dict[str, Any]:
    """Read one of the shared files; raise StaleError in words when there is none or it is broken."""
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise StaleError(
            f"{path} does not exist: bmsd is not running, or runs with another --runtime-dir"
        ) from None
    except PermissionError:
        raise StaleError(f"{path} may not be read by you: join the group bmsd") from None
    except (OSError, ValueError, RecursionError) as error:
        raise StaleError(f"{path} cannot be read: {error}") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise StaleError(f"{path} is not of schema {SCHEMA}: bmsd and this program differ in version")
    return document


class Publisher:
    """Write the shared files of one daemon; a full or lost directory is counted, never raised (S9)."""

    def __init__(self, runtime_dir: Path) -> None:
        self._dir = runtime_dir
        self._boot = boot_id()
        self.failures = 0

    def publish(self, name: str, body: Mapping[str, Any], now_ms: int) -> bool:
        """Replace one shared file; tell whether it worked."""
        document = {"schema": SCHEMA, "boot": self._boot, "at_ms": now_ms, "time": time.time(), **body}
        try:
            write_file(self._dir / name, json.dumps(document, separators=(",", ":")))
        except OSError:
            self.failures += 1
            return False
        return True

    def withdraw(self, name: str) -> None:
        """Take one shared file away: its reader shall see that nobody is there, at once."""
        try:
            (self._dir / name).unlink(missing_ok=True)
        except OSError:
            self.failures += 1
