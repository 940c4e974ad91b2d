"""Real cores on the simulated bench: started, asked, watched, hurt, and always ended, guard included."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bmsd.ipc import shared_files
from bmsd.ipc.request_socket import ask
from bmsd.ipc.snapshot import fresh_snapshot
from tests.support.configured import pack_text
from tests.support.patience import allowed
from tests.support.running import PATIENCE_S, ended, eventually, joined_ptys

ROOT = Path(__file__).resolve().parents[2]
CONFIG = pack_text(
    """
[outputs]
charge = 17
discharge = 27
precharge = 22
heater = 23
buzzer = 24
heartbeat = 25
charge_feedback = 5
discharge_feedback = 6
[heater]
resistance_ohm = 24.0
[bench]
scenario = "still.toml"
""",
    period_s=0.1,
    start_good_cycles=2,
    unknown_grace_s=0.5,
    value_max_age_s=0.5,
    recovery_s=1,
    temperature_delay_s=0.3,
    cell_ovp_delay_s=0.3,
    contactor_min_off_s=0.5,
    contactor_operations_per_hour=600,
    heater_min_off_s=0,
    precharge_rest_s=1,
)

SCENARIO = """
[scenario]
title = "A pack at rest"
description = "Nothing happens by itself."
duration_s = 60
sample_s = 1
[pack]
soc_percent = 50
precharge_ohm = 10
"""


@dataclass
class Core:
    """One core with its directories; `start` may be called again after its end."""

    folder: Path
    section: str = ""
    program: tuple[str, ...] = ("-m", "bmsd.daemon.main")
    text: str = CONFIG
    process: subprocess.Popen[str] | None = None
    _made: list[subprocess.Popen[str]] = field(default_factory=list)
    _guards: list[int] = field(default_factory=list)

    @property
    def runtime(self) -> Path:
        return self.folder / "run"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        return self.folder / "bmsd.toml"

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def start(self, *, cautious: bool = False, closes: bool = True) -> Core:
        """Start the core, and wait until both contactors are closed.

        A cautious one stays open for long; one that never closes is only waited for until it speaks.
        """
        good = "start_good_cycles = 2"
        self.config.write_text(self.text.replace(good, "start_good_cycles = 100") if cautious else self.text)
        (self.folder / "still.toml").write_text(SCENARIO)
        with self.config.open("a") as file:
            file.write(self.section)
        begun = shared_files.monotonic_ms()
        self.process = self.another()
        self._guards.append(self.guard)
        # The snapshot of the core before this one is fresh for a moment longer.
        eventually(lambda: self.document()["at_ms"] >= begun)
        if closes and not cautious:
            eventually(self.is_closed)
        return self

    def another(self) -> subprocess.Popen[str]:
        """Start a core on the same directories."""
        command = [sys.executable, *self.program, "--simulate", "--config", str(self.config)]
        command += ["--runtime-dir", str(self.runtime), "--state-dir", str(self.state)]
        with (self.folder / "stderr").open("a") as errors:
            self._made.append(subprocess.Popen(command, stderr=errors, text=True, cwd=ROOT))
        return self._made[-1]

    def end(self) -> None:
        """Kill what still runs of all that was started here."""
        for process in self._made:
            process.kill()
            process.wait()
        for guard in self._guards:
            if lives(guard):
                os.kill(guard, signal.SIGKILL)

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send the core a signal that ends it; give its exit code."""
        os.kill(self.pid, number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; give its exit code."""
        assert self.process
        return ended(self.process)

    @property
    def guard(self) -> int:
        """Give the process that watches the core."""
        assert self.process
        found = eventually(lambda: children(self.pid) or (self.process.poll() is not None and [0]))
        assert self.process.poll() is None, f"the core has ended: {self.stderr()}"
        return found[0]

    def document(self) -> dict[str, Any]:
        return dict(fresh_snapshot(self.runtime).document)

    def points(self) -> dict[str, Any]:
        return self.document()["points"]

    def alarms(self) -> set[str]:
        return {alarm["name"] for alarm in self.document()["alarms"]}

    def is_closed(self) -> bool:
        points = self.points()
        return all(points[name] for name in ("charge_actual", "discharge_actual"))

    def is_open(self) -> bool:
        points = self.points()
        return not any(points[name] for name in ("charge_actual", "discharge_actual", "heater_actual"))

    def is_well(self) -> bool:
        return self.is_closed() and not self.alarms()

    def lines(self) -> dict[str, bool]:
        """Give the output lines of the bench as the last process left them.

        Without the heartbeat: a watchdog relay lives on its edges, its level switches nothing.
        """
        levels = json.loads((self.runtime / "bench-lines.json").read_text())
        return {name: on for name, on in levels.items() if name != "heartbeat"}

    def is_off(self) -> bool:
        return bool(self.lines()) and not any(self.lines().values())

    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def events(self, *kinds: str, since: int = 0) -> list[tuple[str, str]]:
        """Give name and state of the events of some kinds after a number, oldest first."""
        found = shared_files.read_document(self.runtime / shared_files.EVENTS)["events"]
        return [
            (event["name"], event["state"])
            for event in found
            if event["kind"] in kinds and event["n"] > since
        ]

    def ask(self, **request: Any) -> dict[str, Any]:
        return ask(self.runtime, request, timeout_s=allowed(PATIENCE_S))

    def sim(self, **values: float) -> None:
        self.ask(do="sim", set=values)

    def fault(self, name: str, on: bool, cell: int | None = None) -> None:
        self.ask(do="sim", fault=name, on=on, cell=cell)

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run bmsctl."""
        command = [sys.executable, "-m", "bmsd.cli.main", *words, "--runtime-dir", str(self.runtime)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=allowed(PATIENCE_S))

    def cycles(self, count: int) -> None:
        """Wait for so many further cycles."""
        before = self.points()["sequence"]
        eventually(lambda: self.points()["sequence"] >= before + count)


def children(pid: int) -> list[int]:
    """Find the processes whose parent this one is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == pid:
            found.append(int(path.parent.name))
    return found


def lives(pid: int) -> bool:
    """Tell a process from one that is gone or only waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Core]:
    core = Core(folder, **options)
    try:
        yield core
    finally:
        core.end()


@pytest.fixture
def core(tmp_path) -> Iterator[Core]:
    """Make a core of this test alone, not started yet."""
    with running(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Core]:
    """Run one core for all tests of a module; each has to leave it as it was."""
    with running(tmp_path_factory.mktemp("core")) as made:
        yield made.start()


@pytest.fixture(scope="session")
def tools() -> Any:
    """Give what else tests of processes need; a conftest cannot be imported well."""

    class Tools:
        config = CONFIG
        eventually = staticmethod(eventually)
        lives = staticmethod(lives)
        children = staticmethod(children)
        running = staticmethod(running)

    return Tools


@pytest.fixture
def wire() -> Iterator[tuple[str, str]]:
    """Join two ptys like a serial cable: give the paths of both ends."""
    with joined_ptys() as ends:
        yield ends
