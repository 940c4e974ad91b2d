"""The test machine's board: a GPIO chip as a Raspberry Pi 4 has it, a CAN interface, and a recorder of levels.

The recorder writes every change of a line to /share/out/lines.log, `monotonic_s name level`; the host moves the
simulated pack by it. It also plays the contactors' auxiliary contacts.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from pathlib import Path

CONFIGFS = Path("/sys/kernel/config/gpio-sim/header")
LABEL = "pinctrl-bcm2711"
ANSWERS = Path("/share/answers")
"""The installer's answers; the lines are where they say."""
MAIN, MAIN_CONTACT = 24, 20
"""The main contactor and its contact, for the topology that has one."""
FETS = Path("/share/out/fets")
"""The chip's own FETs, where they are the switches: a file for each that is on. The host has the chip."""
SCAN_S = 0.004
"""No relay moves in so short a time; every look at a line costs a user-mode kernel a good part of a millisecond."""
SELDOM = ("heartbeat", "buzzer")
"""What switches no contactor is looked at in every fifth scan, as the FETs are."""
SELDOM_EVERY = 5
CONTACT_S = 0.02
LOG = Path("/share/out/lines.log")


def wired() -> tuple[dict[str, int], dict[str, int]]:
    """Give the output lines and the auxiliary contacts by name."""
    found = re.findall(r"outputs\.(\w+)=(\d+)", ANSWERS.read_text())
    found += [("main", str(MAIN)), ("main_feedback", str(MAIN_CONTACT))]
    contacts = {name.removesuffix("_feedback"): int(n) for name, n in found if name.endswith("_feedback")}
    return {name: int(n) for name, n in found if not name.endswith("_feedback")}, contacts


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)


def make_gpio() -> Path:
    """Make the GPIO chip; give the directory of its lines."""
    if not CONFIGFS.parent.is_dir():
        run("mount -t configfs none /sys/kernel/config")
    bank = CONFIGFS / "bank0"
    bank.mkdir(parents=True)
    (bank / "num_lines").write_text("54")
    (bank / "label").write_text(LABEL)
    (CONFIGFS / "live").write_text("1")
    device = (CONFIGFS / "dev_name").read_text().strip()
    chip = (bank / "chip_name").read_text().strip()
    return Path("/sys/devices/platform") / device / chip


def make_can() -> None:
    run("ip link add can0 type vcan")


def tell_systemd() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])


def read(descriptor: int) -> int:
    return int(os.pread(descriptor, 4, 0))


def pull(lines: Path, number: int, up: bool) -> None:
    (lines / f"sim_gpio{number}" / "pull").write_text("pull-up" if up else "pull-down")


def record(lines: Path) -> None:
    """Follow the lines until the machine is off."""
    outputs, contacts = wired()
    values = {n: os.open(lines / f"sim_gpio{line}" / "value", os.O_RDONLY) for n, line in outputs.items()}
    often = {name: descriptor for name, descriptor in values.items() if name not in SELDOM}
    levels = dict.fromkeys(outputs, 0)
    fets = {"charge": False, "discharge": False}
    due: list[tuple[float, int, bool]] = []
    scans = 0
    with LOG.open("a", buffering=1) as log:
        while True:
            scans += 1
            seldom = scans % SELDOM_EVERY == 0
            for name, descriptor in (values if seldom else often).items():
                level = read(descriptor)
                if level == levels[name]:
                    continue
                levels[name] = level
                now = time.monotonic()
                log.write(f"{now:.4f} {name} {level}\n")
                if name in contacts:
                    due.append((now + CONTACT_S, contacts[name], bool(level)))
            for name in fets if seldom else ():
                if (on := (FETS / name).exists()) != fets[name]:
                    fets[name] = on
                    log.write(f"{time.monotonic():.4f} {name} {int(on)}\n")
            while due and due[0][0] <= time.monotonic():
                _, number, up = due.pop(0)
                pull(lines, number, up)
            time.sleep(SCAN_S)


def main() -> None:
    lines = make_gpio()
    make_can()
    tell_systemd()
    record(lines)


if __name__ == "__main__":
    main()
