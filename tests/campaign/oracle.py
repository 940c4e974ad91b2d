"""What must never be, looked at in the plant's truth: real voltages, currents, contacts and temperatures.

Nothing of the core is asked but its parameters. Each rule has a time that it may be broken for: the delay of the
alarm, the lag of a known inverter, and the trial of a contactor that both directions share.
"""

from __future__ import annotations

from typing import Any

from bmsd.sim.circuit import INRUSH_OHM
from tests.campaign.lives import RandomLife

A_CHARGE_A, A_DISCHARGE_A = 2.0, 2.0
"""Below these a current is taken for none: idle consumption and the heater's share."""
INRUSH_A = 1500.0
"""A closing through a proved pre-charge draws a few hundred amperes at most ..."""
APART_SHARE = 0.12
"""... or what a pack of little resistance gives at the bound of a tenth of its voltage, with what the readings err."""
BLIND = frozenset({
    "cell_open_wire", "cell_wires_swapped", "cell_wire_short", "cell_frozen", "cells_frozen", "afe_torn", "afe_frozen",
    "cell reads low", "cell reads high", "noise",
})  # fmt: skip
"""While one of these is on, a cell's voltage may not be what is read: the bound on it is wider."""


STUCK_OPEN = frozenset({"discharge_stuck_open", "main_stuck_open"})
DROP_OUT_MS = 100


class Oracle:
    """Looks at the plant after every cycle; `broken` names each rule that was broken, once."""

    def __init__(self, life: RandomLife, parameters: Any, plant: Any) -> None:
        self.broken: list[str] = []
        self._life, self._p, self._plant = life, parameters, plant
        self._since_ms: dict[str, int] = {}
        self._names = {b.name for b in life.breaks}
        self._hard = 0
        self._unseen_ms = life.period_ms + DROP_OUT_MS
        """A contactor that drops out and comes back by itself within this time is back before anything can stop it."""

    def look(self, now_ms: int, _out: object) -> None:
        """Look once."""
        p, plant, circuit = self._p, self._plant, self._plant.circuit
        highest_mv, lowest_mv = 1000 * max(plant.cells.volts), 1000 * min(plant.cells.volts)
        charge_a, pack_c = plant.current_a, plant.heat.pack_c
        welded = self._names & {"charge_weld", "main_weld", "discharge_weld", "afe_fets_deaf"}
        wide_mv = 250 if self._names & BLIND else 50
        joined = circuit.charger_joined or circuit.load_joined
        self._judge(
            "over-charge",
            now_ms,
            15_000,
            not welded and charge_a > A_CHARGE_A and highest_mv > p.cell_ovp_mv + wide_mv,
        )
        self._judge(
            "over-discharge",
            now_ms,
            15_000,
            not welded and charge_a < -A_DISCHARGE_A and lowest_mv < p.cell_floor_mv - wide_mv,
        )
        # The longest way: the delay, a late inverter's time, a shared contactor's patience.
        self._judge(
            "charge in the cold",
            now_ms,
            45_000,
            not welded
            and charge_a > A_CHARGE_A
            and 10 * pack_c < p.charge_utp_decic - 20
            and plant.cells.kind.plates,
        )
        self._judge(
            "charge in the heat",
            now_ms,
            45_000,
            not welded and charge_a > A_CHARGE_A and 10 * pack_c > p.charge_otp_decic + 30,
        )
        heats = circuit.heater.closed and not self._names & {"heater_stuck_on"}
        self._judge("heat into a warm pack", now_ms, 60_000, heats and 10 * pack_c > p.charge_utpr_decic + 50)
        self._judge(
            "heat beside a charge",
            now_ms,
            5_000,
            heats and self._life.topology == "split" and not welded and charge_a > A_CHARGE_A,
        )
        self._judge("inrush", now_ms, 0, joined and self._is_hard())

    def _is_hard(self) -> bool:
        """Tell whether a contactor closed onto more current than a pre-charge leaves."""
        circuit = self._plant.circuit
        hard, self._hard = circuit.hard_closings > self._hard, circuit.hard_closings
        own = {"load_short", "load_left_on", "precharge_weld", "discharge_weld", "main_weld"}
        if self._life.topology == "afe" or not self._life.contacts:
            # What never closed, and nobody could tell, closes as it is mended.
            own |= {"discharge_stuck_open", "main_stuck_open"}
        own |= {
            b.name for b in self._life.breaks if b.name in STUCK_OPEN and 1000 * b.lasts_s <= self._unseen_ms
        }
        most_a = APART_SHARE * self._plant.cells.pack_v / (self._plant.cells.source()[1] + INRUSH_OHM)
        return hard and circuit.inrush_a > max(INRUSH_A, most_a) and not self._names & own

    def _judge(self, rule: str, now_ms: int, allowed_ms: int, is_bad: bool) -> None:
        if not is_bad:
            self._since_ms.pop(rule, None)
            return
        since_ms = self._since_ms.setdefault(rule, now_ms)
        if now_ms - since_ms >= allowed_ms and not any(one.startswith(rule) for one in self.broken):
            plant = self._plant
            self.broken.append(
                f"{rule} at {now_ms / 1000:.0f} s: {min(plant.cells.volts):.3f} to {max(plant.cells.volts):.3f} V,"
                f" {plant.current_a:.1f} A, {plant.heat.pack_c:.1f} °C"
            )
