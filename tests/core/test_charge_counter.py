"""The charge counter: counting, anchors at full and empty, what is shown, gaps and the unknown."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.core import soc
from bmsd.core.plausible import HeldReadings, Values, validate
from bmsd.core.soc import SocState
from bmsd.core.types import ChipFault, Measurement
from bmsd.tables.chemistries import CHEMISTRIES
from tests.support.bench_inputs import make_settings
from tests.support.changed import replace

PACK = make_settings()
WHOLE = PACK.capacity_mah * 3_600_000
HALF = SocState(charge_mams=WHOLE // 2, error_permille=50, synchronised=True)


def values(mv: int | None = 3300, ma: int | None = 0, decic: int | None = 250) -> Values:
    measured = Measurement(
        cell_mv=(mv,) * 4,
        stack_mv=13_200,
        charger_mv=0,
        load_mv=0,
        current_ma=ma,
        battery_decic=(decic, decic),
        switch_decic=300,
        faults=ChipFault.NONE,
    )
    return validate(HeldReadings(), measured, 0, PACK.parameters)[0]


class Counter:
    """A counter with a clock."""

    def __init__(self, state: SocState = HALF) -> None:
        self.state, self.now_ms, self.events = state, 1000, []
        self.count(0)

    def count(
        self, after_ms: int, mv: int | None = 3300, ma: int | None = 0, decic: int | None = 250
    ) -> SocState:
        """Count one cycle."""
        self.now_ms += after_ms
        self.state, events = soc.advance(PACK, self.state, values(mv, ma, decic), self.now_ms)
        self.events += [event.name for event in events]
        return self.state

    def hold(self, duration_ms: int, **seen) -> SocState:
        """Count for a time, a cycle per second, the last one exactly at its end."""
        self.count(0, **seen)
        for _ in range(duration_ms // 1000):
            self.count(1000, **seen)
        return self.count(duration_ms % 1000, **seen) if duration_ms % 1000 else self.state

    @property
    def permille(self) -> int:
        """Give the counted state of charge."""
        return soc.permille(PACK, self.state)


@hypothesis_settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(-200_000, 200_000)), max_size=50))
def test_nothing_is_rounded_away(steps) -> None:
    """The count is the exact integral while it stays inside the pack."""
    counter, exact = Counter(), Fraction(WHOLE, 2)
    for after_ms, ma in steps:
        counter.count(after_ms, ma=ma)
        exact += after_ms * ma
    assert counter.state.charge_mams == exact
    assert counter.state.discharged_mams == sum(-ms * ma for ms, ma in steps if ma < 0)


def test_discharge_counts_down_and_charge_counts_up() -> None:
    counter = Counter()
    counter.hold(3_600_000, ma=-10_000)
    assert counter.permille == 400
    counter.hold(3_600_000, ma=10_000)
    assert counter.permille == 500
    assert counter.state.discharged_mams == 10_000 * 3_600_000


def test_an_unknown_current_counts_nothing_and_the_gap_is_not_made_up() -> None:
    """S2: unknown is not zero, and not the current that comes after it either."""
    counter = Counter()
    counter.hold(60_000, ma=None)
    counter.count(1000, ma=10_000)
    assert counter.state.charge_mams == HALF.charge_mams + 10_000 * 1000


def test_a_long_gap_is_not_filled_with_one_current() -> None:
    counter = Counter()
    counter.count(3_600_000, ma=100_000)
    assert counter.state.charge_mams <= HALF.charge_mams + 100_000 * 5000


@pytest.mark.parametrize(("ma", "expected"), [(200_000, 1000), (-200_000, 0)])
def test_the_count_stays_inside_the_pack(ma, expected) -> None:
    counter = Counter()
    counter.hold(3_600_000, ma=ma)
    assert counter.permille == expected


def test_full_is_found_after_its_time_and_not_a_millisecond_before() -> None:
    counter = Counter()
    counter.hold(119_999, mv=3430, ma=4999)
    assert counter.events == []
    counter.count(1, mv=3430, ma=4999)
    assert counter.events == ["full"]
    assert counter.permille == 1000
    assert counter.state.full_charges == 1
    assert counter.state.error_permille <= 10


@pytest.mark.parametrize(
    "seen",
    [{"mv": 3429, "ma": 4999}, {"mv": 3430, "ma": 5000}, {"mv": 3430, "ma": -1}, {"mv": 3601, "ma": 100},
     {"mv": None, "ma": 100}, {"mv": 3450, "ma": None}],
    ids=str,
)  # fmt: skip
def test_almost_full_is_not_full(seen) -> None:
    """S2: and neither is an unknown."""
    counter = Counter()
    counter.hold(600_000, **seen)
    assert counter.events == []


def test_a_moment_of_doubt_starts_the_full_time_again() -> None:
    """S2: an anchor rewrites the count, so an unknown stops it."""
    counter = Counter()
    counter.hold(119_000, mv=3450, ma=1000)
    counter.count(500, mv=None, ma=1000)
    counter.hold(119_000, mv=3450, ma=1000)
    assert counter.events == []


def test_full_is_told_once() -> None:
    counter = Counter()
    counter.hold(900_000, mv=3450, ma=500)
    assert counter.events == ["full"]


def test_empty_is_found_after_its_time_and_not_a_millisecond_before() -> None:
    counter = Counter()
    counter.hold(59_999, mv=2750, ma=-1000)
    assert counter.events == []
    counter.count(1, mv=2750, ma=-1000)
    assert counter.events == ["empty"]
    assert counter.permille == 0


@pytest.mark.parametrize(
    "seen",
    [{"mv": 2751, "ma": -1000}, {"mv": 2750, "ma": 1}, {"mv": 2750, "ma": -50_000}, {"mv": None, "ma": -1000},
     {"mv": 2750, "ma": None}, {"mv": 2750, "ma": -1000, "decic": 49}, {"mv": 2750, "ma": -1000, "decic": None}],
    ids=str,
)  # fmt: skip
def test_almost_empty_is_not_empty(seen) -> None:
    """S2: in the cold the lower knee is no proof, and an unknown temperature may be cold."""
    counter = Counter()
    counter.hold(300_000, **seen)
    assert counter.events == []


def test_at_exactly_five_degrees_empty_is_empty() -> None:
    counter = Counter()
    counter.hold(60_000, mv=2750, ma=-1000, decic=50)
    assert counter.events == ["empty"]


def test_a_hundred_percent_is_shown_only_after_the_full_anchor() -> None:
    counter = Counter()
    counter.hold(7_200_000, ma=100_000)
    assert counter.permille == 1000
    assert soc.shown_permille(PACK, counter.state, 3300) == 990
    counter.hold(120_000, mv=3450, ma=1000)
    assert soc.shown_permille(PACK, counter.state, 3450) == 1000


def test_nothing_is_shown_as_empty_while_the_cells_are_not() -> None:
    counter = Counter()
    counter.hold(7_200_000, ma=-100_000)
    assert soc.shown_permille(PACK, counter.state, 2751) == 10
    assert soc.shown_permille(PACK, counter.state, 2750) == 0
    assert soc.shown_permille(PACK, counter.state, None) == 0


def test_the_error_grows_with_the_charge_moved_and_ends_at_everything() -> None:
    counter = Counter()
    before = soc.error_permille(PACK, counter.state)
    counter.hold(3_600_000, ma=-100_000)
    assert soc.error_permille(PACK, counter.state) == before + 5
    assert soc.error_permille(PACK, replace(HALF, moved_mams=WHOLE * 10_000)) == 1000


@pytest.mark.parametrize(
    ("mv", "permille"), [(3199, 117), (3200, None), (3395, None), (3396, 970), (2000, 0), (3600, 990)]
)
def test_a_rested_cell_tells_only_where_the_curve_is_steep(mv, permille) -> None:
    assert soc.rested(CHEMISTRIES["lifepo4"], mv) == permille


def test_a_first_start_on_the_plateau_is_unsure() -> None:
    found = soc.first(PACK, 3300)
    assert soc.permille(PACK, found) == 500
    assert soc.error_permille(PACK, found) >= 250
    assert not found.synchronised
    assert soc.first(PACK, None) == found


@pytest.mark.parametrize("name", CHEMISTRIES)
def test_rested_tables_rise(name) -> None:
    table = CHEMISTRIES[name].rested_soc
    assert list(table) == sorted(set(table))
    assert [permille for _, permille in table] == sorted({permille for _, permille in table})
