"""Feed recorded data through the simulated chip and the same controller, without looking ahead.

At a row's time the pins get its values, and there is a cycle, unless the last one was less than LEAST_MS ago.
Until the next row the values stay, with a cycle every period. A row stands for `hold_s` at most: after
that time jumps to the next row, and what is older than its limit is as unknown as it would be.
Before the first row the pack rests for START_MS on its voltage, so that the chip is set up by then.
The recording does not react: contactors that open change nothing in it.
"""

from __future__ import annotations

import csv as csvlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from bmsd.config.load import Config
from bmsd.control.controller import Board
from bmsd.control.feasibility import afe_settings_fit
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.state import begin
from bmsd.errors import BmsdError, ConfigError, ParameterError, PeerError
from bmsd.sim.bench import BenchLines, make_chip
from bmsd.sim.recorder import CsvFile, Trace
from bmsd.sim.recording import Recording, RecordingRow
from bmsd.sim.runner import Progress, Summary, Tell, Virtual
from bmsd.tables import parameters

PERIOD_MS = 1000
"""Recordings have a row every second or two: a longer period than usual costs nothing but speed gained."""
LEAST_MS = 100
START_MS = 20_000
"""Time for the chip to be found, programmed and to measure a start's good cycles at the longest period."""
ROOM_C = 25.0
LIMIT_C_RATE = 20
LOWEST_LIMIT_MA, HIGHEST_LIMIT_MA = 20_000, 1_000_000
"""What current limits can be, and still be programmed into the chip with a usual shunt."""
OCC_MAX_NV = 124_000_000
"""Highest charge over-current threshold of the chip, across the shunt."""
BACKSTOP_SHARE = 1.875
"""Second level times the chip's margin over it."""
GIVEN_ERROR_PERMILLE = 10
OCV_ERROR_MV = 10
"""Hysteresis, rest that is not over, and the reading itself: what a first voltage is off its curve by."""
OCV_ERRORS_PERMILLE = (20, 250)


def pack_of(
    base: Config, recording: Recording, chemistry: str | None, capacity_ah: float | None, *, own: bool
) -> Config:
    """Make the configuration of the recorded pack; `own`: the user's, whose limits and cells stay as they are."""
    chemistry, cells = chemistry or base.chemistry, recording.cells or base.cells
    capacity_mah = base.capacity_mah if capacity_ah is None else round(capacity_ah * 1000)
    if not (0.1 <= capacity_mah / 1000 <= 5000):
        raise ConfigError([f"--capacity-ah {capacity_ah}: allowed is 0.1 to 5000 Ah"])
    if own and cells != base.cells:
        raise ConfigError([f"{base.path}: pack.cells is {base.cells}, but the recording has {cells} cells"])
    chosen, afe = dict(base.chosen), base.afe
    if not own:
        limit_ma = min(max(LIMIT_C_RATE * capacity_mah, LOWEST_LIMIT_MA), HIGHEST_LIMIT_MA)
        chosen = {"charge_ocp_ma": limit_ma, "discharge_ocp_ma": limit_ma}
        afe = replace(afe, shunt_uohm=min(afe.shunt_uohm, int(OCC_MAX_NV / (limit_ma * BACKSTOP_SHARE))))
    try:
        values = parameters.build(parameters.defaults(chemistry, base.preset, cells, chosen), cells)
        pack = replace(
            base,
            chemistry=chemistry,
            cells=cells,
            capacity_mah=capacity_mah,
            afe=afe,
            heater_mohm=base.heater_mohm if own else None,
            can=None,  # A recording hears no limits, so it is not held to any.
            parameters=values,
        )
        afe_settings_fit(pack, values)
    except (ParameterError, ValueError) as error:
        raise ConfigError(
            [f"a pack of {cells} cells {chemistry}, {capacity_mah / 1000:g} Ah: {error}"]
        ) from None
    return pack


def start_soc(
    config: Config, recording: Recording, percent: float | None, ocv: Path | None
) -> SocState | None:
    """Give the charge to begin with: as told, else from the first voltage and the curve, else None."""
    whole = config.capacity_mah * MAMS_PER_MAH
    if percent is not None:
        if not 0 <= percent <= 100:
            raise PeerError(f"--initial-soc {percent:g}: allowed is 0 to 100 %")
        return SocState(charge_mams=round(whole * percent / 100), error_permille=GIVEN_ERROR_PERMILLE)
    if ocv is None:
        return None
    first = recording.first.volts
    share = config.cells if not recording.is_one_cell and not recording.cells else len(first)
    permille, error = read_curve(ocv, 1000 * sum(first) / share)
    return SocState(charge_mams=whole * permille // 1000, error_permille=error)


def read_curve(path: Path, cell_mv: float) -> tuple[int, int]:
    """Read the state of charge at a voltage off a curve, and how far it may be off, both in permille."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csvlib.DictReader(line for line in file if not line.startswith("#")))
    column = next((name for name in ("v_ocv", "v_mid") if rows and name in rows[0]), None)
    if column is None or "soc" not in rows[0]:
        raise PeerError(f"{path}: needs the columns soc (0 to 1) and v_ocv or v_mid")
    try:
        curve = sorted((float(row["soc"]) * 1000, float(row[column]) * 1000) for row in rows)
    except (TypeError, ValueError):
        raise PeerError(f"{path}: soc and {column} must be numbers in every row") from None
    low, high = (_on(curve, cell_mv + error) for error in (-OCV_ERROR_MV, OCV_ERROR_MV))
    least, most = OCV_ERRORS_PERMILLE
    return round(_on(curve, cell_mv)), round(min(max((high - low) / 2, least), most))


def _on(curve: list[tuple[float, float]], mv: float) -> float:
    """Look a voltage up on a curve of (permille, mV)."""
    if mv <= curve[0][1]:
        return curve[0][0]
    for (soc, low), (next_soc, high) in pairwise(curve):
        if low < mv <= high:
            return soc + (next_soc - soc) * (mv - low) / (high - low)
    return curve[-1][0]


class RecordedPack:
    """The world of a replay: a chip whose pins carry the recording, and contactors that do as they are told."""

    def __init__(self, config: Config) -> None:
        self._chip = make_chip(config)
        self._cells = config.cells
        self._on: dict[str, bool] = {}
        self._lines = BenchLines(
            self, frozenset(config.outputs.lines), None, frozenset(config.outputs.feedback)
        )
        self._mv: list[float] = []
        self._current_ma = 0.0
        self._decic = (ROOM_C * 10,) * 3
        self._own_fets = config.fets is not None

    def board(self, sleep_ms: Callable[[int], None]) -> Board:
        """Give the doors that hardware has."""
        # What a recording leaves out is no silence of the daemon.
        return Board(self._chip, self._lines, sleep_ms, clock_ms=lambda: 0)

    def command(self, switch_name: str, on: bool) -> None:
        """Move a switch, at once."""
        self._on[switch_name] = on

    def feedback(self, switch_name: str) -> bool:
        """Give the auxiliary contact of a switch."""
        if self._own_fets and switch_name in {"charge", "discharge"}:
            return self._chip.charge_fet if switch_name == "charge" else self._chip.discharge_fet
        return self._on.get(switch_name, False)

    def put(self, row: RecordingRow, *, resting: bool = False) -> None:
        """Put the values of a row on the pins."""
        volts = row.volts
        if len(volts) == 1:
            share = 1 if volts[0] <= 6.0 else self._cells
            volts = (volts[0] / share,) * self._cells
        self._mv = [1000 * cell_v for cell_v in volts]
        self._current_ma = 0.0 if resting else 1000 * row.current_a
        self._decic = (10 * (ROOM_C if row.temp_c is None else row.temp_c),) * 2 + (ROOM_C * 10,)

    def advance(self, now_ms: int) -> None:
        """Let the chip measure until a time."""
        pack_mv = sum(self._mv)
        is_fed = self.feedback("discharge") or self.feedback("precharge")
        charger_mv = pack_mv if self.feedback("charge") else 0.0
        self._chip.sense(self._mv, self._current_ma, charger_mv, pack_mv if is_fed else 0.0, self._decic)
        self.pause(now_ms)

    def pause(self, now_ms: int) -> None:
        """Let the chip run on what its pins carry."""
        self._chip.advance(now_ms)


@dataclass(slots=True)
class SocError:
    """Difference between what was estimated and a reference, after the first hour."""

    count: int = 0
    squares: float = 0.0
    largest: float = 0.0
    after_s: float = 3600.0

    def take(self, t_s: float, difference_percent: float) -> None:
        """Take one row, `t_s` after the first."""
        if t_s >= self.after_s:
            self.count += 1
            self.squares += difference_percent**2
            self.largest = max(self.largest, abs(difference_percent))

    @property
    def rms(self) -> float:
        """Give the root mean square, in percent."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan

    def text(self) -> str:
        """Say it for people."""
        return f"{self.rms:.2f} % rms, {self.largest:.2f} % at most ({self.count} rows)"


@dataclass(slots=True)
class Replayed:
    """What a replay came to."""

    summary: Summary = field(default_factory=Summary)
    error: SocError = field(default_factory=SocError)
    rows: int = 0
    gaps: int = 0
    gap_s: float = 0.0


def replay(
    config: Config,
    recording: Recording,
    start: SocState | None,
    tell: Tell,
    csv: CsvFile | None = None,
    trace: Trace | None = None,
    hold_s: float = 60.0,
    progress: Progress = lambda _at_ms, _of_ms: None,
) -> Replayed:
    """Replay a recording; each row of the CSV is as it was decided at that row's time."""
    if not hold_s > 0:
        raise BmsdError(f"--hold-s {hold_s:g}: must be above 0 s")
    return _Replay(config, recording.first, start, tell, csv, trace, hold_s).run(recording, progress)


class _Replay:
    """One replay under way. Virtual time is the recording's plus START_MS, from its first row on."""

    def __init__(
        self,
        config: Config,
        first: RecordingRow,
        start: SocState | None,
        tell: Tell,
        csv: CsvFile | None,
        trace: Trace | None,
        hold_s: float,
    ) -> None:
        self._pack = RecordedPack(config)
        self._pack.put(first, resting=True)
        self._virtual = Virtual(config, self._pack, begin(0, soc_state=start))
        self._period_ms = config.parameters.period_ms
        self._origin_ms = START_MS - round(1000 * first.t_s)
        self._first_s = first.t_s
        self._hold_ms = round(1000 * hold_s)
        self._tell, self._csv, self._trace = tell, csv, trace
        self._last_ms = 0
        self._done = Replayed()

    def run(self, recording: Recording, progress: Progress) -> Replayed:
        """Go through the rows."""
        for at_ms in range(0, START_MS, self._period_ms):
            self._cycle(at_ms)
        self._last_ms = row_ms = START_MS
        for row in recording:
            before_ms, row_ms = row_ms, self._origin_ms + round(1000 * row.t_s)
            self._hold(before_ms, row_ms)
            self._pack.put(row)
            if row is recording.first or row_ms - self._last_ms >= LEAST_MS:
                self._cycle(row_ms)
            self._record(row)
            progress(row_ms, 0)
        self._done.summary.simulated_ms = self._virtual.now_ms - START_MS
        return self._done

    def _hold(self, from_ms: int, to_ms: int) -> None:
        """Run cycles on the values of the last row, and skip what they do not stand for."""
        end_ms = min(to_ms, from_ms + self._hold_ms)
        while self._last_ms + self._period_ms < end_ms:
            self._cycle(self._last_ms + self._period_ms)
        if to_ms > end_ms:
            self._done.gaps += 1
            self._done.gap_s += (to_ms - end_ms) / 1000

    def _cycle(self, at_ms: int) -> None:
        out = self._virtual.cycle(at_ms)
        self._last_ms = at_ms
        self._done.summary.take(out, max(at_ms - START_MS, 0))
        for event in out.events:
            self._tell(event.at_ms - self._origin_ms, event)
        if self._trace is not None:
            self._trace.take(out.events, self._origin_ms)

    def _record(self, row: RecordingRow) -> None:
        points = self._virtual.points()
        t_ms = round(1000 * row.t_s)
        self._done.rows += 1
        soc_permille = points["soc_permille"]
        if row.soc_ref is not None and soc_permille is not None:
            self._done.error.take(row.t_s - self._first_s, soc_permille / 10 - 100 * row.soc_ref)
        if self._csv is not None:
            self._csv.write(t_ms, points)
        if self._trace is not None:
            self._trace.add(t_ms, points, None if row.soc_ref is None else 100 * row.soc_ref)
