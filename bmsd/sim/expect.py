"""Expectations: what makes a scenario a test. Each is one [[expect]] of the file.

A bound (`is`, `min`, `max`) looks at one key of the status document: at a moment (`at_s`), or in every cycle
of a span (`from_s`, `to_s`; without them of the whole run). At a moment an unknown value fails (S2); in a span
it is passed over, but a value that was never known fails.
An `order` looks for events one after the other, `never` for events that must not come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bmsd.config.files import nearest
from bmsd.config.load import Config
from bmsd.config.tables import Problems, Table
from bmsd.core.types import Event
from bmsd.ipc import status
from bmsd.tables import alarms
from bmsd.tables.points import BY_PATH, SWITCHES, Point, PointKind

EVENT_STATES = {
    **dict.fromkeys(SWITCHES, ("on", "off")),
    **dict.fromkeys(alarms.BY_NAME, ("raised", "cleared")),
    "pack": ("started",),
    "full": ("anchored",),
    "empty": ("anchored", "asleep"),
    "idle": ("asleep",),
    **dict.fromkeys(("request", "button", "fault", "charger", "current", "work", "alarm"), ("awake",)),
}
"""What can be named in `order` and `never`: the thing and what may happen to it."""
UNKNOWN = "unknown"
BOUNDS = ("is", "min", "max")
TIMES = ("at_s", "from_s", "to_s")
Value = float | int | str | None


@dataclass(frozen=True, slots=True)
class StatusKey:
    """One key of the status document, as the CSV names it."""

    name: str
    point: Point
    index: int | None

    def value(self, points: Mapping[str, Any]) -> Value:
        """Read it out of the points, in people's units."""
        value = points.get(self.point.name)
        if self.index is not None:
            value = value[self.index] if value and len(value) > self.index else None
        if value is None:
            return None
        if self.point.kind is PointKind.TEXT:
            return str(value)
        return int(value) if self.point.kind is PointKind.FLAG else self.point.unit.to_public(value)


@dataclass(frozen=True, slots=True)
class Expected:
    """One expectation as written; `key` None is about events."""

    place: str
    text: str
    key: StatusKey | None
    bounds: Mapping[str, Any] = field(default_factory=dict)
    from_ms: int = 0
    to_ms: int = 0
    moment: bool = False
    order: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


def key_of(name: str, config: Config) -> StatusKey:
    """Find a key by its CSV name; raise KeyError when the pack has none such."""
    if name not in status.columns(config.cells, config.battery_sensors):
        raise KeyError(name)
    path, _, last = name.rpartition(".")
    index = int(last) - 1 if last.isdigit() else None
    path = name if index is None else path
    return StatusKey(name, BY_PATH.get(path) or BY_PATH[f"{path}.actual"], index)


def expected(
    table: Table, number: int, config: Config, duration_s: float, problems: Problems
) -> Expected | None:
    """Check one [[expect]]; a wrong one is reported and left out."""
    name = table.values.get("key")
    if name == "events":
        return _of_events(table, number, problems)
    problems.unknown_keys(table, ("key", *TIMES, *BOUNDS))
    bounds = {bound: table.values[bound] for bound in BOUNDS if bound in table.values}
    times = {
        time: problems.number(table, time, 0, duration_s, None) for time in TIMES if time in table.values
    }
    for bound in ("min", "max"):
        if bound in bounds:
            problems.number(table, bound, -1e12, 1e12, None)
    if not bounds:
        problems.add(table, "", f"needs one of {', '.join(BOUNDS)}")
    elif "is" in bounds and not times:
        problems.add(table, "is", "needs at_s, or from_s and to_s: when shall it be so?")
    try:
        key = key_of(str(name), config)
    except KeyError:
        known = status.columns(config.cells, config.battery_sensors)
        near = nearest(str(name), known) if len(nearest(str(name), known)) < 80 else ""
        problems.add(table, "key", f'{name!r} is no key of the status document{near}; or write "events"')
        return None
    start = times.get("at_s", times.get("from_s", 0.0))
    end = times.get("at_s", times.get("to_s", duration_s))
    text = f"expect {number}: {name} {' and '.join(_bound_text(*bound) for bound in bounds.items())}"
    return Expected(
        table.place("key"), text, key, bounds, round(start * 1000), round(end * 1000), "at_s" in times
    )


def _bound_text(bound: str, value: Any) -> str:
    return {"is": f"is {value}", "min": f"at least {value}", "max": f"at most {value}"}[bound]


def _of_events(table: Table, number: int, problems: Problems) -> Expected:
    """Check an expectation about events."""
    problems.unknown_keys(table, ("key", "order", "never"))
    order, never = _events(table, "order", problems), _events(table, "never", problems)
    if not order and not never:
        problems.add(table, "", 'about events needs order = ["heater on", ...] or never = [...]')
    told = [" -> ".join(order)] if order else []
    told += [f"never {', '.join(never)}"] if never else []
    return Expected(
        table.place("key"), f"expect {number}: events {'; '.join(told)}", None, order=order, never=never
    )


def _events(table: Table, name: str, problems: Problems) -> tuple[str, ...]:
    listed = table.values.get(name, [])
    events = tuple(str(one) for one in listed) if isinstance(listed, list) else (str(listed),)
    for one in events:
        thing, _, state = one.rpartition(" ")
        if state not in EVENT_STATES.get(thing, ()):
            problems.add(table, name, f"there is no event {one!r}{_event_hint(thing)}")
    return events


def _event_hint(thing: str) -> str:
    if thing in EVENT_STATES:
        return f"; {thing} can be {' or '.join(EVENT_STATES[thing])}"
    return "; write the name of a switch or an alarm and what happens: 'heater on', 'cell_ovp raised'"


class Checker:
    """Runs the expectations of a scenario along with it; `failures` says what was seen instead."""

    def __init__(self, expectations: tuple[Expected, ...]) -> None:
        self._all = expectations
        self._bounds = [one for one in expectations if one.key is not None]
        """Those on values that may still change their mind."""
        self._failed: dict[int, str] = {}
        self._seen: set[int] = set()
        self._next: dict[int, int] = {}

    def needs_points(self, now_ms: int) -> bool:
        """Tell whether a value is looked at in this cycle."""
        return any(self._wants(one, now_ms) for one in self._bounds)

    def _wants(self, one: Expected, now_ms: int) -> bool:
        if id(one) in self._failed or now_ms < one.from_ms:
            return False
        return id(one) not in self._seen if one.moment else now_ms <= one.to_ms

    def look(self, now_ms: int, points: Mapping[str, Any]) -> None:
        """Check the values of one cycle."""
        for one in self._bounds:
            if one.key is None or not self._wants(one, now_ms):
                continue
            value = one.key.value(points)
            if value is None and not one.moment and one.bounds.get("is") != UNKNOWN:
                continue
            self._seen.add(id(one))
            if not all(_holds(bound, limit, value) for bound, limit in one.bounds.items()):
                self._fail(one, f"seen {_shown(value)} at {now_ms / 1000:g} s")

    def take(self, event: Event) -> None:
        """Check one event."""
        name = f"{event.name} {event.state}"
        for one in self._all:
            if one.key is not None or event.kind == "request":
                continue
            reached = self._next.get(id(one), 0)
            if reached < len(one.order) and one.order[reached] == name:
                self._next[id(one)] = reached + 1
            if name in one.never:
                self._fail(one, f"seen {name} at {event.at_ms / 1000:g} s")

    def failures(self) -> list[str]:
        """Say what was not as expected; call it when the run is over."""
        for one in self._all:
            reached = self._next.get(id(one), 0)
            if reached < len(one.order):
                before = f" after {one.order[reached - 1]}" if reached else ""
                self._fail(one, f"never seen {one.order[reached]}{before}")
            elif one.key is not None and id(one) not in self._seen:
                self._fail(one, "the value was never known")
        return [self._failed[id(one)] for one in self._all if id(one) in self._failed]

    def _fail(self, one: Expected, seen: str) -> None:
        self._failed.setdefault(id(one), f"{one.text}: {seen} ({one.place})")


def _shown(value: Value) -> str:
    return UNKNOWN if value is None else str(value)


def _holds(bound: str, limit: Any, value: Value) -> bool:
    """Compare one value with one bound; unknown is never good (S2)."""
    if bound == "is":
        return value == limit or (value is None and limit == UNKNOWN)
    if not isinstance(value, int | float):
        return False
    return bool(value >= limit if bound == "min" else value <= limit)
