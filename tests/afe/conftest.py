"""A driver on a simulated chip, with settings that fit it; time is virtual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from bmsd.afe.bq769x2 import Bq769x2
from bmsd.afe.bq769x2_fixed import FACTS
from bmsd.afe.session import AfeSession
from bmsd.afe.transfers import BusCounter, Procedure, run
from bmsd.core.types import AfeReport, AfeSettings, Measurement
from bmsd.sim.chips.bq769x2 import Bq769x2Chip

T = TypeVar("T")

SETTINGS = AfeSettings(
    cells=16,
    thermistors=2,
    shunt_uohm=250,
    crc=True,
    cell_over_mv=3750,
    cell_over_delay_ms=1000,
    cell_under_mv=2400,
    cell_under_delay_ms=1000,
    charge_over_ma=150_000,
    charge_over_delay_ms=300,
    discharge_over_ma=250_000,
    discharge_over_delay_ms=300,
    short_circuit_ma=600_000,
    short_circuit_delay_us=200,
    charge_over_decic=550,
    charge_under_decic=0,
    discharge_over_decic=600,
    discharge_under_decic=-200,
    host_watchdog_s=5,
    switch_over_decic=800,
)


@dataclass
class Bench:
    """One chip, one driver, one clock."""

    settings: AfeSettings = SETTINGS
    chip: Bq769x2Chip = field(default_factory=Bq769x2Chip)
    counter: BusCounter = field(default_factory=BusCounter)
    now_ms: int = 0
    frames: list[tuple[bytes, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.driver = Bq769x2(self.settings)
        self.session = AfeSession(self.driver, FACTS, self.counter)
        self.sense()

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Pass on to the chip, and keep what went out."""
        self.frames.append((out, read))
        return self.chip.transfer(address, out, read)

    def run(self, procedure: Procedure[T]) -> T:
        """Carry out a procedure; waiting lets the chip's time pass."""
        return run(procedure, self, 0x08, self.pass_ms, counter=self.counter)

    def pass_ms(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now_ms += milliseconds
        self.chip.advance(self.now_ms)

    def sense(self, cell_mv: float = 3300, current_ma: float = 0, decic: float = 250) -> None:
        """Put a plain pack on the pins, each cell one millivolt above the one below."""
        cells = [cell_mv + n for n in range(self.settings.cells)]
        self.chip.sense(cells, current_ma, 52_800, 52_000, (decic, decic + 1, 400))

    def bring_up(self) -> None:
        """Find and configure the chip, and let it measure."""
        self.run(self.driver.start())
        self.run(self.driver.configure())
        self.pass_ms(250)

    def poll(self) -> Measurement:
        """Poll once, 250 ms later."""
        self.pass_ms(250)
        return self.run(self.driver.poll())

    def cycle(self, contactors_open: bool = True) -> AfeReport:
        """Run one cycle of the session, 250 ms later."""
        self.pass_ms(250)
        report = self.run(self.session.cycle(self.now_ms, contactors_open))
        self.run(self.session.check())
        return report

    def until_ready(self) -> AfeReport:
        """Run cycles until there is a measurement."""
        for _ in range(5):
            report = self.cycle()
        assert report.measurement is not None, report.detail
        return report

    def commands(self) -> list[int]:
        """List the subcommands sent so far, whatever the framing."""
        step = 2 if self.chip.link.crc else 1
        return [
            out[1] | out[1 + step] << 8 for out, _ in self.frames if out[0] == 0x3E and len(out) >= 2 + step
        ]


@pytest.fixture(scope="session")
def settings() -> AfeSettings:
    """Give settings a BQ76952 can do."""
    return SETTINGS


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    """Give a maker of benches."""
    return Bench


@pytest.fixture
def bench() -> Bench:
    """Give a chip as after power-up, not found yet."""
    return Bench()


@pytest.fixture
def ready(bench: Bench) -> Bench:
    """Give a chip that is configured and has measured."""
    bench.bring_up()
    return bench
