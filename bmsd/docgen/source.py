"""What can be read from the source itself, without importing it: layers, the cycle, tests by rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from bmsd.docgen.markdown import code, codes, page, table

RULES = tuple(f"S{number}" for number in range(1, 16))
"""The safety rules; docs/SAFETY.md explains each."""
CITED = re.compile(r"(?<![\w.-])S(\d{1,2})(?![\w-])(?: to S(\d{1,2})(?![\w-]))?")
SHAPE = "tests/architecture/test_imports.py"
TOP = "bmsd itself"

CYCLE = (
    ("bmsd/daemon/loop.py", "Daemon._cycle"),
    ("bmsd/control/controller.py", "Controller.cycle"),
    ("bmsd/afe/session.py", "AfeSession.cycle"),
    ("bmsd/core/step.py", "step"),
    ("bmsd/core/plausible.py", "validate"),
    ("bmsd/core/heater_watch.py", "watch"),
    ("bmsd/core/checks.py", "lost_values"),
    ("bmsd/core/checks.py", "chip"),
    ("bmsd/core/checks.py", "outputs"),
    ("bmsd/core/alarms.py", "advance"),
    ("bmsd/core/soc.py", "advance"),
    ("bmsd/core/permissions.py", "unknowns"),
    ("bmsd/core/permissions.py", "against"),
    ("bmsd/core/heater.py", "decide"),
    ("bmsd/core/contactors.py", "drive"),
    ("bmsd/core/contactors.py", "load_side"),
    ("bmsd/core/balance.py", "mask"),
    ("bmsd/core/limits.py", "advance"),
    ("bmsd/hardware/outputs.py", "apply"),
    ("bmsd/control/controller.py", "Controller._tell_chip"),
    ("bmsd/core/report.py", "points"),
    ("bmsd/ipc/shared_files.py", "Publisher.publish"),
    ("bmsd/daemon/state_file.py", "Writer.put"),
    ("bmsd/daemon/process.py", "Guard.beat"),
    ("bmsd/hardware/service.py", "Service.alive"),
)
"""The way through one cycle, in order; each is explained by the first line of its own docstring."""


def structure_page(root: Path) -> str:
    """Show the layers of the package, the owners of libraries, and the way through one cycle."""
    shape = constants(root / SHAPE)
    reasons = ((code(a), code(b), why) for (a, b), why in shape["NEIGHBOURS"].items())
    owners = ((code(name), codes(where)) for name, where in shape["OWNERS"].items())
    steps = (
        [str(n), code(f"{f}: {name}"), first_line(root / f, name)] for n, (f, name) in enumerate(CYCLE, 1)
    )
    return page(
        "Structure",
        f"`{SHAPE}` and the docstrings named below",
        "## Layers",
        "A part of `bmsd/` may import itself and the rows above it, not its neighbours.",
        _layers(shape["LAYERS"]),
        "Neighbours that may be imported all the same:",
        table(("Part", "May import", "Because"), reasons),
        "## Owners of outside libraries",
        table(("Library", "Only in"), owners),
        "## One cycle",
        _cycle(),
        table(("Step", "Where", "What it says of itself"), steps),
    )


def constants(path: Path) -> dict[str, Any]:
    """Read the literal constants of a source file."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def first_line(path: Path, name: str) -> str:
    """Give the first line of the docstring of a function, or of a method as `Class.method`."""
    owner: Any = ast.parse(path.read_text(encoding="utf-8"))
    for part in name.split("."):
        owner = next(node for node in owner.body if getattr(node, "name", "") == part)
    return (ast.get_docstring(owner) or "").splitlines()[0]


def _layers(rows: tuple[tuple[str, ...], ...]) -> str:
    lines = ["```mermaid", "flowchart BT"]
    for number, row in enumerate(rows):
        words = ", ".join(part or TOP for part in row)
        lines.append(f'    L{number}["{words}"]')
    lines += [f"    L{number} --> L{number - 1}" for number in range(1, len(rows))]
    return "\n".join([*lines, "```"])


def _cycle() -> str:
    """Draw the steps of a cycle, those of one package in one box."""
    files = (file.removeprefix("bmsd/").removesuffix(".py") for file, _ in CYCLE[2:])
    lines = ["```mermaid", "flowchart TB"]
    for number, (part, inside) in enumerate(groupby(files, key=lambda file: file.split("/")[0])):
        modules = ", ".join(dict.fromkeys(file.split("/")[-1] for file in inside))
        lines.append(f'    C{number}["{part}{"" if modules == part else ": " + modules}"]')
        if number:
            lines.append(f"    C{number - 1} --> C{number}")
    return "\n".join([*lines, "```"])


def cited(text: str) -> Iterator[str]:
    """Yield the rules a text cites; `S1 to S4` are four of them."""
    for found in CITED.finditer(text):
        first, last = int(found[1]), int(found[2] or found[1])
        yield from (f"S{number}" for number in range(first, last + 1))


@cache
def docstrings(path: Path) -> tuple[tuple[str, str], ...]:
    """Give name and docstring of a test module ("" is its name), its classes and its tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.lower().startswith("test")
    )
    return ("", ast.get_docstring(tree) or ""), *(
        (node.name, ast.get_docstring(node) or "") for node in tests
    )


@cache
def citing_files(root: Path) -> Mapping[str, list[str]]:
    """List, per rule, the test files that cite it in a docstring; rules that do not exist are listed too."""
    found: dict[str, list[str]] = {rule: [] for rule in RULES}
    for path in sorted((root / "tests").rglob("test_*.py")):
        for _, text in docstrings(path):
            for rule in cited(text):
                files = found.setdefault(rule, [])
                name = path.relative_to(root).as_posix()
                if name not in files:
                    files.append(name)
    return found
