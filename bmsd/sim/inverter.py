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
        self._seen = [math.inf, math.inf, math.inf]

    @property
    def present(self) -> bool:
        """Tell whether the charger side is alive: it has a charging current and voltage set."""
        return self.charger_a > 0.0 and self.charger_v > 0.0

    @property
    def port_v(self) -> float:
        """Give the voltage at which it holds a bus that no pack is joined to: its own, or what it was told."""
        return self.charger_v if self.ignores_limits else min(self.charger_v, self._seen[0])

    def advance(self, dt_s: float) -> None:
        """Move towards the limits last sent, with a first-order lag. No limit is obeyed at once."""
        sent = (self.limit_v, self.limit_charge_a, self.limit_discharge_a)
        if sent == (None, None, None):
            self._seen = [math.inf, math.inf, math.inf]
            return
        keep = math.exp(-dt_s / self.lag_s) if self.lag_s > 0.0 else 0.0
        starts = (self.charger_v, self.charger_a, self.load_w / max(self.charger_v, 1.0))
        for k, limit in enumerate(self._read(sent)):
            if limit is None:
                self._seen[k] = math.inf
            else:
                seen = min(self._seen[k], max(starts[k], limit))
                self._seen[k] = limit + (seen - limit) * keep

    def _read(self, sent: tuple[float | None, float | None, float | None]) -> tuple[float | None, ...]:
        """Make of the limits sent what it goes by."""
        volts, *amps = sent
        held = _stepped(volts, self.step_v)
        return None if held is None else held + self.error_v, *(
            None if limit is None else _stepped(limit, self.step_a) * (1.0 + self.over)  # type: ignore[operator]
            for limit in amps
        )

    def effective(self) -> tuple[float, float, float]:
        """Say what it does now: charging voltage, charging current, largest discharging current."""
        volts, amps, draw_a = self.charger_v, self.charger_a, UNLIMITED_A
        if not self.ignores_limits:
            volts = min(volts, self._seen[0])
            if not self.ignores_current:
                amps = min(amps, self._seen[1])
            draw_a = min(draw_a, self._seen[2])
        return (math.inf if self.runaway else volts), amps, draw_a


def _stepped(limit: float | None, step: float) -> float | None:
    """Round a limit down to the steps of the inverter; a thousandth above a step is on it."""
    if limit is None or step <= 0.0:
        return limit
    return math.floor(limit / step + 0.001) * step
