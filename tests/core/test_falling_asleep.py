"""Falling asleep and waking, call by call: what keeps awake, what wakes, and what is remembered meanwhile (S2, S6)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import sleep
from bmsd.core.sleep import SleepInputs, SleepState, advance
from bmsd.tables.parameters import Parameters
from tests.support.bench_inputs import believed, make_settings
from tests.support.changed import replace

SETTINGS = make_settings(chosen={"sleep_after_h": 26, "sleep_contactors": 1})
P = SETTINGS.parameters
LIMIT_MA, DETECT_MV = P.sleep_current_ma, P.charger_detect_mv
T = 900_000_000
DAY_MS, AGAIN_MS = 26 * 3_600_000, 300_000
IDLE = SleepState(T - 1000)
ASLEEP = SleepState(T - DAY_MS, True, "idle", T - 1000)
STALE = {"stack_mv": None}
"""A reading is missing in this cycle."""


def seen(*, values: dict[str, Any] | None = None, **more: Any) -> SleepInputs:
    """Give a cycle of a started pack that nobody uses, and in which nothing happens."""
    nothing = dict.fromkeys(("busy", "fault", "raised", "asked", "pressed", "empty", "charge_closed"), False)
    return SleepInputs(believed(SETTINGS, **(values or {})), now_ms=T, **{"started": True, **nothing, **more})


def after(state: SleepState, p: Parameters = P, **more: Any) -> SleepState:
    return advance(p, state, seen(**more))


KEEPS_AWAKE: dict[str, dict[str, Any]] = {
    "no start yet": {"started": False},
    "heat": {"busy": True},
    "a fault": {"fault": True},
    "an alarm": {"raised": True},
    "a request": {"asked": True},
    "the button": {"pressed": True},
    "a current in": {"values": {"current_ma": LIMIT_MA}},
    "a current out": {"values": {"current_ma": -LIMIT_MA}},
    "an unknown current": {"values": {"current_ma": None}},
    "a charger": {"values": {"charger_mv": 13_200 + DETECT_MV}},
    "an empty pack that fills": {"empty": True, "values": {"current_ma": 100}},
    "an empty pack of unknown current": {"empty": True, "values": {"current_ma": None}},
}


@pytest.mark.parametrize("what", KEEPS_AWAKE)
def test_each_of_them_ends_the_idle_time(what) -> None:
    assert after(SleepState(T - 10 * DAY_MS, False, "button"), **KEEPS_AWAKE[what]) == SleepState(
        None, False, "button"
    )


@pytest.mark.parametrize(
    "nearly",
    [{}, {"values": {"current_ma": LIMIT_MA - 1}}, {"values": {"current_ma": 1 - LIMIT_MA}},
     {"values": {"charger_mv": 13_200 + DETECT_MV - 1}}, {"values": {"charger_mv": None}},
     {"values": {"cell_mv": (None, 3300, 3300, 3300)}}, {"empty": True, "values": {"current_ma": 99}}],
    ids=str,
)  # fmt: skip
def test_one_step_less_lets_it_go_on(nearly) -> None:
    """A charger that cannot be seen is none; a lost value is a fault beside it."""
    assert after(IDLE, **nearly) == IDLE
    assert after(SleepState(), **nearly) == SleepState(T, False, "")


def test_a_pack_sleeps_after_its_hours_to_the_millisecond() -> None:
    """S11."""
    assert after(SleepState(T - DAY_MS + 1, False, "button")) == SleepState(T - DAY_MS + 1, False, "button")
    assert after(SleepState(T - DAY_MS, False, "button")) == SleepState(T - DAY_MS, True, "idle", T)
    never = replace(P, sleep_after_h=0)
    assert not after(SleepState(T - 10 * DAY_MS), never).asleep


def test_an_empty_pack_sleeps_after_five_minutes_whatever_the_hours() -> None:
    never = replace(P, sleep_after_h=0)
    for p in (P, never):
        assert not after(SleepState(T - AGAIN_MS + 1), p, empty=True).asleep
        assert after(SleepState(T - AGAIN_MS), p, empty=True) == SleepState(T - AGAIN_MS, True, "empty", T)
        assert not after(SleepState(T - AGAIN_MS), p).asleep


WAKES: dict[str, dict[str, Any]] = {
    "request": {"asked": True},
    "button": {"pressed": True},
    "fault": {"fault": True},
    "charger": {"values": {"charger_mv": 13_200 + DETECT_MV}},
    "current": {"values": {"current_ma": LIMIT_MA}},
    "alarm": {"raised": True},
    "work": {"busy": True},
}


@pytest.mark.parametrize("why", WAKES)
def test_each_of_them_wakes_it_and_is_its_reason(why) -> None:
    assert after(ASLEEP, **WAKES[why]) == SleepState(T, False, why, 0, True)


def test_several_at_once_are_told_in_their_order() -> None:
    """A person goes before a fault, and a fault before what it brings."""
    for n, first in enumerate(WAKES):
        together: dict[str, Any] = {"values": {}}
        for why in list(WAKES)[n:]:
            together["values"].update(WAKES[why].get("values", {}))
            together |= {name: value for name, value in WAKES[why].items() if name != "values"}
        assert after(ASLEEP, **together).why == first


def test_a_pack_that_never_started_does_not_sleep_on() -> None:
    """S13: a start begins anew with a new process."""
    assert after(ASLEEP, started=False) == SleepState(T, False, "fault", 0, True)


def test_two_seconds_without_a_complete_measurement_wake_it_and_one_less_does_not() -> None:
    """S2: a slow scan may be missed once."""
    assert after(replace(ASLEEP, fresh_ms=T - 1999), values=STALE) == replace(ASLEEP, fresh_ms=T - 1999)
    assert after(replace(ASLEEP, fresh_ms=T - 2000), values=STALE).why == "fault"
    assert after(replace(ASLEEP, fresh_ms=T - 2000)) == replace(ASLEEP, fresh_ms=T)


def test_an_empty_pack_sleeps_on_through_the_alarms_of_its_emptiness() -> None:
    assert after(ASLEEP, raised=True, empty=True) == replace(ASLEEP, fresh_ms=T)


def test_a_pack_that_wakes_is_waking_until_it_is_measured() -> None:
    """S6, S7: what sleep held open does not close on what was believed asleep."""
    waking = SleepState(T - 1000, False, "request", 0, True)
    assert after(waking, values=STALE) == waking
    assert after(waking) == replace(waking, waking=False)
    assert after(waking, values=STALE, busy=True) == SleepState(None, False, "request", 0, True)
    assert after(waking, busy=True) == SleepState(None, False, "request")
    assert after(SleepState(T - 1000), values=STALE) == SleepState(T - 1000), "one that never slept is not"


@pytest.mark.parametrize(
    ("state", "holds"),
    [(SleepState(), (False, False)), (ASLEEP, (False, True)), (SleepState(waking=True), (False, True)),
     (replace(ASLEEP, charger_side_seen=True), (True, True)),
     (SleepState(waking=True, charger_side_seen=True), (True, True)),
     (SleepState(charger_side_seen=True), (False, False))],
)  # fmt: skip
def test_what_sleep_holds_open(state, holds) -> None:
    """The charge contactor only where a charger behind it would be seen."""
    assert sleep.holds_open(P, state) == holds
    assert sleep.holds_open(replace(P, sleep_contactors=0), state) == (False, False)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("values", "closed", "learnt"),
    [({"charger_mv": 11_880}, True, True), ({"charger_mv": 11_879}, True, False),
     ({"charger_mv": 11_880}, False, None), ({"charger_mv": None}, True, None),
     ({"charger_mv": 13_200, "cell_mv": (None, 3300, 3300, 3300)}, True, None)],
)  # fmt: skip
def test_a_closed_charge_contactor_shows_whether_its_far_side_can_be_read(
    before, values, closed, learnt
) -> None:
    """Nine tenths of the pack count; an open one or an unknown value teaches nothing."""
    expected = before if learnt is None else learnt
    for state in (IDLE, ASLEEP):
        found = after(replace(state, charger_side_seen=before), values=values, charge_closed=closed)
        assert found.charger_side_seen is expected


def test_asleep_it_is_measured_and_decided_less_often() -> None:
    assert (sleep.older_ms(ASLEEP), sleep.older_ms(IDLE)) == (1000, 0)
    assert sleep.period_ms(P, ASLEEP) == P.sleep_period_ms
    assert sleep.period_ms(P, IDLE) == P.period_ms
    slow = replace(P, period_ms=P.sleep_period_ms + 1)
    assert sleep.period_ms(slow, ASLEEP) == sleep.period_ms(slow, IDLE) == P.sleep_period_ms + 1
