"""What an inverter may be told at this moment, the same for every protocol.

Rule S7 lives here: a view is either good, made of one present snapshot with every measurement known, or it
says that the data is lost: no current either way, the alarm `data_lost`, and not one measured value. Of what was told
before only bounds are kept: lost data raises no charge voltage and lowers no discharge voltage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bmsd.inverters.frames import Value

DATA_LOST = "data_lost"
"""Stands beside the alarms of the core: the link itself has nothing present to tell."""

LIFTED = "_lifted"
"""Ends the name of an alarm whose block an emergency override lifts: told as a warning, or the inverter stops (S10)."""

STAND_BY, CHARGING, DISCHARGING = 1, 2, 3
FLOW_MA = 100
"""One step of the wire: less current than this is stand-by, or the noise of a reading would change the word."""
_CHEMISTRIES = {"lifepo4": 0, "li-ion": 1, "lto": 2}
_CELLS = 25
"""Most cells that any protocol shows one by one."""
_SENSORS = 4
"""Likewise sensors of the battery."""

_SAME = (
    "pack_mv", "current_ma", "soc_permille", "soh_permille", "cell_min_mv", "cell_max_mv", "min_cell", "max_cell",
    "cell_difference_mv", "capacity_mah", "remaining_mah", "discharged_mah", "cycles_milli", "runtime_ms",
    "heater_ma", "switch_decic",
)  # fmt: skip
"""Points that are told as they are."""

_MEASURED = ("pack_mv", "current_ma", "cell_min_mv", "cell_max_mv")
"""Without any of these the limits are founded on nothing."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What is known of the pack without measuring it: told while the core's own values are not to be had."""

    charge_mv: int
    discharge_mv: int
    chemistry: str = "lifepo4"
    capacity_mah: int | None = None


class Bounds(NamedTuple):
    """What was told last: while the data is lost nobody is told more. None: no bound is known."""

    charge_mv: int | None = None
    """Charge voltage told."""
    stop_mv: int | None = None
    """Charge voltage that would have said stop when the pack's own was last known."""
    discharge_mv: int | None = None
    """Lowest voltage told."""


UNBOUND = Bounds()


@dataclass(frozen=True, slots=True)
class View:
    """The values and active alarms to tell."""

    values: Mapping[str, Value]
    alarms: frozenset[str]
    good: bool

    @property
    def urgent(self) -> tuple[bool, ...]:
        """Give what an inverter should hear of at once rather than at the next period."""
        currents = (self.values["charge_limit_ma"], self.values["discharge_limit_ma"])
        return (self.good, *(bool(current) for current in currents))


def view(
    document: Mapping[str, Any] | None,
    configured: Configured,
    above_pack_mv: int = 0,
    bounds: Bounds = UNBOUND,
) -> View:
    """Turn a present snapshot into what to tell; None stands for a missing or stale one.

    While charging is forbidden the charge voltage stays `above_pack_mv` above the pack's own. `bounds` are those of
    the view before.
    """
    points: Mapping[str, Any] = document["points"] if document else {}
    active = frozenset(_name(alarm) for alarm in document.get("alarms", ())) if document else frozenset()
    temperature_decic = _average(points.get("battery_decic"))
    if temperature_decic is None or any(points.get(name) is None for name in _MEASURED):
        return _lost(active, configured, _narrowed(bounds, points, configured))
    heat_ma = points.get("heat_ma") or 0
    # A charger is asked for what the heater on the pack takes, and for nothing that would go into the cells (S3).
    allowed = points.get("charge_allowed") is True
    may_charge = allowed or heat_ma > 0
    may_discharge = points.get("discharge_allowed") is True
    force_charge = allowed and points.get("force_charge") is True
    values: dict[str, Value] = {
        **{name: points.get(name) for name in _SAME},
        **_extremes(points),
        **_switches(points),
        **_cells(points.get("cell_mv") or ()),
        **_permissions(configured, may_charge, may_discharge),
        "soc_fine_permille": points.get("soc_permille"),
        "temperature_decic": temperature_decic,
        "charge_limit_mv": _charge_limit_mv(points, configured, may_charge, above_pack_mv),
        "charge_limit_ma": points.get("charge_limit_ma") or 0 if allowed else heat_ma,
        "discharge_limit_ma": points.get("discharge_limit_ma") or 0 if may_discharge else 0,
        "discharge_limit_mv": points.get("discharge_limit_mv") or configured.discharge_mv,
        "force_charge_bit_5": force_charge,
        "force_charge_bit_4": force_charge,
        "charge_request": force_charge,
        "full_charge_request": allowed and points.get("full_charge") is True,
    }
    return View(values, active, good=True)


def _name(alarm: Mapping[str, Any]) -> str:
    return f"{alarm['name']}{LIFTED}" if alarm.get("lifted") else str(alarm["name"])


def remember(told: View, before: Bounds, configured: Configured, above_pack_mv: int) -> Bounds:
    """Keep what binds the next view, should its data be lost; nothing measured goes into a frame from here (S7)."""
    stop_mv = before.stop_mv
    if told.good:
        # Not below the pack's lowest: some inverters discharge down to it.
        stop_mv = max(_mv(told, "pack_mv") + above_pack_mv, configured.discharge_mv)
    return Bounds(_mv(told, "charge_limit_mv"), stop_mv, _mv(told, "discharge_limit_mv"))


def _mv(told: View, name: str) -> int:
    """Give a voltage that no view is without, or no good one."""
    value = told.values[name]
    assert isinstance(value, int)
    return value


def _narrowed(bounds: Bounds, points: Mapping[str, Any], configured: Configured) -> Bounds:
    """Narrow what was told last by what the core asks now, as far as it is known."""
    charge = _known(bounds.charge_mv, points.get("charge_limit_mv"), configured.charge_mv)
    discharge = _known(bounds.discharge_mv, points.get("discharge_limit_mv"), configured.discharge_mv)
    return Bounds(min(charge), bounds.stop_mv, max(discharge))


def _known(*values: int | None) -> list[int]:
    return [value for value in values if value is not None]


def _lost(active: frozenset[str], configured: Configured, bounds: Bounds) -> View:
    """Allow nothing; the charge voltage is at most the one asked last, and says stop as far as the pack's was known.

    Never 0 V, to which some inverters discharge.
    """
    values: dict[str, Value] = {
        **_permissions(configured, may_charge=False, may_discharge=False),
        "charge_limit_mv": min(_known(bounds.charge_mv, bounds.stop_mv)),
        "charge_limit_ma": 0,
        "discharge_limit_ma": 0,
        "discharge_limit_mv": bounds.discharge_mv,
        "configured_mah": configured.capacity_mah,
    }
    return View(values, active | {DATA_LOST}, good=False)


def _permissions(configured: Configured, may_charge: bool, may_discharge: bool) -> dict[str, Value]:
    """Give what follows from the permissions, and what is always so."""
    return {
        "charge_enable": may_charge,
        "discharge_enable": may_discharge,
        "modules": 1,
        "modules_blocking_charge": not may_charge,
        "modules_blocking_discharge": not may_discharge,
        "chemistry_code": _CHEMISTRIES.get(configured.chemistry),
    }


def _extremes(points: Mapping[str, Any]) -> dict[str, Value]:
    """Give the extremes of the sensors, all of which are known, and the names of cells and sensors."""
    sensors = list(points["battery_decic"])
    lowest, highest = min(sensors), max(sensors)
    numbers = {
        "min_sensor": sensors.index(lowest) + 1,
        "max_sensor": sensors.index(highest) + 1,
        "min_cell": points.get("min_cell"),
        "max_cell": points.get("max_cell"),
    }
    return {
        **numbers,
        **{f"{name}_name": None if number is None else str(number) for name, number in numbers.items()},
        **{f"temperature_{number}_decic": decic for number, decic in enumerate(sensors, 1)},
        "temperature_min_decic": lowest,
        "temperature_max_decic": highest,
        "sensor_mask": _sensor_mask(len(sensors), points.get("switch_decic") is not None),
    }


def _sensor_mask(sensors: int, switch: bool) -> int:
    """Give a bit for each temperature there is; the third is that of the switches, and the others go around it."""
    battery = (1 << min(sensors, _SENSORS)) - 1
    return battery & 3 | switch << 2 | battery >> 2 << 3


def _switches(points: Mapping[str, Any]) -> dict[str, Value]:
    """Give what is switched on, and which way the current flows."""
    current_ma = points["current_ma"]
    flow = CHARGING if current_ma >= FLOW_MA else DISCHARGING if current_ma <= -FLOW_MA else STAND_BY
    return {
        "flow": flow,
        "flow_together": flow,
        "charge_on": _on(points, "charge"),
        "discharge_on": _on(points, "discharge"),
        "heating": _on(points, "heater"),
        "balancing": points.get("balance_commanded"),
    }


def _on(points: Mapping[str, Any], name: str) -> bool | None:
    """Give a switch as read back, or as commanded where it cannot be read."""
    actual: bool | None = points.get(f"{name}_actual")
    commanded: bool | None = points.get(f"{name}_commanded")
    return commanded if actual is None else actual


def _cells(voltages_mv: Sequence[int | None]) -> dict[str, Value]:
    """Give the single cells; those that the pack does not have are 0."""
    if not voltages_mv:
        return {}
    filled = [*voltages_mv, *[0] * (_CELLS - len(voltages_mv))]
    return {"cells": len(voltages_mv), **{f"cell_{number}_mv": mv for number, mv in enumerate(filled, 1)}}


def _charge_limit_mv(
    points: Mapping[str, Any], configured: Configured, may_charge: bool, above_pack_mv: int
) -> int:
    """Give the charge voltage; where charging is forbidden hardly above the pack's own voltage.

    Never above what the core asks: following a pack that rises would let a charger go on.
    """
    asked_mv = int(points.get("charge_limit_mv") or configured.charge_mv)
    return asked_mv if may_charge else min(asked_mv, int(points["pack_mv"]) + above_pack_mv)


def _average(values: list[int | None] | None) -> int | None:
    """Give the mean of all sensors; unknown while any of them is."""
    known = [value for value in values or () if value is not None]
    if not known or len(known) < len(values or ()):
        return None
    return round(sum(known) / len(known))
