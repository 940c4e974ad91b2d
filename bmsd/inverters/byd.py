"""BYD Battery-Box LVL, LVS and Premium LV: the frames of a captured Premium LVS, all 8 bytes, little-endian.

500 kbit/s, 11-bit identifiers. Genuine batteries send 0x351 every 2 s and the rest more slowly; here each is sent
once a second. A GX that finds this name makes 40 A out of a charge current of zero; what stops it then is the
charge voltage, which is at the pack's own where charging is forbidden. On a GX, protocol victron is better.
"""

from __future__ import annotations

from dataclasses import replace

from bmsd.inverters import pylontech, victron
from bmsd.inverters.frames import Frame, Signal, Text
from bmsd.inverters.pairs import pairs

CHARGE = Frame(0x355, 8, pylontech.CHARGE.signals)
NAME = Frame(0x35E, 8, texts=(Text("manufacturer", 0, "BYD", 8, "\0"),))
IDENTITY = Frame(0x35F, 8, victron.IDENTITY.signals[1:], texts=(Text("chemistry", 0, "Li"),))
EVENTS = Frame(0x35B, 8)
"""No event is ever told."""
REQUEST = Frame(0x360, 8, (Signal("charge_request", 0, 1, 255, high=255, unknown=0),))
PRODUCT = Frame(0x382, 8, texts=(Text("product_name", 0, "PREMIUM", 8, "\0"),))

FRAMES = (
    pylontech.LIMITS, CHARGE, replace(victron.MEASUREMENTS, least=0), pairs(reserved=True), EVENTS, NAME,
    IDENTITY, REQUEST, victron.MODULES, victron.EXTREMES, victron.MIN_CELL, victron.MAX_CELL,
    victron.MIN_SENSOR, victron.MAX_SENSOR, victron.ENERGY, victron.CAPACITY, PRODUCT,
)  # fmt: skip
