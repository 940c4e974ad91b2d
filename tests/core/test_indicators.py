"""What buzzer and status LED do for each thing there is to tell."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bmsd.core import indicators
from bmsd.core.alarms import AlarmState
from bmsd.core.indicators import BUZZER, LED, TICK_MS, Pattern
from bmsd.core.types import Request
from bmsd.tables.alarms import BY_NAME
from tests.support.bench_inputs import PERIOD_MS, Pack, make_settings

ON = Request("emergency", "override", True, "uid 0")


def heard(name: str, until_ms: int, *, sounds: bool = True, period_ms: int = PERIOD_MS) -> str:
    """Give what the buzzer does for an alarm raised at 0, a letter a cycle."""
    active = ((BY_NAME[name], AlarmState(True, 0)),)
    return "".join(
        "x" if indicators.buzzer(active, sounds=sounds, period_ms=period_ms, now_ms=at) else "."
        for at in range(0, until_ms, period_ms)
    )


def test_each_severity_has_a_sound_of_its_own() -> None:
    assert heard("cell_lost", 4000) == "xx.." * 4
    assert heard("cell_ovp", 4000) == "x.x....." * 2
    assert heard("cell_spread", 8000) == ("x" + "." * 15) * 2
    assert heard("emergency_override", 20_000) == ("x" + "." * 39) * 2


def test_no_two_patterns_are_the_same() -> None:
    for table in (BUZZER, LED):
        assert len({pattern.ticks for pattern in table.values()}) == len(table)


@pytest.mark.parametrize(
    ("name", "lasts_ms"), [("cell_lost", 60_000), ("cell_ovp", 30_000), ("cell_spread", 12_000)]
)
def test_all_but_the_override_fall_silent(name, lasts_ms) -> None:
    told = heard(name, 3 * lasts_ms)
    assert "x" in told[(lasts_ms - 4000) // PERIOD_MS : lasts_ms // PERIOD_MS]
    assert "x" not in told[lasts_ms // PERIOD_MS :]


@pytest.mark.parametrize(
    ("name", "lasts_ms", "period_ms"),
    [("cell_lost", 60_000, 400), ("cell_ovp", 30_000, 400), ("cell_spread", 12_000, 730)],
)
def test_it_falls_silent_at_its_time_also_in_the_middle_of_a_sound(name, lasts_ms, period_ms) -> None:
    active = ((BY_NAME[name], AlarmState(True, 0)),)
    assert indicators.buzzer(active, sounds=True, period_ms=period_ms, now_ms=lasts_ms - 1)
    assert not indicators.buzzer(active, sounds=True, period_ms=period_ms, now_ms=lasts_ms)


def test_without_an_alarm_nothing_sounds() -> None:
    assert not any(
        indicators.buzzer((), sounds=True, period_ms=250, now_ms=at) for at in range(0, 10_000, 250)
    )


def test_an_unknown_value_is_trouble_before_any_alarm_is_raised() -> None:
    """S2: the LED does not shine for a pack that nobody can judge."""
    shown = [indicators.led((), started=True, unknown=True, period_ms=250, now_ms=at) for at in (0, 250, 500)]
    assert shown == [True, False, True]


def test_the_override_is_heard_to_its_end() -> None:
    """S10: announced on the buzzer for all of its thirty minutes."""
    assert heard("emergency_override", 1_800_000).count("x") == 180


def test_switched_off_it_is_silent_but_for_the_override() -> None:
    """S10: nobody switches the announcement of an override off."""
    assert "x" not in heard("cell_lost", 60_000, sounds=False)
    assert heard("emergency_override", 20_000, sounds=False) == heard("emergency_override", 20_000)


def test_the_worst_that_still_sounds_is_heard_and_a_new_one_begins_again() -> None:
    active = tuple(
        (BY_NAME[name], AlarmState(True, since))
        for name, since in (("cell_spread", 0), ("cell_ovp", 1000), ("cell_uvp", 20_000))
    )
    told = [
        indicators.buzzer(active, sounds=True, period_ms=250, now_ms=at) for at in range(20_000, 22_000, 250)
    ]
    assert told == [True, False, True, False, False, False, False, False]
    silent = [
        indicators.buzzer(active, sounds=True, period_ms=250, now_ms=at) for at in range(50_000, 60_000, 250)
    ]
    assert not any(silent)


@pytest.mark.parametrize("period_ms", [100, 250, 400, 1000])
@pytest.mark.parametrize("kind", ["fault", "protection"])
def test_a_slow_or_quick_loop_plays_the_same_figure(kind, period_ms) -> None:
    """A loop that looks once a second must not see the same moment of the pattern every time."""
    name = {"fault": "cell_lost", "protection": "cell_ovp"}[kind]
    told = heard(name, 24_000, period_ms=period_ms)
    assert "x" in told
    assert "." in told
    changes = sum(a != b for a, b in pairwise(told))
    tick_ms = max(TICK_MS, period_ms)
    whole = 24_000 // (sum(BUZZER[kind].ticks) * tick_ms)
    assert changes >= (whole - 1) * len(BUZZER[kind].ticks)


def test_a_pattern_is_a_row_of_lengths() -> None:
    pattern = Pattern((2, 1, 1, 3))
    told = "".join("x" if indicators.is_on(pattern, 250 * tick, 100) else "." for tick in range(14))
    assert told == "xx.x...xx.x..."


def test_the_led_of_a_start_of_health_and_of_trouble() -> None:
    """Steady, slow, fast and double are told apart by anyone who walks past."""

    def shown(pack: Pack, ticks: int = 16) -> str:
        start = -(-pack.now_ms // 4000) * 4000
        pack.at(start - 1)
        return "".join("x" if pack.at(start + TICK_MS * n).led else "." for n in range(ticks))

    slow = make_settings(chosen={"start_good_cycles": 100})
    assert shown(Pack(slow)) == "x.x....." * 2
    pack = Pack().started()
    assert shown(pack) == "x" * 16
    pack.cycle(ON)
    assert shown(pack) == "xxxx...." * 2
    pack.cells[0] = 3650
    pack.run(5000)
    assert shown(pack) == "x." * 8
    pack.cells[0] = None
    assert shown(pack) == "x." * 8


def test_the_buzzer_of_the_pack_follows_the_parameter() -> None:
    for sounds in (0, 1):
        pack = Pack(make_settings(chosen={"buzzer": sounds})).started()
        pack.cells[0] = 3650
        told = []
        for _ in range(40):
            told.append(pack.cycle().commands.buzzer)
        assert any(told) is bool(sounds)
        assert "output_fault" not in pack.active()
