"""JK's own CAN output (V2.1, and V1 as a second protocol), for displays and converters made for JK boards.

250 kbit/s, little-endian, every frame 8 bytes, device address 0. V1 has the 11-bit identifiers alone; V2.1 adds
those of 29 bits. Nothing in it is a limit or a permission: an inverter cannot be controlled with it.

V1 makes discharging positive and V2.1 charging, with the same example bytes; readers in service take charging as
positive. The documents call level 1 the most serious, one reader the mildest: the documents are followed.
Displays see 0x2F4 every 100 ms, not every 20: the values change no faster. A charger is not commanded (0x1806E5F4).
"""

from __future__ import annotations

from dataclasses import replace

from bmsd.inverters import conditions as c
from bmsd.inverters.frames import Bit, Coding, Frame, Rounding, Signal
from bmsd.tables.alarms import Condition

UNTOLD = (Condition.STOPPED, Condition.HEATER, Condition.SWITCH_WARNING, Condition.TEMPERATURE_SPREAD)
UNTOLD_V1 = (
    Condition.STOPPED, Condition.HEATER, Condition.SWITCH_WARNING,
    Condition.CHARGE_SWITCH, Condition.DISCHARGE_SWITCH, Condition.BOTH_SWITCHES,
)  # fmt: skip
"""Conditions that the documents have no level and no bit for."""
FAST_MS, SLOW_MS = 100, 500
CELLS = 25
DEGREES = 50
"""Added to a temperature."""
ABSENT = 0xFF


def _degrees(name: str, byte: int) -> Signal:
    return Signal(name, byte, 1, 1, 10, offset=DEGREES, absent=ABSENT)


def _level(index: int, name: str, serious: tuple[str, ...], mild: tuple[str, ...] = ()) -> Bit:
    byte, pair = divmod(index, 4)
    return Bit(name, byte, 2 * pair, serious, mild, Coding.LEVEL)


def _cells(number: int) -> Frame:
    """Give frame `number` of the cell voltages, four in each."""
    first = 4 * number
    places = enumerate(range(first + 1, min(first + 4, CELLS) + 1))
    signals = tuple(Signal(f"cell_{cell}_mv", 2 * place, 2) for place, cell in places)
    return Frame(0x18E028F4 + (number << 16), 8, signals, extended=True)


# fmt: off
BATTERY = Frame(0x2F4, 8, (
    Signal("pack_mv", 0, 2, 1, 100),
    Signal("current_ma", 2, 2, 1, 100, offset=4000),
    Signal("soc_permille", 4, 1, 1, 10, high=100, rounding=Rounding.DOWN),
), period_ms=FAST_MS)
BATTERY_V1 = replace(BATTERY, signals=(
    BATTERY.signals[0],
    Signal("current_ma", 2, 2, -1, 100, offset=4000),
    BATTERY.signals[2],
    # Hours until empty: not worked out here.
    Signal("discharge_hours", 6, 2, unknown=0),
))
EXTREMES = Frame(0x4F4, 8, (
    Signal("cell_max_mv", 0, 2),
    Signal("max_cell", 2, 1),
    Signal("cell_min_mv", 3, 2),
    Signal("min_cell", 5, 1),
), period_ms=FAST_MS)
TEMPERATURES = Frame(0x5F4, 8, (
    replace(_degrees("temperature_max_decic", 0), absent=None),
    Signal("max_sensor", 1, 1),
    replace(_degrees("temperature_min_decic", 2), absent=None),
    Signal("min_sensor", 3, 1),
    replace(_degrees("temperature_decic", 4), absent=None),
), period_ms=SLOW_MS)

_LOW_LEVELS = (
    _level(4, "cell_spread", (), c.CELL_SPREAD),
    _level(5, "discharge_over_current", c.DISCHARGE_CURRENT + c.SHORT, c.DISCHARGE_CURRENT_WARNING),
    _level(6, "charge_over_current", c.CHARGE_CURRENT, c.CHARGE_CURRENT_WARNING),
    _level(7, "over_temperature", c.CHARGE_HOT + c.DISCHARGE_HOT + c.SWITCH_HOT),
    _level(8, "under_temperature", c.DISCHARGE_COLD, c.CHARGE_COLD + c.COLD_LIFTED),
    _level(10, "soc_low", (), ("cell_low",)),
    # No other place is about the pack as a whole.
    _level(14, "internal_communication", c.MEASURING + c.CHIP, c.INTERNAL_WARNING + c.OVERRIDE),
)
# JK sends this one only while there is an alarm; its end is a frame that no longer comes.
ALARMS = Frame(0x7F4, 8, bits=(
    _level(0, "cell_over_voltage", c.CELL_HIGH + c.PACK_HIGH, c.HIGH_WARNING),
    _level(1, "cell_under_voltage", c.CELL_EMPTY + c.CELL_FLOOR + c.PACK_EMPTY, c.LOW_LIFTED),
    *_LOW_LEVELS,
), period_ms=FAST_MS, only_raised=True)
ALARMS_V1 = replace(ALARMS, bits=(
    _level(0, "cell_over_voltage", c.CELL_HIGH, c.ABOVE_LIMIT + c.CELL_HIGH_LIFTED),
    _level(1, "cell_under_voltage", c.CELL_EMPTY + c.CELL_FLOOR, c.CELL_EMPTY_LIFTED),
    _level(2, "total_over_voltage", c.PACK_HIGH, c.PACK_HIGH_LIFTED),
    _level(3, "total_under_voltage", c.PACK_EMPTY, c.PACK_EMPTY_LIFTED),
    *_LOW_LEVELS,
    _level(9, "temperature_spread", (), c.TEMPERATURE_SPREAD),
))
CAPACITY = Frame(0x18F128F4, 8, (
    Signal("remaining_mah", 0, 2, 1, 100, rounding=Rounding.DOWN),
    Signal("capacity_mah", 2, 2, 1, 100, rounding=Rounding.DOWN),
    # Stays at 6553.5 Ah once that is reached.
    Signal("discharged_mah", 4, 2, 1, 100, rounding=Rounding.DOWN),
    Signal("cycles_milli", 6, 2, 1, 1000, rounding=Rounding.DOWN),
), extended=True, period_ms=FAST_MS)
SENSORS = Frame(0x18F228F4, 8, (
    Signal("sensor_mask", 0, 1),
    _degrees("temperature_1_decic", 1),
    _degrees("temperature_2_decic", 2),
    # The third is that of the MOSFETs.
    _degrees("switch_decic", 3),
    _degrees("temperature_3_decic", 4),
    _degrees("temperature_4_decic", 5),
), extended=True, period_ms=SLOW_MS)
FAULTS = Frame(0x18F328F4, 8, bits=(
    Bit("fault_wire_resistance", 0, 0),
    Bit("fault_mosfet_hot", 0, 1, c.SWITCH_HOT),
    Bit("fault_cell_count", 0, 2),
    Bit("fault_current_sensor", 0, 3, c.CURRENT_SENSE),
    Bit("fault_cell_over_voltage", 0, 4, c.CELL_HIGH),
    Bit("fault_pack_over_voltage", 0, 5, c.PACK_HIGH),
    Bit("fault_charge_over_current", 0, 6, c.CHARGE_CURRENT),
    Bit("fault_charge_short", 0, 7),
    Bit("fault_charge_hot", 1, 0, c.CHARGE_HOT),
    Bit("fault_charge_cold", 1, 1, c.CHARGE_COLD),
    Bit("fault_internal_communication", 1, 2,
        tuple(name for name in c.MEASURING + c.CHIP if name not in c.CURRENT_SENSE)),
    Bit("fault_cell_under_voltage", 1, 3, c.CELL_EMPTY + c.CELL_FLOOR),
    Bit("fault_pack_under_voltage", 1, 4, c.PACK_EMPTY),
    Bit("fault_discharge_over_current", 1, 5, c.DISCHARGE_CURRENT),
    Bit("fault_discharge_short", 1, 6, c.SHORT),
    Bit("fault_discharge_hot", 1, 7, c.DISCHARGE_HOT),
    Bit("fault_charge_switch", 2, 0, c.CHARGE_SWITCH + c.BOTH_SWITCHES),
    Bit("fault_discharge_switch", 2, 1, c.DISCHARGE_SWITCH + c.BOTH_SWITCHES),
), extended=True, period_ms=FAST_MS)
SERVICE = Frame(0x18F428F4, 8, (
    Signal("runtime_ms", 0, 4, 1, 1000, rounding=Rounding.DOWN),
    Signal("heater_ma", 4, 2),
    Signal("soh_permille", 6, 1, 1, 10, high=100, unknown=1000),
), extended=True, period_ms=SLOW_MS)
# Numbers of one bit, not flags: unlike those they are not sent as off when they are unknown.
SWITCHES = Frame(0x18F528F4, 8, (
    Signal("charge_on", 0, 1, bit=0, bits=1),
    Signal("discharge_on", 0, 1, bit=1, bits=1),
    Signal("balancing", 0, 1, bit=2, bits=1),
    Signal("heating", 0, 1, bit=3, bits=1),
), extended=True, period_ms=SLOW_MS)
# fmt: on

FRAMES_V1 = (BATTERY_V1, EXTREMES, replace(TEMPERATURES, period_ms=FAST_MS), ALARMS_V1)
FRAMES = (
    BATTERY, EXTREMES, TEMPERATURES, ALARMS, CAPACITY, SENSORS, FAULTS, SERVICE, SWITCHES,
    *(_cells(number) for number in range(-(-CELLS // 4))),
)  # fmt: skip
