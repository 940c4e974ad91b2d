"""Random lives of a pack behind the chip's own FETs: the rules of two contactors, and those of the body diodes."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given

from tests.properties.random_worlds import HAPPENINGS, HASTE, STEPS_MS, Chapter, World, lives
from tests.properties.test_safety_rules import thorough
from tests.properties.witness import Witness

from tests.support.bench_inputs import make_settings  # isort: skip
from bmsd.core.state import Outputs, State
from bmsd.core.types import Inputs, Levels, Measurement, Request
from tests.support.changed import replace

SETTINGS = make_settings(
    heater_mohm=6000,
    heater_from_pack=True,
    topology="afe",
    wired=frozenset({"precharge", "heater", "buzzer"}),
    chosen=HASTE,
)
LEAST_MA, HOLD_MS = 1000, 5000


class FetWorld(World):
    """The world of the other properties; a contact that lies is a status register that does."""

    def __init__(self, look) -> None:
        super().__init__("fresh", look, SETTINGS)

    def measurement(self) -> Measurement:
        """Let the FETs read as told, unless a happening says otherwise."""
        told = self.state.commands
        read = {
            "charge_fet": told.charge or told.charge_diode,
            "discharge_fet": told.discharge or told.discharge_diode,
        }
        lies = {f"{name}_fet": on for name, on in self._contacts.items() if on in (True, False)}
        return replace(super().measurement(), **{**read, **lies})

    def _inputs(self, requests: tuple[Request, ...]) -> Inputs:
        inputs = super()._inputs(requests)
        seen = inputs.afe.measurement
        fets = Levels() if seen is None else Levels(charge=seen.charge_fet, discharge=seen.discharge_fet)
        lines = replace(inputs.lines, charge=None, discharge=None)
        return replace(inputs, lines=lines, feedback=fets)


@dataclass
class FetWitness(Witness):
    """Objects to a FET that is on for its diode without a current through it."""

    forbidden_ms: int = -(10**9)
    """When a current last passed a FET in its forbidden direction, while it was on for its diode."""
    forbidden_out_ms: int = -(10**9)

    def __call__(self, world: object, before: State, inputs: Inputs, after: State, out: Outputs) -> None:
        """Look at the diodes, then at everything else."""
        m, was, now = inputs.afe.measurement, before.commands, out.commands
        ma = None if m is None else m.current_ma
        if was.charge_diode and ma is not None and ma > 0:
            self.forbidden_ms = inputs.now_ms
        if was.discharge_diode and ma is not None and ma < 0:
            self.forbidden_out_ms = inputs.now_ms
        if now.charge_diode:
            self.seen.add("charge diode")
            self._spared((now.discharge, now.charge), None if ma is None else -ma, out.limits.charge_ma)
            assert inputs.now_ms - self.forbidden_ms >= HOLD_MS, "S1: a charger gets in again"
        if now.discharge_diode:
            self.seen.add("discharge diode")
            self._spared((now.charge, now.discharge), ma, out.limits.discharge_ma)
            assert inputs.now_ms - self.forbidden_out_ms >= HOLD_MS, "S1: a load gets in again"
        super().__call__(world, before, inputs, after, out)

    def _spared(self, other_and_own: tuple[bool, bool], through_ma: int | None, limit_ma: int) -> None:
        assert other_and_own == (True, False), "S1: a diode without the other direction"
        assert through_ma is not None, "S2: a diode spared on an unknown current"
        assert through_ma >= LEAST_MA, "S2: a diode spared without a current"
        assert limit_ma == 0, "S1: a limit for a direction that is spared only"

    def _record(self, inputs: Inputs, frozen: tuple[int, ...]) -> None:
        super()._record(inputs, frozen)
        self.last["charger0"] = (0, inputs.now_ms)  # the heater is on the pack, and sees no charger

    def _s3(self, before: State, inputs: Inputs, out: Outputs) -> None:
        """Let the charge FET read on beside the heater for its diode alone, and never with a charge current."""
        m, now, was = inputs.afe.measurement, out.commands, before.commands
        assert not (now.charge and now.heater), "S3: charge and heater together"
        if now.heater:
            assert not was.charge, "S3: heater before charge was off"
            flows_out = m is not None and m.current_ma is not None and m.current_ma < 0
            spared = was.charge_diode and (flows_out or m is None or m.current_ma is None)
            assert inputs.feedback.charge is not True or spared, "S3: heater with the charge FET on"
            self.seen.add("heater beside a spared diode" if spared else "heater")
        if now.charge and not was.charge:
            assert not was.heater, "S3: charge before the heater was off"
            assert inputs.lines.heater is not True, "S3: charge with the heater line on"


def live(life) -> tuple[set[str], World]:
    witness = FetWitness(SETTINGS)
    world = FetWorld(witness)
    for chapter in life:
        world.live(chapter)
    return witness.seen, world


@thorough
@given(lives)
def test_no_life_behind_the_chips_own_fets_breaks_a_rule(life) -> None:
    """S1, S2, S3, S4, S7, S10, S12, S13: as with two contactors, and a diode is spared by a measured current only."""
    live(life)


@pytest.mark.slow
def test_the_random_lives_reach_the_fets() -> None:
    """A property over states that are never reached proves nothing."""
    dice, seen = random.Random(31), set[str]()
    wanted = {"CHARGE on", "DISCHARGE on", "heater on", "precharge on", "charge diode", "discharge diode"}
    wanted |= {
        "output_fault",
        "cleared output_fault",
        "charge_contactor_welded",
        "discharge_contactor_welded",
    }
    wanted |= {"charge_past_contactor", "discharge_past_contactor"}
    for _ in range(120):
        life = [
            Chapter(dice.choice(HAPPENINGS), dice.choice(STEPS_MS), dice.choice((1, 2, 5, 12, 36)))
            for _ in range(20)
        ]
        seen |= live(life)[0]
        if wanted <= seen:
            return
    pytest.fail(f"never met: {wanted - seen}")
