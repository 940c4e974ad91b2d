"""A contactor opens at little current where the reason leaves time for it, and at once where it does not (S12)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core.deferred_opening import longest_ms
from bmsd.core.types import ChipFault, Inhibit, InhibitCause, Request
from bmsd.tables.alarms import ALARMS, BOTH, Severity
from tests.support.bench_inputs import PERIOD_MS, Pack, make_settings

LEAVES_TIME = {
    "cell_ovp": 500,
    "cell_uvp": 500,
    "pack_ovp": 2000,
    "pack_uvp": 2000,
    "charge_ocp": 1000,
    "discharge_ocp": 1000,
    "charge_otp": 2000,
    "charge_utp": 2000,
    "discharge_otp": 2000,
    "discharge_utp": 2000,
    "switch_otp": 1000,
    "charge_limit_enforced": 2000,
    "discharge_limit_enforced": 2000,
}
"""Written out, not read from the table: how long a contactor may wait for each alarm."""
MOST_MS = 5000
OFF = Request("switch", "charge", False, "uid 0")
ON = Request("switch", "charge", True, "uid 0")


def loaded(current_ma: int = 60_000, **chosen: int) -> Pack:
    """Give a running pack through whose contactors a current flows."""
    pack = Pack(make_settings(chosen=chosen)).started()
    pack.current_ma = current_ma
    pack.cycle()
    assert pack.state.commands.charge
    return pack


def too_high(**chosen: int) -> Pack:
    """Give a pack at 60 A that has just tripped on an over-voltage cell."""
    pack = loaded(**chosen)
    pack.cells[0] = 3650
    pack.until(lambda p: "cell_ovp" in p.active())
    return pack


def test_the_table_leaves_time_where_the_rules_say_and_nowhere_else() -> None:
    """S12: a short circuit, lost data, a fast over-current and every fault open at once."""
    assert {a.name: a.opening_ms for a in ALARMS if a.opening_ms} == LEAVES_TIME
    assert not [a.name for a in ALARMS if a.opening_ms and a.severity is Severity.FAULT]
    assert not [a.name for a in ALARMS if a.opening_ms and not a.blocks & BOTH]


def test_permission_and_limit_go_at_once_and_only_the_contacts_wait() -> None:
    """S1, S12: the inverter hears zero in the cycle of the alarm."""
    pack = too_high()
    assert pack.out is not None
    assert not pack.out.charge_allowed
    assert pack.out.limits.charge_ma == 0
    assert pack.out.commands.charge
    reasons = pack.out.charge_inhibits
    assert [reason.because for reason in reasons] == [InhibitCause.ALARM, InhibitCause.LOW_CURRENT]
    assert reasons[-1].until_ms == pack.now_ms + LEAVES_TIME["cell_ovp"]


@pytest.mark.parametrize(
    ("current_ma", "opens"), [(2000, False), (1999, True), (-2000, False), (-1999, True)]
)
def test_it_opens_below_its_current_in_either_direction_and_not_at_it(current_ma: int, opens: bool) -> None:
    """S12: below is below."""
    pack = too_high()
    pack.current_ma = current_ma
    pack.cycle(after_ms=1)
    assert pack.state.commands.charge is not opens


@pytest.mark.parametrize("wait_ms", [0, 250, 499, 500, 501, 5000])
def test_the_wait_ends_at_the_smaller_of_parameter_and_row_and_not_a_millisecond_later(wait_ms: int) -> None:
    """S12: a current that never falls is broken in time."""
    pack = too_high(opening_wait_ms=wait_ms)
    bound_ms = min(wait_ms, LEAVES_TIME["cell_ovp"])
    if bound_ms == 0:
        assert not pack.state.commands.charge
        return
    pack.cycle(after_ms=bound_ms - 1)
    assert pack.state.commands.charge
    pack.cycle(after_ms=1)
    assert not pack.state.commands.charge


def test_an_operators_no_waits_for_the_parameters_time() -> None:
    """S12, S14: permission goes at once, contacts may take the whole time."""
    pack = loaded(opening_wait_ms=MOST_MS)
    pack.cycle(OFF)
    assert pack.out is not None
    assert not pack.out.charge_allowed
    pack.cycle(after_ms=MOST_MS - 1)
    assert pack.state.commands.charge
    pack.cycle(after_ms=1)
    assert not pack.state.commands.charge


AT_ONCE = {
    "short circuit": {"faults": ChipFault.SHORT_CIRCUIT},
    "chip trip": {"faults": ChipFault.CELL_OVER_VOLTAGE | ChipFault.CELL_UNDER_VOLTAGE},
    "chip fault": {"faults": ChipFault.PERMANENT_FAILURE},
    "lost cell": {"cells": [None, 3300, 3300, 3300]},
    "lost current": {"current_ma": None},
    "lost temperature": {"battery": [None, 250]},
    "lost chip": {"polled": False},
}


@pytest.mark.parametrize("what", AT_ONCE)
def test_what_leaves_no_time_opens_at_once_at_any_current(what: str) -> None:
    """S12: at the highest wait that can be set, in the cycle that takes the permission back."""
    pack = loaded(opening_wait_ms=MOST_MS)
    values: dict[str, Any] = AT_ONCE[what]
    for name, value in values.items():
        setattr(pack, name, value)
    pack.until(lambda p: p.out is not None and not p.out.charge_allowed, 5000)
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge


def test_a_second_reason_that_leaves_no_time_ends_a_running_wait() -> None:
    """S12: the shortest time of all reasons counts."""
    pack = loaded(opening_wait_ms=MOST_MS)
    pack.cycle(OFF)
    pack.faults = ChipFault.SHORT_CIRCUIT
    pack.cycle(after_ms=1)
    assert not pack.state.commands.charge


def test_a_second_reason_does_not_begin_the_wait_again() -> None:
    """S12: counted from the cycle that lost its permission, whatever comes after it."""
    pack = loaded(opening_wait_ms=MOST_MS, temperature_delay_ms=0)
    pack.cycle(OFF)
    pack.battery = [-50, -50]
    pack.cycle(after_ms=1999)
    assert pack.state.commands.charge
    pack.cycle(after_ms=1)
    assert not pack.state.commands.charge


def test_a_permission_that_returns_ends_the_wait_and_the_next_one_is_whole() -> None:
    """S12: nothing opened, so nothing rests either."""
    pack = loaded(opening_wait_ms=MOST_MS)
    pack.cycle(OFF)
    pack.cycle(ON, after_ms=4000)
    assert pack.state.commands.charge
    assert pack.state.opening.charge_ms is None
    pack.cycle(OFF, after_ms=4000)
    pack.cycle(after_ms=MOST_MS - 1)
    assert pack.state.commands.charge
    pack.cycle(after_ms=1)
    assert not pack.state.commands.charge


def test_each_side_waits_for_itself() -> None:
    """S12: an under-voltage opens the load side and leaves charging as it is."""
    pack = loaded(-60_000)
    pack.cells[0] = 2650
    pack.until(lambda p: "cell_uvp" in p.active())
    assert pack.out is not None
    assert pack.state.commands.discharge
    assert pack.out.limits.discharge_ma == 0
    assert pack.out.limits.charge_ma > 0
    pack.cycle(after_ms=LEAVES_TIME["cell_uvp"])
    assert not pack.state.commands.discharge
    assert pack.state.commands.charge


def test_the_heater_waits_until_the_charge_contactor_is_open() -> None:
    """S3: charge is cut first, also when its contactor waits for little current."""
    pack = loaded(opening_wait_ms=MOST_MS)
    pack.charger_mv, pack.battery = 16_000, [-80, -80]
    pack.until(lambda p: "charge_utp" in p.active())
    assert pack.state.commands.charge
    begun_ms = pack.now_ms
    while pack.state.commands.charge:
        assert not pack.state.commands.heater
        pack.cycle()
    assert pack.now_ms == begun_ms + LEAVES_TIME["charge_utp"]
    assert not pack.state.commands.heater
    pack.cycle()
    assert pack.state.commands.heater


def test_a_contactor_that_is_open_waits_for_nothing() -> None:
    pack = loaded()
    pack.cycle(OFF)
    pack.run(2000)
    assert pack.out is not None
    assert InhibitCause.LOW_CURRENT not in [reason.because for reason in pack.out.charge_inhibits]
    assert pack.state.opening.charge_ms is None


def test_whatever_is_not_known_to_leave_time_leaves_none() -> None:
    """S2, S12: every kind of reason but an operator's, some alarms', and one that stands beside them."""
    p = make_settings(chosen={"opening_wait_ms": MOST_MS}).parameters
    assert longest_ms(p, ()) == 0
    for because in set(InhibitCause) - {InhibitCause.ALARM, InhibitCause.OPERATOR, InhibitCause.SPENT}:
        assert longest_ms(p, (Inhibit(because), Inhibit(InhibitCause.OPERATOR))) == 0
    for alarm in ALARMS:
        least = min(LEAVES_TIME.get(alarm.name, 0), p.opening_wait_ms)
        assert (
            longest_ms(p, (Inhibit(InhibitCause.OPERATOR), Inhibit(InhibitCause.ALARM, alarm.name))) == least
        )


def test_the_last_cycle_comes_within_a_period_of_the_bound() -> None:
    """S12: cycles are a period apart; an opening is late by less than one."""
    pack = too_high()
    tripped_ms = pack.now_ms
    pack.until(lambda p: not p.state.commands.charge)
    assert pack.now_ms - tripped_ms < LEAVES_TIME["cell_ovp"] + PERIOD_MS
