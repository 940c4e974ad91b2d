"""An independent witness of the rules: it keeps its own record of what was measured when, and objects.

It shares nothing with the core but the vocabulary and the alarm table; plausible ranges are typed out again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bmsd.core.settings import Settings
from bmsd.core.state import Outputs, State
from bmsd.core.types import AfeState, Inputs
from bmsd.tables.alarms import ALARMS, Block

CELL, DEGREE = (300, 5000), (-400, 1200)
HOUR_MS = 3_600_000
OF_CELLS = {
    "cell_ovp",
    "cell_uvp",
    "cell_shutdown",
    "cell_floor",
    "cell_spread",
    "pack_ovp",
    "pack_uvp",
    "cell_lost",
}
OF_CURRENT = {"charge_ocp", "charge_ocp2", "discharge_ocp", "discharge_ocp2", "current_lost"}
OF_CURRENT |= {"charge_limit_ignored", "discharge_limit_ignored", "discharge_limit_enforced"}
OF_BATTERY = {
    "charge_otp",
    "charge_utp",
    "discharge_otp",
    "discharge_utp",
    "temperature_lost",
    "temperature_spread",
}
OF_SWITCH = {"switch_otp", "switch_temperature_lost"}
OF_STACK = {"stack_mismatch", "stack_lost"}
OF_CHIP = {"short_circuit", "chip_charge_trip", "chip_discharge_trip", "chip_fault"}
OF_CHIP |= {"afe_lost", "afe_reset", "afe_refused"}
LIFTED = {
    Block.CHARGE: {"cell_ovp", "pack_ovp"},
    Block.DISCHARGE: {"cell_uvp", "cell_shutdown", "pack_uvp", "discharge_utp", "auto_shutdown"},
}
"""What an emergency override may lift, typed out again."""
HALF_HOUR_MS = 1_800_000
LATCHING = {alarm.name for alarm in ALARMS if alarm.ends.value == "operator"}


LEAVES_MS = {"cell_ovp": 500, "cell_uvp": 500, "pack_ovp": 2000, "pack_uvp": 2000}
LEAVES_MS |= {"charge_ocp": 1000, "discharge_ocp": 1000, "switch_otp": 1000}
LEAVES_MS |= dict.fromkeys(("charge_otp", "charge_utp", "discharge_otp", "discharge_utp"), 2000)
LEAVES_MS |= {"charge_limit_enforced": 2000, "discharge_limit_enforced": 2000}
"""How long contacts may wait for little current, per alarm; an alarm that is not here leaves no time."""
LITTLE_MA = 2000


@dataclass
class Witness:
    """Sees every cycle; `seen` collects what was reached."""

    settings: Settings
    latched: frozenset[str] = frozenset()
    last: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Last believable reading of each value, and when."""
    good: int = 0
    opened_ms: dict[str, int] = field(default_factory=dict)
    closings_ms: dict[str, list[int]] = field(default_factory=dict)
    heater_since_ms: int | None = None
    emergency_ms: int | None = None
    """When the emergency override in force was asked for."""
    refused_ms: dict[str, int] = field(default_factory=dict)
    """Since when a closed contactor lacks its permission."""
    seen: set[str] = field(default_factory=set)
    older_ms: int = 0
    """Asleep, a value may be older by one slow scan of the chip."""

    def __call__(self, _world: object, before: State, inputs: Inputs, after: State, out: Outputs) -> None:
        """Record the measurement, then object to anything against the rules."""
        self.older_ms = 1000 if before.sleep.asleep else 0
        self._record(inputs, out.values.frozen)
        active = {a.name for a, s in zip(ALARMS, after.alarms, strict=True) if s.active}
        cleared = {
            a.name
            for a, was, now in zip(ALARMS, before.alarms, after.alarms, strict=True)
            if was.active and not now.active
        }
        self.seen |= active | {f"cleared {name}" for name in cleared}
        self._s10(inputs, after, active)
        self._s1(before, inputs, out, active)
        self._s2(inputs, out, cleared)
        self._s3(before, inputs, out)
        self._s4(inputs, out, active)
        self._s7(inputs, out)
        self._s12(before, inputs, out)
        self._s13(inputs, out, cleared)

    def fresh(self, now_ms: int, prefix: str, count: int) -> list[int] | None:
        """Give all values of a group, or None when one is unknown or too old."""
        oldest = now_ms - self.settings.parameters.value_max_age_ms - self.older_ms
        found = [self.last.get(f"{prefix}{n}") for n in range(count)]
        return None if any(f is None or f[1] < oldest for f in found) else [f[0] for f in found if f]

    def _record(self, inputs: Inputs, frozen: tuple[int, ...]) -> None:
        m, now = inputs.afe.measurement, inputs.now_ms
        complete = m is not None and inputs.afe.state is AfeState.READY
        started = self.good >= self.settings.parameters.start_good_cycles
        self.good = self.good + 1 if complete else (self.good if started else 0)
        if m is None:
            return
        values = {f"cell{n}": (mv, CELL) for n, mv in enumerate(m.cell_mv) if n + 1 not in frozen}
        values |= {f"battery{n}": (t, DEGREE) for n, t in enumerate(m.battery_decic)}
        values |= {"switch0": (m.switch_decic, DEGREE)}
        anything = (-(10**9), 10**9)
        values |= {"current0": (m.current_ma, anything), "stack0": (m.stack_mv, anything)}
        values |= {"charger0": (m.charger_mv, anything)}
        for name, (value, (low, high)) in values.items():
            if value is not None and low <= value <= high:
                self.last[name] = (value, now)

    def _all(self, now_ms: int) -> tuple[list[int] | None, ...]:
        groups = (("cell", self.settings.cells), ("battery", 2), ("switch", 1), ("current", 1), ("stack", 1))
        return tuple(self.fresh(now_ms, prefix, count) for prefix, count in groups)

    def _s10(self, inputs: Inputs, after: State, active: set[str]) -> None:
        if self.emergency_ms is not None and inputs.now_ms - self.emergency_ms >= HALF_HOUR_MS:
            self.emergency_ms = None
            self.seen.add("emergency ended")
        for request in inputs.requests:
            if request.kind == "emergency" and not request.on:
                self.emergency_ms = None
            elif request.kind == "emergency" and self.emergency_ms is None:
                self.emergency_ms = inputs.now_ms
                for name in ("charge", "discharge"):
                    self.closings_ms.pop(name, None)
        assert (after.override is not None) is (self.emergency_ms is not None), "S10: an override of its own"
        assert ("emergency_override" in active) is (self.emergency_ms is not None), "S10: not announced"

    def _lifted(self, inputs: Inputs, block: Block, against: list[str]) -> bool:
        """Tell whether an override may lift these: nothing else, and no last limit passed by a measured value."""
        may = self.emergency_ms is not None and set(against) <= LIFTED[block]
        if may and not self._beyond(inputs, block):
            self.seen.add(f"{block.name} lifted")
            return True
        return False

    def _beyond(self, inputs: Inputs, block: Block) -> bool:
        """Tell whether a last limit of the override is passed, or cannot be judged."""
        p = self.settings.parameters
        cells, battery, switch, _, _ = self._all(inputs.now_ms)
        if cells is None or battery is None or switch is None:
            return True
        if min(cells) < p.cell_floor_mv or switch[0] > p.switch_otp_decic:
            return True
        over = max(cells) > p.cell_ovp_mv + p.emergency_over_mv or min(battery) < p.charge_utp_decic
        return block is Block.CHARGE and over

    def _s1(self, before: State, inputs: Inputs, out: Outputs, active: set[str]) -> None:
        limits = {Block.CHARGE: out.limits.charge_ma, Block.DISCHARGE: out.limits.discharge_ma}
        for block, on, allowed in (
            (Block.CHARGE, out.commands.charge, out.charge_allowed),
            (Block.DISCHARGE, out.commands.discharge or out.commands.precharge, out.discharge_allowed),
        ):
            if not on:
                self.refused_ms.pop(block.name or "", None)
            if not (on or allowed or limits[block]):
                continue
            self.seen.add(f"{block.name} on" if on else f"{block.name} allowed")
            against = [alarm.name for alarm in ALARMS if alarm.name in active and alarm.blocks & block]
            if on and not allowed:
                assert not limits[block], f"S12: {block.name} waits to open and the inverter may go on"
                self._waits(before, inputs, block, against)
                continue
            self.refused_ms.pop(block.name or "", None)
            assert not against or self._lifted(inputs, block, against), f"S1: {block.name} beside {against}"
            assert None not in self._all(inputs.now_ms), f"S1: {block.name} on an unknown or old value"
            assert inputs.afe.state is AfeState.READY, f"S1: {block.name} with the chip {inputs.afe.state}"
            assert self.good >= self.settings.parameters.start_good_cycles, f"S13: {block.name} too early"

    def _waits(self, before: State, inputs: Inputs, block: Block, against: list[str]) -> None:
        """Object to a contactor that is closed without permission, unless it may wait for little current."""
        name, now, p = block.name or "", inputs.now_ms, self.settings.parameters
        assert getattr(before.commands, name.lower()), f"S1: {name} closes without permission"
        overridden = LIFTED[block] & set(against) if self.emergency_ms is not None else set()
        assert not (overridden and self._beyond(inputs, block)), f"S10: {name} waits beyond a last limit"
        since = self.refused_ms.setdefault(name, now)
        leaves = [LEAVES_MS.get(alarm, 0) for alarm in against if alarm not in overridden]
        assert now - since < min([p.opening_wait_ms, *leaves]), f"S1: {name} waits too long beside {against}"
        assert None not in self._all(now), f"S1: {name} waits on an unknown or old value"
        assert inputs.afe.state is AfeState.READY, f"S1: {name} waits with the chip {inputs.afe.state}"
        current = self.fresh(now, "current", 1)
        assert current is not None
        assert abs(current[0]) >= LITTLE_MA, f"S12: {name} waits for nothing"
        self.seen.add(f"{name} waits")

    def _s2(self, inputs: Inputs, out: Outputs, cleared: set[str]) -> None:
        values, now = out.values, inputs.now_ms
        cells, battery, switch, current, stack = self._all(now)
        for reading, group in (
            (values.cell_max, cells), (values.cell_min, cells), (values.cell_spread, cells),
            (values.pack_mv, cells), (values.battery_max, battery), (values.battery_min, battery),
            (values.switch_decic, switch), (values.charge_ma, current), (values.discharge_ma, current),
        ):  # fmt: skip
            assert group is not None or not reading.complete, (
                "S2: an extreme without all its values is complete"
            )
        if cells:
            assert not values.cell_max.complete or values.cell_max.value == max(cells)
            assert not values.cell_min.complete or values.cell_min.value == min(cells)
        known = {"cells": cells, "battery": battery, "switch": switch, "current": current, "stack": stack}
        names = {
            "cells": OF_CELLS,
            "battery": OF_BATTERY,
            "switch": OF_SWITCH,
            "current": OF_CURRENT,
            "stack": OF_STACK,
        }
        for group, value in known.items():
            wrong = cleared & names[group] if value is None else set()
            assert not wrong, f"S2: {wrong} cleared while unknown"
        measured = inputs.afe.measurement is not None
        if not measured or inputs.afe.state is not AfeState.READY:
            # One that is measured without being set up is not lost; of everything else it says nothing.
            watched = measured and inputs.afe.state is AfeState.WATCHING
            cleared = cleared - {"afe_lost"} if watched else cleared
            assert not cleared & OF_CHIP, f"S2: {cleared & OF_CHIP} cleared without a poll"

        for name in ("charge", "discharge"):
            if getattr(inputs.feedback, name) is None:
                wrong = cleared & {f"{name}_contactor_welded", f"{name}_contactor_open"}
                assert not wrong, f"S2: {wrong} cleared while the contact is unknown"

    def _s3(self, before: State, inputs: Inputs, out: Outputs) -> None:
        now, was = out.commands, before.commands
        assert not (now.charge and now.heater), "S3: charge and heater together"
        if now.heater:
            assert not was.charge, "S3: heater before charge was off"
            assert inputs.lines.charge is not True, "S3: heater with the charge line on"
            assert inputs.feedback.charge is not True, "S3: heater with the charge contactor closed"
        if now.charge and not was.charge:
            assert not was.heater, "S3: charge before the heater was off"
            assert inputs.lines.heater is not True, "S3: charge with the heater line on"

    def _s4(self, inputs: Inputs, out: Outputs, active: set[str]) -> None:
        p, now = self.settings.parameters, inputs.now_ms
        if not out.commands.heater:
            self.heater_since_ms = None
            return
        self.seen.add("heater on")
        battery, cells = self.fresh(now, "battery", 2), self.fresh(now, "cell", self.settings.cells)
        charger, mohm = self.fresh(now, "charger", 1), self.settings.heater_mohm
        assert battery is not None, "S4: heater with an unknown battery temperature"
        assert min(battery) < p.charge_utpr_decic, "S4: heater at or above recovery"
        assert cells is not None, "S4: heater with an unknown supply"
        assert charger is not None, "S4: heater with an unknown supply"
        assert mohm is not None
        volts = max(sum(cells), charger[0]) / 1000
        assert volts / (mohm / 1000) <= 3.0, f"S4: {volts} V drives too much current"
        assert volts * volts / (mohm / 1000) <= 100.0, f"S4: {volts} V makes too much heat for a small pack"
        assert inputs.heater_ma is None or inputs.heater_ma <= 3000, (
            "S4: measured heater current over its limit"
        )
        assert not [a.name for a in ALARMS if a.name in active and a.blocks & Block.HEATER], "S4: blocked"
        assert self.good >= p.start_good_cycles, "S13: heater too early"
        if self.heater_since_ms is None:
            self.heater_since_ms = now
        assert now - self.heater_since_ms < p.heater_max_run_ms, "S4: longer than its longest run"

    def _s7(self, inputs: Inputs, out: Outputs) -> None:
        if None in self._all(inputs.now_ms):
            assert out.limits.charge_ma == out.limits.discharge_ma == 0, "S7: limits on unknown values"
        assert out.limits.charge_mv <= self.settings.parameters.cell_charge_mv * self.settings.cells

    def _s12(self, before: State, inputs: Inputs, out: Outputs) -> None:
        p, now = self.settings.parameters, inputs.now_ms
        rests = {
            "charge": p.contactor_min_off_ms, "discharge": p.contactor_min_off_ms, "heater": p.heater_min_off_ms
        }  # fmt: skip
        for name, rest_ms in rests.items():
            was, is_on = getattr(before.commands, name), getattr(out.commands, name)
            if was and not is_on:
                self.opened_ms[name] = now
            if is_on and not was:
                assert now - self.opened_ms.get(name, -HOUR_MS) >= rest_ms, f"S12: {name} without its rest"
                closings = [t for t in self.closings_ms.get(name, []) if now - t < HOUR_MS]
                self.closings_ms[name] = [*closings, now]
                if name != "heater":
                    assert len(closings) < p.contactor_operations_per_hour, f"S12: {name} too often"

    def _s13(self, inputs: Inputs, out: Outputs, cleared: set[str]) -> None:
        asked = {request.name for request in inputs.requests if request.kind == "reset"}
        assert cleared & LATCHING <= asked, "S13: a latched alarm went away by itself"
        if out.commands.precharge:
            self.seen.add("precharge on")
        if out.commands.balance_mask:
            self.seen.add("balance on")
            chosen = out.commands.balance_mask
            assert not chosen & chosen << 1, "neighbouring cells are balanced together"
