"""Another pack with bmsd: its own register map, by the rows that make it."""

from __future__ import annotations

from bmsd.tables import registers
from bmsd.tables.devices.rows import S16, S32, U16, U32, Ask, Device, Layout, Value, of_inside
from bmsd.tables.points import BY_NAME
from bmsd.tables.registers import Register, RegisterWord

_LAYOUTS: dict[RegisterWord, Layout] = {registers.U16: U16, registers.S16: S16, registers.U32: U32, registers.S32: S32}
_LIVE = next(block for block in registers.BLOCKS if block.name == "live")
_WANTED = (
    "pack_mv", "current_ma", "power_mw", "soc_permille", "soh_permille", "remaining_mah", "capacity_mah",
    "charge_limit_mv", "charge_limit_ma", "discharge_limit_ma", "discharge_limit_mv", "charge_allowed",
    "discharge_allowed", "cell_min_mv", "cell_max_mv", "cell_difference_mv", "switch_decic", "force_charge",
)  # fmt: skip


def _value(row: Register) -> Value:
    unit = BY_NAME[row.point].unit
    name, symbol = of_inside(row.point, unit)
    byte = 2 * (row.address - _LIVE.start)
    layout, unknown = _LAYOUTS[row.word], row.word.value[3]
    return Value(name, symbol, 0, byte, layout, row.denominator, row.numerator * unit.scale, unknown)


_ROWS = {row.point: row for row in registers.REGISTERS if row.index is None}
DEVICES = (
    Device(
        "bmsd",
        "bmsd",
        (Ask(3, _LIVE.start, _LIVE.length),),
        tuple(_value(_ROWS[name]) for name in _WANTED),
        "bmsd/tables/registers.py",
        pause_ms=10,
    ),
)
