"""Checks of the machine around bmsd: users, services, watchdog, clock, journal, disk, libraries, supply."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from bmsd.cli.doctor_machine import CheckResult, Machine, bad, good, skipped, unknown, warn
from bmsd.cli.doctor_pins import Case
from bmsd.errors import StaleError
from bmsd.ipc.sentences import listed
from bmsd.ipc.snapshot import fresh_snapshot

_PLACES = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
"""Where systemd looks, the first one wins for files of one name."""
_STATE = "/var/lib/bmsd"
_LITTLE = 200 * 1024 * 1024
_NOTHING = 10 * 1024 * 1024
_LOG = "Read why: journalctl -u bmsd -b -n 50."


def machine(case: Case) -> CheckResult:
    """Say what machine this is."""
    bits = 64 if sys.maxsize > 2**32 else 32
    model = case.boot.model or "no Raspberry Pi"
    kib = next(
        (
            line.split()[1]
            for line in (case.machine.text("/proc/meminfo") or "").splitlines()
            if line.startswith("MemTotal")
        ),
        "0",
    )
    memory = f", {int(kib) // 1024} MiB" if kib.isdigit() and kib != "0" else ""
    return good(f"{model}, {bits} bit, Python {platform.python_version()}{memory}")


def supply(case: Case) -> CheckResult:
    """Find whether the board had too little voltage or became too hot."""
    for pattern in (
        "/sys/devices/platform/soc*/*firmware*/get_throttled",
        "/sys/devices/platform/*firmware*/get_throttled",
    ):
        for path in case.machine.glob(pattern):
            text = (case.machine.text(path) or "").removeprefix("0x")
            try:
                return _throttled(int(text, 16))
            except ValueError:
                continue
    for path in case.machine.glob("/sys/class/hwmon/hwmon*/name"):
        if case.machine.text(path) == "rpi_volt":
            alarm = case.machine.number(path.replace("/name", "/in0_lcrit_alarm"))
            if alarm is not None:
                return _throttled(0x10000 if alarm else 0)
    return unknown("it does not tell") if case.boot.is_pi else skipped("no Raspberry Pi")


def _throttled(bits: int) -> CheckResult:
    step = "Use a supply and a cable that hold 5 V under load (5.1 V at 3 A, or 5 A for a Pi 5)."
    if bits & 0x1:
        return bad("the supply voltage is too low now", step)
    if bits & 0x10000:
        return warn("the supply voltage was too low since the last boot", step)
    if bits & 0x40004:
        return warn("the processor is or was too hot and was slowed down", "Give it a heat sink and air.")
    return good("supply voltage and temperature were good since the last boot")


def users(case: Case) -> CheckResult:
    """Find the daemon's user and its groups."""
    if case.machine.user("bmsd") is None:
        return bad("there is no user bmsd", "Install bmsd's package; it makes the user and its groups.")
    need = [
        "gpio",
        "i2c",
        *(["dialout"] if case.config and (case.config.modbus_ports or case.config.meters) else []),
    ]
    missing = [
        name for name in need if "bmsd" not in (case.machine.members(name) or (0, frozenset[str]()))[1]
    ]
    if missing:
        return bad(
            f"user bmsd is not in {listed(missing)}", f"Write: sudo usermod -aG {','.join(missing)} bmsd."
        )
    return good(f"user bmsd is in {listed(need)}")


def you(case: Case) -> CheckResult:
    """Find what the caller may do."""
    if case.machine.uid == 0:
        return good("root may look and ask")
    look, ask = case.machine.members("bmsd"), case.machine.members("bmsd-admin")
    if ask and ask[0] in case.machine.groups:
        return good("you may look and ask (bmsd-admin)")
    step = "Write: sudo usermod -aG bmsd,bmsd-admin $USER. Then log in again."
    if look and look[0] in case.machine.groups:
        return warn("you may look, not ask: you are not in bmsd-admin", step)
    return warn("you may not look: you are neither in bmsd nor in bmsd-admin", step)


def service(case: Case) -> CheckResult:
    """Find whether systemd starts the daemon, and how it went."""
    found = case.machine.properties("bmsd.service")
    if not found:
        return unknown("systemd does not tell")
    if found.get("LoadState") == "masked":
        return bad("bmsd.service is masked: it cannot be started", "Write: sudo systemctl unmask bmsd.")
    if found.get("LoadState") != "loaded":
        return bad("systemd has no bmsd.service", "Install bmsd's package.")
    if found.get("ActiveState") == "failed":
        return bad(f"bmsd.service has failed ({found.get('Result')})", _LOG)
    if found.get("UnitFileState") not in {"enabled", "enabled-runtime"}:
        return bad("bmsd.service is not started at boot", "Write: sudo systemctl enable bmsd.")
    if found.get("NRestarts", "0") != "0":
        return warn(f"bmsd.service was restarted {found['NRestarts']} times by itself", _LOG)
    return good(f"enabled, {found.get('ActiveState')}")


def daemon(case: Case) -> CheckResult:
    """Find whether the daemon runs and decides."""
    try:
        snapshot = fresh_snapshot(case.directory).document
    except StaleError as error:
        if case.directory.exists() and not os.access(case.directory, os.R_OK | os.X_OK):
            return unknown(
                f"{case.directory} may not be read by you", "Run it again as root: sudo bmsctl doctor."
            )
        return warn(f"not running: {error}", "When all else is good: sudo systemctl start bmsd.")
    return good(
        f"runs{' on the simulated bench' if snapshot.get('simulated') else ''}: {snapshot['points'].get('state')}"
    )


def safe_off(case: Case) -> CheckResult:
    """Find whether the outputs could be switched off by the second hand when it was needed."""
    found = case.machine.properties("bmsd-safe-off.service")
    if not found:
        return unknown("systemd does not tell")
    if found.get("LoadState") != "loaded":
        return bad("systemd has no bmsd-safe-off.service", "Install bmsd's package.")
    if found.get("Result", "success") != "success":
        return bad(
            f"it could not switch off ({found['Result']})", "Read why: journalctl -u bmsd-safe-off -b."
        )
    ran = found.get("ExecMainExitTimestampMonotonic", "0") != "0"
    return good(
        "ran, and switched off: bmsd failed since the last boot" if ran else "not needed since the last boot"
    )


def watchdog(case: Case) -> CheckResult:
    """Find whether a machine that hangs is reset."""
    step = (
        "Write to /etc/systemd/system.conf.d/60-watchdog.conf the two lines [Manager] and"
        " RuntimeWatchdogSec=10s, then: sudo systemctl daemon-reexec."
    )
    if not case.machine.glob("/dev/watchdog*"):
        more = f"Write dtparam=watchdog=on to {case.boot.path}, reboot. " if case.boot.is_pi else ""
        return bad("there is no /dev/watchdog: a machine that hangs stays so", f"{more}{step}")
    usec = case.machine.properties("--property=RuntimeWatchdogUSec").get("RuntimeWatchdogUSec")
    if usec is not None:
        if usec in {"0", "infinity", "off"}:
            return bad("systemd does not feed the watchdog: a machine that hangs stays so", step)
        return good(f"systemd feeds it every {usec} at the latest")
    value, where = setting(case.machine, "system.conf", "RuntimeWatchdogSec")
    if value in {"", "0", "off"}:
        return bad("systemd is not told to feed the watchdog", step)
    return unknown(f"{where} asks for {value}; whether it is in force cannot be seen", step)


def clock(case: Case) -> CheckResult:
    """Find whether time stamps will be right; bmsd decides nothing by them."""
    rtc = bool(case.machine.glob("/dev/rtc*"))
    said = case.machine.says("timedatectl", "show", "--property=NTPSynchronized", "--value")
    synced = case.machine.exists("/run/systemd/timesync/synchronized") or (said or "").strip() == "yes"
    text = "time stamps only, no decision depends on it"
    if synced:
        return good(f"set by the network{', and there is a clock chip' if rtc else ''}; {text}")
    if rtc:
        return good(f"a clock chip, not set by the network; {text}")
    if said is None and not case.machine.exists("/run/systemd"):
        return unknown(f"whether it is right cannot be seen; {text}")
    step = "Give it a network with a time server, or a clock chip (a Pi 5 only needs the battery)."
    return warn(f"neither a clock chip nor a time server; {text}", step)


def journal(case: Case) -> CheckResult:
    """Find whether the journal survives a reboot."""
    value, where = setting(case.machine, "journald.conf", "Storage")
    value = (value or "auto").lower()
    kept = case.machine.exists("/var/log/journal")
    if value == "persistent" or (value == "auto" and kept):
        return good(f"kept over a reboot (Storage={value}, {where or 'the default'})")
    if value == "auto" and kept is None:
        return unknown("/var/log/journal may not be seen by you")
    if value == "auto":
        step = "Write: sudo mkdir -p /var/log/journal && sudo systemctl restart systemd-journald."
        return warn("lost at a reboot: there is no /var/log/journal", step)
    last = PurePosixPath(where).name
    file = (
        "60-bmsd.conf"
        if not where.endswith(".d/" + last) or last < "60-bmsd.conf"
        else f"{last.removesuffix('.conf')}-bmsd.conf"
    )
    step = (
        f"Write to /etc/systemd/journald.conf.d/{file} the lines [Journal], Storage=persistent and"
        " SystemMaxUse=50M, then: sudo systemctl restart systemd-journald."
    )
    return warn(f"lost at a reboot (Storage={value}, {where})", step)


def setting(machine: Machine, name: str, key: str) -> tuple[str, str]:
    """Give the value systemd takes for a key, and the file it stands in: drop-ins over the main file, by name."""
    main = next((f"{place}/{name}" for place in _PLACES if machine.exists(f"{place}/{name}")), "")
    drop_ins: dict[str, str] = {}
    for place in reversed(_PLACES):
        drop_ins |= {PurePosixPath(path).name: path for path in machine.glob(f"{place}/{name}.d/*.conf")}
    value, where = "", ""
    for path in [*([main] if main else []), *(drop_ins[file] for file in sorted(drop_ins))]:
        for given in _values(machine.text(path) or "", key):
            value, where = given, path if given else ""
    return value, where


def _values(text: str, key: str) -> Iterator[str]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() == key:
            yield value.strip()


def disk(case: Case) -> CheckResult:
    """Find whether there is room for the state, and whether it may be written."""
    found = case.machine.free_bytes("/")
    if found is None:
        return unknown("the free space cannot be seen")
    free, text = found[0], f"{found[0] // 1024**2} MiB free on /"
    step = "Make room: 'sudo journalctl --vacuum-size=50M' and 'sudo apt-get clean' are a start."
    if free < _NOTHING:
        return bad(f"{text}: the charge count would not survive a power cut", step)
    return warn(text, step) if free < _LITTLE else good(text)


def state(case: Case) -> CheckResult:
    """Find whether the daemon can keep its state."""
    owner = case.machine.owner(_STATE)
    if owner is None:
        return skipped(f"{_STATE} is made at the first start")
    if owner[0] not in {0, case.machine.user("bmsd")} or owner[2] & 0o200 == 0:
        return bad(f"{_STATE} does not belong to user bmsd", f"Write: sudo chown -R bmsd:bmsd {_STATE}.")
    best = ("", "")
    for line in (case.machine.text("/proc/mounts") or "").splitlines():
        _, point, _, options = line.split()[:4]
        if f"{_STATE}/".startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
            best = (point, options)
    if "ro" in best[1].split(","):
        return bad(
            f"{best[0]} is mounted read-only: {_STATE} cannot be written",
            f"Mount something that can be written at {_STATE}.",
        )
    return good(f"{_STATE} can be written")


def output_library(case: Case) -> CheckResult:
    """Find the library that drives the lines."""
    if case.config is None:
        return case.no_config()
    backend = case.config.outputs.backend
    if backend == "gpiozero":
        missing = [name for name in ("gpiozero", "lgpio") if case.machine.library(name) is None]
        step = 'Install python3-gpiozero and python3-lgpio, or write outputs.backend = "gpiod".'
        return bad(f"no {listed(missing)} for this Python", step) if missing else good("gpiozero with lgpio")
    found = case.machine.library("gpiod")
    step = "Install it: sudo apt-get install python3-libgpiod."
    if found is None:
        return bad("no gpiod for this Python", step)
    if found.suffix == ".so":
        return good("gpiod, version 1")
    if (found / "line.py").exists():
        return good("gpiod, version 2")
    return bad(f"{found} is another gpiod than libgpiod's", f"Remove it (pip uninstall gpiod). {step}")


def journal_library(case: Case) -> CheckResult:
    """Find the library that gives journal lines their fields."""
    if case.machine.library("systemd"):
        return good("python3-systemd: lines in the journal have fields")
    return warn(
        "no python3-systemd: lines in the journal have no fields",
        "Install it: sudo apt-get install python3-systemd.",
    )
