"""Small texts that a first reader stumbled over, and their brothers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bmsd.cli.why_words import ampere_text
from bmsd.sim import commands, main
from bmsd.sim.faults import CELL_SETTABLES, SETTABLES
from bmsd.tables import parameters
from bmsd.tables.configuration import KEYS

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXPONENT = re.compile(r"\de[+-]\d")


def test_no_help_is_about_another_makers_board() -> None:
    for text in (*(row.help for row in parameters.ROWS), *(key.help for key in KEYS)):
        assert "not in JK" not in text
        assert "JK does not" not in text


def test_no_range_is_written_with_an_exponent(capsys) -> None:
    assert not [key.allowed for key in KEYS if EXPONENT.search(key.allowed)]
    assert main.main(["list"]) == 0
    assert not EXPONENT.search(capsys.readouterr().out)
    for row in (*SETTABLES.values(), *CELL_SETTABLES.values()):
        assert not EXPONENT.search(f"{row.low:.10g} {row.high:.10g}")


@pytest.mark.parametrize(
    ("value_ma", "text"),
    [(86_400, "86.4 A"), (135_000, "135 A"), (0, "0 A"), (449, "0.4 A"), (None, "an unknown current")],
)
def test_a_current_limit_has_no_zeros_that_nobody_measures(value_ma, text) -> None:
    assert ampere_text(value_ma) == text


def test_the_journal_has_one_size_in_all_documents() -> None:
    sizes = {
        size
        for path in DOCS.glob("*.md")
        for size in re.findall(r"SystemMaxUse=(\w+)", path.read_text(encoding="utf-8"))
    }
    assert len(sizes) == 1, sizes


@pytest.mark.parametrize(
    "words",
    [
        ["replay", "{}/none.csv"],
        ["replay", "{}/a.csv", "--ocv", "{}/none.csv"],
        ["run", "cold-morning", "--csv", "{}/none/a.csv"],
    ],
    ids=" ".join,
)
def test_a_file_that_is_missing_is_named_and_nothing_else(tmp_path, capsys, words) -> None:
    (tmp_path / "a.csv").write_text("t_s,current_a,voltage_v\n0,0,53\n1,0,53\n")
    assert main.main([word.format(tmp_path) for word in words]) == 1
    err = capsys.readouterr().err
    assert f"{tmp_path}/none" in err
    assert "there is no such file" in err
    assert "Errno" not in err


def test_a_long_run_says_how_far_it_is_and_only_to_a_terminal(capsys, monkeypatch) -> None:
    commands.progress()(1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(commands, "PROGRESS_EVERY_S", 0.0)
    tell = commands.progress()
    tell(3_600_000, 7_200_000)
    tell(3_600_000, 0)
    err = capsys.readouterr().err
    assert "1 h 0 min of 2 h 0 min simulated" in err
    assert err.count("\r") == 4
