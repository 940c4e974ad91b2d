"""One poll of a BQ769x2: which blocks to read, and what the bytes mean (TI SLUUBY2B, chapter 12).

The values wanted are fixed at start, so the reads are planned once: neighbours share a transaction as
long as the bytes between cost less than its overhead, at most 32 bytes, no value split.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import lru_cache

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.bq769x2_link import word
from bmsd.afe.transfers import Read, Write
from bmsd.core.types import ChipFault, Measurement

_OVERHEAD_BYTES = 3
"""Address, register and address again: what one more read transaction costs on the wire."""

_KELVIN_OFFSET_DECI = 2731
_COLDEST_DECIC = -400
_HOTTEST_DECIC = 1200
"""An NTC reading outside is a broken or shorted wire."""

_SATURATED = 32767
_PIN_OFFSET = -100
"""1 V below ground: more than any offset of an open pin, and no voltage that these pins bear."""

_FAULTS_A = (
    (0x80, ChipFault.SHORT_CIRCUIT),
    (0x40, ChipFault.DISCHARGE_OVER_CURRENT),
    (0x20, ChipFault.DISCHARGE_OVER_CURRENT),
    (0x10, ChipFault.CHARGE_OVER_CURRENT),
    (0x08, ChipFault.CELL_OVER_VOLTAGE),
    (0x04, ChipFault.CELL_UNDER_VOLTAGE),
)
_FAULTS_B = (
    (0xC4, ChipFault.BOARD_TEMPERATURE),  # OTF OTINT UTINT
    (0x22, ChipFault.DISCHARGE_TEMPERATURE),  # OTD UTD
    (0x11, ChipFault.CHARGE_TEMPERATURE),  # OTC UTC
)
_FAULTS_C = (
    (0x80, ChipFault.DISCHARGE_OVER_CURRENT),
    (0x40, ChipFault.SHORT_CIRCUIT),
    (0x20, ChipFault.DISCHARGE_OVER_CURRENT),
    (0x10, ChipFault.CELL_OVER_VOLTAGE),
    (0x04, ChipFault.OTHER),
    (0x02, ChipFault.HOST_WATCHDOG),
)


_SCALE = frozenset({reg.CC_GAIN.address, reg.DA_CONFIG.address})
"""What the reading of the current hangs on."""


class Plan:
    """The transfers of one poll in one link mode, and how to read their bytes."""

    def __init__(
        self, inputs: tuple[int, ...], thermistors: int, unit_ma: int, crc: bool, own_fets: bool = False
    ) -> None:
        self.alarms = Read(reg.ALARM_STATUS, 2, crc)
        self.clear = Write(reg.ALARM_STATUS, word(reg.ADSCAN | reg.FULLSCAN), crc)
        values = (
            (reg.SAFETY_STATUS_A, 1),
            (reg.SAFETY_STATUS_B, 1),
            (reg.SAFETY_STATUS_C, 1),
            (reg.BATTERY_STATUS, 2),
            *((reg.CELL_1 + 2 * number, 2) for number in inputs),
            *((register, 2) for register in (reg.STACK, reg.PACK_PIN, reg.LD_PIN, reg.CC2_CURRENT)),
            *((register, 2) for register in (reg.TS1, reg.TS2)[:thermistors]),
            (reg.TS3, 2),
            *(((reg.FET_STATUS, 1),) if own_fets else ()),
        )
        self.reads = _plan(values, crc)
        self._low = struct.Struct(f"<{len(inputs) - 1}h")
        self._top_register = reg.CELL_1 + 2 * inputs[-1]
        self._low_inputs = inputs[:-1]
        self._gap = self._low_inputs != tuple(range(len(inputs) - 1))
        self._thermistors = thermistors
        self._unit_ma = unit_ma
        self._own_fets = own_fets
        self._trusted: frozenset[int] = frozenset()

    def trust(self, held: frozenset[int]) -> None:
        """Take the addresses of the settings that a chip was found to hold, for `glimpse`."""
        self._trusted = held

    def glimpse(self, image: bytearray) -> Measurement:
        """Turn the image of a chip that is not set up into values: what hangs on settings it does not hold is None.

        Cells and stack are in their units whatever it holds. Its trips are those of other limits, so none is told.
        """
        seen, held = self.decode(image), self._trusted
        sensors = (reg.TS1_CONFIG.address, reg.TS2_CONFIG.address)
        return replace(
            seen,
            current_ma=seen.current_ma if held >= _SCALE else None,
            stack_mv=seen.stack_mv if reg.DA_CONFIG.address in held else None,
            battery_decic=tuple(
                decic if at in held else None for decic, at in zip(seen.battery_decic, sensors, strict=False)
            ),
            switch_decic=seen.switch_decic if reg.TS3_CONFIG.address in held else None,
            charger_mv=None,
            load_mv=None,
            faults=ChipFault.NONE,
        )

    def decode(self, image: bytearray) -> Measurement:
        """Turn the register image of one poll into values; what the chip marks invalid is None (S2)."""
        battery_status = image[reg.BATTERY_STATUS] | image[reg.BATTERY_STATUS + 1] << 8
        stack, pack, load, current = _PINS.unpack_from(image, reg.STACK)
        ts1, ts2, ts3 = _TEMPERATURES.unpack_from(image, reg.TS1)
        battery = (ts1,) if self._thermistors == 1 else (ts1, ts2)
        fets = image[reg.FET_STATUS]
        return Measurement(
            cell_mv=self._cells(image, battery_status),
            stack_mv=stack * 10 if stack >= 0 else None,
            charger_mv=_pin_mv(pack),
            load_mv=_pin_mv(load),
            current_ma=current * self._unit_ma if -_SATURATED < current < _SATURATED else None,
            battery_decic=tuple([_decic(raw) for raw in battery]),
            switch_decic=_decic(ts3),
            faults=_faults(
                image[reg.SAFETY_STATUS_A],
                image[reg.SAFETY_STATUS_B],
                image[reg.SAFETY_STATUS_C],
                bool(battery_status & reg.PERMANENT_FAIL),
            ),
            charge_fet=bool(fets & reg.CHG_IS_ON) if self._own_fets else None,
            discharge_fet=bool(fets & reg.DSG_IS_ON) if self._own_fets else None,
        )

    def _cells(self, image: bytearray, battery_status: int) -> tuple[int | None, ...]:
        """Take the cells, in pack order; none while the open-wire test draws its current."""
        if battery_status & reg.OPEN_WIRE_TEST:
            return (None,) * (len(self._low_inputs) + 1)
        top = _WORD.unpack_from(image, self._top_register)
        if self._gap:
            every = _ALL_CELLS.unpack_from(image, reg.CELL_1)
            raw = (*(every[number] for number in self._low_inputs), *top)
        else:
            raw = self._low.unpack_from(image, reg.CELL_1) + top
        if min(raw) >= 0:
            return raw
        return tuple([value if value >= 0 else None for value in raw])


_PINS = struct.Struct("<4h")
_TEMPERATURES = struct.Struct("<3h")
_ALL_CELLS = struct.Struct("<16h")
_WORD = struct.Struct("<h")


def _decic(raw: int) -> int | None:
    value = raw - _KELVIN_OFFSET_DECI
    return value if _COLDEST_DECIC <= value <= _HOTTEST_DECIC else None


@lru_cache(maxsize=64)
def _pin_mv(raw: int) -> int | None:
    """Read a pin that nothing drives as nothing, though its offset shows a little less."""
    if raw < _PIN_OFFSET:
        return None
    return max(raw, 0) * 10


_NO_FAULT = ChipFault.NONE


def _faults(a: int, b: int, c: int, permanent: bool) -> ChipFault:
    """Translate the safety status bytes; a bit without a name is OTHER, never nothing."""
    if not (a or b or c or permanent):
        return _NO_FAULT
    faults = ChipFault.PERMANENT_FAILURE if permanent else ChipFault.NONE
    for status, table in ((a, _FAULTS_A), (b, _FAULTS_B), (c, _FAULTS_C)):
        known = 0
        for bits, fault in table:
            known |= bits
            if status & bits:
                faults |= fault
        if status & ~known:
            faults |= ChipFault.OTHER
    return faults


def _plan(values: tuple[tuple[int, int], ...], crc: bool) -> tuple[Read, ...]:
    """Join values (register, bytes) into the fewest bytes on the wire."""
    gap_bytes = _OVERHEAD_BYTES // (2 if crc else 1)
    blocks: list[list[int]] = []
    for register, length in sorted(values):
        last = blocks[-1] if blocks else None
        if last is not None and register - last[1] <= gap_bytes and register + length - last[0] <= reg.BLOCK:
            last[1] = register + length
        else:
            blocks.append([register, register + length])
    return tuple(Read(first, end - first, crc) for first, end in blocks)
