"""What may be written remotely: numbers that never move, and only the side on which less is allowed (S14)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bmsd.config.load import load
from bmsd.tables import alarms, parameters, registers, remote
from bmsd.tables.remote import Remote, Way
from tests.support.locks import assert_frozen

LOCK = Path(__file__).parent / "remote.lock.json"
HERE = load(Path(__file__).resolve().parents[2] / "etc" / "bmsd.toml").parameters


def test_every_parameter_has_a_row_and_every_row_a_parameter() -> None:
    assert {row.name for row in remote.ROWS} == set(parameters.BY_NAME)


def test_a_number_belongs_to_one_parameter_for_ever() -> None:
    """A changed line here breaks every master in the field: add rows, never move them."""
    rows = [[row.number, row.name] for row in remote.ROWS]
    assert len({number for number, _ in rows}) == len(rows)
    assert_frozen(rows, LOCK)


def test_parameters_stand_apart_from_all_blocks() -> None:
    assert all(block.start + block.length <= registers.PARAMETERS_AT for block in registers.BLOCKS)
    assert registers.PARAMETERS_AT + registers.PARAMETERS_LENGTH <= 0x1000, "there the map of JK begins"


def test_every_value_of_every_parameter_fits_its_registers() -> None:
    low, high = registers.S32.value[1:3]
    for row in parameters.ROWS:
        assert low <= row.bounds(32)[0] <= row.bounds(32)[1] <= high


def test_switches_are_those_of_the_alarms() -> None:
    assert {flag.names[0]: flag for flag in remote.SWITCHES.values()} == remote.SWITCHES
    assert alarms.Block.HEATER not in remote.SWITCHES.values()


@pytest.mark.parametrize("alarm", [a for a in alarms.ALARMS if a.trip and a.blocks], ids=lambda a: a.name)
def test_the_way_is_the_side_on_which_the_alarm_trips_earlier_and_ends_later(alarm) -> None:
    """S14: told by another table."""
    side = Way.DOWN if alarm.sense is alarms.ABOVE else Way.UP
    ways = {alarm.trip: side, alarm.release: side, alarm.delay: Way.DOWN, alarm.release_delay: Way.UP}
    for name, way in ways.items():
        if name:
            assert remote.BY_NAME[name].way in (way, Way.NEVER), name


@pytest.mark.parametrize("row", remote.ROWS, ids=lambda row: row.name)
def test_only_the_narrower_side_is_taken(row: Remote) -> None:
    """S14."""
    here = HERE.get(row.name)
    taken = {step for step in (-1, 0, 1) if not remote.problems({row.name: here + step}, HERE)}
    assert taken == {Way.DOWN: {-1, 0}, Way.UP: {0, 1}, Way.NEVER: {0}}[row.way]


def test_what_is_no_parameter_is_told() -> None:
    assert remote.problems({"cell_ovp": 1}, HERE) == ["no parameter is called cell_ovp"]


def test_the_reason_names_value_side_and_limit() -> None:
    (text,) = remote.problems({"cell_ovp_mv": 3601}, replace(HERE, cell_ovp_mv=3600))
    assert text == "cell_ovp_v is 3.601 V; a remote write may not go above 3.600 V, which is set at the pack"
    (text,) = remote.problems({"cell_uvp_mv": 2699}, replace(HERE, cell_uvp_mv=2700))
    assert "may not go below 2.700 V" in text
    (text,) = remote.problems({"charge_utp_decic": 50}, replace(HERE, charge_utp_decic=0))
    assert text == "charge_utp_c cannot be changed remotely"
