"""The tables among themselves: names that exist, numbers that are unique, points that people were promised."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from bmsd.core.plausible import Values
from bmsd.tables import alarms, configuration, parameters, points, rows
from bmsd.tables.alarms import ALARMS, Block, Release, Severity
from bmsd.tables.points import Count, PointKind
from tests.support.locks import assert_frozen

LOCK = Path(__file__).parent / "alarms.lock.json"
# The status document as it is promised, path by path; cells and sensors are lists.
PROMISED = [
    "state",
    "runtime_s",
    "uptime_s",
    "sequence",
    "pack.voltage_v",
    "pack.current_a",
    "pack.power_w",
    "pack.soc_percent",
    "pack.soc_error_percent",
    "pack.soh_percent",
    "pack.capacity_ah",
    "pack.remaining_ah",
    "pack.cycles",
    "pack.full_charges",
    "pack.discharged_ah",
    "cells.voltage_v",
    "cells.min_v",
    "cells.max_v",
    "cells.average_v",
    "cells.difference_v",
    "cells.min_cell",
    "cells.max_cell",
    "cells.balancing",
    "cells.balance_current_a",
    "cells.wire_resistance_ohm",
    "temperatures.battery_c",
    "temperatures.switch_c",
    "permissions.charge",
    "permissions.discharge",
    "heater.demanded",
    "heater.current_a",
    "heater.power_w",
    "limits.charge_voltage_v",
    "limits.charge_current_a",
    "limits.discharge_current_a",
    "limits.discharge_voltage_v",
    "emergency.active",
    "emergency.remaining_s",
    "cycle.period_ms",
    "cycle.last_ms",
    "cycle.worst_ms",
    "cycle.overruns",
]
SWITCHED = ("charge", "discharge", "precharge", "heater", "balance", "buzzer")
LISTS = {"cells.voltage_v", "cells.balancing", "cells.wire_resistance_ohm", "temperatures.battery_c"}


def repeated(names) -> list:
    return [name for name, count in Counter(names).items() if count > 1]


@pytest.mark.parametrize("path", PROMISED)
def test_a_promised_point_is_there(path) -> None:
    point = points.BY_PATH[path]
    assert (point.count is not Count.ONE) is (path in LISTS)


@pytest.mark.parametrize("name", SWITCHED)
@pytest.mark.parametrize("end", ["commanded", "actual"])
def test_every_switch_is_told_as_commanded_and_as_read(name, end) -> None:
    assert points.BY_PATH[f"switches.{name}.{end}"].kind is PointKind.FLAG


def test_names_and_paths_are_unique() -> None:
    assert not repeated(point.name for point in points.POINTS)
    assert not repeated(point.path for point in points.POINTS)
    assert not repeated(row.public_name for row in parameters.ROWS)
    assert not repeated(alarm.name for alarm in ALARMS)
    assert not repeated(alarm.code for alarm in ALARMS)
    assert not repeated(alarm.title for alarm in ALARMS)
    assert not repeated((key.section, key.name) for key in configuration.KEYS)


def test_a_code_and_a_message_id_belong_to_one_alarm_for_ever() -> None:
    """Masters and journals in the field know alarms by them. A new row takes the code after the highest one."""
    told = sorted([alarm.code, alarm.name, alarm.message_id] for alarm in ALARMS)
    assert_frozen(told, LOCK)


def test_message_ids_are_unique_and_128_bits_of_hex() -> None:
    assert not repeated(alarm.message_id for alarm in ALARMS)
    assert all(re.fullmatch("[0-9a-f]{32}", alarm.message_id) for alarm in ALARMS)


def test_a_message_id_is_fixed_for_ever() -> None:
    """Catalogs and people's filters hold it: changing it breaks them."""
    from uuid import UUID, uuid5

    space = UUID("6f2f4c0e-57c1-4b0a-9d3c-2a1f4c1b7d60")
    assert alarms.BY_NAME["cell_ovp"].message_id == uuid5(space, "cell_ovp").hex


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_an_alarm_names_parameters_and_values_that_exist(alarm) -> None:
    for name in (alarm.trip, alarm.release, alarm.delay, alarm.release_delay):
        assert not name or name in parameters.BY_NAME
    assert not alarm.value or alarm.value in set(Values._fields)
    assert bool(alarm.value) == bool(alarm.trip) == bool(alarm.release)
    for name in (alarm.delay, alarm.release_delay):
        assert not name or name.endswith("_ms")
    assert all(parameters.BY_NAME[name].unit is alarm.unit for name in (alarm.trip, alarm.release) if name)
    assert alarm.title
    assert alarm.advice.endswith((".", "'."))


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_what_harms_blocks_and_what_warns_does_not_open_contactors(alarm) -> None:
    both = alarm.blocks & (Block.CHARGE | Block.DISCHARGE)
    assert bool(both) or alarm.severity is Severity.WARNING or alarm.blocks == Block.HEATER
    assert not (both and alarm.severity is Severity.WARNING)


@pytest.mark.parametrize("alarm", [a for a in ALARMS if a.ends is Release.OPERATOR], ids=lambda a: a.name)
def test_an_operator_is_told_of_the_reset_he_has_to_make(alarm) -> None:
    """S13: an alarm that waits for people says so; a front end that is broken is replaced."""
    assert "reset" in alarm.advice or "replace" in alarm.advice


def test_lost_values_block_both_ways() -> None:
    """S1, S2: unknown is never good."""
    both = Block.CHARGE | Block.DISCHARGE
    names = "cell_lost cell_frozen temperature_lost switch_temperature_lost current_lost afe_lost afe_reset afe_refused"
    assert all(alarms.BY_NAME[name].blocks & both == both for name in names.split())


@pytest.mark.parametrize("row", parameters.ROWS, ids=lambda row: row.name)
def test_a_parameter_says_what_it_is(row) -> None:
    assert row.help.strip()
    assert row.low < row.high
    assert row.public_name == row.unit.public_name(row.name)
    assert row.unit.inside == "" or row.name.endswith(row.unit.inside)


UNITS = [unit for unit in vars(rows).values() if isinstance(unit, rows.Unit)]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.inside or "count")
@pytest.mark.parametrize("value", [-4001, -1, 0, 1, 999, 3600, 123_456])
def test_a_value_survives_the_way_to_people_and_back(unit, value) -> None:
    assert unit.to_inside(unit.to_public(value)) == value


def test_units_are_written_for_people() -> None:
    assert rows.VOLT.text(3600) == "3.600 V"
    assert rows.CELSIUS.text(-5) == "-0.5 °C"
    assert rows.CELSIUS.to_public(-80) == -8.0
    assert rows.SECOND.public_name("cell_ovp_delay_ms") == "cell_ovp_delay_s"
    assert rows.COUNT.text(8) == "8"
