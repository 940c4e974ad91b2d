"""The lower end of the pack: warn before under-voltage, ask the inverter for charge, shut down to save the rest.

None of it ever forbids charging: a pack that is empty must stay chargeable.
"""

from __future__ import annotations

from bmsd.core import alarms
from bmsd.core.alarms import AlarmState, Finding
from bmsd.core.plausible import Values
from bmsd.tables.parameters import Parameters

CHARGING_MA = 500
"""Above this charge arrives."""
_CALLS_FOR_CHARGE = ("cell_low", "cell_uvp", "pack_uvp", "cell_shutdown", "auto_shutdown")


def findings(p: Parameters, states: tuple[AlarmState, ...], values: Values) -> dict[str, Finding]:
    """Find the causes of `cell_low` and `auto_shutdown` from the alarms of the last cycle and present values."""
    found = {"cell_low": _low(p, values, alarms.is_active(states, "cell_low"))}
    if alarms.is_active(states, "cell_shutdown"):
        current_ma = values.current_ma
        found["auto_shutdown"] = Finding(None if current_ma is None else current_ma <= CHARGING_MA)
    return {name: finding for name, finding in found.items() if finding.bad is not False}


def _low(p: Parameters, values: Values, active: bool) -> Finding:
    """Compare the lowest cell with the limit, or with recovery while the warning stands."""
    limit_mv = p.cell_uvpr_mv if active else min(p.cell_uvp_mv + p.cell_low_margin_mv, p.cell_uvpr_mv)
    low = values.cell_min
    if low.value is None:
        return Finding(None)
    if low.value < limit_mv:
        return Finding(True, low.value, low.where)
    return Finding(False if low.complete else None, low.value, low.where)


def force_charge(
    p: Parameters, before: bool, states: tuple[AlarmState, ...], soc_permille: int | None
) -> bool:
    """Say whether the inverter should charge now whatever it had planned, with hysteresis.

    A state of charge that is unknown neither begins the request nor ends it (S2).
    """
    if any(alarms.is_active(states, name) for name in _CALLS_FOR_CHARGE):
        return True
    if soc_permille is None:
        return before
    limit = p.force_charge_end_permille if before else p.force_charge_permille
    return soc_permille < limit
