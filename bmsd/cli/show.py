"""bmsctl status, cells, alarms, why and events: what an operator looks at."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bmsd.cli import reading, views
from bmsd.cli.console import Console, wrapped
from bmsd.ipc import status
from bmsd.ipc.sentences import event_text
from bmsd.ipc.snapshot import fresh_snapshot
from bmsd.tables import alarms, parameters
from bmsd.tables.rows import PERCENT

FOLLOW_S = 0.25


def print_json(console: Console, document: Any) -> None:
    """Write a document for programs; the encoding of the terminal plays no part."""
    print(json.dumps(document, indent=1), file=console.stream)


def show_status(directory: Path, options: Namespace, console: Console) -> int:
    """Show the whole state."""
    now = reading.now(directory)
    if options.json:
        print_json(console, now.document)
        return 0
    table = [("state", views.what_it_does(now)), *views.rows(now, console), *views.more_rows(now)]
    for line in views.laid_out(table, console):
        console.say(line)
    _say_alarms(now, console)
    return 0


def show_cells(directory: Path, options: Namespace, console: Console) -> int:
    """Show every cell."""
    now = reading.now(directory)
    if options.json:
        print_json(console, now.document["cells"])
        return 0
    for line in views.cell_lines(now, console):
        console.say(line)
    console.say()
    table = [row for row in views.rows(now, console) if row[0] in {"cells", "warmth"}]
    for line in views.laid_out(table, console):
        console.say(line)
    return 0


def show_alarms(directory: Path, options: Namespace, console: Console) -> int:
    """Show the active alarms with what to do about each."""
    now = reading.now(directory)
    if options.json:
        print_json(console, now.document["alarms"])
        return 0
    _say_alarms(now, console, advise=True)
    return 0


def _say_alarms(now: reading.Now, console: Console, *, advise: bool = False) -> None:
    active = views.alarm_lines(now, console)
    if not active:
        console.say(console.paint("no alarms", "green"))
    for alarm in active:
        for line in wrapped(alarm.text, console.width, "", " " * views.LABEL):
            console.say(console.paint(line, alarm.look))
        if advise:
            console.paragraph(alarm.advice, " " * views.LABEL)


def show_why(directory: Path, options: Namespace, console: Console) -> int:
    """Explain one thing, or everything that can be blocked."""
    from bmsd.cli.why import THINGS, why_json, why_text

    now = reading.now(directory)
    things = [options.what] if options.what else list(THINGS)
    if options.json:
        answers = {what: why_json(what, now.snapshot, now.parameters) for what in things}
        print_json(console, answers[options.what] if options.what else answers)
        return 0
    for number, what in enumerate(things):
        if number:
            console.say()
        console.paragraph(why_text(what, now.snapshot, now.parameters))
    return 0


def show_events(directory: Path, options: Namespace, console: Console) -> int:
    """Show what happened. Events of a daemon that is gone are still shown, but not as success."""
    reading.events(directory)  # says why when there are none to read
    news = reading.NewEvents(directory)
    first = news.take()[-options.count :]
    if options.json and not options.follow:
        print_json(console, [public_event(event) for event in first])
    else:
        _say_events(first, options, console)
    while options.follow:
        fresh_snapshot(directory)
        _say_events(news.take(), options, console)
        time.sleep(FOLLOW_S)
    fresh_snapshot(directory)
    return 0


def _say_events(events: list[dict[str, Any]], options: Namespace, console: Console) -> None:
    for event in events:
        if options.json:
            # One object per line, so that a follower can be read while it runs.
            print(json.dumps(public_event(event)), file=console.stream)
            continue
        look = "red" if (event["kind"], event["state"]) in {("alarm", "raised"), ("emergency", "on")} else ""
        for line in wrapped(console.encodable(views.event_line(event)), console.width, "", " " * 21):
            console.say(console.paint(line, look))
    console.stream.flush()


def public_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Turn an event into people's units and names."""
    kind, name = event["kind"], event["name"]
    told = {"n": event["n"], "time": status.iso_time(event["time"]), "kind": kind, "name": name,
            "state": event["state"], "cell": None, "sensor": None, "value": event.get("value"),
            "limit": event.get("limit"), "unit": "", "who": event.get("who") or None}  # fmt: skip
    unit = None
    if kind == "alarm":
        told |= status.public_finding(alarms.BY_NAME.get(name), event)
    elif kind == "soc":
        unit = PERCENT
    elif kind == "parameter" and name in parameters.BY_NAME:
        unit = parameters.BY_NAME[name].unit
        told["name"] = parameters.BY_NAME[name].public_name
    if unit:
        scaled = {k: None if told[k] is None else unit.to_public(told[k]) for k in ("value", "limit")}
        told |= {**scaled, "unit": unit.symbol}
    return {**told, "text": event_text(event)}
