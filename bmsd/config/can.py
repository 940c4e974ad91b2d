"""The inverter's buses: `[can]` is the first, each `[can.NAME]` a further one with keys of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bmsd.config.files import Files, alike
from bmsd.config.links import named_sections
from bmsd.inverters import protocols
from bmsd.tables import configuration
from bmsd.tables.configuration import link_of
from bmsd.tables.parameters import BY_NAME

_FIRST, _NETWORK = "can", "socketcan"
_NEEDED = {
    "socketcand": ("host", "port"),
    **dict.fromkeys(("slcan", "serial", "robotell", "seeedstudio"), ("channel",)),
}
"""Keys that an interface of python-can cannot do without; the default channel is no serial port."""
_REFUSED = {
    "udp_multicast": "it reaches every machine of the network, and the limits of a battery are not for all of them"
}


@dataclass(frozen=True, slots=True)
class CanConfig:
    """One inverter bus; `bus` goes to python-can as it is."""

    protocol: str
    silence_after_s: float
    bus: dict[str, Any]
    battery_name: str = ""
    fallback: str = ""
    fallback_after_s: float = 60.0
    share_percent: int = 100


def check_buses(
    given: Files, values: Mapping[str, Any], merged: Mapping[str, int | None] | None, problems: list[str]
) -> None:
    """Check every bus for itself, and that no two use the same channel."""
    more = sections(given)
    if more and _FIRST not in more:
        problems.append(
            f"{_place(given, more[0])}[{more[0]}] is a further bus, and there is no first one: write [can]"
        )
    used: dict[tuple[str, ...], str] = {}
    for section in sections(given):
        _check(section, given, values, problems)
        _check_voltage(section, given, values, merged, problems)
        channel = _channel(section, given, values)
        if channel in used:
            problems.append(
                f"{_place(given, section, 'channel')}{section}.channel is {channel[1]!r}, which is that of"
                f" [{used[channel]}]: two links on one channel would each tell the inverter their own"
            )
        used.setdefault(channel, section)
        if channel[0] != _NETWORK and (other := _lines(given, values).get(channel[1])):
            problems.append(
                f"{_place(given, section, 'channel')}{section}.channel is {channel[1]!r}, which is the port of"
                f" [{other}]: only one can have it"
            )
    _check_shares(given, values, problems)


def sections(given: Files) -> list[str]:
    """List the sections of all buses, the first one first."""
    return sorted(named_sections(given, _FIRST), key=lambda section: section != _FIRST)


def buses(given: Files, values: Mapping[str, Any]) -> dict[str, CanConfig]:
    """Give every bus by the name of its link."""
    return {link_of(section): _bus(section, given, values) for section in sections(given)}


def _check(section: str, given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Check that protocol, bit rate, fallback and name exist and fit, and that the interface may be used."""
    name, bitrate = values.get(f"{section}.protocol"), values.get(f"{section}.bitrate")
    called, fallback = values.get(f"{section}.battery_name"), values.get(f"{section}.fallback")
    found = [("battery_name", text) for text in protocols.name_problems(called or "")]
    if name is not None:
        key = "bitrate" if name in protocols.NAMES else "protocol"
        found += [(key, f"{text}{_meant(name)}") for text in protocols.problems(name, bitrate)]
        texts = protocols.fallback_problems(name, fallback or "")
        meant = _meant(fallback or "") if name == protocols.AUTO else ""
        found += [("fallback", f"{text}{meant}") for text in texts]
    interface = values.get(f"{section}.interface")
    if reason := _REFUSED.get(interface or ""):
        found.append(("interface", f'can.interface {interface!r} is not allowed: {reason}. Take "socketcan"'))
    for needed in _NEEDED.get(interface or "", ()):
        if needed not in given[section]:
            found.append(("interface", f"can.interface {interface!r} needs {needed} = ... as well"))
    for key, text in found:
        problems.append(f"{_place(given, section, key)}{text.replace('can.', f'{section}.', 1)}")


def _carried_by(charge_mv: int) -> str:
    """Name the protocols that carry a charge voltage."""
    names = [name for name in protocols.PROTOCOLS if not protocols.voltage_problems(name, charge_mv)]
    return f"; it is carried by {', '.join(names)}" if names else ""


def _meant(name: str) -> str:
    """Suggest a protocol for a name that is none."""
    return "" if name in protocols.NAMES else alike(name, protocols.NAMES)


def _check_voltage(
    section: str,
    given: Files,
    values: Mapping[str, Any],
    merged: Mapping[str, int | None] | None,
    problems: list[str],
) -> None:
    """Refuse a pack whose charge voltage the protocol cannot carry: clamped, it would be another."""
    cell_mv, cells = (merged or {}).get("cell_charge_mv"), values.get("pack.cells")
    row = BY_NAME["cell_charge_mv"]
    if cell_mv is None or cells is None or not row.low <= cell_mv <= row.high:
        return
    for key in ("protocol", "fallback"):
        name = values.get(f"{section}.{key}")
        if name in protocols.NAMES:
            for text in protocols.voltage_problems(name, cell_mv * cells):
                told = text.replace("can.protocol", f"{section}.{key}", 1)
                told += _carried_by(cell_mv * cells)
                problems.append(f"{_place(given, section, key)}{told}")


def _check_shares(given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Refuse inverters that are together told more than the pack allows; displays are told no limits."""
    shares = {section: values.get(f"{section}.share_percent") for section in sections(given)}
    known = {
        section: share
        for section, share in shares.items()
        if share is not None
        and (name := values.get(f"{section}.protocol")) in protocols.NAMES
        and (name == protocols.AUTO or protocols.PROTOCOLS[name].has_limits)
    }
    if len(known) > 1 and sum(known.values()) > 100:
        told = ", ".join(f"{section}.share_percent is {share}" for section, share in known.items())
        problems.append(
            f"{_place(given, [*known][-1], 'share_percent')}{told}: together the inverters are told"
            f" {sum(known.values())} % of the current that the pack allows; write shares that make 100 at most"
        )


def _channel(section: str, given: Files, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Give what two buses must not share; a serial port may carry its baud rate behind an @."""
    written = {name: str(found.value) for name, found in given[section].items()}
    interface = str(values.get(f"{section}.interface"))
    channel = str(values.get(f"{section}.channel")).partition("@")[0]
    return interface, channel, written.get("host", ""), written.get("port", "")


def _lines(given: Files, values: Mapping[str, Any]) -> dict[str, str]:
    """Give the sections by the serial ports that they use; the name of a network interface is none."""
    lines = [*named_sections(given, "modbus"), *named_sections(given, "meter")]
    return {str(values.get(f"{section}.port")): section for section in lines if values.get(f"{section}.port")}


def _place(given: Files, section: str, key: str = "") -> str:
    """Say where a key stands, or else the section; nothing where neither was written."""
    found = given.place(section, key)
    return f"{found}: " if found else ""


def _bus(section: str, given: Files, values: Mapping[str, Any]) -> CanConfig:
    """Everything that is not bmsd's own goes to python-can."""
    own = configuration.keys_of(section).keys() - {"interface", "channel", "bitrate"}
    bus = {name: written.value for name, written in given[section].items() if name not in own}
    for name in ("interface", "channel"):
        bus.setdefault(name, values[f"{section}.{name}"])
    protocol = values[f"{section}.protocol"]
    bus.setdefault("bitrate", protocols.row_of(protocol).bitrate)
    return CanConfig(
        protocol,
        float(values[f"{section}.silence_after_s"]),
        bus,
        values[f"{section}.battery_name"],
        values[f"{section}.fallback"],
        float(values[f"{section}.fallback_after_s"]),
        values[f"{section}.share_percent"],
    )
