"""The SunSpec models of a battery, one row per point, and what bmsd fills in.

Names, types, sizes and scale factors are those of the SunSpec Alliance's own definitions (Apache-2.0). Each model
begins with its id and length, which stand in no row. A point without a value is not implemented. A value is a
name of `bmsd.links.sunspec_values`, in inside units; a number is always that, in people's units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bmsd.tables.registers import S16, U16, U32, Word
from bmsd.tables.rows import AMPERE, AMPERE_HOUR, CELSIUS, PERCENT, VOLT, WATT

BASE = 40_000
MARKER = (0x5375, 0x6E53)
"""SunS."""
END = (0xFFFF, 0)


class Type(Enum):
    """A SunSpec type: its name in the definitions, and how it is laid out."""

    UINT16 = ("uint16", U16)
    INT16 = ("int16", S16)
    ENUM16 = ("enum16", U16)
    UINT32 = ("uint32", U32)
    BITFIELD32 = ("bitfield32", U32)
    SUNSSF = ("sunssf", S16)
    PAD = ("pad", U16)
    STRING = ("string", None)

    @property
    def word(self) -> Word | None:
        """Give the layout of a number; None for a text."""
        word: Word | None = self.value[1]
        return word


UINT16, INT16, ENUM16, UINT32, BITFIELD32 = Type.UINT16, Type.INT16, Type.ENUM16, Type.UINT32, Type.BITFIELD32
SUNSSF, PAD, STRING = Type.SUNSSF, Type.PAD, Type.STRING


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a model; `scale` names the point that holds its power of ten."""

    name: str
    type: Type
    value: str | int | None = None
    scale: str = ""
    size: int = 0
    """Registers of a text."""

    @property
    def registers(self) -> int:
        """Count its registers."""
        return self.size if self.type.word is None else self.type.word.words


@dataclass(frozen=True, slots=True)
class Model:
    """One model: its points, then a block of points so many times."""

    id: int
    title: str
    points: tuple[Point, ...]
    repeats: str | int = 0
    block: tuple[Point, ...] = ()


_UNITS = (VOLT, AMPERE, WATT, AMPERE_HOUR, CELSIUS, PERCENT)
_SCALES = {**{unit.inside: unit.scale for unit in _UNITS}, "_mwh": 1000, "_milli": 1000}
_DOWN = ("charge_limit_mv", "charge_limit_ma", "discharge_limit_ma")
_UP = ("discharge_limit_mv",)
"""Limits are told on their safe side; everything else is told nearest."""

# fmt: off
MODELS: tuple[Model, ...] = (
    Model(1, "Common", (
        Point("Mn", STRING, "maker", size=16),
        Point("Md", STRING, "model", size=16),
        Point("Opt", STRING, "options", size=8),
        Point("Vr", STRING, "version", size=8),
        Point("SN", STRING, "serial", size=16),
        Point("DA", UINT16, "unit"),
        Point("Pad", PAD, 0),
    )),
    Model(802, "Battery Base Model", (
        Point("AHRtg", UINT16, "rated_mah", "AHRtg_SF"),
        Point("WHRtg", UINT16, "rated_mwh", "WHRtg_SF"),
        Point("WChaRteMax", UINT16, "charge_rated_mw", "WChaDisChaMax_SF"),
        Point("WDisChaRteMax", UINT16, "discharge_rated_mw", "WChaDisChaMax_SF"),
        Point("DisChaRte", UINT16, None, "DisChaRte_SF"),
        Point("SoCMax", UINT16, 100, "SoC_SF"),
        Point("SoCMin", UINT16, 0, "SoC_SF"),
        Point("SocRsvMax", UINT16, None, "SoC_SF"),
        Point("SoCRsvMin", UINT16, None, "SoC_SF"),
        Point("SoC", UINT16, "soc_permille", "SoC_SF"),
        Point("DoD", UINT16, "dod_permille", "DoD_SF"),
        Point("SoH", UINT16, "soh_permille", "SoH_SF"),
        Point("NCyc", UINT32, "cycles_milli"),
        Point("ChaSt", ENUM16, "charge_status"),
        Point("LocRemCtl", ENUM16, 1),
        Point("Hb", UINT16, "heartbeat"),
        Point("CtrlHb", UINT16),
        Point("AlmRst", UINT16, 0),
        Point("Typ", ENUM16, 4),
        Point("State", ENUM16, "bank_state"),
        Point("StateVnd", ENUM16, "state"),
        Point("WarrDt", UINT32),
        Point("Evt1", BITFIELD32, "events"),
        Point("Evt2", BITFIELD32, 0),
        Point("EvtVnd1", BITFIELD32, "alarms_1"),
        Point("EvtVnd2", BITFIELD32, "alarms_2"),
        Point("V", UINT16, "pack_mv", "V_SF"),
        Point("VMax", UINT16, "charge_limit_mv", "V_SF"),
        Point("VMin", UINT16, "discharge_limit_mv", "V_SF"),
        Point("CellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        Point("CellVMaxStr", UINT16, 1),
        Point("CellVMaxMod", UINT16, 1),
        Point("CellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        Point("CellVMinStr", UINT16, 1),
        Point("CellVMinMod", UINT16, 1),
        Point("CellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        Point("A", INT16, "taken_ma", "A_SF"),
        Point("AChaMax", UINT16, "charge_limit_ma", "AMax_SF"),
        Point("ADisChaMax", UINT16, "discharge_limit_ma", "AMax_SF"),
        Point("W", INT16, "taken_mw", "W_SF"),
        Point("ReqInvState", ENUM16, "inverter_request"),
        Point("ReqW", INT16, None, "W_SF"),
        Point("SetOp", ENUM16, 0),
        Point("SetInvState", ENUM16, 0),
        Point("AHRtg_SF", SUNSSF, -1),
        Point("WHRtg_SF", SUNSSF, "energy_exponent"),
        Point("WChaDisChaMax_SF", SUNSSF, "rating_exponent"),
        Point("DisChaRte_SF", SUNSSF),
        Point("SoC_SF", SUNSSF, -1),
        Point("DoD_SF", SUNSSF, -1),
        Point("SoH_SF", SUNSSF, -1),
        Point("V_SF", SUNSSF, -2),
        Point("CellV_SF", SUNSSF, -3),
        Point("A_SF", SUNSSF, -1),
        Point("AMax_SF", SUNSSF, -1),
        Point("W_SF", SUNSSF, "power_exponent"),
    )),
    Model(803, "Lithium-Ion Battery Bank Model", (
        Point("NStr", UINT16, 1),
        Point("NStrCon", UINT16, "connected"),
        Point("ModTmpMax", INT16, "battery_max_decic", "ModTmp_SF"),
        Point("ModTmpMaxStr", UINT16, 1),
        Point("ModTmpMaxMod", UINT16, 1),
        Point("ModTmpMin", INT16, "battery_min_decic", "ModTmp_SF"),
        Point("ModTmpMinStr", UINT16, 1),
        Point("ModTmpMinMod", UINT16, 1),
        Point("ModTmpAvg", INT16, "battery_average_decic", "ModTmp_SF"),
        Point("StrVMax", UINT16, "pack_mv", "V_SF"),
        Point("StrVMaxStr", UINT16, 1),
        Point("StrVMin", UINT16, "pack_mv", "V_SF"),
        Point("StrVMinStr", UINT16, 1),
        Point("StrVAvg", UINT16, "pack_mv", "V_SF"),
        Point("StrAMax", INT16, "taken_ma", "A_SF"),
        Point("StrAMaxStr", UINT16, 1),
        Point("StrAMin", INT16, "taken_ma", "A_SF"),
        Point("StrAMinStr", UINT16, 1),
        Point("StrAAvg", INT16, "taken_ma", "A_SF"),
        Point("NCellBal", UINT16, "cells_balanced"),
        Point("CellV_SF", SUNSSF, -3),
        Point("ModTmp_SF", SUNSSF, -1),
        Point("A_SF", SUNSSF, -1),
        Point("SoH_SF", SUNSSF, -1),
        Point("SoC_SF", SUNSSF, -1),
        Point("V_SF", SUNSSF, -2),
    ), repeats=1, block=(
        Point("StrNMod", UINT16, 1),
        Point("StrSt", BITFIELD32, "string_status"),
        Point("StrConFail", ENUM16, "connection_failure"),
        Point("StrSoC", UINT16, "soc_permille", "SoC_SF"),
        Point("StrSoH", UINT16, "soh_permille", "SoH_SF"),
        Point("StrA", INT16, "taken_ma", "A_SF"),
        Point("StrCellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        Point("StrCellVMaxMod", UINT16, 1),
        Point("StrCellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        Point("StrCellVMinMod", UINT16, 1),
        Point("StrCellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        Point("StrModTmpMax", INT16, "battery_max_decic", "ModTmp_SF"),
        Point("StrModTmpMaxMod", UINT16, 1),
        Point("StrModTmpMin", INT16, "battery_min_decic", "ModTmp_SF"),
        Point("StrModTmpMinMod", UINT16, 1),
        Point("StrModTmpAvg", INT16, "battery_average_decic", "ModTmp_SF"),
        Point("StrDisRsn", ENUM16, "disabled_reason"),
        Point("StrConSt", BITFIELD32, "contactors"),
        Point("StrEvt1", BITFIELD32, "events"),
        Point("StrEvt2", BITFIELD32, 0),
        Point("StrEvtVnd1", BITFIELD32, "alarms_1"),
        Point("StrEvtVnd2", BITFIELD32, "alarms_2"),
        Point("StrSetEna", ENUM16),
        Point("StrSetCon", ENUM16),
        Point("Pad1", PAD, 0),
        Point("Pad2", PAD, 0),
    )),
    Model(804, "Lithium-Ion String Model", (
        Point("Idx", UINT16, 1),
        Point("NMod", UINT16, 1),
        Point("St", BITFIELD32, "string_status"),
        Point("ConFail", ENUM16, "connection_failure"),
        Point("NCellBal", UINT16, "cells_balanced"),
        Point("SoC", UINT16, "soc_permille", "SoC_SF"),
        Point("DoD", UINT16, "dod_permille", "DoD_SF"),
        Point("NCyc", UINT32, "cycles_milli"),
        Point("SoH", UINT16, "soh_permille", "SoH_SF"),
        Point("A", INT16, "taken_ma", "A_SF"),
        Point("V", UINT16, "pack_mv", "V_SF"),
        Point("CellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        Point("CellVMaxMod", UINT16, 1),
        Point("CellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        Point("CellVMinMod", UINT16, 1),
        Point("CellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        Point("ModTmpMax", INT16, "battery_max_decic", "ModTmp_SF"),
        Point("ModTmpMaxMod", UINT16, 1),
        Point("ModTmpMin", INT16, "battery_min_decic", "ModTmp_SF"),
        Point("ModTmpMinMod", UINT16, 1),
        Point("ModTmpAvg", INT16, "battery_average_decic", "ModTmp_SF"),
        Point("Pad1", PAD, 0),
        Point("ConSt", BITFIELD32, "contactors"),
        Point("Evt1", BITFIELD32, "events"),
        Point("Evt2", BITFIELD32, 0),
        Point("EvtVnd1", BITFIELD32, "alarms_1"),
        Point("EvtVnd2", BITFIELD32, "alarms_2"),
        Point("SetEna", ENUM16),
        Point("SetCon", ENUM16),
        Point("SoC_SF", SUNSSF, -1),
        Point("SoH_SF", SUNSSF, -1),
        Point("DoD_SF", SUNSSF, -1),
        Point("A_SF", SUNSSF, -1),
        Point("V_SF", SUNSSF, -2),
        Point("CellV_SF", SUNSSF, -3),
        Point("ModTmp_SF", SUNSSF, -1),
        Point("Pad2", PAD, 0),
        Point("Pad3", PAD, 0),
        Point("Pad4", PAD, 0),
    ), repeats=1, block=(
        Point("ModNCell", UINT16, "cells"),
        Point("ModSoC", UINT16, "soc_permille", "SoC_SF"),
        Point("ModSoH", UINT16, "soh_permille", "SoH_SF"),
        Point("ModCellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        Point("ModCellVMaxCell", UINT16, "max_cell"),
        Point("ModCellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        Point("ModCellVMinCell", UINT16, "min_cell"),
        Point("ModCellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        Point("ModCellTmpMax", INT16, "battery_max_decic", "ModTmp_SF"),
        Point("ModCellTmpMaxCell", UINT16),
        Point("ModCellTmpMin", INT16, "battery_min_decic", "ModTmp_SF"),
        Point("ModCellTmpMinCell", UINT16),
        Point("ModCellTmpAvg", INT16, "battery_average_decic", "ModTmp_SF"),
        Point("Pad5", PAD, 0),
        Point("Pad6", PAD, 0),
        Point("Pad7", PAD, 0),
    )),
    Model(805, "Lithium-Ion Module Model", (
        Point("StrIdx", UINT16, 1),
        Point("ModIdx", UINT16, 1),
        Point("NCell", UINT16, "cells"),
        Point("SoC", UINT16, "soc_permille", "SoC_SF"),
        Point("DoD", UINT16, "dod_permille", "DoD_SF"),
        Point("SoH", UINT16, "soh_permille", "SoH_SF"),
        Point("NCyc", UINT32, "cycles_milli"),
        Point("V", UINT16, "pack_mv", "V_SF"),
        Point("CellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        Point("CellVMaxCell", UINT16, "max_cell"),
        Point("CellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        Point("CellVMinCell", UINT16, "min_cell"),
        Point("CellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        Point("CellTmpMax", INT16, "battery_max_decic", "Tmp_SF"),
        Point("CellTmpMaxCell", UINT16),
        Point("CellTmpMin", INT16, "battery_min_decic", "Tmp_SF"),
        Point("CellTmpMinCell", UINT16),
        Point("CellTmpAvg", INT16, "battery_average_decic", "Tmp_SF"),
        Point("NCellBal", UINT16, "cells_balanced"),
        Point("SN", STRING, "serial", size=16),
        Point("SoC_SF", SUNSSF, -1),
        Point("SoH_SF", SUNSSF, -1),
        Point("DoD_SF", SUNSSF, -1),
        Point("V_SF", SUNSSF, -2),
        Point("CellV_SF", SUNSSF, -3),
        Point("Tmp_SF", SUNSSF, -1),
    ), repeats="cells", block=(
        Point("CellV", UINT16, "cell_mv", "CellV_SF"),
        Point("CellTmp", INT16, None, "Tmp_SF"),
        Point("CellSt", BITFIELD32, "balancing"),
    )),
    Model(713, "DER Storage Capacity", (
        Point("WHRtg", UINT16, "rated_mwh", "WH_SF"),
        Point("WHAvail", UINT16, "remaining_mwh", "WH_SF"),
        Point("SoC", UINT16, "soc_permille", "Pct_SF"),
        Point("SoH", UINT16, "soh_permille", "Pct_SF"),
        Point("Sta", ENUM16, "storage_status"),
        Point("WH_SF", SUNSSF, "energy_exponent"),
        Point("Pct_SF", SUNSSF, -1),
    )),
)
# fmt: on


def chain(values: Mapping[str, Any]) -> list[int]:
    """Lay out all models one after the other, from the marker to the end; what is missing is not implemented."""
    out = list(MARKER)
    for model in MODELS:
        exponents = {row.name: _value(row, values, 0) for row in model.points if row.type is SUNSSF}
        repeats = values[model.repeats] if isinstance(model.repeats, str) else model.repeats
        body = [word for row in model.points for word in _words(row, values, exponents, 0)]
        for turn in range(repeats):
            body += [word for row in model.block for word in _words(row, values, exponents, turn)]
        out += [model.id, len(body), *body]
    return [*out, *END]


def _value(row: Point, values: Mapping[str, Any], turn: int) -> Any:
    """Give the value of a point; of a list the one of this turn."""
    if not isinstance(row.value, str):
        return row.value
    value = values.get(row.value)
    if isinstance(value, list):
        return value[turn] if turn < len(value) else None
    return value


def _words(row: Point, values: Mapping[str, Any], exponents: Mapping[str, int | None], turn: int) -> list[int]:
    value = _value(row, values, turn)
    if row.type.word is None:
        text = str(value or "").encode("ascii", "replace")[: 2 * row.size].ljust(2 * row.size, b"\0")
        return [int.from_bytes(text[at : at + 2], "big") for at in range(0, len(text), 2)]
    if value is None:
        return row.type.word.encode(None)
    return row.type.word.encode(_scaled(row, int(value), exponents.get(row.scale) or 0))


def _scaled(row: Point, value: int, exponent: int) -> int:
    """Divide by the unit and by the power of ten."""
    name = row.value if isinstance(row.value, str) else ""
    unit = next((scale for ending, scale in _SCALES.items() if name.endswith(ending)), 1)
    above, below = value * _power(-exponent), unit * _power(exponent)
    if name in _DOWN:
        return above // below
    if name in _UP:
        return -(-above // below)
    return (2 * above + below) // (2 * below)


def _power(exponent: int) -> int:
    """Give a power of ten, one for those below."""
    return int(10**exponent) if exponent > 0 else 1
