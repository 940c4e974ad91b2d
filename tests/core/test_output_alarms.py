"""Contactors and heater relays that do not follow, and faults that survive a restart."""

from __future__ import annotations

import pytest

from bmsd.core.state import begin
from bmsd.core.types import Levels
from bmsd.tables.alarms import BOTH, BY_NAME
from tests.support.bench_inputs import Pack, cold


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_a_contactor_that_stays_closed_is_welded_after_its_settling_time(name: str) -> None:
    pack = Pack().started()
    pack.battery = [900, 900]
    pack.cycle()
    pack.cycle(after_ms=2000)  # Both contactors open here.
    assert not getattr(pack.state.commands, name)
    pack.feedback = Levels(**{name: True})
    pack.cycle(after_ms=499)
    assert not pack.alarm(f"{name}_contactor_welded").active
    pack.cycle(after_ms=1)
    assert pack.alarm(f"{name}_contactor_welded").active
    assert BY_NAME[f"{name}_contactor_welded"].blocks == BOTH
    pack.battery = [250, 250]
    pack.run(60_000)
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge
    assert not pack.reset(f"{name}_contactor_welded")
    pack.feedback = Levels(**{name: False})
    assert pack.reset(f"{name}_contactor_welded")


def test_a_contact_that_reads_closed_at_the_start_is_welded_at_once() -> None:
    pack = Pack(feedback=Levels(discharge=True))
    pack.cycle()
    assert pack.alarm("discharge_contactor_welded").active


def test_a_contact_may_lag_behind_while_it_settles() -> None:
    pack = Pack()
    pack.until(lambda p: p.state.commands.charge)
    pack.feedback = Levels(charge=False)
    pack.cycle(after_ms=499)
    assert not pack.alarm("charge_contactor_open").active
    pack.cycle(after_ms=1)
    assert pack.alarm("charge_contactor_open").active


def test_a_heater_relay_current_at_the_limit_is_not_stuck() -> None:
    pack = Pack(heater_ma=200)
    pack.run(20_000)
    assert not pack.alarm("heater_stuck_on").active


def test_a_heater_relay_current_cuts_the_start_short() -> None:
    """S4: heat that no one asked for stops everything."""
    pack = cold(heater_ma=1000)
    assert pack.state.commands.heater
    pack.battery = [200, 200]
    pack.run(10_000)
    assert pack.alarm("heater_stuck_on").active
    assert not pack.state.commands.charge


def test_a_configuration_fault_of_the_last_run_blocks_until_its_reset() -> None:
    """S13: stored parameters that cannot be used are an operator's business."""
    pack = Pack(state=begin(0, latched={"configuration_fault": (None, None)}))
    pack.run(20_000)
    assert pack.state.commands.charge is pack.state.commands.discharge is False
    assert pack.reset("configuration_fault")
