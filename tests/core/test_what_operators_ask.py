"""What is taken from each request of an operator, and how it is recorded (S8, S10, S14)."""

from __future__ import annotations

import pytest

from bmsd.core import operator_requests
from bmsd.core.operator_requests import OperatorRequests
from bmsd.core.ordered import NOTHING_ORDERED
from bmsd.core.state import Consent, State, begin
from bmsd.core.types import Event, Request
from bmsd.tables.alarms import BOTH, Block
from bmsd.tables.remote import SWITCHES
from tests.support.bench_inputs import START_MS, Pack
from tests.support.changed import replace

ALL = BOTH | Block.BALANCE


def asked(*requests: Request, state: State | None = None) -> OperatorRequests:
    """Take these requests in one cycle."""
    pack = Pack()
    return operator_requests.take(state or begin(START_MS), pack.inputs(requests))


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        (Request("switch", "charge", True, "uid 7"), "on"),
        (Request("switch", "charge", False, "uid 7"), "off"),
        (Request("remote", "charge", True, "uid 7"), "on"),
        (Request("remote", "charge", False, "uid 7"), "off"),
        (Request("reset", "cell_floor", None, "uid 7"), "reset"),
        (Request("wake", "pack", None, "uid 7"), "wake"),
        (Request("factory", "pack", None, "uid 7"), "factory"),
    ],
)
def test_each_request_is_recorded_with_who_and_what(request_, word) -> None:
    """S8, S14."""
    assert asked(request_).events == (
        Event(at_ms=START_MS, kind="request", name=request_.name, state=word, who="uid 7"),
    )


@pytest.mark.parametrize("name", ["force", "full"])
@pytest.mark.parametrize(("on", "word"), [(True, "on"), (False, "off")])
def test_a_charge_that_is_asked_for_is_recorded_as_such(name, on, word) -> None:
    """S14: not to be taken for a switch."""
    found = asked(Request("charge", name, on, "uid 7"))
    assert found.events == (
        Event(at_ms=START_MS, kind="request", name=f"{name} charge", state=word, who="uid 7"),
    )


def test_an_override_is_recorded_once_and_as_what_it_is() -> None:
    """S10."""
    found = asked(Request("emergency", "override", True, "uid 7"))
    assert found.events == (
        Event(at_ms=START_MS, kind="emergency", name="override", state="on", who="uid 7"),
    )
    assert found.override is not None


def test_only_a_reset_resets() -> None:
    """S13: a switch or a wake with an alarm's name ends no latched alarm."""
    found = asked(
        Request("wake", "cell_floor"), Request("reset", "precharge_failed"), Request("reset", "afe_refused")
    )
    assert found.resets == {"precharge_failed", "afe_refused"}
    assert asked(Request("wake", "cell_floor")).resets == frozenset()


def test_without_requests_everything_stays_as_it_was() -> None:
    state = replace(begin(START_MS, asked_for=Block.CHARGE), consent=Consent(charge=False))
    assert asked(state=state) == OperatorRequests(
        Consent(charge=False), Block.CHARGE, None, NOTHING_ORDERED, frozenset(), ()
    )


@pytest.mark.parametrize(("name", "direction"), [("charge", Block.CHARGE), ("discharge", Block.DISCHARGE)])
def test_asking_for_a_direction_is_asking_for_no_other(name, direction) -> None:
    """S13: after a start that waits for a word."""
    state = begin(START_MS, asked_for=Block.NONE)
    assert asked(Request("switch", name, True), state=state).asked_for == direction
    assert asked(Request("switch", name, False), state=state).asked_for == Block.NONE
    assert asked(Request("switch", "balance", True), state=state).asked_for == Block.NONE


@pytest.mark.parametrize("before", [Block.NONE, ALL])
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_from_afar_takes_and_gives_back_only_itself(name, before) -> None:
    """S14: it is no word of the operator, who may have forbidden or never asked for the same."""
    state = replace(
        begin(START_MS, asked_for=Block.NONE), consent=Consent(charge=False, balance=False, remote_off=before)
    )
    for on, remote_off in ((False, before | SWITCHES[name]), (True, before & ~SWITCHES[name])):
        found = asked(Request("remote", name, on), state=state)
        assert found.consent == replace(state.consent, remote_off=remote_off)
        assert found.asked_for == Block.NONE


@pytest.mark.parametrize("name", SWITCHES)
def test_an_operators_yes_ends_what_was_taken_from_afar_and_his_no_leaves_it(name) -> None:
    state = replace(begin(START_MS), consent=Consent(remote_off=ALL))
    assert asked(Request("switch", name, True), state=state).consent == Consent(
        remote_off=ALL & ~SWITCHES[name]
    )
    expected = replace(Consent(remote_off=ALL), **{name: False})
    assert asked(Request("switch", name, False), state=state).consent == expected


@pytest.mark.parametrize("name", SWITCHES)
def test_a_thing_is_given_when_nobody_took_it_here_or_from_afar(name) -> None:
    """S1, S14: each by itself."""
    block = SWITCHES[name]
    assert Consent().gives(block)
    assert Consent(remote_off=ALL & ~block).gives(block)
    assert not Consent(remote_off=block).gives(block)
    assert not replace(Consent(), **{name: False}).gives(block)
    others = {other: False for other in SWITCHES if other != name}
    assert Consent(**others).gives(block)


def test_requests_of_one_cycle_count_in_their_order() -> None:
    """S14: the last word holds."""
    off, on = Request("switch", "charge", False), Request("switch", "charge", True)
    assert asked(off, on).consent == Consent()
    assert asked(on, off).consent == Consent(charge=False)
    forgotten = asked(off, Request("factory", "pack"))
    assert (forgotten.consent, forgotten.asked_for) == (Consent(), Block.NONE)
    assert asked(Request("factory", "pack"), on).asked_for == Block.CHARGE
    assert asked(on).asked_for == BOTH
