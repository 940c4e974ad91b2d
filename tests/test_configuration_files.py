"""The configuration's files: drop-ins, files that are none, and the program that refuses with exit code 78."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bmsd.config import load
from tests.configured import GOOD, problems, written

ROOT = Path(__file__).resolve().parents[1]


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


def test_a_folder_is_no_file(tmp_path) -> None:
    assert "cannot be read" in problems(tmp_path)[0]


def check(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bmsd.daemon", "--config", str(path), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


@pytest.mark.system
@pytest.mark.xdist_group("system")
def test_the_program_says_good_and_exits_0(tmp_path) -> None:
    done = check(written(tmp_path, GOOD), "--check-config")
    assert (done.returncode, done.stderr) == (0, "")
    assert "good" in done.stdout


@pytest.mark.system
@pytest.mark.xdist_group("system")
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
