"""Closings of each contactor, in total and within the last hour, kept over restarts (S12, S13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bmsd.core.alarms import Finding
from bmsd.core.settings import Settings
from bmsd.core.state import State
from bmsd.core.switching import HOUR_MS, SwitchState

COUNTED = ("charge", "discharge", "main", "precharge", "heater")


@dataclass(frozen=True, slots=True)
class ContactorLife:
    """What is kept of one contactor or relay over a restart."""

    closings: int
    starts_ms: tuple[int, ...] = ()
    """Closings of the last hour, on the monotonic clock of the boot they belong to."""
    off_ms: int | None = None
    """When it last went off, on the same clock; None while it was on."""


def switch(state: State, name: str) -> SwitchState:
    """Give one of the counted switches."""
    found: SwitchState = state.precharge.relay if name == "precharge" else getattr(state, name)
    return found


def worn(state: State, now_ms: int, *, stopped: bool = False) -> dict[str, ContactorLife]:
    """Give what to keep of every switch that ever closed; `stopped`: what was on has just been switched off."""
    switches = {name: switch(state, name) for name in COUNTED}
    return {
        name: ContactorLife(
            one.closings,
            tuple(t for t in one.starts_ms if now_ms - t < HOUR_MS),
            (now_ms if stopped else None) if one.on else one.changed_ms,
        )
        for name, one in switches.items()
        if one.closings
    }


def remembered(state: State, kept: Mapping[str, ContactorLife], now_ms: int, *, same_boot: bool) -> State:
    """Restore the history of the switches in a fresh state.

    A start that follows in the same boot goes on with the last hour. After another boot nobody knows how long
    ago that was, so it counts as now: a machine that reboots again and again switches no more often than one
    that does not. The shortest time off goes on as well: from when the switch went off; from this start where it was
    still on when last seen; from the boot where that was another one.
    """
    made: dict[str, Any] = {}
    for name, one in kept.items():
        starts_ms = tuple(min(t, now_ms) if same_boot else now_ms for t in one.starts_ms)
        made[name] = SwitchState(
            False, _off_ms(name, one, now_ms) if same_boot else 0, starts_ms, one.closings
        )
    relay = made.pop("precharge", state.precharge.relay)
    return state._replace(precharge=replace(state.precharge, relay=relay), **made)


def _off_ms(name: str, one: ContactorLife, now_ms: int) -> int | None:
    """Give when a switch went off; a pre-charge that began more than an hour ago is long over."""
    if one.off_ms is None:
        return None if name == "precharge" and not one.starts_ms else now_ms
    return min(one.off_ms, now_ms)


def findings(settings: Settings, state: State) -> dict[str, Finding]:
    """Say when a contactor has closed as often as its service life allows; a FET has none."""
    if settings.own_fets:
        return {}
    most = max([getattr(state, name).closings for name in settings.contactors])
    over = most >= settings.parameters.contactor_life_closings
    return {"contactor_worn": Finding(True, most)} if over else {}
