"""What the core's process needs beside the pack: a guard, a lock, memory that stays, and the rule who may ask."""

from __future__ import annotations

import ctypes
import fcntl
import grp
import os
import resource
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import IO

from bmsd.arguments import marked
from bmsd.config.load import Config
from bmsd.shutdown import guard

ADMIN_GROUP = "bmsd-admin"
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


PAUSES_MS = (0, 1000, 10_000, 60_000, 600_000)
"""Before a guard is started again: at once the first time, later and later when it keeps ending."""
HEALTHY_MS = 3_600_000
"""A guard that lasts so long begins the pauses again."""
STARTING_MS = 10_000
DEAF_MS = 10_000
"""So long may beats lie unread, and a new guard take until it reads the first one; then it is taken for hung."""


class Guard:
    """A small process that switches off when this one dies or hangs (S5), and is looked after in return.

    Looking costs two system calls. Starting again is a fork of an interpreter whose file is in memory already, as it is
    ours; what the new process then loads from the disk is its own time and not the core's (S9).
    """

    def __init__(self, runtime_dir: Path, config: Path, program: str = guard.__file__) -> None:
        # -I -S: nothing but the standard library is needed, and half the memory.
        self._before = [sys.executable, "-I", "-S", program]
        self._after = [str(os.getpid()), "--runtime-dir", str(runtime_dir), "--config", str(config)]
        self._process: subprocess.Popen[bytes] | None = None
        self._writing = -1
        self._told = self._listens = False
        self._ended = 0
        self._heard_ms = self._began_ms = self._due_ms = 0
        self._start()

    def _start(self) -> None:
        reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._told = self._listens = False
        try:
            command = [*self._before, str(reading), *self._after]
            self._process = subprocess.Popen(command, pass_fds=(reading,), stdin=subprocess.DEVNULL)
        except OSError:
            os.close(self._writing)
            self._writing = -1
            raise
        finally:
            os.close(reading)

    def goodbye(self) -> None:
        """Tell that everything is off and the end is wanted."""
        self._write(guard.GOODBYE)
        self._hang_up()

    def beat(self, now_ms: int) -> bool | None:
        """Tell the guard that a cycle was finished, and whether one listens; None: it is starting.

        It is looked at first: with a single processor it reads a beat only once this process waits.
        """
        listens = self._watch(now_ms)
        self._told = self._write(guard.BEAT) or self._told
        return listens

    def _watch(self, now_ms: int) -> bool | None:
        """Look after the guard, and start another one in place of one that is gone or hung."""
        if self._process is not None and self._process.poll() is not None:
            self._lost(now_ms)
        if self._process is None:
            return self._again(now_ms)
        self._began_ms = self._began_ms or now_ms
        self._heard_ms = self._heard_ms or now_ms
        if self._told and self._unread() == 0:
            self._listens, self._heard_ms = True, now_ms
        if self._listens and now_ms - self._began_ms >= HEALTHY_MS:
            self._ended = 0
        if now_ms - self._heard_ms > (DEAF_MS if self._listens else STARTING_MS):
            self._process.kill()  # found gone in the next cycle
            return False
        return True if self._listens else None

    def _lost(self, now_ms: int) -> None:
        self._hang_up()
        self._process = None
        self._due_ms = now_ms + PAUSES_MS[min(self._ended, len(PAUSES_MS) - 1)]
        self._ended += 1

    def _again(self, now_ms: int) -> bool:
        """Start another one when its time has come; it has to show that it listens."""
        if now_ms >= self._due_ms:
            try:
                self._start()
            except OSError:
                # No memory or no process to be had: the alarm says so, and it is tried again.
                self._due_ms = now_ms + PAUSES_MS[-2]
            self._began_ms = self._heard_ms = now_ms
        return False

    def _unread(self) -> int:
        """Count the beats that the guard has not read yet."""
        try:
            return int.from_bytes(fcntl.ioctl(self._writing, termios.FIONREAD, bytes(4)), sys.byteorder)
        except OSError:
            return 1

    def _write(self, byte: bytes) -> bool:
        try:
            return os.write(self._writing, byte) > 0
        except OSError:
            # A guard that is gone or slow must not stop the core; systemd and the chip still watch.
            return False

    def _hang_up(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1


def may_ask(own_uid: int) -> Callable[[int, list[int]], bool]:
    """Make the rule who may ask: root, the daemon's own user, and the group bmsd-admin."""
    try:
        admin = grp.getgrnam(ADMIN_GROUP).gr_gid
    except KeyError:
        admin = -1

    def allowed(uid: int, groups: list[int]) -> bool:
        return uid in (0, own_uid) or admin in groups

    return allowed


def lock(runtime_dir: Path) -> IO[str]:
    """Make sure that only one core runs on a runtime directory; raise OSError when another does."""
    file = (runtime_dir / "bmsd.lock").open("w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def keep_in_memory() -> bool:
    """Lock what this process uses into memory, where no limit stands against it; tell whether it was done.

    A page that was moved to an SD card comes back too late for a cycle. Pages never used stay free (MCL_ONFAULT).
    """
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        # Under a limit a later allocation would fail instead.
        return False
    flags = _MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT
    return bool(ctypes.CDLL(None, use_errno=True).mlockall(flags) == 0)


def tell_terminal(config: Config, runtime_dir: Path, *, simulated: bool) -> None:
    """Say to a person what runs here and how to look at it; systemd and pipes get nothing."""
    if not sys.stdout.isatty():
        return
    kind = (
        "a simulated pack; nothing real is switched" if simulated else "the real pack; contactors may close"
    )
    where = f"--runtime-dir {runtime_dir}"
    lines = [
        f"{config.cells} cells {config.chemistry} with {config.afe.chip}: {kind}",
        f"look at it from another terminal: bmsctl {where} watch",
        *([f"change it from there: bmsctl {where} sim list"] if simulated else []),
        *(
            f"a link is a program of its own: bmsd-link {name} --config {config.path} {where}"
            for name in config.links
        ),
        "Ctrl-C ends it, with all outputs off",
    ]
    print("\n".join(f"bmsd: {line}" for line in lines), flush=True)


def complain(text: str) -> None:
    """Say one line on standard error, with the priority systemd reads."""
    print(marked(3, f"bmsd: {text}"), file=sys.stderr)
