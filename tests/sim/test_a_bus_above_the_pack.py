"""On the bench: a load side that stands above the pack when a contactor wants to close onto it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.config.load import CanConfig
from bmsd.core.alarms import active
from bmsd.core.types import Request
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from bmsd.sim.runner import Virtual
from tests.support.configured import loaded, pack_text

OUTPUTS = {"split": "charge = 17\ndischarge = 27\nprecharge = 22\n", "common": "main = 17\nprecharge = 22\n"}
OFF = [Request("switch", name, False, "test") for name in ("charge", "discharge")]
ON = [Request("switch", name, True, "test") for name in ("charge", "discharge")]


class High:
    """A pack in service that somebody switches off, so that its load side can be set before it closes again."""

    def __init__(self, folder, topology: str, soc: float = 0.5) -> None:
        text = f'[outputs]\n{OUTPUTS[topology]}[switches]\ntopology = "{topology}"\n'
        config = replace(loaded(folder, pack_text(text)), can=CanConfig("pylontech", 10.0, {}))
        plant = PlantSettings(common=topology == "common", initial_soc=soc)
        self.bench = Bench(config, plant, happenings=())
        self.plant, self.circuit = self.bench.plant, self.bench.plant.circuit
        self.virtual = Virtual(config, self.bench)
        self.run(30)
        assert self.circuit.load_joined
        self.run(10, *OFF)
        assert not self.circuit.load_joined

    def run(self, seconds: float, *requests: Request) -> None:
        for _ in range(round(seconds * 4)):
            out = self.virtual.cycle(self.virtual.now_ms + 250, requests)
            self.bench.tell_inverter(out.limits)
            requests = ()

    @property
    def alarms(self) -> set[str]:
        return {alarm.name for alarm, _ in active(self.virtual.control.state.alarms)}


@pytest.mark.parametrize("topology", OUTPUTS)
@pytest.mark.parametrize("bus_v", [60.0, 40.0])
def test_capacitors_are_brought_to_the_pack_before_they_are_joined(tmp_path, topology, bus_v) -> None:
    """S12: 7 V apart are 1000 A; within a twentieth they are a third of that."""
    pack = High(tmp_path, topology)
    pack.circuit.load_v = bus_v
    pack.run(20, *ON)
    assert pack.circuit.load_joined
    assert pack.circuit.hard_closings == 0
    assert pack.circuit.inrush_a < 450
    assert not pack.alarms


def test_a_charger_that_obeys_comes_down_and_is_joined_softly(tmp_path) -> None:
    """S15: 57.6 V on the bus, 52.8 V in the pack; the contactor closes without a person and without an inrush."""
    pack = High(tmp_path, "common")
    pack.plant.set("charger_v", 57.6)
    pack.plant.set("charger_a", 40)
    pack.run(60, *ON)
    assert pack.circuit.load_joined
    assert pack.circuit.inrush_a < 450
    pack.run(60)
    assert pack.plant.current_a > 30
    assert not pack.alarms


def test_a_deaf_charger_is_joined_after_its_attempts_and_one_too_far_above_is_not(tmp_path) -> None:
    """S12, S15: up to a fifth above, and then with an alarm that says what to do."""
    pack = High(tmp_path, "common")
    pack.plant.fault("inverter_ignores_limits", True)
    pack.plant.set("charger_v", 57.6)
    pack.plant.set("charger_a", 40)
    pack.run(30, *ON)
    assert not pack.circuit.load_joined
    pack.run(60)
    assert pack.circuit.load_joined
    pack.plant.set("charger_a", 0)
    pack.run(10, *OFF)
    far = High(tmp_path, "common", soc=0.05)
    far.plant.fault("inverter_ignores_limits", True)
    far.plant.set("charger_v", 1.25 * far.plant.cells.pack_v)
    far.plant.set("charger_a", 40)
    far.run(300, *ON)
    assert not far.circuit.load_joined
    assert "load_side_high" in far.alarms
    far.plant.set("charger_a", 0)
    far.run(60)
    assert far.circuit.load_joined
    assert far.circuit.hard_closings == 0
    assert not far.alarms & {"load_side_high", "precharge_failed"}
