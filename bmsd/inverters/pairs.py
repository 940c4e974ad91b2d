"""Alarms and warnings of frame 0x35A as pairs of bits: Victron, SMA, GoodWe, BYD and Pylontech 1.3.

Bytes 0 to 3 are alarms, bytes 4 to 7 the warnings of the same conditions. In a pair 01 is raised, 10 is fine,
00 says nothing; which conditions there are is found alike in seven sources.

A raised alarm stops a Sunny Island altogether until the pair says fine, and a low-voltage alarm that stays was
seen to keep a GX from charging. So an empty pack, which only charging can mend, is a warning here, and so is a full
one, which only discharging can mend: the limit of the other direction is zero all the same. A pack too cold to charge
still discharges, and is a warning, too.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.inverters import conditions as c
from bmsd.inverters.frames import Bit, Coding, Frame

ID = 0x35A


class _Condition(NamedTuple):
    """One condition: the place of its alarm, and what raises alarm and warning."""

    byte: int
    bit: int
    name: str
    alarms: tuple[str, ...]
    warnings: tuple[str, ...]


# One condition per line, in the order of the bits.
# fmt: off
_CONDITIONS = (
    # What is about the pack as a whole and has no pair of its own.
    _Condition(0, 0, "general", c.STOPPED, c.OVERRIDE + c.HEATER + c.TEMPERATURE_SPREAD),
    _Condition(0, 2, "high_voltage", (), c.CELL_HIGH + c.PACK_HIGH + c.HIGH_WARNING),
    _Condition(0, 4, "low_voltage", c.CELL_FLOOR, c.CELL_EMPTY + c.PACK_EMPTY + c.LOW_WARNING),
    _Condition(0, 6, "high_temperature", c.DISCHARGE_HOT + c.SWITCH_HOT, ()),
    _Condition(1, 0, "low_temperature", c.DISCHARGE_COLD, c.COLD_LIFTED),
    _Condition(1, 2, "high_temperature_charge", c.CHARGE_HOT, ()),
    _Condition(1, 4, "low_temperature_charge", (), c.CHARGE_COLD),
    _Condition(1, 6, "high_discharge_current", c.DISCHARGE_CURRENT, c.DISCHARGE_CURRENT_WARNING),
    _Condition(2, 0, "high_charge_current", c.CHARGE_CURRENT, c.CHARGE_CURRENT_WARNING),
    _Condition(2, 2, "contactor", c.SWITCHES, c.SWITCH_WARNING),
    _Condition(2, 4, "short_circuit", c.SHORT, ()),
    _Condition(2, 6, "bms_internal", c.MEASURING + c.CHIP, c.INTERNAL_WARNING),
    _Condition(3, 0, "cell_imbalance", (), c.CELL_SPREAD),
)
_RESERVED = (
    _Condition(3, 2, "reserved_1", (), ()),
    _Condition(3, 4, "reserved_2", (), ()),
    _Condition(3, 6, "reserved_3", (), ()),
)
# fmt: on


def pairs(quiet: bool = False, reserved: bool = False) -> Frame:
    """Give the frame; `quiet` says nothing of what is fine, `reserved` calls the free pairs fine, as BYD does."""
    rows = _CONDITIONS + (_RESERVED if reserved else ())
    alarms = (
        Bit(f"alarm_{row.name}", row.byte, row.bit, row.alarms, coding=Coding.PAIR, quiet=quiet)
        for row in rows
    )
    warnings = (
        Bit(f"warning_{row.name}", row.byte + 4, row.bit, row.warnings, coding=Coding.PAIR, quiet=quiet)
        for row in rows
    )
    return Frame(ID, 8, bits=(*alarms, *warnings))
