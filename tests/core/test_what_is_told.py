"""What people and programs see of a decision: every point, every alarm, every reason, and None for the unknown."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import report, soc
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.types import InhibitCause, Levels, Request
from bmsd.tables.alarms import ALARMS, Release
from bmsd.tables.points import POINTS
from tests.support.bench_inputs import Pack, cold, make_settings

CYCLE = report.Cycle(
    sequence=11, uptime_ms=12, runtime_ms=13, last_us=14, worst_us=15, overruns=16, disk_bytes=17
)


def told(pack: Pack, levels: Levels | None = None) -> dict[str, Any]:
    """Give all points of the last decision; lines read as commanded unless given."""
    assert pack.out is not None
    c = pack.out.commands
    as_commanded = Levels(
        charge=c.charge, discharge=c.discharge, precharge=c.precharge, heater=c.heater, buzzer=c.buzzer
    )
    return report.points(pack.settings, pack.state, pack.out, pack.inputs(), levels or as_commanded, CYCLE)


def counted(pack: Pack, **state: Any) -> Pack:
    """Give the pack a charge counter in a known state, then decide once without any time passing."""
    counter = SocState(**{"charge_mams": 40_000 * MAMS_PER_MAH, "error_permille": 20, **state})
    pack.state = pack.state._replace(soc=counter)
    return pack


def test_it_tells_every_point_of_the_table_and_no_other() -> None:
    assert set(told(Pack().started())) == {point.name for point in POINTS}


def test_the_running_of_the_cycle_is_passed_on() -> None:
    found = told(Pack().started())
    names = (
        "sequence", "uptime_ms", "runtime_ms", "cycle_last_us", "cycle_worst_us", "cycle_overruns", "disk_bytes",
    )  # fmt: skip
    assert [found[name] for name in names] == [11, 12, 13, 14, 15, 16, 17]


def test_a_running_pack_as_it_is_told() -> None:
    pack = Pack().started()
    pack.run(5000)
    pack.current_ma = -12_000
    pack.run(1000)
    found = told(pack)
    assert found["state"] == "discharging"
    assert found["pack_mv"] == 13_206
    assert found["current_ma"] == -12_000
    assert found["power_mw"] == 13_206 * -12
    assert found["capacity_mah"] == 100_000
    assert found["cell_mv"] == [3300, 3301, 3302, 3303]
    assert (found["cell_min_mv"], found["min_cell"]) == (3300, 1)
    assert (found["cell_max_mv"], found["max_cell"]) == (3303, 4)
    assert (found["cell_average_mv"], found["cell_difference_mv"]) == (3301, 3)
    assert found["battery_decic"] == [250, 251]
    assert found["switch_decic"] == 300
    assert found["charge_allowed"] is found["discharge_allowed"] is True
    assert found["heater_demanded"] is False
    assert (found["charge_limit_mv"], found["charge_limit_ma"]) == (13_800, 90_000)
    assert (found["discharge_limit_mv"], found["discharge_limit_ma"]) == (12_000, 135_000)
    assert found["period_ms"] == 250
    assert found["bus_errors"] == 0


def test_what_is_not_measured_by_anyone_is_unknown() -> None:
    found = told(Pack().started())
    for name in ("soh_permille", "balance_ma", "balance_actual"):
        assert found[name] is None
    assert found["wire_mohm"] == [None] * 4


def test_without_any_poll_every_measured_point_is_unknown() -> None:
    """S2, S7: nothing is made up."""
    pack = Pack(polled=False)
    pack.cycle()
    found = told(pack, Levels(heater=True))
    assert found["cell_mv"] == [None] * 4
    assert found["battery_decic"] == [None] * 2
    for name in (
        "pack_mv", "current_ma", "power_mw", "switch_decic", "cell_min_mv", "cell_max_mv", "cell_average_mv",
        "cell_difference_mv", "min_cell", "max_cell", "soc_permille", "soc_error_permille", "remaining_mah",
        "cycles_milli", "full_charges", "discharged_mah", "heater_mw",
    ):  # fmt: skip
        assert found[name] is None, name
    assert found["charge_allowed"] is found["discharge_allowed"] is False
    assert found["charge_limit_ma"] == found["discharge_limit_ma"] == 0


@pytest.mark.parametrize("lost", ["cells", "current_ma"])
def test_power_needs_voltage_and_current(lost) -> None:
    pack = Pack(current_ma=1000).started()
    setattr(pack, lost, None if lost == "current_ma" else [3300, None, 3300, 3300])
    pack.run(2000)
    assert told(pack)["power_mw"] is None


def test_an_extreme_is_unknown_while_one_cell_is() -> None:
    """S2: the unknown cell may be the highest or the lowest."""
    pack = Pack().started()
    pack.cells = [3300, 3310, None, 3320]
    pack.run(2000)
    found = told(pack)
    assert found["cell_mv"] == [3300, 3310, None, 3320]
    for name in ("cell_min_mv", "cell_max_mv", "cell_difference_mv", "min_cell", "max_cell"):
        assert found[name] is None, name


def test_the_charge_counter_in_the_units_of_its_points() -> None:
    pack = counted(Pack().started(), full_charges=3, discharged_mams=250_500 * MAMS_PER_MAH)
    found = told(pack)
    assert found["soc_permille"] == 400
    assert found["soc_error_permille"] == 20
    assert found["remaining_mah"] == 40_000
    assert found["full_charges"] == 3
    assert found["discharged_mah"] == 250_500
    assert found["cycles_milli"] == 2505


@pytest.mark.parametrize(("lowest", "shown"), [(2750, 0), (2751, 10)])
def test_zero_percent_is_shown_only_where_the_cells_are_empty(lowest, shown) -> None:
    pack = Pack()
    assert pack.settings.parameters.soc_empty_mv == 2750
    pack.cells = [lowest, 3000, 3000, 3000]
    pack.run(3000)
    assert told(counted(pack, charge_mams=0))["soc_permille"] == shown


def test_an_unknown_cell_does_not_make_an_empty_count_look_better() -> None:
    pack = Pack(cells=[3000] * 4).started()
    pack.cells = [3000, 3000, None, 3000]
    pack.run(2000)
    assert told(counted(pack, charge_mams=0))["soc_permille"] == 0


def test_cells_that_are_balanced_are_flagged_by_their_place() -> None:
    pack = Pack(cells=[3405, 3405, 3420, 3405]).started()
    found = told(pack)
    assert found["balancing"] == [False, False, True, False]
    assert found["balance_commanded"] is True
    assert told(Pack().started())["balance_commanded"] is False


@pytest.mark.parametrize("name", ["charge", "discharge", "precharge", "heater", "buzzer"])
def test_a_switch_is_told_as_commanded_and_as_its_line_reads(name) -> None:
    pack = Pack().started()
    pack.feedback = Levels()
    pack.cycle()
    levels = Levels(**{name: True})
    found = told(pack, levels)
    assert found[f"{name}_commanded"] is getattr(pack.state.commands, name)
    assert found[f"{name}_actual"] is True
    assert told(pack, Levels(**{name: False}))[f"{name}_actual"] is False
    assert told(pack, Levels())[f"{name}_actual"] is None


def test_an_auxiliary_contact_goes_before_the_line() -> None:
    """A welded contactor reads closed, whatever its coil's line says."""
    pack = Pack().started()
    pack.feedback = Levels(charge=True, discharge=False)
    found = told(pack, Levels(charge=False, discharge=True))
    assert found["charge_actual"] is True
    assert found["discharge_actual"] is False


def test_a_heater_without_a_sensor_is_told_by_its_resistance_while_its_line_is_on() -> None:
    pack = cold()
    found = told(pack)
    assert pack.state.commands.heater
    assert found["heater_demanded"] is True
    assert found["heater_ma"] == 16_000 * 1000 // 24_000
    assert found["heater_mw"] == 16_000 * found["heater_ma"] // 1000
    off = told(pack, Levels(heater=False))
    assert (off["heater_ma"], off["heater_mw"]) == (0, 0)
    unread = told(pack, Levels())
    assert (unread["heater_ma"], unread["heater_mw"]) == (None, None)


def test_a_measured_heater_current_goes_before_a_reckoned_one() -> None:
    pack = cold(heater_ma=700)
    found = told(pack)
    assert (found["heater_ma"], found["heater_mw"]) == (700, 16_000 * 700 // 1000)
    pack.heater_ma = 0
    assert told(pack)["heater_mw"] == 0


def test_without_a_known_supply_no_power_is_reckoned() -> None:
    pack = cold()
    pack.charger_mv = None
    pack.run(2000)
    found = told(pack, Levels(heater=True))
    assert (found["heater_ma"], found["heater_mw"]) == (None, None)
    pack.heater_ma = 700
    assert told(pack, Levels(heater=True))["heater_mw"] is None
    pack.heater_ma = 0
    assert told(pack, Levels(heater=True))["heater_mw"] == 0


def test_without_a_heater_nothing_is_told_of_one() -> None:
    pack = Pack(make_settings(heater_mohm=None)).started()
    found = told(pack)
    assert (found["heater_ma"], found["heater_mw"]) == (None, None)


def test_an_inverter_is_asked_for_charge_only_while_charging_is_allowed() -> None:
    pack = Pack(cells=[2800] * 4).started()
    assert pack.state.force_charge
    assert told(pack)["force_charge"] is True
    pack.cycle(Request("switch", "charge", False))
    assert pack.state.force_charge
    assert told(pack)["force_charge"] is False
    assert told(Pack().started())["force_charge"] is False


def test_an_active_alarm_is_told_with_what_tripped_it() -> None:
    pack = Pack().started()
    assert report.alarms(pack.settings, pack.state) == []
    pack.cells[1] = 3650
    pack.run(1250)
    since_ms = pack.now_ms
    pack.run(1000)
    assert report.alarms(pack.settings, pack.state)[0] == {
        "name": "cell_ovp", "since_ms": since_ms, "where": 2, "value": 3650, "limit": 3600, "latched": False,
        "lifted": [],
    }  # fmt: skip


def test_a_latched_alarm_without_a_limit_says_so() -> None:
    pack = Pack().started()
    pack.feedback = Levels(charge=False, discharge=True)
    pack.run(1000)
    found = {row["name"]: row for row in report.alarms(pack.settings, pack.state)}["charge_contactor_open"]
    assert found["latched"] is True
    assert found["limit"] is None


def test_reasons_against_each_thing_are_told_with_their_end() -> None:
    pack = Pack()
    pack.cycle()
    found = report.why(pack.out)
    assert set(found) == {"charge", "discharge", "heater", "balance"}
    starting = {"because": "starting", "name": "", "until_ms": None}
    assert found["charge"] == found["discharge"] == found["balance"] == [starting]
    assert found["heater"] == [{"because": "not needed", "name": "battery_min", "until_ms": None}]
    pack.started()
    pack.cycle(Request("switch", "charge", False))
    out = pack.cycle(Request("switch", "charge", True))
    assert out.charge_inhibits[0].because is InhibitCause.MIN_OFF
    assert report.why(out)["charge"] == [
        {"because": "minimum off time", "name": "", "until_ms": pack.now_ms - 250 + 5000}
    ]
    assert report.why(out)["discharge"] == []


def test_only_alarms_that_must_survive_are_kept_for_the_next_start() -> None:
    """S13: with the value and the place that tripped them."""
    pack = Pack().started()
    pack.cells = [3300, 1900, 3300, 3300]
    pack.run(20_000)
    kept = report.latched(pack.state)
    assert kept["cell_floor"] == (1900, 2)
    survivors = {alarm.name for alarm in ALARMS if alarm.survives}
    assert set(kept) == pack.active() & survivors
    assert pack.active() - survivors
    assert all(alarm.survives for alarm in ALARMS if alarm.ends is Release.OPERATOR)


def test_a_count_stored_for_a_larger_pack_shows_no_more_than_full() -> None:
    settings = make_settings()
    too_much = SocState(charge_mams=130_000 * MAMS_PER_MAH, error_permille=5, full=True)
    assert soc.permille(settings, too_much) == 1000
