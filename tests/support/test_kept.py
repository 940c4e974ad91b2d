"""What is kept is the result of the very files it is asked for, and of no others."""

from __future__ import annotations

import pytest

from tests.support import kept as module
from tests.support.kept import fingerprint, kept, source


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Count how often a result is worked out from one file, in a place of its own."""
    monkeypatch.setattr(module, "PLACE", tmp_path / "place")
    file = tmp_path / "source.py"
    file.write_text("one")
    counted = []

    def ask() -> list[int]:
        return kept("thing", [file], lambda: counted.append(0) or [len(counted)])

    return file, ask


def test_the_same_files_are_worked_out_once(made) -> None:
    _, ask = made
    assert [ask(), ask()] == [[1], [1]]


def test_a_changed_file_is_worked_out_again_and_the_old_result_is_gone(made) -> None:
    file, ask = made
    ask()
    file.write_text("two")
    assert ask() == [2]
    assert len([*module.PLACE.glob("thing-*.json")]) == 1


def test_a_failure_is_not_kept(made) -> None:
    file, ask = made

    def fail() -> None:
        raise AssertionError("a rule is broken")

    with pytest.raises(AssertionError, match="a rule is broken"):
        kept("thing", [file], fail)
    assert ask() == [1]


def test_names_count_as_well_as_contents(tmp_path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("same")
    other.write_text("same")
    assert fingerprint([one]) != fingerprint([other])
    assert fingerprint([one, other]) == fingerprint([other, one])


def test_a_source_is_every_file_of_a_folder_without_what_python_leaves_there() -> None:
    files = source("bmsd/core", "bmsd/sim")
    assert {"step.py", "cold-morning.toml", "kept.py"} <= {file.name for file in files}
    assert not [file for file in files if file.suffix == ".pyc"]
