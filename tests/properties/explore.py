"""Drive the core's `step` through every state that a reduced model can reach, and have every decision watched.

A model says which inputs may come in any cycle. The search goes on until no new state appears, so that its verdict
holds for every sequence of these inputs, of any length. Run it with `./run explore`, or `./run explore --big`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

from bmsd.core import step as deciding
from bmsd.core import transitions
from bmsd.core.state import Outputs, State, begin
from bmsd.core.types import AfeReport, AfeState, ChipFault, Inputs, Levels, Measurement, Request
from bmsd.tables.alarms import ALARMS, Release
from tests.properties.folding import NOW_MS, Frame, fold, unfold_state, unfold_watchers
from tests.properties.ledger import Ledger
from tests.properties.witness import Witness
from tests.support.bench_inputs import START_MS

MENDING = ("mended", "alone")
"""The first inputs of every model, as the lists of a graph keep where they lead."""
FOLLOW = "follow"
NONE = ChipFault.NONE


class Say(NamedTuple):
    """What comes in during one cycle."""

    after_ms: int = 500
    cells: tuple[int | None, ...] = (3010, 3010)
    current_ma: int | None = 0
    battery: tuple[int | None, ...] = (250, 250)
    switch_decic: int | None = 300
    charger_mv: int | None = 0
    load: int | str | None = FOLLOW
    polled: bool = True
    afe: AfeState = AfeState.READY
    chip_reset: bool = False
    faults: ChipFault = NONE
    charge_contact: bool | str | None = FOLLOW
    discharge_contact: bool | str | None = FOLLOW
    charge_line: bool | str | None = FOLLOW
    discharge_line: bool | str | None = FOLLOW
    heater_line: bool | str | None = FOLLOW
    heater_ma: int | None = None
    requests: tuple[Request, ...] = ()


PLAIN = Say()


def every(base: Say = PLAIN, **choices: tuple[Any, ...]) -> tuple[Say, ...]:
    """Combine every choice with every other."""
    return tuple(
        base._replace(**dict(zip(choices, chosen, strict=True))) for chosen in product(*choices.values())
    )


def heard(say: Say, state: State, now_ms: int, usual_mv: int = 3010) -> Inputs:
    """Turn what comes in into the inputs of a decision; lines, contacts and load side follow what was commanded."""
    was = state.commands
    stack_mv = sum([usual_mv if mv is None else mv for mv in say.cells])
    load = (stack_mv if was.precharge or was.discharge else 0) if say.load == FOLLOW else say.load
    measured = Measurement(
        cell_mv=say.cells,
        stack_mv=stack_mv,
        charger_mv=say.charger_mv,
        load_mv=load,
        current_ma=say.current_ma,  # type: ignore[arg-type]
        battery_decic=say.battery,
        switch_decic=say.switch_decic,
        faults=say.faults,
    )
    report = AfeReport(say.afe, measured if say.polled else None, resets=state.resets + say.chip_reset)
    lines = Levels(
        charge=_either(say.charge_line, was.charge),
        discharge=_either(say.discharge_line, was.discharge),
        precharge=was.precharge,
        heater=_either(say.heater_line, was.heater),
    )
    contacts = Levels(
        charge=_either(say.charge_contact, was.charge),
        discharge=_either(say.discharge_contact, was.discharge),
    )
    return Inputs(now_ms, report, lines, contacts, say.heater_ma, say.requests)


def _either(said: bool | str | None, commanded: bool) -> bool | None:
    return commanded if said == FOLLOW else said  # type: ignore[return-value]


@dataclass(frozen=True)
class Model:
    """A reduced pack: how it is folded, what may come in, and what makes everything good again."""

    name: str
    what: str
    """What it is about, for people."""
    rules: str
    frame: Frame
    mend: Say
    """Good values and every reset: from every state, this alone must lead back."""
    says: tuple[Say, ...]
    """Everything else that may come in."""
    most_cycles: int | None = None
    """A bound on the length of sequences; None: none."""
    prelude: tuple[Say, ...] = ()
    """What came in before the search begins."""

    @property
    def alone(self) -> Say:
        """Give the mending input without anybody who asks for something."""
        return self.mend._replace(requests=())

    @property
    def inputs(self) -> tuple[Say, ...]:
        """Give every input, the mending one first, then the same with nobody there."""
        first = (self.mend, self.alone)
        return (*first, *[say for say in self.says if say not in first])


class BrokenRuleError(AssertionError):
    """A rule was broken; the message tells by which inputs from the start."""


@dataclass
class Found:
    """What an exploration found."""

    states: int = 0
    transitions: int = 0
    longest: int = 0
    """Cycles to the farthest state."""
    complete: bool = True
    back: int = 0
    """Cycles that mending takes from the worst state."""
    alone: int = 0
    """Cycles that it takes where nobody asks for anything, from the worst state that needs nobody (S15)."""
    waits: dict[str, int] = field(default_factory=dict)
    """What the other states wait for, with the number of states: alarms that latch, switches that are off."""
    seconds: float = 0.0
    """Processor time that the search took."""
    seen: set[str] = field(default_factory=set)


class Step(NamedTuple):
    """Where an input leads, whether all is well there, and for which word of a person it waits."""

    to: int
    is_well: bool
    waits: frozenset[str]


class _Graph:
    """The states met so far, how each was come by, and where mending leads from each."""

    def __init__(self) -> None:
        self.number: dict[tuple[Any, ...], int] = {}
        self.keys: list[tuple[Any, ...]] = []
        self.come_by: list[tuple[int, int]] = []
        self.mended: list[Step] = []
        self.alone: list[Step] = []

    def meet(self, key: tuple[Any, ...], before: int, say: int) -> int:
        """Give the number of a state, a new one where it is new."""
        known = self.number.setdefault(key, len(self.keys))
        if known == len(self.keys):
            self.keys.append(key)
            self.come_by.append((before, say))
        return known

    def way(self, state: int) -> Iterator[int]:
        """Give the inputs that lead to a state, last first."""
        while state:
            state, say = self.come_by[state]
            yield say


def first(model: Model, seen: set[str]) -> tuple[State, Witness, Ledger, int]:
    """Give the state after the prelude, those who watched it, and its time."""
    frame, state, now_ms = model.frame, begin(START_MS), START_MS
    witness = Witness(frame.settings, seen=seen)
    ledger = Ledger(frame.settings, witness, frame.rows)
    for say in model.prelude:
        now_ms += say.after_ms
        state, _ = decide(frame, state, witness, ledger, say, now_ms)
    return state, witness, ledger, now_ms


def decide(
    frame: Frame, state: State, witness: Witness, ledger: Ledger, say: Say, now_ms: int
) -> tuple[State, Outputs]:
    """Take one decision and let it be watched."""
    inputs = heard(say, state, now_ms)
    after, out = deciding.step(frame.settings, state, inputs)
    witness(None, state, inputs, after, out)
    ledger(state, inputs, after)
    if after.sleep.asleep:
        witness.seen.add("asleep")
    return after, out


@contextmanager
def _rows_noted(seen: set[str]) -> Iterator[None]:
    """Note every row of a table of transitions that holds in a decision."""
    find = transitions.StateMachine.find

    def noting(self: Any, place: Any, at: Any) -> Any:
        row = find(self, place, at)
        if row is not None:
            seen.add(row.words())
        return row

    transitions.StateMachine.find = noting  # type: ignore[method-assign]
    try:
        yield
    finally:
        transitions.StateMachine.find = find  # type: ignore[method-assign]


def explore(model: Model, most_states: int = 5_000_000) -> Found:
    """Search until no new state appears; raise `BrokenRuleError` at the first rule that is broken."""
    began, found, graph, inputs = time.process_time(), Found(), _Graph(), model.inputs
    graph.meet(fold(model.frame, *first(model, found.seen)), 0, 0)
    at, layer_ends = 0, 1
    with _rows_noted(found.seen):
        while at < len(graph.keys):
            if at == layer_ends:
                found.longest += 1
                layer_ends = len(graph.keys)
            if found.longest == model.most_cycles or len(graph.keys) > most_states:
                found.complete = False
                break
            _leave(model, graph, at, inputs, found)
            at += 1
    found.states, found.transitions = len(graph.keys), at * len(inputs)
    found.back, _ = _longest_way_back(model, graph, graph.mended, 0)
    found.alone, found.waits = _longest_way_back(model, graph, graph.alone, 1)
    found.seconds = time.process_time() - began
    return found


def _leave(model: Model, graph: _Graph, at: int, inputs: tuple[Say, ...], found: Found) -> None:
    """Take every input in one state."""
    frame, key = model.frame, graph.keys[at]
    state = unfold_state(frame, key)
    for n, say in enumerate(inputs):
        witness, ledger = unfold_watchers(frame, key, state, found.seen)
        now_ms = NOW_MS + say.after_ms
        try:
            after, out = decide(frame, state, witness, ledger, say, now_ms)
        except AssertionError as objection:
            raise BrokenRuleError(_tell(model, graph, at, n, str(objection))) from None
        known = graph.meet(fold(frame, after, witness, ledger, now_ms), at, n)
        if n < len(MENDING):
            waits = _waits(after) if n else frozenset()
            getattr(graph, MENDING[n]).append(Step(known, _is_well(out), waits))


def _is_well(out: Outputs) -> bool:
    both = out.commands.charge and out.commands.discharge
    return both and out.charge_allowed and out.discharge_allowed


def _waits(state: State) -> frozenset[str]:
    """Name what only a person ends: alarms that latch, switches that somebody put off."""
    latched = {
        a.name for a, s in zip(ALARMS, state.alarms, strict=True) if s.active and a.ends is Release.OPERATOR
    }
    consent = state.consent
    off = {name for name in ("charge", "discharge") if not getattr(consent, name)}
    return frozenset(latched | off)


def _longest_way_back(model: Model, graph: _Graph, steps: list[Step], say: int) -> tuple[int, dict[str, int]]:
    """Follow a mending input from every state; raise `BrokenRuleError` where nothing ever gets well for no reason.

    The longest of the ways that end well, and what the others wait for. No fairness is asked for: the input is the
    same in every cycle, and the core decides alone.
    """
    cycles: dict[int, int | frozenset[str]] = {n: 1 for n, step in enumerate(steps) if step.is_well}
    for start in range(len(steps)):
        way, at = [], start
        while at not in cycles and at < len(steps):
            way.append(at)
            cycles[at] = -1
            at = steps[at].to
        end = cycles.get(at, 0)
        if end == -1:
            end = steps[at].waits
            if not end:
                raise BrokenRuleError(
                    _tell(model, graph, at, say, "nothing closes again though everything is good")
                )
        for n in reversed(way):
            cycles[n] = end = end if isinstance(end, frozenset) else end + 1
    waits = Counter(name for end in cycles.values() if isinstance(end, frozenset) for name in end)
    return max([end for end in cycles.values() if isinstance(end, int)], default=0), dict(waits)


def _tell(model: Model, graph: _Graph, at: int, say: int, objection: str) -> str:
    """Tell an objection with the shortest sequence that leads to it."""
    plain, lines = PLAIN, []
    for n in [*reversed(list(graph.way(at))), say]:
        said = model.inputs[n]._asdict()
        lines.append({name: value for name, value in said.items() if value != getattr(plain, name)})
    steps = "\n".join(f"  {n}: {line}" for n, line in enumerate(lines, 1))
    return f"{model.name}: {objection}\nafter these inputs:\n{steps}"
