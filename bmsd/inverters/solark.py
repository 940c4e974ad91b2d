"""Sol-Ark V1.3 (2023-01-20): Pylontech 1.2 with every frame 8 bytes long; the capacity in 0x379 is documented here.

The document gives the pack voltage in steps of 0.1 V, all others of this family in 0.01 V, and no capture
settles it. `FRAMES` follows the document; `FRAMES_10MV` is for an inverter that shows a tenth of the voltage.
"""

from __future__ import annotations

from dataclasses import replace

from bmsd.inverters import pylontech
from bmsd.inverters.frames import Frame, Signal

MEASUREMENTS = Frame(
    0x356, 8, (Signal("pack_mv", 0, 2, 1, 100, signed=True), *pylontech.MEASUREMENTS.signals[1:])
)

FRAMES_10MV = tuple(replace(frame, length=8) for frame in pylontech.FRAMES)
UNTOLD = pylontech.UNTOLD
FRAMES = tuple(MEASUREMENTS if frame.id == MEASUREMENTS.id else frame for frame in FRAMES_10MV)
