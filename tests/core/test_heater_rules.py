"""The heater: when it may be on, what ends it, and the order of charge and heat (S3, S4)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core.heater import exceeds, least_mohm
from bmsd.core.settings import heater_max_mw
from bmsd.core.types import InhibitCause, Levels
from tests.support.bench_inputs import Pack, cold, make_settings

MINUTE_MS = 60_000

# JK reference, section 5: full voltage, power limit, smallest resistance in ohm, the current then.
TABLE = (
    ("4S LiFePO4", 14_400, 100_000, 4.8),
    ("8S LiFePO4", 28_800, 100_000, 9.6),
    ("8S Li-ion", 33_600, 100_000, 11.3),
    ("16S LiFePO4", 57_600, 200_000, 19.2),
    ("20S LiFePO4", 72_000, 200_000, 25.9),  # 25.92 exactly: the table rounds to the nearest tenth
    ("24S LiFePO4", 86_400, 200_000, 37.3),
    ("24S Li-ion", 100_800, 200_000, 50.8),
)


@pytest.mark.parametrize(("_pack", "full_mv", "max_mw", "ohm"), TABLE)
def test_the_smallest_resistance_is_that_of_the_manual(_pack, full_mv, max_mw, ohm) -> None:
    least = least_mohm(full_mv, 3000, max_mw)
    assert abs(least / 1000 - ohm) <= 0.051
    assert not exceeds(least, full_mv, 3000, max_mw)
    assert exceeds(least - 1, full_mv, 3000, max_mw)


def test_exactly_three_amperes_are_allowed_and_a_millivolt_more_is_not() -> None:
    assert not exceeds(6000, 18_000, 3000, 200_000)
    assert exceeds(6000, 18_001, 3000, 200_000)


def test_exactly_the_power_limit_is_allowed_and_a_millivolt_more_is_not() -> None:
    assert not exceeds(50_000, 100_000, 3000, 200_000)
    assert exceeds(50_000, 100_001, 3000, 200_000)


@pytest.mark.parametrize(("cells", "mw"), [(4, 100_000), (8, 100_000), (9, 200_000), (16, 200_000)])
def test_packs_of_up_to_eight_cells_are_held_to_100_w(cells, mw) -> None:
    assert heater_max_mw(cells, 200_000) == mw
    assert heater_max_mw(cells, 50_000) == 50_000


def test_charge_is_cut_first_and_the_heater_goes_on_a_cycle_later() -> None:
    """S3: below the charge low-temperature limit."""
    pack = Pack(charger_mv=16_000).started()
    pack.battery = [-1, 100]
    for _ in range(100):
        if not pack.state.commands.charge:
            break
        pack.cycle()
        assert not pack.state.commands.heater
    pack.cycle()
    assert pack.state.commands.heater


def test_the_heater_goes_off_first_and_charge_returns_a_cycle_later() -> None:
    """S3: above the recovery limit."""
    pack = cold()
    pack.battery = [51, 51]
    pack.cycle()
    assert not pack.state.commands.heater
    assert not pack.state.commands.charge
    pack.cycle()
    assert pack.state.commands.charge


@pytest.mark.parametrize("stuck", [{"lines": True}, {"feedback": True}])
def test_charge_that_still_reads_closed_keeps_the_heater_off(stuck) -> None:
    """S3: charge must be off as read back, not only as commanded."""
    pack = Pack(charger_mv=16_000).started()
    pack.battery = [-80, -80]
    for _ in range(200):
        commands = pack.state.commands
        if "lines" in stuck:
            pack.lines = Levels(
                charge=True,
                discharge=commands.discharge,
                precharge=commands.precharge,
                heater=commands.heater,
                buzzer=commands.buzzer,
            )
        else:
            pack.feedback = Levels(charge=True)
        pack.cycle()
        assert not pack.state.commands.heater


def test_a_heater_line_that_still_reads_on_keeps_charge_off() -> None:
    """S3: the heater must be off as read back before charge returns."""
    pack = cold()
    pack.battery = [100, 100]
    pack.lines = Levels(charge=False, discharge=True, precharge=False, heater=True, buzzer=False)
    pack.run(5000)
    assert not pack.state.commands.charge


@pytest.mark.parametrize(("coldest", "on"), [(49, True), (50, False)])
def test_at_exactly_the_recovery_limit_the_heater_is_off(coldest, on) -> None:
    """S4: never on at or above recovery."""
    pack = cold()
    pack.battery = [coldest, 90]
    pack.cycle()
    assert pack.state.commands.heater is on
    assert not pack.state.commands.charge


LOST: tuple[dict[str, Any], ...] = (
    {"battery": [-80, None]},
    {"battery": [None, -80]},
    {"battery": [None, None]},
    {"cells": [3300, 3300, None, 3300]},
    {"charger_mv": None},
    {"switch": None},
    {"current_ma": None},
    {"polled": False},
)


@pytest.mark.parametrize("lost", LOST, ids=str)
def test_the_heater_is_off_while_a_value_it_depends_on_is_unknown(lost) -> None:
    """S4: an unknown battery temperature; S2: and everything else its limits are worked out from."""
    pack = cold()
    assert pack.state.commands.heater
    for name, value in lost.items():
        setattr(pack, name, value)
    pack.cycle(after_ms=1001)
    assert not pack.state.commands.heater


def test_charger_side_at_the_limit_is_allowed_and_a_millivolt_more_is_not() -> None:
    """S4: U/R counts with the higher of pack and charger."""
    pack = cold(settings=make_settings(heater_mohm=6000))
    pack.charger_mv = 18_000
    pack.cycle()
    assert pack.state.commands.heater
    pack.charger_mv = 18_001
    pack.cycle()
    assert not pack.state.commands.heater


def test_a_pack_above_its_charger_counts_with_its_own_voltage() -> None:
    """S4: the pack feeds the heater as well."""
    pack = cold(settings=make_settings(heater_mohm=4350), current_ma=600)
    pack.charger_mv = 1000
    pack.cells = [3262, 3262, 3262, 3264]  # 13.05 V through 4.35 ohm is exactly 3 A.
    pack.cycle()
    assert pack.state.commands.heater
    pack.cells[0] = 3263
    pack.cycle()
    assert not pack.state.commands.heater


def test_the_power_limit_of_a_small_pack_binds_as_well() -> None:
    """S4: 100 W for the 8S class: 36.0 V through 12.96 ohm."""
    settings = make_settings(cells=8, heater_mohm=12_960)
    pack = cold(settings=settings)
    pack.charger_mv = 36_000
    pack.cycle()
    assert pack.state.commands.heater
    pack.charger_mv = 36_001
    pack.cycle()
    assert not pack.state.commands.heater


@pytest.mark.parametrize(("measured", "on"), [(3000, True), (3001, False)])
def test_a_measured_current_over_the_limit_ends_it_at_once(measured, on) -> None:
    """S4: if a measured heater current exceeds the limit."""
    pack = cold()
    pack.heater_ma = measured
    pack.cycle()
    assert pack.state.commands.heater is on
    assert pack.alarm("heater_over_limit").active is not on


def test_it_rests_between_two_runs() -> None:
    """S12: a minimum off time of the heater."""
    pack = cold()
    pack.charger_mv = 0
    pack.cycle()
    assert not pack.state.commands.heater
    pack.charger_mv = 16_000
    pack.cycle(after_ms=29_999)
    assert not pack.state.commands.heater
    pack.cycle(after_ms=1)
    assert pack.state.commands.heater


def test_it_ends_after_its_longest_run_and_rests() -> None:
    """S4: never longer than its longest run."""
    pack = cold(settings=make_settings(chosen={"heater_max_run_ms": 600_000, "heater_watch_ms": 600_000}))
    since = pack.state.heater.changed_ms
    assert since is not None
    pack.run(300_000, 1000)
    pack.battery = [-70, -65]  # It warms, so that the watcher is content.
    pack.run(since + 600_000 - 1 - pack.now_ms, 1000)
    assert pack.state.commands.heater
    pack.cycle(after_ms=1)
    assert not pack.state.commands.heater
    assert pack.alarm("heater_long_run").active
    pack.run(3_600_000 - 250, 1000)
    assert not pack.state.commands.heater
    pack.run(5000)
    assert pack.state.commands.heater


def test_a_pack_that_does_not_warm_ends_it_for_good() -> None:
    """S4: the watcher wants 0.5 K within 45 minutes."""
    pack = cold()
    pack.run(44 * MINUTE_MS, 1000)
    assert pack.state.commands.heater
    pack.run(2 * MINUTE_MS, 1000)
    assert pack.alarm("heater_no_warming").active
    pack.run(60 * MINUTE_MS, 1000)
    assert not pack.state.commands.heater


@pytest.mark.slow
def test_a_reset_gives_a_new_chance_to_warm_and_no_new_longest_run() -> None:
    """S4: the operator judged the warming; how long the heater ran is not his to forget."""
    pack = cold(settings=make_settings(chosen={"heater_max_run_ms": 2_400_000, "heater_watch_ms": 1_200_000}))
    pack.until(lambda p: p.alarm("heater_no_warming").active, 1_300_000)
    ran_ms = pack.state.watch.run_ms
    assert pack.reset("heater_no_warming")
    assert ran_ms - 2 * 250 <= pack.state.watch.run_ms < ran_ms
    assert pack.state.watch.heated_ms == 0
    pack.run(61_000)
    assert pack.state.commands.heater
    pack.until(lambda p: p.alarm("heater_no_warming").active, 1_300_000)


@pytest.mark.slow
def test_a_pack_that_warms_is_heated_on() -> None:
    pack = cold()
    for _ in range(120):
        pack.battery = [(t or 0) + 1 for t in pack.battery]
        pack.run(8 * MINUTE_MS // 2, 2000)
    assert not pack.alarm("heater_no_warming").active


@pytest.mark.parametrize(("charger", "on"), [(13_305, False), (13_306, True)])
def test_a_charger_counts_from_twenty_five_millivolt_a_cell_above_the_pack(charger, on) -> None:
    pack = Pack(battery=[-80, -80], charger_mv=charger)
    pack.run(10_000)
    assert pack.state.commands.heater is on


@pytest.mark.parametrize(("permille", "on"), [(199, False), (200, True)])
def test_a_heater_on_the_pack_wants_enough_charge(permille, on) -> None:
    from bmsd.core.soc import MAMS_PER_MAH, SocState
    from bmsd.core.state import begin

    settings = make_settings(heater_from_pack=True)
    counter = SocState(charge_mams=settings.capacity_mah * MAMS_PER_MAH * permille // 1000, error_permille=10)
    pack = Pack(settings, battery=[-80, -80], state=begin(0, soc_state=counter))
    pack.run(10_000)
    assert pack.state.commands.heater is on


def test_a_pack_without_a_heater_is_never_heated() -> None:
    pack = Pack(make_settings(heater_mohm=None), battery=[-80, -80], charger_mv=16_000)
    pack.run(10_000)
    assert not pack.state.commands.heater
    assert pack.out is not None
    assert pack.out.heater_inhibits[0].because is InhibitCause.NOT_FITTED
