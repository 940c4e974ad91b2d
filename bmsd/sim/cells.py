"""A string of cells in series: charge, polarisation, hysteresis and resistance.

The model is OCV(z) + M h + R0 I + v1 + v2, with h and the two RC branches as first-order lags. All cells
carry the same current, so one pair of lagged currents and one h serve the whole string: a cell's v1 is its
own R1 times the lagged current. That is exact, and is what lets 16 cells cost a few microseconds.
"""

from __future__ import annotations

import math
import random

from bmsd.sim.celltypes import CellType
from bmsd.sim.ocv import LOWEST_SOC, STEPS, load_curve

KELVIN = 273.15
REFERENCE_K = 298.15
R_STEP_K = 0.05
"""Resistances follow the temperature in steps of this size; 0.05 K moves them by at most 0.4 %."""

DEAD_LOW, DEAD_HIGH = -0.9, 1.9
"""State of charge stops here; floor and ceiling of the voltage are reached long before."""


class Cells:
    """The string. After `advance`, `volts` holds the terminal voltage of each cell, in V."""

    def __init__(
        self,
        kind: CellType,
        count: int,
        capacity_ah: float,
        initial_soc: float = 0.5,
        seed: int = 1,
        soc_spread: float = 0.0,
        capacity_spread: float = 0.0,
        resistance_spread: float = 0.0,
    ) -> None:
        draw = random.Random(seed)
        self.kind = kind
        self.count = count
        self.nominal_ah = capacity_ah
        self.capacity = [1 + capacity_spread * bell(draw) for _ in range(count)]
        self.resistance = [1 + resistance_spread * bell(draw) for _ in range(count)]
        deviations = [soc_spread * bell(draw) for _ in range(count)]
        self.soc = [min(max(initial_soc + deviation, 0.0), 1.0) for deviation in deviations]
        """Per cell: capacity and resistance as shares of the nominal ones, charge as a fraction."""
        self.leak_a = [0.0] * count
        self.balance_a = [0.0] * count
        """Per cell: self-discharge, and what balancing takes now."""
        self._drain_a = [0.0] * count
        self._is_drained = False
        self.fast_a = 0.0
        self.slow_a = 0.0
        """The current seen through the fast and the slow RC branch."""
        self.hysteresis = 0.0
        self.plated_ah = 0.0
        self.charged_ah = 0.0
        self.discharged_ah = 0.0
        self.loss_w = 0.0
        self._curve = load_curve(kind.ocv_table, kind.over_charge_v, kind.ceiling_v)
        self._decays: dict[float, tuple[float, float]] = {}
        self._temperature_c = math.inf
        self._current_a = 0.0
        self.warm(25.0)

    def refresh(self) -> None:
        """Take up changed capacities, resistances or charge: recompute what depends on them."""
        self._soc_per_as = [1 / (3600 * self.nominal_ah * share) for share in self.capacity]
        self.balance(self.balance_a)
        self._resistance_sum = sum(self.resistance)
        self._measure(self._current_a, 0.0)

    def warm(self, temperature_c: float) -> None:
        """Let the resistances follow the temperature. °C; a move below R_STEP_K changes nothing."""
        if abs(temperature_c - self._temperature_c) < R_STEP_K:
            return
        kind = self.kind
        self._temperature_c = temperature_c
        steep = math.exp(kind.arrhenius_k * (1 / (temperature_c + KELVIN) - 1 / REFERENCE_K))
        factor = (1 + kind.cold_share * (steep - 1)) / self.nominal_ah
        self.r0_ohm = kind.r0_ohm_ah * factor
        self.r1_ohm = kind.r1_ohm_ah * factor
        self.r2_ohm = kind.r2_ohm_ah * factor
        self.refresh()

    @property
    def mean_soc(self) -> float:
        """Give the mean charge of the cells, as a fraction."""
        return math.fsum(self.soc) / self.count

    @mean_soc.setter
    def mean_soc(self, target: float) -> None:
        """Shift all cells alike, so that their mean arrives at the target; none beyond the ends of charge."""
        shift = target - self.mean_soc
        self.soc = [min(max(soc + shift, DEAD_LOW), DEAD_HIGH) for soc in self.soc]

    @property
    def pack_soc(self) -> float:
        """Give what can be used: 0 when the weakest cell is empty, 1 when the fullest is full."""
        return min(self.soc) / (1.0 - max(self.soc) + min(self.soc))

    @property
    def stored_ah(self) -> float:
        """Add up the charge in all cells; over- and under-charge included."""
        shares = zip(self.soc, self.capacity, strict=True)
        return self.nominal_ah * math.fsum(soc * capacity for soc, capacity in shares)

    def source(self) -> tuple[float, float]:
        """Reduce the string to a voltage source behind a resistance. V, ohm."""
        ohm = self.r0_ohm * self._resistance_sum
        return self.pack_v - ohm * self._current_a, ohm

    def advance(self, current_a: float, dt_s: float) -> None:
        """Let the current flow for a while. A, positive charges; s."""
        decay_fast, decay_slow = self._decays.get(dt_s) or self._remember(dt_s)
        moved_as = current_a * dt_s
        self.fast_a = current_a + (self.fast_a - current_a) * decay_fast
        self.slow_a = current_a + (self.slow_a - current_a) * decay_slow
        self._count(current_a, moved_as)
        if self._is_drained:
            self._move(moved_as, dt_s)
            moved_as = 0.0
        self._measure(current_a, moved_as)

    def _remember(self, dt_s: float) -> tuple[float, float]:
        """Compute and keep the decay of both branches over a step of this length."""
        decays = math.exp(-dt_s / self.kind.tau1_s), math.exp(-dt_s / self.kind.tau2_s)
        self._decays[dt_s] = decays
        return decays

    def balance(self, amps: list[float]) -> None:
        """Set what balancing takes from each cell from now on. A."""
        self.balance_a = amps
        self._drain_a = [leak + bleed for leak, bleed in zip(self.leak_a, amps, strict=True)]
        self._is_drained = any(self._drain_a)

    def _move(self, moved_as: float, dt_s: float) -> None:
        """Move every cell's charge by what flowed through all, and by what each loses on its own."""
        moved = zip(self.soc, self._drain_a, self._soc_per_as, strict=True)
        self.soc = [soc + moved_as * share - amps * dt_s * share for soc, amps, share in moved]

    def _count(self, current_a: float, moved_as: float) -> None:
        """Move the hysteresis along, count the charge, and add up the heat."""
        kind = self.kind
        moved_ah = moved_as / 3600
        if moved_ah > 0.0:
            keep = math.exp(-kind.hysteresis_rate * moved_ah / self.nominal_ah)
            self.hysteresis = 1.0 + (self.hysteresis - 1.0) * keep
            self.charged_ah += moved_ah
            if kind.plates and self._temperature_c < 0.0:
                self.plated_ah += moved_ah
        elif moved_ah < 0.0:
            keep = math.exp(kind.hysteresis_rate * moved_ah / self.nominal_ah)
            self.hysteresis = -1.0 + (self.hysteresis + 1.0) * keep
            self.discharged_ah -= moved_ah
        fast_a, slow_a = self.fast_a, self.slow_a
        squares = self.r0_ohm * current_a * current_a + self.r1_ohm * fast_a * fast_a
        squares += self.r2_ohm * slow_a * slow_a
        self.loss_w = self._resistance_sum * squares + self.count * kind.hysteresis_v * abs(current_a)

    def _measure(self, current_a: float, moved_as: float) -> None:
        """Move every cell's charge, and compute its terminal voltage at this current. The hot loop: locals only."""
        volts, rises, steps = self._curve.volts, self._curve.rises, float(STEPS)
        common_v = self.kind.hysteresis_v * self.hysteresis
        drop_v = self.r0_ohm * current_a + self.r1_ohm * self.fast_a + self.r2_ohm * self.slow_a
        self._current_a = current_a
        charge, seen = [], []
        for before, share, scale in zip(self.soc, self._soc_per_as, self.resistance, strict=True):
            soc = before + moved_as * share
            if soc < DEAD_LOW or soc > DEAD_HIGH:
                soc = min(max(soc, DEAD_LOW), DEAD_HIGH)
            charge.append(soc)
            place = (soc - LOWEST_SOC) * steps
            k = math.floor(place)
            seen.append(volts[k] + (place - k) * rises[k] + common_v + drop_v * scale)
        self.soc = charge
        self.volts = seen
        self.pack_v = math.fsum(seen)


def bell(draw: random.Random) -> float:
    """Draw from a bell curve of sigma 1 that never leaves ±6: twelve uniform numbers less six.

    Only `random()` is promised to give the same numbers in every Python.
    """
    return sum(draw.random() for _ in range(12)) - 6.0
