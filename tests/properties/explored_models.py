"""The reduced packs that are explored, one per group of rules, each in a small and a big size.

All parameters are inside their allowed ranges and pass the checks of a real configuration. Cell limits stand 5 to 20 mV
apart and readings within 0.1 V, so that no reading counts as frozen and no jump of the voltage as a broken shunt.
"""

from __future__ import annotations

from typing import Any

from bench_inputs import make_settings
from explore import Model, Say, every
from folding import Frame
from ledger import lines

from bmsd.core.types import AfeState, ChipFault, Request
from bmsd.tables.alarms import ALARMS, Release

TICK_MS = 500
FLOOR, SHUT, LOW, AT_UVP, GOOD, AT_OVP, HIGH = 2965, 2975, 2985, 2990, 3010, 3040, 3045
"""Below floor, shutdown and under-voltage; exactly at the limits; good; above over-voltage."""
NARROW = {
    "cell_floor_mv": 2970, "cell_shutdown_mv": 2980, "soc_empty_mv": 2980, "cell_uvp_mv": 2990,
    "cell_discharge_mv": 2995, "cell_uvpr_mv": 3000, "cell_ovpr_mv": 3020, "cell_ovp_mv": 3040,
    "soc_full_mv": 3025, "cell_charge_mv": 3030, "cell_low_margin_mv": 0, "cell_frozen_move_mv": 200,
    "physics_step_mv": 100, "stack_mismatch_mv": 400, "cell_spread_mv": 2000, "cell_spread_release_mv": 1990,
    "pack_uvp_mv": 5960, "pack_uvpr_mv": 5980, "pack_ovpr_mv": 6070, "pack_ovp_mv": 6085,
}  # fmt: skip
"""For two cells; pack limits lie where two cells together reach them."""
BRISK = {
    "cell_ovp_delay_ms": 500, "cell_uvp_delay_ms": 1000, "cell_shutdown_delay_ms": 500, "pack_voltage_delay_ms": 1000,
    "temperature_delay_ms": 500, "value_max_age_ms": 500, "unknown_grace_ms": 1000, "recovery_ms": 1000,
    "contactor_min_off_ms": 1000, "contactor_operations_per_hour": 600, "contactor_settle_ms": 500,
    "precharge_timeout_ms": 500, "precharge_rest_ms": 1000, "precharge_tries": 2, "opening_wait_ms": 1000,
    "start_good_cycles": 2, "limit_ignored_delay_ms": 1000, "limit_enforce_release_ms": 2000,
    "charge_ocp_delay_ms": 2000, "charge_ocp_release_ms": 2000, "charge_ocp2_delay_ms": 500,
    "discharge_ocp_delay_ms": 2000, "discharge_ocp_release_ms": 2000, "discharge_ocp2_delay_ms": 500,
    "short_circuit_release_ms": 2000, "heater_min_off_ms": 1000, "shutdown_after_ms": 86_400_000,
}  # fmt: skip
WIRED = frozenset({"charge", "discharge", "precharge", "heater"})
RESETS = tuple(Request("reset", alarm.name) for alarm in ALARMS if alarm.ends is Release.OPERATOR)
SHUTDOWN_NEVER = frozenset({"auto_shutdown"})


def frame(chosen: dict[str, int] | None = None, **more: Any) -> Frame:
    """Make a frame of narrow, brisk settings with some chosen otherwise."""
    folding = {name: more.pop(name) for name in ("sleeps", "counts_starts", "endless") if name in more}
    given: dict[str, Any] = {"capacity_mah": 10**9, "balancing": False, "precharge": False, "heater_mohm": None}
    given |= {"wired": WIRED, "limits_told": False}
    made = make_settings(cells=2, chosen={**NARROW, **BRISK, **(chosen or {})}, **{**given, **more})
    return Frame(made, lines(made), **{"endless": SHUTDOWN_NEVER, **folding})


def cells(*levels: int | None) -> tuple[tuple[int | None, int | None], ...]:
    """Combine levels for the two cells."""
    return tuple((one, other) for one in levels for other in levels)


def models(big: bool) -> list[Model]:
    """Give every model in one size."""
    return [make(big) for make in (over_voltage,)]


def over_voltage(big: bool) -> Model:
    """Cells up to and beyond over-voltage, each of them lost, with and without current."""
    levels = (GOOD, AT_OVP, HIGH, None)
    currents = (0, 5000) if not big else (0, 5000, None)
    says = every(cells=cells(*levels), current_ma=currents) + every(polled=(False,))
    what = "two cells, good, at and above over-voltage, lost; current or none; no poll"
    return Model("over-voltage", what, "S1 S2 S12 S13", frame(), Say(), says)
