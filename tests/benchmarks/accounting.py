"""What the scheduler itself has written down for a process: time on a processor, sleeps, and how much memory it has."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """All threads of a process together, since each of them began."""

    cpu_ns: int
    sleeps: int
    """How often it gave a processor back, to wait for something: each is one wake-up later."""
    preemptions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a process took of each second."""

    cpu_ms: float
    wakeups: float
    preemptions: float


def read(pid: int) -> Account:
    """Read the account of a process; raise ProcessLookupError when it is gone."""
    tasks = [_task(path) for path in Path(f"/proc/{pid}/task").glob("*")]
    if not tasks:
        raise ProcessLookupError(pid)
    return Account(
        cpu_ns=sum(one.cpu_ns for one in tasks),
        sleeps=sum(one.sleeps for one in tasks),
        preemptions=sum(one.preemptions for one in tasks),
    )


def _task(path: Path) -> Account:
    cpu_ns = int((path / "schedstat").read_text().split()[0])
    status = (path / "status").read_text()
    return Account(
        cpu_ns=cpu_ns,
        sleeps=_line(status, "voluntary_ctxt_switches"),
        preemptions=_line(status, "nonvoluntary_ctxt_switches"),
    )


def _line(text: str, key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+)", text, re.MULTILINE)
    assert found, key
    return int(found[1])


def window(pids: Mapping[str, int], seconds: float) -> tuple[dict[str, Rates], float]:
    """Let time pass; give what each process took of a second meanwhile, and how long it really was."""
    before, begun = {name: read(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(seconds)
    after, elapsed = {name: read(pid) for name, pid in pids.items()}, time.monotonic() - begun
    return {name: _rates(before[name], after[name], elapsed) for name in pids}, elapsed


def _rates(before: Account, after: Account, elapsed_s: float) -> Rates:
    return Rates(
        cpu_ms=(after.cpu_ns - before.cpu_ns) / 1e6 / elapsed_s,
        wakeups=(after.sleeps - before.sleeps) / elapsed_s,
        preemptions=(after.preemptions - before.preemptions) / elapsed_s,
    )
