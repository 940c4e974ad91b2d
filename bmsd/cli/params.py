"""bmsctl params: look at the parameters and change them, in people's names and units.

Names, ranges and help come from the parameter table; the daemon checks every change as one complete set.
"""

from __future__ import annotations

import math
import time
from argparse import Namespace
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bmsd.cli import reading
from bmsd.cli.console import Console
from bmsd.cli.show import print_json
from bmsd.ipc import request_socket, shared_files
from bmsd.tables import parameters
from bmsd.tables.parameters import ORDERS, ROWS, ParameterRow

PUBLISHED_S = 1.0


class UsageError(Exception):
    """The command line is wrong; nothing was asked."""


def row_of(name: str) -> ParameterRow:
    """Find a parameter by the name people use, or its inside name."""
    row = parameters.BY_PUBLIC_NAME.get(name) or parameters.BY_NAME.get(name)
    if row is None:
        near = get_close_matches(name, parameters.BY_PUBLIC_NAME, 3, 0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "'bmsctl params' lists all."
        raise UsageError(f"there is no parameter {name}; {hint}")
    return row


def assignments(words: list[str]) -> dict[str, float]:
    """Read NAME=VALUE words; raise UsageError for anything else."""
    found: dict[str, float] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals and text):
            raise UsageError(f"{word!r} is not NAME=VALUE, as in cell_ovp_v=3.55")
        try:
            value = float(text)
        except ValueError:
            raise UsageError(f"{text!r} in {word!r} is not a number; write it without a unit") from None
        if not math.isfinite(value) or abs(value) > 1e9:
            raise UsageError(f"{text!r} in {word!r} is far outside any range")
        if name in found:
            raise UsageError(f"{name} is given twice")
        found[name] = value
    return found


def show_list(directory: Path, options: Namespace, console: Console) -> int:
    """Show every parameter in one line: value, range, and the configured value where it differs."""
    document = reading.parameters(directory)
    if options.json:
        told = {row.public_name: _public(row, document) for row in ROWS}
        head = {key: document.get(key) for key in ("schema", "chemistry", "preset", "cells")}
        print_json(console, {**head, "parameters": told})
        return 0
    preset = document.get("preset")
    console.say(f"{document['chemistry']}, {document['cells']} cells, configured from preset {preset}")
    group = ""
    for row in ROWS:
        if row.group != group:
            group = row.group
            console.say(console.paint(group, "cyan"))
        console.say(_line(row, document, console))
    return 0


def show_one(directory: Path, options: Namespace, console: Console) -> int:
    """Show one parameter with its help, its range and its neighbours."""
    row = row_of(options.name)
    document = reading.parameters(directory)
    if options.json:
        print_json(console, {"name": row.public_name, **_public(row, document)})
        return 0
    low, high = row.bounds(document["cells"])
    console.say(
        f"{row.public_name} = {_figure(row, document['values'].get(row.name))} {row.unit.symbol}".rstrip()
    )
    console.paragraph(row.help, "  ")
    console.paragraph(
        f"Allowed: {_figure(row, low)} to {_figure(row, high)} {row.unit.symbol}".rstrip() + ".", "  "
    )
    console.paragraph(f"Configured: {_figure(row, document['configured'].get(row.name))}.", "  ")
    for text in _orders(row, document["values"]):
        console.paragraph(text, "  ")
    return 0


def change(directory: Path, options: Namespace, console: Console) -> int:
    """Set some parameters as one set, all or nothing."""
    rows = [(row_of(name), value) for name, value in assignments(options.assignments).items()]
    values = {row.name: row.unit.to_inside(value) for row, value in rows}
    return _ask(directory, {"do": "set", "values": values}, options, console)


def preset(directory: Path, options: Namespace, console: Console) -> int:
    """Take a preset's values for all parameters."""
    return _ask(directory, {"do": "preset", "name": options.name}, options, console)


def reset(directory: Path, options: Namespace, console: Console) -> int:
    """Go back to what the configuration files give."""
    return _ask(directory, {"do": "unset"}, options, console)


def _ask(directory: Path, request: Mapping[str, Any], options: Namespace, console: Console) -> int:
    """Ask for a change and tell what it changed."""
    before: dict[str, int] = shared_files.read_document(directory / shared_files.PARAMETERS)["values"]
    names = request_socket.ask(directory, request).get("changed", ())
    after = _after(directory, names, before)
    changes = [(row, before.get(row.name), after.get(row.name)) for row in ROWS if row.name in names]
    if options.json:
        print_json(console, {"ok": True, "changed": {
            row.public_name: {"from": _scaled(row, old), "to": _scaled(row, new)} for row, old, new in changes
        }})  # fmt: skip
        return 0
    for row, old, new in changes:
        text = f"{row.public_name}: {_figure(row, old)} -> {_figure(row, new)} {row.unit.symbol}"
        console.say(text.rstrip())
    if not changes:
        console.say("nothing changed")
    return 0


def _after(directory: Path, names: Collection[str], before: Mapping[str, int]) -> dict[str, int]:
    """Read the parameters once the daemon has published the change; it answers a moment earlier."""
    until = time.monotonic() + PUBLISHED_S
    while True:
        values: dict[str, int] = shared_files.read_document(directory / shared_files.PARAMETERS)["values"]
        if time.monotonic() > until or all(values.get(name) != before.get(name) for name in names):
            return values
        time.sleep(0.02)


def _public(row: ParameterRow, document: Mapping[str, Any]) -> dict[str, Any]:
    low, high = row.bounds(document["cells"])
    return {
        "value": _scaled(row, document["values"].get(row.name)),
        "unit": row.unit.symbol,
        "low": row.unit.to_public(low),
        "high": row.unit.to_public(high),
        "configured": _scaled(row, document["configured"].get(row.name)),
        "group": row.group,
        "help": row.help,
    }


def _scaled(row: ParameterRow, value: int | None) -> float | int | None:
    return None if value is None else row.unit.to_public(value)


def _figure(row: ParameterRow, value: int | None) -> str:
    """Write a value without its unit and without trailing zeros, as it may stand in the configuration."""
    if value is None:
        return "?"
    text = f"{value / row.unit.scale:.{row.unit.digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _line(row: ParameterRow, document: Mapping[str, Any], console: Console) -> str:
    value, configured = document["values"].get(row.name), document["configured"].get(row.name)
    low, high = row.bounds(document["cells"])
    text = (
        f"  {row.public_name:<29} {_figure(row, value):>9} {row.unit.symbol:<2}"
        f"  {_figure(row, low)} to {_figure(row, high)}"
    )
    if configured == value:
        return text
    return f"{text:<62}" + console.paint(f"configured {_figure(row, configured)}", "yellow")


def _orders(row: ParameterRow, values: Mapping[str, int]) -> list[str]:
    """Say which other parameters hold this one in its place (S8)."""
    found = []
    for order in ORDERS:
        if row.name not in (order.lower, order.higher):
            continue
        below = row.name == order.lower
        other = parameters.BY_NAME[order.higher if below else order.lower]
        gap = f"at least {_figure(row, order.gap)} {row.unit.symbol} " if order.gap else "not "
        side = ("below" if below else "above") if order.gap else ("above" if below else "below")
        now = f"{_figure(other, values.get(other.name))} {other.unit.symbol}"
        found.append(f"Must be {gap}{side} {other.public_name} (now {now}).")
    return found
