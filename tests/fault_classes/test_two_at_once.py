"""Row 18: every pair of faults, one after the other and in the same cycle; the worst action wins."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import pytest

from tests.fault_classes.fault_bench import Pack

pytestmark = pytest.mark.timeout(400)  # of processor time there is little on a busy machine


class Fault(NamedTuple):
    """One fault: what the bench does, which alarm names it, and what it blocks: charge, discharge."""

    name: str
    alarm: str
    blocks: tuple[bool, bool]
    cell: int | None = None
    offset_mv: int = 0
    latched: bool = False

    def apply(self, pack: Pack, on: bool) -> None:
        if self.offset_mv:
            assert self.cell
            pack.cell(self.cell, offset_mv=self.offset_mv if on else 0)
        elif self.name == "pack_c":
            pack.set(pack_c=-3 if on else 20)
        else:
            pack.fault(self.name, on, self.cell)


FAULTS = (
    Fault("high cell", "cell_ovp", (True, False), 2, 330),
    Fault("low cell", "cell_uvp", (False, True), 14, -640),
    Fault("cell_open_wire", "cell_lost", (True, True), 8),
    Fault("ntc1_open", "temperature_lost", (True, True)),
    Fault("ntc3_open", "switch_temperature_lost", (True, True)),
    Fault("afe_nack", "afe_lost", (True, True)),
    Fault("pack_c", "charge_utp", (True, False)),
    Fault("charge_stuck_open", "charge_contactor_open", (True, False), latched=True),
    Fault("discharge_stuck_open", "discharge_contactor_open", (False, True), latched=True),
)
PAIRS = list(combinations(FAULTS, 2))
each_pair = pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda fault: fault.name.replace(" ", "_"))
SETTLED_S = 8
"""The slowest of them: one second of age, two of grace, two of temperature, the wait of an opening."""


def union(*faults: Fault) -> tuple[bool, bool]:
    """Give what a set of faults allows: nothing that any of them blocks."""
    return not any(f.blocks[0] for f in faults), not any(f.blocks[1] for f in faults)


def expect(pack: Pack, *faults: Fault) -> None:
    """See that exactly the worst of these faults is done, and each is named."""
    may_charge, may_discharge = union(*faults)
    assert pack.out.charge_allowed is may_charge, pack.active
    assert pack.out.discharge_allowed is may_discharge, pack.active
    assert pack.contacts["charge"] <= may_charge, pack.active
    assert pack.contacts["discharge"] <= may_discharge, pack.active
    limits = pack.out.limits
    assert may_charge or limits.charge_ma == 0
    assert may_discharge or limits.discharge_ma == 0


def named(pack: Pack, *faults: Fault) -> None:
    for fault in faults:
        assert fault.alarm in pack.trips_raised(), fault


@pytest.mark.fault_class(18, "alone")
@each_pair
def test_two_faults_in_the_same_cycle_do_what_the_worse_asks(one, other) -> None:
    """S1: open what either of them opens, name both, and give back only when both are gone."""
    pack = Pack(plant={"soc_spread": 0.0}).started()
    one.apply(pack, True)
    other.apply(pack, True)
    pack.run(SETTLED_S)
    expect(pack, one, other)
    one.apply(pack, False)
    pack.run(15)
    expect(pack, other, *[one] * one.latched)
    other.apply(pack, False)
    pack.run(30)
    expect(pack, *(fault for fault in (one, other) if fault.latched and fault.alarm in pack.active))


@pytest.mark.fault_class(18, "second")
@each_pair
def test_a_second_fault_never_gives_back_what_the_first_took(one, other) -> None:
    """S1, S2: watched in every cycle, also while the second one comes and goes."""
    pack = Pack(plant={"soc_spread": 0.0}).started()
    one.apply(pack, True)
    pack.run(SETTLED_S)
    expect(pack, one)

    def holds() -> bool:
        charge, discharge = union(one)
        allowed = pack.out.charge_allowed <= charge and pack.out.discharge_allowed <= discharge
        return allowed and pack.contacts["charge"] <= charge and pack.contacts["discharge"] <= discharge

    other.apply(pack, True)
    pack.stays(SETTLED_S, holds)
    expect(pack, one, other)
    named(pack, one)
    other.apply(pack, False)
    pack.stays(30, holds)


@pytest.mark.fault_class(18, "second")
@pytest.mark.parametrize(
    "third", [fault for fault in FAULTS if all(fault.blocks)], ids=lambda fault: fault.name
)
def test_a_third_fault_under_an_override_that_lifts_two_opens_everything(third) -> None:
    """S10: a high and a low cell are lifted by somebody's word; what is unknown is not, and its end lifts again."""
    pack = Pack(plant={"soc_spread": 0.0}).started()
    pack.cell(2, offset_mv=320)
    pack.cell(14, offset_mv=-640)
    pack.run(SETTLED_S)
    assert not any(pack.carries)
    pack.override()
    pack.until(lambda: pack.carries == (True, True), 60)
    third.apply(pack, True)
    pack.until(lambda: pack.is_open, 2)
    pack.stays(30, lambda: pack.is_open and pack.asks_for_nothing)
    pack.override(False)
    third.apply(pack, False)
    pack.stays(60, lambda: pack.is_open)
    assert {"cell_ovp", "cell_uvp"} <= set(pack.active)
