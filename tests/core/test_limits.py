"""What the inverter is told, cycle by cycle: permissions, falls and rises, the charge voltage and the highest cell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.core import derating, limits
from bmsd.core.charging import Charging, Phase
from bmsd.core.limits import LimitInputs, Limits, LimitState
from bmsd.core.plausible import Values
from bmsd.core.rate_limit import RateLimit, RateLimited, follow
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.types import Request
from tests.support import bench_inputs
from tests.support.bench_inputs import Pack, make_settings
from tests.support.changed import replace

EIGHT = make_settings(cells=8)
BRISK = make_settings(
    cells=8, chosen={"limit_hold_voltage_ms": 0, "limit_rise_permille": 10_000, "limit_rise_mv": 8000}
)
WHOLE = EIGHT.capacity_mah * MAMS_PER_MAH
CCL_MA, DCL_MA = 90_000, 135_000
CVL_MV, DVL_MV = 27_600, 24_000


def believed(cells: list[int | None], battery: tuple[int | None, ...] = (250, 250)) -> Values:
    return bench_inputs.believed(EIGHT, cell_mv=tuple(cells), stack_mv=None, battery_decic=battery)


class LimitsOverTime:
    """Limits over time: ask, and see what is told."""

    def __init__(self, settings=EIGHT) -> None:
        self.settings = settings
        self.state: LimitState | None = None
        self.now_ms = 0
        self.permille = 500

    def at(
        self, now_ms: int, cells: list[int | None] | None = None, *, charge=True, discharge=True, **more: Any
    ) -> Limits:
        battery = more.get("battery", (250, 250))
        counter = SocState(
            charge_mams=WHOLE * self.permille // 1000, error_permille=5, full=more.get("full", False)
        )
        held = more.get("held", False)
        asked = LimitInputs(
            values=believed(cells or [3300] * 8, battery),
            counter=counter,
            charge_allowed=charge,
            discharge_allowed=discharge,
            closed=True,
            held=held,
        )
        self.state, told = limits.advance(self.settings, self.state, asked, now_ms)
        self.now_ms = now_ms
        return told

    def next(self, cells: list[int | None] | None = None, after_ms: int = 250, **more: Any) -> Limits:
        return self.at(self.now_ms + after_ms, cells, **more)

    def settled(self) -> LimitsOverTime:
        """Give limits that have risen to the largest."""
        self.at(0, charge=False, discharge=False)
        self.at(10_000)
        return self


def test_in_the_middle_all_limits_are_the_configured_ones() -> None:
    told = LimitsOverTime().settled().next()
    assert told == Limits(
        charge_mv=CVL_MV,
        charge_ma=CCL_MA,
        discharge_ma=DCL_MA,
        discharge_mv=DVL_MV,
        charge_capability_ma=CCL_MA,
        charge_reason="",
        discharge_reason="",
    )


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_without_permission_a_current_is_zero_at_once_and_the_other_one_stays(name) -> None:
    """S7."""
    told = LimitsOverTime().settled().next(**{name: False})
    other = "discharge" if name == "charge" else "charge"
    assert (getattr(told, f"{name}_ma"), getattr(told, f"{name}_reason")) == (0, "forbidden")
    assert getattr(told, f"{other}_ma") == (DCL_MA if name == "charge" else CCL_MA)


@pytest.mark.parametrize("lost", [{"cells": [3300] * 7 + [None]}, {"battery": (None, 250)}])
@pytest.mark.parametrize("allowed", [True, False])
def test_with_anything_unknown_the_currents_are_zero_at_once(lost, allowed) -> None:
    """S2, S7: whatever the permission says."""
    told = LimitsOverTime().settled().next(charge=allowed, discharge=allowed, **lost)
    assert (told.charge_ma, told.discharge_ma) == (0, 0)
    assert told.charge_reason == told.discharge_reason == "unknown"


def test_a_permission_that_returns_begins_at_little() -> None:
    """A tenth of the largest per second, and no hold: what forbade it had a recovery of its own."""
    pack = LimitsOverTime()
    pack.at(0, charge=False, discharge=False)
    first = pack.at(250)
    assert (first.charge_ma, first.discharge_ma) == (2250, 3375)
    assert first.charge_reason == first.discharge_reason == "recovering"
    assert pack.at(9999).charge_ma < CCL_MA
    assert pack.at(10_000) == Limits(
        charge_mv=CVL_MV,
        charge_ma=CCL_MA,
        discharge_ma=DCL_MA,
        discharge_mv=DVL_MV,
        charge_capability_ma=CCL_MA,
        charge_reason="",
        discharge_reason="",
    )


def test_a_fall_is_told_in_its_cycle_and_taken_back_slowly() -> None:
    pack = LimitsOverTime().settled()
    fallen = pack.next([3300] * 7 + [3515])
    assert (fallen.charge_ma, fallen.charge_reason) == (45_000, "cell")
    held = pack.next(after_ms=30_000)
    assert (held.charge_ma, held.charge_reason) == (45_000, "recovering")
    assert pack.next(after_ms=1000).charge_ma == 54_000
    assert pack.next(after_ms=4000).charge_ma == CCL_MA
    assert pack.next().charge_reason == ""


def test_a_load_that_sags_a_cell_lowers_the_discharge_current_likewise() -> None:
    pack = LimitsOverTime().settled()
    assert pack.next([3300] * 7 + [2800]).discharge_ma == 59_940
    assert pack.next(after_ms=30_000).discharge_ma == 59_940


@pytest.mark.parametrize(("react_ms", "step_ma"), [(1000, 13_500), (10_000, 1350), (120_000, 135)])
def test_after_a_sag_discharge_current_rises_slower_than_an_inverter_is_late(react_ms, step_ma) -> None:
    """It rises in ten times the time that the inverter has, and never faster than configured."""
    pack = LimitsOverTime(make_settings(cells=8, chosen={"limit_react_ms": react_ms})).settled()
    low = pack.next([2900] * 8)
    assert low.discharge_reason == "pack"
    pack.next(after_ms=30_000)
    assert pack.next(after_ms=1000).discharge_ma == low.discharge_ma + step_ma
    # Ten minutes later nobody remembers.
    pack = LimitsOverTime(
        make_settings(cells=8, chosen={"limit_react_ms": react_ms, "limit_hold_ms": 600_000})
    ).settled()
    pack.next([3300] * 7 + [2800])
    assert pack.next(after_ms=599_000).discharge_ma == 59_940
    pack.next(after_ms=1000)
    assert pack.next(after_ms=1000).discharge_ma == 59_940 + 13_500


@pytest.mark.parametrize(
    ("since_ms", "rises_ma"), [(None, 13_500), (1, 1350), (599_999, 1350), (600_000, 13_500)]
)
def test_a_sag_is_remembered_for_ten_minutes(since_ms, rises_ma) -> None:
    """What discharge current rises in the first second after it was zero."""
    pack, now_ms = LimitsOverTime().settled(), 10_000_000
    assert pack.state is not None
    sagged_ms = None if since_ms is None else now_ms - since_ms
    pack.state = replace(pack.state, discharge_ma=RateLimited(0, 0, now_ms - 1000), sagged_ms=sagged_ms)
    assert pack.at(now_ms).discharge_ma == rises_ma


def test_what_nobody_says_is_not_held_back_and_asks_for_no_heat() -> None:
    asked = LimitInputs(
        values=believed([3300] * 8),
        counter=SocState(charge_mams=WHOLE // 2, error_permille=5),
        charge_allowed=True,
        discharge_allowed=True,
        closed=True,
    )
    told = limits.advance(EIGHT, LimitsOverTime().settled().state, asked, 10_250)[1]
    assert (told.discharge_ma, told.discharge_reason, told.heat_ma) == (DCL_MA, "", 0)


def test_charge_current_knows_no_such_wariness() -> None:
    pack = LimitsOverTime().settled()
    pack.next([2900] * 7 + [3515])
    pack.next(after_ms=30_000)
    assert pack.next(after_ms=1000).charge_ma == 54_000


def test_discharge_that_is_held_back_is_none_and_charge_stays() -> None:
    pack = LimitsOverTime().settled()
    told = pack.next(held=True)
    assert (told.discharge_ma, told.discharge_reason, told.charge_ma) == (0, "reserve", CCL_MA)
    assert pack.next([3300] * 7 + [None], held=True).discharge_reason == "unknown"
    assert pack.next(held=True, discharge=False).discharge_reason == "forbidden"


def test_more_cells_in_the_cold_give_less() -> None:
    told = LimitsOverTime().settled().next(battery=(50, 250))
    assert (told.charge_ma, told.charge_reason, told.discharge_ma) == (49_500, "cold", DCL_MA)


def test_what_is_less_than_a_milliampere_is_rounded_down() -> None:
    small = make_settings(cells=8, chosen={"charge_max_ma": 1001})
    pack = LimitsOverTime(small).settled()
    assert pack.next([3300] * 7 + [3515]).charge_ma == 500


# --- The charge voltage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "mv"),
    [
        ([3450] * 8, CVL_MV),
        ([3300] * 7 + [3420], CVL_MV),
        # 21 mV of 30 from where it begins; 121 mV ahead, of which 10 are healthy, in each of the others.
        ([3320] * 7 + [3441], CVL_MV - ((7 * 121 - 80) * 21 // 30)),
        ([3440] * 7 + [3450], CVL_MV),
        ([3438] * 7 + [3450], CVL_MV - 4),
        # At its charge voltage the pack is to stay where it is, but for what is healthy.
        ([3350] * 7 + [3450], 7 * 3350 + 3450 + 80),
        # Above it gives back what stands above, and is never told less than that.
        ([3350] * 7 + [3470], 7 * 3350 + 3450),
        ([3350] * 6 + [3460, 3480], 6 * 3350 + 2 * 3450),
        ([3460] * 8, CVL_MV - 80),
        ([3470] * 7 + [3451], CVL_MV - 7 * 20 - 1),
    ],
)
def test_the_charge_voltage_goes_down_for_a_cell_that_is_ahead(cells, mv) -> None:
    assert LimitsOverTime().settled().next(cells).charge_mv == mv


def test_the_charge_voltage_rises_slowly() -> None:
    """After a hold, 4 mV per cell and minute."""
    pack = LimitsOverTime().settled()
    assert pack.next([3350] * 7 + [3470]).charge_mv == 26_900
    assert pack.next(after_ms=300_000).charge_mv == 26_900
    assert pack.next(after_ms=60_000).charge_mv == 26_932
    assert pack.next(after_ms=22 * 60_000).charge_mv == CVL_MV


def test_after_a_wrong_reading_the_charge_voltage_is_back_near_its_place_when_the_hold_is_over() -> None:
    """S15: a cell that read 5 V lowered it by half; at 4 mV a minute the charge would have waited for hours."""
    pack = LimitsOverTime().settled()
    low_mv = pack.next([3000] * 7 + [4999]).charge_mv
    assert low_mv < CVL_MV - 8 * 200
    assert pack.next(after_ms=299_999).charge_mv == low_mv
    assert pack.next(after_ms=1).charge_mv == CVL_MV - 8 * 200
    assert pack.next(after_ms=60_000).charge_mv == CVL_MV - 8 * 200 + 32
    assert pack.next(after_ms=60_000).charge_mv == CVL_MV - 8 * 200 + 64


@pytest.mark.parametrize(("below_mv", "begins_mv"), [(1600, 1600), (1601, 1600), (1599, 1599)])
def test_no_further_below_than_200_mv_a_cell_does_it_begin_to_rise(below_mv, begins_mv) -> None:
    pace = RateLimit(hold_ms=0, amount=32, time_ms=60_000, furthest=1600)
    found = follow(RateLimited(CVL_MV - below_mv, CVL_MV - below_mv, 1000), CVL_MV, 1000, pace)
    assert CVL_MV - found.value == begins_mv
    assert CVL_MV - follow(found, CVL_MV, 61_000, pace).value == begins_mv - 32


def test_with_a_cell_unknown_the_charge_voltage_does_not_rise_and_still_falls() -> None:
    """S2: the cells that are known lower it, the one that is not gives nothing back."""
    pack = LimitsOverTime(BRISK).settled()
    low = pack.next([3350] * 7 + [3470]).charge_mv
    assert pack.next([3300] * 7 + [None], after_ms=600_000).charge_mv == low
    assert pack.next([None] * 8, after_ms=600_000).charge_mv == low
    assert pack.next(after_ms=600_000).charge_mv == CVL_MV
    assert pack.next([3300] * 6 + [3470, None]).charge_mv == CVL_MV - 20
    assert LimitsOverTime().at(0, [None] * 8).charge_mv == CVL_MV


def test_it_follows_the_phase_and_rest_leaves_little_current() -> None:
    pack = LimitsOverTime()
    pack.permille = 1000
    told = pack.at(0, charge=False, full=True)
    assert told.charge_mv == CVL_MV
    assert pack.state is not None
    assert pack.state.charging.phase is Phase.REST
    pack.at(60_000, full=True)
    told = pack.at(120_000, full=True)
    assert (told.charge_mv, told.charge_ma, told.charge_reason) == (CVL_MV - 64, 4500, "resting")
    assert told.charge_capability_ma == CCL_MA
    assert pack.at(3_600_000, full=True).charge_mv == CVL_MV - 600
    pack.permille = 940
    assert pack.at(3_600_250).charge_mv == CVL_MV - 600 + 1
    assert pack.at(3_660_250).charge_mv == CVL_MV - 600 + 33


def test_who_takes_more_than_a_pack_at_rest_asks_for_is_held_to_what_the_pack_bears() -> None:
    """A wish is no limit: an inverter that goes by the voltage alone is cut off for neither rest nor its slow end."""
    pack = LimitsOverTime()
    pack.permille = 1000
    pack.at(0, full=True)
    told = pack.at(60_000, [3300] * 7 + [3515], full=True)
    assert (told.charge_ma, told.charge_capability_ma) == (4500, 45_000)
    told = pack.next([3300] * 7 + [3578], full=True)
    assert told.charge_ma == told.charge_capability_ma == 1350
    pack.at(3_600_000, full=True)
    pack.permille = 940
    told = pack.next()
    assert (told.charge_ma, told.charge_reason, told.charge_capability_ma) == (6750, "recovering", CCL_MA)
    assert pack.next(charge=False).charge_capability_ma == 0
    assert pack.next([None] * 8).charge_capability_ma == 0


def test_in_float_and_rest_a_voltage_that_goes_down_needs_no_hold() -> None:
    pack = LimitsOverTime()
    pack.permille = 1000
    pack.at(0, full=True)
    assert pack.at(60_000, full=True).charge_mv == CVL_MV - 32
    pack.permille = 940
    pack.at(60_250)
    assert pack.at(120_250).charge_mv == CVL_MV


def test_a_cell_that_lowers_the_charge_voltage_at_rest_holds_it_there() -> None:
    """An inverter that lets a full pack down to this voltage meets one that waits; without a hold both swing."""
    pack = LimitsOverTime()
    pack.permille = 1000
    pack.at(0, full=True)
    assert pack.at(3_600_000, full=True).charge_mv == CVL_MV - 600
    low_mv = pack.next([3300] * 7 + [3450], full=True).charge_mv
    assert low_mv == 7 * 3300 + 3450 + 80
    assert pack.next(after_ms=300_000, full=True).charge_mv == low_mv
    assert pack.next(after_ms=60_000, full=True).charge_mv == low_mv + 32


def test_the_lowest_voltage_is_held_at_rest_as_ever() -> None:
    pack = LimitsOverTime()
    pack.permille = 1000
    pack.at(0, full=True)
    assert pack.next([3300] * 7 + [2700], full=True).discharge_mv == 25_800
    assert pack.next(after_ms=300_000, full=True).discharge_mv == 25_800
    assert pack.next(after_ms=60_000, full=True).discharge_mv == 25_768


def test_a_charge_that_ends_leaves_the_charge_voltage_where_it_was_told() -> None:
    pack = LimitsOverTime().settled()
    assert pack.state is not None
    pack.state = replace(
        pack.state, charging=Charging(Phase.ABSORPTION, absorbed_ms=7_200_000, last_ms=10_000)
    )
    pack.permille = 1000
    told = pack.next()
    assert pack.state.charging.phase is Phase.REST
    assert told.charge_mv == CVL_MV


def test_a_rise_is_exact_over_minutes() -> None:
    """1875 ms for each millivolt of 8 cells."""
    pack = LimitsOverTime().settled()
    low_mv = pack.next([3350] * 7 + [3470]).charge_mv
    pack.next(after_ms=300_000)
    assert pack.next(after_ms=187_501).charge_mv == low_mv + 101


def test_what_was_unknown_and_is_known_again_rises_without_a_hold() -> None:
    pack = LimitsOverTime().settled()
    assert pack.next(battery=(None, 250)).charge_ma == 0
    assert pack.next(after_ms=1000).charge_ma == 9000


def test_the_state_of_charge_is_the_counters() -> None:
    pack = LimitsOverTime(make_settings(cells=8, chosen={"charge_soc_taper_permille": 100})).settled()
    pack.permille = 950
    assert pack.next().charge_ma == 49_500
    asked = LimitInputs(
        values=believed([3300] * 8), counter=None, charge_allowed=True, discharge_allowed=True, closed=True
    )
    told = limits.advance(pack.settings, pack.state, asked, pack.now_ms + 250)[1]
    assert (told.charge_ma, told.charge_reason) == (0, "unknown")


def test_the_first_cycle_allows_nothing() -> None:
    told = LimitsOverTime().at(0)
    assert (told.charge_ma, told.discharge_ma) == (0, 0)


# --- The lowest voltage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "mv"),
    [
        ([3300] * 7 + [2862], 7 * 3300 + 2862 - 8 * 162),
        ([3000] * 7 + [2862], DVL_MV),
        ([3300] * 7 + [2710], 7 * 3300 + 2710 - 80),
        ([3300] * 7 + [2700], 7 * 3300 + 2700),
        ([3300] * 7 + [2600], 7 * 3300 + 2600),
        ([2700] * 8, DVL_MV),
        ([3300] * 7 + [None], DVL_MV),
    ],
)
def test_the_lowest_voltage_comes_up_to_a_pack_with_one_cell_near_empty(cells, mv) -> None:
    """The inverter stops by itself before the contactor has to."""
    assert LimitsOverTime().settled().next(cells).discharge_mv == max(mv, DVL_MV)


def test_the_lowest_voltage_goes_down_again_slowly_and_never_for_an_unknown_cell() -> None:
    pack = LimitsOverTime().settled()
    assert pack.next([3300] * 7 + [2700]).discharge_mv == 25_800
    assert pack.next(after_ms=300_000).discharge_mv == 25_800
    assert pack.next(after_ms=60_000).discharge_mv == 25_768
    assert pack.next([3300] * 7 + [None], after_ms=600_000).discharge_mv == 25_768


# --- Whatever comes ---------------------------------------------------------------------------------------------

cell = st.one_of(st.none(), st.integers(2500, 3700), st.integers(3405, 3470))
moments = st.lists(
    st.tuples(
        st.integers(100, 60_000),
        st.lists(cell, min_size=8, max_size=8),
        st.tuples(st.one_of(st.none(), st.integers(-210, 610)), st.integers(-210, 610)),
        st.booleans(),
        st.booleans(),
        st.integers(0, 1000),
    ),
    min_size=1,
    max_size=25,
)


@hypothesis_settings(deadline=None)
@given(moments)
def test_limits_keep_their_promises_over_any_life(life) -> None:
    """S7: never above the configured, zero exactly where forbidden, unknown or at a limit, down at once, up in time."""
    pack = LimitsOverTime()
    pack.at(0, charge=False, discharge=False)
    was = Limits(charge_mv=CVL_MV, charge_ma=0, discharge_ma=0, discharge_mv=DVL_MV, charge_capability_ma=0)
    for after_ms, cells, battery, charge, discharge, pack.permille in life:
        told = pack.next(cells, after_ms, battery=battery, charge=charge, discharge=discharge)
        values = believed(cells, battery)
        known = None not in cells and None not in battery
        assert 0 <= told.charge_ma <= CCL_MA
        assert 0 <= told.discharge_ma <= DCL_MA
        assert told.charge_mv <= CVL_MV
        assert told.discharge_mv >= DVL_MV
        may_charge = derating.charge(EIGHT, values, pack.permille).permille > 0
        may_discharge = derating.discharge(EIGHT, values, pack.permille).permille > 0
        assert (told.charge_ma > 0) is (charge and known and may_charge)
        assert (told.discharge_ma > 0) is (discharge and known and may_discharge)
        assert told.charge_ma - was.charge_ma <= CCL_MA * after_ms // 10_000 + 1
        assert told.discharge_ma - was.discharge_ma <= DCL_MA * after_ms // 10_000 + 1
        assert told.charge_mv - was.charge_mv <= 32 * after_ms // 60_000 + 1
        assert was.discharge_mv - told.discharge_mv <= 32 * after_ms // 60_000 + 1
        if values.pack_mv.value is not None:
            assert told.discharge_mv <= max(DVL_MV, values.pack_mv.value, was.discharge_mv)
        was = told


@hypothesis_settings(deadline=None)
@given(st.lists(st.integers(3200, 3600), min_size=8, max_size=8), st.integers(0, 7), st.integers(0, 100))
def test_a_cell_that_stands_higher_never_raises_a_limit(cells, which, more) -> None:
    """Monotone: what makes one cell higher, and with it the pack, gives no charger more, if it is the highest."""
    cells[which] = max(cells)
    higher = list(cells)
    higher[which] += more
    one, other = LimitsOverTime().settled().next(cells), LimitsOverTime().settled().next(higher)
    assert other.charge_ma <= one.charge_ma
    assert other.charge_mv <= one.charge_mv


# --- On the whole core ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_an_operators_no_is_a_reason_and_zero_in_the_same_cycle(name) -> None:
    pack = Pack().started()
    out = pack.cycle(Request("switch", name, False))
    assert getattr(out.limits, f"{name}_ma") == 0
    assert getattr(out.limits, f"{name}_reason") == "forbidden"


def test_a_pack_that_was_not_full_for_a_month_asks_and_leaves_its_rest() -> None:
    pack = Pack(make_settings(chosen={"full_charge_after_h": 1, "full_charge_permille": 990})).started()
    assert not pack.state.full_charge
    counter = SocState(
        charge_mams=pack.settings.capacity_mah * MAMS_PER_MAH * 98 // 100,
        error_permille=5,
        full=True,
        unfilled_ms=3_599_000,
    )
    pack.state = limits_at_rest(pack, counter)
    pack.run(500)
    assert not pack.state.full_charge
    pack.run(1000)
    assert pack.state.full_charge
    assert pack.state.limiting is not None
    assert pack.state.limiting.charging.phase is Phase.BULK


def test_a_pack_that_asks_by_force_leaves_its_rest() -> None:
    pack = Pack().started()
    counter = SocState(
        charge_mams=pack.settings.capacity_mah * MAMS_PER_MAH * 98 // 100, error_permille=5, full=True
    )
    pack.state = limits_at_rest(pack, counter)
    pack.cycle()
    assert pack.state.limiting.charging.phase is Phase.REST
    pack.state = replace(pack.state, force_charge=True)
    pack.cycle()
    assert pack.state.limiting.charging.phase is Phase.BULK


def limits_at_rest(pack: Pack, counter: SocState) -> Any:
    assert pack.state.limiting is not None
    resting = replace(pack.state.limiting.charging, phase=Phase.REST)
    limiting = replace(pack.state.limiting, charging=resting)
    return replace(pack.state, soc=replace(counter, last_ms=pack.now_ms), limiting=limiting)
