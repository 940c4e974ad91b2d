"""How long a test waits, in seconds of a machine that has nothing else to do.

Where n processes want each processor, everything takes n times as long, and a limit in plain seconds would call that
a failure. So a second of which n processes had each a part counts as one n-th. A hang is still found: after its
seconds where nothing else runs, after n times as many where n processes share.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

PROCESSORS = len(os.sched_getaffinity(0))
LOAD = Path("/proc/loadavg")


def crowding() -> float:
    """Count who wants to run, now or over the last minute, for each processor; one is a machine of one's own."""
    minute, _, _, running, _ = LOAD.read_text().split()
    return max(1.0, float(minute) / PROCESSORS, int(running.partition("/")[0]) / PROCESSORS)


def allowed(seconds: float) -> float:
    """Give what so many seconds are just now: for a call that takes its limit once and then blocks."""
    return seconds * crowding()


class Patience:
    """Patience for so many seconds; each look wears it by what has passed since the last one."""

    def __init__(self, seconds: float) -> None:
        self.left_s, self._looked = seconds, time.monotonic()

    def is_over(self) -> bool:
        now = time.monotonic()
        self.left_s -= (now - self._looked) / crowding()
        self._looked = now
        return self.left_s <= 0


class Lateness:
    """What a busy machine added to a time: how long processes were ready to run while others ran.

    Take it off before judging whether something came within its time; where nothing else runs it is next to nothing.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._before_s = self._waited_s()

    @property
    def seconds(self) -> float:
        return max(self._waited_s() - self._before_s, 0.0)

    def _waited_s(self) -> float:
        return sum(_waited_ns(file) for pid in self._pids for file in _threads(pid)) / 1e9


def _threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _waited_ns(thread: Path) -> int:
    try:
        return int(thread.read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):  # it ended after it was listed
        return 0
