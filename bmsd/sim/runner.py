"""Run the real controller and chip driver in virtual time: no sleeping, no wall clock, the same bits each time.

`Virtual` is the loop of the daemon with a number for a clock; `run` lets a scenario happen to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bmsd.config.load import Config
from bmsd.control.controller import Board, Controller
from bmsd.core import report
from bmsd.core.report import Cycle
from bmsd.core.state import Outputs, State, begin
from bmsd.core.types import Event, Request
from bmsd.sim.bench import Bench
from bmsd.sim.expect import Checker
from bmsd.sim.recorder import CsvFile, Trace
from bmsd.sim.scenario import Happening, Scenario
from bmsd.tables import alarms
from bmsd.tables.alarms import BOTH, Block, Severity


class World(Protocol):
    """What the controller is attached to."""

    def board(self, sleep_ms: Callable[[int], None]) -> Board:
        """Give the doors that hardware has."""
        ...

    def advance(self, now_ms: int) -> None:
        """Let everything outside the controller run until a time."""
        ...

    def pause(self, now_ms: int) -> None:
        """Let the chip run until a time, within a cycle."""
        ...


class Virtual:
    """A controller whose time is a number."""

    def __init__(self, config: Config, world: World, state: State | None = None) -> None:
        self.now_ms = 0
        self._world = world
        self._sequence = 0
        self.control = Controller(config, config.parameters, world.board(self._wait), state or _begin(config))

    def cycle(self, at_ms: int, requests: tuple[Request, ...] = ()) -> Outputs:
        """Run one cycle at a time, or later when the last one waited beyond it."""
        self.now_ms = max(self.now_ms, at_ms)
        self._world.advance(self.now_ms)
        self._sequence += 1
        return self.control.cycle(self.now_ms, requests)

    def points(self) -> dict[str, Any]:
        """Give the points of the last cycle; how long it took is unknown, for virtual time is free."""
        control = self.control
        if control.out is None or control.inputs is None:
            return {}
        at_ms = control.inputs.now_ms
        cycle = Cycle(
            sequence=self._sequence,
            uptime_ms=at_ms,
            runtime_ms=at_ms,
            last_us=0,
            worst_us=0,
            overruns=0,
            disk_bytes=0,
        )
        points: dict[str, Any] = report.points(
            control.settings, control.state, control.out, control.inputs, control.levels, cycle
        )
        return points | {"cycle_last_us": None, "cycle_worst_us": None}

    def _wait(self, duration_ms: int) -> None:
        self.now_ms += duration_ms
        self._world.pause(self.now_ms)


def _begin(config: Config) -> State:
    return begin(0, asked_for=BOTH if config.closes_by_itself else Block.NONE)


@dataclass(slots=True)
class Extreme:
    """The furthest value seen, with its cell and its time."""

    value: int | None = None
    where: int | None = None
    at_ms: int = 0

    def take(self, value: int | None, where: int | None, at_ms: int, *, higher: bool) -> None:
        """Take a value if it is further out."""
        if value is None:
            return
        if self.value is None or (value > self.value if higher else value < self.value):
            self.value, self.where, self.at_ms = value, where, at_ms


@dataclass(slots=True)
class Summary:
    """What a run came to."""

    simulated_ms: int = 0
    cycles: int = 0
    trips: dict[str, int] = field(default_factory=dict)
    """Protections and faults by name, with how often they were raised."""
    lowest: Extreme = field(default_factory=Extreme)
    highest: Extreme = field(default_factory=Extreme)
    heater_j: float = 0.0

    def take(self, out: Outputs, at_ms: int) -> None:
        """Take one decision."""
        self.cycles += 1
        low, high = out.values.cell_min, out.values.cell_max
        if low.complete:
            self.lowest.take(low.value, low.where, at_ms, higher=False)
            self.highest.take(high.value, high.where, at_ms, higher=True)
        for event in out.events:
            if event.kind == "alarm" and event.state == "raised":
                row = alarms.BY_NAME[event.name]
                if row.severity is not Severity.WARNING:
                    self.trips[event.name] = self.trips.get(event.name, 0) + 1


Tell = Callable[[int, Event | Happening], None]
Progress = Callable[[int, int], None]
"""Hears the simulated time now, and that of the end."""


def run(
    config: Config,
    scenario: Scenario,
    tell: Tell,
    csv: CsvFile | None = None,
    trace: Trace | None = None,
    progress: Progress = lambda _at_ms, _of_ms: None,
) -> tuple[Summary, list[str]]:
    """Run a scenario; give what it came to and what was not as expected. `progress` hears how far it is."""
    bench = Bench(config, scenario.plant, happenings=scenario.happenings)
    virtual, checker, summary = Virtual(config, bench), Checker(scenario.expectations), Summary()
    pending = list(scenario.happenings)
    due_ms = sample_ms = heated_ms = 0
    period_ms = config.parameters.period_ms
    while due_ms <= scenario.duration_ms:
        out = virtual.cycle(due_ms, _requests(pending, due_ms, tell))
        at_ms = virtual.control.inputs.now_ms if virtual.control.inputs else due_ms
        bench.tell_inverter(out.limits)
        summary.heater_j += bench.plant.element.power_w * (at_ms - heated_ms) / 1000
        heated_ms = at_ms
        summary.take(out, at_ms)
        if out.events:
            _take_events(out.events, tell, checker, trace)
        is_sample = at_ms >= sample_ms
        if is_sample or checker.needs_points(at_ms):
            points = virtual.points()
            checker.look(at_ms, points)
            if is_sample:
                _record(at_ms, points, csv, trace)
                sample_ms += scenario.sample_ms
                progress(at_ms, scenario.duration_ms)
        # Always a multiple of the period, so that samples keep their times; what was missed is not made up.
        due_ms = -(-max(due_ms + virtual.control.period_ms, virtual.now_ms) // period_ms) * period_ms
    summary.simulated_ms = virtual.now_ms
    return summary, checker.failures()


def _requests(pending: list[Happening], now_ms: int, tell: Tell) -> tuple[Request, ...]:
    """Take what happens now: tell it, and give what the core is asked."""
    requests = []
    while pending and pending[0].at_ms <= now_ms:
        happening = pending.pop(0)
        if happening.request is not None:
            requests.append(happening.request)
        else:
            tell(happening.at_ms, happening)
    return tuple(requests)


def _take_events(events: Iterable[Event], tell: Tell, checker: Checker, trace: Trace | None) -> None:
    events = tuple(events)
    for event in events:
        tell(event.at_ms, event)
        checker.take(event)
    if trace is not None:
        trace.take(events)


def _record(at_ms: int, points: Mapping[str, Any], csv: CsvFile | None, trace: Trace | None) -> None:
    if csv is not None:
        csv.write(at_ms, points)
    if trace is not None:
        trace.add(at_ms, points)
