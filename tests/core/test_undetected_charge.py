"""In the common topology the cells speak beside a current reading that shows no charge, call by call."""

from __future__ import annotations

import pytest

from bmsd.core import undetected_charge
from bmsd.core.alarms import Finding
from bmsd.core.cross_check import CrossCheckState
from bmsd.core.plausible import Reading
from bmsd.core.undetected_charge import NONE_DETECTED, Stretch, UndetectedCharge
from tests.support.bench_inputs import believed, make_settings

COMMON = make_settings(topology="common")
"""4 cells of 100 Ah; a test says what they are together, and the lowest is a quarter of it."""
QUIET = CrossCheckState()
REST_MV = 13_200
HOUR_MS = 3_600_000
OVP_MV, REACT_MS, STAYS_MS = 3600, 10_000, 120_000


class Watch:
    """What is seen of one pack, call by call."""

    def __init__(self, settings=COMMON) -> None:
        self.settings, self.now_ms, self.seen = settings, 1000, NONE_DETECTED

    def next(
        self,
        pack_mv: int | None = REST_MV,
        current_ma: int | None = 0,
        *,
        high_mv: int | None = 3300,
        complete: bool = True,
        low_complete: bool = True,
        after_ms: int = 1000,
        physics: CrossCheckState = QUIET,
        refused: bool = True,
        closed: bool = True,
        decic: int | None = 250,
        warmest: int | None = None,
        off_mv: int | None = 0,
    ) -> bool:
        self.now_ms += after_ms
        values = believed(
            self.settings, current_ma=current_ma, battery_decic=(decic, decic if warmest is None else warmest)
        )
        values = values._replace(
            cell_min=Reading(
                None if pack_mv is None else pack_mv // 4, low_complete and pack_mv is not None, 1
            ),
            cell_max=Reading(high_mv, complete, 1),
            doubt=Reading(off_mv, True, 0),
        )
        self.seen = undetected_charge.advance(
            self.settings, self.seen, values, physics, refused=refused, closed=closed, now_ms=self.now_ms
        )
        return self.seen.charged


@pytest.mark.parametrize("topology", ["split", "afe"])
def test_where_a_forbidden_direction_has_its_own_switch_nothing_is_watched(topology) -> None:
    watch = Watch(make_settings(topology=topology))
    watch.next()
    assert not watch.next(REST_MV + 1000)
    assert watch.seen is NONE_DETECTED


def test_at_first_nothing_is_seen() -> None:
    assert (NONE_DETECTED.above_ms, NONE_DETECTED.above_mv, NONE_DETECTED.charged) == (
        None,
        None,
        False,
    )
    assert (NONE_DETECTED.since_ms, NONE_DETECTED.now, NONE_DETECTED.before) == (
        0,
        None,
        None,
    )
    assert NONE_DETECTED.older_ma == 0


@pytest.mark.parametrize(("rise_mv", "charged"), [(39, False), (40, True), (500, True), (-500, False)])
def test_a_pack_that_rises_while_nothing_flows_is_charged(rise_mv, charged) -> None:
    """S1: 10 mV a cell."""
    watch = Watch()
    assert not watch.next()
    assert watch.next(REST_MV + rise_mv) is charged


@pytest.mark.parametrize(("refused", "closed"), [(False, True), (True, False), (False, False)])
def test_it_is_charge_that_is_forbidden_through_a_closed_contactor_only(refused, closed) -> None:
    watch = Watch()
    watch.next(refused=refused, closed=closed)
    assert not watch.next(REST_MV + 100, refused=refused, closed=closed)
    assert watch.next(REST_MV + 100), "what was seen before counts"


@pytest.mark.parametrize(("rise_mv", "charged"), [(239, False), (240, True)])
def test_a_load_lets_the_cells_rise_when_it_ends(rise_mv, charged) -> None:
    """5 A of a pack of 100 Ah: 50 mV a cell, besides the 10 that no cell rises at rest."""
    watch = Watch()
    watch.next(REST_MV, -5000)
    assert watch.next(REST_MV + rise_mv) is charged


@pytest.mark.parametrize(("rise_mv", "charged"), [(4039, False), (4040, True)])
def test_a_load_of_its_whole_capacity_lets_it_rise_by_a_volt_a_cell(rise_mv, charged) -> None:
    watch = Watch()
    watch.next(9200, -100_000)
    assert watch.next(9200 + rise_mv) is charged


@pytest.mark.parametrize(("rise_mv", "charged"), [(239, False), (240, True)])
def test_loads_differ_between_two_stretches_as_within_one(rise_mv, charged) -> None:
    """5 A for an hour, and 10 A in the next: the half of it may have ended between two readings."""
    watch = Watch()
    watch.next(REST_MV, -5000)
    watch.next(REST_MV, -10_000, after_ms=HOUR_MS)
    assert watch.next(REST_MV + rise_mv, -10_000) is charged


@pytest.mark.parametrize(("current_ma", "load_ma"), [(200, 0), (1, 0), (0, 0), (-1, 1)])
def test_a_current_that_comes_in_is_no_load(current_ma, load_ma) -> None:
    watch = Watch()
    watch.next(REST_MV, current_ma, decic=-50, warmest=250)
    assert watch.seen.now == Stretch(
        lowest_mv=REST_MV // 4, least_ma=load_ma, most_ma=load_ma, coldest_decic=-50
    ), "the coldest cells rise furthest"


def test_it_is_the_coldest_sensor_that_shows_cells_grow_warm() -> None:
    watch = Watch()
    watch.next(REST_MV, -2500, decic=-180, warmest=-100)
    assert watch.next(REST_MV + 40, -2500, decic=-180, warmest=100)
    assert not watch.next(REST_MV + 40, -2500, decic=-160, warmest=-100)


def test_a_temperature_that_was_never_known_shows_no_warmth() -> None:
    """S2: nor does it hide what follows it."""
    watch = Watch()
    for _ in range(2):
        watch.next(REST_MV, -2500, decic=None)
        assert watch.seen.now == Stretch(
            lowest_mv=REST_MV // 4, least_ma=2500, most_ma=2500, coldest_decic=None
        )
    watch.next(REST_MV, -2500, after_ms=HOUR_MS)
    assert watch.next(REST_MV + 40, -2500)
    assert not watch.next(REST_MV + 40, -2500, decic=270)


@pytest.mark.parametrize("current_ma", [-58_000, -5000, 0, 200])
def test_a_load_that_goes_on_lets_no_cell_rise(current_ma) -> None:
    """S2: a reading with the wrong sign shows a charger as such a load."""
    watch = Watch()
    watch.next(REST_MV, current_ma)
    assert not watch.next(REST_MV + 39, current_ma)
    assert watch.next(REST_MV + 40, current_ma)


@pytest.mark.parametrize(
    ("warmed_decic", "rise_mv", "charged"),
    [
        (19, 40, True),
        (20, 139, False),
        (20, 140, True),
        (200, 139, False),
        (-200, 40, True),
        (None, 40, True),
    ],
)
def test_under_a_load_that_goes_on_cells_rise_when_they_grow_warm(warmed_decic, rise_mv, charged) -> None:
    """A heater of 2.5 A takes less from the voltage of cells that it has warmed; unknown warmth explains nothing."""
    watch = Watch()
    watch.next(REST_MV, -2500, decic=-180)
    decic = None if warmed_decic is None else -180 + warmed_decic
    assert watch.next(REST_MV + rise_mv, -2500, decic=decic) is charged


@pytest.mark.parametrize(("off_mv", "charged"), [(300, False), (None, True), (0, True)])
def test_a_cell_that_read_low_for_a_moment_is_no_rise_of_all_when_it_is_right_again(off_mv, charged) -> None:
    """The sum of the cells and the stack reading differed meanwhile."""
    watch = Watch()
    watch.next()
    watch.next(REST_MV - 1200, off_mv=off_mv)
    assert watch.next() is charged


def test_the_bound_of_what_the_chip_errs_is_a_bound_here_too() -> None:
    error_mv = COMMON.parameters.stack_error_mv
    for off_mv, charged in ((error_mv, True), (error_mv + 1, False)):
        watch = Watch()
        watch.next(REST_MV - 1200, off_mv=off_mv)
        watch.next()
        watch.next(REST_MV - 1200, off_mv=off_mv)
        assert watch.next() is charged


def test_how_cold_it_was_is_remembered_as_long_as_the_voltage_of_then() -> None:
    watch = Watch()
    watch.next(REST_MV, -2500, decic=None)
    watch.next(REST_MV, -2500, decic=-180)
    watch.next(REST_MV, -2500, decic=None)
    watch.next(REST_MV, -2500, decic=-170, after_ms=HOUR_MS)
    assert not watch.next(REST_MV + 139, -2500, decic=-160)
    watch.next(REST_MV, -2500, decic=-160, after_ms=HOUR_MS)
    watch.next(REST_MV, -2500, decic=-160, after_ms=HOUR_MS)
    assert watch.next(REST_MV + 139, -2500, decic=-160)


def test_what_loads_were_counts_half_with_every_hour_that_is_over() -> None:
    watch = Watch()
    watch.next(REST_MV, -8000)  # 80 mV a cell
    watch.next(REST_MV, 0)
    watch.next(REST_MV, 0, after_ms=HOUR_MS)
    assert not watch.next(REST_MV + 359)
    assert watch.next(REST_MV + 360)
    watch = Watch()
    watch.next(REST_MV, -8000)
    watch.next(REST_MV, 0)
    for _ in range(2):
        watch.next(REST_MV, after_ms=HOUR_MS)
    assert not watch.next(REST_MV + 199)
    assert watch.next(REST_MV + 200)
    for _ in range(2):
        watch.next(REST_MV, after_ms=HOUR_MS)
    assert not watch.next(REST_MV + 79)
    assert watch.next(REST_MV + 80)


def test_a_load_before_a_charge_that_was_shown_is_not_forgotten() -> None:
    watch = Watch()
    watch.next(REST_MV, -8000)
    watch.next(REST_MV, 20_000)
    watch.next(REST_MV, 0)
    assert not watch.next(REST_MV + 359)
    assert watch.next(REST_MV + 360)


def test_a_rise_is_looked_for_within_two_hours() -> None:
    watch = Watch()
    watch.next()
    watch.next(REST_MV + 28, after_ms=HOUR_MS)
    assert watch.next(REST_MV + 40, after_ms=HOUR_MS - 1)
    watch = Watch()
    watch.next()
    watch.next(REST_MV + 28, after_ms=HOUR_MS)
    watch.next(REST_MV + 28, after_ms=HOUR_MS)
    assert not watch.next(REST_MV + 67)
    assert watch.next(REST_MV + 68)


@pytest.mark.parametrize(
    ("capacity_mah", "current_ma", "explains"),
    [
        (100_000, 200, False),
        (100_000, 201, True),
        (280_000, 560, False),
        (280_000, 561, True),
        (20_000, 200, False),
    ],
)
def test_a_charge_that_the_reading_shows_explains_the_rise(capacity_mah, current_ma, explains) -> None:
    """It is forbidden all the same; then the reading itself speaks."""
    watch = Watch(make_settings(topology="common", capacity_mah=capacity_mah))
    watch.next()
    watch.next(REST_MV + 10, current_ma)
    assert watch.next(REST_MV + 45) is not explains


@pytest.mark.parametrize(
    ("physics", "current_ma", "charged"),
    [
        (CrossCheckState(dead=1, up=True), 0, True), (CrossCheckState(dead=1, up=False), 0, False),
        (CrossCheckState(dead=0, up=True), 0, False), (CrossCheckState(wrong=1, up=True), -1, True),
        (CrossCheckState(wrong=1, up=True), 0, False), (CrossCheckState(wrong=1, up=False), -1, False),
        (CrossCheckState(dead=1, up=True), None, False), (CrossCheckState(up=True), -1, False),
    ],
)  # fmt: skip
def test_a_jump_up_without_the_current_or_against_it_is_charge_whatever_loads_there_were(
    physics, current_ma, charged
) -> None:
    """S2: an unknown current is the finding of others."""
    watch = Watch()
    watch.next(REST_MV, -50_000)
    watch.next(REST_MV, 0)
    assert watch.next(REST_MV + 40, current_ma, physics=physics) is charged


def test_a_cell_that_jumps_alone_is_no_charge() -> None:
    """A reading that is off, or a wire: charge lifts the lowest cell as well."""
    watch = Watch()
    watch.next()
    assert not watch.next(REST_MV + 39, high_mv=3600, physics=CrossCheckState(dead=1, up=True))


# --- A cell above over-voltage -----------------------------------------------------------------------------------


def above(watch: Watch, high_mv: int | None, after_ms: int = 1000, **more) -> bool:
    return watch.next(high_mv=high_mv, after_ms=after_ms, **more)


@pytest.mark.parametrize("current_ma", [0, -50_000])
@pytest.mark.parametrize(("further_mv", "charged"), [(9, False), (10, True)])
def test_a_cell_that_goes_on_rising_is_charged_whatever_the_reading_says(
    current_ma, further_mv, charged
) -> None:
    """S1: from where it stood after the time that the inverter is given."""
    watch = Watch()
    above(watch, OVP_MV + 1, current_ma=current_ma)
    assert not above(watch, OVP_MV + 50, REACT_MS, current_ma=current_ma)
    assert above(watch, OVP_MV + 50 + further_mv, current_ma=current_ma) is charged


@pytest.mark.parametrize(("further_mv", "charged"), [(9, False), (10, True)])
def test_beside_a_charge_that_is_shown_no_load_explains_it(further_mv, charged) -> None:
    """S1: the smallest pack, of 1 Ah, in which a milliampere would make a millivolt."""
    watch = Watch(make_settings(topology="common", capacity_mah=1000))
    above(watch, OVP_MV + 1, current_ma=300)
    above(watch, OVP_MV + 50, REACT_MS, current_ma=300)
    assert above(watch, OVP_MV + 50 + further_mv, current_ma=300) is charged


def test_what_cells_rose_on_their_way_to_over_voltage_is_no_charge_beyond_it() -> None:
    watch = Watch()
    watch.next()
    for after_ms in (1000, REACT_MS, 1000):
        assert not watch.next(REST_MV + 400, high_mv=OVP_MV + 50, after_ms=after_ms)
    assert watch.next(REST_MV + 400, high_mv=OVP_MV)


def test_before_the_inverter_had_its_time_nothing_is_judged() -> None:
    watch = Watch()
    above(watch, OVP_MV + 1)
    assert not above(watch, OVP_MV + 100, REACT_MS - 1)
    assert watch.seen.above_mv is None


def test_a_cell_that_reads_high_beside_a_load_keeps_the_contactor_closed() -> None:
    """S15: the load brings it down, and the house stays alight."""
    watch = Watch()
    for high_mv in (OVP_MV + 100, OVP_MV + 99, OVP_MV + 99, OVP_MV + 98):
        assert not above(watch, high_mv, STAYS_MS, current_ma=-20_000)


@pytest.mark.parametrize(("fallen_mv", "charged"), [(-5, True), (0, True), (1, True), (2, False), (9, False)])
def test_a_cell_that_stays_above_is_charged_and_one_that_falls_is_not(fallen_mv, charged) -> None:
    watch = Watch()
    above(watch, OVP_MV + 10)
    above(watch, OVP_MV + 10, REACT_MS)
    assert not above(watch, OVP_MV + 10 - fallen_mv, STAYS_MS - REACT_MS - 1)
    assert above(watch, OVP_MV + 10 - fallen_mv, 1) is charged


@pytest.mark.parametrize(
    ("current_ma", "charged"), [(-1001, False), (-1000, True), (200, True), (1000, True), (1001, False)]
)
def test_a_cell_that_stays_beside_a_load_that_is_shown_is_not(current_ma, charged) -> None:
    """It takes a load to bring such a cell down: then the contactor has to stay closed."""
    watch = Watch()
    for after_ms in (1000, REACT_MS, STAYS_MS):
        last = above(watch, OVP_MV + 10, after_ms, current_ma=current_ma)
    assert last is charged


def test_at_over_voltage_and_below_nothing_is_counted() -> None:
    watch = Watch()
    above(watch, OVP_MV + 1)
    assert watch.seen.above_ms is not None
    above(watch, OVP_MV)
    assert (watch.seen.above_ms, watch.seen.above_mv) == (None, None)
    for after_ms in (1000, REACT_MS, STAYS_MS):
        assert not above(watch, OVP_MV, after_ms)


def test_a_contactor_that_opened_begins_anew() -> None:
    """A full cell that rests above its limit is given a load again, for two minutes at a time."""
    watch = Watch()
    for after_ms in (1000, REACT_MS, STAYS_MS):
        above(watch, OVP_MV + 10, after_ms)
    assert watch.seen.charged
    assert not above(watch, OVP_MV + 10, closed=False)
    assert not above(watch, OVP_MV + 10, STAYS_MS)


def test_an_unknown_cell_neither_begins_nor_ends_it() -> None:
    """S2: a known cell that is above is above, whatever the others are."""
    watch = Watch()
    above(watch, None, complete=False)
    assert watch.seen.above_ms is None
    above(watch, OVP_MV + 40, complete=False)
    began_ms = watch.seen.above_ms
    assert began_ms is not None
    assert not above(watch, None, REACT_MS)
    above(watch, OVP_MV, complete=False)
    assert watch.seen.above_ms == began_ms
    assert not above(watch, OVP_MV + 40)
    assert above(watch, OVP_MV + 50)
    assert not above(watch, None, STAYS_MS, complete=False)
    assert (watch.seen.above_ms, watch.seen.above_mv) == (began_ms, OVP_MV + 40)


@pytest.mark.parametrize("unknown", [{"pack_mv": None}, {"current_ma": None}, {"low_complete": False}])
def test_an_unknown_voltage_or_current_neither_begins_nor_ends_a_rise(unknown) -> None:
    """S2."""
    watch = Watch()
    watch.next(**unknown)
    assert watch.seen.now is None
    watch.next()
    assert not watch.next(**{"pack_mv": REST_MV + 100, **unknown})
    assert watch.seen.now.lowest_mv == REST_MV // 4
    assert watch.next(REST_MV + 100)


def test_the_worse_of_both_is_found() -> None:
    charged = UndetectedCharge(charged=True)
    assert undetected_charge.worse(NONE_DETECTED, Finding(False)) == Finding(False)
    assert undetected_charge.worse(NONE_DETECTED, Finding(None)) == Finding(None)
    assert (
        undetected_charge.worse(charged, Finding(False))
        == undetected_charge.worse(charged, Finding(None))
        == Finding(True)
    )
    assert undetected_charge.worse(charged, Finding(True, 900)) == Finding(True, 900)
