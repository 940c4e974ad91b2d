"""The values of a JK board that stand for this pack: from configuration, parameters in force, and one present snapshot.

JK has no word for unknown, and its clients work out limits from what they read. A pack that has lost a measurement
they need therefore answers as one that has failed, not with a number in its place (S2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bmsd import __version__
from bmsd.config.load import Config
from bmsd.inverters import conditions as groups
from bmsd.ipc.snapshot import Snapshot
from bmsd.links.identity import serial_number
from bmsd.links.modbus_rtu import Refusal, RefusedError
from bmsd.links.sunspec_values import is_on
from bmsd.tables.jk import MOST_CELLS, NO_SENSOR_DECIC

HARDWARE, SOFTWARE = "15A", "15.41"
"""Clients choose the layout, and what the heater's fields mean, by these two."""
_YEAR_2020_S = 1_577_836_800
_MEASURED = (
    "pack_mv", "current_ma", "soc_permille", "remaining_mah", "capacity_mah", "cell_average_mv", "cell_difference_mv",
    "min_cell", "max_cell", "cell_mv", "battery_decic",
)  # fmt: skip
_COUNTED = ("cycles_milli", "discharged_mah", "runtime_ms", "uptime_ms", "emergency_remaining_ms")
"""Values that are told as 0 while they are unknown; nobody decides by them."""
STAGES = {"bulk": 0, "absorption": 1, "float": 2, "rest": 2}
"""The stage of a charge as JK counts it; rest is its float without a current."""
_HEATING_BIT, _FLOAT_BIT = 0, 9
_INSIDE = groups.CHIP + groups.STOPPED
ALARM_BITS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (1, groups.SWITCH_HOT), (3, groups.CURRENT_SENSE), (4, groups.CELL_HIGH), (5, groups.PACK_HIGH),
    (6, groups.CHARGE_CURRENT), (8, groups.CHARGE_HOT), (9, groups.CHARGE_COLD), (10, groups.MEASURING + _INSIDE),
    (11, groups.CELL_EMPTY + groups.CELL_FLOOR), (12, groups.PACK_EMPTY), (13, groups.DISCHARGE_CURRENT),
    (14, groups.SHORT), (15, groups.DISCHARGE_HOT), (16, groups.CHARGE_SWITCH + groups.BOTH_SWITCHES),
    (17, groups.DISCHARGE_SWITCH + groups.BOTH_SWITCHES), (22, ("temperature_lost",)), (27, groups.DISCHARGE_COLD),
)  # fmt: skip
"""Bits of the PB series with the alarms they stand for."""
WARNING_BITS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (0, groups.LOW_WARNING), (1, groups.SWITCH_HOT), (2, groups.PACK_HIGH), (3, groups.PACK_EMPTY),
    (4, groups.CHARGE_HOT + groups.DISCHARGE_HOT), (5, groups.CHARGE_CURRENT),
    (6, groups.DISCHARGE_CURRENT + groups.SHORT), (7, groups.CELL_SPREAD),
    (9, groups.CHARGE_COLD + groups.DISCHARGE_COLD), (10, groups.CELL_HIGH),
    (11, groups.CELL_EMPTY + groups.CELL_FLOOR), (12, groups.MEASURING + _INSIDE + groups.SWITCHES),
)  # fmt: skip
"""Bits of the 4E57 protocol likewise; bit 12 is a protection of a board without a name of its own."""


def fixed(config: Config, unit: int) -> dict[str, Any]:
    """Give what only the configuration decides."""
    serial = serial_number()
    return {
        "maker": "bmsd",
        "model": f"bmsd-{config.cells}S",
        # Some clients take the name for the identity: two packs must not have the same one.
        "name": f"bmsd {serial[:10]}",
        "program": f"bmsd {__version__}",
        # Filled up as boards do it: clients show what they read.
        "program_filled": f"bmsd_{__version__}".ljust(15, "_"),
        "hardware": HARDWARE,
        "software": SOFTWARE,
        "serial": serial,
        "nothing": "",
        "made": "0000",
        "unit": unit,
        "cells": config.cells,
        "battery_sensors": config.battery_sensors,
        "rated_mah": config.capacity_mah,
        "balance_max_ma": 0,
        "chemistry_code": {"lifepo4": 0, "li-ion": 1, "lto": 2}[config.chemistry],
    }


def in_force(parameters: Mapping[str, int], config: Config) -> dict[str, Any]:
    """Give the settings that JK has in a form of its own, from the parameters in force."""
    heater_fitted = config.heater_mohm is not None
    return {
        **parameters,
        "cell_float_mv": parameters["cell_charge_mv"] - parameters["float_below_mv"],
        "control_bits": heater_fitted << _HEATING_BIT | bool(parameters["float_charge"]) << _FLOAT_BIT,
    }


def present(snapshot: Snapshot, config: Config) -> dict[str, Any]:
    """Give what a present snapshot says. RefusedError: a measurement that a client needs is unknown."""
    points = snapshot.points
    if any(_is_unknown(points.get(name)) for name in _MEASURED) or "alarms" not in snapshot.document:
        raise RefusedError(Refusal.DEVICE)
    active = {str(alarm["name"]) for alarm in snapshot.document["alarms"]}
    current_ma, pack_mv = points["current_ma"], points["pack_mv"]
    return {
        **points,
        **{name: points.get(name) or 0 for name in (*_COUNTED, "heater_ma", "balance_ma")},
        **_temperatures(points["battery_decic"], points.get("switch_decic"), config.afe.switch_sensor),
        **_switches(points),
        "wire_mohm": [mohm or 0 for mohm in points.get("wire_mohm") or ()],
        "cells_present": (1 << min(len(points["cell_mv"]), MOST_CELLS)) - 1,
        "max_place": points["max_cell"] - 1,
        "min_place": points["min_cell"] - 1,
        "magnitude_mw": abs(pack_mv * current_ma) // 1000,
        # Until it was learned the counter works with the rated capacity, and this says so.
        "soh_permille": 1000 * points["capacity_mah"] // config.capacity_mah,
        "alarm_bits": _bits(ALARM_BITS, active),
        "warning_bits": _bits(WARNING_BITS, active),
        "current_word": min(abs(current_ma) // 10, 0x7FFF) | (current_ma > 0) << 15,
        "charging": int(current_ma > 0),
        "charge_stage": STAGES.get(str(points.get("charge_phase")), 0),
        "clock_s": max(int(snapshot.document.get("time") or 0) - _YEAR_2020_S, 0),
    }


def _is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, list) and (not value or None in value))


def _temperatures(battery: list[int], switch: int | None, switch_sensor: bool) -> dict[str, int | None]:
    """Give the sensors in the forms of both protocols, and what stands where none is fitted."""
    second = battery[1] if len(battery) > 1 else None
    named = {"switch": switch, "battery_1": battery[0], "battery_2": second}
    # The older protocol has no word for a place without a sensor, and its clients take the coldest of all that they
    # read: a fitted one is told again, for the switch board the warmest. For a lost one nothing stands in.
    words = {"switch_word": max(battery) if switch is None and not switch_sensor else switch,
             "battery_1_word": battery[0], "battery_2_word": battery[0] if second is None else second}  # fmt: skip
    return {
        **{f"{name}_decic": NO_SENSOR_DECIC if decic is None else decic for name, decic in named.items()},
        **{name: None if decic is None else _degrees(decic) for name, decic in words.items()},
        "sensor_bits": sum((decic is not None) << place for place, decic in enumerate(named.values())),
    }


def _degrees(decic: int) -> int:
    """Give whole degrees as the older protocol has them: 101 to 140 are -1 to -40."""
    degrees = min(max((2 * decic + 10) // 20, -40), 100)
    return degrees if degrees >= 0 else 100 - degrees


def _switches(points: Mapping[str, Any]) -> dict[str, int]:
    """Give what is on. A direction that is not allowed reads as off, also while a common contactor is closed."""
    ways = {
        way: int(points.get(f"{way}_allowed") is True and is_on(points, way) is True)
        for way in ("charge", "discharge")
    }
    balancing = int(bool(points.get("balance_commanded")))
    # Bit 3, battery present, stays clear as on recorded boards: a client in service reads three bits as digits.
    return {
        "charge_on": ways["charge"],
        "discharge_on": ways["discharge"],
        "precharge_on": int(is_on(points, "precharge") is True),
        "heating": int(is_on(points, "heater") is True),
        "balance_action": 2 * balancing,
        "status_bits": ways["charge"] | ways["discharge"] << 1 | balancing << 2,
    }


def _bits(rows: Iterable[tuple[int, tuple[str, ...]]], active: set[str]) -> int:
    return sum(1 << bit for bit, names in rows if active & set(names))
