"""One switched output by itself: its rest, its operations per hour, and what it says while it waits (S12)."""

from __future__ import annotations

from bmsd.core.switching import HOUR_MS, SwitchPace, SwitchState, turn, waits
from bmsd.core.types import Inhibit, InhibitCause

PACE = SwitchPace(5000, 2)
T = 10 * HOUR_MS


def test_an_hour_is_an_hour() -> None:
    assert HOUR_MS == 60 * 60 * 1000


def test_an_output_that_never_moved_waits_for_nothing() -> None:
    """A machine that has just booted may close: nothing was ever opened, whatever its clock says."""
    assert turn(SwitchState(), True, PACE, 1) == (SwitchState(True, 1, (1,), 1), None)


def test_only_starts_of_the_last_hour_are_remembered() -> None:
    state = SwitchState(False, T - 10_000, (T - HOUR_MS - 1, T - HOUR_MS, T - HOUR_MS + 1))
    assert turn(state, True, PACE, T)[0].starts_ms == (T - HOUR_MS + 1, T)


def test_after_too_many_starts_it_says_when_the_next_may_be() -> None:
    state = SwitchState(False, T - 10_000, (T - 3000_000, T - 2000_000, T - 1000_000))
    assert waits(state, PACE, T) == Inhibit(InhibitCause.OPERATIONS, until_ms=T - 2000_000 + HOUR_MS)
    assert turn(state, True, PACE, T) == (
        state,
        Inhibit(InhibitCause.OPERATIONS, until_ms=T - 2000_000 + HOUR_MS),
    )


def test_off_is_always_at_once_and_remembers_when() -> None:
    state = SwitchState(True, T - 1, (T - 1,))
    assert turn(state, False, PACE, T) == (SwitchState(False, T, (T - 1,)), None)


def test_what_stands_as_wanted_is_left_alone() -> None:
    on, off = SwitchState(True, T - 1, (T - 1,)), SwitchState(False, T - 1, (T - 2,))
    assert turn(on, True, PACE, T) == (on, None)
    assert turn(off, False, PACE, T) == (off, None)


def test_closings_are_counted_for_life_and_openings_are_not() -> None:
    state = SwitchState(False, None, (), 41)
    closed = turn(state, True, PACE, T)[0]
    assert closed.closings == 42
    assert turn(closed, False, PACE, T + 1)[0].closings == 42
