"""The configuration's files: drop-ins, files that are none, and the program that refuses with exit code 78."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bmsd.config.load import load
from tests.support.configured import GOOD, problems, written

ROOT = Path(__file__).resolve().parents[2]


def test_later_drop_ins_win_key_by_key(tmp_path) -> None:
    path = written(tmp_path, GOOD)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10.toml").write_text("[pack]\ncells = 8\n[parameters]\ncell_ovp_v = 3.58\n")
    (tmp_path / "conf.d" / "20.toml").write_text("[pack]\ncells = 15\n")
    (tmp_path / "conf.d" / "30.txt").write_text("nonsense")
    config = load(path)
    assert (config.cells, config.parameters.cell_ovp_mv, config.capacity_mah) == (15, 3580, 280_000)


def test_an_error_in_a_drop_in_names_the_drop_in(tmp_path) -> None:
    path = written(tmp_path, GOOD)
    (tmp_path / "conf.d").mkdir()
    drop_in = tmp_path / "conf.d" / "10.toml"
    drop_in.write_text("[pack]\n\ncells = 99\n")
    assert problems(path)[0].startswith(f"{drop_in}, line 3: ")


BROKEN = {
    "syntax": b"[pack\ncells = 16\n",
    "twice": b"[pack]\ncells = 16\ncells = 16\n",
    "not UTF-8": b'[pack]\nchemistry = "\xff\xfe"\n',
    "binary": bytes(range(256)),
    "a list of sections": b"[[pack]]\ncells = 16\n",
    "no section": b"pack = 16\n",
    "empty": b"",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_configuration_is_refused_by_name(tmp_path, content) -> None:
    path = tmp_path / "bmsd.toml"
    path.write_bytes(content)
    found = problems(path)
    assert found
    if content:
        assert str(path) in found[0]


def test_a_file_that_is_not_there_is_refused_with_what_to_do(tmp_path) -> None:
    assert "Copy the example" in problems(tmp_path / "none.toml")[0]


UNREADABLE = {
    "UTF-16": (GOOD.encode("utf-16"), ("UTF-16", "Save it as UTF-8")),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), ("UTF-16", "Save it as UTF-8")),
    "Latin-1": (
        GOOD.replace("cells = 16", "cells = 16 # f\xfcr").encode("latin-1"),
        ("line 7", "0xfc", "UTF-8"),
    ),
    "no quotes": (GOOD.replace('"lifepo4"', "lifepo4").encode(), ("line 6", 'chemistry = "lifepo4"')),
    "a unit": (GOOD.replace("= 280", "= 280 Ah").encode(), ("line 8", "without Ah", "capacity_ah = 280")),
    "a comma": (GOOD.replace("0.25", "0,25").encode(), ("line 16", "shunt_mohm = 0.25")),
    "a capital": (GOOD.replace("crc = true", "crc = True").encode(), ("line 15", "crc = true")),
    "no value": (GOOD.replace("cells = 16", "cells =").encode(), ("line 7", "value is missing")),
    "a quote": (GOOD.replace('"lifepo4"', '"lifepo4').encode(), ("line 6", 'chemistry = "lifepo4"')),
    "a key twice": (
        GOOD.replace("cells = 16", "cells = 16\ncells = 8").encode(),
        ("line 8", "written twice"),
    ),
    "a section twice": (f"{GOOD}[pack]\n".encode(), ("there already",)),
    "a bracket": (GOOD.replace("[afe]", "[afe").encode(), ("line 11", "[brackets]")),
    "empty": (b"# nothing\n", ("nothing is written", "bmsctl setup")),
}


@pytest.mark.parametrize(("content", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_is_one_problem_with_its_line_and_the_next_step(
    tmp_path, content, words
) -> None:
    """Eight more that follow from it would hide it."""
    path = tmp_path / "bmsd.toml"
    path.write_bytes(content)
    (found,) = problems(path)
    assert found.startswith(str(path))
    for word in words:
        assert word in found, found


def test_the_advice_for_a_line_that_is_no_toml_is_accepted(tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    for content, words in UNREADABLE.values():
        if words[0].startswith("line ") and " = " in words[-1]:
            lines = content.decode().splitlines()
            lines[int(words[0].removeprefix("line ")) - 1] = words[-1]
            path.write_text("\n".join(lines), encoding="utf-8")
            assert load(path)


def test_the_mark_that_some_editors_put_before_utf_8_is_no_fault(tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(path).cells == 16


def test_every_unreadable_drop_in_is_told_and_nothing_else(tmp_path) -> None:
    path = written(tmp_path, GOOD.replace("cells = 16", ""))
    (tmp_path / "conf.d").mkdir()
    for name in ("10", "20"):
        (tmp_path / "conf.d" / f"{name}.toml").write_text("[pack]\ncells = 16 pieces\n")
    assert ["line 2: is not valid TOML" in text for text in problems(path)] == [True, True]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"lifepo4"', '"LiFePO4"', ("did you mean lifepo4?", '"li-ion"')),
        ('"pylontech"', '"pylontec"', ("did you mean pylontech?", "known are")),
        ('"bq76952"', '"BQ76952"', ("did you mean bq76952?", '"bq76942"', '"bq769142"')),
        ('"bq76952"', '"x"', ('"bq76952", "bq76942", "bq769142"',)),
        ("[modbus]", "[Modbus]", ("did you mean modbus?",)),
        ("cells = 16", "Cells = 16", ("did you mean cells?",)),
        ("charge_ocp_a = 100", "Charge_OCP_A = 100", ("did you mean charge_ocp_a?",)),
    ],
)
def test_a_word_that_looks_like_one_that_is_known_is_suggested(tmp_path, old, new, words) -> None:
    found = [text for text in problems(written(tmp_path, GOOD.replace(old, new, 1))) if words[0] in text]
    assert len(found) == 1
    assert all(word in found[0] for word in words), found


def test_a_folder_is_no_file(tmp_path) -> None:
    assert "cannot be read" in problems(tmp_path)[0]


def check(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bmsd.daemon.main", "--config", str(path), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.mark.system
def test_the_program_says_good_and_exits_0(tmp_path) -> None:
    done = check(written(tmp_path, GOOD), "--check-config")
    assert (done.returncode, done.stderr) == (0, "")
    assert "good" in done.stdout


@pytest.mark.system
@pytest.mark.parametrize("how", [("--check-config",), ("--simulate",)])
def test_the_program_refuses_with_78_and_starts_nothing(tmp_path, how) -> None:
    path = written(tmp_path, GOOD.replace("cells = 16", "cells = 99").replace("crc = true", "crc = 7"))
    place = ("--runtime-dir", str(tmp_path / "run"), "--state-dir", str(tmp_path / "state"))
    done = check(path, *how, *place)
    assert done.returncode == 78
    assert "pack.cells" in done.stderr
    assert "afe.crc" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "state").exists()
