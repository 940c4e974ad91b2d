"""What the commands of `bmsim` do: run a scenario, replay a recording, list the words of scenarios."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from bmsd.config.load import Config, load
from bmsd.core.types import Event
from bmsd.ipc import sentences
from bmsd.sim import replay, scenario
from bmsd.sim.faults import CELL_SETTABLES, CHIP_FAULTS, FAULTS, SETTABLES
from bmsd.sim.recorder import CsvFile, Trace
from bmsd.sim.recording import Recording
from bmsd.sim.runner import Extreme, Summary, run
from bmsd.sim.scenario import Happening
from bmsd.tables import parameters
from bmsd.tables.rows import VOLT

EXIT_GOOD, EXIT_FAILED = 0, 1
BENCH_CONFIG = Path(__file__).parent / "data" / "bench.toml"
OPEN_LOOP = "Switching is open-loop: a recording does not react to contactors that open"


def complain(text: str) -> None:
    """Say one line on standard error."""
    print(f"bmsim: {text}", file=sys.stderr)


def run_scenario(options: argparse.Namespace) -> int:
    """Run a scenario and check what is expected of it."""
    config = _with_period(load(options.config or BENCH_CONFIG), options.period_ms)
    wanted = scenario.parse(scenario.find(options.scenario, Path()), config)
    print(f"{wanted.title} ({_pack_text(config)})")
    with _outputs(options, config, wanted.title) as (csv, trace):
        began = time.perf_counter()
        summary, failures = run(config, wanted, _teller(options.quiet), csv, trace, progress())
        took_s = time.perf_counter() - began
    _summarise(summary, took_s)
    count = len(wanted.expectations)
    print(f"checks: {count - len(failures)} of {count} as expected")
    for failure in failures:
        complain(f"failed: {failure}")
    return EXIT_FAILED if failures else EXIT_GOOD


def replay_recording(options: argparse.Namespace) -> int:
    """Feed a recording through the chip simulation and the core, row by row, without looking ahead."""
    with Recording(options.recording, options.columns) as recording:
        config = load(options.config) if options.config else None
        base = config or load(BENCH_CONFIG)
        pack = replay.pack_of(base, recording, options.chemistry, options.capacity_ah, own=config is not None)
        pack = _with_period(pack, options.period_ms or replay.PERIOD_MS)
        start = replay.start_soc(pack, recording, options.initial_soc, options.ocv)
        print(f"{options.recording.name} as {_pack_text(pack)}; {recording.told}")
        print(f"{OPEN_LOOP}.")
        with _outputs(options, pack, options.recording.name) as (csv, trace):
            began = time.perf_counter()
            done = replay.replay(
                pack, recording, start, _teller(options.quiet), csv, trace, options.hold_s, progress()
            )
            took_s = time.perf_counter() - began
    _summarise(done.summary, took_s)
    print(f"rows: {done.rows}; gaps skipped: {done.gaps}, {done.gap_s:.0f} s; values held: {recording.held}")
    if done.error.count:
        print(f"error against soc_ref after the first hour: {done.error.text()}")
    return EXIT_GOOD


def list_words(_options: argparse.Namespace) -> int:
    """List the scenarios that ship, and the words a scenario is written in."""
    config = load(BENCH_CONFIG)
    print("Scenarios that ship with bmsd:")
    for name in scenario.names():
        print(f"  {name:24} {scenario.parse(scenario.find(name, Path()), config).title}")
    for title, rows in (
        ("Quantities of the bench (set):", SETTABLES),
        ("of one cell (values):", CELL_SETTABLES),
    ):
        print(title)
        for name, row in rows.items():
            print(f"  {name:24} {row.low:.10g} to {row.high:.10g} {row.unit}: {row.meaning}")
    print("Faults (fault):")
    for name, fault in FAULTS.items():
        print(f"  {name:24} {fault.meaning}")
    for name, (_, meaning) in CHIP_FAULTS.items():
        print(f"  {name:24} {meaning}")
    return EXIT_GOOD


def _with_period(config: Config, period_ms: int | None) -> Config:
    """Give the configuration with another control period; raise ParameterError outside its range."""
    if period_ms is None:
        return config
    changed = parameters.changed(config.parameters, {"period_ms": period_ms}, config.cells)
    return replace(config, parameters=changed)


@contextmanager
def _outputs(
    options: argparse.Namespace, config: Config, title: str
) -> Iterator[tuple[CsvFile | None, Trace | None]]:
    """Open what is asked for before a long run, not after it, and finish it when the run is good."""
    csv = trace = None
    if options.plot:
        from bmsd.sim import plot

        plot.prepare(options.plot)
        trace = Trace()
    if options.csv:
        csv = CsvFile(options.csv, config.cells, config.battery_sensors)
    try:
        yield csv, trace
    finally:
        if csv is not None:
            csv.close()
    if trace is not None:
        plot.draw(trace, config.settings(), title, options.plot)


def _pack_text(config: Config) -> str:
    return f"{config.cells} cells {config.chemistry}, {config.capacity_mah / 1000:g} Ah"


def _teller(quiet: bool) -> Callable[[int, Event | Happening], None]:
    """Give what prints events as they come."""

    def tell(at_ms: int, what: Event | Happening) -> None:
        text = f"[bench] {what.text}" if isinstance(what, Happening) else sentences.event_text(asdict(what))
        print(f"{clock_text(at_ms)}  {text}")

    return (lambda _at_ms, _what: None) if quiet else tell


PROGRESS_EVERY_S = 2.0


def progress() -> Callable[[int, int], None]:
    """Give what writes now and then how far a long run is, over itself, where somebody looks on."""
    if not sys.stderr.isatty():
        return lambda _at_ms, _of_ms: None
    last_s = time.monotonic()

    def tell(at_ms: int, of_ms: int) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s < PROGRESS_EVERY_S:
            return
        last_s = now_s
        of = f" of {sentences.duration_text(of_ms)}" if of_ms else ""
        print(
            f"\rbmsim: {sentences.duration_text(at_ms)}{of} simulated \x1b[K\r",
            end="",
            file=sys.stderr,
            flush=True,
        )

    return tell


def clock_text(at_ms: int) -> str:
    """Write a simulated time as hours, minutes, seconds."""
    seconds, ms = divmod(abs(at_ms), 1000)
    sign = "-" if at_ms < 0 else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}".rjust(12)


def _summarise(summary: Summary, took_s: float) -> None:
    trips = ", ".join(f"{name} x{count}" if count > 1 else name for name, count in summary.trips.items())
    speed = summary.simulated_ms / 1000 / max(took_s, 1e-6)
    print(
        f"simulated {sentences.duration_text(summary.simulated_ms)} in {took_s:.1f} s: {speed:.0f} x real time"
    )
    print(f"trips: {trips or 'none'}")
    print(f"cells: lowest {_extreme(summary.lowest)}; highest {_extreme(summary.highest)}")
    if summary.heater_j:
        print(f"heater: {summary.heater_j / 3_600_000:.3f} kWh")


def _extreme(extreme: Extreme) -> str:
    if extreme.value is None:
        return "unknown"
    return f"{VOLT.text(extreme.value)} (cell {extreme.where} at {clock_text(extreme.at_ms).strip()})"
