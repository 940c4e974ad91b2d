"""Trip a protection again and again, each time on a fresh pack at a random moment, and time it."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from bmsd.config.load import Config, load
from bmsd.core.types import InhibitCause
from tests.benchmarks.deciding import quiet_collector
from tests.benchmarks.reaction_pack import Pack
from tests.benchmarks.reaction_trips import LINES, Trip, at_once
from tests.benchmarks.rig import Clock, as_service, write_config

SETTLE_PERIODS = 7
"""Twice as many from a start to normal operation: chip programmed, contactors closed, then settled."""
PATIENCE_MS = 3000
"""Beyond its own delay; what has not opened then does not open."""
AT_ONCE: dict[str, float] = {
    "limit_hold_s": 0,
    "limit_hold_voltage_s": 0,
    "limit_rise_percent": 1000,
    "limit_rise_v": 1,
}
"""Limits that rise slowly would keep the current from the trips that need a sudden one."""
PRESET: dict[str, float] = {"charge_enforce_delay_s": 20, "discharge_enforce_delay_s": 20, **AT_ONCE}
"""In virtual time the presets but for these; the delays are 60 s and 300 s."""
QUICK: dict[str, float] = {
    **AT_ONCE,
    "period_s": 0.1,
    "value_max_age_s": 0.2,
    "unknown_grace_s": 0.4,
    "recovery_s": 1,
    "opening_wait_s": 0.1,
    "cell_ovp_delay_s": 0.1,
    "cell_uvp_delay_s": 0.1,
    "cell_shutdown_delay_s": 0.1,
    "pack_voltage_delay_s": 0.1,
    "charge_ocp_delay_s": 2,
    "charge_ocp2_delay_s": 0.1,
    "discharge_ocp_delay_s": 2,
    "discharge_ocp2_delay_s": 0.1,
    "temperature_delay_s": 0.1,
    "limit_ignored_delay_s": 1,
    "charge_enforce_delay_s": 2,
    "discharge_enforce_delay_s": 2,
    "forbidden_flow_s": 0.1,
}
"""The shortest delays that each may have, and the shortest period: trips in real time take as long as they say."""


class TripError(RuntimeError):
    """A trip was not the protection's own: its time would mean nothing."""


def configure(folder: Path, trip: Trip, *, real: bool) -> Config:
    """Give the pack's configuration for a row: presets in virtual time, all delays short in real time."""
    wanted = {**(QUICK if real else PRESET), "cell_spread_v": 2, "start_good_cycles": 2, **trip.parameters}
    text = "\n".join(f"{name} = {value}" for name, value in wanted.items())
    return load(
        write_config(folder, sections=trip.sections, parameters=text, precharge=False, topology=trip.topology)
    )


class Measuring:
    """One row, measured in one kind of time."""

    def __init__(self, folder: Path, trip: Trip, *, real: bool, khz: int, seed: int = 1) -> None:
        self.trip = trip
        self.config = configure(folder, trip, real=real)
        self._folder = folder
        self._real = real
        self._khz = khz
        self._draw = random.Random(f"{trip.name} {seed}")
        self._clock = Clock(real=False)
        self._pack: Pack

    @property
    def own_ms(self) -> int:
        """Give the protection's own delay with these parameters."""
        return self.trip.own_ms(self.config.parameters)

    def once(self) -> float:
        """Trip it once; give how long after its own delay the last line went off, in milliseconds."""
        self._clock.become(real=False)
        gc.collect(0)
        self._pack = Pack(self._folder, self.config, self._clock, self._khz)
        try:
            names = self._prepare()
            with as_service() if self._real else nullcontext():
                self._clock.become(real=self._real)
                edge_ms = self._trip(names)
                self._clock.become(real=False)
            self._is_its_own(names, edge_ms)
            return edge_ms - (self._pack.arrived_ms or 0.0) - self.own_ms
        finally:
            self._pack.close()

    def _prepare(self) -> list[str]:
        """Bring the pack into normal operation, to a random moment of a cycle; name the lines to go off."""
        pack, period_ms = self._pack, self.config.parameters.period_ms
        pack.pass_time(SETTLE_PERIODS * period_ms)
        pack.shuffle(self._draw)
        pack.pass_time(SETTLE_PERIODS * period_ms)
        self.trip.before(pack)
        pack.pass_time((1 + 3 * self._draw.random()) * period_ms)
        names = [name for name in self.trip.lines if name in pack.lines.wired and pack.lines.read(name)]
        if not names:
            raise TripError(f"{self.trip.name}: no line is on that it could switch off; {self._told()}")
        return names

    def _trip(self, names: Iterable[str]) -> float:
        """Make the cause appear, and wait for every line to go off."""
        pack, clock = self._pack, self._clock
        pack.watch(self.trip.is_shown)
        if pack.arrived_ms is not None and self.trip.shows is not at_once:
            raise TripError(f"{self.trip.name}: the registers show it before it is there")
        self.trip.provoke(pack)
        last_ms = clock.now() + self.own_ms + PATIENCE_MS
        while not all(name in pack.lines.off_ms for name in names):
            if clock.now() > last_ms:
                raise TripError(f"{self.trip.name}: {', '.join(names)} still on; {self._told()}")
            pack.pass_time(self.config.parameters.period_ms / 2)
        if pack.arrived_ms is None:
            raise TripError(f"{self.trip.name}: opened before the registers showed it; {self._told()}")
        return max(pack.lines.off_ms[name] for name in names)

    def _is_its_own(self, names: Iterable[str], edge_ms: float) -> None:
        """Make sure that this protection opened the lines, and no other one before it."""
        pack, trip, p = self._pack, self.trip, self.config.parameters
        if trip.unknown:
            if not any(reason.because is InhibitCause.UNKNOWN for reason in self._against(names)):
                raise TripError(f"{trip.name}: nothing is unknown; {self._told()}")
            pack.pass_time(p.unknown_grace_ms + 8 * p.period_ms)
        state = pack.control.state.alarms[self._index()]
        if not state.active:
            raise TripError(f"{trip.name}: not raised; {self._told()}")
        wait_ms = trip.wait_ms(p) if trip.current else 0
        late_ms = edge_ms - state.since_ms - wait_ms
        if not trip.unknown and not 0 <= late_ms < p.period_ms:
            raise TripError(f"{trip.name}: opened {late_ms:.0f} ms from its alarm; {self._told()}")

    def _index(self) -> int:
        names = [rule.name for rule in self._pack.control.settings.table]
        return names.index(self.trip.alarm)

    def _against(self, names: Iterable[str]) -> list:
        out = self._pack.out
        fields = {"main": ("charge_inhibits", "discharge_inhibits")}
        of = [field for name in names for field in fields.get(name, (f"{name}_inhibits",))]
        return [reason for field in of for reason in getattr(out, field)]

    def _told(self) -> str:
        return f"reasons: {[(r.because.value, r.name) for r in self._against(LINES.values())]}"


@dataclass
class Series:
    """What one row gave in one kind of time."""

    own_ms: int
    late_ms: list[float] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    """Trips that were not the protection's own, in words."""

    def add(self, other: Series) -> None:
        self.late_ms += other.late_ms
        self.strange += other.strange


def measure(folder: Path, trip: Trip, count: int, *, real: bool, khz: int, seed: int = 1) -> Series:
    """Measure one row; a trip that was not its own is told, and its time dropped."""
    measuring = Measuring(folder, trip, real=real, khz=khz, seed=seed)
    series = Series(measuring.own_ms)
    with quiet_collector():
        for _ in range(count):
            try:
                series.late_ms.append(measuring.once())
            except TripError as error:
                series.strange.append(str(error))
    return series
