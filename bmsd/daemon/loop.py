"""The core process: one loop that owns the pack. Time and requests in, one cycle, publish, feed the watchdog.

It imports neither python-can nor pymodbus nor systemd's journal. Whatever ends it ends with all outputs off.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bmsd.afe.chips import CHIPS
from bmsd.config.load import Config
from bmsd.control.controller import Board, Controller, sleep_ms
from bmsd.core import contactor_life, heater_watch, report
from bmsd.core.alarms import is_active
from bmsd.core.report import Cycle
from bmsd.core.state import begin
from bmsd.core.types import AfeState, Event, Request
from bmsd.daemon import state_file
from bmsd.daemon.event_log import Ring
from bmsd.daemon.process import Guard, complain, may_ask
from bmsd.daemon.publishing import CorePublisher
from bmsd.daemon.request_handler import RequestHandler
from bmsd.errors import ParameterError
from bmsd.hardware.service import Service
from bmsd.ipc.request_socket import PendingRequest, RequestServer
from bmsd.ipc.shared_files import SOCKET, boot_id, monotonic_ms
from bmsd.shutdown import safe_off
from bmsd.tables.alarms import Block

if TYPE_CHECKING:
    from bmsd.sim.bench import Bench

STATUS_EVERY_MS = 5000
FIRST_CYCLES = 6
RETRY_MS = 10_000
"""A state that the disk refused is offered again this often."""


class Daemon:
    """One running core with everything around it."""

    def __init__(self, config: Config, runtime_dir: Path, state_dir: Path, simulate: bool) -> None:
        self._config = config
        self._simulate = simulate
        self._started_ms = monotonic_ms()
        stored = state_file.load(state_dir)
        self._runtime_before_ms = stored.runtime_ms
        self._bench: Bench | None = None
        board = self._attach(runtime_dir)
        self._handler, latched = self._open_handler(stored)
        state = begin(
            self._started_ms,
            latched=latched,
            soc_state=stored.soc,
            consent=stored.consent,
            asked_for=stored.asked_for if config.closes_by_itself else Block.NONE,
        )
        self._boot = boot_id()
        same_boot = stored.boot == self._boot != "unknown"
        state = contactor_life.remembered(state, stored.worn, self._started_ms, same_boot=same_boot)
        state = state._replace(watch=heater_watch.revived(stored.heat, self._started_ms, same_boot=same_boot))
        self._controller = Controller(config, self._handler.parameters, board, state)
        self._guard = Guard(runtime_dir, config.path)
        self._publisher = CorePublisher(runtime_dir, config.cells, simulated=simulate)
        self._server = RequestServer(runtime_dir / SOCKET, may_ask(os.getuid()))
        self._writer = state_file.Writer(state_dir)
        self._service = Service()
        self._ring = Ring()
        self._waiting: list[tuple[Request, PendingRequest]] = []
        self._saved: state_file.Stored | None = None
        self._disk_failed = False
        self._saved_ms = self._status_ms = 0
        self._sequence = self._overruns = self._last_us = self._worst_us = 0
        self._stop = False

    def _attach(self, runtime_dir: Path) -> Board:
        """Attach the real board, or the bench with the same doors."""
        safe_off.remember(runtime_dir, self._config.outputs, self._config.fets, simulated=self._simulate)
        if self._simulate:
            from bmsd.sim.bench import Bench
            from bmsd.sim.scenario import plant_settings

            file = runtime_dir / safe_off.BENCH_LINES_FILE
            self._bench = Bench(self._config, plant_settings(self._config), file, self._started_ms)
            return self._bench.board(sleep_ms)
        from bmsd.hardware.board import open_lines
        from bmsd.hardware.i2c import I2cPort

        port = I2cPort(self._config.afe.bus, self._config.afe.timeout_ms)
        port.claim()
        return Board(port, open_lines(self._config.outputs), sleep_ms, clock_ms=monotonic_ms)

    def _open_handler(
        self, stored: state_file.Stored
    ) -> tuple[RequestHandler, dict[str, tuple[int | None, int | None]]]:
        """Take the stored parameter changes; unusable ones block until an operator has looked."""
        latched, bench = dict(stored.latched), self._bench.request if self._bench else None
        problem = stored.problem
        try:
            handler = RequestHandler(self._config, stored.changed, bench, stored.remote)
        except ParameterError as error:
            problem = f"stored parameter changes do not fit the configuration: {error}"
            handler = RequestHandler(self._config, {}, bench)
        if problem:
            complain(problem)
            latched["configuration_fault"] = (None, None)
        return handler, latched

    def run(self) -> None:
        """Run until asked to stop; every way out switches off."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        self._ring.add([Event(at_ms=self._started_ms, kind="daemon", name="bmsd", state="started")])
        self._publisher.parameters(self._handler.body(), self._started_ms)
        self._publisher.writes(self._handler.unlocked, self._started_ms)
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._loop()
        finally:
            self._leave()

    def _asked_to_stop(self, _number: int, _frame: object) -> None:
        self._stop = True

    def _loop(self) -> None:
        due_ms = monotonic_ms()
        while not self._stop:
            # Decided for the time it was due, not when it woke: counted from a cycle that woke a millisecond
            # late, a protection's delay would end a millisecond after a cycle, and cost another period. Later
            # than a period that is no longer true: rests and silences end by what the time is.
            if monotonic_ms() - due_ms >= self._controller.period_ms:
                due_ms = monotonic_ms()
                self._overruns += 1
            self._cycle(due_ms)
            pause_ms = self._start_pause_ms()
            if pause_ms is not None:
                due_ms = monotonic_ms() + pause_ms
            else:
                due_ms += self._controller.period_ms
            now_ms = monotonic_ms()
            if now_ms > due_ms:
                self._overruns += 1
                due_ms = now_ms
            self._receive(due_ms)

    def _start_pause_ms(self) -> int | None:
        """Give a shorter way to the next cycle while a start waits for its chip; None is the usual period."""
        inputs = self._controller.inputs
        if self._sequence >= FIRST_CYCLES or inputs is None or inputs.afe.measurement is not None:
            return None
        first_scan_ms = CHIPS[self._config.afe.chip].facts.first_scan_ms
        return {AfeState.CONFIGURING: 0, AfeState.READY: first_scan_ms}.get(inputs.afe.state)

    def _cycle(self, now_ms: int) -> None:
        """Do one complete cycle, tell everyone, and only then feed the watchdogs."""
        began = time.perf_counter_ns()
        if self._bench is not None:
            self._bench.advance(now_ms)
        self._waiting = [(request, asked) for request, asked in self._waiting if not asked.dropped()]
        requests = tuple(request for request, _ in self._waiting)
        out = self._controller.cycle(now_ms, requests)
        if self._bench is not None:
            self._bench.tell_inverter(out.limits)
        self._answer()
        if self._ring.add((*self._handler.take_events(), *out.events)):
            self._publisher.events(self._ring, now_ms)
        self._sequence += 1
        self._publish(now_ms)
        self._save(now_ms)
        self._controller.guarded = self._guard.beat(now_ms)
        self._tell_systemd(now_ms)
        self._last_us = (time.perf_counter_ns() - began) // 1000
        self._worst_us = max(self._worst_us, self._last_us)

    def _receive(self, due_ms: int) -> None:
        """Wait for the next cycle and take requests meanwhile."""
        while not self._stop:
            for asked in self._server.wait(due_ms):
                self._handle(asked)
            if self._waiting:
                # Decided with the next cycle, so that a flood of them cannot fill this one.
                time.sleep(max(due_ms - monotonic_ms(), 0) / 1000)
            if monotonic_ms() >= due_ms:
                return

    def _handle(self, asked: PendingRequest) -> None:
        before, unlocked = self._handler.parameters, self._handler.unlocked
        request = self._handler.handle(
            asked, monotonic_ms(), contactors_open=self._controller.contactors_open
        )
        if request is not None:
            self._waiting.append((request, asked))
        if self._handler.parameters is not before:
            self._controller.use(self._handler.parameters)
            self._publisher.parameters(self._handler.body(), monotonic_ms())
        if self._handler.unlocked is not unlocked:
            self._publisher.writes(self._handler.unlocked, monotonic_ms())

    def _answer(self) -> None:
        """Tell each asker what became of his request."""
        for request, asked in self._waiting:
            if request.kind == "reset" and is_active(self._controller.state.alarms, request.name):
                asked.answer(
                    {
                        "ok": False,
                        "error": f"{request.name} stays: its cause is not gone, or not for long enough",
                    }
                )
            else:
                asked.answer({"ok": True})
        self._waiting.clear()

    def _publish(self, now_ms: int) -> None:
        uptime_ms = now_ms - self._started_ms
        cycle = Cycle(
            sequence=self._sequence,
            uptime_ms=uptime_ms,
            runtime_ms=self._runtime_before_ms + uptime_ms,
            last_us=self._last_us,
            worst_us=self._worst_us,
            overruns=self._overruns,
            disk_bytes=self._writer.bytes_written,
        )
        self._publisher.snapshot(self._controller, cycle, self._ring.sequence, now_ms)

    def _save(self, now_ms: int, *, at_once: bool = False) -> None:
        """Keep what must survive: at once when an operator or a latch changed it, else now and then."""
        control = self._controller
        latched = report.latched(control.state)
        runtime_ms = self._runtime_before_ms + now_ms - self._started_ms
        stored = state_file.Stored(
            control.state.soc,
            control.state.consent,
            latched,
            self._handler.changed,
            runtime_ms=runtime_ms,
            remote=self._handler.remote,
            worn=contactor_life.worn(control.state, now_ms, stopped=at_once),
            asked_for=control.state.asked_for,
            boot=self._boot,
            heat=heater_watch.proof(control.state.watch),
        )
        last = self._saved
        urgent = last is None or _wishes(last) != _wishes(stored)
        anchored = last is not None and _anchors(last) != _anchors(stored)
        self._tell_of_disk(now_ms)
        age_ms = now_ms - self._saved_ms
        again = bool(self._writer.failed) and age_ms >= RETRY_MS
        if urgent or anchored or again or at_once or age_ms >= state_file.EVERY_MS:
            self._writer.put(stored)
            self._saved, self._saved_ms = stored, now_ms

    def _tell_of_disk(self, now_ms: int) -> None:
        """Say once when the state can no longer be kept, and once when it can again."""
        failed = self._writer.failed
        if bool(failed) == self._disk_failed:
            return
        self._disk_failed = bool(failed)
        if failed:
            complain(f"{failed}; charge count, latches and consents would not survive a power cut")
        word = "lost" if failed else "back"
        self._ring.add([Event(at_ms=now_ms, kind="daemon", name="state file", state=word)])
        self._publisher.events(self._ring, now_ms)

    def _tell_systemd(self, now_ms: int) -> None:
        if self._sequence == 1:
            self._service.ready("started, waiting for good cycles")
        self._service.alive()
        if now_ms - self._status_ms >= STATUS_EVERY_MS:
            self._status_ms = now_ms
            self._service.status(self._status_text())
            gc.collect(0)

    def _status_text(self) -> str:
        control = self._controller
        active = [alarm["name"] for alarm in report.alarms(control.settings, control.state)]
        alarms = f"alarms: {', '.join(active)}" if active else "no alarms"
        return f"{control.state.word}; {alarms}"

    def _leave(self) -> None:
        """Switch off first, then tell, then save."""
        if self._controller.stop():
            self._guard.goodbye()  # else it tries what we could not do
        self._service.stopping()
        self._publisher.withdraw()
        now_ms = monotonic_ms()
        if self._ring.add([Event(at_ms=now_ms, kind="daemon", name="bmsd", state="stopping")]):
            self._publisher.events(self._ring, now_ms)
        self._save(now_ms, at_once=True)
        self._writer.close()
        self._server.close()


def _wishes(stored: state_file.Stored) -> tuple[object, ...]:
    """Give what may not wait for the next regular writing."""
    return stored.consent, stored.latched, stored.changed, stored.remote, stored.worn, stored.asked_for


def _anchors(stored: state_file.Stored) -> tuple[int, bool] | None:
    return None if stored.soc is None else (stored.soc.full_charges, stored.soc.synchronised)
