"""What the core's process needs beside the pack: a guard, a lock, memory that stays, and the rule who may ask."""

from __future__ import annotations

import ctypes
import fcntl
import grp
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from bmsd import guard

ADMIN_GROUP = "bmsd-admin"
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


class Guard:
    """A small process that switches off when this one dies or hangs (S5)."""

    def __init__(self, runtime_dir: Path, config: Path) -> None:
        reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        # -I -S: nothing but the standard library is needed, and half the memory.
        command = [sys.executable, "-I", "-S", guard.__file__, str(reading), str(os.getpid())]
        command += ["--runtime-dir", str(runtime_dir), "--config", str(config)]
        self._process = subprocess.Popen(command, pass_fds=(reading,), stdin=subprocess.DEVNULL)
        os.close(reading)

    def beat(self) -> None:
        """Tell that a cycle was finished."""
        self._write(guard.BEAT)

    def goodbye(self) -> None:
        """Tell that everything is off and the end is wanted."""
        self._write(guard.GOODBYE)
        os.close(self._writing)

    def _write(self, byte: bytes) -> None:
        try:
            os.write(self._writing, byte)
        except OSError:
            # A guard that is gone or slow must not stop the core; systemd and the chip still watch.
            return


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
