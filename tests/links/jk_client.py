"""A client of JK boards, written from the description of their protocol and not from bmsd's tables.

It is proved on recordings of real boards before it is believed about bmsd.
"""

from __future__ import annotations

import struct
from typing import Any

# Place in the frame of 300 bytes, struct format, divisor.
LIVE = {
    "average_cell_V": (74, "H", 1000), "delta_cell_V": (76, "H", 1000), "mosfet_temperature_C": (144, "h", 10),
    "voltage_V": (150, "I", 1000), "power_W_unsigned": (154, "I", 1000), "current_A": (158, "i", 1000),
    "temperature_1_C": (162, "h", 10), "temperature_2_C": (164, "h", 10), "balance_current_A": (170, "h", 1000),
    "soc_percent": (173, "B", 1), "remaining_Ah": (174, "i", 1000), "full_charge_capacity_Ah": (178, "I", 1000),
    "cycles": (182, "I", 1), "cycle_capacity_Ah": (186, "I", 1000), "soh_percent": (190, "B", 1),
    "precharge": (191, "B", 1), "runtime_s": (194, "I", 1), "voltage_0.01V_field_V": (234, "H", 100),
    "heating_current_A": (236, "H", 1000), "emergency_time_s": (218, "H", 1),
    "rtc_ticks_s_since_2020": (262, "I", 1),
}  # fmt: skip
SETTINGS = {
    "cell_uvp_V": (10, "I", 1000), "cell_uvpr_V": (14, "I", 1000), "cell_ovp_V": (18, "I", 1000),
    "cell_ovpr_V": (22, "I", 1000), "balance_trigger_V": (26, "I", 1000), "soc100_V": (30, "I", 1000),
    "soc0_V": (34, "I", 1000), "request_charge_V": (38, "I", 1000), "request_float_V": (42, "I", 1000),
    "power_off_V": (46, "I", 1000), "max_charge_A": (50, "I", 1000), "charge_ocp_delay_s": (54, "I", 1),
    "charge_ocp_release_s": (58, "I", 1), "max_discharge_A": (62, "I", 1000), "discharge_ocp_delay_s": (66, "I", 1),
    "discharge_ocp_release_s": (70, "I", 1), "scp_release_s": (74, "I", 1), "max_balance_A": (78, "I", 1000),
    "charge_otp_C": (82, "i", 10), "charge_otpr_C": (86, "i", 10), "discharge_otp_C": (90, "i", 10),
    "discharge_otpr_C": (94, "i", 10), "charge_utp_C": (98, "i", 10), "charge_utpr_C": (102, "i", 10),
    "mosfet_otp_C": (106, "i", 10), "mosfet_otpr_C": (110, "i", 10), "cell_count": (114, "I", 1),
    "charge_switch": (118, "I", 1), "discharge_switch": (122, "I", 1), "balance_switch": (126, "I", 1),
    "capacity_Ah": (130, "I", 1000), "scp_delay_us": (134, "I", 1), "start_balance_V": (138, "I", 1000),
    "device_address": (270, "I", 1), "precharge_time_s": (274, "I", 1),
    "heating_start_C_or_battery_alarm": (284, "b", 1), "heating_stop_C_or_battery_alarm_release": (285, "b", 1),
    "smart_sleep_h": (286, "B", 1),
}  # fmt: skip
ABOUT = {
    "model": (6, 16), "hardware": (22, 8), "software": (30, 8), "device_name": (46, 16), "serial_number": (86, 16),
    "device_passcode": (62, 16), "setup_passcode": (118, 16),
}  # fmt: skip


def frame(data: bytes) -> dict[str, Any]:
    """Decode one frame of 300 bytes."""
    assert len(data) == 300
    assert data[:4] == bytes.fromhex("55AAEB90")
    assert sum(data[:299]) & 0xFF == data[299]
    if data[4] == 3:
        return {name: data[at : at + size].rstrip(b"\0").decode() for name, (at, size) in ABOUT.items()} | {
            "uptime_s": struct.unpack_from("<I", data, 38)[0]
        }
    rows = {1: SETTINGS, 2: LIVE}[data[4]]
    found: dict[str, Any] = {
        name: round(struct.unpack_from(f"<{form}", data, at)[0] / per, 6)
        for name, (at, form, per) in rows.items()
    }
    return found | (_live(data) if data[4] == 2 else {})


def _live(data: bytes) -> dict[str, Any]:
    mask = struct.unpack_from("<I", data, 70)[0]
    cells = struct.unpack_from("<32H", data, 6)
    return {
        "enabled_cells_bitmask": f"0x{mask:08x}",
        "cell_voltages_V": [mv / 1000 for place, mv in enumerate(cells) if mask >> place & 1],
        "max_cell_number": data[78] + 1,
        "min_cell_number": data[79] + 1,
        "errors_bitmask": f"0x{struct.unpack_from('<I', data, 166)[0]:08x}",
        "balance_action": ("off", "charging", "discharging")[data[172]],
        "charge_mosfet": bool(data[198]),
        "discharge_mosfet": bool(data[199]),
        "temperature_sensor_present_bitmask": f"0x{data[214]:02x}",
        "heating": bool(data[215]),
    }


LENGTHS = {
    **dict.fromkeys((*range(0x80, 0x85), 0x87, *range(0x8A, 0x8D), *range(0x8E, 0x9D)), 2),
    **dict.fromkeys((*range(0x9E, 0xA9), 0xAD, 0xB0), 2),
    **dict.fromkeys((0x85, 0x86, 0x9D, 0xA9, 0xAB, 0xAC, 0xAE, 0xAF, 0xB1, 0xB3, 0xB8, 0xC0), 1),
    **dict.fromkeys((0x89, 0xAA, 0xB5, 0xB6, 0xB9), 4),
    0xB2: 10, 0xB4: 8, 0xB7: 15, 0xBA: 24,
}  # fmt: skip
TEXTS = (0xB2, 0xB4, 0xB5, 0xB7, 0xBA)
SIGNED = (0xA5, 0xA6, 0xA7, 0xA8)


def story(data: bytes) -> dict[str, Any]:
    """Decode one answer of the 4E57 protocol to 'read everything'."""
    assert data[:2] == b"NW"
    assert int.from_bytes(data[2:4], "big") == len(data) - 2
    assert sum(data[:-4]) & 0xFFFF == int.from_bytes(data[-2:], "big")
    assert data[-5] == 0x68
    assert data[11] == 0x79
    count = data[12] // 3
    cells = [struct.unpack_from(">BH", data, 13 + 3 * place) for place in range(count)]
    assert [number for number, _ in cells] == list(range(1, count + 1))
    at, fields, order = 13 + 3 * count, {}, []
    while at < len(data) - 9:
        number = data[at]
        inner = data[at + 1 : at + 1 + LENGTHS[number]]
        text = inner.rstrip(b"\0").decode() if number in TEXTS else None
        fields[number] = int.from_bytes(inner, "big", signed=number in SIGNED) if text is None else text
        order.append(number)
        at += 1 + LENGTHS[number]
    assert at == len(data) - 9
    current = fields[0x84]
    return {
        "command": data[8], "source": data[9], "transport": data[10], "terminal": data[4:8].hex(),
        "cell_voltages_V": [mv / 1000 for _, mv in cells], "fields": fields, "order": order,
        "mosfet_C": degrees(fields[0x80]), "sensor1_C": degrees(fields[0x81]), "sensor2_C": degrees(fields[0x82]),
        "voltage_V": fields[0x83] / 100, "soc_percent": fields[0x85], "cycles": fields[0x87], "cells": fields[0x8A],
        "current_A": (current & 0x7FFF) / 100 * (1 if current & 0x8000 else -1),
    }  # fmt: skip


def degrees(word: int) -> int:
    return word if word <= 100 else 100 - word
