"""What the core is made of is built by name: two values of one type that change places pass every type check."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_ALIKE = 3
"""Fields of one type in a class whose values may still be given by place."""


def classes(text: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the frozen classes of a module with more fields of one type than that: name, and each field's type."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ClassDef):
            continue
        marks = [ast.unparse(mark) for mark in (*node.decorator_list, *node.bases)]
        fields = [
            (field.target.id, ast.unparse(field.annotation).removesuffix(" | None"))
            for field in node.body
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        ]
        alike = Counter(kind for _, kind in fields).most_common(1)
        if (
            any("dataclass" in mark or mark == "NamedTuple" for mark in marks)
            and alike
            and alike[0][1] > MOST_ALIKE
        ):
            yield node.name, fields


def faults(text: str, shapes: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    """Name each construction in which two values of one type are told apart by their place alone."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name not in shapes or not node.args:
            continue
        kinds = [kind for _, kind in shapes[name][: len(node.args)]]
        if any(isinstance(arg, ast.Starred) for arg in node.args) or len(set(kinds)) < len(kinds):
            yield f"{node.lineno}: {name} by place; name its values"


def shapes() -> dict[str, list[tuple[str, str]]]:
    files = [*(ROOT / "bmsd/core").glob("*.py"), ROOT / "bmsd/afe/contract.py"]
    return {name: fields for file in files for name, fields in classes(file.read_text(encoding="utf-8"))}


def test_values_of_one_type_are_given_by_name() -> None:
    known = shapes()
    assert {"Commands", "Limits", "LimitState", "State", "Outputs", "AfeSettings", "Levels", "Event"} <= set(
        known
    )
    found = [
        f"{file.relative_to(ROOT)}:{fault}"
        for folder in ("bmsd", "tests")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for fault in faults(file.read_text(encoding="utf-8"), known)
    ]
    assert not found, found


def test_a_construction_by_place_is_found() -> None:
    known = dict(
        classes("class Four(NamedTuple):\n    a: int\n    b: int | None\n    c: int\n    d: int\n    e: str")
    )
    assert list(
        faults("Four(1, 2, c=3, d=4)\nx.Four(*all)\nFour(1, b=2)\nFour(a=1)\nOther(1, 2)", known)
    ) == [
        "1: Four by place; name its values",
        "2: Four by place; name its values",
    ]
    assert not dict(classes("class Three(NamedTuple):\n    a: int\n    b: int\n    c: int"))
