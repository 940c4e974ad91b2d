"""A runtime directory as a daemon would leave it, made from the tables, and bmsctl run on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bmsd.cli.main import main
from bmsd.ipc import request_socket, shared_files
from bmsd.ipc.request_socket import RequestServer
from bmsd.tables import parameters
from bmsd.tables.points import POINTS, Count, PointKind
from tests.support.clocks import StillClock
from tests.support.snapshots import publish_snapshot

CELLS, SENSORS = 16, 2
GOOD_POINTS = {
    "state": "charging", "pack_mv": 53_214, "current_ma": 40_000, "power_mw": 2_128_560, "soc_permille": 523,
    "soc_error_permille": 20, "soh_permille": None, "capacity_mah": 280_000, "remaining_mah": 146_440,
    "cell_mv": [3326, 3325, 3327, 3326, 3325, 3326, 3331, 3326, 3325, 3326, 3312, 3326, 3327, 3326, 3325, 3326],
    "cell_min_mv": 3312, "cell_max_mv": 3331, "cell_difference_mv": 19, "min_cell": 11, "max_cell": 7,
    "cell_average_mv": 3326, "balancing": [False] * CELLS, "battery_decic": [213, 215], "switch_decic": 241,
    "charge_allowed": True, "discharge_allowed": True, "heater_demanded": False, "heater_ma": 0, "heater_mw": 0,
    "charge_limit_mv": 55_200, "charge_limit_ma": 90_000, "discharge_limit_ma": 135_000,
    "discharge_limit_mv": 48_000, "uptime_ms": 3_725_000, "period_ms": 250, "cycle_last_us": 1900,
    "charge_commanded": True, "charge_actual": True, "discharge_commanded": True, "discharge_actual": True,
    "balance_actual": None, "balance_ma": None, "wire_mohm": [None] * CELLS,
}  # fmt: skip


def some_points(**changes: Any) -> dict[str, Any]:
    """Give every point of the table: a plausible value, with changes on top."""
    made: dict[str, Any] = {}
    for point in POINTS:
        one: Any = {PointKind.FLAG: False, PointKind.TEXT: "idle", PointKind.NUMBER: 1}[point.kind]
        many = {Count.ONE: None, Count.PER_CELL: [one] * CELLS, Count.PER_SENSOR: [one] * SENSORS}
        made[point.name] = one if point.count is Count.ONE else many[point.count]
    unknown = changes.keys() - made.keys()
    assert not unknown, f"no such points: {unknown}"
    return {**made, **GOOD_POINTS, **changes}


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@dataclass
class Runtime:
    """The runtime directory and its files, and bmsctl in front of it."""

    path: Path
    capture: Any
    now_ms: int = field(default_factory=shared_files.monotonic_ms)

    def publish(
        self,
        *,
        age_ms: int = 0,
        alarms: list[dict[str, Any]] | None = None,
        why: dict[str, Any] | None = None,
        **points: Any,
    ) -> None:
        """Write a snapshot."""
        body = {"cells": CELLS, "simulated": True, "points": some_points(**points), "alarms": alarms or [],
                "why": {"charge": [], "discharge": [], "heater": [], **(why or {})}, "event_sequence": 0}  # fmt: skip
        assert publish_snapshot(self.path, body, shared_files.monotonic_ms() - age_ms)

    def link(self, name: str, state: str, detail: str = "", age_ms: int = 0) -> None:
        self._put(f"link-{name}.json", {"state": state, "detail": detail}, age_ms)

    def events(self, *events: dict[str, Any]) -> None:
        empty = {"where": None, "value": None, "limit": None, "who": "", "time": 1_790_000_000.0, "at_ms": 1}
        self._put(shared_files.EVENTS, {"events": [{"n": n, **empty, **e} for n, e in enumerate(events, 1)]})

    def parameters(self, **changes: int) -> None:
        chosen = {"charge_ocp_ma": 100_000, "discharge_ocp_ma": 150_000}
        configured = parameters.defaults("lifepo4", "default", CELLS, chosen)
        body = {"chemistry": "lifepo4", "preset": "default", "cells": CELLS,
                "values": {**configured, **changes}, "configured": configured}  # fmt: skip
        self._put(shared_files.PARAMETERS, body)

    def _put(self, name: str, body: dict[str, Any], age_ms: int = 0) -> None:
        assert shared_files.Publisher(self.path).publish(name, body, shared_files.monotonic_ms() - age_ms)

    def alarm(self, name: str, **more: Any) -> dict[str, Any]:
        """Make an active alarm that is 134 s old."""
        since_ms = shared_files.monotonic_ms() - 134_000
        return {"name": name, "since_ms": since_ms, "where": None, "value": None, "limit": None,
                "latched": False, **more}  # fmt: skip

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run bmsctl; give exit code, output and errors. The output never exceeds 80 columns."""
        try:
            code = main([*words, "--runtime-dir", str(self.path)])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = self.capture.readouterr()
        if "--json" not in words:
            assert [line for line in out.splitlines() if len(line) > 80] == []
        assert "\x1b" not in out + err
        return code, out, err


@pytest.fixture
def runtime(tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: StillClock) -> Runtime:
    """Give the directory of a daemon that runs well; it stays as new as it is."""
    made = Runtime(tmp_path, capsys)
    made.publish()
    made.parameters()
    made.events({"kind": "daemon", "name": "bmsd", "state": "started"})
    for name in ("can", "modbus", "journal"):
        made.link(name, "running", "well")
    return made


@pytest.fixture
def alive(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Publish as a daemon does, by the machine's clock: for bmsctl as a process of its own."""
    monkeypatch.setattr(shared_files, "time", time)
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.25):
            runtime.publish()

    runtime.publish()
    thread = threading.Thread(target=publish)
    thread.start()
    yield
    stop.set()
    thread.join()


@dataclass
class Answering:
    """A request socket that answers as told and keeps what was asked."""

    reply: dict[str, Any] = field(default_factory=lambda: {"ok": True})
    asked: list[dict[str, Any]] = field(default_factory=list)
    then: Callable[[], None] = lambda: None


@pytest.fixture
def answering(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """Serve the request socket in the background; its waits are real ones."""
    monkeypatch.setattr(request_socket, "monotonic_ms", now_ms)
    server = RequestServer(runtime.path / shared_files.SOCKET, lambda uid, groups: True)
    made, stop = Answering(), threading.Event()

    def serve() -> None:
        while not stop.is_set():
            for asked in server.wait(now_ms() + 20):
                made.asked.append(asked.request)
                made.then()
                asked.answer(made.reply)

    thread = threading.Thread(target=serve)
    thread.start()
    yield made
    stop.set()
    thread.join()
    server.close()
