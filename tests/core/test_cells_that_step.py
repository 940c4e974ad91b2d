"""Cells that do not step with the others when the current does: bad joints, loose wires, readings that are off (S2)."""

from __future__ import annotations

import pytest

from bmsd.core.alarms import Finding
from bmsd.core.cross_check import WINDOW, CrossCheckState
from bmsd.core.joints import BEYOND_MV, LESS, MORE, SHORT_OF_MV, STEPS, JointState, watch
from bmsd.tables.alarms import BY_NAME, Block

REST = (3300, 3301, 3302, 3303)
STEP_MV = 10


def stepped(*drops: int) -> tuple[tuple[int, ...], ...]:
    """Give a window in which the load comes in the middle."""
    after = tuple(mv - drop for mv, drop in zip(REST, drops, strict=True))
    return (REST,) * WINDOW + (after,) * WINDOW


def currents(window: tuple[tuple[int, ...], ...], ma: int = -50_000) -> CrossCheckState:
    recent = tuple((sum(cells), 0 if n < WINDOW else ma) for n, cells in enumerate(window))
    return CrossCheckState(recent)


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
        assert watch(state, CrossCheckState(), REST, STEP_MV)[1] == {}
        state = JointState((), judged(stepped(40, 0, 40, 40), state.odd))
        assert state.odd == (0, turn + 1, 0, 0)
    assert watch(state, CrossCheckState(), REST, STEP_MV)[1] == {"cell_step": Finding(True, None, 2)}
    assert judged(stepped(40, 0, 40, 40), state.odd) == state.odd, "no more than that is counted"
    assert judged(stepped(40, 40, 40, 40), state.odd) == (0, 0, 0, 0)


def test_an_unknown_cell_begins_the_window_anew_and_forgets_nothing_else() -> None:
    """S2."""
    window = stepped(40, 0, 40, 40)
    lost = watch(JointState(window[:-1], (0, STEPS, 0, 0)), currents(window), (*REST[:3], None), STEP_MV)
    assert lost == (JointState((), (0, STEPS, 0, 0)), {"cell_step": Finding(True, None, 2)})
    assert watch(JointState(window[:-1]), CrossCheckState(), REST, STEP_MV)[0].recent == ()


def test_a_measurement_of_another_size_begins_anew() -> None:
    window = stepped(40, 0, 40, 40)
    assert watch(JointState(window[:-1]), currents(window), REST[:3], STEP_MV)[0] == JointState()


def test_another_number_of_cells_counts_anew() -> None:
    assert judged(stepped(40, 0, 40, 40), (3, 3)) == (0, 1, 0, 0)


STEP = ((13_206, 0),) * WINDOW + ((13_166, -50_000),) * WINDOW
"""Voltage and current of the pack: 40 mV less in the middle of the window, when the load comes."""


def counted(
    *rises: int, physics: tuple[tuple[int, int], ...] = STEP, step_mv: int = STEP_MV
) -> tuple[int, ...]:
    """Judge one step in which each cell's readings, added up, change by so much; () where it is not judged."""
    before = (3300,) * len(rises)
    after = [tuple(3300 + (rise + n) // WINDOW for rise in rises) for n in range(WINDOW)]
    window = ((before,) * WINDOW + tuple(after))[: len(physics)]
    state, found = watch(JointState(window[:-1]), CrossCheckState(physics), window[-1], step_mv)
    assert found == {}
    return state.odd


def test_so_many_steps_and_so_far_apart() -> None:
    assert (STEPS, MORE, LESS, BEYOND_MV, SHORT_OF_MV) == (4, 3, 4, 20, 6)


@pytest.mark.parametrize(
    ("rises", "odd"),
    [
        ((-20, -20, -20, -100), (0, 0, 0, 0)),
        ((-20, -20, -20, -101), (0, 0, 0, 1)),
        ((20, 20, 20, 100), (0, 0, 0, 0)),
        ((20, 20, 20, 101), (0, 0, 0, 1)),
        ((80, 80, 80, 240), (0, 0, 0, 0)),
        ((-28, -28, -28, -4), (0, 0, 0, 0)),
        ((-28, -28, -28, -3), (0, 0, 0, 1)),
        ((-28, -28, -28, 4), (0, 0, 0, 1)),
    ],
)
def test_a_cell_is_odd_only_from_more_than_what_healthy_ones_differ_by(rises, odd) -> None:
    """Added up over four readings: 80 mV beyond the middle one, or 24 mV short of it."""
    assert counted(*rises) == odd


@pytest.mark.parametrize(
    ("rises", "odd"), [((-400, 0, 0, 60), (1, 0, 0, 0)), ((-400, -1, -1, -80), (1, 0, 0, 0))]
)
def test_beside_cells_that_hardly_step_only_a_far_one_is_odd(rises, odd) -> None:
    """Its direction is the middle one's, however little that moved."""
    assert counted(*rises) == odd


def test_the_middle_one_is_that_of_all_cells_in_order() -> None:
    assert counted(36, 36, 160, 160, 160, step_mv=8) == (1, 1, 0, 0, 0)
    assert counted(36, 36, 36, 160, 160, step_mv=8) == (0, 0, 0, 1, 1)


@pytest.mark.parametrize(("step_mv", "is_judged"), [(10, True), (11, False)])
def test_a_step_of_the_whole_pack_is_as_high_as_configured_for_each_cell(step_mv, is_judged) -> None:
    assert (counted(-40, -40, -40, 0, step_mv=step_mv) != ()) is is_judged


@pytest.mark.parametrize(
    ("before_mv", "last_mv", "is_judged"), [(13_205, 13_206, True), (13_206, 13_205, False)]
)
def test_the_step_is_between_the_two_readings_in_the_middle_and_no_others(
    before_mv, last_mv, is_judged
) -> None:
    """A millivolt that came a reading earlier is no part of it."""
    physics = ((before_mv, 0),) * (WINDOW - 1) + ((last_mv, 0), *STEP[WINDOW:])
    assert (counted(-40, -40, -40, 0, physics=physics) != ()) is is_judged


@pytest.mark.parametrize(("by_mv", "is_judged"), [(10, True), (11, False)])
@pytest.mark.parametrize("place", [0, 2 * WINDOW - 1])
def test_voltages_that_stand_move_no_more_than_a_quarter_of_the_step(place, by_mv, is_judged) -> None:
    uneven = tuple((mv + by_mv * (n == place), ma) for n, (mv, ma) in enumerate(STEP))
    assert (counted(-40, -40, -40, 0, physics=uneven) != ()) is is_judged


@pytest.mark.parametrize(
    ("mas", "is_judged"),
    [
        ((0, 0, 0, 0, -1, -1, -1, -1), True),
        ((0, 0, 0, 0, 1, 1, 1, 1), False),
        ((0, 0, 0, 0, 0, -50_000, -50_000, -50_000), False),
        ((-60_000, -60_000, -60_000, 0, -50_000, 10_000, 10_000, 10_000), True),
        ((60_000, 60_000, 60_000, 60_000, 50_000, 50_000, 50_000, 50_000), True),
        ((-50_000, -50_000, -50_000, -50_000, 50_000, -50_000, -50_000, -50_000), False),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_the_current_changes_with_the_voltage_at_the_step_itself(side, mas, is_judged) -> None:
    """By however little; what it does before and after says nothing."""
    physics = tuple((13_206 + side * (mv - 13_206), side * ma) for (mv, _), ma in zip(STEP, mas, strict=True))
    assert (counted(*[side * rise for rise in (-40, -40, -40, 0)], physics=physics) != ()) is is_judged


def test_the_window_goes_on_and_forgets_its_oldest_reading() -> None:
    state, cells = JointState(), [(3300 + n,) * 4 for n in range(3 * WINDOW)]
    for seen in cells:
        state = watch(state, CrossCheckState(STEP), seen, STEP_MV)[0]
    assert state.recent == tuple(cells[-2 * WINDOW :])


def test_what_was_counted_is_told_in_every_cycle() -> None:
    """Whether or not there is a step in it."""
    told = {"cell_step": Finding(True, None, 2)}
    for physics in (CrossCheckState(STEP), CrossCheckState(((13_200, 0),)), CrossCheckState()):
        assert watch(JointState((), (0, STEPS, 0, 0)), physics, REST, STEP_MV)[1] == told


def test_it_warns_and_blocks_nothing() -> None:
    assert BY_NAME["cell_step"].blocks is Block.NONE
