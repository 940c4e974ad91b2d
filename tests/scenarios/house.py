"""A house on the bench, hour after hour in virtual time: loads and charging that come and go by dice."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from bmsd.config.load import CanConfig, Config, load
from bmsd.sim.bench import Bench
from bmsd.sim.commands import BENCH_CONFIG
from bmsd.sim.plant import PlantSettings
from bmsd.sim.runner import Virtual
from bmsd.tables import parameters
from bmsd.tables.chemistries import CHEMISTRIES

WATCHED = frozenset({
    "current_implausible", "current_reversed", "cells_frozen", "cell_frozen", "charge_past_contactor",
    "discharge_past_contactor", "charge_limit_ignored", "discharge_limit_ignored", "voltage_limit_ignored",
    "charge_limit_enforced", "discharge_limit_enforced", "short_circuit_repeated", "temperature_spread",
})  # fmt: skip
"""What a house with nothing wrong must never raise."""


@dataclass(frozen=True)
class Home:
    """A pack, its place, and how its people live."""

    name: str
    chemistry: str = "lifepo4"
    preset: str = "default"
    cells: int = 16
    capacity_ah: float = 280.0
    ambient_c: float = 20.0
    soc: float = 0.5
    share: float = 0.4
    """Largest current as a part of the capacity per hour."""
    seed: int = 1
    noise_mv: float = 1.0
    offset_ma: float = 100.0
    lag_s: float = 2.0
    pause_s: tuple[int, int] = (5, 90)


def config_of(home: Home) -> Config:
    """Make the configuration of a home whose inverter hears its limits."""
    base = load(BENCH_CONFIG)
    capacity_mah = round(home.capacity_ah * 1000)
    limit_ma = max(capacity_mah, 20_000)
    chosen = {"charge_ocp_ma": limit_ma, "discharge_ocp_ma": limit_ma}
    values = parameters.defaults(home.chemistry, home.preset, home.cells, chosen, capacity_mah)
    assert home.chemistry in CHEMISTRIES
    return replace(
        base,
        chemistry=home.chemistry,
        preset=home.preset,
        cells=home.cells,
        capacity_mah=capacity_mah,
        heater_mohm=None,
        afe=replace(base.afe, shunt_uohm=20_000_000 // limit_ma),
        can=CanConfig("pylontech", 10.0, {}),
        parameters=parameters.build(values, home.cells),
        chosen=chosen,
    )


class House:
    """A home that runs; `raised` lists every alarm with its second."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.config = config_of(home)
        self.bench = Bench(self.config, plant_of(home), happenings=())
        self.virtual = Virtual(self.config, self.bench)
        self.raised: list[tuple[int, str]] = []
        self.jumps = 0
        self._now_ms = 0
        self.set(noise_mv=home.noise_mv, current_offset_ma=home.offset_ma, inverter_lag_s=home.lag_s)

    def set(self, **values: float) -> None:
        """Set quantities of the bench."""
        self.bench.request({"set": values})

    def run(self, seconds: float) -> None:
        """Let time pass."""
        period_ms = self.config.parameters.period_ms
        end_ms = self._now_ms + round(seconds * 1000)
        while self._now_ms < end_ms:
            before = self.virtual.control.state.cross_check.up
            out = self.virtual.cycle(self._now_ms)
            self.bench.tell_inverter(out.limits)
            for event in out.events:
                if event.kind == "alarm" and event.state == "raised":
                    self.raised.append((self._now_ms // 1000, event.name))
            self.jumps += self.virtual.control.state.cross_check.up is not before
            self._now_ms += period_ms

    def names(self) -> set[str]:
        """Name every alarm that was raised."""
        return {name for _, name in self.raised}

    def live(self, hours: float) -> None:
        """Cook, wash, sleep, and let the sun shine."""
        dice, home = random.Random(self.home.seed), self.home
        most_a = home.share * home.capacity_ah
        volts = self.bench.plant.cells.pack_v
        end_ms = self._now_ms + round(hours * 3_600_000)
        while self._now_ms < end_ms:
            soc = self.virtual.points().get("soc_permille") or 500
            sun = dice.random() < (0.9 if soc < 300 else 0.1 if soc > 900 else 0.5)
            load = dice.random() < (0.1 if soc < 200 else 0.6)
            self.set(
                charger_a=dice.choice((0.05, 0.3, 1.0)) * most_a if sun else 0,
                load_w=dice.choice((0.02, 0.1, 0.5, 1.0)) * most_a * volts if load else 0,
                current_offset_ma=home.offset_ma + dice.uniform(-30, 30),
            )
            self.run(dice.randint(*home.pause_s))


def plant_of(home: Home) -> PlantSettings:
    """Build what the home stands on."""
    more: dict[str, Any] = {"chemistry": home.chemistry, "cells": home.cells, "capacity_ah": home.capacity_ah}
    return PlantSettings(initial_soc=home.soc, ambient_c=home.ambient_c, seed=home.seed, **more)
