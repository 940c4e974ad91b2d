"""The list of explained changes is neither stale nor incomplete, and the changes are what they say."""

from __future__ import annotations

import ast
import tomllib

import pytest

from tests.mutation import mutants, report

SAMPLE = '''
LIMIT = 5
"""What it is."""

def f(a: int | None = None) -> int | None:
    """Say so."""
    if a is None or a > LIMIT:
        return None
    return a + 1
'''


@pytest.mark.slow
def test_every_explained_change_can_still_be_made() -> None:
    """A line that is gone or written anew needs no explanation, or another one."""
    there = {mutant.key for module in mutants.modules() for mutant in mutants.mutants(module)}
    stale = [key for key in report.explained() if key not in there]
    assert not stale, "\n".join(map(str, stale))


def test_every_change_is_explained_once_and_with_a_reason() -> None:
    kinds = tomllib.loads(report.EXPLANATIONS.read_text(encoding="utf-8"))["kind"]
    keys = [tuple(change) for kind in kinds for change in kind["changes"]]
    assert len(keys) == len(set(keys)) == len(report.explained())
    assert all(len(kind["reason"]) > 40 and kind["changes"] for kind in kinds)


def test_the_document_has_nothing_unexplained() -> None:
    lines = report.read()
    assert lines
    assert [line for line in lines.values() if line.unexplained] == []
    assert all(line.changes == line.noticed + line.explained for line in lines.values())


def test_the_safety_document_has_the_figures_of_the_last_run() -> None:
    assert report.figures() in report.SAFETY.read_text(encoding="utf-8")


@pytest.mark.parametrize("module", mutants.modules())
def test_the_document_counts_the_explained_changes_of_a_module_as_it_was_tried(module) -> None:
    """A module that changed since is tried anew by `./run mutate --changed`; until then its figures are old."""
    if report.is_old(module):
        return
    told = [mutant for mutant in mutants.mutants(module) if mutant.key in report.explained()]
    assert report.read()[module].explained == len(told)
    assert report.read()[module].changes == len(mutants.mutants(module))


def test_a_change_is_named_by_what_it_was_and_what_it_becomes() -> None:
    found = [mutant.change for mutant in mutants.mutants("sample", SAMPLE)]
    assert "LIMIT = 5 -> LIMIT = 6" in found
    assert "a is None or a > LIMIT -> a is None or a >= LIMIT" in found
    assert "a is None or a > LIMIT -> a is None and a > LIMIT" in found
    assert "a is None or a > LIMIT -> False" in found
    assert "return None -> return 0" in found
    assert "return a + 1 -> return a - 1" in found
    assert not [
        change for change in found if "What it is" in change or "Say so" in change or "int |" in change
    ]


def test_each_change_is_in_its_code_and_the_only_one() -> None:
    plain = ast.unparse(ast.parse(SAMPLE))
    texts = [
        ast.unparse(mutants.mutated("sample", mutant.number, SAMPLE))
        for mutant in mutants.mutants("sample", SAMPLE)
    ]
    assert len(set(texts)) == len(texts)
    assert plain not in texts
    with pytest.raises(IndexError):
        mutants.mutated("sample", len(texts), SAMPLE)


def test_what_is_made_when_a_module_is_read_has_no_line_of_a_function() -> None:
    found = {mutant.change: mutant for mutant in mutants.mutants("sample", SAMPLE)}
    assert found["LIMIT = 5 -> LIMIT = 6"].lines == (0, 0)
    assert found["LIMIT = 5 -> LIMIT = 6"].function == "module"
    assert found["return a + 1 -> return a - 1"].lines == (9, 9)
    assert found["return a + 1 -> return a - 1"].function == "f"
