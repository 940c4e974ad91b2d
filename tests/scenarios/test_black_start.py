"""Under-voltage is no dead end: deep discharge, then a charger, with a dead inverter and a restart in between.

docs/black-start.md is the same in words; each way in it that bmsd plays a part in is tried here, on the whole
controller with the simulated chip and pack.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.config.load import load
from bmsd.core import report
from bmsd.core.state import begin
from bmsd.core.types import Request
from bmsd.inverters.frames import encode
from bmsd.inverters.pylontech import REQUESTS
from bmsd.inverters.view import Configured, view
from bmsd.sim.bench import Bench
from bmsd.sim.commands import BENCH_CONFIG
from bmsd.sim.plant import PlantSettings
from bmsd.sim.runner import Virtual
from bmsd.tables.alarms import BY_NAME


class House:
    """A pack with its inverter, which ignores limits while it empties the pack."""

    def __init__(self, soc_percent: float, **chosen: int) -> None:
        config = load(BENCH_CONFIG)
        self.config = replace(config, parameters=replace(config.parameters, **chosen))
        self.bench = Bench(self.config, PlantSettings(initial_soc=soc_percent / 100), happenings=())
        self.virtual = Virtual(self.config, self.bench)
        self.due_ms = 0

    def set(self, **values: float) -> None:
        self.bench.request({"set": values})

    def cycle(self, *requests: Request):
        out = self.virtual.cycle(self.due_ms, requests)
        self.bench.tell_inverter(out.limits)
        self.due_ms = max(self.due_ms + self.virtual.control.period_ms, self.virtual.now_ms)
        return out

    def run(self, seconds: float):
        end_ms = self.due_ms + round(seconds * 1000)
        while self.due_ms < end_ms:
            out = self.cycle()
        return out

    def until(self, wanted, within_s: float = 3600) -> None:
        end_ms = self.due_ms + round(within_s * 1000)
        while not wanted():
            assert self.due_ms < end_ms, f"it never came: {self.active}"
            self.cycle()

    def restart(self) -> None:
        """End the core and start it again on the same pack, with what the state file keeps."""
        state = self.virtual.control.state
        kept = begin(self.due_ms, latched=report.latched(state), soc_state=state.soc, consent=state.consent)
        self.virtual.control.stop()
        # A line is let go when its process ends; the bench keeps it.
        self.virtual = Virtual(self.config, self.bench, kept)
        self.virtual.now_ms = self.due_ms

    @property
    def closed(self) -> tuple[bool, bool]:
        return self.bench.plant.circuit.charge.closed, self.bench.plant.circuit.discharge.closed

    @property
    def active(self) -> set[str]:
        return {
            alarm["name"]
            for alarm in report.alarms(self.virtual.control.settings, self.virtual.control.state)
        }

    def requests(self) -> int:
        """Give byte 0 of 0x35C: what the inverter is told."""
        document = {"points": self.virtual.points(), "alarms": [{"name": name} for name in self.active]}
        return (encode(REQUESTS, view(document, Configured(55_200, 48_000)).values) or b"\0")[0]


@pytest.fixture
def empty() -> House:
    """Give a house whose load emptied the pack down to under-voltage; the inverter is dead now, at 0 A."""
    house = House(7)
    house.bench.request({"fault": "inverter_ignores_limits", "on": True})
    house.set(load_w=6000)
    house.until(lambda: "cell_uvp" in house.active)
    house.until(lambda: not house.closed[1], 30)
    house.set(load_w=0)
    house.bench.request({"fault": "inverter_ignores_limits", "on": False})
    house.run(5)
    return house


def test_an_empty_pack_can_be_charged_asks_for_it_and_gives_nothing(empty) -> None:
    """S1: charge contactor closed, CCL above zero, DCL zero, both force-charge bits, discharge not enabled."""
    out = empty.run(60)
    assert empty.closed == (True, False)
    assert out.limits.charge_ma > 0
    assert out.limits.discharge_ma == 0
    assert empty.requests() == 0xB0


@pytest.mark.slow
def test_a_charger_brings_the_house_back(empty) -> None:
    """Deep discharge, charger, charge, discharge: without an operator, behind a pre-charge."""
    empty.run(600)
    empty.set(charger_a=40)
    empty.until(lambda: empty.closed == (True, True), 2 * 3600)
    assert empty.bench.plant.circuit.hard_closings == 0
    empty.until(lambda: not empty.requests() & 0x30, 6 * 3600)
    empty.until(lambda: empty.virtual.control.out.limits.discharge_ma > 0, 60)


def test_a_restart_in_the_middle_changes_nothing(empty) -> None:
    """S13: under-voltage at the start of the core, then again while it charges."""
    empty.restart()
    empty.run(30)
    assert empty.closed == (True, False)
    assert empty.requests() & 0x30 == 0x30
    empty.set(charger_a=40)
    empty.run(60)
    empty.restart()
    empty.run(30)
    assert empty.virtual.control.out.values.current_ma > 20_000
    empty.until(lambda: empty.closed == (True, True), 2 * 3600)


@pytest.mark.slow
def test_shutdown_voltage_for_long_shuts_the_pack_down_and_charge_ends_it() -> None:
    """From a start in the dark: nobody there for hours, the charger comes, the house comes back."""
    house = House(2, shutdown_after_ms=60_000, sleep_contactors=1)
    house.run(30)
    assert "cell_shutdown" in house.active
    assert house.closed == (True, False)
    house.until(lambda: "auto_shutdown" in house.active, 120)
    house.until(lambda: house.virtual.control.state.sleep.asleep, 600)
    house.run(5)
    assert house.closed == (False, False), "the charger's side was seen: even the coil is saved"
    house.run(3600)
    house.set(charger_a=30, charger_v=56)
    house.until(lambda: house.closed[0], 60)
    house.until(lambda: "auto_shutdown" not in house.active, 60)
    house.until(lambda: house.closed == (True, True), 2 * 3600)


def test_a_dead_inverter_that_needs_the_pack_to_start_gets_it_by_hand(empty) -> None:
    """The last way: voltage back above recovery at rest, an operator lowers recovery, and the load side comes up."""
    assert "cell_uvp" in empty.active
    lowest = empty.virtual.control.out.values.cell_min.value or 0
    p = empty.virtual.control.parameters
    assert p.cell_uvp_mv < lowest < p.cell_uvpr_mv
    empty.virtual.control.use(replace(p, cell_uvpr_mv=lowest - 20, cell_low_margin_mv=0))
    empty.until(lambda: empty.closed == (True, True), 60)
    assert empty.bench.plant.circuit.hard_closings == 0


def test_charging_is_never_blocked_by_being_empty() -> None:
    """S1: of all alarms about low voltage only the floor stops charging, and it says why."""
    low = [
        row for row in BY_NAME.values() if row.value in {"cell_min", "pack_mv"} and row.sense.value == "below"
    ]
    assert [row.name for row in low if "charge" in row.blocks.names] == ["cell_floor"]
