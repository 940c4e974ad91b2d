"""Build settings and inputs for the core's tests: a small pack whose every value a test can set or lose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bmsd.core.alarms import AlarmState
from bmsd.core.plausible import HeldReadings, Values, validate
from bmsd.core.settings import Settings, settings
from bmsd.core.state import Outputs, State, begin
from bmsd.core.step import step
from bmsd.core.types import AfeReport, AfeState, ChipFault, Inputs, Levels, Measurement, Request
from bmsd.tables import parameters
from bmsd.tables.alarms import ALARMS, BY_NAME
from bmsd.tables.chemistries import CHEMISTRIES
from tests.support.covering import decided

WIRED = frozenset({"charge", "discharge", "precharge", "heater", "buzzer"})
CURRENTS = {"charge_ocp_ma": 100_000, "discharge_ocp_ma": 150_000}
PERIOD_MS, LONGEST_PERIOD_MS = 250, 1000
LONG_MS, MARGIN_MS = 300_000, 60_000
START_MS = 1_000_000
FET_FOLLOWS_MS = 500


def make_parameters(
    chemistry: str = "lifepo4", preset: str = "default", cells: int = 4, **chosen: int
) -> parameters.Parameters:
    """Give a checked set of parameters: a preset with some values changed."""
    values = parameters.defaults(chemistry, preset, cells, {**CURRENTS, **chosen})
    return parameters.build(values, cells)


def make_settings(
    chemistry: str = "lifepo4",
    *,
    cells: int = 4,
    preset: str = "default",
    chosen: dict[str, int] | None = None,
    **fittings: Any,
) -> Settings:
    """Give the settings of a small pack with a heater; `fittings` go to the core's own builder."""
    given: dict[str, Any] = {
        "capacity_mah": 100_000, "heater_mohm": 24_000, "wired": WIRED, "fet_follows_ms": FET_FOLLOWS_MS, **fittings,
    }  # fmt: skip
    made = make_parameters(chemistry, preset, cells, **(chosen or {}))
    return settings(made, CHEMISTRIES[chemistry], cells=cells, **given)


def believed(settings: Settings, **changed: Any) -> Values:
    """Give what is believed of a first good poll of a pack at rest; `changed` are readings that differ."""
    cells = settings.cells
    given: dict[str, Any] = {
        "cell_mv": (3300,) * cells,
        "stack_mv": 3300 * cells,
        "charger_mv": 0,
        "load_mv": 0,
        "current_ma": 0,
        "battery_decic": (250, 251),
        "switch_decic": 300,
        "faults": ChipFault.NONE,
        **changed,
    }
    return validate(HeldReadings(), Measurement(**given), 0, settings.parameters)[0]


@dataclass
class Pack:
    """A pack on a table: set any value, run a cycle, look at what was decided.

    Lines and auxiliary contacts read what was commanded, and the load side follows its switches, unless a test
    sets `lines`, `feedback` or `load_mv`.
    """

    settings: Settings = field(default_factory=make_settings)
    now_ms: int = START_MS
    cells: list[int | None] = field(default_factory=list)
    stack: int | str | None = "sum"
    charger_mv: int | None = 0
    load_mv: int | str | None = "follow"
    current_ma: int | None = 0
    battery: list[int | None] = field(default_factory=lambda: [250, 251])
    switch: int | None = 300
    faults: ChipFault = ChipFault.NONE
    afe: AfeState = AfeState.READY
    resets: int = 0
    polled: bool = True
    lines: Levels | None = None
    feedback: Levels | None = None
    heater_ma: int | None = None
    pressed: bool = False
    state: State = field(default_factory=lambda: begin(START_MS))
    out: Outputs | None = None
    decisions: int = 0

    def __post_init__(self) -> None:
        if not self.cells:
            self.cells = [3300 + n for n in range(self.settings.cells)]

    def measurement(self) -> Measurement:
        """Give what the front end would say now."""
        known = [mv or 0 for mv in self.cells]
        stack = sum(known) if self.stack == "sum" else self.stack
        load = self.load_mv
        if load == "follow":
            commands = self.state.commands
            load = sum(known) if commands.precharge or commands.discharge else 0
        return Measurement(
            cell_mv=tuple(self.cells),
            stack_mv=stack,  # type: ignore[arg-type]
            charger_mv=self.charger_mv,
            load_mv=load,  # type: ignore[arg-type]
            current_ma=self.current_ma,
            battery_decic=tuple(self.battery),
            switch_decic=self.switch,
            faults=self.faults,
        )

    def inputs(self, requests: tuple[Request, ...] = ()) -> Inputs:
        """Give all inputs of one decision."""
        commands = self.state.commands
        followed = Levels(
            charge=commands.charge,
            discharge=commands.discharge,
            precharge=commands.precharge,
            heater=commands.heater,
            buzzer=commands.buzzer,
        )
        measured = self.measurement() if self.polled else None
        return Inputs(
            self.now_ms,
            AfeReport(self.afe, measured, resets=self.resets),
            self.lines or followed,
            self.feedback or Levels(charge=commands.charge, discharge=commands.discharge),
            self.heater_ma,
            requests,
            self.pressed,
        )

    def at(self, now_ms: int, *requests: Request) -> Outputs:
        """Decide at a time."""
        self.now_ms = now_ms
        self.state, self.out = step(self.settings, self.state, self.inputs(requests))
        self.decisions += 1
        decided(self.decisions)
        return self.out

    def cycle(self, *requests: Request, after_ms: int = PERIOD_MS) -> Outputs:
        """Decide one period later."""
        return self.at(self.now_ms + after_ms, *requests)

    def run(self, duration_ms: int, every_ms: int = PERIOD_MS) -> Outputs:
        """Decide every period for some time, the last time exactly at its end.

        In the middle of more than five minutes the period is the longest that a configuration may have.
        """
        end_ms = self.now_ms + duration_ms
        coarse_ms = range(self.now_ms + MARGIN_MS, end_ms - MARGIN_MS) if duration_ms > LONG_MS else range(0)
        while self.now_ms < end_ms:
            step_ms = max(every_ms, LONGEST_PERIOD_MS) if self.now_ms in coarse_ms else every_ms
            self.cycle(after_ms=min(step_ms, end_ms - self.now_ms))
        assert self.out is not None
        return self.out

    def until(self, wanted: Callable[[Pack], bool], within_ms: int = 600_000) -> Pack:
        """Run until it is so; a pack that never gets there fails the test."""
        end_ms = self.now_ms + within_ms
        while not wanted(self):
            assert self.now_ms < end_ms, "it never came"
            self.cycle()
        return self

    def started(self) -> Pack:
        """Run until both contactors are closed and pre-charge is over."""
        self.run(10_000)
        commands = self.state.commands
        assert commands.charge
        assert commands.discharge
        assert not commands.precharge
        return self

    def alarm(self, name: str) -> AlarmState:
        """Give the state of one alarm."""
        index = next(n for n, alarm in enumerate(ALARMS) if alarm.name == name)
        return self.state.alarms[index]

    def active(self) -> set[str]:
        """Name the active alarms."""
        return {alarm.name for alarm, state in zip(ALARMS, self.state.alarms, strict=True) if state.active}

    def found(self) -> set[str]:
        """Name the active alarms that a check found; the others compare a value with a limit."""
        return {name for name in self.active() if not BY_NAME[name].value}

    def reset(self, name: str) -> bool:
        """Ask for a reset once; tell whether the alarm is gone."""
        self.cycle(Request("reset", name, None, "uid 0"))
        return not self.alarm(name).active


def cold(**more: Any) -> Pack:
    """Give a started pack at -8 °C with a charger present: charge is cut and the heater is on."""
    pack = Pack(battery=[-80, -75], charger_mv=16_000, **more)
    pack.run(10_000)
    return pack
