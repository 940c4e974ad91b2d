"""A load side that keeps its voltage with everything off: a warning, after a time that no capacitors hold it for."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import live_load_side
from bmsd.core.alarms import ALL_QUIET, AlarmState, Finding
from bmsd.core.contactors import PrechargeState
from bmsd.core.live_load_side import NAME, NOT_WATCHED, LoadSideState, beside
from bmsd.core.switching import SwitchState
from bmsd.core.types import Request
from bmsd.tables.alarms import ALARMS, BY_NAME, Block
from tests.support.bench_inputs import Pack, believed, make_settings

SETTINGS = make_settings()
HOLD_MS = SETTINGS.parameters.bus_hold_ms
T = 9_000_000
OFF, ON = SwitchState(False, T - 3_600_000), SwitchState(True, T - 3_600_000)
RAISED = tuple(AlarmState(row.name == NAME) for row in ALARMS)
STANDS = LoadSideState(T - HOLD_MS, 13_200)
UNSEEN = {NAME: Finding(None)}
FIRST = [Request("switch", name, False, "uid 0") for name in ("charge", "discharge")]


def look(
    before: LoadSideState,
    load_mv: int | None = 13_200,
    *,
    switches=(OFF, OFF),
    alarms=ALL_QUIET,
    **changed: Any,
) -> tuple[LoadSideState, dict[str, Finding]]:
    return live_load_side.watch(
        SETTINGS, before, switches, believed(SETTINGS, load_mv=load_mv, **changed), alarms, T
    )


def test_it_is_told_of_at_its_time_and_not_a_millisecond_before() -> None:
    assert look(STANDS) == (STANDS, {NAME: Finding(True, 13_200)})
    sooner = LoadSideState(T - HOLD_MS + 1, 13_200)
    assert look(sooner) == (sooner, {})


@pytest.mark.parametrize(
    ("load_mv", "watched"), [(6599, False), (6600, True), (13_464, True), (13_465, False)]
)
def test_between_half_of_the_pack_and_a_little_above_it(load_mv, watched) -> None:
    """Below it runs down, above it another source holds it."""
    assert look(NOT_WATCHED, load_mv) == (LoadSideState(T, load_mv) if watched else NOT_WATCHED, {})


def test_one_that_falls_begins_anew() -> None:
    """Capacitors run down, however slowly: by a fiftieth within the time."""
    assert look(STANDS, 12_936)[1] == {NAME: Finding(True, 12_936)}
    assert look(STANDS, 12_935) == (LoadSideState(T, 12_935), {})


def test_one_that_rises_with_the_pack_is_watched_from_its_highest() -> None:
    assert look(STANDS, 13_300)[0] == LoadSideState(T - HOLD_MS, 13_300)


@pytest.mark.parametrize("lost", [{"load_mv": None}, {"cell_mv": (None, 3300, 3300, 3300)}])
def test_unknown_shows_nothing_and_takes_nothing_back(lost) -> None:
    """S2: nor does it end the time, so that a reading lost now and then hides nothing."""
    assert look(STANDS, **lost) == (STANDS, {})
    assert look(STANDS, alarms=RAISED, **lost) == (STANDS, UNSEEN)


@pytest.mark.parametrize(
    "switches",
    [(ON, OFF), (OFF, ON), (SwitchState(False, T - 499), OFF), (OFF, SwitchState(False, T - 499))],
)
def test_with_anything_on_nothing_is_said(switches) -> None:
    """What was found stays on record: only a load side that falls ends it."""
    assert look(STANDS, switches=switches) == (NOT_WATCHED, {})
    assert look(STANDS, switches=switches, alarms=RAISED) == (NOT_WATCHED, UNSEEN)


def test_switches_that_never_moved_or_have_settled_are_off() -> None:
    settled = SwitchState(False, T - 500)
    assert look(NOT_WATCHED, switches=(SwitchState(), settled))[0] == LoadSideState(T, 13_200)


@pytest.mark.parametrize(
    ("charger_mv", "told"), [(13_464, False), (13_465, True), (12_936, False), (12_935, True)]
)
def test_one_source_that_feeds_both_sides_is_no_weld(charger_mv, told) -> None:
    """An inverter on both sides of a split pack; where there is one bus both sides are the same."""
    assert bool(look(STANDS, charger_mv=charger_mv)[1]) is told
    assert look(STANDS, charger_mv=None)[1]
    for topology in ("common", "afe"):
        values = believed(SETTINGS, load_mv=13_200, charger_mv=charger_mv)
        one_bus = make_settings(topology=topology)
        assert live_load_side.watch(one_bus, STANDS, (OFF, OFF), values, ALL_QUIET, T)[1]


@pytest.mark.parametrize(("charger_mv", "told"), [(51_000, False), (51_001, True)])
def test_one_source_is_a_fiftieth_of_any_voltage_apart_and_no_further(charger_mv, told) -> None:
    """1 V of 50 V."""
    sixteen = make_settings(cells=16)
    values = believed(sixteen, cell_mv=(3125,) * 16, stack_mv=50_000, load_mv=50_000, charger_mv=charger_mv)
    stands = LoadSideState(T - sixteen.parameters.bus_hold_ms, 50_000)
    assert bool(live_load_side.watch(sixteen, stands, (OFF, OFF), values, ALL_QUIET, T)[1]) is told


def test_a_warning_stays_while_the_time_runs_again() -> None:
    assert look(LoadSideState(T - 1000, 13_200), alarms=RAISED)[1] == UNSEEN


def test_what_joins_pack_and_load_side_in_each_topology() -> None:
    charge, discharge, main = (SwitchState(closings=n) for n in (1, 2, 3))
    relay = SwitchState(closings=4)
    found = {
        topology: beside(make_settings(topology=topology), charge, discharge, main, PrechargeState(relay))
        for topology in ("split", "common", "afe")
    }
    assert found == {"split": (discharge, relay), "common": (main, relay), "afe": (charge, discharge, relay)}


def test_a_pack_whose_relay_welded_says_so_and_goes_on() -> None:
    """It blocks nothing: another source may hold the load side, and nothing flows that would do harm."""
    pack = Pack().started()
    pack.load_mv = sum(mv or 0 for mv in pack.cells)
    pack.cycle(*FIRST)
    pack.run(HOLD_MS - 1000, 1000)
    assert not pack.active()
    pack.run(5000)
    assert pack.active() == {NAME}
    pack.cycle(*[Request("switch", name, True, "uid 0") for name in ("charge", "discharge")])
    pack.run(30_000)
    assert pack.state.commands.discharge
    assert pack.active() == {NAME}
    pack.cycle(*FIRST)
    pack.load_mv = 0
    pack.run(30_000)
    assert not pack.active()


def test_a_load_side_that_runs_down_is_in_order() -> None:
    pack = Pack().started()
    pack.cycle(*FIRST)
    for _ in range(1200):
        pack.load_mv = round(13_206 * 0.9999 ** (pack.now_ms / 1000 - 1000))
        pack.cycle(after_ms=1000)
    assert pack.load_mv > 6600
    assert not pack.active()


def test_the_row_is_a_warning() -> None:
    assert BY_NAME[NAME].blocks is Block.NONE
