"""What an inverter may be told at this moment, the same for every protocol.

Rule S7 lives here: a view is either good, made of one present snapshot with every measurement known, or it
says that the data is lost: no current either way, the alarm `data_lost`, and not one measured value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bmsd.inverters.frames import Value

DATA_LOST = "data_lost"
"""Stands beside the alarms of the core: the link itself has nothing present to tell."""

LIFTED = "_lifted"
"""Ends the name of an alarm whose block an emergency override lifts: told as a warning, or the inverter stops (S10)."""

_MEASURED = ("pack_mv", "current_ma", "cell_min_mv", "cell_max_mv")
"""Without any of these the limits are founded on nothing."""


@dataclass(frozen=True, slots=True)
class Voltages:
    """The configured voltages of the pack: told while the core's own are not to be had."""

    charge_mv: int
    discharge_mv: int


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


def view(document: Mapping[str, Any] | None, configured: Voltages) -> View:
    """Turn a present snapshot into what to tell; None stands for a missing or stale one."""
    points: Mapping[str, Any] = document["points"] if document else {}
    active = frozenset(_name(alarm) for alarm in document.get("alarms", ())) if document else frozenset()
    temperature_decic = _average(points.get("battery_decic"))
    if temperature_decic is None or any(points.get(name) is None for name in _MEASURED):
        return _lost(active, configured)
    may_charge = points.get("charge_allowed") is True
    may_discharge = points.get("discharge_allowed") is True
    force_charge = may_charge and points.get("force_charge") is True
    values: dict[str, Value] = {
        **{name: points.get(name) for name in ("pack_mv", "current_ma", "soc_permille", "soh_permille")},
        "temperature_decic": temperature_decic,
        "charge_limit_mv": _charge_limit_mv(points, configured, may_charge),
        "charge_limit_ma": points.get("charge_limit_ma") or 0 if may_charge else 0,
        "discharge_limit_ma": points.get("discharge_limit_ma") or 0 if may_discharge else 0,
        "discharge_limit_mv": points.get("discharge_limit_mv") or configured.discharge_mv,
        "charge_enable": may_charge,
        "discharge_enable": may_discharge,
        "force_charge_bit_5": force_charge,
        "force_charge_bit_4": force_charge,
        "modules": 1,
    }
    return View(values, active, good=True)


def _name(alarm: Mapping[str, Any]) -> str:
    return f"{alarm['name']}{LIFTED}" if alarm.get("lifted") else str(alarm["name"])


def _lost(active: frozenset[str], configured: Voltages) -> View:
    """Allow nothing. The voltages are the configured ones: told 0 V, some inverters discharge down to it."""
    values: dict[str, Value] = {
        "charge_limit_mv": configured.charge_mv,
        "charge_limit_ma": 0,
        "discharge_limit_ma": 0,
        "discharge_limit_mv": configured.discharge_mv,
        "charge_enable": False,
        "discharge_enable": False,
        "modules": 1,
    }
    return View(values, active | {DATA_LOST}, good=False)


def _charge_limit_mv(points: Mapping[str, Any], configured: Voltages, may_charge: bool) -> int:
    """Give the charge voltage; where charging is forbidden not above the pack's own voltage.

    Never above what the core asks: following a pack that rises would let a charger go on.
    """
    asked_mv = int(points.get("charge_limit_mv") or configured.charge_mv)
    return asked_mv if may_charge else min(asked_mv, int(points["pack_mv"]))


def _average(values: list[int | None] | None) -> int | None:
    """Give the mean of all sensors; unknown while any of them is."""
    known = [value for value in values or () if value is not None]
    if not known or len(known) < len(values or ()):
        return None
    return round(sum(known) / len(known))
