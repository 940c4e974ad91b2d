"""The FETs of a BQ769x2: commanded, read back, and switched off whoever left the chip how (TI SLUUBY2B, chapter 5).

A command only ever forces off or stops doing so: the chip's own protections keep the last word, and a FET comes on
only when the chip evaluates it, every 250 ms.
"""

from __future__ import annotations

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.bq769x2_link import command, word, write_buffer
from bmsd.afe.transfers import Procedure, Read, TransferError, Wait, Write


def drive_fets(charge: bool, discharge: bool, crc: bool) -> Procedure[None]:
    """Force off each FET that shall not be on.

    Both at once by their own commands: one frame, and no bits whose order anybody could mistake.
    """
    if charge == discharge:
        yield from command(reg.ALL_FETS_ON if charge else reg.ALL_FETS_OFF, crc)
        return
    off = reg.DSG_OFF if charge else reg.CHG_OFF
    yield from write_buffer(reg.FET_CONTROL, bytes((off,)), crc)


def read_fets(crc: bool) -> Procedure[tuple[bool, bool]]:
    """Read whether the charge and the discharge FET are driven on."""
    (status,) = yield Read(reg.FET_STATUS, 1, crc)
    return bool(status & reg.CHG_IS_ON), bool(status & reg.DSG_IS_ON)


def forbid_fets() -> Procedure[bool]:
    """Send ALL_FETS_OFF in the link mode the chip is in; tell whether that is the one with checksums.

    Plain first: a chip in CRC mode refuses a plain frame, while a plain chip would take checksums for data.
    """
    off, crc = word(reg.ALL_FETS_OFF), False
    try:
        yield Write(reg.SUBCOMMAND, off, False, probe=True)
    except TransferError as error:
        if not error.refused:
            raise
        yield Read(reg.BATTERY_STATUS, 2, True)
        crc = True
        yield Write(reg.SUBCOMMAND, off, True)
    yield Wait(1)
    return crc


def switch_off() -> Procedure[tuple[bool, bool]]:
    """Switch both FETs off knowing nothing of the chip; give what their status then reads (S5)."""
    crc = yield from forbid_fets()
    return (yield from read_fets(crc))
