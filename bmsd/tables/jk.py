"""What a JK board of the PB series tells over RS485, one row per field; the same rows make both of its forms.

Addresses count bytes, not registers. Read with function 03 a value has its high byte first; in the frame of 300
bytes that is asked for with function 16 its low byte first. Single bytes stand where they stand in both. A value is
a name of `bmsd.links.jk_values`, in inside units, divided by `per`; a number is always that. JK has no word for
unknown: what cannot be told is refused before it comes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

Order = Literal["big", "little"]
NO_SENSOR_DECIC = -2000
"""What a temperature reads where there is no sensor."""


class JkKind(Enum):
    """How a field is laid out: bytes, and whether it can be negative."""

    U8 = (1, False)
    I8 = (1, True)
    U16 = (2, False)
    I16 = (2, True)
    U32 = (4, False)
    I32 = (4, True)
    TEXT = (0, False)

    def encode(self, value: int, order: Order) -> bytes:
        """Give the bytes of a number; one that does not fit is clamped, never wrapped."""
        size, signed = self.value[0], self.value[1]
        low = -(1 << 8 * size - 1) if signed else 0
        high = (1 << 8 * size - signed) - 1
        return min(max(value, low), high).to_bytes(size, order, signed=signed)


U8, I8, U16, I16, U32, I32, TEXT = JkKind.U8, JkKind.I8, JkKind.U16, JkKind.I16, JkKind.U32, JkKind.I32, JkKind.TEXT


@dataclass(frozen=True, slots=True)
class JkField:
    """One field: its place in bytes, its value, and how that is laid out; `count` of them, or bytes of a text."""

    offset: int
    value: str | int
    kind: JkKind
    per: int = 1
    count: int = 1

    def encode(self, values: Mapping[str, Any], order: Order) -> bytes:
        """Give the bytes of the field."""
        value = values[self.value] if isinstance(self.value, str) else self.value
        if self.kind is TEXT:
            return str(value).encode("ascii", "replace")[: self.count].ljust(self.count, b"\0")
        listed = [*value][: self.count] if isinstance(value, list) else [value]
        return b"".join(self.kind.encode(scaled(one, self.per), order) for one in listed)


def scaled(value: int, per: int) -> int:
    """Divide to the nearest step."""
    return (2 * int(value) + per) // (2 * per)


@dataclass(frozen=True, slots=True)
class JkBlock:
    """One block: where it begins, the type and the register of its frame, and its fields."""

    name: str
    start: int
    frame_type: int
    frame_register: int
    fields: tuple[JkField, ...]


BLOCK_BYTES = 0x124
FRAME_HEAD = bytes.fromhex("55AAEB90")
FRAME_BYTES = 300
MOST_CELLS = 32

# One field per line, by place.
# fmt: off
SETTINGS = JkBlock("settings", 0x1000, 1, 0x161E, (
    JkField(0x04, "cell_uvp_mv", U32),
    JkField(0x08, "cell_uvpr_mv", U32),
    JkField(0x0C, "cell_ovp_mv", U32),
    JkField(0x10, "cell_ovpr_mv", U32),
    JkField(0x14, "balance_trigger_mv", U32),
    JkField(0x18, "soc_full_mv", U32),
    JkField(0x1C, "soc_empty_mv", U32),
    JkField(0x20, "cell_charge_mv", U32),
    JkField(0x24, "cell_float_mv", U32),
    JkField(0x28, "cell_shutdown_mv", U32),
    # A client charges with what stands here: the limit that is asked for, not the one that trips.
    JkField(0x2C, "charge_max_ma", U32),
    JkField(0x30, "charge_ocp_delay_ms", U32, 1000),
    JkField(0x34, "charge_ocp_release_ms", U32, 1000),
    JkField(0x38, "discharge_max_ma", U32),
    JkField(0x3C, "discharge_ocp_delay_ms", U32, 1000),
    JkField(0x40, "discharge_ocp_release_ms", U32, 1000),
    JkField(0x44, "short_circuit_release_ms", U32, 1000),
    JkField(0x48, "balance_max_ma", U32),
    JkField(0x4C, "charge_otp_decic", I32),
    JkField(0x50, "charge_otpr_decic", I32),
    JkField(0x54, "discharge_otp_decic", I32),
    JkField(0x58, "discharge_otpr_decic", I32),
    JkField(0x5C, "charge_utp_decic", I32),
    JkField(0x60, "charge_utpr_decic", I32),
    JkField(0x64, "switch_otp_decic", I32),
    JkField(0x68, "switch_otpr_decic", I32),
    JkField(0x6C, "cells", U32),
    JkField(0x70, 1, U32),
    JkField(0x74, 1, U32),
    JkField(0x78, 1, U32),
    JkField(0x7C, "rated_mah", U32),
    JkField(0x80, "short_circuit_delay_us", U32),
    JkField(0x84, "balance_start_mv", U32),
    JkField(0x108, "unit", U32),
    JkField(0x10C, "precharge_timeout_ms", U32, 1000),
    JkField(0x114, "control_bits", U16),
    # Heating begins and ends at these, in whole degrees.
    JkField(0x116, "charge_utp_decic", I8, 10),
    JkField(0x117, "charge_utpr_decic", I8, 10),
    JkField(0x118, "sleep_after_h", U8),
))
LIVE = JkBlock("live", 0x1200, 2, 0x1620, (
    JkField(0x00, "cell_mv", U16, count=MOST_CELLS),
    JkField(0x40, "cells_present", U32),
    JkField(0x44, "cell_average_mv", U16),
    JkField(0x46, "cell_difference_mv", U16),
    JkField(0x48, "max_place", U8),
    JkField(0x49, "min_place", U8),
    JkField(0x4A, "wire_mohm", U16, count=MOST_CELLS),
    JkField(0x8A, "switch_decic", I16),
    JkField(0x90, "pack_mv", U32),
    JkField(0x94, "magnitude_mw", U32),
    JkField(0x98, "current_ma", I32),
    JkField(0x9C, "battery_1_decic", I16),
    JkField(0x9E, "battery_2_decic", I16),
    JkField(0xA0, "alarm_bits", U32),
    JkField(0xA4, "balance_ma", I16),
    JkField(0xA6, "balance_action", U8),
    JkField(0xA7, "soc_permille", U8, 10),
    JkField(0xA8, "remaining_mah", I32),
    JkField(0xAC, "capacity_mah", U32),
    JkField(0xB0, "cycles_milli", U32, 1000),
    JkField(0xB4, "discharged_mah", U32),
    JkField(0xB8, "soh_permille", U8, 10),
    JkField(0xB9, "precharge_on", U8),
    JkField(0xBC, "runtime_ms", U32, 1000),
    JkField(0xC0, "charge_on", U8),
    JkField(0xC1, "discharge_on", U8),
    JkField(0xD0, "sensor_bits", U8),
    JkField(0xD1, "heating", U8),
    JkField(0xD4, "emergency_remaining_ms", U16, 1000),
    JkField(0xE4, "pack_mv", U16, 10),
    JkField(0xE6, "heater_ma", U16),
    JkField(0xEF, "charging", U8),
    JkField(0xF0, "uptime_ms", U32, 100),
    JkField(0xF8, NO_SENSOR_DECIC, I16),
    JkField(0xFA, NO_SENSOR_DECIC, I16),
    JkField(0xFC, NO_SENSOR_DECIC, I16),
    JkField(0x100, "clock_s", U32),
    JkField(0x110, "charge_stage_ms", U16, 1000),
    JkField(0x112, "charge_stage", U8),
))
ABOUT = JkBlock("about", 0x1400, 3, 0x161C, (
    JkField(0x00, "model", TEXT, count=16),
    JkField(0x10, "hardware", TEXT, count=8),
    JkField(0x18, "software", TEXT, count=8),
    JkField(0x20, "runtime_ms", U32, 1000),
    JkField(0x28, "name", TEXT, count=16),
    JkField(0x50, "serial", TEXT, count=16),
    JkField(0x60, "program", TEXT, count=16),
))
# fmt: on
BLOCKS = {block.start: block for block in (SETTINGS, LIVE, ABOUT)}
FRAMES = {block.frame_register: block for block in (SETTINGS, LIVE, ABOUT)}


def block_bytes(block: JkBlock, values: Mapping[str, Any], order: Order) -> bytes:
    """Lay out a block; where no field stands is zero, passwords among it."""
    out = bytearray(BLOCK_BYTES)
    for row in block.fields:
        data = row.encode(values, order)
        out[row.offset : row.offset + len(data)] = data
    return bytes(out)


def frame(block: JkBlock, values: Mapping[str, Any]) -> bytes:
    """Make the frame of a block. The byte after its type is 0: some clients take nothing else."""
    head = FRAME_HEAD + bytes((block.frame_type, 0))
    body = (head + block_bytes(block, values, "little")).ljust(FRAME_BYTES - 1, b"\0")
    return body + bytes((sum(body) & 0xFF,))


def is_frame(data: bytes) -> bool:
    """Tell whether these bytes are one whole frame, of whatever board."""
    return len(data) == FRAME_BYTES and data.startswith(FRAME_HEAD) and sum(data[:-1]) & 0xFF == data[-1]
