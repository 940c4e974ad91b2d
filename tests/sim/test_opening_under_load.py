"""Openings on the whole bench: what current the contacts break, with an inverter that obeys and one that does not."""

from __future__ import annotations

import pytest

from bmsd.control.controller import Controller
from bmsd.core.state import begin
from bmsd.core.types import Request
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from tests.support.configured import loaded, pack_text

OUTPUTS = """
[outputs]
charge = 17
discharge = 27
precharge = 22
charge_feedback = 12
discharge_feedback = 13
"""


class Rig:
    """A running pack on the bench, charged with 50 A."""

    def __init__(self, tmp_path, **parameters: float) -> None:
        config = loaded(tmp_path, pack_text(OUTPUTS, **parameters))
        self.now_ms = 0
        self.bench = Bench(config, PlantSettings(initial_soc=0.5), happenings=())
        board = self.bench.board(lambda ms: self.bench.pause(self.now_ms))
        self.control = Controller(config, config.parameters, board, begin(0))
        self.run(15_000)
        self.bench.plant.set("charger_a", 50)
        self.run(20_000)
        assert self.bench.plant.current_a == pytest.approx(50, abs=1)

    def cycle(self, *requests: Request) -> None:
        self.now_ms += 250
        self.bench.advance(self.now_ms)
        self.bench.tell_inverter(self.control.cycle(self.now_ms, requests).limits)

    def run(self, duration_ms: int) -> None:
        for _ in range(duration_ms // 250):
            self.cycle()

    def open_charge(self) -> int:
        """Forbid charging as an operator would; give after how many milliseconds the contactor was open."""
        begun_ms = self.now_ms
        self.cycle(Request("switch", "charge", False, "uid 0"))
        while self.bench.plant.circuit.charge.closed:
            assert self.now_ms - begun_ms < 10_000
            self.cycle()
        return self.now_ms - begun_ms


def test_an_obedient_quick_inverter_leaves_nothing_to_break(tmp_path) -> None:
    """S12: the contacts open at little current, before the time is over."""
    rig = Rig(tmp_path)
    rig.bench.plant.set("inverter_lag_s", 0.2)
    assert rig.open_charge() <= 1500
    assert rig.bench.plant.circuit.charge.worst_break_a < 2.0


def test_a_slow_inverter_is_waited_for_as_long_as_is_set(tmp_path) -> None:
    """S12: what is left after the wait is broken; more time leaves less."""
    broken = []
    for wait_s in (0, 1, 5):
        rig = Rig(tmp_path, opening_wait_s=wait_s)
        took_ms = rig.open_charge()
        assert wait_s * 1000 <= took_ms <= wait_s * 1000 + 500
        broken.append(rig.bench.plant.circuit.charge.worst_break_a)
    assert broken[0] > 45
    assert broken[0] > broken[1] > broken[2]


def test_an_inverter_that_ignores_its_limits_is_broken_off_in_time(tmp_path) -> None:
    """S12: bounded, whatever flows."""
    rig = Rig(tmp_path)
    rig.bench.fault("inverter_ignores_limits", True)
    assert rig.open_charge() <= 1500
    assert rig.bench.plant.circuit.charge.worst_break_a > 45


def test_the_end_of_the_daemon_waits_for_nothing(tmp_path) -> None:
    """S5: a stop switches off at once, at any current."""
    rig = Rig(tmp_path, opening_wait_s=5)
    assert rig.control.stop()
    assert not rig.bench.lines.read("charge")
    assert not rig.bench.lines.read("discharge")
