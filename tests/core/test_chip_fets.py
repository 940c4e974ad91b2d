"""The chip's own FETs in the core: the rules of two contactors, a status register, and body diodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from bmsd.core.diode import BURNS_MA, COOL_MA, HOLD_MS, Diode, Diodes, spare
from bmsd.core.switching import SwitchState
from bmsd.core.types import AfeState, ChipFault, Inputs, Levels, Measurement, Request
from tests.support.bench_inputs import Pack, make_settings
from tests.support.changed import replace

WIRED = frozenset({"precharge", "heater", "buzzer"})
BAD_CELL = 3, 3650
"""Far enough above over-voltage to forbid charging."""


@dataclass
class FetPack(Pack):
    """A pack whose FETs read as told, unless a test says what they read."""

    reads: tuple[bool | None, bool | None] | None = None

    def measurement(self) -> Measurement:
        told = self.state.commands
        read = self.reads or (told.charge or told.charge_diode, told.discharge or told.discharge_diode)
        return replace(super().measurement(), charge_fet=read[0], discharge_fet=read[1])

    def inputs(self, requests: tuple[Request, ...] = ()) -> Inputs:
        inputs = super().inputs(requests)
        seen = inputs.afe.measurement
        fets = Levels() if seen is None else Levels(charge=seen.charge_fet, discharge=seen.discharge_fet)
        return replace(inputs, feedback=fets, lines=replace(inputs.lines, charge=None, discharge=None))

    @property
    def diodes(self) -> tuple[bool, bool]:
        return self.state.commands.charge_diode, self.state.commands.discharge_diode


def fets(**more: Any) -> FetPack:
    """Give a started pack behind the chip's own FETs."""
    chosen = more.pop("chosen", None)
    made = make_settings(topology="afe", wired=WIRED, heater_from_pack=True, chosen=chosen)
    pack = FetPack(made, **more)
    pack.run(10_000)
    assert pack.state.commands.charge
    assert pack.state.commands.discharge
    return pack


def no_charge(**more: Any) -> FetPack:
    """Give one that may only discharge: a cell is above over-voltage."""
    pack = fets(**more)
    pack.cells[BAD_CELL[0]] = BAD_CELL[1]
    pack.run(6000)
    assert not pack.state.commands.charge
    assert pack.state.commands.discharge
    return pack


def no_discharge() -> FetPack:
    """Give one that may only be charged, by its operator's word."""
    pack = fets()
    pack.cycle(Request("switch", "discharge", False, "uid 0"))
    pack.run(3000)
    assert pack.state.commands.charge
    assert not pack.state.commands.discharge
    return pack


def test_a_start_waits_for_good_cycles_and_for_fets_that_read_off() -> None:
    """S13: a FET that is on before anybody commanded it."""
    made = make_settings(topology="afe", wired=WIRED)
    pack = FetPack(made, reads=(True, False))
    pack.run(30_000)
    assert not pack.state.started
    assert "output_fault" in pack.active()
    pack.reads = None
    pack.until(lambda p: p.state.commands.charge, 60_000)


def test_without_a_fault_nothing_is_spared_and_no_alarm_is_raised() -> None:
    pack = fets()
    for current_ma in (40_000, -40_000, 0):
        pack.current_ma = current_ma
        pack.run(5000)
        assert pack.diodes == (False, False)
    assert not pack.active()


@pytest.mark.parametrize(("through_ma", "spared"), [(BURNS_MA, True), (BURNS_MA - 1, False)])
def test_a_charge_fet_is_on_for_its_diode_from_a_current_on(through_ma, spared) -> None:
    """S1: it stays forbidden, and says so."""
    pack = no_charge()
    pack.current_ma = -through_ma
    out = pack.cycle()
    assert pack.diodes == (spared, False)
    assert not out.commands.charge
    assert not out.charge_allowed
    assert out.limits.charge_ma == 0


@pytest.mark.parametrize(("through_ma", "spared"), [(COOL_MA, True), (COOL_MA - 1, False)])
def test_it_goes_off_below_a_smaller_current(through_ma, spared) -> None:
    """S12: a current at the edge does not switch it in every cycle."""
    pack = no_charge()
    pack.current_ma = -BURNS_MA
    pack.cycle()
    pack.current_ma = -through_ma
    pack.cycle()
    assert pack.diodes == (spared, False)


def test_a_discharge_fet_is_on_for_its_diode_while_charging() -> None:
    """S1: the same the other way."""
    pack = no_discharge()
    pack.current_ma = BURNS_MA
    out = pack.cycle()
    assert pack.diodes == (False, True)
    assert not out.commands.discharge
    assert out.limits.discharge_ma == 0
    pack.current_ma = COOL_MA - 1
    pack.cycle()
    assert pack.diodes == (False, False)


@pytest.mark.parametrize("direction", ["charge", "discharge"])
def test_a_current_in_the_forbidden_direction_ends_it_at_once_and_holds_it_off(direction) -> None:
    """S1: a load that comes and goes lets a charger in for one cycle, then not for the time of the hold."""
    pack = no_charge() if direction == "charge" else no_discharge()
    place, sign = (0, -1) if direction == "charge" else (1, 1)
    pack.current_ma = sign * 40_000
    pack.cycle()
    assert pack.diodes[place]
    pack.current_ma = -sign * 5000
    pack.cycle()
    assert not pack.diodes[place]
    ended_ms = pack.now_ms
    pack.current_ma = sign * 40_000
    while pack.now_ms + 250 < ended_ms + HOLD_MS:
        pack.cycle()
        assert not pack.diodes[place]
    pack.cycle()
    assert pack.diodes[place]


def test_the_figures_are_those_of_the_safety_document() -> None:
    assert (BURNS_MA, COOL_MA, HOLD_MS) == (2000, 1000, 5000)


def test_a_fet_that_was_never_on_for_its_diode_remembers_nothing() -> None:
    """A small current switches nothing, and a machine that booted a second ago holds nothing off."""
    on, off = SwitchState(True), SwitchState(False)
    nothing = Diode(False, None, None)
    assert spare(Diodes(), off, on, -COOL_MA, 1000) == Diodes(nothing, nothing)
    assert spare(Diodes(), on, off, COOL_MA, 1000) == Diodes(nothing, nothing)
    assert spare(Diodes(), off, on, -BURNS_MA, 1000) == Diodes(Diode(True, 1000, None), nothing)
    assert spare(Diodes(), on, off, BURNS_MA, 1000) == Diodes(nothing, Diode(True, 1000, None))


@pytest.mark.parametrize(("between_ma", "spared"), [(0, True), (1, False)])
def test_a_load_that_pauses_is_spared_again_at_once_and_one_behind_a_charger_is_not(
    between_ma, spared
) -> None:
    """S1: nothing flowed in, so there is nothing to hold off."""
    pack = no_charge()
    for current_ma in (-40_000, between_ma, -40_000):
        pack.current_ma = current_ma
        pack.cycle()
    assert pack.diodes == (spared, False)


def test_charging_before_it_was_forbidden_holds_nothing_off() -> None:
    """Only a current that came in through a FET that was on for its diode does."""
    pack = fets()
    pack.current_ma = 40_000
    pack.run(5000)
    pack.cells[BAD_CELL[0]] = BAD_CELL[1]
    pack.until(lambda p: not p.state.commands.charge, 10_000)
    pack.current_ma = -40_000
    pack.cycle()
    assert pack.diodes == (True, False)


@pytest.mark.parametrize("lost", ["polled", "current_ma"])
def test_an_unknown_current_ends_it_in_the_same_cycle(lost) -> None:
    """S2: a value that is held from before keeps no FET on."""
    pack = no_charge()
    pack.current_ma = -40_000
    pack.cycle()
    assert pack.diodes == (True, False)
    setattr(pack, lost, False if lost == "polled" else None)
    pack.cycle()
    assert pack.diodes == (False, False)


def test_nothing_is_spared_while_both_are_forbidden() -> None:
    """S1: then both FETs are off, whatever flows."""
    pack = no_charge()
    pack.current_ma = -40_000
    pack.cycle()
    assert pack.diodes == (True, False)
    pack.faults = ChipFault.SHORT_CIRCUIT
    pack.cycle()
    assert pack.diodes == (False, False)
    assert not pack.state.commands.discharge


def test_contactors_have_no_diode() -> None:
    """S1: in the topology split nothing is ever on without its permission."""
    pack = Pack().started()
    pack.cells[BAD_CELL[0]] = BAD_CELL[1]
    pack.current_ma = -40_000
    for _ in range(40):
        out = pack.cycle()
        assert not out.commands.charge_diode
        assert not out.commands.discharge_diode


def test_a_fet_that_nobody_can_read_is_an_output_fault() -> None:
    """S2: a chip that measures and does not tell."""
    pack = fets()
    pack.reads = (None, True)
    pack.cycle()
    assert "output_fault" in pack.active()


def test_a_fet_that_does_not_read_off_is_an_output_fault_after_its_time() -> None:
    """S2: commanded off, and the register says on."""
    pack = fets()
    pack.reads = (True, True)
    pack.cycle(Request("switch", "charge", False, "uid 0"))
    pack.until(lambda p: not p.state.commands.charge, 5000)
    opened_ms = pack.now_ms
    pack.until(lambda p: "output_fault" in p.active(), 2000)
    assert pack.now_ms - opened_ms == 500
    assert not pack.state.commands.discharge


def test_a_fet_that_does_not_read_on_is_an_output_fault_after_its_time() -> None:
    """S2: the chip has 250 ms to follow, and the next poll tells."""
    pack = fets()
    pack.reads = (True, False)
    pack.cycle()
    assert "output_fault" in pack.active()
    assert not pack.state.commands.charge


def test_a_fet_that_is_on_for_its_diode_is_no_fault_and_one_that_stays_on_is() -> None:
    """S2: read as told, or after the time to follow it is a fault."""
    pack = no_charge()
    pack.current_ma = -40_000
    pack.run(5000)
    assert "output_fault" not in pack.active()
    pack.reads = (True, True)
    pack.current_ma = 0
    pack.cycle()
    ended_ms = pack.now_ms
    pack.until(lambda p: "output_fault" in p.active(), 2000)
    assert pack.now_ms - ended_ms == 500


def test_a_trip_of_the_chip_tells_of_itself_and_is_no_output_fault() -> None:
    """S6: its FET reads off beside the command of the cycle before."""
    pack = fets()
    pack.faults, pack.reads = ChipFault.CELL_OVER_VOLTAGE, (False, True)
    pack.run(2000)
    assert "chip_charge_trip" in pack.active()
    assert "output_fault" not in pack.active()
    assert not pack.state.commands.charge
    assert pack.state.commands.discharge


def test_an_output_fault_does_not_end_while_nothing_is_measured() -> None:
    """S2: unknown releases nothing."""
    pack = fets()
    pack.reads = (True, False)
    pack.cycle()
    pack.reads = None
    pack.polled = False
    pack.run(120_000)
    assert "output_fault" in pack.active()
    pack.polled = True
    pack.run(20_000)
    assert "output_fault" not in pack.active()


@pytest.mark.parametrize(("current_ma", "name"), [(6000, "charge"), (-6000, "discharge")])
def test_a_fet_that_fails_short_is_found_by_its_current_and_not_reset_unseen(current_ma, name) -> None:
    """S2: the register reads off; the other one's diode closes the circle. Latched, and no reset without a current."""
    pack = fets()
    pack.cycle(Request("switch", "charge", False, "u"), Request("switch", "discharge", False, "u"))
    pack.run(5000)
    pack.current_ma = current_ma
    pack.run(20_000)
    welded = f"{name}_contactor_welded"
    assert welded in pack.active()
    pack.polled = False
    assert not pack.reset(welded)
    pack.polled, pack.current_ma = True, 0
    pack.run(2000)
    assert pack.reset(welded)


def test_current_out_through_the_diode_of_the_charge_fet_is_past_nothing() -> None:
    """S1: only current in the forbidden direction is."""
    pack = no_charge()
    for current_ma in (-1500, -40_000):
        pack.current_ma = current_ma
        pack.run(60_000)
        assert pack.active() >= {"cell_ovp", "cell_spread"}
        assert pack.found() == set()
    pack.current_ma = 10_000
    pack.until(lambda p: "charge_past_contactor" in p.active(), 60_000)
    assert not pack.state.commands.discharge


def test_heat_and_the_diode_of_the_charge_fet() -> None:
    """S3: on for its diode it is cut as long as current flows out; a charge current ends the heat in its cycle."""
    pack = fets(battery=[250, 250])
    pack.battery, pack.current_ma = [-80, -75], -10_000
    pack.until(lambda p: p.state.commands.heater, 60_000)
    assert pack.diodes == (True, False)
    pack.run(5000)
    assert pack.state.commands.heater
    pack.current_ma = 100
    pack.cycle()
    assert not pack.state.commands.heater
    assert pack.diodes == (False, False)


def test_the_heaters_own_current_is_in_no_diode() -> None:
    """S3: it is taken from the pack beside the FETs, and lets no charger in."""
    pack = fets()
    pack.battery = [-80, -75]
    pack.until(lambda p: p.state.commands.heater, 60_000)
    own_ma = 4 * 3300 * 1000 // 24_000
    for through_ma, spared in ((BURNS_MA - 10, False), (BURNS_MA + 10, True)):
        pack.current_ma = -own_ma - through_ma
        pack.run(1000)
        assert pack.state.commands.heater
        assert pack.diodes == (spared, False)


def test_heat_waits_for_a_charge_fet_that_reads_on() -> None:
    """S3: off as commanded is not yet off."""
    pack = fets()
    pack.battery, pack.reads = [-80, -75], (True, True)
    for _ in range(400):
        pack.cycle()
        assert not pack.state.commands.heater


def test_fets_do_not_wear() -> None:
    """S12: their closings are counted, and their rest kept, but no number of them is too many."""
    pack = fets(chosen={"contactor_life_closings": 1000})
    pack.state = replace(pack.state, charge=replace(pack.state.charge, closings=10_000_000))
    pack.run(2000)
    assert "contactor_worn" not in pack.active()


def test_a_chip_that_lost_its_settings_opens_both() -> None:
    """S6."""
    pack = fets()
    pack.current_ma = -40_000
    pack.afe, pack.polled, pack.resets = AfeState.CONFIGURING, False, 1
    pack.cycle()
    assert not pack.state.commands.discharge
    assert pack.diodes == (False, False)
