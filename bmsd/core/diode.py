"""Topology afe: a FET that is off still carries current the other way, through its body diode, and burns there.

While current is measured that flows away from the forbidden direction, the FET of that direction is switched on
beside its diode. It stays forbidden: its limit is zero, it goes off as soon as little current flows, and after a
current in the forbidden direction the diode carries for a while, so that no load that comes and goes lets a
charger in (S1). Nothing unknown keeps it on (S2).
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.switching import SwitchState

BURNS_MA = 2000
"""From this current on a diode is spared; below it dissipates less than 2 W."""
COOL_MA = 1000
HOLD_MS = 5000
"""How long a FET is not switched on beside its diode after a current in the forbidden direction."""


class Diode(NamedTuple):
    """The body diode of one FET."""

    spared: bool = False
    """The FET is on only to spare its diode."""
    changed_ms: int | None = None
    reversed_ms: int | None = None
    """When a current in the forbidden direction last passed the FET."""


class Diodes(NamedTuple):
    """Both of them."""

    charge: Diode = Diode()
    discharge: Diode = Diode()


def spare(
    state: Diodes, charge: SwitchState, discharge: SwitchState, current_ma: int | None, now_ms: int
) -> Diodes:
    """Decide for both FETs; `current_ma` flows through them in this cycle, or is not known."""
    out_ma = None if current_ma is None else -current_ma
    return Diodes(
        _one(state.charge, charge.on, discharge.on, out_ma, now_ms),
        _one(state.discharge, discharge.on, charge.on, current_ma, now_ms),
    )


def _one(state: Diode, on: bool, other_on: bool, through_ma: int | None, now_ms: int) -> Diode:
    """Decide for one FET; `through_ma` is the current its diode would carry."""
    if state.spared and through_ma is not None and through_ma < 0:
        state = state._replace(reversed_ms=now_ms)
    held = state.reversed_ms is not None and now_ms - state.reversed_ms < HOLD_MS
    limit_ma = COOL_MA if state.spared else BURNS_MA
    spared = other_on and not on and not held and through_ma is not None and through_ma >= limit_ma
    return state if spared is state.spared else state._replace(spared=spared, changed_ms=now_ms)
