"""What counts as noticed: only a test that failed, never a trial that broke or a machine that was busy."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.mutation import mutants, mutate, trial
from tests.mutation.mutants import Mutant


class Asked:
    """One test for every change."""

    def __init__(self) -> None:
        self.learnt: list[str] = []

    def of(self, mutant: Mutant) -> list[str]:
        """Give it."""
        return ["a test"]

    def learn(self, mutant: Mutant, name: str) -> None:
        """Remember who noticed."""
        self.learnt.append(name)


def one() -> Mutant:
    return mutants.mutants("contactor_life")[0]


@pytest.mark.parametrize(("code", "answer", "is_left"), [
    (0, "", True), (1, "a test", False), (3, "", True), (3, "a test", False),
])  # fmt: skip
def test_only_an_answer_is_one(tmp_path, capsys, code, answer, is_left) -> None:
    """A trial that ends without saying which test failed has shown nothing."""

    def start(mutant: Mutant, wanted: list[str], told: Path) -> int:
        if answer:
            told.write_text(answer, encoding="utf-8")
        return trial.child(lambda: code)

    asked = Asked()
    left = list(mutate.unnoticed([one()], asked, tmp_path, start))  # type: ignore[arg-type]
    assert left == ([one()] if is_left else [])
    assert asked.learnt == ([answer] if answer else [])
    assert ("the trial broke" in capsys.readouterr().out) is (code == 3 and not answer)


def _endless() -> None:
    while True:
        pass


def test_a_loop_without_an_end_is_ended_by_processor_time(monkeypatch) -> None:
    """Time that others take on a busy machine does not count."""
    monkeypatch.setattr(trial, "LONGEST_TEST_S", 0.2)
    bound = trial.Bounded().pytest_runtest_call()
    next(bound)
    time.sleep(0.4)
    with pytest.raises(TimeoutError):
        _endless()
    with pytest.raises(StopIteration):
        bound.send(None)


def test_files_that_use_most_of_a_module_are_asked_first(tmp_path) -> None:
    """And a test that only reads a constant is asked about constants, though it runs no line of the module."""
    names = [
        f"tests/core/test_{name}.py::test_it"
        for name in ("contactor_life", "one_decision", "words_of_the_core")
    ]
    lines = {"types": {"1": names[:2]}}
    told = tmp_path / "traced"
    told.write_text(json.dumps({"took": dict.fromkeys(names, 0.01), "lines": lines}), encoding="utf-8")
    tests = mutate.Tests(told, 3)
    constant = Mutant("types", "module", "A = 1 -> A = 2", (0, 0), 0)
    assert tests.of(constant)[0] == names[2]
    inside = Mutant("types", "f", "a -> b", (1, 1), 1)
    assert names[2] not in tests.of(inside)
