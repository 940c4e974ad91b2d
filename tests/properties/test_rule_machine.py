"""A rule-based machine over the full core: anything may happen in any order, and an independent model looks on.

After every cycle the witness objects to what the rules forbid and the ledger to a wrong record; at any time the pack
may get well, and must then work again. A long run: `BMSD_LONG_RUN=1 ./run test tests/properties/test_rule_machine.py`.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bmsd.core import alarms, contactors, permissions, switching
from bmsd.core.alarms import AlarmState
from bmsd.core.switching import SwitchPace
from bmsd.core.types import AfeState, ChipFault, Inhibit, InhibitCause, Request
from bmsd.tables import parameters
from tests.properties import watched_life
from tests.properties.random_worlds import AMPERES, CELLS, CHARGERS, DEGREES, LATCHES, Happening
from tests.properties.watched_life import Life
from tests.support.effort import examples

LONG = bool(os.environ.get("BMSD_LONG_RUN"))
EFFORT = settings(
    max_examples=100_000 if LONG else examples(40),
    stateful_step_count=50 if LONG else 40,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
WRITES = (
    {"cell_ovp_mv": 3550}, {"cell_ovp_mv": 3650}, {"cell_ovp_delay_ms": 0}, {"cell_uvp_mv": 2750},
    {"recovery_ms": 3000},
    {"charge_utp_decic": -50}, {"temperature_delay_ms": 500}, {"unknown_grace_ms": 0}, {"opening_wait_ms": 0},
    {"contactor_min_off_ms": 3000}, {"charge_ocp_ma": 50_000, "charge_ocp2_ma": 60_000, "charge_max_ma": 40_000},
    {"cell_ovp_mv": 3300}, {"cell_ovpr_mv": 3700}, {"contactor_min_off_ms": 0}, {"charge_utp_decic": 45},
)  # fmt: skip
"""Sets of parameters that somebody writes; the last four are refused, whatever was written before."""
LIVED = {"lives": 0, "cycles": 0}
of = st.sampled_from


class PackMachine(RuleBasedStateMachine):
    """What can happen to a pack and to its daemon."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life()

    def _happens(self, what: str, which: int | str | None = None, value: object = None) -> None:
        self.life.cycles(1, requests=self.life.world._happen(Happening(what, which, value)))

    @rule(cell=of(range(4)), mv=of(CELLS))
    def one_cell(self, cell, mv) -> None:
        self._happens("cell", cell, mv)

    @rule(mv=of((1990, 2550, 2650, 2999, 3010, 3300, 3350, 3390, 3500, 3650)))
    def all_cells(self, mv) -> None:
        self._happens("all cells", None, mv)

    @rule(sensor=of(range(2)), decic=of(DEGREES))
    def one_sensor(self, sensor, decic) -> None:
        self._happens("battery", sensor, decic)

    @rule(decic=of((-210, -80, 40, 49, 50, 51, 250, 560)))
    def all_sensors(self, decic) -> None:
        self._happens("all batteries", None, decic)

    @rule(ma=of(AMPERES))
    def current(self, ma) -> None:
        self._happens("set", "current_ma", ma)

    @rule(
        told=of([
            *[("switch", decic) for decic in (None, 250, 649, 751, 1201)],
            *[("stack", mv) for mv in (None, "sum", 0)],
            *[("charger_mv", mv) for mv in CHARGERS],
            *[("load_mv", mv) for mv in (None, "follow", 0, 20_000)],
            *[("heater_ma", ma) for ma in (None, 0, 201, 3001)],
        ])
    )  # fmt: skip
    def another_value(self, told) -> None:
        self._happens("set", *told)

    @rule(fault=of((ChipFault.NONE, *ChipFault)))
    def chip_trips(self, fault) -> None:
        self._happens("set", "faults", fault)

    @rule(told=of([("polled", False), ("polled", True), *[("afe", state) for state in AfeState]]))
    def chip_answers(self, told) -> None:
        self._happens("set", *told)

    @rule()
    def chip_reset(self) -> None:
        self._happens("chip reset")

    @rule(name=of(("charge", "discharge")), reads=of((None, True, False, "follow")))
    def contact(self, name, reads) -> None:
        self._happens("contact", name, reads)

    @rule(name=of(("charge", "discharge", "heater", "precharge")), reads=of((None, True, False, "follow")))
    def line(self, name, reads) -> None:
        self._happens("line", name, reads)

    @rule(kind=of(("dead", "reversed", "stuck", "")), cycles=of((8, 40)))
    def broken_measurement(self, kind, cycles) -> None:
        self._happens("wave", kind)
        self.life.cycles(cycles)

    @rule(name=of(("charge", "discharge", "balance")), on=st.booleans())
    def operator_switches(self, name, on) -> None:
        self._happens("switch", name, on)

    @rule(name=of(LATCHES))
    def operator_resets(self, name) -> None:
        self._happens("reset", name)

    @rule(on=of((True, True, False)))
    def emergency(self, on) -> None:
        self._happens("emergency", None, on)

    @rule()
    def asleep(self) -> None:
        self._happens("asleep")

    @rule()
    def wake(self) -> None:
        self.life.cycles(1, requests=(Request("wake", "pack"),))

    @rule(changes=of(WRITES))
    def parameters(self, changes) -> None:
        taken = self.life.write(changes)
        assert taken is (changes in WRITES[:-4])

    @rule(count=of((1, 2, 4, 8, 20)), period_ms=of((100, 250, 250, 1000)))
    def time_passes(self, count, period_ms) -> None:
        self.life.cycles(count, period_ms)

    @rule(pause_ms=of((1, 999, 1001, 5000, 60_000, 1_799_999, 1_800_000, 3_600_000)))
    def late(self, pause_ms) -> None:
        self.life.cycles(1, pause_ms)

    @rule(by_itself=of((True, True, False)), same_boot=st.booleans())
    def restart(self, by_itself, same_boot) -> None:
        self.life.restart(by_itself=by_itself, same_boot=same_boot)
        self.life.cycles(1)

    @rule()
    def gets_well(self) -> None:
        self.life.get_well()

    @rule()
    def cold_morning(self) -> None:
        self.life.get_cold()

    def teardown(self) -> None:
        """Count what was lived, so that a long run that is ended from outside can tell how far it came."""
        LIVED["lives"] += 1
        LIVED["cycles"] += self.life.decided
        if LONG and LIVED["lives"] % 100 == 0:
            print(f"{LIVED['lives']} lives, {LIVED['cycles']} cycles, no objection", flush=True)

    @invariant()
    def what_is_commanded_was_decided(self) -> None:
        """Every cycle was watched as it was decided; between cycles nothing moves."""
        out = self.life.world.out
        assert out is None or out.commands == self.life.world.state.commands


def test_whatever_happens_the_rules_hold_and_a_good_pack_works() -> None:
    """S1, S2, S3, S4, S7, S8, S10, S12, S13: nothing forbidden, everything on record, well when all is good."""
    run_state_machine_as_test(PackMachine, settings=EFFORT)


DEFECTS = (
    ("unknown values are no reason", permissions, "unknowns", lambda *_: ()),
    ("latched alarms are forgotten", watched_life, "latched", lambda _state: {}),
    (
        "the least time off is skipped",
        contactors,
        "_pace",
        lambda p: SwitchPace(0, p.contactor_operations_per_hour),
    ),
    (
        "an alarm rises at once",
        alarms,
        "_pending",
        lambda *a: AlarmState(True, a[-1]) if a[2] else alarms.QUIET,
    ),
    ("nothing closes", switching, "waits", lambda *_: Inhibit(InhibitCause.MIN_OFF)),
    ("writes are not checked", parameters, "problems", lambda *_: {}),
)


FOUND_SOON = 11
"""A seed with which each of them is found among the first lives; others need up to a few hundred."""


@pytest.mark.parametrize(("what", "module", "name", "broken"), DEFECTS)
def test_the_machine_finds_a_broken_core(what, module, name, broken, monkeypatch) -> None:
    """A machine that cannot fail shows nothing (S1, S2, S8, S12, S13)."""
    monkeypatch.setattr(module, name, broken)
    quick = settings(EFFORT, max_examples=300, phases=(Phase.generate,), database=None)

    @seed(FOUND_SOON)
    class Seeded(PackMachine):
        """The same, with its own dice."""

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Seeded, settings=quick)
