"""Sentences for people: every alarm and every event in one line.

Journal, `bmsctl` and demo say the same thing in the same words. All functions take what the shared files hold,
in inside units, and never fail on a name they do not know: a newer daemon may know more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bmsd.ipc.status import place_kind
from bmsd.tables import alarms, events, ordered, parameters
from bmsd.tables.alarms import Alarm
from bmsd.tables.rows import PERCENT, SECOND, Unit

_UID = re.compile(r"\buid (\d+)\b")
DOING = {"charge": "charging", "discharge": "discharging", "heater": "heating", "balance": "balancing"}
"""What is done through each thing that can be blocked."""

_SWITCHED = {
    "charge": ("Charge contactor closed", "Charge contactor opened"),
    "discharge": ("Discharge contactor closed", "Discharge contactor opened"),
    "main": ("Main contactor closed", "Main contactor opened"),
    "precharge": ("Pre-charge relay on", "Pre-charge relay off"),
    "heater": ("Heater on", "Heater off"),
    "balance": ("Balancing on", "Balancing off"),
    "buzzer": ("Buzzer on", "Buzzer off"),
}
CALLED = {
    "cell_max": "the highest cell",
    "cell_min": "the lowest cell",
    "cell_spread": "the difference between the cells",
    "pack_mv": "the pack voltage",
    "charge_ma": "the charge current",
    "discharge_ma": "the discharge current",
    "battery_max": "the warmest battery sensor",
    "battery_min": "the coldest battery sensor",
    "switch_decic": "the switch board",
    "stack_mismatch": "the difference",
    "battery_spread": "the difference between the sensors",
}
"""How people call what an alarm row compares."""


def number_text(unit: Unit, value: int) -> str:
    """Write a value with its unit; times without the zeros that no one reads."""
    return f"{value / unit.scale:.10g} {unit.symbol}" if unit is SECOND else unit.text(value)


def duration_text(ms: int) -> str:
    """Write a length of time in its two largest units."""
    seconds = max(ms, 0) // 1000
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def hours_text(name: str) -> str:
    """Write how long a charge is asked for by an operator."""
    return f"{ordered.LASTS_MS[name] // 3_600_000} hours"


def since_text(ms: int) -> str:
    """Say for how long something has lasted."""
    return f"for {duration_text(ms)}" if ms >= 1000 else "just now"


def who_text(who: object) -> str:
    """Name who asked: a user by name, as far as this machine knows one."""
    import pwd  # looking up a user may ask the network: for programs that show, never for the core

    def named(found: re.Match[str]) -> str:
        try:
            return pwd.getpwuid(int(found[1])).pw_name
        except (KeyError, OverflowError):
            return found[0]

    return _UID.sub(named, str(who or "Someone"))


def listed(words: Iterable[str]) -> str:
    """Join words as people do: a, b and c."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def finding_text(row: Alarm, where: int | None, value: int | None) -> str:
    """Say what was found and where: `cell 7 at 3.612 V`; empty when the alarm carries neither."""
    place = "" if where is None else f"{place_kind(row.name)} {where}"
    if value is None:
        return place
    if row.value == "cell_spread":
        return f"{row.unit.text(value)} apart" + (f", {place} the highest" if place else "")
    if row.value == "battery_spread":
        return f"{row.unit.text(value)} apart" + (f", {place} the warmest" if place else "")
    if row.name.startswith("short_circuit") or row.name.endswith("_repeated"):
        return f"number {value} within an hour"
    return f"{place} at {row.unit.text(value)}".strip()


def alarm_text(alarm: Mapping[str, Any]) -> str:
    """Say in one line what an active alarm is about, with value, limit and what it blocks."""
    row = alarms.BY_NAME.get(alarm["name"])
    if row is None:
        return f"Alarm {alarm['name']}"
    lifted = alarm.get("lifted") or ()
    blocked = listed(DOING[name] for name in row.blocks.names if name not in lifted)
    text = _with_finding(row.title, row, alarm, "limit")
    text += f"; {blocked} blocked" if blocked else ""
    return (
        f"{text}; the emergency override allows {listed(DOING[name] for name in lifted)}" if lifted else text
    )


def event_text(event: Mapping[str, Any]) -> str:
    """Say in one line what happened."""
    write = _WRITERS.get(event["kind"])
    text = write(event) if write else None
    text = text or events.line(event["kind"], event["state"])
    return text or " ".join(str(event.get(key) or "") for key in ("kind", "name", "state")).strip()


def _with_finding(title: str, row: Alarm, entry: Mapping[str, Any], bound: str) -> str:
    found = finding_text(row, entry.get("where"), entry.get("value"))
    limit = entry.get("limit")
    if found and limit is not None and entry.get("value") is not None:
        found = f"{found}, {bound} {row.unit.text(limit)}"
    return f"{title}: {found}" if found else title


def _alarm(event: Mapping[str, Any]) -> str:
    row = alarms.BY_NAME.get(event["name"])
    if row is None or event["state"] == "raised":
        return alarm_text(event) if row else f"Alarm {event['name']} {event['state']}"
    text = _with_finding(f"{row.title} {event['state']}", row, event, "recovery")
    place, extreme = event.get("where"), CALLED.get(row.value or "")
    if place is None or extreme is None or row.value not in _OF_ONE:
        return text
    # It may be another one than the one that raised it: what counts is which is the furthest now.
    kind = place_kind(row.name)
    return text.replace(f": {kind} {place} at", f": {extreme}, now {kind} {place}, at", 1)


_OF_ONE = ("cell_max", "cell_min", "battery_max", "battery_min")
"""Values that are those of whichever cell or sensor is the furthest."""


def _switch(event: Mapping[str, Any]) -> str | None:
    words = _SWITCHED.get(event["name"])
    return words[0 if event["state"] == "on" else 1] if words else None


def _soc(event: Mapping[str, Any]) -> str | None:
    if event.get("value") is None:
        return None
    text = f"State of charge set to {PERCENT.text(event['value'])}: the cells say {event['name']}"
    counted = event.get("limit")
    return text if counted is None else f"{text} (counted: {PERCENT.text(counted)})"


_SLEEP = {"idle": "nobody uses it", "empty": "it is empty"}


def _state(event: Mapping[str, Any]) -> str | None:
    name, state = event["name"], event["state"]
    if state == "asleep":
        return f"The pack is asleep: {_SLEEP.get(name, name)}"
    if state == "awake":
        return f"The pack is awake: {name}"
    return None


_CHARGES = {
    f"{name} charge": {
        "on": f"{{who}} asked {asked}",
        "off": f"{{who}} asks for no {called} any more",
        "ended": f"The {called} that was asked for has ended: the pack is full, or {hours_text(name)} are over",
    }
    for name, asked, called in (
        (ordered.FORCE, "the charger to charge by force", "forced charge"),
        (ordered.FULL, "for a full charge", "full charge"),
    )
}


def _request(event: Mapping[str, Any]) -> str:
    who, name, state = who_text(event.get("who")), event["name"], event["state"]
    if state == "factory":
        return f"{who} asked for the factory reset: all switches are allowed again, and wait to be asked for"
    if name == "override":
        return f"{who} asked for the emergency override {state}, which it was already"
    if words := _CHARGES.get(name, {}).get(state):
        return words.format(who=who)
    if state in {"on", "off"}:
        return f"{who} asked to switch {name} {state}"
    return f"{who} asked for {state} {name}".rstrip()


def _emergency(event: Mapping[str, Any]) -> str | None:
    """Write the lines that carry a name; the end by itself has its fixed line."""
    who = who_text(event.get("who"))
    if event["state"] == "on":
        return (
            f"EMERGENCY OVERRIDE ON for 30 minutes, by {who}: some protections no longer open the contactors"
        )
    return (
        f"Emergency override off, by {who}" if event["state"] == "off" else events.line("emergency", "ended")
    )


def _parameter(event: Mapping[str, Any]) -> str | None:
    row = parameters.BY_NAME.get(event["name"])
    if row is None or event.get("value") is None:
        return None
    old = event.get("limit")
    before = "" if old is None else f" from {number_text(row.unit, old)}"
    by = f" by {who_text(event['who'])}" if event.get("who") else ""
    return f"Parameter {row.public_name} changed{before} to {number_text(row.unit, event['value'])}{by}"


def _writes(event: Mapping[str, Any]) -> str:
    who, state = who_text(event.get("who")), event["state"]
    span = f" for {duration_text(event['value'] * 1000)}" if event.get("value") else ""
    return f"Writes on {event['name']} {state}{span} by {who}"


_WRITERS: dict[str, Callable[[Mapping[str, Any]], str | None]] = {
    "alarm": _alarm,
    "switch": _switch,
    "soc": _soc,
    "state": _state,
    "request": _request,
    "emergency": _emergency,
    "parameter": _parameter,
    "writes": _writes,
}
