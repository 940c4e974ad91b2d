"""Fold states that can never be told apart into one: absolute times become ages, what nothing asks for is dropped.

`fold` gives a key, `unfold` a state, a witness and a ledger that stand for every one with that key. What is dropped
and why stands at each line; a test lets folded and unfolded lives run side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from bmsd.core.alarms import ALL_QUIET, QUIET, AlarmState
from bmsd.core.charging import Charging
from bmsd.core.contactors import PrechargeState
from bmsd.core.deferred_opening import DeferredOpening
from bmsd.core.emergency import Override
from bmsd.core.heater_watch import WatchState
from bmsd.core.limits import LimitState
from bmsd.core.overloads import NONE, Overloads
from bmsd.core.plausible import HeldReadings, LastGood
from bmsd.core.rate_limit import RateLimited, from_zero
from bmsd.core.settings import Settings
from bmsd.core.sleep import SleepState, older_ms
from bmsd.core.soc import SocState
from bmsd.core.state import State
from bmsd.core.supply import SupplyState
from bmsd.core.switching import SwitchState
from bmsd.core.types import Commands
from tests.properties.ledger import Entry, Ledger, Line
from tests.properties.witness import Witness
from tests.support.bench_inputs import START_MS

NOW_MS = START_MS + 10**9
"""The time at which every unfolded state stands."""
HOUR_MS = 3_600_000
AGAIN_MS, BLIND_MS, SCAN_MS, STUCK_MS, LAGS_MS, HALF_HOUR_MS = 300_000, 2000, 1000, 3000, 2000, 1_800_000
"""Times that the core knows besides its parameters, typed out again."""
KEPT = {"alarms", "consent", "held", "good_cycles", "started", "charge", "discharge", "precharge", "heater", "watch",
        "commands", "resets", "opening", "shorts", "overloads", "sleep", "override", "asked_for",
        "suspects"}  # fmt: skip
DROPPED = {
    "soc": "decides only when the inverter is asked to charge by force, which no rule here is about",
    "cross_check": "counts nothing where no voltage jumps and no current is large for the capacity, as in these models",
    "joints": "counts nothing where cells do not step, as in these models, and blocks nothing",
    "loose": "warns and blocks nothing",
    "sent_limits": "is asked only where an inverter is held to its limits, which these models leave out",
    "word": "decides only whether an event is written",
    "force_charge": "is a request to the inverter",
    "low_battery": "stands behind that request, and moves what the inverter is told and no switch",
    "main": "belongs to the topology with a common contactor, which these models leave out",
    "common": "belongs to that topology",
    "undetected_charge": "belongs to that topology",
    "refusals": "belong to that topology",
    "load_side": "raises a warning that blocks nothing",
    "diodes": "belong to the topology of the chip's own FETs, which these models leave out",
    "supply": "a charger of these models stands far above the pack, or its side, that was read alive before, is dead",
    "limiting": "moves what the inverter is told and no switch; currents recover within one cycle in these models",
    "full_charge": "is a request to the inverter",
    "ordered": "is a request to the inverter",
}
"""Every field of the state is in one of the two, or a test fails."""
TOLD_ONLY = {"cell_loose", "reading_loose", "cell_step"}
"""Warnings that follow from dropped fields."""


class Frame(NamedTuple):
    """How far the states of one model may be folded."""

    settings: Settings
    rows: dict[str, Line]
    """The lines of the ledger, made once."""
    tick_ms: int = 500
    """The shortest time to the next cycle: a timer that will have run out by then has run out."""
    sleeps: bool = False
    """Else nothing ever makes the pack sleep, and how long it was idle means nothing."""
    counts_hour: bool = False
    """Else closings and shorts of the last hour are forgotten: contactors may close more often than they really may."""
    counts_heating: bool = False
    """Else how long the heater ran is forgotten: it may run for ever, and its longest run is not judged."""
    endless: frozenset[str] = frozenset()
    """Alarms whose delay is longer than the model looks: pending, they stay so."""


Aged = Callable[[int | None, int], int | None]


def _aged(frame: Frame, now_ms: int) -> Aged:
    """Give the folding of a time: its age, at most so much as will be the most it is asked for in the next cycle."""
    tick_ms = frame.tick_ms
    return lambda at_ms, most_ms: None if at_ms is None else min(now_ms - at_ms, max(most_ms - tick_ms, 0))


def _back(age_ms: int | None) -> int | None:
    return None if age_ms is None else NOW_MS - age_ms


def fold(frame: Frame, state: State, witness: Witness, ledger: Ledger, now_ms: int) -> tuple[Any, ...]:
    """Give the key of a state and of those who watch it."""
    aged = _aged(frame, now_ms)
    return _fold_state(frame, state, aged, now_ms), _fold_watchers(frame, witness, ledger, aged, now_ms)


def _fold_state(frame: Frame, state: State, aged: Aged, now_ms: int) -> tuple[Any, ...]:
    p, held, watch, sleep = frame.settings.parameters, state.held, state.watch, state.sleep
    # Values that are too old are never believed again; those that will be in the next cycle are kept where cycles
    # are shorter than that, so that a core which believes them then is found.
    oldest_ms = p.value_max_age_ms + SCAN_MS * frame.sleeps
    oldest_ms -= frame.tick_ms if frame.tick_ms > oldest_ms else 0
    waits_ms = max(p.opening_wait_ms, 2000)
    # The least time off means nothing to a contactor that is on.
    on_ms, off_ms = p.contactor_settle_ms, max(p.contactor_min_off_ms, p.contactor_settle_ms)
    relay_ms = (
        max(p.precharge_timeout_ms, p.contactor_settle_ms)
        if state.precharge.relay.on
        else p.precharge_rest_ms
    )
    return (
        _fold_alarms(frame, state.alarms, aged),
        state.consent,
        # Frozen cells: see `_middle_mv`.
        tuple(_fold_kept(kept, now_ms, oldest_ms) for kept in (held.cells, held.sensors, held.singles)),
        len(held.reference_mv),
        state.good_cycles if not state.started else -1,
        _fold_switch(frame, state.charge, aged, on_ms if state.charge.on else max(off_ms, LAGS_MS), now_ms),
        _fold_switch(frame, state.discharge, aged, on_ms if state.discharge.on else off_ms, now_ms),
        _fold_switch(frame, state.precharge.relay, aged, relay_ms, now_ms),
        (min(state.precharge.tries, p.precharge_tries), state.precharge.held),
        _fold_switch(frame, state.heater, aged, 0 if state.heater.on else p.heater_min_off_ms, now_ms),
        # Every cycle is watched: the last one is now. How long it heated stays exact.
        (watch.heated_ms, watch.reference_decic, watch.run_ms) if frame.counts_heating else (0, None, 0),
        (aged(watch.stuck_since_ms, STUCK_MS), watch.measured),
        # The buzzer and balancing are not wired here.
        (state.commands.charge, state.commands.discharge, state.commands.precharge, state.commands.heater),
        # Only a reset more than before, and any at all, are asked for.
        min(state.resets, 1),
        (aged(state.opening.charge_ms, waits_ms), aged(state.opening.discharge_ms, waits_ms)),
        tuple(now_ms - t for t in state.shorts) if frame.counts_hour else (),
        # How many there were makes the pause; where the hour is not counted none of them ends.
        tuple(
            tuple((now_ms - t) * frame.counts_hour for t in times)
            for times in (state.overloads.charge, state.overloads.discharge)
        ),
        (
            aged(sleep.idle_since_ms, AGAIN_MS), sleep.asleep, aged(sleep.fresh_ms, BLIND_MS) if sleep.asleep else 0,
            sleep.waking, sleep.charger_side_seen,
        ) if frame.sleeps else None,
        # What it lifts is worked out in every cycle; where it is spent stays.
        None if state.override is None else (now_ms - state.override.began_ms, state.override.spent),
        state.asked_for,
        tuple((name, aged(t, p.contact_proof_ms)) for name, t in state.suspects),
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
        if state is not QUIET and state != QUIET and table[n].name not in TOLD_ONLY
    ])  # fmt: skip


def _fold_kept(kept: LastGood, now_ms: int, oldest_ms: int) -> tuple[Any, ...]:
    return tuple([
        (value, now_ms - at_ms) if value is not None and now_ms - at_ms <= oldest_ms else None
        for value, at_ms in zip(kept.values, kept.at_ms, strict=True)
    ])  # fmt: skip


def _fold_switch(frame: Frame, switch: SwitchState, aged: Aged, most_ms: int, now_ms: int) -> tuple[Any, ...]:
    starts: tuple[int, ...] = ()
    if frame.counts_hour:
        starts = _recent(frame, switch.starts_ms, now_ms)
    # One that never moved waits for nothing, as one that moved long ago.
    return (
        switch.on,
        aged(now_ms - HOUR_MS if switch.changed_ms is None else switch.changed_ms, most_ms),
        starts,
    )


def _recent(frame: Frame, times_ms: Iterable[int], now_ms: int) -> tuple[int, ...]:
    """Give the ages of what will still be of the last hour in the next cycle."""
    return tuple(now_ms - t for t in times_ms if now_ms - t + frame.tick_ms < HOUR_MS)


def _fold_watchers(
    frame: Frame, witness: Witness, ledger: Ledger, aged: Aged, now_ms: int
) -> tuple[Any, ...]:
    p = frame.settings.parameters
    oldest_ms = p.value_max_age_ms + SCAN_MS * frame.sleeps - frame.tick_ms
    last = [(name, value, now_ms - at_ms) for name, (value, at_ms) in sorted(witness.last.items())]
    rests = {"heater": p.heater_min_off_ms}
    return (
        tuple(told for told in last if told[2] <= oldest_ms),
        min(witness.good, p.start_good_cycles),
        _younger(frame, witness.opened_ms, rests.get, p.contactor_min_off_ms, now_ms),
        tuple((n, _recent(frame, ts, now_ms)) for n, ts in sorted(witness.closings_ms.items()))
        if frame.counts_hour else (),
        aged(witness.heater_since_ms, p.heater_max_run_ms if frame.counts_heating else 0),
        tuple((n, aged(t, p.opening_wait_ms)) for n, t in sorted(witness.refused_ms.items())),
        tuple(
            (n, e.active, aged(e.bad_ms, ledger.lines[n].delay_ms), aged(e.good_ms, ledger.lines[n].release_ms))
            for n, e in sorted(ledger.entries.items())
        ),
        _younger(frame, ledger.moved_ms, {}.get, p.contactor_settle_ms, now_ms),
        tuple(now_ms - t for t in ledger.shorts_ms) if frame.counts_hour else (),
        tuple(
            (n, tuple((now_ms - t) * frame.counts_hour for t in times))
            for n, times in sorted(ledger.overloads_ms.items())
        ),
        min(ledger.resets, 1),
        aged(witness.emergency_ms, HALF_HOUR_MS),
        tuple((name, aged(t, p.contact_proof_ms)) for name, t in sorted(ledger.suspects_ms.items())),
    )  # fmt: skip


def _younger(
    frame: Frame, times_ms: dict[str, int], most: Callable[[str, int], int], usual_ms: int, now_ms: int
) -> tuple[tuple[str, int], ...]:
    """Fold times that count until a certain age, and then are as if they had never been."""
    ages = [(name, now_ms - at_ms) for name, at_ms in sorted(times_ms.items())]
    return tuple((name, age) for name, age in ages if age + frame.tick_ms < most(name, usual_ms))


def unfold(frame: Frame, key: tuple[Any, ...], seen: set[str]) -> tuple[State, Witness, Ledger]:
    """Give the state that stands for a key, and those who watch it, as of `NOW_MS`."""
    state = unfold_state(frame, key)
    return state, *unfold_watchers(frame, key, state, seen)


def unfold_state(frame: Frame, key: tuple[Any, ...]) -> State:
    """Give the state that stands for a key, as of `NOW_MS`."""
    (noted, consent, kept, cells, good, charge, discharge, relay, tries, heater, watch, stuck, commands, resets,
     opening, shorts, overloads, sleep, override, asked_for, suspects), _ = key  # fmt: skip
    alarms = list(ALL_QUIET)
    for n, active, bad_age, good_age in noted:
        alarms[n] = AlarmState(
            active=active, since_ms=0, bad_since_ms=_back(bad_age), good_since_ms=_back(good_age)
        )
    heated_ms, reference, run_ms = watch
    middle = (_middle_mv(frame),) * cells
    return State(
        alarms=tuple(alarms) if noted else ALL_QUIET,
        soc=SocState(
            charge_mams=frame.settings.capacity_mah * HOUR_MS // 2, error_permille=250, last_ms=NOW_MS
        ),
        consent=consent,
        held=HeldReadings(*[_kept(group) for group in kept], middle, (False,) * cells, (0,) * cells),
        good_cycles=max(good, 0),
        started=good < 0,
        charge=_switch(charge),
        discharge=_switch(discharge),
        precharge=PrechargeState(_switch(relay), *tries),
        heater=_switch(heater),
        watch=WatchState(
            last_ms=NOW_MS,
            heated_ms=heated_ms,
            reference_decic=reference,
            run_ms=run_ms,
            stuck_since_ms=_back(stuck[0]),
            measured=stuck[1],
        ),
        commands=Commands(**dict(zip(Commands._fields, commands, strict=False))),
        resets=resets,
        opening=DeferredOpening(_back(opening[0]), _back(opening[1])),
        shorts=tuple(NOW_MS - age for age in shorts),
        overloads=_overloads(*[tuple(NOW_MS - age for age in ages) for ages in overloads]),
        sleep=_sleep(sleep),
        override=None if override is None else Override(NOW_MS - override[0], override[1]),
        asked_for=asked_for,
        suspects=tuple((name, NOW_MS - age) for name, age in suspects),
        limiting=_risen(frame),
        supply=SupplyState(side_seen=True),
    )


def _overloads(charge: tuple[int, ...], discharge: tuple[int, ...]) -> Overloads:
    return Overloads(charge, discharge) if charge or discharge else NONE


def _risen(frame: Frame) -> LimitState:
    """Give limits that have had time to rise."""
    p, cells, none = frame.settings.parameters, frame.settings.cells, from_zero(START_MS)
    charge_mv, discharge_mv = (
        RateLimited(mv * cells, mv * cells, START_MS) for mv in (p.cell_charge_mv, p.cell_discharge_mv)
    )
    return LimitState(
        charge_ma=none,
        charge_capability_ma=none,
        discharge_ma=none,
        charge_mv=charge_mv,
        discharge_mv=discharge_mv,
        charging=Charging(),
    )


def _middle_mv(frame: Frame) -> int:
    """Give a voltage that no level of the model is far from: a cell is judged frozen only when the middle one jumps."""
    return (frame.settings.parameters.cell_uvpr_mv + frame.settings.parameters.cell_ovpr_mv) // 2


def _kept(group: tuple[Any, ...]) -> LastGood:
    return LastGood(
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


def unfold_watchers(
    frame: Frame, key: tuple[Any, ...], state: State, seen: set[str]
) -> tuple[Witness, Ledger]:
    """Give those who watch the state that stands for a key: they take notes, so each decision has its own."""
    (
        last,
        good,
        opened,
        closings,
        heater_since,
        refused,
        entries,
        moved,
        shorts,
        overloads,
        resets,
        emergency,
        suspects,
    ) = key[1]
    witness = Witness(
        frame.settings,
        last={name: (value, NOW_MS - age) for name, value, age in last},
        good=good,
        opened_ms={name: NOW_MS - age for name, age in opened},
        closings_ms={name: [NOW_MS - age for age in ages] for name, ages in closings},
        heater_since_ms=_back(heater_since),
        emergency_ms=_back(emergency),
        refused_ms={name: NOW_MS - age for name, age in refused},
        seen=seen,
        older_ms=older_ms(state.sleep),
    )
    ledger = Ledger(frame.settings, witness, frame.rows)
    ledger.entries = {name: Entry(_back(bad), active, _back(good)) for name, active, bad, good in entries}
    ledger.moved_ms = {name: NOW_MS - age for name, age in moved}
    ledger.shorts_ms = tuple(NOW_MS - age for age in shorts)
    ledger.overloads_ms = {name: tuple(NOW_MS - age for age in ages) for name, ages in overloads}
    ledger.resets = resets
    ledger.suspects_ms = {name: NOW_MS - age for name, age in suspects}
    return witness, ledger
