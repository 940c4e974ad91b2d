"""The status document is the one promised, key by key, and the CSV is the same thing flat."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.ipc.status import columns, public, row
from bmsd.tables.points import POINTS, SWITCHES, Count, PointKind

CELLS, SENSORS = 4, 2
PROMISED = """
    schema, time, age_s, sequence, uptime_s, runtime_s, state
    pack:         voltage_v current_a power_w soc_percent soc_error_percent soh_percent capacity_ah remaining_ah
                  cycles full_charges discharged_ah
    cells:        voltage_v[] min_v max_v average_v difference_v min_cell max_cell balancing[] balance_current_a
                  wire_resistance_ohm[]
    temperatures: battery_c[] switch_c
    switches:     charge discharge precharge heater balance buzzer
    permissions:  charge discharge
    heater:       demanded current_a power_w
    limits:       charge_voltage_v charge_current_a discharge_current_a discharge_voltage_v
    wear:         charge_closings discharge_closings precharge_closings heater_closings
    alarms[]:     name severity since_s cell value limit unit blocks[] latched
    emergency:    active remaining_s
    cycle:        period_ms last_ms worst_ms overruns
    links:        can modbus journal
"""
BEYOND = {
    "": {"simulated"},
    "limits": {
        "force_charge",
        "full_charge",
        "charge_phase",
        "charge_reason",
        "discharge_reason",
        "heat_current_a",
    },
    "cycle": {"bus_errors", "disk_bytes"},
    "alarms": {"title", "sensor", "lifted"},
}
"""Keys that stand there besides the promised ones."""


def promised() -> dict[str, dict[str, bool]]:
    """Read the promise: section to keys, each with whether it is a list; the top level is section ''."""
    found: dict[str, dict[str, bool]] = {}
    section = ""
    for line in PROMISED.strip().splitlines():
        head, colon, keys = line.strip().partition(":")
        if colon:
            section = head.removesuffix("[]")
            found.setdefault("", {})[section] = head.endswith("[]")
        for key in (keys if colon else line).replace(",", " ").split():
            found.setdefault(section, {})[key.removesuffix("[]")] = key.endswith("[]")
    return found


def points(value: Any = 1000) -> dict[str, Any]:
    made = {}
    for point in POINTS:
        one = {PointKind.FLAG: True, PointKind.TEXT: "idle", PointKind.NUMBER: value}[point.kind]
        width = {Count.ONE: 0, Count.PER_CELL: CELLS, Count.PER_SENSOR: SENSORS}[point.count]
        made[point.name] = [one] * width if width else one
    return made


def snapshot(**more: Any) -> dict[str, Any]:
    alarm = {"name": "cell_ovp", "since_ms": 7000, "where": 2, "value": 3612, "limit": 3600, "latched": False}
    return {"schema": 1, "boot": "b", "at_ms": 9000, "time": 1_790_000_000.5, "cells": CELLS, "simulated": True,
            "points": points(), "alarms": [alarm], **more}  # fmt: skip


def test_every_promised_key_is_there_and_nothing_unexpected() -> None:
    document = public(snapshot(), {}, 9250)
    for section, keys in promised().items():
        there = document[section] if section else document
        there = there[0] if isinstance(there, list) else there
        assert set(there) == set(keys) | BEYOND.get(section, set()), section
        for key, is_list in keys.items():
            assert isinstance(there[key], list) is is_list, f"{section}.{key}"
    for name in SWITCHES:
        assert list(document["switches"][name]) == ["commanded", "actual"]
    for link in document["links"].values():
        assert list(link) == ["state", "age_s", "detail"]


def test_the_order_is_the_promised_one() -> None:
    document = public(snapshot(), {}, 9250)
    assert [key for key in document if key != "simulated"] == list(promised()[""])


def test_units_are_those_of_people() -> None:
    changed = {**points(), "pack_mv": 53_214, "current_ma": -12_345, "soc_permille": 523, "battery_decic": [-81, None],
               "uptime_ms": 3_725_250, "cycle_last_us": 1900, "cycles_milli": 12_345, "period_ms": 250}  # fmt: skip
    document = public(snapshot(points=changed), {}, 9250)
    assert document["pack"]["voltage_v"] == 53.214
    assert document["pack"]["current_a"] == -12.345
    assert document["pack"]["soc_percent"] == 52.3
    assert document["pack"]["cycles"] == 12.345
    assert document["temperatures"]["battery_c"] == [-8.1, None]
    assert document["uptime_s"] == 3725.25
    assert document["cycle"]["period_ms"] == 250
    assert document["cycle"]["last_ms"] == 1.9
    assert document["time"] == "2026-09-21T14:13:20.500Z"
    assert document["age_s"] == 0.25


def test_unknown_is_null_and_lists_keep_their_length() -> None:
    document = public(snapshot(points=dict.fromkeys(points())), {}, 9250)
    assert document["pack"]["voltage_v"] is None
    assert document["state"] is None
    assert document["switches"]["charge"] == {"commanded": None, "actual": None}
    assert document["cells"]["voltage_v"] == [None] * CELLS
    assert document["temperatures"]["battery_c"] == []
    assert public(snapshot(points={}), {}, 9250) == document, "a point that is missing is unknown"


def test_alarms_in_people_units() -> None:
    cold = {"name": "charge_utp", "since_ms": 9000, "where": 2, "value": -31, "limit": 0, "latched": False}
    new = {"name": "newer", "since_ms": 9000, "where": 1, "value": 5, "limit": 6, "latched": True}
    high, low, unknown = public(snapshot(alarms=[*snapshot()["alarms"], cold, new]), {}, 9250)["alarms"]
    assert (high["cell"], high["sensor"], high["value"], high["limit"], high["unit"]) == (
        2,
        None,
        3.612,
        3.6,
        "V",
    )
    assert (high["severity"], high["blocks"], high["since_s"]) == ("protection", ["charge"], 2.25)
    assert (low["cell"], low["sensor"], low["value"], low["unit"]) == (None, 2, -3.1, "°C")
    assert (unknown["value"], unknown["latched"], unknown["severity"]) == (None, True, None), (
        "no guess at its unit"
    )


@pytest.mark.parametrize(
    ("link", "state", "detail"),
    [
        (None, "absent", "nothing"),
        ({"boot": "b", "at_ms": 9000, "state": "running", "detail": "6 frames"}, "running", "6 frames"),
        (
            {"boot": "b", "at_ms": 4000, "state": "running", "detail": "x"},
            "stale",
            "silent for 5 s, was running: x",
        ),
        ({"boot": "b", "at_ms": 99_000, "state": "running"}, "stale", "was running"),
        ({"boot": "another", "at_ms": 9000, "state": "running"}, "absent", "nothing"),
        ({"boot": "b", "at_ms": 1, "state": "off", "detail": "not configured"}, "off", "not configured"),
        ({"boot": "b", "at_ms": 1, "state": "stopped"}, "stopped", ""),
    ],
)
def test_links_tell_the_truth(link, state, detail) -> None:
    told = public(snapshot(), {"can": link}, 9250)["links"]["can"]
    assert told["state"] == state
    assert detail in told["detail"]


def test_columns_and_row_go_together() -> None:
    names, values = columns(CELLS, SENSORS), row(points(), CELLS, SENSORS)
    assert len(names) == len(values) == len(set(names))
    flat = dict(zip(names, values, strict=True))
    assert flat["pack.soc_percent"] == 100.0
    assert flat["cells.voltage_v.4"] == 1.0
    assert flat["temperatures.battery_c.2"] == 100.0
    assert flat["switches.charge"] == 1
    assert flat["state"] == "idle"
    assert flat["permissions.charge"] == 1
    assert not any(name.endswith((".commanded", ".actual", ".0")) for name in names)


def test_a_row_leaves_unknown_empty_and_a_switch_is_what_it_reads() -> None:
    changed = {**points(), "pack_mv": None, "cell_mv": [3300, None], "charge_commanded": True, "charge_actual": False,
               "balance_actual": None, "battery_decic": None}  # fmt: skip
    flat = dict(zip(columns(CELLS, SENSORS), row(changed, CELLS, SENSORS), strict=True))
    assert flat["pack.voltage_v"] == ""
    assert [flat[f"cells.voltage_v.{n}"] for n in range(1, 5)] == [3.3, "", "", ""]
    assert flat["temperatures.battery_c.1"] == ""
    assert flat["switches.charge"] == 0
    assert flat["switches.balance"] == ""


def test_columns_are_the_document_flattened() -> None:
    document = public(snapshot(), {}, 9250)
    flat: set[str] = set()

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict) and "actual" not in value:
            for key, one in value.items():
                walk(f"{path}.{key}".lstrip("."), one)
        elif isinstance(value, list):
            for n, one in enumerate(value, 1):
                walk(f"{path}.{n}", one)
        else:
            flat.add(path)

    outside = ("schema", "time", "age_s", "simulated", "alarms", "links")
    walk("", {key: value for key, value in document.items() if key not in outside})
    assert set(columns(CELLS, SENSORS)) == flat
