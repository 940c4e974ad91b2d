"""How frames of the inverter's bus look: for people in lines, for programs as a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bmsd.cli.can_words import LinkView
from bmsd.cli.console import Console, wrapped
from bmsd.errors import PeerError
from bmsd.inverters import heard
from bmsd.inverters.frames import Frame, Value, beyond, decode

SCHEMA = 1
_UNITS = {
    "_mv": ("_v", 1000, "V"), "_ma": ("_a", 1000, "A"), "_decic": ("_c", 10, "°C"), "_permille": ("_percent", 10, "%"),
    "_mah": ("_ah", 1000, "Ah"), "_ms": ("_s", 1000, "s"), "_wh": ("_kwh", 1000, "kWh"), "_milli": ("", 1000, ""),
}  # fmt: skip
"""Ending of an inside name: that of people's units, the factor, and the sign."""
_LIMITS = {
    "charge_limit_mv": "CVL", "charge_limit_ma": "CCL", "discharge_limit_ma": "DCL", "discharge_limit_mv": "DVL",
}  # fmt: skip
"""The field's names of what would else be told twice by one word."""
_POSSIBLE_DECIC = (-600, 1500)
_INDENT = " " * 8
_LATE = 3
"""Periods without a frame after which it is called late."""
_LEAST_LATE_MS = 2500


def document(seen: LinkView, sentence: str) -> dict[str, Any]:
    """Make the document of `--json`."""
    figures = {k: v for k, v in seen.link.items() if k not in {"schema", "boot", "at_ms", "time", "buses"}}
    return {
        "schema": SCHEMA,
        "link": seen.name,
        "channel": seen.frames.get("channel"),
        "sentence": sentence,
        **figures,
        "frames": [_public(row, seen) for row in _rows(seen)],
        "not_heard": [f"0x{number:03X}" for number in _not_heard(seen)],
        "others": seen.frames.get("others", 0),
    }


def head(seen: LinkView, sentence: str, console: Console) -> list[str]:
    """Give the first lines: which bus, and the sentence."""
    title = f"{seen.name} on {seen.frames.get('channel', '?')}, {seen.protocol.title}"
    counted = ("frames_sent", "frames_dropped", "frames_received", "nonsense_received", "error_frames")
    counts = ", ".join(f"{seen.link.get(name, 0)} {name.replace('_', ' ')}" for name in counted)
    return [
        console.paint(title, "bold"),
        *wrapped(console.encodable(sentence), console.width),
        console.paint(counts, "dim"),
        *_further(seen),
        "",
    ]


def _further(seen: LinkView) -> list[str]:
    """Name the buses that are not shown here."""
    names = [str(name) for name in seen.link.get("buses") or () if name != seen.name]
    return [f"Other buses: {', '.join(_command(name) for name in names)}"] if names else []


def _command(name: str) -> str:
    further = name.partition("@")[2]
    return f"bmsctl can --bus {further}" if further else "bmsctl can"


def lines(seen: LinkView, console: Console) -> list[str]:
    """Give every frame: how it goes, its bytes, and what they say."""
    found = [console.paint(f"heard  0x{number:03X}  never", "yellow") for number in _not_heard(seen)]
    for row in _rows(seen):
        public = _public(row, seen)
        look = "yellow" if public["late"] or public["problem"] else ""
        way, kind = ("sent" if row["sent"] else "heard"), (" remote" if row["remote"] else "")
        found.append(
            console.paint(f"{way:<6} {public['id']}{kind}  {public['bytes']:<24} {_times(public)}", look)
        )
        if text := _said(public, row, seen):
            found += wrapped(console.encodable(text), console.width, _INDENT, _INDENT)
    if others := seen.frames.get("others"):
        found.append(f"and {others} frames of further identifiers")
    return found


def _rows(seen: LinkView) -> list[Mapping[str, Any]]:
    """Give the frames by identifier, those heard first: they are few, and a small screen ends early."""
    return sorted(seen.frames.get("frames") or (), key=lambda row: (row["sent"], row["extended"], row["id"]))


def _not_heard(seen: LinkView) -> list[int]:
    """List the life signs that never came, where not one of them did."""
    there = {row["id"] for row in seen.frames.get("frames") or () if not row["sent"]}
    return [] if there & set(seen.protocol.alive_ids) else list(seen.protocol.alive_ids)


def _public(row: Mapping[str, Any], seen: LinkView) -> dict[str, Any]:
    values, problem = _decoded(row, seen)
    age_ms, period_ms = seen.now_ms - row["at_ms"], row["period_ms"]
    return {
        "sent": row["sent"],
        "id": f"0x{row['id']:08X}" if row["extended"] else f"0x{row['id']:03X}",
        "extended": row["extended"],
        "remote": row["remote"],
        "title": _title(row, seen),
        "bytes": bytes.fromhex(row["data"]).hex(" ").upper(),
        "values": dict(_in_units(name, value) for name, value in values.items()),
        "problem": problem,
        "age_s": round(age_ms / 1000, 3),
        "period_s": None if period_ms is None else period_ms / 1000,
        "count": row["count"],
        "late": age_ms > max(_LEAST_LATE_MS, _LATE * (period_ms or 0)),
    }


def _frame(row: Mapping[str, Any], seen: LinkView) -> Frame | None:
    """Find the layout of one of our frames; another battery's are read in the same way."""
    key = (row["id"], row["extended"])
    return next((frame for frame in seen.protocol.frames if (frame.id, frame.extended) == key), None)


def _heard(row: Mapping[str, Any], seen: LinkView) -> heard.Received | None:
    return None if row["sent"] else heard.find(seen.protocol.heard, row["id"], row["extended"])


def _title(row: Mapping[str, Any], seen: LinkView) -> str:
    if known := _heard(row, seen):
        return known.title
    if _frame(row, seen):
        return "" if row["sent"] else "another sender, as if it were ours"
    return "unknown"


def _decoded(row: Mapping[str, Any], seen: LinkView) -> tuple[dict[str, Value], str]:
    """Read a frame by its row; what cannot be read says why."""
    data, known, frame = bytes.fromhex(row["data"]), _heard(row, seen), _frame(row, seen)
    try:
        if row["remote"]:
            return {}, ""
        if known:
            return heard.read(known, data), ""
        if not frame:
            return {}, ""
        values = decode(frame, data)
        return values, "" if row["sent"] else _impossible(frame, data, values)
    except PeerError as error:
        return {}, str(error)


def _impossible(frame: Frame, data: bytes, values: Mapping[str, Value]) -> str:
    """Say what no battery can mean: another sender's bytes may be laid out otherwise."""
    cold, hot = _POSSIBLE_DECIC
    names = [name for name in values if name.endswith("_decic") and not cold <= int(values[name] or 0) <= hot]
    told = [_worded(name, values[name]) for name in (*beyond(frame, data), *names)]
    return f"impossible: {', '.join(told)}" if told else ""


def _in_units(name: str, value: Value) -> tuple[str, Value | float]:
    for ending, (public, factor, _) in _UNITS.items():
        if name.endswith(ending):
            number = None if value is None else int(value) / factor
            return name.removesuffix(ending) + public, number
    return name, value


def _times(public: Mapping[str, Any]) -> str:
    every = "" if public["period_s"] is None else f"every {public['period_s']:.1f} s, "
    late = "LATE, " if public["late"] else ""
    times = "once" if public["count"] == 1 else f"{public['count']} times"
    return f"{late}{every}{public['age_s']:.1f} s ago, {times}"


def _said(public: Mapping[str, Any], row: Mapping[str, Any], seen: LinkView) -> str:
    """Say what a frame says: numbers with units, and the flags that are set."""
    if public["problem"]:
        return "; ".join(filter(None, [public["title"], f"nonsense: {public['problem']}"]))
    values, _ = _decoded(row, seen)
    frame, known = _frame(row, seen), _heard(row, seen)
    flags = {bit.name for bit in (known.frame if known else frame).bits} if known or frame else set()  # type: ignore[union-attr]
    numbers = [_worded(name, value) for name, value in values.items() if name not in flags]
    raised = [name for name in values if name in flags and values[name]]
    parts = [public["title"], ", ".join(numbers), ", ".join(raised) or ("no flag set" if flags else "")]
    return "; ".join(part for part in parts if part)


def _worded(name: str, value: Value) -> str:
    for ending, (_, factor, unit) in _UNITS.items():
        if name.endswith(ending):
            number = "unknown" if value is None else f"{int(value) / factor:g} {unit}".rstrip()
            return f"{_LIMITS.get(name) or name.removesuffix(ending)} {number}"
    return f"{name} {'unknown' if value is None else value}"
