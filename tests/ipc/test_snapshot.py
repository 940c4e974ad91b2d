"""The snapshot: what is read is whole, of this boot and of its age, whatever was done to the file (S7, S9, S11)."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.errors import StaleError
from bmsd.ipc import snapshot_page as page
from bmsd.ipc.shared_files import FRESH_MS, SNAPSHOT, boot_id, monotonic_ms
from bmsd.ipc.snapshot import SnapshotReader, fresh_snapshot, read_snapshot
from bmsd.ipc.snapshot_page import SnapshotPublisher
from bmsd.tables import alarms
from bmsd.tables.points import POINTS, Count, PointKind
from tests.support.effort import examples

WORDS = {"cells": 16, "alarms": [], "why": {}}


def publisher(folder: Path, boot: str | None = None) -> SnapshotPublisher:
    return SnapshotPublisher(folder / SNAPSHOT, boot_id() if boot is None else boot)


def publish(folder, at_ms: int | None = None, boot: str | None = None, **words) -> None:
    now_ms = monotonic_ms() if at_ms is None else at_ms
    assert publisher(folder, boot).publish({"sequence": 1}, {**WORDS, **words}, now_ms)


def says(folder, word: str) -> None:
    with pytest.raises(StaleError, match=word):
        fresh_snapshot(folder)


def values(point, cells: int, sensors: int) -> st.SearchStrategy:
    one = {
        PointKind.FLAG: st.none() | st.booleans(),
        PointKind.TEXT: st.none() | st.text(max_size=20),
        PointKind.NUMBER: st.none() | st.integers(page.UNKNOWN + 1, 2**63 - 1),
    }[point.kind]
    count = {Count.ONE: None, Count.PER_CELL: cells, Count.PER_SENSOR: sensors}[point.count]
    return one if count is None else st.lists(one, min_size=count, max_size=count)


@st.composite
def some_points(draw) -> dict:
    cells, sensors = draw(st.integers(0, 32)), draw(st.integers(0, 4))
    return {point.name: draw(values(point, cells, sensors)) for point in POINTS}


@hypothesis_settings(deadline=None, max_examples=examples(100), suppress_health_check=list(HealthCheck))
@given(points=some_points())
def test_every_point_is_read_back_as_it_was_written(tmp_path, points) -> None:
    """Unknown stays unknown, a flag a flag, a number a number to its last bit."""
    words = {**WORDS, "cells": len(points["cell_mv"])}
    publisher(tmp_path).publish(points, words, monotonic_ms())
    found = fresh_snapshot(tmp_path).points
    assert found == points
    assert [type(found[name]) for name in points] == [type(value) for value in points.values()]


def test_a_point_that_is_not_given_is_unknown(tmp_path) -> None:
    publish(tmp_path)
    found = fresh_snapshot(tmp_path).points
    assert found["sequence"] == 1
    assert found["pack_mv"] is None
    assert found["state"] is None


def test_words_are_read_back_and_change_when_they_change(tmp_path) -> None:
    one, reader = publisher(tmp_path), SnapshotReader(tmp_path)
    for number in range(5):
        said = {**WORDS, "afe": f"detail {number // 2}"}
        one.publish({"sequence": number, "state": f"word {number}"}, said, number)
        found = reader.last()
        assert found.document["afe"] == said["afe"]
        assert found.points["state"] == f"word {number}"
        assert found.document["at_ms"] == number


def test_what_did_not_change_is_not_read_again(tmp_path) -> None:
    one, reader = publisher(tmp_path), SnapshotReader(tmp_path)
    one.publish({"sequence": 1}, WORDS, 1)
    first = reader.last()
    assert reader.last() is first
    one.publish({"sequence": 2}, WORDS, 2)
    assert reader.last().points["sequence"] == 2


def test_a_missing_snapshot_says_that_nobody_runs(tmp_path) -> None:
    says(tmp_path, "not running")
    says(tmp_path / "none", "not running")


def test_a_snapshot_that_is_cut_or_changed_anywhere_is_none(tmp_path) -> None:
    """S7: whatever byte is another, the checksum tells."""
    publish(tmp_path)
    path = tmp_path / SNAPSHOT
    slot = path.read_bytes()[page.SLOT :]
    head = page.read_head(slot)
    assert head is not None
    assert page.size(head) == len(slot)
    for at in range(len(slot)):
        path.write_bytes(bytes(page.SLOT) + slot[:at])
        says(tmp_path, "snapshot")
        path.write_bytes(bytes(page.SLOT) + slot[:at] + bytes([slot[at] ^ 0x10]) + slot[at + 1 :])
        says(tmp_path, "snapshot")


def test_a_half_written_slot_leaves_the_one_before(tmp_path) -> None:
    """S7: the last whole snapshot is never the one that is being written."""
    one = publisher(tmp_path)
    for number in (1, 2, 3):
        one.publish({"sequence": number}, WORDS, number)
    path, reader = tmp_path / SNAPSHOT, SnapshotReader(tmp_path)
    assert reader.last().points["sequence"] == 3
    content = bytearray(path.read_bytes())
    content[page.SLOT + 200] ^= 0xFF
    with path.open("r+b") as file:
        file.write(content)
    assert reader.last().points["sequence"] == 3, "it was read when it was whole"
    assert read_snapshot(tmp_path).points["sequence"] == 2


@hypothesis_settings(deadline=None, max_examples=examples(200), suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), st.booleans())
def test_any_other_content_is_no_snapshot(tmp_path, data, begins_well) -> None:
    whole = page.encode(page.Head(b"bmsd", page.LAYOUT, 2, 1, 1.0, 4, 2, 2), {}, b"{}")
    (tmp_path / SNAPSHOT).write_bytes(whole[:40] + data if begins_well else data)
    with pytest.raises(StaleError):
        fresh_snapshot(tmp_path)


def test_a_snapshot_is_fresh_up_to_its_age_and_not_a_millisecond_longer(tmp_path) -> None:
    publish(tmp_path, 1_000_000)
    found = read_snapshot(tmp_path)
    assert found.is_fresh(1_000_000)
    assert found.is_fresh(1_000_000 + FRESH_MS)
    assert not found.is_fresh(1_000_000 + FRESH_MS + 1)
    assert found.age_ms(1_000_500) == 500


def test_an_old_snapshot_is_told_with_its_age(tmp_path) -> None:
    publish(tmp_path, monotonic_ms() - 60_000)
    says(tmp_path, "60.* s old")


def test_a_snapshot_from_the_future_is_not_fresh(tmp_path) -> None:
    """S11: a monotonic time that has not come yet belongs to another boot or is nonsense."""
    publish(tmp_path, monotonic_ms() + 60_000)
    says(tmp_path, "old")
    assert not read_snapshot(tmp_path).is_fresh(0)


def test_a_snapshot_of_another_boot_is_not_fresh(tmp_path) -> None:
    """S7: the same monotonic time in another boot is another time."""
    publish(tmp_path, boot="11111111-2222-3333-4444-555555555555")
    says(tmp_path, "boot")
    assert not read_snapshot(tmp_path).is_fresh()


def test_the_wall_clock_has_no_say(tmp_path, monkeypatch) -> None:
    """S11: a step of years changes nothing."""
    monkeypatch.setattr(page.time, "time", lambda: 4e9)
    publish(tmp_path)
    monkeypatch.setattr(page.time, "time", lambda: 0.0)
    assert fresh_snapshot(tmp_path).is_fresh()


def test_a_snapshot_of_another_version_is_told(tmp_path, monkeypatch) -> None:
    """Other words, or other rows in the table of points: nothing is guessed."""
    publish(tmp_path, schema=99)
    says(tmp_path, "version")
    with monkeypatch.context() as other:
        other.setattr(page, "LAYOUT", page.LAYOUT ^ 1)
        publish(tmp_path)
    says(tmp_path, "version")


@pytest.mark.parametrize("call", ["stat", "open", "pread"])
def test_a_snapshot_that_may_not_be_read_says_which_group_to_join(tmp_path, monkeypatch, call) -> None:
    publish(tmp_path)

    def refuse(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(f"bmsd.ipc.snapshot.os.{call}", refuse)
    says(tmp_path, "group bmsd")


def full(*_args, **_more):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["pwrite", "stat"])
def test_a_full_directory_is_counted_and_never_raised(tmp_path, monkeypatch, call) -> None:
    """S9: and the old snapshot stays whole; it simply grows old."""
    one = publisher(tmp_path)
    one.publish({"sequence": 1}, WORDS, 5)
    with monkeypatch.context() as trouble:
        trouble.setattr(page.os, call, full)
        assert not one.publish({"sequence": 2}, WORDS, 6)
    assert one.failures == 1
    assert read_snapshot(tmp_path).points["sequence"] == 1
    assert one.publish({"sequence": 3}, WORDS, 7)
    assert read_snapshot(tmp_path).points["sequence"] == 3


@pytest.mark.parametrize("call", ["open", "pwrite", "replace"])
def test_a_directory_that_is_full_at_the_start_is_tried_again(tmp_path, monkeypatch, call) -> None:
    """S9."""
    one = publisher(tmp_path)
    with monkeypatch.context() as trouble:
        trouble.setattr(page.os, call, full)
        assert not one.publish({"sequence": 1}, WORDS, 5)
        assert not one.publish({"sequence": 2}, WORDS, 6)
    assert one.failures == 2
    says(tmp_path, "does not exist")
    assert one.publish({"sequence": 3}, WORDS, 7)
    assert read_snapshot(tmp_path).points["sequence"] == 3


def test_a_lost_directory_is_counted(tmp_path) -> None:
    one = publisher(tmp_path / "gone")
    assert not one.publish({"sequence": 1}, WORDS, 1)
    assert one.failures == 1


@pytest.mark.parametrize("what", ["removed", "renamed", "replaced"])
def test_a_file_that_was_taken_away_is_made_again(tmp_path, what) -> None:
    """S9: by the writer with its next snapshot, and seen by readers that had the old one open."""
    one, reader, path = publisher(tmp_path), SnapshotReader(tmp_path), tmp_path / SNAPSHOT
    one.publish({"sequence": 1}, WORDS, 1)
    reader.last()
    {
        "removed": path.unlink,
        "renamed": lambda: path.rename(tmp_path / "aside"),
        "replaced": lambda: os.replace(_other(tmp_path), path),
    }[what]()
    assert one.publish({"sequence": 2}, WORDS, 2)
    assert reader.last().points["sequence"] == 2


def _other(folder: Path) -> Path:
    (folder / "other").write_text("something else")
    return folder / "other"


def test_what_is_withdrawn_is_gone_at_once(tmp_path) -> None:
    one, reader = publisher(tmp_path), SnapshotReader(tmp_path)
    one.publish({"sequence": 1}, WORDS, 1)
    reader.last()
    one.withdraw()
    with pytest.raises(StaleError, match="not running"):
        reader.last()


def test_a_new_run_of_the_core_is_read_though_it_counts_from_one_again(tmp_path) -> None:
    reader = SnapshotReader(tmp_path)
    for sequence in (7, 8, 9):
        publisher(tmp_path).publish({"sequence": sequence}, WORDS, 1)
        assert reader.last().points["sequence"] == sequence


def test_every_alarm_with_every_reason_has_room_in_a_slot(tmp_path) -> None:
    """Each alarm active, and each a reason against everything that may be asked about, with others beside them."""
    entry = {"since_ms": 2**53, "where": 32, "value": -(2**31), "limit": -(2**31), "latched": True,
             "lifted": ["charge", "discharge", "heater", "balance"]}  # fmt: skip
    active = [{"name": alarm.name, **entry} for alarm in alarms.ALARMS]
    reasons = [{"because": "alarm", "name": alarm.name, "until_ms": 2**53} for alarm in alarms.ALARMS]
    why = {asked: [*reasons, *reasons[:20]] for asked in ("charge", "discharge", "heater", "balance")}
    publish(tmp_path, alarms=active, why=why, afe="x" * 500)
    found = fresh_snapshot(tmp_path).document
    assert found["alarms"] == active
    assert found["why"] == why
    assert len(json.dumps(found)) < page.SLOT


def test_readers_beside_a_writer_always_see_a_whole_snapshot(tmp_path) -> None:
    """S7: points and words of one cycle, never older than what was read before."""
    one, stop = publisher(tmp_path), threading.Event()
    one.publish({"sequence": 0, "uptime_ms": 0}, {"n": 0}, monotonic_ms())

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            points = {"sequence": number, "uptime_ms": number, "cell_mv": [number] * 32}
            one.publish(points, {"n": number, "filling": "x" * (number % 5000)}, monotonic_ms())

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    readers = (SnapshotReader(tmp_path), None)
    end, last = time.monotonic() + 0.5, -1
    while time.monotonic() < end or last <= 0:
        for reader in readers:
            found = reader.last() if reader else read_snapshot(tmp_path)
            now = found.points["sequence"]
            assert now >= last
            assert found.points["uptime_ms"] == found.document["n"] == now
            assert set(found.points["cell_mv"]) <= {now}
            last = now
    stop.set()
    writer.join(5)
    assert last > 0
