"""A JK board of the PB series: the rows by which bmsd stands for such a board, read the other way round."""

from __future__ import annotations

from bmsd.tables import jk
from bmsd.tables.devices.rows import S16, S32, U8, U16, U32, Ask, Device, Layout, Value, of_inside
from bmsd.tables.rows import AMPERE, AMPERE_HOUR, CELSIUS, COUNT, PERCENT, SECOND, VOLT, Unit

_LAYOUTS: dict[jk.JkKind, Layout] = {jk.U8: U8, jk.U16: U16, jk.I16: S16, jk.U32: U32, jk.I32: S32}
_FIRST = 64
_ASKS = (Ask(3, jk.LIVE.start, _FIRST), Ask(3, jk.LIVE.start + 2 * _FIRST, _FIRST))
"""Addresses count bytes, registers are counted in words; boards were seen to answer 64 at once."""
_WANTED: dict[str, Unit] = {
    "pack_mv": VOLT, "current_ma": AMPERE, "soc_permille": PERCENT, "soh_permille": PERCENT,
    "remaining_mah": AMPERE_HOUR, "capacity_mah": AMPERE_HOUR, "cycles_milli": COUNT, "cell_average_mv": VOLT,
    "cell_difference_mv": VOLT, "battery_1_decic": CELSIUS, "battery_2_decic": CELSIUS, "switch_decic": CELSIUS,
    "charge_on": COUNT, "discharge_on": COUNT, "alarm_bits": COUNT, "runtime_ms": SECOND,
}  # fmt: skip
_THOUSANDTHS = ("cycles_milli",)


def _value(row: jk.JkField, unit: Unit) -> Value:
    name, symbol = of_inside(str(row.value), unit)
    ask, byte = divmod(row.offset, 2 * _FIRST)
    divide = 1000 if row.value in _THOUSANDTHS else unit.scale
    unknown = jk.NO_SENSOR_DECIC if unit is CELSIUS else None
    name = name.removesuffix("_milli")
    return Value(name, symbol, ask, byte, _LAYOUTS[row.kind], row.per, divide, unknown)


def _rows() -> list[Value]:
    """Take the first field of each value: some stand twice."""
    first: dict[str, jk.JkField] = {}
    for row in jk.LIVE.fields:
        first.setdefault(str(row.value), row)
    return [_value(first[name], unit) for name, unit in _WANTED.items()]


DEVICES = (
    Device("jk-pb", "JK board, PB series", _ASKS, tuple(_rows()), "bmsd/tables/jk.py", pause_ms=120, as_unit_0=True),
)
