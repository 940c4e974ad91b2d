"""bmsctl modbus test: what is heard on a serial line, good frames and others, and at which speed it would fit.

While the link runs the port is its own, and it tells what it hears. Otherwise we listen, and say no word.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bmsd.cli import reading
from bmsd.cli.console import Console
from bmsd.cli.params import UsageError
from bmsd.cli.show import print_json
from bmsd.errors import ConfigError, PeerError
from bmsd.ipc.shared_files import boot_id, monotonic_ms

if TYPE_CHECKING:
    from bmsd.config.load import ModbusConfig
    from bmsd.links.modbus_listen import LineTraffic

GOOD, FAILED = 0, 1
SHORTEST_S, LONGEST_S = 0.1, 60.0
_FRESH_MS = 5000
_COUNTED = ("requests", "foreign_frames", "garbage_bytes")
NOTHING = (
    "Nothing is heard. Is a master on and asking, are its wires on this port, does the adapter have power? A line"
    " without a master is silent."
)
NO_FRAME = (
    "Bytes are heard but no good frame: A and B may be swapped (try the other way round), the two ends of the line may"
    " have no common ground or no termination, or this is no Modbus RTU."
)


def test(directory: Path, options: Namespace, console: Console) -> int:
    """Say what is heard on a line of [modbus]."""
    if not SHORTEST_S <= options.seconds <= LONGEST_S:
        raise UsageError(f"--seconds is from {SHORTEST_S} to {LONGEST_S:.0f}, not {options.seconds}")
    settings = _settings(Path(options.config), options.link)
    before = _running(directory, options.link)
    if before is not None:
        time.sleep(options.seconds)
        return _told_by_link(before, _running(directory, options.link) or {}, options, console)
    return _listen(settings, options, console)


def _settings(path: Path, link: str) -> ModbusConfig:
    from bmsd.config.load import load  # half a second on a small board

    try:
        lines = {name: row for name, row in load(path).modbus_ports.items() if row.tcp is None}
    except ConfigError as error:
        raise PeerError(f"{path} is refused: 'bmsd --check-config' says why ({error})") from None
    if link not in lines:
        raise PeerError(f"{path} has no serial line {link!r}; there are: {', '.join(lines) or 'none'}")
    return lines[link]


def _running(directory: Path, link: str) -> Mapping[str, Any] | None:
    """Give what a link tells that has its port; None: it has not, and the port is free."""
    told = reading.optional(directory / f"link-{link}.json") or {}
    alive = told.get("boot") == boot_id() and told.get("state") in {"running", "waiting"}
    return told if alive and monotonic_ms() - int(told.get("at_ms", 0)) <= _FRESH_MS else None


def _told_by_link(
    before: Mapping[str, Any], after: Mapping[str, Any], options: Namespace, console: Console
) -> int:
    """Say what the link heard meanwhile; whether it is another speed cannot be tried under its hands."""
    if not after:
        raise PeerError(f"the link {options.link} ended meanwhile; run it again")
    heard = {name: int(after.get(name, 0)) - int(before.get(name, 0)) for name in _COUNTED}
    units = after.get("units_heard", [])
    frames = heard["requests"] + heard["foreign_frames"]
    if options.json:
        print_json(console, {"link": options.link, "seconds": options.seconds, **heard, "units": units})
        return GOOD if frames else FAILED
    console.paragraph(
        f"{options.link} runs. In {options.seconds:g} s it answered {heard['requests']} requests, and heard"
        f" {heard['foreign_frames']} frames for others and {heard['garbage_bytes']} bytes that belong to no frame."
        + (f" Units named since its start: {_listed(units)}." if units else "")
    )
    if not frames:
        console.paragraph(NO_FRAME if heard["garbage_bytes"] else NOTHING)
        if heard["garbage_bytes"]:
            console.paragraph(
                f"To try other speeds: sudo systemctl stop bmsd-link@{options.link}, this command again, then start it."
            )
    return GOOD if frames else FAILED


def _listen(settings: ModbusConfig, options: Namespace, console: Console) -> int:
    from bmsd.links import modbus_listen

    first = modbus_listen.LineSetting(settings.baudrate, settings.parity)

    def hear(setting: modbus_listen.LineSetting) -> LineTraffic:
        found = modbus_listen.heard_at(settings.port, setting, options.seconds)
        if not options.json:
            console.say(_line(found))
        return found

    found = modbus_listen.search(first, hear)
    if options.json:
        told = [asdict(one) | {"fits": one.fits} for one in found]
        print_json(console, {"link": options.link, "port": settings.port, "heard": told})
    else:
        console.paragraph(_verdict(found, options.link, settings))
    return GOOD if found[0].fits else FAILED


def _line(heard: LineTraffic) -> str:
    speed = f"{heard.setting.baudrate} baud, parity {heard.setting.parity}:"
    return f"{speed:23} {heard.bytes} bytes, {heard.frames} good frames, {heard.garbage} bytes of none"


def _verdict(found: list[LineTraffic], link: str, settings: ModbusConfig) -> str:
    """Say what it means, and what to do next."""
    best = found[-1]
    section = link.replace("@", ".")
    if not found[0].bytes:
        return NOTHING
    if best.is_4e57 and settings.mode != "jk-4e57":
        return f'This is the 4E57 protocol of older JK boards: {section}.mode = "jk-4e57".'
    if not best.fits:
        return NO_FRAME
    if len(found) == 1:
        return (
            f"This fits; units named: {_listed(best.units) or 'none'}. A master that gets no answer asks another unit,"
            " or somebody else answers, too."
        )
    return (
        f"At {best.setting.baudrate} baud with parity {best.setting.parity} the frames are good: write"
        f' {section}.baudrate = {best.setting.baudrate} and {section}.parity = "{best.setting.parity}".'
    )


def _listed(units: object) -> str:
    return ", ".join(map(str, units)) if isinstance(units, list | tuple) else ""
