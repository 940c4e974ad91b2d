"""Explain why charging, discharging, heating or balancing is as it is.

`why_json` names every rule with its value, its limit, since when, and what has to happen for it to release;
`why_text` is the same as one readable paragraph. Both read only what the shared files say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bmsd.cli.why_limits import held_down, phase
from bmsd.cli.why_words import PackView, Points, coldest, lead, lifted, plain_reason, spread, warmest
from bmsd.core.types import InhibitCause
from bmsd.ipc.sentences import CALLED, duration_text, finding_text, listed, since_text
from bmsd.ipc.status import public_alarm
from bmsd.tables import alarms, parameters
from bmsd.tables.alarms import Alarm, Block, Release, Sense

_CHIP_ALARMS = ("afe_lost", "afe_reset", "afe_refused")
# An unknown value, and the alarms that tell the same.
_SAID_BY = {
    "afe": _CHIP_ALARMS,
    "cell_mv": ("cell_lost", "cell_frozen"),
    "battery_decic": ("temperature_lost",),
    "switch_decic": ("switch_temperature_lost",),
    "current_ma": ("current_lost",),
    "stack_mv": ("stack_lost",),
}
_LOST_ALARMS = tuple(name for value, names in _SAID_BY.items() if value != "afe" for name in names)
THINGS = ("charge", "discharge", "heater", "balance")


def _one_way(sign: int) -> Callable[[Points], int | None]:
    def current(points: Points) -> int | None:
        value = points.get("current_ma")
        return None if value is None else max(sign * value, 0)

    return current


def _point(name: str) -> Callable[[Points], int | None]:
    return lambda points: points.get(name)


# Where the present value of what an alarm row compares stands.
_COMPARED: dict[str, Callable[[Points], int | None]] = {
    "cell_max": _point("cell_max_mv"),
    "cell_min": _point("cell_min_mv"),
    "cell_spread": _point("cell_difference_mv"),
    "pack_mv": _point("pack_mv"),
    "charge_ma": _one_way(1),
    "discharge_ma": _one_way(-1),
    "battery_max": warmest,
    "battery_min": coldest,
    "switch_decic": _point("switch_decic"),
    "stack_mismatch": lambda points: None,
    "battery_spread": spread,
}


def why_text(what: str, snapshot: Mapping[str, Any], values: Mapping[str, int]) -> str:
    """Answer in one paragraph. `values` are the parameters in force; empty where they are not known."""
    text: str = why_json(what, snapshot, values)["text"]
    return text


def why_json(what: str, snapshot: Mapping[str, Any], values: Mapping[str, int]) -> dict[str, Any]:
    """Answer for a program: permission, switch, every reason with what releases it, and the paragraph."""
    seen = PackView(snapshot, values)
    reasons = [_explain(what, reason, seen) for reason in _reasons(what, seen)]
    told, follow = _told(reasons)
    many = len(told) > 1
    texts = [lead(what, seen, len(told))]
    texts += [f"({n}) {reason['text']}" if many else reason["text"] for n, reason in enumerate(told, 1)]
    if follow:
        texts.append(f"What follows from it and ends with it: {listed(follow)}.")
    texts += lifted(what, seen) + held_down(what, seen)
    if what == "charge":
        texts += phase(seen)
    switch = {key: seen.points.get(f"{what}_{key}") for key in ("commanded", "actual")}
    allowed = seen.points.get(f"{what}_allowed") if what in {"charge", "discharge"} else None
    return {"what": what, "allowed": allowed, **switch, "reasons": reasons, "text": " ".join(texts)}


def _told(reasons: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Choose what the paragraph tells in full: causes first, their consequences only by name."""
    names = [reason["name"] for reason in reasons if reason["because"] == InhibitCause.ALARM.value]
    lost_chip = any(name in _CHIP_ALARMS for name in names)
    told = [
        r for r in reasons if not (r["because"] == InhibitCause.UNKNOWN.value and _alarmed(r["name"], names))
    ]
    if not lost_chip:
        return told, []
    told = [reason for reason in told if reason["name"] not in _LOST_ALARMS]
    told.sort(key=lambda reason: reason["name"] not in _CHIP_ALARMS)
    return told, [name for name in names if name in _LOST_ALARMS]


def _alarmed(value: str | None, names: list[str]) -> bool:
    """Tell whether one of these alarms already says that a value is unknown."""
    return any(name in _SAID_BY.get(value or "", ()) for name in names)


def _reasons(what: str, seen: PackView) -> list[Mapping[str, Any]]:
    """Take the core's reasons; name the alarms where it only says that there is one."""
    found: list[Mapping[str, Any]] = []
    for reason in seen.snapshot.get("why", {}).get(what, ()):
        if reason["because"] == InhibitCause.ALARM.value and not reason.get("name"):
            found += [{**reason, "name": name} for name in _blocking(what, seen)]
        else:
            found.append(reason)
    return found


def _blocking(what: str, seen: PackView) -> list[str]:
    block = Block[what.upper()]
    names = [entry["name"] for entry in seen.snapshot.get("alarms", ())]
    return [name for name in names if name in alarms.BY_NAME and alarms.BY_NAME[name].blocks & block]


def _explain(what: str, reason: Mapping[str, Any], seen: PackView) -> dict[str, Any]:
    """Write one reason out, for people and for programs."""
    because, name, until_ms = reason["because"], reason.get("name") or "", reason.get("until_ms")
    told: dict[str, Any] = {"because": because, "name": name or None}
    left_ms = None if until_ms is None else max(until_ms - seen.snapshot["at_ms"], 0)
    told["remaining_s"] = None if left_ms is None else round(left_ms / 1000, 3)
    row = alarms.BY_NAME.get(name) if because == InhibitCause.ALARM.value else None
    if row is None:
        text = plain_reason(what, because, name, seen)
        wait = "" if left_ms is None else f" {duration_text(left_ms)} are left."
        return {**told, "text": text + wait}
    entry = _entry(name, seen)
    release = _release(row, seen)
    told |= public_alarm(entry, seen.snapshot["at_ms"])
    told |= {"release": release, "advice": row.advice}
    text = f"{_alarm_sentence(row, entry, seen)} {release['text']} {row.advice}"
    if name.startswith("afe_") and seen.snapshot.get("afe"):
        text += f" The last that was seen of it: {seen.snapshot['afe']}."
    if name == "charge_utp" and what == "charge":
        on = seen.points.get("heater_commanded")
        text += " The heater is on." if on else " The heater is off: 'bmsctl why heater' tells the reason."
    return {**told, "text": text}


def _entry(name: str, seen: PackView) -> Mapping[str, Any]:
    for entry in seen.snapshot.get("alarms", ()):
        if entry["name"] == name:
            found: Mapping[str, Any] = entry
            return found
    return {"name": name, "since_ms": seen.snapshot["at_ms"]}


def _alarm_sentence(row: Alarm, entry: Mapping[str, Any], seen: PackView) -> str:
    """Say which rule, since when, which value against which limit, and where the value stands now."""
    since = since_text(seen.snapshot["at_ms"] - entry["since_ms"])
    found = finding_text(row, entry.get("where"), entry.get("value"))
    text = f"{row.title} ({row.name}), {since}"
    if found:
        text += f": {found}"
    if row.trip and entry.get("limit") is not None:
        name = parameters.BY_NAME[row.trip].public_name
        side = "above" if row.sense is Sense.ABOVE else "below"
        text += f", {side} the limit of {row.unit.text(entry['limit'])} ({name})"
    now = _COMPARED[row.value](seen.points) if row.value in _COMPARED else None
    if now is not None and now != entry.get("value"):
        text += f"; now {CALLED[row.value]} is at {row.unit.text(now)}"
    return text + "."


def _release(row: Alarm, seen: PackView) -> dict[str, Any]:
    """Say what ends an alarm: the value beyond its recovery, how long, and whether an operator must act."""
    told: dict[str, Any] = {"parameter": None, "value": None, "after_s": None}
    hold = f" for {seen.parameter(row.release_delay)}" if row.release_delay else ""
    if row.release_delay and row.release_delay in seen.values:
        told["after_s"] = seen.values[row.release_delay] / 1000
    if row.release:
        recovery = parameters.BY_NAME[row.release]
        told["parameter"] = recovery.public_name
        if row.release in seen.values:
            told["value"] = recovery.unit.to_public(seen.values[row.release])
        side = "below" if row.sense is Sense.ABOVE else "above"
        good = f"{CALLED[row.value]} is {side} {seen.parameter(row.release)}{hold}"
    else:
        good = f"the cause has been gone{hold}" if hold else "the cause is gone"
    told["operator"] = row.ends is Release.OPERATOR
    if told["operator"]:
        text = f"It is latched: once {good}, 'bmsctl reset {row.name}' ends it."
    else:
        text = f"It ends when {good}."
    return {**told, "text": text}
