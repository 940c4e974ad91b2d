"""Is charge cut, proved and not only commanded: what heat waits for (S3).

A contact that may be welded proves nothing by its coil. Proof is no charge current in any case, and beside it an
auxiliary contact that reads open, or a charger's side that stands apart from the pack: joined, both read the same.
"""

from __future__ import annotations

from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.state import State
from bmsd.core.switching import SwitchState
from bmsd.core.types import Inhibit, InhibitCause, Inputs
from bmsd.tables.alarms import Block

LAGS_MS = 2000
"""How long after a contact that reads open the current may still be one of before: a mean, and a value held."""
CHARGE_FIRST = Inhibit(InhibitCause.CHARGE_FIRST, "charge")
CHARGE_FLOWS = Inhibit(InhibitCause.CHARGE_FLOWS, "current_ma")
NOT_PROVED = Inhibit(InhibitCause.NOT_PROVED_CUT, "charger_mv")


def against_heat(settings: Settings, state: State, values: Values, inputs: Inputs) -> Inhibit | None:
    """Say why charge is not proved cut; None is proof."""
    if state.diodes.charge.spared and not state.charge.on:
        # On for its diode alone, while current flows out: a charge current ends the heat in the same cycle.
        return None if values.current_ma is not None and values.current_ma < 0 else CHARGE_FLOWS
    if settings.common and (state.main.on or inputs.lines.main or inputs.feedback.main):
        # The common contactor stays closed for the load: told zero, and nothing comes.
        return _flows(settings, values) if state.common.refused & Block.CHARGE else CHARGE_FIRST
    name = settings.contactors[0]
    contact: bool | None = getattr(inputs.feedback, name)
    switch: SwitchState = getattr(state, name)
    if switch.on or getattr(inputs.lines, name) or contact:
        return CHARGE_FIRST
    lately = switch.changed_ms is not None and inputs.now_ms - switch.changed_ms < LAGS_MS
    if contact is False and lately:
        return None
    if _flows(settings, values) is not None:
        return CHARGE_FLOWS
    # A heater that runs may pull its charger down past the pack's voltage; a contact does not weld while it is open.
    if contact is False or state.heater.on or _apart(settings, values):
        return None
    return NOT_PROVED


def _flows(settings: Settings, values: Values) -> Inhibit | None:
    """Object to a charge current; an unknown one may be one (S2)."""
    current_ma = values.current_ma
    flows = current_ma is None or current_ma > settings.parameters.forbidden_charge_ma
    return CHARGE_FLOWS if flows else None


def _apart(settings: Settings, values: Values) -> bool:
    """Tell whether the charger's side stands apart from the pack by more than the readings err."""
    pack_mv, charger_mv = values.pack_mv.value, values.charger_mv
    if pack_mv is None or charger_mv is None:
        return False
    return abs(charger_mv - pack_mv) >= settings.parameters.charger_detect_mv
