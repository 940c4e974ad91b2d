"""Growatt low voltage (Rev_04, V1.04, 2019-02-22): 500 kbit/s, 11-bit identifiers, big-endian.

The document, a sender and a receiver agree; a third project's little-endian 29-bit frames are not followed, nor
is a sender that lowers the charge voltage by 4 V. That positive current charges is from that one sender.
Frames 0x320 and 0x321 (maker, clock, updates) and single cells (0x315 to 0x318) are not sent.
"""

from __future__ import annotations

from bmsd.inverters import conditions as c
from bmsd.inverters.frames import Bit, Frame, Rounding, Signal, Text
from bmsd.tables.alarms import Condition

UNTOLD = (Condition.HEATER, Condition.SWITCH_WARNING, Condition.TEMPERATURE_SPREAD)
"""Conditions that the document has no bit for."""
ALIVE_IDS = (0x301,)
"""11 22 33 44 55 66 77 88, once a second."""
TAKES_MV = (41_000, 63_000)
"""Its low-voltage inverters are for packs of 48 V."""

_PROTECTED = (
    *c.DISCHARGE_CURRENT, *c.CHARGE_CURRENT, *c.SHORT, *c.CELL_HIGH, *c.PACK_HIGH, *c.CELL_EMPTY, *c.CELL_FLOOR,
    *c.PACK_EMPTY, *c.DISCHARGE_HOT, *c.CHARGE_HOT, *c.SWITCH_HOT, *c.DISCHARGE_COLD, *c.MEASURING, *c.CHIP,
    *c.SWITCHES, *c.STOPPED,
)  # fmt: skip

# fmt: off
LIMITS = Frame(0x311, 8, signals=(
    Signal("charge_limit_mv", 0, 2, 1, 100, rounding=Rounding.DOWN, big=True),
    Signal("charge_limit_ma", 2, 2, 1, 100, rounding=Rounding.DOWN, unknown=0, big=True),
    Signal("discharge_limit_ma", 4, 2, 1, 100, rounding=Rounding.DOWN, unknown=0, big=True),
    # 0 starting, 1 stand-by, 2 charging, 3 discharging; the second time for all packs together.
    Signal("flow", 7, 1, unknown=1, bits=2),
    Signal("flow_together", 6, 1, unknown=1, bit=2, bits=2),
), bits=(
    Bit("error", 7, 2, _PROTECTED),
    Bit("balancing", 7, 3),
    Bit("discharge_on", 7, 5),
    Bit("charge_on", 7, 6),
))
ALARMS = Frame(0x312, 8, bits=(
    Bit("protection_discharge_current", 0, 7, c.DISCHARGE_CURRENT),
    Bit("protection_charge_current", 0, 6, c.CHARGE_CURRENT),
    Bit("protection_short_circuit", 0, 5, c.SHORT),
    Bit("protection_cell_high_voltage", 0, 4, c.CELL_HIGH),
    Bit("protection_cell_low_voltage", 0, 3, c.CELL_EMPTY + c.CELL_FLOOR),
    Bit("protection_pack_high_voltage", 0, 2, c.PACK_HIGH),
    Bit("protection_pack_low_voltage", 0, 1, c.PACK_EMPTY),
    Bit("protection_start_failed", 0, 0, ("precharge_failed",)),
    Bit("protection_discharge_hot", 1, 7, c.DISCHARGE_HOT + c.SWITCH_HOT),
    Bit("protection_charge_hot", 1, 6, c.CHARGE_HOT),
    Bit("protection_discharge_cold", 1, 5, c.DISCHARGE_COLD),
    # Not set: a pack too cold to charge still discharges, and warns.
    Bit("protection_charge_cold", 1, 4),
    Bit("protection_system_error", 1, 3, tuple(
        name for name in c.MEASURING + c.CHIP + c.SWITCHES + c.STOPPED if name != "precharge_failed")),
    Bit("protection_cell_spread", 1, 2),
    Bit("warning_discharge_current", 2, 7, c.DISCHARGE_CURRENT_WARNING),
    Bit("warning_charge_current", 2, 6, c.CHARGE_CURRENT_WARNING),
    Bit("warning_cell_high_voltage", 2, 4, c.ABOVE_LIMIT + c.CELL_HIGH_LIFTED),
    Bit("warning_cell_low_voltage", 2, 3, c.NEARLY_EMPTY + c.CELL_EMPTY_LIFTED),
    Bit("warning_pack_high_voltage", 2, 2, c.PACK_HIGH_LIFTED),
    Bit("warning_pack_low_voltage", 2, 1, c.PACK_EMPTY_LIFTED),
    Bit("warning_discharge_hot", 3, 7),
    Bit("warning_charge_hot", 3, 6),
    Bit("warning_discharge_cold", 3, 5, c.COLD_LIFTED),
    Bit("warning_charge_cold", 3, 4, c.CHARGE_COLD),
    Bit("warning_cell_spread", 3, 2, c.CELL_SPREAD),
    Bit("warning_about_to_switch_off", 3, 1),
    # An override is told here because no other warning is about the pack as a whole.
    Bit("warning_internal_communication", 3, 0, c.MEASURING + c.INTERNAL_WARNING + c.OVERRIDE),
), signals=(
    Signal("modules", 4, 1, low=1, high=254, unknown=1),
    Signal("cells", 7, 1, unknown=0),
), texts=(Text("maker", 5, "BM"),))
MEASUREMENTS = Frame(0x313, 8, (
    Signal("pack_mv", 0, 2, 1, 10, signed=True, big=True),
    Signal("current_ma", 2, 2, 1, 100, signed=True, big=True),
    Signal("temperature_max_decic", 4, 2, signed=True, big=True),
    Signal("soc_permille", 6, 1, 1, 10, high=100, rounding=Rounding.DOWN),
    Signal("soh_permille", 7, 1, 1, 10, high=100, unknown=1000, bits=7),
))
CAPACITY = Frame(0x314, 8, (
    Signal("remaining_mah", 0, 2, 1, 10, rounding=Rounding.DOWN, big=True),
    Signal("capacity_mah", 2, 2, 1, 10, rounding=Rounding.DOWN, big=True),
    Signal("cell_difference_mv", 4, 2, big=True),
    Signal("cycles_milli", 6, 2, 1, 1000, rounding=Rounding.DOWN, big=True),
))
CELLS = Frame(0x319, 8, (
    # 0 LiFePO4, 1 Li-ion, 2 LTO.
    Signal("chemistry_code", 0, 1, bits=2),
    # The frame carries the permissions: while the data is lost it goes out with no cells rather than not at all,
    # or its last "allowed" would stand.
    Signal("cell_max_mv", 1, 2, big=True, unknown=0),
    Signal("cell_min_mv", 3, 2, big=True, unknown=0),
    Signal("max_cell", 5, 1, unknown=0),
    Signal("min_cell", 6, 1, unknown=0),
    Signal("protected_pack", 7, 1, unknown=0),
), bits=(
    Bit("charge_enable", 0, 7),
    Bit("discharge_enable", 0, 6),
    Bit("force_charge_bit_5", 0, 5),
))
# fmt: on

FRAMES = (LIMITS, ALARMS, MEASUREMENTS, CAPACITY, CELLS)
