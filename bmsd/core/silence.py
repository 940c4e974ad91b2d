"""What is left of a state when everything was switched off from outside, because the core had been silent (S13).

The chip's watchdog may have opened what the core had closed, so nothing that was proved before counts any more: a
start begins, with its good cycles and its pre-charge. Alarms, charge and operator requests stay.
"""

from __future__ import annotations

from dataclasses import replace

from bmsd.core.deferred_opening import DeferredOpening
from bmsd.core.diode import Diodes
from bmsd.core.state import State
from bmsd.core.switching import SwitchState
from bmsd.core.types import ALL_OFF, Event


def begun_again(state: State, now_ms: int) -> State:
    """Give the state of a pack whose outputs have all gone off now."""
    return state._replace(
        good_cycles=0,
        started=False,
        charge=_off(state.charge, now_ms),
        discharge=_off(state.discharge, now_ms),
        main=_off(state.main, now_ms),
        precharge=replace(state.precharge, relay=_off(state.precharge.relay, now_ms)),
        heater=_off(state.heater, now_ms),
        commands=ALL_OFF,
        opening=DeferredOpening(),
        diodes=Diodes(),
    )


def told(now_ms: int) -> Event:
    """Say in the journal that it happened."""
    return Event(at_ms=now_ms, kind="state", name="core", state="silent")


def _off(switch: SwitchState, now_ms: int) -> SwitchState:
    return replace(switch, on=False, changed_ms=now_ms) if switch.on else switch
