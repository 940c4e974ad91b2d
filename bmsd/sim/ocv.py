"""Open-circuit voltage against state of charge, on a fine uniform grid.

The tables in `data/` are measured between 0 and 1. Outside, the curve goes on steeply to a floor (a cell
driven into reversal) and a ceiling (the electrolyte breaks down), so that abuse looks like abuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

DATA = Path(__file__).parent / "data"

STEPS = 1000
"""Grid steps per unit of state of charge: 0.1 %, finer than any of the tables."""

LOWEST_SOC = -1.0
HIGHEST_SOC = 2.0
"""Ends of the grid, far beyond where floor and ceiling are reached."""

OVER_DISCHARGE_V = 40.0
"""Slope below empty, V per unit: the slope the measured curves have in their last percent [est]."""

FLOOR_V = -1.0
"""A cell driven into reversal settles near -1 V [est]."""


@dataclass(frozen=True, slots=True)
class OcvCurve:
    """One curve: `volts[k]` at `LOWEST_SOC + k / STEPS`, and `rises[k]` from there to the next point."""

    volts: tuple[float, ...]
    rises: tuple[float, ...]

    def at(self, soc: float) -> float:
        """Look up the open-circuit voltage of one cell. V; soc as a fraction."""
        place = (min(max(soc, LOWEST_SOC), HIGHEST_SOC) - LOWEST_SOC) * STEPS
        index = int(place)
        return self.volts[index] + (place - index) * self.rises[index]


def read_table(path: Path) -> list[tuple[float, float]]:
    """Read (soc, volts) pairs from a file with the columns soc and ocv_v; `#` lines are comments."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and line[0] != "#"]
    return [(float(soc), float(volts)) for soc, volts in (line.split(",") for line in lines[1:])]


@lru_cache
def load_curve(table: str, over_charge_v: float, ceiling_v: float) -> OcvCurve:
    """Lay a table of `data/` on the grid; above full it rises by over_charge_v per unit to ceiling_v."""
    points = read_table(DATA / f"ocv_{table}.csv")
    empty_v, full_v = points[0][1], points[-1][1]
    volts = []
    segment = 0
    for k in range(round((HIGHEST_SOC - LOWEST_SOC) * STEPS) + 1):
        soc = LOWEST_SOC + k / STEPS
        if soc <= 0.0:
            volts.append(max(FLOOR_V, empty_v + soc * OVER_DISCHARGE_V))
        elif soc >= 1.0:
            volts.append(min(ceiling_v, full_v + (soc - 1.0) * over_charge_v))
        else:
            while points[segment + 1][0] < soc:
                segment += 1
            volts.append(_between(points[segment], points[segment + 1], soc))
    rises = [after - before for before, after in pairwise(volts)]
    return OcvCurve(tuple(volts), (*rises, 0.0))


def _between(low: tuple[float, float], high: tuple[float, float], soc: float) -> float:
    """Interpolate in a straight line between two points of a table."""
    share = (soc - low[0]) / (high[0] - low[0])
    return low[1] + share * (high[1] - low[1])
