"""Whether the load side stays alive with everything off: a pre-charge relay or a contactor that welded.

A relay that welded carries too little for a current to prove it. But capacitors run down, and a load side that has not
fallen for longer than any bus holds its voltage is fed. One above the pack is fed by another source. Unknown shows
nothing and takes nothing back (S2).
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.alarms import AlarmState, Finding, is_active
from bmsd.core.contactors import PrechargeState
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.switching import SwitchState

NAME = "load_side_live"
LEAST_PERMILLE = 500
"""Below half of the pack a load side is not reported: a resistor in the way holds it higher unless a load runs."""
MOST_PERMILLE = 1020
"""Above this another source holds it: a load side that only the pack feeds reads no higher, errors included."""
FALL_PERMILLE = 20
"""A load side that fell by this much is running down: its time begins again."""


class LoadSideState(NamedTuple):
    """The load side while everything is off."""

    since_ms: int | None = None
    """Since when it has not fallen; None while it is not watched, or low."""
    highest_mv: int = 0


NOT_WATCHED = LoadSideState()


def watch(
    settings: Settings,
    bus: LoadSideState,
    switches: tuple[SwitchState, ...],
    values: Values,
    alarms: tuple[AlarmState, ...],
    now_ms: int,
) -> tuple[LoadSideState, dict[str, Finding]]:
    """Follow the load side, and report when it has stood for too long; what cannot be seen now ends no alarm."""
    settle_ms = settings.parameters.contactor_settle_ms
    for switch in switches:
        if not _is_off(switch, settle_ms, now_ms):
            return NOT_WATCHED, _unseen(alarms)
    load_mv, pack_mv = values.load_mv, values.pack_mv.value
    if load_mv is None or pack_mv is None:
        return bus, _unseen(alarms)
    is_alive = pack_mv * LEAST_PERMILLE <= load_mv * 1000 <= pack_mv * MOST_PERMILLE
    if not is_alive or _same_source(settings, values.charger_mv, load_mv):
        return NOT_WATCHED, {}
    since_ms = bus.since_ms
    if since_ms is None or load_mv * 1000 < bus.highest_mv * (1000 - FALL_PERMILLE):
        return LoadSideState(now_ms, load_mv), {}
    bus = LoadSideState(since_ms, max(bus.highest_mv, load_mv))
    is_long = now_ms - since_ms >= settings.parameters.bus_hold_ms
    return bus, {NAME: Finding(True, load_mv)} if is_long else _unseen(alarms)


def beside(
    settings: Settings,
    charge: SwitchState,
    discharge: SwitchState,
    main: SwitchState,
    precharge: PrechargeState,
) -> tuple[SwitchState, ...]:
    """Give the switches that join pack and load side."""
    if settings.common:
        return main, precharge.relay
    if settings.own_fets:
        return charge, discharge, precharge.relay
    return discharge, precharge.relay


def _same_source(settings: Settings, charger_mv: int | None, load_mv: int) -> bool:
    """Tell whether both sides of a split pack stand alike: one source outside feeds both then."""
    if settings.common or settings.own_fets or charger_mv is None:
        return False
    return abs(charger_mv - load_mv) * 1000 <= load_mv * FALL_PERMILLE


def _is_off(switch: SwitchState, settle_ms: int, now_ms: int) -> bool:
    if switch.on:
        return False
    return switch.changed_ms is None or now_ms - switch.changed_ms >= settle_ms


def _unseen(alarms: tuple[AlarmState, ...]) -> dict[str, Finding]:
    """Keep an alarm that can be neither seen nor excluded."""
    return {NAME: Finding(None)} if is_active(alarms, NAME) else {}
