"""Victron GX with the CAN profile "CAN-bms BMS (500 kbit/s)": frames of working batteries and open receivers.

There is no public specification: 0x351, 0x355, 0x356, 0x35A, 0x372, 0x373 and 0x379 are alike in five sources or
more, the others in two to four. Shorter frames of other batteries are understood.

The name is our own: by "PYLON", "BYD" and others a GX chooses rules of its own and changes the limits. Zero
current alone does not stop its solar chargers from feeding loads; the charge voltage at the pack's own does.
"""

from __future__ import annotations

from bmsd.inverters import pylontech
from bmsd.inverters.frames import Frame, Signal, Text
from bmsd.inverters.pairs import pairs

ALIVE_IDS = (0x305, 0x307, 0x306)
KELVIN = 273

# fmt: off
CHARGE = Frame(0x355, 8, (
    *pylontech.CHARGE.signals,
    Signal("soc_fine_permille", 4, 2, 10, high=10_000),
), least=4)
MEASUREMENTS = Frame(0x356, 8, pylontech.MEASUREMENTS.signals, least=6)
ALARMS = pairs()
NAME = Frame(0x35E, 8, texts=(Text("manufacturer", 0, "BMSD", 8, "\0"),), least=1)
IDENTITY = Frame(0x35F, 8, (
    Signal("product", 0, 2, unknown=0),
    # High byte first, and below 10: some receivers read the digits as hexadecimal, others as decimal.
    Signal("firmware_major", 2, 1, unknown=1),
    Signal("firmware_minor", 3, 1, unknown=0),
    # What is available, not what is installed: 105 Ah of 156 at 67 % and 50 of 100 at 51 % in two captures.
    Signal("remaining_mah", 4, 2, 1, 1000),
    Signal("hardware_version", 6, 2, unknown=0),
), least=6)
# 0xFF asks for charge.
CHARGE_REQUEST = Frame(0x360, 8, (Signal("charge_request", 0, 1, 255, high=255, unknown=0),), least=1)
NAME_1 = Frame(0x370, 8, texts=(Text("battery_name_1", 0, "bmsd pac", 8, "\0"),), least=1)
NAME_2 = Frame(0x371, 8, texts=(Text("battery_name_2", 0, "k", 8, "\0"),), least=1)
MODULES = Frame(0x372, 8, (
    Signal("modules", 0, 2, unknown=1),
    Signal("modules_blocking_charge", 2, 2),
    Signal("modules_blocking_discharge", 4, 2),
    Signal("modules_offline", 6, 2, unknown=0),
))
EXTREMES = Frame(0x373, 8, (
    Signal("cell_min_mv", 0, 2),
    Signal("cell_max_mv", 2, 2),
    Signal("temperature_min_decic", 4, 2, 1, 10, offset=KELVIN),
    Signal("temperature_max_decic", 6, 2, 1, 10, offset=KELVIN),
))
MIN_CELL = Frame(0x374, 8, texts=(Text("min_cell_name", 0, None, 8, "\0"),), least=1)
MAX_CELL = Frame(0x375, 8, texts=(Text("max_cell_name", 0, None, 8, "\0"),), least=1)
MIN_SENSOR = Frame(0x376, 8, texts=(Text("min_sensor_name", 0, None, 8, "\0"),), least=1)
MAX_SENSOR = Frame(0x377, 8, texts=(Text("max_sensor_name", 0, None, 8, "\0"),), least=1)
# Read from others and never sent: energy is not counted here. Steps of 0.1 kWh; one guide says 0.01.
ENERGY = Frame(0x378, 8, (Signal("charged_wh", 0, 4, 1, 100), Signal("discharged_wh", 4, 4, 1, 100)))
CAPACITY = Frame(0x379, 8, (Signal("capacity_mah", 0, 2, 1, 1000),), least=2)
PRODUCT = Frame(0x382, 8, texts=(Text("product_name", 0, "BMSD", 8, "\0"),), least=1)
# fmt: on

FRAMES = (
    pylontech.LIMITS, CHARGE, MEASUREMENTS, ALARMS, NAME, IDENTITY, CHARGE_REQUEST, NAME_1, NAME_2, MODULES,
    EXTREMES, MIN_CELL, MAX_CELL, MIN_SENSOR, MAX_SENSOR, ENERGY, CAPACITY, PRODUCT,
)  # fmt: skip
