"""What survives a power cut, and every way in which the file can be bad: reported, never raised (S13)."""

from __future__ import annotations

import errno
import json
import os
import time

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.core.contactor_life import ContactorLife
from bmsd.core.heater_watch import Proof
from bmsd.core.soc import SocState, Tail
from bmsd.core.state import Consent
from bmsd.daemon import state_file
from bmsd.daemon.state_file import STATE_FILE, Stored, Writer, encode, load
from bmsd.tables.alarms import BOTH, Block
from tests.support.effort import examples
from tests.support.patience import allowed
from tests.support.running import eventually

COUNTER = SocState(
    charge_mams=123_456_789_012,
    error_permille=17,
    moved_mams=5_000_000,
    full=True,
    discharged_mams=42,
    full_charges=7,
    synchronised=True,
    last_ms=1000,
    full_since_ms=2000,
    tail=Tail(60_000, 5),
    empty_since_ms=3000,
)
FULL = Stored(
    soc=COUNTER,
    consent=Consent(charge=False, discharge=True, balance=False, remote_off=Block.DISCHARGE | Block.BALANCE),
    latched={"cell_floor": (1990, 3), "heater_stuck_on": (None, None)},
    changed={"cell_ovp_mv": 3580},
    runtime_ms=987_654_321,
    worn={"charge": ContactorLife(1234, (5000, 6000), 6500), "precharge": ContactorLife(7)},
    asked_for=Block.DISCHARGE,
    boot="0123-abcd",
    remote={"cell_ovp_mv": 3560},
    heat=Proof(heated_ms=2_400_000, reference_decic=-83, run_ms=2_500_000, last_ms=7000),
)
GOOD = encode(FULL)


def loaded(folder, data: bytes) -> Stored:
    (folder / STATE_FILE).write_bytes(data)
    return load(folder)


def written(folder, *states: Stored) -> Writer:
    writer = Writer(folder)
    for state in states:
        writer.put(state)
    writer.close()
    return writer


def test_a_first_start_is_no_problem(tmp_path) -> None:
    assert load(tmp_path) == Stored()
    assert load(tmp_path / "none") == Stored()


def test_everything_survives_the_round_trip_but_monotonic_times(tmp_path) -> None:
    """S13: SOC, consents, latched alarms, changed parameters; S11: times of this boot mean nothing in the next."""
    writer = written(tmp_path, FULL)
    found = load(tmp_path)
    assert found.problem == writer.failed == ""
    assert (found.consent, found.latched, found.changed) == (FULL.consent, FULL.latched, FULL.changed)
    assert found.remote == FULL.remote
    assert found.runtime_ms == FULL.runtime_ms
    assert (found.worn, found.boot, found.asked_for) == (FULL.worn, FULL.boot, FULL.asked_for)
    assert found.heat == FULL.heat
    assert found.soc is not None
    assert (found.soc.charge_mams, found.soc.error_permille, found.soc.full) == (123_456_789_012, 17, True)
    assert (found.soc.full_charges, found.soc.discharged_mams, found.soc.moved_mams) == (7, 42, 5_000_000)
    assert found.soc.last_ms is found.soc.full_since_ms is found.soc.tail is found.soc.empty_since_ms is None
    assert writer.bytes_written == len(GOOD)


def test_only_the_newest_state_counts(tmp_path) -> None:
    written(tmp_path, *(Stored(runtime_ms=n) for n in range(200)))
    assert load(tmp_path).runtime_ms == 199


@pytest.mark.fault_class(16, "alone")
@pytest.mark.parametrize("length", [0, 1, 10, len(GOOD) // 2, len(GOOD) - 1])
def test_a_torn_file_is_reported_and_not_used(tmp_path, length) -> None:
    found = loaded(tmp_path, GOOD[:length])
    assert found.problem
    assert (found.soc, found.latched, found.changed) == (None, {}, {})


@hypothesis_settings(deadline=None, max_examples=examples(300), suppress_health_check=list(HealthCheck))
@given(st.integers(0, len(GOOD) * 8 - 1))
def test_a_flipped_bit_is_reported_or_harmless(tmp_path, bit) -> None:
    data = bytearray(GOOD)
    data[bit // 8] ^= 1 << bit % 8
    found = loaded(tmp_path, bytes(data))
    assert found.problem or found == load_good(tmp_path)


def load_good(folder) -> Stored:
    return loaded(folder, GOOD)


@hypothesis_settings(deadline=None, max_examples=examples(200), suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=400))
def test_any_bytes_are_reported(tmp_path, data) -> None:
    assert loaded(tmp_path, data).problem


@pytest.mark.parametrize(
    "text", ["null", "[]", "7", '"x"', "{}", '{"schema": 1}', '{"schema": 1, "body": {}}', "\0" * 99]
)
def test_another_document_is_reported(tmp_path, text) -> None:
    assert loaded(tmp_path, text.encode()).problem


def test_another_schema_is_reported(tmp_path) -> None:
    document = json.loads(GOOD)
    assert loaded(tmp_path, json.dumps({**document, "schema": 2}).encode()).problem


def test_a_file_that_may_not_be_read_is_reported(tmp_path, monkeypatch) -> None:
    (tmp_path / STATE_FILE).write_bytes(GOOD)

    def refuse(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    assert "Permission denied" in load(tmp_path).problem


def test_a_folder_in_the_place_of_the_file_is_reported(tmp_path) -> None:
    (tmp_path / STATE_FILE).mkdir()
    assert load(tmp_path).problem
    assert written(tmp_path, FULL).failed


@pytest.mark.parametrize("call", ["write", "fsync", "open", "replace"])
def test_a_full_disk_is_told_and_leaves_the_old_state(tmp_path, monkeypatch, call) -> None:
    """S9: and the thread lives on and writes when there is room again."""
    written(tmp_path, FULL)
    writer = Writer(tmp_path)

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(state_file.os, call, full)
        writer.put(Stored(runtime_ms=1))
        wait_for(lambda: writer.failed)
    assert "No space left" in writer.failed
    assert load(tmp_path).runtime_ms == FULL.runtime_ms
    assert writer.bytes_written == 0
    writer.put(Stored(runtime_ms=2))
    writer.close()
    assert writer.failed == ""
    assert load(tmp_path).runtime_ms == 2


def wait_for(condition) -> None:
    eventually(condition, 5)


def test_a_slow_disk_does_not_hold_up_the_core(tmp_path, monkeypatch) -> None:
    """S9: handing over returns at once, and closing waits only so long."""
    release = []

    def slow(_descriptor) -> None:
        wait_for(lambda: release)

    monkeypatch.setattr(state_file.os, "fsync", slow)
    writer = Writer(tmp_path)
    began = time.monotonic()
    for n in range(100):
        writer.put(Stored(runtime_ms=n))
    writer.close(timeout_s=0.2)
    assert time.monotonic() - began < allowed(2)
    release.append(True)


def test_a_lost_directory_is_told(tmp_path) -> None:
    assert written(tmp_path / "gone", FULL).failed


@pytest.mark.fault_class(16, "alone")
def test_the_old_state_is_whole_at_every_moment(tmp_path) -> None:
    """S13: a power cut at any moment finds the old file or the new one."""
    writer, end = Writer(tmp_path), time.monotonic() + 0.5
    writer.put(FULL)
    wait_for((tmp_path / STATE_FILE).exists)
    count = 0
    while time.monotonic() < end:
        count += 1
        writer.put(Stored(runtime_ms=count))
        assert load(tmp_path).problem == ""
    writer.close()
    assert os.listdir(tmp_path) == [STATE_FILE]


def test_a_file_of_before_closings_were_counted_is_read(tmp_path) -> None:
    """S13: an upgrade forgets no latch."""
    document = json.loads(GOOD)
    del document["body"]["worn"], document["body"]["boot"], document["body"]["asked_for"]
    document["sum"] = state_file._sum(document["body"])
    found = loaded(tmp_path, json.dumps(document).encode())
    assert found.problem == ""
    assert found.latched == FULL.latched
    assert (found.worn, found.boot, found.asked_for) == ({}, "", BOTH)


@pytest.mark.parametrize(
    "wrong", [{"brake": {"closings": 1, "starts_ms": []}}, {"charge": {"closings": -1, "starts_ms": []}},
              {"charge": {"closings": 1, "starts_ms": [None]}}, {"charge": 3}, [1]],
)  # fmt: skip
def test_closings_that_cannot_be_are_reported(tmp_path, wrong) -> None:
    document = json.loads(GOOD)
    document["body"]["worn"] = wrong
    document["sum"] = state_file._sum(document["body"])
    assert loaded(tmp_path, json.dumps(document).encode()).problem


@pytest.mark.parametrize(
    ("names", "taken"), [([], Block.NONE), (["charge"], Block.CHARGE), (["heater"], Block.NONE)]
)
def test_directions_that_wait_for_a_word_are_kept(tmp_path, names, taken) -> None:
    """S13: after a factory reset nothing that someone forbade closes by itself, over restarts too."""
    document = json.loads(GOOD)
    document["body"]["asked_for"] = names
    document["sum"] = state_file._sum(document["body"])
    assert loaded(tmp_path, json.dumps(document).encode()).asked_for == taken


@pytest.mark.parametrize("wrong", [["brake"], [3], 3, None])
def test_directions_that_cannot_be_are_reported(tmp_path, wrong) -> None:
    document = json.loads(GOOD)
    document["body"]["asked_for"] = wrong
    document["sum"] = state_file._sum(document["body"])
    assert loaded(tmp_path, json.dumps(document).encode()).problem
