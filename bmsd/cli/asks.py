"""bmsctl switch, reset, emergency, factory-reset and sim: what an operator asks of the daemon.

The daemon decides and gives its reason; only what needs no daemon to be wrong is refused here.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bmsd.cli import reading
from bmsd.cli.console import Console, wrapped
from bmsd.cli.params import UsageError, assignments
from bmsd.ipc.request_socket import ask
from bmsd.ipc.sentences import DOING, hours_text
from bmsd.tables import alarms, ordered


def switch(directory: Path, options: Namespace, console: Console) -> int:
    """Let charging, discharging or balancing happen, or forbid it."""
    on = options.position == "on"
    ask(directory, {"do": "switch", "name": options.name, "on": on})
    if on:
        told = f"{DOING[options.name]} may happen again; 'bmsctl why {options.name}' tells whether it does"
    else:
        told = f"{DOING[options.name]} is switched off until 'bmsctl switch {options.name} on'"
    console.paragraph(told)
    return 0


def reset(directory: Path, options: Namespace, console: Console) -> int:
    """Reset one latched alarm."""
    if options.alarm not in alarms.BY_NAME:
        near = get_close_matches(options.alarm, alarms.BY_NAME, 3, 0.7)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else "'bmsctl alarms' lists the active ones by name"
        )
        raise UsageError(f"there is no alarm {options.alarm}; {hint}")
    active = any(entry["name"] == options.alarm for entry in reading.now(directory).document["alarms"])
    ask(directory, {"do": "reset", "alarm": options.alarm})
    console.say(f"{options.alarm} {'is reset' if active else 'was not active'}")
    return 0


_CHARGE = {
    ordered.FORCE: (
        "Inverters that read the force bits are asked to charge, from the grid too, until the pack is full,"
        f" {hours_text(ordered.FORCE)} at most. No limit changes by it. A restart of bmsd ends it, and so does"
        " 'bmsctl charge force off'."
    ),
    ordered.FULL: (
        "A full charge is asked for: absorption instead of rest or float, and the full-charge bit, until the pack is"
        f" full, {hours_text(ordered.FULL)} at most. No limit changes by it. A restart of bmsd ends it, and so does"
        " 'bmsctl charge full off'."
    ),
}


def charge(directory: Path, options: Namespace, console: Console) -> int:
    """Ask the charger to charge by force, or for a full charge; or no more."""
    on = options.position == "on"
    ask(directory, {"do": "charge", "name": options.name, "on": on})
    told = _CHARGE[options.name] if on else f"The {options.name} charge is asked for no more by an operator."
    if on and not reading.now(directory).document["permissions"]["charge"]:
        told += " Charging is not allowed now, and nothing is asked until it is: 'bmsctl why charge' tells the reason."
    console.paragraph(told)
    return 0


_EMERGENCY = (
    "The emergency override is on for 30 minutes from its start: asking again makes it no longer. Under-voltage down to"
    " the cells' floor, over-voltage up to a margin and cold while discharging do not open the contactors. Everything"
    " else does. 'bmsctl watch' shows the lowest cell; 'bmsctl emergency off' ends it."
)


def emergency(directory: Path, options: Namespace, console: Console) -> int:
    """Switch the emergency override on, after asking, or off."""
    on = options.position == "on"
    if on and not options.yes and not _agreed("emergency on", _LIFTED):
        console.say("the emergency override stays off")
        return 1
    ask(directory, {"do": "emergency", "on": on})
    console.paragraph(_EMERGENCY if on else "The emergency override is off; every protection acts again.")
    return 0


def factory_reset(directory: Path, options: Namespace, console: Console) -> int:
    """Go back to the configuration's parameters, and to switches that wait to be asked for."""
    if not options.yes and not _agreed("factory-reset", _FORGOTTEN):
        console.say("nothing was changed")
        return 1
    ask(directory, {"do": "factory-reset"})
    console.paragraph(
        "Parameters are those of the configuration files. Latched alarms stay. Nothing closes until"
        " 'bmsctl switch charge on' and 'bmsctl switch discharge on'."
    )
    return 0


_FORGOTTEN = "All parameters changed at run time are lost."
_LIFTED = (
    "For 30 minutes under-voltage, over-voltage up to a margin and cold while discharging open no contactor."
    " Cells may be damaged."
)


def _agreed(command: str, what: str) -> bool:
    """Ask a person; no keyboard, no agreement."""
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError(f"{command} asks before it acts, and there is no keyboard: add --yes")
    return input(f"{what} Go on? [y/N] ").strip().lower() in {"y", "yes"}


def wake(directory: Path, options: Namespace, console: Console) -> int:
    """Wake a sleeping pack."""
    asleep = reading.now(directory).snapshot["points"].get("state") == "sleeping"
    ask(directory, {"do": "wake"})
    console.say("the pack wakes" if asleep else "the pack was not asleep")
    return 0


def sim_set(directory: Path, options: Namespace, console: Console) -> int:
    """Set quantities of the bench."""
    return _done(
        directory, {"do": "sim", "set": assignments(options.assignments)}, options.assignments, console
    )


def sim_cell(directory: Path, options: Namespace, console: Console) -> int:
    """Set quantities of one cell of the bench."""
    request = {"do": "sim", "cell": options.number, "values": assignments(options.assignments)}
    return _done(directory, request, [f"cell {options.number}", *options.assignments], console)


def sim_fault(directory: Path, options: Namespace, console: Console) -> int:
    """Break something on the bench, or mend it."""
    on = options.position == "on"
    request = {"do": "sim", "fault": options.name, "on": on, "cell": options.cell}
    words = [options.name, *([f"cell {options.cell}"] if options.cell else []), options.position]
    return _done(directory, request, words, console)


def sim_list(directory: Path, options: Namespace, console: Console) -> int:
    """List what can be set and broken on the bench."""
    reply = ask(directory, {"do": "sim", "list": True})
    of_cells = [row for row in reply.get("settables", ()) if row.get("cell")]
    of_pack = [row for row in reply.get("settables", ()) if not row.get("cell")]
    for usage, table in (("set NAME=VALUE", of_pack), ("cell N NAME=VALUE", of_cells)):
        console.say(console.paint(f"bmsctl sim {usage}", "cyan"))
        for row in table:
            _entry(
                f"{row['name']} [{row['unit']}]",
                f"{row['help']}; {row['low']:.9g} to {row['high']:.9g}",
                console,
            )
    console.say(console.paint("bmsctl sim fault NAME on|off [--cell N]", "cyan"))
    for row in reply.get("faults", ()):
        _entry(row["name"], row["help"], console)
    return 0


def _entry(name: str, text: str, console: Console) -> None:
    for line in wrapped(
        console.encodable(text), console.width, f"  {console.encodable(name):<27} ", " " * 30
    ):
        console.say(line)


def _done(directory: Path, request: Mapping[str, Any], words: list[str], console: Console) -> int:
    ask(directory, request)
    console.paragraph(f"bench: {', '.join(words)}")
    return 0
