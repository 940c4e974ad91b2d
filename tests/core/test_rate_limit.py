"""A limit over time: down at once, up no faster than its pace, and not before its hold is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmsd.core.rate_limit import RateLimit, RateLimited, follow, from_zero, mirrored

PACE = RateLimit(hold_ms=30_000, amount=9000, time_ms=1000)
"""30 s, then 9 A a second."""


def at(*steps: tuple[int, int], pace: RateLimit = PACE, start: RateLimited | None = None) -> list[int]:
    """Give the values after (time, wanted) steps."""
    slope = start or RateLimited(90_000, 90_000, 0)
    found = []
    for now_ms, wanted in steps:
        slope = follow(slope, wanted, now_ms, pace)
        found.append(slope.value)
    return found


def test_it_falls_at_once_and_rises_after_its_hold_at_its_pace() -> None:
    fallen = (1000, 10_000)
    assert at(fallen, (1250, 90_000), (30_999, 90_000), (31_000, 90_000)) == [10_000] * 4
    assert at(fallen, (31_001, 90_000)) == [10_000, 10_009]
    assert at(fallen, (32_000, 90_000), (39_888, 90_000), (39_889, 90_000)) == [
        10_000,
        19_000,
        89_992,
        90_000,
    ]


def test_it_stops_where_it_is_wanted_and_goes_on_from_there() -> None:
    """A limit that waited below its line for long does not jump up to that line."""
    assert at((0, 10_000), (32_000, 15_000), (60_000, 15_000), (60_250, 90_000)) == [
        10_000,
        15_000,
        15_000,
        17_250,
    ]


def test_a_new_fall_begins_the_hold_anew() -> None:
    assert at((0, 10_000), (20_000, 9999), (49_999, 90_000), (50_001, 90_000)) == [10_000, 9999, 9999, 10_008]


def test_what_stays_the_same_neither_begins_nor_ends_a_hold() -> None:
    assert at((0, 10_000), (20_000, 10_000), (30_000, 90_000), (30_001, 90_000)) == [
        10_000,
        10_000,
        10_000,
        10_009,
    ]


def test_from_zero_it_rises_without_a_hold() -> None:
    assert at((1250, 90_000), (2000, 90_000), start=from_zero(1000)) == [2250, 9000]


def test_the_slowest_pace_moves() -> None:
    assert at((1, 10), start=from_zero(0), pace=RateLimit(hold_ms=0, amount=1, time_ms=60_000)) == [1]
    assert at(
        (60_000, 10), (60_001, 10), start=from_zero(0), pace=RateLimit(hold_ms=0, amount=1, time_ms=60_000)
    ) == [1, 2]


def test_the_other_way_round_it_rises_at_once_and_falls_in_time() -> None:
    slope = mirrored(RateLimited(48_000, 48_000, 0), 49_000, 1000, PACE)
    assert slope.value == 49_000
    slope = mirrored(slope, 48_000, 31_000, PACE)
    assert slope.value == 49_000
    slope = mirrored(slope, 48_000, 31_100, PACE)
    assert slope.value == 48_100


steps = st.lists(st.tuples(st.integers(1, 60_000), st.integers(0, 90_000)), min_size=1, max_size=40)
paces = st.builds(
    RateLimit,
    st.sampled_from([0, 1, 5000, 30_000]),
    st.integers(1, 900_000),
    st.sampled_from([1000, 60_000]),
    st.none(),
)


@given(steps, paces)
def test_never_above_what_is_wanted_never_late_down_never_faster_up_than_the_pace(moves, pace) -> None:
    """S7: a reduction is never delayed. The pace holds over every stretch of time, up to rounding."""
    slope, now_ms = from_zero(0), 0
    history = [(0, 0)]
    fell_ms = None
    for wait_ms, wanted in moves:
        now_ms += wait_ms
        before = slope.value
        slope = follow(slope, wanted, now_ms, pace)
        assert 0 <= slope.value <= wanted
        assert slope.value == wanted or slope.value >= before
        for at_ms, value in history:
            assert slope.value - value <= pace.amount * (now_ms - at_ms) / pace.time_ms + len(history)
        if slope.value > before and fell_ms is not None:
            assert now_ms - fell_ms > pace.hold_ms
        if slope.value < before:
            fell_ms = now_ms
        history.append((now_ms, slope.value))


@given(st.integers(0, 90_000), st.integers(1, 90_000), st.integers(1, 1_000_000), paces)
def test_with_time_it_always_arrives(start, wanted, more_ms, pace) -> None:
    slope = follow(RateLimited(start, start, 0), 0, 0, pace)
    arrival_ms = pace.hold_ms + -(-wanted * pace.time_ms // pace.amount)
    assert follow(slope, wanted, arrival_ms + more_ms, pace).value == wanted


@pytest.mark.parametrize("wanted", [0, 5000, 9000])
def test_time_that_stands_still_lets_nothing_rise(wanted) -> None:
    slope = follow(from_zero(1000), wanted, 1000, PACE)
    assert slope.value == 0
