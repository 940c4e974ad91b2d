"""A small model of what must stand on record: which alarms are active, by timers of its own.

It reads the rows and limits of the tables and shares no code with the core. What was measured when it takes from the
witness, who keeps that for himself. Rows that need more than a value and a clock are left out: see `LEFT_OUT`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from bmsd.core.settings import Settings
from bmsd.core.state import State
from bmsd.core.types import AfeState, ChipFault, Commands, Inputs
from bmsd.tables.alarms import ALARMS, Block
from tests.properties.witness import Witness

HOUR_MS = 3_600_000
NEVER_MS = -HOUR_MS
SWITCHES = ("charge", "discharge", "precharge", "heater")
LOST = {
    "cell_lost": "cell", "temperature_lost": "battery", "switch_temperature_lost": "switch",
    "current_lost": "current", "stack_lost": "stack",
}  # fmt: skip
BOARD = ChipFault.BOARD_TEMPERATURE | ChipFault.HOST_WATCHDOG
TRIPS = {
    "short_circuit": ChipFault.SHORT_CIRCUIT,
    "chip_charge_trip": ChipFault.CELL_OVER_VOLTAGE | ChipFault.CHARGE_OVER_CURRENT
    | ChipFault.CHARGE_TEMPERATURE | BOARD,
    "chip_discharge_trip": ChipFault.CELL_UNDER_VOLTAGE | ChipFault.DISCHARGE_OVER_CURRENT
    | ChipFault.DISCHARGE_TEMPERATURE | BOARD,
    "chip_fault": ChipFault.PERMANENT_FAILURE | ChipFault.OTHER,
}  # fmt: skip
SAYS_THE_SAME = (
    # A trip of the chip, the contactors that it holds, and the alarms that hold each of them as well.
    (ChipFault.CELL_OVER_VOLTAGE, {"charge": ("cell_ovp",)}),
    (ChipFault.CHARGE_TEMPERATURE, {"charge": ("charge_utp", "charge_otp")}),
    (ChipFault.CHARGE_OVER_CURRENT, {"charge": ("charge_ocp", "charge_ocp2")}),
    (ChipFault.CELL_UNDER_VOLTAGE, {"discharge": ("cell_uvp", "cell_shutdown", "cell_floor")}),
    (ChipFault.DISCHARGE_TEMPERATURE, {"discharge": ("discharge_utp", "discharge_otp")}),
    (ChipFault.DISCHARGE_OVER_CURRENT, {"discharge": ("discharge_ocp", "discharge_ocp2")}),
    (ChipFault.BOARD_TEMPERATURE, {"charge": ("switch_otp",), "discharge": ("switch_otp",)}),
)
LIFTABLE = {"cell_ovp": Block.CHARGE} | dict.fromkeys(
    ("cell_uvp", "cell_shutdown", "discharge_utp"), Block.DISCHARGE
)
OVERLOADS = {
    "charge": ("charge_ocp2", "chip_charge_trip"), "discharge": ("discharge_ocp2", "chip_discharge_trip"),
}  # fmt: skip
REPEATED = {"charge": "charge_trip_repeated", "discharge": "discharge_trip_repeated"}
CONDITIONS = {
    *LOST, *TRIPS, "short_circuit_repeated", *REPEATED.values(),
    "afe_lost", "afe_not_set", "afe_reset", "afe_refused", "output_fault", "contact_lost",
    "charge_contactor_open", "charge_contactor_welded", "discharge_contactor_open", "discharge_contactor_welded",
    "charge_past_contactor", "discharge_past_contactor",
}  # fmt: skip
COVERED = CONDITIONS | {alarm.name for alarm in ALARMS if alarm.value}
LEFT_OUT = {alarm.name for alarm in ALARMS} - COVERED


class Entry(NamedTuple):
    """One alarm on its way: since when it is bad, whether it is active, since when it is good again."""

    bad_ms: int | None = None
    active: bool = False
    good_ms: int | None = None


class Line(NamedTuple):
    """One row of the alarm table with its numbers."""

    value: str
    above: bool
    trip: int
    release: int
    inclusive: bool
    delay_ms: int
    release_ms: int
    by_operator: bool


def lines(settings: Settings) -> dict[str, Line]:
    """Fill the rows that are covered with a set of parameters."""
    p = settings.parameters
    return {
        a.name: Line(
            a.value, a.sense.value == "above",
            *[p.get(name) if name else 0 for name in (a.trip, a.release)], a.inclusive,
            *[p.get(name) if name else 0 for name in (a.delay, a.release_delay)], a.ends.value == "operator",
        )
        for a in ALARMS if a.name in COVERED
    }  # fmt: skip


class Ledger:
    """Sees every cycle after the witness, and objects when the core has another record."""

    def __init__(self, settings: Settings, witness: Witness, rows: dict[str, Line] | None = None) -> None:
        self.settings, self.witness = settings, witness
        self.lines = lines(settings) if rows is None else rows
        self.entries: dict[str, Entry] = {}
        self.moved_ms: dict[str, int] = {}
        self.suspects_ms: dict[str, int] = {}
        self.shorts_ms: tuple[int, ...] = ()
        self.overloads_ms: dict[str, tuple[int, ...]] = dict.fromkeys(OVERLOADS, ())
        self.resets = 0

    def __call__(self, before: State, inputs: Inputs, after: State) -> None:
        """Advance by one cycle and compare."""
        asked = {request.name for request in inputs.requests if request.kind == "reset"}
        if "short_circuit_repeated" in asked:
            self.shorts_ms = ()
        for direction, latch in REPEATED.items():
            if latch in asked:
                self.overloads_ms[direction] = ()
        measured = self._measured(inputs.now_ms)
        known, confirmed = self._says_the_same(measured, before, inputs)
        causes = self._conditions(measured, before.commands, inputs, known)
        was_over = {direction: self._any(names) for direction, names in OVERLOADS.items()}
        was_short = self.entries.get("short_circuit", Entry()).active
        for name, line in self.lines.items():
            if line.value:
                bad, back = _compared(line, tuple(measured[line.value]))
            else:
                bad = causes.get(name, False)
                back = bad is False
            if bad is not False or name in self.entries:
                back = back and name not in confirmed
                self._advance(name, self._paused(name, line), bad, back, name in asked, inputs.now_ms)
        self.shorts_ms = tuple(t for t in self.shorts_ms if inputs.now_ms - t < HOUR_MS)
        if not was_short and self.entries.get("short_circuit", Entry()).active:
            self.shorts_ms += (inputs.now_ms,)
        for direction, names in OVERLOADS.items():
            times = tuple(t for t in self.overloads_ms[direction] if inputs.now_ms - t < HOUR_MS)
            is_new = self._any(names) and not was_over[direction]
            most = self.settings.parameters.over_current_releases_per_hour + 1
            self.overloads_ms[direction] = ((*times, inputs.now_ms) if is_new else times)[-most:]
        self._note_moves(before.commands, after.commands, inputs.now_ms)
        self.resets = max(self.resets, inputs.afe.resets)
        self._compare(after)

    def active(self) -> set[str]:
        """Name what must be on record now."""
        return {name for name, entry in self.entries.items() if entry.active}

    def _any(self, names: tuple[str, ...]) -> bool:
        return any(self.entries.get(name, Entry()).active for name in names)

    def _paused(self, name: str, line: Line) -> Line:
        """Let a pause double with each overload of the last hour."""
        for direction, names in OVERLOADS.items():
            count = len(self.overloads_ms[direction])
            if name in names and count > 1:
                return line._replace(release_ms=min(line.release_ms * 2 ** (count - 1), HOUR_MS))
        return line

    def _says_the_same(
        self, measured: dict[str, list[int | None]], before: State, inputs: Inputs
    ) -> tuple[ChipFault, set[str]]:
        """Find the trips behind an open contactor that an alarm explains, active or with its value beyond the limit."""
        m, known, confirmed = inputs.afe.measurement, ChipFault.NONE, set[str]()
        if m is None:
            return known, confirmed
        lifts = Block.NONE if before.override is None else before.override.lifts
        for fault, contactors in SAYS_THE_SAME:
            if not m.faults & fault or any(getattr(before.commands, name) for name in contactors):
                continue
            said = {
                contactor: {
                    name
                    for name in names
                    if not LIFTABLE.get(name, Block.NONE) & lifts and self._holds(name, measured)
                }
                for contactor, names in contactors.items()
            }
            if all(said.values()):
                known |= fault
                confirmed |= set().union(*said.values())
        return known, confirmed

    def _holds(self, name: str, measured: dict[str, list[int | None]]) -> bool:
        line = self.lines[name]
        return self._any((name,)) or _compared(line, tuple(measured[line.value]))[0] is True

    def _compare(self, after: State) -> None:
        core = {a.name for a, s in zip(ALARMS, after.alarms, strict=True) if s.active} & COVERED
        mine = self.active()
        assert mine <= core, f"S1, S2: {sorted(mine - core)} must be on record and is not"
        assert core <= mine, f"S12: {sorted(core - mine)} is on record without a cause"

    def _advance(self, name: str, line: Line, bad: bool | None, back: bool, reset: bool, now_ms: int) -> None:
        bad_ms, active, good_ms = self.entries.pop(name, Entry())
        if active:
            good_ms = (now_ms if good_ms is None else good_ms) if back else None
            rested = good_ms is not None and now_ms - good_ms >= line.release_ms
            if not (rested and (reset or not line.by_operator)):
                self.entries[name] = Entry(None, True, good_ms)
            return
        if bad and bad_ms is None:
            bad_ms = now_ms
        if bad is False or bad_ms is None:
            return
        trips = now_ms - bad_ms >= line.delay_ms
        self.entries[name] = Entry(None, True) if trips else Entry(bad_ms)

    def known(self, prefix: str, count: int, now_ms: int) -> list[int | None]:
        """Give what is believed of a group: unknown is what is older than it may be."""
        oldest_ms = now_ms - self.settings.parameters.value_max_age_ms - self.witness.older_ms
        last = [self.witness.last.get(f"{prefix}{n}") for n in range(count)]
        return [None if told is None or told[1] < oldest_ms else told[0] for told in last]

    def _measured(self, now_ms: int) -> dict[str, list[int | None]]:
        """Give the values behind each compared one; None in a list is one that is unknown."""
        cells = self.known("cell", self.settings.cells, now_ms)
        battery = self.known("battery", self.settings.battery_sensors, now_ms)
        switch, current, stack = [self.known(name, 1, now_ms) for name in ("switch", "current", "stack")]
        pack_mv = None if None in cells else sum(mv or 0 for mv in cells)
        off_mv = None if pack_mv is None or stack[0] is None else abs(pack_mv - stack[0])
        return {
            "cell_max": cells, "cell_min": cells, "cell_spread": _spread(cells), "pack_mv": [pack_mv],
            "stack_mismatch": [off_mv], "battery_max": battery, "battery_min": battery,
            "battery_spread": _spread(battery), "switch_decic": switch,
            "charge_ma": [None if ma is None else max(ma, 0) for ma in current],
            "discharge_ma": [None if ma is None else max(-ma, 0) for ma in current],
            "cell": cells, "battery": battery, "switch": switch, "current": current, "stack": stack,
            "ma": current,
        }  # fmt: skip

    def _conditions(
        self,
        measured: dict[str, list[int | None]],
        commands: Commands,
        inputs: Inputs,
        known: ChipFault = ChipFault.NONE,
    ) -> dict[str, bool | None]:
        """Name what is bad now (True) or cannot be seen (None)."""
        found: dict[str, bool | None] = {
            name: True for name, group in LOST.items() if None in measured[group]
        }
        afe = inputs.afe
        m = afe.measurement if afe.state is AfeState.READY else None
        if m is None:
            found |= dict.fromkeys((*TRIPS, "afe_reset", "afe_refused"), None)
            watched = afe.state is AfeState.WATCHING and afe.measurement is not None
            found |= {"afe_not_set": True} if watched else {"afe_not_set": None, "afe_lost": True}
        else:
            found |= {name: True for name, trips in TRIPS.items() if m.faults & ~known & trips}
        if afe.state is AfeState.REFUSED:
            found["afe_refused"] = True
        if afe.resets > self.resets or (afe.state is AfeState.CONFIGURING and afe.resets):
            found["afe_reset"] = True
        if len(self.shorts_ms) > self.settings.parameters.short_circuit_releases_per_hour:
            found["short_circuit_repeated"] = True
        for direction, times in self.overloads_ms.items():
            if len(times) > self.settings.parameters.over_current_releases_per_hour:
                found[REPEATED[direction]] = True
        if any(getattr(inputs.lines, name) is not getattr(commands, name) for name in self.settings.wired):
            found["output_fault"] = True
        for name in ("charge", "discharge"):
            self._contactor(name, measured[f"{name}_ma"][0], commands, inputs, found)
        proved = self._proved(measured, commands, inputs)
        return found | {name: bad for name, bad in proved.items() if not found.get(name)}

    def _contactor(
        self, name: str, ma: int | None, commands: Commands, inputs: Inputs, found: dict[str, bool | None]
    ) -> None:
        """Look at one contactor: does its contact follow, does current pass while it is open."""
        p, level, on = self.settings.parameters, getattr(inputs.feedback, name), getattr(commands, name)
        settled = self._settled(name, inputs.now_ms)
        if level is None:
            found |= {f"{name}_contactor_open": None, f"{name}_contactor_welded": None, "contact_lost": True}
        elif level is not on and settled:
            found[f"{name}_contactor_{'open' if on else 'welded'}"] = True
        other_on = commands.discharge if name == "charge" else commands.charge
        if (
            not on
            and other_on
            and settled
            and (ma is None or ma > max(p.limit_tolerance_ma, p.weld_current_ma))
        ):
            found[f"{name}_past_contactor"] = None if ma is None else True

    def _settled(self, name: str, now_ms: int) -> bool:
        return now_ms - self.moved_ms.get(name, NEVER_MS) >= self.settings.parameters.contactor_settle_ms

    def _proved(
        self, measured: dict[str, list[int | None]], commands: Commands, inputs: Inputs
    ) -> dict[str, bool | None]:
        """Hear what current and voltage say against a contactor, and for how long; unknown takes no weld back."""
        p, now_ms, told = self.settings.parameters, inputs.now_ms, set()
        ma, pack_mv = measured["ma"][0], measured["pack_mv"][0]
        contacts = ("charge", "discharge", "precharge")
        is_open = all(not getattr(commands, name) and self._settled(name, now_ms) for name in contacts)
        if ma is not None and is_open and abs(ma) > p.weld_current_ma:
            told.add(f"{'charge' if ma > 0 else 'discharge'}_contactor_welded")
        load_mv = inputs.afe.measurement.load_mv if inputs.afe.measurement else None
        closed = commands.discharge and self._settled("discharge", now_ms) and self.settings.precharge
        if closed and None not in (pack_mv, load_mv) and (load_mv or 0) * 10 < (pack_mv or 0) * 9:
            told.add("discharge_contactor_open")
        welds = ("charge_contactor_welded", "discharge_contactor_welded")
        kept = {name: since for name, since in self.suspects_ms.items() if ma is None and name in welds}
        self.suspects_ms = kept | {name: self.suspects_ms.get(name, now_ms) for name in told}
        said: dict[str, bool | None] = {
            name: now_ms - since >= p.contact_proof_ms or None for name, since in self.suspects_ms.items()
        }
        return said | dict.fromkeys(welds, None) if ma is None else said

    def _note_moves(self, was: Commands, now: Commands, now_ms: int) -> None:
        for name in SWITCHES:
            if getattr(was, name) is not getattr(now, name):
                self.moved_ms[name] = now_ms


@lru_cache(100_000)
def _compared(line: Line, values: tuple[int | None, ...]) -> tuple[bool | None, bool]:
    """Tell whether any value is beyond the trip limit, and whether all are safely back."""
    known, sign = [value for value in values if value is not None], 1 if line.above else -1
    if any(sign * value > sign * line.trip for value in known):
        return True, False
    if not known or len(known) < len(values):
        return None, False
    back = all(sign * v < sign * line.release or (line.inclusive and v == line.release) for v in known)
    return False, back


def _spread(values: list[int | None]) -> list[int | None]:
    """Give the distance of the extremes, with an unknown beside it where a value is missing."""
    known = [value for value in values if value is not None]
    if not known:
        return [None]
    return [max(known) - min(known)] + [None] * (len(known) < len(values))
