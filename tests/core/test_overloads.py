"""Fast over-current and trips of the chip in a row: growing pauses, and then an operator, by direction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.core import overloads
from bmsd.core.alarms import ALL_QUIET, AS_IN_THE_ROW, AlarmState, Finding
from bmsd.core.overloads import NONE, Overloads
from bmsd.core.state import begin
from bmsd.core.types import ChipFault, Event, Request
from bmsd.tables.alarms import ALARMS, BY_NAME, Block, Release
from tests.support.bench_inputs import Pack, make_settings

HOUR_MS = 3_600_000
T = 10 * HOUR_MS
TRIPS = [
    # how it trips, what that raises, the latch, what it blocks, the first pause
    ({"current_ma": -240_000}, "discharge_ocp2", "discharge_trip_repeated", Block.DISCHARGE, 60),
    ({"current_ma": 160_000}, "charge_ocp2", "charge_trip_repeated", Block.CHARGE, 60),
    (
        {"faults": ChipFault.DISCHARGE_OVER_CURRENT},
        "chip_discharge_trip",
        "discharge_trip_repeated",
        Block.DISCHARGE,
        10,
    ),
    ({"faults": ChipFault.CHARGE_OVER_CURRENT}, "chip_charge_trip", "charge_trip_repeated", Block.CHARGE, 10),
    ({"faults": ChipFault.CELL_OVER_VOLTAGE}, "chip_charge_trip", "charge_trip_repeated", Block.CHARGE, 10),
]


def is_closed(pack: Pack, block: Block) -> bool:
    return pack.state.charge.on if block is Block.CHARGE else pack.state.discharge.on


def trip(pack: Pack, how: dict, name: str) -> None:
    """Let it trip, and be over as soon as the contactor is open."""
    for key, value in how.items():
        setattr(pack, key, value)
    pack.until(lambda p: name in p.active(), 5000)
    pack.current_ma, pack.faults = 0, ChipFault.NONE
    pack.cells = [
        mv + 1 if mv == 3300 else 3300 for mv in pack.cells
    ]  # cells that answer to no current are frozen
    pack.cycle()


@pytest.mark.parametrize(("how", "name", "latch", "block", "first_s"), TRIPS)
def test_three_end_by_themselves_after_growing_pauses_and_the_fourth_waits(
    how, name, latch, block, first_s
) -> None:
    """S12, S13: 91 openings under load in three hours were possible."""
    pack = Pack().started()
    for pause_s in (first_s, 2 * first_s, 4 * first_s):
        trip(pack, how, name)
        assert not is_closed(pack, block)
        assert latch not in pack.active()
        pack.run(pause_s * 1000 - 500)
        assert name in pack.active()
        pack.run(30_000)
        assert is_closed(pack, block)
    trip(pack, how, name)
    assert latch in pack.active()
    assert pack.alarm(latch).value == 4
    pack.run(3 * HOUR_MS, 10_000)
    assert latch in pack.active()
    assert not is_closed(pack, block)
    assert is_closed(pack, Block.CHARGE if block is Block.DISCHARGE else Block.DISCHARGE)
    assert pack.reset(latch)
    pack.run(30_000)
    assert is_closed(pack, block)
    assert not pack.active()
    assert pack.state.overloads == NONE


@pytest.mark.parametrize("allowed", [0, 1, 4])
def test_how_many_is_a_parameter(allowed) -> None:
    pack = Pack(make_settings(chosen={"over_current_releases_per_hour": allowed})).started()
    for _ in range(allowed):
        trip(pack, {"faults": ChipFault.DISCHARGE_OVER_CURRENT}, "chip_discharge_trip")
        pack.cycle()
        assert "discharge_trip_repeated" not in pack.active()
        pack.until(lambda p: p.state.discharge.on)
    trip(pack, {"faults": ChipFault.DISCHARGE_OVER_CURRENT}, "chip_discharge_trip")
    assert "discharge_trip_repeated" in pack.active()


@pytest.mark.parametrize("release_ms", [2000, 60_000, 120_000])
@pytest.mark.parametrize("allowed", [0, 4])
def test_an_overload_that_comes_with_every_closing_is_ended_whatever_the_parameters(
    release_ms, allowed
) -> None:
    """S12: the longest pauses that may be set still bring all tries into one hour."""
    chosen = {"over_current_releases_per_hour": allowed, "discharge_ocp_release_ms": release_ms}
    pack = Pack(make_settings(chosen=chosen)).started()
    openings = 0
    for _ in range(3 * 3600 * 4):
        pack.current_ma = -240_000 if pack.state.discharge.on else 0
        pack.cells = [3300 + pack.now_ms // 250 % 2] * 4
        was = pack.state.discharge.on
        quiet = not (was or pack.state.commands.precharge)
        pack.cycle(after_ms=1000 if quiet else 250)
        openings += was and not pack.state.discharge.on
        if "discharge_trip_repeated" in pack.active():
            break
    assert openings == allowed + 1


def test_several_alarms_of_one_event_count_once() -> None:
    """The chip is faster, and where its permits are not wired the current goes on into the daemon's own delay."""
    pack = Pack().started()
    pack.faults, pack.current_ma = ChipFault.DISCHARGE_OVER_CURRENT, -240_000
    pack.run(2000)
    assert {"chip_discharge_trip", "discharge_ocp2"} <= pack.active()
    assert len(pack.state.overloads.discharge) == 1
    assert pack.state.overloads.charge == ()


def test_both_directions_count_by_themselves() -> None:
    pack = Pack().started()
    pack.faults = ChipFault.BOARD_TEMPERATURE
    pack.cycle()
    assert [len(times) for times in (pack.state.overloads.charge, pack.state.overloads.discharge)] == [1, 1]


EVENT = Event(at_ms=T, kind="alarm", name="discharge_ocp2", state="raised")


def test_what_counts_and_for_how_long() -> None:
    def count(before: Overloads, *events: Event, states=ALL_QUIET) -> Overloads:
        return overloads.count(before, states, events, 3, T)

    assert count(NONE) == NONE
    assert count(NONE, EVENT) == Overloads((), (T,))
    assert count(NONE, replace(EVENT, name="charge_ocp2")) == Overloads((T,))
    assert count(NONE, replace(EVENT, state="cleared")) == NONE
    assert count(NONE, replace(EVENT, name="discharge_ocp")) == NONE
    assert count(NONE, replace(EVENT, kind="request")) == NONE
    old = Overloads((T - HOUR_MS,), (T - HOUR_MS, T - HOUR_MS + 1))
    assert count(old) == Overloads((), (T - HOUR_MS + 1,))
    assert count(Overloads((), tuple(range(T - 4, T))), EVENT) == Overloads((), (T - 3, T - 2, T - 1, T))
    tripped = tuple(AlarmState(row.name == "chip_discharge_trip") for row in ALARMS)
    assert count(NONE, EVENT, states=tripped) == NONE


def test_nothing_counted_is_always_the_one_object_that_a_good_cycle_is_known_by() -> None:
    old = Overloads((T - HOUR_MS,), (T - HOUR_MS,))
    assert overloads.count(old, ALL_QUIET, (), 3, T) is NONE
    latches = frozenset({"charge_trip_repeated", "discharge_trip_repeated"})
    assert overloads.reset(Overloads((T,), (T,)), latches) is NONE


def test_pauses_double_up_to_an_hour() -> None:
    table = make_settings().table
    assert overloads.pauses(table, NONE) is AS_IN_THE_ROW
    assert overloads.pauses(table, Overloads((T,))) == {"charge_ocp2": 60_000, "chip_charge_trip": 10_000}
    assert overloads.pauses(table, Overloads((), (T,) * 3)) == {
        "discharge_ocp2": 240_000, "chip_discharge_trip": 40_000,
    }  # fmt: skip
    assert overloads.pauses(table, Overloads((T,) * 20))["charge_ocp2"] == HOUR_MS


def test_what_is_told_and_forgotten() -> None:
    both = Overloads((T,) * 3, (T,) * 4)
    assert overloads.findings(both, 3) == {"discharge_trip_repeated": Finding(True, 4)}
    assert overloads.findings(both, 4) == {}
    assert overloads.reset(both, frozenset({"discharge_trip_repeated"})) == Overloads((T,) * 3)
    assert overloads.reset(both, frozenset({"charge_trip_repeated"})) == Overloads((), (T,) * 4)
    assert overloads.reset(both, frozenset({"cell_floor"})) == both


def test_the_latches_survive_a_restart() -> None:
    """S13: a power cut is no way to try once more."""
    for name in ("charge_trip_repeated", "discharge_trip_repeated"):
        assert BY_NAME[name].ends is Release.OPERATOR
        pack = Pack(state=begin(0, latched={name: (4, None)}))
        pack.run(30_000)
        assert name in pack.active()
        pack.cycle(Request("reset", name))
        assert name not in pack.active()
