"""Random lives of a pack behind one common contactor: what may never be, looked at in every cycle."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties.random_worlds import HAPPENINGS, HASTE, STEPS_MS, Chapter, Happening, World, lives
from tests.properties.test_safety_rules import thorough
from tests.properties.witness import LEAVES_MS, LITTLE_MA

from tests.support.bench_inputs import make_settings  # isort: skip
from bmsd.core.types import Inputs, Levels, Measurement, Request
from bmsd.tables.alarms import ALARMS, BOTH, Alarm, Block
from tests.support.changed import replace

FLOW_MS = 1000
SETTINGS = make_settings(
    heater_mohm=6000,
    heater_from_pack=True,
    topology="common",
    wired=frozenset({"main", "precharge", "heater", "buzzer"}),
    chosen={**HASTE, "forbidden_flow_ms": FLOW_MS, "forbidden_flow_release_ms": 60_000},
)
LIMITS_MA = {Block.CHARGE: 2000, Block.DISCHARGE: 3000}
EMPTY = {"cell_uvp", "pack_uvp", "cell_shutdown", "auto_shutdown"}
HEAT_STARTS_MS = 61_000
HEATER_MA = 5001
"""More than the heater takes from a pack whose every cell is at the highest voltage that is believed."""


class CommonWorld(World):
    """The world of the other properties, with one contactor."""

    def __init__(self, look) -> None:
        super().__init__("fresh", look, SETTINGS)

    def measurement(self) -> Measurement:
        """Let the load side follow the main contactor."""
        seen = super().measurement()
        follows = self.load_mv == "follow" and self.state.commands.main
        return replace(seen, load_mv=sum(mv or 0 for mv in self.cells)) if follows else seen

    def _inputs(self, requests: tuple[Request, ...]) -> Inputs:
        inputs = super()._inputs(requests)
        main = self.state.commands.main
        lines = {"charge": None, "discharge": None, "main": self._lines.get("charge", main)}
        contact = self._contacts.get("charge", "follow")
        contacts = Levels(main=main if contact == "follow" else contact)
        return replace(inputs, lines=replace(inputs.lines, **lines), feedback=contacts)


@dataclass
class CommonWitness:
    """Objects to anything against the rules; `seen` collects what was reached."""

    refused_ms: int | None = None
    flows_ms: dict[Block, int] = field(default_factory=dict)
    refused: Block = Block.NONE
    opened_ms: int | None = None
    heat_ms: int | None = None
    closings_ms: list[int] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def __call__(self, _world, before, inputs, after, out) -> None:
        """Look at one decision."""
        now, main = inputs.now_ms, out.commands.main
        active = [a for a, s in zip(ALARMS, after.alarms, strict=True) if s.active]
        self.seen |= {alarm.name for alarm in active}
        assert not out.commands.charge
        assert not out.commands.discharge
        self._limits(inputs, out, main)
        self._closed(inputs, out, self._standing(after, active)) if main else self._open()
        self._flow(out, now, main, {alarm.name for alarm in active})
        self._heater(before, inputs, out)
        if after.override is not None and after.override.began_ms == now:
            self.closings_ms = []  # S10: it may close once more what used up its hour
        self._pace(before, now, main)

    def _limits(self, inputs, out, main) -> None:
        for told, allowed in (
            (out.limits.charge_ma, out.charge_allowed),
            (out.limits.discharge_ma, out.discharge_allowed),
        ):
            assert not told or (allowed and main), (
                "S1: a current is asked for without permission or contactor"
            )
        assert not (out.limits.charge_ma and out.commands.heater), "S3: charge is asked for beside the heater"

    @staticmethod
    def _standing(after, active) -> list[Alarm]:
        """Leave out what an emergency override lifts in this cycle (S10)."""
        lifts = Block.NONE if after.override is None else after.override.lifts
        return [a for a in active if a.blocks & BOTH & ~(a.overridable & lifts) or not a.blocks & BOTH]

    def _open(self) -> None:
        self.refused_ms = self.heat_ms = None

    def _closed(self, inputs, out, active) -> None:
        now, allowed = inputs.now_ms, out.charge_allowed or out.discharge_allowed
        hasty = {a.name for a in active if a.blocks & BOTH and a.name not in LEAVES_MS}
        assert hasty <= {"cell_shutdown", "auto_shutdown"}, f"S1: closed beside {hasty}"
        if not allowed and self._waits_for_heat(active):
            self._for_heat(out, now)
            return
        assert not hasty or out.charge_allowed, "S1: closed below shutdown voltage without a use"
        if allowed:
            self.refused_ms = None
            kind = "both" if out.charge_allowed and out.discharge_allowed else "one"
            self.seen.add(f"closed for {kind}" + (" below shutdown" if hasty else ""))
            return
        self.seen.add("waits to open")
        self.refused_ms = now if self.refused_ms is None else self.refused_ms
        leaves = [LEAVES_MS[a.name] for a in active if a.blocks & BOTH]
        assert now - self.refused_ms < min([1000, *leaves]), "S12: waits too long"
        assert out.values.current_ma is not None
        assert abs(out.values.current_ma) >= LITTLE_MA, "S12: waits for nothing"

    @staticmethod
    def _waits_for_heat(active) -> bool:
        """Tell whether the pack is empty and too cold to charge, and nothing else is against anything."""
        names = {a.name for a in active if a.blocks & BOTH}
        return "charge_utp" in names and bool(names & EMPTY) and names <= EMPTY | {"charge_utp"}

    def _for_heat(self, out, now) -> None:
        """S15: closed for the heater alone, which has to start, or the contactor opens."""
        self.seen.add("closed for heat")
        self.refused_ms = None
        if out.commands.heater or self.heat_ms is None:
            self.heat_ms = now
        assert now - self.heat_ms <= HEAT_STARTS_MS, "S4: closed for a heater that does not start"

    def _flow(self, out, now, main, active) -> None:
        current = out.values.current_ma or 0
        for block, flows in ((Block.CHARGE, current), (Block.DISCHARGE, -current)):
            limit = LIMITS_MA[block] + (HEATER_MA if block is Block.DISCHARGE else 0)
            if not (main and self.refused & block and flows > limit):
                self.flows_ms.pop(block, None)
                continue
            since = self.flows_ms.setdefault(block, now)
            self.seen.add(f"{block.name} flows")
            assert now - since < FLOW_MS, f"S1: {block.name} flows on through the closed contactor"
        self.refused = Block.NONE
        if main:
            self.refused |= Block.NONE if out.charge_allowed else Block.CHARGE
            self.refused |= Block.NONE if out.discharge_allowed else Block.DISCHARGE

    def _heater(self, before, inputs, out) -> None:
        if not out.commands.heater:
            return
        self.seen.add("heater on")
        if inputs.lines.main or inputs.feedback.main or before.commands.main:
            assert before.common.refused & Block.CHARGE, "S3: heat before zero was told"
            assert out.values.current_ma is not None
            assert out.values.current_ma <= LIMITS_MA[Block.CHARGE], "S3: heat beside a charge current"

    def _pace(self, before, now, main) -> None:
        if before.commands.main and not main:
            self.opened_ms = now
        if main and not before.commands.main:
            assert self.opened_ms is None or now - self.opened_ms >= 500, "S12: closed without its rest"
            self.closings_ms = [t for t in self.closings_ms if now - t < 3_600_000]
            assert len(self.closings_ms) < 5, "S12: closed too often"
            self.closings_ms.append(now)


def play(life, witness) -> CommonWorld:
    world = CommonWorld(witness)
    world.live(Chapter(Happening("mend"), 250, 12))
    for chapter in life:
        world.live(chapter)
    return world


@settings(parent=thorough, suppress_health_check=list(HealthCheck))
@given(lives)
def test_no_life_behind_a_common_contactor_breaks_a_rule(life) -> None:
    """S1, S3, S12: limits, the contactor, the forbidden flow, the heater, the pace."""
    play(life, CommonWitness())


@settings(parent=thorough)
@given(lives, st.integers(0, 10**9))
def test_the_clock_may_begin_anywhere(life, shift_ms) -> None:
    """S11: only differences decide."""
    told: list[list[object]] = []
    for start_ms in (1_000_000, 1_000_000 + shift_ms):
        heard: list[object] = []

        def look(_w, _b, _i, _a, out, heard=heard) -> None:
            heard.append((out.commands, out.limits, out.charge_allowed, out.discharge_allowed))

        world = CommonWorld(look)
        world.now_ms = start_ms
        for chapter in life:
            world.live(chapter)
        told.append(heard)
    assert told[0] == told[1]


@pytest.mark.slow
def test_the_lives_reach_what_they_are_about() -> None:
    """A property over states that are never reached proves nothing."""
    dice, witness = random.Random(16), CommonWitness()
    seen: set[str] = set()
    wanted = {
        "closed for both",
        "closed for one",
        "waits to open",
        "CHARGE flows",
        "DISCHARGE flows",
        "heater on",
        "closed for heat",
    }
    wanted |= {"charge_not_stopped", "discharge_not_stopped", "main_contactor_welded", "main_contactor_open"}
    happenings = [Happening("set", "current_ma", -5000)]
    happenings += [Happening("switch", name, False) for name in ("charge", "discharge")]
    witness = CommonWitness()
    play([Chapter(happening, 100, 3) for happening in happenings], witness)
    seen |= witness.seen
    for _ in range(250):
        life = [
            Chapter(dice.choice(HAPPENINGS), dice.choice(STEPS_MS), dice.choice((1, 2, 5, 12, 36)))
            for _ in range(20)
        ]
        witness = CommonWitness()
        play(life, witness)
        seen |= witness.seen
        if wanted <= seen:
            return
    pytest.fail(f"never met: {wanted - seen}")
