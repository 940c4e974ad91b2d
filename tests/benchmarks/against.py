"""bmsd beside an earlier revision of itself: the same work in turn, each by its own benchmarks, in the same minutes.

The speed of a shared machine varies by more than bmsd does: a ratio of two figures of one run says what has changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.load import ROOT
from tests.benchmarks.rig import SKIPPED, Figure, median

REVISION = "d85b6d9"
ROUNDS = 5
CYCLE = """
from tests.benchmarks import deciding
deciding.CYCLES = 1000
print(deciding.measured_cycles(loaded=False)["whole"].share(500) / 1000)
"""
BENCH = """
import time
from tests.benchmarks.deciding import PERIOD_MS, Rig, folder_in_memory
with folder_in_memory() as folder:
    rig = Rig(folder).settle()
    rig.bench.plant.set("charger_a", 40.0)
    begun, cycles = time.process_time(), 4000
    for _ in range(cycles):
        rig.clock.wait_until(rig.clock.now() + PERIOD_MS)
        rig.cycle()
    print(cycles * PERIOD_MS / 1000 / (time.process_time() - begun))
"""
START = """
import statistics
from tests.benchmarks.processes import system
took = []
for _ in range(5):
    with system(("can",)) as running:
        took.append(running.wait(running.is_whole))
print(statistics.median(took))
"""
STATUS = """
import statistics, subprocess, sys, time
from tests.benchmarks.load import program
from tests.benchmarks.processes import system
with system(()) as running:
    running.settle()
    command = [sys.executable, *program("bmsd.cli.main"), "--runtime-dir", str(running.run), "status"]
    took = []
    for _ in range(10):
        begun = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        took.append((time.monotonic() - begun) * 1000)
    print(statistics.median(took))
"""
WHICH = "import bmsd, pathlib; print(pathlib.Path(bmsd.__file__).resolve().parents[1])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One thing that both revisions do: the program that prints its figure, and what now may be of then."""

    what: str
    program: str
    unit: str
    digits: int
    budget: float
    more_is_better: bool = False


WORK = (
    Work(what="core work per cycle, median", program=CYCLE, unit="ms", digits=2, budget=0.6),
    Work(what="bench speed", program=BENCH, unit="x real time", digits=0, budget=1.7, more_is_better=True),
    Work(what="exec to first complete decision", program=START, unit="s", digits=2, budget=0.75),
    Work(what="`bmsctl status`", program=STATUS, unit="ms", digits=0, budget=0.5),
)


class NothingToCompareError(Exception):
    """There is no earlier revision to measure, in words."""


def against(revision: str = REVISION) -> list[Figure]:
    """Measure beside an earlier revision; say loudly when it cannot be had."""
    try:
        with checked_out(revision) as (then, name):
            trees = {"then": then, "now": ROOT}
            return [_figure(work, _in_turn(work, trees), name) for work in WORK] + _instructions(trees, name)
    except NothingToCompareError as error:
        why = str(error)
    except subprocess.CalledProcessError as error:  # its own words are on the screen
        why = f"a program of its benchmarks or of ours ended with {error.returncode}"
    print(f"SKIPPED: against {revision}: {why}", file=sys.stderr, flush=True)
    return [Figure(f"against {revision}", "", SKIPPED, "", None, why)]


@contextmanager
def checked_out(revision: str) -> Iterator[tuple[Path, str]]:
    """Lay out a revision in a temporary folder; give it and its short name with its date."""
    try:
        name = _git("log", "-1", "--format=%h of %cs", f"{revision}^{{commit}}", "--").decode().strip()
        files = _git("archive", revision)
    except FileNotFoundError as error:
        raise NothingToCompareError("there is no git here") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()[0]
        raise NothingToCompareError(
            f"git says: {said}; in a shallow clone `git fetch --unshallow` helps"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x", "-C", folder], input=files, check=True)
        compiled = [sys.executable, "-m", "compileall", "-q", "bmsd", "tests/benchmarks"]
        subprocess.run(compiled, cwd=folder, check=True)
        yield Path(folder), name


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout


def ran(tree: Path, program: str, *before: str) -> str:
    """Run a program on the bmsd of a tree and with its benchmarks; give what it prints."""
    places = (tree, tree / "tests" / "benchmarks")  # earlier benchmarks name each other without a folder
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    command = [*before, sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def _in_turn(work: Work, trees: Mapping[str, Path]) -> dict[str, float]:
    """Give the median of each tree; they take turns, and who begins."""
    found: dict[str, list[float]] = {name: [] for name in trees}
    for name, tree in trees.items():
        assert Path(ran(tree, WHICH).strip()) == tree.resolve(), f"{name} is not what would be measured"
    for turn in range(ROUNDS):
        for name in (list(trees), list(reversed(trees)))[turn % 2]:
            found[name].append(float(ran(trees[name], work.program)))
    return {name: median(values) for name, values in found.items()}


def _figure(work: Work, found: Mapping[str, float], name: str) -> Figure:
    times = found["now"] / found["then"]
    sign = ">=" if work.more_is_better else "<="
    then, now = (f"{found[key]:.{work.digits}f} {work.unit}" for key in ("then", "now"))
    return Figure(
        f"{work.what}, against {name}", f"{sign} {work.budget} x {then}", f"{now} = {times:.2f} x", "",
        work.budget / times if work.more_is_better else times / work.budget,
        f"medians of {ROUNDS} runs each, in turn",
    )  # fmt: skip


def _instructions(trees: Mapping[str, Path], name: str) -> list[Figure]:
    """Count what the processor really did for the same hours on the bench, where it lets us."""
    what = f"instructions of the bench's run, against {name}"
    counted = {key: instructions(tree) for key, tree in trees.items()}
    then, now = counted["then"], counted["now"]
    if then is None or now is None:
        return [Figure(what, "", "not counted", "", None, "this machine does not let `perf stat` count them")]
    return [Figure(what, "", f"{now / 1e9:.2f} of {then / 1e9:.2f} thousand million = {now / then:.2f} x")]


def instructions(tree: Path) -> int | None:
    """Count the instructions of one run of the bench outside of the kernel; None where that is not allowed."""
    if not shutil.which("perf"):
        return None
    with tempfile.NamedTemporaryFile("r") as counts:
        perf = ("perf", "stat", "-x", ",", "-e", "instructions:u", "-o", counts.name, "--")
        try:
            ran(tree, BENCH, *perf)
        except subprocess.CalledProcessError:
            return None
        rows = [line.split(",") for line in counts.read().splitlines()]
    found = [row[0] for row in rows if len(row) > 2 and row[2].startswith("instructions")]
    return int(found[0]) if found and found[0].isdigit() else None
