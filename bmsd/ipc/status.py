"""The status document and the bench's CSV columns, both generated from the points table.

`public` turns a snapshot in inside units into what `bmsctl status --json` promises, in people's units. Unknown
stays null. `columns` and `row` give the same values flat, for recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bmsd.tables import alarms
from bmsd.tables.alarms import Alarm
from bmsd.tables.points import POINTS, Count, Point, PointKind

SCHEMA = 1
LINKS = ("can", "modbus", "journal")
FINAL_STATES = ("off", "stopped")
"""A link that said one of these has ended as it should, and says nothing more."""
LINK_FRESH_MS = 5000
"""A link that has not written its file for this long is not there to be believed."""
_SWITCH, _COMMANDED, _ACTUAL = "switches.", ".commanded", ".actual"


def public(
    snapshot: Mapping[str, Any], links: Mapping[str, Mapping[str, Any] | None], now_ms: int
) -> dict[str, Any]:
    """Make the status document of one snapshot and the link files (None where there is none)."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "time": iso_time(snapshot.get("time")),
        "age_s": _seconds(now_ms - snapshot["at_ms"]),
        "simulated": bool(snapshot.get("simulated")),
    }
    points, cells = snapshot["points"], snapshot.get("cells", 0)
    for point in POINTS:
        _place(document, point.path, _public_value(point, points.get(point.name), cells))
    active = [public_alarm(entry, now_ms) for entry in snapshot.get("alarms", ())]
    # The order is DESIGN's: what is wrong stands between what the pack does and how bmsd itself is doing.
    emergency, cycle = document.pop("emergency"), document.pop("cycle")
    boot = snapshot.get("boot")
    names = (*LINKS, *sorted(links.keys() - set(LINKS)))
    told = {name: _public_link(links.get(name), boot, now_ms) for name in names}
    return {**document, "alarms": active, "emergency": emergency, "cycle": cycle, "links": told}


def iso_time(wall_s: float | None) -> str | None:
    """Write a wall-clock time as ISO 8601 in UTC."""
    if wall_s is None:
        return None
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def place_kind(name: str) -> str:
    """Tell whether an alarm's place counts cells or battery sensors: all cell alarms are named so."""
    return "cell" if name.startswith("cell_") else "sensor"


def public_alarm(entry: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Turn one active alarm of a snapshot into people's units, with what its row says about it."""
    row = alarms.BY_NAME.get(entry["name"])
    return {
        "name": entry["name"],
        "title": row.title if row else entry["name"],
        "severity": row.severity.value if row else None,
        "since_s": _seconds(now_ms - entry["since_ms"]),
        **public_finding(row, entry),
        "blocks": row.blocks.names if row else [],
        "lifted": list(entry.get("lifted") or ()),
        "latched": bool(entry.get("latched")),
    }


def public_finding(row: Alarm | None, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Give place, value and limit of an alarm in people's units; nothing is scaled without its row."""
    kind = place_kind(entry["name"])
    found: dict[str, Any] = {
        name: entry.get("where") if name == kind else None for name in ("cell", "sensor")
    }
    for name in ("value", "limit"):
        value = entry.get(name)
        found[name] = None if value is None or row is None else row.unit.to_public(value)
    return {**found, "unit": row.unit.symbol if row else ""}


def _seconds(ms: int) -> float:
    return round(ms / 1000, 3)


def _place(document: dict[str, Any], path: str, value: Any) -> None:
    *folders, last = path.split(".")
    for folder in folders:
        document = document.setdefault(folder, {})
    document[last] = value


def _public_value(point: Point, value: Any, cells: int) -> Any:
    if point.count is Count.ONE:
        return _scaled(point, value)
    if not value:
        return [None] * cells if point.count is Count.PER_CELL else []
    return [_scaled(point, one) for one in value]


def _scaled(point: Point, value: Any) -> Any:
    return value if value is None or point.kind is not PointKind.NUMBER else point.unit.to_public(value)


def _public_link(link: Mapping[str, Any] | None, boot: str | None, now_ms: int) -> dict[str, Any]:
    if link is None or link.get("boot") != boot:
        return {
            "state": "absent",
            "age_s": None,
            "detail": "it has written nothing: not configured or not running",
        }
    age_ms = now_ms - link["at_ms"]
    state, detail = str(link.get("state", "unknown")), str(link.get("detail") or "")
    if state not in FINAL_STATES and not 0 <= age_ms <= LINK_FRESH_MS:
        told = f"silent for {age_ms / 1000:.0f} s, was {state}" + (f": {detail}" if detail else "")
        state, detail = "stale", told
    return {"state": state, "age_s": _seconds(age_ms), "detail": detail}


def _recorded() -> tuple[tuple[str, Point], ...]:
    """List the CSV columns before cells and sensors are counted; a switch is one column, as read back."""
    found = []
    for point in POINTS:
        if point.path.startswith(_SWITCH):
            if point.path.endswith(_COMMANDED):
                continue
            found.append((point.path.removesuffix(_ACTUAL), point))
        else:
            found.append((point.path, point))
    return tuple(found)


_RECORDED = _recorded()


def _width(point: Point, cells: int, sensors: int) -> int:
    return cells if point.count is Count.PER_CELL else sensors


def columns(cells: int, sensors: int) -> list[str]:
    """Name the CSV columns of a pack: keys joined with dots, lists counted from 1."""
    names: list[str] = []
    for path, point in _RECORDED:
        if point.count is Count.ONE:
            names.append(path)
        else:
            names += [f"{path}.{n}" for n in range(1, _width(point, cells, sensors) + 1)]
    return names


def row(points: Mapping[str, Any], cells: int, sensors: int) -> list[str | int | float]:
    """Give one CSV line in the order of `columns`: people's units, flags 0 or 1, unknown empty."""
    out: list[str | int | float] = []
    for _, point in _RECORDED:
        value = points.get(point.name)
        if point.count is Count.ONE:
            out.append(_recorded_value(point, value))
            continue
        width = _width(point, cells, sensors)
        listed = [*(value or ()), *[None] * width][:width]
        out += [_recorded_value(point, one) for one in listed]
    return out


def _recorded_value(point: Point, value: Any) -> str | int | float:
    if value is None:
        return ""
    if point.kind is PointKind.FLAG:
        return int(value)
    if point.kind is PointKind.TEXT:
        return str(value)
    return point.unit.to_public(value)
