"""The page of the fault classes: what a table of the tests says of each, and which tests are marked with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bmsd.docgen.source import constants

TABLE = "tests/fault_classes/classes.py"
PAGE = "docs/fault-classes.md"
WHEN = ("alone", "second")
RUN = "./run test -m fault_class"


class Marked(NamedTuple):
    """One test that shows a class."""

    number: int
    when: str
    path: str
    name: str
    gap: bool
    """It is expected to fail: a known gap."""


def marked(root: Path) -> list[Marked]:
    """List the tests that carry a `fault_class` mark, by reading them only."""
    found: list[Marked] = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "fault_class(" not in text:
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                found += _marks(node, path.relative_to(root).as_posix())
    return found


def _marks(node: ast.FunctionDef, path: str) -> Iterator[Marked]:
    calls = [mark for mark in node.decorator_list if isinstance(mark, ast.Call)]
    gap = any(_name(call) == "xfail" for call in calls)
    for call in calls:
        if _name(call) == "fault_class":
            number, when = (ast.literal_eval(argument) for argument in call.args)
            yield Marked(number, when, path, node.name, gap)


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def faults_page(root: Path) -> str:
    """Write the page."""
    tests = marked(root)
    classes = constants(root / TABLE)["CLASSES"]
    lines = [
        f"<!-- Made by ./run docs from {TABLE} and the marks of the tests. Do not edit. -->",
        "# Fault classes",
        "What may break, when that counts as survived, and how each class is shown: alone on a healthy pack, and as the"
        " second of two faults. Most run in virtual time: the real controller and chip driver on the simulated chip and"
        " pack, looked at from outside. Those about processes run real ones. This runs them all and prints a result for"
        " each class:",
        f"```sh\n{RUN}\n```",
        "| Class | Survived when | How | Alone | Second |\n| --- | --- | --- | --- | --- |\n"
        + "\n".join(_row(row, tests) for row in classes),
        "## Where it ends",
        "What is not survived, or not shown here. A known gap is a test that is expected to fail: it fails the run when"
        " the gap is closed.",
        "\n".join(_ends(row, tests) for row in classes if row[4] or _gaps(row[0], tests)),
    ]
    return "\n\n".join(lines) + "\n"


def _row(row: tuple[int, str, str, str, str], tests: list[Marked]) -> str:
    number, title, survived, how, _ = row
    columns = (_links([t for t in tests if (t.number, t.when) == (number, when)]) for when in WHEN)
    return f"| {number}. {title} | {survived} | {how} | {' | '.join(columns)} |"


def _links(tests: list[Marked]) -> str:
    """Name the files, each with how many tests it has; gaps are no proof."""
    files: dict[str, int] = {}
    for test in tests:
        if not test.gap:
            files[test.path] = files.get(test.path, 0) + 1
    return ", ".join(f"[{_short(path)}](../{path}): {count}" for path, count in files.items())


def _short(path: str) -> str:
    return path.removeprefix("tests/").removesuffix(".py")


def _gaps(number: int, tests: list[Marked]) -> list[str]:
    return [f"`{test.name}`" for test in tests if test.number == number and test.gap]


def _ends(row: tuple[int, str, str, str, str], tests: list[Marked]) -> str:
    gaps = _gaps(row[0], tests)
    known = f" Known gap: {', '.join(gaps)}." if gaps else ""
    return f"{row[0]}. {row[1]}: {row[4]}.{known}"
