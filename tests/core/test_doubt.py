"""A cell that reads low or high: the sum of the cells against the stack, and what that may hide (S1, S2)."""

from __future__ import annotations

import pytest

from bmsd.core import checks
from bmsd.core.alarms import ALL_QUIET, Finding
from bmsd.core.checks import NOT_SEEN
from bmsd.core.doubt import SAME_MV, Doubt, explained, follow
from bmsd.core.plausible import NOT_HIGH, NOT_LOW, UNKNOWN, HeldReadings, Reading, Values, validate
from bmsd.core.types import ChipFault, Measurement
from bmsd.tables.alarms import BY_NAME, Block
from tests.support.bench_inputs import Pack, believed, make_settings

ERROR_MV = 40
"""Four cells, 10 mV each."""
QUICK = {"stack_mismatch_mv": 800}


def pack() -> Pack:
    made = Pack(make_settings(chosen=QUICK))
    made.cells = [3300] * 4
    return made.started()


def off(made: Pack, reading_mv: int, cell: int = 3) -> None:
    """Let one cell read this much too little or too much; the stack sees the truth."""
    made.stack = sum(mv or 0 for mv in made.cells)
    made.cells[cell - 1] += reading_mv


def seen(made: Pack) -> Values:
    """Give what is believed in the next cycle."""
    made.cycle()
    return made.out.values


def charged(made: Pack, cells_mv: int, error_mv: int = -300, seconds: int = 4) -> None:
    """Let every true cell stand at a voltage for some seconds; the third one reads wrong."""
    made.cells = [cells_mv, cells_mv, cells_mv + error_mv, cells_mv]
    made.stack = cells_mv * 4
    for _ in range(seconds * 4):
        made.cycle()


# What is believed


@pytest.mark.parametrize("error_mv", [0, ERROR_MV, -ERROR_MV])
def test_what_the_chip_errs_by_is_no_doubt(error_mv) -> None:
    made = pack()
    off(made, -error_mv)
    values = seen(made)
    assert (values.highest_possible, values.lowest_possible) == (NOT_HIGH, NOT_LOW)
    assert values.stack_mismatch == Reading(abs(error_mv), True)


def test_one_step_beyond_the_cell_that_jumped_is_the_one_to_blame() -> None:
    made = pack()
    off(made, -ERROR_MV - 1)
    values = seen(made)
    assert values.highest_possible == Reading(3300, True, 3)
    assert values.lowest_possible == NOT_LOW
    high = pack()
    off(high, ERROR_MV + 1)
    values = seen(high)
    assert values.lowest_possible == Reading(3300, True, 3)
    assert values.highest_possible == NOT_HIGH


def test_where_nobody_saw_it_happen_any_cell_may_be_the_one() -> None:
    """S2: after a restart, say."""
    made = Pack(make_settings(chosen=QUICK))
    made.cells, made.stack = [3300, 3310, 3000, 3300], 13_200
    values = seen(made)
    assert values.highest_possible == Reading(3310 + 290, True)
    made.stack = 12_900 - 290
    assert seen(made).lowest_possible == Reading(3000 - 300, True), "and the stack may be the one, too"


@pytest.mark.parametrize("lost", [{"stack": None}, {"cells": [None] * 4}])
def test_an_unknown_reading_is_neither_doubt_nor_trust(lost) -> None:
    """S2."""
    made = Pack(make_settings(chosen=QUICK))
    for name, value in lost.items():
        setattr(made, name, value)
    values = seen(made)
    assert values.highest_possible == values.lowest_possible == UNKNOWN


# Who is to blame


CELLS = (3300, 3301, 3302, 3303)


def moved(*changes: int) -> tuple[int, ...]:
    return tuple(mv + change for mv, change in zip(CELLS, changes, strict=True))


@pytest.mark.parametrize(
    ("changes", "off_mv", "errors"),
    [
        ((-300, 0, 0, 0), 300, ((1, -300),)),
        ((-300, SAME_MV, -SAME_MV, 0), 300, ((1, -300),)),
        ((0, 0, 0, 300), -300, ((4, 300),)),
        ((-300 - SAME_MV, 0, 0, 0), 300, ((1, -320),)),
        ((-300 - SAME_MV - 1, 0, 0, 0), 300, ()),
        ((300, 0, 0, 0), 300, ()),
        ((0, 0, 0, 0), 300, ()),
        ((-640, 330, 0, 0), 310, ((1, -640), (2, 330))),
        ((-300, 50, 50, 50), 150, ()),
    ],
)
def test_what_jumped_by_as_much_while_most_stayed(changes, off_mv, errors) -> None:
    assert follow(Doubt(0, CELLS), moved(*changes), off_mv, ERROR_MV).errors == errors


def test_a_known_error_stays_while_nothing_contradicts_and_goes_with_the_doubt() -> None:
    known = Doubt(300, CELLS, ((2, -300),))
    assert explained(known, ERROR_MV)
    assert follow(known, CELLS, 305, ERROR_MV).errors == known.errors
    assert follow(known, moved(50, 50, 50, 50), 900, ERROR_MV).errors == known.errors, "a step of the load"
    assert follow(known, CELLS, None, ERROR_MV) is known
    assert follow(known, moved(0, -100, 0, 0), 400, ERROR_MV).errors == ((2, -400),), "it jumped again"
    assert follow(known, moved(-100, 0, 0, 0), 400, ERROR_MV).errors == ((2, -300), (1, -100)), (
        "another one, too"
    )
    assert follow(known, moved(0, 300, 100, 0), -100, ERROR_MV).errors == ((3, 100),), (
        "one mended, another one off"
    )
    assert not explained(follow(known, CELLS, 600, ERROR_MV), ERROR_MV), "the stack reading jumped"
    assert follow(known, moved(0, 300, 0, 0), 0, ERROR_MV) == Doubt(0, moved(0, 300, 0, 0))
    assert not explained(follow(Doubt(300, CELLS), moved(0, 0, -90, 0), 390, ERROR_MV), ERROR_MV)
    assert follow(Doubt(), CELLS, 300, ERROR_MV).errors == ()
    assert follow(Doubt(0, (None, *CELLS[1:])), moved(-300, 0, 0, 0), 300, ERROR_MV).errors == ()


@pytest.mark.parametrize(("by_mv", "errors"), [(0, ()), (20, ()), (21, ((1, -300), (2, 279)))])
def test_a_difference_that_hardly_moved_blames_nobody(by_mv, errors) -> None:
    """Two cells that jump against each other are no cells that are off: their sum is still that of the stack."""
    cells = moved(-300, 300 - by_mv, 0, 0)
    assert follow(Doubt(100, CELLS), cells, 100 + by_mv, ERROR_MV).errors == errors


@pytest.mark.parametrize(("back_mv", "errors"), [(280, ((1, -300),)), (279, ((1, -300), (2, -21)))])
def test_a_cell_that_came_back_to_within_a_few_errors_is_mended(back_mv, errors) -> None:
    both = Doubt(600, CELLS, ((1, -300), (2, -300)))
    assert follow(both, moved(0, back_mv, 0, 0), 600 - back_mv, ERROR_MV).errors == errors


@pytest.mark.parametrize(("off_mv", "forgets"), [(ERROR_MV, True), (ERROR_MV + 1, False)])
@pytest.mark.parametrize("side", [1, -1])
def test_a_difference_within_what_the_chip_errs_by_forgets_who_was_to_blame(side, off_mv, forgets) -> None:
    """Whatever took it back: here no cell moved."""
    known = Doubt(side * 300, CELLS, ((2, side * -300),))
    after = follow(known, CELLS, side * off_mv, ERROR_MV)
    assert after == Doubt(side * off_mv, CELLS, () if forgets else known.errors)


@pytest.mark.parametrize(("off_mv", "is_explained"), [(259, False), (260, True), (340, True), (341, False)])
@pytest.mark.parametrize("side", [1, -1])
def test_known_errors_explain_a_difference_to_within_what_the_chip_errs_by(
    side, off_mv, is_explained
) -> None:
    """S2: what remains on either side would be an error of nobody."""
    assert explained(Doubt(side * off_mv, CELLS, ((2, side * -300),)), ERROR_MV) is is_explained


def test_where_no_error_is_known_nothing_is_explained() -> None:
    """However small the difference is."""
    assert explained(Doubt(0, CELLS), ERROR_MV) is explained(Doubt(), ERROR_MV) is False


def test_a_cell_that_is_lost_has_not_jumped() -> None:
    """S2."""
    assert follow(Doubt(0, CELLS), (None, *moved(0, -300, 0, 0)[1:]), 300, ERROR_MV).errors == ((2, -300),)


def test_a_reading_of_before_beside_one_of_now_is_no_doubt() -> None:
    """S2: a cell that was lost for a moment keeps its last reading while the stack goes on."""
    made = pack()
    made.cells, made.stack = [3300, None, 3300, 3300], 12_800
    assert seen(made).doubt == UNKNOWN


# What follows


@pytest.mark.parametrize(
    ("error_mv", "good_mv", "bad_mv", "alarm", "block"),
    [
        (-300, 3600, 3601, "cell_may_be_high", Block.CHARGE),
        (300, 2700, 2699, "cell_may_be_low", Block.DISCHARGE),
    ],
)
def test_the_true_voltage_decides_whatever_the_cell_reads(error_mv, good_mv, bad_mv, alarm, block) -> None:
    """S1, S2: -300 mV on one cell charged it to 3.742 V for 300 s without an alarm."""
    made = pack()
    off(made, error_mv)
    made.cycle()
    charged(made, good_mv, error_mv)
    assert not made.alarm(alarm).active
    charged(made, bad_mv, error_mv)
    assert made.alarm(alarm).active
    assert made.alarm(alarm).where == 3
    assert BY_NAME[alarm].blocks == block | Block.BALANCE


def test_it_comes_after_two_seconds_and_not_before() -> None:
    made = pack()
    made.cells, made.stack = [3300, 3300, 3300, 2900], 13_200
    made.cells[0] = 3310
    made.state = made.state._replace(held=made.state.held._replace(doubt=Doubt()))
    made.cycle()
    made.cycle(after_ms=1999)
    assert not made.alarm("cell_may_be_high").active
    made.cycle(after_ms=1)
    assert made.alarm("cell_may_be_high").active


def test_it_ends_when_sum_and_stack_agree_again_for_long_enough() -> None:
    made = pack()
    off(made, -300)
    made.cycle()
    charged(made, 3650)
    assert made.alarm("cell_may_be_high").active
    made.cells, made.stack = [3350] * 4, "sum"
    made.cycle()
    made.cycle(after_ms=9_999)
    assert made.alarm("cell_may_be_high").active
    made.cycle(after_ms=1)
    assert not made.alarm("cell_may_be_high").active


def test_an_unknown_stack_does_not_end_it() -> None:
    """S2."""
    made = pack()
    off(made, -300)
    made.cycle()
    charged(made, 3650)
    made.stack = None
    for _ in range(80):
        made.cycle()
    assert made.alarm("cell_may_be_high").active


def test_an_override_does_not_lift_it() -> None:
    """S10: a cell that cannot be seen is no cell that is known to be inside the margin."""
    for name in ("cell_may_be_high", "cell_may_be_low"):
        assert BY_NAME[name].overridable is Block.NONE


@pytest.mark.parametrize("error_mv", [-41, 41])
def test_a_difference_beyond_what_the_chip_errs_by_is_told_after_ten_seconds(error_mv) -> None:
    made = pack()
    off(made, error_mv)
    made.cycle()
    made.cycle(after_ms=9_999)
    assert not made.alarm("stack_doubtful").active
    made.cycle(after_ms=1)
    assert made.alarm("stack_doubtful").active
    assert made.alarm("stack_doubtful").value == 41
    assert BY_NAME["stack_doubtful"].blocks is Block.NONE


@pytest.mark.parametrize(
    ("error_mv", "bad_mv", "better_mv", "good_mv", "alarm"),
    [(-300, 3650, 3401, 3400, "cell_may_be_high"), (300, 2650, 2999, 3000, "cell_may_be_low")],
)
def test_it_ends_at_recovery_and_not_at_the_limit(error_mv, bad_mv, better_mv, good_mv, alarm) -> None:
    """S12."""
    made = pack()
    off(made, error_mv)
    made.cycle()
    charged(made, bad_mv, error_mv)
    charged(made, better_mv, error_mv, seconds=15)
    assert made.alarm(alarm).active
    charged(made, good_mv, error_mv, seconds=15)
    assert not made.alarm(alarm).active


def evaluation(off_mv: int, high: Reading = NOT_HIGH, low: Reading = NOT_LOW) -> dict[str, Finding]:
    """Judge a difference, and the worst that a cell may be by it."""
    settings = make_settings(chosen=QUICK)
    values = believed(settings)._replace(
        doubt=Reading(off_mv, True), highest_possible=high, lowest_possible=low
    )
    return checks.doubt(settings, ALL_QUIET, values)


@pytest.mark.parametrize("possible", [NOT_HIGH, Reading(3700, True, 2)])
def test_up_to_what_the_chip_errs_by_nothing_is_found(possible) -> None:
    assert evaluation(ERROR_MV, possible) == {}
    assert evaluation(ERROR_MV + 1, possible)["stack_doubtful"] == Finding(True, ERROR_MV + 1)


def test_a_worst_cell_that_is_unknown_is_neither_high_nor_low() -> None:
    """S2: the difference itself is told all the same."""
    doubtful = {"stack_doubtful": Finding(True, 300)}
    assert evaluation(300, UNKNOWN, UNKNOWN) == doubtful
    assert evaluation(300, UNKNOWN, Reading(2699, True, 3)) == {
        **doubtful,
        "cell_may_be_low": Finding(True, 2699, 3),
    }
    assert evaluation(300, Reading(3601, True, 3), UNKNOWN) == {
        **doubtful,
        "cell_may_be_high": Finding(True, 3601, 3),
    }


T = 10_000_000
OFF_CELLS = (3000, 3100, 3300, 3310)


def doubted(sign: int = 1, known: bool = True, **measured: object) -> Values:
    """Believe cells of which two read too low by 300 and 200 mV, or too high: the stack says so."""
    errors = ((1, -300 * sign), (2, -200 * sign)) if known else ()
    held = HeldReadings(doubt=Doubt(500 * sign, OFF_CELLS, errors))
    given = {"cell_mv": OFF_CELLS, "stack_mv": sum(OFF_CELLS) + 500 * sign, **measured}
    made = Measurement(**{**GOOD_POLL, **given})  # type: ignore[arg-type]
    return validate(held, made, T, make_settings().parameters)[0]


GOOD_POLL: dict[str, object] = {
    "charger_mv": 0, "load_mv": 0, "current_ma": 0, "battery_decic": (250, 251), "switch_decic": 300,
    "faults": ChipFault.NONE,
}  # fmt: skip


def test_of_several_cells_that_are_off_the_worst_is_named() -> None:
    """S2: each without its own error, in whichever order they stand."""
    low = doubted(cell_mv=(3050, 3100, 3300, 3310), stack_mv=13_260)
    assert (low.highest_possible, low.lowest_possible) == (Reading(3350, True, 1), NOT_LOW)
    low = doubted(cell_mv=(3050, 3170, 3300, 3310), stack_mv=13_330)
    assert (low.highest_possible, low.lowest_possible) == (Reading(3370, True, 2), NOT_LOW)


def test_of_several_cells_that_read_too_high_the_lowest_is_named() -> None:
    """S2."""
    high = doubted(-1, cell_mv=(3450, 3400, 3300, 3310), stack_mv=12_960)
    assert (high.highest_possible, high.lowest_possible) == (NOT_HIGH, Reading(3150, True, 1))
    high = doubted(-1, cell_mv=(3600, 3400, 3300, 3310), stack_mv=13_110)
    assert high.lowest_possible == Reading(3200, True, 2)


def test_where_nobody_knows_which_cell_is_off_the_worst_one_may_be() -> None:
    """S2."""
    assert doubted(known=False).highest_possible == Reading(3310 + 500, True)
    assert doubted(-1, known=False, stack_mv=12_210).lowest_possible == Reading(3000 - 500, True)


@pytest.mark.parametrize(
    ("off_mv", "high", "low"),
    [
        (40, Reading(0, True), Reading(5000, True)),
        (41, Reading(3310 + 41, True), Reading(5000, True)),
        (-40, Reading(0, True), Reading(5000, True)),
        (-41, Reading(0, True), Reading(3000 - 41, True)),
    ],
)
def test_within_what_the_chip_errs_by_a_cell_is_neither_high_nor_low(off_mv, high, low) -> None:
    """As far as anything speaks against what it reads: 0 is below every limit, and 5 V above."""
    fine = doubted(known=False, stack_mv=sum(OFF_CELLS) + off_mv)
    assert (fine.doubt.value, fine.highest_possible, fine.lowest_possible) == (abs(off_mv), high, low)


@pytest.mark.parametrize("lost", [{"cell_mv": ()}, {"cell_mv": (None, *OFF_CELLS[1:])}, {"stack_mv": None}])
def test_without_the_stack_or_any_cell_there_is_no_difference(lost) -> None:
    """S2: a stack beside no cells at all is no doubt of any."""
    found = doubted(**lost)
    assert (found.doubt, found.highest_possible, found.lowest_possible) == (UNKNOWN, UNKNOWN, UNKNOWN)


def test_an_unknown_cell_raises_no_doubt_and_ends_none() -> None:
    """S2."""
    made = pack()
    assert checks.doubt(made.settings, made.state.alarms, made.out.values) == {}
    made.cells[1] = None
    for _ in range(10):
        made.cycle()
    found = checks.doubt(made.settings, made.state.alarms, made.out.values)
    assert found == dict.fromkeys(("stack_doubtful", "cell_may_be_high", "cell_may_be_low"), NOT_SEEN)
