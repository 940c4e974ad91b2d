"""What bmsd says to a person who starts it by hand: what it does, where to look, how it ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.configured import GOOD, written
from tests.support.running import eventually

ROOT = Path(__file__).resolve().parents[2]


def read_until(number: int, word: str) -> str:
    """Read a terminal until a word comes, or its other end is closed."""
    text = ""
    while word not in text:
        try:
            text += os.read(number, 4096).decode()
        except OSError:
            return text
    return text


@pytest.mark.system
def test_a_simulated_pack_in_a_terminal_says_what_it_is_and_how_to_look_at_it(tmp_path) -> None:
    ours, theirs = pty.openpty()
    path = written(tmp_path, GOOD)
    command = [sys.executable, "-m", "bmsd.daemon.main", "--simulate", "--config", str(path)]
    places = ["--runtime-dir", str(tmp_path / "run"), "--state-dir", str(tmp_path / "state")]
    environment = {key: value for key, value in os.environ.items() if key != "JOURNAL_STREAM"}
    environment["PYTHONPATH"] = str(ROOT)
    daemon = subprocess.Popen(
        [*command, *places], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    try:
        said = read_until(ours, "Ctrl-C ends it")
        eventually(lambda: [*(tmp_path / "run").glob("snapshot*")])
        daemon.send_signal(signal.SIGINT)
        said += read_until(ours, "all outputs are off")
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
        os.close(ours)
    for words in (
        "16 cells lifepo4 with bq76952: a simulated pack; nothing real is switched",
        f"bmsctl --runtime-dir {tmp_path / 'run'} watch",
        "sim list",
        f"bmsd-link can --config {path}",
        "bmsd-link modbus",
        "ended; all outputs are off",
    ):
        assert words in said, said
    assert "<" not in said, "a priority is for systemd only"


@pytest.mark.system
def test_to_a_pipe_it_says_nothing_of_that(tmp_path) -> None:
    """systemd's journal and scripts get what they got before."""
    path = written(tmp_path, GOOD)
    command = [sys.executable, "-m", "bmsd.daemon.main", "--simulate", "--config", str(path)]
    places = ["--runtime-dir", str(tmp_path / "run"), "--state-dir", str(tmp_path / "state")]
    with subprocess.Popen(
        [*command, *places], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as daemon:
        eventually(lambda: [*(tmp_path / "run").glob("snapshot*")])
        daemon.send_signal(signal.SIGINT)
        assert daemon.communicate(timeout=30)[0] == b""
