"""In the common topology: does current go on in a direction that the inverter was told zero for.

The contactor is closed for the other direction, so only a measurement can tell. What the heater takes from the pack
is no load of the inverter. An unknown current is neither obeyed nor not (S2).
"""

from __future__ import annotations

from bmsd.core import alarms, heater
from bmsd.core.alarms import Finding
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.state import State
from bmsd.tables.alarms import Block

NOT_STOPPED = frozenset({"charge_not_stopped", "discharge_not_stopped"})


def findings(settings: Settings, state: State, values: Values) -> dict[str, Finding]:
    """Turn a forbidden current through a closed common contactor into an alarm's cause."""
    refused = state.common.refused
    if not settings.common:
        return {}
    p, found = settings.parameters, {}
    if not state.main.on:
        # Who charged on is not tried again while charging is forbidden: each trial is charge into a full or cold cell.
        # Who discharged on is, for a pack that stays open is never charged.
        tried = refused & Block.CHARGE and alarms.is_active(state.alarms, "charge_not_stopped")
        return {"charge_not_stopped": Finding(None)} if tried else {}
    if refused & Block.CHARGE:
        found["charge_not_stopped"] = _beyond(values.current_ma, p.forbidden_charge_ma)
    if refused & Block.DISCHARGE:
        drawn_ma = None if values.current_ma is None else -values.current_ma
        limit_ma = p.forbidden_discharge_ma + heater.taken_ma(settings, state.heater.on, values)
        found["discharge_not_stopped"] = _beyond(drawn_ma, limit_ma)
    return found


def _beyond(current_ma: int | None, limit_ma: int) -> Finding:
    if current_ma is None:
        return Finding(None)
    return Finding(True, current_ma) if current_ma > limit_ma else Finding(False)
