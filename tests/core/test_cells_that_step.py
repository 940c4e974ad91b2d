"""Cells that do not step with the others when the current does: bad joints, loose wires, readings that are off (S2)."""

from __future__ import annotations

import pytest

from bmsd.core.alarms import Finding
from bmsd.core.joints import BEYOND_MV, LESS, MORE, STEPS, JointState, watch
from bmsd.core.physics import WINDOW, PhysicsState
from bmsd.tables.alarms import BY_NAME, Block

REST = (3300, 3301, 3302, 3303)
STEP_MV = 10


def stepped(*drops: int) -> tuple[tuple[int, ...], ...]:
    """Give a window in which the load comes in the middle."""
    after = tuple(mv - drop for mv, drop in zip(REST, drops, strict=True))
    return (REST,) * WINDOW + (after,) * WINDOW


def currents(window: tuple[tuple[int, ...], ...], ma: int = -50_000) -> PhysicsState:
    recent = tuple((sum(cells), 0 if n < WINDOW else ma) for n, cells in enumerate(window))
    return PhysicsState(recent)


def judged(window: tuple[tuple[int, ...], ...], odd: tuple[int, ...] = (), **more: int) -> tuple[int, ...]:
    return watch(JointState(window[:-1], odd), currents(window, **more), window[-1], STEP_MV)[0].odd


@pytest.mark.parametrize(
    ("drops", "odd"),
    [
        ((20, 20, 20, 20), (0, 0, 0, 0)),
        ((20, 20, 20, 60), (0, 0, 0, 0)),
        ((20, 20, 20, 61), (0, 0, 0, 1)),
        ((-20, -20, -20, -61), (0, 0, 0, 1)),
        ((40, 10, 40, 40), (0, 0, 0, 0)),
        ((40, 9, 40, 40), (0, 1, 0, 0)),
        ((-40, -9, -40, -40), (0, 1, 0, 0)),
        ((40, 40, 40, -40), (0, 0, 0, 1)),
    ],
)
def test_three_times_or_a_quarter_of_the_middle_one_is_odd(drops, odd) -> None:
    assert (MORE, LESS) == (3, 4)
    ma = -50_000 if sum(drops) > 0 else 50_000
    assert judged(stepped(*drops), ma=ma) == odd


def test_little_differences_are_the_chips_own() -> None:
    assert judged(stepped(10, 10, 10, 10 + BEYOND_MV)) == (0, 0, 0, 0)
    assert judged(stepped(10, 10, 10, 11 + BEYOND_MV)) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    "window",
    [
        stepped(9, 9, 9, 9),
        (REST, *stepped(40, 9, 40, 40)[:-1]),
        (REST,) * 3 + (tuple(mv - 20 for mv in REST), *stepped(40, 0, 40, 40)[WINDOW:]),
        (REST,) * 4 + (tuple(mv - 40 for mv in REST),) * 3 + (REST,),
    ],
    ids=["no step", "not in the middle", "not steady before", "not steady after"],
)
def test_only_a_clean_step_in_the_middle_is_judged(window) -> None:
    assert judged(window) == ()


def test_a_step_against_the_current_is_another_fault() -> None:
    assert judged(stepped(40, 0, 40, 40), ma=50_000) == ()
    assert judged(stepped(40, 0, 40, 40), ma=0) == ()


def test_four_steps_in_turn_are_told_and_a_good_one_ends_it() -> None:
    state = JointState()
    for turn in range(STEPS):
        assert watch(state, PhysicsState(), REST, STEP_MV)[1] == {}
        state = JointState((), judged(stepped(40, 0, 40, 40), state.odd))
        assert state.odd == (0, turn + 1, 0, 0)
    assert watch(state, PhysicsState(), REST, STEP_MV)[1] == {"cell_step": Finding(True, None, 2)}
    assert judged(stepped(40, 0, 40, 40), state.odd) == state.odd, "no more than that is counted"
    assert judged(stepped(40, 40, 40, 40), state.odd) == (0, 0, 0, 0)


def test_an_unknown_cell_begins_the_window_anew_and_forgets_nothing_else() -> None:
    """S2."""
    window = stepped(40, 0, 40, 40)
    lost = watch(JointState(window[:-1], (0, STEPS, 0, 0)), currents(window), (*REST[:3], None), STEP_MV)
    assert lost == (JointState((), (0, STEPS, 0, 0)), {"cell_step": Finding(True, None, 2)})
    assert watch(JointState(window[:-1]), PhysicsState(), REST, STEP_MV)[0].recent == ()


def test_a_measurement_of_another_size_begins_anew() -> None:
    window = stepped(40, 0, 40, 40)
    assert watch(JointState(window[:-1]), currents(window), REST[:3], STEP_MV)[0] == JointState()


def test_another_number_of_cells_counts_anew() -> None:
    assert judged(stepped(40, 0, 40, 40), (3, 3)) == (0, 1, 0, 0)


def test_it_warns_and_blocks_nothing() -> None:
    assert BY_NAME["cell_step"].blocks is Block.NONE
