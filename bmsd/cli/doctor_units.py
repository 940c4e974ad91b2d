"""Checks of the links as services: started with bmsd, let through to their network, able to read, asked to write."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from pathlib import Path

from bmsd.cli.doctor_links import SerialLine
from bmsd.cli.doctor_machine import CheckResult, bad, good, skipped, unknown, warn, worst
from bmsd.cli.doctor_pins import Case
from bmsd.config.load import Config
from bmsd.config.pin import FILE as PIN_FILE
from bmsd.ipc.sentences import listed
from bmsd.tables.configuration import section_of

_BUSES_OVER_TCP = ("socketcand",)
"""Interfaces of python-can that are a server on a network."""
_READ = 0o4


def started(case: Case) -> CheckResult:
    """Find whether every link of the configuration starts with bmsd, and runs while bmsd does."""
    if case.config is None:
        return case.no_config()
    core = case.machine.properties("bmsd.service")
    if core.get("LoadState") != "loaded":
        return unknown("systemd tells nothing of bmsd.service")
    wanted = {*core.get("Wants", "").split(), *core.get("Requires", "").split()}
    running = core.get("ActiveState") == "active"
    return worst(
        (_link_started(case, link, wanted, running) for link in case.config.links), "no link is configured"
    )


def _link_started(case: Case, link: str, wanted: Collection[str], running: bool) -> CheckResult:
    unit, what = unit_of(link), f"[{section_of(link)}]"
    if unit not in wanted:
        step = f"Write: sudo systemctl add-wants bmsd.service {unit}. Then start it: sudo systemctl start {unit}."
        return bad(f"{what} is configured, and nothing starts {unit} with bmsd", step)
    found = case.machine.properties(unit)
    if found.get("LoadState") == "masked":
        return bad(f"{unit} is masked: {what} is not served", f"Write: sudo systemctl unmask {unit}.")
    if found.get("ActiveState") == "failed":
        return bad(f"{unit} has failed ({found.get('Result')})", f"Read why: journalctl -u {unit} -b -n 50.")
    if running and found and found.get("ActiveState") != "active":
        return bad(
            f"{unit} is {found.get('ActiveState')} while bmsd runs: {what} is not served",
            f"Write: sudo systemctl start {unit}.",
        )
    return good(what)


def network(case: Case) -> CheckResult:
    """Find whether the sandbox lets a link through to the network that it is configured for."""
    if case.config is None:
        return case.no_config()
    over = _over_network(case.config)
    return worst((_let_through(case, link, where) for link, where in over.items()), "no link is on a network")


def _over_network(config: Config) -> dict[str, str]:
    """Give every link that is on a network, with the address."""
    lines: dict[str, SerialLine] = {**config.modbus_ports, **config.meters}
    found = {name: _address(row.tcp) for name, row in lines.items() if row.tcp is not None}
    for name, row in config.buses.items():
        if row.bus["interface"] in _BUSES_OVER_TCP:
            found[name] = _address((str(row.bus.get("host")), int(row.bus.get("port", 0))))
    return found


def _address(where: tuple[str, int]) -> str:
    host, port = where
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _let_through(case: Case, link: str, where: str) -> CheckResult:
    unit = unit_of(link)
    found = case.machine.properties(unit)
    if "RestrictAddressFamilies" not in found:
        return unknown(f"systemd does not tell what {unit} may do")
    families = found["RestrictAddressFamilies"]
    denied = "0.0.0.0/0" in found.get("IPAddressDeny", "") and not found.get("IPAddressAllow")
    if ("AF_INET" in families.split()) == families.startswith("~") or denied:
        step = (
            f"Write with 'sudo systemctl edit {unit}': [Service], RestrictAddressFamilies=AF_INET AF_INET6 and"
            " IPAddressAllow= with the other side's address or network, 'localhost' for this machine; then:"
            f" sudo systemctl restart {unit}."
        )
        return bad(
            f"[{section_of(link)}] is at {where}, and the sandbox of {unit} lets no network through", step
        )
    return good(f"[{section_of(link)}] reaches {where}")


def writes(case: Case) -> CheckResult:
    """Find who may unlock writes over Modbus, and from how far away."""
    if case.config is None:
        return case.no_config()
    lines = {name: row for name, row in case.config.modbus_ports.items() if row.writes}
    if not lines:
        return good("off: masters only read")
    pin = case.path.parent / PIN_FILE
    inside = str(pin).removeprefix(str(case.machine.root))
    owner = case.machine.owner(inside)
    if owner is not None and owner[2] & _READ:
        step = (
            f"Write: sudo chmod 640 {pin} and sudo chgrp bmsd {pin}; set a new one: sudo bmsctl modbus pin."
        )
        return bad(f"{pin} may be read by everybody: the PIN can be tried out in peace", step)
    if owner is not None and case.machine.may_use(inside, "bmsd", _READ) is False:
        return bad(f"user bmsd may not read {pin}: no PIN is right", "Set it again: sudo bmsctl modbus pin.")
    far = [section_of(name) for name, row in lines.items() if row.tcp and not _stays_here(row.tcp[0])]
    if far:
        step = (
            "Name an address that only those reach who may write, 127.0.0.1 at best, or write writes = false."
        )
        return warn(f"whoever reaches [{listed(far)}] over the network may write once it is unlocked", step)
    opened = (
        "by a PIN or 'bmsctl modbus unlock'" if owner else "by 'bmsctl modbus unlock' alone, no PIN is set"
    )
    return good(f"{listed([section_of(name) for name in lines])}: unlocked {opened}")


def _stays_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def meter_library(case: Case) -> CheckResult:
    """Find the library that reads meters and other packs over a network."""
    if case.config is None:
        return case.no_config()
    if not case.config.meters:
        return skipped("no [meter] in the configuration")
    if all(row.tcp is None for row in case.config.meters.values()):
        return good("a serial line needs no library")
    found = case.machine.library("pymodbus")
    if found is None:
        return bad("no pymodbus for this Python", "Install it: sudo apt-get install python3-pymodbus.")
    if _wants_asyncio(found) and case.machine.library("serial_asyncio") is None:
        step = "Install it: sudo apt-get install python3-serial-asyncio."
        return bad("this pymodbus cannot be used without serial_asyncio, which it only recommends", step)
    return good("python3-pymodbus: meters can be read")


def _wants_asyncio(pymodbus: Path) -> bool:
    """Tell whether this version, as Debian 12 has it, needs a library that its package only recommends."""
    file = pymodbus / "client" / "serial.py"
    return file.exists() and "from serial_asyncio" in file.read_text(encoding="utf-8")


def unit_of(link: str) -> str:
    """Name the service of a link."""
    return f"bmsd-link@{link}.service"
