"""The core looks after its guard: one that is gone or hung is replaced, and nothing waits for it (S5, S9).

The guards here are harmless programs: a real one would end this process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bmsd.daemon import process
from bmsd.daemon.process import DEAF_MS, HEALTHY_MS, PAUSES_MS, STARTING_MS, Guard
from tests.support.running import eventually

READS = """
import os, sys
while os.read(int(sys.argv[1]), 4096):
    pass
"""
DEAF = "import time\ntime.sleep(600)\n"


@pytest.fixture
def made(tmp_path) -> Iterator[list[Guard]]:
    guards: list[Guard] = []
    yield guards
    for guard in guards:
        if guard._process is not None:
            guard._process.kill()
            guard._process.wait()
        guard._hang_up()


def program(folder: Path, text: str) -> str:
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


def guard_of(folder: Path, made: list[Guard], text: str = READS) -> Guard:
    made.append(Guard(folder, folder / "bmsd.toml", program(folder, text)))
    return made[-1]


def is_read(guard: Guard) -> None:
    """Wait until the guard has read every beat."""
    eventually(lambda: guard._unread() == 0)


def listens(guard: Guard, now_ms: int) -> bool:
    """Beat, wait until the guard has read it, and look."""
    guard.beat(now_ms)
    is_read(guard)
    heard = guard.beat(now_ms)
    is_read(guard)
    return heard is True


def killed(guard: Guard) -> int:
    """Kill the guard; give its process."""
    assert guard._process is not None
    pid = guard._process.pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def stopped(pid: int) -> None:
    """Stop the guard, and wait until it stands still."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


def test_one_that_is_starting_is_neither_there_nor_missed(tmp_path, made) -> None:
    guard = guard_of(tmp_path, made, DEAF)
    assert guard.beat(1000) is None
    assert guard.beat(1000 + STARTING_MS) is None
    assert guard.beat(1001 + STARTING_MS) is False, "it never read a beat"


def test_with_one_processor_it_is_heard_all_the_same(tmp_path, made) -> None:
    """A guard that reads only while the core waits was taken for hung, and killed, again and again."""
    guard = guard_of(tmp_path, made)
    pid = guard._process.pid if guard._process else 0
    assert guard.beat(1000) is None
    for now_ms in range(1250, 1250 + 2 * STARTING_MS, 1000):
        is_read(guard)
        stopped(pid)
        assert guard.beat(now_ms) is True
        assert guard._unread() == 1, "this beat can only be read once the core waits"
        os.kill(pid, signal.SIGCONT)


def test_nothing_is_read_before_something_is_told(tmp_path, made) -> None:
    """An empty pipe is no proof that somebody reads it."""
    guard = guard_of(tmp_path, made, DEAF)
    assert guard.beat(1000) is None
    assert guard.beat(1250) is None


def test_one_that_dies_is_missed_at_once_and_replaced_at_once(tmp_path, made) -> None:
    """S5: it could die unnoticed, and nobody was left to switch off when the core died."""
    guard = guard_of(tmp_path, made)
    assert listens(guard, 1000)
    first = killed(guard)
    assert guard.beat(1250) is False
    assert guard._process is not None
    assert guard._process.pid != first
    assert listens(guard, 1500)


def test_one_that_keeps_dying_is_replaced_later_and_later(tmp_path, made) -> None:
    guard, now_ms = guard_of(tmp_path, made), 1000
    for pause_ms in (*PAUSES_MS, PAUSES_MS[-1]):
        assert listens(guard, now_ms)
        killed(guard)
        if pause_ms:
            assert guard.beat(now_ms) is False
            assert guard._process is None
            assert guard.beat(now_ms + pause_ms - 1) is False
            assert guard._process is None
        assert guard.beat(now_ms + pause_ms) is False
        assert guard._process is not None
        now_ms += pause_ms


def test_one_that_lasted_an_hour_begins_the_pauses_anew(tmp_path, made) -> None:
    guard = guard_of(tmp_path, made)
    for now_ms in (1000, 1250):
        assert listens(guard, now_ms)
        killed(guard)
        guard.beat(now_ms)
    guard.beat(2250)
    assert listens(guard, 2250)
    assert listens(guard, 2250 + HEALTHY_MS)
    killed(guard)
    guard.beat(2500 + HEALTHY_MS)
    assert guard._process is not None, "at once again"


def test_one_that_hangs_is_killed_and_replaced(tmp_path, made) -> None:
    guard = guard_of(tmp_path, made)
    assert listens(guard, 1000)
    assert guard._process is not None
    pid = guard._process.pid
    stopped(pid)
    guard.beat(1000)
    assert guard.beat(1000 + DEAF_MS) is True, "a busy machine"
    assert guard.beat(1001 + DEAF_MS) is False
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert guard.beat(1250 + DEAF_MS) is False
    assert listens(guard, 1500 + DEAF_MS)


def test_one_that_cannot_be_started_stays_missed_and_is_tried_again(tmp_path, made, monkeypatch) -> None:
    """S9: no memory, no process: the core goes on."""
    guard = guard_of(tmp_path, made)
    assert listens(guard, 1000)
    killed(guard)

    def refuses(*_arguments: object, **_more: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(process.subprocess, "Popen", refuses)
        assert guard.beat(1250) is False
        guard.goodbye()
        assert guard.beat(1250 + PAUSES_MS[-2]) is False
    assert guard.beat(1249 + 2 * PAUSES_MS[-2]) is False
    assert guard._process is None
    assert guard.beat(1250 + 2 * PAUSES_MS[-2]) is False
    assert listens(guard, 1500 + 2 * PAUSES_MS[-2])


def test_no_descriptor_is_left_behind(tmp_path, made) -> None:
    guard, now_ms = guard_of(tmp_path, made), 1000
    assert listens(guard, now_ms)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        killed(guard)
        guard.beat(now_ms)
        if guard._process is None:
            now_ms += PAUSES_MS[-1]
        assert listens(guard, now_ms)
    assert len(os.listdir("/proc/self/fd")) == before


def test_looking_takes_no_time_worth_counting(tmp_path, made) -> None:
    """S9: against what a process of its own would take, in this very minute."""
    guard = guard_of(tmp_path, made)
    assert listens(guard, 1000)
    begun = time.process_time()
    subprocess.run(["true"], check=True)
    one_process = max(time.process_time() - begun, 0.0005)
    begun = time.process_time()
    for _ in range(1000):
        guard.beat(1000)
    assert (time.process_time() - begun) / 1000 < one_process
