"""What a random life of a pack is: the pack, its place, its inverter, what breaks when and for how long.

Drawn from a seed alone, so that a life that went wrong is lived again by its number.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

BROKEN_S = 1500
"""Weather, loads and faults change until then."""
HEALTHY_S = 3600
"""Then everything is mended, a charger or a load is there, and the pack must come back."""

CELLS = (4, 8, 15, 16)
CAPACITIES_AH = (100, 280)
CHEMISTRIES = ("lifepo4", "li-ion", "lto")
TOPOLOGIES = ("split", "common", "afe")
INVERTERS = {
    "obedient": {},
    "late": {"inverter_lag_s": 10.0},
    "coarse": {"inverter_step_a": 5.0, "inverter_step_v": 0.5},
    "deaf to the current": {},
    "10 % over": {"inverter_over_percent": 10.0},
    "exporting": {},
}
"""Quantities of the bench for each kind; what no quantity says is done by `player`."""

FAULTS = (
    "charge_weld", "charge_stuck_open", "charge_feedback_stuck", "charge_bounce", "discharge_weld",
    "discharge_stuck_open", "discharge_feedback_stuck", "discharge_bounce", "main_weld", "main_stuck_open",
    "main_feedback_stuck", "precharge_weld", "precharge_stuck_open", "heater_stuck_on", "heater_stuck_off",
    "heater_open", "heater_short", "load_left_on", "load_short", "inverter_ignores_limits", "charger_runaway",
    "switch_hot", "cell_open_wire", "cell_wires_swapped", "cell_wire_short", "cell_frozen", "cells_frozen",
    "current_frozen", "current_lost", "current_reversed", "ntc1_open", "ntc2_open", "ntc3_open", "ntc1_short",
    "ntc2_short", "ntc3_short", "afe_nack", "afe_crc", "afe_stuck", "afe_torn", "afe_reset", "afe_frozen",
    "afe_zeros", "afe_ones", "afe_fets_deaf", "afe_config_flip",
    "restart", "silence", "cell reads low", "cell reads high", "noise", "current offset", "sensor off",
)  # fmt: skip
"""Faults of the bench by their names there; the last ones are done by `player`."""
OF_A_CELL = frozenset({"cell_open_wire", "cell_wires_swapped", "cell_wire_short", "cell_frozen", "cell reads low",
                       "cell reads high"})  # fmt: skip
LASTS_S = (0.3, 2.0, 5.5, 20.0, 90.0, 300.0, 900.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One thing that is broken for a while."""

    name: str
    at_s: float
    lasts_s: float
    cell: int

    @property
    def text(self) -> str:
        """Tell it, with the cell where it is of one."""
        where = f" of cell {self.cell}" if self.name in OF_A_CELL else ""
        return f"{self.name}{where} at {self.at_s:.0f} s for {self.lasts_s:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """From then on: charger current and load as shares of the capacity per hour, temperature around the pack."""

    at_s: float
    charger_c: float
    charger_above_cvl_v: float
    load_c: float
    ambient_c: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomLife:
    """A whole life."""

    number: int
    chemistry: str
    cells: int
    capacity_ah: int
    topology: str
    supply: str
    contacts: bool
    """Auxiliary contacts are wired."""
    period_ms: int
    ends_cold: bool
    """Health comes with a cold pack and a charger; else with mild weather."""
    soc: float
    start_c: float
    inverter: str
    breaks: tuple[Break, ...]
    weather: tuple[Weather, ...]

    @property
    def text(self) -> str:
        """Tell it in one line."""
        broken = ", ".join(one.text for one in self.breaks)
        pack = (
            f"{self.cells} {self.chemistry} {self.capacity_ah} Ah, {self.topology}, heater on {self.supply}"
        )
        place = f"{100 * self.soc:.0f} %, {self.start_c:.0f} °C, inverter {self.inverter}"
        ends = f"{'' if self.contacts else ', no contacts'}{', ends cold' if self.ends_cold else ''}"
        return f"life {self.number}: {pack}, {place}{ends}: {broken}"


def draw(number: int) -> RandomLife:
    """Draw the life of this number."""
    dice = random.Random(number)
    topology = dice.choice(TOPOLOGIES)
    cells = dice.choice(CELLS)
    start_c = dice.choice((-25.0, -12.0, -8.0, -2.0, 3.0, 20.0, 20.0, 35.0, 48.0, 55.0))
    return RandomLife(
        number=number,
        chemistry=dice.choice(CHEMISTRIES),
        cells=cells,
        capacity_ah=dice.choice(CAPACITIES_AH),
        topology=topology,
        supply=dice.choice(("charger", "pack")) if topology == "split" else "pack",
        contacts=dice.random() < 0.5,
        period_ms=dice.choice((250, 1000, 1000, 1000)),
        ends_cold=dice.random() < 0.25,
        soc=dice.choice((0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)),
        start_c=start_c,
        inverter=dice.choice(tuple(INVERTERS)),
        breaks=tuple(_break(dice, cells) for _ in range(dice.choice((2, 3)))),
        weather=tuple(_weather(dice, at_s, start_c) for at_s in range(0, BROKEN_S, 150)),
    )


def _break(dice: random.Random, cells: int) -> Break:
    at_s = dice.uniform(20.0, BROKEN_S - 60.0)
    lasts_s = min(dice.choice(LASTS_S), BROKEN_S - at_s)
    return Break(name=dice.choice(FAULTS), at_s=at_s, lasts_s=lasts_s, cell=dice.randint(1, cells))


def _weather(dice: random.Random, at_s: int, ambient_c: float) -> Weather:
    return Weather(
        at_s=float(at_s),
        charger_c=dice.choice((0.0, 0.0, 0.05, 0.2, 0.3)),
        charger_above_cvl_v=dice.choice((0.0, 0.0, 1.0, -2.0)),
        load_c=dice.choice((0.0, 0.02, 0.2, 0.3)),
        ambient_c=ambient_c + dice.uniform(-3.0, 3.0),
    )
