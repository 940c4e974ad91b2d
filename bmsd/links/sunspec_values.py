"""The values of the SunSpec models: what follows from the configuration, and what from one present snapshot.

In SunSpec a positive current discharges, as its clients expect of a battery; everywhere else in bmsd it charges.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bmsd import __version__
from bmsd.config.load import Config
from bmsd.inverters import conditions as groups
from bmsd.ipc.snapshot import Snapshot
from bmsd.links.identity import serial_number
from bmsd.tables import alarms, registers
from bmsd.tables.alarms import Severity
from bmsd.tables.chemistries import CHEMISTRIES

FLOW_MA = 100
"""Less current than this is none."""
_EVENTS = (
    (28, ("configuration_fault", "afe_refused")),
    (0, groups.MEASURING),
    (1, groups.CHARGE_HOT + groups.DISCHARGE_HOT + groups.SWITCH_HOT),
    (3, groups.CHARGE_COLD + groups.DISCHARGE_COLD),
    (5, groups.CHARGE_CURRENT),
    (6, groups.CHARGE_CURRENT_WARNING),
    (7, groups.DISCHARGE_CURRENT + groups.SHORT),
    (8, groups.DISCHARGE_CURRENT_WARNING),
    (9, groups.CELL_HIGH + groups.PACK_HIGH),
    (10, ("voltage_limit_ignored",)),
    (11, groups.CELL_EMPTY + groups.PACK_EMPTY + groups.CELL_FLOOR),
    (12, ("cell_low",)),
    (17, groups.CELL_SPREAD),
    (19, ("temperature_spread",)),
    (20, groups.SWITCHES),
)
"""Bits of Evt1 with the alarms they stand for, the first that fits. The rest are other alarms or other warnings."""
OTHER_ALARM, OTHER_WARNING = 25, 26
_VENDOR_BITS = 31
"""A bit field of 32 bits has 31: with all of them it would say that it is not implemented."""
DISCONNECTED, INITIALIZING, CONNECTED, STANDBY, SOC_PROTECTION, FAULT = 1, 2, 3, 4, 5, 99
OFF, EMPTY, DISCHARGING, CHARGING, FULL, HOLDING = 1, 2, 3, 4, 5, 6
NO_FAILURE, CONTACTOR_FAILURE, PRECHARGE_FAILURE, STRING_FAULT = 0, 6, 7, 8
_LARGEST_U16, _LARGEST_S16 = 0xFFFE, 0x7FFF


def fixed(config: Config, unit: int) -> dict[str, Any]:
    """Give what only the configuration decides; it stays while the link runs, scale factors with it."""
    chemistry, parameters = CHEMISTRIES[config.chemistry], config.parameters
    nominal_mv = chemistry.nominal_mv * config.cells
    rated_mwh = config.capacity_mah * nominal_mv // 1000
    charge_mw = parameters.charge_max_ma * nominal_mv // 1000
    discharge_mw = parameters.discharge_max_ma * nominal_mv // 1000
    most_ma = max(parameters.charge_ocp2_ma, parameters.discharge_ocp2_ma)
    most_mw = most_ma * parameters.cell_ovp_mv * config.cells // 1000
    return {
        "maker": "bmsd",
        "model": f"{chemistry.title} {config.cells}S",
        "options": config.afe.chip,
        "version": __version__,
        "serial": serial_number(),
        "unit": unit,
        "cells": config.cells,
        "nominal_mv": nominal_mv,
        "rated_mah": config.capacity_mah,
        "rated_mwh": rated_mwh,
        "charge_rated_mw": charge_mw,
        "discharge_rated_mw": discharge_mw,
        "energy_exponent": _exponent(rated_mwh, _LARGEST_U16),
        "rating_exponent": _exponent(max(charge_mw, discharge_mw), _LARGEST_U16),
        "power_exponent": _exponent(most_mw, _LARGEST_S16),
    }


def _exponent(most_milli: int, largest: int) -> int:
    """Give the smallest power of ten, from one, by which the largest value fits a register."""
    return next(exponent for exponent in range(6) if most_milli <= largest * 1000 * 10**exponent)


def present(snapshot: Snapshot, nominal_mv: int) -> dict[str, Any]:
    """Give what a present snapshot says; None is unknown."""
    points: Mapping[str, Any] = snapshot.points
    active = [str(alarm["name"]) for alarm in snapshot.document.get("alarms", ())]
    soc_permille, remaining_mah = points.get("soc_permille"), points.get("remaining_mah")
    uptime_ms, balancing = points.get("uptime_ms"), points.get("balancing")
    return {
        **points,
        **_temperatures(points.get("battery_decic")),
        **_string(points, active),
        **_events(active),
        "state": registers.STATES.get(str(points.get("state"))),
        "taken_ma": _turned(points.get("current_ma")),
        "taken_mw": _turned(points.get("power_mw")),
        "charge_limit_ma": _allowed(points, "charge"),
        "discharge_limit_ma": _allowed(points, "discharge"),
        "dod_permille": None if soc_permille is None else 1000 - soc_permille,
        "remaining_mwh": None if remaining_mah is None else remaining_mah * nominal_mv // 1000,
        "heartbeat": None if uptime_ms is None else uptime_ms // 1000 % 0xFFFF,
        "cells_balanced": None if not balancing or None in balancing else sum(balancing),
        "charge_status": _charge_status(points),
        "inverter_request": None if (force := points.get("force_charge")) is None else int(force),
    }


def _turned(value: int | None) -> int | None:
    return None if value is None else -value


def _allowed(points: Mapping[str, Any], way: str) -> int | None:
    """Give a current limit; what is not allowed is zero, whatever else is known."""
    limit_ma: int | None = points.get(f"{way}_limit_ma")
    return limit_ma if points.get(f"{way}_allowed") is True else 0


def _temperatures(sensors: list[int | None] | None) -> dict[str, int | None]:
    """Give the extremes of the sensors; unknown while any of them is, for it may be the extreme (S2)."""
    known = [decic for decic in sensors or () if decic is not None]
    names = ("battery_max_decic", "battery_min_decic", "battery_average_decic")
    if not known or len(known) < len(sensors or ()):
        return dict.fromkeys(names)
    return dict(zip(names, (max(known), min(known), round(sum(known) / len(known))), strict=True))


def is_on(points: Mapping[str, Any], name: str) -> bool | None:
    """Give a switch as read back, or as commanded where it cannot be read."""
    actual: bool | None = points.get(f"{name}_actual")
    commanded: bool | None = points.get(f"{name}_commanded")
    return commanded if actual is None else actual


def _string(points: Mapping[str, Any], active: Collection[str]) -> dict[str, int | None]:
    """Say how the contactors stand, and what keeps them open."""
    switches = [is_on(points, name) for name in ("charge", "discharge", "precharge")]
    charge, discharge = switches[:2]
    known = charge is not None and discharge is not None
    rows = [row for name in active if (row := alarms.BY_NAME.get(name))]
    faults = any(row.severity is Severity.FAULT for row in rows)
    contactors = sum(1 << place for place, on in enumerate(switches) if on)
    failure = (
        CONTACTOR_FAILURE if set(active) & set(groups.SWITCHES) else STRING_FAULT if faults else NO_FAILURE
    )
    return {
        "contactors": contactors if known else None,
        "connected": int(bool(charge or discharge)) if known else None,
        "string_status": (0 if faults else 1) | (bool(charge and discharge) << 1) if known else None,
        "connection_failure": PRECHARGE_FAILURE if "precharge_failed" in active else failure,
        "disabled_reason": int(any(row.blocks for row in rows)),
        "bank_state": _bank_state(points, active),
    }


def _is_closed(points: Mapping[str, Any]) -> bool | None:
    """Tell whether a way into the pack is closed; unknown while one is that could be."""
    ways = [is_on(points, name) for name in ("charge", "discharge")]
    return True if any(ways) else None if None in ways else False


def _bank_state(points: Mapping[str, Any], active: Collection[str]) -> int | None:
    word, closed = points.get("state"), _is_closed(points)
    if word in {"starting", "fault"}:
        return INITIALIZING if word == "starting" else FAULT
    if word is None or closed is None:
        return None
    if closed:
        return STANDBY if word == "sleeping" else CONNECTED
    limits = groups.CELL_HIGH + groups.PACK_HIGH + groups.CELL_EMPTY + groups.PACK_EMPTY
    return SOC_PROTECTION if set(active) & set(limits) else DISCONNECTED


def _charge_status(points: Mapping[str, Any]) -> int | None:
    current_ma, soc_permille, closed = (
        points.get("current_ma"),
        points.get("soc_permille"),
        _is_closed(points),
    )
    if current_ma is None:
        return None
    if abs(current_ma) >= FLOW_MA:
        return CHARGING if current_ma > 0 else DISCHARGING
    if not closed:
        return None if closed is None else OFF
    if soc_permille in {0, 1000}:
        return FULL if soc_permille else EMPTY
    return None if soc_permille is None else HOLDING


def _events(active: Collection[str]) -> dict[str, int]:
    """Give the event bits, the bits of single alarms by code, and the worst of all."""
    bits, codes, worst = 0, 0, 0
    for name in active:
        row = alarms.BY_NAME.get(name)
        mild = row is not None and row.severity is Severity.WARNING
        bits |= 1 << next(
            (bit for bit, names in _EVENTS if name in names), OTHER_WARNING if mild else OTHER_ALARM
        )
        worst = max(worst, 2 if row is None or row.severity is Severity.FAULT else 1)
        codes |= 1 << row.code >> 1 if row else 0
    mask = (1 << _VENDOR_BITS) - 1
    return {
        "events": bits,
        "alarms_1": codes & mask,
        "alarms_2": codes >> _VENDOR_BITS & mask,
        "storage_status": worst,
    }
