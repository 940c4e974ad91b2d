"""What the package does to a running system: upgrade, removal, purge."""

from __future__ import annotations

import time
from pathlib import Path

from kit import (
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


def apt(*words: str) -> str:
    return sh("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *words, seconds=600)


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


CASES = (upgrade, remove, again, purge)
