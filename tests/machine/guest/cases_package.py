"""What the package does to a running system: the other output backend, upgrade, removal, purge."""

from __future__ import annotations

import time
from pathlib import Path

from cases_core import CASES as CORE_CASES
from kit import (
    Case,
    all_off,
    both_on,
    case,
    now,
    off_after,
    pid,
    sh,
    show,
    start,
    untouched,
    wait,
)

DROP_IN = Path("/run/systemd/system/bmsd.service.d/gpiozero.conf")
BACKEND = Path("/etc/bmsd/conf.d/yy-backend.toml")
CPUINFO = Path("/run/cpuinfo")


def apt(*words: str) -> str:
    return sh("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *words, seconds=600)


def to_gpiozero() -> None:
    """Let the core use gpiozero: it wants the revision of a Raspberry Pi 4, which this machine is not."""
    sh("systemctl", "stop", "bmsd.service")
    CPUINFO.write_text(Path("/proc/cpuinfo").read_text() + "Revision\t: c03115\n")
    sh("mount", "--bind", str(CPUINFO), "/proc/cpuinfo")
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    # The unit has a /proc of its own.
    DROP_IN.write_text(f"[Service]\nBindReadOnlyPaths={CPUINFO}:/proc/cpuinfo\n")
    BACKEND.write_text('[outputs]\nbackend = "gpiozero"\n')
    sh("systemctl", "daemon-reload")


def to_gpiod() -> None:
    sh("systemctl", "stop", "bmsd.service")
    sh("umount", "/proc/cpuinfo")
    DROP_IN.unlink()
    BACKEND.unlink()
    sh("systemctl", "daemon-reload")


@case("gpiozero backend", "S5", "the same lines through gpiozero and lgpio: start, stop, kill -9, SIGSTOP")
def gpiozero() -> str:
    to_gpiozero()
    try:
        start()
        seen = []
        for one in CORE_CASES:
            if one.name.startswith(("systemctl stop", "kill -9", "SIGSTOP")):
                seen.append(f"{one.name}: {run(one)}")
    finally:
        to_gpiod()
    return "; ".join(seen)


def run(one: Case) -> str:
    start()
    return one.run()


@case(
    "package upgrade",
    "S5",
    "a newer package is installed: the same process, no output moves, needrestart is told to leave it",
)
def upgrade() -> str:
    start()
    moment, before = now(), pid()
    apt("install", "/share/bmsd-newer.deb")
    time.sleep(2)
    untouched(moment)
    assert pid() == before, "the core was restarted by the upgrade"
    version = sh("dpkg-query", "-W", "-f", "${Version}", "bmsd")
    sh("systemctl", "restart", "bmsd.service")
    wait(both_on, "both contactors close after the restart that the operator chose")
    return f"version {version}; the same process until `systemctl restart bmsd`; no line moved"


@case(
    "package removal",
    "S5",
    "apt remove stops the core: all lines off; configuration and state stay",
    smoke=True,
)
def remove() -> str:
    start()
    moment = now()
    apt("remove", "bmsd")
    off_ms = off_after(moment)
    assert show("LoadState") == "not-found" or show("ActiveState") == "inactive"
    assert Path("/etc/bmsd/bmsd.toml").exists()
    assert Path("/var/lib/bmsd").exists()
    left = sh("pgrep", "-a", "-u", "bmsd", expect=None)
    assert not left, left
    return f"all off {off_ms / 1000:.1f} s after apt began; no process left; configuration and state are kept"


@case("installed again", "S13", "the kept configuration is used: the core runs and closes", smoke=True)
def again() -> str:
    apt("install", "/share/bmsd.deb")
    wait(both_on, "both contactors close")
    return "running with the old configuration"


@case("package purge", "S5", "all lines off; nothing of bmsd is left but the system user", smoke=True)
def purge() -> str:
    start()
    moment = now()
    apt("purge", "bmsd")
    off_ms = off_after(moment)
    assert all_off()
    places = ("/etc", "/usr", "/var/lib", "/var/log", "/run")
    left = sh("find", *places, "-xdev", "-name", "*bmsd*", expect=None).splitlines()
    left = [path for path in left if "/var/log/journal" not in path and "/var/lib/dpkg" not in path]
    known = [path for path in left if path.startswith(("/run/systemd", "/run/log"))]
    assert left == known, left
    return f"all off {off_ms / 1000:.1f} s after apt began; nothing left: {left or 'no file'}"


CASES = (gpiozero, upgrade, remove, again, purge)
