"""A guard process that is gone is an alarm that warns, and blocks nothing (S5)."""

from __future__ import annotations

import pytest

from bmsd.core import checks
from bmsd.core.checks import BAD, NOT_SEEN
from bmsd.core.step import step
from bmsd.tables.alarms import ALARMS, BY_NAME, Block
from tests.support.bench_inputs import Pack
from tests.support.changed import replace


def after(made: Pack, *guarded: bool | None) -> list[bool]:
    """Give whether the alarm is active after each cycle."""
    place = next(index for index, alarm in enumerate(ALARMS) if alarm.name == "guard_lost")
    found, state = [], made.state
    for listens in guarded:
        state, _ = step(made.settings, state, replace(made.inputs(), guarded=listens))
        found.append(state.alarms[place].active)
    return found


def test_it_is_told_at_once_and_ends_when_one_listens() -> None:
    made = Pack().started()
    assert after(made, True, False, False, True, True) == [False, True, True, False, False]


def test_one_that_is_starting_neither_raises_nor_ends_it() -> None:
    """S2."""
    made = Pack().started()
    assert after(made, None, None, False, None, None, True) == [False, False, True, True, True, False]


@pytest.mark.parametrize(
    ("listens", "found"), [(True, {}), (False, {"guard_lost": BAD}), (None, {"guard_lost": NOT_SEEN})]
)
def test_what_is_found(listens, found) -> None:
    assert checks.guard(listens) == found


def test_it_blocks_nothing() -> None:
    """S9: the guard is a second layer; the first one works without it."""
    assert BY_NAME["guard_lost"].blocks is Block.NONE
