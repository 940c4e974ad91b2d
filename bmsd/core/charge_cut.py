"""Whether charging is proved to be cut off, not only commanded off: the heater waits for that (S3).

A coil without current proves nothing: its contact may be welded. Proof takes no charge current, and either an auxiliary
contact that reads open or a charger's side whose voltage differs from the pack's: joined, both read the same.
"""

from __future__ import annotations

from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.state import State
from bmsd.core.switching import SwitchState
from bmsd.core.types import Inhibit, InhibitCause, Inputs
from bmsd.tables.alarms import Block

LAGS_MS = 2000
"""How long after a contact reads open the current reading may still be an earlier one: it is averaged, and held."""
CHARGE_FIRST = Inhibit(InhibitCause.CHARGE_FIRST, "charge")
CHARGE_FLOWS = Inhibit(InhibitCause.CHARGE_FLOWS, "current_ma")
NOT_PROVED = Inhibit(InhibitCause.NOT_PROVED_CUT, "charger_mv")


def against_heat(settings: Settings, state: State, values: Values, inputs: Inputs) -> Inhibit | None:
    """Say why charging is not proved to be cut off; None is proof."""
    if state.diodes.charge.spared and not state.charge.on:
        # On only to spare its diode, while current flows out: a charge current stops the heater in the same cycle.
        return None if values.current_ma is not None and values.current_ma < 0 else CHARGE_FLOWS
    if settings.common and (state.main.on or inputs.lines.main or inputs.feedback.main):
        # The common contactor stays closed for the load: the inverter is told zero, and no charge current flows.
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
    """Object to a charge current; an unknown current may be one (S2)."""
    current_ma = values.current_ma
    flows = current_ma is None or current_ma > settings.parameters.forbidden_charge_ma
    return CHARGE_FLOWS if flows else None


def _apart(settings: Settings, values: Values) -> bool:
    """Tell whether the charger's side stands apart from the pack by more than the readings err."""
    pack_mv, charger_mv = values.pack_mv.value, values.charger_mv
    if pack_mv is None or charger_mv is None:
        return False
    return abs(charger_mv - pack_mv) >= settings.parameters.charger_detect_mv
