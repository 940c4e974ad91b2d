"""Alarms in the groups that inverter protocols have words for; every protocol's bits are made of these."""

from __future__ import annotations

from bmsd.inverters.view import DATA_LOST, LIFTED


def lifted(*names: str) -> tuple[str, ...]:
    """Give the names these alarms have while an emergency override lifts their block (S10)."""
    return tuple(f"{name}{LIFTED}" for name in names)


CELL_HIGH = ("cell_ovp", "cell_may_be_high")
PACK_HIGH = ("pack_ovp",)
HIGH_LIFTED = lifted("cell_ovp", "pack_ovp")
HIGH_WARNING = ("voltage_limit_ignored", *HIGH_LIFTED)

CELL_EMPTY = ("cell_uvp", "cell_shutdown", "auto_shutdown", "cell_may_be_low")
"""Only charging ends these."""
PACK_EMPTY = ("pack_uvp",)
CELL_HIGH_LIFTED = lifted("cell_ovp")
CELL_EMPTY_LIFTED = lifted("cell_uvp", "cell_shutdown", "auto_shutdown")
CELL_FLOOR = ("cell_floor",)
LOW_LIFTED = lifted("cell_uvp", "cell_shutdown", "pack_uvp", "auto_shutdown")
LOW_WARNING = ("cell_low", *LOW_LIFTED)

CHARGE_HOT = ("charge_otp",)
DISCHARGE_HOT = ("discharge_otp",)
SWITCH_HOT = ("switch_otp",)
CHARGE_COLD = ("charge_utp",)
DISCHARGE_COLD = ("discharge_utp",)
COLD_LIFTED = lifted("discharge_utp")

CHARGE_CURRENT = (
    "charge_ocp",
    "charge_ocp2",
    "charge_limit_enforced",
    "charge_not_stopped",
    "charge_trip_repeated",
)
CHARGE_CURRENT_WARNING = ("charge_limit_ignored",)
DISCHARGE_CURRENT = (
    "discharge_ocp", "discharge_ocp2", "discharge_limit_enforced", "discharge_not_stopped", "discharge_trip_repeated",
)  # fmt: skip
DISCHARGE_CURRENT_WARNING = ("discharge_limit_ignored",)
SHORT = ("short_circuit", "short_circuit_repeated")

CURRENT_SENSE = ("current_lost", "current_implausible", "current_reversed")
MEASURING = (
    "cell_lost", "cell_frozen", "temperature_lost", "switch_temperature_lost", *CURRENT_SENSE,
    "stack_lost", "stack_mismatch", "afe_lost", "afe_reset", "afe_refused", "afe_not_set", "cells_frozen", DATA_LOST,
)  # fmt: skip
INTERNAL_WARNING = ("stack_doubtful", "cell_loose", "reading_loose", "cell_step", "guard_lost")
CHIP = ("chip_charge_trip", "chip_discharge_trip", "chip_fault")
CHARGE_SWITCH = ("charge_contactor_welded", "charge_contactor_open", "charge_past_contactor")
DISCHARGE_SWITCH = (
    "precharge_failed", "discharge_contactor_welded", "discharge_contactor_open", "discharge_past_contactor",
)  # fmt: skip
BOTH_SWITCHES = ("main_contactor_welded", "main_contactor_open", "output_fault")
SWITCHES = CHARGE_SWITCH + DISCHARGE_SWITCH + BOTH_SWITCHES
SWITCH_WARNING = ("contact_lost", "contactor_worn", "load_side_high", "load_side_live")

STOPPED = ("heater_stuck_on", "configuration_fault")
"""Faults of the pack as a whole that allow no current."""
HEATER = ("heater_over_limit", "heater_no_warming", "heater_long_run")
CELL_SPREAD = ("cell_spread",)
TEMPERATURE_SPREAD = ("temperature_spread", "temperature_mismatch")
OVERRIDE = ("emergency_override",)
