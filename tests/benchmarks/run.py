#!/usr/bin/env python3
"""Measure bmsd against its budgets and write docs/benchmarks.md: `./run bench`, one of them by `--only cycle`.

`./run bench --against REVISION` measures beside another revision than the usual one, and nothing else.
Every measurement is a function that can be run alone; nothing here fails because a figure is bad, it is told.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.benchmarks import (
    against,
    beside,
    deciding,
    processes,
)
from tests.benchmarks.rig import SKIPPED, Figure

ROOT = Path(__file__).resolve().parents[2]
MEASUREMENTS: dict[str, Callable[[], list[Figure]]] = {
    "cycle": deciding.cycle,
    "edge": deciding.edge,
    "bus": deciding.bus,
    "bench": deciding.bench,
    "disk": deciding.disk,
    "start": processes.start_up,
    "memory": processes.memory,
    "cpu": processes.cpu,
    "modbus": processes.modbus,
    "beside": beside.beside,
    "against": against.against,
}
DOCUMENT = ROOT / "docs" / "benchmarks.md"
INTRODUCTION = """\
# Benchmarks

Written by `./run bench` (`tests/benchmarks/run.py`); do not edit. One measurement alone:
`./run bench --only cycle`.

**Ratio** is the figure, loaded where it was measured loaded, over its budget: up to 1.00 it is kept.
For a speed it is the budget over the figure. Figures are medians of several runs where nothing else is said.

**Loaded** means, all at once: CAN frames arriving on a pty as fast as the CAN link reads them, Modbus requests and
noise likewise on another, the journal link writing to a pipe that nobody reads, and one process per processor that
never rests.

**Core work** is one poll of the simulated chip, the decision, the outputs with read-back, and the published
snapshot with the guard's beat; the bench's own physics is left out. Poll includes the simulated chip's side.

**Bus bytes.** The least is worked out from the registers that one decision needs (three safety states, battery
status, 16 cells, stack and pin voltages, current, three thermistors), grouped into block reads of at most 32 bytes in
the best of all possible ways, each read costing three bytes of addressing and two per data byte with checksums;
plus reading and clearing the flag that says that the chip has measured. What is above it are checks of the settings.

**Register to edge** runs controller, bench and publishing in one process, with the daemon's arithmetic of cycles: from
the first tick that shows the value in the chip's register to the first that shows the line off, less the delay of the
protection. That delay is one period here; one that is no multiple of the period costs up to a period more.

**Beside dbus-serialbattery**: bmsd's processes, and the driver of Venus OS with the settings service and the message
bus that it needs, in the same seconds. All are unchanged; what the driver reads from three files of Venus OS it is
told. The driver polls the JK board of bmsd's Modbus link over a pty once a second; an inverter that is alive gets its
frames on a CAN pty once a second. ms/s are milliseconds on a processor in each second, by the scheduler's own account
of every thread; a wake-up is a sleep that ended. Pack, charger and inverter of the bench are timed inside the core
and taken off it; what the simulated chip does when it is read is not, and the core's memory is with all of it. One
cell is moved before and after, and the driver has to publish it; in each window it has to get its answers, and the
inverter its frames. `tests/benchmarks/peer.py` says what has to be there; without it these rows are skipped.

**Against** an earlier revision: the same work by each revision's own benchmarks, in turn, in the same minutes, with
the same Python and libraries. The speed of a shared machine varies by more than bmsd does, so only such ratios tell
what has changed since a page of another day. `./run bench --against REVISION` takes another revision.
"""


def machine() -> str:
    """Describe the machine without naming it."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            model = line.partition(":")[2].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 2**20
    return (
        f"{os.cpu_count()} processors ({model}), {memory} GiB, Linux {platform.release().split('-')[0]},"
        f" {platform.python_implementation()} {platform.python_version()};"
        f" load by others when it began {os.getloadavg()[0]:.1f}"
    )


def rows(figures: list[Figure]) -> list[str]:
    """Give the table, one row per figure."""
    lines = ["| what | budget | idle | loaded | ratio | |", "|---|---|---|---|---|---|"]
    for one in figures:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}" + (" **missed**" if one.ratio > 1 else "")
        lines.append(f"| {one.what} | {one.budget} | {one.idle} | {one.loaded} | {ratio} | {one.note} |")
    return lines


def write(figures: list[Figure], measured_on: str) -> None:
    """Write the document."""
    today = datetime.now(UTC).date().isoformat()
    missed = [one.what for one in figures if one.ratio is not None and one.ratio > 1]
    skipped = [one.what for one in figures if one.idle == SKIPPED]
    kept = "Every budget that was measured is kept." if skipped else "Every budget is kept."
    verdict = f"Missed: {'; '.join(missed)}." if missed else kept
    verdict += f" Not measured: {'; '.join(skipped)}." if skipped else ""
    text = [INTRODUCTION, f"Measured on {today}: {measured_on}.", "", *rows(figures), "", verdict, ""]
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text("\n".join(text))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure bmsd against its budgets.")
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--only", nargs="+", choices=MEASUREMENTS, help="print these, and write nothing")
    some.add_argument("--against", metavar="REVISION", help="print what compares with it, and write nothing")
    options = parser.parse_args()
    measurements = dict(MEASUREMENTS)
    if options.against:
        measurements = {"against": partial(against.against, options.against)}
    chosen = list(measurements) if options.against else options.only
    figures: list[Figure] = []
    measured_on = machine()
    compileall.compile_dir(ROOT / "bmsd", quiet=1)  # as installed: no program compiles itself at its start
    for name in chosen or measurements:
        begun = time.monotonic()
        figures += (found := measurements[name]())
        print(f"# {name}, {time.monotonic() - begun:.0f} s", *rows(found)[2:], sep="\n", flush=True)
    if not chosen:
        write(figures, measured_on)
        print(f"written: {DOCUMENT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
