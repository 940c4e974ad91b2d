"""Topology afe on the whole bench: the chip's own FETs carry the pack's current, body diodes included."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bmsd.control.controller import Controller
from bmsd.core.alarms import is_active
from bmsd.core.state import begin
from bmsd.core.types import Request
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from bmsd.sim.runner import run
from bmsd.sim.scenario import find, parse
from tests.support.configured import loaded, pack_text

CONFIG = pack_text("""
[outputs]
precharge = 22
heater = 23
[switches]
topology = "afe"
[heater]
resistance_ohm = 24.0
supply = "pack"
""")
ALL_FETS_ON, ALL_FETS_OFF, FET_CONTROL, SET_CFGUPDATE = b"\x96", b"\x95", b"\x97", b"\x90"


class Rig:
    """A pack behind the chip's own FETs; the plant is looked at in every cycle."""

    def __init__(self, folder, **pack) -> None:
        config = loaded(folder, CONFIG)
        settings = PlantSettings(**{"initial_soc": 0.5, "own_fets": True, "heater_supply": "pack", **pack})
        self.bench = Bench(config, settings, happenings=())
        self.plant, self.chip = self.bench.plant, self.bench.chip
        self.control = Controller(config, config.parameters, self.bench.board(lambda _ms: None), begin(0))
        self.now_ms = 0
        self.before_a = 0.0
        """The pack's current when the cycle began."""
        self.frames: list[bytes] = []
        self.config_updates: list[bool] = []
        """Whether a FET was on when CONFIG_UPDATE was entered."""
        self._watch()

    def _watch(self) -> None:
        transfer = self.bench.transfer

        def seen(address: int, out: bytes, read: int) -> bytes:
            self.frames.append(out)
            if out[:2] == b"\x3e" + SET_CFGUPDATE:
                self.config_updates.append(any(self.fets))
            return transfer(address, out, read)

        self.bench.transfer = seen  # type: ignore[method-assign]

    @property
    def fets(self) -> tuple[bool, bool]:
        """Give what really conducts: charge and discharge."""
        return self.plant.circuit.charge.closed, self.plant.circuit.discharge.closed

    def cycle(self, *requests: Request, after_ms: int | None = None) -> None:
        self.now_ms += after_ms or self.control.period_ms
        self.bench.advance(self.now_ms)
        self.before_a = self.plant.current_a
        out = self.control.cycle(self.now_ms, requests)
        self.bench.tell_inverter(out.limits)
        self.plant.advance(1)  # what was switched in this cycle carries current, or no longer does
        self.now_ms += 1

    def run(self, seconds: float) -> None:
        until = self.now_ms + round(seconds * 1000)
        while self.now_ms < until:
            self.cycle()

    def until(self, wanted: Callable[[], bool], seconds: float = 60) -> Rig:
        end_ms = self.now_ms + seconds * 1000
        while not wanted():
            assert self.now_ms < end_ms, "it never came"
            self.cycle()
        return self

    def active(self, name: str) -> bool:
        return is_active(self.control.state.alarms, name)

    def started(self) -> Rig:
        return self.until(lambda: self.fets == (True, True), 30)


@pytest.fixture
def rig(tmp_path) -> Rig:
    return Rig(tmp_path).started()


def test_a_start_closes_behind_good_cycles_and_the_pre_charge(tmp_path) -> None:
    """S6, S13: programmed with the FETs off, good cycles, pre-charge proved by voltage, then the FETs."""
    rig = Rig(tmp_path)
    good = 0
    while not any(rig.fets):
        rig.cycle()
        assert rig.now_ms < 30_000
        good += rig.control.inputs.afe.measurement is not None and not any(rig.fets)
    assert good >= rig.control.parameters.start_good_cycles - 1
    rig.started()
    assert rig.config_updates == [False, False]
    assert rig.plant.circuit.precharge.operations == 1
    assert rig.plant.circuit.hard_closings == 0
    assert not rig.control.state.commands.precharge or rig.until(
        lambda: not rig.plant.circuit.precharge.closed
    )
    rig.run(20)
    assert not any(state.active for state in rig.control.state.alarms)


def test_both_directions_flow_through_both_fets(rig) -> None:
    rig.plant.set("charger_a", 40)
    rig.run(20)
    assert rig.plant.current_a == pytest.approx(40, abs=1)
    rig.plant.set("charger_a", 0)
    rig.plant.set("load_w", 2000)
    rig.run(20)
    assert rig.plant.current_a == pytest.approx(-38, abs=2)
    assert rig.fets == (True, True)


def test_a_steady_state_costs_one_byte_of_status_and_no_command(rig) -> None:
    """S9: what the FETs read comes with the poll."""
    rig.run(20)
    rig.frames.clear()
    rig.run(10)
    assert not any(frame[:2] == b"\x3e" + code for frame in rig.frames for code in
                   (ALL_FETS_ON, ALL_FETS_OFF, FET_CONTROL))  # fmt: skip
    status = sum(frame == b"\x7f" for frame in rig.frames)
    polls = sum(frame == b"\x62" for frame in rig.frames)
    assert status == polls > 30


def test_over_voltage_opens_the_charge_fet_alone_and_discharging_goes_on(rig) -> None:
    """S1: charging stops; the house draws, first through the body diode, then through the FET that spares it."""
    rig.plant.set("charger_a", 30)
    rig.run(10)
    rig.plant.cell(7, offset_mv=400)
    rig.until(lambda: rig.active("cell_ovp"))
    rig.until(lambda: rig.fets == (False, True), 2)
    rig.run(5)
    assert rig.plant.current_a == pytest.approx(0, abs=0.1)
    rig.plant.set("charger_a", 0)
    rig.plant.set("load_w", 2000)
    rig.run(1)
    assert rig.plant.current_a < -30
    assert rig.control.state.commands.discharge
    assert not rig.control.state.commands.charge
    rig.run(60)
    assert rig.fets == (True, True)
    assert rig.control.state.commands.charge_diode
    assert rig.control.out.limits.charge_ma == 0
    assert not rig.active("output_fault")
    assert rig.plant.circuit.diode_a == 0


def test_a_charger_that_comes_back_gets_in_for_one_cycle_and_not_again_for_seconds(rig) -> None:
    """S1: an inverter that ignores its limits, and a load that comes and goes."""
    rig.bench.fault("inverter_ignores_limits", True)
    rig.plant.cell(7, offset_mv=400)
    rig.until(lambda: rig.active("cell_ovp"))
    rig.plant.set("charger_a", 30)
    charged = longest = in_a_row = 0
    for second in range(120):
        rig.plant.set("load_w", 4000 if second % 2 else 0)
        for _ in range(4):
            rig.cycle()
            assert rig.plant.current_a < 1, "after the decision nothing charges"
            in_a_row = in_a_row + 1 if rig.before_a > 1 else 0
            longest, charged = max(longest, in_a_row), charged + (in_a_row > 0)
    assert longest == 1
    assert 10 <= charged <= 120 / 5
    assert not rig.active("charge_past_contactor")


@pytest.mark.slow
def test_under_voltage_opens_the_discharge_fet_alone_and_charging_goes_on(tmp_path) -> None:
    """S1: the other way round, and the load side is dead."""
    rig = Rig(tmp_path, initial_soc=0.08).started()
    rig.plant.set("load_w", 1000)
    rig.run(5)
    rig.plant.cell(5, soc_percent=0.9)
    rig.until(lambda: rig.active("cell_uvp"))
    rig.until(lambda: rig.fets == (True, False), 3)
    rig.run(20)
    assert rig.plant.current_a == pytest.approx(0, abs=0.2)
    rig.plant.set("load_w", 0)
    rig.plant.set("charger_a", 30)
    rig.until(lambda: rig.plant.current_a > 25, 30)
    rig.until(lambda: rig.fets == (True, True), 5)
    assert rig.control.state.commands.discharge_diode
    assert rig.control.out.limits.discharge_ma == 0
    rig.until(lambda: not rig.active("cell_uvp"), 7200)
    rig.until(lambda: rig.control.state.commands.discharge, 60)


def test_the_chips_own_trip_opens_its_fet_without_the_daemon(rig) -> None:
    """S6: the backstop acts on the same silicon; the daemon follows with its alarm, not with an output fault."""
    rig.plant.set("charger_a", 40)
    rig.run(10)
    seen = []
    rig.chip.protection.status |= 0x08  # COV
    rig.chip._status_changed()
    rig.bench._join_fets()
    rig.plant.advance(1)
    seen.append(rig.fets)
    assert seen == [(False, True)]
    rig.cycle()
    assert rig.active("chip_charge_trip")
    assert not rig.active("output_fault")
    assert not rig.control.state.commands.charge


def test_a_chip_that_resets_has_its_fets_off_and_is_programmed_before_they_go_on(rig) -> None:
    """S6: settings lost; the FETs of a fresh chip are off until they are enabled and commanded."""
    rig.plant.set("load_w", 2000)
    rig.run(10)
    rig.config_updates.clear()
    rig.bench.fault("afe_reset", True)
    rig.bench.fault("afe_reset", False)
    rig.cycle()
    assert rig.fets == (False, False)
    assert rig.active("afe_reset")
    rig.until(lambda: rig.fets == (True, True), 90)
    assert rig.config_updates
    assert not any(rig.config_updates)


def test_a_setting_that_changes_by_itself_switches_off_in_the_same_cycle(rig) -> None:
    """S6: the chip still has its FETs on, and no longer our trust."""
    rig.bench.fault("afe_config_flip", True)
    rig.until(lambda: rig.active("afe_reset"), 10)
    assert rig.fets == (False, False)
    rig.until(lambda: rig.fets == (True, True), 90)
    assert not any(rig.config_updates)


def test_a_command_that_does_not_take_is_an_output_fault(rig) -> None:
    """S2, S9: off is believed when the status register says so; everything else is switched off too."""
    rig.bench.fault("afe_fets_deaf", True)
    rig.cycle(Request("switch", "charge", False, "test"))
    rig.until(lambda: rig.active("output_fault"), 2)
    assert not rig.control.state.commands.discharge
    assert rig.control.out.limits.discharge_ma == 0
    rig.frames.clear()
    rig.cycle()
    assert sum(frame[:2] == b"\x3e" + ALL_FETS_OFF for frame in rig.frames) == 1  # told again, once per cycle
    rig.bench.fault("afe_fets_deaf", False)
    rig.cycle()
    assert rig.fets == (False, False)


def test_a_fet_that_does_not_come_on_is_an_output_fault(tmp_path) -> None:
    """S2: commanded on, withheld by a chip that names no reason."""
    rig = Rig(tmp_path)
    rig.until(lambda: rig.control.inputs is not None and rig.control.inputs.afe.measurement is not None)
    rig.bench.fault("afe_fets_deaf", True)
    rig.until(lambda: rig.active("output_fault"), 30)
    assert rig.fets == (False, False)


def test_a_bus_that_hangs_costs_a_bounded_time_and_leaves_the_chips_watchdog(rig) -> None:
    """S5, S9: nothing can be told any more; after 5 s without a word the chip lets go by itself."""
    rig.plant.set("load_w", 1000)
    rig.run(5)
    rig.bench.fault("afe_stuck", True)
    for _ in range(40):
        rig.frames.clear()
        rig.cycle()
        assert len(rig.frames) <= 8
    assert not rig.control.state.commands.discharge
    assert rig.fets == (False, False)
    rig.bench.fault("afe_stuck", False)
    rig.cycle()
    assert not any(rig.fets)
    rig.until(lambda: rig.fets == (True, True), 120)
    assert not any(rig.config_updates)


def test_a_core_that_slept_through_the_watchdog_forbids_before_it_asks(rig) -> None:
    """S5: any word on the bus lets the chip switch on again, so the first one is ALL_FETS_OFF."""
    rig.chip.advance(rig.now_ms + 6000)
    rig.bench._join_fets()
    assert not rig.chip.switches.chg
    rig.frames.clear()
    rig.cycle(after_ms=6000)
    out = rig.control.out
    assert rig.frames[0][:2] == b"\x3e" + ALL_FETS_OFF
    assert rig.fets == (False, False)
    assert ("core", "silent") in [(event.name, event.state) for event in out.events]
    assert not rig.active("output_fault")
    assert out.word == "starting"
    rig.until(lambda: rig.fets == (True, True), 60)


@pytest.mark.parametrize("fault", ["charge_weld", "discharge_weld"])
def test_a_fet_that_fails_short_is_seen_by_its_current(rig, fault) -> None:
    """S2: the register says off and current flows; the other FET's body diode closes the circle."""
    name = fault.removesuffix("_weld")
    rig.bench.fault(fault, True)
    rig.bench.fault("inverter_ignores_limits", True)
    if name == "charge":
        rig.plant.set("charger_a", 30)
    else:
        rig.plant.set("load_w", 1500)
    rig.cycle(Request("switch", "charge", False, "test"), Request("switch", "discharge", False, "test"))
    rig.until(lambda: rig.active(f"{name}_contactor_welded"), 30)
    other = "discharge" if name == "charge" else "charge"
    assert not rig.active(f"{other}_contactor_welded")
    assert not rig.active("output_fault")


def test_current_out_through_the_charge_fets_diode_is_no_weld(rig) -> None:
    """S1: nothing past an open charge FET but what its diode is there for."""
    rig.cycle(Request("switch", "charge", False, "test"))
    rig.plant.set("load_w", 60)  # about an ampere: too little to spare the diode
    rig.run(120)
    assert rig.plant.current_a < -0.9
    assert rig.fets == (False, True)
    assert not any(state.active for state in rig.control.state.alarms)


def test_a_stop_leaves_both_fets_off_and_says_so(rig) -> None:
    """S5."""
    assert rig.control.stop()
    rig.plant.advance(1)
    assert rig.fets == (False, False)


@pytest.mark.parametrize("fault", ["afe_nack", "afe_stuck", "afe_crc", "afe_fets_deaf"])
def test_a_stop_that_could_not_switch_off_says_so(rig, fault) -> None:
    """S5: then the guard goes on trying."""
    rig.bench.fault(fault, True)
    assert not rig.control.stop()


def test_a_cold_pack_heats_from_itself_and_the_house_goes_on(tmp_path) -> None:
    """S3: the charge FET is on for its diode while the house draws; a charge current ends the heat at once."""
    rig = Rig(tmp_path, ambient_c=10.0).started()
    rig.plant.set("load_w", 500)
    rig.run(10)
    rig.plant.set("pack_c", -3)
    rig.until(lambda: rig.control.state.commands.heater, 60)
    assert rig.control.state.commands.charge_diode
    assert not rig.control.state.commands.charge
    rig.bench.fault("inverter_ignores_limits", True)
    rig.plant.set("charger_a", 40)
    assert rig.control.state.commands.heater
    for _ in range(80):
        rig.cycle()
        assert not (rig.control.state.commands.heater and rig.plant.current_a > 1)
    rig.plant.set("charger_a", 0)
    rig.until(lambda: rig.control.state.commands.heater, 60)
    rig.bench.fault("inverter_ignores_limits", False)
    rig.plant.set("pack_c", 6)
    rig.until(lambda: rig.control.state.commands.charge, 60)


def test_new_limits_reach_the_chip_only_with_the_fets_off(rig) -> None:
    """S6: CONFIG_UPDATE stops the chip's protection for a moment."""
    from dataclasses import replace

    rig.config_updates.clear()
    rig.control.use(replace(rig.control.parameters, cell_ovp_mv=3550))
    rig.run(10)
    assert not rig.config_updates
    rig.cycle(Request("switch", "charge", False, "test"), Request("switch", "discharge", False, "test"))
    rig.run(5)
    assert rig.config_updates == [False]
    assert not rig.control.backstop_is_old


@pytest.mark.parametrize("name", ["afe-reset", "sensor-lost"])
def test_shipped_scenarios_end_as_expected_with_the_chips_own_fets(tmp_path, name) -> None:
    """S6: what `bmsim run` shows is shown with these switches, too."""
    config = loaded(tmp_path, CONFIG)
    scenario = parse(find(name, tmp_path), config)
    _, failures = run(config, scenario, lambda _at_ms, _happened: None)
    assert scenario.expectations
    assert not failures
