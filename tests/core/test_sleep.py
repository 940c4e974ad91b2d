"""Sleep: when it begins, what wakes it, what it keeps open, and that protection goes on."""

from __future__ import annotations

import pytest

from bmsd.core import sleep
from bmsd.core.sleep import AGAIN_MS, HOUR_MS, SleepState, period_ms
from bmsd.core.types import ChipFault, InhibitCause, Request
from tests.support.bench_inputs import Pack, believed, make_settings

HOURS = 26
KEEP = {"sleep_after_h": HOURS}
OPEN = {"sleep_after_h": HOURS, "sleep_contactors": 1}


def pack(chosen=KEEP, **more) -> Pack:
    return Pack(make_settings(chosen=dict(chosen), capacity_mah=280_000), **more)


def idle(chosen=KEEP, **more) -> Pack:
    """Give a started pack, one cycle after its idle time began."""
    made = pack(chosen, **more).started()
    assert made.state.sleep.idle_since_ms is not None
    return made


def asleep(chosen=KEEP, charger_mv: int = 13_206, **more) -> Pack:
    """Give a sleeping pack; while it was awake the charger's side stood at the pack's voltage."""
    made = idle(chosen, charger_mv=charger_mv, **more)
    made.at(made.state.sleep.idle_since_ms + HOURS * HOUR_MS)
    assert made.state.sleep.asleep
    made.charger_mv = 0
    return made


def told(made: Pack) -> list[tuple[str, str]]:
    return [(event.name, event.state) for event in made.out.events if event.kind == "state"]


def test_it_begins_after_its_time_and_not_a_millisecond_before() -> None:
    """S11: 26 h of the monotonic clock."""
    made = idle()
    due_ms = made.state.sleep.idle_since_ms + HOURS * HOUR_MS
    made.at(due_ms - 1)
    assert not made.state.sleep.asleep
    assert made.out.word == "idle"
    made.at(due_ms)
    assert made.state.sleep.asleep
    assert made.out.word == "sleeping"
    assert told(made) == [("idle", "asleep")]


def test_never_is_never() -> None:
    made = idle({"sleep_after_h": 0})
    made.at(made.now_ms + 1000 * HOUR_MS)
    made.at(made.now_ms + 1000 * HOUR_MS)
    assert not made.state.sleep.asleep


def test_a_house_stays_lit_by_default_and_a_jk_pack_sleeps_as_its_board_did() -> None:
    assert make_settings().parameters.sleep_after_h == 0
    assert make_settings(preset="jk-compatible").parameters.sleep_after_h == 26
    assert make_settings(preset="jk-compatible").parameters.sleep_contactors == 0


@pytest.mark.parametrize("current_ma", [1000, -1000, 40_000, None])
def test_a_current_at_the_limit_or_unknown_begins_the_time_anew(current_ma) -> None:
    """S2: an unknown current is not a small one."""
    made = idle()
    last_ms = made.state.sleep.idle_since_ms + HOURS * HOUR_MS
    made.at(last_ms - 2000)
    made.current_ma = current_ma
    made.at(last_ms - 500)
    made.current_ma = 0
    made.at(last_ms)
    assert not made.state.sleep.asleep
    assert made.state.sleep.idle_since_ms == last_ms
    made.at(last_ms + HOURS * HOUR_MS)
    assert made.state.sleep.asleep


@pytest.mark.parametrize("current_ma", [999, -999, 0])
def test_a_current_below_the_limit_does_not_keep_it_awake(current_ma) -> None:
    made = idle(current_ma=current_ma)
    made.at(made.state.sleep.idle_since_ms + HOURS * HOUR_MS)
    assert made.state.sleep.asleep


def test_a_pack_that_has_not_started_does_not_sleep() -> None:
    """S13."""
    made = pack(battery=[250, None])
    for _ in range(3):
        made.cycle(after_ms=HOURS * HOUR_MS)
    assert not made.state.started
    assert not made.state.sleep.asleep


WAKES = {
    "current": {"current_ma": 1000},
    "current, the other way": {"current_ma": -1000},
    "charger": {"charger_mv": 13_206 + 100},
    "button": {"pressed": True},
    "fault": {"faults": ChipFault.PERMANENT_FAILURE},
}


@pytest.mark.parametrize("why", WAKES)
def test_each_thing_that_wakes_it_does_so_at_once_and_is_told(why) -> None:
    made = asleep(OPEN)
    for name, value in WAKES[why].items():
        setattr(made, name, value)
    made.cycle(after_ms=1000)
    assert not made.state.sleep.asleep
    assert (why.split(",")[0], "awake") in told(made)


def test_one_step_less_does_not_wake_it() -> None:
    made = asleep(OPEN)
    made.current_ma, made.charger_mv = 999, 13_206 + 99
    made.cycle(after_ms=1000)
    assert made.state.sleep.asleep


@pytest.mark.parametrize(
    ("cells", "joined", "above_mv", "is_there"),
    [
        (4, False, 99, False),
        (4, False, 100, True),
        (4, True, 527, False),
        (4, True, 528, True),
        (16, False, 399, False),
        (16, False, 400, True),
        (16, True, 2111, False),
        (16, True, 2112, True),
        (4, True, None, False),
        (4, False, None, False),
    ],
)
def test_through_a_closed_contactor_a_charger_stands_further_above(cells, joined, above_mv, is_there) -> None:
    """25 mV a cell; joined, a 25th of the pack, which a pin may read too much. Unknown is none (S2)."""
    made = make_settings(cells=cells)
    values = believed(made, charger_mv=None if above_mv is None else 3300 * cells + above_mv)
    assert sleep.charger(made.parameters, values, joined=joined) is is_there


@pytest.mark.parametrize(
    "request_", [Request("wake", "pack", None, "uid 0"), Request("switch", "balance", True, "uid 0")]
)
def test_any_request_wakes_it(request_) -> None:
    made = asleep()
    made.cycle(request_, after_ms=1000)
    assert told(made) == [("request", "awake")]
    made.run(10_000)
    assert not made.state.sleep.asleep, "the idle time begins anew"


def test_a_button_that_is_held_or_stuck_keeps_it_awake_and_does_nothing_else() -> None:
    """S14: it asks for nothing but to be awake."""
    made = pack().started()
    made.pressed = True
    before = made.state.commands
    made.run(HOURS * HOUR_MS + 60_000, 60_000)
    assert not made.state.sleep.asleep
    assert made.state.commands == before
    made.pressed = False
    made.run(HOURS * HOUR_MS + 60_000, 60_000)
    assert made.state.sleep.asleep


def test_an_unknown_charger_wakes_it_as_any_lost_value_does() -> None:
    """S2."""
    made = asleep(OPEN)
    made.charger_mv = None
    made.cycle(after_ms=1000)
    made.cycle(after_ms=1000)
    assert told(made) == [("fault", "awake")]


def test_one_missed_scan_is_borne_with_contactors_closed_and_two_wake_it() -> None:
    """S1, S2: a slow chip may miss one look; what is believed is never older than one slow period more."""
    made = asleep()
    made.polled = False
    out = made.cycle(after_ms=1000)
    assert made.state.sleep.asleep
    assert out.charge_allowed
    made.cycle(after_ms=1000)
    assert told(made) == [("fault", "awake")]


def test_values_are_unknown_one_millisecond_beyond_their_greatest_age_asleep() -> None:
    """S1, S2: value_max_age_s and one slow scan."""
    for late_ms, allowed in ((2000, True), (2001, False)):
        made = asleep()
        made.polled = False
        assert made.cycle(after_ms=late_ms).charge_allowed is allowed
        assert made.state.commands.charge is allowed


def test_awake_again_the_usual_age_counts() -> None:
    """S1, S2."""
    made = asleep()
    made.cycle(Request("wake", "pack", None, ""), after_ms=1000)
    made.polled = False
    assert made.cycle(after_ms=1000).charge_allowed
    assert not made.cycle(after_ms=1).charge_allowed


def test_kept_contactors_stay_closed_and_the_limits_as_they_are() -> None:
    made = idle()
    made.run(5000)
    before = made.out.limits
    made.at(made.state.sleep.idle_since_ms + HOURS * HOUR_MS)
    assert made.out.limits == before
    assert made.state.commands.charge
    assert made.state.commands.discharge


def test_opened_contactors_take_the_limits_to_zero_and_say_why() -> None:
    made = asleep(OPEN)
    assert not made.state.commands.charge
    assert not made.state.commands.discharge
    assert (made.out.limits.charge_ma, made.out.limits.discharge_ma) == (0, 0)
    for reasons in (made.out.charge_inhibits, made.out.discharge_inhibits):
        assert [reason.because for reason in reasons] == [InhibitCause.ASLEEP]


@pytest.mark.parametrize("charger_mv", [0, 11_880])
def test_charging_stays_possible_where_a_charger_could_not_be_seen(charger_mv) -> None:
    """A charge contactor opens for sleep only where the charger's side was read through it while closed."""
    made = asleep(OPEN, charger_mv=charger_mv)
    assert made.state.commands.charge
    assert not made.state.commands.discharge


def test_a_charger_brings_an_opened_pack_back() -> None:
    made = asleep(OPEN)
    made.run(60_000, 1000)
    made.charger_mv = 16_000
    made.cycle(after_ms=1000)
    made.until(lambda p: p.state.commands.charge and p.state.commands.discharge, 30_000)


def test_what_sleep_held_open_closes_only_on_a_new_measurement() -> None:
    """S6, S7: not on what was believed asleep, when the chip does not answer any more."""
    made = asleep(OPEN)
    made.run(10_000, 1000)
    made.polled = False
    made.cycle(Request("wake", "pack", None, ""), after_ms=1000)
    assert not made.state.sleep.asleep
    made.cycle()
    assert not made.state.commands.charge
    made.polled = True
    made.cycle()
    assert made.state.commands.charge


def test_protection_goes_on_asleep() -> None:
    """S1: a cell too high opens the charge contactor within its delay and one slow period."""
    made = asleep()
    made.cells = [3300, 3601, 3300, 3300]
    made.stack = "sum"
    made.cycle(after_ms=1000)
    assert made.state.commands.charge
    made.cycle(after_ms=1000)
    assert not made.state.commands.charge
    assert ("alarm", "awake") in told(made)


def test_cold_wakes_it_for_heat() -> None:
    """S3: the heater goes on after the charge contactor opened, asleep or awake."""
    made = asleep()
    made.charger_mv = 13_206
    made.battery = [-50, -50]
    made.until(lambda p: not p.state.commands.charge, 5000)
    made.charger_mv = 16_000
    made.until(lambda p: p.state.commands.heater, 30_000)
    assert not made.state.sleep.asleep
    assert not made.state.commands.charge


def test_a_fault_keeps_it_awake() -> None:
    made = idle()
    made.battery = [250, None]
    made.run(10_000)
    made.at(made.now_ms + HOURS * HOUR_MS)
    made.at(made.now_ms + HOURS * HOUR_MS)
    assert not made.state.sleep.asleep


def test_a_pack_that_shut_itself_down_sleeps_soon_and_wakes_for_a_while() -> None:
    made = idle({"shutdown_after_ms": 10_000})
    made.cells = [2550] * 4
    made.until(lambda p: p.alarm("auto_shutdown").active, 30_000)
    assert not made.state.sleep.asleep
    made.run(AGAIN_MS + 250)
    assert made.state.sleep == SleepState(made.state.sleep.idle_since_ms, True, "empty", made.now_ms)
    made.cycle(Request("wake", "pack", None, ""), after_ms=1000)
    woken_ms = made.now_ms
    made.run(AGAIN_MS - 1000)
    assert not made.state.sleep.asleep
    made.until(lambda p: p.state.sleep.asleep, 2000)
    assert made.now_ms - woken_ms >= AGAIN_MS


def test_the_period_asleep_is_never_shorter_than_awake() -> None:
    """A sleeping pack polls more slowly, whatever its parameters say of the two periods."""
    awake, sleeping = SleepState(), SleepState(asleep=True)
    slow = make_settings(chosen={"period_ms": 250, "sleep_period_ms": 600}).parameters
    assert (period_ms(slow, awake), period_ms(slow, sleeping)) == (250, 600)
    odd = make_settings(chosen={"period_ms": 500, "sleep_period_ms": 250}).parameters
    assert (period_ms(odd, awake), period_ms(odd, sleeping)) == (500, 500)
