"""What a trip of the chip adds to what the daemon has decided by itself.

The chip's limits lie behind the daemon's, so in lasting cold, heat or at a full cell both say the same. A trip that
says no more than an alarm that already holds its direction, behind a contactor that is told to be open, is no fault:
nothing else is blocked by it, and the inverter hears the alarm. That alarm stays until the chip agrees that it is over,
because until then the chip would not let the contactor close.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import NamedTuple

from bmsd.core import alarms, emergency
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.state import State
from bmsd.core.types import AfeReport, AfeState, ChipFault
from bmsd.tables.alarms import BOTH, BY_NAME, Block


class Said(NamedTuple):
    """A trip of the chip: the direction that it holds, and the alarms that say the same."""

    holds: Block
    alarms: tuple[str, ...]


_TEMPERATURES = ("charge_utp", "charge_otp", "discharge_utp", "discharge_otp")
SAID = {
    ChipFault.CELL_OVER_VOLTAGE: Said(Block.CHARGE, ("cell_ovp",)),
    ChipFault.CHARGE_TEMPERATURE: Said(Block.CHARGE, _TEMPERATURES),
    ChipFault.CHARGE_OVER_CURRENT: Said(Block.CHARGE, ("charge_ocp", "charge_ocp2")),
    ChipFault.CELL_UNDER_VOLTAGE: Said(Block.DISCHARGE, ("cell_uvp", "cell_shutdown", "cell_floor")),
    ChipFault.DISCHARGE_TEMPERATURE: Said(Block.DISCHARGE, _TEMPERATURES),
    ChipFault.DISCHARGE_OVER_CURRENT: Said(Block.DISCHARGE, ("discharge_ocp", "discharge_ocp2")),
    ChipFault.BOARD_TEMPERATURE: Said(BOTH, ("switch_otp",)),
}
"""Trips that are not here, a short circuit and the watchdog among them, are always told."""
NOTHING: tuple[ChipFault, frozenset[str]] = (ChipFault.NONE, frozenset())


def holds(settings: Settings, faults: ChipFault) -> Block:
    """Give the directions that trips of the chip hold, by its permits; a common contactor has both in series."""
    held = Block.NONE
    for fault in faults:
        held |= SAID[fault].holds if fault in SAID and not settings.common else BOTH
    return held


def explained(
    settings: Settings, state: State, values: Values, report: AfeReport
) -> tuple[ChipFault, frozenset[str]]:
    """Give the trips that say no more than the daemon, and the alarms that must not end before them."""
    if report.state is not AfeState.READY or report.measurement is None or not report.measurement.faults:
        return NOTHING
    known, confirmed = ChipFault.NONE, frozenset[str]()
    for fault, said in SAID.items():
        # A common contactor has both permits in series: whatever the chip holds, it holds both.
        holds = BOTH if settings.common else said.holds
        if not report.measurement.faults & fault or _is_closed(settings, state, holds):
            continue
        held = {name: _held(settings, state, values, name) & holds for name in said.alarms}
        if reduce(or_, held.values()) == holds:
            known |= fault
            confirmed |= frozenset(name for name, block in held.items() if block)
    return known, confirmed


def _is_closed(settings: Settings, state: State, directions: Block) -> bool:
    """Tell whether a contactor that the trip opens is still told to be closed."""
    if settings.common:
        return state.main.on
    return bool(
        (directions & Block.CHARGE and state.charge.on)
        or (directions & Block.DISCHARGE and state.discharge.on)
    )


def _held(settings: Settings, state: State, values: Values, name: str) -> Block:
    """Give what an alarm blocks, now or as soon as its delay is over, and no override lifts."""
    if not (alarms.is_active(state.alarms, name) or alarms.is_beyond(settings.table, values, name)):
        return Block.NONE
    row = BY_NAME[name]
    return row.blocks & ~(row.overridable & emergency.lifts(state.override))
