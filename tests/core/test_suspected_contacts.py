"""What current and voltage say of contacts, call by call: suspected, proved, not to be said (S2, S13)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core.alarms import Finding
from bmsd.core.contactors import PrechargeState
from bmsd.core.settings import Settings
from bmsd.core.state import State, begin
from bmsd.core.switching import SwitchState
from bmsd.core.weld_detection import Suspects, heater_takes_too_much, watch, worse
from tests.support.bench_inputs import START_MS, believed, make_settings
from tests.support.changed import replace

SPLIT, COMMON = make_settings(), make_settings(topology="common")
PROOF_MS, SETTLE_MS = SPLIT.parameters.contact_proof_ms, SPLIT.parameters.contactor_settle_ms
WELD_MA = SPLIT.parameters.weld_current_ma
T = START_MS
LONG_AGO = T - 60_000
OFF, ON = SwitchState(False, LONG_AGO), SwitchState(True, LONG_AGO)
CHARGE, DISCHARGE, MAIN = (f"{name}_contactor_welded" for name in ("charge", "discharge", "main"))
DEAD = "discharge_contactor_open"


def seen(
    settings: Settings = SPLIT, *, before: Suspects = (), state: dict[str, Any] | None = None, **values: Any
) -> tuple[Suspects, dict[str, Finding]]:
    """Watch once with everything open, unless the test says else."""
    made: State = replace(begin(START_MS), suspects=before, **(state or {}))
    return watch(settings, made, believed(settings, **values), T)


def test_a_suspicion_is_no_answer_until_it_is_proved() -> None:
    """S2: not good either, so that a latch does not go while it runs."""
    assert seen(current_ma=WELD_MA + 1) == (((CHARGE, T),), {CHARGE: Finding(None)})
    young, old = T - PROOF_MS + 1, T - PROOF_MS
    assert seen(before=((CHARGE, young),), current_ma=WELD_MA + 1)[1] == {CHARGE: Finding(None)}
    assert seen(before=((CHARGE, old),), current_ma=WELD_MA + 1)[1] == {CHARGE: Finding(True)}
    assert seen(before=((CHARGE, old),), current_ma=WELD_MA) == ((), {})


def test_the_way_of_the_current_names_the_weld() -> None:
    assert seen(current_ma=-WELD_MA - 1)[0] == ((DISCHARGE, T),)
    assert seen(COMMON, current_ma=WELD_MA + 1)[0] == ((MAIN, T),)
    assert seen(COMMON, current_ma=-WELD_MA - 1)[0] == ((MAIN, T),)


def test_an_unknown_current_keeps_what_was_suspected_and_lets_no_weld_be_reset() -> None:
    """S2, S13: also of a contactor that nothing was said of yet."""
    before = ((DISCHARGE, T - 1000),)
    both = {CHARGE: Finding(None), DISCHARGE: Finding(None)}
    assert seen(before=before, current_ma=None) == (before, both)
    assert seen(before=((DISCHARGE, T - PROOF_MS),), current_ma=None)[1] == both
    assert seen(COMMON, current_ma=None) == ((), {MAIN: Finding(None)})


def test_an_unknown_current_keeps_no_other_suspicion() -> None:
    """A load side that reads well again is well, whatever the current."""
    closed = {"charge": ON, "discharge": ON}
    found = seen(before=((DEAD, T - 1000),), state=closed, current_ma=None, load_mv=13_200)
    assert found == ((), {CHARGE: Finding(None), DISCHARGE: Finding(None)})


HEATED = {
    settings: replace(settings, heater_from_pack=True, heater_mohm=6000) for settings in (SPLIT, COMMON)
}
TAKEN_MA = 4 * 3300 // 6


@pytest.mark.parametrize("settings", [SPLIT, COMMON], ids=["split", "common"])
def test_a_heater_that_takes_too_much_is_no_weld_and_lets_none_be_reset(settings: Settings) -> None:
    """S4, S15: a latch would wait for a person; what flows without the heater is the contactor's."""
    heated, weld = HEATED[settings], {SPLIT: DISCHARGE, COMMON: MAIN}[settings]
    too_much, all_right = {"current_ma": -TAKEN_MA - WELD_MA - 1}, {"current_ma": -TAKEN_MA - WELD_MA}
    for heater in (ON, SwitchState(True, T - 1), SwitchState(False, T - SETTLE_MS + 1)):
        before = ((weld, T - PROOF_MS),)
        kept = seen(heated, before=before, state={"heater": heater}, **too_much)
        assert kept == (before, {weld: Finding(None)}), "what was seen without the heater is not forgotten"
        assert seen(heated, state={"heater": heater}, **too_much) == ((), {weld: Finding(None)})
        assert seen(heated, before=before, state={"heater": heater}, **all_right) == ((), {})
    for heater in (OFF, SwitchState(False, T - SETTLE_MS), SwitchState(False, None)):
        assert seen(heated, state={"heater": heater}, **too_much)[0] == ((weld, T),)


def test_an_unknown_current_is_no_heaters() -> None:
    """S2."""
    both = {CHARGE: Finding(None), DISCHARGE: Finding(None)}
    assert seen(HEATED[SPLIT], state={"heater": ON}, current_ma=None) == ((), both)


def test_a_heater_at_the_charger_hides_no_weld() -> None:
    assert seen(state={"heater": ON}, current_ma=-WELD_MA - 1)[0] == ((DISCHARGE, T),)


@pytest.mark.parametrize("settings", [SPLIT, COMMON], ids=["split", "common"])
def test_a_heater_that_alone_takes_more_than_it_should_is_over_its_limit(settings: Settings) -> None:
    """S4, S2: an unknown current shows nothing."""

    def takes_too_much(
        current_ma: int | None, heater: SwitchState = ON, used: Settings = HEATED[settings], **more
    ) -> bool:
        state = replace(begin(START_MS), heater=heater, **more)
        return heater_takes_too_much(used, state, believed(used, current_ma=current_ma), T)

    assert takes_too_much(-TAKEN_MA - WELD_MA - 1)
    assert takes_too_much(-TAKEN_MA - WELD_MA - 1, SwitchState(True, T))
    assert not takes_too_much(-TAKEN_MA - WELD_MA)
    assert not takes_too_much(None)
    old = replace(begin(START_MS), heater=ON)
    late = believed(HEATED[settings], current_ma=-50_000)._replace(fresh=False)
    assert not heater_takes_too_much(HEATED[settings], old, late, T), "a load that was there may be gone"
    assert not takes_too_much(TAKEN_MA + WELD_MA + 1)
    assert not takes_too_much(-TAKEN_MA - WELD_MA - 1, SwitchState(False, T - 1)), (
        "one that is off takes nothing more"
    )
    assert not takes_too_much(-TAKEN_MA - WELD_MA - 1, used=settings)
    for name in settings.contactors:
        assert not takes_too_much(-50_000, **{name: ON}), "loads take what they like"
        assert not takes_too_much(-50_000, **{name: SwitchState(False, T - SETTLE_MS + 1)})


@pytest.mark.parametrize("name", ["charge", "discharge", "precharge"])
def test_a_current_says_nothing_while_any_switch_is_closed_or_has_just_opened(name) -> None:
    def with_(switch: SwitchState) -> dict[str, Any]:
        return {"precharge": PrechargeState(switch)} if name == "precharge" else {name: switch}

    assert seen(state=with_(ON), current_ma=20_000, load_mv=13_200) == ((), {})
    assert seen(state=with_(SwitchState(False, T - SETTLE_MS + 1)), current_ma=20_000) == ((), {})
    assert seen(state=with_(SwitchState(False, T - SETTLE_MS)), current_ma=20_000)[0]
    assert seen(state=with_(SwitchState(False, None)), current_ma=20_000)[0]


def test_what_a_stuck_heater_relay_takes_is_added_to_the_limit() -> None:
    """13.2 V over 6.6 ohm are 2 A."""
    heated = make_settings(heater_mohm=6600, heater_from_pack=True)
    assert seen(heated, current_ma=-WELD_MA - 2000) == ((), {})
    assert seen(heated, current_ma=-WELD_MA - 2001)[0] == ((DISCHARGE, T),)
    assert seen(heated, current_ma=WELD_MA + 1)[0] == ((CHARGE, T),)


def test_a_load_side_one_millivolt_below_its_share_speaks_against_its_contactor() -> None:
    """900 parts of a thousand of 13.2 V."""
    closed = {"charge": ON, "discharge": ON}
    assert seen(state=closed, load_mv=11_880) == ((), {})
    assert seen(state=closed, load_mv=11_879) == (((DEAD, T),), {DEAD: Finding(None)})
    assert seen(COMMON, state={"main": ON}, load_mv=11_879)[0] == (("main_contactor_open", T),)
    assert seen(COMMON, state={"main": ON}, load_mv=11_880)[0] == ()


@pytest.mark.parametrize("lost", [{"load_mv": None}, {"cell_mv": (None, 3300, 3300, 3300)}])
def test_an_unknown_voltage_speaks_against_nothing(lost) -> None:
    """S2: it has an alarm of its own."""
    closed = {"charge": ON, "discharge": ON}
    assert seen(state=closed, **{"load_mv": 0, **lost}) == ((), {})


def test_a_contactor_that_is_open_has_a_dead_load_side() -> None:
    assert seen(state={"charge": ON}, load_mv=0) == ((), {})
    assert seen(state={"charge": ON, "discharge": SwitchState(True, T - SETTLE_MS + 1)}, load_mv=0) == (
        (),
        {},
    )
    assert seen(make_settings(precharge=False), state={"charge": ON, "discharge": ON}, load_mv=0) == ((), {})


def test_of_two_sources_the_bad_one_counts_then_the_unknown_one() -> None:
    """S2: a contact that reads well outvotes no current, nor the other way round."""
    bad, unknown = Finding(True, 3), Finding(None)
    assert worse({DEAD: bad}, {DEAD: unknown}) == {DEAD: bad}
    assert worse({DEAD: unknown}, {DEAD: bad}) == {DEAD: bad}
    assert worse({DEAD: bad}, {CHARGE: unknown}) == {DEAD: bad, CHARGE: unknown}
    assert worse({DEAD: unknown}, {}) == worse({}, {DEAD: unknown}) == {DEAD: unknown}
