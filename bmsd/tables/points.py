"""Every value bmsd publishes, one row each.

The snapshot holds points by their inside name in integer units; `bmsctl status --json`, CSV columns, CAN
signals, Modbus registers and the points document derive from these rows. None is unknown everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bmsd.tables.rows import (
    AMPERE,
    AMPERE_HOUR,
    CELSIUS,
    COUNT,
    MILLISECOND,
    OHM,
    PERCENT,
    SECOND,
    VOLT,
    WATT,
    Unit,
)

CYCLES = Unit("", "_milli", "", 1000)
WORK_TIME = Unit("ms", "_us", "_ms", 1000)


class PointKind(Enum):
    """What sort of value a point is."""

    NUMBER = "number"
    FLAG = "flag"
    TEXT = "text"


class Count(Enum):
    """How many values a point has."""

    ONE = "one"
    PER_CELL = "per cell"
    PER_SENSOR = "per battery sensor"


@dataclass(frozen=True, slots=True)
class Point:
    """One published value: its inside name, its place in the status document, and its meaning."""

    name: str
    path: str
    """Where it stands in `bmsctl status --json`, and the CSV column; in people's units."""
    unit: Unit
    help: str
    kind: PointKind = PointKind.NUMBER
    count: Count = Count.ONE


SWITCHES = ("charge", "discharge", "precharge", "heater", "balance", "buzzer")
"""Everything that is switched, in the order people see it."""


def _switches() -> tuple[Point, ...]:
    rows: list[Point] = []
    for name in SWITCHES:
        rows.append(
            Point(f"{name}_commanded", f"switches.{name}.commanded", COUNT,
                  f"What bmsd wants of {name}.", PointKind.FLAG))
        rows.append(
            Point(f"{name}_actual", f"switches.{name}.actual", COUNT,
                  f"What {name} does, read back; unknown without a way to read.", PointKind.FLAG))
    return tuple(rows)


POINTS: tuple[Point, ...] = (
    Point("sequence", "sequence", COUNT, "Number of the control cycle since start."),
    Point("uptime_ms", "uptime_s", SECOND, "Time since the daemon started."),
    Point("runtime_ms", "runtime_s", SECOND, "Time in service over all starts."),
    Point("state", "state", COUNT, "What the pack does, in one word.", PointKind.TEXT),
    # Pack.
    Point("pack_mv", "pack.voltage_v", VOLT, "Sum of the cell voltages."),
    Point("current_ma", "pack.current_a", AMPERE, "Pack current; positive charges."),
    Point("power_mw", "pack.power_w", WATT, "Pack power; positive charges."),
    Point("soc_permille", "pack.soc_percent", PERCENT, "State of charge."),
    Point("soc_error_permille", "pack.soc_error_percent", PERCENT,
          "How far the state of charge may be off."),
    Point("soh_permille", "pack.soh_percent", PERCENT,
          "Capacity against rated; unknown until it was learned."),
    Point("capacity_mah", "pack.capacity_ah", AMPERE_HOUR, "Capacity the counter works with."),
    Point("remaining_mah", "pack.remaining_ah", AMPERE_HOUR, "Charge left."),
    Point("cycles_milli", "pack.cycles", CYCLES,
          "Equivalent full cycles: discharged charge over capacity."),
    Point("full_charges", "pack.full_charges", COUNT, "Times the full anchor was reached."),
    Point("discharged_mah", "pack.discharged_ah", AMPERE_HOUR, "Charge discharged over all time."),
    # Cells.
    Point("cell_mv", "cells.voltage_v", VOLT, "Each cell's voltage.", count=Count.PER_CELL),
    Point("cell_min_mv", "cells.min_v", VOLT, "Lowest cell voltage; unknown while any cell is."),
    Point("cell_max_mv", "cells.max_v", VOLT, "Highest cell voltage; unknown while any cell is."),
    Point("cell_average_mv", "cells.average_v", VOLT, "Mean cell voltage."),
    Point("cell_difference_mv", "cells.difference_v", VOLT, "Highest minus lowest cell."),
    Point("min_cell", "cells.min_cell", COUNT, "Number of the lowest cell, from 1."),
    Point("max_cell", "cells.max_cell", COUNT, "Number of the highest cell, from 1."),
    Point("balancing", "cells.balancing", COUNT, "Which cells are being balanced.", PointKind.FLAG,
          Count.PER_CELL),
    Point("balance_ma", "cells.balance_current_a", AMPERE,
          "Balance current; unknown where the hardware does not measure it."),
    Point("wire_mohm", "cells.wire_resistance_ohm", OHM,
          "Sense-wire resistance per cell; unknown until a front end measures it.",
          count=Count.PER_CELL),
    # Temperatures.
    Point("battery_decic", "temperatures.battery_c", CELSIUS, "Each battery sensor.",
          count=Count.PER_SENSOR),
    Point("switch_decic", "temperatures.switch_c", CELSIUS, "The switch board's sensor."),
    *_switches(),
    Point("charge_allowed", "permissions.charge", COUNT, "May the pack be charged.", PointKind.FLAG),
    Point("discharge_allowed", "permissions.discharge", COUNT, "May the pack be discharged.",
          PointKind.FLAG),
    Point("heater_demanded", "heater.demanded", COUNT, "The pack is too cold to charge.", PointKind.FLAG),
    Point("heater_ma", "heater.current_a", AMPERE,
          "Heater current: measured where a sensor is fitted, else U/R while the relay is on."),
    Point("heater_mw", "heater.power_w", WATT, "Heater power, from the same source."),
    Point("charge_limit_mv", "limits.charge_voltage_v", VOLT, "Charge voltage asked for (CVL)."),
    Point("charge_limit_ma", "limits.charge_current_a", AMPERE, "Charge current allowed (CCL)."),
    Point("discharge_limit_ma", "limits.discharge_current_a", AMPERE,
          "Discharge current allowed (DCL)."),
    Point("discharge_limit_mv", "limits.discharge_voltage_v", VOLT, "Lowest voltage asked for (DVL)."),
    Point("emergency_active", "emergency.active", COUNT, "Emergency override in force.", PointKind.FLAG),
    Point("emergency_remaining_ms", "emergency.remaining_s", SECOND, "Time the override has left."),
    # The cycle itself.
    Point("period_ms", "cycle.period_ms", MILLISECOND, "Control period."),
    Point("cycle_last_us", "cycle.last_ms", WORK_TIME, "Work time of the last cycle."),
    Point("cycle_worst_us", "cycle.worst_ms", WORK_TIME, "Longest work time since start."),
    Point("cycle_overruns", "cycle.overruns", COUNT, "Cycles that began late."),
    Point("bus_errors", "cycle.bus_errors", COUNT, "I2C errors since start, retried ones included."),
    Point("disk_bytes", "cycle.disk_bytes", COUNT, "Bytes written to the state directory since start."),
    # Wear.
    *(
        Point(f"{name}_closings", f"wear.{name}_closings", COUNT, f"How often {called} closed in its life.")
        for name, called in (
            ("charge", "the contactor for charging"), ("discharge", "the contactor for discharging"),
            ("precharge", "the pre-charge relay"), ("heater", "the heater relay"))
    ),
    Point("force_charge", "limits.force_charge", COUNT,
          "The pack asks to be charged now: it is nearly empty, and may be charged.", PointKind.FLAG),
    Point("full_charge", "limits.full_charge", COUNT,
          "The pack asks for a full charge: it was not full for long, and may be charged.", PointKind.FLAG),
    Point("charge_phase", "limits.charge_phase", COUNT,
          "What the charge is at: bulk, absorption, float or rest.", PointKind.TEXT),
    Point("charge_limit_reason", "limits.charge_reason", COUNT,
          "What holds the charge current below the largest one; empty: nothing.", PointKind.TEXT),
    Point("discharge_limit_reason", "limits.discharge_reason", COUNT,
          "What holds the discharge current below the largest one; empty: nothing.", PointKind.TEXT),
    Point("heat_ma", "limits.heat_current_a", AMPERE,
          "Asked of the charger for the heater on the pack alone, while charging is forbidden."),
)
BY_NAME = {point.name: point for point in POINTS}
BY_PATH = {point.path: point for point in POINTS}
