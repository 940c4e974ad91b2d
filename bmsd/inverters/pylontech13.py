"""Pylontech low-voltage protocol 1.3: the frames of newer US5000 firmware (3 sources, no document).

500 kbit/s, 11-bit identifiers, little-endian, once a second. Alarms are pairs in 0x35A that are zero while
nothing is raised; there is no 0x359 and no 0x35C. Without enable bits only limits say stop: no current, and a
charge voltage not above the pack's own.
"""

from __future__ import annotations

from dataclasses import replace

from bmsd.inverters import pylontech
from bmsd.inverters.frames import Frame, Rounding, Signal, Text
from bmsd.inverters.pairs import pairs

CHARGE = replace(pylontech.CHARGE, length=6, least=4)
# fmt: off
IDENTITY = Frame(0x35F, 8, signals=(
    Signal("firmware_major", 2, 1, unknown=1),
    Signal("firmware_minor", 3, 1, unknown=3),
    # Whole ampere-hours on line: 572 in the one capture there is, of six modules of 100.
    Signal("capacity_mah", 4, 2, 1, 1000, rounding=Rounding.DOWN),
    Signal("hardware_version", 6, 2, unknown=0),
), texts=(Text("chemistry", 0, "LI"),))
# fmt: on

FRAMES = (
    pylontech.LIMITS, CHARGE, pylontech.MEASUREMENTS, pairs(quiet=True), pylontech.NAME, IDENTITY,
)  # fmt: skip
