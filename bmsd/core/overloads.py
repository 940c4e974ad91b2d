"""How often fast over-current and trips of the chip ended by themselves within the last hour, by direction.

Each one opens a contactor under load. So the pause before the next try doubles with each, and the one too many waits
for an operator, as with short circuits. Several alarms from one event count once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bmsd.core import alarms
from bmsd.core.alarms import AlarmState, Finding, Rule
from bmsd.core.short_circuits import recent
from bmsd.core.switching import HOUR_MS
from bmsd.core.types import Event


class Kind(NamedTuple):
    """Alarms that are counted together, and the one that waits for an operator."""

    alarms: tuple[str, ...]
    latch: str


CHARGE = Kind(("charge_ocp2", "chip_charge_trip"), "charge_trip_repeated")
DISCHARGE = Kind(("discharge_ocp2", "chip_discharge_trip"), "discharge_trip_repeated")


@dataclass(frozen=True, slots=True)
class Overloads:
    """When something of each direction tripped within the last hour."""

    charge: tuple[int, ...] = ()
    discharge: tuple[int, ...] = ()


NONE = Overloads()
"""The one object for nothing counted, so that a good cycle is known by it."""


def reset(overloads: Overloads, resets: frozenset[str]) -> Overloads:
    """Forget what an operator has looked at."""
    if overloads is NONE or not resets:
        return overloads
    return _made(
        () if CHARGE.latch in resets else overloads.charge,
        () if DISCHARGE.latch in resets else overloads.discharge,
    )


def count(
    overloads: Overloads,
    before: tuple[AlarmState, ...],
    events: tuple[Event, ...],
    releases_per_hour: int,
    now_ms: int,
) -> Overloads:
    """Take this cycle's events; forget what is an hour old, and more than the one too many."""
    if overloads is NONE and not events:
        return overloads
    raised = {event.name for event in events if event.kind == "alarm" and event.state == "raised"}
    most = releases_per_hour + 1
    return _made(
        _count(overloads.charge, CHARGE, before, raised, now_ms)[-most:],
        _count(overloads.discharge, DISCHARGE, before, raised, now_ms)[-most:],
    )


def _made(charge: tuple[int, ...], discharge: tuple[int, ...]) -> Overloads:
    return Overloads(charge, discharge) if charge or discharge else NONE


def _count(
    times_ms: tuple[int, ...], kind: Kind, before: tuple[AlarmState, ...], raised: set[str], now_ms: int
) -> tuple[int, ...]:
    is_new = not raised.isdisjoint(kind.alarms) and not any(
        alarms.is_active(before, name) for name in kind.alarms
    )
    kept = recent(times_ms, now_ms)
    return (*kept, now_ms) if is_new else kept


def findings(overloads: Overloads, releases_per_hour: int) -> dict[str, Finding]:
    """Report when there were more than may end by themselves."""
    if overloads is NONE:
        return {}
    return {
        kind.latch: Finding(True, len(times_ms))
        for kind, times_ms in ((CHARGE, overloads.charge), (DISCHARGE, overloads.discharge))
        if len(times_ms) > releases_per_hour
    }


def pauses(table: tuple[Rule, ...], overloads: Overloads) -> Mapping[str, int]:
    """Give the release times that have grown: each is twice the one before."""
    if overloads is NONE:
        return alarms.AS_IN_THE_ROW
    return {
        name: min(alarms.release_ms(table, name) << len(times_ms) - 1, HOUR_MS)
        for kind, times_ms in ((CHARGE, overloads.charge), (DISCHARGE, overloads.discharge))
        if times_ms
        for name in kind.alarms
    }
