"""Whatever happens to a pack, in whatever order, with anything unknown: the rules hold in every cycle."""

from __future__ import annotations

import copy
import random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from bmsd.core.state import Consent, begin
from bmsd.core.step import step
from bmsd.core.types import Event, Request
from bmsd.tables.alarms import ALARMS, BOTH, Block
from bmsd.tables.remote import SWITCHES
from tests.properties.random_worlds import (
    BEGINNINGS,
    HAPPENINGS,
    LATCHES,
    SETTINGS,
    STEPS_MS,
    Chapter,
    Happening,
    World,
    beginnings,
    lives,
    play,
)
from tests.properties.witness import Witness
from tests.support.changed import replace
from tests.support.effort import examples

NOT_HERE = {"configuration_fault", "contactor_worn", "main_contactor_welded", "main_contactor_open"}
NOT_HERE |= {"charge_not_stopped", "discharge_not_stopped"}
NOT_HERE |= {
    "cell_may_be_high",
    "cell_step",
    "reading_loose",
    "load_side_high",
    "load_side_live",
    "guard_lost",
}
NOT_HERE |= {"charge_trip_repeated", "discharge_trip_repeated"}
"""Alarms of a start, of a contactor's life, and of the other topology (test_common_rules). Those that take steps of
current in turn, readings that come and go, a bus that stays alive, a guard or an hour of trips have their own tests."""
thorough = settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
LATER_MS = 12_345_678_901


@thorough
@given(beginnings, lives)
def test_no_life_breaks_a_rule(beginning, life) -> None:
    """S1, S2, S3, S4, S7, S10, S12, S13: an independent witness looks at every decision."""
    witness = Witness(SETTINGS)
    play(beginning, life, witness)
    for name in sorted(
        witness.seen & {"CHARGE on", "DISCHARGE on", "heater on", "precharge on", "balance on"}
    ):
        event(name)


@thorough
@given(st.frozensets(st.sampled_from(LATCHES), min_size=1), lives)
def test_a_latched_alarm_of_the_last_run_stays_until_its_reset(latched, life) -> None:
    """S13: operator-latched faults survive a restart."""
    witness = Witness(SETTINGS)
    state = begin(1_000_000, latched=dict.fromkeys(latched, (None, None)))
    assert {a.name for a, s in zip(ALARMS, state.alarms, strict=True) if s.active} == latched
    play("fresh", life, witness, state=state)


@thorough
@given(beginnings, lives)
def test_a_decision_depends_on_nothing_but_its_arguments(beginning, life) -> None:
    """S11: pure; the same state and inputs give the same decision, and neither is changed."""

    def look(world, before, inputs, after, out) -> None:
        kept = copy.deepcopy((before, inputs))
        again, told = step(world.settings, before, inputs)
        assert (again, told) == (after, out)
        assert kept == (before, inputs)

    play(beginning, life, look)


@thorough
@given(beginnings, lives)
def test_a_shift_of_the_clock_changes_nothing(beginning, life) -> None:
    """S11: only differences of the monotonic clock decide."""

    def told(shift_ms):
        heard = []

        def look(_world, _before, _inputs, after, out) -> None:
            events = tuple(replace(e, at_ms=e.at_ms - shift_ms) for e in out.events if isinstance(e, Event))
            heard.append(
                (out.commands, out.limits, out.charge_allowed, out.discharge_allowed, after.word, events)
            )

        start = 1_000_000 + shift_ms
        play(beginning, life, look, now_ms=start, state=begin(start))
        return heard

    assert told(0) == told(LATER_MS)


consents = st.builds(
    Consent,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([*SWITCHES.values(), Block.NONE, BOTH]),
)


@thorough
@given(beginnings, lives, consents)
def test_a_switch_request_only_narrows(beginning, life, consent) -> None:
    """S14: in every state a cycle reaches, an operator's wishes allow a part of what the rules allow."""

    def look(world, before, inputs, after, out) -> None:
        rules_only = replace(
            inputs, requests=tuple(r for r in inputs.requests if r.kind not in ("switch", "remote"))
        )
        _, most = step(world.settings, replace(before, consent=Consent()), rules_only)
        _, less = step(world.settings, replace(before, consent=consent), inputs)
        for narrow in (out, less):
            assert most.charge_allowed or not narrow.charge_allowed
            assert most.discharge_allowed or not narrow.discharge_allowed
            assert not narrow.commands.charge or most.commands.charge
            assert not narrow.commands.discharge or most.commands.discharge
            assert not narrow.commands.heater or most.commands.heater
            assert not narrow.commands.balance_mask & ~most.commands.balance_mask
            assert narrow.limits.charge_ma <= most.limits.charge_ma
            assert narrow.limits.discharge_ma <= most.limits.discharge_ma

    play(beginning, life, look)


@pytest.mark.slow
def test_the_random_lives_reach_what_they_are_about() -> None:
    """A property over states that are never reached proves nothing."""
    dice, seen = random.Random(7), set[str]()
    wanted = {"CHARGE on", "DISCHARGE on", "heater on", "precharge on", "balance on"}
    wanted |= {"CHARGE waits", "DISCHARGE waits"}
    wanted |= {alarm.name for alarm in ALARMS} - NOT_HERE
    wanted |= {"CHARGE lifted", "DISCHARGE lifted", "emergency ended"}
    for _ in range(500):
        life = [
            Chapter(dice.choice(HAPPENINGS), dice.choice(STEPS_MS), dice.choice((1, 2, 5, 12, 36)))
            for _ in range(20)
        ]
        witness = Witness(SETTINGS)
        play(dice.choice(BEGINNINGS), life, witness)
        seen |= witness.seen
        cleared = [name for name in seen if name.startswith("cleared ")]
        if wanted <= seen and len(cleared) >= 25:
            return
    pytest.fail(f"never met: {wanted - seen}; cleared: {cleared}")


def test_the_witness_objects_when_a_rule_is_broken() -> None:
    """A witness that never objects is no witness: charge is commanded beside a lost cell."""
    witness = Witness(SETTINGS)
    world = play("running", [], witness)
    honest, out = world.state, world.out
    assert out is not None
    assert out.commands.charge
    world.cells[1] = None
    world.now_ms += 5000
    broken = ""
    try:
        witness(world, honest, world.inputs(), honest, out)
    except AssertionError as objection:
        broken = str(objection)
    assert broken.startswith("S1")


def test_a_world_starts_in_the_scene_it_names() -> None:
    assert World("cold", Witness(SETTINGS)).state.commands.heater
    assert World("long heated", Witness(SETTINGS)).state.commands.heater
    assert World("running", Witness(SETTINGS)).state.commands.charge
    assert not World("fresh", Witness(SETTINGS)).state.commands.charge
    assert Happening("mend") in HAPPENINGS


@thorough
@given(beginnings, lives, consents, st.sampled_from(sorted(SWITCHES)), st.booleans())
def test_a_switch_from_afar_gives_no_more_than_what_is_let_here(beginning, life, consent, name, on) -> None:
    """S14: in every state a cycle reaches; off is off; on is at most what is let at the pack."""

    def look(world, before, inputs, _after, _out) -> None:
        quiet = replace(inputs, requests=())
        asked = replace(inputs, requests=(Request("remote", name, on, "modbus unit 1"),))
        _, most = step(
            world.settings, replace(before, consent=replace(consent, remote_off=Block.NONE)), quiet
        )
        after, less = step(world.settings, replace(before, consent=consent), asked)
        assert after.asked_for == before.asked_for
        assert replace(after.consent, remote_off=Block.NONE) == replace(consent, remote_off=Block.NONE)
        assert not after.consent.remote_off & ~(consent.remote_off | SWITCHES[name])
        assert most.charge_allowed or not less.charge_allowed
        assert most.discharge_allowed or not less.discharge_allowed
        assert not less.commands.balance_mask & ~most.commands.balance_mask
        if not on:
            allowed = {"charge": less.charge_allowed, "discharge": less.discharge_allowed, "balance": False}
            assert not allowed[name]

    play(beginning, life, look)
