"""How fast protections act is measured on trips that are their own: every one is tripped, none acts too early.

No figure is judged here, for a busy machine would fail it; `./run reaction` tells figures.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from bmsd.tables.alarms import ALARMS, BY_NAME
from tests.benchmarks import reaction, reaction_page, reaction_trips
from tests.benchmarks.reaction_measure import Series, measure
from tests.benchmarks.reaction_trips import NOT_MEASURED, TRIPS, bend

KHZ = 100


def test_every_alarm_that_blocks_is_tripped_or_says_why_not() -> None:
    assert not reaction_trips.missing(), "trip them in reaction_trips.PLAIN, or say why not in NOT_MEASURED"


def test_an_alarm_in_neither_list_is_missed(monkeypatch) -> None:
    new = replace(BY_NAME["cell_ovp"], name="brand_new")
    silent = replace(BY_NAME["cell_spread"], name="only_a_warning")
    monkeypatch.setattr(reaction_trips, "ALARMS", (*ALARMS, new, silent))
    assert reaction_trips.missing() == ["brand_new"]


def test_reasons_are_given_only_for_what_blocks_and_is_not_tripped() -> None:
    tripped = {trip.alarm for trip in TRIPS.values()}
    assert all(BY_NAME[name].blocks and name not in tripped for name in NOT_MEASURED)


def test_what_may_wait_for_little_current_is_tripped_under_current_too() -> None:
    waiting = {alarm.name for alarm in ALARMS if alarm.opening_ms and alarm.name not in NOT_MEASURED}
    assert {trip.alarm for trip in TRIPS.values() if trip.current} >= waiting


@pytest.mark.parametrize("name", TRIPS)
def test_each_trip_is_its_own_and_never_before_its_delay(name, tmp_path) -> None:
    """S1: the alarm that is tripped opens the lines it names, and nothing else did so before."""
    series = measure(tmp_path, TRIPS[name], 2, real=False, khz=KHZ)
    assert series.strange == []
    assert min(series.late_ms) >= 0


@pytest.mark.slow
def test_own_delays_are_those_of_the_preset(tmp_path) -> None:
    own = {name: measure(tmp_path, TRIPS[name], 0, real=False, khz=KHZ).own_ms for name in TRIPS}
    assert own["cell_ovp"] == 1000
    assert own["cell_ovp, under current"] == 1500, "the wait for little current is a delay of its own (S12)"
    assert own["cell_lost"] == 1000, "an unknown value opens by its age"
    assert own["short_circuit"] == 0


def test_a_trip_in_real_time_is_its_own_too(tmp_path) -> None:
    series = measure(tmp_path, TRIPS["cell_ovp"], 1, real=True, khz=400)
    assert series.strange == []
    assert len(series.late_ms) == 1


def test_a_trip_by_something_else_is_told_and_not_counted(tmp_path) -> None:
    wrong = replace(TRIPS["cell_shutdown"], provoke=bend(3, -640), shows=lambda _, m: min(m.cell_mv) < 2700)
    series = measure(tmp_path, wrong, 1, real=False, khz=KHZ)
    assert series.late_ms == []
    assert "cell_shutdown: not raised" in series.strange[0]


def test_a_line_that_goes_off_later_than_alarm_and_wait_is_told(tmp_path) -> None:
    """Under current the line waits; a row that does not say so is no row."""
    trip = replace(TRIPS["cell_ovp, under current"], current=False)
    series = measure(tmp_path, trip, 1, real=False, khz=KHZ)
    assert series.late_ms == []
    assert "ms from its alarm" in series.strange[0]


def test_what_the_registers_show_before_the_cause_is_told(tmp_path) -> None:
    trip = replace(TRIPS["cell_ovp"], shows=lambda *_: True)
    assert "before it is there" in measure(tmp_path, trip, 1, real=False, khz=KHZ).strange[0]


def test_a_slower_bus_is_seen_in_the_figures(tmp_path) -> None:
    """The same moments, another wire: every trip ends later by what the bytes take longer."""
    slow, fast = (measure(tmp_path, TRIPS["chip_fault"], 3, real=False, khz=khz) for khz in (10, 400))
    assert sum(slow.late_ms) > sum(fast.late_ms)


def test_the_table_tells_a_figure_beyond_its_budget() -> None:
    results = {
        "slow": {"cell_ovp": Series(1000, [10.0, 20.0, 275.0])},
        "loaded": {"cell_ovp": Series(100, [1.0, 2.0, 3.0], ["cell_ovp: not raised; reasons: []"])},
    }
    text = "\n".join(reaction_page.table(results))
    assert "20 / 275 / 275" in text
    assert "**missed**: 100 kHz by 15.0 ms" in text
    assert "loaded: cell_ovp: not raised" in "\n".join(reaction_page.strange(results))


def test_a_run_that_was_stopped_early_says_so() -> None:
    whole = {kind: {"cell_ovp": Series(1000, [1.0] * 1000)} for kind in reaction_page.KINDS}
    assert reaction_page.shortfall(whole) == []
    part = {"slow": {"cell_ovp": Series(1000, [1.0] * 999)}}
    text = "\n".join(reaction_page.shortfall(part))
    assert "400 kHz, idle, loaded" in text
    assert "Stopped early:** 100 kHz" in text


def test_a_row_of_which_no_trip_counts_is_not_kept() -> None:
    assert "nothing measured" in reaction_page.table({"slow": {"cell_ovp": Series(1000)}})[2]


def test_the_command_measures_and_keeps_what_it_found(monkeypatch, tmp_path, capsys) -> None:
    words = f"--trips 2 --only short_circuit --kinds slow --data {tmp_path / 'data.json'}".split()
    monkeypatch.setattr(sys, "argv", ["reaction.py", *words])
    assert reaction.main() == 0
    assert "| `short_circuit` | charge, discharge | none |" in capsys.readouterr().out
    results, about = reaction.kept(tmp_path / "data.json")
    assert len(results["slow"]["short_circuit"].late_ms) == 2
    assert "Linux" in about["slow"]
