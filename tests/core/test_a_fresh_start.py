"""What a start begins with, and what a pack is taken for where its configuration says nothing (S13)."""

from __future__ import annotations

import pytest

from bmsd.core.alarms import ALL_QUIET, AlarmState
from bmsd.core.settings import heater_max_mw, settings
from bmsd.core.soc import SocState
from bmsd.core.state import CommonState, Consent, begin
from bmsd.core.switching import SwitchState
from bmsd.core.types import ALL_OFF
from bmsd.tables.alarms import ALARMS, BOTH, Block
from bmsd.tables.chemistries import CHEMISTRIES
from tests.support.bench_inputs import make_parameters
from tests.support.changed import replace

T = 5_000_000


def test_a_start_knows_nothing_and_commands_nothing() -> None:
    """S13: not started, no good cycle, everything off."""
    state = begin(T)
    assert state.alarms == ALL_QUIET
    assert (state.commands, state.started, state.good_cycles, state.word) == (ALL_OFF, False, 0, "starting")
    for switch in (state.charge, state.discharge, state.main, state.heater, state.precharge.relay):
        assert switch == SwitchState(False, None, (), 0)
    assert state.soc is state.override is None
    assert (state.resets, state.shorts, state.suspects) == (0, (), ())
    assert (state.force_charge, state.full_charge) == (False, False)
    assert state.common == CommonState(Block.NONE, None, False, None)
    assert not state.charge_path


def test_everybody_consents_until_somebody_does_not() -> None:
    state = begin(T)
    assert (state.consent.charge, state.consent.discharge, state.consent.balance) == (True, True, True)
    assert (state.consent.remote_off, state.asked_for) == (Block.NONE, BOTH)


def test_what_survived_is_there_from_the_first_moment() -> None:
    """S13."""
    counter, consent = SocState(charge_mams=7, error_permille=8), Consent(charge=False)
    state = begin(
        T, latched={"cell_floor": (1900, 2)}, soc_state=counter, consent=consent, asked_for=Block.NONE
    )
    assert (state.soc, state.consent, state.asked_for) == (counter, consent, Block.NONE)
    kept = {row.name: alarm for row, alarm in zip(ALARMS, state.alarms, strict=True) if alarm.active}
    assert kept == {"cell_floor": AlarmState(True, T, value=1900, where=2)}


@pytest.mark.parametrize(("name", "charges"), [("charge", True), ("main", True), ("discharge", False)])
def test_a_contactor_that_can_carry_charge_is_the_charge_path(name, charges) -> None:
    assert replace(begin(T), **{name: SwitchState(True)}).charge_path is charges


P, LIFEPO4 = make_parameters(), CHEMISTRIES["lifepo4"]
PLAIN = {"cells": 4, "capacity_mah": 100_000, "fet_follows_ms": 350}


def test_a_pack_of_which_nothing_is_said_has_no_heater_and_all_that_protects() -> None:
    """S1, S4: sensors, pre-charge and an inverter that is held to its limits count as there."""
    made = settings(P, LIFEPO4, **PLAIN)
    assert (made.battery_sensors, made.switch_sensor) == (2, True)
    assert (made.heater_mohm, made.heater_from_pack) == (None, False)
    assert (made.precharge, made.balancing, made.limits_told) == (True, True, True)
    assert (made.wired, made.topology) == (frozenset(), "split")
    assert (made.exports, made.obeys_ms, made.fet_follows_ms) == (False, 0, 350)
    assert not made.common
    assert not made.own_fets


@pytest.mark.parametrize(
    ("topology", "contactors", "contacts"),
    [("split", ("charge", "discharge"), {"charge", "discharge"}), ("common", ("main",), {"main"}),
     ("afe", ("charge", "discharge"), set())],
)  # fmt: skip
def test_a_topology_has_its_contactors_and_expects_their_contacts(topology, contactors, contacts) -> None:
    made = settings(P, LIFEPO4, **PLAIN, topology=topology)
    assert (made.contactors, made.contacts) == (contactors, contacts)
    assert (made.common, made.own_fets) == (topology == "common", topology == "afe")
    none = settings(P, LIFEPO4, **PLAIN, topology=topology, contacts=frozenset())
    assert none.contacts == frozenset()


@pytest.mark.parametrize(("cells", "max_mw", "allowed_mw"), [
    (8, 200_000, 100_000), (9, 200_000, 200_000), (4, 100_001, 100_000), (4, 99_999, 99_999), (16, 50_000, 50_000),
])  # fmt: skip
def test_a_heater_of_a_small_pack_has_half_the_power(cells, max_mw, allowed_mw) -> None:
    """S4: 100 W up to 8 cells, 200 W beyond, and never more than the parameter."""
    assert heater_max_mw(cells, max_mw) == allowed_mw


@pytest.mark.parametrize(("cells", "allowed_mw"), [(8, 100_000), (9, 200_000)])
def test_the_settings_of_a_pack_hold_its_heater_to_that(cells, allowed_mw) -> None:
    """S4."""
    parameters = make_parameters(cells=cells, heater_max_mw=200_000)
    assert settings(parameters, LIFEPO4, **{**PLAIN, "cells": cells}).heater_max_mw == allowed_mw
