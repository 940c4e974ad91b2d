"""Studer Xtender and next3 with an Xcom-CAN whose switches select Pylontech.

Not verified: Studer's manuals name the batteries it supports, and no description of frames was found.
"""

from __future__ import annotations

from bmsd.inverters import pylontech

UNTOLD = pylontech.UNTOLD
FRAMES = pylontech.FRAMES
