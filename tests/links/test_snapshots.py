"""The core's snapshot as links read it: present, old, newer than the look at the clock, or of another boot (S7)."""

from __future__ import annotations

import json

import pytest

from bmsd.ipc.shared_files import FRESH_MS, SNAPSHOT, monotonic_ms
from bmsd.links import snapshots
from bmsd.links.snapshots import Snapshots
from tests.support.snapshots import publish_snapshot

BODY = {"points": {}, "alarms": []}


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def publish(folder, at_ms: int) -> None:
    publish_snapshot(folder, BODY, at_ms)


@pytest.mark.parametrize(("age_ms", "fresh"), [(0, True), (FRESH_MS, True), (FRESH_MS + 1, False)])
def test_it_is_fresh_up_to_its_age(folder, age_ms, fresh) -> None:
    publish(folder, 1_000_000)
    seen = Snapshots(folder)
    assert (seen.fresh(1_000_000 + age_ms) is not None) is fresh
    assert ("old" in seen.trouble) is not fresh


def test_one_that_came_after_the_look_at_the_clock_is_new(folder) -> None:
    """A link asks the clock, the core publishes, and the link reads: that snapshot is no old one."""
    looked_ms = monotonic_ms() - 40
    publish(folder, looked_ms + 20)
    assert Snapshots(folder).fresh(looked_ms) is not None


def test_one_from_the_future_is_not_believed(folder) -> None:
    publish(folder, monotonic_ms() + 3_600_000)
    assert Snapshots(folder).fresh(monotonic_ms()) is None


def test_nothing_and_another_boot_are_told_apart(folder, monkeypatch) -> None:
    seen = Snapshots(folder)
    assert seen.fresh(0) is None
    assert "does not exist" in seen.trouble
    publish(folder, 1000)
    assert seen.fresh(1000) is not None
    monkeypatch.setattr(snapshots, "boot_id", lambda: "another")
    assert seen.fresh(1000) is None
    assert "before the last boot" in seen.trouble
    monkeypatch.undo()
    (folder / SNAPSHOT).write_text(json.dumps({"cut": "short"})[:5])
    assert seen.fresh(1000) is None
