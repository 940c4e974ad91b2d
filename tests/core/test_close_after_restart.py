"""Contactors that wait for a person after a start, and after a factory reset."""

from __future__ import annotations

import pytest

from bmsd.core.state import Consent, begin
from bmsd.core.types import ALL_OFF, InhibitCause, Request
from bmsd.tables.alarms import Block
from tests.support.bench_inputs import START_MS, Pack
from tests.support.changed import replace


def waiting(**more) -> Pack:
    """Give a pack whose start waits for an operator."""
    return Pack(state=begin(START_MS, asked_for=Block.NONE, **more.pop("state", {})), **more)


def test_nothing_closes_by_itself() -> None:
    """S13: for an hour, on a pack that has no fault."""
    pack = waiting()
    for _ in range(3600):
        out = pack.cycle(after_ms=1000)
        assert out.commands == ALL_OFF
    assert pack.state.started
    for reasons in (pack.out.charge_inhibits, pack.out.discharge_inhibits):
        assert [reason.because for reason in reasons] == [InhibitCause.NOT_ASKED]
    assert pack.out.limits.charge_ma == pack.out.limits.discharge_ma == 0


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_asking_closes_the_one_that_was_asked_for(name) -> None:
    """S13: one word for each direction."""
    pack = waiting()
    pack.run(10_000)
    pack.cycle(Request("switch", name, True, "uid 0"))
    pack.run(10_000)
    assert {n for n in ("charge", "discharge") if getattr(pack.state.commands, n)} == {name}


def test_asking_during_the_start_counts_and_does_not_shorten_it() -> None:
    """S13: good cycles come first."""
    pack = waiting()
    pack.cycle(Request("switch", "charge", True, "uid 0"))
    assert not pack.state.commands.charge
    pack.run(10_000)
    assert pack.state.commands.charge


def test_switching_off_is_not_asking() -> None:
    """S13, S14: what narrows never closes."""
    pack = waiting()
    pack.cycle(Request("switch", "charge", False, "uid 0"))
    pack.cycle(Request("switch", "balance", True, "uid 0"))
    pack.run(10_000)
    assert not pack.state.commands.charge
    assert {r.because for r in pack.out.charge_inhibits} == {InhibitCause.OPERATOR, InhibitCause.NOT_ASKED}


def test_an_override_is_not_that_word() -> None:
    """S10, S13: it lifts alarms, and nothing else."""
    pack = waiting()
    pack.run(10_000)
    pack.cycle(Request("emergency", "override", True, "uid 0"))
    pack.run(10_000)
    assert replace(pack.state.commands, buzzer=False) == ALL_OFF


def test_once_asked_it_closes_again_by_itself_after_a_trip() -> None:
    pack = waiting()
    pack.run(10_000)
    pack.cycle(Request("switch", "charge", True, "uid 0"))
    pack.run(10_000)
    pack.cells[0] = 3650
    pack.run(5000)
    assert not pack.state.commands.charge
    pack.cells[0] = 3300
    pack.run(10_000)
    assert pack.state.commands.charge


def test_the_heater_waits_for_charging_to_be_asked_for() -> None:
    """S13: nothing is switched on before someone asked."""
    pack = waiting(battery=[-80, -75], charger_mv=16_000)
    pack.run(20_000)
    assert not pack.state.commands.heater
    assert pack.out.heater_inhibits[0].because is InhibitCause.NOT_ASKED
    pack.cycle(Request("switch", "charge", True, "uid 0"))
    pack.run(5000)
    assert pack.state.commands.heater


def test_a_factory_reset_forgets_switches_and_waits_to_be_asked() -> None:
    """S13, S14: what someone forbade does not close because someone else reset."""
    pack = Pack(state=begin(START_MS, consent=Consent(False, False, False)))
    pack.run(10_000)
    pack.cycle(Request("factory", "", None, "uid 7"))
    assert [(e.kind, e.state, e.who) for e in pack.out.events] == [("request", "factory", "uid 7")]
    pack.run(10_000)
    assert pack.state.consent == Consent()
    assert pack.state.commands == ALL_OFF
    pack.cycle(Request("switch", "discharge", True, "uid 7"))
    pack.run(10_000)
    assert pack.state.commands.discharge


def test_a_factory_reset_leaves_latched_alarms() -> None:
    """S13: those have a reset of their own."""
    pack = Pack(state=begin(START_MS, latched={"heater_stuck_on": (None, None)}))
    pack.run(10_000)
    pack.cycle(Request("factory", "", None, "uid 7"))
    pack.run(60_000)
    assert "heater_stuck_on" in pack.active()
