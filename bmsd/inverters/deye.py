"""Deye and Sunsynk: Pylontech 1.2 as it is (3 sources, in service).

They discharge into grid or load until the battery is at the charge voltage, whatever the discharge limit says;
so where charging is forbidden that voltage stays a little above the pack's own. Zero current alone was seen to be
ignored, and so was 0x35C by some versions: all of them are sent.

The frames of Deye's own batteries (PCS V3.3) are not here: there the inverter takes the pack for one of its maker
and charges to 58.4 V whatever it is told, and not every alarm bit of that document has a stated place.
"""

from __future__ import annotations

from bmsd.inverters import pylontech

ABOVE_PACK_MV = 200
"""How far above the pack the charge voltage stays while charging is forbidden."""
LEAST_MA = 1000
"""Told 0.1 A and 0.1 V one of them raised W31 and went on with its last limits: less than 1 A is told as none."""

UNTOLD = pylontech.UNTOLD
FRAMES = pylontech.FRAMES
