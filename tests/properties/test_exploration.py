"""Every state that a reduced model can reach keeps S1, S2, S3, S4, S10, S12, S13 and S15, and broken cores do not.

What is explored, and how large it is, stands in docs/exploration.md.
"""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

import pytest

from bmsd.core import (
    alarms,
    contactor_control,
    contactors,
    deferred_opening,
    emergency,
    heater,
    heater_watch,
    permissions,
    plausible,
    sleep,
    switching,
)
from bmsd.core.plausible import Reading
from bmsd.core.state import Outputs, State
from bmsd.core.types import Inhibit, InhibitCause
from bmsd.tables.alarms import BOTH
from tests.properties.explore import BrokenRuleError, Found, Model, Say, decide, explore, first
from tests.properties.explore_report import documented
from tests.properties.explored_models import models
from tests.properties.folding import DROPPED, KEPT, NOW_MS, fold, unfold
from tests.support.changed import replace
from tests.support.effort import slow_but, slow_rows
from tests.support.kept import ROOT, kept, source

SMALL = {model.name: model for model in models(big=False)}
REPEATED = {"charge_trip_repeated", "discharge_trip_repeated"}
"""In these models the first trip waits for a person: how many end by themselves is a number, and makes more states."""
LATCHES = {
    "under-voltage": {"cell_floor"},
    "current": {"charge_contactor_welded", "discharge_contactor_welded", *REPEATED},
    "cold-lies": {"charge_contactor_welded"},
    "heater-runs": {"heater_no_warming", "heater_stuck_on"},
    "contacts": {
        "charge_contactor_welded", "charge_contactor_open", "discharge_contactor_welded", "discharge_contactor_open",
        "precharge_failed",
    },
    "load-side": {"discharge_contactor_open", "precharge_failed"},
    "chip": {"chip_fault", *REPEATED},
    "hour": {"charge", "discharge", "short_circuit_repeated"},
    "reserve": {"cell_floor"},
    "override": {"cell_floor"},
    "together": {"charge_contactor_welded", *REPEATED},
}  # fmt: skip
"""What a person may have to end, by model: everything else comes back alone (S15)."""
ROWS = {row.words() for machine in (contactors.LOAD_SIDE, sleep.PHASES) for row in machine.rows}
"""Every row of the tables that the models run through."""
NOT_EXPLORED = {
    "pre-charging to open: contactor rests (S12)": "an operator has to make the rest longer while a pre-charge runs",
    "awake to asleep: not used for `sleep_after_h`": "takes an hour of cycles",
    "waking to asleep: not used for `sleep_after_h`": "takes an hour of cycles",
    "waking to asleep: switched off empty, not used for 5 minutes": "takes as long without one complete measurement",
}
"""Rows that no model takes, and why; tests/core takes them."""
NO_PRECHARGE = "open to closed: no pre-charge fitted"
SLEEPS = {row.words() for row in sleep.PHASES.rows} - set(NOT_EXPLORED)
REACHED = {
    "over-voltage": {"cell_ovp", "cleared cell_ovp", "CHARGE waits", "cell_lost", "pack_ovp"},
    "under-voltage": {
        "cell_uvp",
        "cell_shutdown",
        "cell_floor",
        "cleared cell_floor",
        "cell_lost",
        "pack_uvp",
    },
    "current": {"charge_ocp", "charge_ocp2", "discharge_ocp2", "current_lost", "charge_past_contactor"},
    "cold": {"charge_utp", "cleared charge_utp", "heater on", "temperature_lost", "heater_over_limit"},
    "cold-lies": {"heater on", "charge_contactor_welded", "output_fault", "contact_lost"},
    "heater-runs": {"heater on", "heater_no_warming", "heater_long_run", "cleared heater_long_run"},
    "contacts": {
        "charge_contactor_welded",
        "charge_contactor_open",
        "output_fault",
        "precharge_failed",
        "closing to open: not allowed",
    },
    "load-side": ROWS - set(NOT_EXPLORED) - SLEEPS - {NO_PRECHARGE, "closing to open: not allowed"},
    "chip": {"afe_lost", "afe_reset", "afe_refused", "short_circuit", "chip_fault", "cleared chip_fault"},
    "hour": {"short_circuit_repeated", "cleared short_circuit_repeated", "CHARGE on", "DISCHARGE on"},
    "reserve": {"auto_shutdown", "cleared auto_shutdown", "cell_low", "asleep", NO_PRECHARGE, *SLEEPS},
    "override": {"CHARGE lifted", "DISCHARGE lifted", "emergency ended", "switch_otp", "cell_floor"},
    "together": {"cell_ovp", "charge_utp", "short_circuit", "charge_contactor_welded"},
}
"""What each exploration must have come by: one that never meets a thing proves nothing about it."""


EVERYDAY = ("over-voltage", "cold", "cold-lies", "override")
READ = [*source("bmsd/core", "bmsd/tables", "tests/properties", "tests/core"), ROOT / "bmsd" / "errors.py"]


@pytest.mark.parametrize("name", slow_but(EVERYDAY, SMALL))
def test_no_reachable_state_breaks_a_rule(name) -> None:
    """S1, S2, S3, S4, S10, S12, S13, S15: the search ends because no new state appears, and nothing objected."""
    told = kept(f"exploration-{name}", READ, lambda: {**asdict(e := explore(SMALL[name])), "seen": [*e.seen]})
    found = Found(**{**told, "seen": set(told["seen"])})
    assert (found.states, found.transitions) == documented(name)
    assert found.complete is (SMALL[name].most_cycles is None)
    assert found.seen >= REACHED[name], REACHED[name] - found.seen
    assert set(found.waits) <= LATCHES.get(name, set())


@pytest.mark.parametrize("model", [*models(big=False), *models(big=True)], ids=lambda model: model.name)
def test_a_folded_life_is_the_life_itself(model) -> None:
    """States that are folded into one are told apart by nothing: random lives run folded and unfolded side by side."""
    dice, seen = random.Random(7), set[str]()
    for _ in range(4):
        state, witness, ledger, now_ms = first(model, seen)
        key = fold(model.frame, state, witness, ledger, now_ms)
        for _ in range(60):
            say = dice.choice(model.inputs)
            now_ms += say.after_ms
            state, out = decide(model.frame, state, witness, ledger, say, now_ms)
            key, told = _folded(model, key, say)
            assert key == fold(model.frame, state, witness, ledger, now_ms)
            assert _decided(told) == _decided(out)


def _folded(model: Model, key: tuple[Any, ...], say: Say) -> tuple[tuple[Any, ...], Outputs]:
    """Take one input in the state that stands for a key."""
    state, witness, ledger = unfold(model.frame, key, set())
    now_ms = NOW_MS + say.after_ms
    after, out = decide(model.frame, state, witness, ledger, say, now_ms)
    return fold(model.frame, after, witness, ledger, now_ms), out


def _decided(out: Outputs) -> tuple[Any, ...]:
    """Give what a decision does; what it tells people of times and values is left out.

    So are limits for the inverter, that move slowly and no switch.
    """
    against = [
        [(r.because, r.name) for r in given] for given in (out.charge_inhibits, out.discharge_inhibits)
    ]
    switched = replace(out.commands, buzzer=False)
    return switched, out.charge_allowed, out.discharge_allowed, out.heater_demanded, against


def test_every_row_of_a_table_is_explored_or_not_for_a_reason() -> None:
    assert ROWS & set().union(*REACHED.values()) == ROWS - set(NOT_EXPLORED)
    assert set(NOT_EXPLORED) <= ROWS


def test_every_field_of_the_state_is_folded_or_dropped_for_a_reason() -> None:
    assert set(State._fields) == KEPT | set(DROPPED)
    assert not KEPT & set(DROPPED)


def _no_rest(p):
    return switching.SwitchPace(0, p.contactor_operations_per_hour)


def _no_hour(p):
    return switching.SwitchPace(p.contactor_min_off_ms, 10**6)


def _forgets_unknown(rule, state, bad, value, where, now_ms):
    """Stop a running trip timer while the value is unknown."""
    return alarms.QUIET if bad is None else PENDING(rule, state, bad, value, where, now_ms)


def _believes_the_rest(rule, reading):
    """Judge the known values as if the unknown one did not exist."""
    return COMPARE(rule, Reading(reading.value, reading.value is not None, reading.where))


def _holds_for_ever(kept, new, now_ms, oldest_ms):
    return HOLD(kept, new, now_ms, 0)


def _lifts_everything(settings, override, values):
    return None if override is None else replace(override, lifts=BOTH)


def _waits_for_no_heater(settings, state, at):
    """Take the heater for off, whatever it does."""
    return MOVE(settings, state, replace(at, heat_is_off=True))


def _never_long(state, **more):
    after, verdict = WATCH(state, **more)
    return after, verdict._replace(long_run=False, no_warming=False)


PENDING, COMPARE, HOLD, MOVE, WATCH = (
    alarms._pending,
    alarms.compare,
    plausible._hold,
    contactor_control.move,
    heater_watch.watch,
)
DEFECTS = (
    ("the least time off is skipped", "over-voltage", "S12", (contactors, "_pace", _no_rest)),
    ("operations per hour are not counted", "hour", "S12", (contactors, "_pace", _no_hour)),
    ("unknown stops a trip timer", "over-voltage", "S1, S2", (alarms, "_pending", _forgets_unknown)),
    ("an unknown cell counts as good", "under-voltage", "S2", (alarms, "compare", _believes_the_rest)),
    ("unknown values are no reason", "over-voltage", "S1", (permissions, "unknowns", lambda *_: ())),
    ("old values are believed for ever", "chip", "S2", (plausible, "_hold", _holds_for_ever)),
    (
        "no alarm shortens the wait",
        "over-voltage",
        "S1",
        (deferred_opening, "longest_ms", lambda p, _: p.opening_wait_ms),
    ),
    ("heat before charge reads open", "cold", "S3", (heater, "_not_first", lambda at: None)),
    ("charge in the cycle that ends heat", "cold", "S3", (contactor_control, "move", _waits_for_no_heater)),
    ("any voltage on the heater", "cold", "S4", (heater, "exceeds", lambda *_: False)),
    ("heat without an end", "heater-runs", "S4", (heater_watch, "watch", _never_long)),
    ("the override lifts everything", "override", "S1", (emergency, "reach", _lifts_everything)),
    ("the override does not end", "override", "S10", (emergency, "DURATION_MS", 10**9)),
    (
        "nothing ever closes",
        "hour",
        "nothing closes again",
        (switching, "waits", lambda *_: Inhibit(InhibitCause.MIN_OFF)),
    ),
)


@pytest.mark.parametrize(("what", "name", "rule", "change"), slow_rows(["heat without an end"], DEFECTS))
def test_a_broken_core_is_found(what, name, rule, change, monkeypatch) -> None:
    """What cannot fail shows nothing (S1, S2, S3, S4, S10, S12): each defect breaks the rule it is about."""
    module, function, broken = change
    monkeypatch.setattr(module, function, broken)
    with pytest.raises(BrokenRuleError) as caught:
        explore(SMALL[name], most_states=2500)
    assert f"{name}: {rule}" in str(caught.value), what
