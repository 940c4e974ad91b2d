"""GoodWe low voltage ("Goodwe/SMA CAN V1.2"): SMA's set, 8 bytes each, every 100 ms (3 sources for the set).

500 kbit/s, 11-bit identifiers, little-endian. Another project describes 0x453 to 0x458 without scales: not
followed. Which number means which chemistry is not told by any source; zero is sent. On the inverter the battery
LX U5.4-L was selected by the one who reports it in service.
"""

from __future__ import annotations

from bmsd.inverters import pylontech, sma, victron
from bmsd.inverters.frames import Frame, Rounding, Signal, Text
from bmsd.inverters.pairs import pairs

PERIOD_MS = 100

# fmt: off
CHARGE = Frame(0x355, 8, victron.CHARGE.signals, least=4)
NAME = Frame(0x35E, 8, texts=(Text("manufacturer", 0, "GOODWE", 8),))
IDENTITY = Frame(0x35F, 8, (
    Signal("chemistry", 0, 2, unknown=0),
    Signal("hardware_version", 2, 2, unknown=1),
    Signal("capacity_mah", 4, 2, 1, 1000, rounding=Rounding.DOWN),
    Signal("firmware_version", 6, 2, unknown=1),
))
# fmt: on

FRAMES = (pylontech.LIMITS, CHARGE, victron.MEASUREMENTS, pairs(), sma.EVENTS, NAME, IDENTITY)
