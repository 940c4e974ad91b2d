"""Single steps of belief: what one lost reading costs, which values make a cycle complete, what proves a freeze."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bmsd.core.plausible import HeldReadings, Reading, Values, validate
from bmsd.core.types import ChipFault, Measurement
from tests.support.bench_inputs import make_parameters

P = make_parameters(cells=8)
GOOD = Measurement(
    cell_mv=(3300,) * 8,
    stack_mv=26_400,
    charger_mv=16_000,
    load_mv=0,
    current_ma=0,
    battery_decic=(250, 251),
    switch_decic=300,
    faults=ChipFault.NONE,
)


class Reader:
    """A chain of polls, 250 ms apart."""

    def __init__(self) -> None:
        self.held, self.now_ms = HeldReadings(), 0

    def read(self, measurement: Measurement | None = GOOD, after_ms: int = 250, **more: Any) -> Values:
        self.now_ms += after_ms
        values, self.held = validate(self.held, measurement, self.now_ms, P, **more)
        return values

    def cells(self, *cells: int | None) -> Values:
        return self.read(replace(GOOD, cell_mv=cells))


def test_a_reading_that_is_lost_once_keeps_its_last_value_for_its_age() -> None:
    """Cells, sensors and single values alike; the others are the new ones."""
    reader = Reader()
    reader.read()
    lost = Measurement(
        cell_mv=(3311, None, *(3311,) * 6),
        stack_mv=None,
        charger_mv=None,
        load_mv=None,
        current_ma=None,
        battery_decic=(None, 260),
        switch_decic=None,
        faults=ChipFault.NONE,
    )
    found = reader.read(lost)
    assert found.cell_mv == (3311, 3300, *(3311,) * 6)
    assert found.battery_decic == (250, 260)
    assert (found.stack_mv, found.charger_mv, found.current_ma) == (26_400, 16_000, 0)
    assert found.switch_decic == Reading(300, True)
    assert not found.fresh
    assert reader.read(lost, 750).cell_mv[1] == 3300
    found = reader.read(lost, 1)
    assert found.cell_mv[1] is found.battery_decic[0] is found.stack_mv is found.current_ma is None


def test_before_the_first_poll_everything_is_unknown() -> None:
    """S2."""
    found = Reader().read(None)
    assert found.stack_mv is found.charger_mv is found.current_ma is found.switch_decic.value is None
    assert found.cell_mv == found.battery_decic == ()
    assert found.cell_max == found.pack_mv == Reading(None, False)
    assert found.charge_ma == found.discharge_ma == Reading(None, False)


@pytest.mark.parametrize(("mv", "believed"), [(299, None), (300, 300), (5000, 5000), (5001, None)])
def test_a_cell_outside_of_what_a_front_end_can_read_is_none(mv, believed) -> None:
    """S2."""
    assert Reader().cells(mv, *(3300,) * 7).cell_mv[0] == believed


@pytest.mark.parametrize(("decic", "believed"), [(-401, None), (-400, -400), (1200, 1200), (1201, None)])
def test_a_sensor_outside_of_any_weather_is_open_or_shorted(decic, believed) -> None:
    """S2: battery and switch board alike."""
    found = Reader().read(replace(GOOD, battery_decic=(decic, 250), switch_decic=decic))
    assert found.battery_decic[0] == found.switch_decic.value == believed


def test_a_slow_cycle_may_believe_so_much_longer() -> None:
    reader = Reader()
    reader.read()
    assert reader.read(None, 2000, older_ms=1000).cell_mv == GOOD.cell_mv
    assert reader.read(None, 1, older_ms=1000).cell_mv == (None,) * 8


def test_the_load_side_is_believed_only_in_its_own_cycle() -> None:
    """A reading of before the attempt proves no pre-charge."""
    reader = Reader()
    assert reader.read(replace(GOOD, load_mv=26_000)).load_mv == 26_000
    assert reader.read(replace(GOOD, load_mv=None)).load_mv is None
    assert reader.read(None).load_mv is None


def test_a_measurement_of_another_size_begins_anew() -> None:
    reader = Reader()
    reader.read()
    assert reader.read(replace(GOOD, cell_mv=(3300, None, 3300))).cell_mv == (3300, None, 3300)


@pytest.mark.parametrize(
    "lost",
    [
        {"cell_mv": (*(3300,) * 7, None)}, {"cell_mv": (*(3300,) * 7, 0)}, {"cell_mv": ()}, {"stack_mv": None},
        {"charger_mv": None}, {"current_ma": None}, {"battery_decic": (250, None)}, {"switch_decic": None},
    ],
)  # fmt: skip
def test_a_cycle_is_complete_only_with_every_reading_that_decides(lost) -> None:
    """S13: only such a cycle counts for a start."""
    assert Reader().read().fresh
    assert not Reader().read(replace(GOOD, **lost)).fresh
    assert Reader().read(replace(GOOD, **lost), switch_sensor=False).fresh is ("switch_decic" in lost)


def test_a_cycle_without_a_poll_is_not_complete() -> None:
    reader = Reader()
    reader.read()
    assert not reader.read(None).fresh


def test_extremes_name_their_cells() -> None:
    found = Reader().cells(3300, 3310, 3290, 3300, 3290, 3310, 3300, 3300)
    assert found.cell_max == Reading(3310, True, 2)
    assert found.cell_min == Reading(3290, True, 3)
    assert found.cell_spread == Reading(20, True, 2)
    assert found.battery_max == Reading(251, True, 2)
    assert found.battery_min == Reading(250, True, 1)
    assert found.battery_spread == Reading(1, True, 2)


@pytest.mark.parametrize("stack_mv", [26_250, 26_550])
def test_the_stack_may_differ_from_its_cells_in_both_directions(stack_mv) -> None:
    assert Reader().read(replace(GOOD, stack_mv=stack_mv)).stack_mismatch == Reading(150, True)


@pytest.mark.parametrize(("ma", "into", "out_of"), [(7, 7, 0), (0, 0, 0), (-7, 0, 7)])
def test_a_current_flows_one_way_and_is_zero_the_other(ma, into, out_of) -> None:
    found = Reader().read(replace(GOOD, current_ma=ma))
    assert found.charge_ma == Reading(into, True)
    assert found.discharge_ma == Reading(out_of, True)


def moving(*third: int | None, by: int = 20, reader: Reader | None = None) -> Values:
    """Let all cells fall by a step each cycle, but for the third, which reads what is given."""
    reader = reader or Reader()
    reader.read()
    found = reader.read()
    for n, mv in enumerate(third, 1):
        others = 3300 - by * n
        found = reader.cells(others, others, mv, *(others,) * 5)
    return found


def test_two_moves_without_it_freeze_a_cell_and_no_other() -> None:
    assert moving(3300).frozen == ()
    found = moving(3300, 3300)
    assert found.frozen == (3,)
    assert found.cell_mv == (3260, 3260, 3300, *(3260,) * 5)
    assert found.cell_min.complete


def test_a_frozen_cell_is_struck_out_and_the_others_are_believed() -> None:
    reader = Reader()
    moving(3300, 3300, reader=reader)
    found = reader.read(replace(GOOD, cell_mv=(3240, 3240, 3300, *(3240,) * 5)), 1001)
    assert found.cell_mv == (3240, 3240, None, *(3240,) * 5)


def test_a_cell_that_moved_between_must_stand_still_twice_anew() -> None:
    """A move before, or one in the middle, ends what was counted against it."""
    assert moving(3280, 3280).frozen == ()
    assert moving(3300, 3280, 3280).frozen == ()
    assert moving(3280, 3280, 3280).frozen == (3,)
    assert moving(3300, 3280, 3280, 3280).frozen == (3,)


def test_a_cell_that_moved_and_came_back_lives() -> None:
    reader = Reader()
    reader.read()
    moving(3300, reader=reader)
    reader.cells(3280, 3280, 3301, *(3280,) * 5)
    reader.cells(3280, 3280, 3300, *(3280,) * 5)
    assert reader.cells(3260, 3260, 3300, *(3260,) * 5).frozen == ()
    assert reader.cells(3240, 3240, 3300, *(3240,) * 5).frozen == ()
    assert reader.cells(3220, 3220, 3300, *(3220,) * 5).frozen == (3,)


def test_a_lost_reading_is_no_move_and_no_standing_still() -> None:
    """S2: unknown proves nothing either way."""
    assert moving(None, None, None).frozen == ()
    assert moving(None, 3300).frozen == ()
    assert moving(None, 3300, 3300).frozen == (3,)
    assert moving(3300, None, 3300).frozen == (3,)


def test_a_lost_reading_between_two_moves_is_no_sign_of_life() -> None:
    """S2."""
    reader = Reader()
    moving(3300, reader=reader)
    reader.cells(3280, 3280, None, *(3280,) * 5)
    assert reader.cells(3260, 3260, 3300, *(3260,) * 5).frozen == (3,)


def test_a_lost_poll_forgets_nothing() -> None:
    """S2."""
    reader = Reader()
    moving(3300, reader=reader)
    reader.read(None)
    assert reader.cells(3260, 3260, 3300, *(3260,) * 5).frozen == (3,)


def test_a_poll_without_any_cell_forgets_no_sign_of_life() -> None:
    reader = Reader()
    moving(3300, reader=reader)
    reader.cells(3280, 3280, 3301, *(3280,) * 5)
    reader.cells(*(None,) * 8)
    assert reader.cells(3260, 3260, 3300, *(3260,) * 5).frozen == ()
    assert reader.cells(3240, 3240, 3300, *(3240,) * 5).frozen == ()


def test_cells_that_come_up_after_a_start_without_any_are_watched() -> None:
    reader = Reader()
    reader.cells(*(None,) * 8)
    assert reader.read().cell_mv == GOOD.cell_mv
    assert reader.read().frozen == ()


def test_a_cell_that_was_never_read_hides_no_frozen_one() -> None:
    """S2: the others are watched from the first cycle on."""
    reader = Reader()
    for n in range(3):
        others = 3300 - 20 * n
        found = reader.cells(None, others, 3300, *(others,) * 5)
    assert found.frozen == (3,)


@pytest.mark.parametrize("by", [20, -20])
@pytest.mark.parametrize(("cells", "count"), [(8, 4), (7, 4), (4, 2), (3, 2), (16, 8), (15, 8)])
def test_half_of_the_cells_must_move_before_the_others_are_judged(by: int, cells: int, count: int) -> None:
    """Less than half is the affair of those cells; half is the pack. Rising and falling are the same."""
    for moved, frozen in ((count - 1, ()), (count, tuple(range(count + 1, cells + 1)))):
        reader = Reader()
        for n in range(3):
            found = reader.cells(*(3300 + by * n,) * moved, *(3300,) * (cells - moved))
        assert found.frozen == frozen, moved


def test_a_move_of_less_than_the_parameter_judges_nobody() -> None:
    assert moving(3300, 3300, by=19).frozen == ()
    assert moving(3300, 3300, by=20).frozen == (3,)
    assert moving(3300, 3300, by=-19).frozen == ()
    assert moving(3300, 3300, by=-20).frozen == (3,)


APART = (3300, 3330, 3360, 3390, 3420, 3450, 3480, 3510)
"""Cells at rest that are far from each other: another one of them is the middle when one is missing or wrong."""


@pytest.mark.parametrize(
    "broken",
    [
        (None, None, *APART[2:]),
        (*APART[:6], None, None),
        (*APART[:4], None, *APART[5:]),
        (APART[7], *APART[1:7], APART[0]),
        (3000, *APART[1:]),
        (4000, *APART[1:]),
        (*APART[:4], 3000, *APART[5:]),
        (3000, 3000, 3000, *APART[3:]),
        (*(None,) * 6, *APART[6:]),
        (*(None,) * 6, 3300, APART[7]),
        (*(None,) * 7, APART[7]),
    ],
)
def test_a_wire_that_breaks_and_heals_freezes_no_cell_at_rest(broken: tuple[int | None, ...]) -> None:
    """S15: nothing flows then, a cell at rest stays as it is, and a frozen one would never be released."""
    reader = Reader()
    for _ in range(4):
        assert reader.cells(*APART).frozen == ()
        assert reader.cells(*broken).frozen == ()
    assert reader.cells(*APART).frozen == ()


def test_two_open_wires_of_a_small_pack_freeze_no_cell_at_rest() -> None:
    """S15: half of four cells fall, and one of them rises by what the next one lost."""
    reader = Reader()
    for _ in range(4):
        reader.cells(3300, 3300, 3300, 3300)
        assert reader.cells(3500, 3100, 3300, 3000).frozen == ()
        assert reader.cells(3100, 3500, 3300, 3500).frozen == ()


@pytest.mark.parametrize("by", [19, 20])
def test_one_cell_that_goes_the_other_way_leaves_the_question_open(by: int) -> None:
    reader = Reader()
    for n in range(3):
        found = reader.cells(*(3300 - 20 * n,) * 6, 3300, 3300 + by * n)
    assert found.frozen == ((7,) if by < 20 else ())


@pytest.mark.parametrize("cells", [3, 4])
def test_an_open_wire_moves_two_cells_apart_and_freezes_none(cells: int) -> None:
    """S15: one reads less by what its neighbour reads more."""
    reader = Reader()
    for _ in range(4):
        reader.cells(*(3300,) * cells)
        assert reader.cells(3000, 3600, *(3300,) * (cells - 2)).frozen == ()


def test_one_cell_that_moves_shows_nothing_of_another() -> None:
    """The rest is unknown."""
    reader = Reader()
    for n in range(3):
        assert reader.cells(3300 - 20 * n, 3300, *(None,) * 6).frozen == ()
    for n in range(3):
        found = reader.cells(3200 - 20 * n, 3300, 3200 - 20 * n, *(None,) * 5)
    assert found.frozen == (2,)


def test_a_cell_that_is_known_for_the_first_time_did_not_move() -> None:
    reader = Reader()
    reader.cells(*(None,) * 4, *(3300,) * 4)
    for mv, frozen in ((3200, ()), (3180, ()), (3160, (5, 6, 7, 8))):
        assert reader.cells(*(mv,) * 4, *(3300,) * 4).frozen == frozen
