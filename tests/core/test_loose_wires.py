"""Readings that come and go: told after three times, though each time they are back before they count as lost (S2)."""

from __future__ import annotations

import pytest

from bmsd.core.loose import TIMES, WITHIN_MS
from bmsd.tables.alarms import BY_NAME, Block
from tests.support.bench_inputs import Pack, make_settings


def pack() -> Pack:
    return Pack(make_settings()).started()


def flicker(made: Pack, times: int, every_ms: int = 10_000, **lost: object) -> None:
    """Lose something for one cycle, again and again."""
    for _ in range(times):
        sound = {name: getattr(made, name) for name in lost}
        for name, value in lost.items():
            setattr(made, name, value)
        made.cycle()
        for name, value in sound.items():
            setattr(made, name, value)
        made.cycle()
        made.cycle(after_ms=every_ms - 500)


LOOSE = (
    ({"cells": [3300, 0, 6600, 3300]}, "cell_loose", 2),
    ({"cells": [3300, 3300, 3300, None]}, "cell_loose", 4),
    ({"battery": [None, 250]}, "reading_loose", 1),
    ({"current_ma": None}, "reading_loose", None),
    ({"stack": None}, "reading_loose", None),
    ({"switch": None}, "reading_loose", None),
)


@pytest.mark.parametrize(("lost", "alarm", "where"), LOOSE, ids=str)
def test_a_reading_lost_for_one_cycle_every_ten_seconds_is_told(lost, alarm, where) -> None:
    """S2: a wire lost for 250 ms every 10 s was never told; it warns, and blocks nothing."""
    made = pack()
    flicker(made, TIMES - 1, **lost)
    assert not made.alarm(alarm).active
    flicker(made, 1, **lost)
    assert made.alarm(alarm).active
    assert made.alarm(alarm).where == where
    assert BY_NAME[alarm].blocks is Block.NONE


@pytest.mark.parametrize("lost", [{"polled": False}, {"cells": [None] * 4}, {"charger_mv": None}], ids=str)
def test_what_speaks_of_no_single_wire_is_not_counted(lost) -> None:
    """A poll that fails, the chip's own open-wire test, a charger that is off."""
    made = pack()
    flicker(made, 5, **lost)
    assert not made.alarm("cell_loose").active
    assert not made.alarm("reading_loose").active


def test_a_wire_that_stays_off_is_lost_and_not_loose() -> None:
    made = pack()
    made.cells = [3300, 0, 6600, 3300]
    for _ in range(40):
        made.cycle()
    assert made.alarm("cell_lost").active
    assert not made.alarm("cell_loose").active


def test_seldom_is_not_again_and_again() -> None:
    made = pack()
    flicker(made, 2, cells=[3300, 0, 6600, 3300])
    made.cycle(after_ms=WITHIN_MS)
    flicker(made, 2, cells=[3300, 0, 6600, 3300])
    assert not made.alarm("cell_loose").active


def test_different_wires_once_each_are_no_loose_one() -> None:
    made = pack()
    for place in range(3):
        flicker(made, 1, cells=[None if n == place else 3300 for n in range(4)])
    assert not made.alarm("cell_loose").active


def test_it_ends_ten_minutes_after_the_last_time() -> None:
    made = pack()
    flicker(made, TIMES, cells=[3300, 0, 6600, 3300])
    made.cycle(after_ms=WITHIN_MS - 30_000)
    assert made.alarm("cell_loose").active
    made.cycle(after_ms=30_000)
    made.cycle(after_ms=10_000)
    assert not made.alarm("cell_loose").active


def test_a_frozen_cell_is_told_as_frozen_only() -> None:
    made = pack()
    for turn in range(12):
        made.cells = [
            3300 + 30 * (turn % 2) + turn,
            3300,
            3301 + 30 * (turn % 2) + turn,
            3302 + 30 * (turn % 2) + turn,
        ]
        made.cycle()
    assert made.alarm("cell_frozen").active
    assert not made.alarm("cell_loose").active
