"""SMA Sunny Island (FSS-ConnectingBat-TI-en-10): 500 kbit/s, 11-bit identifiers, little-endian (3 sources).

No value more often than every 200 ms; a value outside its range is dropped by the inverter, which goes on with
the last one: so they are kept inside. A field that may be unknown has a mark for it. One converter sends big-endian
words and lowers the charge voltage by 4 V: not followed.

The inverter discharges down to the charge voltage whatever the discharge limit says, so where charging is
forbidden that voltage stays a little above the pack's own. Off-grid it ignores the discharge limit.
"""

from __future__ import annotations

from bmsd.inverters.frames import Frame, Rounding, Signal, Text
from bmsd.inverters.pairs import pairs

ALIVE_IDS = (0x305, 0x306, 0x307)
ABOVE_PACK_MV = 200
PERIOD_MS = 500
LEAST_MS = 200
OBEYS_MS = 10_000
"""The battery must bear that a new limit is kept after 10 s only (SMA FSS-ConnectingBat-TI-en-10, requirements)."""

# fmt: off
LIMITS = Frame(0x351, 8, (
    Signal("charge_limit_mv", 0, 2, 1, 100, low=410, high=630, rounding=Rounding.DOWN),
    Signal("charge_limit_ma", 2, 2, 1, 100, signed=True, low=0, high=12_000, rounding=Rounding.DOWN, unknown=0),
    Signal("discharge_limit_ma", 4, 2, 1, 100, signed=True, low=0, high=12_000, rounding=Rounding.DOWN, unknown=0),
    Signal("discharge_limit_mv", 6, 2, 1, 100, low=410, high=480, rounding=Rounding.UP),
))
CHARGE = Frame(0x355, 8, (
    Signal("soc_permille", 0, 2, 1, 10, high=100, rounding=Rounding.DOWN),
    Signal("soh_permille", 2, 2, 1, 10, high=100, absent=0xFFFF),
    # The inverter takes this one where it is sent.
    Signal("soc_fine_permille", 4, 2, 10, high=10_000),
), least=6)
# Shown only. A measurement that is lost is not sent, rather than marked: that is the same for every protocol.
MEASUREMENTS = Frame(0x356, 8, (
    Signal("pack_mv", 0, 2, 1, 10, signed=True),
    Signal("current_ma", 2, 2, 1, 100, signed=True),
    Signal("temperature_decic", 4, 2, signed=True),
), least=6)
ALARMS = pairs()
EVENTS = Frame(0x35B, 8)
NAME = Frame(0x35E, 8, texts=(Text("manufacturer", 0, "BMSD", 8, "\0"),))
IDENTITY = Frame(0x35F, 8, (
    Signal("battery_type", 0, 2, unknown=0),
    Signal("firmware_version", 2, 2, unknown=1),
    Signal("capacity_mah", 4, 2, 1, 1000, rounding=Rounding.DOWN, absent=0xFFFF),
    Signal("maker", 6, 2, unknown=0),
))
# fmt: on

FRAMES = (LIMITS, CHARGE, MEASUREMENTS, ALARMS, EVENTS, NAME, IDENTITY)
