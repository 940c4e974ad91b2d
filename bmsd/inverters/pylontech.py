"""Pylontech low-voltage protocol 1.2 (2018-04-08): what most hybrid inverters understand.

500 kbit/s, 11-bit identifiers, little-endian; every frame once a second in this order, at least 5 ms apart.
Positive current charges; both current limits are positive numbers. Bits that the document leaves free stay
zero.
"""

from __future__ import annotations

from bmsd.inverters import conditions as c
from bmsd.inverters.frames import Bit, Frame, Rounding, Signal, Text
from bmsd.tables.alarms import Condition

UNTOLD = (Condition.CELL_SPREAD, Condition.HEATER, Condition.SWITCH_WARNING, Condition.TEMPERATURE_SPREAD)
"""Conditions that the document has no bit for."""
ALIVE_ID = 0x305
"""Eight zero bytes that the inverter sends once a second."""

# One field per line, in the order of the vendor's document.
# fmt: off
LIMITS = Frame(0x351, 8, signals=(
    # Currents round down: an inverter is never told more than is allowed. Unknown limits are none.
    Signal("charge_limit_mv", 0, 2, 1, 100, rounding=Rounding.DOWN),
    Signal("charge_limit_ma", 2, 2, 1, 100, signed=True, low=0, rounding=Rounding.DOWN, unknown=0),
    Signal("discharge_limit_ma", 4, 2, 1, 100, signed=True, low=0, rounding=Rounding.DOWN, unknown=0),
    # Not named in the document, but sent by genuine US3000 and US5000 and read by several makes.
    Signal("discharge_limit_mv", 6, 2, 1, 100, rounding=Rounding.UP),
))
CHARGE = Frame(0x355, 4, signals=(
    # Without a state of charge there is no frame: inverters switch on this number.
    Signal("soc_permille", 0, 2, 1, 10, high=100, rounding=Rounding.DOWN),
    # The protocol has no word for a health that is not known yet. It is only shown; 100 is what others send.
    Signal("soh_permille", 2, 2, 1, 10, unknown=1000),
))
MEASUREMENTS = Frame(0x356, 6, signals=(
    Signal("pack_mv", 0, 2, 1, 10, signed=True),
    Signal("current_ma", 2, 2, 1, 100, signed=True),
    Signal("temperature_decic", 4, 2, signed=True),
))
ALARM_BITS = (
    Bit("protection_discharge_current", 0, 7, c.DISCHARGE_CURRENT + c.SHORT),
    Bit("protection_low_temperature", 0, 4, c.DISCHARGE_COLD),
    Bit("protection_high_temperature", 0, 3, c.CHARGE_HOT + c.DISCHARGE_HOT + c.SWITCH_HOT),
    Bit("protection_low_voltage", 0, 2, c.CELL_EMPTY + c.CELL_FLOOR + c.PACK_EMPTY),
    Bit("protection_high_voltage", 0, 1, c.CELL_HIGH + c.PACK_HIGH),
    Bit("protection_system_error", 1, 3, c.MEASURING + c.CHIP + c.SWITCHES + c.STOPPED),
    Bit("protection_charge_current", 1, 0, c.CHARGE_CURRENT),
    Bit("warning_discharge_current", 2, 7, c.DISCHARGE_CURRENT_WARNING),
    # A pack too cold to charge is winter, not a trip: it still discharges, and the protection bit stops
    # some inverters altogether.
    Bit("warning_low_temperature", 2, 4, c.CHARGE_COLD + c.COLD_LIFTED),
    Bit("warning_high_temperature", 2, 3),
    Bit("warning_low_voltage", 2, 2, c.LOW_WARNING),
    Bit("warning_high_voltage", 2, 1, c.HIGH_WARNING),
    # An override is told here because no other warning is about the pack as a whole; the protection bit beside
    # it would stop the inverter that the override is for.
    Bit("warning_internal_communication", 3, 3, c.MEASURING + c.INTERNAL_WARNING + c.OVERRIDE),
    Bit("warning_charge_current", 3, 0, c.CHARGE_CURRENT_WARNING),
)
ALARMS = Frame(0x359, 7, bits=ALARM_BITS,
    signals=(Signal("modules", 4, 1, unknown=1),),
    texts=(Text("trailer", 5, "PN"),),
)
REQUEST_BITS = (
    Bit("charge_enable", 0, 7),
    Bit("discharge_enable", 0, 6),
    # The document means bit 5 for inverters that can wake a battery, bit 4 for those that cannot; other makers
    # name them the other way round, and some read only one. So they go by their place, and both are told the same.
    Bit("force_charge_bit_5", 0, 5),
    Bit("force_charge_bit_4", 0, 4),
    Bit("full_charge_request", 0, 3),
)
REQUESTS = Frame(0x35C, 2, bits=REQUEST_BITS)
NAME = Frame(0x35E, 8, texts=(Text("manufacturer", 0, "PYLON", 8),))
# Not in the document: inverters that read it show and reckon with this capacity, others with 50 Ah a module.
CAPACITY = Frame(0x379, 8, (Signal("capacity_mah", 0, 2, 1, 1000, rounding=Rounding.DOWN),), least=2)
# fmt: on

FRAMES = (LIMITS, CHARGE, MEASUREMENTS, ALARMS, REQUESTS, NAME, CAPACITY)
