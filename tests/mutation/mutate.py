#!/usr/bin/env python3
"""Change the core in one place at a time and see that a test notices: `./run mutate`, or `mutate.py alarms heater`.

Writes docs/mutation.md. Ends with 1 when a change stays unnoticed that explained.toml does not explain.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.mutation import mutants, report, trial
from tests.mutation.mutants import Mutant

BUSY = min(2, os.cpu_count() or 1)
FILES = 6
"""Test files that are asked about a change outside of functions: those that are most about its module."""
Start = Callable[[Mutant, list[str], Path], int]


class Tests:
    """Which tests can notice a change, the likely ones first."""

    def __init__(self, traced: Path, most_s: float) -> None:
        told = json.loads(traced.read_text(encoding="utf-8"))
        self.took: dict[str, float] = told["took"]
        self.lines: dict[str, dict[str, list[str]]] = told["lines"]
        self.most_s = most_s
        self.noticed: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.named = {module: self._named(module) for module in self.lines}
        self.rank = {module: self._rank(module, lines) for module, lines in self.lines.items()}

    def _named(self, module: str) -> dict[str, int]:
        """Give the test files that import a module, and how many of its names they use."""
        imports = re.compile(rf"from bmsd\.core\.{module} import (?:\(([^)]*)\)|([^\n]*))")
        whole = re.compile(rf"from bmsd\.core import [^\n]*\b{module}\b")
        found = {}
        for file in sorted({name.split("::", maxsplit=1)[0] for name in self.took}):
            text = (trial.ROOT / file).read_text("utf-8")
            names = {name for match in imports.findall(text) for name in re.findall(r"\w+", "".join(match))}
            if whole.search(text):
                names |= set(re.findall(rf"\b{module}\.(\w+)", text))
            if names:
                found[file] = len(names)
        return found

    def _rank(self, module: str, lines: dict[str, list[str]]) -> dict[str, int]:
        """Order the test files: those that use most of a module's names, then those that run what few others run."""
        size = Counter(name.split("::")[0] for name in self.took)
        alone, each = defaultdict[str, float](float), defaultdict[str, float](float)
        for names in lines.values():
            files = Counter(name.split("::")[0] for name in names)
            for file, count in files.items():
                alone[file] += 1 / len(files)
                each[file] += count / len(names) / size[file]
        named = self.named[module]
        files = sorted({*alone, *named})
        best = sorted(files, key=lambda file: (-named.get(file, 0), -alone[file] * each[file]))
        return {file: n for n, file in enumerate(best)}

    def of(self, mutant: Mutant) -> list[str]:
        """Give the tests that run the changed lines; all of a module's for what is made when it is read."""
        lines = self.lines.get(mutant.module, {})
        first, last = mutant.lines
        wanted = range(first, last + 1) if first else map(int, lines)
        names = {name for line in wanted for name in lines.get(str(line), ())}
        if not first:
            # A test that reads a constant runs no line of its module.
            named = self.named.get(mutant.module, {})
            names |= {name for name in self.took if name.split("::", maxsplit=1)[0] in named}
            names = names or set(self.took)
        here, near = self.noticed[mutant.module, mutant.function], self.noticed[mutant.module, ""]
        rank = self.rank.get(mutant.module, {})
        if not first and rank:
            # Everything is read anew: fewer files are sooner read.
            names = {name for name in names if rank.get(name.split("::")[0], FILES) < FILES}

        def turn(name: str) -> tuple[int, int, int, float, str]:
            return (
                -here[name],
                -near[name],
                rank.get(name.split("::", maxsplit=1)[0], 0),
                self.took[name],
                name,
            )

        return list(self._within(sorted(names, key=turn)))

    def _within(self, order: list[str]) -> Iterator[str]:
        """Leave out what does not fit into the time."""
        left_s = self.most_s
        for name in order:
            if self.took[name] <= left_s:
                left_s -= self.took[name]
                yield name

    def learn(self, mutant: Mutant, name: str) -> None:
        """Remember who noticed: the same test is asked first about the next change nearby."""
        self.noticed[mutant.module, mutant.function][name] += 1
        self.noticed[mutant.module, ""][name] += 1


def unnoticed(todo: list[Mutant], tests: Tests, folder: Path, start: Start) -> Iterator[Mutant]:
    """Try every change, some at a time; give those that no test notices."""
    running: dict[int, tuple[Mutant, Path]] = {}
    queue = list(reversed(todo))
    while queue or running:
        while queue and len(running) < BUSY:
            mutant = queue.pop()
            wanted, answer = tests.of(mutant), folder / f"{mutant.module}-{mutant.number}"
            if wanted:
                running[start(mutant, wanted, answer)] = mutant, answer
            else:
                yield mutant
        if not running:
            break
        pid, status = os.wait()
        mutant, answer = running.pop(pid)
        if answer.exists():
            tests.learn(mutant, answer.read_text(encoding="utf-8"))
        elif status:
            print(f"  the trial broke: {mutant.function}: {mutant.change}", flush=True)
        if not status or not answer.exists():
            yield mutant


def try_all(todo: list[Mutant], tests: Tests, folder: Path, suites: list[str]) -> list[Mutant]:
    """Try changes inside functions with everything loaded, and the others with everything read anew."""
    if not todo:
        return []
    began = time.monotonic()
    gc.freeze()  # what the children share stays shared
    inside = [mutant for mutant in todo if mutant.lines[0]]
    outside = [mutant for mutant in todo if not mutant.lines[0]]
    left = folder / "left"

    def loaded(items: dict[str, trial.pytest.Item]) -> None:
        def start(mutant: Mutant, wanted: list[str], answer: Path) -> int:
            return trial.child(lambda: trial.in_place(mutant, wanted, answer, items))

        left.write_text(json.dumps([m.number for m in unnoticed(inside, tests, folder, start)]), "utf-8")

    def load() -> int:
        trial.prepare()
        return trial.load(suites, loaded)

    def start(mutant: Mutant, wanted: list[str], answer: Path) -> int:
        return trial.child(lambda: trial.fresh(mutant, wanted, answer))

    trial.wait(trial.child(load))
    numbers = set(json.loads(left.read_text(encoding="utf-8")))
    left.unlink()
    found = [m for m in inside if m.number in numbers] + list(unnoticed(outside, tests, folder, start))
    found.sort(key=lambda mutant: mutant.number)
    took_s = time.monotonic() - began
    print(f"{todo[0].module}: {len(todo)} changes, {len(found)} unnoticed, {took_s:.0f} s", flush=True)
    return found


def faults(name: str, todo: list[Mutant], left: list[Mutant]) -> list[str]:
    """List what is unnoticed without an explanation, and what is explained and yet noticed."""
    tried, open_keys = {mutant.key for mutant in todo}, {mutant.key for mutant in left}
    told = [key for key in report.explained() if key[0] == name]
    unnoticed_ = [m for m in left if m.key not in told]
    return [
        *(f"UNNOTICED {m.module}:{m.lines[0]} {m.function}: {m.change}" for m in unnoticed_),
        *(f"NOTICED, drop its explanation: {key}" for key in told if key in tried - open_keys),
    ]


def main() -> int:
    """Trace the tests, try the changes, write the document."""
    parser = argparse.ArgumentParser(prog="./run mutate", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="modules of the core; without any, all of them")
    parser.add_argument("--changed", action="store_true", help="only modules that changed since the last run")
    parser.add_argument("--traced", type=Path, help="use, or make, this file of which test runs which line")
    parser.add_argument(
        "--tests", nargs="+", default=trial.SUITES, help="other tests than those of core and tables"
    )
    parser.add_argument("--most-s", type=float, default=10, help="seconds of tests for each change")
    parser.add_argument("--again", action="store_true", help="only what the last run left unnoticed")
    parser.add_argument("--dry", action="store_true", help="write no document")
    options = parser.parse_args()
    names = options.modules or mutants.modules()
    if options.changed:
        names = [name for name in names if report.is_old(name)]
    if not names:
        return 0
    suites = list(options.tests)
    left: dict[str, list[Mutant]] = {}
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        traced = options.traced or Path(folder) / "traced"
        if not traced.exists():
            print("tracing the tests", flush=True)
            if trial.wait(trial.child(lambda: trial.trace(suites, traced))):
                print("the tests fail without any change")
                return 1
        tests = Tests(traced, options.most_s)
        for name in names:
            known = report.noticed(name) if options.again else set()
            todo = [m for m in mutants.mutants(name) if m.number not in known]
            left[name] = try_all(todo, tests, Path(folder), suites)
            report.remember(name, left[name])
            found = faults(name, todo, left[name])
            bad += len(found)
            print("".join(f"  {fault}\n" for fault in found), end="", flush=True)
    if not options.dry:
        report.write(left, datetime.now(UTC).date(), options.most_s)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
