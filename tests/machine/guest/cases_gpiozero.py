"""The other output backend: gpiozero on lgpio, through the same starts, stops and kills."""

from __future__ import annotations

from pathlib import Path

from cases_core import CASES as CORE_CASES
from kit import Case, case, sh, start

DROP_IN = Path("/run/systemd/system/bmsd.service.d/gpiozero.conf")
BACKEND = Path("/etc/bmsd/conf.d/yy-backend.toml")
CPUINFO = Path("/run/cpuinfo")


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


CASES = (gpiozero,)
