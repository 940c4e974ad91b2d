"""Count charge, and anchor the count where the cells say full or empty.

Charge is kept in mA·ms, so that no cycle rounds anything away. An estimator that learns capacity and offset
fits behind the same `advance`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.types import Event
from bmsd.tables.chemistries import Chemistry
from bmsd.tables.parameters import Parameters

MAMS_PER_MAH = 3_600_000
HOUR_MS = 3_600_000
LONGEST_STEP_MS = 5000
"""A longer gap between two counts is not integrated with one current."""
GAIN_ERROR_PERMILLE = 5
"""Shunt and chip gain together: charge moved since an anchor is known to this share."""
FULL_ERROR_PERMILLE = 5
EMPTY_ERROR_PERMILLE = 10
UNKNOWN_ERROR_PERMILLE = 250
RESTED_ERROR_PERMILLE = 80
COLD_DECIC = 50
"""Below this the lower knee is kinetic, not empty: no empty anchor (TU/e and A123 cold runs)."""
HELD_MV = 20
"""A highest cell that dips by this much is still held near full: loads, clouds and inverters that work in coarse
steps make it dip."""
TAIL_TIMES = 5
"""Where the current comes and goes, it must be small on average for this many times longer: over two minutes a driven
NMC cell at 94 % was mistaken for full (TU/e 2.87 Ah), over ten none of the recorded ones was."""
ANCHOR_HOLD_PERMILLE = 10
"""An anchor holds until this share has moved away from it, so that ripple does not end it."""
ALMOST_FULL_PERMILLE = 990
ALMOST_EMPTY_PERMILLE = 10


class Tail(NamedTuple):
    """A stretch of time in which the highest cell is held near full, and what the pack took in it."""

    counted_ms: int
    taken_mams: int
    """Charge taken less charge given."""


class SocState(NamedTuple):
    """The charge counter."""

    charge_mams: int
    """Charge in the pack, in mA·ms."""
    error_permille: int
    """Error at the last anchor, as a share of capacity."""
    moved_mams: int = 0
    """Charge moved either way since the last anchor: it adds to the error."""
    full: bool = False
    """Hardly anything was discharged since the full anchor."""
    empty: bool = False
    """Hardly anything was charged since the empty anchor."""
    discharged_mams: int = 0
    full_charges: int = 0
    synchronised: bool = False
    last_ms: int | None = None
    full_since_ms: int | None = None
    tail: Tail | None = None
    empty_since_ms: int | None = None
    unfilled_ms: int = 0
    """Time in service since the state of charge was last as high as a full charge brings it."""


def first(settings: Settings, cell_average_mv: int | None) -> SocState:
    """Begin without a stored count: from the cell voltage where the curve tells, else one half, unsure."""
    whole = settings.capacity_mah * MAMS_PER_MAH
    permille = None if cell_average_mv is None else rested(settings.chemistry, cell_average_mv)
    if permille is None:
        return SocState(charge_mams=whole // 2, error_permille=UNKNOWN_ERROR_PERMILLE)
    return SocState(charge_mams=whole * permille // 1000, error_permille=RESTED_ERROR_PERMILLE)


def rested(chemistry: Chemistry, cell_mv: int) -> int | None:
    """Read the state of charge of a rested cell, in permille; None where the curve is flat."""
    if chemistry.flat_low_mv <= cell_mv <= chemistry.flat_high_mv:
        return None
    table = chemistry.rested_soc
    if cell_mv <= table[0][0]:
        return table[0][1]
    for (low_mv, low), (high_mv, high) in pairwise(table):
        if cell_mv <= high_mv:
            return low + (high - low) * (cell_mv - low_mv) // (high_mv - low_mv)
    return table[-1][1]


def advance(
    settings: Settings, state: SocState, values: Values, now_ms: int, *, charging: bool = True
) -> tuple[SocState, tuple[Event, ...]]:
    """Count one cycle and look for an anchor; full is only found while the charge path is closed."""
    step_ms = 0 if state.last_ms is None else min(now_ms - state.last_ms, LONGEST_STEP_MS)
    tail = _tail(settings, state.tail, values, step_ms) if charging else None
    state = _count(settings, state, values, now_ms, step_ms, tail)
    if permille(settings, state) >= settings.parameters.full_charge_permille:
        state = state._replace(unfilled_ms=0)
    return _anchor(settings, state, values, now_ms, charging)


def _tail(settings: Settings, tail: Tail | None, values: Values, step_ms: int) -> Tail | None:
    """Begin a stretch at the full voltage and go on with it near there; what is unknown ends it (S2)."""
    p, high, current_ma = settings.parameters, values.cell_max, values.current_ma
    if current_ma is None or high.value is None or not high.complete or high.value > p.cell_ovp_mv:
        return None
    if tail is None or tail.counted_ms >= TAIL_TIMES * p.soc_full_time_ms:
        return Tail(0, 0) if high.value >= p.soc_full_mv else None
    if high.value < p.soc_full_mv - HELD_MV:
        return None
    return Tail(tail.counted_ms + step_ms, tail.taken_mams + current_ma * step_ms)


def _count(
    settings: Settings, state: SocState, values: Values, now_ms: int, step_ms: int, tail: Tail | None
) -> SocState:
    current_ma = values.current_ma
    if current_ma is None:
        return state._replace(last_ms=now_ms, unfilled_ms=state.unfilled_ms + step_ms, tail=tail)
    moved = current_ma * step_ms
    whole = settings.capacity_mah * MAMS_PER_MAH
    charge = min(max(state.charge_mams + moved, 0), whole)
    return SocState(
        charge_mams=charge,
        error_permille=state.error_permille,
        moved_mams=state.moved_mams + abs(moved),
        full=state.full and (whole - charge) * 1000 <= whole * ANCHOR_HOLD_PERMILLE,
        empty=state.empty and charge * 1000 <= whole * ANCHOR_HOLD_PERMILLE,
        discharged_mams=state.discharged_mams + max(-moved, 0),
        full_charges=state.full_charges,
        synchronised=state.synchronised,
        last_ms=now_ms,
        full_since_ms=state.full_since_ms,
        tail=tail,
        empty_since_ms=state.empty_since_ms,
        unfilled_ms=state.unfilled_ms + step_ms,
    )


def _anchor(
    settings: Settings, state: SocState, values: Values, now_ms: int, charging: bool
) -> tuple[SocState, tuple[Event, ...]]:
    p = settings.parameters
    full_since = _since(state.full_since_ms, charging and _looks_full(settings, values), now_ms)
    empty_since = _since(state.empty_since_ms, _looks_empty(settings, values), now_ms)
    if (full_since, empty_since) != (state.full_since_ms, state.empty_since_ms):
        state = state._replace(full_since_ms=full_since, empty_since_ms=empty_since)
    steady = full_since is not None and now_ms - full_since >= p.soc_full_time_ms
    if (steady or _took_little(settings, state.tail)) and not state.full:
        return _full(settings, state, now_ms)
    if empty_since is not None and now_ms - empty_since >= p.soc_empty_time_ms and not state.empty:
        return _empty(state, now_ms)
    return state, ()


def _since(since_ms: int | None, looks: bool, now_ms: int) -> int | None:
    """Run an anchor timer; an unknown value stops it, because an anchor rewrites the count."""
    if not looks:
        return None
    return now_ms if since_ms is None else since_ms


def _looks_full(settings: Settings, values: Values) -> bool:
    p, high, current_ma = settings.parameters, values.cell_max, values.current_ma
    return (
        high.complete
        and high.value is not None
        and p.soc_full_mv <= high.value <= p.cell_ovp_mv
        and current_ma is not None
        and 0 <= current_ma < _tail_ma(settings)
    )


def _took_little(settings: Settings, tail: Tail | None) -> bool:
    """Tell whether a whole stretch is over in which the pack took little on average."""
    if tail is None or tail.counted_ms < TAIL_TIMES * settings.parameters.soc_full_time_ms:
        return False
    return 0 <= tail.taken_mams < _tail_ma(settings) * tail.counted_ms


def _tail_ma(settings: Settings) -> int:
    return settings.capacity_mah * settings.parameters.soc_full_tail_permille // 1000


def _looks_empty(settings: Settings, values: Values) -> bool:
    low, current_ma, coldest = values.cell_min, values.current_ma, values.battery_min
    return (
        low.complete
        and low.value is not None
        and low.value <= settings.parameters.soc_empty_mv
        and current_ma is not None
        and -settings.capacity_mah // 2 < current_ma <= 0
        and coldest.complete
        and coldest.value is not None
        and coldest.value >= COLD_DECIC
    )


def _full(settings: Settings, state: SocState, now_ms: int) -> tuple[SocState, tuple[Event, ...]]:
    before = permille(settings, state)
    whole = settings.capacity_mah * MAMS_PER_MAH
    after = state._replace(
        charge_mams=whole,
        error_permille=FULL_ERROR_PERMILLE,
        moved_mams=0,
        full=True,
        empty=False,
        full_charges=state.full_charges + 1,
        synchronised=True,
    )
    return after, (Event(at_ms=now_ms, kind="soc", name="full", state="anchored", value=1000, limit=before),)


def _empty(state: SocState, now_ms: int) -> tuple[SocState, tuple[Event, ...]]:
    after = state._replace(
        charge_mams=0,
        error_permille=EMPTY_ERROR_PERMILLE,
        moved_mams=0,
        full=False,
        empty=True,
        synchronised=True,
    )
    return after, (Event(at_ms=now_ms, kind="soc", name="empty", state="anchored", value=0),)


def permille(settings: Settings, state: SocState) -> int:
    """Give the counted state of charge; a count stored for a larger pack is capped at what this one holds."""
    return min(state.charge_mams * 1000 // (settings.capacity_mah * MAMS_PER_MAH), 1000)


def long_not_full(p: Parameters, state: SocState) -> bool:
    """Tell whether the pack has not been full for so long that a full charge is asked for."""
    return p.full_charge_after_h > 0 and state.unfilled_ms >= p.full_charge_after_h * HOUR_MS


def shown_permille(settings: Settings, state: SocState, cell_min_mv: int | None) -> int:
    """Give the state of charge to show: never 100 % before the full anchor, never 0 % above empty."""
    value = permille(settings, state)
    if not state.full:
        value = min(value, ALMOST_FULL_PERMILLE)
    if cell_min_mv is not None and cell_min_mv > settings.parameters.soc_empty_mv:
        value = max(value, ALMOST_EMPTY_PERMILLE)
    return value


def error_permille(settings: Settings, state: SocState) -> int:
    """Give how far the state of charge may be off: the anchor's error plus a share of charge moved."""
    share = state.moved_mams * GAIN_ERROR_PERMILLE // (settings.capacity_mah * MAMS_PER_MAH)
    return min(state.error_permille + share, 1000)
