"""Every threshold alarm at its limit and one step beyond, at its delay and one millisecond before."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from bmsd.core.types import Request
from bmsd.tables.alarms import ALARMS, BOTH, EVERYTHING, Block
from tests.support.bench_inputs import Pack, make_settings

CHARGE, DISCHARGE, HEATER, BALANCE = Block.CHARGE, Block.DISCHARGE, Block.HEATER, Block.BALANCE
QUICK = {"period_ms": 100, "value_max_age_ms": 200}
"""A value that is lost is unknown 201 ms later: well before the shortest delay of all rows."""


class Case(NamedTuple):
    """One row as the rules want it, for four LiFePO4 cells: written out, not read from the code."""

    name: str
    value: str
    bad: int
    """One step beyond means one more in this direction: +1 above, -1 below."""
    trip: int
    release: int
    delay_ms: int
    release_ms: int
    blocks: Block
    latched: bool = False
    opening_ms: int = 0
    """How long contacts that carry the tripping current wait; all other cases carry none."""


CASES = (
    Case("cell_ovp", "cell", +1, 3600, 3400, 1000, 0, CHARGE),
    Case("cell_uvp", "cell", -1, 2700, 3000, 2000, 0, DISCHARGE),
    Case("cell_shutdown", "cell", -1, 2600, 3000, 1000, 0, DISCHARGE | BALANCE),
    Case("cell_floor", "cell", -1, 2000, 2600, 1000, 0, EVERYTHING, latched=True),
    Case("cell_spread", "spread", +1, 300, 200, 10_000, 0, Block.NONE),
    Case("pack_ovp", "pack", +1, 14_200, 13_600, 2000, 0, CHARGE),
    Case("pack_uvp", "pack", -1, 11_200, 12_000, 2000, 0, DISCHARGE),
    Case("charge_ocp", "charge", +1, 100_000, 100_000, 30_000, 60_000, CHARGE, opening_ms=1000),
    Case("charge_ocp2", "charge", +1, 150_000, 100_000, 1000, 60_000, CHARGE),
    Case("discharge_ocp", "discharge", +1, 150_000, 150_000, 30_000, 60_000, DISCHARGE, opening_ms=1000),
    Case("discharge_ocp2", "discharge", +1, 225_000, 150_000, 500, 60_000, DISCHARGE),
    Case("charge_otp", "battery", +1, 550, 500, 2000, 0, CHARGE | HEATER | BALANCE),
    Case("charge_utp", "battery", -1, 0, 50, 2000, 0, CHARGE),
    Case("discharge_otp", "battery", +1, 600, 550, 2000, 0, DISCHARGE | HEATER | BALANCE),
    Case("discharge_utp", "battery", -1, -200, -100, 2000, 0, DISCHARGE),
    Case("switch_otp", "switch", +1, 750, 650, 2000, 0, EVERYTHING),
    Case("stack_mismatch", "stack", +1, 200, 200, 2000, 10_000, BOTH | BALANCE),
    Case("temperature_spread", "sensors", +1, 200, 150, 60_000, 0, Block.NONE),
)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
WHERE = {"cell": 3, "spread": 3, "battery": 2, "sensors": 2}


def give(pack: Pack, kind: str, value: int | None) -> None:
    """Make one believed value exactly this; None loses the reading that decides."""
    if kind == "cell":
        pack.cells[2] = value
    elif kind == "spread":
        pack.cells[2] = None if value is None else 3250 + value
    elif kind == "pack":
        whole = value or 0
        pack.cells = [whole // 4, whole // 4, whole // 4, whole - 3 * (whole // 4)]
        pack.cells[1] = None if value is None else pack.cells[1]
    elif kind in {"charge", "discharge"}:
        pack.current_ma = value if value is None or kind == "charge" else -value
    elif kind == "battery":
        pack.battery[1] = value
    elif kind == "sensors":
        pack.battery = [250, None if value is None else 250 + value]
    elif kind == "switch":
        pack.switch = value
    else:
        pack.stack = None if value is None else sum(mv or 0 for mv in pack.cells) - value


def plain() -> Pack:
    """Give a started pack whose values are all in order; equal cells, so that a spread is exact."""
    pack = Pack(make_settings(chosen=QUICK))
    pack.cells = [3250] * 4
    return pack.started()


def tripped(case: Case) -> Pack:
    """Give a pack on which the alarm of the case has just been raised."""
    pack = plain()
    give(pack, case.value, case.trip + case.bad)
    pack.cycle()
    pack.cycle(after_ms=case.delay_ms)
    assert pack.alarm(case.name).active
    return pack


def test_every_threshold_row_has_its_case() -> None:
    assert {alarm.name for alarm in ALARMS if alarm.value} == {case.name for case in CASES}


@each_case
def test_a_row_blocks_what_the_rules_say(case: Case) -> None:
    """S1: what an alarm blocks is fixed by its row."""
    row = next(alarm for alarm in ALARMS if alarm.name == case.name)
    assert row.blocks == case.blocks
    assert (row.ends.value == "operator") is case.latched


@each_case
def test_exactly_at_the_limit_never_trips(case: Case) -> None:
    pack = plain()
    give(pack, case.value, case.trip)
    pack.run(2 * case.delay_ms + 1000, 100)
    assert not pack.alarm(case.name).active


@each_case
def test_one_step_beyond_does_not_trip_a_millisecond_early(case: Case) -> None:
    pack = plain()
    give(pack, case.value, case.trip + case.bad)
    pack.cycle()
    pack.cycle(after_ms=case.delay_ms - 1)
    assert not pack.alarm(case.name).active


@each_case
def test_one_step_beyond_trips_at_exactly_its_delay(case: Case) -> None:
    """S1: the cycle that raises it also takes back the permission."""
    pack = tripped(case)
    alarm = pack.alarm(case.name)
    assert alarm.value == case.trip + case.bad
    assert alarm.where == WHERE.get(case.value)
    blocked = Block.NONE
    for other in CASES:
        # A colder or lower value may have tripped a neighbouring row as well.
        blocked |= other.blocks if other.name in pack.active() else Block.NONE
    assert pack.out is not None
    assert pack.out.charge_allowed is not bool(blocked & CHARGE)
    assert pack.out.discharge_allowed is not bool(blocked & DISCHARGE)
    assert bool(pack.out.limits.charge_ma) is not bool(blocked & CHARGE)
    assert bool(pack.out.limits.discharge_ma) is not bool(blocked & DISCHARGE)
    if case.opening_ms:
        assert pack.out.commands.charge
        assert pack.out.commands.discharge
        pack.cycle(after_ms=case.opening_ms)
    assert pack.out.commands.charge is not bool(blocked & CHARGE)
    assert pack.out.commands.discharge is not bool(blocked & DISCHARGE)


@each_case
def test_being_back_inside_once_starts_the_delay_again(case: Case) -> None:
    pack = plain()
    give(pack, case.value, case.trip + case.bad)
    pack.cycle()
    give(pack, case.value, case.trip)
    pack.cycle(after_ms=case.delay_ms - 10)
    give(pack, case.value, case.trip + case.bad)
    pack.cycle(after_ms=10)
    pack.cycle(after_ms=case.delay_ms - 1)
    assert not pack.alarm(case.name).active
    pack.cycle(after_ms=1)
    assert pack.alarm(case.name).active


@each_case
def test_an_unknown_value_does_not_stop_a_running_delay(case: Case) -> None:
    """S2: the timer of a pending trip runs on through unknown and trips in time."""
    pack = plain()
    give(pack, case.value, case.trip + case.bad)
    pack.cycle()
    give(pack, case.value, None)
    pack.cycle(after_ms=case.delay_ms - 1)
    assert not pack.alarm(case.name).active
    pack.cycle(after_ms=1)
    assert pack.alarm(case.name).active


@each_case
def test_an_unknown_value_alone_does_not_start_the_delay(case: Case) -> None:
    pack = plain()
    give(pack, case.value, None)
    pack.run(case.delay_ms * 2 + 1000, 100)
    assert not pack.alarm(case.name).active


# S4 turns the heater off at recovery, so a pack that only the heater warms gets there and no further.
ENDS_AT_ITS_LIMIT = ("charge_utp",)


@each_case
def test_exactly_at_the_release_limit_it_stays(case: Case) -> None:
    pack = tripped(case)
    give(pack, case.value, case.release)
    pack.run(case.release_ms * 2 + 5000)
    pack.reset(case.name)
    assert pack.alarm(case.name).active is (case.name not in ENDS_AT_ITS_LIMIT)


@each_case
def test_one_step_inside_the_release_limit_ends_it_in_time(case: Case) -> None:
    pack = tripped(case)
    give(pack, case.value, case.release - case.bad)
    pack.cycle(after_ms=1)
    if case.latched:
        assert pack.alarm(case.name).active
        assert pack.reset(case.name)
        return
    if case.release_ms:
        pack.cycle(after_ms=case.release_ms - 1)
        assert pack.alarm(case.name).active
        pack.cycle(after_ms=1)
    assert not pack.alarm(case.name).active


@each_case
def test_an_unknown_value_never_ends_it(case: Case) -> None:
    """S2: unknown is no reason to release, not even for an operator."""
    pack = tripped(case)
    give(pack, case.value, None)
    pack.run(case.release_ms + 20_000)
    assert not pack.reset(case.name)


@pytest.mark.parametrize("case", [case for case in CASES if case.release_ms], ids=lambda case: case.name)
def test_an_unknown_value_starts_the_release_time_again(case: Case) -> None:
    """S2: time in which nothing was known does not count as good."""
    pack = tripped(case)
    give(pack, case.value, case.release - case.bad)
    pack.cycle()
    give(pack, case.value, None)
    pack.run(case.release_ms)
    give(pack, case.value, case.release - case.bad)
    pack.cycle()
    pack.cycle(after_ms=case.release_ms - 1)
    assert pack.alarm(case.name).active


def test_the_floor_keeps_until_its_reset_and_refuses_one_while_low() -> None:
    """S13: an operator-latched alarm waits for its operator, and the operator for the cause."""
    pack = tripped(next(case for case in CASES if case.name == "cell_floor"))
    assert not pack.reset("cell_floor")
    give(pack, "cell", 3300)
    pack.run(3_600_000, 60_000)
    assert pack.alarm("cell_floor").active
    assert pack.reset("cell_floor")


def test_a_reset_ends_only_the_alarm_it_names() -> None:
    pack = tripped(next(case for case in CASES if case.name == "cell_floor"))
    give(pack, "cell", 3300)
    pack.cycle(Request("reset", "heater_stuck_on", None, "uid 0"))
    assert pack.alarm("cell_floor").active
