"""Below the limits at which the chip itself acts: who may discharge does, and no fault is told (bench)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.config.load import CanConfig
from bmsd.core.alarms import active
from bmsd.core.types import ChipFault
from bmsd.inverters.conditions import CHIP
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from bmsd.sim.runner import Virtual
from tests.support.configured import loaded, pack_text

OUTPUTS = {
    "split": "charge = 17\ndischarge = 27\nprecharge = 22\n",
    "common": "main = 17\nprecharge = 22\n",
    "afe": "precharge = 22\n",
}


class Winter:
    """A pack in service that gets as cold, or as hot, as it is told, with a load and a charger that obeys."""

    def __init__(self, folder, topology: str, cells: int = 16, soc: float = 0.6) -> None:
        text = f'[outputs]\n{OUTPUTS[topology]}[switches]\ntopology = "{topology}"\n'
        config = replace(loaded(folder, pack_text(text, cells=cells)), can=CanConfig("sma", 10.0, {}))
        plant = PlantSettings(
            cells=cells,
            common=topology == "common",
            own_fets=topology == "afe",
            initial_soc=soc,
            ambient_c=20,
        )
        self.bench = Bench(config, plant, happenings=())
        self.virtual = Virtual(config, self.bench)
        self.raised: set[str] = set()
        self.run(40)
        assert self.joined

    @property
    def joined(self) -> bool:
        return self.bench.plant.circuit.load_joined

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            out = self.virtual.cycle(self.virtual.now_ms + 250)
            self.bench.tell_inverter(out.limits)
            self.raised |= {alarm.name for alarm, _ in active(self.virtual.control.state.alarms)}

    def at(self, celsius: float, seconds: float = 60) -> None:
        self.bench.plant.set("ambient_c", celsius)
        self.bench.plant.set("pack_c", celsius)
        self.run(seconds)


@pytest.mark.parametrize("topology", OUTPUTS)
@pytest.mark.parametrize("cells", [16, 4])
def test_a_pack_that_is_only_too_cold_to_charge_goes_on_discharging(tmp_path, topology, cells) -> None:
    """S1, S15: -12 °C is below the chip's own limit for charging, and far above that for discharging."""
    winter = Winter(tmp_path, topology, cells)
    winter.bench.plant.set("load_w", 20 * cells)
    winter.at(2)
    winter.at(-3)
    winter.at(-12, 180)
    assert winter.joined
    assert winter.bench.plant.current_a < -2
    assert winter.raised == {"charge_utp"}
    out = winter.virtual.control.out
    assert out.limits.discharge_ma > 0
    assert out.limits.charge_ma == 0
    if topology == "common":
        assert winter.bench.plant.circuit.main.operations == 1
    else:
        assert winter.virtual.control.inputs.afe.measurement.faults == ChipFault.CHARGE_TEMPERATURE


@pytest.mark.parametrize("topology", OUTPUTS)
def test_a_pack_too_cold_for_everything_comes_back_by_itself(tmp_path, topology) -> None:
    """S15: beyond the chip's last limit nothing may flow, and no fault is left behind."""
    winter = Winter(tmp_path, topology)
    for celsius in (-3, -12, -22, -33):
        winter.at(celsius)
    assert not winter.joined
    assert not winter.raised & set(CHIP)
    for celsius in (-22, -12, -5, 3, 10):
        winter.at(celsius)
    assert winter.joined
    assert not winter.raised & set(CHIP)
    assert winter.bench.plant.circuit.hard_closings == 0


@pytest.mark.parametrize("topology", OUTPUTS)
def test_a_pack_too_warm_to_charge_goes_on_discharging(tmp_path, topology) -> None:
    """S15: charging ends at 45 °C here, discharging at 60 °C; the chip's own limit for charging is at 50 °C."""
    winter = Winter(tmp_path, topology)
    p = winter.virtual.control.parameters
    winter.virtual.control.use(replace(p, charge_otp_decic=450, charge_otpr_decic=400))
    winter.at(47)
    winter.at(56)
    assert winter.joined
    assert not winter.raised & set(CHIP)


def test_an_empty_pack_behind_a_common_contactor_is_charged_below_the_chips_old_limit(tmp_path) -> None:
    """S15: at 2.45 V the chip used to hold the contactor open, and the pack had to be charged by hand."""
    winter = Winter(tmp_path, "common", soc=0.03)
    plant = winter.bench.plant
    percent = 3.0
    while min(plant.cells.volts) > 2.45:
        percent -= 0.05
        plant.set("soc_percent", percent)
        winter.run(0.5)
    winter.run(60)
    assert not winter.joined
    assert 2.1 < min(plant.cells.volts) < 2.5
    assert winter.bench.chip.dsg_permit
    plant.set("charger_a", 20)
    winter.run(120)
    assert winter.joined
    assert plant.current_a > 0
    assert plant.circuit.hard_closings == 0
    assert not winter.raised & set(CHIP)
