"""What is known of the changes that nobody notices: the explanations, and the document with the figures."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

from tests.mutation import mutants

Key = tuple[str, str, str]
EXPLANATIONS = Path(__file__).resolve().parent / "explained.toml"
DOCUMENT = mutants.CORE.parents[1] / "docs" / "mutation.md"
SAFETY = DOCUMENT.with_name("SAFETY.md")
MARK = "<!-- mutation figures, written by ./run mutate -->"
FIGURES = re.compile(re.escape(MARK) + r"\n[^\n]*")
MEMORY = mutants.CORE.parents[1] / "build" / "mutation"
HEAD = """\
# Mutation of the core

Written by `./run mutate` (`tests/mutation/mutate.py`); do not edit. It changes `bmsd/core` in one place at a time and
runs the tests that can notice; a change that no test notices is either a test that is missing or a change that
makes no difference. Which of them make none, and why, is written in
[tests/mutation/explained.toml](../tests/mutation/explained.toml), one by one; an unexplained one is a failure.

What is changed: comparisons (each to its neighbour and to its opposite), conditions (always, never), `and` and `or`
and each of their operands, arithmetic and bit operators, numbers by one in both directions, texts by a letter, true
and false, None to zero where it stands for an unknown number, `max` and `min`, `any` and `all`, names that are easily
taken for each other (charge and discharge, highest and lowest), and statements that are left out. Constants, tables
and default values are changed as well as functions. Not changed: docstrings, annotations, imports, decorators and
the argument `strict`.

The tests are those in `tests/core` and `tests/tables`, with random ones made repeatable; for each change those that
run the changed line, most telling first, up to {most_s:.0f} s of test time. One module alone: `./run mutate alarms`.

| Module | Date | Changes | Noticed | Explained | Unexplained | Source |
| --- | --- | ---: | ---: | ---: | ---: | --- |
"""


class Line(NamedTuple):
    """The figures of one module; `source` names the state it was in."""

    module: str
    day: str
    changes: int
    noticed: int
    explained: int
    unexplained: int
    source: str

    def text(self) -> str:
        """Write it as a row."""
        return f"| {' | '.join(str(value) for value in self)} |\n"


@functools.cache
def explained() -> Mapping[Key, str]:
    """Read the explanations: which change of which function makes no difference, and why."""
    told = tomllib.loads(EXPLANATIONS.read_text(encoding="utf-8"))
    return {
        (module, function, change): kind["reason"]
        for kind in told["kind"]
        for module, function, change in kind["changes"]
    }


def fingerprint(module: str) -> str:
    """Name the state of a module's source."""
    return hashlib.sha256(mutants.source(module).encode()).hexdigest()[:12]


def line(module: str, left: list[mutants.Mutant], day: date) -> Line:
    """Count one module."""
    changes = len(mutants.mutants(module))
    told = sum(mutant.key in explained() for mutant in left)
    return Line(
        module, day.isoformat(), changes, changes - len(left), told, len(left) - told, fingerprint(module)
    )


def read() -> dict[str, Line]:
    """Read the figures back from the document."""
    found: dict[str, Line] = {}
    for text in DOCUMENT.read_text(encoding="utf-8").splitlines() if DOCUMENT.exists() else ():
        cells = [cell.strip() for cell in text.strip("|").split("|")]
        if len(cells) == 7 and cells[2].isdigit() and cells[0] != "all":
            found[cells[0]] = Line(cells[0], cells[1], *map(int, cells[2:6]), cells[6])
    return found


def noticed(module: str) -> set[int]:
    """Give the numbers of the changes that the last run here saw noticed, while the module is as it was."""
    file = MEMORY / f"{module}-{fingerprint(module)}.json"
    return set(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else set()


def remember(module: str, left: list[mutants.Mutant]) -> None:
    """Keep which changes were noticed."""
    MEMORY.mkdir(parents=True, exist_ok=True)
    numbers = {mutant.number for mutant in mutants.mutants(module)} - {mutant.number for mutant in left}
    file = MEMORY / f"{module}-{fingerprint(module)}.json"
    file.write_text(json.dumps(sorted(numbers)), encoding="utf-8")


def is_old(module: str) -> bool:
    """Tell whether a module is not in the document as it is now."""
    lines = read()
    return module not in lines or lines[module].source != fingerprint(module)


def figures() -> str:
    """Say in one sentence how many changes were tried and what became of them."""
    lines = read().values()
    tried, seen, told = (sum(row[n] for row in lines if isinstance(row[n], int)) for n in (2, 3, 4))  # type: ignore[misc]
    return f"{MARK}\nOf {tried} changes in {len(lines)} modules {seen} were noticed and {told} are explained."


def write(left: Mapping[str, list[mutants.Mutant]], day: date, most_s: float) -> None:
    """Write the document; modules that were not tried keep their lines."""
    lines = read() | {module: line(module, found, day) for module, found in left.items()}
    kept = [lines[module] for module in mutants.modules() if module in lines]
    sums = [sum(row[n] for row in kept if isinstance(row[n], int)) for n in range(2, 6)]  # type: ignore[misc]
    total = f"| all | | {' | '.join(str(number) for number in sums)} | |\n"
    text = HEAD.format(most_s=most_s) + "".join(row.text() for row in kept) + total
    missing = [module for module in mutants.modules() if module not in lines]
    if missing:
        text += f"\nNot tried yet: {', '.join(missing)}.\n"
    DOCUMENT.write_text(text, encoding="utf-8")
    safety = SAFETY.read_text(encoding="utf-8")
    SAFETY.write_text(FIGURES.sub(lambda _: figures(), safety), encoding="utf-8")
