"""What an older JK board tells in one answer over its serial line, the 4E57 protocol: one row per field, in its order.

Clients find a field by its place, not by its number: order and lengths are exactly these. Values are names of
`bmsd.links.jk_values` in inside units, divided by `per`; a number or a text in quotes of its own is always that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bmsd.tables.jk import I16, TEXT, U8, U16, U32, JkKind, scaled

CELLS_ID = 0x79


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its number, its value, how that is laid out, and the bytes of a text."""

    id: int
    value: str | int
    kind: JkKind
    per: int = 1
    count: int = 0

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """Give the field: its number, then its value."""
        value = values[self.value] if isinstance(self.value, str) else self.value
        if self.kind is TEXT:
            data = str(value).encode("ascii", "replace")[: self.count].ljust(self.count, b"\0")
        else:
            data = self.kind.encode(scaled(value, self.per), "big")
        return bytes((self.id,)) + data


# fmt: off
FIELDS = (
    Field(0x80, "switch_word", U16), Field(0x81, "battery_1_word", U16), Field(0x82, "battery_2_word", U16),
    Field(0x83, "pack_mv", U16, 10), Field(0x84, "current_word", U16), Field(0x85, "soc_permille", U8, 10),
    Field(0x86, "battery_sensors", U8), Field(0x87, "cycles_milli", U16, 1000),
    Field(0x89, "discharged_mah", U32, 1000), Field(0x8A, "cells", U16),
    Field(0x8B, "warning_bits", U16), Field(0x8C, "status_bits", U16),
    Field(0x8E, "pack_ovp_mv", U16, 10), Field(0x8F, "pack_uvp_mv", U16, 10),
    Field(0x90, "cell_ovp_mv", U16), Field(0x91, "cell_ovpr_mv", U16), Field(0x92, "cell_ovp_delay_ms", U16, 1000),
    Field(0x93, "cell_uvp_mv", U16), Field(0x94, "cell_uvpr_mv", U16), Field(0x95, "cell_uvp_delay_ms", U16, 1000),
    Field(0x96, "cell_spread_mv", U16),
    Field(0x97, "discharge_max_ma", U16, 1000), Field(0x98, "discharge_ocp_delay_ms", U16, 1000),
    Field(0x99, "charge_max_ma", U16, 1000), Field(0x9A, "charge_ocp_delay_ms", U16, 1000),
    Field(0x9B, "balance_start_mv", U16), Field(0x9C, "balance_trigger_mv", U16), Field(0x9D, 1, U8),
    Field(0x9E, "switch_otp_decic", U16, 10), Field(0x9F, "switch_otpr_decic", U16, 10),
    Field(0xA0, "switch_otp_decic", U16, 10), Field(0xA1, "switch_otpr_decic", U16, 10),
    Field(0xA2, "temperature_spread_decik", U16, 10),
    Field(0xA3, "charge_otp_decic", U16, 10), Field(0xA4, "discharge_otp_decic", U16, 10),
    Field(0xA5, "charge_utp_decic", I16, 10), Field(0xA6, "charge_utpr_decic", I16, 10),
    Field(0xA7, "discharge_utp_decic", I16, 10), Field(0xA8, "discharge_utpr_decic", I16, 10),
    Field(0xA9, "cells", U8), Field(0xAA, "rated_mah", U32, 1000), Field(0xAB, 1, U8), Field(0xAC, 1, U8),
    Field(0xAD, 0, U16), Field(0xAE, "unit", U8), Field(0xAF, "chemistry_code", U8), Field(0xB0, 0, U16),
    Field(0xB1, 0, U8),
    # A password on a real board, there for all to read.
    Field(0xB2, "nothing", TEXT, count=10),
    Field(0xB3, 0, U8), Field(0xB4, "maker", TEXT, count=8), Field(0xB5, "made", TEXT, count=4),
    Field(0xB6, "runtime_ms", U32, 60_000), Field(0xB7, "program_filled", TEXT, count=15), Field(0xB8, 0, U8),
    Field(0xB9, "capacity_mah", U32, 1000), Field(0xBA, "serial", TEXT, count=24),
    # With 1, bit 15 of the current says that it charges.
    Field(0xC0, 1, U8),
)
# fmt: on
BY_ID = {row.id: row for row in FIELDS}


def cells(values: Mapping[str, Any]) -> bytes:
    """Give the cells: their length in bytes, then number and voltage of each."""
    listed = [bytes((place,)) + U16.encode(mv, "big") for place, mv in enumerate(values["cell_mv"], 1)]
    return bytes((CELLS_ID, 3 * len(listed))) + b"".join(listed)


def everything(values: Mapping[str, Any]) -> bytes:
    """Give all fields in their order."""
    return cells(values) + b"".join(row.encode(values) for row in FIELDS)
