"""The bench as a board: the plant, the chip at its pins, and output lines, behind the same doors as hardware.

Output lines can be kept in a file, because a Raspberry Pi's lines keep their level when a process dies; what
switches them off then is the same as on a real board (S5).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from bmsd.config.load import Config
from bmsd.control.controller import Board
from bmsd.core.limits import Limits
from bmsd.errors import OutputError, PeerError
from bmsd.hardware.outputs import BUTTON
from bmsd.ipc.shared_files import write_file
from bmsd.sim.chips.contract import SimChip
from bmsd.sim.chips.kinds import KINDS
from bmsd.sim.faults import CELL_SETTABLES, CHIP_FAULTS, FAULTS, SETTABLES
from bmsd.sim.plant import SWITCHES, Plant, PlantSettings
from bmsd.sim.scenario import Happening, load

OPEN_DECIC, SHORTED_DECIC = -1500.0, 2000.0


class Switched(Protocol):
    """What output lines move: the plant, or whatever stands in its place."""

    def command(self, switch_name: str, on: bool) -> None:
        """Command a switch."""
        ...

    def feedback(self, switch_name: str) -> bool:
        """Give the auxiliary contact of a switch."""
        ...


class BenchLines:
    """Output lines that move the plant, and survive their process in a file when given one."""

    def __init__(
        self, plant: Switched, wired: frozenset[str], file: Path | None, contacts: frozenset[str]
    ) -> None:
        """Take the outputs that have a line, and the contactors whose auxiliary contact has one."""
        self.wired = wired
        self._plant = plant
        self._file = file
        self._inputs = contacts | {BUTTON}
        self._levels = dict.fromkeys(sorted(wired), False)
        self.left: dict[str, bool] = {}
        """What the last process left on that is no line: the chip's own FETs."""
        if file is not None:
            for name, on in read_lines(file).items():
                if name in self._levels:
                    self._set(name, on)
                else:
                    self.left[name] = on

    def drive(self, name: str, on: bool) -> None:
        """Set one line."""
        if self._levels[name] == on:
            return
        self._set(name, on)
        if name != "heartbeat":
            self._write(name)

    def keep(self, name: str, on: bool) -> None:
        """Keep what one of the chip's own FETs does: like a line, it outlives the process."""
        self.left[name] = on
        self._write(name)

    def _write(self, name: str) -> None:
        if self._file is None:
            return
        try:
            kept = {line: level for line, level in self._levels.items() if line != "heartbeat"}
            write_file(self._file, json.dumps({**self.left, **kept}))
        except OSError as error:
            raise OutputError(f"bench line {name} cannot be kept: {error}") from error

    def read(self, name: str) -> bool:
        """Read one line back."""
        return self._levels[name]

    def contact(self, name: str) -> bool | None:
        """Read a contactor's auxiliary contact, where one is wired, or the button."""
        return self._plant.feedback(name) if name in self._inputs else None

    def close(self) -> None:
        """Switch everything off, each line on its own."""
        for name in self._levels:
            with contextlib.suppress(OutputError):
                self.drive(name, False)

    def _set(self, name: str, on: bool) -> None:
        self._levels[name] = on
        if name in SWITCHES:
            self._plant.command(name, on)


def read_lines(file: Path) -> dict[str, bool]:
    """Read the levels the last process left; none when there was none."""
    try:
        levels = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): bool(on) for name, on in levels.items()}


def make_chip(config: Config) -> SimChip:
    """Make the simulated chip that a configuration names."""
    return KINDS[config.afe.chip](config.cells, config.afe.shunt_uohm, config.afe.address)


class Bench:
    """One simulated pack with its chip and lines; `advance` moves all of it through time."""

    def __init__(
        self,
        config: Config,
        plant: PlantSettings,
        lines_file: Path | None = None,
        now_ms: int = 0,
        happenings: Sequence[Happening] | None = None,
    ) -> None:
        """Build it; without `happenings` those of the scenario that the configuration names."""
        self.plant = Plant(plant)
        self.chip = make_chip(config)
        due = load(config).happenings if happenings is None else happenings
        self._due = [one for one in due if one.bench]
        self._balanced: tuple[int, ...] = ()
        self.lines = BenchLines(
            self.plant, frozenset(config.outputs.lines), lines_file, frozenset(config.outputs.feedback)
        )
        self._own_fets = config.fets is not None
        self._fets: dict[str, bool] = {}
        left = self.lines.left
        if self._own_fets and any(left.values()):
            self.chip.leave_on(left.get("charge", False), left.get("discharge", False))
        self._now_ms = now_ms
        self._started_ms = now_ms
        self.advance(now_ms)

    def board(self, sleep_ms: Any) -> Board:
        """Give the board a controller is attached to."""
        return Board(self if self._own_fets else self.chip, self.lines, sleep_ms)

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Pass on to a chip whose own FETs are the switches, and let them follow at once."""
        answer = self.chip.transfer(address, out, read)
        self._join_fets()
        return answer

    def _join_fets(self) -> None:
        """Bring the plant's switches where the chip's FETs are."""
        for name, on in (("charge", self.chip.charge_fet), ("discharge", self.chip.discharge_fet)):
            if self._fets.get(name) is not on:
                self._fets[name] = on
                self.plant.command(name, on)
                self.lines.keep(name, on)

    def _follow_chip(self) -> None:
        """Let the pack's switches have what the chip permits."""
        if self._own_fets:
            self._join_fets()
        else:
            self.plant.charge_permit = self.chip.chg_permit
            self.plant.discharge_permit = self.chip.dsg_permit

    def advance(self, now_ms: int) -> None:
        """Let pack and chip run until a time."""
        while self._due and self._due[0].at_ms <= now_ms - self._started_ms:
            self._move_to(self._started_ms + self._due[0].at_ms)
            self.request(dict(self._due.pop(0).bench))
        self._move_to(now_ms)
        seen = self.plant.sense()
        sensors = [thermistor(decic) for decic in seen.ts_decic]
        self.chip.sense(
            seen.cell_mv,
            seen.current_ma,
            seen.charger_mv,
            seen.load_mv,
            sensors,
            stack_mv=seen.stack_mv,
        )
        self.chip.advance(now_ms - self._started_ms)
        self._follow_chip()
        self._balance(self.chip.balanced_cells)

    def pause(self, now_ms: int) -> None:
        """Let the chip alone run, for the few milliseconds a procedure waits; the pack follows later."""
        self.chip.advance(now_ms - self._started_ms)

    def _move_to(self, now_ms: int) -> None:
        if now_ms > self._now_ms:
            self.plant.advance(now_ms - self._now_ms)
            self._now_ms = now_ms

    def tell_inverter(self, limits: Limits) -> None:
        """Hand the limits to the simulated inverter, as the inverter bus would."""
        into_ma = limits.charge_ma or limits.heat_ma
        self.plant.limits(limits.charge_mv / 1000, into_ma / 1000, limits.discharge_ma / 1000)

    def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one `sim` request; raise PeerError in words when it cannot be."""
        if request.get("list"):
            return self._list()
        with _readable_errors():
            if isinstance(request.get("set"), dict):
                for name, value in request["set"].items():
                    self.plant.set(name, float(value))
            elif "cell" in request and isinstance(request.get("values"), dict):
                values = {name: float(value) for name, value in request["values"].items()}
                self.plant.cell(int(request["cell"]), **values)
            elif "fault" in request:
                self.fault(str(request["fault"]), bool(request.get("on")), request.get("cell"))
            else:
                raise PeerError('a sim request needs "set", "cell" with "values", "fault" or "list"')
        return {}

    def fault(self, name: str, on: bool, cell: int | None = None) -> None:
        """Switch a fault of the plant or of the chip on or off."""
        if name in CHIP_FAULTS:
            self.chip.fault(CHIP_FAULTS[name][0], on)
            self._follow_chip()
        else:
            self.plant.fault(name, on, cell)

    def _list(self) -> dict[str, Any]:
        settables = [
            {
                "name": name,
                "unit": row.unit,
                "help": row.meaning,
                "low": row.low,
                "high": row.high,
                "cell": cell,
            }
            for table, cell in ((SETTABLES, False), (CELL_SETTABLES, True))
            for name, row in table.items()
        ]
        faults = [{"name": name, "help": row.meaning} for name, row in FAULTS.items()]
        faults += [{"name": name, "help": text} for name, (_, text) in CHIP_FAULTS.items()]
        return {"settables": settables, "faults": faults}

    def _balance(self, cells: tuple[int, ...]) -> None:
        if cells != self._balanced:
            self._balanced = cells
            self.plant.balance(cells)


def thermistor(decic: float | None) -> float:
    """Give what the chip makes of a thermistor: far below freezing when open, far above when shorted."""
    if decic is not None and decic < SHORTED_DECIC:
        return decic
    return OPEN_DECIC if decic is None else SHORTED_DECIC


@contextlib.contextmanager
def _readable_errors() -> Any:
    """Turn wrong types of a request into words."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        raise PeerError(f"the request has a wrong value: {error}") from None
