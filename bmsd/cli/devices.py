"""bmsctl devices: what energy meters and other packs say, read by the meter link."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bmsd.cli import reading
from bmsd.cli.console import Console
from bmsd.cli.show import print_json
from bmsd.ipc.shared_files import boot_id, monotonic_ms
from bmsd.ipc.status import LINK_FRESH_MS
from bmsd.tables.devices import DEVICES

ROUNDS = 3
"""Rounds after which a value that was not read again is unknown."""


def devices(directory: Path, options: Namespace, console: Console) -> int:
    """Show each device with its values and their age."""
    now_ms = monotonic_ms()
    found = {
        path.stem.removeprefix("link-"): reading.optional(path) or {}
        for path in sorted(directory.glob("link-meter*.json"))
    }
    told = {name: _of_link(link, now_ms) for name, link in found.items()}
    if options.json:
        print_json(console, told)
        return 0
    for name, units in told.items():
        for unit, device in units.items():
            _say(name, unit, device, console)
    if not any(told.values()):
        console.say("no device is read: there is no [meter], or its link does not run")
    return 0


def _of_link(link: Mapping[str, Any], now_ms: int) -> dict[str, dict[str, Any]]:
    alive = link.get("boot") == boot_id() and 0 <= now_ms - link.get("at_ms", 0) <= LINK_FRESH_MS
    limit_ms = ROUNDS * int(link.get("period_ms") or 0) + LINK_FRESH_MS
    return {
        unit: _device(raw, now_ms, limit_ms, alive=alive) for unit, raw in (link.get("devices") or {}).items()
    }


def _device(raw: Mapping[str, Any], now_ms: int, limit_ms: int, *, alive: bool) -> dict[str, Any]:
    """Give one device; what is old is unknown (S7)."""
    row = DEVICES.get(raw["kind"])
    read_ms = raw.get("read_ms")
    age_ms = None if read_ms is None else now_ms - read_ms
    present = alive and age_ms is not None and 0 <= age_ms <= limit_ms
    values = raw.get("values") or {}
    return {
        "kind": raw["kind"],
        "title": row.title if row else raw["kind"],
        "age_s": None if age_ms is None else round(age_ms / 1000, 1),
        "error": raw.get("error") if alive else "the link does not run",
        "values": {
            value.name: {"value": values.get(value.name) if present else None, "unit": value.symbol}
            for value in (row.values if row else ())
        },
    }


def _say(link: str, unit: str, device: Mapping[str, Any], console: Console) -> None:
    age = "never read" if device["age_s"] is None else f"read {device['age_s']:.0f} s ago"
    trouble = f"; {device['error']}" if device["error"] else ""
    console.say(console.paint(f"{device['title']}, {link} unit {unit}, {age}{trouble}", "cyan"))
    for name, told in device["values"].items():
        value = "?" if told["value"] is None else f"{told['value']:g}"
        console.say(f"  {name:<22} {value:>10} {told['unit']}".rstrip())
