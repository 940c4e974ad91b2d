"""Random lives of a pack: what can happen to it, as data, and a player that lets it happen.

Everything that can be unknown becomes unknown here: single cells, sensors, current, stack, contacts, polls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from bmsd.core.settings import Settings
from bmsd.core.sleep import SleepState
from bmsd.core.state import Outputs, State
from bmsd.core.types import AfeState, ChipFault, Inputs, Levels, Request
from bmsd.tables.alarms import ALARMS, Release
from tests.support.bench_inputs import Pack, make_settings
from tests.support.changed import replace

HASTE = {
    "shutdown_after_ms": 10_000,
    "recovery_ms": 1000,
    "contactor_min_off_ms": 500,
    "contactor_operations_per_hour": 5,
    "heater_min_off_ms": 1500,
    "heater_max_run_ms": 300_000,
    "heater_watch_ms": 300_000,
    "heater_rest_ms": 60_000,
    "precharge_timeout_ms": 500,
    "precharge_rest_ms": 1000,
    "charge_ocp_release_ms": 2000,
    "discharge_ocp_release_ms": 2000,
    "short_circuit_release_ms": 2000,
    "short_circuit_releases_per_hour": 0,
    "limit_react_ms": 1000,
    "limit_ignored_delay_ms": 1000,
    "charge_enforce_delay_ms": 2000,
    "discharge_enforce_delay_ms": 2000,
    "limit_enforce_release_ms": 2000,
    "temperature_spread_delay_ms": 1000,
}
"""The shortest times allowed, so that a short life sees their ends."""
SETTINGS = make_settings(heater_mohm=6000, chosen=HASTE)
"""6 ohm: 18 V is exactly 3 A, so a charger at 18.0 V is in order and at 18.001 V is not."""

CELLS = (None, 0, 299, 300, 1999, 2000, 2599, 2699, 2700, 3000, 3300, 3399, 3401, 3600, 3601, 5001, 9000)
DEGREES = (None, -401, -400, -201, -80, -1, 0, 49, 50, 51, 250, 499, 551, 601, 751, 1201)
AMPERES = (None, 0, 400, 600, 5000, 101_000, 151_000, -600, -5000, -151_000, -226_000)
CHARGERS = (None, 0, 13_200, 15_300, 17_999, 18_000, 18_001, 90_000)
LATCHES = tuple(alarm.name for alarm in ALARMS if alarm.ends is Release.OPERATOR)


class Happening(NamedTuple):
    """One thing that happens to the pack."""

    what: str
    which: int | str | None = None
    value: Any = None


HAPPENINGS: tuple[Happening, ...] = (
    *[Happening("cell", n, mv) for n in range(4) for mv in CELLS],
    *[Happening("all cells", None, mv) for mv in (2550, 2650, 3000, 3010, 3300, 3350, 3390, 3500, 3650)],
    *[Happening("battery", n, decic) for n in range(2) for decic in DEGREES],
    *[Happening("all batteries", None, decic) for decic in (-210, -80, 40, 49, 50, 51, 250, 560)] * 2,
    *[Happening("set", "switch", decic) for decic in (None, 250, 649, 751, 1201)],
    *[Happening("set", "current_ma", ma) for ma in AMPERES],
    *[Happening("set", "stack", mv) for mv in (None, "sum", 0)],
    *[Happening("set", "charger_mv", mv) for mv in CHARGERS],
    *[Happening("set", "charger_mv", 16_000)] * 6,
    *[Happening("set", "load_mv", mv) for mv in (None, "follow", "follow", 0, 0, 20_000)],
    *[Happening("set", "faults", fault) for fault in (ChipFault.NONE, *ChipFault)],
    *[Happening("set", "polled", on) for on in (False, True, True)],
    *[Happening("set", "afe", state) for state in AfeState],
    Happening("chip reset"),
    *[Happening("contact", name, on) for name in ("charge", "discharge") for on in (None, True, False, "follow")],
    *[
        Happening("line", name, on)
        for name in ("charge", "discharge", "heater", "precharge")
        for on in (None, True, False, "follow")
    ],
    *[Happening("set", "heater_ma", ma) for ma in (None, 0, 200, 201, 3000, 3001)],
    *[Happening("switch", name, on) for name in ("charge", "discharge", "balance") for on in (True, False)],
    *[Happening("reset", name) for name in LATCHES],
    *[Happening("wave", kind) for kind in ("dead", "reversed", "stuck")] * 3,
    *[Happening("emergency", None, True)] * 8,
    *[Happening("full", None, mv) for mv in (3500, 3620)] * 6,
    *[Happening("emergency", None, False)] * 2,
    *[Happening("mend")] * 25,
    *[Happening("mend and reset")] * 10,
    *[Happening("cold morning")] * 15,
    *[Happening("nothing")] * 10,
    *[Happening("asleep")] * 8,
)  # fmt: skip
FROM_AFAR = tuple(
    Happening("remote", name, on) for name in ("charge", "discharge", "balance") for on in (True, False)
)
"""Apart, so that lives made with dice stay what they are."""
STEPS_MS = (1, 100, 249, 250, 250, 250, 999, 1000, 1001, 2000, 60_000)


class Chapter(NamedTuple):
    """Something happens, then some cycles pass."""

    happening: Happening
    step_ms: int
    cycles: int


lives = st.lists(
    st.builds(
        Chapter,
        st.sampled_from((*HAPPENINGS, *FROM_AFAR)),
        st.sampled_from(STEPS_MS),
        st.sampled_from((1, 1, 2, 3, 4, 5, 9, 12, 36)),
    ),
    min_size=1,
    max_size=30,
)
BEGINNINGS = ("fresh", "running", "cold", "long heated")
beginnings = st.sampled_from(BEGINNINGS)
Look = Callable[["World", State, Inputs, State, Outputs], None]


class World(Pack):
    """A pack to which things happen; `look` sees every decision with what it was made from."""

    def __init__(self, beginning: str, look: Look, settings: Settings = SETTINGS, **more: Any) -> None:
        super().__init__(settings, **more)
        self._look = look
        self._lines: dict[str, Any] = {}
        self._contacts: dict[str, Any] = {}
        self._wave = ""
        self._decided = 0
        if beginning != "fresh":
            self.live(Chapter(Happening("mend"), 250, 12))
        if beginning in {"cold", "long heated"}:
            self.live(Chapter(Happening("cold morning"), 250, 24))
        if beginning == "long heated":
            self.live(Chapter(Happening("nothing"), 2000, 146))

    def live(self, chapter: Chapter) -> None:
        """Play one chapter."""
        requests = self._happen(chapter.happening)
        for _ in range(chapter.cycles):
            self.decide(chapter.step_ms, requests)
            requests = ()

    def decide(self, after_ms: int, requests: tuple[Request, ...]) -> None:
        """Run one cycle and let it be looked at."""
        self.now_ms += after_ms
        before, inputs = self.state, self._inputs(requests)
        self.out = self.at(self.now_ms, *requests, inputs=inputs)
        self._look(self, before, inputs, self.state, self.out)

    def at(self, now_ms: int, *requests: Request, inputs: Inputs | None = None) -> Outputs:
        """Decide from these inputs."""
        from bmsd.core.step import step

        self.now_ms = now_ms
        self.state, out = step(self.settings, self.state, inputs or self._inputs(requests))
        return out

    def _inputs(self, requests: tuple[Request, ...]) -> Inputs:
        self._swing()
        inputs = self.inputs(requests)
        commands = self.state.commands
        contacts = {
            name: getattr(commands, name)
            for name in ("charge", "discharge")
            if self._contacts.get(name, "follow") == "follow"
        }
        contacts = {**self._contacts, **contacts}
        return replace(inputs, lines=replace(inputs.lines, **self._lines), feedback=Levels(**contacts))

    def _swing(self) -> None:
        """Let a load come and go every four cycles, as a broken measurement shows it."""
        self._decided += 1
        if not self._wave:
            return
        loaded = bool(self._decided // 4 % 2)
        if self._wave != "stuck":
            self.cells = [3280 if loaded else 3300] * len(self.cells)
        self.current_ma = {"dead": 0, "reversed": 40_000, "stuck": -40_000}[self._wave] * loaded

    def _happen(self, happening: Happening) -> tuple[Request, ...]:
        what, which, value = happening
        if what == "cell":
            self.cells[int(which)] = value
        elif what == "all cells":
            self.cells = [value + n for n in range(len(self.cells))]
        elif what == "full":
            self.cells, self.current_ma = [value] * len(self.cells), 20_000
        elif what == "battery":
            self.battery[int(which)] = value
        elif what == "all batteries":
            self.battery = [value] * len(self.battery)
        elif what == "set":
            setattr(self, str(which), value)
        elif what == "chip reset":
            self.resets += 1
        elif what == "wave":
            self._wave = str(which)
        elif what == "contact":
            self._contacts[str(which)] = value
        elif what == "line":
            self._lines.pop(str(which), None)
            self._lines |= {} if value == "follow" else {str(which): value}
        elif what in {"switch", "remote"}:
            return (Request(what, str(which), value, "uid 0"),)
        elif what == "emergency":
            return (Request("emergency", "override", value, "uid 0"),)
        elif what == "reset":
            return (Request("reset", str(which), None, "uid 0"),)
        elif what == "asleep" and self.state.started:
            self.state = replace(
                self.state, sleep=SleepState(self.now_ms, True, "idle", self.now_ms, charger_side_seen=True)
            )
        elif what in {"mend", "mend and reset", "cold morning"}:
            self._mend(cold=what == "cold morning")
        return tuple(Request("reset", name) for name in LATCHES) if what == "mend and reset" else ()

    def _mend(self, *, cold: bool) -> None:
        self.cells = [3300 + n for n in range(len(self.cells))]
        self.battery = [-80, -70] if cold else [250, 251]
        self.stack, self.load_mv, self.charger_mv = "sum", "follow", 16_000 if cold else 0
        self.current_ma, self.switch, self.faults = 0, 300, ChipFault.NONE
        self.polled, self.afe, self.heater_ma = True, AfeState.READY, None
        self._lines, self._contacts, self._wave = {}, {}, ""


def play(beginning: str, life: Iterable[Chapter], look: Look, **more: Any) -> World:
    """Play a whole life."""
    world = World(beginning, look, **more)
    for chapter in life:
        world.live(chapter)
    return world
