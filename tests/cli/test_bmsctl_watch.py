"""bmsctl watch on a real terminal of 80 by 24: what it shows, that it cleans up, and that old is not present."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from bmsd.cli.console import Console, clipped
from bmsd.cli.watch import ENTER, LEAVE, frame
from tests.support.patience import Patience
from tests.support.running import ended

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def clock() -> None:
    """Leave the clock alone: bmsctl is a process of its own here."""


class Terminal:
    """bmsctl watch on a pseudo-terminal."""

    def __init__(self, runtime, rows: int = 24, columns: int = 80, **environment: str) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        command = [sys.executable, "-m", "bmsd.cli.main", "watch", "--runtime-dir", str(runtime.path)]
        variables = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", **environment}
        for name in ("COLUMNS", "LINES"):
            variables.pop(name, None)
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables, start_new_session=True
        )
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read_until(self, text: str) -> str:
        patience = Patience(15)
        while text not in self.seen and not patience.is_over():
            self._take(0.1)
        assert text in self.seen
        return self.seen

    def _take(self, wait_s: float) -> None:
        if select.select([self.ours], [], [], wait_s)[0]:
            # A read may end in the middle of a letter.
            self.seen += self._decoder.decode(os.read(self.ours, 65536))

    def end(self) -> int:
        """Wait for the end; the screen must be back and the keyboard as before."""
        code = ended(self.process, 15)
        self._take(0.2)
        assert self.seen.startswith(ENTER)
        assert self.seen.endswith(LEAVE)
        assert termios.tcgetattr(self.theirs) == self.before
        os.close(self.ours)
        os.close(self.theirs)
        return code

    def screens(self) -> list[list[str]]:
        """Split what was drawn into frames of visible lines."""
        return [ESCAPE.sub("", part).split("\r\n") for part in self.seen.split("\x1b[H")[1:]]


def test_it_draws_and_q_ends_it(runtime, alive) -> None:
    terminal = Terminal(runtime)
    terminal.read_until("bmsd started")
    os.write(terminal.ours, b"q")
    assert terminal.end() == 0
    screen = terminal.screens()[0]
    assert len(screen) <= 24
    assert max(map(len, screen)) <= 80


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_the_screen_back(runtime, alive, number) -> None:
    terminal = Terminal(runtime)
    terminal.read_until("up 1 h 2 min")
    terminal.process.send_signal(number)
    assert terminal.end() in {0, 143}


def test_old_is_shown_as_old_and_missing_as_missing(runtime) -> None:
    begun = time.monotonic()
    runtime.publish(age_ms=60_000)
    terminal = Terminal(runtime)
    seen = terminal.read_until("no longer true")
    told = re.search(r"STALE  the snapshot is (\d+\.\d) s old", ESCAPE.sub("", seen))
    assert told
    assert 60 <= float(told[1]) < 60.1 + time.monotonic() - begun
    for file in runtime.path.iterdir():
        file.unlink()
    terminal.read_until("NOT RUNNING")
    os.write(terminal.ours, b"q")
    assert terminal.end() == 0


def test_no_colour_when_not_wanted(runtime, alive) -> None:
    terminal = Terminal(runtime, NO_COLOR="1")
    terminal.read_until("bmsd started")
    os.write(terminal.ours, b"q")
    terminal.end()
    assert not re.search(r"\x1b\[[0-9;]*m", terminal.seen)


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (10, 40), (50, 200)])
def test_a_frame_fits_its_terminal(runtime, rows, columns) -> None:
    alarms = [
        runtime.alarm(name) for name in ("cell_ovp", "cell_spread", "cell_lost", "afe_lost", "charge_utp")
    ]
    runtime.publish(alarms=alarms)
    terminal = Terminal(runtime, rows, columns)
    terminal.read_until("\x1b[J")
    os.write(terminal.ours, b"q")
    terminal.end()
    screen = terminal.screens()[0]
    assert len(screen) <= rows
    assert max(map(len, screen)) <= columns


def test_many_alarms_leave_room_and_are_counted(runtime, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    alarms = [
        runtime.alarm(name) for name in ("cell_ovp", "cell_spread", "cell_lost", "afe_lost", "charge_utp")
    ]
    runtime.publish(alarms=alarms)
    lines = frame(runtime.path, Console())
    assert len(lines) <= 24
    assert any("and 3 more: 'bmsctl alarms'" in line for line in lines)
    assert any("bmsd started" in line for line in lines)


def test_clipping_counts_what_is_visible() -> None:
    assert clipped("\x1b[31mabcdef\x1b[0m", 3) == "\x1b[31mabc\x1b[0m"
    assert clipped("abc", 80) == "abc"
