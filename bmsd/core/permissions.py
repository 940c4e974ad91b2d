"""May the pack be charged, discharged: the one place where S1 is decided.

A permission needs every value it depends on, no blocking alarm, a finished start and the operator's consent.
All reasons against are collected, for `bmsctl why`.
"""

from __future__ import annotations

from bmsd.core.alarms import Active
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.types import AfeState, Because, Reason
from bmsd.tables.alarms import Block


def unknowns(settings: Settings, values: Values, afe: AfeState) -> tuple[Reason, ...]:
    """List the values that charging and discharging depend on and that are unknown (S1, S2)."""
    missing = []
    if afe is not AfeState.READY:
        missing.append("afe")
    if not values.cell_max.complete or len(values.cell_mv) != settings.cells:
        missing.append("cell_mv")
    if not values.battery_min.complete or len(values.battery_decic) != settings.battery_sensors:
        missing.append("battery_decic")
    if settings.switch_sensor and values.switch_decic.value is None:
        missing.append("switch_decic")
    if values.current_ma is None:
        missing.append("current_ma")
    if values.stack_mv is None:
        missing.append("stack_mv")
    return tuple(Reason(Because.UNKNOWN, name) for name in missing)


def against(
    alarms: Active,
    block: Block,
    unknown: tuple[Reason, ...],
    *,
    started: bool,
    consent: bool,
) -> tuple[Reason, ...]:
    """Collect every reason against one permission; none means it is given."""
    reasons = [Reason(Because.ALARM, alarm.name) for alarm, _ in alarms if alarm.blocks & block]
    reasons.extend(unknown)
    if not started:
        reasons.append(Reason(Because.STARTING))
    if not consent:
        reasons.append(Reason(Because.OPERATOR, (block.name or "").lower()))
    return tuple(reasons)
