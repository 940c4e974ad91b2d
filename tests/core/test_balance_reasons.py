"""Why nothing is balanced, reason by reason, and how many cells are balanced at once."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import balance
from bmsd.core.plausible import HeldReadings, Reading, Values, validate
from bmsd.core.settings import Settings
from bmsd.core.types import ChipFault, Inhibit, InhibitCause, Measurement
from bmsd.tables.alarms import Block
from tests.support.bench_inputs import make_settings

EIGHT = make_settings(cells=8)
UNEVEN = (3405, 3405, 3420, 3405, 3405, 3405, 3405, 3405)


def believed(cells: tuple[int | None, ...], settings: Settings = EIGHT) -> Values:
    measured = Measurement(
        cell_mv=cells,
        stack_mv=sum(mv or 0 for mv in cells),
        charger_mv=0,
        load_mv=0,
        current_ma=0,
        battery_decic=(250, 250),
        switch_decic=300,
        faults=ChipFault.NONE,
    )
    return validate(HeldReadings(), measured, 0, settings.parameters)[0]


def decided(
    values: Values | None = None, settings: Settings = EIGHT, **more: Any
) -> tuple[int, Inhibit | None]:
    given: dict[str, Any] = {"block": Block.NONE, "unknown": (), "consent": True, "started": True, **more}
    return balance.decide(settings, values or believed(UNEVEN), 0, **given)


def test_with_nothing_against_it_the_high_cell_is_balanced() -> None:
    assert decided() == (0b100, None)


LOST = Inhibit(InhibitCause.UNKNOWN, "battery_decic")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"settings": make_settings(cells=8, balancing=False)}, Inhibit(InhibitCause.NOT_FITTED, "balance")),
        ({"consent": False}, Inhibit(InhibitCause.OPERATOR, "balance")),
        ({"started": False}, Inhibit(InhibitCause.STARTING)),
        ({"block": Block.BALANCE}, Inhibit(InhibitCause.ALARM)),
        ({"unknown": (LOST, Inhibit(InhibitCause.UNKNOWN, "stack_mv"))}, LOST),
        ({"values": believed((3420, None, *(3405,) * 6))}, Inhibit(InhibitCause.UNKNOWN, "cell_mv")),
        ({"values": believed((3405,) * 8)}, Inhibit(InhibitCause.NOT_NEEDED, "cell_spread")),
        ({"values": believed((3405,) * 7 + (3415,))}, Inhibit(InhibitCause.NOT_NEEDED, "cell_spread")),
        ({"values": believed((3300,) * 7 + (3390,))}, Inhibit(InhibitCause.NOT_NEEDED, "cell_max")),
    ],
    ids=lambda given: given.because.value if isinstance(given, Inhibit) else "",
)
def test_one_reason_alone_ends_it(more, why) -> None:
    assert decided(**more) == (0, why)


@pytest.mark.parametrize("lost", ["cell_min", "cell_spread"])
def test_a_lowest_cell_or_a_spread_that_is_not_known_ends_it(lost) -> None:
    """S2: even when no other list names it."""
    values = believed(UNEVEN)._replace(**{lost: Reading(None, False)})
    assert decided(values) == (0, Inhibit(InhibitCause.UNKNOWN, "cell_mv"))


def test_without_a_lowest_cell_no_cell_is_chosen() -> None:
    """S2."""
    assert balance.mask(EIGHT, believed((None,) * 8), 0b101) == 0


def test_an_unknown_cell_is_never_chosen() -> None:
    """S2."""
    assert balance.mask(EIGHT, believed((3420, None, *(3405,) * 6)), 0b10) == 0b1


def test_no_more_than_eight_cells_at_once() -> None:
    """The front end's heat (TI SLUAA81A); the highest go first."""
    settings = make_settings(cells=20)
    cells = [3450 if n % 2 == 0 else 3405 for n in range(20)]
    cells[18] = cells[16] = 3460
    mask = balance.mask(settings, believed(tuple(cells), settings), 0)
    assert mask.bit_count() == 8
    assert mask == 1 << 18 | 1 << 16 | sum(1 << n for n in (0, 2, 4, 6, 8, 10))


def test_among_equals_the_running_ones_go_on_and_then_the_first() -> None:
    level = believed((3420, 3420, 3405, 3420, 3420, 3405, 3420, 3405))
    assert balance.mask(EIGHT, level, 0) == 0b0100_1001
    assert balance.mask(EIGHT, level, 0b10010) == 0b0101_0010


def test_a_higher_cell_goes_before_one_that_is_running() -> None:
    assert balance.mask(EIGHT, believed((3405, 3420, 3421, *(3405,) * 5)), 0b010) == 0b100
