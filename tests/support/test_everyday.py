"""What the everyday run leaves out, what it says of it, and what it never leaves out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import effort
from tests.support.effort import examples, slow_but, slow_rows
from tests.support.page import folder

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest
from tests.support import effort

def test_quick(): pass

@pytest.mark.slow
def test_slow(): pass

def test_effort(): assert effort.EVERYTHING is {}
"""
INI = "[pytest]\ntestpaths = tests\nmarkers =\n    slow\npythonpath = {}\n"
PLUGINS = ("-p", "tests.support.everyday")


@pytest.fixture
def project(tmp_path):
    """Run pytest on a project of three tests; `everything` is what the third one expects."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pytest.ini").write_text(INI.format(ROOT))

    def run(*words: str, everything: bool) -> subprocess.CompletedProcess[str]:
        (tmp_path / "tests" / "test_it.py").write_text(TESTS.format(everything))
        command = [sys.executable, "-m", "pytest", *PLUGINS, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=_without_options())

    return run


def _without_options() -> dict[str, str]:
    """Give the environment without what the run around this test says of itself."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "BMSD_"))}
    return {**plain, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_everyday_run_leaves_out_what_is_slow_and_says_how_to_run_it(project, workers) -> None:
    done = project("-n", workers, everything=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert "left out of the everyday run" in done.stdout
    assert "./run test tests -m slow" in done.stdout
    assert "./run test --all" in done.stdout


@pytest.mark.parametrize(
    "words", [["--all"], ["--all", "-n", "2"], ["tests/test_it.py"], ["tests", "-n", "2"]]
)
def test_everything_runs_where_it_is_asked_for(project, words) -> None:
    done = project(*words, everything=True)
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert "left out" not in done.stdout


@pytest.mark.parametrize(
    ("words", "passed"), [(["-m", "slow"], 1), (["-m", "not slow"], 2), (["-k", "slow"], 1)]
)
def test_a_choice_of_markers_or_words_is_taken_as_it_is(project, words, passed) -> None:
    assert f"{passed} passed" in project(*words, everything=True).stdout


def test_a_fifth_of_the_examples_is_left(monkeypatch) -> None:
    monkeypatch.setattr(effort, "EVERYTHING", False)
    assert (examples(100), examples(10)) == (20, 5)
    monkeypatch.setattr(effort, "EVERYTHING", True)
    assert (examples(100), examples(10)) == (100, 10)


def test_parameters_are_marked_but_those_of_every_day() -> None:
    quick, slow, pair = slow_but(["a"], ["a", "b", ("c", 1)])
    assert quick == "a"
    assert (slow.values, pair.values) == (("b",), ("c", 1))
    assert slow.marks[0].name == pair.marks[0].name == "slow"
    first, second = slow_rows(["x"], [("x", 1), ("y", 2)])
    assert [mark.name for mark in first.marks] == ["slow"]
    assert (second.id, [*second.marks], second.values) == ("y", [], ("y", 2))


def test_a_folder_is_named_by_its_first_two_parts() -> None:
    assert folder("tests/core/test_limits.py::test_it[tests/a]") == "tests/core"
    assert folder("tests/links/deep/test_x.py::test_y") == "tests/links"
    assert folder("tests/test_store.py::test_y") == "tests"
