"""Random configuration files, built from good, dangerous and senseless values by one number each."""

from __future__ import annotations

import random
from datetime import date
from typing import Any, NamedTuple

CHEMISTRIES = ("lifepo4", "lifepo4", "li-ion", "lto")
CURRENTS_A = (0.5, 1, 20, 100, 100, 150, 200, 1000, 1001)
CELL_V = (0.4, 1.0, 1.19, 1.5, 1.8, 2.0, 2.4, 2.5, 2.6, 2.7, 2.75, 2.8, 2.9, 3.0, 3.2, 3.4, 3.45, 3.5, 3.6, 3.65, 3.651,
          3.7, 3.8, 4.1, 4.2, 4.25, 4.35, 4.36, 5.0)  # fmt: skip
DEGREES = (
    -41,
    -40,
    -30,
    -21,
    -20,
    -15,
    -10,
    -8,
    -1,
    -0.1,
    0,
    1,
    4,
    5,
    6,
    10,
    20,
    25,
    45,
    50,
    54,
    55,
    60,
    61,
    65,
    80,
    90,
)
SECONDS = (-1, 0, 0.05, 0.1, 0.25, 1, 2, 5, 10, 30, 60, 120, 300, 600, 3600, 86_400, 1e6)
SMALL_A = (0.01, 0.02, 0.1, 1, 2, 5, 5.1, 10, 15, 20, 50, 58, 99, 100, 101)
LINES = (*range(28), 17, 27, 22, 23, 16, 26, 40, 1000, 1001, -1)
OHMS = (0.05, 0.1, 5, 8, 11.2, 12, 14, 16, 19.1, 19.2, 24, 30, 48, 100, 20_000)
JUNK = (
    '"x"',
    "true",
    "nan",
    "inf",
    "-inf",
    "[1]",
    "{ a = 1 }",
    "1e300",
    "99999999999999999999",
    "1979-05-27",
    '""',
)

_VOLTS = ("cell_ovp_v", "cell_ovpr_v", "cell_uvp_v", "cell_uvpr_v", "cell_shutdown_v", "cell_floor_v", "cell_charge_v",
          "cell_discharge_v", "soc_full_v", "soc_empty_v", "balance_start_v")  # fmt: skip
_PACK_VOLTS = ("pack_ovp_v", "pack_ovpr_v", "pack_uvp_v", "pack_uvpr_v")
_TEMPERATURES = ("charge_otp_c", "charge_otpr_c", "charge_utp_c", "charge_utpr_c", "discharge_otp_c",
                 "discharge_otpr_c", "discharge_utp_c", "discharge_utpr_c", "switch_otp_c",
                 "switch_otpr_c")  # fmt: skip
_TIMES = (
    "cell_ovp_delay_s",
    "cell_uvp_delay_s",
    "charge_ocp_delay_s",
    "charge_ocp2_delay_s",
    "temperature_delay_s",
    "forbidden_flow_s",
    "forbidden_flow_release_s",
    "value_max_age_s",
    "unknown_grace_s",
    "period_s",
    "heater_max_run_s",
    "heater_watch_s",
    "precharge_timeout_s",
    "opening_wait_s",
    "limit_enforce_release_s",
    "charge_enforce_delay_s",
    "contactor_min_off_s",
    "recovery_s",
    "sleep_period_s",
)
_AMPERES = ("forbidden_charge_a", "forbidden_discharge_a", "limit_tolerance_a", "weld_current_a", "charge_max_a",
            "discharge_max_a", "charge_ocp2_a", "discharge_ocp2_a", "short_circuit_a", "heater_max_a")  # fmt: skip
_KNOWN = ("cell_ovp_v", "charge_utp_c", "cell_floor_v", "charge_otp_c", "pack_ovp_v")
_OUTPUTS = ("precharge", "heater", "buzzer", "heartbeat", "led", "button")


class File(NamedTuple):
    """One file, and what was drawn for it."""

    text: str
    wild: int
    """How many values were drawn at random."""


def drawn(number: int) -> File:
    """Draw a file; the same number gives the same one."""
    dice = random.Random(number)
    wild = dice.choice((0, 1, 1, 1, 1, 2, 2, 3, 6))
    sections = _base(dice)
    for _ in range(wild):
        _spoil(dice, sections)
    return File(text_of(sections), wild)


def _base(dice: random.Random) -> dict[str, dict[str, Any]]:
    topology = dice.choice(("split", "split", "common", "afe"))
    contactors = {"split": {"charge": 17, "discharge": 27}, "common": {"main": 17}, "afe": {}}[topology]
    sections: dict[str, dict[str, Any]] = {
        "pack": {
            "chemistry": dice.choice(CHEMISTRIES), "cells": dice.choice((3, 4, 8, 9, 15, 16)),
            "capacity_ah": dice.choice((1, 20, 100, 280, 280, 600)),
            "preset": dice.choice(("default", "default", "jk-compatible")),
        },
        "afe": {"chip": dice.choice(("bq76952", "bq76952", "bq76942", "bq769142")), "shunt_mohm": 0.25},
        "outputs": dict(contactors),
        "switches": {"topology": topology},
        "parameters": {"charge_ocp_a": dice.choice((50, 100)), "discharge_ocp_a": dice.choice((100, 150))},
    }  # fmt: skip
    if dice.random() < 0.5:
        sections["outputs"]["heater"] = 23
        supply = "charger" if topology == "split" and dice.random() < 0.5 else "pack"
        sections["heater"] = {"resistance_ohm": 48, "supply": supply}
    if dice.random() < 0.4:
        sections["can"] = {"channel": dice.choice(("can0", "can1", "vcan0")), "protocol": "victron"}
    if dice.random() < 0.4:
        port = dice.choice(("/dev/ttyAMA0", "/dev/serial0", "/dev/ttyUSB0", "/dev/ttySC0"))
        sections["modbus"] = {"port": port, "direction": dice.choice(("adapter", "adapter", "kernel"))}
    return sections


def _spoil(dice: random.Random, sections: dict[str, dict[str, Any]]) -> None:
    cells, parameters, outputs = sections["pack"]["cells"], sections["parameters"], sections["outputs"]
    if not isinstance(cells, int):
        cells = 16
    match dice.randrange(12):
        case 0 | 1:
            parameters[dice.choice(_VOLTS)] = dice.choice(CELL_V)
        case 2:
            parameters[dice.choice(_PACK_VOLTS)] = round(dice.choice(CELL_V) * cells, 3)
        case 3 | 4:
            parameters[dice.choice(_TEMPERATURES)] = dice.choice(DEGREES)
        case 5:
            parameters[dice.choice(_TIMES)] = dice.choice(SECONDS)
        case 6:
            parameters[dice.choice(_AMPERES)] = dice.choice(SMALL_A)
        case 7:
            name = dice.choice((*outputs, *_OUTPUTS))
            outputs[name] = dice.choice(LINES)
        case 8 if "heater" in sections:
            sections["heater"]["resistance_ohm"] = dice.choice(OHMS)
        case 9:
            sections["pack"]["i_know"] = [dice.choice(_KNOWN)]
            outputs["i_know"] = [dice.choice((*(name for name in outputs if name != "i_know"), "led"))]
        case 10:
            dice.choice([_active_low, _bus, _currents, _topology])(dice, sections)
        case _:
            section = dice.choice(list(sections.values()))
            if section:
                section[dice.choice(list(section))] = Junk(dice.choice(JUNK))


def _active_low(dice: random.Random, sections: dict[str, dict[str, Any]]) -> None:
    sections["outputs"] |= {"active_low": True, "backend": dice.choice(("gpiod", "gpiozero"))}


def _bus(dice: random.Random, sections: dict[str, dict[str, Any]]) -> None:
    sections["afe"]["bus"] = dice.choice((0, 1, 3, 4, 22))


def _currents(dice: random.Random, sections: dict[str, dict[str, Any]]) -> None:
    sections["parameters"][dice.choice(("charge_ocp_a", "discharge_ocp_a"))] = dice.choice(CURRENTS_A)


def _topology(dice: random.Random, sections: dict[str, dict[str, Any]]) -> None:
    sections["switches"]["topology"] = dice.choice(("split", "common", "afe"))


class Junk(str):
    """A value as it stands in the file."""

    __slots__ = ()


def text_of(sections: dict[str, dict[str, Any]]) -> str:
    """Write a file."""
    lines = []
    for name, section in sections.items():
        lines += [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in section.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Junk):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value(one)}' for key, one in value.items())} }}"
    return value.isoformat() if isinstance(value, date) else repr(value)
