"""The load side by itself, call by call: what pre-charge waits for and what proves it (S12)."""

from __future__ import annotations

import pytest

from bmsd.core.contactors import HIGH, PrechargeState, load_side
from bmsd.core.switching import SwitchState
from bmsd.core.types import Inhibit, InhibitCause
from bmsd.tables.alarms import BY_NAME
from tests.support.bench_inputs import make_settings

SETTINGS = make_settings()
P = SETTINGS.parameters
T = 5_000_000
OFF = SwitchState()
RUNNING = PrechargeState(SwitchState(True, T - 500, (T - 500,)), 1)


def call(state: SwitchState, precharge: PrechargeState, *, pack_mv=13_200, load_mv=13_200, now_ms=T):
    return load_side(SETTINGS, state, precharge, True, pack_mv, load_mv, now_ms)


def test_a_load_side_at_its_share_of_the_pack_closes_the_contactor_and_forgets_failures() -> None:
    exact_mv = 13_200 * P.precharge_permille // 1000
    state, precharge, reason = call(OFF, RUNNING, load_mv=exact_mv)
    assert (state.on, precharge.tries, reason) == (True, 0, None)
    assert precharge.relay.on
    state, precharge, reason = call(OFF, RUNNING, load_mv=exact_mv - 1)
    assert not state.on
    assert precharge == RUNNING
    assert reason == Inhibit(InhibitCause.PRECHARGE, until_ms=T - 500 + P.precharge_timeout_ms)


def test_a_contactor_that_closes_forgets_all_attempts() -> None:
    """What failed, and what a source held out."""
    before = PrechargeState(SwitchState(True, T - 500), 2, P.precharge_tries)
    state, precharge, _ = call(OFF, before)
    assert state.on
    assert (precharge.tries, precharge.held) == (0, 0)
    state, precharge, _ = call(OFF, before, load_mv=15_000)
    assert state.on
    assert (precharge.tries, precharge.held) == (0, 0)


@pytest.mark.parametrize(("load_mv", "closes"), [(15_840, True), (15_841, False)])
def test_a_relay_that_is_on_when_a_source_has_outlasted_all_attempts_goes_off(load_mv, closes) -> None:
    """S15: neither closed onto a source nor waiting for one the resistor bears it any longer."""
    before = PrechargeState(SwitchState(True, T - 500), held=P.precharge_tries)
    state, precharge, _ = call(OFF, before, load_mv=load_mv)
    assert state.on is closes
    assert precharge.relay == SwitchState(False, T)


def test_what_a_load_side_above_the_pack_is_called_is_its_alarms_name() -> None:
    assert HIGH in BY_NAME


def waiting(load_mv: int, *, tries: int, now_ms: int = T, **fittings):
    """Give what a load side above the pack leads to after so many attempts that it outlasted."""
    relay = SwitchState(False, T - 60_000)
    settings = make_settings(**fittings)
    return load_side(settings, OFF, PrechargeState(relay, held=tries), True, 49_800, load_mv, now_ms)


def test_a_load_side_far_above_the_pack_is_waited_for_and_is_no_failure() -> None:
    """S12: 10 V between capacitors and a pack of 7 mΩ are 1400 A."""
    until_ms = T - 500 + P.precharge_timeout_ms
    state, precharge, reason = call(OFF, RUNNING, pack_mv=49_800, load_mv=60_000)
    assert (state.on, precharge) == (False, RUNNING)
    assert reason == Inhibit(InhibitCause.PRECHARGE, HIGH, until_ms)
    state, precharge, reason = call(OFF, RUNNING, pack_mv=49_800, load_mv=60_000, now_ms=until_ms)
    assert not state.on
    assert (precharge.relay.on, precharge.tries, precharge.held) == (False, 0, 1)
    assert reason == Inhibit(InhibitCause.PRECHARGE, HIGH, until_ms + P.precharge_rest_ms)
    ageless = PrechargeState(SwitchState(True))
    assert call(OFF, ageless, pack_mv=49_800, load_mv=60_000)[1] == ageless


def test_a_source_that_nothing_brings_down_is_joined_in_the_end_but_not_across_more_than_a_fifth() -> None:
    """S15: a pack that never joins the only charger is never charged; S12: contacts bear so much."""
    most_mv = 49_800 * 1200 // 1000
    assert not waiting(most_mv, tries=P.precharge_tries - 1)[0].on
    state, precharge, reason = waiting(most_mv, tries=P.precharge_tries)
    assert (state.on, precharge.held, precharge.relay.on, reason) == (True, 0, False, None)
    state, precharge, reason = waiting(most_mv + 1, tries=P.precharge_tries)
    assert (state.on, precharge.held, precharge.relay.on) == (False, P.precharge_tries + 1, False)
    assert reason == Inhibit(InhibitCause.PRECHARGE, HIGH)
    state, precharge, reason = waiting(most_mv, tries=P.precharge_tries + 1)
    assert (state.on, precharge.held, reason) == (False, 0, Inhibit(InhibitCause.PRECHARGE, HIGH))


def test_what_was_held_is_forgotten_with_the_wish_and_with_a_failure() -> None:
    held = PrechargeState(SwitchState(True, T - 500), 0, 2)
    assert load_side(SETTINGS, OFF, held, False, 49_800, 60_000, T)[1].held == 0
    assert call(OFF, held, load_mv=6600, now_ms=T + 60_000)[1] == PrechargeState(
        SwitchState(False, T + 60_000), 1, 0
    )
    assert call(OFF, PrechargeState(held=9), load_mv=None)[1].relay.on  # S2: unknown is not above


def test_while_the_resistor_cools_the_reason_says_what_it_is_for() -> None:
    cooling = PrechargeState(SwitchState(False, T - 1000), held=1)
    assert call(OFF, cooling, load_mv=15_000)[2] == Inhibit(
        InhibitCause.MIN_OFF, HIGH, T - 1000 + P.precharge_rest_ms
    )


@pytest.mark.parametrize(("above_mv", "closes"), [(1000, True), (1001, False)])
def test_behind_a_fet_its_body_diode_joins_them_before(above_mv, closes) -> None:
    """A small pack's load side stands a diode above it while its charge FET is on: 0.8 V are 8 % of three cells."""
    own = make_settings(topology="afe")
    assert load_side(own, OFF, RUNNING, True, 9900, 9900 + above_mv, T)[0].on is closes
    assert not load_side(SETTINGS, OFF, RUNNING, True, 9900, 10_900, T)[0].on


@pytest.mark.parametrize(
    "unknown", [{"pack_mv": None}, {"load_mv": None}, {"pack_mv": None, "load_mv": None}]
)
def test_an_unknown_voltage_proves_nothing(unknown) -> None:
    """S2."""
    state, precharge, reason = call(OFF, RUNNING, **unknown)
    assert not state.on
    assert precharge == RUNNING
    assert reason is not None
    assert reason.because is InhibitCause.PRECHARGE


def test_a_failed_attempt_says_when_the_next_one_begins() -> None:
    end_ms = T - 500 + P.precharge_timeout_ms
    state, precharge, reason = call(OFF, RUNNING, load_mv=0, now_ms=end_ms)
    assert not state.on
    assert not precharge.relay.on
    assert precharge.tries == 2
    assert reason == Inhibit(InhibitCause.PRECHARGE, until_ms=end_ms + P.precharge_rest_ms)


def test_a_load_side_one_millivolt_below_a_twentieth_of_a_high_pack_is_a_short() -> None:
    """After two seconds; at a twentieth it has its whole time."""
    late_ms = T - 500 + 2000
    assert call(OFF, RUNNING, pack_mv=60_000, load_mv=2999, now_ms=late_ms)[1].tries == 2
    assert call(OFF, RUNNING, pack_mv=60_000, load_mv=2999, now_ms=late_ms - 1)[1] == RUNNING
    assert call(OFF, RUNNING, pack_mv=60_000, load_mv=3000, now_ms=late_ms)[1] == RUNNING


def test_while_the_resistor_cools_its_rest_is_the_reason() -> None:
    cooling = PrechargeState(SwitchState(False, T - 1000, (T - 3000,)), 1)
    state, precharge, reason = call(OFF, cooling)
    assert (state, precharge) == (OFF, cooling)
    assert reason == Inhibit(InhibitCause.MIN_OFF, until_ms=T - 1000 + P.precharge_rest_ms)


def test_the_relay_goes_on_first_and_pre_charge_is_the_reason() -> None:
    state, precharge, reason = call(OFF, PrechargeState())
    assert not state.on
    assert (precharge.relay.on, precharge.tries) == (True, 0)
    assert reason == Inhibit(InhibitCause.PRECHARGE)


def test_the_relay_stays_until_the_contactor_has_had_time_to_close() -> None:
    closing = SwitchState(True, T, (T,))
    settle_ms = P.contactor_settle_ms
    assert call(closing, RUNNING, now_ms=T + settle_ms - 1)[1].relay.on
    assert not call(closing, RUNNING, now_ms=T + settle_ms)[1].relay.on


def test_a_relay_and_a_contactor_of_unknown_age_are_taken_as_they_stand() -> None:
    """An attempt without a beginning begins now; a contactor without one has long closed."""
    ageless = PrechargeState(SwitchState(True))
    until_ms = T + P.precharge_timeout_ms
    assert call(OFF, ageless, load_mv=6600)[2] == Inhibit(InhibitCause.PRECHARGE, until_ms=until_ms)
    assert not call(SwitchState(True), ageless)[1].relay.on


def test_a_contactor_that_must_rest_ends_a_running_attempt() -> None:
    """S12: no resistor is left on while nothing can close."""
    state, precharge, reason = call(SwitchState(False, T - 100), RUNNING)
    assert not state.on
    assert precharge == PrechargeState(SwitchState(False, T, (T - 500,)), 1)
    assert reason == Inhibit(InhibitCause.MIN_OFF, until_ms=T - 100 + P.contactor_min_off_ms)
