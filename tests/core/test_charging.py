"""The phases of a charge: when absorption begins and ends, what comes after, when a new charge begins."""

from __future__ import annotations

import pytest

from bmsd.core import charging, soc
from bmsd.core.charging import Charging, ChargingInputs, Phase
from bmsd.core.plausible import HeldReadings, Values, validate
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.types import ChipFault, Measurement
from tests.support.bench_inputs import make_settings
from tests.support.changed import replace

EIGHT = make_settings(cells=8)
FLOATS = make_settings(cells=8, chosen={"float_charge": 1})
WHOLE = EIGHT.capacity_mah * MAMS_PER_MAH
LEAST_MS, MOST_MS = 900_000, 7_200_000
BULK, ABSORPTION, FLOAT, REST = Phase.BULK, Phase.ABSORPTION, Phase.FLOAT, Phase.REST


def believed(*cells: int | None) -> Values:
    measured = Measurement(
        cell_mv=(*cells, *[3300] * (8 - len(cells))),
        stack_mv=None,
        charger_mv=0,
        load_mv=0,
        current_ma=0,
        battery_decic=(250,),
        switch_decic=300,
        faults=ChipFault.NONE,
    )
    return validate(HeldReadings(), measured, 0, EIGHT.parameters)[0]


def counter(permille: int, *, full: bool = False) -> SocState:
    return SocState(charge_mams=WHOLE * permille // 1000, error_permille=5, full=full)


def seen(
    mv: int | None = 3300, permille: int = 500, *, full=False, closed=True, asked=False
) -> ChargingInputs:
    return ChargingInputs(believed(mv), counter(permille, full=full), closed, asked)


def after(
    state: Charging, what: ChargingInputs, for_ms: int, every_ms: int = 5000, settings=EIGHT
) -> Charging:
    """Let time pass from the state's last cycle on."""
    now_ms = end_ms = state.last_ms
    end_ms += for_ms
    while now_ms < end_ms:
        now_ms = min(now_ms + every_ms, end_ms)
        state = charging.advance(settings, state, what, 27_600, now_ms)
    return state


def absorbing(settings=EIGHT) -> Charging:
    return charging.advance(settings, Charging(last_ms=0), seen(3430), 27_600, 0)


def over(settings=EIGHT, told_mv: int = 27_600) -> Charging:
    """Give a charge that ended at time 0."""
    state = Charging(phase=ABSORPTION, since_ms=0, from_mv=0, absorbed_ms=MOST_MS, last_ms=0)
    return charging.advance(settings, state, seen(3440, 1000, full=True), told_mv, 0)


@pytest.mark.parametrize(("mv", "phase"), [(3429, BULK), (3430, ABSORPTION), (3500, ABSORPTION)])
def test_absorption_begins_with_the_highest_cell(mv, phase) -> None:
    assert after(Charging(), seen(mv), 250).phase is phase


@pytest.mark.parametrize(("mv", "phase"), [(3410, ABSORPTION), (3409, BULK)])
def test_absorption_is_left_well_below_where_it_began(mv, phase) -> None:
    assert after(absorbing(), seen(mv), 250).phase is phase
    assert after(Charging(last_ms=0), seen(mv), 250).phase is BULK


def test_an_unknown_cell_moves_no_phase() -> None:
    """S2: neither into absorption nor out of it."""
    assert after(absorbing(), seen(None), 1000).phase is ABSORPTION
    assert (
        after(
            Charging(last_ms=0), ChargingInputs(believed(None, 3500), counter(900), True, False), 1000
        ).phase
        is BULK
    )


def test_full_ends_a_charge_when_balancing_has_had_its_time_and_not_before() -> None:
    full = seen(3440, 1000, full=True)
    assert after(absorbing(), full, LEAST_MS - 1).phase is ABSORPTION
    assert after(absorbing(), full, LEAST_MS).phase is REST
    assert after(absorbing(FLOATS), full, LEAST_MS, settings=FLOATS).phase is FLOAT


def test_without_full_a_charge_ends_when_it_lasts_too_long() -> None:
    assert after(absorbing(), seen(3440, 900), MOST_MS - 1).phase is ABSORPTION
    assert after(absorbing(), seen(3440, 900), MOST_MS).phase is REST
    blind = ChargingInputs(believed(3440), None, True, False)
    assert after(absorbing(), blind, MOST_MS).phase is REST


def test_the_time_of_absorption_is_kept_over_a_cloud_and_counts_only_while_it_charges() -> None:
    full = seen(3440, 1000, full=True)
    state = after(absorbing(), full, LEAST_MS - 10_000)
    state = after(state, seen(3350, 995, full=True), 600_000)
    assert (state.phase, state.absorbed_ms) == (BULK, LEAST_MS - 10_000)
    state = after(state, full, 5000)
    state = after(state, seen(3440, 1000, full=True, closed=False), 600_000)
    assert state.phase is ABSORPTION
    assert after(state, full, 9999).phase is ABSORPTION
    assert after(state, full, 10_000).phase is REST


def test_a_long_gap_counts_as_a_short_one() -> None:
    assert after(absorbing(), seen(3440), 60_000, every_ms=60_000).absorbed_ms == 5000


def test_a_full_pack_in_bulk_is_not_over_before_absorption() -> None:
    """Charged by hand with another charger, or a restart: the cells are asked, not the memory alone."""
    assert after(Charging(last_ms=0), seen(3380, 1000, full=True), 3 * LEAST_MS).phase is BULK


@pytest.mark.parametrize(("permille", "phase"), [(950, REST), (949, BULK)])
def test_a_new_charge_begins_below_its_state_of_charge(permille, phase) -> None:
    assert after(over(), seen(3350, permille), 250).phase is phase


def test_a_new_charge_begins_when_the_lowest_cell_is_low_for_a_minute() -> None:
    low = ChargingInputs(believed(3299), counter(1000), True, False)
    assert after(over(), seen(3300, 1000), 600_000).phase is REST
    state = charging.advance(EIGHT, over(), low, 27_600, 1000)
    assert charging.advance(EIGHT, state, low, 27_600, 60_999).phase is REST
    assert charging.advance(EIGHT, state, low, 27_600, 61_000).phase is BULK
    back = charging.advance(EIGHT, state, seen(3300, 1000), 27_600, 30_000)
    assert charging.advance(EIGHT, back, low, 27_600, 61_000).phase is REST


def test_an_unknown_cell_does_not_end_the_minute() -> None:
    """S2: an unknown value does not reset a running timer."""
    low = ChargingInputs(believed(3299), counter(1000), True, False)
    state = charging.advance(EIGHT, over(), low, 27_600, 1000)
    state = charging.advance(
        EIGHT, state, ChargingInputs(believed(None), counter(1000), True, False), 27_600, 30_000
    )
    assert charging.advance(EIGHT, state, low, 27_600, 61_000).phase is BULK
    blind = ChargingInputs(believed(*[None] * 8), None, True, False)
    assert after(over(), blind, 600_000).phase is REST


def test_a_pack_that_asks_for_charge_is_charged_anew() -> None:
    state = after(over(), seen(3350, 980, asked=True), 250)
    assert (state.phase, state.absorbed_ms) == (BULK, 0)


def test_a_parameter_that_changes_is_followed() -> None:
    assert after(over(), seen(3350, 1000), 250, settings=FLOATS).phase is FLOAT


def test_bulk_and_absorption_ask_for_the_charge_voltage() -> None:
    for state in (Charging(), absorbing()):
        assert charging.target_mv(EIGHT, state, 10**9) == 27_600


@pytest.mark.parametrize(
    ("now_ms", "mv"), [(0, 27_600), (1874, 27_600), (1875, 27_599), (60_000, 27_568), (1_124_999, 27_001),
                       (1_125_000, 27_000), (10**9, 27_000)]
)  # fmt: skip
def test_then_the_voltage_goes_down_slowly_and_stays(now_ms, mv) -> None:
    """4 mV per cell and minute, down to 75 mV per cell below."""
    assert charging.target_mv(EIGHT, over(), now_ms) == mv


def test_the_words_of_the_phases_stay() -> None:
    """Registers number them, and programs read them."""
    assert [phase.value for phase in Phase] == ["bulk", "absorption", "float", "rest"]


def test_it_goes_down_from_when_the_charge_ended() -> None:
    assert charging.target_mv(EIGHT, Charging(phase=REST, since_ms=60_000, from_mv=27_600), 120_000) == 27_568


def test_it_goes_down_from_where_it_was_told() -> None:
    assert charging.target_mv(EIGHT, over(told_mv=27_100), 0) == 27_100
    assert charging.target_mv(EIGHT, over(told_mv=26_500), 0) == 27_000
    lower = make_settings(cells=8, chosen={"cell_charge_mv": 3445})
    assert charging.target_mv(lower, over(), 0) == 27_560


def test_after_a_start_a_pack_that_is_still_full_is_not_charged_anew() -> None:
    """What was reached before a restart is not forgotten: the charge counter keeps it."""
    begun = charging.begin(EIGHT, counter(1000, full=True), 5000)
    assert begun == Charging(phase=REST, since_ms=5000, from_mv=27_600)
    assert charging.begin(FLOATS, counter(1000, full=True), 5000).phase is FLOAT
    assert charging.begin(EIGHT, counter(1000), 5000) == charging.begin(EIGHT, None, 5000) == Charging()


HOUR_MS = 3_600_000


@pytest.mark.parametrize(("unfilled_ms", "asks"), [(720 * HOUR_MS - 1, False), (720 * HOUR_MS, True)])
def test_a_full_charge_is_asked_for_after_a_month(unfilled_ms, asks) -> None:
    state = replace(counter(600), unfilled_ms=unfilled_ms)
    assert soc.long_not_full(EIGHT.parameters, state) is asks
    never, soon = (make_settings(chosen={"full_charge_after_h": h}).parameters for h in (0, 1))
    assert not soc.long_not_full(never, state)
    assert soc.long_not_full(soon, state)


@pytest.mark.parametrize(("permille", "left"), [(969, True), (970, False), (1000, False)])
def test_a_full_charge_ends_the_request(permille, left) -> None:
    state = replace(counter(permille), unfilled_ms=800 * HOUR_MS, last_ms=0)
    found = soc.advance(EIGHT, state, believed(3300), 250)[0]
    assert bool(found.unfilled_ms) is left


@pytest.mark.parametrize("current_ma", [0, None])
def test_the_time_without_a_full_charge_is_counted(current_ma) -> None:
    """An unknown current stops no clock."""
    measured = Measurement(
        cell_mv=(3300,) * 8,
        stack_mv=None,
        charger_mv=0,
        load_mv=0,
        current_ma=current_ma,
        battery_decic=(250,),
        switch_decic=300,
        faults=ChipFault.NONE,
    )
    values = validate(HeldReadings(), measured, 0, EIGHT.parameters)[0]
    state = replace(counter(600), last_ms=1000)
    for now_ms in (1250, 1500, 61_500):
        state = soc.advance(EIGHT, state, values, now_ms)[0]
    assert state.unfilled_ms == 500 + 5000


# --- An inverter that discharges down to the charge voltage -----------------------------------------------------------

EXPORTS = make_settings(cells=8, exports=True)
"""100 Ah: the voltage falls at its whole pace from 2.1 A on."""


def relaxing(
    current_ma: int | None, for_ms: int = 600_000, state: Charging | None = None, every_ms=1000
) -> Charging:
    """Let a pack rest with a current, from the end of its charge or from a state on."""
    what = seen(3400, 1000)
    what = what._replace(values=what.values._replace(current_ma=current_ma))
    return after(state or over(EXPORTS), what, for_ms, every_ms, EXPORTS)


def fallen_mv(state: Charging) -> int:
    return 27_600 - charging.target_mv(EXPORTS, state, state.last_ms)


@pytest.mark.parametrize("current_ma", [None, -60_000, -2000, -1, 0, 50, 100])
def test_where_the_pack_takes_no_current_the_voltage_stays(current_ma) -> None:
    """S2: an unknown current is none; up to 0.1 A it may be the error of the shunt."""
    assert fallen_mv(relaxing(current_ma)) == 0


@pytest.mark.parametrize(("current_ma", "share"), [(1100, 0.5), (2100, 1.0), (2101, 1.0), (5000, 1.0)])
def test_where_it_takes_one_the_voltage_goes_down_by_it(current_ma, share) -> None:
    """At most at the pace of every other inverter; 32 mV a minute, less what the mean takes to get there."""
    assert fallen_mv(relaxing(current_ma)) == pytest.approx(320 * share, abs=12)
    whole = charging.target_mv(EXPORTS, over(), 600_000)
    assert fallen_mv(relaxing(current_ma)) <= 27_600 - whole


def test_the_pace_is_the_same_in_every_period() -> None:
    found = [fallen_mv(relaxing(5000, every_ms=every_ms)) for every_ms in (100, 250, 1000, 5000)]
    assert max(found) - min(found) <= 3


def test_ripple_around_nothing_moves_it_hardly() -> None:
    state = over(EXPORTS)
    for turn in range(600):
        state = relaxing(3000 if turn % 2 else -3000, 1000, state)
    assert fallen_mv(state) <= 20


def test_a_load_stops_it_and_charge_lets_it_go_on_from_there() -> None:
    state = relaxing(5000, 300_000)
    before = fallen_mv(state)
    state = relaxing(-20_000, 3_600_000, state)
    assert fallen_mv(state) - before <= 1
    assert fallen_mv(relaxing(5000, 60_000, state)) > before


def test_it_ends_where_every_other_one_does() -> None:
    assert fallen_mv(relaxing(5000, 7_200_000, every_ms=5000)) == 600


def test_a_core_that_was_away_is_no_time_in_which_it_fell() -> None:
    state = relaxing(5000, 60_000)
    before = fallen_mv(state)
    state = relaxing(5000, 3_600_000, state, every_ms=3_600_000)
    assert fallen_mv(state) - before <= 3


def test_one_that_began_at_a_start_stays_until_current_comes() -> None:
    """After a restart the time since the system started is no time in which it fell."""
    begun = charging.begin(EXPORTS, counter(1000, full=True), 10**7)
    what = seen(3400, 1000, full=True)
    state = charging.advance(EXPORTS, begun, what, 27_600, 10**7 + 250)
    assert charging.target_mv(EXPORTS, state, 10**7 + 250) == 27_600


T = 10**7


def one_cycle(mean_ua: int, current_ma: int | None, step_ms: int = 5000) -> Charging:
    """Give what one cycle makes of a charge that ended at T and has this mean current."""
    state = Charging(phase=REST, since_ms=T, from_mv=27_600, last_ms=T, mean_ua=mean_ua)
    what = seen(3400, 1000)
    what = what._replace(values=what.values._replace(current_ma=current_ma))
    return charging.advance(EXPORTS, state, what, 27_600, T + step_ms)


@pytest.mark.parametrize(
    ("mean_ua", "current_ma", "step_ms", "after_ua"),
    [
        (0, 11_000, 1000, 1_000_000),
        (0, 3000, 5000, 1_000_000),
        (0, 3000, 3_600_000, 1_000_000),
        (3_000_000, 0, 5000, 2_000_000),
        (0, -11_000, 1000, -1_000_000),
        (1_000_000, None, 5000, 1_000_000),
    ],
)
def test_the_current_is_averaged_over_ten_seconds(mean_ua, current_ma, step_ms, after_ua) -> None:
    """A step of 1 s counts for an eleventh, one of 5 s or more for a third, an unknown current for nothing (S2)."""
    assert one_cycle(mean_ua, current_ma, step_ms).mean_ua == after_ua


@pytest.mark.parametrize("step_ms", [0, -1000])
def test_where_no_time_passes_no_current_counts(step_ms) -> None:
    assert one_cycle(1_000_000, 0, step_ms).mean_ua == 1_000_000


@pytest.mark.parametrize(
    ("mean_ua", "current_ma", "fell_ms"),
    [
        (99_999, 100, 0),
        (100_000, 100, 0),
        (499_999, 500, 999),
        (500_000, 500, 1000),
        (2_099_999, 2100, 4999),
        (2_100_000, 2100, 5000),
        (2_101_000, 2101, 5000),
        (2_100_000, None, 0),
    ],
)
def test_the_voltage_falls_for_the_share_of_the_time_that_the_mean_current_makes(
    mean_ua, current_ma, fell_ms
) -> None:
    """From 0.1 A, the shunt's error, to a fiftieth of the capacity more; an unknown current is none (S2)."""
    state = one_cycle(mean_ua, current_ma)
    assert (state.mean_ua, state.since_ms) == (mean_ua, T + 5000 - fell_ms)


def test_the_mean_begins_with_no_current() -> None:
    begun = charging.begin(EXPORTS, counter(1000, full=True), T)
    assert over(EXPORTS).mean_ua == begun.mean_ua == 0
