"""Conversions of the BQ76920/30/40 family: counts to millivolts and back, with the chip's own gain and offset.

There is no driver for this family yet, and no row in `bmsd.afe.chips`: this is the part that is certain.
Source: TI BQ769x0 data sheet (SLUSBK2), registers ADCGAIN1/2, ADCOFFSET, OV_TRIP, UV_TRIP, CC_HI/LO.
"""

from __future__ import annotations

from dataclasses import dataclass

from bmsd.afe.transfers import crc8

LOWEST_GAIN_UV = 365
COUNTER_NV = 8440
"""One step of the coulomb counter, in nanovolts across the shunt."""


@dataclass(frozen=True, slots=True)
class Trim:
    """One chip's factory trim: gain in µV per count, offset in mV."""

    gain_uv: int
    offset_mv: int


def trim(adcgain1: int, adcgain2: int, adcoffset: int) -> Trim:
    """Read the trim from registers 0x50, 0x59 and 0x51; the offset is signed."""
    gain = (adcgain1 & 0x0C) << 1 | (adcgain2 & 0xE0) >> 5
    return Trim(LOWEST_GAIN_UV + gain, adcoffset - 256 if adcoffset & 0x80 else adcoffset)


def cell_uv(counts: int, chip: Trim) -> int:
    """Convert a 14-bit cell reading to microvolts, so that nothing is rounded twice."""
    return chip.gain_uv * counts + chip.offset_mv * 1000


def over_trip_uv(register: int, chip: Trim) -> int:
    """Give the cell voltage at which OV_TRIP acts: its 8 bits stand in 10 tttttttt 1000."""
    return cell_uv(0x2008 | register << 4, chip)


def under_trip_uv(register: int, chip: Trim) -> int:
    """Give the cell voltage at which UV_TRIP acts: its 8 bits stand in 01 tttttttt 0000."""
    return cell_uv(0x1000 | register << 4, chip)


def shunt_nv(counter: int) -> int:
    """Convert the signed 16-bit coulomb counter to nanovolts across the shunt."""
    return COUNTER_NV * (counter - 65536 if counter & 0x8000 else counter)


def write_crc(address: int, register: int, data: int) -> int:
    """Compute the checksum of a one-byte write: address, register and data count."""
    return crc8(bytes((address << 1, register, data)))


def read_crc(address: int, data: int) -> int:
    """Compute the checksum of the first byte read: unlike the BQ769x2, the register does not count."""
    return crc8(bytes((address << 1 | 1, data)))
