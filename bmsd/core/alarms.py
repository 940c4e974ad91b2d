"""Run every alarm row through the same timers.

A comparison has three answers: bad, good, or unknown. Unknown never resets a running trip timer and never
releases an active alarm (S2). A pending trip that becomes unknown keeps running and trips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from bmsd.core.plausible import Reading, Values
from bmsd.core.types import Event
from bmsd.tables.alarms import ALARMS, Alarm, Block, Release, Sense, Severity
from bmsd.tables.parameters import Parameters


class Rule(NamedTuple):
    """One alarm row with its parameters filled in, and what every cycle reads of it."""

    alarm: Alarm
    name: str
    value: str
    above: bool
    trip: int
    release: int
    delay_ms: int
    release_ms: int


class Finding(NamedTuple):
    """What a check says about one alarm: bad (or unknown), with value and place where it has them."""

    bad: bool | None
    value: int | None = None
    where: int | None = None
    at_once: bool = False
    """Raise the alarm without its delay: the fault was there before."""


@dataclass(frozen=True, slots=True)
class AlarmState:
    """One alarm between cycles."""

    active: bool = False
    since_ms: int = 0
    """When it was raised."""
    bad_since_ms: int | None = None
    """When the running trip timer began."""
    good_since_ms: int | None = None
    """When an active alarm's cause went away."""
    value: int | None = None
    """The value that tripped it, or the worst since."""
    where: int | None = None


QUIET = AlarmState()
ALL_QUIET = (QUIET,) * len(ALARMS)
"""The one object for nothing active and nothing pending: a good cycle is recognised by its identity."""
_QUIET_LIST = list(ALL_QUIET)
_COMPARED = tuple(dict.fromkeys(alarm.value for alarm in ALARMS if alarm.value))
_compared: Callable[[Values], tuple[Reading, ...]] = attrgetter(*_COMPARED)
"""Give the readings of all values that are compared, in the order of `_COMPARED`."""
_FAR = 1 << 62
"""A bound where no alarm has a limit."""

Bounds = tuple[tuple[int, int], ...]
"""For each value that is compared the lowest and the highest that is bad for no alarm."""


AS_IN_THE_ROW: Mapping[str, int] = {}
"""Every release time is that of its row."""


def rules(parameters: Parameters) -> tuple[Rule, ...]:
    """Fill the alarm rows with a set of parameters."""
    return tuple(
        Rule(
            alarm=alarm,
            name=alarm.name,
            value=alarm.value,
            above=alarm.sense is Sense.ABOVE,
            trip=parameters.get(alarm.trip) if alarm.trip else 0,
            release=parameters.get(alarm.release) if alarm.release else 0,
            delay_ms=parameters.get(alarm.delay) if alarm.delay else 0,
            release_ms=parameters.get(alarm.release_delay) if alarm.release_delay else 0,
        )
        for alarm in ALARMS
    )


def bounds(table: tuple[Rule, ...]) -> Bounds:
    """Find between which values no row trips."""
    return tuple(
        (
            max((rule.trip for rule in table if rule.value == value and not rule.above), default=-_FAR),
            min((rule.trip for rule in table if rule.value == value and rule.above), default=_FAR),
        )
        for value in _COMPARED
    )


def start(latched: Mapping[str, tuple[int | None, int | None]], now_ms: int) -> tuple[AlarmState, ...]:
    """Begin with the alarms (name: value, where) that survived a restart (S13)."""
    return tuple(
        AlarmState(True, now_ms, value=latched[alarm.name][0], where=latched[alarm.name][1])
        if alarm.name in latched and alarm.survives
        else QUIET
        for alarm in ALARMS
    )


def advance(
    table: tuple[Rule, ...],
    states: tuple[AlarmState, ...],
    values: Values,
    findings: Mapping[str, Finding],
    resets: frozenset[str],
    now_ms: int,
    confirmed: frozenset[str] = frozenset(),
    pauses: Mapping[str, int] = AS_IN_THE_ROW,
    within: Bounds | None = None,
) -> tuple[tuple[AlarmState, ...], tuple[Event, ...]]:
    """Evaluate all rows once; report each raise and each clear as an event.

    An alarm in `confirmed` does not end while the chip still holds a trip of the same cause. `pauses` are release
    times by alarm name, where they differ from the row's. `within`, the bounds of the table, lets a good cycle skip
    the rows.
    """
    if states is ALL_QUIET and not findings and within is not None and _nothing_is_bad(within, values):
        return ALL_QUIET, ()
    events: list[Event] = []
    after: list[AlarmState] = []
    for rule, state in zip(table, states, strict=True):
        at_once = False
        if rule.value:
            reading: Reading = getattr(values, rule.value)
            bad, clear = compare(rule, reading)
            value, where = reading.value, reading.where
        elif rule.name in findings:
            bad, value, where, at_once = findings[rule.name]
            clear = None if bad is None else not bad
        else:
            bad, clear, value, where = False, True, None, None
        if bad is False and not state.active:
            after.append(QUIET)
            continue
        if rule.name in confirmed:
            clear = False
        new = _next(
            _timed(rule, at_once, pauses),
            state,
            bad,
            clear,
            value,
            where,
            rule.name in resets,
            now_ms,
        )
        if new.active != state.active:
            events.append(_event(rule, new, value, where, now_ms))
        after.append(new)
    return ALL_QUIET if after == _QUIET_LIST else tuple(after), tuple(events)


def _timed(rule: Rule, at_once: bool, pauses: Mapping[str, int]) -> Rule:
    """Give a row the delay and the release time that hold in this cycle."""
    if at_once:
        rule = rule._replace(delay_ms=0)
    if rule.name in pauses:
        rule = rule._replace(release_ms=pauses[rule.name])
    return rule


def release_ms(table: tuple[Rule, ...], name: str) -> int:
    """Give the release time of a row."""
    return table[_INDEX[name]].release_ms


def _nothing_is_bad(within: Bounds, values: Values) -> bool:
    """Tell whether every compared value is completely known and within its bounds."""
    for (value, complete, _), (lowest, highest) in zip(_compared(values), within, strict=True):
        if value is None or not complete or not lowest <= value <= highest:
            return False
    return True


def _event(rule: Rule, state: AlarmState, value: int | None, where: int | None, now_ms: int) -> Event:
    """Make the event: of a raise with the value that tripped it, of a clear with the present one."""
    name, compared = rule.alarm.name, bool(rule.alarm.trip)
    if state.active:
        limit = rule.trip if compared else None
        return Event(
            at_ms=now_ms,
            kind="alarm",
            name=name,
            state="raised",
            where=state.where,
            value=state.value,
            limit=limit,
        )
    limit = rule.release if compared else None
    return Event(
        at_ms=now_ms, kind="alarm", name=name, state="cleared", where=where, value=value, limit=limit
    )


def compare(rule: Rule, reading: Reading) -> tuple[bool | None, bool | None]:
    """Answer two questions about one reading: is it beyond the trip limit, is it safely back."""
    value, complete, _ = reading
    if value is None:
        return None, None
    if rule.above:
        beyond, back = value > rule.trip, value < rule.release
    else:
        beyond, back = value < rule.trip, value > rule.release
    back = back or (value == rule.release and rule.alarm.inclusive)
    bad = True if beyond else (False if complete else None)
    clear = False if not back else (True if complete else None)
    return bad, clear


def _next(
    rule: Rule,
    state: AlarmState,
    bad: bool | None,
    clear: bool | None,
    value: int | None,
    where: int | None,
    reset: bool,
    now_ms: int,
) -> AlarmState:
    if not state.active:
        return _pending(rule, state, bad, value, where, now_ms)
    if clear is not True:
        value, where = _worst(rule, state, bad, value, where)
        return AlarmState(active=True, since_ms=state.since_ms, value=value, where=where)
    since = now_ms if state.good_since_ms is None else state.good_since_ms
    waited = now_ms - since >= rule.release_ms
    if waited and (reset or rule.alarm.ends is Release.ITSELF):
        return QUIET
    return AlarmState(
        active=True,
        since_ms=state.since_ms,
        bad_since_ms=None,
        good_since_ms=since,
        value=state.value,
        where=state.where,
    )


def _pending(
    rule: Rule,
    state: AlarmState,
    bad: bool | None,
    value: int | None,
    where: int | None,
    now_ms: int,
) -> AlarmState:
    """Run the trip timer; an unknown value keeps it running but does not start it (S2)."""
    if bad is None and state.bad_since_ms is None:
        return QUIET
    since = now_ms if state.bad_since_ms is None else state.bad_since_ms
    if bad is None:
        value, where = state.value, state.where
    if now_ms - since >= rule.delay_ms:
        return AlarmState(True, now_ms, value=value, where=where)
    return AlarmState(
        active=False, since_ms=0, bad_since_ms=since, good_since_ms=None, value=value, where=where
    )


def _worst(
    rule: Rule, state: AlarmState, bad: bool | None, value: int | None, where: int | None
) -> tuple[int | None, int | None]:
    """Keep the worst value seen while the alarm is active, with its place."""
    if bad is not True or value is None or not rule.alarm.value:
        return state.value, state.where
    if state.value is None:
        return value, where
    worse = value > state.value if rule.above else value < state.value
    return (value, where) if worse else (state.value, state.where)


Active = tuple[tuple[Alarm, AlarmState], ...]
"""The alarms that are active, in table order."""


def active(states: tuple[AlarmState, ...]) -> Active:
    """Pick the active alarms."""
    if states is ALL_QUIET:
        return ()
    return tuple([(ALARMS[n], state) for n, state in enumerate(states) if state.active])


def is_fault(alarms: Active) -> bool:
    """Tell whether a fault is active, and not only a warning or a protection."""
    return bool(alarms) and any(alarm.severity is Severity.FAULT for alarm, _ in alarms)


def is_any_active(states: tuple[AlarmState, ...], names: Iterable[str]) -> bool:
    """Tell whether one of these alarms is active."""
    return states is not ALL_QUIET and any(states[_INDEX[name]].active for name in names)


def blocked(alarms: Active) -> Block:
    """Combine what all active alarms block."""
    block = Block.NONE
    for alarm, _ in alarms:
        block |= alarm.blocks
    return block


def pending(states: tuple[AlarmState, ...]) -> Block:
    """Combine what the alarms with a running trip timer would block."""
    block = Block.NONE
    if states is ALL_QUIET:
        return block
    for alarm, state in zip(ALARMS, states, strict=True):
        if state.bad_since_ms is not None and not state.active:
            block |= alarm.blocks
    return block


def is_beyond(table: tuple[Rule, ...], values: Values, name: str) -> bool:
    """Tell whether the value that an alarm compares is known and beyond its trip limit now."""
    rule = table[_INDEX[name]]
    return bool(rule.value) and compare(rule, getattr(values, rule.value))[0] is True


def is_active(states: tuple[AlarmState, ...], name: str) -> bool:
    """Tell whether the alarm of this name is active."""
    return states[_INDEX[name]].active


_INDEX = {alarm.name: index for index, alarm in enumerate(ALARMS)}
