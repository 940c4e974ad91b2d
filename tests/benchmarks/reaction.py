#!/usr/bin/env python3
"""Measure how fast every protection acts: `./run reaction`, with `--write` into docs/reaction-times.md.

Nothing here fails because a figure is bad, it is told; so is a trip that was not the protection's own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from tests.benchmarks import reaction_page
from tests.benchmarks.load import loaded_machine
from tests.benchmarks.reaction_measure import Series, measure
from tests.benchmarks.reaction_trips import TRIPS
from tests.benchmarks.rig import folder_in_memory
from tests.benchmarks.run import machine

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 25
"""Trips that one worker does of one row before it takes another."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to measure everything."""

    name: str
    real: bool
    loaded: bool
    khz: int
    workers: int
    seed: int

    def rows(self) -> list[str]:
        """Name the rows that are measured so; current that flows on changes nothing but the wait."""
        return [name for name, trip in TRIPS.items() if not self.real or trip.note != "under current"]


KINDS = (
    Kind("slow", False, False, 100, os.cpu_count() or 1, 1),
    Kind("fast", False, False, 400, os.cpu_count() or 1, 2),
    Kind("idle", True, False, 400, 16, 3),
    Kind("loaded", True, True, 400, 16, 4),
)
Results = dict[str, dict[str, Series]]
_folder: Path
"""Where this worker's pack publishes."""


def _begin(folders: SimpleQueue) -> None:
    global _folder  # noqa: PLW0603 - a worker is told once where it is
    _folder = Path(folders.get())


def _chunk(kind: Kind, name: str, count: int, seed: int) -> tuple[str, Series]:
    return name, measure(_folder, TRIPS[name], count, real=kind.real, khz=kind.khz, seed=seed)


@contextmanager
def workers(kind: Kind) -> Iterator[ProcessPoolExecutor]:
    """Start the workers, each with a runtime directory; the load reads the first one's."""
    context = get_context("fork")
    with ExitStack() as stack:
        top = stack.enter_context(folder_in_memory())
        folders = context.SimpleQueue()
        for number in range(kind.workers):
            (top / str(number)).mkdir()
            folders.put(str(top / str(number)))
        if kind.loaded:
            stack.enter_context(loaded_machine(top / "0"))
        yield stack.enter_context(
            ProcessPoolExecutor(kind.workers, mp_context=context, initializer=_begin, initargs=(folders,))
        )


def measured(
    kind: Kind, names: list[str], trips: int, note: Callable[[dict[str, Series]], None]
) -> dict[str, Series]:
    """Measure rows in one kind of time, all of them a little at a time; note how far it is now and then."""
    found: dict[str, Series] = {}
    begun, done, wanted = time.monotonic(), 0, len(names) * trips
    chunks = [(at, name) for at in range(0, trips, CHUNK) for name in names]
    with workers(kind) as pool:
        waiting = [
            pool.submit(_chunk, kind, name, min(CHUNK, trips - at), 1000 * kind.seed + at)
            for at, name in chunks
        ]
        for number, one in enumerate(as_completed(waiting), 1):
            name, series = one.result()
            done += len(series.late_ms) + len(series.strange)
            if name in found:
                found[name].add(series)
            else:
                found[name] = series
            if number % 50 == 0 or number == len(waiting):
                print(
                    f"# {kind.name}: {done} of {wanted} trips, {time.monotonic() - begun:.0f} s", flush=True
                )
                note({name: found[name] for name in names if name in found})
    return {name: found[name] for name in names}


def keep(path: Path, results: Results, about: dict[str, str]) -> None:
    """Keep every figure, so that the document can be written again without measuring."""
    kinds = {kind: {name: asdict(one) for name, one in rows.items()} for kind, rows in results.items()}
    path.write_text(json.dumps({"about": about, "results": kinds}))


def kept(path: Path) -> tuple[Results, dict[str, str]]:
    """Take up what was kept."""
    found = json.loads(path.read_text())
    kinds = found["results"].items()
    return {kind: {n: Series(**one) for n, one in rows.items()} for kind, rows in kinds}, found["about"]


def main() -> int:
    options = _options()
    results, about = kept(options.data) if options.data and options.data.exists() else ({}, {})
    for kind in KINDS:
        if kind.name not in options.kinds:
            continue
        names = [name for name in kind.rows() if not options.only or TRIPS[name].alarm in options.only]
        about[kind.name] = f"{machine()}; {kind.workers} packs at once"
        trips = options.idle_trips if kind.name == "idle" else options.trips
        before = results.get(kind.name, {})

        def note(found: dict[str, Series], kind: Kind = kind, before: dict[str, Series] = before) -> None:
            """Keep what there is, for whoever has to stop it early."""
            results[kind.name] = before | found
            if options.data:
                keep(options.data, results, about)

        note(measured(kind, names, trips, note))
        about[kind.name] += f"; when it ended {os.getloadavg()[0]:.1f}"
    print(*reaction_page.together(results), *reaction_page.table(results), sep="\n")
    if options.write:
        reaction_page.write(ROOT, results, about)
        print(f"written: {reaction_page.DOCUMENT}")
    return 0


def _options() -> argparse.Namespace:
    names = [kind.name for kind in KINDS]
    alarms = sorted({trip.alarm for trip in TRIPS.values()})
    parser = argparse.ArgumentParser(prog="./run reaction", description="Measure how fast protections act.")
    parser.add_argument("--trips", type=int, default=1000, help="of each protection, default %(default)s")
    parser.add_argument(
        "--idle-trips", type=int, default=200, help="in real time without load, default %(default)s"
    )
    parser.add_argument("--only", nargs="+", choices=alarms, metavar="ALARM", help="only these")
    parser.add_argument("--kinds", nargs="*", choices=names, default=names, help="only these kinds of time")
    parser.add_argument(
        "--data", type=Path, help="keep every figure in this file, and begin with what it holds"
    )
    parser.add_argument("--write", action="store_true", help="write the document and its picture")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
