"""Counting short circuits, call by call: what counts, for how long, and what is told."""

from __future__ import annotations

from bmsd.core.alarms import Finding
from bmsd.core.short_circuits import count, number
from bmsd.core.switching import HOUR_MS
from bmsd.core.types import Event

T = 10 * HOUR_MS
RAISED = (Event(at_ms=T, kind="alarm", name="short_circuit", state="raised"),)


def test_only_a_short_circuit_that_is_raised_counts() -> None:
    assert count((), RAISED, T) == (T,)
    assert count((), (Event(at_ms=T, kind="alarm", name="short_circuit", state="cleared"),), T) == ()
    assert count((), (Event(at_ms=T, kind="alarm", name="cell_ovp", state="raised"),), T) == ()
    assert count((), (Event(at_ms=T, kind="alarm", name="cell_ovp", state="raised"), *RAISED), T) == (T,)
    assert count((), (), T) == ()


def test_an_hour_later_it_is_forgotten() -> None:
    old = (T - HOUR_MS - 1, T - HOUR_MS, T - HOUR_MS + 1)
    assert count(old, (), T) == (T - HOUR_MS + 1,)
    assert count(old, RAISED, T) == (T - HOUR_MS + 1, T)


def test_the_short_that_the_chip_reports_is_told_with_its_number() -> None:
    bad = {"short_circuit": Finding(True)}
    assert number((), bad, 3) == {"short_circuit": Finding(True, 1)}
    assert number((T, T), bad, 3) == {"short_circuit": Finding(True, 3)}
    assert number((T, T), {}, 3) == {}
    assert number((T, T), {"chip_fault": Finding(True)}, 3) == {}


def test_a_short_that_cannot_be_seen_is_not_counted() -> None:
    """S2."""
    assert number((T,), {"short_circuit": Finding(None)}, 3) == {}


def test_one_more_than_may_end_by_themselves_is_told() -> None:
    assert number((T,) * 3, {}, 3) == {}
    assert number((T,) * 4, {}, 3) == {"short_circuit_repeated": Finding(True, 4)}
