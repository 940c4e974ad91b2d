"""What is believed: impossible readings, ages, extremes with unknowns, and cells that are frozen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.core.plausible import HeldReadings, validate
from bmsd.core.types import ChipFault, Measurement
from tests.support.bench_inputs import Pack, make_parameters, make_settings

P = make_parameters()
maybe = st.one_of(st.none(), st.integers(-1000, 10_000))


def measured(cells, battery=(250, 250), switch=300, current=0, stack=13_200) -> Measurement:
    return Measurement(
        cell_mv=tuple(cells),
        stack_mv=stack,
        charger_mv=0,
        load_mv=0,
        current_ma=current,
        battery_decic=tuple(battery),
        switch_decic=switch,
        faults=ChipFault.NONE,
    )


def once(cells, **more):
    return validate(HeldReadings(), measured(cells, **more), 0, P)[0]


@pytest.mark.parametrize("mv", [300, 5000])
def test_a_cell_at_the_end_of_the_range_is_believed(mv) -> None:
    assert once([3300, mv, 3300, 3300]).cell_mv[1] == mv


@pytest.mark.parametrize("mv", [-1, 0, 299, 5001, 9000, None])
def test_a_cell_at_0_v_or_9_v_is_a_broken_lead_and_no_cell(mv) -> None:
    """S2: unknown, not low and not high."""
    found = once([3300, mv, 3302, 3301])
    assert found.cell_mv[1] is None
    assert (found.cell_min.value, found.cell_max.value) == (3300, 3302)
    assert not found.cell_min.complete
    assert not found.cell_max.complete
    assert not found.cell_spread.complete
    assert found.pack_mv.value is None
    assert found.stack_mismatch.value is None


@pytest.mark.parametrize("decic", [-400, 1200])
def test_a_sensor_at_the_end_of_the_range_is_believed(decic) -> None:
    assert once([3300] * 4, battery=(decic, 250)).battery_decic[0] == decic
    assert once([3300] * 4, switch=decic).switch_decic.value == decic


@pytest.mark.parametrize("decic", [-2731, -401, 1201, 5000, None])
def test_an_open_or_shorted_sensor_is_unknown_and_not_cold(decic) -> None:
    """S2: an open NTC reads very cold, a shorted one very hot; neither is a temperature."""
    found = once([3300] * 4, battery=(decic, 250), switch=decic)
    assert found.battery_decic[0] is None
    assert found.battery_min.value == 250
    assert not found.battery_min.complete
    assert not found.battery_max.complete
    assert found.switch_decic.value is None


def test_a_value_is_believed_up_to_its_greatest_age() -> None:
    """S1: older than the greatest age is unknown."""
    _, held = validate(HeldReadings(), measured([3300] * 4), 0, P)
    at_limit, _ = validate(held, None, 1000, P)
    assert at_limit.cell_mv == (3300,) * 4
    assert at_limit.cell_max.complete
    assert at_limit.current_ma == 0
    beyond, _ = validate(held, None, 1001, P)
    assert beyond.cell_mv == (None,) * 4
    assert beyond.battery_decic == (None, None)
    assert beyond.cell_max == beyond.battery_min == (None, False, None)
    assert beyond.current_ma is beyond.switch_decic.value is beyond.pack_mv.value is None
    assert beyond.charger_mv is beyond.load_mv is None


def test_each_value_has_its_own_age() -> None:
    """One sensor that is lost does not grow younger with the others."""
    _, held = validate(HeldReadings(), measured([3300] * 4), 0, P)
    for now_ms in (500, 1000):
        _, held = validate(held, measured([3300, None, 3300, 3300], (None, 250)), now_ms, P)
    found, _ = validate(held, measured([3310, None, 3310, 3310], (None, 250)), 1001, P)
    assert found.cell_mv == (3310, None, 3310, 3310)
    assert found.battery_decic == (None, 250)


def test_the_sign_of_the_current_says_which_way() -> None:
    assert once([3300] * 4, current=7).charge_ma.value == 7
    assert once([3300] * 4, current=7).discharge_ma.value == 0
    assert once([3300] * 4, current=-7).discharge_ma.value == 7
    assert once([3300] * 4, current=None).charge_ma.value is None


@hypothesis_settings(deadline=None)
@given(st.lists(maybe, min_size=4, max_size=4), st.lists(maybe, min_size=2, max_size=2), maybe, maybe, maybe)
def test_an_extreme_is_complete_only_with_all_its_values(cells, battery, switch, current, stack) -> None:
    """S2: with anything unknown anywhere."""
    found = once(cells, battery=battery, switch=switch, current=current, stack=stack)
    good = [mv is not None and 300 <= mv <= 5000 for mv in cells]
    warm = [t is not None and -400 <= t <= 1200 for t in battery]
    assert found.cell_max.complete is found.cell_min.complete is found.cell_spread.complete is all(good)
    assert found.battery_max.complete is found.battery_min.complete is all(warm)
    assert (found.pack_mv.value is not None) is all(good)
    assert (found.stack_mismatch.value is not None) is (all(good) and stack is not None)
    if any(good):
        known = [mv for mv, fine in zip(cells, good, strict=True) if fine]
        assert (found.cell_min.value, found.cell_max.value) == (min(known), max(known))
        assert cells[(found.cell_max.where or 0) - 1] == found.cell_max.value


def eight() -> Pack:
    """Give a started pack of eight equal cells: one of them does not move the middle."""
    return Pack(make_settings(cells=8), cells=[3300] * 8).started()


def moved(pack: Pack, by_mv: int, frozen: int | None = None) -> None:
    """Move all cells, but for a frozen one, and run a cycle."""
    pack.cells = [mv if n == frozen or mv is None else mv + by_mv for n, mv in enumerate(pack.cells)]
    pack.cycle()


def test_a_cell_that_stands_still_through_two_moves_is_frozen_and_named() -> None:
    """Fault class 2: found in bounded time."""
    pack = eight()
    moved(pack, -20, frozen=2)
    assert not pack.alarm("cell_frozen").active
    moved(pack, -20, frozen=2)
    assert pack.alarm("cell_frozen").active
    assert pack.alarm("cell_frozen").where == 3
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge


def test_moves_of_a_millivolt_less_prove_nothing() -> None:
    pack = eight()
    for direction in (1, -1) * 50:
        moved(pack, 19 * direction, frozen=2)
    assert not pack.alarm("cell_frozen").active


def test_slow_moves_add_up() -> None:
    pack = eight()
    for _ in range(40):
        moved(pack, -1, frozen=2)
    assert pack.alarm("cell_frozen").active


def test_a_frozen_cell_is_found_after_a_first_reading_without_any_cell() -> None:
    """S2: a chip that has not scanned yet must not switch the watch off for good."""
    pack = Pack(make_settings(cells=8), cells=[0] * 8)
    pack.cycle()
    pack.cells = [3300] * 8
    pack.cycle()
    moved(pack, -20, frozen=2)
    moved(pack, -20, frozen=2)
    assert pack.alarm("cell_frozen").active


def test_a_frozen_cell_becomes_a_lost_cell() -> None:
    """S2: its reading is no value; soon it is unknown."""
    pack = eight()
    moved(pack, -20, frozen=2)
    moved(pack, -20, frozen=2)
    pack.run(1250)
    assert pack.out is not None
    assert pack.out.values.cell_mv[2] is None
    assert pack.out.limits.charge_ma == 0


def test_a_frozen_cell_that_moves_again_is_believed_after_its_recovery_time() -> None:
    pack = eight()
    moved(pack, -20, frozen=2)
    moved(pack, -20, frozen=2)
    moved(pack, 1)
    pack.cycle(after_ms=9999)
    assert pack.alarm("cell_frozen").active
    pack.cycle(after_ms=1)
    assert not pack.alarm("cell_frozen").active


def test_a_pack_at_rest_is_not_frozen() -> None:
    """Fault class 1: cells at rest stand still for days, to the millivolt."""
    pack = Pack().started()
    pack.run(3_600_000, 1000)
    assert not pack.alarm("cell_frozen").active


@pytest.mark.parametrize("swing_mv", [5, 19, 20, 35, 60, 200])
def test_a_load_that_comes_and_goes_freezes_nobody(swing_mv) -> None:
    """Fault class 1: under load all cells move, each by its own resistance."""
    pack = Pack(make_settings(cells=8)).started()
    rest = [3300, 3301, 3302, 3303, 3304, 3305, 3306, 3307]
    for turn in range(200):
        loaded = turn % 2
        pack.cells = [mv - loaded * swing_mv * (90 + 3 * n) // 100 for n, mv in enumerate(rest)]
        pack.run(2000)
        assert not pack.alarm("cell_frozen").active


def test_a_whole_charge_freezes_nobody() -> None:
    pack = Pack().started()
    for turn in range(600):
        pack.cells = [3300 + turn * 17 // 100 + n * (n + 1) + turn % (n + 2) for n in range(4)]
        pack.run(500)
    assert not pack.alarm("cell_frozen").active
