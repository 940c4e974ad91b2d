"""A value whose name says one unit is not given, added, compared or returned where another one is meant."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = (
    "mv", "uv", "ma", "ua", "mw", "mah", "mohm", "uohm", "ms", "us", "ns", "decic", "decik", "permille", "percent",
)  # fmt: skip
SAME = ("min", "max", "abs", "int", "round", "sum")
"""Functions whose result has the unit of what they are given."""


def unit(node: ast.expr | None) -> str | None:
    """Tell the unit of an expression; None where its names say none, or where it is worked out."""
    if isinstance(node, ast.Name | ast.Attribute):
        word = node.id if isinstance(node, ast.Name) else node.attr
        return next((one for one in UNITS if word.lower().endswith(f"_{one}")), None)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in SAME:
            return _only(map(unit, node.args))
        return unit(node.func)
    if isinstance(node, ast.UnaryOp):
        return unit(node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        sides = unit(node.left), unit(node.right)
        if set(sides) == {"decic", "decik"}:
            return "decic"
        is_apart = sides == ("decic", "decic") and isinstance(node.op, ast.Sub)
        return "decik" if is_apart else _only(sides)
    if isinstance(node, ast.IfExp):
        return _only((unit(node.body), unit(node.orelse)))
    return None


def _only(found: Iterator[str | None] | tuple[str | None, ...]) -> str | None:
    """Give the one unit of several expressions; a bare number takes that of its neighbour."""
    units = {one for one in found if one is not None}
    return units.pop() if len(units) == 1 else None


def functions(texts: dict[str, str]) -> dict[str, list[str]]:
    """List the arguments of each function whose name is unique in the project."""
    known: dict[str, list[list[str]]] = {}
    for text in texts.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                names = [argument.arg for argument in node.args.args]
                known.setdefault(node.name, []).append(
                    names[1:] if names[:1] in (["self"], ["cls"]) else names
                )
    return {name: every[0] for name, every in known.items() if len(every) == 1}


def faults(text: str, known: dict[str, list[str]] | None = None) -> Iterator[str]:
    """Name each place where two units meet."""
    for node in ast.walk(ast.parse(text)):
        for one, other in _meetings(node, known or {}):
            if None not in (one, other) and one != other:
                yield f"{node.lineno}: {one} meets {other} in `{ast.unparse(node)[:70]}`"  # type: ignore[attr-defined]


def _meetings(node: ast.AST, known: dict[str, list[str]]) -> Iterator[tuple[str | None, str | None]]:
    if isinstance(node, ast.Call):
        for word in node.keywords:
            if word.arg:
                yield unit(ast.Name(word.arg)), unit(word.value)
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        for argument, value in zip(known.get(name, ()), node.args, strict=False):
            yield unit(ast.Name(argument)), unit(value)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from zip(map(unit, target.elts), map(unit, node.value.elts), strict=False)
            yield unit(target), unit(node.value)
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        yield unit(node.target), unit(node.value)
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        yield from zip(map(unit, sides[:-1]), map(unit, sides[1:]), strict=True)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        if {unit(node.left), unit(node.right)} != {"decic", "decik"}:
            yield unit(node.left), unit(node.right)
    elif isinstance(node, ast.FunctionDef):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Return) and isinstance(inner.value, ast.expr):
                yield unit(ast.Name(node.name)), unit(inner.value)


def test_no_unit_is_taken_for_another() -> None:
    texts = {
        str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
        for file in sorted((ROOT / "bmsd").rglob("*.py"))
    }
    known = functions(texts)
    found = [f"{name}:{fault}" for name, text in texts.items() for fault in faults(text, known)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "x_mv = y_ma",
        "x_mv: int = y.z_ma",
        "a_mv, b_ma = c_mv, d_mv",
        "f(x_mv=min(y_ma, 3))",
        "x_ms += y_us",
        "x_mv < 5 + y_ma",
        "z = x_mv - y_decic",
        "z = x_mv if y else z_ma\nw_mv = -v_ma",
        "x_decic = y_decic - z_decic",
        "x_decik + y_ma",
        "def f_mv():\n    return x_ma",
        "known(x_ma)",
        "x.known(y_ma)",
    ],
)
def test_two_units_that_meet_are_found(line: str) -> None:
    assert list(faults(line, {"known": ["x_mv"]}))


@pytest.mark.parametrize(
    "line",
    [
        "x_mv = y_mv",
        "x_mv = y_ma * z_mohm // 1000",
        "x_mv = 5",
        "f(x_mv=max(y_mv, 5))",
        "x_mv + 5 < y_mv",
        "x_ms + z",
        "x_decik = y_decic - z_decic",
        "x_decic = y_decic + z_decik",
    ],
)
def test_what_agrees_or_is_worked_out_is_none(line: str) -> None:
    assert not list(faults(line))
