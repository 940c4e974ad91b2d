"""How much current is left: every taper at its ends and one step beyond, everything unknown, the smallest wins."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.core import derating
from bmsd.core.derating import Share
from bmsd.core.plausible import Values
from tests.support import bench_inputs
from tests.support.bench_inputs import make_settings

EIGHT = make_settings(cells=8)
BY_SOC = make_settings(
    cells=8, chosen={"charge_soc_taper_permille": 100, "discharge_soc_taper_permille": 200}
)


def believed(mv: int | None = 3300, battery=(250, 250), others: int = 3300) -> Values:
    cells = (others,) * 7 + (mv,)
    return bench_inputs.believed(EIGHT, cell_mv=cells, stack_mv=None, battery_decic=battery)


def charge(values: Values, soc: int | None = 500, *, resting: bool = False, settings=EIGHT) -> Share:
    capability = derating.charge(settings, values, soc)
    return derating.at_rest(settings, capability) if resting else capability


def discharge(values: Values, soc: int | None = 500, *, settings=EIGHT) -> Share:
    return derating.discharge(settings, values, soc)


def test_in_the_middle_nothing_holds_a_current_down() -> None:
    assert charge(believed()) == discharge(believed()) == Share(1000, "")


@pytest.mark.parametrize(
    ("mv", "share"), [(3450, 1000), (3451, 992), (3515, 500), (3579, 7), (3580, 0), (3581, 0), (3700, 0)]
)
def test_charge_current_falls_to_zero_before_over_voltage(mv, share) -> None:
    """S1: what is left in permille is rounded down."""
    assert charge(believed(mv)) == Share(share, "cell" if share < 1000 else "")


@pytest.mark.parametrize(
    ("chosen", "full_mv", "none_mv"),
    [({"cell_charge_mv": 3580}, 3450, 3590), ({"cell_charge_mv": 3595}, 3450, 3598),
     ({"charge_taper_mv": 10}, 3590, 3595)],
)  # fmt: skip
def test_where_over_voltage_is_near_charge_current_ends_between(chosen, full_mv, none_mv) -> None:
    """It must not end below the voltage that a charge is to reach, nor before it began to fall."""
    near = make_settings(cells=8, chosen=chosen)
    assert charge(believed(full_mv), settings=near) == Share(1000, "")
    assert 0 < charge(believed(none_mv - 1), settings=near).permille < 1000
    assert charge(believed(none_mv), settings=near) == Share(0, "cell")


@pytest.mark.parametrize(
    ("mv", "share"),
    [
        (2900, 1000),
        (2899, 994),
        (2800, 444),
        (2721, 5),
        (2720, 0),
        (2719, 0),
        (2701, 0),
        (2700, 0),
        (2600, 0),
    ],
)
def test_discharge_current_falls_to_zero_a_margin_before_under_voltage(mv, share) -> None:
    """S1: an inverter that takes a little for itself, and noise, must not open the contactor at once."""
    assert discharge(believed(mv)) == Share(share, "cell" if share < 1000 else "")


@pytest.mark.parametrize(
    ("mv", "share"), [(3000, 1000), (2999, 994), (2910, 500), (2821, 5), (2820, 0), (2801, 0), (2800, 0)]
)
def test_discharge_current_of_even_cells_falls_to_zero_before_the_packs_own_limit(mv, share) -> None:
    """The pack's under-voltage stands above that of a cell: an even pack met its contactor there."""
    assert discharge(believed(mv, others=mv)) == Share(share, "pack" if share < 1000 else "")


@pytest.mark.parametrize(
    ("taper", "ends_mv"), [(10, 2705), (30, 2715), (40, 2720), (41, 2720), (200, 2720), (500, 2720)]
)
def test_the_margin_of_a_short_taper_is_half_of_it(taper, ends_mv) -> None:
    short = make_settings(cells=8, chosen={"discharge_taper_mv": taper})
    assert discharge(believed(ends_mv), settings=short).permille == 0
    assert discharge(believed(ends_mv + 1), settings=short).permille > 0


@pytest.mark.parametrize(
    ("chosen", "ends_mv"),
    [({}, 2820), ({"pack_uvp_mv": 2600 * 8}, 2720), ({"pack_uvp_mv": 2700 * 8 + 8}, 2721)],
)
def test_discharge_of_even_cells_ends_at_the_higher_of_both(chosen, ends_mv) -> None:
    assert derating.discharge_ends_mv(make_settings(cells=8, chosen=chosen)) == ends_mv


@pytest.mark.parametrize(
    ("decic", "share", "reason"),
    [(-1, 100, "cold"), (0, 100, "cold"), (1, 109, "cold"), (50, 550, "cold"), (99, 991, "cold"), (100, 1000, ""),
     (450, 1000, ""), (451, 991, "hot"), (500, 550, "hot"), (549, 109, "hot"), (550, 100, "hot"), (551, 100, "hot")],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1])
def test_charge_current_falls_in_the_cold_and_in_the_heat_by_the_worse_sensor(
    decic, share, reason, place
) -> None:
    battery = [250, 250]
    battery[place] = decic
    assert charge(believed(battery=tuple(battery))) == Share(share, reason)


@pytest.mark.parametrize(
    ("decic", "share", "reason"),
    [(-201, 100, "cold"), (-200, 100, "cold"), (-199, 104, "cold"), (-1, 995, "cold"), (0, 1000, ""),
     (500, 1000, ""), (501, 991, "hot"), (600, 100, "hot"), (601, 100, "hot")],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1])
def test_discharge_current_falls_in_the_cold_and_in_the_heat_by_the_worse_sensor(
    decic, share, reason, place
) -> None:
    battery = [250, 250]
    battery[place] = decic
    assert discharge(believed(battery=tuple(battery))) == Share(share, reason)


@pytest.mark.parametrize(("soc", "share"), [(900, 1000), (901, 991), (950, 550), (1000, 100)])
def test_charge_current_falls_near_full_where_that_is_wanted(soc, share) -> None:
    assert charge(believed(), soc, settings=BY_SOC).permille == share
    assert charge(believed(), soc).permille == 1000


@pytest.mark.parametrize(("soc", "share"), [(200, 1000), (199, 995), (100, 550), (0, 100)])
def test_discharge_current_falls_near_empty_where_that_is_wanted(soc, share) -> None:
    assert discharge(believed(), soc, settings=BY_SOC).permille == share
    assert discharge(believed(), soc).permille == 1000


def test_the_state_of_charge_is_named() -> None:
    assert charge(believed(), 1000, settings=BY_SOC).reason == "state of charge"
    assert discharge(believed(), 0, settings=BY_SOC).reason == "state of charge"


@pytest.mark.parametrize(
    "values", [believed(None), believed(battery=(None, 250)), believed(battery=(250, None))]
)
def test_with_anything_unknown_nothing_is_left(values) -> None:
    """S2, S7: a cell or a sensor that is not known may be the worst."""
    assert charge(values) == discharge(values) == Share(0, "unknown")


def test_an_unknown_state_of_charge_leaves_nothing_where_it_is_asked_for() -> None:
    """S2."""
    assert charge(believed(), None, settings=BY_SOC) == discharge(believed(), None, settings=BY_SOC)
    assert charge(believed(), None, settings=BY_SOC) == Share(0, "unknown")
    assert charge(believed(), None) == discharge(believed(), None) == Share(1000, "")


def test_the_smallest_share_wins_and_is_named() -> None:
    assert charge(believed(3570, (20, 250))).reason == "cell"
    assert charge(believed(3452, (20, 250))) == Share(280, "cold")
    assert charge(believed(3452, (250, 540)), resting=True) == Share(50, "resting")
    assert charge(believed(3579), resting=True) == Share(7, "cell")
    assert discharge(believed(2705, (250, 590))).reason == "cell"
    assert discharge(believed(2890, (250, 590))).reason == "hot"


def test_a_taper_of_no_width_is_none() -> None:
    """The jk-compatible preset charges with the whole current up to each protection, as JK does."""
    jk = make_settings(preset="jk-compatible", cells=8)
    for decic in (0, 600):
        assert charge(believed(battery=(decic, decic)), settings=jk) == Share(1000, "")
        assert discharge(believed(battery=(decic, decic)), settings=jk) == Share(1000, "")
    assert charge(believed(battery=(-1, 250)), settings=jk) == Share(100, "cold")
    assert charge(believed(battery=(250, 601)), settings=jk) == Share(100, "hot")


mv = st.integers(2500, 3700)
decic = st.integers(-400, 700)


@hypothesis_settings(deadline=None)
@given(mv, decic, st.integers(0, 1000), st.integers(0, 200), st.booleans())
def test_more_room_never_leaves_less(cell, warmth, soc, more, resting) -> None:
    """Monotone in the distance from every limit, each way."""
    here, battery, soc_more = believed(cell, (warmth, 250)), (warmth, 250), min(soc + more, 1000)

    def into(mv: int) -> int:
        return charge(believed(mv, battery, 2500)).permille

    def out_of(mv: int) -> int:
        return discharge(believed(mv, battery, 3700)).permille

    assert into(cell - more) >= into(cell)
    assert out_of(cell + more) >= out_of(cell)
    by_soc = [charge(here, at, resting=resting, settings=BY_SOC).permille for at in (soc, soc_more)]
    assert by_soc[0] >= by_soc[1]
    by_soc = [discharge(here, at, settings=BY_SOC).permille for at in (soc_more, soc)]
    assert by_soc[0] >= by_soc[1]
    colder, hotter = min(warmth, 250), max(warmth, 250)
    for share in (charge, discharge):
        assert (
            share(believed(cell, (colder, 250))).permille
            >= share(believed(cell, (colder - more, 250))).permille
        )
        assert (
            share(believed(cell, (hotter, 250))).permille
            >= share(believed(cell, (hotter + more, 250))).permille
        )


@hypothesis_settings(deadline=None)
@given(mv, decic, decic, st.integers(0, 1000), st.booleans())
def test_nothing_is_left_exactly_where_a_cell_is_at_the_end_of_its_taper(
    cell, one, other, soc, resting
) -> None:
    values = believed(cell, (one, other), 3300)
    into = charge(values, soc, resting=resting, settings=BY_SOC).permille
    out_of = discharge(values, soc, settings=BY_SOC).permille
    assert 0 <= into <= 1000
    assert 0 <= out_of <= 1000
    assert (into == 0) is (cell >= 3580)
    assert (out_of == 0) is (cell <= 2720)


def test_values_that_are_known_only_in_part_count_as_unknown() -> None:
    """S2: the known highest cell alone is no highest cell."""
    whole = believed()
    doubtful = replace_reading(whole, "cell_max")
    assert charge(doubtful) == Share(0, "unknown")
    assert discharge(doubtful) == Share(1000, "")
    assert discharge(replace_reading(whole, "cell_min")) == Share(0, "unknown")
    assert charge(replace_reading(whole, "cell_min")) == Share(1000, "")


def replace_reading(values: Values, name: str) -> Values:
    return values._replace(**{name: getattr(values, name)._replace(complete=False)})


def test_the_settings_of_this_file_are_what_they_seem() -> None:
    p = EIGHT.parameters
    assert (p.cell_ovp_mv, p.charge_taper_mv, p.cell_uvp_mv, p.discharge_taper_mv) == (3600, 150, 2700, 200)
    assert replace(p, charge_soc_taper_permille=100, discharge_soc_taper_permille=200) == BY_SOC.parameters


def test_each_direction_has_tapers_of_its_own() -> None:
    wide = {"charge_hot_taper_decik": 200, "charge_cold_taper_decik": 0, "charge_soc_taper_permille": 100}
    found = make_settings(cells=8, chosen={**wide, "discharge_cold_taper_decik": 0})
    assert charge(believed(battery=(450, 450)), settings=found) == Share(550, "hot")
    assert discharge(believed(battery=(590, 590)), settings=found) == Share(190, "hot")
    assert charge(believed(battery=(20, 20)), settings=found) == Share(1000, "")
    assert charge(believed(), 950, settings=found) == Share(550, "state of charge")
    assert discharge(believed(), 0, settings=found) == Share(1000, "")
    found = make_settings(cells=8, chosen={"discharge_soc_taper_permille": 100})
    assert charge(believed(), 1000, settings=found) == Share(1000, "")
    assert discharge(believed(), 50, settings=found) == Share(550, "state of charge")


def test_the_words_of_reasons_stay() -> None:
    """Registers number them, and programs read them."""
    words = (derating.UNKNOWN, derating.FORBIDDEN, derating.RISING, derating.OVERRIDE)
    assert words == ("unknown", "forbidden", "recovering", "override")
