"""Figures of an earlier revision are those of its own code, are judged as what they are, and are missed out loud."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import against

NO_SUCH = subprocess.CalledProcessError(128, "git", stderr=b"fatal: bad revision 'abc'\n")


@pytest.mark.parametrize(
    ("fails", "why"),
    [(NO_SUCH, "fatal: bad revision 'abc'; in a shallow clone"), (FileNotFoundError(), "no git here")],
)
def test_without_the_revision_the_page_and_the_screen_say_so(monkeypatch, capsys, fails, why) -> None:
    def git(*_: str) -> bytes:
        raise fails

    monkeypatch.setattr(against, "_git", git)
    (row,) = against.against("abc")
    assert (row.idle, row.ratio) == (against.SKIPPED, None)
    assert why in row.note
    assert "SKIPPED: against abc" in capsys.readouterr().err


def test_an_earlier_revision_whose_benchmarks_fail_is_skipped_as_well(monkeypatch, capfd) -> None:
    monkeypatch.setattr(against, "checked_out", lambda _: nullcontext((against.ROOT, "abc of yesterday")))
    monkeypatch.setattr(against, "WORK", (replace(against.WORK[0], program="raise SystemExit(3)"),))
    (row,) = against.against("abc")
    assert row.idle == against.SKIPPED
    assert "ended with 3" in row.note
    assert "SKIPPED: against abc" in capfd.readouterr().err


def test_what_is_laid_out_is_the_revision_and_not_what_is_there_now(monkeypatch, tmp_path) -> None:
    for name in ("bmsd", "tests/benchmarks"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("then = 1")
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "Then")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / "bmsd" / "__init__.py").write_text("now = 1")
    monkeypatch.setattr(against, "ROOT", tmp_path)
    with against.checked_out("HEAD") as (then, name):
        assert (then / "bmsd" / "__init__.py").read_text() == "then = 1"
        assert re.fullmatch(r"[0-9a-f]{7,} of \d{4}-\d\d-\d\d", name)
    assert not then.exists()


@pytest.mark.parametrize(("better", "ratio"), [(True, 0.85), (False, 4.0)])
def test_figures_of_two_revisions_are_judged_as_what_they_are(better, ratio) -> None:
    """Twice of then: for a speed that has to be 1.7 times it is kept, for a time that may be half it is not."""
    work = against.Work(
        what="it", program="", unit="s", digits=1, budget=1.7 if better else 0.5, more_is_better=better
    )
    row = against._figure(work, {"then": 2.0, "now": 4.0}, "abc of yesterday")
    assert row.ratio == pytest.approx(ratio)
    assert row.idle == "4.0 s = 2.00 x"
    assert row.what == "it, against abc of yesterday"


def test_each_tree_runs_its_own_code(tmp_path) -> None:
    (tmp_path / "bmsd").mkdir()
    (tmp_path / "bmsd" / "__init__.py").write_text("")
    trees = {"then": tmp_path, "now": against.ROOT}
    found = {name: Path(against.ran(tree, against.WHICH).strip()) for name, tree in trees.items()}
    assert found == {name: tree.resolve() for name, tree in trees.items()}


PERF = """#!/bin/sh
while [ "$1" != -- ]; do [ "$1" != -o ] || file=$2; shift; done
echo "{},,instructions:u,1,100.00,," > $file
"""


@pytest.mark.parametrize(("says", "counted"), [("1234567", 1_234_567), ("<not supported>", None)])
def test_instructions_are_told_where_they_are_counted(monkeypatch, tmp_path, says, counted) -> None:
    (tmp_path / "perf").write_text(PERF.replace("{}", says))
    (tmp_path / "perf").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert against.instructions(tmp_path) == counted


def test_without_perf_nothing_is_counted(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert against.instructions(tmp_path) is None
