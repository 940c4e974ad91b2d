"""One pack under the full core, watched by the witness and the ledger, with a small model of when it must work again.

Nothing here uses the core's code but to run it: times come from the parameters, alarms from the ledger's own timers.
"""

from __future__ import annotations

from typing import Any

from bmsd.core import contactor_life
from bmsd.core.report import latched
from bmsd.core.settings import Settings
from bmsd.core.state import Outputs, State, begin
from bmsd.core.types import InhibitCause, Inputs, Request
from bmsd.errors import ParameterError
from bmsd.tables import parameters
from bmsd.tables.alarms import ALARMS, BOTH, Block
from bmsd.tables.parameters import Parameters
from tests.properties.ledger import COVERED, Entry, Ledger, lines
from tests.properties.random_worlds import HASTE, LATCHES, World
from tests.properties.witness import Witness
from tests.support.bench_inputs import make_settings

HOUR_MS = 3_600_000
PERIOD_MS = 250
QUICK = {**HASTE, "contactor_operations_per_hour": 20}
SURVIVING = {alarm.name for alarm in ALARMS if alarm.survives}
HEATS = {alarm.name for alarm in ALARMS if alarm.blocks & Block.HEATER}
WILLING = tuple(Request("switch", name, True) for name in ("charge", "discharge", "balance"))
CURED = (*WILLING, Request("emergency", "override", False), *[Request("reset", name) for name in LATCHES])


def quick_settings(chosen: dict[str, int]) -> Settings:
    """Give the settings of a pack of four cells with a heater and short times."""
    return make_settings(heater_mohm=6000, chosen={**QUICK, **chosen})


class Life:
    """A pack, what it went through, and what must be true of it."""

    def __init__(self) -> None:
        self.chosen: dict[str, int] = {}
        self.seen: set[str] = set()
        self._watch(quick_settings({}), begin(1_000_000), 1_000_000, set())
        self.measures_heater = False
        self.decided = 0

    def _watch(self, settings: Settings, state: State, now_ms: int, survived: set[str]) -> None:
        """Begin to watch a fresh start; what survived the last one is on record from the first cycle on."""
        self.settings = settings
        self.witness = Witness(settings, seen=self.seen)
        self.ledger = Ledger(settings, self.witness)
        self.ledger.entries = {name: Entry(None, True) for name in survived}
        self.world = World("fresh", self._look, settings, state=state, now_ms=now_ms)

    def _look(self, _world: object, before: State, inputs: Inputs, after: State, out: Outputs) -> None:
        self.decided += 1
        self.witness(None, before, inputs, after, out)
        self.ledger(before, inputs, after)
        self.measures_heater |= inputs.heater_ma is not None
        if after.sleep.asleep:
            self.seen.add("asleep")

    def cycles(self, count: int, period_ms: int = PERIOD_MS, requests: tuple[Request, ...] = ()) -> None:
        """Let some cycles pass; requests come with the first."""
        for _ in range(count):
            self.world.decide(period_ms, requests)
            requests = ()

    def restart(self, *, by_itself: bool, same_boot: bool) -> None:
        """End the core and start it from what is kept: the ledger says by itself what must still be on record (S13)."""
        old = self.world
        survived = self.ledger.active() & SURVIVING
        told = latched(old.state)
        assert survived <= set(told), f"S13: {sorted(survived - set(told))} would be forgotten"
        state = begin(
            old.now_ms, latched=told, consent=old.state.consent, asked_for=BOTH if by_itself else Block.NONE
        )
        now_ms, closings = old.now_ms + 2000, self.witness.closings_ms
        state = contactor_life.remembered(
            state, contactor_life.worn(old.state, old.now_ms), now_ms, same_boot=same_boot
        )
        self._watch(self.settings, state, now_ms, survived | (set(told) & COVERED))
        # S12: the last hour goes on; after another boot nobody knows how long ago it was, so it counts as now.
        self.witness.closings_ms = {
            name: [t if same_boot else now_ms for t in times if old.now_ms - t < HOUR_MS]
            for name, times in closings.items()
        }
        for name in ("cells", "battery", "stack", "charger_mv", "load_mv", "current_ma", "switch", "faults", "polled",
                     "afe", "resets", "heater_ma", "_lines", "_contacts", "_wave"):  # fmt: skip
            setattr(self.world, name, getattr(old, name))

    def write(self, changes: dict[str, int]) -> bool:
        """Write parameters as one set: all or nothing, and refused when it does not fit together (S8)."""
        before = self.settings.parameters
        try:
            after = parameters.changed(before, changes, self.settings.cells)
        except ParameterError:
            assert not _fits({**_all(before), **changes}), f"S8: {changes} was refused"
            return False
        assert _fits({**_all(before), **changes}), f"S8: {changes} was taken"
        self.chosen |= changes
        self.settings = quick_settings({**_all(before), **changes})
        assert self.settings.parameters == after
        self.world.settings = self.witness.settings = self.ledger.settings = self.settings
        self.ledger.lines = lines(self.settings)
        return True

    def get_well(self) -> Outputs:
        """Let everything be good for long enough: then both contactors must be closed, whatever was before."""
        self._mend(cold=False)
        self._well_for(self.long_enough_ms())
        if not self._works():
            # Operations per hour may stand against it: an hour later nothing may.
            self.world.decide(HOUR_MS, CURED)
            self._well_for(self.long_enough_ms())
        out = self.world.out
        assert out is not None
        assert self._works(), f"S1: still against it: {out.charge_inhibits}, {out.discharge_inhibits}"
        return out

    def get_cold(self) -> None:
        """Let a cold morning with a charger follow a good time: charge opens and the heater must go on."""
        self.get_well()
        self._mend(cold=True)
        p = self.settings.parameters
        self._well_for(
            p.temperature_delay_ms + p.opening_wait_ms + p.heater_min_off_ms + p.contactor_settle_ms + 2000
        )
        out = self.world.out
        assert out is not None
        assert not out.commands.charge, "S3: charge in the cold"
        excused = any(reason.because is InhibitCause.OPERATIONS for reason in out.heater_inhibits)
        excused |= bool(
            {a.name for a, s in zip(ALARMS, self.world.state.alarms, strict=True) if s.active} & HEATS
        )
        assert out.commands.heater or excused, f"S3: no heat: {out.heater_inhibits}"

    def _mend(self, *, cold: bool) -> None:
        self.world._mend(cold=cold)
        # A sensor that answered once has to go on: what it does not say can be neither seen nor excluded (S2).
        self.world.heater_ma = 0 if self.measures_heater else None

    def _well_for(self, duration_ms: int) -> None:
        """Pass time with cells that live: a healthy reading moves by a millivolt."""
        requests = CURED
        for n in range(-(-duration_ms // PERIOD_MS)):
            self.world.cells = [3300 + cell + n % 2 for cell in range(self.settings.cells)]
            # Resets are asked for again and again: an alarm takes one only when its cause is gone.
            self.world.decide(PERIOD_MS, requests if n % 8 == 0 else ())

    def _works(self) -> bool:
        out = self.world.out
        assert out is not None
        return out.charge_allowed and out.discharge_allowed and out.commands.charge and out.commands.discharge

    def long_enough_ms(self) -> int:
        """Give the time after which no timer of the parameters can stand against closing any more."""
        p: Parameters = self.settings.parameters
        releases = (p.recovery_ms, p.charge_ocp_release_ms, p.discharge_ocp_release_ms, p.short_circuit_release_ms,
                    p.limit_enforce_release_ms)  # fmt: skip
        start = (p.start_good_cycles + 1) * PERIOD_MS
        closing = p.contactor_min_off_ms + p.precharge_rest_ms + p.precharge_timeout_ms
        # Once for the values and alarms, once more for what only then begins to run: a weld is told when one opens.
        return 2 * (p.value_max_age_ms + max(releases) + p.contactor_settle_ms + 2000) + start + closing


def _all(p: Parameters) -> dict[str, int]:
    return {row.name: p.get(row.name) for row in parameters.ROWS}


def _fits(values: dict[str, Any]) -> bool:
    """Tell whether a set is in range and in order, from the rows alone."""
    for row in parameters.ROWS:
        low, high = row.bounds(4)
        if not low <= values[row.name] <= high:
            return False
    return all(values[o.lower] + o.gap <= values[o.higher] for o in parameters.ORDERS)
