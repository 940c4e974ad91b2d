"""The words that leave the core, and what holds where nobody said anything: unknown, off, nothing (S2)."""

from __future__ import annotations

from bmsd.core.types import (
    ALL_OFF,
    AfeReport,
    AfeSettings,
    AfeState,
    ChipFault,
    Commands,
    Event,
    Inhibit,
    InhibitCause,
    Inputs,
    Levels,
    Measurement,
    Request,
)

REASONS = {
    "ALARM": "alarm",
    "UNKNOWN": "unknown",
    "STARTING": "starting",
    "OPERATOR": "operator",
    "NOT_ASKED": "not asked for",
    "LAST_LIMIT": "last limit of the override",
    "SPENT": "override ended by a last limit",
    "HEATER_FIRST": "heater first",
    "CHARGE_FIRST": "charge first",
    "CHARGE_FLOWS": "charge current",
    "NOT_PROVED_CUT": "charge not proved cut",
    "MIN_OFF": "minimum off time",
    "OPERATIONS": "operations per hour",
    "PRECHARGE": "pre-charge",
    "LOW_CURRENT": "low current",
    "TOLD_ZERO": "told zero",
    "OTHER_DIRECTION": "other direction",
    "NOT_FITTED": "not fitted",
    "NOT_NEEDED": "not needed",
    "NO_CHARGER": "no charger",
    "LOW_CHARGE": "low state of charge",
    "NO_SUPPLY": "supply voltage unknown",
    "NOT_PAID": "no charger pays",
    "LOAD_UNKNOWN": "load not known yet",
    "SENSORS_APART": "sensors disagree",
    "WARM_SENSOR": "a sensor is warm",
    "OVER_LIMIT": "over its limit",
    "ASLEEP": "asleep",
}
"""As `bmsctl why --json` gives them: programs rely on them, so they are written down a second time."""


def test_the_reasons_keep_their_words() -> None:
    assert {reason.name: reason.value for reason in InhibitCause} == REASONS


def test_faults_of_the_chip_can_stand_together_and_none_is_none() -> None:
    assert not ChipFault.NONE
    faults = list(ChipFault)
    assert sum(faults).bit_count() == len(faults) == 11
    assert all(fault for fault in faults)


def test_everything_is_off_until_it_is_commanded() -> None:
    """S13: the start is the safe state."""
    assert Commands() == ALL_OFF
    assert not any(getattr(ALL_OFF, name) for name in Commands._fields)


def test_what_nobody_said_is_unknown_and_asks_for_nothing() -> None:
    """S2: nothing that was left out reads as a good value."""
    levels = Levels()
    assert all(getattr(levels, name) is None for name in Levels._fields)
    poll = Measurement(
        cell_mv=(),
        stack_mv=None,
        charger_mv=None,
        load_mv=None,
        current_ma=None,
        battery_decic=(),
        switch_decic=None,
        faults=ChipFault.NONE,
    )
    assert poll.charge_fet is poll.discharge_fet is None
    report = AfeReport(AfeState.ABSENT, None)
    assert (report.detail, report.errors, report.resets) == ("", 0, 0)
    inputs = Inputs(0, report, levels, levels)
    assert (inputs.heater_ma, inputs.requests, inputs.pressed) == (None, (), False)
    request, reason = Request("wake", "pack"), Inhibit(InhibitCause.STARTING)
    assert (request.on, request.who) == (None, "")
    assert (reason.name, reason.until_ms) == ("", None)
    event = Event(at_ms=0, kind="alarm", name="cell_ovp", state="raised")
    assert (event.where, event.value, event.limit, event.who, event.lifted) == (None, None, None, "", ())


def test_a_chips_own_fets_are_switches_only_where_that_is_said() -> None:
    numbers = dict.fromkeys(AfeSettings.__slots__, 0)
    del numbers["own_fets"]
    assert AfeSettings(**numbers).own_fets is False
