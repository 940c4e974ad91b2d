"""The load side by itself, call by call: what pre-charge waits for and what proves it (S12)."""

from __future__ import annotations

import pytest
from bench_inputs import make_settings

from bmsd.core.contactors import PrechargeState, load_side
from bmsd.core.switching import SwitchState
from bmsd.core.types import Because, Reason

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
    assert reason == Reason(Because.PRECHARGE, until_ms=T - 500 + P.precharge_timeout_ms)


@pytest.mark.parametrize(
    "unknown", [{"pack_mv": None}, {"load_mv": None}, {"pack_mv": None, "load_mv": None}]
)
def test_an_unknown_voltage_proves_nothing(unknown) -> None:
    """S2."""
    state, precharge, reason = call(OFF, RUNNING, **unknown)
    assert not state.on
    assert precharge == RUNNING
    assert reason is not None
    assert reason.because is Because.PRECHARGE


def test_a_failed_attempt_says_when_the_next_one_begins() -> None:
    end_ms = T - 500 + P.precharge_timeout_ms
    state, precharge, reason = call(OFF, RUNNING, load_mv=0, now_ms=end_ms)
    assert not state.on
    assert not precharge.relay.on
    assert precharge.tries == 2
    assert reason == Reason(Because.PRECHARGE, until_ms=end_ms + P.precharge_rest_ms)


def test_a_load_side_one_millivolt_below_a_twentieth_of_a_high_pack_is_a_short() -> None:
    """After two seconds; at a twentieth it has its whole time."""
    late_ms = T - 500 + 2000
    assert call(OFF, RUNNING, pack_mv=60_000, load_mv=2999, now_ms=late_ms)[1].tries == 2
    assert call(OFF, RUNNING, pack_mv=60_000, load_mv=3000, now_ms=late_ms)[1] == RUNNING


def test_while_the_resistor_cools_its_rest_is_the_reason() -> None:
    cooling = PrechargeState(SwitchState(False, T - 1000, (T - 3000,)), 1)
    state, precharge, reason = call(OFF, cooling)
    assert (state, precharge) == (OFF, cooling)
    assert reason == Reason(Because.MIN_OFF, until_ms=T - 1000 + P.precharge_rest_ms)


def test_the_relay_goes_on_first_and_pre_charge_is_the_reason() -> None:
    state, precharge, reason = call(OFF, PrechargeState())
    assert not state.on
    assert precharge.relay.on
    assert reason == Reason(Because.PRECHARGE)


def test_the_relay_stays_until_the_contactor_has_had_time_to_close() -> None:
    closing = SwitchState(True, T, (T,))
    settle_ms = P.contactor_settle_ms
    assert call(closing, RUNNING, now_ms=T + settle_ms - 1)[1].relay.on
    assert not call(closing, RUNNING, now_ms=T + settle_ms)[1].relay.on


def test_a_relay_and_a_contactor_of_unknown_age_are_taken_as_they_stand() -> None:
    """An attempt without a beginning begins now; a contactor without one has long closed."""
    ageless = PrechargeState(SwitchState(True))
    until_ms = T + P.precharge_timeout_ms
    assert call(OFF, ageless, load_mv=6600)[2] == Reason(Because.PRECHARGE, until_ms=until_ms)
    assert not call(SwitchState(True), ageless)[1].relay.on


def test_a_contactor_that_must_rest_ends_a_running_attempt() -> None:
    """S12: no resistor is left on while nothing can close."""
    state, precharge, reason = call(SwitchState(False, T - 100), RUNNING)
    assert not state.on
    assert precharge == PrechargeState(SwitchState(False, T, (T - 500,)), 1)
    assert reason == Reason(Because.MIN_OFF, until_ms=T - 100 + P.contactor_min_off_ms)
