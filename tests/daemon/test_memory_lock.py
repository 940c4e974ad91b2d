"""The core's memory stays in memory where systemd allows it, and nothing is tried where a limit would bite later."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from bmsd.daemon import process

LIMITED_KIB = 1024
PROGRAM = """
import resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
from bmsd.daemon.process import keep_in_memory
done = keep_in_memory()
print(done, next(line for line in open("/proc/self/status") if line.startswith("VmLck")).split()[1])
"""


def answer(limit: int) -> list[str]:
    """Run it in a process of its own, since nothing unlocks this one again; give the answer and the locked KiB."""
    command = [sys.executable, "-c", PROGRAM, str(limit)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_the_kernel_locks_it_all() -> None:
    """S9: a cycle does not wait for a page on an SD card."""
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY:
        pytest.skip("this user's hard limit of locked memory (ulimit -H -l) is not unlimited")
    done, locked_kib = answer(resource.RLIM_INFINITY)
    assert done == "True"
    assert int(locked_kib) > 1000


def test_under_a_limit_nothing_is_locked() -> None:
    assert answer(LIMITED_KIB * 1024) == ["False", "0"]


@pytest.mark.parametrize("answered", [0, -1])
def test_pages_that_were_never_used_are_not_brought_in(monkeypatch, answered) -> None:
    """All now and later, but only as they are used: 1, 2 and 4 of mlockall(2). A kernel's no is no reason to end."""
    asked: list[int] = []

    class Library:
        def mlockall(self, flags: int) -> int:
            asked.append(flags)
            return answered

    monkeypatch.setattr(process.resource, "getrlimit", lambda _what: (resource.RLIM_INFINITY,) * 2)
    monkeypatch.setattr(process.ctypes, "CDLL", lambda *_name, **_how: Library())
    assert process.keep_in_memory() is (answered == 0)
    assert asked == [1 | 2 | 4]
