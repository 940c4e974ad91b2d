"""What is learned of the heater's supply, call by call: signs of a charger, trials, and who pays (S2, S3, S4)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import supply
from bmsd.core.plausible import UNKNOWN, Values
from bmsd.core.settings import Settings
from bmsd.core.supply import Lightest, SupplyInputs, SupplyState
from tests.support.bench_inputs import believed, make_settings
from tests.support.changed import replace

SIDE, PACK = make_settings(), make_settings(heater_from_pack=True)
"""24 ohm on the charger's side, or on the pack: 550 mA at 13.2 V."""
T = 100_000_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
DEAD, ALIVE, ABOVE = 0, 13_000, 13_300


def values(charger_mv: int | None = DEAD, current_ma: int | None = 0, **lost: Any) -> Values:
    return believed(SIDE, charger_mv=charger_mv, current_ma=current_ma)._replace(**lost)


def seen(
    settings: Settings, state: SupplyState, charger_mv: int | None, ma: int | None, **more: Any
) -> SupplyState:
    """Learn from one cycle in which nothing is on or joined, but for what is given."""
    given: dict[str, Any] = {
        "on": False, "changed_ms": T - HOUR_MS, "heater_ma": None, "on_trial": False, "apart": True,
        "joined": False, "may_charge": False, "now_ms": T, **more,
    }  # fmt: skip
    return supply.advance(settings, state, SupplyInputs(values(charger_mv, ma), **given))


def test_at_first_nothing_is_known() -> None:
    nothing = SupplyState()
    assert (nothing.charged_ms, nothing.alive_ms, nothing.until_ms) == (None, None, None)
    assert (nothing.last_ms, nothing.joined_ms, nothing.lightest) == (None, None, Lightest(None, None, None))
    assert (nothing.side_seen, nothing.failed, nothing.unpaid_ms) == (False, 0, 0)


# --- Signs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charger_mv", "lost", "above", "alive"),
    [
        (13_300, {}, True, True),
        (13_299, {}, False, True),
        (10_560, {}, False, True),
        (10_559, {}, False, False),
        (None, {}, None, None),
        (16_000, {"pack_mv": UNKNOWN}, None, None),
    ],
)
def test_a_charger_side_stands_above_the_pack_or_is_alive_or_dead_or_unknown(
    charger_mv, lost, above, alive
) -> None:
    """S2: 25 mV a cell above 13.2 V, and four fifths of it."""
    assert supply.standing_above(SIDE, values(charger_mv, **lost)) is above
    assert supply.alive(values(charger_mv, **lost)) is alive


CHARGED, LONG_AGO = {"charged_ms": T - 599_999}, {"charged_ms": T - 600_000}


@pytest.mark.parametrize(
    ("charger_mv", "state", "on", "is_fed"),
    [
        (ALIVE, {}, False, False),
        (ALIVE, {}, True, True),
        (ALIVE, {"alive_ms": T - 29_999}, False, False),
        (ALIVE, {"alive_ms": T - 30_000}, False, True),
        (ALIVE, CHARGED, False, True),
        (ALIVE, {**CHARGED, "side_seen": True}, False, True),
        (ALIVE, LONG_AGO, False, False),
        (DEAD, {}, True, False),
        (DEAD, CHARGED, False, True),
        (DEAD, LONG_AGO, False, False),
        (DEAD, {**CHARGED, "side_seen": True}, True, False),
        (None, CHARGED, True, False),
    ],
)
def test_a_side_feeds_a_heater_while_it_lives_or_a_charger_charged_lately_that_cannot_be_read(
    charger_mv, state, on, is_fed
) -> None:
    """S2: what was once read alive and reads dead is dead, and an unknown side feeds nothing."""
    assert supply.fed(SupplyState(**state), values(charger_mv), T, on) is is_fed


@pytest.mark.parametrize(("alive_ms", "ready"), [(None, False), (T - 599_999, False), (T - 600_000, True)])
def test_a_charger_is_there_to_stay_after_ten_minutes(alive_ms, ready) -> None:
    assert supply.stands_ready(SupplyState(alive_ms=alive_ms), T) is ready


@pytest.mark.parametrize(("until_ms", "waits"), [(None, None), (T - 1, None), (T, None), (T + 1, T + 1)])
def test_a_pause_lasts_until_its_end(until_ms, waits) -> None:
    assert supply.waits_until(SupplyState(until_ms=until_ms), T) == waits


def test_the_heater_takes_what_the_voltage_of_the_pack_makes_of_it() -> None:
    assert supply.own_ma(SIDE, values()) == 550
    assert supply.own_ma(SIDE, values(pack_mv=UNKNOWN)) == 0
    assert supply.own_ma(make_settings(heater_mohm=None), values()) == 0


@pytest.mark.parametrize(
    ("now_ma", "before_ma", "most_ma"),
    [
        (None, None, None),
        (-500, None, -500),
        (None, -500, -500),
        (-500, -300, -300),
        (-300, -500, -300),
        (0, -5, 0),
    ],
)
def test_the_lightest_load_is_that_of_both_stretches(now_ma, before_ma, most_ma) -> None:
    known = SupplyState(lightest=Lightest(T, now_ma, before_ma))
    assert known.lightest.most_ma == most_ma
    assert supply.knows_load(known) is (most_ma is not None)


FAILED = SupplyState(failed=3, until_ms=T + 5)


@pytest.mark.parametrize(
    ("current_ma", "may_charge", "is_there"),
    [(501, True, True), (500, True, False), (501, False, False), (0, True, False), (None, True, False)],
)
@pytest.mark.parametrize("settings", [SIDE, PACK])
def test_a_charge_current_where_charge_is_allowed_shows_a_charger_and_ends_the_pause(
    settings, current_ma, may_charge, is_there
) -> None:
    """S2: an unknown current shows nothing."""
    after = seen(settings, FAILED, DEAD, current_ma, may_charge=may_charge)
    assert after == (SupplyState(charged_ms=T) if is_there else FAILED)


@pytest.mark.parametrize(("since_ms", "after_ms"), [(999, T - 999), (1000, T), (5000, T)])
def test_it_is_remembered_to_a_second(since_ms, after_ms) -> None:
    assert (
        seen(SIDE, SupplyState(charged_ms=T - since_ms), DEAD, 20_000, may_charge=True).charged_ms == after_ms
    )


@pytest.mark.parametrize(
    ("charger_mv", "before", "after"),
    [
        (ALIVE, SupplyState(), SupplyState(alive_ms=T, side_seen=True)),
        (ALIVE, SupplyState(alive_ms=T - 5, side_seen=True), SupplyState(alive_ms=T - 5, side_seen=True)),
        (DEAD, SupplyState(alive_ms=T - 5, side_seen=True), SupplyState(side_seen=True)),
        (None, SupplyState(alive_ms=T - 5, side_seen=True), SupplyState(side_seen=True)),
        (DEAD, SupplyState(), SupplyState()),
        (None, SupplyState(), SupplyState()),
    ],
)
def test_a_heater_on_the_charger_side_asks_since_when_that_lives(charger_mv, before, after) -> None:
    """S2: an unknown side begins anew; that it once lived is kept."""
    assert seen(SIDE, before, charger_mv, 0) == after


@pytest.mark.parametrize(
    ("charger_mv", "apart", "before_ms", "after_ms"),
    [
        (ABOVE, True, None, T),
        (ABOVE, True, T - 5, T - 5),
        (ABOVE, False, None, None),
        (ABOVE, False, T - 5, None),
        (ABOVE - 1, True, T - 5, None),
        (None, True, T - 5, None),
    ],
)
def test_a_heater_on_the_pack_asks_since_when_a_charger_stands_above_it(
    charger_mv, apart, before_ms, after_ms
) -> None:
    """S2: joined, both sides read the same."""
    after = seen(PACK, SupplyState(alive_ms=before_ms), charger_mv, 0, apart=apart)
    assert after == SupplyState(alive_ms=after_ms)


# --- Trials on the charger's side -------------------------------------------------------------------------------


def tried(failed: int, charger_mv: int | None, *, for_ms: int | None, **more: Any) -> tuple[int, int | None]:
    """Give how often a trial failed after a cycle with the heater on, and until when the next one waits."""
    before = SupplyState(failed=failed, side_seen=True, **more.pop("state", {}))
    changed_ms = None if for_ms is None else T - for_ms
    after = seen(SIDE, before, charger_mv, 0, on=True, changed_ms=changed_ms, **more)
    return after.failed, after.until_ms


@pytest.mark.parametrize(
    ("failed", "for_ms", "pause_ms"),
    [
        (0, 9999, 0),
        (1, 9999, MINUTE_MS),
        (1, None, MINUTE_MS),
        (2, 9999, 2 * MINUTE_MS),
        (6, 0, 32 * MINUTE_MS),
        (7, 0, HOUR_MS),
        (50, 0, HOUR_MS),
        (0, 10_000, 0),
        (7, 10_000, 0),
    ],
)
def test_a_side_that_collapses_is_tried_again_after_a_pause_that_doubles(failed, for_ms, pause_ms) -> None:
    """S12: none after the first, nor after one that had lasted for 10 s; an hour at most."""
    assert tried(failed, DEAD, for_ms=for_ms) == (failed + 1, T + pause_ms)


def test_in_a_pause_nothing_is_judged() -> None:
    waits = {"until_ms": T + 1}
    assert tried(3, DEAD, for_ms=HOUR_MS, state=waits) == (3, T + 1)
    assert tried(3, ALIVE, for_ms=HOUR_MS, state=waits) == (3, T + 1)
    assert tried(3, DEAD, for_ms=HOUR_MS, state={"until_ms": T}) == (4, T)


def test_an_unknown_side_is_no_trial_that_failed() -> None:
    """S2: the heater goes off all the same."""
    assert tried(3, None, for_ms=HOUR_MS) == (3, None)


@pytest.mark.parametrize(
    ("failed", "for_ms", "after"), [(0, 9999, 0), (3, 9999, 3), (3, None, 3), (3, 10_000, 0), (0, 10_000, 0)]
)
def test_a_side_that_feeds_the_heater_for_ten_seconds_is_a_source(failed, for_ms, after) -> None:
    assert tried(failed, ALIVE, for_ms=for_ms) == (after, None)


@pytest.mark.parametrize(
    ("charger_mv", "for_ms", "heater_ma", "after"),
    [
        (ALIVE, 10_000, 274, (3, T + 4 * MINUTE_MS)),
        (ALIVE, 10_000, 275, (0, None)),
        (ALIVE, 10_000, None, (0, None)),
        (ALIVE, 9999, 274, (2, None)),
        (ABOVE, 10_000, 274, (0, None)),
    ],
)
def test_a_side_that_lives_and_gives_less_than_half_is_no_source(
    charger_mv, for_ms, heater_ma, after
) -> None:
    """S4: beside a charger that stands above the pack that is the watcher's to judge."""
    assert tried(2, charger_mv, for_ms=for_ms, heater_ma=heater_ma) == after


# --- A heater on the pack ---------------------------------------------------------------------------------------

JOINED = SupplyState(joined_ms=T - HOUR_MS, lightest=Lightest(T - 1000, -1000))


def pays(state: SupplyState, ma: int | None, **more: Any) -> SupplyState:
    """Learn from one cycle of a heater that is on trial since an hour, 250 ms after the last."""
    return seen(
        PACK, state, DEAD, ma, **{"on": True, "on_trial": True, "joined": True, "apart": False, **more}
    )


def test_a_load_is_not_known_while_nothing_joins_it() -> None:
    assert seen(PACK, SupplyState(), DEAD, 0, joined=True) == SupplyState(joined_ms=T)
    assert seen(PACK, JOINED, DEAD, 0) == SupplyState()
    assert seen(PACK, replace(JOINED, joined_ms=None), DEAD, 0, joined=True) == SupplyState(joined_ms=T)


@pytest.mark.parametrize(("since_ms", "lightest"), [(29_999, Lightest()), (30_000, Lightest(T, -700))])
def test_nor_while_an_inverter_takes_back_what_it_gave(since_ms, lightest) -> None:
    before = SupplyState(joined_ms=T - since_ms)
    assert seen(PACK, before, DEAD, -700, joined=True) == replace(before, lightest=lightest)


STRETCH = Lightest(T - 599_999, -1000, -300)


@pytest.mark.parametrize(
    ("last", "current_ma", "after"),
    [
        (Lightest(), None, Lightest()),
        (Lightest(), -700, Lightest(T, -700)),
        (STRETCH, -700, Lightest(T - 599_999, -700, -300)),
        (STRETCH, -1000, STRETCH),
        (STRETCH, -1300, STRETCH),
        (STRETCH, None, STRETCH),
        (STRETCH._replace(now_ma=None), -700, Lightest(T - 599_999, -700, -300)),
        (STRETCH._replace(now_ma=None), None, STRETCH._replace(now_ma=None)),
        (STRETCH._replace(since_ms=T - 600_000), -2000, Lightest(T, -2000, -1000)),
        (STRETCH._replace(since_ms=T - 600_000), None, Lightest(T, None, -1000)),
    ],
)
def test_the_lightest_load_is_looked_for_in_stretches_of_ten_minutes(last, current_ma, after) -> None:
    """S2: an unknown current is no load."""
    before = replace(JOINED, lightest=last)
    assert seen(PACK, before, DEAD, current_ma, joined=True) == replace(before, lightest=after)
    assert pays(before, 0, on_trial=False) == before, "while the heater is on, its own share flows as well"


@pytest.mark.parametrize("more", [{"on": False}, {"on_trial": False}])
@pytest.mark.parametrize("current_ma", [0, -1000, None, 20_000])
def test_what_is_not_on_trial_is_not_counted_and_begins_anew(more, current_ma) -> None:
    counted = replace(JOINED, unpaid_ms=20_000, last_ms=T - 250, lightest=Lightest(T - 1000, 30_000))
    assert pays(counted, current_ma, **more) == replace(counted, unpaid_ms=0, last_ms=None)
    fresh = replace(counted, unpaid_ms=0, last_ms=None)
    assert pays(fresh, current_ma, **more) == fresh


@pytest.mark.parametrize(
    ("lightest", "current_ma", "is_paid"),
    [
        (Lightest(), -275, True),
        (Lightest(), -276, False),
        (Lightest(T, -1000), -1275, True),
        (Lightest(T, -1000), -1276, False),
        (Lightest(T, -1000, -400), -675, True),
        (Lightest(T, -1000, -400), -676, False),
        (Lightest(T, 5000), -275, True),
        (Lightest(T, 5000), -276, False),
        (Lightest(T, -1000), None, False),
    ],
)
def test_a_charger_pays_when_more_than_half_of_the_heaters_share_comes_in(
    lightest, current_ma, is_paid
) -> None:
    """S2: beside the lightest load; an unknown current pays for nothing."""
    state = replace(JOINED, lightest=lightest, unpaid_ms=10_000, last_ms=T - 250)
    assert pays(state, current_ma) == replace(state, unpaid_ms=9750 if is_paid else 10_250, last_ms=T)


@pytest.mark.parametrize(
    ("unpaid_ms", "last_ms", "current_ma", "after_ms"),
    [
        (0, None, -2000, 0),
        (0, None, 0, 0),
        (0, T - 250, -2000, 250),
        (100, T - 250, 0, 0),
        (250, T - 250, 0, 0),
    ],
)
def test_the_time_that_the_pack_paid_for_goes_up_and_down_and_never_below_nothing(
    unpaid_ms, last_ms, current_ma, after_ms
) -> None:
    """The first cycle takes no time."""
    state = replace(JOINED, unpaid_ms=unpaid_ms, last_ms=last_ms)
    assert pays(state, current_ma) == replace(state, unpaid_ms=after_ms, last_ms=T)


@pytest.mark.parametrize(
    ("failed", "pause_ms"),
    [
        (0, 5 * MINUTE_MS),
        (1, 10 * MINUTE_MS),
        (2, 10 * MINUTE_MS),
        (11, 10 * MINUTE_MS),
        (12, HOUR_MS),
        (13, HOUR_MS),
    ],
)
def test_after_half_a_minute_that_the_pack_paid_for_the_trial_failed(failed, pause_ms) -> None:
    """S4, S12: twelve times it is tried again soon, then once an hour."""
    state = replace(JOINED, failed=failed, unpaid_ms=29_750, last_ms=T - 250)
    after = pays(state, -2000)
    assert (after.failed, after.until_ms, after.unpaid_ms) == (failed + 1, T + pause_ms, 30_000)
    almost = pays(replace(state, unpaid_ms=29_749), -2000)
    assert (almost.failed, almost.until_ms, almost.unpaid_ms) == (failed, None, 29_999)


@pytest.mark.parametrize(
    ("current_ma", "after"), [(1500, (2, None)), (1501, (3, T + HOUR_MS)), (None, (2, None))]
)
def test_who_charges_cold_cells_for_it_is_asked_again_in_an_hour(current_ma, after) -> None:
    """S3: beyond what counts as no charge; discharge has a bound of its own."""
    chosen = {"forbidden_charge_ma": 1500, "forbidden_discharge_ma": 4000}
    made = make_settings(heater_from_pack=True, chosen=chosen)
    cells = believed(made, current_ma=current_ma)
    given = SupplyInputs(
        values=cells,
        on=True,
        changed_ms=T - 1000,
        heater_ma=None,
        on_trial=True,
        apart=False,
        joined=True,
        may_charge=False,
        now_ms=T,
    )
    found = supply.advance(made, replace(JOINED, failed=2), given)
    assert (found.failed, found.until_ms) == after


@pytest.mark.parametrize(
    ("changed_ms", "current_ma", "failed"),
    [
        (T - 60_000, 0, 0),
        (T - 59_999, 0, 2),
        (T - 60_000, -2000, 2),
        (T - 60_000, None, 2),
        (None, 0, 2),
        (T - HOUR_MS, 0, 0),
    ],
)
def test_a_trial_that_is_paid_for_after_a_minute_forgets_those_that_were_not(
    changed_ms, current_ma, failed
) -> None:
    state = replace(JOINED, failed=2, last_ms=T - 250)
    assert pays(state, current_ma, changed_ms=changed_ms).failed == failed
    assert pays(replace(state, failed=0), current_ma, changed_ms=changed_ms).failed == 0
