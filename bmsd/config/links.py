"""Check what of the links is more than one key: named sections, Modbus ports, and the units on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from bmsd.config.files import Files
from bmsd.tables.configuration import JK_4E57, MAPS, NAMED_SECTIONS

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")
_UNIT = re.compile(r"[1-9][0-9]{0,2}")
_LAST_UNIT = 247
_ZERO = ', and 0 for a "jk-pb" on a serial line'
_SERIAL = ("baudrate", "parity", "stopbits", "mode", "direction")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LAST_PORT = 65_535


def named_sections(given: Files, base: str) -> list[str]:
    """List a section and all named ones beside it, those that are written."""
    return [section for section in given if section == base or section.startswith(f"{base}.")]


def check_names(given: Files, problems: list[str]) -> None:
    """Refuse the name of a section that would be no name of a unit or of a file."""
    for base in NAMED_SECTIONS:
        for section in named_sections(given, base):
            name = section.removeprefix(base).removeprefix(".")
            if name and not _NAME.fullmatch(name):
                place = next((value.place for value in given[section].values()), "configuration")
                problems.append(
                    f"{place}: [{section}]: {name!r} is no good name; allowed are 1 to 16 small letters, digits and -"
                )


def check_once(given: Files, values: Mapping[str, Any], base: str, key: str, problems: list[str]) -> None:
    """Refuse a port or channel that two sections want: only one process can have it."""
    users: dict[str, str] = {}
    for section in named_sections(given, base):
        wanted = values.get(f"{section}.{key}")
        if not isinstance(wanted, str):
            continue
        if wanted in users:
            text = f"{section}.{key} is {wanted!r}, which [{users[wanted]}] has already"
            problems.append(_at(given, section, key) + text)
        users.setdefault(wanted, section)


def check_modbus(given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Check the Modbus ports against each other, and the units of each."""
    check_names(given, problems)
    for key in ("port", "tcp"):
        check_once(given, values, "modbus", key, problems)
    for section in named_sections(given, "modbus"):
        for key, text in (
            *_port_problems(section, given, values),
            *_unit_problems(section, values),
            *_idle_keys(section, given, values),
        ):
            problems.append(_at(given, section, key) + text)


def check_meters(given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Check the lines on which bmsd is the master, and that no slave of ours is on one of them."""
    check_once(given, values, "meter", "port", problems)
    ours = {values.get(f"{section}.port") for section in named_sections(given, "modbus")} - {None}
    for section in named_sections(given, "meter"):
        found = [*_port_problems(section, given, values), *_device_problems(section, values)]
        if "devices" not in given[section]:
            text = f'{section}.devices is missing: write what is read, by unit id, as {{ 1 = "sdm120" }}'
            found.append(("devices", text))
        if values.get(f"{section}.port") in ours:
            found.append(
                ("port", f"{section}.port is a port of [modbus] already: only one can be the master there")
            )
        for key, text in found:
            problems.append(_at(given, section, key) + text)


def _at(given: Files, section: str, key: str) -> str:
    """Say where a key is written, or else its section; nothing where neither is."""
    place = given.place(section, key)
    return f"{place}: " if place else ""


def _device_problems(section: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from bmsd.tables.devices import DEVICES  # the registers of them all: memory for who reads none

    devices = values.get(f"{section}.devices")
    if devices is not None and not devices:
        yield "devices", f"{section}.devices names no device; known are {', '.join(DEVICES)}"
    for unit, kind in (devices or {}).items():
        row, tcp = DEVICES.get(str(kind)), values.get(f"{section}.tcp")
        if unit == "0" and row and row.as_unit_0 and tcp is None:
            continue  # the first board of a parallel set
        if not _UNIT.fullmatch(unit) or int(unit) > _LAST_UNIT:
            yield (
                "devices",
                f"{section}.devices: unit {unit} is no unit id; allowed is 1 to {_LAST_UNIT}{_ZERO}",
            )
        if not isinstance(kind, str) or kind not in DEVICES:
            yield "devices", f"{section}.devices: {kind!r} is not known; known are {', '.join(DEVICES)}"


def tcp_address(text: str) -> tuple[str, int] | None:
    """Take 127.0.0.1:1502 or [::1]:1502 apart; None for anything else. Names are not looked up."""
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or not 1 <= int(port) <= _LAST_PORT:
        return None
    inside = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    try:
        ip_address(inside or host)
    except ValueError:
        return None
    return (inside, int(port)) if inside else (host, int(port)) if ":" not in host else None


def _port_problems(section: str, given: Files, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    port, tcp = values.get(f"{section}.port"), values.get(f"{section}.tcp")
    if tcp is None:
        if port is None and "port" not in given[section]:
            yield (
                "port",
                f'{section}.port is missing: write a serial port, such as "/dev/ttyUSB0", or {section}.tcp',
            )
        return
    if tcp_address(tcp) is None:
        yield "tcp", f'{section}.tcp is {tcp!r}; write an address and a port, such as "127.0.0.1:1502"'
    serial = [key for key in (*_SERIAL, "port") if key in given[section]]
    for key in serial:
        yield key, f"{section}.{key} has no meaning beside {section}.tcp: remove one of them"


def _idle_keys(section: str, given: Files, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Find keys that another one leaves without a meaning: what is written is meant."""
    idle: dict[str, tuple[str, ...]] = {}
    if values.get(f"{section}.mode") == JK_4E57:
        idle[f'with mode = "{JK_4E57}", which is no Modbus'] = ("maps", "more_units", "writes")
    if values.get(f"{section}.direction") == "adapter":
        idle['without direction = "kernel"'] = ("rts_when_sending", "before_ms", "after_ms")
    for when, keys in idle.items():
        for key in (key for key in keys if key in given[section]):
            yield key, f"{section}.{key} has no meaning {when}: remove it"


def _unit_problems(section: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    maps, more = values.get(f"{section}.maps"), values.get(f"{section}.more_units")
    if maps is not None and not maps:
        yield "maps", f"{section}.maps names no map; known are {', '.join(MAPS)}"
    served = [maps, *(more or {}).values()]
    rtu = values.get(f"{section}.mode") != JK_4E57
    if rtu and values.get(f"{section}.writes") and not any("bmsd" in (named or ()) for named in served):
        yield "writes", f'{section}.writes needs the map "bmsd" on this line: what can be written is there'
    for unit, named in {values.get(f"{section}.unit"): maps, **(more or {})}.items():
        if twice := _twice(named):
            key = "maps" if named is maps else "more_units"
            yield key, f"{section}.{key}: unit {unit} has the map {twice!r} twice; name each map once"
    for unit, named in (more or {}).items():
        what = f"{section}.more_units: unit {unit}"
        if not _UNIT.fullmatch(unit) or int(unit) > _LAST_UNIT:
            yield "more_units", f"{what} is no unit id; allowed is 1 to {_LAST_UNIT}"
        elif int(unit) == values.get(f"{section}.unit"):
            yield "more_units", f"{what} is {section}.unit already: take another, or leave it out"
        if not isinstance(named, list) or not named or not all(name in MAPS for name in named):
            yield "more_units", f"{what} needs a list of its maps; known are {', '.join(MAPS)}"


def _twice(named: object) -> str | None:
    """Find a map that is named twice."""
    listed = [one for one in named if isinstance(one, str)] if isinstance(named, list | tuple) else []
    return next((one for place, one in enumerate(listed) if one in listed[:place]), None)
