"""What goes missing, cycle by cycle: what is counted, for how long, and what is told of it (S2)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import loose
from bmsd.core.alarms import Finding
from bmsd.core.loose import Gone, LooseState
from bmsd.core.plausible import HeldReadings, LastGood

T = 10_000_000
LATELY_MS = 600_000
ALL = range(1, 5)


def held(
    *missing: int, lost: tuple[str, ...] = (), sensors: tuple[int, ...] = (), now_ms: int = T
) -> HeldReadings:
    """Give what is kept of four cells, two sensors and the single readings, some of them from before."""

    def kept(*is_there: bool) -> LastGood:
        return LastGood((0,) * len(is_there), tuple(now_ms if there else now_ms - 250 for there in is_there))

    singles = [name not in lost for name in ("stack", "charger", "current", "switch")]
    return HeldReadings(
        kept(*[place not in missing for place in ALL]),
        kept(*[place not in sensors for place in (1, 2)]),
        kept(*singles),
    )


def watch(
    state: LooseState, now: HeldReadings, now_ms: int = T, **more: Any
) -> tuple[LooseState, dict[str, Finding]]:
    return loose.watch(state, now, more.get("frozen", ()), more.get("found", {}), now_ms)


def times(place: int, count: int, last_ms: int = T) -> Gone:
    """Give what went missing so often, a second between, the last one at a time."""
    return tuple((place, last_ms - 1000 * n) for n in range(count - 1, -1, -1))


@pytest.mark.parametrize(("count", "found"), [
    (2, {}), (3, {"cell_loose": Finding(True, None, 2)}), (4, {"cell_loose": Finding(True, None, 2)}),
])  # fmt: skip
def test_a_cell_that_went_missing_three_times_is_loose(count, found) -> None:
    assert watch(LooseState(cells_gone=times(2, count)), held())[1] == found


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (1, {"reading_loose": Finding(True, None, 1)}),
        (2, {"reading_loose": Finding(True, None, 2)}),
        (-1, {"reading_loose": Finding(True, None, None)}),
        (-3, {"reading_loose": Finding(True, None, None)}),
    ],
)
def test_of_other_readings_only_a_sensor_has_a_place(place, found) -> None:
    assert watch(LooseState(others_gone=times(place, 3)), held())[1] == found
    assert watch(LooseState(others_gone=times(place, 2)), held())[1] == {}


def test_what_is_loose_is_told_beside_what_else_was_found() -> None:
    other = {"cell_step": Finding(True, None, 3)}
    assert watch(LooseState(cells_gone=times(2, 3)), held(), found=other)[1] == {
        **other,
        "cell_loose": Finding(True, None, 2),
    }
    assert watch(LooseState(), held(), found=other)[1] is other


@pytest.mark.parametrize(("since_ms", "is_loose"), [(LATELY_MS - 1, True), (LATELY_MS, False)])
def test_it_is_remembered_for_ten_minutes(since_ms, is_loose) -> None:
    """From the third last time on."""
    gone = ((2, T - since_ms), (2, T - 2000), (2, T - 1000))
    assert bool(watch(LooseState(cells_gone=gone), held())[1]) is is_loose


def test_places_are_not_added_up() -> None:
    gone = tuple((place, T - 1000) for place in (1, 2, 1, 2, 3))
    assert watch(LooseState(cells_gone=gone), held())[1] == {}
    assert watch(LooseState(cells_gone=(*gone, (2, T - 500))), held())[1] == {
        "cell_loose": Finding(True, None, 2)
    }


@pytest.mark.parametrize(
    ("now", "missing"),
    [
        (held(), LooseState()),
        (held(2), LooseState((2,), (), ((2, T),))),
        (held(2, 3), LooseState((2, 3), (), ((2, T), (3, T)))),
        (held(sensors=(2,)), LooseState((), (2,), (), ((2, T),))),
        (held(lost=("stack",)), LooseState((), (-1,), (), ((-1, T),))),
        (held(lost=("current",)), LooseState((), (-3,), (), ((-3, T),))),
        (held(lost=("switch",)), LooseState((), (-4,), (), ((-4, T),))),
        (held(lost=("charger",)), LooseState()),
        (held(1, 2, 3, 4, lost=("stack",), sensors=(1,)), LooseState()),
    ],
)
def test_what_is_missing_beside_a_cell_that_is_there_is_counted_once(now, missing) -> None:
    """Sensors by their place, single readings below zero; a cycle without one cell says nothing of one wire."""
    assert watch(LooseState(), now)[0] == missing
    assert watch(missing, now)[0] == missing, "it is missing still, and has not gone again"


def test_what_stays_away_is_not_counted_again_when_another_goes_missing() -> None:
    one = LooseState((2,), (-3,), ((2, T - 250),), ((-3, T - 250),))
    assert watch(one, held(2, 4, lost=("current", "switch")))[0] == LooseState(
        (2, 4), (-3, -4), ((2, T - 250), (4, T)), ((-3, T - 250), (-4, T))
    )


def test_what_comes_back_may_go_again() -> None:
    back = watch(LooseState((2,), (1,), ((2, T - 500),), ((1, T - 500),)), held())[0]
    assert back == LooseState((), (), ((2, T - 500),), ((1, T - 500),))
    assert watch(back, held(2, sensors=(1,)))[0] == LooseState(
        (2,), (1,), ((2, T - 500), (2, T)), ((1, T - 500), (1, T))
    )


def test_a_frozen_cell_is_not_missing() -> None:
    """It reads, and is struck out because it reads the same for ever."""
    assert watch(LooseState(), held(2), frozen=(2,))[0] == LooseState()
    assert watch(LooseState(), held(2, 3), frozen=(2,))[0] == LooseState((3,), (), ((3, T),))


def test_the_last_sixteen_are_kept() -> None:
    """A broken wire takes two cells each time."""
    before = tuple((1, T - 1000 + n) for n in range(16))
    assert watch(LooseState(cells_gone=before), held(2))[0].cells_gone == (*before[1:], (2, T))
    assert watch(LooseState(cells_gone=before[1:]), held(2))[0].cells_gone == (*before[1:], (2, T))
    assert watch(LooseState(others_gone=before), held(lost=("stack",)))[0].others_gone == (
        *before[1:], (-1, T)
    )  # fmt: skip
