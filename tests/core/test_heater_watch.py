"""The heater's watcher: it sees relay, coldest sensor and current, and says when heating does not heat (S4)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core.heater_watch import Proof, Verdict, WatchState, proof, revived, watch

MINUTE_MS = 60_000
WITHIN_MS, LONGEST_MS = 45 * MINUTE_MS, 360 * MINUTE_MS


class Watcher:
    """A watcher that is called every minute."""

    def __init__(self) -> None:
        self.state = WatchState()
        self.now_ms = 5_000_000
        self.verdict = Verdict()

    def see(
        self, minutes: float = 1, *, on: bool, coldest: int | None = -80, ma: int | None = None
    ) -> Verdict:
        """Let some minutes pass, a call each, then judge."""
        whole = int(minutes * MINUTE_MS)
        steps = [MINUTE_MS] * (whole // MINUTE_MS) + ([whole % MINUTE_MS] if whole % MINUTE_MS else [])
        for step_ms in steps or [0]:
            self.now_ms += step_ms
            self.at(on=on, coldest=coldest, ma=ma)
        return self.verdict

    def at(self, **seen: Any) -> Verdict:
        """Judge now."""
        self.state, self.verdict = watch(
            self.state,
            on=seen["on"],
            coldest_decic=seen.get("coldest", -80),
            measured_ma=seen.get("ma"),
            wanted_rise_decik=5,
            within_ms=WITHIN_MS,
            longest_run_ms=LONGEST_MS,
            max_ma=3000,
            now_ms=self.now_ms,
        )
        return self.verdict


def started(coldest: int | None = -80) -> Watcher:
    """Give a watcher that has just seen the relay go on."""
    watcher = Watcher()
    watcher.see(0, on=True, coldest=coldest)
    return watcher


def test_no_rise_within_the_time_is_no_warming() -> None:
    watcher = started()
    assert not watcher.see(44, on=True).no_warming
    watcher.now_ms += MINUTE_MS - 1
    assert not watcher.at(on=True).no_warming
    watcher.now_ms += 1
    assert watcher.at(on=True).no_warming


def test_exactly_the_wanted_rise_is_enough() -> None:
    watcher = started()
    watcher.see(44, on=True)
    assert not watcher.see(2, on=True, coldest=-75).no_warming
    assert not watcher.see(43, on=True, coldest=-75).no_warming
    assert watcher.see(3, on=True, coldest=-75).no_warming


def test_a_tenth_less_is_not() -> None:
    watcher = started()
    assert watcher.see(45, on=True, coldest=-76).no_warming


def test_a_pack_that_cools_under_heat_is_not_warming() -> None:
    watcher = started()
    watcher.see(20, on=True, coldest=-90)
    assert watcher.see(25, on=True, coldest=-86).no_warming


def test_an_unknown_temperature_is_no_warming() -> None:
    """S2: time runs on while nobody knows."""
    assert started(None).see(45, on=True, coldest=None).no_warming


def test_a_temperature_that_comes_back_warm_counts() -> None:
    watcher = started()
    watcher.see(40, on=True, coldest=None)
    assert not watcher.see(10, on=True, coldest=-70).no_warming


def test_a_heater_that_flaps_is_judged_all_the_same() -> None:
    """S4: off time is given back only as fast as it was used."""
    watcher, found = started(), False
    for _ in range(60):
        watcher.see(3, on=True)
        found = found or watcher.verdict.no_warming
        watcher.see(1, on=False)
    assert found


def test_a_new_run_after_a_long_rest_starts_afresh() -> None:
    watcher = started()
    watcher.see(40, on=True)
    watcher.see(60, on=False, coldest=-200)
    assert not watcher.see(44, on=True, coldest=-200).no_warming


def test_the_longest_run_is_told_at_its_end_and_not_before() -> None:
    watcher = started()
    for minute in range(1, 360):
        assert not watcher.see(1, on=True, coldest=minute * 5).long_run
    assert watcher.see(1, on=True, coldest=5000).long_run


def test_current_at_the_limit_is_in_order_and_one_more_is_not() -> None:
    assert not started().see(1, on=True, ma=3000).over_current
    assert started().see(1, on=True, ma=3001).over_current


def test_current_is_judged_whatever_the_relay_should_do() -> None:
    assert Watcher().see(0, on=False, ma=3001).over_current


def test_a_current_while_off_is_stuck_after_three_seconds() -> None:
    watcher = Watcher()
    watcher.at(on=False, ma=201)
    watcher.now_ms += 2999
    assert not watcher.at(on=False, ma=201).stuck_on
    watcher.now_ms += 1
    assert watcher.at(on=False, ma=201).stuck_on


def test_a_small_current_while_off_is_noise() -> None:
    assert not Watcher().see(10, on=False, ma=200).stuck_on


def test_an_unknown_current_keeps_the_stuck_timer_running() -> None:
    """S2: unknown is not zero."""
    watcher = Watcher()
    watcher.at(on=False, ma=500)
    watcher.now_ms += 3000
    assert watcher.at(on=False, ma=None).stuck_on


def test_an_unknown_current_alone_is_not_stuck() -> None:
    assert not Watcher().see(10, on=False, ma=None).stuck_on


def test_a_current_while_on_is_what_is_wanted() -> None:
    assert not started().see(10, on=True, ma=2500).stuck_on


def test_one_reading_of_nothing_ends_the_stuck_timer() -> None:
    watcher = Watcher()
    watcher.at(on=False, ma=500)
    watcher.now_ms += 2000
    watcher.at(on=False, ma=0)
    watcher.now_ms += 2000
    watcher.at(on=False, ma=500)
    watcher.now_ms += 2000
    assert not watcher.at(on=False, ma=500).stuck_on


def test_a_fresh_watcher_has_seen_nothing_and_says_nothing() -> None:
    watcher = Watcher()
    assert watcher.at(on=False) == (False, False, False, False, False)
    assert watcher.state == WatchState(
        last_ms=watcher.now_ms,
        heated_ms=0,
        reference_decic=None,
        run_ms=0,
        stuck_since_ms=None,
        measured=False,
    )
    watcher = started(-80)
    assert watcher.verdict == (False, False, False, False, False)
    assert watcher.state == WatchState(
        last_ms=watcher.now_ms,
        heated_ms=0,
        reference_decic=-80,
        run_ms=0,
        stuck_since_ms=None,
        measured=False,
    )
    assert Verdict() == watcher.verdict


def test_heating_time_is_counted_and_given_back_but_never_below_nothing() -> None:
    watcher = started()
    watcher.see(2, on=True)
    assert (watcher.state.heated_ms, watcher.state.run_ms) == (2 * MINUTE_MS, 2 * MINUTE_MS)
    watcher.see(1, on=False)
    assert (watcher.state.heated_ms, watcher.state.run_ms) == (MINUTE_MS, MINUTE_MS)
    watcher.see(5, on=False)
    assert (watcher.state.heated_ms, watcher.state.run_ms) == (0, 0)
    watcher.see(1, on=True)
    assert (watcher.state.heated_ms, watcher.state.run_ms) == (MINUTE_MS, MINUTE_MS)


def test_the_reference_stays_through_a_short_rest_and_goes_with_a_long_one() -> None:
    """A relay that rests a moment does not begin anew from a temperature that fell meanwhile."""
    watcher = started(-80)
    watcher.see(3, on=True, coldest=-80)
    watcher.see(1, on=False, coldest=-95)
    assert watcher.state.reference_decic == -80
    watcher.see(1, on=True, coldest=-95)
    assert watcher.state.reference_decic == -80
    watcher.see(10, on=False, coldest=-95)
    assert watcher.state.reference_decic is None
    watcher.see(1, on=True, coldest=-95)
    assert watcher.state.reference_decic == -95


def test_a_rise_begins_the_time_anew_from_there() -> None:
    watcher = started(-80)
    watcher.see(2, on=True)
    watcher.see(1, on=True, coldest=-75)
    assert (watcher.state.reference_decic, watcher.state.heated_ms) == (-75, 0)
    assert watcher.state.run_ms == 3 * MINUTE_MS


def test_a_second_look_at_the_same_moment_keeps_the_reference() -> None:
    watcher = started(-80)
    watcher.at(on=True, coldest=-90)
    assert watcher.state.reference_decic == -80


def test_a_rise_while_the_relay_is_off_proves_no_heater() -> None:
    watcher = started(-80)
    watcher.see(10, on=True, coldest=-80)
    watcher.see(1, on=False, coldest=-70)
    assert watcher.state.heated_ms == 9 * MINUTE_MS
    assert watcher.state.reference_decic == -80


def test_a_sensor_that_has_answered_once_is_missed_when_it_does_not() -> None:
    """S2; where none is fitted nothing is missed."""
    watcher = Watcher()
    assert not watcher.at(on=False, ma=None).current_unknown
    assert not watcher.at(on=False, ma=0).current_unknown
    assert not watcher.at(on=False, ma=0).current_unknown
    assert watcher.at(on=False, ma=None).current_unknown
    assert watcher.at(on=False, ma=None).current_unknown
    assert not watcher.at(on=True, ma=100).current_unknown


# --- Over restarts ----------------------------------------------------------------------------------------------


def test_a_burnt_heater_is_found_though_the_core_is_restarted_every_forty_minutes() -> None:
    """S4: a proof of heat that begins anew with every start is none."""
    state, now_ms, found = WatchState(), 0, False
    for _ in range(6):
        for _ in range(40 * 60):
            now_ms += 1000
            state, verdict = watch(
                state, on=True, coldest_decic=-80, measured_ma=None, wanted_rise_decik=5, within_ms=2_700_000,
                longest_run_ms=21_600_000, max_ma=3000, now_ms=now_ms,
            )  # fmt: skip
            found |= verdict.no_warming
        state = revived(proof(state), now_ms + 5000, same_boot=True)
        now_ms += 5000
    assert found


@pytest.mark.parametrize(("same_boot", "last_ms"), [(True, 8000), (False, None)])
def test_what_it_rested_counts_where_the_clock_ran_on(same_boot, last_ms) -> None:
    """S4, S11: after another boot nobody knows how long that was."""
    state = WatchState(
        last_ms=8000, heated_ms=5000, reference_decic=-80, run_ms=7000, stuck_since_ms=3, measured=True
    )
    assert revived(proof(state), 9000, same_boot=same_boot) == WatchState(
        last_ms=last_ms, heated_ms=5000, reference_decic=-80, run_ms=7000
    )


def test_what_survived_blocks_the_heater_for_no_longer_than_the_longest_run() -> None:
    """S11: whatever the file says; a time that lies ahead is now."""
    longest_ms = 12 * 3_600_000
    for kept_ms in (longest_ms, longest_ms + 1, 10**12):
        made = revived(
            Proof(heated_ms=kept_ms, reference_decic=None, run_ms=kept_ms, last_ms=10**12),
            5000,
            same_boot=True,
        )
        assert made == WatchState(last_ms=5000, heated_ms=longest_ms, reference_decic=None, run_ms=longest_ms)
    shorter = revived(
        Proof(heated_ms=longest_ms - 1, reference_decic=None, run_ms=longest_ms - 1), 5000, same_boot=True
    )
    assert (shorter.heated_ms, shorter.run_ms) == (longest_ms - 1, longest_ms - 1)
    assert revived(Proof(), 5000, same_boot=True) == WatchState()
