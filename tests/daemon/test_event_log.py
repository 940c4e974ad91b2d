"""The ring of recent events: numbered without gaps, bounded, and told in the order it happened."""

from __future__ import annotations

import json
import time

from bmsd.core.types import Event
from bmsd.daemon.event_log import KEPT, Ring


def event(number: int) -> Event:
    return Event(at_ms=number, kind="switch", name="charge", state="on" if number % 2 else "off")


def test_events_are_numbered_from_one_in_their_order() -> None:
    ring = Ring()
    assert ring.add([event(1), event(2)])
    assert ring.add([event(3)])
    kept = ring.body()["events"]
    assert [(one["n"], one["at_ms"]) for one in kept] == [(1, 1), (2, 2), (3, 3)]
    assert ring.sequence == 3


def test_nothing_new_is_said_to_be_nothing_new() -> None:
    ring = Ring()
    assert not ring.add([])
    assert ring.add(one for one in [event(1)])
    assert not ring.add(())
    assert ring.sequence == 1


def test_the_ring_forgets_the_oldest_and_keeps_counting() -> None:
    """S9: a storm of events costs a bounded memory and file."""
    ring = Ring()
    ring.add(event(number) for number in range(1, 3 * KEPT + 1))
    kept = ring.body()["events"]
    assert [one["n"] for one in kept] == list(range(2 * KEPT + 1, 3 * KEPT + 1))
    assert ring.sequence == 3 * KEPT


def test_a_full_ring_is_a_small_file() -> None:
    """S9: it is written again with every event."""
    ring = Ring()
    ring.add(
        Event(
            at_ms=10**12,
            kind="parameter",
            name="x" * 40,
            state="set",
            where=16,
            value=-(10**6),
            limit=10**6,
            who="uid 1000",
        )
        for _ in range(KEPT)
    )
    assert len(json.dumps(ring.body())) < 100_000


def test_every_field_survives_being_shared() -> None:
    ring = Ring()
    before = time.time()
    ring.add(
        [
            Event(
                at_ms=5,
                kind="alarm",
                name="cell_ovp",
                state="raised",
                where=7,
                value=3712,
                limit=3600,
                who="",
            )
        ]
    )
    [found] = json.loads(json.dumps(ring.body()))["events"]
    assert before <= found.pop("time") <= time.time()
    assert found == {
        "n": 1, "at_ms": 5, "kind": "alarm", "name": "cell_ovp", "state": "raised",
        "where": 7, "value": 3712, "limit": 3600, "who": "", "lifted": [],
    }  # fmt: skip


def test_a_clock_step_changes_no_order(monkeypatch) -> None:
    """S11: the wall time is for people; number and monotonic time say what came first."""
    ring = Ring()
    times = iter((2e9, 1e9, 0.0))
    monkeypatch.setattr(time, "time", lambda: next(times))
    for number in (1, 2, 3):
        ring.add([event(number)])
    assert [(one["n"], one["at_ms"]) for one in ring.body()["events"]] == [(1, 1), (2, 2), (3, 3)]
