"""From measurements to believed values: is a value believable, and how old is the last one that was.

A value that is missing or impossible keeps its last good reading until that is too old, then it is unknown
(None). Extremes say whether every value behind them is known, so that an unknown cell cannot hide (S2).
"""

from __future__ import annotations

from operator import sub
from typing import NamedTuple

from bmsd.core.doubt import Doubt, explained, follow
from bmsd.core.types import Measurement
from bmsd.tables.parameters import Parameters

CELL_LOW_MV, CELL_HIGH_MV = 300, 5000
"""A cell outside this is a broken lead or reading, not a cell (input range of the front ends)."""
SENSOR_LOW_DECIC, SENSOR_HIGH_DECIC = -400, 1200
"""A battery or switch sensor outside this is open or shorted."""

_FROZEN_AFTER = 2
_SWITCH = 3
"""Place of the switch sensor among the single values of a measurement; it comes last."""
_NOTHING: tuple[None, ...] = ()


class Reading(NamedTuple):
    """The worst known value, whether all values behind it are known, and which one it is (from 1)."""

    value: int | None
    complete: bool
    where: int | None = None


UNKNOWN = Reading(None, False)
NONE_FLOWS = Reading(0, True)
NOT_HIGH, NOT_LOW = Reading(0, True), Reading(CELL_HIGH_MV, True)
"""Nothing speaks against the cells' own readings."""


class LastGood(NamedTuple):
    """Last good values of one group, and when each was measured."""

    values: tuple[int | None, ...]
    at_ms: tuple[int, ...]


class HeldReadings(NamedTuple):
    """What plausibility remembers between cycles."""

    cells: LastGood = LastGood((), ())
    sensors: LastGood = LastGood((), ())
    singles: LastGood = LastGood((), ())
    reference_mv: tuple[int | None, ...] = ()
    """Cell readings when the cells last moved far enough to judge frozen ones."""
    moved: tuple[bool, ...] = ()
    """Which cells have shown a different reading since then."""
    still: tuple[int, ...] = ()
    """How often in a row each cell kept its exact reading while the cells moved."""
    doubt: Doubt = Doubt()


class Values(NamedTuple):
    """Believed values of one cycle."""

    cell_mv: tuple[int | None, ...]
    battery_decic: tuple[int | None, ...]
    frozen: tuple[int, ...]
    """Numbers of the cells whose reading is frozen, from 1."""
    cell_max: Reading
    cell_min: Reading
    cell_spread: Reading
    pack_mv: Reading
    stack_mismatch: Reading
    doubt: Reading
    """The same between readings of this very cycle: an old one beside a new one proves nothing."""
    highest_possible: Reading
    lowest_possible: Reading
    """The worst that a cell may be: where sum and stack differ by more than the chip errs, any one may be wrong."""
    charge_ma: Reading
    discharge_ma: Reading
    battery_max: Reading
    battery_min: Reading
    battery_spread: Reading
    switch_decic: Reading
    stack_mv: int | None
    current_ma: int | None
    charger_mv: int | None
    load_mv: int | None
    fresh: bool
    """Every reading that decides is good and of this very cycle."""


class _Off(NamedTuple):
    """By how much the stack reads more than the cells, how much the chip may err, and which cells read wrong."""

    mv: int | None
    error_mv: int
    doubt: Doubt


def validate(
    held: HeldReadings,
    measurement: Measurement | None,
    now_ms: int,
    parameters: Parameters,
    *,
    switch_sensor: bool = True,
    older_ms: int = 0,
) -> tuple[Values, HeldReadings]:
    """Turn this cycle's measurement into believed values; None means no good poll.

    `older_ms` is added to the age that the parameter allows, for a sleeping chip, which measures slowly.
    """
    oldest_ms = now_ms - parameters.value_max_age_ms - older_ms
    raw_cells, raw_sensors, raw_singles = _raw(measurement)
    watched = _watch_frozen(held, raw_cells, parameters.cell_frozen_move_mv)
    frozen: tuple[int, ...] = ()
    if any(watched.still):
        frozen = tuple([n for n, count in enumerate(watched.still, 1) if count >= _FROZEN_AFTER])
    if frozen and raw_cells:
        raw_cells = tuple(None if n in frozen else mv for n, mv in enumerate(raw_cells, 1))
    cells, kept_cells = _hold(held.cells, raw_cells, now_ms, oldest_ms)
    sensors, kept_sensors = _hold(held.sensors, raw_sensors, now_ms, oldest_ms)
    singles, kept_singles = _hold(held.singles, raw_singles, now_ms, oldest_ms)
    needed = raw_singles if switch_sensor else raw_singles[:_SWITCH]
    fresh = bool(raw_cells) and not (None in raw_cells or None in raw_sensors or None in needed)
    # Pre-charge is proved by a reading of this cycle: an older one may be from before the attempt.
    load_mv = measurement.load_mv if measurement else None
    off_mv, error_mv = _off_mv(raw_cells, raw_singles), parameters.stack_error_mv
    doubt = follow(held.doubt, cells, off_mv, error_mv)
    values = _values(cells, sensors, singles, frozen, load_mv, fresh, _Off(off_mv, error_mv, doubt))
    return values, HeldReadings(kept_cells, kept_sensors, kept_singles, *watched, doubt)


def _raw(
    m: Measurement | None,
) -> tuple[tuple[int | None, ...], tuple[int | None, ...], tuple[int | None, ...]]:
    """Strike out what cannot be true."""
    if m is None:
        return _NOTHING, _NOTHING, _NOTHING
    cells = _all_within(m.cell_mv, CELL_LOW_MV, CELL_HIGH_MV)
    sensors = _all_within(m.battery_decic, SENSOR_LOW_DECIC, SENSOR_HIGH_DECIC)
    switch = _within(m.switch_decic, SENSOR_LOW_DECIC, SENSOR_HIGH_DECIC)
    return cells, sensors, (m.stack_mv, m.charger_mv, m.current_ma, switch)


def _all_within(values: tuple[int | None, ...], low: int, high: int) -> tuple[int | None, ...]:
    """Give the same values where none has to go."""
    if not values or (None not in values and low <= min(values) and max(values) <= high):  # type: ignore[type-var, operator]
        return values
    return tuple([_within(value, low, high) for value in values])


def _within(value: int | None, low: int, high: int) -> int | None:
    return value if value is not None and low <= value <= high else None


def _hold(
    kept: LastGood, new: tuple[int | None, ...], now_ms: int, oldest_ms: int
) -> tuple[tuple[int | None, ...], LastGood]:
    """Take new values; where one is missing, keep the last good one until it is too old.

    A measurement with another number of values discards what was kept.
    """
    if new and None not in new:
        return new, LastGood(new, (now_ms,) * len(new))
    if new and len(new) != len(kept.values):
        kept = LastGood((), ())
    old = kept.values or (None,) * len(new)
    at_ms = kept.at_ms or (now_ms,) * len(new)
    new = new or (None,) * len(old)
    merged = tuple(n if n is not None else o for n, o in zip(new, old, strict=True))
    times = tuple(now_ms if n is not None else t for n, t in zip(new, at_ms, strict=True))
    believed = tuple(v if t >= oldest_ms else None for v, t in zip(merged, times, strict=True))
    return believed, LastGood(merged, times)


class _Watched(NamedTuple):
    reference_mv: tuple[int | None, ...]
    moved: tuple[bool, ...]
    still: tuple[int, ...]


def _watch_frozen(held: HeldReadings, cells: tuple[int | None, ...], move_mv: int) -> _Watched:
    """Count, per cell, how often it stood still to the millivolt while at least half of the cells moved.

    Only a different reading shows that a cell is really measured: an unknown one proves nothing (S2).
    """
    were = held.reference_mv
    if not cells:
        return _Watched(were, held.moved, held.still)
    if len(were) != len(cells):
        return _Watched(cells, (False,) * len(cells), (0,) * len(cells))
    if None in were:
        # One that is known for the first time is watched from here on.
        were = tuple([mv if was is None else was for mv, was in zip(cells, were, strict=True)])
    moved, still = held.moved, held.still
    if False in moved and cells != were:
        moved = tuple([
            other or (mv is not None and mv != was) for mv, was, other in zip(cells, were, held.moved, strict=True)
        ])  # fmt: skip
        still = tuple([0 if other else count for other, count in zip(moved, still, strict=True)])
    if cells == were or not _have_moved(cells, were, move_mv):
        return _Watched(were, moved, still)
    counts = tuple(
        count if other or mv is None else count + 1
        for mv, other, count in zip(cells, moved, still, strict=True)
    )
    # A cell that is unknown now is compared with what it last read.
    reference = tuple(was if mv is None else mv for mv, was in zip(cells, were, strict=True))
    return _Watched(reference, (False,) * len(cells), counts)


def _have_moved(cells: tuple[int | None, ...], were: tuple[int | None, ...], by_mv: int) -> bool:
    """Tell whether at least half of the cells, and two, moved by so much in one direction, and none in the other.

    Each is compared with itself: where a wire breaks, the others are where they were. An open wire lifts one cell by
    what it takes from the next.
    """
    if None in cells or None in were:
        moves = [mv - was for mv, was in zip(cells, were, strict=True) if mv is not None and was is not None]
    else:
        moves = list(map(sub, cells, were))
    moves.sort()
    half = max(2, (len(moves) + 1) // 2)
    if len(moves) < half:
        return False
    rose, fell = moves[-half] >= by_mv, moves[half - 1] <= -by_mv
    return (rose and moves[0] > -by_mv) or (fell and moves[-1] < by_mv)


def _values(
    cells: tuple[int | None, ...],
    sensors: tuple[int | None, ...],
    singles: tuple[int | None, ...],
    frozen: tuple[int, ...],
    load_mv: int | None,
    fresh: bool,
    off: _Off,
) -> Values:
    stack_mv, charger_mv, current_ma, switch_decic = singles or (None,) * 4
    high, low = _extremes(cells)
    warmest, coldest = _extremes(sensors)
    highest, lowest = _possible(off, cells, high, low)
    into, out_of = _flows(current_ma)
    pack_mv = sum(cells) if high.complete else None  # type: ignore[arg-type]
    known = pack_mv is not None and stack_mv is not None
    return Values(
        cell_mv=cells,
        battery_decic=sensors,
        frozen=frozen,
        cell_max=high,
        cell_min=low,
        cell_spread=_spread(high, low),
        pack_mv=_single(pack_mv),
        stack_mismatch=_single(abs(pack_mv - stack_mv) if known else None),  # type: ignore[operator]
        doubt=_single(None if off.mv is None else abs(off.mv)),
        highest_possible=highest,
        lowest_possible=lowest,
        charge_ma=into,
        discharge_ma=out_of,
        battery_max=warmest,
        battery_min=coldest,
        battery_spread=_spread(warmest, coldest),
        switch_decic=_single(switch_decic),
        stack_mv=stack_mv,
        current_ma=current_ma,
        charger_mv=charger_mv,
        load_mv=load_mv,
        fresh=fresh,
    )


def _single(value: int | None) -> Reading:
    return UNKNOWN if value is None else Reading(value, True)


def _flows(current_ma: int | None) -> tuple[Reading, Reading]:
    """Tell what flows into the pack, and what out of it."""
    if current_ma is None:
        return UNKNOWN, UNKNOWN
    if current_ma >= 0:
        return Reading(current_ma, True), NONE_FLOWS
    return NONE_FLOWS, Reading(-current_ma, True)


def _off_mv(cells: tuple[int | None, ...], singles: tuple[int | None, ...]) -> int | None:
    """Give by how much the stack reads more than the sum of the cells."""
    stack_mv = singles[0] if singles else None
    if stack_mv is None or not cells or None in cells:
        return None
    return stack_mv - sum(cells)  # type: ignore[arg-type]


def _possible(
    off: _Off, cells: tuple[int | None, ...], high: Reading, low: Reading
) -> tuple[Reading, Reading]:
    """Give the worst that a cell may be, above and below."""
    if off.mv is None or high.value is None:
        return UNKNOWN, UNKNOWN
    if abs(off.mv) <= off.error_mv:
        return NOT_HIGH, NOT_LOW
    return _worst(off, off.mv, cells, high, 1), _worst(off, off.mv, cells, low, -1)


def _worst(off: _Off, off_mv: int, cells: tuple[int | None, ...], extreme: Reading, side: int) -> Reading:
    """Give what an extreme would be if all of the difference were its cell's, or that of the one known to be off."""
    if off_mv * side <= off.error_mv:
        return NOT_HIGH if side > 0 else NOT_LOW
    if not explained(off.doubt, off.error_mv):
        return Reading((extreme.value or 0) + off_mv, extreme.complete)
    mended = [((cells[place - 1] or 0) - error, place) for place, error in off.doubt.errors]
    value, place = max(mended) if side > 0 else min(mended)
    return Reading(value, extreme.complete, place)


def _extremes(values: tuple[int | None, ...]) -> tuple[Reading, Reading]:
    """Find the highest and lowest known value; complete only when there are values and all are known."""
    complete = bool(values) and None not in values
    known = values if complete else [value for value in values if value is not None]
    if not known:
        return UNKNOWN, UNKNOWN
    high, low = max(known), min(known)  # type: ignore[type-var]
    return (
        Reading(high, complete, values.index(high) + 1),
        Reading(low, complete, values.index(low) + 1),
    )


def _spread(high: Reading, low: Reading) -> Reading:
    if high.value is None or low.value is None:
        return UNKNOWN
    return Reading(high.value - low.value, high.complete, high.where)
