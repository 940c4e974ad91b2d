"""The clock that decides, in the hands of a test."""

from __future__ import annotations

import time

import pytest

from bmsd.ipc import shared_files


class StillClock:
    """Stands still, for everything in this process that reads `monotonic_ms`, unless the test moves it.

    What was published stays as new as it was, however long the machine takes for the rest of the test.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_ms = shared_files.monotonic_ms()
        self.time = time.time
        patch.setattr(shared_files, "time", self)

    def monotonic_ns(self) -> int:
        return self.now_ms * 1_000_000

    def sleep(self, seconds: float) -> None:
        """Pass time without taking any: for a module whose `time` this is."""
        self.now_ms += round(1000 * seconds)
