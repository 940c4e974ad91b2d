"""The emergency override: for half an hour some alarms no longer block, because a person asked for it (S10).

The column `overridable` of the alarm table says which. Only alarms are lifted, never unknown values, the start or
the operator's own switches. Four last limits have no delay here; passing one ends the override for its directions, so
that no contactor opens and closes in turn. The override is never stored, so every restart ends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from bmsd.core.alarms import Active
from bmsd.core.derating import OVERRIDE
from bmsd.core.limits import Limits
from bmsd.core.plausible import Reading, Values
from bmsd.core.settings import Settings
from bmsd.core.switching import SwitchState
from bmsd.core.types import Event, Request
from bmsd.tables.alarms import BOTH, BY_NAME, Block
from bmsd.tables.parameters import Parameters

DURATION_MS = 30 * 60_000
DISCHARGE_PERMILLE = 200
"""Share of the largest discharge current that an inverter may take from a pack that otherwise counts as empty."""
KIND = "emergency"
"""The kind of its requests."""


@dataclass(frozen=True, slots=True)
class Override:
    """An override in force."""

    began_ms: int
    spent: Block = Block.NONE
    """Directions in which a last limit was passed: nothing more is lifted there."""
    lifts: Block = Block.NONE
    """Directions in which alarms are lifted in this cycle."""
    passed: Block = Block.NONE
    """Directions in which a last limit is passed in this cycle."""

    def left_ms(self, now_ms: int) -> int:
        """Give the time it has left."""
        return self.began_ms + DURATION_MS - now_ms


class _Last(NamedTuple):
    """One last limit: the value, on which side of it, and what it ends."""

    reading: Reading
    limit: int
    above: bool
    ends: Block


def asked(
    override: Override | None, requests: Iterable[Request], now_ms: int
) -> tuple[Override | None, tuple[Event, ...]]:
    """End an override whose time is up, then take requests; another request does not prolong one in force."""
    events: list[Event] = []
    if override is not None and override.left_ms(now_ms) <= 0:
        override = None
        events.append(Event(at_ms=now_ms, kind="emergency", name="override", state="ended"))
    for request in requests:
        if request.kind != KIND:
            continue
        word = "on" if request.on else "off"
        if bool(request.on) is (override is not None):
            if override is not None:
                # Asked again after a last limit: one that is still passed ends it again in this cycle.
                override = replace(override, spent=Block.NONE)
            events.append(Event(at_ms=now_ms, kind="request", name=request.name, state=word, who=request.who))
            continue
        override = Override(now_ms) if request.on else None
        events.append(Event(at_ms=now_ms, kind="emergency", name=request.name, state=word, who=request.who))
    return override, tuple(events)


def reach(settings: Settings, override: Override | None, values: Values) -> Override | None:
    """Decide which directions are lifted in this cycle: none beyond a last limit, none while one is unknown."""
    if override is None:
        return None
    passed, unknown = Block.NONE, Block.NONE
    for last in _last_limits(settings, values):
        value, complete, _ = last.reading
        if value is not None and (value > last.limit if last.above else value < last.limit):
            passed |= last.ends
        if not complete:
            unknown |= last.ends
    spent = override.spent | passed
    return replace(override, spent=spent, lifts=BOTH & ~spent & ~unknown, passed=passed)


def _last_limits(settings: Settings, values: Values) -> Iterable[_Last]:
    p: Parameters = settings.parameters
    over_mv = p.cell_ovp_mv + p.emergency_over_mv
    yield _Last(values.cell_max, over_mv, True, Block.CHARGE)
    yield _Last(values.cell_min, p.cell_floor_mv, False, BOTH)
    yield _Last(values.battery_min, p.charge_utp_decic, False, Block.CHARGE)
    if settings.switch_sensor:
        yield _Last(values.switch_decic, p.switch_otp_decic, True, BOTH)


def lifts(override: Override | None) -> Block:
    """Give the directions in which alarms are lifted; none without an override."""
    return Block.NONE if override is None else override.lifts


def spent(override: Override | None) -> Block:
    """Give the directions in which a last limit ended it."""
    return Block.NONE if override is None else override.spent


def passed(override: Override | None) -> Block:
    """Give the directions in which a last limit is passed in this cycle."""
    return Block.NONE if override is None else override.passed


def announced(events: tuple[Event, ...], override: Override | None) -> tuple[Event, ...]:
    """Add to each raised alarm what of it is lifted, so that no block is reported that is not in force."""
    if not events:
        return events
    reaches = lifts(override)
    return tuple(
        replace(event, lifted=tuple((reaches & BY_NAME[event.name].overridable).names))
        if event.state == "raised"
        else event
        for event in events
    )


def restart_counts(switch: SwitchState) -> SwitchState:
    """Forget a contactor's operations of the last hour; its rest stays (S12)."""
    return replace(switch, starts_ms=())


def limits(
    settings: Settings, override: Override | None, told: Limits, active: Active, *, discharges: bool
) -> Limits:
    """Allow the inverter a share from cells that are low, down to the shutdown voltage; charging is left as it is.

    While an alarm is lifted that share is also the most. Nothing is added while the contactor is open or discharging
    is not lifted, which it is not while a cell is unknown (S7).
    """
    if override is None or not discharges or Block.DISCHARGE not in override.lifts:
        return told
    p = settings.parameters
    lifted = any(alarm.overridable & Block.DISCHARGE for alarm, _ in active)
    share_ma = p.discharge_max_ma * DISCHARGE_PERMILLE // 1000
    return told._replace(
        discharge_ma=share_ma if lifted else max(told.discharge_ma, share_ma),
        discharge_reason=OVERRIDE if lifted or told.discharge_ma < share_ma else told.discharge_reason,
        discharge_mv=min(told.discharge_mv, p.cell_shutdown_mv * settings.cells),
    )
