"""The charge counter, call by call: one count, one anchor, and what neither may forget (S2, S13)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import soc
from bmsd.core.soc import SocState, Tail, advance
from bmsd.core.types import Event
from bmsd.tables.chemistries import CHEMISTRIES
from tests.support.bench_inputs import believed, make_settings
from tests.support.changed import replace

PACK = make_settings()
WHOLE = PACK.capacity_mah * 3_600_000
T = 1_000_000
HELD_MV = 20
FULL_MV, EMPTY_MV = PACK.parameters.soc_full_mv, PACK.parameters.soc_empty_mv
FULL_MS, EMPTY_MS = PACK.parameters.soc_full_time_ms, PACK.parameters.soc_empty_time_ms
WHILE_MS = 5 * FULL_MS
TAIL_MA = PACK.capacity_mah * PACK.parameters.soc_full_tail_permille // 1000
BEFORE = SocState(
    charge_mams=WHOLE // 2,
    error_permille=50,
    moved_mams=7_000_000,
    full=False,
    empty=False,
    discharged_mams=9_000_000,
    full_charges=3,
    synchronised=True,
    last_ms=T - 1000,
)


def parts(state: SocState) -> dict[str, Any]:
    """Give what one count or one anchor is about."""
    names = ("charge_mams", "error_permille", "moved_mams", "full", "empty", "discharged_mams", "full_charges",
             "synchronised", "last_ms", "full_since_ms", "tail", "empty_since_ms")  # fmt: skip
    return {name: getattr(state, name) for name in names}


def counted(state: SocState = BEFORE, *, now_ms: int = T, charging: bool = True, **readings: Any) -> SocState:
    """Count one cycle in which nothing but these readings is out of the ordinary."""
    after, events = advance(PACK, state, believed(PACK, **readings), now_ms, charging=charging)
    assert events == ()
    return after


def anchored(state: SocState, *, charging: bool = True, **readings: Any) -> tuple[SocState, Event]:
    after, events = advance(PACK, state, believed(PACK, **readings), T, charging=charging)
    (event,) = events
    return after, event


def cells(mv: int) -> dict[str, Any]:
    return {"cell_mv": (mv,) * 4}


@pytest.mark.parametrize(("ma", "out_ma"), [(10_000, 0), (-10_000, 10_000), (0, 0)])
def test_a_second_of_current_moves_the_count_and_what_passed(ma, out_ma) -> None:
    assert parts(counted(current_ma=ma)) == parts(BEFORE) | {
        "charge_mams": WHOLE // 2 + ma * 1000,
        "moved_mams": 7_000_000 + 10_000 * 1000 * (ma != 0),
        "discharged_mams": 9_000_000 + out_ma * 1000,
        "last_ms": T,
    }


def test_an_unknown_current_moves_nothing_but_the_time() -> None:
    """S2."""
    assert parts(counted(current_ma=None)) == parts(BEFORE) | {"last_ms": T}


@pytest.mark.parametrize(
    ("gap_ms", "counted_ms"), [(5000, 5000), (5001, 5000), (3_600_000, 5000), (4999, 4999)]
)
def test_a_gap_is_counted_for_five_seconds_at_most(gap_ms, counted_ms) -> None:
    after = counted(replace(BEFORE, last_ms=T - gap_ms), current_ma=1)
    assert after.charge_mams == WHOLE // 2 + counted_ms


def test_a_first_count_has_no_time_behind_it() -> None:
    found = counted(replace(BEFORE, last_ms=None), current_ma=90_000)
    assert parts(found) == parts(BEFORE) | {"last_ms": T}


def test_a_count_ends_at_nothing_and_at_all() -> None:
    assert counted(replace(BEFORE, charge_mams=5), current_ma=-1).charge_mams == 0
    assert counted(replace(BEFORE, charge_mams=WHOLE - 5), current_ma=1).charge_mams == WHOLE
    assert soc.permille(PACK, replace(BEFORE, charge_mams=WHOLE - 1)) == 999
    assert soc.permille(PACK, replace(BEFORE, charge_mams=WHOLE)) == 1000


def test_an_anchor_holds_until_a_hundredth_has_moved_away_from_it() -> None:
    full = replace(BEFORE, charge_mams=WHOLE * 99 // 100 + 10, full=True)
    assert counted(full, current_ma=-1, now_ms=T - 990).full
    assert not counted(full, current_ma=-1, now_ms=T - 989).full
    empty = replace(BEFORE, charge_mams=WHOLE // 100 - 10, empty=True)
    assert counted(empty, current_ma=1, now_ms=T - 990).empty
    assert not counted(empty, current_ma=1, now_ms=T - 989).empty
    assert not counted(replace(full, full=False), current_ma=0).full
    assert not counted(replace(empty, empty=False), current_ma=0).empty


FULL: dict[str, Any] = {**cells(FULL_MV), "current_ma": 0}
EMPTY: dict[str, Any] = {**cells(EMPTY_MV), "current_ma": 0}


@pytest.mark.parametrize(
    "at_the_limit",
    [{}, {"current_ma": TAIL_MA - 1}, cells(PACK.parameters.cell_ovp_mv), {"cell_mv": (3300, FULL_MV, 3300, 3300)}],
    ids=str,
)  # fmt: skip
def test_one_cell_at_the_full_voltage_and_little_current_look_full(at_the_limit) -> None:
    assert counted(**{**FULL, **at_the_limit}).full_since_ms == T


@pytest.mark.parametrize(
    "beyond_the_limit",
    [{"current_ma": -1}, {"current_ma": TAIL_MA}, {"current_ma": None}, cells(FULL_MV - 1),
     cells(PACK.parameters.cell_ovp_mv + 1), {"cell_mv": (None, FULL_MV, FULL_MV, FULL_MV)}, {"charging": False}],
    ids=str,
)  # fmt: skip
def test_one_step_beyond_or_unknown_does_not_look_full_and_ends_the_time(beyond_the_limit) -> None:
    """S2."""
    before = replace(BEFORE, full_since_ms=T - 1000)
    assert counted(before, **{**FULL, **beyond_the_limit}).full_since_ms is None


@pytest.mark.parametrize(
    "at_the_limit",
    [{}, {"current_ma": 90_000}, {"current_ma": -90_000}, cells(PACK.parameters.cell_ovp_mv),
     {"cell_mv": (3300, FULL_MV, 3300, 3300)}],
    ids=str,
)  # fmt: skip
def test_with_one_cell_at_the_full_voltage_full_is_looked_for(at_the_limit) -> None:
    assert counted(**{**FULL, **at_the_limit}).tail == Tail(0, 0)


NOT_FULL = [
    {"current_ma": None}, cells(PACK.parameters.cell_ovp_mv + 1), {"cell_mv": (None, FULL_MV, FULL_MV, FULL_MV)},
    {"charging": False},
]  # fmt: skip


@pytest.mark.parametrize("beyond_the_limit", [*NOT_FULL, cells(FULL_MV - 1)], ids=str)
def test_one_step_beyond_or_unknown_it_is_not_looked_for(beyond_the_limit) -> None:
    """S2."""
    assert counted(**{**FULL, **beyond_the_limit}).tail is None


@pytest.mark.parametrize("beyond_the_limit", [*NOT_FULL, cells(FULL_MV - HELD_MV - 1)], ids=str)
def test_one_step_beyond_or_unknown_ends_a_stretch_that_has_begun(beyond_the_limit) -> None:
    """S2."""
    before = replace(BEFORE, tail=Tail(1000, 5))
    assert counted(before, **{**FULL, **beyond_the_limit}).tail is None


@pytest.mark.parametrize("mv", [FULL_MV - HELD_MV, PACK.parameters.cell_ovp_mv])
@pytest.mark.parametrize("ma", [-7, 0, 90_000])
def test_a_highest_cell_that_dips_a_little_goes_on_with_it(mv, ma) -> None:
    """Whatever the current: what counts is how much was taken in all."""
    before = replace(BEFORE, tail=Tail(1000, 5))
    assert counted(before, **cells(mv), current_ma=ma).tail == Tail(2000, 5 + 1000 * ma)


def test_a_gap_in_a_stretch_is_five_seconds_at_most() -> None:
    """Nobody knows what was taken in it, so it is no time either."""
    before = replace(BEFORE, last_ms=T - 3_600_000, tail=Tail(WHILE_MS - 5001, 0))
    assert counted(before, **FULL).tail == Tail(WHILE_MS - 1, 0)


@pytest.mark.parametrize("counted_ms", [WHILE_MS, WHILE_MS + 1])
def test_a_stretch_that_is_over_makes_room_for_the_next(counted_ms) -> None:
    before = replace(BEFORE, tail=Tail(counted_ms, -1))
    assert counted(before, **FULL).tail == Tail(0, 0)
    assert counted(before, **cells(FULL_MV - 1), current_ma=0).tail is None


@pytest.mark.parametrize(("taken_mams", "is_full"), [
    (-1, False), (0, True), (TAIL_MA * WHILE_MS - 1, True), (TAIL_MA * WHILE_MS, False),
])  # fmt: skip
def test_full_is_who_took_less_than_the_tail_on_average(taken_mams, is_full) -> None:
    """An inverter that works in coarse steps gives its whole current now and then, and takes it back."""
    ma = 60_000
    before = replace(BEFORE, tail=Tail(WHILE_MS - 1000, taken_mams - ma * 1000))
    after, events = advance(PACK, before, believed(PACK, **cells(FULL_MV - HELD_MV), current_ma=ma), T)
    assert after.full is is_full
    assert len(events) == is_full
    assert after.tail == Tail(WHILE_MS, taken_mams)


def test_little_on_average_is_not_enough_before_its_time() -> None:
    """A cell that is driven takes little over two minutes now and then, far from full."""
    before = replace(BEFORE, tail=Tail(WHILE_MS - 1001, 0))
    assert not counted(before, **cells(FULL_MV - HELD_MV), current_ma=0).full


@pytest.mark.parametrize(
    "at_the_limit",
    [{}, {"current_ma": -49_999}, {"battery_decic": (50, 60)}, {"cell_mv": (3300, EMPTY_MV, 3300, 3300)}],
    ids=str,
)  # fmt: skip
def test_one_cell_at_the_empty_voltage_looks_empty(at_the_limit) -> None:
    assert counted(**{**EMPTY, **at_the_limit}).empty_since_ms == T


@pytest.mark.parametrize(
    "beyond_the_limit",
    [{"current_ma": 1}, {"current_ma": -50_000}, {"current_ma": None}, cells(EMPTY_MV + 1),
     {"battery_decic": (49, 60)}, {"battery_decic": (None, 60)}, {"cell_mv": (None, *(EMPTY_MV,) * 3)}],
    ids=str,
)  # fmt: skip
def test_one_step_beyond_or_unknown_does_not_look_empty_and_ends_the_time(beyond_the_limit) -> None:
    """S2: cold cells sag without being empty."""
    before = replace(BEFORE, empty_since_ms=T - 1000)
    assert counted(before, **{**EMPTY, **beyond_the_limit}).empty_since_ms is None


def test_a_full_pack_is_counted_anew_after_its_time() -> None:
    before = replace(BEFORE, empty=True, last_ms=None, full_since_ms=T - FULL_MS, synchronised=False)
    after, event = anchored(before, **FULL)
    assert event == Event(at_ms=T, kind="soc", name="full", state="anchored", value=1000, limit=500)
    assert parts(after) == parts(before) | {
        "charge_mams": WHOLE, "error_permille": 5, "moved_mams": 0, "full": True, "empty": False,
        "full_charges": 4, "synchronised": True, "last_ms": T, "tail": Tail(0, 0),
    }  # fmt: skip
    early = replace(before, full_since_ms=T - FULL_MS + 1)
    assert counted(early, **FULL).charge_mams == WHOLE // 2


def test_an_empty_pack_is_counted_anew_after_its_time() -> None:
    before = replace(BEFORE, full=True, last_ms=None, empty_since_ms=T - EMPTY_MS, synchronised=False)
    after, event = anchored(before, **EMPTY)
    assert event == Event(at_ms=T, kind="soc", name="empty", state="anchored", value=0)
    assert parts(after) == parts(before) | {
        "charge_mams": 0, "error_permille": 10, "moved_mams": 0, "full": False, "empty": True,
        "synchronised": True, "last_ms": T,
    }  # fmt: skip
    early = replace(before, empty_since_ms=T - EMPTY_MS + 1)
    assert counted(early, **EMPTY).charge_mams == WHOLE // 2


def test_an_anchor_that_holds_is_not_taken_again() -> None:
    full = replace(
        BEFORE, charge_mams=WHOLE, full=True, full_since_ms=T - 2 * FULL_MS, tail=Tail(WHILE_MS - 1000, 0)
    )
    assert counted(full, **FULL).full_charges == 3
    empty = replace(BEFORE, charge_mams=0, empty=True, empty_since_ms=T - 2 * EMPTY_MS)
    assert counted(empty, **EMPTY).moved_mams == BEFORE.moved_mams


@pytest.mark.parametrize(("cell_mv", "error"), [(3199, 80), (3300, 250), (None, 250)])
def test_a_first_guess_says_how_unsure_it_is(cell_mv, error) -> None:
    found = soc.first(PACK, cell_mv)
    assert soc.error_permille(PACK, found) == error
    assert found.charge_mams == WHOLE * (117 if cell_mv == 3199 else 500) // 1000
    assert (found.full, found.empty, found.synchronised) == (False, False, False)
    assert (found.moved_mams, found.discharged_mams, found.full_charges) == (0, 0, 0)
    assert found.last_ms is found.full_since_ms is found.tail is found.empty_since_ms is None


@pytest.mark.parametrize("name", CHEMISTRIES)
def test_a_rested_cell_at_a_point_of_its_curve_reads_just_that(name) -> None:
    """And no less than the least or more than the most beyond its ends."""
    chemistry = CHEMISTRIES[name]
    table = chemistry.rested_soc
    for mv, permille in table:
        flat = chemistry.flat_low_mv <= mv <= chemistry.flat_high_mv
        assert soc.rested(chemistry, mv) == (None if flat else permille)
    assert soc.rested(chemistry, table[0][0] - 1) == table[0][1]
    assert soc.rested(chemistry, table[-1][0] + 1) == table[-1][1]


def test_a_count_is_shown_as_it_is_between_the_ends() -> None:
    assert soc.shown_permille(PACK, BEFORE, 3300) == 500
    almost = replace(BEFORE, charge_mams=WHOLE)
    assert soc.shown_permille(PACK, almost, 3300) == 990
    assert soc.shown_permille(PACK, replace(almost, full=True), 3300) == 1000
    nothing = replace(BEFORE, charge_mams=0)
    assert [soc.shown_permille(PACK, nothing, mv) for mv in (EMPTY_MV, EMPTY_MV + 1, None)] == [0, 10, 0]


def test_the_error_grows_by_five_parts_of_a_thousand_moved_and_is_never_more_than_all() -> None:
    def error(moved: int, at_anchor: int = 50) -> int:
        return soc.error_permille(PACK, replace(BEFORE, error_permille=at_anchor, moved_mams=moved))

    assert [error(moved) for moved in (0, WHOLE - 1, WHOLE, 2 * WHOLE)] == [50, 54, 55, 60]
    assert error(0, 1000) == error(WHOLE, 999) == error(WHOLE, 998) == 1000
