"""The files for other programs read the map as it is: by address, type and scale, and unknown as unknown."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import tomllib
from collections.abc import Iterable
from typing import Any

import pytest

from bmsd.docgen import clients
from bmsd.docgen.clients import SHOWN_CELLS, ClientRow
from bmsd.tables import points, registers, remote
from bmsd.tables.registers import RegisterWord

TYPES = {"uint16": "H", "int16": "h", "uint32": "I", "int32": "i"}
ROWS = list(clients.rows())
SHOWN = clients.shown()
KNOWN: dict[str, Any] = {
    **{point.name: 12_000 for point in points.POINTS}, **dict.fromkeys(registers.DERIVED, 1), "power_mw": -1_529_000,
    "current_ma": -28_730, "soc_permille": 605, "pack_mv": 53_230, "cell_mv": [3300 + n for n in range(32)],
    "battery_decic": [-85, 210], "wire_mohm": [5] * 32, "version": [0, 1, 2], "state": "charging",
    "charge_phase": "absorption", "charge_limit_reason": "cold", "discharge_limit_reason": "", "switch_decic": -105,
    "alarm_bits": [1] * 8, "latched_bits": [0] * 8, "soh_permille": 990,
}  # fmt: skip


def image(values: dict[str, Any]) -> dict[int, int]:
    """Lay out the whole map, as a master sees it."""
    found = {}
    for block in registers.BLOCKS:
        found |= {block.start + n: word for n, word in enumerate(registers.words(block, values))}
    found |= {registers.PARAMETERS_AT + n: w for n, w in enumerate(registers.parameter_words(values))}
    return found


def raw(words: dict[int, int], address: int, kind: str) -> int:
    """Read a value as a program does, by the name of its type alone."""
    size = struct.calcsize(TYPES[kind]) // 2
    data = b"".join(words[address + n].to_bytes(2, "big") for n in range(size))
    return int(struct.unpack(f">{TYPES[kind]}", data)[0])


def expected(row: ClientRow) -> float:
    """Give the value of a row in people's units, without its scale."""
    value = KNOWN[row.point]
    if isinstance(value, list):
        value = value[int(row.name.rpartition("_")[2]) - 1]
    if isinstance(value, str):
        return registers.NUMBERS[row.point][value]
    point = points.BY_NAME.get(row.point)
    return value / point.unit.scale if point else value


def same(row: ClientRow, found: float) -> bool:
    return found == pytest.approx(expected(row), abs=row.scale / 2 + 1e-9)


def test_every_register_and_every_parameter_has_a_line_in_the_csv() -> None:
    lines = list(csv.DictReader(io.StringIO(clients.registers_csv())))
    told = {int(line["address"]) for line in lines}
    assert {row.address for row in registers.REGISTERS} <= told
    assert {registers.PARAMETERS_AT + 2 * row.number for row in remote.ROWS} <= told
    assert len(told) == len(lines)
    words, unknown = image(KNOWN), image({})
    for line, row in zip(lines, ROWS, strict=True):
        address, kind = int(line["address"]), line["type"]
        if row.block in ("parameters", "writes", "switches"):
            continue
        if row.point not in ("counter", "alarm_bits", "latched_bits") and not isinstance(
            KNOWN[row.point], list
        ):
            assert same(row, raw(words, address, kind) * float(line["scale"])), line
        if line["unknown"]:
            size = 8 * struct.calcsize(TYPES[kind])
            assert raw(unknown, address, kind) & (1 << size) - 1 == int(line["unknown"], 16), line


def sensors() -> list[dict[str, Any]]:
    lines = clients.home_assistant().splitlines()
    return [json.loads(line.removeprefix("      - ")) for line in lines if line.startswith("      - ")]


def read_by_home_assistant(sensor: dict[str, Any], words: dict[int, int]) -> float | None:
    """Do what its integration does with a value: unknown either way round, then scale and precision."""
    entry = raw(words, sensor["address"], sensor["data_type"])
    if sensor.get("nan_value") and entry in (sensor["nan_value"], -sensor["nan_value"]):
        return None
    return float(f"{entry * sensor['scale']:.{sensor['precision']}f}")


def test_home_assistant_reads_every_value_and_unknown_as_none() -> None:
    """S2."""
    found = sensors()
    assert len({sensor["unique_id"] for sensor in found}) == len(found) == len(SHOWN)
    for sensor, row in zip(found, SHOWN, strict=True):
        assert sensor["unique_id"] == f"bmsd_{row.name}"
        told = read_by_home_assistant(sensor, image(KNOWN))
        assert told is not None
        assert same(row, told), sensor
        assert read_by_home_assistant(sensor, image({})) is None, sensor
    by_name = {sensor["unique_id"]: sensor for sensor in found}
    assert by_name["bmsd_pack_v"]["device_class"] == "voltage"
    assert by_name["bmsd_soc_percent"]["device_class"] == "battery"
    assert f"bmsd_cell_v_{SHOWN_CELLS}" in by_name
    assert f"bmsd_cell_v_{SHOWN_CELLS + 1}" not in by_name


def starlark(text: str, fields: dict[str, float]) -> dict[str, float]:
    """Run the processor: what it uses of its language is Python, too."""

    class Metric:
        def __init__(self) -> None:
            self.fields = Fields(fields)

    class Fields(dict):
        def keys(self) -> Iterable[str]:  # type: ignore[override]
            return list(super().keys())

    space: dict[str, Any] = {}
    exec(text, space)
    return dict(space["apply"](Metric()).fields)


def test_telegraf_reads_every_value_and_drops_what_is_unknown() -> None:
    """S2: it has no word for unknown, and would keep 655.35 V."""
    document = tomllib.loads(clients.telegraf())
    (given,) = document["inputs"]["modbus"]
    (processor,) = document["processors"]["starlark"]
    asked = [field for request in given["request"] for field in request["fields"]]
    assert given["configuration_type"] == "request"
    assert [field["name"] for field in asked] == [row.name for row in SHOWN]
    for request in given["request"]:
        assert len({registers.block_of(field["address"], 1) for field in request["fields"]}) == 1
    for values, most in ((KNOWN, len(SHOWN)), ({}, 0)):
        words = image(values)
        fields = {f["name"]: raw(words, f["address"], f["type"].lower()) * f["scale"] for f in asked}
        left = starlark(processor["source"], fields)
        assert len(left) == most
        assert all(same(row, left[row.name]) for row in SHOWN if row.name in left)


@pytest.mark.parametrize("word", [word for word in RegisterWord if word is not RegisterWord.BITS])
def test_the_highest_and_the_lowest_known_value_are_kept_and_the_unknown_one_is_not(word) -> None:
    """At the limit and one step beyond."""
    row = ClientRow(0, "x", word, 0.01, "V", "", "x", "live")
    low, high = clients.limits(row)
    _, lowest, highest, unknown = word.value
    assert low <= lowest * 0.01
    assert highest * 0.01 <= high
    assert not low <= unknown * 0.01 <= high


def test_evcc_reads_power_that_discharges_positive_and_the_state_of_charge() -> None:
    text, words = clients.evcc(), image(KNOWN)
    found = re.findall(
        r"^  (\w+):\n    source: modbus\n.*?\n    register:\n      address: (\d+) .*?\n      type: holding\n"
        r"      decode: (\w+)nan\n    scale: (\S+)$", text, re.MULTILINE
    )  # fmt: skip
    told = {name: raw(words, int(address), kind) * float(scale) for name, address, kind, scale in found}
    assert told == pytest.approx({"power": 1529, "soc": 60.5})
    assert '{{- include "modbus" . | indent 2 }}' in text
