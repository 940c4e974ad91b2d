"""What is held against what flows, call by call: limits told, open contactors, the common contactor."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import forbidden_current, limit_compliance
from bmsd.core.alarms import AlarmState, Finding
from bmsd.core.limit_compliance import HighestLimits, SentLimits, past_contactors, tell
from bmsd.core.limits import Limits
from bmsd.core.plausible import HeldReadings, Reading, Values, validate
from bmsd.core.state import NOTHING_REFUSED, CommonState, RefusedDirection, RefusedDirections, begin
from bmsd.core.switching import SwitchState
from bmsd.core.types import ChipFault, Event, Measurement
from bmsd.tables.alarms import ALARMS, BOTH, Block
from tests.support.bench_inputs import START_MS, make_settings
from tests.support.changed import replace

TOLERANCES = {"limit_tolerance_ma": 1000, "weld_current_ma": 1000}
SETTINGS = make_settings(chosen=TOLERANCES)
FROM_PACK = make_settings(chosen={**TOLERANCES, "heater_max_ma": 2500}, heater_from_pack=True)
OVER_MV = SETTINGS.parameters.limit_tolerance_mv
T, REACT_MS = 4_000_000, 10_000
LOW, HIGH = HighestLimits(13_800, 10_000, 20_000), HighestLimits(14_000, 12_000, 25_000)


def believed(current_ma: int | None = 0, cell_mv: int | None = 3300) -> Values:
    measured = Measurement(
        cell_mv=(cell_mv,) * 4,
        stack_mv=13_200,
        charger_mv=0,
        load_mv=0,
        current_ma=current_ma,
        battery_decic=(250, 250),
        switch_decic=300,
        faults=ChipFault.NONE,
    )
    return validate(HeldReadings(), measured, 0, SETTINGS.parameters)[0]


def told(one: HighestLimits | None = LOW, other: HighestLimits | None = LOW) -> SentLimits:
    return SentLimits(T, one, other)


def limits(settings, told: SentLimits, values: Values, *, closed: bool = True) -> dict[str, Finding]:
    """Judge with a contactor closed, unless a test opens it."""
    return limit_compliance.limits(settings, told, values, closed=closed)


def as_limits(most: HighestLimits) -> Limits:
    return Limits(
        charge_mv=most.charge_mv,
        charge_ma=1,
        discharge_ma=most.discharge_ma,
        discharge_mv=11_111,
        charge_capability_ma=most.charge_ma,
    )


def test_what_is_told_first_is_not_judged_yet() -> None:
    assert tell(SentLimits(), as_limits(LOW), REACT_MS, T) == SentLimits(T, LOW, None)
    assert tell(told(LOW, None), as_limits(LOW), REACT_MS, T + REACT_MS - 1) == told(LOW, None)


def test_a_machine_that_has_just_booted_begins_like_any_other() -> None:
    assert tell(SentLimits(), as_limits(LOW), REACT_MS, 5) == SentLimits(5, LOW, None)


def test_after_the_time_to_react_a_new_stretch_begins() -> None:
    after = T + REACT_MS
    assert tell(told(HIGH, None), as_limits(LOW), REACT_MS, after) == SentLimits(after, LOW, HIGH)
    assert tell(told(HIGH, LOW), as_limits(HIGH), REACT_MS, after) == SentLimits(after, HIGH, HIGH)


@pytest.mark.parametrize("name", ["charge_mv", "charge_ma", "discharge_ma"])
def test_within_a_stretch_the_highest_of_each_counts(name) -> None:
    more = LOW._replace(**{name: getattr(LOW, name) + 1})
    less = LOW._replace(**{name: getattr(LOW, name) - 1})
    assert tell(told(LOW, HIGH), as_limits(more), REACT_MS, T + 1) == told(more, HIGH)
    assert tell(told(LOW, HIGH), as_limits(less), REACT_MS, T + 1) == told(LOW, HIGH)


@pytest.mark.parametrize("early", [SentLimits(), told(LOW, None), told(None, LOW)])
def test_nothing_is_held_against_an_inverter_that_was_told_too_shortly_ago(early) -> None:
    assert limits(SETTINGS, early, believed(90_000)) == {}


def test_nothing_is_held_against_an_inverter_that_hears_nothing() -> None:
    assert limits(make_settings(limits_told=False), told(), believed(90_000)) == {}


CHARGED, DRAWN = (
    ("charge_limit_ignored", "charge_limit_enforced"),
    ("discharge_limit_ignored", "discharge_limit_enforced"),
)


@pytest.mark.parametrize(("ma", "over"), [(11_000, False), (11_001, True)])
def test_a_charge_current_beyond_limit_and_tolerance_is_not_obeyed(ma, over) -> None:
    found = limits(SETTINGS, told(), believed(ma))
    expected = {CHARGED[0]: Finding(True, ma), CHARGED[1]: Finding(True)}
    assert found == (expected if over else {})


@pytest.mark.parametrize(("ma", "over"), [(21_000, False), (21_001, True)])
def test_a_discharge_current_beyond_limit_and_tolerance_is_not_obeyed(ma, over) -> None:
    found = limits(SETTINGS, told(), believed(-ma))
    assert found == (dict.fromkeys(DRAWN, Finding(True, ma)) if over else {})


def test_the_packs_own_heater_is_not_the_inverters() -> None:
    assert limits(FROM_PACK, told(), believed(-23_500)) == {}
    assert set(limits(FROM_PACK, told(), believed(-23_501))) == set(DRAWN)


@pytest.mark.parametrize("stretches", [(HIGH, LOW), (LOW, HIGH), (HIGH, HIGH)])
def test_the_higher_of_two_stretches_counts(stretches) -> None:
    assert limits(SETTINGS, told(*stretches), believed(13_000)) == {}
    assert limits(SETTINGS, told(*stretches), believed(-26_000)) == {}
    assert limits(SETTINGS, told(*stretches), believed(13_001)) != {}
    assert limits(SETTINGS, told(LOW, LOW), believed(13_000)) != {}


def high(mv: int, current_ma: int | None) -> Values:
    return believed(current_ma)._replace(pack_mv=Reading(mv, True))


def test_a_pack_above_the_voltage_told_counts_only_while_it_is_charged() -> None:
    """A full pack rests above a lowered charge voltage."""
    over_mv = LOW.charge_mv + OVER_MV + 1
    seen = {"voltage_limit_ignored": Finding(True, over_mv), "charge_limit_enforced": Finding(True)}
    assert limits(SETTINGS, told(), high(over_mv, 1001)) == seen
    assert limits(SETTINGS, told(), high(over_mv - 1, 1001)) == {}
    assert limits(SETTINGS, told(), high(over_mv, 1000)) == {}
    assert limits(SETTINGS, told(), high(over_mv, -5000)) == {}


def test_an_unknown_current_is_no_obedience() -> None:
    """S2: whatever the voltage."""
    unknown = ("charge_limit_ignored", "discharge_limit_ignored", "voltage_limit_ignored")
    found = limits(SETTINGS, told(), high(LOW.charge_mv + OVER_MV + 1, None))
    assert found == dict.fromkeys(
        (*unknown, "discharge_limit_enforced", "charge_limit_enforced"), Finding(None)
    )


def test_an_unknown_voltage_beside_a_charge_current_is_no_obedience() -> None:
    """S2; and what is surely bad goes before what is unknown."""
    lost = believed(5000)._replace(pack_mv=Reading(None, False))
    assert limits(SETTINGS, told(), lost) == {
        "voltage_limit_ignored": Finding(None), "charge_limit_enforced": Finding(None),
    }  # fmt: skip
    lost = believed(11_001)._replace(pack_mv=Reading(None, False))
    assert limits(SETTINGS, told(), lost)["charge_limit_enforced"] == Finding(True)


OPEN, CLOSED = SwitchState(False, T - 60_000), SwitchState(True, T - 60_000)


def past(
    charge: SwitchState, discharge: SwitchState, ma: int | None, settings=SETTINGS
) -> dict[str, Finding]:
    return past_contactors(settings, charge, discharge, believed(ma), T)


@pytest.mark.parametrize(("ma", "over"), [(1000, False), (1001, True)])
def test_a_current_past_an_open_contactor_is_found(ma, over) -> None:
    assert past(OPEN, CLOSED, ma) == ({"charge_past_contactor": Finding(True, ma)} if over else {})
    assert past(CLOSED, OPEN, -ma) == ({"discharge_past_contactor": Finding(True, ma)} if over else {})


def test_a_current_through_its_own_closed_contactor_is_in_order() -> None:
    assert past(CLOSED, OPEN, 50_000) == past(OPEN, CLOSED, -50_000) == past(CLOSED, CLOSED, 50_000) == {}


def test_the_common_contactor_has_a_watch_of_its_own() -> None:
    assert past(OPEN, OPEN, 50_000, make_settings(topology="common")) == {}


def test_an_unknown_current_beside_an_open_contactor_is_no_answer() -> None:
    """S2."""
    assert past(OPEN, CLOSED, None) == {"charge_past_contactor": Finding(None)}
    assert past(CLOSED, OPEN, None) == {"discharge_past_contactor": Finding(None)}
    assert past(CLOSED, CLOSED, None) == {}


def test_with_both_open_a_current_is_a_question_of_welds() -> None:
    assert past(OPEN, OPEN, None) == past(OPEN, OPEN, 5000) == past(OPEN, OPEN, -5000) == {}


def test_what_hangs_on_the_pack_itself_may_take_what_no_weld_is_suspected_at() -> None:
    few = make_settings(chosen={"limit_tolerance_ma": 1000, "weld_current_ma": 2000})
    assert past(CLOSED, OPEN, -2000, few) == {}
    assert past(CLOSED, OPEN, -2001, few) == {"discharge_past_contactor": Finding(True, 2001)}


@pytest.mark.parametrize("ma", [50_000, -50_000])
def test_with_everything_open_no_inverter_disobeys(ma) -> None:
    assert limits(SETTINGS, told(), believed(ma), closed=True) != {}
    assert limits(SETTINGS, told(), believed(ma), closed=False) == {}


def test_with_everything_open_an_unknown_current_still_releases_nothing() -> None:
    """S2."""
    found = limits(SETTINGS, told(), believed(None), closed=False)
    assert found["charge_limit_enforced"] == found["discharge_limit_enforced"] == Finding(None)


def test_a_contactor_has_its_time_to_open() -> None:
    settle_ms = SETTINGS.parameters.contactor_settle_ms
    assert past(SwitchState(False, T - settle_ms + 1), CLOSED, 5000) == {}
    assert past(SwitchState(False, T - settle_ms), CLOSED, 5000) != {}
    assert past(SwitchState(), CLOSED, 5000) != {}
    assert past(SwitchState(False, T - 1), CLOSED, 5000) == {}


def test_the_heater_on_the_pack_is_no_discharge_past_the_contactor() -> None:
    assert past(CLOSED, OPEN, -3500, FROM_PACK) == {}
    assert past(CLOSED, OPEN, -3501, FROM_PACK) != {}
    assert past(OPEN, CLOSED, 1001, FROM_PACK) != {}


COMMON = make_settings(
    chosen={"forbidden_charge_ma": 2000, "forbidden_discharge_ma": 3000},
    topology="common",
    heater_mohm=6600,
    heater_from_pack=True,
)


def refused(block: Block, ma: int | None, **more: Any) -> dict[str, Finding]:
    given: dict[str, Any] = {"main": CLOSED, "common": CommonState(block), **more}
    return forbidden_current.findings(COMMON, replace(begin(START_MS), **given), believed(ma))


def test_a_current_that_was_told_zero_is_found_in_its_direction() -> None:
    assert refused(Block.CHARGE, 2001) == {"charge_not_stopped": Finding(True, 2001)}
    assert refused(Block.CHARGE, 2000) == {"charge_not_stopped": Finding(False)}
    assert refused(Block.CHARGE, -9000) == {"charge_not_stopped": Finding(False)}
    assert refused(Block.DISCHARGE, -3001) == {"discharge_not_stopped": Finding(True, 3001)}
    assert refused(Block.DISCHARGE, -3000) == {"discharge_not_stopped": Finding(False)}
    assert refused(Block.DISCHARGE, 9000) == {"discharge_not_stopped": Finding(False)}


def test_an_unknown_current_is_neither_stopped_nor_not() -> None:
    """S2."""
    unknown = dict.fromkeys(("charge_not_stopped", "discharge_not_stopped"), Finding(None))
    assert refused(BOTH, None) == unknown


def test_nothing_is_held_against_an_open_contactor_a_direction_that_may_or_two_contactors() -> None:
    assert refused(BOTH, 9000, main=OPEN) == refused(Block.NONE, 9000) == {}
    two = replace(begin(START_MS), main=CLOSED, common=CommonState(BOTH))
    assert forbidden_current.findings(SETTINGS, two, believed(9000)) == {}


def opened(block: Block, *active: str) -> dict[str, Finding]:
    """Judge an open contactor with these alarms active."""
    states = tuple(AlarmState(row.name in active) for row in ALARMS)
    return refused(block, 0, main=OPEN, alarms=states)


def paused(openings: int, opened_ms: int, direction: str = "charge", **more: Any) -> dict[str, Finding]:
    """Judge an open contactor whose alarm is active, after so many openings in a row."""
    name = f"{direction}_not_stopped"
    states = tuple(AlarmState(row.name == name) for row in ALARMS)
    refusals = RefusedDirections(**{direction: RefusedDirection(T - 9_000_000, openings, opened_ms)})
    state = replace(begin(START_MS), main=OPEN, common=CommonState(BOTH), alarms=states, refusals=refusals)
    return forbidden_current.patient(
        COMMON, state, forbidden_current.findings(COMMON, state, believed(0)), T, **more
    )


@pytest.mark.parametrize("direction", ["charge", "discharge"])
def test_who_went_on_is_tried_again_after_pauses_that_double_to_an_hour(direction) -> None:
    """S12, S15: the release time of the row comes after what is waited for here."""
    release_ms = COMMON.parameters.forbidden_flow_release_ms
    held = {f"{direction}_not_stopped": Finding(None)}
    assert opened(BOTH, f"{direction}_not_stopped") == {}
    assert paused(0, T, direction) == paused(1, T, direction) == {}
    for openings, pause_ms in ((2, 600_000), (3, 1_200_000), (4, 2_400_000), (5, 3_600_000), (12, 3_600_000)):
        waits_ms = pause_ms - release_ms
        assert paused(openings, T - waits_ms + 1, direction) == held
        assert paused(openings, T - waits_ms, direction) == {}


def test_a_first_pause_longer_than_an_hour_grows_no_more() -> None:
    slow = replace(COMMON, parameters=replace(COMMON.parameters, forbidden_flow_release_ms=7_200_000))
    state = replace(begin(START_MS), refusals=RefusedDirections(RefusedDirection(T, 5, T)))
    states = tuple(AlarmState(row.name == "charge_not_stopped") for row in ALARMS)
    state = replace(state, main=OPEN, alarms=states)
    assert forbidden_current.patient(slow, state, {}, T) == {}


def pausing(settings=COMMON, main: SwitchState = OPEN, *, active: bool = True) -> dict[str, Finding]:
    """Judge a cycle without a finding, within the pause after the fifth opening."""
    states = tuple(AlarmState(active and row.name == "charge_not_stopped") for row in ALARMS)
    given = {"main": main, "alarms": states, "refusals": RefusedDirections(RefusedDirection(T, 5, T))}
    return forbidden_current.patient(settings, replace(begin(START_MS), **given), {}, T)


def test_a_pause_holds_only_an_open_contactor_whose_alarm_is_active() -> None:
    """S15: a closed one shows whether current goes on, and what is not active waits for nothing."""
    assert pausing() == {"charge_not_stopped": Finding(None)}
    assert pausing(main=CLOSED) == {}
    assert pausing(active=False) == {}


def test_two_contactors_wait_for_nobody() -> None:
    found = {"charge_not_stopped": Finding(True, 9000)}
    assert forbidden_current.patient(SETTINGS, begin(START_MS), found, T) == found
    assert pausing(SETTINGS) == {}


SMA = replace(COMMON, obeys_ms=10_000)


def told_for(ms: int | None, ma: int | None = 2001, *, openings: int = 0, settings=SMA) -> Finding:
    """Judge a forbidden charge current so long after zero was told."""
    since_ms = None if ms is None else T - ms
    state = replace(
        begin(START_MS),
        main=CLOSED,
        common=CommonState(Block.CHARGE),
        refusals=RefusedDirections(RefusedDirection(since_ms, openings, T - 400_000)),
    )
    return forbidden_current.patient(
        settings, state, forbidden_current.findings(settings, state, believed(ma)), T
    )["charge_not_stopped"]


def test_an_inverter_has_the_time_that_it_is_known_to_need() -> None:
    """S1, S15: 10 s after zero was told, not 5 s; what it does later is its own fault."""
    assert told_for(4999) == Finding(False)
    assert told_for(5000) == Finding(True, 2001)  # and 5 s of delay follow
    assert told_for(None) == Finding(True, 2001)
    assert told_for(0, settings=COMMON) == Finding(True, 2001)
    assert told_for(0, settings=replace(COMMON, obeys_ms=5000)) == Finding(True, 2001)
    assert told_for(0, settings=replace(COMMON, obeys_ms=5001)) == Finding(False)


def test_an_unknown_current_is_unknown_within_that_time_too() -> None:
    """S2."""
    assert told_for(0, None) == told_for(60_000, None) == Finding(None)


@pytest.mark.parametrize("settings", [SMA, replace(COMMON, obeys_ms=0), replace(COMMON, obeys_ms=3000)])
def test_who_went_on_before_is_known_at_once(settings) -> None:
    """S1: but for one that was allowed again and has just been told zero anew."""
    grace_ms = max(settings.obeys_ms, settings.parameters.forbidden_flow_ms)
    assert told_for(grace_ms, openings=1, settings=settings) == Finding(True, 2001, None, at_once=True)
    assert not told_for(grace_ms - 1, openings=1, settings=settings).at_once
    assert not told_for(grace_ms, openings=0, settings=settings).at_once
    assert told_for(grace_ms, 2000, openings=1, settings=settings) == Finding(False)


def remembered(
    before: RefusedDirections, refused: Block, *raised: str, main=CLOSED, settings=COMMON
) -> RefusedDirections:
    state = replace(begin(START_MS), refusals=before)
    events = tuple(Event(at_ms=T, kind="alarm", name=name, state="raised") for name in raised)
    return forbidden_current.remember(settings, state, refused, main, events, T)


@pytest.mark.parametrize("none", [NOTHING_REFUSED, RefusedDirections()])
def test_what_is_remembered_of_a_direction(none) -> None:
    assert remembered(none, Block.NONE) == none
    assert remembered(none, Block.CHARGE) == RefusedDirections(RefusedDirection(T))
    assert remembered(RefusedDirections(RefusedDirection(5, 2, 7)), Block.CHARGE) == RefusedDirections(
        RefusedDirection(5, 2, 7)
    )
    assert remembered(RefusedDirections(RefusedDirection(5, 2, 7)), Block.NONE) == RefusedDirections(
        RefusedDirection(None, 2, 7)
    )
    both = remembered(none, BOTH, "charge_not_stopped")
    assert both == RefusedDirections(RefusedDirection(T, 1, T), RefusedDirection(T))
    assert remembered(none, BOTH, "discharge_not_stopped").discharge == RefusedDirection(T, 1, T)
    assert remembered(
        RefusedDirections(RefusedDirection(5, 12, 7)), Block.CHARGE, "charge_not_stopped"
    ).charge == RefusedDirection(5, 12, T)
    cleared = (Event(at_ms=T, kind="alarm", name="charge_not_stopped", state="cleared"),)
    assert (
        forbidden_current.remember(COMMON, begin(START_MS), Block.CHARGE, CLOSED, cleared, T).charge.openings
        == 0
    )


@pytest.mark.parametrize(("closed_ms", "openings"), [(3_599_999, 3), (3_600_000, 0)])
def test_an_hour_of_being_closed_forgets_the_openings(closed_ms, openings) -> None:
    before = RefusedDirections(RefusedDirection(5, 3, 7))
    assert remembered(before, Block.CHARGE, main=SwitchState(True, T - closed_ms)).charge.openings == openings
    assert remembered(before, Block.CHARGE, main=SwitchState(False, T - closed_ms)).charge.openings == 3
    assert remembered(before, Block.CHARGE, main=SwitchState(True)).charge.openings == 3


def test_two_contactors_remember_nothing() -> None:
    assert remembered(RefusedDirections(), BOTH, settings=SETTINGS) == RefusedDirections()


def test_the_alarms_of_a_current_that_goes_on_are_named() -> None:
    """What they forbid is no direction of its own, else none of them would ever end."""
    assert {row.name for row in ALARMS if row.name.endswith("_not_stopped")} == forbidden_current.NOT_STOPPED


def test_a_running_heater_is_no_load_of_the_inverter() -> None:
    """6.6 ohm take 2 A of 13.2 V."""
    heats = {"heater": SwitchState(True, T)}
    assert refused(Block.DISCHARGE, -5000, **heats) == {"discharge_not_stopped": Finding(False)}
    assert refused(Block.DISCHARGE, -5001, **heats) == {"discharge_not_stopped": Finding(True, 5001)}
    state = replace(begin(START_MS), main=CLOSED, common=CommonState(Block.DISCHARGE), **heats)
    lost = believed(-3001)._replace(pack_mv=Reading(None, False))
    assert forbidden_current.findings(COMMON, state, lost) == {"discharge_not_stopped": Finding(True, 3001)}
    for other in (replace(COMMON, heater_mohm=None), replace(COMMON, heater_from_pack=False)):
        assert forbidden_current.findings(other, state, believed(-3001)) == {
            "discharge_not_stopped": Finding(True, 3001)
        }
