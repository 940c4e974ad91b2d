"""What all measurements share: the pack, a controller on the bench with its timings, and figures of a series."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bmsd.config.load import Config, load
from bmsd.control import controller as controller_module
from bmsd.control.controller import Board, Controller
from bmsd.core.report import Cycle
from bmsd.core.state import begin
from bmsd.daemon.event_log import Ring
from bmsd.daemon.publishing import CorePublisher
from bmsd.hardware import outputs as outputs_module
from bmsd.ipc.shared_files import monotonic_ms
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings

PERIOD_MS = 250
CONFIG = """
[pack]
chemistry = "lifepo4"
cells = 16
capacity_ah = 280
[afe]
chip = "bq76952"
shunt_mohm = 0.25
[outputs]
{contactors}
{precharge}
heater = 23
buzzer = 24
heartbeat = 25
[switches]
topology = "{topology}"
[heater]
resistance_ohm = 24.0
supply = "{supply}"
{sections}
[parameters]
charge_ocp_a = 100
discharge_ocp_a = 150
{parameters}
"""


CONTACTOR_LINES = {
    "split": "charge = 17\ndischarge = 27\ncharge_feedback = 5\ndischarge_feedback = 6",
    "common": "main = 17\nmain_feedback = 5",
}


def write_config(
    folder: Path,
    sections: str = "",
    parameters: str = "",
    *,
    precharge: bool = True,
    topology: str = "split",
) -> Path:
    """Write the configuration of the pack that everything is measured with."""
    path = folder / "bmsd.toml"
    text = CONFIG.format(
        sections=sections,
        parameters=parameters,
        precharge="precharge = 22" if precharge else "",
        contactors=CONTACTOR_LINES[topology],
        topology=topology,
        supply="pack" if topology == "common" else "charger",
    )
    path.write_text(text)
    return path


SKIPPED = "**skipped**"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure against its budget; `ratio` is figure over budget, the other way for speeds."""

    what: str
    budget: str
    idle: str
    loaded: str = ""
    ratio: float | None = None
    note: str = ""


@dataclass
class Series:
    """Times of one part of the work, in microseconds."""

    us: list[float] = field(default_factory=list)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that its times are kept."""

        def timed(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter_ns()
            try:
                return function(*arguments, **named)
            finally:
                self.us.append((time.perf_counter_ns() - begun) / 1000)

        return timed

    def share(self, permille: float) -> float:
        return percentile(self.us, permille)


def percentile(values: Sequence[float], permille: float) -> float:
    """Give the value that so many permille of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * permille / 1000))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


@contextmanager
def as_service() -> Iterator[bool]:
    """Run as bmsd.service does, first in, first out before everyone else; tell whether that was allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(20))
    except (OSError, AttributeError):
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Make a folder in memory, as the runtime directory is."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@contextmanager
def timed_parts() -> Iterator[dict[str, Series]]:
    """Time the parts of every controller's cycle meanwhile."""
    parts = {name: Series() for name in ("whole", "poll", "step", "outputs", "publish")}
    step, apply = controller_module.step, outputs_module.apply
    controller_module.step, outputs_module.apply = parts["step"](step), parts["outputs"](apply)
    try:
        yield parts
    finally:
        controller_module.step, outputs_module.apply = step, apply


class Clock:
    """Virtual or real milliseconds, with the same two questions."""

    def __init__(self, *, real: bool) -> None:
        self.real = real
        self._now_ms = 1000.0
        self._ahead_ms = 0.0

    def now(self) -> float:
        return time.monotonic_ns() / 1e6 + self._ahead_ms if self.real else self._now_ms

    def become(self, *, real: bool) -> None:
        """Go on from this moment in real or in virtual time."""
        now = self.now()
        self.real = real
        self._now_ms = now
        self._ahead_ms = now - time.monotonic_ns() / 1e6

    def wait_until(self, ms: float) -> None:
        if self.real:
            time.sleep(max(0.0, ms - self.now()) / 1000)
        else:
            self._now_ms = max(self._now_ms, ms)


class Rig:
    """The core's work in this process: a controller on the bench, and what it publishes."""

    def __init__(
        self,
        folder: Path,
        config: Config | None = None,
        clock: Clock | None = None,
        parts: dict[str, Series] | None = None,
    ) -> None:
        self.config = config or load(write_config(folder))
        self.clock = clock or Clock(real=False)
        plant = PlantSettings(common=self.config.topology == "common")
        self.bench = Bench(self.config, plant, now_ms=int(self.clock.now()), happenings=())
        self.control = Controller(
            self.config, self.config.parameters, self.board(), begin(int(self.clock.now()))
        )
        self.publisher = CorePublisher(folder, self.config.cells, simulated=True)
        self.ring = Ring()
        self.sequence = 0
        self.parts = parts or {}
        self._guard_reads, self._guard = os.pipe()

    def board(self) -> Board:
        """Give the board the controller is attached to."""
        return self.bench.board(self._chip_wait)

    def close(self) -> None:
        """Let go of the guard's pipe."""
        os.close(self._guard_reads)
        os.close(self._guard)

    def _chip_wait(self, ms: int) -> None:
        if self.clock.real:
            self.clock.wait_until(self.clock.now() + ms)

    def cycle(self, now_ms: int | None = None) -> Any:
        """Run one cycle with the bench brought up to its time first."""
        now = int(self.clock.now()) if now_ms is None else now_ms
        self.bench.advance(now)
        out = self.control.cycle(now)
        self.bench.tell_inverter(out.limits)
        return out

    def publish(self, out: Any, now_ms: int) -> None:
        """Share one cycle as the daemon does."""
        control = self.control
        self.sequence += 1
        if self.ring.add(out.events):
            self.publisher.events(self.ring, now_ms)
        running = Cycle(
            sequence=self.sequence,
            uptime_ms=now_ms,
            runtime_ms=now_ms,
            last_us=1000,
            worst_us=2000,
            overruns=0,
            disk_bytes=0,
        )
        self.publisher.snapshot(control, running, self.ring.sequence, now_ms)

    def work(self, now_ms: int) -> None:
        """Do all of one cycle's work but the bench's own, and keep how long each part took."""
        self.bench.advance(now_ms)
        begun = time.perf_counter_ns()
        out = self.control.cycle(now_ms)
        decided = time.perf_counter_ns()
        self.publish(out, monotonic_ms())  # links judge its age by the real clock
        os.write(self._guard, b"b")
        done = time.perf_counter_ns()
        os.read(self._guard_reads, 1)
        self.bench.tell_inverter(out.limits)
        inner = self.parts["step"].us[-1] + self.parts["outputs"].us[-1]
        self.parts["whole"].us.append((done - begun) / 1000)
        self.parts["poll"].us.append((decided - begun) / 1000 - inner)
        self.parts["publish"].us.append((done - decided) / 1000)

    def settle(self, seconds: float = 60.0) -> Rig:
        """Run in virtual time until both contactors have closed and every start is over."""
        until = self.clock.now() + seconds * 1000
        while self.clock.now() < until:
            self.clock.wait_until(self.clock.now() + self.control.parameters.period_ms)
            self.cycle()
        assert self.bench.lines.read("charge")
        assert self.bench.lines.read("discharge")
        return self
