"""Checks of the buses: I2C to the front-end chip, CAN to the inverter, the serial port. None is opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from bmsd.cli.doctor_lines import misheard
from bmsd.cli.doctor_machine import CheckResult, bad, good, skipped, unknown, warn, worst
from bmsd.cli.doctor_pins import Case
from bmsd.config.load import MeterConfig, ModbusConfig
from bmsd.hardware.can_interface import bitrate_of
from bmsd.tables.configuration import section_of

FASTEST_HZ, SLOWEST_HZ = 400_000, 100_000
"""The chips' own limit, and a clock at which a block still fits into afe.timeout_ms."""
_CAN_TYPE, _UP = 280, 1
_USER = "bmsd"

SerialLine = ModbusConfig | MeterConfig
"""What is on a serial port, or on a network instead."""


def i2c(case: Case) -> CheckResult:
    """Find the I2C bus of the front-end chip."""
    if case.config is None:
        return case.no_config()
    bus = case.config.afe.bus
    path = f"/dev/i2c-{bus}"
    if case.machine.exists(path):
        return good(f"{path} is there")
    if case.machine.exists(f"/sys/bus/i2c/devices/i2c-{bus}"):
        step = (
            "Write the line i2c-dev to /etc/modules-load.d/i2c.conf, and load it now: sudo modprobe i2c-dev."
        )
        return bad(f"bus {bus} is there, {path} is not: the module i2c-dev is missing", step)
    others = ", ".join(case.machine.glob("/dev/i2c-*")) or "none"
    step = f"Write afe.bus in {case.path}."
    if case.boot.is_pi and case.boot.params.get("i2c_arm", case.boot.params.get("i2c")) != "on":
        step = (
            f"Write the line dtparam=i2c_arm=on to {case.boot.path}, the line i2c-dev to"
            " /etc/modules-load.d/i2c.conf, and reboot."
        )
    return bad(f"there is no {path}; present: {others}", step)


def i2c_clock(case: Case) -> CheckResult:
    """Find how fast the I2C bus runs."""
    if case.config is None:
        return case.no_config()
    bus = case.config.afe.bus
    where = (f"/sys/bus/i2c/devices/i2c-{bus}", f"/sys/class/i2c-adapter/i2c-{bus}")
    found = (case.machine.cell(f"{place}/of_node/clock-frequency") for place in where)
    clock = next((hz for hz in found if hz is not None), None)
    line = f"Write the line dtparam=i2c_arm_baudrate={SLOWEST_HZ} to {case.boot.path}, and reboot."
    if clock is None:
        told = case.boot.params.get("i2c_arm_baudrate", case.boot.params.get("i2c_baudrate"))
        asks = f"; {case.boot.path} asks for {told}" if told and bus == 1 else ""
        return unknown(f"the clock of bus {bus} cannot be seen{asks}", line if case.boot.is_pi else "")
    if clock > FASTEST_HZ:
        return bad(f"{clock // 1000} kHz; the chips take at most {FASTEST_HZ // 1000} kHz", line)
    if clock < SLOWEST_HZ:
        text = f"{clock // 1000} kHz: one block may take longer than afe.timeout_ms"
        return warn(text, line)
    return good(f"{clock // 1000} kHz")


def i2c_rights(case: Case) -> CheckResult:
    """Find whether the daemon's user may use the bus."""
    return _rights(case, f"/dev/i2c-{case.config.afe.bus}") if case.config else case.no_config()


def can(case: Case) -> CheckResult:
    """Find the inverter's CAN interfaces."""
    return _of_buses(case, _can)


def can_rate(case: Case) -> CheckResult:
    """Find bit rate and state of the CAN controllers."""
    return _of_buses(case, _can_rate)


def _of_buses(case: Case, look: Callable[[Case, dict[str, Any]], CheckResult]) -> CheckResult:
    """Look at every CAN bus; tell of the worst, or of all."""
    if case.config is None:
        return case.no_config()
    return worst((look(case, row.bus) for row in case.config.buses.values()), "no [can] in the configuration")


def _can(case: Case, bus: dict[str, Any]) -> CheckResult:
    name, kind = bus["channel"], bus["interface"]
    if kind != "socketcan":
        port = str(name).partition("@")[0]
        if port.startswith("/dev/") and not case.machine.exists(port):
            here = ", ".join(case.machine.glob("/dev/serial/by-id/*")) or "no serial adapter"
            return bad(
                f"there is no {port}; present: {here}", f"Plug it in, or write can.channel in {case.path}."
            )
        return unknown(f"interface {kind!r} is python-can's own; only it can tell")
    place = f"/sys/class/net/{name}"
    if not case.machine.exists(place):
        return bad(f"there is no interface {name}", _can_missing(case))
    if case.machine.number(f"{place}/type") != _CAN_TYPE:
        return bad(
            f"{name} is no CAN interface", f"Write can.channel in {case.path}: 'ip link' lists interfaces."
        )
    flags = case.machine.number(f"{place}/flags")
    if flags is None:
        return unknown(f"{name} is there; whether it is up cannot be seen")
    if not flags & _UP:
        return bad(f"{name} is down", f"Bring it up: sudo systemctl restart bmsd-can@{name}.")
    return good(f"{name} is up")


def _can_missing(case: Case) -> str:
    """Say what makes an interface appear here."""
    boards = ("mcp2515", "mcp251xfd")
    loaded = [name for name, _ in case.boot.overlays if name.startswith(boards)]
    if loaded:
        return f"{loaded[0]} is in {case.boot.path}; look for the reason with: sudo dmesg | grep mcp25."
    if case.boot.is_pi:
        return (
            f"For a board with an MCP2515 write to {case.boot.path}: dtparam=spi=on, and"
            " dtoverlay=mcp2515-can0,oscillator=16000000,interrupt=25 with the crystal that is on your board;"
            " reboot. A USB adapter only has to be plugged in."
        )
    return "Plug the adapter in, or write can.channel in the configuration: 'ip link' lists interfaces."


def _can_rate(case: Case, bus: dict[str, Any]) -> CheckResult:
    if bus["interface"] != "socketcan":
        return skipped("no socketcan interface in the configuration")
    name, wanted = bus["channel"], bus["bitrate"]
    info = _link(case, name)
    if info is None:
        return unknown(f"'ip' tells nothing about {name}")
    data = info.get("info_data", {})
    rate, again = bitrate_of(data), f"sudo systemctl restart bmsd-can@{name}."
    if info.get("info_kind") != "can":
        return skipped(f"{name} ({info.get('info_kind', 'unknown kind')}) has no bit rate of its own")
    if rate != wanted:
        runs = f"runs at {rate} bit/s" if rate else "has no bit rate yet"
        return bad(f"{name} {runs}, the configuration says {wanted}", f"Set it: {again}")
    if data.get("state") == "BUS-OFF":
        return bad(
            f"{name} is off the bus after too many errors",
            f"Check wires, the 120 ohm at both ends, and oscillator=; then {again}",
        )
    if not data.get("restart_ms"):
        return warn(
            f"{name} stays off the bus after errors (restart-ms is 0)",
            f"Set it: {again} A driver that cannot, as that of a serial line, is brought back by the same command.",
        )
    if data.get("state") not in {"ERROR-ACTIVE", "STOPPED"}:
        return warn(
            f"{name} sees errors ({data.get('state')})",
            "Check wires, the 120 ohm at both ends, the bit rate, and oscillator=.",
        )
    return good(f"{rate} bit/s, {data['restart_ms']} ms rest after bus-off")


def _link(case: Case, name: str) -> dict[str, Any] | None:
    said = case.machine.says("ip", "-json", "-details", "link", "show", "dev", name)
    try:
        found = json.loads(said or "")
        return dict(found[0]["linkinfo"])
    except (ValueError, LookupError, TypeError):
        return None


def modbus(case: Case) -> CheckResult:
    """Find every serial port, the meters' too, and whether something else sits on it."""
    return _of_ports(case, _port)


def _of_ports(case: Case, look: Callable[[Case, str, SerialLine], CheckResult]) -> CheckResult:
    """Look at every serial port; tell of the worst, or of all."""
    if case.config is None:
        return case.no_config()
    lines: dict[str, SerialLine] = {**case.config.modbus_ports, **case.config.meters}
    serial = {section_of(name): row for name, row in lines.items() if row.tcp is None}
    return worst(
        (look(case, section, row) for section, row in serial.items()), "no serial line in the configuration"
    )


def _port(case: Case, section: str, row: SerialLine) -> CheckResult:
    port = row.port
    if not case.machine.exists(port):
        others = [
            path
            for kind in ("ttyAMA*", "ttyUSB*", "ttySC*", "serial*")
            for path in case.machine.glob(f"/dev/{kind}")
        ]
        return bad(
            f"there is no {port}; present: {', '.join(others) or 'none'}",
            f"Write {section}.port in {case.path}.",
        )
    name = case.machine.target(port)
    trouble = _occupied(case, name, row.parity) or misheard(case, section)
    return trouble or good(port if name == PurePosixPath(port).name else f"{port} is {name}")


def _occupied(case: Case, name: str, parity: str) -> CheckResult | None:
    """Say who else is on a serial port."""
    words = (case.machine.text("/proc/cmdline") or "").split()
    if any(word.removeprefix("console=").partition(",")[0] == name for word in words):
        step = (
            f"Take console={name} (or serial0) out of {case.boot.path.replace('config', 'cmdline')}; reboot."
        )
        return bad(f"the kernel's console is on {name}", step)
    if not case.boot.is_pi:
        return None
    bluetooth = f"Write the line dtoverlay=disable-bt to {case.boot.path}, use /dev/ttyAMA0, and reboot."
    if case.boot.is_pi5:
        if name == "ttyAMA10":
            step = f"Write dtparam=uart0=on to {case.boot.path}, reboot, and use /dev/ttyAMA0."
            return bad("ttyAMA10 is the debug plug of this board, not the header", step)
        return None
    if name == "ttyAMA0" and case.machine.target("/dev/serial1") == "ttyAMA0":
        return bad("Bluetooth is on ttyAMA0", bluetooth)
    if name == "ttyS0":
        if parity != "N":
            return bad(f"ttyS0 of this board cannot do parity {parity}", bluetooth)
        return warn("ttyS0 of this board follows the processor's clock and may lose its baud rate", bluetooth)
    return None


def modbus_rights(case: Case) -> CheckResult:
    """Find whether the daemon's user may use every serial port."""
    return _of_ports(case, lambda case, _, row: _rights(case, row.port))


def _rights(case: Case, path: str) -> CheckResult:
    if not case.machine.exists(path):
        return skipped(f"there is no {path}")
    allowed = case.machine.may_use(path, _USER)
    if allowed is None:
        return unknown(f"there is no user {_USER} whose rights could be looked at")
    if allowed:
        return good(f"user {_USER} may use {path}")
    group = case.machine.group_of(path)
    step = f"Put it into the group: sudo usermod -aG {group} {_USER}. Then restart bmsd at a quiet moment."
    if group in {"root", "?"}:
        step = (
            f"{path} belongs to group {group}: give it one of its own by a udev rule, as bmsd's package does."
        )
    return bad(f"user {_USER} may not use {path}", step)
