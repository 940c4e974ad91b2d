"""Figures of the core itself, in this process: work per cycle, way to the output edge, bus, bench, disk."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from bmsd.afe import bq769x2_registers as reg
from bmsd.config.load import load
from bmsd.core import report
from bmsd.daemon import state_file
from tests.benchmarks.load import loaded_machine
from tests.benchmarks.rig import (
    PERIOD_MS,
    Clock,
    Figure,
    Rig,
    Series,
    as_service,
    folder_in_memory,
    median,
    percentile,
    timed_parts,
    write_config,
)

CYCLES = 4000
PACE_MS = 5
"""Between measured cycles the core sleeps, as in operation: caches cool down and the scheduler has to act."""
TRIPS = 300
IDLE_TRIPS = 100
TICK_MS = 5


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Treat garbage as the daemon does: what is there is frozen, the rest collected by hand."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def measured_cycles(*, loaded: bool, service: bool = True) -> dict[str, Series]:
    """Run cycles in real time beside whatever load there is, each on the next 250 ms of the pack."""
    with folder_in_memory() as folder, quiet_collector(), timed_parts() as parts:
        rig = Rig(folder, parts=parts).settle()
        rig.bench.plant.set("charger_a", 40.0)
        for one in parts.values():
            one.us.clear()
        scheduling = as_service() if service else nullcontext()
        with loaded_machine(folder) if loaded else nullcontext(), scheduling:
            for count in range(CYCLES):
                if count % 100 == 0:
                    gc.collect(0)
                    rig.bench.plant.set("load_w", 500.0 + count % 7 * 300)
                rig.clock.wait_until(rig.clock.now() + PERIOD_MS)
                rig.work(int(rig.clock.now()))
                time.sleep(PACE_MS / 1000)
    return parts


def cycle() -> list[Figure]:
    """Measure the core's work per cycle: idle, loaded, and loaded without what systemd gives the service."""
    idle, loaded = measured_cycles(loaded=False), measured_cycles(loaded=True)
    bare = measured_cycles(loaded=True, service=False)
    figures = []
    for share, budget_ms, title in ((500, 3, "median"), (999, 10, "p99.9")):
        us = [parts["whole"].share(share) for parts in (idle, loaded, bare)]
        figures.append(Figure(
            f"core work per cycle, {title}", f"<= {budget_ms} ms", _ms(us[0]), _ms(us[1]), us[1] / 1000 / budget_ms,
            f"{CYCLES} cycles each; loaded without the real-time class of bmsd.service {_ms(us[2])}",
        ))  # fmt: skip
    for part in ("poll", "step", "outputs", "publish"):
        texts = [f"{_ms(p[part].share(500))}, p99.9 {_ms(p[part].share(999))}" for p in (idle, loaded)]
        figures.append(Figure(f"of that: {part}", "", *texts))
    return figures


def _ms(us: float) -> str:
    return f"{us / 1000:.2f} ms"


class Trips:
    """Trip a protection again and again at a random moment of the period, and time the edges."""

    def __init__(self, folder: Path, *, real: bool) -> None:
        period = 0.1 if real else 0.25
        rules = f"""
period_s = {period}
cell_ovp_delay_s = {period}
cell_uvp_delay_s = {period}
contactor_min_off_s = 0.5
contactor_operations_per_hour = 600
cell_spread_v = 2.0
start_good_cycles = 2
"""
        config = load(write_config(folder, parameters=rules, precharge=False))
        self.rig = Rig(folder, config, Clock(real=real))
        self.period_ms = self.delay_ms = round(period * 1000)
        self.due_ms = int(self.rig.clock.now())
        self._draw = random.Random(3)
        self.lateness_ms: list[float] = []
        self.waiting: dict[str, tuple[int, Callable[[int], bool]]] = {}
        self.arrived: dict[str, float] = {}
        self.edges: dict[str, float] = {}

    def pass_time(self, ms: float) -> None:
        """Let time pass: the pack in small ticks, the core at its period with the daemon's arithmetic."""
        clock, rig = self.rig.clock, self.rig
        until = clock.now() + ms
        while clock.now() < until:
            clock.wait_until(min(clock.now() + TICK_MS, self.due_ms, until))
            rig.bench.advance(int(clock.now()))
            self._watch()
            if clock.now() < self.due_ms:
                continue
            out = rig.cycle(self.due_ms)
            self._watch()
            rig.publish(out, int(clock.now()))
            self.due_ms = max(self.due_ms + self.period_ms, int(clock.now()))

    def _watch(self) -> None:
        """See values arrive in the chip's registers, and lines change."""
        now, registers = self.rig.clock.now(), self.rig.bench.chip.registers
        for name, (cell, beyond) in self.waiting.items():
            at = reg.CELL_1 + 2 * (cell - 1)
            value = int.from_bytes(registers[at : at + 2], "little")
            if self.arrived.get(name) is None and beyond(value):
                self.arrived[name] = now
            if self.edges.get(name) is None and not self.rig.bench.lines.read(name):
                self.edges[name] = now

    def run(self, count: int) -> list[float]:
        """Give the lateness of each edge beyond the protection's delay, in milliseconds."""
        self.pass_time(6000)
        p, plant = self.rig.config.parameters, self.rig.bench.plant
        while len(self.lateness_ms) < count:
            self.waiting, self.arrived, self.edges = {}, {}, {}
            self.pass_time(self._draw.random() * self.period_ms)
            self.waiting["charge"] = (7, lambda mv: mv > p.cell_ovp_mv)
            plant.cell(7, offset_mv=400)
            self.pass_time(self._draw.random() * self.period_ms)
            self.waiting["discharge"] = (3, lambda mv: mv < p.cell_uvp_mv)
            plant.cell(3, offset_mv=-640)
            self.pass_time(self.delay_ms + 2 * self.period_ms + 50)
            self.lateness_ms += [
                self.edges[name] - self.arrived[name] - self.delay_ms for name in ("charge", "discharge")
            ]
            plant.cell(7, offset_mv=0)
            plant.cell(3, offset_mv=0)
            self.waiting = {}
            self.pass_time(500)
            while not (self.rig.bench.lines.read("charge") and self.rig.bench.lines.read("discharge")):
                self.pass_time(self.period_ms)
        return self.lateness_ms


def edge() -> list[Figure]:
    """Measure the way from the chip's register to the output edge, beyond the protection's own delay."""
    virtual, period_ms = _trips(TRIPS, real=False)
    figures = [_edge("virtual time", period_ms, virtual, [])]
    idle, period_ms = _trips(IDLE_TRIPS, real=True)
    loaded, period_ms = _trips(TRIPS, real=True, loaded=True)
    return [*figures, _edge("real time", period_ms, idle, loaded)]


def _trips(count: int, *, real: bool, loaded: bool = False) -> tuple[list[float], int]:
    with folder_in_memory() as folder, quiet_collector():
        trips = Trips(folder, real=real)
        with loaded_machine(folder) if loaded else nullcontext(), as_service() if real else nullcontext():
            return trips.run(count), trips.period_ms


def _edge(title: str, period_ms: int, idle: list[float], loaded: list[float]) -> Figure:
    texts = [f"{percentile(one, 999):.0f} ms, median {median(one):.0f}" for one in (idle, loaded) if one]
    budget_ms = period_ms + 10
    return Figure(
        f"register to output edge, p99.9, {title}, period {period_ms} ms", f"<= {budget_ms} ms",
        texts[0], texts[1] if loaded else "", max(percentile(one, 999) for one in (idle, loaded) if one) / budget_ms,
        f"{len(idle)} trips idle, {len(loaded)} loaded, at random moments; seen in steps of {TICK_MS} ms",
    )  # fmt: skip


WANTED = (
    *((register, 1) for register in (reg.SAFETY_STATUS_A, reg.SAFETY_STATUS_B, reg.SAFETY_STATUS_C)),
    (reg.BATTERY_STATUS, 2),
    *((reg.CELL_1 + 2 * number, 2) for number in range(16)),
    *((register, 2) for register in (reg.STACK, reg.PACK_PIN, reg.LD_PIN, reg.CC2_CURRENT)),
    *((register, 2) for register in (reg.TS1, reg.TS2, reg.TS3)),
)
"""Register and length of every value one decision needs."""


def least_bytes() -> int:
    """Work out the fewest bytes for the values with checksums: the best of all ways to group them.

    A read costs three bytes (address, register, address) and two per data byte; at most 32 data bytes. Whether
    there is something new has to be read and cleared, too: 7 and 6 bytes.
    """
    values = sorted(WANTED)
    best = [0] + [10**9] * len(values)
    for end in range(1, len(values) + 1):
        for first in range(end):
            span = values[end - 1][0] + values[end - 1][1] - values[first][0]
            if span <= reg.BLOCK:
                best[end] = min(best[end], best[first] + 3 + 2 * span)
    return best[-1] + 7 + 6


def bus() -> list[Figure]:
    """Count the bytes on the wire per cycle in steady operation."""
    with folder_in_memory() as folder:
        rig = Rig(folder).settle()
        before, cycles = rig.control.wire_bytes, 1600
        for _ in range(cycles):
            rig.clock.wait_until(rig.clock.now() + PERIOD_MS)
            rig.cycle()
        each = (rig.control.wire_bytes - before) / cycles
    least = least_bytes()
    return [Figure(
        "bus bytes per cycle", f"<= 1.15 x {least}", f"{each:.1f} = {each / least:.3f} x", "",
        each / least / 1.15, "checksums on; the settings' checks of S6 included",
    )]  # fmt: skip


def bench() -> list[Figure]:
    """Measure how much faster than real time the bench runs, by the processor time it takes."""
    speeds = []
    for _ in range(5):
        with folder_in_memory() as folder:
            rig = Rig(folder).settle()
            rig.bench.plant.set("charger_a", 40.0)
            begun, cycles = time.process_time(), 4000
            for _ in range(cycles):
                rig.clock.wait_until(rig.clock.now() + PERIOD_MS)
                rig.cycle()
            speeds.append(cycles * PERIOD_MS / 1000 / (time.process_time() - begun))
    speed = median(speeds)
    return [Figure(
        "bench speed, 16 cells, 250 ms", ">= 2000 x real time", f"{speed:.0f} x", "", 2000 / speed,
        f"{PERIOD_MS * 1000 / speed:.0f} µs per cycle all in; the best of 5 runs {max(speeds):.0f} x",
    )]  # fmt: skip


def disk() -> list[Figure]:
    """Work out the state file's writes per day from an hour of charging with a latched alarm in it."""
    with folder_in_memory() as folder:
        rig = Rig(folder).settle(3600)
        control = rig.control
        latched = report.latched(control.state)
        size = len(
            state_file.encode(
                state_file.Stored(control.state.soc, control.state.consent, latched, {}, 3_600_000)
            )
        )
    daily = 86_400_000 / state_file.EVERY_MS * size
    return [Figure(
        "disk writes a day, steady", "<= 1 MiB", f"{daily / 1024:.0f} KiB", "", daily / 2**20,
        f"{size} bytes every {state_file.EVERY_MS // 60_000} min; the runtime directory is memory",
    )]  # fmt: skip
