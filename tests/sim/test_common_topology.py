"""The common topology on the whole bench: a hybrid inverter behind one contactor, obedient and not, cold and empty."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bmsd.control.controller import Controller
from bmsd.core.alarms import is_active
from bmsd.core.state import begin
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from tests.support.configured import loaded, pack_text

CONFIG = pack_text("""
[outputs]
main = 17
precharge = 22
heater = 23
main_feedback = 12
[switches]
topology = "common"
[heater]
resistance_ohm = 24.0
supply = "pack"
""")


class Rig:
    """A pack with a hybrid inverter on the bench; the plant is looked at every cycle."""

    def __init__(self, tmp_path, **plant: float) -> None:
        config = loaded(tmp_path, CONFIG)
        self.now_ms = 0
        settings = PlantSettings(common=True, heater_supply="pack", soc_spread=0.0, **plant)  # type: ignore[arg-type]
        self.bench = Bench(config, settings, happenings=())
        board = self.bench.board(lambda ms: self.bench.pause(self.now_ms))
        self.control = Controller(config, config.parameters, board, begin(0))
        self.forbidden_ms = self.longest_ms = 0

    @property
    def plant(self):
        return self.bench.plant

    @property
    def closed(self) -> bool:
        """Tell whether the contacts of the main contactor are closed."""
        return self.plant.circuit.main.closed

    def cycle(self) -> None:
        self.now_ms += 250
        self.bench.advance(self.now_ms)
        out = self.control.cycle(self.now_ms)
        self.bench.tell_inverter(out.limits)
        wrong = self.plant.current_a > 2.0 and not out.charge_allowed
        self.forbidden_ms = self.forbidden_ms + 250 if wrong else 0
        self.longest_ms = max(self.longest_ms, self.forbidden_ms)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            self.cycle()

    def until(self, wanted: Callable[[], bool], seconds: float = 600) -> None:
        end_ms = self.now_ms + seconds * 1000
        while not wanted():
            assert self.now_ms < end_ms, "it never came"
            self.cycle()

    def active(self, name: str) -> bool:
        return is_active(self.control.state.alarms, name)

    def started(self) -> Rig:
        self.run(20)
        assert self.closed
        return self


def test_it_closes_behind_the_pre_charge_and_carries_both_directions(tmp_path) -> None:
    """S13: one contactor, no hard closing."""
    rig = Rig(tmp_path).started()
    assert rig.plant.circuit.hard_closings == 0
    assert not rig.plant.circuit.charge.closed
    assert not rig.plant.circuit.discharge.closed
    rig.plant.set("charger_a", 40)
    rig.run(20)
    assert rig.plant.current_a == pytest.approx(40, abs=1)
    rig.plant.set("charger_a", 0)
    rig.plant.set("load_w", 2000)
    rig.run(20)
    assert rig.plant.current_a < -35
    assert rig.closed


def test_an_over_voltage_cell_with_an_obedient_inverter_keeps_the_house_supplied(tmp_path) -> None:
    """S1: charge stops, the contactor stays, the load goes on."""
    rig = Rig(tmp_path).started()
    rig.plant.set("charger_a", 40)
    rig.run(10)
    rig.plant.cell(7, offset_mv=400)
    rig.until(lambda: rig.active("cell_ovp"))
    rig.plant.set("load_w", 1000)
    rig.run(120)
    assert rig.closed
    assert rig.plant.circuit.main.operations == 1
    assert not rig.active("charge_not_stopped")
    assert rig.plant.current_a < -15


def test_an_over_voltage_cell_with_an_inverter_that_ignores_its_limits_opens(tmp_path) -> None:
    """S1: within the delay for a forbidden current, and it stays open for its release time."""
    rig = Rig(tmp_path).started()
    rig.plant.set("charger_a", 40)
    rig.bench.fault("inverter_ignores_limits", True)
    rig.run(10)
    rig.plant.cell(7, offset_mv=300)
    rig.until(lambda: rig.active("cell_ovp"))
    rig.until(lambda: not rig.closed, 7)
    assert rig.longest_ms <= 6000
    rig.run(290)
    assert not rig.closed


def test_a_trip_of_the_chip_drops_the_contactor_without_the_daemon(tmp_path) -> None:
    """S6: both permits are in series with its driver."""
    rig = Rig(tmp_path).started()
    rig.bench.plant.charge_permit = False
    rig.bench.plant.advance(100)
    assert not rig.closed
    rig.bench.plant.charge_permit = True
    rig.bench.plant.discharge_permit = False
    rig.bench.plant.advance(100)
    assert not rig.closed


def test_a_cold_pack_is_not_charged_feeds_the_house_heats_and_charges_again(tmp_path) -> None:
    """S3: zero is told, heat comes from the pack while nothing charges, then charge returns."""
    rig = Rig(tmp_path, ambient_c=10.0).started()
    rig.plant.set("charger_a", 40)
    rig.plant.set("load_w", 500)
    rig.run(20)
    rig.plant.set("pack_c", -3)
    rig.until(lambda: rig.control.state.commands.heater, 60)
    assert rig.closed
    assert rig.plant.current_a < 2.0
    both = []

    def charged_again() -> bool:
        commands = rig.control.state.commands
        both.append(commands.heater and rig.plant.current_a > 2.0)
        return rig.plant.current_a > 20

    rig.plant.set("pack_c", 4.9)
    rig.until(charged_again, 7200)
    assert not any(both)
    assert rig.plant.circuit.main.operations == 1


def test_an_empty_pack_is_charged_through_the_same_contactor(tmp_path) -> None:
    """S1: discharge ends, charge is possible, and discharge returns with the energy that is kept for the night."""
    rig = Rig(tmp_path, initial_soc=0.08).started()
    rig.plant.set("load_w", 3000)
    rig.run(20)
    rig.plant.cell(5, soc_percent=0.9)
    rig.until(lambda: rig.active("cell_uvp"))
    rig.run(30)
    assert rig.closed
    assert abs(rig.plant.current_a) < 3
    rig.plant.set("charger_a", 40)
    rig.until(lambda: not rig.active("cell_uvp"), 7200)
    assert rig.control.out.limits.discharge_reason == "reserve"
    rig.until(lambda: rig.control.out.limits.discharge_ma > 0, 7200)
    rig.plant.set("charger_a", 0)
    rig.run(30)
    assert rig.plant.current_a < -10
    assert rig.plant.circuit.main.operations == 1


@pytest.mark.slow
def test_a_pack_below_shutdown_opens_and_closes_for_a_charger_alone(tmp_path) -> None:
    """S1: an inverter that idles does not empty it, and a charger finds the way in."""
    rig = Rig(tmp_path, initial_soc=0.05).started()
    for cell in range(1, 17):
        rig.plant.cell(cell, soc_percent=0.55)
    rig.until(lambda: rig.active("cell_shutdown"), 600)
    rig.until(lambda: not rig.closed, 1)
    rig.run(120)
    assert not rig.closed
    rig.plant.set("charger_a", 20)
    rig.until(lambda: rig.closed, 60)
    rig.until(lambda: rig.plant.current_a > 10, 60)
    rig.until(lambda: not rig.active("cell_shutdown"), 3600)
    assert rig.closed


def test_a_welded_main_contactor_is_found_by_its_contact(tmp_path) -> None:
    """S13: and latched."""
    rig = Rig(tmp_path).started()
    rig.bench.fault("main_weld", True)
    rig.plant.cell(3, soc_percent=50)
    rig.bench.fault("ntc1_open", True)
    rig.until(lambda: rig.active("main_contactor_welded"), 30)
