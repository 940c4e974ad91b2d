"""bmsctl doctor on machines made of files: a good one, and one planted fault at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bmsd.cli import doctor, doctor_machine
from bmsd.cli.doctor_boot import Boot, numbers
from bmsd.cli.doctor_machine import CheckResult, CheckState, GpioChip, Machine
from bmsd.cli.doctor_system import setting
from bmsd.cli.main import main
from bmsd.ipc import shared_files
from tests.support.configured import pack_text
from tests.support.snapshots import publish_snapshot

pytestmark = pytest.mark.usefixtures("clock")
GOOD, WARN, BAD, UNKNOWN, SKIPPED = (
    CheckState.GOOD,
    CheckState.WARN,
    CheckState.BAD,
    CheckState.UNKNOWN,
    CheckState.SKIPPED,
)
CONFIG = pack_text("""
[outputs]
charge = 17
discharge = 27
precharge = 22
heartbeat = 26
charge_feedback = 12
discharge_feedback = 13
[can]
[modbus]
port = "/dev/serial0"
[modbus.lan]
tcp = "127.0.0.1:1502"
[meter]
port = "/dev/ttyUSB0"
devices = { 1 = "sdm120" }
""")
BOOT = """
# A comment, and what other boards want.
dtparam=i2c_arm=on,i2c_arm_baudrate=100000
dtparam=strict_gpiod
gpio=17,27,22,26=op,dl
dtparam=watchdog=on
dtoverlay=disable-bt
dtparam=spi=on
dtoverlay=mcp2515-can0,oscillator=16000000,interrupt=25
[pi1]
gpio=17=op,dh
[all]
enable_uart=1
"""
LINK = {"linkinfo": {"info_kind": "can", "info_data": {
    "bittiming": {"bitrate": 500_000}, "restart_ms": 100, "state": "ERROR-ACTIVE"}}}  # fmt: skip
LINKS = ("can", "modbus", "modbus@lan", "meter")
WANTS = f"Wants={' '.join(f'bmsd-link@{name}.service' for name in LINKS)} bmsd-can@can0.service\n"
RUNS = "LoadState=loaded\nActiveState=active\nResult=success\n"
CLOSED = "RestrictAddressFamilies=AF_CAN AF_UNIX\nIPAddressAllow=\nIPAddressDeny=::/0 0.0.0.0/0\n"
OPEN = CLOSED.replace("=AF_CAN", "=AF_INET AF_INET6 AF_CAN").replace("Allow=", "Allow=127.0.0.0/8 ::1/128")
SERVICE = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNRestarts=0\nResult=success\n"
MODELS = {
    "pi3": ("Raspberry Pi 3 Model B Plus Rev 1.3", "pinctrl-bcm2835", "pinctrl_bcm2835"),
    "pi4": ("Raspberry Pi 4 Model B Rev 1.4", "pinctrl-bcm2711", "pinctrl_bcm2835"),
    "pi5": ("Raspberry Pi 5 Model B Rev 1.0", "pinctrl-rp1", "pinctrl_rp1"),
}


@dataclass(frozen=True)
class Fake(Machine):
    """A machine made of files, with what its programs say."""

    programs: dict[str, str] = field(default_factory=dict)
    owners: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    chips: list[GpioChip] | None = None
    room: tuple[int, int] | None = (10**10, 10**11)
    libraries: dict[str, Path] = field(default_factory=dict)

    def says(self, *words: str) -> str | None:
        return next((text for name, text in self.programs.items() if name in " ".join(words)), None)

    def owner(self, path: str) -> tuple[int, int, int] | None:
        return self.owners.get(path) if self.exists(path) else None

    def gpio_chips(self) -> list[GpioChip] | None:
        return self.chips

    def free_bytes(self, path: str) -> tuple[int, int] | None:
        return self.room

    def library(self, name: str) -> Path | None:
        return self.libraries.get(name)


class Rig:
    """One fake machine to be changed, and looked at."""

    def __init__(self, root: Path, kind: str = "pi4") -> None:
        model, label, module = MODELS[kind]
        self.root, self.module = root, module
        self.machine = Fake(
            root,
            uid=1000,
            groups=frozenset({1000, 992}),
            programs={
                "bmsd.service": SERVICE + WANTS, "safe-off": SERVICE, "bmsd-link@modbus@lan.service": RUNS + OPEN,
                "bmsd-link@meter.service": RUNS, "bmsd-link@can.service": RUNS, "bmsd-link@modbus.service": RUNS,
                "RuntimeWatchdog": "RuntimeWatchdogUSec=10s",
                "timedatectl": "yes\n", "ip -json": json.dumps([LINK]),
            },
            owners={"/dev/i2c-1": (0, 994, 0o660), "/dev/serial0": (0, 20, 0o660),
                    "/dev/ttyUSB0": (0, 20, 0o660), "/var/lib/bmsd": (990, 990, 0o750)},
            chips=[GpioChip("/dev/gpiochip0", label, 54, {17: "bmsd"})],
            libraries={"gpiod": root / "gpiod", "systemd": root, "pymodbus": root},
        )  # fmt: skip
        serial = "ttyAMA0"
        for path, text in {
            "proc/device-tree/model": f"{model}\0",
            "proc/cmdline": "console=tty1 root=PARTUUID=1 rootwait",
            "proc/meminfo": "MemTotal:        3884132 kB",
            "proc/mounts": "/dev/root / ext4 rw,noatime 0 0",
            f"sys/module/{module}/parameters/persist_gpio_outputs": "N",
            "sys/devices/platform/soc/soc:firmware/get_throttled": "0",
            "sys/class/net/can0/type": "280",
            "sys/class/net/can0/flags": "0x40081",
            "boot/firmware/config.txt": BOOT,
            "dev/i2c-1": "", "dev/ttyUSB0": "",
            "dev/watchdog0": "", "dev/rtc0": "", f"dev/{serial}": "", "gpiod/line.py": "",
            "etc/passwd": "root:x:0:0::/:\nbmsd:x:990:990::/:\npi:x:1000:1000::/:",
            "etc/group": "bmsd:x:990:pi\nbmsd-admin:x:992:pi\ngpio:x:993:bmsd\ni2c:x:994:bmsd\ndialout:x:20:bmsd",
            "etc/bmsd/bmsd.toml": CONFIG,
        }.items():  # fmt: skip
            self.put(path, text)
        self.put("sys/bus/i2c/devices/i2c-1/of_node/clock-frequency", (100_000).to_bytes(4, "big"))
        (root / "dev/serial0").symlink_to(serial)
        for directory in ("var/log/journal", "var/lib/bmsd", "run/bmsd"):
            (root / directory).mkdir(parents=True)
        snapshot = {"cells": 16, "points": {"state": "idle"}}
        publish_snapshot(root / "run/bmsd", snapshot, shared_files.monotonic_ms())

    def put(self, path: str, content: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def drop(self, path: str) -> None:
        (self.root / path).unlink()

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.put(path, text.replace(old, new))

    def boot(self, old: str, new: str) -> None:
        self.edit("boot/firmware/config.txt", old, new)

    def config(self, old: str, new: str) -> None:
        self.edit("etc/bmsd/bmsd.toml", old, new)

    def change(self, **what: object) -> None:
        values = {name: getattr(self.machine, name) for name in self.machine.__dataclass_fields__}
        self.machine = Fake(**{**values, **what})  # type: ignore[arg-type]

    def link(self, **data: object) -> None:
        info = {**LINK["linkinfo"]["info_data"], **data}
        self.machine.programs["ip -json"] = json.dumps(
            [{"linkinfo": {"info_kind": "can", "info_data": info}}]
        )

    def look(self) -> Mapping[str, CheckResult]:
        case = doctor.case_of(self.machine, Path("/etc/bmsd/bmsd.toml"), self.root / "run/bmsd")
        return {check.name: doctor.examined(check, case) for check in doctor.CHECKS}


@pytest.fixture
def rig(tmp_path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize("kind", MODELS)
def test_a_good_machine_has_nothing_to_change(tmp_path, kind) -> None:
    found = Rig(tmp_path, kind).look()
    assert {name: finding for name, finding in found.items() if finding.verdict is not GOOD} == {}
    assert not any(finding.step for finding in found.values())


def test_every_check_is_its_own() -> None:
    names = [check.name for check in doctor.CHECKS]
    assert len(names) == len(set(names)) >= 25
    assert all(check.why and check.title for check in doctor.CHECKS)


class Later:
    """Say now what to do to a rig later: on.put("a", "b")."""

    def __getattr__(self, name: str) -> Callable[..., Callable[[Rig], None]]:
        return lambda *given, **named: lambda rig: getattr(rig, name)(*given, **named)


on = Later()
CLOCK = "sys/bus/i2c/devices/i2c-1/of_node/clock-frequency"
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
BUS_3 = on.config("shunt_mohm", "bus = 3\nshunt_mohm")


BY_TCP = on.config('port = "/dev/ttyUSB0"', 'tcp = "192.0.2.7:502"')


def no_can(rig: Rig) -> None:
    (rig.root / "sys/class/net/can0").rename(rig.root / "sys/class/net/can1")


def persist(text: str) -> Callable[[Rig], None]:
    return lambda rig: rig.put(f"sys/module/{rig.module}/parameters/persist_gpio_outputs", text)


def both(*changes: Callable[[Rig], None]) -> Callable[[Rig], None]:
    return lambda rig: [change(rig) for change in changes] and None


def program(name: str, text: str | None) -> Callable[[Rig], None]:
    def change(rig: Rig) -> None:
        rig.machine.programs.pop(name)
        if text is not None:
            rig.machine.programs[name] = text

    return change


def volatile(rig: Rig) -> None:
    rig.put("usr/lib/systemd/journald.conf.d/40-rpi-volatile-storage.conf", "[Journal]\nStorage=volatile\n")


WRITES = on.config('"127.0.0.1:1502"', '"127.0.0.1:1502"\nwrites = true')


def pin(*owner: int) -> Callable[[Rig], None]:
    def change(rig: Rig) -> None:
        rig.put("etc/bmsd/modbus.pin", "scrypt")
        rig.machine.owners["/etc/bmsd/modbus.pin"] = owner  # type: ignore[assignment]

    return change


PLANTED: list[tuple[str, Callable[[Rig], None], CheckState, str, str]] = [
    ("strict_gpio", persist("Y"), BAD, "keeps a line", "Reboot"),
    ("strict_gpio", both(persist("Y"), on.boot("dtparam=strict_gpiod", "#dtparam=strict_gpiod")),
     BAD, "keeps a line", "dtparam=strict_gpiod to /boot/firmware/config.txt"),
    ("strict_gpio", lambda r: r.drop(f"sys/module/{r.module}/parameters/persist_gpio_outputs"),
     UNKNOWN, "does not tell", "kill -9"),
    ("power_up", on.config("charge = 17", "charge = 5"), BAD, "charge on GPIO 5", "9 to 27"),
    ("power_up", on.config("charge = 17", "charge = 40"), BAD, "no charge on GPIO 40", "[outputs]"),
    ("power_up", on.config("charge = 17", "active_low = true\ncharge = 17"),
     BAD, "on at power-up", "high level"),
    ("boot_level", on.boot("gpio=17,27,22,26=op,dl", "gpio=17,27=op,dl"),
     WARN, "precharge on GPIO 22", "gpio=17,27,22,26=op,dl"),
    ("boot_level", on.boot("gpio=17,27,22,26=op,dl", "gpio=17,27,22,26=op"), WARN, "nothing drives", "op,dl"),
    ("boot_level", on.boot("[pi1]", "[pi4]"), BAD, "charge on GPIO 17", "instead"),
    ("boot_level", on.boot("gpio=17,27,22,26=op,dl", "[pi5]\ngpio=17,27,22,26=op,dl\n[all]"),
     WARN, "charge", ""),
    ("contacts", on.config("charge_feedback = 12", "charge_feedback = 5"),
     WARN, "reads closed", "gpio=5=ip,pd"),
    ("contacts", on.config("charge_feedback = 12", ""), WARN, "welded", "outputs.charge_feedback"),
    ("line_clash", on.config("heartbeat = 26", "heartbeat = 25"),
     BAD, "heartbeat on GPIO 25 with dtoverlay=mcp2515", "free"),
    ("line_clash", on.boot("spi=on", "spi=on\ndtoverlay=spi1-2cs"), BAD, "charge on GPIO 17", "free"),
    ("line_clash", on.config("heartbeat = 26", "heartbeat = 10"), BAD, "heartbeat on GPIO 10 with SPI", "free"),
    ("line_clash", on.config("heartbeat = 26", "heartbeat = 3"), BAD, "heartbeat on GPIO 3 with the I2C bus", "free"),
    ("line_clash", on.config("heartbeat = 26", "heartbeat = 14"), BAD, "UART", "free"),
    ("gpio_chip", on.config("[outputs]", '[outputs]\ngpio_chip = "other"'), BAD, "no chip other", "gpio_chip"),
    ("gpio_chip", on.change(chips=[]), BAD, "present: none", "gpio_chip"),
    ("gpio_chip", on.change(chips=None), UNKNOWN, "may not be asked", "sudo"),
    ("gpio_chip", lambda r: r.machine.chips[0].holders.update({27: "spi0 CS0"}),
     BAD, "held by spi0 CS0", "gpioinfo"),
    ("gpio_chip", on.config("charge = 17", "charge = 99"), BAD, "0 to 53", "[outputs]"),
    ("output_library", lambda r: r.machine.libraries.pop("gpiod") and None,
     BAD, "no gpiod", "python3-libgpiod"),
    ("output_library", on.drop("gpiod/line.py"), BAD, "another gpiod", "pip uninstall"),
    ("output_library", on.config("[outputs]", '[outputs]\nbackend = "gpiozero"'),
     BAD, "gpiozero and lgpio", "python3-lgpio"),
    ("journal_library", lambda r: r.machine.libraries.pop("systemd") and None,
     WARN, "no fields", "python3-systemd"),
    ("i2c", on.drop("dev/i2c-1"), BAD, "i2c-dev is missing", "modprobe"),
    ("i2c", BUS_3, BAD, "no /dev/i2c-3", "afe.bus"),
    ("i2c", both(BUS_3, on.boot("i2c_arm=on,", "")), BAD, "present: /dev/i2c-1", "dtparam=i2c_arm=on"),
    ("i2c_rights", on.edit("etc/passwd", "bmsd:", "someone:"), UNKNOWN, "no user bmsd", ""),
    ("i2c_rights", on.edit("etc/group", "i2c:x:994:bmsd", "i2c:x:994:pi"),
     BAD, "may not use", "usermod -aG i2c bmsd"),
    ("i2c_rights", lambda r: r.machine.owners.update({"/dev/i2c-1": (0, 994, 0o600)}),
     BAD, "may not use", ""),
    ("i2c_clock", on.put(CLOCK, (10_000).to_bytes(4, "big")), WARN, "10 kHz", "baudrate=100000"),
    ("i2c_clock", on.put(CLOCK, (1_000_000).to_bytes(4, "big")), BAD, "1000 kHz", "baudrate=100000"),
    ("i2c_clock", on.drop(CLOCK), UNKNOWN, "asks for 100000", ""),
    ("users", on.edit("etc/group", "gpio:x:993:bmsd", "gpio:x:993:"),
     BAD, "not in gpio", "usermod -aG gpio bmsd"),
    ("users", on.edit("etc/passwd", "bmsd:", "someone:"), BAD, "no user bmsd", "package"),
    ("you", on.change(groups=frozenset({1000})), WARN, "neither", "usermod"),
    ("you", on.change(groups=frozenset({1000, 990})), WARN, "not ask", "bmsd-admin"),
    ("watchdog", on.drop("dev/watchdog0"), BAD, "no /dev/watchdog", "dtparam=watchdog=on"),
    ("watchdog", program("RuntimeWatchdog", "RuntimeWatchdogUSec=0"),
     BAD, "does not feed", "RuntimeWatchdogSec=10s"),
    ("watchdog", program("RuntimeWatchdog", None), BAD, "not told", "60-watchdog.conf"),
    ("watchdog", both(program("RuntimeWatchdog", None), on.put("etc/systemd/system.conf", "RuntimeWatchdogSec=9")),
     UNKNOWN, "asks for 9", "daemon-reexec"),
    ("clock", both(program("timedatectl", "no\n"), on.drop("dev/rtc0")),
     WARN, "no decision depends", "time server"),
    ("journal", volatile, WARN, "40-rpi-volatile-storage.conf", "60-bmsd.conf"),
    ("journal", lambda r: (r.root / "var/log/journal").rmdir(), WARN, "no /var/log/journal", "mkdir"),
    ("journal", on.put("etc/systemd/journald.conf.d/99-x.conf", "Storage=none"),
     WARN, "Storage=none", "99-x-bmsd.conf"),
    ("can", no_can, BAD, "no interface can0", "dmesg"),
    ("can", both(no_can, on.boot("dtoverlay=mcp2515", "#")), BAD, "no interface", "oscillator="),
    ("can", on.put("sys/class/net/can0/flags", "0x40080"), BAD, "is down", "restart bmsd-can@can0"),
    ("can", on.put("sys/class/net/can0/type", "1"), BAD, "no CAN", "can.channel"),
    ("can", on.config("[can]", '[can]\ninterface = "slcan"\nchannel = "/dev/ttyACM9@115200"'), BAD,
     "there is no /dev/ttyACM9", "can.channel"),
    ("can_rate", on.link(bittiming={"bitrate": 250_000}), BAD, "250000", "bmsd-can@can0"),
    ("can_rate", on.link(bittiming={}), BAD, "no bit rate yet", "bmsd-can@can0"),
    ("can_rate", on.link(bittiming={}, bittiming_bitrate=250_000), BAD, "runs at 250000", "bmsd-can@can0"),
    ("can_rate", on.link(bittiming={}, bittiming_bitrate=500_000, restart_ms=0), WARN, "restart-ms", "serial line"),
    ("can_rate", on.link(restart_ms=0), WARN, "restart-ms is 0", "bmsd-can@can0"),
    ("can_rate", on.link(state="BUS-OFF"), BAD, "off the bus", "120 ohm"),
    ("can_rate", on.link(state="ERROR-PASSIVE"), WARN, "ERROR-PASSIVE", "oscillator"),
    ("can_rate", program("ip -json", None), UNKNOWN, "tells nothing", ""),
    ("can_rate", program("ip -json", "[]"), UNKNOWN, "tells nothing", ""),
    ("modbus", on.drop("dev/ttyAMA0"), BAD, "no /dev/serial0", "modbus.port"),
    ("modbus", on.edit("proc/cmdline", "tty1", "ttyAMA0,115200"),
     BAD, "console", "/boot/firmware/cmdline.txt"),
    ("modbus", lambda r: (r.root / "dev/serial1").symlink_to("ttyAMA0"), BAD, "Bluetooth", "disable-bt"),
    ("modbus", both(on.put("dev/ttyS0", ""), on.config("/dev/serial0", "/dev/ttyS0")),
     WARN, "clock", "disable-bt"),
    ("modbus", both(on.put("dev/ttyS0", ""), on.config('"/dev/serial0"', '"/dev/ttyS0"\nparity = "E"')),
     BAD, "parity E", "disable-bt"),
    ("modbus_rights", lambda r: r.machine.owners.update({"/dev/serial0": (0, 0, 0o600)}),
     BAD, "may not use", "udev"),
    ("modbus", on.drop("dev/ttyUSB0"), BAD, "no /dev/ttyUSB0", "meter.port"),
    ("modbus_rights", lambda r: r.machine.owners.update({"/dev/ttyUSB0": (0, 0, 0o600)}), BAD, "may not use", "udev"),
    ("links_start", on.config("[can]", "[can]\nshare_percent = 50\n[can.grid]\nchannel = \"can1\"\nshare_percent = 50"),
     BAD, "[can.grid] is configured, and nothing starts",
     "systemctl add-wants bmsd.service bmsd-link@can@grid.service"),
    ("links_start", program("bmsd.service", SERVICE + WANTS.replace(" bmsd-link@meter.service", "")),
     BAD, "[meter] is configured", "systemctl start bmsd-link@meter.service"),
    ("links_start", program("bmsd-link@can.service", RUNS.replace("=active", "=failed")),
     BAD, "failed", "bmsd-link@can.service"),
    ("links_start", program("bmsd-link@can.service", RUNS.replace("loaded", "masked")), BAD, "masked", "unmask"),
    ("links_start", program("bmsd-link@meter.service", RUNS.replace("=active", "=inactive")),
     BAD, "inactive while bmsd runs", "systemctl start bmsd-link@meter.service"),
    ("links_start", program("bmsd.service", None), UNKNOWN, "tells nothing", ""),
    ("network", program("bmsd-link@modbus@lan.service", RUNS + CLOSED),
     BAD, "[modbus.lan] is at 127.0.0.1:1502", "RestrictAddressFamilies=AF_INET"),
    ("network", program("bmsd-link@modbus@lan.service", RUNS + OPEN.replace("AF_INET AF_INET6 ", "")),
     BAD, "lets no", "edit"),
    ("network", program("bmsd-link@modbus@lan.service", RUNS + OPEN.replace("127.0.0.0/8 ::1/128", "")),
     BAD, "lets no", "edit"),
    ("network", program("bmsd-link@modbus@lan.service", RUNS), UNKNOWN, "does not tell", ""),
    ("network", on.config('port = "/dev/ttyUSB0"', 'tcp = "192.0.2.7:502"'), UNKNOWN, "meter", ""),
    ("modbus_writes", on.config('"127.0.0.1:1502"', '"0.0.0.0:1502"\nwrites = true'),
     WARN, "modbus.lan", "127.0.0.1"),
    ("modbus_writes", both(WRITES, pin(0, 990, 0o644)), BAD, "by everybody", "modbus pin"),
    ("modbus_writes", both(WRITES, pin(0, 0, 0o640)), BAD, "no PIN is right", "modbus pin"),
    ("meter_library", both(BY_TCP, on.put("client/serial.py", "from serial_asyncio import create_serial_connection")),
     BAD, "only recommends", "python3-serial-asyncio"),
    ("meter_library", both(BY_TCP, lambda r: r.machine.libraries.pop("pymodbus") and None),
     BAD, "pymodbus", "python3-pymodbus"),
    ("service", program("bmsd.service", None), UNKNOWN, "does not tell", ""),
    ("service", program("bmsd.service", "LoadState=masked\n"), BAD, "masked", "unmask"),
    ("service", program("bmsd.service", "LoadState=not-found\n"), BAD, "no bmsd.service", "package"),
    ("service", program("bmsd.service", SERVICE.replace("enabled", "disabled")),
     BAD, "not started at boot", "enable"),
    ("service", program("bmsd.service", SERVICE.replace("=active", "=failed")), BAD, "failed", "journalctl"),
    ("service", program("bmsd.service", SERVICE.replace("NRestarts=0", "NRestarts=4")),
     WARN, "4 times", "journalctl"),
    ("safe_off", program("safe-off", SERVICE.replace("success", "exit-code")),
     BAD, "could not switch off", "journalctl"),
    ("daemon", on.drop("run/bmsd/snapshot"), WARN, "not running", "systemctl start bmsd"),
    ("disk", on.change(room=(5 * 1024**2, 10**10)), BAD, "5 MiB", "vacuum"),
    ("disk", on.change(room=(100 * 1024**2, 10**10)), WARN, "100 MiB", "vacuum"),
    ("state", on.edit("proc/mounts", "rw,", "ro,"), BAD, "read-only", "/var/lib/bmsd"),
    ("state", lambda r: r.machine.owners.update({"/var/lib/bmsd": (1000, 1000, 0o755)}),
     BAD, "belong", "chown"),
    ("supply", on.put(THROTTLED, "50005"), BAD, "too low now", "supply"),
    ("supply", on.put(THROTTLED, "50000"), WARN, "was too low", "supply"),
    ("supply", on.put(THROTTLED, "40000"), WARN, "hot", "heat sink"),
    ("configuration", on.drop("etc/bmsd/bmsd.toml"), BAD, "no ", "bmsctl setup"),
    ("configuration", on.config("cells = 16", "cells = 99"), BAD, "pack.cells is 99", "--check-config"),
    ("configuration", on.config("0.25", "9"), BAD, "", "--check-config"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fault", "verdict", "told", "step"), PLANTED, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_planted_fault_is_found(rig, name, fault, verdict, told, step) -> None:
    fault(rig)
    finding = rig.look()[name]
    assert finding.verdict is verdict, finding
    assert told in finding.text
    assert step in finding.step
    assert finding.step or verdict is UNKNOWN, "what is wrong has a next step"


def test_every_check_has_been_seen_to_fail() -> None:
    seen = {name for name, *_ in PLANTED}
    assert {check.name for check in doctor.CHECKS} - seen == {"machine"}


def test_the_chips_own_fets_have_no_pins_to_look_for(rig) -> None:
    rig.put("etc/bmsd/bmsd.toml", pack_text('[switches]\ntopology = "afe"\n'))
    found = rig.look()
    assert {found[name].verdict for name in ("contacts", "power_up", "boot_level")} == {SKIPPED}
    assert "FETs" in found["contacts"].text


def test_a_pi_5_asks_its_own_driver(tmp_path) -> None:
    """The header of a Pi 5 is RP1's; the other driver is in the kernel too, and says nothing about it."""
    rig = Rig(tmp_path, "pi5")
    rig.put("sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs", "N")
    persist("Y")(rig)
    assert rig.look()["strict_gpio"].verdict is BAD


def test_a_pi_5_has_its_debug_plug_as_serial0(tmp_path) -> None:
    rig = Rig(tmp_path, "pi5")
    rig.drop("dev/serial0")
    rig.put("dev/ttyAMA10", "")
    (rig.root / "dev/serial0").symlink_to("ttyAMA10")
    finding = rig.look()["modbus"]
    assert finding.verdict is BAD
    assert "debug plug" in finding.text


@pytest.mark.parametrize("link", ["modbus", "modbus@garage"])
@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ({"garbage_bytes": 16}, BAD), ({"garbage_bytes": 15}, GOOD), ({"garbage_bytes": 999, "requests": 1}, GOOD),
        ({"garbage_bytes": 999, "foreign_frames": 1}, GOOD), ({}, GOOD), ({"garbage_bytes": 999, "boot": "b"}, GOOD),
    ],
)  # fmt: skip
def test_a_line_that_brings_bytes_and_no_good_frame_is_found(rig, link, figures, verdict) -> None:
    rig.put("dev/ttyUSB5", "")
    rig.config("[modbus.lan]", '[modbus.garage]\nport = "/dev/ttyUSB5"\n[modbus.lan]')
    rig.machine.owners["/dev/ttyUSB5"] = (0, 20, 0o660)
    told = {
        "schema": 1,
        "boot": shared_files.boot_id(),
        "at_ms": 1,
        "requests": 0,
        "foreign_frames": 0,
        "garbage_bytes": 0,
    }
    rig.put(f"run/bmsd/link-{link}.json", json.dumps({**told, "detail": "unit 1 on /dev/x", **figures}))
    found = rig.look()["modbus"]
    assert found.verdict is verdict
    if verdict is BAD:
        assert "bytes are heard but no good frame" in found.text
        assert f"bmsctl modbus test --link {link}" in found.step


def test_other_kinds_of_links_are_left_alone(rig) -> None:
    rig.config("[can]", '[can]\ninterface = "virtual"')
    for section in ('[modbus]\nport = "/dev/serial0"', '[modbus.lan]\ntcp = "127.0.0.1:1502"'):
        rig.config(section, "")
    rig.config('[meter]\nport = "/dev/ttyUSB0"\ndevices = { 1 = "sdm120" }', "")
    found = rig.look()
    assert found["can"].verdict is UNKNOWN
    assert {
        found[name].verdict for name in ("can_rate", "modbus", "modbus_rights", "network", "meter_library")
    } == {SKIPPED}


def test_who_may_unlock_writes_is_told(rig) -> None:
    WRITES(rig)
    assert rig.look()["modbus_writes"] == CheckResult(
        GOOD, "modbus.lan: unlocked by 'bmsctl modbus unlock' alone, no PIN is set"
    )
    pin(0, 990, 0o640)(rig)
    assert rig.look()["modbus_writes"] == CheckResult(
        GOOD, "modbus.lan: unlocked by a PIN or 'bmsctl modbus unlock'"
    )


def test_a_link_that_rests_with_bmsd_is_no_fault(rig) -> None:
    stopped = RUNS.replace("=active", "=inactive")
    rig.machine.programs.update({"bmsd.service": SERVICE.replace("=active", "=inactive") + WANTS})
    rig.machine.programs.update({name: stopped for name in rig.machine.programs if "bmsd-link" in name})
    assert rig.look()["links_start"].verdict is GOOD


@pytest.mark.parametrize("families", ["AF_INET AF_UNIX", "~AF_PACKET", "~"])
def test_a_sandbox_that_lets_a_network_through_is_good(rig, families) -> None:
    rig.machine.programs["bmsd-link@modbus@lan.service"] = (
        f"{RUNS}RestrictAddressFamilies={families}\nIPAddressDeny=\n"
    )
    assert rig.look()["network"].verdict is GOOD


def test_a_can_bus_on_a_server_needs_a_network(rig) -> None:
    rig.config("[can]", '[can]\ninterface = "socketcand"\nhost = "192.0.2.8"\nport = 29536')
    rig.machine.programs["bmsd-link@can.service"] = RUNS + CLOSED
    finding = rig.look()["network"]
    assert finding.verdict is BAD
    assert "[can] is at 192.0.2.8:29536" in finding.text


@pytest.mark.parametrize("name", ["/dev/gpiochip0", "pinctrl-bcm2711"])
def test_a_chip_may_be_named_by_path_or_label(rig, name) -> None:
    rig.config("[outputs]", f'[outputs]\ngpio_chip = "{name}"')
    rig.machine.chips.append(GpioChip("/dev/gpiochip1", "raspberrypi-exp-gpio", 8, {}))
    assert rig.look()["gpio_chip"].verdict is GOOD


def test_what_no_board_uses_is_no_clash(rig) -> None:
    rig.put("boot/firmware/config.txt", "dtparam=i2c_arm=off,spi=off\nenable_uart=0\n")
    for line, name in ((10, "heartbeat = 26"), (3, "precharge = 22"), (14, "discharge = 27")):
        rig.config(name, f"{name.split()[0]} = {line}")
    assert rig.look()["line_clash"].verdict is GOOD


def test_on_another_board_what_is_only_known_of_a_pi_is_not_good(rig) -> None:
    rig.put("proc/device-tree/model", "Radxa ROCK 5B")
    found = rig.look()
    assert {found[name].verdict for name in ("strict_gpio", "power_up", "contacts")} == {UNKNOWN}
    assert {found[name].verdict for name in ("boot_level", "line_clash")} == {SKIPPED}


def test_any_of_three_keeps_the_time(rig) -> None:
    rig.drop("dev/rtc0")
    assert rig.look()["clock"].verdict is GOOD, "timedatectl says so"
    rig.machine.programs["timedatectl"] = "no\n"
    assert rig.look()["clock"].verdict is WARN
    rig.put("run/systemd/timesync/synchronized", "")
    assert rig.look()["clock"].verdict is GOOD
    rig.drop("run/systemd/timesync/synchronized")
    rig.put("dev/rtc0", "")
    assert rig.look()["clock"].verdict is GOOD


def test_a_kernel_that_only_tells_the_voltage(rig) -> None:
    rig.drop(THROTTLED)
    assert rig.look()["supply"].verdict is UNKNOWN
    rig.put("sys/class/hwmon/hwmon0/name", "cpu_thermal")
    rig.put("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "0")
    rig.put("sys/class/hwmon/hwmon1/name", "rpi_volt")
    for alarm, verdict in (("0", GOOD), ("1", WARN)):
        rig.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
        assert rig.look()["supply"].verdict is verdict


def test_without_a_configuration_nothing_about_it_is_good(rig) -> None:
    rig.drop("etc/bmsd/bmsd.toml")
    found = rig.look()
    assert found["gpio_chip"].verdict is GOOD, "the chip itself can be seen"
    for name in (
        "power_up",
        "boot_level",
        "contacts",
        "line_clash",
        "i2c",
        "can",
        "modbus",
        "output_library",
    ):
        assert found[name].verdict is UNKNOWN


def test_what_may_not_be_read_is_unknown(rig, monkeypatch) -> None:
    hidden = rig.root / "etc/bmsd/conf.d/secret.toml"
    rig.put("etc/bmsd/conf.d/secret.toml", "")
    real = doctor.os.access
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: path != hidden and real(path, mode))
    finding = rig.look()["configuration"]
    assert finding.verdict is UNKNOWN
    assert "sudo" in finding.step


def test_an_empty_machine_has_nothing_good(tmp_path) -> None:
    """What cannot be seen is never called good."""
    machine = Fake(tmp_path, uid=1000, groups=frozenset(), room=None)
    case = doctor.case_of(machine, Path("/etc/bmsd/bmsd.toml"), tmp_path / "run")
    found = {check.name: doctor.examined(check, case).verdict for check in doctor.CHECKS}
    assert [name for name, verdict in found.items() if verdict is GOOD] == ["machine"]


def test_a_check_that_fails_has_seen_nothing(rig) -> None:
    broken = doctor.Check("x", "x", "x", lambda case: 1 / 0)  # type: ignore[arg-type, return-value]
    finding = doctor.examined(broken, doctor.case_of(rig.machine, Path("/etc/bmsd/bmsd.toml"), rig.root))
    assert finding.verdict is UNKNOWN
    assert "ZeroDivisionError" in finding.text


def test_systemd_s_order_of_files(rig) -> None:
    where = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd")
    assert setting(rig.machine, "journald.conf", "Storage") == ("", "")
    rig.put("usr/lib/systemd/journald.conf", "[Journal]\n#Storage=none\nStorage=auto")
    assert setting(rig.machine, "journald.conf", "Storage")[0] == "auto"
    rig.put("etc/systemd/journald.conf", "Storage=none")
    assert setting(rig.machine, "journald.conf", "Storage")[0] == "none", "the one in /etc replaces the other"
    for number, place in enumerate(reversed(where)):
        rig.put(f"{place}/journald.conf.d/40-a.conf", f"Storage=s{number}")
        assert setting(rig.machine, "journald.conf", "Storage") == (
            f"s{number}",
            f"/{place}/journald.conf.d/40-a.conf",
        )
    rig.put("usr/lib/systemd/journald.conf.d/50-b.conf", "Storage=later")
    assert setting(rig.machine, "journald.conf", "Storage")[0] == "later", (
        "the name decides, not the directory"
    )
    (rig.root / "etc/systemd/journald.conf.d/50-b.conf").symlink_to("/dev/null")
    assert setting(rig.machine, "journald.conf", "Storage")[0] == "s3", "masked"
    rig.put("etc/systemd/journald.conf.d/90-c.conf", "Storage=")
    assert setting(rig.machine, "journald.conf", "Storage") == ("", ""), "empty is the default again"


def test_config_txt(rig) -> None:
    rig.put(
        "boot/firmware/config.txt",
        "include more.txt\n[pi5]\ndtparam=a\n[pi4]\ndtparam=b=off\n[gpio4=1]\ndtparam=c\n[all]\n"
        "gpio=4-6,9=ip,pu\ngpio=5=pd\ndtoverlay=x,y=1\ndtoverlay=\n",
    )
    rig.put("boot/firmware/more.txt", "dtparam=d,e=2")
    boot = Boot(rig.machine)
    assert boot.params == {"d": "on", "e": "2", "b": "off"}
    assert boot.gpio == {4: ("ip", "pu"), 5: ("ip", "pu", "pd"), 6: ("ip", "pu"), 9: ("ip", "pu")}
    assert boot.overlays == (("x", {"y": "1"}),)
    assert list(numbers("3,5-7, x,2-")) == [3, 5, 6, 7, 2]


@pytest.mark.parametrize(
    ("model", "names"),
    [("Raspberry Pi Zero 2 W Rev 1.0", {"pi0", "pi0w", "pi02"}), ("Raspberry Pi Compute Module 4", {"pi4", "cm4"}),
     ("Raspberry Pi 400 Rev 1.0", {"pi4", "pi400"}), ("Raspberry Pi 3 Model B Rev 1.2", {"pi3"}),
     ("Raspberry Pi 3 Model B Plus Rev 1.3", {"pi3", "pi3+"}), ("Radxa ROCK 5B", set())],
)  # fmt: skip
def test_model_names(rig, model, names) -> None:
    rig.put("proc/device-tree/model", f"{model}\0")
    assert Boot(rig.machine).names == names | {"all"}
    assert Boot(rig.machine).is_pi is ("Raspberry" in model)


def test_the_program(tmp_path, capsys) -> None:
    rig = Rig(tmp_path)
    words = [
        "--config",
        "/etc/bmsd/bmsd.toml",
        "--root",
        str(rig.root),
        "--runtime-dir",
        str(rig.root / "run/bmsd"),
    ]
    assert main(["doctor", *words]) == 1, "programs of a tree of files do not tell, and lines cannot be asked"
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert "✓ lines let go" in out
    assert "-> " in out
    assert main(["doctor", "--json", *words]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in told["checks"]] == [check.name for check in doctor.CHECKS]
    assert sum(told["counts"].values()) == len(told["checks"])
    strict = next(check for check in told["checks"] if check["name"] == "strict_gpio")
    assert (strict["verdict"], strict["step"], strict["group"]) == ("good", None, "GPIO lines")


@pytest.mark.parametrize(("verdict", "code"), [(GOOD, 0), (WARN, 0), (UNKNOWN, 0), (SKIPPED, 0), (BAD, 1)])
def test_exit_codes(monkeypatch, tmp_path, verdict, code) -> None:
    monkeypatch.setattr(doctor, "examined", lambda check, case: CheckResult(verdict, "text"))
    assert main(["doctor", "--root", str(tmp_path), "--runtime-dir", str(tmp_path)]) == code


def test_marks_are_never_replaced_by_a_question_mark(monkeypatch, tmp_path, capsysbinary) -> None:
    import io
    import sys

    from bmsd.cli.console import Console

    for encoding in ("ascii", "latin-1", "cp437"):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding)
        findings = {check.name: CheckResult(BAD, "gone") for check in doctor.CHECKS}
        doctor._tell(findings, doctor.Counter({BAD: 1}), Console(stream))
        stream.flush()
        assert raw.getvalue().decode(encoding).splitlines()[1].startswith("x ")
    assert sys.stdout


def test_a_program_that_hangs_or_is_missing_tells_nothing(monkeypatch) -> None:
    machine = Machine()
    assert machine.says("there-is-no-such-program") is None
    assert machine.says("false") is None
    monkeypatch.setattr(doctor_machine, "PATIENCE_S", 0.1)
    assert machine.says("sleep", "5") is None
    assert machine.says("echo", "x") == "x\n"


def test_a_device_that_is_no_gpio_chip_is_not_taken_for_one(tmp_path) -> None:
    (tmp_path / "dev").mkdir()
    assert Machine(tmp_path).gpio_chips() == []
    (tmp_path / "dev/gpiochip0").write_text("")
    assert Machine(tmp_path).gpio_chips() is None
