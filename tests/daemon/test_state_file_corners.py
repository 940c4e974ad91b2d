"""The state file where the checksum is right and the content is not, and disks that take half of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bmsd.core.soc import SocState
from bmsd.daemon import state_file
from bmsd.daemon.state_file import SCHEMA, STATE_FILE, Stored, Writer, encode, load
from bmsd.errors import StaleError
from bmsd.ipc import shared_files, snapshot_page
from bmsd.ipc.snapshot import read_snapshot
from bmsd.ipc.snapshot_page import SnapshotPublisher

FULL = Stored(
    soc=SocState(charge_mams=1, error_permille=2),
    latched={"cell_floor": (1990, 3)},
    changed={"cell_ovp_mv": 3580},
    runtime_ms=5,
)
BODY = json.loads(encode(FULL))["body"]
COUNTER = BODY["soc"]

WRONG = {
    "a charge that is a text": {"soc": {**COUNTER, "charge_mams": "1"}},
    "a charge that is missing": {"soc": {k: v for k, v in COUNTER.items() if k != "charge_mams"}},
    "a charge that is unknown": {"soc": {**COUNTER, "charge_mams": None}},
    "a charge below zero": {"soc": {**COUNTER, "charge_mams": -1}},
    "an error that is a list": {"soc": {**COUNTER, "error_permille": []}},
    "a counter that is a list": {"soc": [1, 2]},
    "a consent that is a text": {"consent": {"charge": "no", "discharge": True, "balance": True}},
    "a consent of something else": {"consent": {"heater": True}},
    "a latch without its pair": {"latched": {"cell_floor": []}},
    "a latch with a text": {"latched": {"cell_floor": ["low", 3]}},
    "a latch that is a number": {"latched": {"cell_floor": 7}},
    "latches as a list": {"latched": ["cell_floor"]},
    "a parameter that is a list": {"changed": {"cell_ovp_mv": [1]}},
    "a parameter without end": {"changed": {"cell_ovp_mv": float("inf")}},
    "a parameter that is a text": {"changed": {"cell_ovp_mv": "3580"}},
    "a narrowed parameter that is a text": {"remote": {"cell_ovp_mv": "3560"}},
    "a remote switch that does not exist": {"remote_off": ["fridge"]},
    "a time that is unknown": {"runtime_ms": None},
    "a heating time that is a text": {"heat": {"heated_ms": "5"}},
    "a heating time below zero": {"heat": {"heated_ms": -1}},
    "a run below zero": {"heat": {"run_ms": -1}},
    "a reference that is a list": {"heat": {"reference_decic": [5]}},
    "heat that is a list": {"heat": [1]},
    "a time off that is a text": {"worn": {"charge": {"closings": 1, "starts_ms": [], "off_ms": "5"}}},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_types_under_a_right_checksum_are_reported(tmp_path, change) -> None:
    """S13: what is let in here reaches the decision, and an exception there is a core that never starts again."""
    body = {**BODY, **change}
    document = {"schema": SCHEMA, "sum": state_file._sum(body), "body": body}
    (tmp_path / STATE_FILE).write_text(json.dumps(document))
    assert load(tmp_path).problem


def test_a_file_of_before_heat_was_kept_is_good(tmp_path) -> None:
    """S13: an update loses neither charge nor latches."""
    body = {name: value for name, value in BODY.items() if name != "heat"}
    body["worn"] = {"charge": {"closings": 3, "starts_ms": [5]}}
    document = {"schema": SCHEMA, "sum": state_file._sum(body), "body": body}
    (tmp_path / STATE_FILE).write_text(json.dumps(document))
    found = load(tmp_path)
    assert not found.problem
    assert found.heat == Stored().heat
    assert found.worn["charge"].off_ms is None


def test_brackets_without_end_are_reported(tmp_path) -> None:
    (tmp_path / STATE_FILE).write_text("[" * 100_000)
    assert load(tmp_path).problem


def half(descriptor: int, data: bytes) -> int:
    return REAL_WRITE(descriptor, bytes(data)[: max(len(data) // 2, 1)])


REAL_WRITE = os.write
REAL_PWRITE = os.pwrite


def test_a_disk_that_takes_half_leaves_a_whole_state(tmp_path, monkeypatch) -> None:
    """S13: a nearly full disk takes a part and says how much; the rest must follow, or the old state stay."""
    with Path(tmp_path / STATE_FILE).open("wb") as file:
        file.write(encode(FULL))
    monkeypatch.setattr(state_file.os, "write", half)
    writer = Writer(tmp_path)
    writer.put(Stored(runtime_ms=6))
    writer.close()
    assert load(tmp_path).problem == ""


def test_a_runtime_directory_that_takes_half_leaves_a_whole_snapshot(tmp_path, monkeypatch) -> None:
    """S7: readers see the old or the new one, never a half."""
    publisher = SnapshotPublisher(tmp_path / shared_files.SNAPSHOT, "this boot")
    words = {"alarms": []}
    assert publisher.publish({"sequence": 1}, words, 1)
    assert publisher.publish({"sequence": 2}, words, 2)
    monkeypatch.setattr(
        snapshot_page.os, "pwrite", lambda to, data, at: REAL_PWRITE(to, data[: len(data) // 2], at)
    )
    assert not publisher.publish({"sequence": 3}, words, 3)
    assert read_snapshot(tmp_path).points["sequence"] == 2


def test_brackets_without_end_are_no_snapshot(tmp_path) -> None:
    (tmp_path / shared_files.SNAPSHOT).write_text("[" * 100_000)
    with pytest.raises(StaleError):
        read_snapshot(tmp_path)
