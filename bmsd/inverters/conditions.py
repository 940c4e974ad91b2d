"""Alarms in the groups that inverter protocols have words for; every protocol's bits are made of these.

Which alarm belongs where stands in its row (`bmsd/tables/alarms.py`).
"""

from __future__ import annotations

from bmsd.inverters.view import DATA_LOST, LIFTED
from bmsd.tables.alarms import ALARMS, Condition


def of(*conditions: Condition) -> tuple[str, ...]:
    """Name the alarms of these conditions."""
    return tuple(alarm.name for alarm in ALARMS if alarm.condition in conditions)


def lifted(*conditions: Condition) -> tuple[str, ...]:
    """Give the names that alarms have while an emergency override lifts their block (S10), where it can."""
    return tuple(
        f"{alarm.name}{LIFTED}" for alarm in ALARMS if alarm.condition in conditions and alarm.overridable
    )


CELL_HIGH = of(Condition.CELL_HIGH)
PACK_HIGH = of(Condition.PACK_HIGH)
CELL_HIGH_LIFTED = lifted(Condition.CELL_HIGH)
PACK_HIGH_LIFTED = lifted(Condition.PACK_HIGH)
HIGH_LIFTED = lifted(Condition.CELL_HIGH, Condition.PACK_HIGH)
ABOVE_LIMIT = of(Condition.HIGH_WARNING)
HIGH_WARNING = ABOVE_LIMIT + HIGH_LIFTED

CELL_EMPTY = of(Condition.CELL_EMPTY)
"""Only charging ends these."""
PACK_EMPTY = of(Condition.PACK_EMPTY)
CELL_FLOOR = of(Condition.CELL_FLOOR)
CELL_EMPTY_LIFTED = lifted(Condition.CELL_EMPTY)
PACK_EMPTY_LIFTED = lifted(Condition.PACK_EMPTY)
LOW_LIFTED = lifted(Condition.CELL_EMPTY, Condition.PACK_EMPTY)
NEARLY_EMPTY = of(Condition.LOW_WARNING)
LOW_WARNING = NEARLY_EMPTY + LOW_LIFTED

CHARGE_HOT = of(Condition.CHARGE_HOT)
DISCHARGE_HOT = of(Condition.DISCHARGE_HOT)
SWITCH_HOT = of(Condition.SWITCH_HOT)
CHARGE_COLD = of(Condition.CHARGE_COLD)
DISCHARGE_COLD = of(Condition.DISCHARGE_COLD)
COLD_LIFTED = lifted(Condition.DISCHARGE_COLD)

CHARGE_CURRENT = of(Condition.CHARGE_CURRENT)
CHARGE_CURRENT_WARNING = of(Condition.CHARGE_CURRENT_WARNING)
DISCHARGE_CURRENT = of(Condition.DISCHARGE_CURRENT)
DISCHARGE_CURRENT_WARNING = of(Condition.DISCHARGE_CURRENT_WARNING)
SHORT = of(Condition.SHORT)

CURRENT_SENSE = of(Condition.CURRENT_SENSE)
MEASURING = (*of(Condition.CURRENT_SENSE, Condition.MEASURING), DATA_LOST)
INTERNAL_WARNING = of(Condition.INTERNAL_WARNING)
CHIP = of(Condition.CHIP)
CHARGE_SWITCH = of(Condition.CHARGE_SWITCH)
DISCHARGE_SWITCH = of(Condition.DISCHARGE_SWITCH)
BOTH_SWITCHES = of(Condition.BOTH_SWITCHES)
SWITCHES = CHARGE_SWITCH + DISCHARGE_SWITCH + BOTH_SWITCHES
SWITCH_WARNING = of(Condition.SWITCH_WARNING)

STOPPED = of(Condition.STOPPED)
"""Faults of the pack as a whole that allow no current."""
HEATER = of(Condition.HEATER)
CELL_SPREAD = of(Condition.CELL_SPREAD)
TEMPERATURE_SPREAD = of(Condition.TEMPERATURE_SPREAD)
OVERRIDE = of(Condition.OVERRIDE)
