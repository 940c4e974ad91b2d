"""One pack to break: the real controller, driver and register-level chip on the bench, in virtual time.

Every cycle is looked at from outside: what the contacts really do, not what was commanded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from bmsd.config.load import CanConfig, Config, load
from bmsd.control.controller import Board
from bmsd.core import report
from bmsd.core.state import Outputs, begin
from bmsd.core.types import Request
from bmsd.sim.bench import Bench
from bmsd.sim.commands import BENCH_CONFIG
from bmsd.sim.plant import PlantSettings
from bmsd.sim.runner import Virtual
from bmsd.tables.alarms import BY_NAME, Severity

FILES = {"split": BENCH_CONFIG, "common": Path(__file__).with_name("common.toml")}
PERIOD_S = 0.25
LONGEST_WAIT_S = 2.0
"""The longest a contactor may wait for little current before it opens (S12)."""
A_CYCLE_MORE_S = 2 * PERIOD_S
"""What a reaction may take beyond its own delay: it is seen in one cycle and shows in the plant in the next."""


@cache
def config_of(topology: str) -> Config:
    """Load a configuration whose inverter hears its limits."""
    return replace(load(FILES[topology]), can=CanConfig("pylontech", 10.0, {}))


class MeasuredBench(Bench):
    """A board that measures the heater's current."""

    def board(self, sleep_ms: Any) -> Board:
        return Board(self.chip, self.lines, sleep_ms, lambda: round(self.plant.heater_a * 1000))


class Pack:
    """A pack on the bench; `raised` lists every alarm with its second."""

    def __init__(
        self,
        topology: str = "split",
        plant: dict[str, Any] | None = None,
        measured_heater: bool = False,
        **chosen: int,
    ) -> None:
        config = config_of(topology)
        self.config = replace(config, parameters=replace(config.parameters, **chosen))
        common = topology == "common"
        more = {"common": True, "heater_supply": "pack"} if common else {}
        settings = PlantSettings(**{"seed": 7, **more, **(plant or {})})
        kind = MeasuredBench if measured_heater else Bench
        self.bench = kind(self.config, settings, happenings=())
        self.virtual = Virtual(self.config, self.bench)
        self.due_ms = 0
        self.raised: list[tuple[float, str]] = []
        self.told: list[Any] = []
        self._asked: list[Request] = []

    # What people and the bench do

    def set(self, **values: float) -> None:
        self.bench.request({"set": values})

    def cell(self, number: int, **values: float) -> None:
        self.bench.request({"cell": number, "values": values})

    def fault(self, name: str, on: bool = True, cell: int | None = None) -> None:
        self.bench.fault(name, on, cell)

    def ask(self, kind: str, name: str = "", on: bool | None = None, who: str = "anna") -> None:
        """Ask the core for something; it is decided with the next cycle."""
        self._asked.append(Request(kind, name, on, who))

    def override(self, on: bool = True, who: str = "anna") -> None:
        self.ask("emergency", "override", on, who)

    def reset(self, name: str) -> None:
        self.ask("reset", name)
        self.cycle()

    def restart(self) -> None:
        """End the core and start it again on the same pack, with what the state file keeps."""
        state = self.virtual.control.state
        kept = begin(self.due_ms, latched=report.latched(state), soc_state=state.soc, consent=state.consent)
        self.virtual.control.stop()
        self.virtual = Virtual(self.config, self.bench, kept)
        self.virtual.now_ms = self.due_ms

    # Time

    def cycle(self) -> Outputs:
        asked, self._asked = tuple(self._asked), []
        out = self.virtual.cycle(self.due_ms, asked)
        self.bench.tell_inverter(out.limits)
        for event in out.events:
            self.told.append(event)
            if event.kind == "alarm" and event.state == "raised":
                self.raised.append((self.now_s, event.name))
        self.due_ms = max(self.due_ms + self.virtual.control.period_ms, self.virtual.now_ms)
        return out

    def run(self, seconds: float) -> Pack:
        end_ms = self.due_ms + round(seconds * 1000)
        while self.due_ms < end_ms:
            self.cycle()
        return self

    def until(self, check: Callable[[], object], within_s: float = 60.0) -> float:
        """Run until something is so; give the seconds it took."""
        begun_ms = self.due_ms
        while not check():
            took_s = (self.due_ms - begun_ms) / 1000
            assert took_s <= within_s, f"not within {within_s} s; active: {self.active}; {self.contacts}"
            self.cycle()
        return (self.due_ms - begun_ms) / 1000

    def trips(self, name: str, within_s: float) -> float:
        """Run until an alarm is active; give the seconds it took."""
        assert name in BY_NAME
        return self.until(lambda: name in self.active, within_s)

    def stays(self, seconds: float, check: Callable[[], object]) -> None:
        """Run, and see that something is so after every cycle."""
        end_ms = self.due_ms + round(seconds * 1000)
        while self.due_ms < end_ms:
            self.cycle()
            assert check(), f"not after {self.now_s} s; active: {self.active}; {self.contacts}"

    def started(self) -> Pack:
        """Run until the pack carries both ways."""
        self.until(lambda: self.carries == (True, True), 60)
        self.run(10)
        assert not self.active
        return self

    # What is

    @property
    def now_s(self) -> float:
        return self.due_ms / 1000

    @property
    def plant(self) -> Any:
        return self.bench.plant

    @property
    def out(self) -> Outputs:
        out = self.virtual.control.out
        assert out
        return out

    @property
    def active(self) -> dict[str, int | None]:
        """Give the active alarms with their place."""
        control = self.virtual.control
        return {one["name"]: one["where"] for one in report.alarms(control.settings, control.state)}

    @property
    def contacts(self) -> dict[str, bool]:
        """Give where the real contacts are."""
        circuit = self.plant.circuit
        return {
            "charge": circuit.charge.closed,
            "discharge": circuit.discharge.closed,
            "main": circuit.main.closed,
            "precharge": circuit.precharge.closed,
            "heater": circuit.heater.closed,
        }

    @property
    def carries(self) -> tuple[bool, bool]:
        """Tell whether charge and discharge can flow, as the real contacts stand."""
        circuit = self.plant.circuit
        return circuit.charger_joined, circuit.load_joined

    @property
    def is_open(self) -> bool:
        return not any(self.contacts.values())

    @property
    def allowed(self) -> tuple[bool, bool]:
        return self.out.charge_allowed, self.out.discharge_allowed

    @property
    def asks_for_nothing(self) -> bool:
        return self.out.limits.charge_ma == self.out.limits.discharge_ma == 0

    @property
    def amperes(self) -> float:
        """Give the true current of the pack."""
        return float(self.plant.current_a)

    @property
    def highest_v(self) -> float:
        """Give the true voltage of the highest cell."""
        return max(self.plant.cells.volts)

    @property
    def lowest_v(self) -> float:
        return min(self.plant.cells.volts)

    def trips_raised(self) -> set[str]:
        """Name the protections and faults that were ever raised."""
        return {name for _, name in self.raised if BY_NAME[name].severity is not Severity.WARNING}

    def moves(self, name: str) -> int:
        """Count how often a contactor really closed."""
        return int(getattr(self.plant.circuit, name).operations)
