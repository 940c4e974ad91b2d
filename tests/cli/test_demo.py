"""The demo with the real programs: the order of the main job, a good end, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bmsd.demo.story import STORIES
from tests.support.running import eventually, last_words

pytestmark = pytest.mark.system


@pytest.fixture
def place(tmp_path_factory, monkeypatch) -> Path:
    """Give a short folder for temporary files, so that what is left behind can be seen."""
    folder = tempfile.TemporaryDirectory(prefix="d-")
    monkeypatch.setenv("TMPDIR", folder.name)
    yield Path(folder.name)
    assert list(Path(folder.name).iterdir()) == [], "left behind"
    folder.cleanup()


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bmsd.demo", *words], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def processes_of(place: Path) -> dict[int, str]:
    """Find the processes that name the folder on their command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(place) in line:
                found[int(entry.name)] = line
    return found


def wait_gone(place: Path) -> None:
    eventually(lambda: not processes_of(place), 15)


def read_until(program: subprocess.Popen[str], text: str) -> str:
    seen = ""
    for line in program.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"ended without {text!r}: {seen}{program.stderr.read()}")


@pytest.mark.slow
def test_the_cold_story_in_its_order(place) -> None:
    program = start("--seconds", "20", "--scenario", "cold")
    out, err = last_words(program, 60)
    assert (program.returncode, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    in_order = ["Charge contactor closed", "Too cold to charge", "Charge contactor opened", "Heater on",
                "Too cold to charge cleared", "Heater off", "Charge contactor closed",
                "outputs of the bench are off"]  # fmt: skip
    flat = " ".join(out.split())
    at = 0
    for text in in_order:
        at = flat.index(text, at)
    assert re.search(r"CAN [1-9]", out), "frames were sent"
    wait_gone(place)


def test_a_dead_core_is_a_failure_and_nothing_stays(place) -> None:
    program = start("--scenario", "quiet")
    read_until(program, "Ready after")
    (core,) = [pid for pid, line in processes_of(place).items() if "bmsd.daemon.main" in line]
    os.kill(core, signal.SIGKILL)
    _, err = last_words(program, 30)
    assert program.returncode == 1
    assert "the core ended by itself" in err
    wait_gone(place)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(place, number) -> None:
    program = start("--scenario", "quiet")
    read_until(program, "Ready after")
    program.send_signal(number)
    out, err = last_words(program, 30)
    assert program.returncode == 128 + number
    assert "Traceback" not in err
    assert "outputs of the bench are off" in " ".join(out.split())
    wait_gone(place)


def test_every_story_goes_forward() -> None:
    for story in STORIES.values():
        times = [step.at_s for step in story]
        assert times == sorted(times)
