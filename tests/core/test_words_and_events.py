"""The word that says what a pack does, the events of what changed, and which cycles count for a start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bmsd.core.state import Consent
from bmsd.core.types import AfeState, Event, Inhibit, InhibitCause, Levels, Request
from tests.support.bench_inputs import Pack, cold, make_settings


def told(pack: Pack, *kinds: str) -> list[Event]:
    assert pack.out is not None
    return [event for event in pack.out.events if event.kind in kinds]


@pytest.mark.parametrize(
    ("ma", "word"),
    [(501, "charging"), (500, "idle"), (0, "idle"), (-500, "idle"), (-501, "discharging")],
)
def test_more_than_half_an_ampere_is_charging_or_discharging(ma, word) -> None:
    pack = Pack().started()
    pack.current_ma = ma
    assert pack.cycle().word == word


def test_a_pack_that_has_not_started_says_so_whatever_else_is_wrong() -> None:
    pack = Pack(polled=False)
    pack.run(20_000)
    assert "afe_lost" in pack.active()
    assert pack.state.word == "starting"


def test_a_fault_is_the_word_before_all_others() -> None:
    pack = cold()
    assert pack.state.word == "heating"
    pack.lines = Levels()
    pack.run(1000)
    assert "output_fault" in pack.active()
    assert pack.state.word == "fault"


def test_an_unknown_value_is_a_fault_before_its_alarm_is_one() -> None:
    """S2."""
    pack = Pack().started()
    pack.current_ma, pack.stack = 5000, None
    pack.run(1250)
    assert not pack.active()
    assert pack.state.word == "fault"


def test_a_protection_alone_is_no_fault() -> None:
    pack = Pack().started()
    pack.cells[1] = 3650
    pack.run(2000)
    assert "cell_ovp" in pack.active()
    assert pack.state.word == "idle"


def test_a_start_is_told_once_with_all_that_closes() -> None:
    pack, events = Pack(), []
    for _ in range(40):
        pack.cycle()
        events += [(event.kind, event.name, event.state) for event in told(pack, "state", "switch")]
    assert events == [
        ("state", "pack", "started"),
        ("switch", "charge", "on"),
        ("switch", "precharge", "on"),
        ("switch", "discharge", "on"),
        ("switch", "precharge", "off"),
    ]


def test_an_event_carries_the_time_of_its_cycle() -> None:
    pack = Pack().started()
    pack.cycle(Request("switch", "discharge", False, "uid 7"))
    assert told(pack, "request", "switch") == [
        Event(at_ms=pack.now_ms, kind="request", name="discharge", state="off", who="uid 7"),
        Event(at_ms=pack.now_ms, kind="switch", name="discharge", state="off"),
    ]


def test_heat_and_balancing_are_told_when_they_begin_and_end() -> None:
    pack = Pack(battery=[-80, -75], charger_mv=16_000)
    pack.until(lambda p: p.state.commands.heater, 20_000)
    assert told(pack, "switch")[-1] == Event(at_ms=pack.now_ms, kind="switch", name="heater", state="on")
    pack.battery = [100, 100]
    pack.cycle()
    assert Event(at_ms=pack.now_ms, kind="switch", name="heater", state="off") in told(pack, "switch")
    pack = Pack(cells=[3405, 3405, 3420, 3405])
    pack.until(lambda p: p.state.commands.balance_mask == 0b100, 20_000)
    assert Event(at_ms=pack.now_ms, kind="switch", name="balance", state="on") in told(pack, "switch")
    pack.cells = [3405, 3420, 3405, 3405]
    pack.cycle()
    assert pack.state.commands.balance_mask == 0b010
    assert "balance" not in {event.name for event in told(pack, "switch")}
    pack.cycle(Request("switch", "balance", False))
    assert [event for event in told(pack, "switch") if event.name == "balance"] == [
        Event(at_ms=pack.now_ms, kind="switch", name="balance", state="off")
    ]


@pytest.mark.parametrize("consents", [("charge",), ("discharge",), ("balance",), ("charge", "balance")])
def test_a_switch_request_is_kept_until_the_next(consents) -> None:
    """S14."""
    pack = Pack().started()
    pack.cycle(*(Request("switch", name, False) for name in consents))
    expected = replace(Consent(), **dict.fromkeys(consents, False))
    assert pack.state.consent == expected
    pack.run(1000)
    assert pack.state.consent == expected
    pack.cycle(*(Request("switch", name, True) for name in consents))
    assert pack.state.consent == Consent()


SPOILT: dict[str, dict[str, Any]] = {
    "a poll": {"polled": False},
    "a cell": {"cells": [3300, None, 3300, 3300]},
    "a sensor": {"battery": [None, 250]},
    "the current": {"current_ma": None},
    "the front end": {"afe": AfeState.CONFIGURING},
    "a line": {"lines": Levels()},
    "a contact": {"feedback": Levels()},
}


@pytest.mark.parametrize("spoils", SPOILT.values(), ids=SPOILT)
def test_one_bad_cycle_begins_the_start_anew(spoils) -> None:
    """S13: so many complete good cycles in a row."""
    wanted = make_settings().parameters.start_good_cycles
    pack = Pack()
    for count in range(1, wanted):
        pack.cycle()
        assert (pack.state.good_cycles, pack.state.started) == (count, False)
    good = {name: getattr(pack, name) for name in spoils}
    for name, value in spoils.items():
        setattr(pack, name, value)
    pack.cycle()
    assert (pack.state.good_cycles, pack.state.started) == (0, False)
    for name, value in good.items():
        setattr(pack, name, value)
    for _ in range(wanted - 1):
        pack.cycle()
        assert not pack.state.started
    pack.cycle()
    assert pack.state.started
    assert pack.out is not None
    assert Inhibit(InhibitCause.STARTING) not in pack.out.charge_inhibits


def test_a_pack_that_started_stays_started() -> None:
    pack = Pack().started()
    pack.polled = False
    pack.run(60_000)
    assert pack.state.started
    assert pack.state.word == "fault"


def test_resets_of_the_chip_are_remembered_at_their_highest() -> None:
    """S6: a count that falls back is no new reset later."""
    pack = Pack(resets=3)
    for resets, kept in ((3, 3), (1, 3), (4, 4)):
        pack.resets = resets
        pack.cycle()
        assert pack.state.resets == kept
