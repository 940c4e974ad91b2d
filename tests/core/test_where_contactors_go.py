"""Where contactors go and what each direction is told to wait for, call by call, in both topologies (S1, S3, S12)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core.contactor_control import ContactorDecision, ContactorInputs, move
from bmsd.core.contactors import HIGH as BUS_HIGH
from bmsd.core.contactors import PrechargeState
from bmsd.core.deferred_opening import DeferredOpening
from bmsd.core.settings import Settings
from bmsd.core.state import CommonState, begin
from bmsd.core.switching import SwitchState
from bmsd.core.types import Inhibit, InhibitCause
from bmsd.tables.alarms import Block
from tests.support.bench_inputs import START_MS, believed, make_settings
from tests.support.changed import replace

T = START_MS
WAIT_MS = 3000
SPLIT, COMMON = (
    make_settings(topology=topology, precharge=False, chosen={"opening_wait_ms": WAIT_MS})
    for topology in ("split", "common")
)
OFF, ON = SwitchState(False, T - 60_000), SwitchState(True, T - 60_000)
RESTS = SwitchState(False, T - 1000)
REST = (Inhibit(InhibitCause.MIN_OFF, until_ms=T - 1000 + SPLIT.parameters.contactor_min_off_ms),)
BY_HAND = (Inhibit(InhibitCause.OPERATOR, "charge"),)
HIGH, LOW, SHUT = ((Inhibit(InhibitCause.ALARM, name),) for name in ("cell_ovp", "cell_uvp", "cell_shutdown"))
HEAT_FIRST = (Inhibit(InhibitCause.HEATER_FIRST, "heater"),)
FLOWS = {"current_ma": 50_000}
CHARGER = {"charger_mv": 13_200 + COMMON.parameters.charger_detect_mv}


def moved(
    settings: Settings,
    no_charge: tuple[Inhibit, ...] = (),
    no_discharge: tuple[Inhibit, ...] = (),
    *,
    heat_is_off: bool = True,
    waits_for_payer: bool = False,
    values: dict[str, Any] | None = None,
    **state: Any,
) -> ContactorDecision:
    """Move the contactors once; all are closed since long unless the test says else."""
    closed = {"main": ON} if settings.common else {"charge": ON, "discharge": ON}
    before = replace(begin(T), **{**closed, **state})
    seen = believed(settings, **(values or {}))
    at = ContactorInputs(no_charge, no_discharge, PrechargeState(), seen, heat_is_off, waits_for_payer, T)
    return move(settings, before, at)


def waits(name: str, wait_ms: int) -> tuple[Inhibit, ...]:
    """Give what a closed contactor says that waits so long from now."""
    return (Inhibit(InhibitCause.LOW_CURRENT, name, until_ms=T + wait_ms),)


# --- Two contactors ---------------------------------------------------------------------------------------------


def test_with_nothing_against_it_both_are_closed_and_asked_for() -> None:
    found = moved(SPLIT)
    assert (found.charge, found.discharge) == (ON, ON)
    assert (found.may_ask_charge, found.may_ask_discharge) == (True, True)
    assert (found.wait_charge, found.wait_discharge) == ((), ())
    assert found.opening == DeferredOpening()


def test_a_contactor_that_must_open_waits_for_little_current_and_is_asked_for_nothing() -> None:
    """S12; the other one is not concerned."""
    found = moved(SPLIT, BY_HAND, values=FLOWS)
    assert (found.charge, found.opening) == (ON, DeferredOpening(T, None))
    assert (found.may_ask_charge, found.may_ask_discharge) == (False, True)
    assert (found.wait_charge, found.wait_discharge) == (waits("charge", WAIT_MS), ())
    found = moved(SPLIT, (), BY_HAND, values=FLOWS)
    assert (found.discharge, found.opening) == (ON, DeferredOpening(None, T))
    assert (found.may_ask_charge, found.may_ask_discharge) == (True, False)
    assert (found.wait_charge, found.wait_discharge) == ((), waits("discharge", WAIT_MS))


def test_each_wait_goes_on_from_its_own_beginning_and_for_its_own_reason() -> None:
    """S12."""
    found = moved(SPLIT, HIGH, BY_HAND, values=FLOWS, opening=DeferredOpening(T - 100, T - 300))
    assert found.wait_charge == waits("charge", 500 - 100)
    assert found.wait_discharge == waits("discharge", WAIT_MS - 300)
    assert found.opening == DeferredOpening(T - 100, T - 300)


def test_a_contactor_that_is_closed_at_the_start_waits_from_now_on() -> None:
    assert moved(SPLIT, BY_HAND, BY_HAND, values=FLOWS).opening == DeferredOpening(T, T)
    assert moved(COMMON, BY_HAND, BY_HAND, values=FLOWS).opening == DeferredOpening(main_ms=T)


def test_an_open_contactor_stays_open_whatever_flows_through_the_other() -> None:
    """S1: there is nothing to wait for."""
    found = moved(SPLIT, BY_HAND, values=FLOWS, charge=OFF)
    assert (found.charge, found.discharge, found.opening) == (OFF, ON, DeferredOpening())
    found = moved(SPLIT, (), BY_HAND, values=FLOWS, discharge=OFF)
    assert (found.charge, found.discharge, found.opening) == (ON, OFF, DeferredOpening())


def test_a_contactor_that_rests_says_so_and_is_asked_for_nothing() -> None:
    """S12."""
    found = moved(SPLIT, charge=RESTS, discharge=RESTS)
    assert (found.wait_charge, found.wait_discharge) == (REST, REST)
    assert (found.may_ask_charge, found.may_ask_discharge) == (False, False)


@pytest.mark.parametrize("charge", [OFF, ON])
def test_while_the_heater_is_on_the_charge_contactor_is_open_and_says_why(charge) -> None:
    """S3: whatever else is in order; what is forbidden anyway does not wait for the heater."""
    found = moved(SPLIT, heat_is_off=False, charge=charge)
    assert not found.charge.on
    assert found.discharge.on
    assert (found.wait_charge, found.may_ask_charge) == (HEAT_FIRST, False)
    assert moved(SPLIT, BY_HAND, heat_is_off=False, charge=charge).wait_charge == ()


# --- One contactor ----------------------------------------------------------------------------------------------


def test_the_common_contactor_alone_moves() -> None:
    """What the other topology counts stays as it is."""
    charge, discharge = SwitchState(closings=3), SwitchState(closings=4)
    found = moved(COMMON, charge=charge, discharge=discharge)
    assert (found.charge, found.discharge, found.main) == (charge, discharge, ON)
    assert (found.may_ask_charge, found.may_ask_discharge) == (True, True)
    assert (found.wait_charge, found.wait_discharge) == ((), ())
    assert moved(SPLIT, main=SwitchState(closings=5)).main == SwitchState(closings=5)


@pytest.mark.parametrize("sides", [(HIGH, BY_HAND), (BY_HAND, LOW)])
def test_the_shorter_wait_of_both_directions_counts(sides) -> None:
    """S12: one contactor opens for two."""
    found = moved(COMMON, *sides, values=FLOWS)
    assert found.main.on
    assert found.opening == DeferredOpening(main_ms=T)
    assert found.wait_charge == found.wait_discharge == waits("main", 500)
    assert (found.may_ask_charge, found.may_ask_discharge) == (False, False)
    assert moved(COMMON, *sides, values=FLOWS, opening=DeferredOpening(main_ms=T - 500)).main.on is False


def test_a_direction_that_is_told_zero_says_for_which_other_one() -> None:
    """S1: the contactor stays closed for the other one."""
    found = moved(COMMON, HIGH)
    assert (found.wait_charge, found.wait_discharge) == ((Inhibit(InhibitCause.TOLD_ZERO, "discharge"),), ())
    assert (found.may_ask_charge, found.may_ask_discharge) == (False, True)
    found = moved(COMMON, (), LOW)
    assert (found.wait_charge, found.wait_discharge) == ((), (Inhibit(InhibitCause.TOLD_ZERO, "charge"),))
    assert (found.may_ask_charge, found.may_ask_discharge) == (True, False)


def test_a_direction_that_would_be_allowed_names_the_one_that_opened_the_contactor() -> None:
    fault = (Inhibit(InhibitCause.UNKNOWN, "cell_mv"),)
    found = moved(COMMON, (), SHUT)
    assert not found.main.on
    assert (found.wait_charge, found.wait_discharge) == (
        (Inhibit(InhibitCause.OTHER_DIRECTION, "discharge"),),
        (),
    )
    found = moved(COMMON, fault, ())
    assert (found.wait_charge, found.wait_discharge) == (
        (),
        (Inhibit(InhibitCause.OTHER_DIRECTION, "charge"),),
    )
    found = moved(COMMON, fault, fault)
    assert (found.wait_charge, found.wait_discharge) == ((), ())


def test_a_contactor_that_rests_tells_both_directions_so_and_nothing_else() -> None:
    """S12: nobody is told zero through an open contactor."""
    for sides in (((), ()), (HIGH, ()), ((), LOW)):
        found = moved(COMMON, *sides, main=RESTS)
        assert (found.wait_charge, found.wait_discharge) == (REST, REST)
        assert (found.may_ask_charge, found.may_ask_discharge) == (False, False)


def test_while_the_heater_is_on_charge_is_asked_for_of_nobody() -> None:
    """S3: the contactor stays closed for the load, and charge counts as refused."""
    for no_discharge in ((), LOW):
        found = moved(COMMON, (), no_discharge, heat_is_off=False)
        assert found.main.on
        assert not found.may_ask_charge
        assert found.wait_charge == HEAT_FIRST
        assert Block.CHARGE in found.common.refused
    found = moved(COMMON, HIGH, heat_is_off=False)
    assert found.wait_charge == (Inhibit(InhibitCause.TOLD_ZERO, "discharge"),)


def test_a_direction_is_refused_by_a_reason_of_its_own_and_not_by_its_own_consequence() -> None:
    """An alarm over a current that went on would else keep itself alive."""
    went_on, drew_on = (
        (Inhibit(InhibitCause.ALARM, f"{name}_not_stopped"),) for name in ("charge", "discharge")
    )
    for sides, refused in (
        (((), ()), Block.NONE),
        ((went_on, drew_on), Block.NONE),
        ((HIGH, ()), Block.CHARGE),
        (((), LOW), Block.DISCHARGE),
        ((went_on + HIGH, LOW + drew_on), Block.CHARGE | Block.DISCHARGE),
    ):
        assert moved(COMMON, *sides).common.refused == refused


# --- One contactor below shutdown voltage -----------------------------------------------------------------------


def below_shutdown(
    common: CommonState | None = None, *, no_charge: tuple[Inhibit, ...] = (), **more: Any
) -> ContactorDecision:
    return moved(COMMON, no_charge, SHUT, common=common or CommonState(), **more)


def test_it_closes_for_a_charger_and_remembers_why() -> None:
    found = below_shutdown(main=OFF, values=CHARGER)
    assert found.main.on
    assert found.common == CommonState(Block.DISCHARGE, T, True, None)
    assert (found.may_ask_charge, found.may_ask_discharge) == (True, False)
    assert not below_shutdown(main=OFF, values={"charger_mv": CHARGER["charger_mv"] - 1}).main.on


def test_beside_another_reason_that_leaves_time_it_is_a_trial_all_the_same() -> None:
    found = moved(COMMON, (), LOW + SHUT, main=OFF, values=CHARGER)
    assert found.common == CommonState(Block.DISCHARGE, T, True, None)


def test_closing_for_any_other_reason_is_no_trial() -> None:
    assert moved(COMMON, main=OFF).common == CommonState()
    assert moved(COMMON, (), LOW, main=OFF).common == CommonState(Block.DISCHARGE, T, False, None)


def test_no_charger_closes_it_against_anything_but_a_shutdown_alarm() -> None:
    """S1: nor where charging itself is forbidden."""
    assert not below_shutdown(main=OFF, values=CHARGER, no_charge=BY_HAND).main.on
    assert not moved(COMMON, SHUT, (), main=OFF, values=CHARGER).main.on
    named_alike = (Inhibit(InhibitCause.UNKNOWN, "cell_shutdown"),)
    assert not moved(COMMON, (), named_alike, main=OFF, values=CHARGER).main.on
    assert not moved(COMMON, (), SHUT + named_alike, main=OFF, values=CHARGER).main.on


@pytest.mark.parametrize(("current_ma", "charged_ms"), [(1, T), (0, T - 5), (-1, T - 5), (None, T - 5)])
def test_a_charge_current_however_small_keeps_it_closed(current_ma, charged_ms) -> None:
    """S2: an unknown one is none."""
    found = below_shutdown(CommonState(Block.DISCHARGE, T - 5, True), values={"current_ma": current_ma})
    assert found.main.on
    assert found.common == CommonState(Block.DISCHARGE, charged_ms, True, None)


def test_it_opens_a_minute_after_the_last_charge_current() -> None:
    last = CommonState(Block.DISCHARGE, T - 59_999, True)
    assert below_shutdown(last).main.on
    found = below_shutdown(replace(last, charged_ms=T - 60_000))
    assert not found.main.on
    assert found.common == CommonState(Block.DISCHARGE, None, False, T)
    assert not below_shutdown(replace(last, charged_ms=None)).main.on


def test_after_that_no_charger_closes_it_for_a_quarter_of_an_hour() -> None:
    gave_up = CommonState(Block.DISCHARGE, None, False, T - 899_999)
    found = below_shutdown(gave_up, main=OFF, values=CHARGER)
    assert not found.main.on
    assert found.common == gave_up
    found = below_shutdown(replace(gave_up, gave_up_ms=T - 900_000), main=OFF, values=CHARGER)
    assert found.main.on
    assert found.common == CommonState(Block.DISCHARGE, T, True, None)


def test_a_pack_that_recovered_forgets_its_trials() -> None:
    before = CommonState(Block.DISCHARGE, T - 5, True, None)
    assert moved(COMMON, common=before).common == CommonState(Block.NONE, T - 5, False, None)
    gave_up = CommonState(Block.DISCHARGE, None, False, T - 5)
    assert moved(COMMON, main=RESTS, common=gave_up).common == CommonState()
    assert moved(COMMON, HIGH, main=RESTS, common=gave_up).common == CommonState(Block.CHARGE)


def test_only_a_trial_that_ends_holds_the_next_one_off() -> None:
    """A contactor that was closed anyway, and shuts down, waits for no quarter of an hour."""
    before = CommonState(Block.NONE, T - 3_600_000, False, None)
    assert below_shutdown(before).common == CommonState(Block.DISCHARGE, None, False, None)
    kept = below_shutdown(replace(before, charged_ms=T - 5))
    assert kept.common == CommonState(Block.DISCHARGE, T - 5, False, None)


# --- One contactor of a pack that is empty and too cold to charge ----------------------------------------------

TOO_COLD, TRIPPED = ((Inhibit(InhibitCause.ALARM, name),) for name in ("charge_utp", "discharge_ocp"))


@pytest.mark.parametrize("name", ["cell_uvp", "pack_uvp", "cell_shutdown", "auto_shutdown"])
def test_an_empty_and_cold_pack_closes_it_for_a_charger_that_feeds_its_heater(name) -> None:
    """S15: with both directions told zero; whichever alarm it is that calls it empty, it is a trial."""
    empty = (Inhibit(InhibitCause.ALARM, name),)
    found = moved(COMMON, TOO_COLD, empty, waits_for_payer=True, main=OFF, values=CHARGER)
    assert found.main.on
    assert (found.may_ask_charge, found.may_ask_discharge) == (False, False)
    assert found.common == CommonState(Block.CHARGE | Block.DISCHARGE, T, True, None)


@pytest.mark.parametrize(
    ("no_charge", "no_discharge", "waits_for_payer"),
    [
        (TOO_COLD, SHUT, False),
        (HIGH, SHUT, True),
        (TOO_COLD + HIGH, SHUT, True),
        (TOO_COLD, TRIPPED, True),
        (TOO_COLD, SHUT + TRIPPED, True),
        (BY_HAND, BY_HAND, True),
    ],
)
def test_no_heat_closes_it_against_any_other_reason(no_charge, no_discharge, waits_for_payer) -> None:
    """S1: nor for a heater that lacks more than somebody who pays."""
    sides = no_charge, no_discharge
    found = moved(COMMON, *sides, waits_for_payer=waits_for_payer, main=OFF, values=CHARGER)
    assert found.main == OFF


@pytest.mark.parametrize(
    ("no_charge", "waits_for_payer", "heat_is_off", "charged_ms"),
    [
        (TOO_COLD, True, False, T),
        (TOO_COLD, True, True, T - 5),
        (TOO_COLD, False, False, None),
        ((), False, False, T - 5),
        ((), True, False, T),
        ((), False, True, T - 5),
    ],
)
def test_while_the_heater_of_an_empty_pack_runs_its_charger_counts_as_there(
    no_charge, waits_for_payer, heat_is_off, charged_ms
) -> None:
    """Who pays is the heater's to judge: no current of the pack needs to show it."""
    before = CommonState(Block.DISCHARGE, T - 5, True)
    sides = no_charge, SHUT
    found = moved(COMMON, *sides, waits_for_payer=waits_for_payer, heat_is_off=heat_is_off, common=before)
    assert found.common.charged_ms == charged_ms
    assert found.main.on is (charged_ms is not None)


# --- A load side that another source holds above the pack ------------------------------------------------------

FED = (Inhibit(InhibitCause.PRECHARGE, BUS_HIGH),)


@pytest.mark.parametrize("closed", [None, "charge", "discharge", "main"])
@pytest.mark.parametrize(
    ("waiting", "is_high"),
    [
        ((), False),
        (REST, False),
        (FED, True),
        (REST + FED, True),
        ((Inhibit(InhibitCause.PRECHARGE),), False),
    ],
)
def test_only_with_everything_open_a_pack_waits_for_a_load_side_that_stands_above_it(
    waiting, is_high, closed
) -> None:
    """S15: through any closed contactor it has its charger already."""
    found = moved(SPLIT, charge=OFF, discharge=OFF)._replace(
        charge=OFF, discharge=OFF, wait_charge=(), wait_discharge=waiting
    )
    if closed:
        found = found._replace(**{closed: ON})
    assert found.waits_for_bus is (is_high and closed is None)


def test_what_charge_waits_for_is_no_load_side() -> None:
    found = moved(SPLIT)._replace(charge=OFF, discharge=OFF, wait_charge=FED, wait_discharge=())
    assert not found.waits_for_bus
