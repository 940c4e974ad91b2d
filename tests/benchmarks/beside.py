"""bmsd beside dbus-serialbattery: what each process takes, in the same seconds of the same machine.

The driver polls the JK board that bmsd's own Modbus link plays, once a second, and an inverter is alive on the CAN bus.
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks import accounting
from tests.benchmarks.accounting import Rates
from tests.benchmarks.load import ROOT, Pty, program
from tests.benchmarks.peer import Installed, Peer, PeerError, installed, peer
from tests.benchmarks.processes import LINKS, System, resident
from tests.benchmarks.rig import SKIPPED, Figure, folder_in_memory, median

WINDOW_S, WINDOWS = 60, 3
JK_UNIT = 2
STARTS_S = 90
MARK_MV = 20
"""One cell is so much higher while the driver starts, and not at the end: it must have published both."""
PEER = ("driver", "bus", "settings")
BUDGETS = {0.25: 2.5, 1.0: 1.0}
"""How many times the peer's processor time all of bmsd may take, by its period in seconds."""
TITLE = "beside dbus-serialbattery"
FRAME, SENT, ALIVE = b"\x55\xaa\xeb\x90", b"t356", b"t30580000000000000000\r"
APART = """
import mmap, struct, sys, time
from bmsd.sim.bench import Bench
with open(sys.argv.pop(1), "r+b") as page:
    spent, total = mmap.mmap(page.fileno(), 8), 0
def apart(method):
    def timed(*arguments):
        global total
        began = time.thread_time_ns()
        try:
            return method(*arguments)
        finally:
            total += time.thread_time_ns() - began
            struct.pack_into("q", spent, 0, total)
    return timed
Bench.advance, Bench.tell_inverter = apart(Bench.advance), apart(Bench.tell_inverter)
from bmsd.daemon.main import main
sys.exit(main())
"""
"""The core on the bench; what pack, charger and inverter take in it is written down apart, in a shared page."""


class Surroundings(threading.Thread):
    """An inverter that is alive on the CAN pty, and a cable between the driver's pty and the Modbus link's."""

    def __init__(self, can: int, link: int, driver: int) -> None:
        super().__init__()
        self._can, self._joined = can, {link: driver, driver: link}
        self._link = link
        self._end = threading.Event()
        self.answers, self.frames = 0, 0

    def run(self) -> None:
        """Carry bytes until asked to end."""
        alive = time.monotonic()
        while not self._end.is_set():
            for ready in select.select([self._can, *self._joined], [], [], 0.2)[0]:
                data = os.read(ready, 4096)
                self.frames += data.count(SENT)
                self.answers += data.count(FRAME) if ready == self._link else 0
                if ready in self._joined:
                    os.write(self._joined[ready], data)
            if time.monotonic() >= alive:
                alive += 1
                os.write(self._can, ALIVE)

    def end(self) -> None:
        self._end.set()
        self.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Rates):
    """One process: medians over the windows, and its memory in KiB after them."""

    resident_kib: int
    proportional_kib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """Both sides, what is between them, and the page that says what the bench took."""

    system: System
    peer: Peer
    around: Surroundings
    page: Path

    def pids(self) -> dict[str, int]:
        return self.system.pids() | self.peer.pids()

    def bench_ms(self) -> float:
        return float(struct.unpack("q", self.page.read_bytes())[0]) / 1e6


@contextmanager
def running(found: Installed, period_s: float) -> Iterator[Both]:
    """Run both sides until they work."""
    with folder_in_memory() as folder:
        page = folder / "bench"
        page.write_bytes(bytes(8))
        system = System(folder, LINKS, f"period_s = {period_s}", ("-c", APART, str(page)))
        far = Pty()
        around = Surroundings(system.can.far, system.modbus.far, far.far)
        around.start()
        try:
            system.settle()
            mark(system.run, MARK_MV)
            with peer(found, folder / "peer", far.path, JK_UNIT) as other:
                other.settle(lambda: cells(system.run), STARTS_S)
                yield Both(system=system, peer=other, around=around, page=page)
        finally:
            around.end()
            system.close()
            far.close()


def bmsctl(run: Path, *words: str) -> str:
    """Run bmsctl; give what it prints."""
    command = [sys.executable, *program("bmsd.cli.main"), "--runtime-dir", str(run), *words]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def mark(run: Path, mv: int) -> None:
    """Move one cell of the bench."""
    bmsctl(run, "sim", "cell", "7", f"offset_mv={mv}")


def cells(run: Path) -> list[int]:
    """Ask bmsd for the cells' millivolts."""
    return [round(volts * 1000) for volts in json.loads(bmsctl(run, "cells", "--json"))["voltage_v"]]


def measured(found: Installed, period_s: float) -> dict[str, Measured]:
    """Measure every process of both sides, the bench as one of its own that is taken off the core."""
    windows = []
    with running(found, period_s) as both:
        pids, around = both.pids(), both.around
        for _ in range(WINDOWS):
            answers, frames, bench_ms = around.answers, around.frames, both.bench_ms()
            rates, elapsed_s = accounting.window(pids, WINDOW_S)
            windows.append(apart(rates, (both.bench_ms() - bench_ms) / elapsed_s))
            at_work(around.answers - answers, around.frames - frames)
        kib = {name: resident(pid) for name, pid in pids.items()}
        mark(both.system.run, 0)
        both.peer.settle(lambda: cells(both.system.run), 5)
    return {name: _median([one[name] for one in windows], kib.get(name, (0, 0))) for name in windows[0]}


def at_work(answers: int, frames: int) -> None:
    """See that both sides did their work in a window; raise PeerError when one did not."""
    if min(answers, frames) < WINDOW_S - 3:
        raise PeerError(f"in {WINDOW_S} s the driver had {answers} answers and the inverter {frames} frames")


def apart(rates: Mapping[str, Rates], bench_ms: float) -> dict[str, Rates]:
    """Take the bench off the core."""
    core = rates["core"]
    without = replace(core, cpu_ms=core.cpu_ms - bench_ms)
    return {**rates, "core": without, "bench": Rates(cpu_ms=bench_ms, wakeups=0, preemptions=0)}


def _median(rates: Sequence[Rates], kib: tuple[int, int]) -> Measured:
    return Measured(
        cpu_ms=median([one.cpu_ms for one in rates]),
        wakeups=median([one.wakeups for one in rates]),
        preemptions=median([one.preemptions for one in rates]),
        resident_kib=kib[0],
        proportional_kib=kib[1],
    )


def beside() -> list[Figure]:
    """Measure bmsd beside the peer at every period; without the peer say loudly that this was not measured."""
    try:
        found = installed()
        by_period = {period_s: measured(found, period_s) for period_s in BUDGETS}
    except PeerError as error:
        print(f"SKIPPED: {TITLE}: {error}", file=sys.stderr, flush=True)
        return [Figure(TITLE, "", SKIPPED, "", None, str(error))]
    return figures(by_period, f"{version(sys.executable)} and {version(found.python)}")


def version(python: str) -> str:
    """Name a Python by what runs it and its version."""
    words = [python, "-c", "import platform as p; print(p.python_implementation(), p.python_version())"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def figures(by_period: Mapping[float, Mapping[str, Measured]], pythons: str) -> list[Figure]:
    """Give the rows of the page: both budgets, then every process."""
    usual, slow = (by_period[period_s] for period_s in BUDGETS)
    found = [_judged(period_s, measured, pythons) for period_s, measured in by_period.items()]
    for names, title in ((ours(usual), "bmsd"), (PEER, "dbus-serialbattery")):
        found.append(_row(f"all of {title}", [total(one, names) for one in (usual, slow)]))
        found += [_row(f"of that: {name}", [usual[name], slow[name]]) for name in names]
    return found


def ours(measured: Mapping[str, Measured]) -> tuple[str, ...]:
    """Name bmsd's processes."""
    return tuple(name for name in measured if name not in (*PEER, "bench"))


def total(measured: Mapping[str, Measured], names: Sequence[str]) -> Measured:
    """Add up processes."""
    chosen = [measured[name] for name in names]
    return Measured(
        cpu_ms=sum(one.cpu_ms for one in chosen),
        wakeups=sum(one.wakeups for one in chosen),
        preemptions=sum(one.preemptions for one in chosen),
        resident_kib=sum(one.resident_kib for one in chosen),
        proportional_kib=sum(one.proportional_kib for one in chosen),
    )


def _judged(period_s: float, measured: Mapping[str, Measured], pythons: str) -> Figure:
    own, other = total(measured, ours(measured)).cpu_ms, total(measured, PEER).cpu_ms
    return Figure(
        f"processor time {TITLE}, period {period_s * 1000:.0f} ms", f"<= {BUDGETS[period_s]} x {other:.2f} ms/s",
        f"{own:.2f} ms/s = {own / other:.2f} x", "", own / other / BUDGETS[period_s],
        f"median of {WINDOWS} windows of {WINDOW_S} s, both in the same ones, by {pythons}; the bench,"
        f" {measured['bench'].cpu_ms:.2f} ms/s, left out",
    )  # fmt: skip


def _row(what: str, both: Sequence[Measured]) -> Figure:
    usual, slow = both
    return Figure(
        what, "", f"{usual.cpu_ms:.2f} ms/s, at 1 s {slow.cpu_ms:.2f}", "", None,
        f"{usual.wakeups:.1f} wake-ups/s, at 1 s {slow.wakeups:.1f}; {usual.preemptions:.1f} times/s made to wait;"
        f" {usual.resident_kib / 1024:.1f} MiB resident, {usual.proportional_kib / 1024:.1f} proportional",
    )  # fmt: skip
