"""bmsctl modbus: who may write, until when, and the PIN."""

from __future__ import annotations

import io
import json

import pytest

from bmsd.cli.main import main
from bmsd.config import pin
from bmsd.ipc.shared_files import Publisher, monotonic_ms
from tests.support.snapshots import publish_snapshot


@pytest.fixture
def folder(tmp_path, clock):
    publish_snapshot(tmp_path, {"cells": 16, "points": {}, "alarms": []}, monotonic_ms())
    return tmp_path


def link(folder, name: str, **figures) -> None:
    Publisher(folder).publish(f"link-{name}.json", {"state": "running", **figures}, monotonic_ms())


def run(folder, *words: str) -> int:
    return main(["modbus", *words, "--runtime-dir", str(folder)])


def test_each_line_says_what_it_does_with_writes(folder, capsys) -> None:
    link(folder, "modbus")
    writes = {"lock": 2, "unlocked_ms": 299_000, "locked_out_ms": 0, "writes_taken": 3, "writes_refused": 1}
    link(folder, "modbus@garage", writes=writes)
    (folder / "link-modbus@roof.json").write_text('{"schema": 1, "state": "running", "boot": "another"}')
    assert run(folder) == 0
    assert capsys.readouterr().out.splitlines() == [
        "modbus: takes no writes (modbus.writes is not set)",
        "modbus@garage: unlocked for 4 min 59 s; 3 writes taken, 1 refused",
        "modbus@roof: does not run",
    ]
    assert run(folder, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["modbus"]["enabled"] is False
    assert told["modbus@garage"]["unlocked_s"] == 299
    assert told["modbus@roof"] == dict.fromkeys(told["modbus"])


def test_without_a_daemon_nothing_is_said_about_locks(tmp_path, capsys) -> None:
    """S7."""
    assert run(tmp_path) == 69
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("word", ["10", "m", "ten", "10d", "-5m", "1.5h", ""])
def test_a_time_that_is_none_is_wrong_usage(folder, word) -> None:
    with pytest.raises(SystemExit) as ended:
        run(folder, "unlock", word)
    assert ended.value.code == 2


def chosen(folder, monkeypatch, text: str, *words: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return run(folder, "pin", "--config", str(folder / "bmsd.toml"), *words)


def test_a_pin_is_set_and_removed(folder, monkeypatch, capsys) -> None:
    assert chosen(folder, monkeypatch, "271828\n") == 0
    assert "271828" not in capsys.readouterr().out
    path = pin.path_beside(folder / "bmsd.toml")
    assert pin.matches(path, 271_828)
    assert chosen(folder, monkeypatch, "", "--remove") == 0
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "12345", "012345", "123456", "2718a8", "٢٧١٨٢٨", "9" * 5000])
def test_a_bad_pin_is_refused_and_the_old_one_stays(folder, monkeypatch, text) -> None:
    chosen(folder, monkeypatch, "271828\n")
    assert chosen(folder, monkeypatch, f"{text}\n") == 2
    assert pin.matches(pin.path_beside(folder / "bmsd.toml"), 271_828)
