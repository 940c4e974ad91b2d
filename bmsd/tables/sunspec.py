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

from bmsd.tables.registers import S16, U16, U32, RegisterWord
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
    def word(self) -> RegisterWord | None:
        """Give the layout of a number; None for a text."""
        word: RegisterWord | None = self.value[1]
        return word


UINT16, INT16, ENUM16, UINT32, BITFIELD32 = Type.UINT16, Type.INT16, Type.ENUM16, Type.UINT32, Type.BITFIELD32
SUNSSF, PAD, STRING = Type.SUNSSF, Type.PAD, Type.STRING


@dataclass(frozen=True, slots=True)
class SunspecPoint:
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
    points: tuple[SunspecPoint, ...]
    repeats: str | int = 0
    block: tuple[SunspecPoint, ...] = ()


_UNITS = (VOLT, AMPERE, WATT, AMPERE_HOUR, CELSIUS, PERCENT)
_SCALES = {**{unit.inside: unit.scale for unit in _UNITS}, "_mwh": 1000, "_milli": 1000}
_DOWN = ("charge_limit_mv", "charge_limit_ma", "discharge_limit_ma")
_UP = ("discharge_limit_mv",)
"""Limits are told on their safe side; everything else is told nearest."""

# fmt: off
MODELS: tuple[Model, ...] = (
    Model(1, "Common", (
        SunspecPoint("Mn", STRING, "maker", size=16),
        SunspecPoint("Md", STRING, "model", size=16),
        SunspecPoint("Opt", STRING, "options", size=8),
        SunspecPoint("Vr", STRING, "version", size=8),
        SunspecPoint("SN", STRING, "serial", size=16),
        SunspecPoint("DA", UINT16, "unit"),
        SunspecPoint("Pad", PAD, 0),
    )),
    Model(802, "Battery Base Model", (
        SunspecPoint("AHRtg", UINT16, "rated_mah", "AHRtg_SF"),
        SunspecPoint("WHRtg", UINT16, "rated_mwh", "WHRtg_SF"),
        SunspecPoint("WChaRteMax", UINT16, "charge_rated_mw", "WChaDisChaMax_SF"),
        SunspecPoint("WDisChaRteMax", UINT16, "discharge_rated_mw", "WChaDisChaMax_SF"),
        SunspecPoint("DisChaRte", UINT16, None, "DisChaRte_SF"),
        SunspecPoint("SoCMax", UINT16, 100, "SoC_SF"),
        SunspecPoint("SoCMin", UINT16, 0, "SoC_SF"),
        SunspecPoint("SocRsvMax", UINT16, None, "SoC_SF"),
        SunspecPoint("SoCRsvMin", UINT16, None, "SoC_SF"),
        SunspecPoint("SoC", UINT16, "soc_permille", "SoC_SF"),
        SunspecPoint("DoD", UINT16, "dod_permille", "DoD_SF"),
        SunspecPoint("SoH", UINT16, "soh_permille", "SoH_SF"),
        SunspecPoint("NCyc", UINT32, "cycles_milli"),
        SunspecPoint("ChaSt", ENUM16, "charge_status"),
        SunspecPoint("LocRemCtl", ENUM16, 1),
        SunspecPoint("Hb", UINT16, "heartbeat"),
        SunspecPoint("CtrlHb", UINT16),
        SunspecPoint("AlmRst", UINT16, 0),
        SunspecPoint("Typ", ENUM16, 4),
        SunspecPoint("State", ENUM16, "bank_state"),
        SunspecPoint("StateVnd", ENUM16, "state"),
        SunspecPoint("WarrDt", UINT32),
        SunspecPoint("Evt1", BITFIELD32, "events"),
        SunspecPoint("Evt2", BITFIELD32, 0),
        SunspecPoint("EvtVnd1", BITFIELD32, "alarms_1"),
        SunspecPoint("EvtVnd2", BITFIELD32, "alarms_2"),
        SunspecPoint("V", UINT16, "pack_mv", "V_SF"),
        SunspecPoint("VMax", UINT16, "charge_limit_mv", "V_SF"),
        SunspecPoint("VMin", UINT16, "discharge_limit_mv", "V_SF"),
        SunspecPoint("CellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        SunspecPoint("CellVMaxStr", UINT16, 1),
        SunspecPoint("CellVMaxMod", UINT16, 1),
        SunspecPoint("CellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        SunspecPoint("CellVMinStr", UINT16, 1),
        SunspecPoint("CellVMinMod", UINT16, 1),
        SunspecPoint("CellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        SunspecPoint("A", INT16, "taken_ma", "A_SF"),
        SunspecPoint("AChaMax", UINT16, "charge_limit_ma", "AMax_SF"),
        SunspecPoint("ADisChaMax", UINT16, "discharge_limit_ma", "AMax_SF"),
        SunspecPoint("W", INT16, "taken_mw", "W_SF"),
        SunspecPoint("ReqInvState", ENUM16, "inverter_request"),
        SunspecPoint("ReqW", INT16, None, "W_SF"),
        SunspecPoint("SetOp", ENUM16, 0),
        SunspecPoint("SetInvState", ENUM16, 0),
        SunspecPoint("AHRtg_SF", SUNSSF, -1),
        SunspecPoint("WHRtg_SF", SUNSSF, "energy_exponent"),
        SunspecPoint("WChaDisChaMax_SF", SUNSSF, "rating_exponent"),
        SunspecPoint("DisChaRte_SF", SUNSSF),
        SunspecPoint("SoC_SF", SUNSSF, -1),
        SunspecPoint("DoD_SF", SUNSSF, -1),
        SunspecPoint("SoH_SF", SUNSSF, -1),
        SunspecPoint("V_SF", SUNSSF, -2),
        SunspecPoint("CellV_SF", SUNSSF, -3),
        SunspecPoint("A_SF", SUNSSF, -1),
        SunspecPoint("AMax_SF", SUNSSF, -1),
        SunspecPoint("W_SF", SUNSSF, "power_exponent"),
    )),
    Model(803, "Lithium-Ion Battery Bank Model", (
        SunspecPoint("NStr", UINT16, 1),
        SunspecPoint("NStrCon", UINT16, "connected"),
        SunspecPoint("ModTmpMax", INT16, "battery_max_decic", "ModTmp_SF"),
        SunspecPoint("ModTmpMaxStr", UINT16, 1),
        SunspecPoint("ModTmpMaxMod", UINT16, 1),
        SunspecPoint("ModTmpMin", INT16, "battery_min_decic", "ModTmp_SF"),
        SunspecPoint("ModTmpMinStr", UINT16, 1),
        SunspecPoint("ModTmpMinMod", UINT16, 1),
        SunspecPoint("ModTmpAvg", INT16, "battery_average_decic", "ModTmp_SF"),
        SunspecPoint("StrVMax", UINT16, "pack_mv", "V_SF"),
        SunspecPoint("StrVMaxStr", UINT16, 1),
        SunspecPoint("StrVMin", UINT16, "pack_mv", "V_SF"),
        SunspecPoint("StrVMinStr", UINT16, 1),
        SunspecPoint("StrVAvg", UINT16, "pack_mv", "V_SF"),
        SunspecPoint("StrAMax", INT16, "taken_ma", "A_SF"),
        SunspecPoint("StrAMaxStr", UINT16, 1),
        SunspecPoint("StrAMin", INT16, "taken_ma", "A_SF"),
        SunspecPoint("StrAMinStr", UINT16, 1),
        SunspecPoint("StrAAvg", INT16, "taken_ma", "A_SF"),
        SunspecPoint("NCellBal", UINT16, "cells_balanced"),
        SunspecPoint("CellV_SF", SUNSSF, -3),
        SunspecPoint("ModTmp_SF", SUNSSF, -1),
        SunspecPoint("A_SF", SUNSSF, -1),
        SunspecPoint("SoH_SF", SUNSSF, -1),
        SunspecPoint("SoC_SF", SUNSSF, -1),
        SunspecPoint("V_SF", SUNSSF, -2),
    ), repeats=1, block=(
        SunspecPoint("StrNMod", UINT16, 1),
        SunspecPoint("StrSt", BITFIELD32, "string_status"),
        SunspecPoint("StrConFail", ENUM16, "connection_failure"),
        SunspecPoint("StrSoC", UINT16, "soc_permille", "SoC_SF"),
        SunspecPoint("StrSoH", UINT16, "soh_permille", "SoH_SF"),
        SunspecPoint("StrA", INT16, "taken_ma", "A_SF"),
        SunspecPoint("StrCellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        SunspecPoint("StrCellVMaxMod", UINT16, 1),
        SunspecPoint("StrCellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        SunspecPoint("StrCellVMinMod", UINT16, 1),
        SunspecPoint("StrCellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        SunspecPoint("StrModTmpMax", INT16, "battery_max_decic", "ModTmp_SF"),
        SunspecPoint("StrModTmpMaxMod", UINT16, 1),
        SunspecPoint("StrModTmpMin", INT16, "battery_min_decic", "ModTmp_SF"),
        SunspecPoint("StrModTmpMinMod", UINT16, 1),
        SunspecPoint("StrModTmpAvg", INT16, "battery_average_decic", "ModTmp_SF"),
        SunspecPoint("StrDisRsn", ENUM16, "disabled_reason"),
        SunspecPoint("StrConSt", BITFIELD32, "contactors"),
        SunspecPoint("StrEvt1", BITFIELD32, "events"),
        SunspecPoint("StrEvt2", BITFIELD32, 0),
        SunspecPoint("StrEvtVnd1", BITFIELD32, "alarms_1"),
        SunspecPoint("StrEvtVnd2", BITFIELD32, "alarms_2"),
        SunspecPoint("StrSetEna", ENUM16),
        SunspecPoint("StrSetCon", ENUM16),
        SunspecPoint("Pad1", PAD, 0),
        SunspecPoint("Pad2", PAD, 0),
    )),
    Model(804, "Lithium-Ion String Model", (
        SunspecPoint("Idx", UINT16, 1),
        SunspecPoint("NMod", UINT16, 1),
        SunspecPoint("St", BITFIELD32, "string_status"),
        SunspecPoint("ConFail", ENUM16, "connection_failure"),
        SunspecPoint("NCellBal", UINT16, "cells_balanced"),
        SunspecPoint("SoC", UINT16, "soc_permille", "SoC_SF"),
        SunspecPoint("DoD", UINT16, "dod_permille", "DoD_SF"),
        SunspecPoint("NCyc", UINT32, "cycles_milli"),
        SunspecPoint("SoH", UINT16, "soh_permille", "SoH_SF"),
        SunspecPoint("A", INT16, "taken_ma", "A_SF"),
        SunspecPoint("V", UINT16, "pack_mv", "V_SF"),
        SunspecPoint("CellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        SunspecPoint("CellVMaxMod", UINT16, 1),
        SunspecPoint("CellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        SunspecPoint("CellVMinMod", UINT16, 1),
        SunspecPoint("CellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        SunspecPoint("ModTmpMax", INT16, "battery_max_decic", "ModTmp_SF"),
        SunspecPoint("ModTmpMaxMod", UINT16, 1),
        SunspecPoint("ModTmpMin", INT16, "battery_min_decic", "ModTmp_SF"),
        SunspecPoint("ModTmpMinMod", UINT16, 1),
        SunspecPoint("ModTmpAvg", INT16, "battery_average_decic", "ModTmp_SF"),
        SunspecPoint("Pad1", PAD, 0),
        SunspecPoint("ConSt", BITFIELD32, "contactors"),
        SunspecPoint("Evt1", BITFIELD32, "events"),
        SunspecPoint("Evt2", BITFIELD32, 0),
        SunspecPoint("EvtVnd1", BITFIELD32, "alarms_1"),
        SunspecPoint("EvtVnd2", BITFIELD32, "alarms_2"),
        SunspecPoint("SetEna", ENUM16),
        SunspecPoint("SetCon", ENUM16),
        SunspecPoint("SoC_SF", SUNSSF, -1),
        SunspecPoint("SoH_SF", SUNSSF, -1),
        SunspecPoint("DoD_SF", SUNSSF, -1),
        SunspecPoint("A_SF", SUNSSF, -1),
        SunspecPoint("V_SF", SUNSSF, -2),
        SunspecPoint("CellV_SF", SUNSSF, -3),
        SunspecPoint("ModTmp_SF", SUNSSF, -1),
        SunspecPoint("Pad2", PAD, 0),
        SunspecPoint("Pad3", PAD, 0),
        SunspecPoint("Pad4", PAD, 0),
    ), repeats=1, block=(
        SunspecPoint("ModNCell", UINT16, "cells"),
        SunspecPoint("ModSoC", UINT16, "soc_permille", "SoC_SF"),
        SunspecPoint("ModSoH", UINT16, "soh_permille", "SoH_SF"),
        SunspecPoint("ModCellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        SunspecPoint("ModCellVMaxCell", UINT16, "max_cell"),
        SunspecPoint("ModCellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        SunspecPoint("ModCellVMinCell", UINT16, "min_cell"),
        SunspecPoint("ModCellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        SunspecPoint("ModCellTmpMax", INT16, "battery_max_decic", "ModTmp_SF"),
        SunspecPoint("ModCellTmpMaxCell", UINT16),
        SunspecPoint("ModCellTmpMin", INT16, "battery_min_decic", "ModTmp_SF"),
        SunspecPoint("ModCellTmpMinCell", UINT16),
        SunspecPoint("ModCellTmpAvg", INT16, "battery_average_decic", "ModTmp_SF"),
        SunspecPoint("Pad5", PAD, 0),
        SunspecPoint("Pad6", PAD, 0),
        SunspecPoint("Pad7", PAD, 0),
    )),
    Model(805, "Lithium-Ion Module Model", (
        SunspecPoint("StrIdx", UINT16, 1),
        SunspecPoint("ModIdx", UINT16, 1),
        SunspecPoint("NCell", UINT16, "cells"),
        SunspecPoint("SoC", UINT16, "soc_permille", "SoC_SF"),
        SunspecPoint("DoD", UINT16, "dod_permille", "DoD_SF"),
        SunspecPoint("SoH", UINT16, "soh_permille", "SoH_SF"),
        SunspecPoint("NCyc", UINT32, "cycles_milli"),
        SunspecPoint("V", UINT16, "pack_mv", "V_SF"),
        SunspecPoint("CellVMax", UINT16, "cell_max_mv", "CellV_SF"),
        SunspecPoint("CellVMaxCell", UINT16, "max_cell"),
        SunspecPoint("CellVMin", UINT16, "cell_min_mv", "CellV_SF"),
        SunspecPoint("CellVMinCell", UINT16, "min_cell"),
        SunspecPoint("CellVAvg", UINT16, "cell_average_mv", "CellV_SF"),
        SunspecPoint("CellTmpMax", INT16, "battery_max_decic", "Tmp_SF"),
        SunspecPoint("CellTmpMaxCell", UINT16),
        SunspecPoint("CellTmpMin", INT16, "battery_min_decic", "Tmp_SF"),
        SunspecPoint("CellTmpMinCell", UINT16),
        SunspecPoint("CellTmpAvg", INT16, "battery_average_decic", "Tmp_SF"),
        SunspecPoint("NCellBal", UINT16, "cells_balanced"),
        SunspecPoint("SN", STRING, "serial", size=16),
        SunspecPoint("SoC_SF", SUNSSF, -1),
        SunspecPoint("SoH_SF", SUNSSF, -1),
        SunspecPoint("DoD_SF", SUNSSF, -1),
        SunspecPoint("V_SF", SUNSSF, -2),
        SunspecPoint("CellV_SF", SUNSSF, -3),
        SunspecPoint("Tmp_SF", SUNSSF, -1),
    ), repeats="cells", block=(
        SunspecPoint("CellV", UINT16, "cell_mv", "CellV_SF"),
        SunspecPoint("CellTmp", INT16, None, "Tmp_SF"),
        SunspecPoint("CellSt", BITFIELD32, "balancing"),
    )),
    Model(713, "DER Storage Capacity", (
        SunspecPoint("WHRtg", UINT16, "rated_mwh", "WH_SF"),
        SunspecPoint("WHAvail", UINT16, "remaining_mwh", "WH_SF"),
        SunspecPoint("SoC", UINT16, "soc_permille", "Pct_SF"),
        SunspecPoint("SoH", UINT16, "soh_permille", "Pct_SF"),
        SunspecPoint("Sta", ENUM16, "storage_status"),
        SunspecPoint("WH_SF", SUNSSF, "energy_exponent"),
        SunspecPoint("Pct_SF", SUNSSF, -1),
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


def _value(row: SunspecPoint, values: Mapping[str, Any], turn: int) -> Any:
    """Give the value of a point; of a list the one of this turn."""
    if not isinstance(row.value, str):
        return row.value
    value = values.get(row.value)
    if isinstance(value, list):
        return value[turn] if turn < len(value) else None
    return value


def _words(row: SunspecPoint, values: Mapping[str, Any], exponents: Mapping[str, int | None], turn: int) -> list[int]:
    value = _value(row, values, turn)
    if row.type.word is None:
        text = str(value or "").encode("ascii", "replace")[: 2 * row.size].ljust(2 * row.size, b"\0")
        return [int.from_bytes(text[at : at + 2], "big") for at in range(0, len(text), 2)]
    if value is None:
        return row.type.word.encode(None)
    return row.type.word.encode(_scaled(row, int(value), exponents.get(row.scale) or 0))


def _scaled(row: SunspecPoint, value: int, exponent: int) -> int:
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
