"""The shared files of the runtime directory: missing, half-written, old, of another boot, from the future (S7)."""

from __future__ import annotations

import errno
import json
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.errors import StaleError
from bmsd.ipc import shared_files
from bmsd.ipc.shared_files import (
    FRESH_MS,
    SNAPSHOT,
    Publisher,
    boot_id,
    fresh_snapshot,
    monotonic_ms,
    read_snapshot,
)
from tests.support.effort import examples


def publish(folder, at_ms: int | None = None, **more) -> None:
    document = {"points": {"sequence": 1}, **more}
    assert Publisher(folder).publish(SNAPSHOT, document, monotonic_ms() if at_ms is None else at_ms)


def says(folder, word: str) -> None:
    with pytest.raises(StaleError, match=word):
        fresh_snapshot(folder)


def test_what_was_published_is_read_back(tmp_path) -> None:
    publish(tmp_path)
    assert fresh_snapshot(tmp_path).points == {"sequence": 1}


def test_a_missing_snapshot_says_that_nobody_runs(tmp_path) -> None:
    says(tmp_path, "not running")
    says(tmp_path / "none", "not running")


def test_a_half_written_snapshot_is_no_snapshot(tmp_path) -> None:
    publish(tmp_path)
    whole = (tmp_path / SNAPSHOT).read_bytes()
    for length in range(len(whole)):
        (tmp_path / SNAPSHOT).write_bytes(whole[:length])
        says(tmp_path, "snapshot")


keys = st.sampled_from(("schema", "points", "at_ms", "boot"))
documents = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner),
)


@hypothesis_settings(deadline=None, max_examples=examples(200), suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300) | documents.map(lambda value: json.dumps(value).encode()))
def test_any_other_content_is_no_snapshot(tmp_path, data) -> None:
    (tmp_path / SNAPSHOT).write_bytes(data)
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
    monkeypatch.setattr(shared_files.time, "time", lambda: 4e9)
    publish(tmp_path)
    monkeypatch.setattr(shared_files.time, "time", lambda: 0.0)
    assert fresh_snapshot(tmp_path).is_fresh()


def test_a_snapshot_of_another_version_is_told(tmp_path) -> None:
    publish(tmp_path, schema=99)
    says(tmp_path, "version")


@pytest.mark.parametrize("more", [{"points": None}, {"points": []}, {"at_ms": "now"}, {"at_ms": 1.5}])
def test_an_incomplete_snapshot_is_told(tmp_path, more) -> None:
    publish(tmp_path, **more)
    says(tmp_path, "incomplete")


def test_a_snapshot_that_may_not_be_read_says_which_group_to_join(tmp_path, monkeypatch) -> None:
    publish(tmp_path)

    def refuse(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    says(tmp_path, "group bmsd")


@pytest.mark.parametrize("call", ["write", "open", "replace"])
def test_a_full_directory_is_counted_and_never_raised(tmp_path, monkeypatch, call) -> None:
    """S9: and the old file stays whole; it simply grows old."""
    publisher = Publisher(tmp_path)
    publisher.publish(SNAPSHOT, {"points": {"sequence": 1}}, 5)

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shared_files.os, call, full)
    assert not publisher.publish(SNAPSHOT, {"points": {"sequence": 2}}, 6)
    assert publisher.failures == 1
    assert read_snapshot(tmp_path).points == {"sequence": 1}


def test_a_lost_directory_is_counted(tmp_path) -> None:
    publisher = Publisher(tmp_path / "gone")
    assert not publisher.publish(SNAPSHOT, {"points": {}}, 1)
    assert publisher.failures == 1


def test_readers_beside_a_writer_always_see_a_whole_file(tmp_path) -> None:
    publisher, stop = Publisher(tmp_path), threading.Event()
    publisher.publish(SNAPSHOT, {"points": {"sequence": 0}}, monotonic_ms())

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            body = {"points": {"sequence": number}, "filling": "x" * (number % 5000)}
            publisher.publish(SNAPSHOT, body, monotonic_ms())

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    end, last = time.monotonic() + 0.5, -1
    while time.monotonic() < end or last <= 0:
        now = read_snapshot(tmp_path).points["sequence"]
        assert now >= last
        last = now
    stop.set()
    writer.join(5)
    assert last > 0


def test_this_boot_has_a_name() -> None:
    assert boot_id() == boot_id() != ""


def test_the_name_of_the_boot_is_read_once_and_asked_again_while_there_is_none(monkeypatch) -> None:
    read, asked = Path.read_text, []

    def counted(path: Path) -> str:
        asked.append(path)
        if len(asked) == 1:
            raise OSError("not yet")
        return read(path)

    shared_files._boot_id.cache_clear()
    monkeypatch.setattr(Path, "read_text", counted)
    assert boot_id() == "unknown"
    assert boot_id() == boot_id() != "unknown"
    assert len(asked) == 2
