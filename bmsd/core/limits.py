"""What the inverter is told: charge voltage (CVL), charge and discharge current (CCL, DCL), lowest voltage.

Zero whenever the permission is missing or a cell is unknown (S7); near the cell limits the currents taper.
"""

from __future__ import annotations

from dataclasses import dataclass

from bmsd.core.plausible import Reading, Values
from bmsd.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for the inverter; currents are positive in both directions."""

    charge_mv: int
    charge_ma: int
    discharge_ma: int
    discharge_mv: int


def limits(settings: Settings, values: Values, *, charge_allowed: bool, discharge_allowed: bool) -> Limits:
    """Work out the limits of one cycle."""
    p = settings.parameters
    charge_mv = p.cell_charge_mv * settings.cells
    room = _room(values.cell_max, p.cell_ovp_mv, p.charge_taper_mv, above=False)
    reserve = _room(values.cell_min, p.cell_uvp_mv, p.discharge_taper_mv, above=True)
    return Limits(
        charge_mv=charge_mv - _excess_mv(values, p.cell_charge_mv),
        charge_ma=p.charge_max_ma * room // 1000 if charge_allowed else 0,
        discharge_ma=p.discharge_max_ma * reserve // 1000 if discharge_allowed else 0,
        discharge_mv=p.cell_discharge_mv * settings.cells,
    )


def _room(worst: Reading, limit_mv: int, taper_mv: int, *, above: bool) -> int:
    """Give the share of the current, in permille, that the worst cell leaves."""
    if worst.value is None or not worst.complete:
        return 0
    distance_mv = worst.value - limit_mv if above else limit_mv - worst.value
    return min(max(distance_mv * 1000 // taper_mv, 0), 1000)


def _excess_mv(values: Values, cell_charge_mv: int) -> int:
    """Sum what cells stand above the charge voltage: the charger relieves them by that much."""
    highest = values.cell_max.value
    if highest is None or highest <= cell_charge_mv:
        return 0
    return sum(mv - cell_charge_mv for mv in values.cell_mv if mv is not None and mv > cell_charge_mv)
