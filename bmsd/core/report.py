"""Turn one decision into the points people and programs see; every point of the table, unknown as None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bmsd.core import contactor_life, emergency, heater, sleep, soc
from bmsd.core.alarms import active
from bmsd.core.settings import Settings
from bmsd.core.state import Outputs, State
from bmsd.core.types import Inhibit, Inputs, Levels
from bmsd.tables.alarms import Release

Value = int | bool | str | list[int | None] | list[bool] | None


@dataclass(frozen=True, slots=True)
class Cycle:
    """What the shell knows about the running of cycles."""

    sequence: int
    uptime_ms: int
    runtime_ms: int
    last_us: int
    worst_us: int
    overruns: int
    disk_bytes: int


def points(
    settings: Settings,
    state: State,
    out: Outputs,
    inputs: Inputs,
    levels: Levels,
    cycle: Cycle,
) -> dict[str, Value]:
    """Build all points; `levels` are the output lines read back after this cycle's commands."""
    return {
        "sequence": cycle.sequence,
        "uptime_ms": cycle.uptime_ms,
        "runtime_ms": cycle.runtime_ms,
        "state": out.word,
        **_pack(settings, state, out),
        **_cells(settings, out),
        "battery_decic": _all(out.values.battery_decic, settings.battery_sensors),
        "switch_decic": out.values.switch_decic.value,
        **_switches(settings, out, inputs, levels),
        "charge_allowed": out.charge_allowed,
        "discharge_allowed": out.discharge_allowed,
        "heater_demanded": out.heater_demanded,
        **_heater(settings, out, inputs, levels),
        "charge_limit_mv": out.limits.charge_mv,
        "charge_limit_ma": out.limits.charge_ma,
        "discharge_limit_ma": out.limits.discharge_ma,
        "discharge_limit_mv": out.limits.discharge_mv,
        "emergency_active": state.override is not None,
        "emergency_remaining_ms": 0 if state.override is None else state.override.left_ms(inputs.now_ms),
        "period_ms": sleep.period_ms(settings.parameters, state.sleep),
        "cycle_last_us": cycle.last_us,
        "cycle_worst_us": cycle.worst_us,
        "cycle_overruns": cycle.overruns,
        "bus_errors": inputs.afe.errors,
        "disk_bytes": cycle.disk_bytes,
        **_wear(settings, state),
        "force_charge": state.asks_force and out.charge_allowed,
        "full_charge": state.asks_full and out.charge_allowed,
        "charge_phase": None if state.limiting is None else state.limiting.charging.phase.value,
        "charge_limit_reason": out.limits.charge_reason,
        "discharge_limit_reason": out.limits.discharge_reason,
        "heat_ma": out.limits.heat_ma,
    }


def _pack(settings: Settings, state: State, out: Outputs) -> dict[str, Value]:
    values = out.values
    pack_mv, current_ma = values.pack_mv.value, values.current_ma
    known = pack_mv is not None and current_ma is not None
    shown: dict[str, Value] = {
        "pack_mv": pack_mv,
        "current_ma": current_ma,
        "power_mw": pack_mv * current_ma // 1000 if known else None,  # type: ignore[operator]
        "soh_permille": None,
        "capacity_mah": settings.capacity_mah,
    }
    counter = state.soc
    names = ("soc_permille", "soc_error_permille", "remaining_mah", "cycles_milli", "full_charges")
    if counter is None:
        return {**shown, **dict.fromkeys((*names, "discharged_mah"))}
    lowest = values.cell_min.value if values.cell_min.complete else None
    discharged_mah = counter.discharged_mams // soc.MAMS_PER_MAH
    shown |= {
        "soc_permille": soc.shown_permille(settings, counter, lowest),
        "soc_error_permille": soc.error_permille(settings, counter),
        "remaining_mah": counter.charge_mams // soc.MAMS_PER_MAH,
        "cycles_milli": discharged_mah * 1000 // settings.capacity_mah,
        "full_charges": counter.full_charges,
        "discharged_mah": discharged_mah,
    }
    return shown


def _cells(settings: Settings, out: Outputs) -> dict[str, Value]:
    """Show the cells; an extreme is unknown while any cell is, for the unknown one may be it (S2)."""
    values = out.values
    cells = _all(values.cell_mv, settings.cells)
    mask = out.commands.balance_mask
    high, low = values.cell_max, values.cell_min
    whole = high.complete
    pack_mv = values.pack_mv.value
    return {
        "cell_mv": cells,
        "cell_min_mv": low.value if whole else None,
        "cell_max_mv": high.value if whole else None,
        "cell_average_mv": None if pack_mv is None else pack_mv // settings.cells,
        "cell_difference_mv": values.cell_spread.value if whole else None,
        "min_cell": low.where if whole else None,
        "max_cell": high.where if whole else None,
        "balancing": [bool(mask >> n & 1) for n in range(settings.cells)],
        "balance_ma": None,
        "wire_mohm": _all((), settings.cells),
    }


def _all(values: tuple[int | None, ...], count: int) -> list[int | None]:
    """Give a full list, of unknowns where nothing was measured yet."""
    return list(values) if values else [None] * count


def _switches(settings: Settings, out: Outputs, inputs: Inputs, levels: Levels) -> dict[str, Value]:
    """Show each switch as commanded and as read: the auxiliary contact where wired, else the line."""
    shown: dict[str, Value] = {}
    for name in ("charge", "discharge", "precharge", "heater", "buzzer"):
        # The common contactor is the switch of both directions.
        switch = "main" if settings.common and name in {"charge", "discharge"} else name
        contact: bool | None = getattr(inputs.feedback, switch)
        shown[f"{name}_commanded"] = getattr(out.commands, switch)
        shown[f"{name}_actual"] = getattr(levels, switch) if contact is None else contact
    balancing = bool(out.commands.balance_mask)
    return shown | {"balance_commanded": balancing, "balance_actual": None}


def _wear(settings: Settings, state: State) -> dict[str, Value]:
    """Count each switch's closings; the common contactor is the switch of both directions."""
    sides = {"charge": "main", "discharge": "main"} if settings.common else {}
    names = ("charge", "discharge", "precharge", "heater")
    return {
        f"{name}_closings": contactor_life.switch(state, sides.get(name, name)).closings for name in names
    }


def _heater(settings: Settings, out: Outputs, inputs: Inputs, levels: Levels) -> dict[str, Value]:
    """Show the heater's current: measured where possible, else from its resistance while on."""
    volts = heater.supply_mv(settings, out.values)
    current_ma = inputs.heater_ma
    if current_ma is None and settings.heater_mohm is not None:
        if levels.heater is False:
            current_ma = 0
        elif levels.heater and volts is not None:
            current_ma = volts * 1000 // settings.heater_mohm
    known = current_ma is not None and volts is not None
    power_mw = volts * current_ma // 1000 if known else None  # type: ignore[operator]
    return {"heater_ma": current_ma, "heater_mw": 0 if current_ma == 0 else power_mw}


def alarms(settings: Settings, state: State) -> list[dict[str, Any]]:
    """List the active alarms as the snapshot carries them, with what an emergency override lifts of each."""
    lifts = emergency.lifts(state.override)
    return [
        {
            "name": rule.alarm.name,
            "since_ms": alarm.since_ms,
            "where": alarm.where,
            "value": alarm.value,
            "limit": rule.trip if rule.alarm.trip else None,
            "latched": rule.alarm.ends is Release.OPERATOR,
            "lifted": (rule.alarm.overridable & lifts).names,
        }
        for rule, alarm in zip(settings.table, state.alarms, strict=True)
        if alarm.active
    ]


def why(out: Outputs) -> dict[str, list[dict[str, Any]]]:
    """Give the reasons against each thing an operator may ask about, as the snapshot carries them."""
    return {
        "charge": [_reason(reason) for reason in out.charge_inhibits],
        "discharge": [_reason(reason) for reason in out.discharge_inhibits],
        "heater": [_reason(reason) for reason in out.heater_inhibits],
        "balance": [_reason(reason) for reason in out.balance_inhibits],
    }


def _reason(reason: Inhibit) -> dict[str, Any]:
    return {"because": reason.because.value, "name": reason.name, "until_ms": reason.until_ms}


def latched(state: State) -> Mapping[str, tuple[int | None, int | None]]:
    """Give the alarms that must survive a restart (S13)."""
    return {alarm.name: (told.value, told.where) for alarm, told in active(state.alarms) if alarm.survives}
