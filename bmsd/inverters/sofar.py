"""Sofar hybrids set to Pylontech: plain 1.2, as a capture of an ME3000SP with genuine modules shows.

Sofar's own set ("general lithium", AMASS) is not here: one source each for 11-bit and for 29-bit identifiers, and
they disagree about 0x30F, the word that allows charging.
"""

from __future__ import annotations

from bmsd.inverters import pylontech

UNTOLD = pylontech.UNTOLD
FRAMES = pylontech.FRAMES
