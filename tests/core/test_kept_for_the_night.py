"""What is kept for an idle inverter: when charge is asked for, until when, and when discharging is held back for it."""

from __future__ import annotations

import pytest

from bmsd.core import forbidden_current, limit_compliance, low_battery
from bmsd.core.alarms import ALL_QUIET, AlarmState
from bmsd.core.limit_compliance import HighestLimits, SentLimits
from bmsd.core.low_battery import LowBattery
from bmsd.core.plausible import Reading
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.state import CommonState, begin
from bmsd.core.switching import SwitchState
from bmsd.tables.alarms import ALARMS, Block
from tests.support.bench_inputs import Pack, believed, make_settings
from tests.support.changed import replace

FOUR = make_settings()
"""4 cells of 100 Ah: 1.9 % below the end by voltage, and 10 W for 12 h are 9.3 %."""
BEGIN = 112
WHOLE = 100_000 * MAMS_PER_MAH
HALF_HOUR_MS = 1_800_000


def active(*names: str) -> tuple[AlarmState, ...]:
    return tuple(AlarmState(True) if a.name in names else s for a, s in zip(ALARMS, ALL_QUIET, strict=True))


class Night:
    """A pack whose request is advanced with what a test says of it; 3.30 V is in the flat."""

    def __init__(self, settings=FOUR) -> None:
        self.settings, self.now_ms = settings, 0
        self.asked, self.kept = False, LowBattery()

    def next(
        self,
        permille: int | None,
        cell_mv: int | None = 3300,
        current_ma: int | None = -40_000,
        *,
        after_ms: int = 1000,
        error: int = 0,
        alarm: str = "",
        complete: bool = True,
        battery: tuple[int | None, ...] = (250, 250),
    ) -> Night:
        self.now_ms += after_ms
        values = believed(self.settings, current_ma=current_ma, battery_decic=battery)
        values = values._replace(cell_min=Reading(cell_mv, complete and cell_mv is not None, 1))
        counter = (
            None if permille is None else SocState(charge_mams=WHOLE * permille // 1000, error_permille=error)
        )
        states = active(*filter(None, [alarm]))
        self.asked, self.kept = low_battery.advance(
            self.settings, self.asked, self.kept, states, values, counter, self.now_ms
        )
        return self

    @property
    def seen(self) -> tuple[bool, bool]:
        return self.asked, self.kept.held


NO, ASKED, HELD = (False, False), (True, False), (True, True)


@pytest.mark.parametrize(
    ("cells", "capacity_mah", "chosen", "begin"),
    [
        (4, 100_000, {}, BEGIN), (16, 280_000, {}, 52), (8, 280_000, {}, 52), (4, 280_000, {}, 52),
        # No more than a fifth, even of a pack that is too small for its night.
        (4, 20_000, {}, 219), (4, 1_000, {}, 219),
        (16, 280_000, {"inverter_idle_mw": 320_000}, 219), (16, 280_000, {"inverter_idle_mw": 80_000}, 85),
        (4, 93_750, {}, 119), (4, 93_760, {}, 118),  # a tenth of the one, and a little less
        (4, 100_000, {"reserve_h": 24}, 206), (4, 100_000, {"reserve_h": 0}, 50),
        (4, 100_000, {"inverter_idle_mw": 0}, 50), (4, 100_000, {"force_charge_permille": 120,
                                                                 "force_charge_end_permille": 150}, 120),
        (4, 100_000, {"reserve_h": 0, "force_charge_permille": 0}, 0),
        # Where the end stands in the flat, it tells nothing of what is below.
        (4, 100_000, {"pack_uvp_mv": 3200 * 4, "pack_uvpr_mv": 3300 * 4}, 93),
    ],
)  # fmt: skip
def test_what_is_kept_follows_from_the_inverter_and_the_night(cells, capacity_mah, chosen, begin) -> None:
    made = make_settings(cells=cells, capacity_mah=capacity_mah, chosen=chosen)
    assert low_battery.begin_permille(made) == begin


@pytest.mark.parametrize(("permille", "seen"), [(BEGIN, NO), (BEGIN - 1, HELD), (0, HELD)])
def test_below_it_charge_is_asked_for_and_discharging_held_back(permille, seen) -> None:
    assert Night().next(permille, 3100).seen == seen


def test_discharging_returns_with_the_energy_and_the_request_ends_with_the_time_as_well() -> None:
    """S12: 15 % above where it began, and half an hour."""
    night = Night().next(BEGIN - 1, 3100)
    assert night.next(BEGIN + 149, current_ma=50_000).seen == HELD
    assert night.next(BEGIN + 150, current_ma=50_000).seen == ASKED
    assert night.next(BEGIN + 300, current_ma=50_000, after_ms=HALF_HOUR_MS - 2001 - 1000).seen == ASKED
    assert night.next(BEGIN + 300, current_ma=50_000, after_ms=1001).seen == NO


def test_time_alone_ends_nothing() -> None:
    night = Night().next(BEGIN - 1, 3100)
    assert night.next(BEGIN + 20, current_ma=50_000, after_ms=50 * HALF_HOUR_MS).seen == HELD


def test_a_request_of_which_it_is_not_known_since_when_it_stands_counts_from_now() -> None:
    """S2: what is unknown ends nothing early."""
    night = Night()
    night.asked = True
    assert night.next(1000, current_ma=50_000).seen == ASKED
    assert night.kept.since_ms == night.now_ms
    assert night.next(1000, current_ma=50_000, after_ms=HALF_HOUR_MS - 1).seen == ASKED
    assert night.next(1000, current_ma=50_000, after_ms=1).seen == NO


def test_the_energy_counts_from_the_lowest() -> None:
    night = Night().next(BEGIN - 1, 3100)
    night.next(60, 3000)
    assert night.next(BEGIN + 149, current_ma=9000, after_ms=HALF_HOUR_MS).seen == HELD
    assert night.next(BEGIN + 150, current_ma=9000).seen == NO


@pytest.mark.parametrize("charger_ma", [20_000, 50_000, 90_000])
def test_a_load_and_a_charger_do_not_take_turns_every_few_minutes(charger_ma) -> None:
    """It toggled 16 times in 80 minutes with 60 A of load, between 4 and 10 %, and the discharge limit stayed whole."""
    night, mams, changes, before = Night(), WHOLE * 15 // 100, 0, False
    for _ in range(80 * 60):
        current_ma = charger_ma if night.asked else 0
        if not night.kept.held:
            current_ma -= 60_000
        mams += current_ma * 1000
        night.next(mams * 1000 // WHOLE, 3150, current_ma)
        changes, before = changes + (night.asked is not before), night.asked
    assert changes <= 4
    assert mams > WHOLE * 10 // 100


@pytest.mark.parametrize("alarm", ["cell_low", "cell_uvp", "pack_uvp", "cell_shutdown", "auto_shutdown"])
def test_a_low_cell_holds_discharging_back_only_while_it_is_low_where_there_is_enough(alarm) -> None:
    """A load that sags a cell of a pack in the cold is no reason for a dark night."""
    night = Night().next(500, 2790, alarm=alarm)
    assert night.seen == HELD
    assert night.next(500, 3250, 0).seen == ASKED
    assert night.next(500, 3250, 0, after_ms=HALF_HOUR_MS).seen == ASKED
    assert night.next(649, current_ma=20_000).seen == ASKED
    assert night.next(650, current_ma=20_000).seen == NO


def test_a_request_that_began_high_ends_at_the_latest_near_full() -> None:
    night = Night().next(880, 2790, alarm="cell_low")
    assert night.next(899, current_ma=20_000, after_ms=HALF_HOUR_MS).seen == ASKED
    assert night.next(900, current_ma=20_000).seen == NO


# --- What is left ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell_mv", "seen"), [(3030, HELD), (3193, HELD), (3194, NO), (3300, NO)])
def test_a_calm_cell_that_is_low_speaks_against_a_count_that_is_too_high(cell_mv, seen) -> None:
    """The count may be wrong by anything: then the lowest cell ends discharging in time."""
    night = Night().next(400, cell_mv, -25_000)
    assert night.next(400, cell_mv, -25_000, after_ms=59_999).seen == NO
    assert night.next(400, cell_mv, -25_000, after_ms=1).seen == seen


@pytest.mark.parametrize(
    ("current_ma", "battery", "calm"),
    [
        (-25_000, (250, 250), True), (-25_001, (250, 250), False), (-25_000, (50, 250), True),
        (-25_000, (49, 250), False), (-5000, (49, 250), True), (-5001, (49, 250), False),
        (-5000, (None, 250), True), (-5001, (None, 250), False), (1000, (250, 250), True), (1001, (250, 250), False),
        (None, (250, 250), False),
    ],
)  # fmt: skip
def test_a_current_hardly_lowers_a_cell_up_to_its_share(current_ma, battery, calm) -> None:
    """S2: an unknown current or temperature calms nothing; in the cold the same current lowers it more."""
    night = Night()
    for _ in range(2):
        night.next(400, 3000, current_ma, after_ms=60_000, battery=battery)
    assert night.kept.held is calm


def test_what_a_calm_cell_showed_holds_for_the_charge_that_arrives() -> None:
    """A count that is a third too high would otherwise end it with the first ampere of charge."""
    night = Night().next(400, 3000, -1000)
    assert night.next(400, 3000, -1000, after_ms=60_000).seen == HELD  # 4.4 %
    assert night.kept.ahead_permille == 400 - 44
    assert night.next(400 + 217, 3350, 50_000, after_ms=HALF_HOUR_MS).seen == HELD
    assert night.next(400 + 218, 3350, 50_000).seen == NO
    assert night.kept == LowBattery()


def test_it_holds_where_the_curve_is_flat_and_under_a_load_too() -> None:
    night = Night().next(400, 3000, -1000)
    night.next(400, 3000, -1000, after_ms=60_000)
    night.next(500, 3300, -1000, after_ms=60_000)
    assert night.next(600, 3300, 50_000, after_ms=60_000).seen == HELD
    assert night.next(600, 3000, -60_000).seen == HELD
    assert night.next(None, 3000, -60_000).kept.ahead_permille == 400 - 44


def test_a_stronger_current_in_between_begins_the_time_anew() -> None:
    night = Night().next(400, 3000, -25_000)
    night.next(400, 3000, -25_001, after_ms=59_000)
    night.next(400, 3000, -25_000)
    assert night.next(400, 3000, -25_000, after_ms=59_999).seen == NO
    assert night.next(400, 3000, -25_000, after_ms=1).seen == HELD


def test_a_count_that_is_too_low_is_believed_no_further_than_its_error() -> None:
    """A cell above what the count says keeps the house alight, by as much as the count may be wrong."""
    assert Night().next(50, 3250, -40_000, error=250).seen == NO
    assert Night().next(50, 3250, -40_000, error=61).seen == HELD
    assert Night().next(50, 3250, -40_000, error=62).seen == NO
    assert Night().next(50, 3100, -40_000, error=250).seen == HELD
    assert Night().next(50, 3250, 40_000, error=250).seen == HELD, "charge lifts a cell"


@pytest.mark.parametrize(
    ("cell_mv", "error", "left"),
    [(3190, 0, 50), (3190, 30, 80), (3190, 100, 109), (3100, 100, 72), (3000, 100, 50)],
)
def test_a_loaded_cell_shows_at_least_what_it_has_and_the_count_errs_by_no_more_than_it_may(
    cell_mv, error, left
) -> None:
    """Here it shows 10.9, 7.2 and 4.4 %, and 5 % are counted."""
    assert Night().next(50, cell_mv, -40_000, error=error).kept.least_permille == left


@pytest.mark.parametrize(
    ("permille", "error", "left"), [(400, 0, 400), (400, 50, 450), (450, 50, 500), (900, 50, 500)]
)
def test_a_calm_cell_in_the_flat_shows_no_more_than_half_and_nothing_of_the_count(
    permille, error, left
) -> None:
    """Neither that it is ahead nor that it is behind; here another cell was low a moment before."""
    night = Night().next(permille, 3300, -1000, error=error)
    night.next(permille, 3300, -1000, after_ms=60_000, error=error, alarm="cell_low")
    assert night.seen == HELD
    assert (night.kept.least_permille, night.kept.ahead_permille) == (left, 0)


def test_held_back_by_a_wrong_count_it_returns_when_the_calm_cell_shows_more() -> None:
    """No charger is needed where nothing was empty."""
    night = Night().next(50, 3000, -90_000, error=250)
    assert night.seen == HELD
    night.next(50, 3250, -500, error=250)
    assert night.next(50, 3250, -500, after_ms=60_000, error=250).seen == ASKED


def test_what_is_unknown_neither_begins_nor_ends_anything() -> None:
    """S2."""
    assert Night().next(None, 2900).seen == NO
    assert Night().next(400, None, -1000).next(400, None, -1000, after_ms=60_000).seen == NO
    assert (
        Night()
        .next(400, 3000, -1000, complete=False)
        .next(400, 3000, 0, after_ms=60_000, complete=False)
        .seen
        == NO
    )
    night = Night().next(BEGIN - 1, 3100)
    for _ in range(3):
        assert night.next(None, None, None, after_ms=HALF_HOUR_MS).seen == HELD
    night = Night().next(500, 2790, alarm="cell_low")
    assert night.next(None, None, None, after_ms=HALF_HOUR_MS).seen == ASKED


def test_nothing_is_kept_where_nothing_shall_be() -> None:
    bare = make_settings(chosen={"reserve_h": 0, "force_charge_permille": 0})
    assert Night(bare).next(0, 2900).seen == NO


@pytest.mark.parametrize(("chemistry", "mv"), [("lifepo4", 3000), ("li-ion", 3200), ("lto", 2050)])
@pytest.mark.parametrize("cells", [4, 8, 16])
def test_an_empty_pack_tells_no_discharge_current_and_keeps_its_contactors(chemistry, mv, cells) -> None:
    """The whole decision: what is held back is told as zero, and nothing opens."""
    made = make_settings(chemistry, cells=cells)
    pack = Pack(made, cells=[mv] * cells).started()
    pack.run(70_000, 1000)
    assert pack.out.limits.discharge_ma == 0
    assert pack.out.limits.discharge_reason == "reserve"
    assert pack.out.limits.charge_ma > 0
    assert pack.state.commands.discharge
    assert pack.state.force_charge


def test_after_a_restart_an_empty_pack_is_still_empty() -> None:
    """S13: nothing of it is remembered; the count and the cells say it anew."""
    pack = Pack(cells=[3000] * 4).started()
    pack.run(70_000, 1000)
    again = Pack(cells=[3000] * 4, state=replace(Pack().state, soc=pack.state.soc)).started()
    assert again.out.limits.discharge_ma == 0


# --- An inverter that obeys and still takes something ------------------------------------------------------------


@pytest.mark.parametrize(("idle_mw", "tolerance_ma", "most_ma"), [(10_000, 1000, 1000), (40_000, 1000, 3571)])
def test_what_the_inverter_takes_for_itself_is_no_disobedience(idle_mw, tolerance_ma, most_ma) -> None:
    """It is told zero; 40 W of a pack at its lowest, 11.2 V, are 3.57 A. Only the larger of both is borne."""
    made = make_settings(chosen={"inverter_idle_mw": idle_mw, "limit_tolerance_ma": tolerance_ma})
    none = HighestLimits(13_800, 0, 0)
    for current_ma, found in ((-most_ma, False), (-most_ma - 1, True)):
        values = believed(made, current_ma=current_ma)
        told = SentLimits(0, none, none)
        assert bool(limit_compliance.limits(made, told, values, closed=True)) is found


@pytest.mark.parametrize(("idle_mw", "most_ma"), [(10_000, 1000), (40_000, 3571)])
def test_nor_does_it_open_a_common_contactor(idle_mw, most_ma) -> None:
    chosen = {"inverter_idle_mw": idle_mw, "forbidden_discharge_ma": 1000}
    made = make_settings(chosen=chosen, topology="common")
    state = replace(begin(0), main=SwitchState(on=True), common=CommonState(Block.DISCHARGE))
    for current_ma, bad in ((-most_ma, False), (-most_ma - 1, True)):
        found = forbidden_current.findings(made, state, believed(made, current_ma=current_ma))
        assert found["discharge_not_stopped"].bad is bad
