"""What one decision commands, tells and remembers: every switch by its own name, every reason at its own place."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import step
from bmsd.core.alarms import AlarmState
from bmsd.core.contactors import PrechargeState
from bmsd.core.diode import Diode, Diodes
from bmsd.core.rate_limit import RateLimited
from bmsd.core.settings import Settings
from bmsd.core.sleep import SleepState
from bmsd.core.soc import SocState
from bmsd.core.state import CommonState, Consent, Outputs, State, begin
from bmsd.core.switching import SwitchState
from bmsd.core.types import Commands, Event, Inhibit, InhibitCause, Inputs, Levels, Request
from bmsd.tables.alarms import ALARMS, Block
from tests.support.bench_inputs import START_MS, Pack, make_settings
from tests.support.changed import replace

T = START_MS
OFF, ON = SwitchState(False, T - 60_000), SwitchState(True, T - 60_000)
SPLIT, COMMON, FETS = (
    make_settings(topology=topology, wired=frozenset(), contacts=frozenset())
    for topology in ("split", "common", "afe")
)
NO_CHARGE, NO_DISCHARGE = Consent(charge=False), Consent(discharge=False)
CLOSED = {"charge": ON, "discharge": ON, "commands": Commands(charge=True, discharge=True), "word": "idle"}
CHARGE_BY_HAND, DISCHARGE_BY_HAND = (Inhibit(InhibitCause.OPERATOR, name) for name in ("charge", "discharge"))
QUIET = AlarmState()


def active(*names: str, since_ms: int = T - 5000) -> tuple[AlarmState, ...]:
    return tuple(AlarmState(True, since_ms) if row.name in names else QUIET for row in ALARMS)


class Fets(Pack):
    """A pack whose own FETs read as its state has them."""

    def inputs(self, requests: tuple[Request, ...] = ()) -> Inputs:
        found, s = super().inputs(requests), self.state
        if not self.settings.own_fets or found.afe.measurement is None:
            return found
        on = s.charge.on or s.diodes.charge.spared, s.discharge.on or s.diodes.discharge.spared
        seen = replace(found.afe.measurement, charge_fet=on[0], discharge_fet=on[1])
        return replace(found, afe=replace(found.afe, measurement=seen))


def decide(
    state: dict[str, Any] | None = None, *requests: Request, settings: Settings = SPLIT, **readings: Any
) -> tuple[State, Outputs]:
    """Decide once; nothing is read back, and everything is closed unless the test says else."""
    before = replace(begin(T), **{"started": True, **(CLOSED if state is None else state)})
    given: dict[str, Any] = {"lines": Levels(), "feedback": Levels(), "charger_mv": 0, **readings}
    pack = Fets(settings, now_ms=T, state=before, **given)
    return step.step(settings, before, pack.inputs(requests))


# --- What is commanded ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("consent", "commanded"), [
    (NO_CHARGE, Commands(discharge=True)), (NO_DISCHARGE, Commands(charge=True)),
    (Consent(charge=False, discharge=False), Commands()), (Consent(), Commands(charge=True, discharge=True)),
])  # fmt: skip
def test_each_contactor_is_commanded_by_its_own_permission(consent, commanded) -> None:
    """S1, S14."""
    risen = RateLimited(50_000, 50_000, T - 600_000)
    begun = decide(CLOSED)[0].limiting
    assert begun is not None
    limiting = replace(begun, charge_ma=risen, discharge_ma=risen)
    after, out = decide({**CLOSED, "consent": consent, "limiting": limiting})
    assert out.commands == after.commands == commanded
    assert (after.charge.on, after.discharge.on) == (commanded.charge, commanded.discharge)
    assert (out.charge_allowed, out.discharge_allowed) == (consent.charge, consent.discharge)
    assert (out.limits.charge_ma > 0, out.limits.discharge_ma > 0) == (consent.charge, consent.discharge)
    assert out.charge_inhibits == (() if consent.charge else (CHARGE_BY_HAND,))
    assert out.discharge_inhibits == (() if consent.discharge else (DISCHARGE_BY_HAND,))


def test_pre_charge_comes_before_the_contactor() -> None:
    after, out = decide({})
    assert out.commands == Commands(charge=True, precharge=True)
    assert after.precharge.relay.on
    assert out.discharge_inhibits == (Inhibit(InhibitCause.PRECHARGE),)


def test_one_contactor_is_commanded_alone() -> None:
    after, out = decide({"main": ON, "common": CommonState()}, settings=COMMON)
    assert out.commands == Commands(main=True)
    assert after.main == ON


@pytest.mark.parametrize(("consent", "ma", "commanded"), [
    (NO_CHARGE, -5000, Commands(discharge=True, charge_diode=True)),
    (NO_DISCHARGE, 5000, Commands(charge=True, discharge_diode=True)),
])  # fmt: skip
def test_a_fet_that_is_on_for_its_diode_is_commanded_as_such(consent, ma, commanded) -> None:
    on = {"charge": consent.charge, "discharge": consent.discharge}
    before = {name: ON if is_on else OFF for name, is_on in on.items()}
    after, out = decide({**before, "consent": consent}, settings=FETS, current_ma=ma)
    assert out.commands == commanded
    assert (after.diodes.charge.spared, after.diodes.discharge.spared) == (
        commanded.charge_diode, commanded.discharge_diode,
    )  # fmt: skip


HIGH = {"cells": [3405, 3405, 3425, 3405]}


@pytest.mark.parametrize(("more", "why"), [
    ({"consent": Consent(balance=False)}, Inhibit(InhibitCause.OPERATOR, "balance")),
    ({"consent": Consent(remote_off=Block.BALANCE)}, Inhibit(InhibitCause.OPERATOR, "balance")),
    ({"started": False}, Inhibit(InhibitCause.STARTING)),
    ({}, None),
])  # fmt: skip
def test_a_high_cell_is_balanced_or_the_reason_is_told(more, why) -> None:
    after, out = decide({**CLOSED, **more}, **HIGH)
    assert after.commands.balance_mask == (0b0100 if why is None else 0)
    assert out.balance_inhibits == (() if why is None else (why,))


def test_balancing_ends_by_an_alarm_and_by_an_unknown_value() -> None:
    blocked = {**CLOSED, "alarms": active("configuration_fault")}
    assert decide(blocked, **HIGH)[1].balance_inhibits == (Inhibit(InhibitCause.ALARM),)
    lost = decide(CLOSED, **HIGH, stack=None)[1]
    assert lost.balance_inhibits == (Inhibit(InhibitCause.UNKNOWN, "stack_mv"),)


def test_cells_that_are_balanced_go_on_among_equals() -> None:
    pair = {"cells": [3425, 3425, 3405, 3405]}
    for mask in (0b01, 0b10):
        before = {**CLOSED, "commands": Commands(charge=True, discharge=True, balance_mask=mask)}
        assert decide(before, **pair)[1].commands.balance_mask == mask


@pytest.mark.parametrize(("sounds", "heard"), [(0, False), (1, True)])
def test_the_buzzer_is_commanded_for_an_alarm_as_the_parameter_says(sounds, heard) -> None:
    settings = make_settings(wired=frozenset(), contacts=frozenset(), chosen={"buzzer": sounds})
    before = {**CLOSED, "alarms": active("output_fault", since_ms=T)}
    assert decide(before, settings=settings)[1].commands.buzzer is heard
    assert not decide(settings=settings)[1].commands.buzzer
    later = {**CLOSED, "alarms": active("output_fault", since_ms=T - 500)}
    assert not decide(later, settings=settings)[1].commands.buzzer


# --- What it is doing, in a word, and what changed --------------------------------------------------------------


def word(state: dict[str, Any] | None = None, **readings: Any) -> str:
    after, out = decide({**CLOSED, **(state or {})}, **readings)
    assert after.word == out.word
    return out.word


def test_the_worst_news_is_the_word() -> None:
    hot = {
        "heater": ON,
        "alarms": active("charge_utp"),
        "charge": OFF,
        "commands": Commands(charge=False, discharge=True),
    }
    cold = {"battery": [-80, -75], "charger_mv": 16_000, "current_ma": -5000}
    asleep = {"sleep": SleepState(T - 1000, True, "idle", T)}
    assert word({"started": False, "alarms": active("output_fault")}) == "starting"
    assert word({**hot, "alarms": active("charge_utp", "output_fault")}, **cold) == "fault"
    assert word(hot, **cold, stack=None) == "fault"
    assert word(hot, **cold) == "heating"
    assert word(asleep, current_ma=900) == "sleeping"
    assert word({"alarms": active("cell_spread")}) == "idle"
    assert [word(current_ma=ma) for ma in (501, 500, -500, -501)] == [
        "charging",
        "idle",
        "idle",
        "discharging",
    ]


def told(
    state: dict[str, Any], *requests: Request, settings: Settings = SPLIT, **readings: Any
) -> list[Event]:
    """Give the events of switches and of the state."""
    out = decide(state, *requests, settings=settings, **readings)[1]
    return [event for event in out.events if event.kind in {"switch", "state"}]


def test_each_switch_that_moves_is_told_once() -> None:
    assert told(CLOSED) == []
    assert told({**CLOSED, "consent": NO_CHARGE}) == [
        Event(at_ms=T, kind="switch", name="charge", state="off")
    ]
    assert told({**CLOSED, "consent": NO_DISCHARGE}) == [
        Event(at_ms=T, kind="switch", name="discharge", state="off")
    ]
    assert told({**CLOSED, "discharge": OFF, "commands": Commands(True)}) == [
        Event(at_ms=T, kind="switch", name="precharge", state="on")
    ]
    assert told({"main": ON, "commands": Commands(), "word": "idle"}, settings=COMMON) == [
        Event(at_ms=T, kind="switch", name="main", state="on")
    ]
    heating = {**CLOSED, "heater": ON, "commands": Commands(charge=True, discharge=True, heater=True)}
    assert Event(at_ms=T, kind="switch", name="heater", state="off") in told(heating)
    balanced = {**CLOSED, "commands": Commands(charge=True, discharge=True, balance_mask=1)}
    assert told(balanced) == [Event(at_ms=T, kind="switch", name="balance", state="off")]
    assert told(CLOSED, **HIGH) == [Event(at_ms=T, kind="switch", name="balance", state="on")]
    assert told({**CLOSED, "commands": Commands(charge=True, discharge=True, balance_mask=1)}, **HIGH) == []


def test_the_end_of_a_start_and_sleep_are_told() -> None:
    wanted = SPLIT.parameters.start_good_cycles
    ends = {"started": False, "good_cycles": wanted - 1, "word": "starting", "consent": Consent(False, False)}
    assert told(ends) == [Event(at_ms=T, kind="state", name="pack", state="started")]
    assert told({**ends, "good_cycles": wanted - 2}) == []
    assert told({**CLOSED, "word": "fault"}) == []
    asleep = {**CLOSED, "sleep": SleepState(T - 1000, True, "idle", T)}
    assert told(asleep, pressed=True) == [Event(at_ms=T, kind="state", name="button", state="awake")]
    tired = {**CLOSED, "sleep": SleepState(T - 26 * 3_600_000)}
    sleeps = make_settings(wired=frozenset(), contacts=frozenset(), chosen={"sleep_after_h": 26})
    assert told(tired, settings=sleeps) == [Event(at_ms=T, kind="state", name="idle", state="asleep")]


def test_events_come_in_the_order_of_the_decision() -> None:
    """First what was asked, then what it moved."""
    out = decide(CLOSED, Request("switch", "charge", False, "uid 7"))[1]
    assert [event.kind for event in out.events] == ["request", "switch"]


def test_the_led_shows_a_start_an_unknown_value_and_health() -> None:
    """Steady is good; a start is on for one quarter of a second and off for the next."""
    assert decide(CLOSED)[1].led
    assert T // 250 % 8 == 0
    assert decide({"started": False})[1].led
    quick = make_settings(wired=frozenset(), contacts=frozenset(), chosen={"period_ms": 100})
    for at_ms, good, bad in ((T, True, True), (T + 250, True, False)):
        for state, lit in ((CLOSED, good), ({**CLOSED, "started": False}, bad)):
            before = replace(begin(at_ms), **{"started": True, **state})
            pack = Fets(quick, now_ms=at_ms, state=before, lines=Levels(), feedback=Levels())
            assert step.step(quick, before, pack.inputs())[1].led is lit
            lost = Fets(quick, now_ms=at_ms, state=before, lines=Levels(), feedback=Levels(), stack=None)
            assert step.step(quick, before, lost.inputs())[1].led is bad


# --- What is remembered -----------------------------------------------------------------------------------------


def test_what_nothing_touched_is_remembered_as_it_was() -> None:
    """Each of them at its own place."""
    kept: dict[str, Any] = {
        "consent": Consent(balance=False),
        "charge": replace(ON, closings=1),
        "discharge": replace(ON, closings=2),
        "main": replace(OFF, closings=3),
        "precharge": PrechargeState(replace(OFF, closings=4)),
        "heater": replace(OFF, closings=5),
        "resets": 7,
        "diodes": Diodes(charge=Diode(False, 11)),
        "shorts": (T - 5,),
        "asked_for": begin(T).asked_for,
    }
    after, _ = decide({**CLOSED, **kept})
    assert {name: getattr(after, name) for name in kept} == kept
    assert after.started
    assert after.override is None


@pytest.mark.parametrize(("before", "now", "after"), [(3, 3, 3), (3, 1, 3), (3, 4, 4)])
def test_resets_of_the_chip_are_remembered_at_their_most(before, now, after) -> None:
    """S6."""
    assert decide({**CLOSED, "resets": before}, resets=now)[0].resets == after


def test_charge_is_asked_for_by_the_count_and_an_unknown_count_changes_nothing() -> None:
    """S2."""
    p = SPLIT.parameters
    whole = 100_000 * 3_600_000
    low = SocState(charge_mams=whole * p.force_charge_permille // 1000 - 1, error_permille=20)
    assert decide({**CLOSED, "soc": low})[0].force_charge
    assert not decide({**CLOSED, "soc": SocState(charge_mams=whole // 2, error_permille=20)})[0].force_charge
    for before in (True, False):
        lost = {"cells": [3300, None, 3300, 3300]}
        assert decide({**CLOSED, "force_charge": before}, **lost)[0].force_charge is before
