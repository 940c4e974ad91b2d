#!/usr/bin/env python3
"""Change the core in one place at a time and see that a test notices: `./run mutate`, or `run.py alarms heater`.

Writes docs/mutation.md. Ends with 1 when a change stays unnoticed that explained.toml does not explain.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import json  # noqa: E402 - the path to what follows is made above

import mutants  # noqa: E402
import trial  # noqa: E402
from mutants import Mutant  # noqa: E402
from report import explained, fingerprint, write  # noqa: E402

BUSY = min(2, os.cpu_count() or 1)
WORK = trial.ROOT / "build" / "mutation"


class Tests:
    """Which tests can notice a change, the likely ones first."""

    def __init__(self, traced: Path) -> None:
        told = json.loads(traced.read_text(encoding="utf-8"))
        self.took: dict[str, float] = told["took"]
        self.lines: dict[str, dict[str, list[str]]] = told["lines"]
        self.noticed: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def of(self, mutant: Mutant) -> list[str]:
        """Give the tests that run the changed lines; all of a module's for what is made when it is read."""
        lines = self.lines.get(mutant.module, {})
        first, last = mutant.lines
        wanted = range(first, last + 1) if first else map(int, lines)
        names = {name for line in wanted for name in lines.get(str(line), ())}
        if not first and not any(names):
            names = set(self.took)
        here = self.noticed[mutant.module, mutant.function]
        near = self.noticed[mutant.module, ""]
        return sorted(names, key=lambda name: (-here[name], -near[name], self.took[name], name))

    def learn(self, mutant: Mutant, name: str) -> None:
        """Remember who noticed: the same test is asked first about the next change nearby."""
        self.noticed[mutant.module, mutant.function][name] += 1
        self.noticed[mutant.module, ""][name] += 1


def run_all(todo: list[Mutant], tests: Tests, folder: Path) -> Iterator[tuple[Mutant, str]]:
    """Try every change, some at a time; give who noticed, empty for nobody."""
    running: dict[int, tuple[Mutant, Path]] = {}
    queue = list(reversed(todo))
    while queue or running:
        while queue and len(running) < BUSY:
            mutant = queue.pop()
            wanted, answer = tests.of(mutant), folder / f"{mutant.module}-{mutant.number}"
            if not wanted:
                yield mutant, ""
                continue
            pid = trial.child(lambda m=mutant, w=wanted, a=answer: trial.attempt(m, w, a))  # type: ignore[misc]
            running[pid] = mutant, answer
        if not running:
            break
        pid, status = os.wait()
        mutant, answer = running.pop(pid)
        noticed = answer.read_text(encoding="utf-8") if answer.exists() else "the end of its process"
        if "::" in noticed:
            tests.learn(mutant, noticed)
        yield mutant, noticed if status else ""


def survivors(names: list[str], tests: Tests, folder: Path) -> dict[str, list[Mutant]]:
    """Try all changes of some modules; tell progress, give what nobody noticed."""
    left: dict[str, list[Mutant]] = {}
    for name in names:
        began, todo = time.monotonic(), mutants.mutants(name)
        left[name] = [mutant for mutant, noticed in run_all(todo, tests, folder) if not noticed]
        print(f"{name}: {len(todo)} changes, {len(left[name])} unnoticed, {time.monotonic() - began:.0f} s", flush=True)
        for mutant in left[name]:
            mark = "explained" if mutant.key in explained() else "UNNOTICED"
            print(f"  {mark} {mutant.module}:{mutant.lines[0]} {mutant.function}: {mutant.change}", flush=True)
    return left


def main() -> int:
    """Trace the tests, try the changes, write the document."""
    parser = argparse.ArgumentParser(prog="./run mutate", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="modules of the core; without any, all of them")
    parser.add_argument("--traced", type=Path, help="use and keep this file of which test runs which line")
    parser.add_argument("--more", action="append", default=[], help="further tests, such as tests/properties")
    options = parser.parse_args()
    names = options.modules or mutants.modules()
    with tempfile.TemporaryDirectory() as folder:
        traced = options.traced or Path(folder) / "traced"
        if not traced.exists():
            print("tracing the tests", flush=True)
            suites = [*trial.SUITES, *options.more]
            if trial.wait(trial.child(lambda: trial.trace(suites, traced))):
                print("the tests fail without any change")
                return 1
        left = survivors(names, Tests(traced), Path(folder))
    prints = {name: fingerprint(name) for name in names}
    write(left, prints, datetime.now(UTC).date())
    return int(any(m.key not in explained() for found in left.values() for m in found))


if __name__ == "__main__":
    sys.exit(main())
