"""One alarm row by itself, cycle by cycle: trip timer, release timer, the worst value, events, what survives."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import alarms
from bmsd.core.alarms import ALL_QUIET, QUIET, AlarmState, Finding, Rule, advance, compare
from bmsd.core.plausible import HeldReadings, Reading, Values, validate
from bmsd.core.types import ChipFault, Event, Measurement
from bmsd.tables.alarms import ALARMS, BY_NAME, Block
from tests.support import bench_inputs
from tests.support.bench_inputs import make_settings

SETTINGS = make_settings()
T = 7_000_000
RULES = {rule.name: rule for rule in SETTINGS.table}
PLACE = {alarm.name: n for n, alarm in enumerate(ALARMS)}
OVER, UNDER, CURRENT = RULES["cell_ovp"], RULES["cell_uvp"], RULES["charge_ocp2"]


def believed() -> Values:
    return bench_inputs.believed(SETTINGS, battery_decic=(250, 250))


class Row:
    """One row, with all other rows in order."""

    def __init__(self, name: str, state: AlarmState = QUIET) -> None:
        self.rule, self.place = RULES[name], PLACE[name]
        self.states = tuple(state if n == self.place else QUIET for n in range(len(ALARMS)))
        self.events: tuple[Event, ...] = ()

    def see(
        self,
        now_ms: int,
        reading: Reading | None = None,
        *,
        reset: bool = False,
        confirmed: bool = False,
        **found: Finding,
    ) -> Any:
        """Let one cycle pass; give the state of the row."""
        values = believed()
        if reading is not None:
            values = values._replace(**{self.rule.value: reading})
        name = self.rule.name
        resets, by_chip = frozenset([name] * reset), frozenset([name] * confirmed)
        self.states, events = advance(SETTINGS.table, self.states, values, found, resets, now_ms, by_chip)
        # Other rows compare the same value with limits of their own.
        self.events = tuple(event for event in events if event.name == name)
        return self.states[self.place]


def test_a_trip_timer_begins_with_the_first_bad_value_and_keeps_the_last() -> None:
    row = Row("cell_ovp")
    assert row.see(T, Reading(3700, True, 2)) == AlarmState(
        active=False, since_ms=0, bad_since_ms=T, good_since_ms=None, value=3700, where=2
    )
    assert row.see(T + 999, Reading(3650, True, 3)) == AlarmState(
        active=False, since_ms=0, bad_since_ms=T, good_since_ms=None, value=3650, where=3
    )
    assert row.events == ()
    assert row.see(T + 1000, Reading(3601, True, 1)) == AlarmState(True, T + 1000, value=3601, where=1)
    assert row.events == (
        Event(at_ms=T + 1000, kind="alarm", name="cell_ovp", state="raised", where=1, value=3601, limit=3600),
    )


def test_what_is_known_from_before_needs_no_delay() -> None:
    row = Row("charge_not_stopped")
    assert not row.see(T, charge_not_stopped=Finding(True, 17_000)).active
    row = Row("charge_not_stopped")
    assert row.see(T, charge_not_stopped=Finding(True, 17_000, at_once=True)).active
    assert row.events == (
        Event(
            at_ms=T,
            kind="alarm",
            name="charge_not_stopped",
            state="raised",
            where=None,
            value=17_000,
            limit=None,
        ),
    )


def test_a_trip_that_becomes_unknown_trips_with_the_value_that_was_seen() -> None:
    """S2."""
    row = Row("cell_ovp")
    row.see(T, Reading(3700, True, 2))
    assert row.see(T + 500, Reading(None, False)) == AlarmState(
        active=False, since_ms=0, bad_since_ms=T, good_since_ms=None, value=3700, where=2
    )
    assert row.see(T + 1000, Reading(None, False)) == AlarmState(True, T + 1000, value=3700, where=2)


def test_a_known_value_beyond_the_limit_trips_whatever_is_unknown_beside_it() -> None:
    """S2: an unknown cell hides no high one."""
    row = Row("cell_ovp")
    row.see(T, Reading(3700, False, 2))
    assert row.see(T + 1000, Reading(3700, False, 2)).active


def test_a_good_value_beside_an_unknown_one_neither_starts_nor_ends_a_timer() -> None:
    """S2."""
    row = Row("cell_ovp")
    assert row.see(T, Reading(3300, False, 1)) == QUIET
    row.see(T, Reading(3700, True, 2))
    assert row.see(T + 999, Reading(3300, False, 1)) == AlarmState(
        active=False, since_ms=0, bad_since_ms=T, good_since_ms=None, value=3700, where=2
    )
    assert row.see(T + 999, Reading(3600, True, 1)) == QUIET


@pytest.mark.parametrize(
    ("rule", "value", "answer"),
    [
        (OVER, 3601, (True, False)), (OVER, 3600, (False, False)), (OVER, 3400, (False, False)),
        (OVER, 3399, (False, True)),
        (UNDER, 2699, (True, False)), (UNDER, 2700, (False, False)), (UNDER, 3000, (False, False)),
        (UNDER, 3001, (False, True)),
        (RULES["charge_utp"], 50, (False, True)), (RULES["charge_utp"], 49, (False, False)),
    ],
)  # fmt: skip
def test_a_comparison_answers_beyond_the_limit_and_safely_back(rule: Rule, value, answer) -> None:
    assert compare(rule, Reading(value, True)) == answer
    bad, clear = answer
    # Beside an unknown value bad is still bad, and nothing else is an answer, but that it is not back.
    assert compare(rule, Reading(value, False)) == (True if bad else None, None if clear else False)


def test_an_unknown_reading_has_no_answer() -> None:
    """S2."""
    assert compare(OVER, Reading(None, False)) == (None, None)
    assert compare(UNDER, Reading(None, True)) == (None, None)


@pytest.mark.parametrize(
    ("name", "values", "kept"),
    [
        ("cell_ovp", [(3650, 1), (3700, 2), (3700, 3), (3620, 4)], (3700, 2)),
        ("cell_uvp", [(2650, 1), (2600, 2), (2600, 3), (2690, 4)], (2600, 2)),
    ],
)
def test_the_worst_value_is_kept_with_its_place(name, values, kept) -> None:
    row = Row(name, AlarmState(True, T, value=values[0][0], where=values[0][1]))
    for n, (mv, where) in enumerate(values):
        row.see(T + n, Reading(mv, True, where))
    assert row.see(T + 9, Reading(3300, False, 4)) == AlarmState(True, T, value=kept[0], where=kept[1])


def test_a_value_inside_the_limit_replaces_no_worst_one() -> None:
    row = Row("cell_ovp", AlarmState(True, T, value=3610, where=1))
    assert row.see(T + 1, Reading(3599, True, 2)) == AlarmState(
        active=True, since_ms=T, bad_since_ms=None, good_since_ms=None, value=3610, where=1
    )
    assert row.see(T + 2, Reading(None, False)) == AlarmState(
        active=True, since_ms=T, bad_since_ms=None, good_since_ms=None, value=3610, where=1
    )


def test_an_alarm_that_was_kept_without_a_value_takes_the_next_bad_one() -> None:
    """S13: what survived a restart may have no value."""
    row = Row("cell_floor", AlarmState(True, T))
    assert row.see(T + 1, Reading(2300, True, 2)) == AlarmState(True, T)
    assert row.see(T + 1, Reading(1900, True, 3)) == AlarmState(
        active=True, since_ms=T, bad_since_ms=None, good_since_ms=None, value=1900, where=3
    )


def test_the_cause_of_a_finding_stays_as_it_was_first_told() -> None:
    """A finding's value says how often or where, not how bad: no later one takes its place."""
    row = Row("short_circuit", AlarmState(True, T, value=1, where=None))
    assert row.see(T + 1, short_circuit=Finding(True, 2)) == AlarmState(
        active=True, since_ms=T, bad_since_ms=None, good_since_ms=None, value=1, where=None
    )


def test_the_release_timer_begins_when_the_value_is_back_and_anew_when_it_is_not() -> None:
    row = Row("charge_ocp2", AlarmState(True, T, value=200_000))
    back = Reading(99_999, True)
    assert row.see(T + 1, back) == AlarmState(
        active=True, since_ms=T, bad_since_ms=None, good_since_ms=T + 1, value=200_000, where=None
    )
    assert row.see(T + 60_000, back) == AlarmState(
        active=True, since_ms=T, bad_since_ms=None, good_since_ms=T + 1, value=200_000, where=None
    )
    assert row.see(T + 60_000, Reading(100_000, True)).good_since_ms is None
    assert row.see(T + 60_002, back).good_since_ms == T + 60_002
    assert row.see(T + 120_001, back).active
    assert row.see(T + 120_002, back) == QUIET
    assert row.events == (
        Event(
            at_ms=T + 120_002,
            kind="alarm",
            name="charge_ocp2",
            state="cleared",
            where=None,
            value=99_999,
            limit=100_000,
        ),
    )


def test_an_alarm_that_the_chip_confirms_begins_its_release_when_the_chip_lets_go() -> None:
    """S6: whatever the value says meanwhile; the chip would hold back what is told to close."""
    row, back = Row("charge_ocp2", AlarmState(True, T, value=200_000)), Reading(0, True)
    assert row.see(T + 1, back, confirmed=True) == AlarmState(
        active=True, since_ms=T, bad_since_ms=None, good_since_ms=None, value=200_000, where=None
    )
    assert row.see(T + 90_000, back, confirmed=True).active
    assert row.see(T + 90_001, back).good_since_ms == T + 90_001
    assert row.see(T + 150_000, back).active
    assert row.see(T + 150_001, back) == QUIET


def test_an_unknown_value_begins_the_release_anew() -> None:
    """S2."""
    row = Row("charge_ocp2", AlarmState(True, T, good_since_ms=T + 1, value=200_000))
    assert row.see(T + 2, Reading(None, False)) == AlarmState(
        active=True, since_ms=T, bad_since_ms=None, good_since_ms=None, value=200_000, where=None
    )


def test_a_latched_alarm_ends_by_a_reset_and_only_when_its_cause_is_gone() -> None:
    row = Row("cell_floor", AlarmState(True, T, value=1900, where=2))
    assert row.see(T + 1, Reading(1900, True, 2), reset=True).active
    assert row.see(T + 2, Reading(2601, True, 2)).active
    assert row.see(T + 3, Reading(2601, True, 2), reset=True) == QUIET


def test_a_reset_does_not_shorten_a_release_time() -> None:
    row = Row("charge_ocp2", AlarmState(True, T, value=200_000))
    assert row.see(T + 1, Reading(0, True), reset=True).active
    assert row.see(T + 2, Reading(0, True), reset=True).active


def test_a_finding_that_is_unknown_keeps_an_alarm_and_begins_none() -> None:
    """S2."""
    row = Row("heater_stuck_on")
    assert row.see(T, heater_stuck_on=Finding(None)) == QUIET
    held = AlarmState(True, T, value=None)
    row = Row("heater_stuck_on", held)
    assert row.see(T + 1, heater_stuck_on=Finding(None), reset=True).active
    assert row.see(T + 2, heater_stuck_on=Finding(False), reset=True) == QUIET
    row = Row("heater_stuck_on", held)
    assert row.see(T + 2, reset=True) == QUIET


def test_a_raise_without_a_limit_tells_none() -> None:
    row = Row("heater_stuck_on")
    row.see(T, heater_stuck_on=Finding(True))
    assert row.events == (
        Event(
            at_ms=T, kind="alarm", name="heater_stuck_on", state="raised", where=None, value=None, limit=None
        ),
    )
    row.see(T + 1, reset=True)
    assert row.events == (
        Event(
            at_ms=T + 1,
            kind="alarm",
            name="heater_stuck_on",
            state="cleared",
            where=None,
            value=None,
            limit=None,
        ),
    )


def test_nothing_bad_is_the_one_quiet_object() -> None:
    """A good cycle is known by it: the short way may be taken only when nothing runs."""
    row = Row("cell_ovp")
    assert row.see(T) is not None
    assert row.states is ALL_QUIET
    row.see(T + 1, Reading(3700, True, 2))
    assert row.states is not ALL_QUIET
    row.see(T + 2)
    assert row.states is ALL_QUIET


def test_the_short_way_is_not_taken_beside_a_finding() -> None:
    row = Row("afe_lost", QUIET)
    row.states = ALL_QUIET
    assert row.see(T, afe_lost=Finding(True)).bad_since_ms == T or row.see(T).active


@pytest.mark.parametrize("name", [rule.name for rule in SETTINGS.table if rule.value])
def test_the_short_way_sees_every_row_that_compares(name) -> None:
    """Each row alone, bad or unknown: neither is a good cycle."""
    row = Row(name)
    row.states = ALL_QUIET
    beyond = row.rule.trip + (1 if row.rule.above else -1)
    assert row.see(T, Reading(beyond, True, 1)) != QUIET
    row.states = ALL_QUIET
    row.see(T, Reading(None, False))
    assert row.states == ALL_QUIET


def test_everything_wrong_at_once_is_no_good_cycle() -> None:
    """S1, S2: where nothing is in order, what is beyond its limit trips beside all that is unknown."""
    measured = Measurement(
        cell_mv=(3700, 1900, None, 3300),
        stack_mv=None,
        charger_mv=0,
        load_mv=0,
        current_ma=None,
        battery_decic=(700, -300),
        switch_decic=900,
        faults=ChipFault.NONE,
    )
    values = validate(HeldReadings(), measured, 0, SETTINGS.parameters)[0]
    states, _ = advance(SETTINGS.table, ALL_QUIET, values, {}, frozenset(), T)
    pending = {name for name, n in PLACE.items() if states[n].bad_since_ms == T}
    unknown = {"pack_mv", "charge_ma", "discharge_ma", "stack_mismatch"}
    assert pending == {alarm.name for alarm in ALARMS if alarm.value and alarm.value not in unknown}


def test_what_survived_a_restart_is_active_from_the_first_moment() -> None:
    """S13: only rows that survive, with value and place; raised now, for the old clock means nothing."""
    kept = alarms.start({"cell_floor": (1900, 2), "cell_ovp": (3700, 1), "no_such": (1, 1)}, T)
    assert kept[PLACE["cell_floor"]] == AlarmState(True, T, value=1900, where=2)
    assert [alarm.name for alarm, _ in alarms.active(kept)] == ["cell_floor"]
    assert not BY_NAME["cell_ovp"].survives


def test_active_alarms_are_told_in_table_order_and_their_blocks_add_up() -> None:
    states = list(ALL_QUIET)
    for name in ("charge_otp", "cell_uvp"):
        states[PLACE[name]] = AlarmState(True, T)
    found = alarms.active(tuple(states))
    assert [alarm.name for alarm, _ in found] == ["cell_uvp", "charge_otp"]
    assert alarms.blocked(found) == Block.DISCHARGE | Block.CHARGE | Block.HEATER | Block.BALANCE
    assert alarms.blocked(()) == Block.NONE
    assert alarms.active(ALL_QUIET) == ()
    assert alarms.is_active(tuple(states), "cell_uvp")
    assert not alarms.is_active(tuple(states), "cell_ovp")


@pytest.mark.parametrize(
    ("reading", "is_beyond"),
    [
        (Reading(3600, True), False),
        (Reading(3601, True), True),
        (Reading(3601, False), True),
        (Reading(3300, False), False),
        (Reading(None, False), False),
    ],
)
def test_a_value_is_beyond_its_limit_only_where_it_is_known_to_be(reading, is_beyond) -> None:
    """S2."""
    values = believed()._replace(cell_max=reading)
    assert alarms.is_beyond(SETTINGS.table, values, "cell_ovp") is is_beyond


def test_an_alarm_that_compares_nothing_has_nothing_beyond_a_limit() -> None:
    assert alarms.is_beyond(SETTINGS.table, believed(), "afe_lost") is False


def test_a_rule_is_its_row_with_the_parameters_filled_in() -> None:
    p = SETTINGS.parameters
    made = {rule.name: rule for rule in alarms.rules(p)}
    assert made == RULES
    assert OVER[1:] == ("cell_ovp", "cell_max", True, p.cell_ovp_mv, p.cell_ovpr_mv, p.cell_ovp_delay_ms, 0)
    assert (CURRENT.trip, CURRENT.release_ms) == (150_000, 60_000)
    assert made["afe_refused"][2:] == ("", True, 0, 0, 0, p.recovery_ms)


def test_a_start_foresees_what_running_trip_timers_would_block() -> None:
    """S13: all of them together; one that is active already, or that released, foresees nothing."""
    runs, over = AlarmState(bad_since_ms=T), AlarmState(True, T, good_since_ms=T)
    tripped = AlarmState(True, T, bad_since_ms=T)

    def foreseen(**states: AlarmState) -> Block:
        return alarms.pending(tuple(states.get(alarm.name, QUIET) for alarm in ALARMS))

    assert foreseen() == Block.NONE
    assert foreseen(cell_ovp=runs) == BY_NAME["cell_ovp"].blocks == Block.CHARGE
    assert foreseen(cell_ovp=runs, cell_uvp=runs) == Block.CHARGE | Block.DISCHARGE
    assert foreseen(cell_ovp=tripped, cell_uvp=over) == Block.NONE
    assert foreseen(cell_ovp=tripped, cell_uvp=runs) == Block.DISCHARGE
