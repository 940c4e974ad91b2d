"""LuxPower and EG4 (V04.2, 2023): Pylontech 1.2 with extremes of cells and sensors, capacity and cycles.

One vendor's document; its bits are those of Pylontech. The inverter may ask with bit 0 of frame 0x300 that the
battery be shut down: that is told and not acted on.
"""

from __future__ import annotations

from bmsd.inverters import pylontech
from bmsd.inverters.frames import Frame, Rounding, Signal

# fmt: off
CHARGE = Frame(0x355, 8, (
    *pylontech.CHARGE.signals,
    Signal("cell_max_mv", 4, 2),
    Signal("cell_min_mv", 6, 2),
))
MEASUREMENTS = Frame(0x356, 8, (
    *pylontech.MEASUREMENTS.signals[:2],
    Signal("temperature_max_decic", 4, 2, signed=True),
    Signal("temperature_min_decic", 6, 2, signed=True),
))
# These two carry alarms and permissions: they are sent without cycles rather than not at all.
ALARMS = Frame(0x359, 7, bits=pylontech.ALARM_BITS, signals=(
    Signal("modules", 4, 1, unknown=1),
    Signal("capacity_mah", 5, 2, 1, 1000, rounding=Rounding.DOWN, unknown=0, configured="configured_mah"),
))
REQUESTS = Frame(0x35C, 4, bits=pylontech.REQUEST_BITS, signals=(
    Signal("cycles_milli", 2, 2, 1, 1000, rounding=Rounding.DOWN, unknown=0),
))
# fmt: on

UNTOLD = pylontech.UNTOLD
FRAMES = (
    pylontech.LIMITS, CHARGE, MEASUREMENTS, ALARMS, REQUESTS, pylontech.NAME, pylontech.CAPACITY,
)  # fmt: skip
