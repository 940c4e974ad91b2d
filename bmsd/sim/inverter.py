"""The inverter on the bench: a charger and a load in one box, that follows the limits it is sent in its own way.

Slow or fast by its lag, coarse by the steps it works in, disobedient by what it takes beyond a limit or does not read.
"""

from __future__ import annotations

import math

UNLIMITED_A = 1e6


class SimInverter:
    """A charger and a load. It obeys the limits it is sent, a few seconds late."""

    def __init__(self, charger_v: float) -> None:
        self.charger_a = 0.0
        self.charger_v = charger_v
        self.load_w = 0.0
        self.idle_w = 0.0
        """What it takes for itself while the pack feeds it, whatever it is told."""
        self.lag_s = 2.0
        self.step_a = 0.0
        """It takes current limits in steps of this, rounded down; 0: as they are."""
        self.step_v = 0.0
        """Likewise voltages."""
        self.error_v = 0.0
        """How far the voltage that it holds stands above what it takes for the limit."""
        self.over = 0.0
        """What it takes beyond a current limit, as a share of it."""
        self.ignores_limits = False
        self.ignores_current = False
        """It goes by the charge voltage alone."""
        self.exports = False
        """It feeds the grid from a pack that stands above the charge voltage, until it is down there."""
        self.runaway = False
        """The charger pushes its current whatever the voltage."""
        self.limit_v: float | None = None
        self.limit_charge_a: float | None = None
        self.limit_discharge_a: float | None = None
        self._seen_v = self._seen_charge_a = self._seen_discharge_a = math.inf
        """The limits as it goes by them now: it follows late."""

    @property
    def present(self) -> bool:
        """Tell whether the charger side is alive: it has a charging current and voltage set."""
        return self.charger_a > 0.0 and self.charger_v > 0.0

    @property
    def port_v(self) -> float:
        """Give the voltage at which it holds a bus that no pack is joined to: its own, or what it was told."""
        return self.charger_v if self.ignores_limits else min(self.charger_v, self._seen_v)

    def advance(self, dt_s: float) -> None:
        """Move towards the limits last sent, with a first-order lag. No limit is obeyed at once."""
        keep = math.exp(-dt_s / self.lag_s) if self.lag_s > 0.0 else 0.0
        limit_v, charge_a, discharge_a = self.limit_v, self.limit_charge_a, self.limit_discharge_a
        if limit_v is not None:
            limit_v = _stepped(limit_v, self.step_v) + self.error_v
        if charge_a is not None:
            charge_a = _stepped(charge_a, self.step_a) * (1.0 + self.over)
        if discharge_a is not None:
            discharge_a = _stepped(discharge_a, self.step_a) * (1.0 + self.over)
        drawn_a = self.load_w / max(self.charger_v, 1.0)
        self._seen_v = _followed(self._seen_v, self.charger_v, limit_v, keep)
        self._seen_charge_a = _followed(self._seen_charge_a, self.charger_a, charge_a, keep)
        self._seen_discharge_a = _followed(self._seen_discharge_a, drawn_a, discharge_a, keep)

    def effective(self) -> tuple[float, float, float]:
        """Say what it does now: charging voltage, charging current, largest discharging current."""
        volts, amps, draw_a = self.charger_v, self.charger_a, UNLIMITED_A
        if not self.ignores_limits:
            volts = min(volts, self._seen_v)
            if not self.ignores_current:
                amps = min(amps, self._seen_charge_a)
            draw_a = min(draw_a, self._seen_discharge_a)
        return (math.inf if self.runaway else volts), amps, draw_a


def _followed(seen: float, start: float, limit: float | None, keep: float) -> float:
    """Move from the limit seen towards the one it is told, from its own setting on; None is no limit."""
    if limit is None:
        return math.inf
    if seen > limit:
        seen = min(seen, max(start, limit))
    return limit + (seen - limit) * keep


def _stepped(limit: float, step: float) -> float:
    """Round a limit down to the steps of the inverter; a thousandth above a step is on it."""
    return math.floor(limit / step + 0.001) * step if step > 0.0 else limit
