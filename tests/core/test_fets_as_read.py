"""What the chip's status register says of its own FETs, held against what they were told, call by call (S2, S6)."""

from __future__ import annotations

import pytest

from bmsd.core import checks
from bmsd.core.alarms import Finding
from bmsd.core.diode import Diode, Diodes
from bmsd.core.switching import SwitchState
from bmsd.core.types import ChipFault
from tests.support.bench_inputs import Pack, make_settings
from tests.support.changed import replace

T = 1_000_000
SETTINGS = make_settings(topology="afe", chosen={"contactor_settle_ms": 200})
ON, OFF = SwitchState(True, T - 60_000), SwitchState(False, T - 60_000)
NOTHING: dict[str, Finding] = {}
FAULT = {"output_fault": Finding(True)}


def read(
    charge_fet: bool | None,
    discharge_fet: bool | None,
    *,
    charge: SwitchState = ON,
    discharge: SwitchState = ON,
    diodes: Diodes = Diodes(),  # noqa: B008
    faults: ChipFault = ChipFault.NONE,
    polled: bool = True,
    now_ms: int = T,
    settings=SETTINGS,
) -> dict[str, Finding]:
    """Give what is found when both FETs read like this; both were told on long ago unless a test says else."""
    pack = Pack(settings, now_ms=now_ms, faults=faults, polled=polled)
    inputs = pack.inputs()
    if inputs.afe.measurement is not None:
        seen = replace(inputs.afe.measurement, charge_fet=charge_fet, discharge_fet=discharge_fet)
        inputs = replace(inputs, afe=replace(inputs.afe, measurement=seen))
    return checks.fets(settings, inputs, charge, discharge, diodes)


@pytest.mark.parametrize("on", [True, False])
def test_each_fet_is_held_to_what_it_was_told(on) -> None:
    told = ON if on else OFF
    assert read(on, on, charge=told, discharge=told) == NOTHING
    assert read(not on, on, charge=told, discharge=told) == FAULT
    assert read(on, not on, charge=told, discharge=told) == FAULT
    assert read(None, on, charge=told, discharge=told) == FAULT
    assert read(on, None, charge=told, discharge=told) == FAULT


@pytest.mark.parametrize(
    ("settle_ms", "follows_ms", "needed_ms"), [(200, 500, 500), (700, 500, 700), (200, 350, 350)]
)
def test_a_fet_has_as_long_as_the_chip_needs_or_longer_where_contactors_have(
    settle_ms, follows_ms, needed_ms
) -> None:
    chosen = {"contactor_settle_ms": settle_ms}
    settings = make_settings(topology="afe", chosen=chosen, fet_follows_ms=follows_ms)
    for ago_ms, found in ((needed_ms - 1, NOTHING), (needed_ms, FAULT)):
        turned = SwitchState(True, T - ago_ms)
        assert read(False, True, charge=turned, settings=settings) == found
        assert read(True, False, discharge=turned, settings=settings) == found
        spared = Diode(True, T - ago_ms)
        assert read(None, True, diodes=Diodes(charge=spared), settings=settings) == found
        assert read(True, None, diodes=Diodes(discharge=spared), settings=settings) == found


def test_one_fet_that_still_moves_hides_no_fault_of_the_other() -> None:
    moving = SwitchState(True, T - 1)
    assert read(False, False, charge=moving) == FAULT
    assert read(False, False, discharge=moving) == FAULT
    assert read(False, False, charge=moving, discharge=moving) == NOTHING


def test_a_fet_that_was_never_told_anything_has_no_time_to_follow() -> None:
    """S13: nor in the first moment of the machine's clock."""
    never = SwitchState()
    assert read(True, False, charge=never, discharge=never, now_ms=1) == FAULT
    assert read(False, False, charge=never, discharge=never, now_ms=1) == NOTHING


def test_a_fet_may_be_on_for_its_diode_alone_and_then_need_not() -> None:
    spared = Diodes(charge=Diode(True, T - 60_000), discharge=Diode(True, T - 60_000))
    assert read(True, True, charge=OFF, discharge=OFF, diodes=spared) == NOTHING
    assert read(False, False, charge=OFF, discharge=OFF, diodes=spared) == NOTHING


def test_a_fet_that_a_trip_of_the_chip_holds_off_is_told_by_that_trip() -> None:
    """S6: but one that a trip leaves on, against its word, is a fault all the same."""
    trip = ChipFault.CELL_OVER_VOLTAGE
    assert read(False, False, faults=trip) == NOTHING
    assert read(True, False, charge=OFF, discharge=OFF, faults=trip) == FAULT


def test_without_a_poll_nothing_is_said_of_any_fet() -> None:
    """S2: neither a fault nor the end of one."""
    unknown = Finding(None)
    assert read(True, True, polled=False) == {
        "output_fault": unknown,
        "charge_contactor_welded": unknown,
        "discharge_contactor_welded": unknown,
        "discharge_contactor_open": unknown,
    }


@pytest.mark.parametrize("topology", ["split", "common"])
def test_contactors_have_no_fets(topology) -> None:
    assert read(None, None, settings=make_settings(topology=topology)) == NOTHING
    assert read(None, None, settings=make_settings(topology=topology), polled=False) == NOTHING
