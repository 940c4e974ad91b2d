"""What can be broken and what can be set on the bench, as tables; `bmsctl sim list` prints them.

Each row says which attribute of which part of the plant it moves. A fault of the sensors has no attribute:
the sensors know it by its own name, and it may need a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bmsd.errors import PeerError


@dataclass(frozen=True, slots=True)
class BenchFault:
    """One way to break the bench."""

    meaning: str
    part: str
    attribute: str = ""
    needs_cell: bool = False


@dataclass(frozen=True, slots=True)
class Settable:
    """One quantity of the bench that can be set, in people's units, within a range.

    `scale` turns a person's value into the attribute's.
    """

    meaning: str
    unit: str
    low: float
    high: float
    part: str
    attribute: str
    scale: float = 1.0


FAULTS = {
    "charge_weld": BenchFault("charge contactor: contacts closed whatever is commanded", "charge", "welded"),
    "charge_stuck_open": BenchFault("charge contactor: never closes", "charge", "stuck_open"),
    "charge_feedback_stuck": BenchFault(
        "charge contactor: feedback stays where it is", "charge", "feedback_stuck"
    ),
    "charge_bounce": BenchFault(
        "charge contactor: feedback reads wrong for 0.4 s after each move", "charge", "bounces"
    ),
    "discharge_weld": BenchFault(
        "discharge contactor: contacts closed whatever is commanded", "discharge", "welded"
    ),
    "discharge_stuck_open": BenchFault("discharge contactor: never closes", "discharge", "stuck_open"),
    "discharge_feedback_stuck": BenchFault(
        "discharge contactor: feedback stays where it is", "discharge", "feedback_stuck"
    ),
    "discharge_bounce": BenchFault(
        "discharge contactor: feedback reads wrong for 0.4 s after each move", "discharge", "bounces"
    ),
    "main_weld": BenchFault("main contactor: contacts closed whatever is commanded", "main", "welded"),
    "main_stuck_open": BenchFault("main contactor: never closes", "main", "stuck_open"),
    "main_feedback_stuck": BenchFault("main contactor: feedback stays where it is", "main", "feedback_stuck"),
    "precharge_weld": BenchFault("pre-charge relay: closed whatever is commanded", "precharge", "welded"),
    "precharge_stuck_open": BenchFault(
        "pre-charge relay or resistor: never conducts", "precharge", "stuck_open"
    ),
    "heater_stuck_on": BenchFault("heater relay: closed whatever is commanded", "heater", "welded"),
    "heater_stuck_off": BenchFault("heater relay: never closes", "heater", "stuck_open"),
    "heater_feedback_stuck": BenchFault(
        "heater relay: feedback stays where it is", "heater", "feedback_stuck"
    ),
    "heater_open": BenchFault("heating element burnt through: no current", "element", "burnt"),
    "heater_short": BenchFault("heating element down to 30 % of its resistance", "element", "shorted"),
    "load_left_on": BenchFault(
        "50 ohm on the load side: pre-charge never finishes", "circuit", "load_left_on"
    ),
    "load_short": BenchFault("short circuit of 10 mohm on the load side", "circuit", "load_short"),
    "inverter_ignores_limits": BenchFault(
        "inverter takes its own settings, not the limits it is sent", "inverter", "ignores_limits"
    ),
    "inverter_ignores_current": BenchFault(
        "inverter does not read the charge current limit, only the charge voltage",
        "inverter",
        "ignores_current",
    ),
    "inverter_exports": BenchFault(
        "inverter discharges the pack down to the charge voltage, whatever the discharge limit",
        "inverter",
        "exports",
    ),
    "charger_runaway": BenchFault("charger pushes its current whatever the voltage", "inverter", "runaway"),
    "switch_hot": BenchFault("loose joint: switch board 80 K hotter, in minutes", "heat", "loose_joint"),
    "cell_open_wire": BenchFault(
        "wire on top of the cell broken: it reads 0, the next one reads both", "sensors", "", True
    ),
    "cell_wires_swapped": BenchFault(
        "wires on top of the cell and of the next one swapped: one of them reads negative",
        "sensors",
        "",
        True,
    ),
    "cell_wire_short": BenchFault("the cell's wires short-circuited: it reads 0", "sensors", "", True),
    "cell_frozen": BenchFault("the cell's reading stays where it is", "sensors", "", True),
    "cells_frozen": BenchFault("all cell readings and the stack voltage stay where they are", "sensors"),
    "current_frozen": BenchFault("current reading stays where it is", "sensors"),
    "current_lost": BenchFault("shunt wire off: current reads 0", "sensors"),
    "current_reversed": BenchFault("shunt wires swapped: current has the wrong sign", "sensors"),
    "ntc1_open": BenchFault("battery sensor TS1: wire broken", "sensors"),
    "ntc2_open": BenchFault("battery sensor TS2: wire broken", "sensors"),
    "ntc3_open": BenchFault("switch sensor TS3: wire broken", "sensors"),
    "ntc1_short": BenchFault("battery sensor TS1: short circuit", "sensors"),
    "ntc2_short": BenchFault("battery sensor TS2: short circuit", "sensors"),
    "ntc3_short": BenchFault("switch sensor TS3: short circuit", "sensors"),
}

CHIP_FAULTS = {
    "afe_nack": ("nack", "front-end chip: does not acknowledge"),
    "afe_crc": ("crc", "front-end chip: answers with wrong checksums"),
    "afe_stuck": ("stuck", "I2C bus: held low, every transfer times out"),
    "afe_torn": ("torn", "front-end chip: bytes of two scans in one value"),
    "afe_reset": ("reset", "front-end chip: resets and forgets its settings"),
    "afe_frozen": ("frozen", "front-end chip: stops measuring, keeps answering"),
    "afe_zeros": ("zeros", "front-end chip: reads zeros"),
    "afe_ones": ("ones", "front-end chip: reads ones"),
    "afe_fets_deaf": ("fets_deaf", "front-end chip: does not carry out commands to its FETs"),
    "afe_config_flip": ("config_flip", "front-end chip: one setting changes by itself"),
}
"""Faults of the front-end chip: the chip's own name, and what happens."""

SETTABLES = {
    "ambient_c": Settable("temperature around the pack", "°C", -60.0, 90.0, "heat", "ambient_c"),
    "pack_c": Settable("temperature of the cells, at once", "°C", -60.0, 120.0, "heat", "pack_c"),
    "board_c": Settable("temperature of the switch board, at once", "°C", -60.0, 200.0, "heat", "board_c"),
    "soc_percent": Settable(
        "charge of all cells; their spread stays", "%", -20.0, 120.0, "cells", "mean_soc", 0.01
    ),
    "charger_a": Settable(
        "charging current; 0 takes the charger away", "A", 0.0, 2000.0, "inverter", "charger_a"
    ),
    "charger_v": Settable(
        "charging voltage; 0 takes the charger away", "V", 0.0, 1000.0, "inverter", "charger_v"
    ),
    "load_w": Settable("power the load takes", "W", 0.0, 1_000_000.0, "inverter", "load_w"),
    "inverter_idle_w": Settable(
        "power the inverter takes for itself, whatever it is told", "W", 0.0, 10_000.0, "inverter", "idle_w"
    ),
    "inverter_lag_s": Settable(
        "how slowly the inverter follows its limits", "s", 0.0, 600.0, "inverter", "lag_s"
    ),
    "inverter_step_a": Settable(
        "steps in which the inverter takes current limits; 0: none", "A", 0.0, 100.0, "inverter", "step_a"
    ),
    "inverter_step_v": Settable(
        "steps in which the inverter takes the charge voltage; 0: none", "V", 0.0, 10.0, "inverter", "step_v"
    ),
    "inverter_error_v": Settable(
        "voltage that the inverter holds above the charge voltage it takes",
        "V",
        -5.0,
        5.0,
        "inverter",
        "error_v",
    ),
    "inverter_over_percent": Settable(
        "what the inverter takes beyond its current limits", "%", -100.0, 1000.0, "inverter", "over", 0.01
    ),
    "ua_w_per_k": Settable(
        "heat loss of the pack; 0 is perfect insulation", "W/K", 0.0, 100.0, "heat", "ua_w_per_k"
    ),
    "heater_ohm": Settable(
        "resistance of the heating element", "ohm", 0.1, 10_000.0, "element", "nominal_ohm"
    ),
    "precharge_ohm": Settable("pre-charge resistor", "ohm", 0.1, 100_000.0, "circuit", "precharge_ohm"),
    "capacitance_mf": Settable(
        "capacitors of the inverter", "mF", 0.001, 1000.0, "circuit", "capacitance_f", 0.001
    ),
    "current_offset_ma": Settable(
        "error of the current reading", "mA", -100_000.0, 100_000.0, "sensors", "current_offset_ma"
    ),
    "current_gain_percent": Settable(
        "error of the current reading", "%", -50.0, 50.0, "sensors", "current_gain_percent"
    ),
    "noise_mv": Settable("noise of each cell reading, sigma", "mV", 0.0, 500.0, "sensors", "noise_mv"),
    "ts1_offset_k": Settable(
        "place of sensor TS1: warmer than the cells", "K", -100.0, 100.0, "sensors", "ts1_offset_k"
    ),
    "ts2_offset_k": Settable(
        "place of sensor TS2: warmer than the cells", "K", -100.0, 100.0, "sensors", "ts2_offset_k"
    ),
    "button": Settable(
        "the button that wakes a sleeping pack: 1 is pressed", "", 0.0, 1.0, "panel", "button"
    ),
}

CELL_SETTABLES = {
    "offset_mv": Settable("error of this cell's reading", "mV", -5000.0, 5000.0, "sensors", "offset_mv"),
    "noise_mv": Settable("noise of this cell's reading, sigma", "mV", 0.0, 500.0, "sensors", "cell_noise_mv"),
    "soc_percent": Settable("charge of this cell", "%", -20.0, 120.0, "cells", "soc", 0.01),
    "capacity_percent": Settable("capacity, of the nominal one", "%", 1.0, 200.0, "cells", "capacity", 0.01),
    "resistance_percent": Settable(
        "resistance, of the nominal one", "%", 1.0, 10_000.0, "cells", "resistance", 0.01
    ),
    "leak_ma": Settable("self-discharge", "mA", 0.0, 100_000.0, "cells", "leak_a", 0.001),
    "wire_ohm": Settable(
        "resistance of its sense wire, seen while balancing",
        "ohm",
        0.0,
        1000.0,
        "sensors",
        "wire_ohm",
    ),
}


def known(name: str, names: Iterable[str], what: str) -> str:
    """Return the name if it is one of these; otherwise say which there are, the nearest first."""
    names = list(names)
    if name in names:
        return name
    import difflib  # memory of every process, for a word that is wrong

    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise PeerError(f"there is no {what} {name!r}; {hint}known: {', '.join(names)}")


def within(name: str, value: float, table: Mapping[str, Settable]) -> Settable:
    """Find the row of a quantity, and refuse a value outside its range."""
    row = table[known(name, table, "quantity")]
    if not row.low <= value <= row.high:
        raise PeerError(f"{name}={value} {row.unit}: {row.meaning}; {row.low:.10g} to {row.high:.10g}")
    return row
