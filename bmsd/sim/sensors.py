"""What the front-end chip gets to see of the plant: true values, bent by the errors and faults set.

A temperature of None is a thermistor with a broken wire, math.inf one with a short circuit; the simulated
chip turns both into the out-of-range readings of its kind.
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

from bmsd.sim.cells import bell


class SensorReading(NamedTuple):
    """The analogue inputs of the front end at one moment, not yet rounded to any converter's step."""

    cell_mv: list[float]
    stack_mv: float
    """Voltage of the whole string at its own pins; not the sum of faulty cell readings."""
    current_ma: float
    charger_mv: float
    load_mv: float
    ts_decic: tuple[float | None, float | None, float | None]
    """TS1 and TS2 on the cells, TS3 on the switch board; None open, math.inf short circuit."""


class Sensors:
    """Errors and faults of the measuring side."""

    def __init__(self, cells: int, seed: int, ts_offset_k: tuple[float, float]) -> None:
        self.offset_mv = [0.0] * cells
        self.wire_ohm = [0.0] * cells
        self.cell_noise_mv = [0.0] * cells
        self.ts1_offset_k, self.ts2_offset_k = ts_offset_k
        self.current_offset_ma = 0.0
        self.current_gain_percent = 0.0
        self.noise_mv = 0.0
        self._draw = random.Random(seed)
        self._faults: dict[tuple[str, int], list[float]] = {}
        """Active faults by name and cell (0: none), with the values they froze."""
        self._plain = True
        self._noisy_cell = False
        self._true_ts = True

    def fault(self, name: str, cell: int, on: bool) -> None:
        """Switch a fault on or off; cell counts from 1, 0 for a fault that needs none."""
        if on:
            self._faults.setdefault((name, cell), [])
        else:
            self._faults.pop((name, cell), None)
        self.refresh()

    def refresh(self) -> None:
        """Find out whether the cell readings need more than a unit conversion."""
        self._true_ts = not any(name.startswith("ntc") for name, _ in self._faults)
        self._noisy_cell = any(self.cell_noise_mv)
        self._plain = not (
            any(name.startswith("cell") for name, _ in self._faults)
            or any(self.offset_mv)
            or any(self.wire_ohm)
            or self.noise_mv
            or self._noisy_cell
        )

    def active(self) -> list[tuple[str, int]]:
        """List the faults that are on, with their cell."""
        return list(self._faults)

    def cells(self, volts: list[float], balance_a: list[float]) -> list[float]:
        """Read the cells. mV, from V; balance_a is the current in each cell's sense wires."""
        readings = [cell_v * 1000.0 for cell_v in volts]
        if self._plain:
            return readings
        for k, ohm in enumerate(self.wire_ohm):
            readings[k] += self.offset_mv[k] - ohm * balance_a[k] * 1000.0
        if self.noise_mv:
            readings = [mv + self.noise_mv * bell(self._draw) for mv in readings]
        if self._noisy_cell:
            for k, noise_mv in enumerate(self.cell_noise_mv):
                readings[k] += noise_mv * bell(self._draw)
        for (name, cell), frozen in self._faults.items():
            if name.startswith("cell"):
                readings = _WIRING[name](readings, cell - 1, frozen)
        return readings

    def stack(self, volts: float) -> float:
        """Read the whole string. mV, from V."""
        frozen = self._faults.get(("cells_frozen", 0))
        if frozen is None:
            return volts * 1000.0
        return math.fsum(frozen) if frozen else volts * 1000.0

    def current(self, amps: float) -> float:
        """Read the shunt. mA, from A."""
        reading_ma = amps * (1000.0 + 10.0 * self.current_gain_percent) + self.current_offset_ma
        if not self._faults:
            return reading_ma
        if ("current_reversed", 0) in self._faults:
            reading_ma = -reading_ma
        if ("current_lost", 0) in self._faults:
            reading_ma = 0.0
        frozen = self._faults.get(("current_frozen", 0))
        if frozen is not None:
            reading_ma = _hold(reading_ma, frozen)
        return reading_ma

    def temperatures(self, pack_c: float, board_c: float) -> tuple[float | None, float | None, float | None]:
        """Read the thermistors. 0.1 °C, from °C; None open, math.inf short circuit."""
        ts1 = 10.0 * (pack_c + self.ts1_offset_k)
        ts2 = 10.0 * (pack_c + self.ts2_offset_k)
        ts3 = 10.0 * board_c
        if self._true_ts:
            return ts1, ts2, ts3
        return self._ntc(1, ts1), self._ntc(2, ts2), self._ntc(3, ts3)

    def _ntc(self, number: int, true_decic: float) -> float | None:
        """Read one thermistor; a broken wire hides a short circuit."""
        if (f"ntc{number}_open", 0) in self._faults:
            return None
        return math.inf if (f"ntc{number}_short", 0) in self._faults else true_decic


def _hold(reading: float, frozen: list[float]) -> float:
    """Keep the first reading that comes in."""
    if not frozen:
        frozen.append(reading)
    return frozen[0]


def _open_wire(readings: list[float], k: int, _frozen: list[float]) -> list[float]:
    """Pull the loose node down to the one below: this cell reads 0, the next one both."""
    if k + 1 < len(readings):
        readings[k + 1] += readings[k]
    readings[k] = 0.0
    return readings


def _swapped(readings: list[float], k: int, _frozen: list[float]) -> list[float]:
    """Swap the nodes on top of this cell and of the next one."""
    if k + 1 < len(readings):
        readings[k], readings[k + 1] = readings[k] + readings[k + 1], -readings[k + 1]
        if k + 2 < len(readings):
            readings[k + 2] -= readings[k + 1]
    return readings


def _short_wire(readings: list[float], k: int, _frozen: list[float]) -> list[float]:
    """Short this cell's two wires."""
    readings[k] = 0.0
    return readings


def _frozen_cell(readings: list[float], k: int, frozen: list[float]) -> list[float]:
    """Keep this cell's reading."""
    readings[k] = _hold(readings[k], frozen)
    return readings


def _frozen_all(readings: list[float], _k: int, frozen: list[float]) -> list[float]:
    """Keep every cell's reading."""
    if not frozen:
        frozen.extend(readings)
    return list(frozen)


_WIRING = {
    "cell_open_wire": _open_wire,
    "cell_wires_swapped": _swapped,
    "cell_wire_short": _short_wire,
    "cell_frozen": _frozen_cell,
    "cells_frozen": _frozen_all,
}
