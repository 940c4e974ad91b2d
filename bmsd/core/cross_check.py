"""Whether current and cell voltages agree: a pack is a voltage source with a resistance, and both must show it.

Three measuring faults look plausible by themselves: a current reading that stands still, one with the wrong
sign, and a converter that gives the same cell voltages for ever. Only voltage and current together show them, so each
is found by loads that come and go, after a number of them and not after a time.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.alarms import Finding
from bmsd.core.plausible import Values

WINDOW = 4
"""Readings that are averaged before and after a jump: the ripple of an inverter is no jump."""
QUIET_PART = 200
"""A current reading within this part of the capacity per hour stands still. A jump takes four times as much
even of a cold cell (0.5 ohm times ampere-hours, 10 mV)."""
STEP_PART = 20
"""A change of current beyond this part of the capacity per hour has a sign that counts."""
DEAD_JUMPS = 4
DEAD_WITHIN_MS = 3_600_000
REVERSED_JUMPS = 6
SWING_PART = 10
"""A current swing of this part of the capacity per hour moves even the stiffest cells by 2 mV."""
FROZEN_SWINGS = 4
FLOW_PART = 50
"""From this part of the capacity per hour on, charge is counted against cells that never change ..."""
FLOW_CAPACITY_PART = 10
"""... and this part of the capacity cannot pass without any reading moving by 1 mV, flat as a curve may be."""
MS_PER_HOUR = 3_600_000


class CrossCheckState(NamedTuple):
    """What is remembered of voltage and current between cycles."""

    recent: tuple[tuple[int, int], ...] = ()
    """The last pack voltages and currents, oldest first."""
    low_ma: int = 0
    high_ma: int = 0
    """Range of the current reading since it last moved."""
    dead: int = 0
    """Jumps of the voltage, alternately up and down, while the current reading stood still."""
    dead_since_ms: int = 0
    wrong: int = 0
    """Jumps in a row that went against the change of current."""
    up: bool | None = None
    """Whether the last jump that was counted went up."""
    cells: tuple[int | None, ...] = ()
    stack_mv: int | None = None
    swings: int = 0
    """Swings of the current since any of these readings last changed."""
    edge_ma: int = 0
    flowed_mams: int = 0
    """Charge that passed since then, in either direction."""
    at_ms: int | None = None


class CrossChecked(NamedTuple):
    """What this cycle shows."""

    state: CrossCheckState
    findings: dict[str, Finding]


def watch(
    state: CrossCheckState, values: Values, cells: int, capacity_mah: int, step_mv: int, now_ms: int
) -> CrossChecked:
    """Take one cycle's values. An unknown one proves nothing and forgets nothing but the window (S2)."""
    pack_mv, ma = values.pack_mv.value, values.current_ma
    if pack_mv is None or values.stack_mv is None or ma is None:
        return CrossChecked(state._replace(recent=(), at_ms=None), _findings(state))
    state = _taken(state, values, pack_mv, ma, capacity_mah, now_ms)
    if len(state.recent) == 2 * WINDOW:
        state = _jumps(state, step_mv * cells * WINDOW, capacity_mah, now_ms)
    found = _findings(state)
    if "current_implausible" in found or "current_reversed" in found:
        # The alarm is latched: it keeps what this proved, and a reset begins again.
        state = state._replace(dead=0, wrong=0)
    return CrossChecked(state, found)


def _findings(state: CrossCheckState) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    if not (state.dead or state.wrong or state.swings):
        return found
    if state.dead >= DEAD_JUMPS:
        found["current_implausible"] = Finding(True, state.recent[-1][1] if state.recent else None)
    if state.wrong >= REVERSED_JUMPS:
        found["current_reversed"] = Finding(True)
    if state.swings >= FROZEN_SWINGS:
        found["cells_frozen"] = Finding(True)
    return found


def _taken(
    state: CrossCheckState, values: Values, pack_mv: int, ma: int, capacity_mah: int, now_ms: int
) -> CrossCheckState:
    """Take this cycle's readings: into the window, and beside those that do not change."""
    low, high, dead = min(state.low_ma, ma), max(state.high_ma, ma), state.dead
    if (high - low) * QUIET_PART > capacity_mah:
        low = high = ma
        dead = 0
    swings, edge, flowed = _standstill(state, values, ma, capacity_mah, now_ms)
    return CrossCheckState(
        recent=(*state.recent[1 - 2 * WINDOW :], (pack_mv, ma)),
        low_ma=low,
        high_ma=high,
        dead=dead,
        dead_since_ms=state.dead_since_ms,
        wrong=state.wrong,
        up=state.up,
        cells=values.cell_mv,
        stack_mv=values.stack_mv,
        swings=swings,
        edge_ma=edge,
        flowed_mams=flowed,
        at_ms=now_ms,
    )


def _jumps(state: CrossCheckState, step: int, capacity_mah: int, now_ms: int) -> CrossCheckState:
    """Look for a jump of the voltage, and compare it with what the current did meanwhile."""
    voltages = [mv for mv, _ in state.recent]
    rise = sum(voltages[WINDOW:]) - sum(voltages[:WINDOW])
    return state if abs(rise) < step else _judge(state, rise, capacity_mah, now_ms)


def _judge(state: CrossCheckState, rise: int, capacity_mah: int, now_ms: int) -> CrossCheckState:
    """Count a jump: with the current, against it, or without it."""
    currents, up = [ma for _, ma in state.recent], rise > 0
    change = sum(currents[WINDOW:]) - sum(currents[:WINDOW])
    if state.low_ma <= min(currents) and max(currents) <= state.high_ma:
        return _without_current(state, abs(rise), up, now_ms)
    if (change > 0) is up:
        if abs(change) * QUIET_PART > 2 * WINDOW * capacity_mah:
            return state._replace(dead=0, wrong=0, up=up)
    elif abs(change) * STEP_PART > WINDOW * capacity_mah and up is not state.up:
        return state._replace(wrong=state.wrong + 1, up=up)
    return state


def _without_current(state: CrossCheckState, height: int, up: bool, now_ms: int) -> CrossCheckState:
    """Count a jump beside a current that stood still, when voltages stood before and after: no single glitch."""
    for part in (state.recent[:WINDOW], state.recent[WINDOW:]):
        mvs = [mv for mv, _ in part]
        if (max(mvs) - min(mvs)) * 2 * WINDOW > height:
            return state
    if not state.dead or now_ms - state.dead_since_ms > DEAD_WITHIN_MS:
        return state._replace(dead=1, dead_since_ms=now_ms, up=up)
    if up is state.up:
        return state
    return state._replace(dead=state.dead + 1, up=up)


def _standstill(
    state: CrossCheckState, values: Values, ma: int, capacity_mah: int, now_ms: int
) -> tuple[int, int, int]:
    """Count what current does while not one cell nor the stack reads anything new: swings, where it stood, charge."""
    if values.cell_mv != state.cells or values.stack_mv != state.stack_mv:
        return 0, ma, 0
    swings, edge, flowed = state.swings, state.edge_ma, state.flowed_mams
    if abs(ma - edge) * SWING_PART > capacity_mah:
        swings, edge = swings + 1, ma
    if state.at_ms is not None and abs(ma) * FLOW_PART > capacity_mah:
        flowed += abs(ma) * (now_ms - state.at_ms)
    if flowed * FLOW_CAPACITY_PART > capacity_mah * MS_PER_HOUR:
        swings = max(swings, FROZEN_SWINGS)
    return swings, edge, flowed
