"""Message ids and their explanations: one for every event that any part of bmsd can make."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bmsd.tables.alarms import ALARMS
from bmsd.tables.events import FIELDS, KINDS, kind_of, line

ROOT = Path(__file__).resolve().parents[2]
IDS = [*(alarm.message_id for alarm in ALARMS), *(row.message_id for row in KINDS)]
SOURCES = sorted((ROOT / "bmsd").rglob("*.py"))


def made(tree: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """Yield kind and possible states of every Event that a source makes; no state means any."""
    words: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            words.setdefault(node.targets[0].id, set()).update(texts(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Event":
            given = {word.arg: word.value for word in node.keywords}
            kind, state = given["kind"], given["state"]
            assert isinstance(kind, ast.Constant), ast.unparse(node)
            yield str(kind.value), words.get(state.id, set()) if isinstance(state, ast.Name) else texts(state)


def texts(node: ast.AST) -> set[str]:
    return {found.value for found in ast.walk(node) if isinstance(found, ast.Constant)}


def told_by_the_link(tree: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """Yield what the journal link itself tells: calls of `_plain` with two texts."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("_plain"), args=[ast.Constant(kind), ast.Constant(state)]):
                yield kind, {state}


def all_made() -> list[tuple[str, set[str]]]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES]
    return [pair for tree in trees for pair in (*made(tree), *told_by_the_link(tree))]


def without_a_row(found: list[tuple[str, set[str]]]) -> list[tuple[str, str]]:
    return [
        (kind, state)
        for kind, states in found
        for state in states or {"any"}
        if kind != "alarm" and kind_of(kind, state) is None
    ]


def test_message_ids_are_128_bits_and_unique() -> None:
    assert all(re.fullmatch("[0-9a-f]{32}", message_id) for message_id in IDS)
    assert len({*IDS}) == len(IDS)


def test_every_event_that_the_code_makes_has_a_row() -> None:
    assert not without_a_row(all_made())


def test_every_row_is_about_an_event_that_the_code_makes() -> None:
    found = all_made()
    for row in KINDS:
        states = [states for kind, states in found if kind == row.kind]
        assert states, row.kind
        assert not row.state or any(row.state in some for some in states), (row.kind, row.state)


def test_an_event_without_a_row_is_found() -> None:
    source = (
        'word = "gone" if a else "back"\n'
        'Event(at_ms=1, kind="weather", name="rain", state=word)\n'
        'Event(at_ms=1, kind="state", name="pack", state="new")'
    )
    assert sorted(without_a_row(list(made(ast.parse(source))))) == [
        ("state", "new"),
        ("weather", "back"),
        ("weather", "gone"),
    ]


@pytest.mark.parametrize("row", KINDS, ids=lambda row: f"{row.kind}-{row.state}")
def test_a_row_answers_the_four_questions_with_fields_that_exist(row) -> None:
    answers = (row.happened, row.did, row.check, row.clears)
    assert all(text.endswith(".") for text in answers)
    known = {name for name, _ in FIELDS}
    assert {*re.findall("@(.*?)@", " ".join((row.title, *answers)))} <= known


def test_what_no_row_knows_has_no_line() -> None:
    assert kind_of("weather", "rain") is None
    assert line("daemon", "reloaded") == ""
    assert line("daemon", "started") == "bmsd started"
