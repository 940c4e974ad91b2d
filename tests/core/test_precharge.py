"""Pre-charge: proved by voltage or it fails, a few tries with rests between, then an operator has to look."""

from __future__ import annotations

import pytest

from bmsd.core.types import InhibitCause, Levels, Request
from tests.support.bench_inputs import Pack, make_settings


def precharging(pack: Pack | None = None, **chosen: int) -> Pack:
    """Give a pack in the cycle in which its pre-charge relay has just gone on, the load side half way up."""
    pack = pack or Pack(make_settings(chosen=chosen), load_mv=6600, cells=[3300] * 4)
    pack.until(lambda p: p.state.commands.precharge)
    assert not pack.state.commands.discharge
    return pack


def failing(tries: int) -> Pack:
    """Give a pack on which so many attempts have just failed."""
    pack = precharging()
    for n in range(tries):
        pack.run(10_000)
        assert not pack.state.commands.precharge
        if n + 1 < tries:
            pack.run(10_000)
    return pack


def test_exactly_the_wanted_share_of_the_pack_voltage_closes() -> None:
    pack = precharging()
    pack.load_mv = 13_200 * 950 // 1000
    pack.cycle()
    assert pack.state.commands.discharge


def test_one_millivolt_less_does_not_close() -> None:
    pack = precharging()
    pack.load_mv = 13_200 * 950 // 1000 - 1
    pack.run(9999)
    assert not pack.state.commands.discharge
    assert pack.state.commands.precharge


def test_a_load_side_may_stand_as_far_above_the_pack_as_below_and_no_further() -> None:
    """S12: what is between them flows when they are joined, either way."""
    pack = precharging()
    pack.load_mv = 13_200 * 1050 // 1000 + 1
    pack.run(9750)
    assert not pack.state.commands.discharge
    pack.load_mv = 13_200 * 1050 // 1000
    pack.cycle()
    assert pack.state.commands.discharge


def test_the_relay_comes_before_the_contactor_even_when_the_load_side_is_up() -> None:
    pack = precharging(Pack(load_mv=13_206))
    pack.cycle()
    assert pack.state.commands.discharge


def test_an_unknown_load_voltage_proves_nothing() -> None:
    """S2: unknown is never a good number."""
    pack = precharging(Pack(load_mv=None))
    pack.run(9999)
    assert not pack.state.commands.discharge
    pack.run(60_000)
    assert not pack.state.commands.discharge
    assert pack.alarm("precharge_failed").active


def test_an_unknown_pack_voltage_ends_the_attempt() -> None:
    pack = precharging()
    pack.cells[0], pack.load_mv = None, 13_200
    pack.run(1250)
    assert not pack.state.commands.discharge
    assert not pack.state.commands.precharge


def test_the_relay_stays_on_until_the_contactor_has_settled() -> None:
    pack = precharging()
    pack.load_mv = 13_200
    pack.cycle()
    pack.cycle(after_ms=499)
    assert pack.state.commands.precharge
    pack.cycle(after_ms=1)
    assert not pack.state.commands.precharge
    assert pack.state.commands.discharge


def test_an_attempt_ends_at_its_time_out_and_not_a_millisecond_before() -> None:
    pack = precharging()
    pack.cycle(after_ms=9999)
    assert pack.state.commands.precharge
    pack.cycle(after_ms=1)
    assert not pack.state.commands.precharge
    assert not pack.state.commands.discharge


def shorted(load_mv: int) -> Pack:
    """Give a pack whose load side stays where it is, a millisecond before two seconds of pre-charge are over."""
    pack = precharging(Pack(load_mv=load_mv, cells=[3300] * 4))
    pack.cycle(after_ms=1999)
    assert pack.state.commands.precharge
    return pack


@pytest.mark.fault_class(9, "alone")
def test_a_load_side_that_does_not_rise_ends_the_attempt_after_two_seconds() -> None:
    """Fault class 9: the resistor carries the whole pack voltage, and nothing comes of it."""
    for load_mv in (0, 13_200 * 50 // 1000 - 1):
        pack = shorted(load_mv)
        pack.cycle(after_ms=1)
        assert not pack.state.commands.precharge
        assert pack.state.precharge.tries == 1


@pytest.mark.parametrize("load_mv", [13_200 * 50 // 1000, None])
def test_one_that_rises_at_all_or_is_unknown_has_its_whole_time(load_mv) -> None:
    """S2: only a known value shows a short."""
    pack = shorted(load_mv)
    pack.cycle(after_ms=1)
    assert pack.state.commands.precharge


def test_a_shorter_time_out_holds_for_a_short_as_well() -> None:
    pack = precharging(Pack(make_settings(chosen={"precharge_timeout_ms": 500}), load_mv=0))
    pack.cycle(after_ms=500)
    assert not pack.state.commands.precharge


def test_the_resistor_rests_between_two_attempts() -> None:
    pack = precharging()
    pack.cycle(after_ms=10_000)
    pack.cycle(after_ms=9999)
    assert not pack.state.commands.precharge
    pack.cycle(after_ms=1)
    assert pack.state.commands.precharge


def test_two_failures_are_not_yet_a_fault() -> None:
    pack = failing(2)
    pack.cycle()
    assert not pack.alarm("precharge_failed").active


def test_the_third_failure_locks_out() -> None:
    pack = failing(3)
    pack.cycle()
    assert pack.alarm("precharge_failed").active
    pack.run(3_600_000, 1000)
    assert pack.alarm("precharge_failed").active
    assert not pack.state.commands.precharge


def test_a_success_forgets_earlier_failures() -> None:
    pack = failing(2)
    pack.run(10_000)
    pack.load_mv = 13_200
    pack.run(1000)
    assert pack.state.commands.discharge
    assert pack.state.precharge.tries == 0


def test_a_locked_out_load_side_leaves_charging_alone() -> None:
    pack = failing(3)
    pack.cycle()
    assert pack.state.commands.charge
    assert pack.out is not None
    assert pack.out.limits.discharge_ma == 0


def test_a_lost_permission_ends_the_attempt_at_once() -> None:
    """S1: the pre-charge relay joins pack and load as well."""
    pack = precharging()
    pack.battery = [900, 900]
    pack.cycle()
    pack.cycle(after_ms=2000)
    assert not pack.state.commands.precharge


def test_a_consent_taken_back_opens_both() -> None:
    """S14: an operator's no is obeyed in the next cycle."""
    pack = Pack().started()
    pack.cycle(Request("switch", "discharge", False, "uid 0"))
    assert not pack.state.commands.discharge
    assert not pack.state.commands.precharge


def test_a_pack_without_a_relay_closes_without_one() -> None:
    pack = Pack(make_settings(precharge=False, wired=frozenset({"charge", "discharge"})), load_mv=None)
    pack.run(5000)
    assert pack.state.commands.discharge
    assert not pack.state.commands.precharge


@pytest.mark.parametrize("permille", [800, 995])
def test_the_wanted_share_is_a_parameter(permille: int) -> None:
    pack = precharging(precharge_permille=permille)
    pack.load_mv = 13_200 * permille // 1000 - 1
    pack.cycle()
    assert not pack.state.commands.discharge
    pack.load_mv = 13_200 * permille // 1000
    pack.cycle()
    assert pack.state.commands.discharge


def test_waiting_is_explained() -> None:
    pack = precharging()
    assert pack.out is not None
    assert [reason.because for reason in pack.out.discharge_inhibits] == [InhibitCause.PRECHARGE]


def held_up(topology: str, load_mv: int = 14_500) -> Pack:
    """Give a pack of 13.2 V in whose way a load side stands that does not come down."""
    lines = ("main",) if topology == "common" else ("charge", "discharge")
    settings = make_settings(
        topology=topology,
        wired=frozenset({*lines, "precharge", "buzzer"}),
        heater_mohm=None,
        contacts=frozenset(),
    )
    pack = Pack(settings, cells=[3300] * 4, load_mv=load_mv, charger_mv=load_mv)
    pack.lines, pack.feedback = (
        Levels(charge=False, discharge=False, precharge=False, heater=False, buzzer=False, main=False),
        Levels(),
    )
    follow(pack, 5)
    return pack


def follow(pack: Pack, seconds: int) -> None:
    """Let lines do as they are told."""
    for _ in range(seconds * 4):
        pack.cycle()
        c = pack.state.commands
        pack.lines = Levels(
            charge=c.charge,
            discharge=c.discharge,
            precharge=c.precharge,
            heater=False,
            buzzer=c.buzzer,
            main=c.main,
        )


def test_an_inverter_on_the_same_bus_is_told_the_voltage_of_the_pack_until_they_have_joined() -> None:
    """S15: one that obeys comes down, and the pack is joined without an inrush."""
    pack = held_up("common")
    assert pack.out is not None
    assert not pack.state.commands.main
    assert pack.out.limits.charge_mv == 13_200
    pack.load_mv = 13_500
    follow(pack, 1)
    assert pack.state.commands.main
    follow(pack, 1)
    assert pack.out.limits.charge_mv > 13_200


def test_with_a_contactor_for_each_direction_the_charger_goes_on_meanwhile() -> None:
    """S1: what stands on the load side is not the charger's business."""
    pack = held_up("split")
    assert pack.state.commands.charge
    assert not pack.state.commands.discharge
    assert pack.out is not None
    assert pack.out.limits.charge_mv > 13_200


def test_a_deaf_charger_is_joined_after_three_attempts_and_one_too_far_above_is_told_of() -> None:
    """S15: within a minute; and where nothing may close, an alarm says what to do. It is no latch."""
    near, far = held_up("common", 14_500), held_up("common", 16_000)
    follow(near, 60)
    follow(far, 60)
    assert near.state.commands.main
    assert not near.active()
    assert not far.state.commands.main
    assert not far.state.commands.precharge
    assert far.active() == {"load_side_high"}
    assert far.alarm("load_side_high").value == 16_000
    far.load_mv = 13_200
    follow(far, 15)
    assert far.state.commands.main
    assert not far.active()
