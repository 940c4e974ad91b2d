"""When a contactor may close again: its rest, and so many closings per hour (S12)."""

from __future__ import annotations

import pytest

from bmsd.core.types import InhibitCause, Request
from tests.support.bench_inputs import Pack, make_settings

HOUR_MS = 3_600_000
OFF = Request("switch", "charge", False, "uid 0")
ON = Request("switch", "charge", True, "uid 0")


def opened(**chosen: int) -> Pack:
    """Give a pack whose charge contactor has just opened and is wanted again."""
    pack = Pack(make_settings(chosen=chosen)).started()
    pack.cycle(OFF)
    assert not pack.state.commands.charge
    return pack


def test_opening_waits_for_no_rest() -> None:
    """S1: a contactor that closed a moment ago opens in the cycle that asks for it."""
    pack = Pack()
    pack.until(lambda p: p.state.commands.charge)
    pack.cycle(OFF, after_ms=1)
    assert not pack.state.commands.charge


def test_it_rests_for_its_time_and_not_a_millisecond_less() -> None:
    """S12: a minimum off time."""
    pack = opened()
    pack.cycle(ON, after_ms=4999)
    assert not pack.state.commands.charge
    assert pack.out is not None
    assert pack.out.charge_inhibits[0].because is InhibitCause.MIN_OFF
    assert pack.out.charge_inhibits[0].until_ms == pack.now_ms + 1
    pack.cycle(after_ms=1)
    assert pack.state.commands.charge


@pytest.mark.parametrize("most", [2, 5])
def test_it_closes_so_often_in_an_hour_and_no_more(most: int) -> None:
    """S12: a limit on operations per hour."""
    pack = opened(contactor_operations_per_hour=most, precharge_tries=1)
    first_ms = pack.state.charge.starts_ms[0]
    for _ in range(most - 1):
        pack.cycle(ON, after_ms=5000)
        assert pack.state.commands.charge
        pack.cycle(OFF)
    pack.cycle(ON, after_ms=5000)
    assert not pack.state.commands.charge
    assert pack.out is not None
    assert pack.out.charge_inhibits[0].because is InhibitCause.OPERATIONS
    pack.at(first_ms + HOUR_MS - 1)
    assert not pack.state.commands.charge
    pack.at(first_ms + HOUR_MS)
    assert pack.state.commands.charge


def test_the_discharge_side_is_held_to_the_same() -> None:
    """S12: with the pre-charge relay waiting as well."""
    pack = Pack(make_settings(chosen={"contactor_operations_per_hour": 2, "precharge_tries": 1})).started()
    for _ in range(4):
        pack.cycle(Request("switch", "discharge", False, "uid 0"))
        pack.cycle(Request("switch", "discharge", True, "uid 0"))
        pack.run(6000)
    assert not pack.state.commands.discharge
    assert not pack.state.commands.precharge


def test_nothing_closes_before_enough_good_cycles() -> None:
    """S13: eight complete good cycles in a row, then both sides may move."""
    pack = Pack()
    for _ in range(7):
        pack.cycle()
        assert pack.state.commands.charge is pack.state.commands.precharge is False
        assert pack.state.word == "starting"
    pack.cycle()
    assert pack.state.commands.charge


@pytest.mark.parametrize(
    ("spoil", "alarm", "closed"),
    [
        ({"battery": [-50, -50]}, "charge_utp", (False, True)),
        ({"cells": [3700] * 4}, "cell_ovp", (False, True)),
        ({"cells": [2650] * 4}, "cell_uvp", (True, False)),
        ({"stack": 10_000}, "stack_mismatch", (False, False)),
    ],
)
@pytest.mark.parametrize("good_cycles", [2, 8])
def test_a_start_waits_for_the_delay_of_what_would_open_it_again(spoil, alarm, closed, good_cycles) -> None:
    """S13, S12: a pack that is found cold, full, empty or wrong closes nothing for a moment first."""
    pack = Pack(make_settings(chosen={"start_good_cycles": good_cycles}), **spoil)
    seen = set()
    for _ in range(60):
        pack.cycle()
        seen |= {name for name in ("charge", "discharge") if getattr(pack.state.commands, name)}
    assert pack.alarm(alarm).active
    assert pack.state.started
    assert ("charge" in seen, "discharge" in seen) == closed


def test_the_count_of_good_cycles_ends_where_it_is_enough() -> None:
    """S13: a start that waits for a delay goes on counting nothing: no state grows without end."""
    pack = Pack(make_settings(chosen={"start_good_cycles": 2}), cells=[3700] * 4)
    most = 0
    while not pack.state.started:
        pack.cycle()
        most = max(most, pack.state.good_cycles)
    assert most == 2


def test_a_start_below_shutdown_voltage_does_not_wait_for_the_pack_to_shut_itself_down() -> None:
    """S13: that timer runs for ten minutes and blocks nothing more than what is blocked already."""
    pack = Pack(cells=[2550] * 4)
    pack.run(6000)
    assert pack.state.commands.charge


@pytest.mark.parametrize("spoil", ["polled", "current", "line"])
def test_one_bad_cycle_starts_the_count_again(spoil: str) -> None:
    """S13: in a row means in a row."""
    pack = Pack()
    pack.run(7 * 250)
    sound = pack.lines, pack.current_ma
    if spoil == "polled":
        pack.polled = False
    elif spoil == "current":
        pack.current_ma = None
        pack.now_ms += 1001
    else:
        pack.lines = type(pack.inputs().lines)(charge=True)
    pack.cycle()
    pack.polled, (pack.lines, pack.current_ma) = True, sound
    for _ in range(7):
        pack.cycle()
        assert not pack.state.commands.charge


def test_an_operators_no_survives_every_cycle_until_his_yes() -> None:
    """S14: a consent is kept, not forgotten."""
    pack = opened()
    pack.run(HOUR_MS, 1000)
    assert not pack.state.commands.charge
    assert pack.state.commands.discharge
    pack.cycle(ON)
    assert pack.state.commands.charge


def test_an_operators_yes_does_not_outvote_an_alarm() -> None:
    """S14: a request never widens."""
    pack = Pack().started()
    pack.cells[0] = 3700
    pack.run(2000)
    pack.cycle(ON)
    assert not pack.state.commands.charge
