"""Battery sensors that disagree by more than a pack can: a fault, and no heat by either of them (S2, S4)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import spread
from bmsd.core.alarms import Finding
from bmsd.core.types import InhibitCause
from bmsd.tables.alarms import BY_NAME, Block, Severity
from tests.support.bench_inputs import Pack, believed, cold, make_settings

NAME = "temperature_mismatch"
DELAY_MS, RECOVERY_MS = 60_000, 10_000
APART_DECIK, BACK_DECIK = 250, 220
BOARD_DECIK = 400


def apart(decik: int, coldest: int = -80, **more: Any) -> Pack:
    """Give a pack in the cold whose sensors are so far apart, with a charger."""
    pack = Pack(battery=[coldest, coldest + decik], charger_mv=16_000, **more)
    pack.run(10_000)
    return pack


def why(pack: Pack) -> InhibitCause | None:
    assert pack.out is not None
    return None if pack.state.commands.heater else pack.out.heater_inhibits[0].because


def test_it_is_a_fault_that_blocks_heat_alone() -> None:
    """S4: what the coldest forbids and what the warmest forbids stays forbidden without it."""
    assert BY_NAME[NAME].blocks == Block.HEATER
    assert BY_NAME[NAME].severity is Severity.FAULT


@pytest.mark.parametrize(
    ("decik", "because"), [(APART_DECIK, None), (APART_DECIK + 1, InhibitCause.SENSORS_APART)]
)
@pytest.mark.parametrize("turned", [False, True])
def test_no_heat_begins_by_sensors_that_disagree(turned, decik, because) -> None:
    """S4: whichever of them is wrong."""
    pack = apart(decik)
    if turned:
        pack.battery.reverse()
        pack.run(1000)
    assert why(pack) is because


def test_a_fault_is_told_after_its_time_and_ends_when_they_agree() -> None:
    """S12: with a distance between trip and recovery."""
    pack = Pack(battery=[0, APART_DECIK + 1])
    pack.cycle()
    pack.run(DELAY_MS - 250)
    assert not pack.alarm(NAME).active
    pack.cycle()
    assert pack.alarm(NAME).active
    assert pack.alarm(NAME).value == APART_DECIK + 1
    pack.battery = [0, BACK_DECIK + 1]
    pack.run(2 * RECOVERY_MS)
    assert pack.alarm(NAME).active
    pack.battery = [0, BACK_DECIK]
    pack.run(RECOVERY_MS)
    assert pack.alarm(NAME).active
    pack.cycle()
    assert not pack.alarm(NAME).active


def test_the_fault_blocks_heat_until_it_ends() -> None:
    """S4."""
    pack = apart(APART_DECIK + 1)
    pack.run(DELAY_MS)
    pack.battery = [-80, -80 + BACK_DECIK + 1]
    pack.run(10_000)
    assert why(pack) is InhibitCause.ALARM
    pack.battery = [-80, -80 + BACK_DECIK]
    pack.run(40_000)
    assert why(pack) is None


def test_running_heat_ends_in_the_cycle_in_which_they_disagree() -> None:
    """S4."""
    pack = cold()
    pack.battery = [-80, -80 + APART_DECIK + 1]
    pack.cycle()
    assert why(pack) is InhibitCause.SENSORS_APART


def test_a_warm_pack_with_a_sensor_that_reads_low_is_not_heated() -> None:
    """S4: 30 K and 45 K low on a pack at 20 °C, for an hour."""
    for low in (300, 450):
        pack = Pack(battery=[200 - low, 200], charger_mv=16_000)
        for _ in range(1800):
            pack.cycle(after_ms=2000)
            assert not pack.state.commands.heater
        assert pack.alarm(NAME).active


def test_an_unknown_sensor_neither_raises_nor_ends_it() -> None:
    """S2."""
    pack = Pack(battery=[0, APART_DECIK + 1])
    pack.run(DELAY_MS + 250)
    assert pack.alarm(NAME).active
    pack.battery = [0, None]
    pack.run(600_000, 1000)
    assert pack.alarm(NAME).active
    other = Pack(battery=[0, None])
    other.run(DELAY_MS + 10_000)
    assert not other.alarm(NAME).active


@pytest.mark.parametrize(("apart_decik", "because"), [(260, None), (401, InhibitCause.SENSORS_APART)])
def test_a_warning_that_is_set_higher_raises_the_bound(apart_decik, because) -> None:
    chosen = {"temperature_spread_decik": 400, "temperature_spread_release_decik": 390}
    pack = apart(apart_decik, coldest=-130, settings=make_settings(chosen=chosen))
    assert why(pack) is because


@pytest.mark.parametrize(("warmest", "because"), [(275, None), (276, InhibitCause.WARM_SENSOR)])
def test_no_heat_where_the_warmest_is_half_way_to_its_limit(warmest, because) -> None:
    """S4: 5 °C and 50 °C; the coldest alone would have it heated on."""
    chosen = {"temperature_spread_decik": 500, "temperature_spread_release_decik": 490}
    pack = Pack(make_settings(chosen=chosen), battery=[-80, -80], charger_mv=16_000)
    pack.run(10_000)
    pack.battery = [40, warmest]
    pack.cycle()
    assert why(pack) is because


@pytest.mark.parametrize(
    ("board", "because"), [(BOARD_DECIK, None), (BOARD_DECIK + 1, InhibitCause.SENSORS_APART)]
)
def test_a_single_sensor_is_compared_with_that_of_the_switch_board(board, because) -> None:
    """S4: 45 K low on the only sensor would heat the pack to 50 °C."""
    pack = Pack(make_settings(battery_sensors=1), battery=[-80], switch=board - 80, charger_mv=16_000)
    pack.run(10_000)
    assert why(pack) is because
    pack.run(DELAY_MS)
    assert pack.alarm(NAME).active is (because is not None)


def test_a_pack_may_be_warmer_than_its_board() -> None:
    """A warm pack in a cold place is no fault."""
    pack = Pack(make_settings(battery_sensors=1), battery=[300], switch=-200)
    pack.run(DELAY_MS + 10_000)
    assert not pack.alarm(NAME).active


def test_a_single_sensor_beside_an_unknown_board_heats_nothing_and_raises_nothing() -> None:
    """S2."""
    pack = Pack(make_settings(battery_sensors=1), battery=[-80], switch=0, charger_mv=16_000)
    pack.run(10_000)
    assert why(pack) is None
    pack.switch = None
    pack.cycle(after_ms=1001)
    assert not pack.state.commands.heater
    pack.run(DELAY_MS + 10_000)
    assert not pack.alarm(NAME).active


def test_a_single_sensor_without_one_on_the_board_has_nothing_to_disagree_with() -> None:
    fitted = make_settings(battery_sensors=1, switch_sensor=False)
    pack = Pack(fitted, battery=[-80], switch=None, charger_mv=16_000)
    pack.run(10_000)
    assert why(pack) is None


ONE, TWO = make_settings(battery_sensors=1), make_settings()


@pytest.mark.parametrize(
    ("settings", "battery", "board", "active", "found"),
    [
        (TWO, (0, 250), 300, False, {}),
        (TWO, (0, 251), 300, False, {NAME: Finding(True, 251, 2)}),
        (TWO, (251, 0), 300, False, {NAME: Finding(True, 251, 1)}),
        (TWO, (0, 220), 300, True, {}),
        (TWO, (0, 221), 300, True, {NAME: Finding(True, 221, 2)}),
        (TWO, (0, None), 300, False, {NAME: Finding(None, 0, 1)}),
        (TWO, (None, None), 300, False, {NAME: Finding(None, None, None)}),
        (ONE, (0,), 400, False, {}),
        (ONE, (0,), 401, False, {NAME: Finding(True, 0, 1)}),
        (ONE, (0,), 370, True, {}),
        (ONE, (0,), 371, True, {NAME: Finding(True, 0, 1)}),
        (ONE, (401,), 0, False, {}),
        (ONE, (0,), None, False, {NAME: Finding(None, 0, 1)}),
        (ONE, (None,), 300, False, {NAME: Finding(None, None, None)}),
    ],
)
def test_what_is_found_at_each_limit_and_a_tenth_beyond(settings, battery, board, active, found) -> None:
    """S2, S4: one that is active ends 3 K nearer; with one unknown nobody knows."""
    values = believed(settings, battery_decic=battery, switch_decic=board)
    assert spread.findings(settings, values, active) == found


@pytest.mark.parametrize(
    ("battery", "warm"), [((0, 275), False), ((0, 276), True), ((None, 276), True), ((None, None), False)]
)
def test_the_warmest_that_is_known_is_warm_from_half_way_on(battery, warm) -> None:
    """S4: 5 °C and 50 °C."""
    assert spread.is_warm(TWO, believed(TWO, battery_decic=battery)) is warm
