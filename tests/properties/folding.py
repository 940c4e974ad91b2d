"""Fold states that can never be told apart into one: absolute times become ages, what nothing asks for is dropped.

`fold` gives a key, `unfold` a state, a witness and a ledger that stand for every one with that key. What is dropped
and why stands at each line; a test lets folded and unfolded lives run side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from bench_inputs import START_MS
from ledger import Entry, Ledger, Line
from witness import Witness

from bmsd.core.alarms import ALL_QUIET, QUIET, AlarmState
from bmsd.core.contactors import PrechargeState
from bmsd.core.heater_watch import WatchState
from bmsd.core.opening import Opening
from bmsd.core.plausible import Held, Kept
from bmsd.core.settings import Settings
from bmsd.core.sleep import SleepState, older_ms
from bmsd.core.soc import SocState
from bmsd.core.state import Consent, State
from bmsd.core.switching import SwitchState
from bmsd.core.types import Commands

NOW_MS = START_MS + 10**9
"""The time at which every unfolded state stands."""
HOUR_MS = 3_600_000
AGAIN_MS, BLIND_MS, SCAN_MS, STUCK_MS = 300_000, 2000, 1000, 3000
"""Times that the core knows besides its parameters, typed out again."""
KEPT = {"alarms", "consent", "held", "good_cycles", "started", "charge", "discharge", "precharge", "heater", "watch",
        "commands", "resets", "opening", "shorts", "sleep"}  # fmt: skip
DROPPED = {
    "soc": "decides only when the inverter is asked to charge by force, which no rule here is about",
    "physics": "counts nothing where no voltage jumps and no current is large for the capacity, as in these models",
    "told": "is asked only where an inverter is held to its limits, which these models leave out",
    "word": "decides only whether an event is written",
    "force_charge": "is a request to the inverter",
}
"""Every field of the state is in one of the two, or a test fails."""


class Frame(NamedTuple):
    """How far the states of one model may be folded."""

    settings: Settings
    rows: dict[str, Line]
    """The lines of the ledger, made once."""
    sleeps: bool = False
    """Else nothing ever makes the pack sleep, and how long it was idle means nothing."""
    counts_starts: bool = False
    """Else closings of the last hour are forgotten: contactors may then close more often than they really may."""
    endless: frozenset[str] = frozenset()
    """Alarms whose delay is longer than the model looks: pending, they stay so."""


Aged = Callable[[int | None, int], int | None]


def _aged(now_ms: int) -> Aged:
    """Give the folding of a time: its age, at most so much."""
    return lambda at_ms, most_ms: None if at_ms is None else min(now_ms - at_ms, most_ms)


def _back(age_ms: int | None) -> int | None:
    return None if age_ms is None else NOW_MS - age_ms


def fold(frame: Frame, state: State, witness: Witness, ledger: Ledger, now_ms: int) -> tuple[Any, ...]:
    """Give the key of a state and of those who watch it."""
    aged = _aged(now_ms)
    return _fold_state(frame, state, aged, now_ms), _fold_watchers(frame, witness, ledger, aged)


def _fold_state(frame: Frame, state: State, aged: Aged, now_ms: int) -> tuple[Any, ...]:
    p, held, watch, sleep = frame.settings.parameters, state.held, state.watch, state.sleep
    oldest_ms = p.value_max_age_ms + SCAN_MS * frame.sleeps
    waits_ms = max(p.opening_wait_ms, 2000)
    rests_ms = max(p.contactor_min_off_ms, p.contactor_settle_ms)
    relay_ms = max(p.precharge_rest_ms, p.precharge_timeout_ms, p.contactor_settle_ms)
    return (
        _fold_alarms(frame, state.alarms, aged),
        state.consent,
        # Values too old to be believed are never believed again. Frozen cells: see `Frame` of the models.
        tuple(_fold_kept(kept, now_ms, oldest_ms) for kept in (held.cells, held.sensors, held.singles)),
        len(held.reference_mv),
        state.good_cycles if not state.started else -1,
        _fold_switch(frame, state.charge, aged, rests_ms),
        _fold_switch(frame, state.discharge, aged, rests_ms),
        _fold_switch(frame, state.precharge.relay, aged, relay_ms),
        min(state.precharge.tries, p.precharge_tries),
        _fold_switch(frame, state.heater, aged, p.heater_min_off_ms),
        # Every cycle is watched: the last one is now. How long it heated stays exact.
        (watch.heated_ms, watch.reference_decic, watch.run_ms, aged(watch.stuck_since_ms, STUCK_MS), watch.measured),
        # The buzzer and balancing are not wired here.
        (state.commands.charge, state.commands.discharge, state.commands.precharge, state.commands.heater),
        # Only a reset more than before, and any at all, are asked for.
        min(state.resets, 1),
        (aged(state.opening.charge_ms, waits_ms), aged(state.opening.discharge_ms, waits_ms)),
        tuple(aged(t, HOUR_MS) for t in state.shorts if now_ms - t < HOUR_MS),
        (
            aged(sleep.idle_since_ms, AGAIN_MS), sleep.asleep, aged(sleep.fresh_ms, BLIND_MS) if sleep.asleep else 0,
            sleep.waking, sleep.charger_side_seen,
        ) if frame.sleeps else None,
    )  # fmt: skip


def _fold_alarms(frame: Frame, states: tuple[AlarmState, ...], aged: Aged) -> tuple[Any, ...]:
    """Fold what is not quiet. When it was raised, by what value and where is told to people and decides nothing."""
    if states is ALL_QUIET:
        return ()
    table = frame.settings.table
    return tuple([
        (
            n,
            state.active,
            aged(state.bad_since_ms, 0 if table[n].name in frame.endless else table[n].delay_ms),
            aged(state.good_since_ms, table[n].release_ms),
        )
        for n, state in enumerate(states)
        if state is not QUIET and state != QUIET
    ])  # fmt: skip


def _fold_kept(kept: Kept, now_ms: int, oldest_ms: int) -> tuple[Any, ...]:
    return tuple([
        (value, now_ms - at_ms) if value is not None and now_ms - at_ms <= oldest_ms else None
        for value, at_ms in zip(kept.values, kept.at_ms, strict=True)
    ])  # fmt: skip


def _fold_switch(frame: Frame, switch: SwitchState, aged: Aged, most_ms: int) -> tuple[Any, ...]:
    starts: tuple[int | None, ...] = ()
    if frame.counts_starts:
        starts = tuple(age for age in [aged(t, HOUR_MS) for t in switch.starts_ms] if age is not None and age < HOUR_MS)
    return switch.on, aged(switch.changed_ms, most_ms), starts


def _fold_watchers(frame: Frame, witness: Witness, ledger: Ledger, aged: Aged) -> tuple[Any, ...]:
    p = frame.settings.parameters
    oldest_ms = p.value_max_age_ms + SCAN_MS * frame.sleeps
    last = [(name, value, aged(at_ms, oldest_ms + 1)) for name, (value, at_ms) in sorted(witness.last.items())]
    rests = {"heater": p.heater_min_off_ms}
    return (
        tuple(told for told in last if told[2] is not None and told[2] <= oldest_ms),
        min(witness.good, p.start_good_cycles),
        tuple((n, aged(t, rests.get(n, p.contactor_min_off_ms))) for n, t in sorted(witness.opened_ms.items())),
        tuple((n, tuple(aged(t, HOUR_MS) for t in ts)) for n, ts in sorted(witness.closings_ms.items()))
        if frame.counts_starts else (),
        aged(witness.heater_since_ms, p.heater_max_run_ms),
        tuple((n, aged(t, p.opening_wait_ms)) for n, t in sorted(witness.refused_ms.items())),
        tuple(
            (n, e.active, aged(e.bad_ms, ledger.lines[n].delay_ms), aged(e.good_ms, ledger.lines[n].release_ms))
            for n, e in sorted(ledger.entries.items())
        ),
        tuple((n, aged(t, p.contactor_settle_ms)) for n, t in sorted(ledger.moved_ms.items())),
        tuple(aged(t, HOUR_MS) for t in ledger.shorts_ms),
        min(ledger.resets, 1),
    )  # fmt: skip


def unfold(frame: Frame, key: tuple[Any, ...], seen: set[str]) -> tuple[State, Witness, Ledger]:
    """Give the state that stands for a key, and those who watch it, as of `NOW_MS`."""
    (noted, consent, kept, cells, good, charge, discharge, relay, tries, heater, watch, commands, resets, opening,
     shorts, sleep), watchers = key  # fmt: skip
    alarms = list(ALL_QUIET)
    for n, active, bad_age, good_age in noted:
        alarms[n] = AlarmState(active, 0, _back(bad_age), _back(good_age))
    heated_ms, reference, run_ms, stuck, measured = watch
    middle = (_middle_mv(frame),) * cells
    state = State(
        alarms=tuple(alarms) if noted else ALL_QUIET,
        soc=SocState(frame.settings.capacity_mah * HOUR_MS // 2, 250, last_ms=NOW_MS),
        consent=consent,
        held=Held(*[_kept(group) for group in kept], middle, (False,) * cells, (0,) * cells),
        good_cycles=0 if good < 0 else good,
        started=good < 0,
        charge=_switch(charge),
        discharge=_switch(discharge),
        precharge=PrechargeState(_switch(relay), tries),
        heater=_switch(heater),
        watch=WatchState(NOW_MS, heated_ms, reference, run_ms, _back(stuck), measured),
        commands=Commands(*commands),
        resets=resets,
        opening=Opening(_back(opening[0]), _back(opening[1])),
        shorts=tuple(NOW_MS - age for age in shorts),
        sleep=_sleep(sleep),
    )
    return state, *_watchers(frame, watchers, state, seen)


def _middle_mv(frame: Frame) -> int:
    """Give a voltage that no level of the model is far from: a cell is judged frozen only when the middle one jumps."""
    return (frame.settings.parameters.cell_uvpr_mv + frame.settings.parameters.cell_ovpr_mv) // 2


def _kept(group: tuple[Any, ...]) -> Kept:
    return Kept(
        tuple(None if one is None else one[0] for one in group),
        tuple(0 if one is None else NOW_MS - one[1] for one in group),
    )


def _switch(folded: tuple[Any, ...]) -> SwitchState:
    on, age_ms, starts = folded
    return SwitchState(on, _back(age_ms), tuple(NOW_MS - age for age in starts))


def _sleep(folded: tuple[Any, ...] | None) -> SleepState:
    if folded is None:
        return SleepState()
    idle, asleep, fresh, waking, side_seen = folded
    return SleepState(_back(idle), asleep, "", NOW_MS - fresh if asleep else 0, waking, side_seen)


def _watchers(frame: Frame, folded: tuple[Any, ...], state: State, seen: set[str]) -> tuple[Witness, Ledger]:
    last, good, opened, closings, heater_since, refused, entries, moved, shorts, resets = folded
    witness = Witness(
        frame.settings,
        last={name: (value, NOW_MS - age) for name, value, age in last},
        good=good,
        opened_ms={name: NOW_MS - age for name, age in opened},
        closings_ms={name: [NOW_MS - age for age in ages] for name, ages in closings},
        heater_since_ms=_back(heater_since),
        refused_ms={name: NOW_MS - age for name, age in refused},
        seen=seen,
        older_ms=older_ms(state.sleep),
    )
    ledger = Ledger(frame.settings, witness, frame.rows)
    ledger.entries = {name: Entry(_back(bad), active, _back(good)) for name, active, bad, good in entries}
    ledger.moved_ms = {name: NOW_MS - age for name, age in moved}
    ledger.shorts_ms = tuple(NOW_MS - age for age in shorts)
    ledger.resets = resets
    return witness, ledger
