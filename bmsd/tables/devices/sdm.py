"""Eastron SDM120 and SDM230, single-phase meters: input registers of two words, IEEE 754, high word first.

Addresses of the 3X registers (30001 is address 0) as in independent lists of both meters and in open clients, which
agree; the maker's own manuals of these two were not seen. At most 30 values of two words in one request. The sign
of current and power is the meter's: positive is import.
"""

from __future__ import annotations

from bmsd.tables.devices.rows import F32, Ask, Device, Value

_INPUT = 4
_ASKS = (Ask(_INPUT, 0, 38), Ask(_INPUT, 70, 10), Ask(_INPUT, 342, 2))


def _value(name: str, symbol: str, address: int) -> Value:
    """Find the request that brings an address."""
    for n, ask in enumerate(_ASKS):
        if ask.address <= address < ask.address + ask.count:
            return Value(name, symbol, n, 2 * (address - ask.address), F32)
    raise ValueError(f"no request brings {address}")


_VALUES = (
    _value("voltage_v", "V", 0),
    _value("current_a", "A", 6),
    _value("power_w", "W", 12),
    _value("apparent_va", "VA", 18),
    _value("reactive_var", "var", 24),
    _value("power_factor", "", 30),
    _value("frequency_hz", "Hz", 70),
    _value("import_kwh", "kWh", 72),
    _value("export_kwh", "kWh", 74),
    _value("total_kwh", "kWh", 342),
)
_SOURCE = "Eastron, list of input registers"
DEVICES = (
    Device("sdm120", "Eastron SDM120", _ASKS, _VALUES, _SOURCE),
    Device("sdm230", "Eastron SDM230", _ASKS, _VALUES, _SOURCE),
)
