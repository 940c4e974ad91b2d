"""What happens around the core, none of which may move an output: links, journal, disk, interface, peers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from kit import ask, case, journal, linked, now, pid, said, sh, show, sim, start, status, untouched, wait

CAN_LIMITS = "351"
LINKS = ("can", "modbus", "journal")


def frames(seconds: float, channel: str = "can0") -> list[str]:
    """Listen on a CAN interface with a program that is not ours."""
    done = subprocess.run(["timeout", str(seconds), "candump", "-L", channel], capture_output=True, text=True)
    return [line.split()[2] for line in done.stdout.splitlines() if len(line.split()) > 2]


@case("CAN", "S7", "the one-shot unit brings can0 up; frames carry the pack's values", smoke=True)
def can() -> str:
    start()
    wait(
        lambda: show("ActiveState", "bmsd-can@can0.service") == "active",
        "the one-shot unit has done its work",
    )
    linked("can")
    heard = frames(3)
    kinds = sorted({frame.split("#")[0] for frame in heard})
    assert {"351", "355", "356", "359", "35C", "35E"} <= set(kinds), kinds
    limits = bytes.fromhex(next(frame for frame in heard if frame.startswith(CAN_LIMITS)).split("#")[1])
    cvl = int.from_bytes(limits[:2], "little") / 10
    told = status()["limits"]["charge_voltage_v"]
    assert abs(cvl - told) <= 0.1, (cvl, told)
    return f"{len(heard)} frames in 3 s, identifiers {' '.join(kinds)}; CVL {cvl} V as in the status"


@case(
    "Modbus on a serial line", "S7", "mbpoll on the other end of the line reads the pack's cells", smoke=True
)
def modbus() -> str:
    start()
    linked("modbus")
    found = ask("mbpoll", words=["-a", "1", "-t", "4", "-0", "-r", "180", "-c", "16"])
    assert found["code"] == 0, found
    truth = ask("truth")["cell_mv"]
    worst = max(abs(int(value) - mv) for value, mv in zip(found["values"], truth, strict=True))
    assert worst <= 3, (found, truth)
    return f"16 cells read at 9600 baud, largest difference {worst:.1f} mV"


@case("journal", "", "an alarm has its fields and its MESSAGE_ID, and journalctl -x explains it", smoke=True)
def fields() -> str:
    start()
    begun = now()
    sim(cell=3, values={"offset_mv": 400})
    wait(lambda: any(a["name"] == "cell_ovp" for a in status()["alarms"]), "cell_ovp is raised")
    wait(lambda: journal("BMSD_ALARM=cell_ovp", since=begun), "the journal has it")
    entry = journal("BMSD_ALARM=cell_ovp", since=begun)[0]
    sim(cell=3, values={"offset_mv": 0})
    assert entry["BMSD_CELL"] == "3", entry
    assert entry["_SYSTEMD_UNIT"] == "bmsd-link@journal.service", entry
    explained = sh("journalctl", "-b", "-x", "--no-pager", "-n", "1", f"MESSAGE_ID={entry['MESSAGE_ID']}")
    lines = [line for line in explained.splitlines() if line.startswith(("░", "--"))]
    assert len(lines) > 3, explained
    wait(lambda: not status()["alarms"], "the alarm is released")
    shown = {name: entry[name] for name in ("BMSD_ALARM", "BMSD_CELL", "BMSD_VALUE", "BMSD_UNIT", "PRIORITY")}
    return f"{shown}; journalctl -x adds {len(lines)} lines"


def kill_link(name: str) -> str:
    start()
    unit = f"bmsd-link@{name}.service"
    wait(lambda: pid(unit), f"{unit} runs")
    moment, core, before, cycle = now(), pid(), pid(unit), status()["cycle"]["overruns"]
    os.kill(before, signal.SIGKILL)
    wait(lambda: pid(unit) not in {0, before}, f"{unit} is started again")
    time.sleep(2)
    untouched(moment)
    assert pid() == core
    late = status()["cycle"]["overruns"] - cycle
    return f"{name} back after {now() - moment - 2:.1f} s, {late} overruns"


@case(
    "kill -9 of each link", "S9", "the link is started again; no output moves; the core is the same process"
)
def links() -> str:
    return "; ".join(kill_link(name) for name in LINKS)


@case("journald stopped", "S9", "journald hangs while alarms come and go: the core keeps its cycles")
def journald() -> str:
    start()
    process = pid("systemd-journald.service")
    before = status()
    os.kill(process, signal.SIGSTOP)
    try:
        for n in range(20):
            sim(cell=5, values={"offset_mv": 60 if n % 2 else 0})
            time.sleep(0.5)
    finally:
        os.kill(process, signal.SIGCONT)
    after = status()
    done, late = (
        after["sequence"] - before["sequence"],
        after["cycle"]["overruns"] - before["cycle"]["overruns"],
    )
    assert done >= 36, f"{done} cycles in 10 s"
    return f"{done} cycles in 10 s, {late} overruns"


@case(
    "disk full",
    "S9 S13",
    "the core goes on and says once that its state cannot be kept, and once when it can again",
)
def disk_full() -> str:
    start()
    moment = now()
    # The state directory on a disk of its own, so that the machine itself does not suffer.
    sh("systemctl", "stop", "bmsd.service")
    sh("mount", "-t", "tmpfs", "-o", "size=64k,uid=bmsd,gid=bmsd,mode=750", "tmpfs", "/var/lib/bmsd")
    try:
        start()
        moment = now()
        with contextlib.suppress(OSError), open("/var/lib/bmsd/filler", "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        core = pid()
        sh("bmsctl", "params", "set", "cell_ovp_v=3.64")
        wait(
            lambda: "cannot be written" in said(moment, "SYSLOG_IDENTIFIER=bmsd"),
            "the journal says that the disk is full",
        )
        untouched(moment)
        assert pid() == core
        os.unlink("/var/lib/bmsd/filler")
        wait(
            lambda: "is written again" in said(moment, "SYSLOG_IDENTIFIER=bmsd"),
            "the journal says that it is well again",
        )
        untouched(moment)
    finally:
        sh("systemctl", "stop", "bmsd.service")
        sh("umount", "/var/lib/bmsd")
    return "told once when full, once when there was room again; no output moved"


@case("CAN interface down and up", "S9", "the link says so, goes on when it is up again; no output moves")
def can_down() -> str:
    start()
    wait(lambda: frames(1.5), "frames before")
    moment = now()
    sh("ip", "link", "set", "can0", "down")
    wait(lambda: status()["links"]["can"]["state"] != "running", "the link's state is not running")
    seen = status()["links"]["can"]
    sh("ip", "link", "set", "can0", "up")
    wait(lambda: frames(1.5), "frames come again")
    untouched(moment)
    return f"while down: {seen['state']}, {seen['detail']}; frames again afterwards"


@case(
    "CAN interface unplugged and plugged in",
    "S9",
    "brought up again by the udev rule and the one-shot unit; no output moves",
)
def can_replugged() -> str:
    start()
    moment = now()
    sh("ip", "link", "del", "can0")
    wait(
        lambda: show("ActiveState", "bmsd-can@can0.service") == "inactive",
        "the one-shot unit ends with the interface",
    )
    time.sleep(2)
    sh("ip", "link", "add", "can0", "type", "vcan")
    wait(lambda: "UP" in sh("ip", "link", "show", "can0"), "can0 is brought up")
    wait(lambda: frames(1.5), "frames come again")
    untouched(moment)
    return "up again by itself, frames again"


@case(
    "second instance on the same bus",
    "S5",
    "exit 69, names the bus or the lines; the first one notices nothing",
)
def second() -> str:
    start()
    moment = now()
    text = Path("/etc/bmsd/bmsd.toml").read_text()
    folder = Path("/tmp/second")
    folder.mkdir(exist_ok=True)
    sh("chown", "bmsd:bmsd", str(folder))
    said_both = []
    for name, lines in (("same lines", text), ("other lines", moved(text))):
        file = folder / "bmsd.toml"
        file.write_text(lines)
        words = [
            "bmsd",
            "--config",
            str(file),
            "--runtime-dir",
            f"{folder}/run",
            "--state-dir",
            f"{folder}/state",
        ]
        told = sh("sudo", "-u", "bmsd", *words, expect=69)
        said_both.append(f"{name}: {told.splitlines()[-1]}")
    untouched(moment)
    told = sh("sudo", "-u", "bmsd", "bmsd", expect=69)
    said_both.append(f"same directory: {told.splitlines()[-1]}")
    untouched(moment)
    return "; ".join(said_both)


def moved(text: str) -> str:
    """Give the configuration with every line number moved by 20."""
    import re

    names = "charge|discharge|precharge|heater|buzzer|heartbeat|charge_feedback|discharge_feedback"
    return re.sub(rf"(?m)^({names}) = (\d+)", lambda found: f"{found[1]} = {int(found[2]) + 20}", text)


@case("missing bus", "S5", "exit 69 with the next step; outputs off")
def no_bus() -> str:
    return refused("[afe]\nbus = 9\n", "/dev/i2c-9", "69")


@case("missing GPIO chip", "S5", "exit 69, names the chips that are there; outputs off")
def no_chip() -> str:
    return refused('[outputs]\ngpio_chip = "pinctrl-rp1"\n', "pinctrl-rp1", "69")


@case("bus without permission", "S5", "exit 69, names the group; outputs off")
def no_right() -> str:
    sh("systemctl", "stop", "bmsd.service")
    sh("chmod", "600", "/dev/i2c-0")
    try:
        return refused("", "group i2c", "69")
    finally:
        sh("chmod", "660", "/dev/i2c-0")


@case("GPIO chip without permission", "S5", "exit 69, names the group; outputs off")
def no_gpio_right() -> str:
    sh("systemctl", "stop", "bmsd.service")
    sh("chmod", "600", "/dev/gpiochip0")
    try:
        return refused("", "group gpio", "69")
    finally:
        sh("chmod", "660", "/dev/gpiochip0")


def refused(drop_in: str, word: str, code: str) -> str:
    """Start with a changed configuration; demand the exit code, the words, and that nothing moves."""
    from kit import never_on

    sh("systemctl", "stop", "bmsd.service")
    file = Path("/etc/bmsd/conf.d/zz-test.toml")
    file.write_text(drop_in)
    moment = now()
    try:
        sh("systemctl", "start", "bmsd.service", expect=None)
        wait(lambda: word in said(moment, "-u", "bmsd.service"), f"the journal says {word!r}")
        wait(lambda: show("ExecMainStatus") == code, f"exit {code}")
        never_on(moment)
        lines = [line for line in said(moment, "-u", "bmsd.service").splitlines() if word in line]
    finally:
        file.unlink()
        sh("systemctl", "stop", "bmsd.service")
    return f"exit {code}: {lines[0]}"


@case(
    "the machine's own watchdog",
    "S5",
    "with the guide's drop-in systemd feeds /dev/watchdog0, bmsctl doctor sees it; no output moves",
)
def watchdog() -> str:
    start()
    moment = now()
    folder = Path("/etc/systemd/system.conf.d")
    folder.mkdir(exist_ok=True)
    (folder / "watchdog.conf").write_text("[Manager]\nRuntimeWatchdogSec=10s\n")
    sh("systemctl", "daemon-reexec")
    wait(lambda: "/dev/watchdog0" in held_by_systemd(), "systemd holds the watchdog")
    found = json.loads(sh("bmsctl", "doctor", "--json", expect=None))
    verdict = next(check for check in found["checks"] if "watchdog" in check["name"])
    assert verdict["verdict"] == "good", verdict
    untouched(moment)
    (folder / "watchdog.conf").unlink()
    sh("systemctl", "daemon-reexec")
    return f"systemd holds /dev/watchdog0; doctor: {verdict['finding']}"


def held_by_systemd() -> list[str]:
    """Name the files that process 1 has open."""
    return [os.readlink(link) for link in Path("/proc/1/fd").iterdir() if link.is_symlink()]


@case(
    "memory",
    "",
    "resident memory of each process, as /proc says, and as systemd counts it; the core's is locked",
)
def memory() -> str:
    start()
    time.sleep(5)
    processes = {unit: pid(f"{unit}.service") for unit in ("bmsd", *(f"bmsd-link@{name}" for name in LINKS))}
    processes["guard"] = int(sh("pgrep", "-o", "-f", "bmsd/shutdown/guard.py"))
    sizes = {name: kib(process, "VmRSS") for name, process in processes.items()}
    assert kib(processes["bmsd"], "VmLck") > 0, "the core's memory is not locked"
    found = ", ".join(f"{name} {size / 1024:.1f}" for name, size in sizes.items())
    together = f"{found}; together {sum(sizes.values()) / 1024:.1f} MiB, shared pages counted each time"
    counted = [
        sh("systemctl", "show", "-P", "MemoryCurrent", f"{unit}.service").strip()
        for unit in processes
        if unit != "guard"
    ]
    if not all(size.isdigit() for size in counted):
        return f"{together}; this kernel lets systemd count none"
    return f"{together}; systemd counts {sum(map(int, counted)) / 2**20:.1f} MiB in all four units"


def kib(process: int, what: str) -> int:
    """Read a size of a process."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.split(f"{what}:")[1].split()[0])


@case("exposure", "", "systemd-analyze security: core at most 1.1, links at most 1.3")
def exposure() -> str:
    found = {}
    for unit in ("bmsd.service", "bmsd-link@can.service", "bmsd-can@can0.service", "bmsd-safe-off.service"):
        text = sh("systemd-analyze", "security", "--no-pager", unit, expect=None)
        found[unit] = float(text.split("Overall exposure level for")[1].split(":")[1].split()[0])
    assert found["bmsd.service"] <= 1.1, found
    assert found["bmsd-link@can.service"] <= 1.3, found
    return json.dumps(found)


CASES = (
    can, modbus, fields, links, journald, disk_full, can_down, can_replugged, second, no_bus, no_chip, no_right,
    no_gpio_right, watchdog, memory, exposure,
)  # fmt: skip
