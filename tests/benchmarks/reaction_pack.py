"""A pack whose moments are noted: when a value stands in the chip's register, and when a line goes off.

Both are exact. A register of the simulated chip changes when the chip is moved on, at no other time, and a line
changes inside the call that drives it.
"""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable
from pathlib import Path

from bmsd.afe.bq769x2 import BQ76952
from bmsd.afe.bq769x2_measure import Plan
from bmsd.afe.bq769x2_settings import user_unit_ma
from bmsd.afe.session import SIGNATURE_EVERY
from bmsd.afe.transfers import Port
from bmsd.config.load import Config
from bmsd.control.chip_protection import afe_settings
from bmsd.control.controller import Board
from bmsd.core.state import Outputs
from bmsd.core.types import Measurement, Request
from bmsd.hardware.outputs import Lines
from bmsd.sim.chips.bq769x2_engine import LOOP_MS
from tests.benchmarks.rig import Clock, Rig

TICK_MS = 5
BITS_PER_BYTE = 9


class Wire:
    """The I2C bus between controller and chip: every byte takes its time, and so does a time-out."""

    def __init__(self, chip: Port, khz: int, timeout_ms: int, wait: Callable[[float], None]) -> None:
        self._chip = chip
        self._khz = khz
        self._timeout_ms = timeout_ms
        self._wait = wait

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Carry one combined transaction."""
        count = 1 + len(out) + (1 + read if read else 0)
        try:
            answer = self._chip.transfer(address, out, read)
        except OSError as error:
            stuck = error.errno == errno.ETIMEDOUT
            self._wait(self._timeout_ms if stuck else self._byte_ms)
            raise
        self._wait(count * self._byte_ms)
        return answer

    @property
    def _byte_ms(self) -> float:
        return BITS_PER_BYTE / self._khz if self._khz else 0.0


class Probed:
    """Output lines that note when each went off, and of which one may not follow."""

    def __init__(self, lines: Lines, now: Callable[[], float]) -> None:
        self.wired = lines.wired
        self.off_ms: dict[str, float] = {}
        self.held: dict[str, bool] = {}
        """Lines that somebody else holds at a level."""
        self._lines = lines
        self._now = now

    def drive(self, name: str, on: bool) -> None:
        """Set one line."""
        if not on and self._lines.read(name):
            self.off_ms[name] = self._now()
        self._lines.drive(name, on)

    def read(self, name: str) -> bool:
        """Read one line back."""
        return self.held.get(name, self._lines.read(name))

    def contact(self, name: str) -> bool | None:
        """Read a contactor's auxiliary contact."""
        return self._lines.contact(name)

    def close(self) -> None:
        """Switch everything off."""
        self._lines.close()


class Pack(Rig):
    """A fresh pack with its controller; time passes for both as in the daemon."""

    def __init__(self, folder: Path, config: Config, clock: Clock, khz: int) -> None:
        self.heater_ma = 0
        self.arrived_ms: float | None = None
        self.first: dict[str, int] = {}
        """What the registers showed when the watch began, by the name a row gives it."""
        self.out: Outputs | None = None
        self._khz = khz
        self._arrived: Callable[[Pack, Measurement], bool] | None = None
        self._requests: tuple[Request, ...] = ()
        super().__init__(folder, config, clock)
        settings = afe_settings(config, config.parameters)
        inputs = BQ76952.used_inputs(config.cells)
        self._plan = Plan(inputs, settings.thermistors, user_unit_ma(settings), settings.crc)
        self.due_ms = int(clock.now())

    def board(self) -> Board:
        """Give the board with its wire, its probed lines, and a sensor of heater current."""
        self.lines = Probed(self.bench.lines, self.clock.now)
        wire = Wire(self.bench.chip, self._khz, self.config.afe.timeout_ms, self._bus_wait)
        return Board(wire, self.lines, self._bus_wait, lambda: self.heater_ma)

    def _bus_wait(self, ms: float) -> None:
        """Let the bus take its time; the chip goes on measuring meanwhile, and the core sleeps."""
        if self.clock.real:
            time.sleep(ms / 1000)
        else:
            self.clock.wait_until(self.clock.now() + ms)
        self.bench.pause(int(self.clock.now()))
        self._look()

    def shuffle(self, draw: random.Random) -> None:
        """Put the chip's loops elsewhere in the period, and the core elsewhere in the order of its checks."""
        self.bench.chip.engine._next_loop_ms += draw.randrange(LOOP_MS)
        session = self.control._session
        session._polls = draw.randrange(session._check_every)
        session._unsigned = session._polls % SIGNATURE_EVERY

    def ask(self, request: Request) -> None:
        """Hand the core a request with its next cycle."""
        self._requests = (*self._requests, request)

    def watch(self, arrived: Callable[[Pack, Measurement], bool]) -> None:
        """Begin to look for the moment at which the registers show it."""
        self._arrived, self.arrived_ms = arrived, None
        self.first.clear()
        self.lines.off_ms.clear()
        self._look()

    def shown(self) -> Measurement:
        """Read what the chip's registers show now, without a bus."""
        return self._plan.decode(self.bench.chip.registers[:0x80])

    def _look(self) -> None:
        if self._arrived and self.arrived_ms is None and self._arrived(self, self.shown()):
            self.arrived_ms = self.clock.now()

    def pass_time(self, ms: float) -> None:
        """Let time pass; the bench in small ticks only while a value is awaited, to save work."""
        clock = self.clock
        until = clock.now() + ms
        while clock.now() < until:
            awaited = self._arrived is not None and self.arrived_ms is None
            clock.wait_until(min(clock.now() + (TICK_MS if awaited else ms), self.due_ms, until))
            self.bench.advance(int(clock.now()))
            self._look()
            if clock.now() >= self.due_ms:
                self._cycle()

    def _cycle(self) -> None:
        """Run one cycle as the daemon does: for the time it was due, the next one planned from there."""
        requests, self._requests = self._requests, ()
        self.out = self.control.cycle(self.due_ms, requests)
        self.bench.tell_inverter(self.out.limits)
        if self.clock.real:
            self.publish(self.out, time.monotonic_ns() // 1_000_000)
        self.due_ms = max(self.due_ms + self.control.period_ms, int(self.clock.now()))
