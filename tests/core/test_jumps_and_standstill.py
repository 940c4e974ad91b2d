"""Current held against voltage, reading by reading: what is one jump, one swing, one proof, and what is none (S2)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import cross_check
from bmsd.core.alarms import Finding
from bmsd.core.cross_check import CrossChecked, CrossCheckState
from bmsd.core.plausible import Reading
from tests.support.bench_inputs import believed, make_settings

SETTINGS = make_settings()
T = 50_000_000
HOUR_MS = 3_600_000
PACK_MV = 13_200
CAPACITY_MAH = 100_000
CELLS, STEP_MV = 4, 10
DROP_MV = CELLS * STEP_MV
"""A jump of the pack that counts, as four readings beside four show it."""


def look(
    state: CrossCheckState, mv: int | None = PACK_MV, ma: int | None = 0, now_ms: int = T, **values: Any
) -> CrossChecked:
    """Take one reading; cells and stack stand still unless the test says else."""
    seen = believed(SETTINGS)._replace(pack_mv=Reading(mv, mv is not None), current_ma=ma, **values)
    return cross_check.watch(state, seen, CELLS, CAPACITY_MAH, STEP_MV, now_ms)


def remembered(*currents: int, drop_mv: int = DROP_MV, **more: Any) -> CrossCheckState:
    """Give a memory in which only the last of four readings behind a drop is missing; seven currents or none."""
    voltages = (PACK_MV,) * 4 + (PACK_MV - drop_mv,) * 3
    still = believed(SETTINGS)
    given: dict[str, Any] = {"cells": still.cell_mv, "stack_mv": still.stack_mv, "at_ms": T, **more}
    return CrossCheckState(recent=tuple(zip(voltages, currents or (0,) * 7, strict=True)), **given)


def last(
    before: CrossCheckState, mv: int = PACK_MV - DROP_MV, ma: int = 0, now_ms: int = T
) -> CrossCheckState:
    """Give the memory after the reading that was missing."""
    return look(before, mv, ma, now_ms).state


def test_a_fresh_memory_is_empty() -> None:
    assert CrossCheckState() == CrossCheckState(
        recent=(),
        low_ma=0,
        high_ma=0,
        dead=0,
        dead_since_ms=0,
        wrong=0,
        up=None,
        cells=(),
        stack_mv=None,
        swings=0,
        edge_ma=0,
        flowed_mams=0,
        at_ms=None,
    )


@pytest.mark.parametrize(("ma", "low", "high"), [(0, 0, 0), (300, 0, 300), (-300, -300, 0), (501, 501, 501)])
def test_the_first_reading_is_remembered_as_it_is(ma, low, high) -> None:
    still = believed(SETTINGS)
    assert look(CrossCheckState(), ma=ma).state == CrossCheckState(
        recent=((PACK_MV, ma),),
        low_ma=low,
        high_ma=high,
        cells=still.cell_mv,
        stack_mv=still.stack_mv,
        edge_ma=ma,
        at_ms=T,
    )


def test_eight_readings_are_remembered_and_seven_show_no_jump() -> None:
    state = CrossCheckState()
    for n in range(20):
        state = look(state, PACK_MV + n % 2, n, T + n).state
    assert state.recent == tuple((PACK_MV + n % 2, n) for n in range(12, 20))
    seven = remembered()._replace(recent=remembered().recent[1:])
    assert last(seven).up is None


# --- A jump without current -------------------------------------------------------------------------------------


def test_a_drop_beside_a_current_that_stands_is_counted_from_its_height_on() -> None:
    found = last(remembered())
    assert (found.dead, found.dead_since_ms, found.up) == (1, T, False)
    found = last(remembered(), PACK_MV - DROP_MV + 1)
    assert (found.dead, found.up) == (0, None)
    assert last(remembered(drop_mv=-DROP_MV), PACK_MV + DROP_MV).up is True
    assert last(remembered(drop_mv=-DROP_MV), PACK_MV + DROP_MV - 1).up is None


def test_jumps_count_in_turn_and_within_an_hour() -> None:
    def after(**before: Any) -> tuple[int, int, bool | None]:
        found = last(remembered(**before))
        return found.dead, found.dead_since_ms, found.up

    assert after(dead=2, dead_since_ms=T - HOUR_MS, up=True) == (3, T - HOUR_MS, False)
    assert after(dead=2, dead_since_ms=T - HOUR_MS - 1, up=True) == (1, T, False)
    assert after(dead=2, dead_since_ms=T - 1, up=False) == (2, T - 1, False)
    assert after(dead=0, dead_since_ms=T - 1, up=False) == (1, T, False)


@pytest.mark.parametrize(("ripple", "dead"), [((10, -10, 0, 0), 1), ((11, -10, -1, 0), 0)])
@pytest.mark.parametrize("half", ["before", "after"])
def test_voltages_that_ripple_by_more_than_an_eighth_of_the_jump_are_no_jump(half, ripple, dead) -> None:
    """20 mV of 160 mV in four readings, and a millivolt more: one disturbed reading shifts the averages as well."""
    still = (0, 0, 0, 0)
    before, after = (ripple, still) if half == "before" else (still, ripple)
    *first, final = [PACK_MV + mv for mv in before] + [PACK_MV - DROP_MV + mv for mv in after]
    state = remembered()._replace(recent=tuple((mv, 0) for mv in first))
    assert last(state, final).dead == dead


@pytest.mark.parametrize("odd_ma", [1, -1])
def test_a_current_outside_of_where_it_stands_now_is_no_standing_current(odd_ma) -> None:
    """It moved within these eight readings, however little is left of that."""
    found = last(remembered(odd_ma, *(0,) * 6))
    assert (found.dead, found.up) == (0, None)


@pytest.mark.parametrize(("ma", "low", "high", "dead"), [
    (500, 0, 500, 3), (501, 501, 501, 0), (-500, -500, 0, 3), (-501, -501, -501, 0),
])  # fmt: skip
def test_a_current_stands_within_a_two_hundredth_of_the_capacity(ma, low, high, dead) -> None:
    found = look(CrossCheckState(dead=3, dead_since_ms=T), ma=ma).state
    assert (found.low_ma, found.high_ma, found.dead) == (low, high, dead)


# --- A jump with its current, and against it --------------------------------------------------------------------


def with_current(ma: int, rest: int, **more: Any) -> CrossCheckState:
    """Give the memory after a drop during which four readings of the current add up to `4 * ma + rest`."""
    standing = {"low_ma": ma + rest, "high_ma": ma + rest}
    before = remembered(0, 0, 0, 0, ma, ma, ma, **{**standing, **more})
    return last(before, ma=ma + rest)


def test_a_drop_with_more_load_shows_that_the_current_lives() -> None:
    """From a hundredth of the capacity on; it clears what was counted."""
    counted = {"dead": 2, "dead_since_ms": T, "wrong": 3, "up": True}
    found = with_current(-1000, -1, **counted)
    assert (found.dead, found.wrong, found.up) == (0, 0, False)
    found = with_current(-1000, 0, **counted)
    assert (found.dead, found.wrong, found.up) == (2, 3, True)


def test_a_drop_with_more_charge_counts_against_the_sign() -> None:
    """From a twentieth of the capacity on, and only in turn with a rise."""
    counted = {"dead": 2, "dead_since_ms": T, "wrong": 3, "up": True}
    found = with_current(5000, 1, **counted)
    assert (found.dead, found.wrong, found.up) == (2, 4, False)
    found = with_current(5000, 0, **counted)
    assert (found.dead, found.wrong, found.up) == (2, 3, True)
    found = with_current(5000, 1, **{**counted, "up": False})
    assert (found.wrong, found.up) == (3, False)
    assert with_current(5000, 1, wrong=3).wrong == 4, "the first one has no turn"


def test_a_rise_with_more_load_counts_against_the_sign_as_well() -> None:
    before = remembered(0, 0, 0, 0, *(-5001,) * 3, drop_mv=-DROP_MV, low_ma=-5001, high_ma=-5001, up=False)
    found = last(before, PACK_MV + DROP_MV, -5001)
    assert (found.wrong, found.up) == (1, True)
    before = remembered(0, 0, 0, 0, *(5001,) * 3, drop_mv=-DROP_MV, low_ma=5001, high_ma=5001, wrong=2)
    found = last(before, PACK_MV + DROP_MV, 5001)
    assert (found.wrong, found.up) == (0, True)


# --- Readings that stand still ----------------------------------------------------------------------------------


def still(**more: Any) -> CrossCheckState:
    seen = believed(SETTINGS)
    return CrossCheckState(cells=seen.cell_mv, stack_mv=seen.stack_mv, **{"at_ms": T - 250, **more})


@pytest.mark.parametrize(
    "stirred",
    [{"cell_mv": (3300, 3301, 3300, 3300)}, {"stack_mv": 13_201}, {"cell_mv": (3300, None, 3300, 3300)}],
)
def test_any_other_reading_of_a_cell_or_the_stack_is_life(stirred) -> None:
    before = still(swings=3, edge_ma=-9000, flowed_mams=99)
    found = look(before, ma=7000, **stirred).state
    assert (found.swings, found.edge_ma, found.flowed_mams, found.at_ms) == (0, 7000, 0, T)
    assert found.cells == stirred.get("cell_mv", before.cells)
    assert found.stack_mv == stirred.get("stack_mv", before.stack_mv)


@pytest.mark.parametrize(("ma", "swings", "edge_ma"), [
    (11_000, 2, 1000), (11_001, 3, 11_001), (-9000, 2, 1000), (-9001, 3, -9001),
])  # fmt: skip
def test_a_swing_is_measured_from_where_the_last_one_ended(ma, swings, edge_ma) -> None:
    found = look(still(swings=2, edge_ma=1000), ma=ma).state
    assert (found.swings, found.edge_ma, found.at_ms) == (swings, edge_ma, T)


@pytest.mark.parametrize(("ma", "flows_ma"), [(2000, 0), (2001, 2001), (-2000, 0), (-2001, 2001), (0, 0)])
def test_charge_counts_in_both_directions_from_a_fiftieth_of_the_capacity_on(ma, flows_ma) -> None:
    assert look(still(flowed_mams=5), ma=ma).state.flowed_mams == 5 + flows_ma * 250
    assert look(still(flowed_mams=5, at_ms=None), ma=ma).state.flowed_mams == 5, (
        "no time is known to have passed"
    )


def test_a_tenth_of_the_capacity_past_readings_that_stand_still_is_proof() -> None:
    tenth = CAPACITY_MAH // 10 * HOUR_MS
    for flowed, swings, frozen in ((tenth, 1, 1), (tenth + 1, 1, 4), (tenth + 1, 5, 5)):
        seen = look(still(swings=swings, flowed_mams=flowed))
        assert seen.state.swings == frozen
        assert ("cells_frozen" in seen.findings) is (frozen >= 4)


# --- What is found ----------------------------------------------------------------------------------------------


def test_each_proof_is_told_from_its_number_on_and_by_itself() -> None:
    proofs: tuple[tuple[str, int, str, Finding], ...] = (
        ("dead", 4, "current_implausible", Finding(True, 7)),
        ("wrong", 6, "current_reversed", Finding(True)),
        ("swings", 4, "cells_frozen", Finding(True)),
    )
    for field, number, name, finding in proofs:
        before = still(recent=((PACK_MV, 3), (PACK_MV, 5)))
        assert look(before._replace(**{field: number}), ma=7).findings == {name: finding}
        assert look(before._replace(**{field: number - 1}), ma=7).findings == {}


@pytest.mark.parametrize("proof", [{"dead": 4}, {"wrong": 6}])
def test_what_is_told_is_counted_anew(proof) -> None:
    """S13: the alarm is latched, and a reset begins from nothing."""
    found = look(still(**{"dead": 1, "wrong": 1, "swings": 2, **proof})).state
    assert (found.dead, found.wrong, found.swings) == (0, 0, 2)
    found = look(still(dead=3, wrong=5, swings=2)).state
    assert (found.dead, found.wrong, found.swings) == (3, 5, 2)


@pytest.mark.parametrize("unknown", [{"mv": None}, {"ma": None}, {"stack_mv": None}])
def test_an_unknown_value_forgets_the_window_and_the_time_and_nothing_else(unknown) -> None:
    """S2: what was proved stays proved, and is told."""
    before = remembered(dead=4, dead_since_ms=T - 1, wrong=6, up=True, swings=4, edge_ma=9, flowed_mams=9)
    seen = look(before, **unknown)
    assert seen.state == before._replace(recent=(), at_ms=None)
    assert seen.findings == {
        "current_implausible": Finding(True, 0), "current_reversed": Finding(True), "cells_frozen": Finding(True),
    }  # fmt: skip
    again = look(seen.state, **unknown)
    assert again.findings["current_implausible"] == Finding(True, None)
