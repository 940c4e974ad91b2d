"""Links as real processes: started, waited for, and always ended; and a core that a test plays."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bmsd.errors import StaleError
from bmsd.ipc.shared_files import SNAPSHOT, boot_id, monotonic_ms
from bmsd.ipc.snapshot_page import SnapshotPublisher
from tests.support.patience import Patience

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0
"""Nothing here waits this long unless something is wrong; a busy machine waits longer (tests/support/patience.py)."""
POLL_S = 0.02


def eventually(check: Callable[[], T], seconds: float = PATIENCE_S) -> T:
    """Give the first true answer; an answer that cannot be had yet is not true yet."""
    patience, found = Patience(seconds), None
    while not patience.is_over():
        try:
            if found := check():
                return found
        except (OSError, ValueError, KeyError, StaleError) as error:
            found = error
        time.sleep(POLL_S)
    raise AssertionError(f"it did not happen within {seconds} s; last answer: {found!r}")


def ended(process: subprocess.Popen[str], seconds: float = PATIENCE_S) -> int:
    """Wait for the end of a process; give its exit code."""
    eventually(lambda: process.poll() is not None, seconds)
    return process.returncode


def last_words(process: subprocess.Popen[str], seconds: float = PATIENCE_S) -> tuple[str, str]:
    """Wait for the end of a process; give all it wrote, which is read meanwhile."""
    patience = Patience(seconds)
    while True:
        try:
            return process.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            assert not patience.is_over(), f"{process.args} did not end within {seconds} s"


@contextmanager
def link(name: str, config: Path, runtime: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a link; its words on stderr can be read."""
    command = [sys.executable, "-m", "bmsd.links.runner", name]
    command += ["--config", str(config), "--runtime-dir", str(runtime)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def joined_ptys() -> Iterator[tuple[str, str]]:
    """Join two ptys like a serial cable: give the paths of both ends."""
    masters, slaves = zip(*(os.openpty() for _ in range(2)), strict=True)
    for descriptor in (*masters, *slaves):
        tty.setraw(descriptor)
    end = threading.Event()

    def pump() -> None:
        while not end.is_set():
            for ready in select.select(masters, [], [], 0.05)[0]:
                os.write(masters[1 - masters.index(ready)], os.read(ready, 4096))

    thread = threading.Thread(target=pump)
    thread.start()
    try:
        yield os.ttyname(slaves[0]), os.ttyname(slaves[1])
    finally:
        end.set()
        thread.join()
        for descriptor in (*masters, *slaves):
            os.close(descriptor)


def free_port() -> int:
    """Give a port of the loopback that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class PlayedCore:
    """Publishes a snapshot every 100 ms, as the daemon does; points and alarms are the test's."""

    def __init__(self, folder: Path, points: Mapping[str, Any]) -> None:
        self.points = dict(points)
        self.alarms: list[dict[str, Any]] = []
        self._publisher, self._end = SnapshotPublisher(folder / SNAPSHOT, boot_id()), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.is_set():
            words = {"cells": 16, "simulated": True, "alarms": self.alarms, "why": {}}
            self._publisher.publish(self.points, words, monotonic_ms())
            self._end.wait(0.1)

    def die(self) -> None:
        self._end.set()
        self._thread.join()
