"""Heat waits until charge is proved cut: by a contact, or by current and voltage (S3)."""

from __future__ import annotations

import pytest

from bmsd.core.types import Inhibit, InhibitCause, Levels
from tests.core.test_chip_fets import fets
from tests.core.test_common_contactor import Common
from tests.core.test_common_contactor import make as make_common
from tests.support.bench_inputs import Pack, cold, make_settings
from tests.support.changed import replace

LIMIT_MA = 2000
"""2 % of 100 A."""
NO_CONTACT = make_settings(contacts=frozenset())
COLD_C = [-80, -80]


def bare(apart_mv: int) -> Pack:
    """Give a cold pack without auxiliary contacts whose charger's side stands so far above it."""
    pack = Pack(NO_CONTACT, battery=list(COLD_C), feedback=Levels(), charger_mv=13_206 + apart_mv)
    pack.run(10_000)
    return pack


def why(pack: Pack) -> InhibitCause:
    assert pack.out is not None
    assert not pack.state.commands.heater
    return pack.out.heater_inhibits[0].because


@pytest.mark.parametrize(("apart_mv", "on"), [(0, False), (99, False), (100, True), (2000, True)])
def test_without_a_contact_the_charger_side_must_stand_apart_from_the_pack(apart_mv, on) -> None:
    """S3: through contacts that are welded both read the same."""
    pack = bare(apart_mv)
    assert pack.state.commands.heater is on
    if not on:
        assert why(pack) is InhibitCause.NOT_PROVED_CUT


@pytest.mark.parametrize(
    ("apart_mv", "because"), [(-99, InhibitCause.NOT_PROVED_CUT), (-100, InhibitCause.NO_CHARGER)]
)
def test_a_side_below_the_pack_is_apart_as_well(apart_mv, because) -> None:
    """S3: a dead side shows that nothing joins it to the pack."""
    pack = bare(apart_mv)
    assert why(pack) is because


def test_an_unknown_side_proves_nothing() -> None:
    """S2, S3."""
    pack = bare(0)
    pack.charger_mv = None
    pack.cycle(after_ms=1001)
    assert why(pack) is InhibitCause.NOT_PROVED_CUT


@pytest.mark.parametrize(("current_ma", "on"), [(LIMIT_MA, True), (LIMIT_MA + 1, False)])
@pytest.mark.parametrize("contact", [None, False])
def test_a_charge_current_ends_the_heat_in_the_same_cycle(contact, current_ma, on) -> None:
    """S3: whatever a contact says, current into cold cells is charge."""
    pack = bare(2000)
    pack.feedback = Levels(charge=contact)
    pack.cycle()
    assert pack.state.commands.heater
    pack.current_ma = current_ma
    pack.cycle()
    assert pack.state.commands.heater is on
    if not on:
        assert why(pack) is InhibitCause.CHARGE_FLOWS


@pytest.mark.parametrize(("after_ms", "on"), [(1750, True), (2000, False)])
def test_beside_a_contact_that_has_just_opened_the_current_may_be_one_of_before(after_ms, on) -> None:
    """S3: the contact is the proof; two seconds later a current speaks against it."""
    pack = Pack(charger_mv=16_000).started()
    pack.battery = list(COLD_C)
    pack.until(lambda p: not p.state.commands.charge)
    pack.current_ma = 60_000
    pack.run(after_ms)
    assert pack.state.commands.heater is on


def test_a_discharge_is_no_charge() -> None:
    """S3: the load may go on."""
    pack = bare(2000)
    pack.current_ma = -40_000
    pack.run(10_000)
    assert pack.state.commands.heater


def test_a_weld_behind_which_a_charger_charges_is_never_heated() -> None:
    """S3: told to open, without a contact, it goes on with 38 A; then the charger stops, and the voltage tells."""
    pack = Pack(NO_CONTACT, charger_mv=13_206, feedback=Levels()).started()
    pack.battery, pack.current_ma = list(COLD_C), 38_000
    for _ in range(240):
        pack.cycle()
        assert not pack.state.commands.heater
    assert why(pack) is InhibitCause.CHARGE_FLOWS
    pack.current_ma = 0
    for _ in range(240):
        pack.cycle()
        assert not pack.state.commands.heater
    assert why(pack) in {InhibitCause.NOT_PROVED_CUT, InhibitCause.ALARM}


def test_a_contact_that_reads_open_is_proof_at_any_voltage() -> None:
    """S3."""
    pack = Pack(battery=list(COLD_C), charger_mv=13_206)
    pack.run(10_000)
    assert why(pack) is InhibitCause.NO_CHARGER


def test_a_contact_that_is_lost_is_no_proof() -> None:
    """S2: an unreadable contact does not read open."""
    pack = Pack(battery=list(COLD_C), charger_mv=13_206)
    pack.run(10_000)
    pack.feedback = Levels()
    pack.cycle()
    assert why(pack) is InhibitCause.NOT_PROVED_CUT


def test_a_charger_that_the_heater_pulls_down_past_the_pack_is_no_weld() -> None:
    """S3: contacts do not weld while they are open."""
    pack = bare(2000)
    pack.charger_mv = 13_206
    pack.run(5000)
    assert pack.state.commands.heater


@pytest.mark.parametrize(
    ("contact", "apart_mv", "on"), [(False, 0, True), (None, 0, False), (None, 100, True)]
)
def test_an_open_common_contactor_is_proved_open_as_well(contact, apart_mv, on) -> None:
    """S3: where neither direction is left and the contactor opens."""
    pack = make_common(battery=list(COLD_C), cells=[3300] * 4)
    pack.settings = replace(pack.settings, contacts=frozenset())
    pack.state = replace(pack.state, consent=replace(pack.state.consent, discharge=False))
    pack.charger_mv, pack.feedback = 13_200 + apart_mv, Levels(main=contact)
    pack.run(10_000)
    assert not pack.closed
    assert pack.state.commands.heater is on


def test_in_a_closed_common_contactor_an_unknown_current_is_no_proof() -> None:
    """S2, S3."""
    pack: Common = make_common(battery=list(COLD_C))
    pack.run(10_000)
    assert pack.closed
    assert pack.state.commands.heater
    pack.current_ma = None
    pack.cycle(after_ms=1001)
    assert not pack.state.commands.heater


def test_behind_the_chips_own_fets_a_charge_current_ends_the_heat() -> None:
    """S3: a FET that failed short reads off."""
    pack = fets()
    pack.battery = list(COLD_C)
    pack.run(10_000)
    assert pack.state.commands.heater
    pack.current_ma = LIMIT_MA + 1
    pack.cycle()
    assert pack.out is not None
    assert pack.out.heater_inhibits == (Inhibit(InhibitCause.CHARGE_FLOWS, "current_ma"),)


def test_a_started_pack_says_that_charge_comes_first() -> None:
    """S3: as long as the contactor is told closed, or read closed."""
    pack = cold()
    pack.feedback = Levels(charge=True)
    pack.cycle()
    assert why(pack) is InhibitCause.CHARGE_FIRST
