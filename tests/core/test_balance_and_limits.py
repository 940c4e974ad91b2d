"""Which cells are balanced, and when a no reaches the inverter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.core import balance
from bmsd.core.plausible import HeldReadings, Values, validate
from bmsd.core.types import ChipFault, Measurement, Request
from bmsd.tables.alarms import Block
from tests.support.bench_inputs import Pack, make_settings

EIGHT = make_settings(cells=8)
cell = st.one_of(st.none(), st.integers(2500, 3700), st.integers(3405, 3440))


def believed(cells: list[int | None], settings=EIGHT) -> Values:
    known = sum(mv or 0 for mv in cells)
    measured = Measurement(
        cell_mv=tuple(cells),
        stack_mv=known,
        charger_mv=0,
        load_mv=0,
        current_ma=0,
        battery_decic=(250, 250),
        switch_decic=300,
        faults=ChipFault.NONE,
    )
    return validate(HeldReadings(), measured, 0, settings.parameters)[0]


def chosen(
    cells: list[int | None], *, before: int = 0, block: Block = Block.NONE, wanted: bool = True
) -> set[int]:
    mask = balance.decide(EIGHT, believed(cells), before, block, (), consent=wanted, started=True)[0]
    return {n + 1 for n in range(8) if mask >> n & 1}


def pack_of(**high: int) -> list[int | None]:
    cells: list[int | None] = [3405] * 8
    for name, mv in high.items():
        cells[int(name[1:]) - 1] = mv
    return cells


def test_a_high_cell_is_balanced() -> None:
    assert chosen(pack_of(c3=3420)) == {3}


def test_exactly_at_the_trigger_nothing_is_balanced() -> None:
    assert chosen(pack_of(c3=3415)) == set()
    assert chosen(pack_of(c3=3416)) == {3}


def test_a_cell_at_the_start_voltage_is_not_balanced() -> None:
    low: list[int | None] = [3300] * 8
    assert chosen([*low[:7], 3400]) == set()
    assert chosen([*low[:7], 3401]) == {8}


@pytest.mark.parametrize("block", [Block.BALANCE, Block.BALANCE | Block.CHARGE])
def test_an_alarm_that_blocks_it_ends_it(block) -> None:
    assert chosen(pack_of(c3=3420), block=block) == set()
    assert chosen(pack_of(c3=3420), block=Block.CHARGE) == {3}


def test_without_consent_nothing_is_balanced() -> None:
    assert chosen(pack_of(c3=3420), wanted=False) == set()


def test_with_an_unknown_cell_nothing_is_balanced() -> None:
    """S2: the unknown one may be the lowest."""
    cells = pack_of(c3=3420)
    cells[6] = None
    assert chosen(cells) == set()


def test_of_two_neighbours_the_higher_is_balanced() -> None:
    assert chosen(pack_of(c3=3420, c4=3430)) == {4}
    assert chosen(pack_of(c3=3430, c4=3420)) == {3}


def test_of_two_equal_neighbours_the_running_one_goes_on() -> None:
    assert chosen(pack_of(c3=3420, c4=3420), before=0b1000) == {4}


def test_the_first_and_the_last_cell_are_no_neighbours() -> None:
    assert chosen(pack_of(c1=3420, c8=3420)) == {1, 8}


@hypothesis_settings(deadline=None)
@given(st.lists(cell, min_size=8, max_size=8), st.integers(0, 255))
def test_no_neighbours_no_low_cell_no_unknown(cells, before) -> None:
    """S2: whatever is unknown, no two neighbours and never the lowest cell are balanced."""
    numbers = chosen(cells, before=before)
    assert not {n + 1 for n in numbers} & numbers
    if None in cells:
        assert not numbers
    lowest = min(mv for mv in cells if mv is not None) if any(mv is not None for mv in cells) else 0
    assert all((cells[n - 1] or 0) > max(3400, lowest + 10) for n in numbers)


def test_a_pack_that_has_not_started_is_not_balanced() -> None:
    """S13: the self-test comes first."""
    pack = Pack(cells=[3405, 3420, 3405, 3405])
    pack.run(7 * 250)
    assert not pack.state.commands.balance_mask
    pack.cycle()
    assert pack.state.commands.balance_mask == 0b0010


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_an_operators_no_reaches_the_inverter_in_the_same_cycle(name) -> None:
    pack = Pack().started()
    out = pack.cycle(Request("switch", name, False))
    assert getattr(out.limits, f"{name}_ma") == 0


def test_lost_measurements_take_both_currents_to_zero_when_they_are_too_old() -> None:
    """S7: an age of exactly the greatest is believed, a millisecond more is not."""
    pack = Pack().started()
    pack.polled = False
    assert pack.cycle(after_ms=1000).limits.charge_ma > 0
    assert pack.cycle(after_ms=1).limits.charge_ma == 0
    assert pack.out is not None
    assert pack.out.limits.discharge_ma == 0
