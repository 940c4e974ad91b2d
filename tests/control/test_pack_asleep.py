"""A sleeping pack against the simulated chip: the slow cycle, the chip's own SLEEP, and the way back."""

from __future__ import annotations

import pytest

from bmsd.config.load import load
from bmsd.core.types import AfeState, Request
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from bmsd.sim.runner import Virtual
from tests.support.changed import replace
from tests.support.configured import loaded, pack_text

OUTPUTS = """
[outputs]
charge = 17
discharge = 27
precharge = 22
charge_feedback = 5
discharge_feedback = 6
"""
SLEEP_ENABLE, SET_CFGUPDATE = b"\x3e\x99", b"\x3e\x90"
HOUR_MS = 3_600_000


class Life:
    """One controller in virtual time; every cycle is checked for a closed contactor on a slow chip."""

    def __init__(self, folder, contactors: int, period_s: float = 1.0) -> None:
        sleep = {"sleep_after_h": 1, "sleep_contactors": contactors, "sleep_period_s": period_s}
        config = loaded(folder, pack_text(OUTPUTS, **sleep))
        self.bench = Bench(config, PlantSettings(), happenings=())
        self.virtual = Virtual(config, self.bench)
        self.due_ms = 0
        self.commands: list[bytes] = []
        transfer = self.bench.chip.transfer

        def seen(address: int, out: bytes, read: int) -> bytes:
            if out[:1] == b"\x3e" and not read:
                self.commands.append(out[:2])
                if out[:2] in (SLEEP_ENABLE, SET_CFGUPDATE):
                    assert self.closed == (False, False)
            return transfer(address, out, read)

        self.bench.chip.transfer = seen

    @property
    def closed(self) -> tuple[bool, bool]:
        return self.bench.plant.circuit.charge.closed, self.bench.plant.circuit.discharge.closed

    @property
    def asleep(self) -> bool:
        return self.virtual.control.state.sleep.asleep

    @property
    def chip_asleep(self) -> bool:
        return self.bench.chip.engine.asleep

    def cycle(self, *requests: Request):
        out = self.virtual.cycle(self.due_ms, requests)
        self.bench.tell_inverter(out.limits)
        commands = self.virtual.control.state.commands
        assert not (self.chip_asleep and (commands.charge or commands.discharge or commands.precharge))
        self.due_ms = max(self.due_ms + self.virtual.control.period_ms, self.virtual.now_ms)
        return out

    def run(self, seconds: float) -> None:
        end_ms = self.due_ms + round(seconds * 1000)
        while self.due_ms < end_ms:
            self.cycle()

    def until_asleep(self) -> Life:
        """Run until it sleeps; the hour before is left out."""
        self.run(20)
        control = self.virtual.control
        earlier = replace(control.state.sleep, idle_since_ms=self.due_ms - HOUR_MS)
        control.state = replace(control.state, sleep=earlier)
        self.cycle()
        assert self.asleep
        return self


@pytest.fixture
def kept(tmp_path) -> Life:
    return Life(tmp_path, 0).until_asleep()


@pytest.fixture
def opened(tmp_path) -> Life:
    return Life(tmp_path, 1).until_asleep()


def test_a_pack_that_keeps_its_contactors_sleeps_on_a_chip_that_does_not(kept) -> None:
    """S6: SLEEP is off while contactors are closed."""
    before_ms = kept.due_ms
    for _ in range(60):
        out = kept.cycle()
        assert kept.virtual.control.inputs.afe.measurement is not None
    assert kept.due_ms - before_ms == 60_000, "one cycle a second"
    assert kept.closed == (True, True)
    assert out.word == "sleeping"
    assert SLEEP_ENABLE not in kept.commands
    assert not kept.chip_asleep


@pytest.mark.slow
def test_an_hour_is_an_hour(tmp_path) -> None:
    """S11: cycle by cycle, with the chip, from the first idle one on."""
    life = Life(tmp_path, 0)
    life.run(20)
    due_ms = life.virtual.control.state.sleep.idle_since_ms + HOUR_MS
    while not life.asleep:
        life.cycle()
        assert life.virtual.control.inputs.now_ms <= due_ms
    assert life.virtual.control.inputs.now_ms == due_ms


def test_a_load_wakes_a_pack_that_keeps_its_contactors(kept) -> None:
    kept.bench.request({"set": {"load_w": 500}})
    kept.run(2)
    assert not kept.asleep
    assert kept.closed == (True, True)


@pytest.mark.parametrize("period_s", [1.0, 0.7, 0.5, 0.25])
def test_opened_the_chip_sleeps_too_and_is_no_fault(tmp_path, period_s) -> None:
    """S6, S7: it scans once a second; some looks fall between two scans, and nothing gets older than stated."""
    opened = Life(tmp_path, 1, period_s).until_asleep()
    opened.run(30)
    assert opened.closed == (False, False)
    assert opened.chip_asleep
    resets = opened.virtual.control.inputs.afe.resets
    measured = 0
    for _ in range(600):
        out = opened.cycle()
        measured += opened.virtual.control.inputs.afe.measurement is not None
        assert out.word == "sleeping"
        assert not [alarm for alarm in opened.virtual.control.state.alarms if alarm.active]
    assert measured > 600 * period_s * 0.8
    assert opened.virtual.control.inputs.afe.resets == resets
    assert opened.virtual.control.inputs.afe.state is AfeState.READY


def test_a_charger_wakes_it_the_chip_first_and_closes_the_way_in(opened) -> None:
    """S6: the chip is awake before anything closes (checked at every cycle)."""
    opened.run(60)
    opened.bench.request({"set": {"charger_a": 50, "charger_v": 56.4}})
    opened.run(3)
    assert not opened.asleep
    opened.run(20)
    assert opened.closed == (True, True)
    assert not opened.chip_asleep
    opened.run(10)
    assert (opened.virtual.control.out.values.current_ma or 0) > 10_000


def test_the_operator_wakes_it(opened) -> None:
    opened.run(60)
    opened.cycle(Request("wake", "pack", None, "uid 0"))
    opened.run(20)
    assert opened.closed == (True, True)
    assert not opened.chip_asleep


def test_the_button_wakes_it(opened) -> None:
    opened.run(60)
    opened.bench.request({"set": {"button": 1}})
    opened.cycle()
    assert not opened.asleep
    assert "button" in [event.name for event in opened.virtual.control.out.events]
    opened.run(20)
    assert opened.closed == (True, True)


def test_a_chip_that_falls_asleep_by_itself_is_settings_lost(tmp_path) -> None:
    """S6, S7: SLEEP that nobody asked for."""
    life = Life(tmp_path, 0)
    life.run(20)
    life.bench.chip.allow_sleep(True)
    life.run(15)
    assert life.virtual.control.inputs.afe.resets == 1


@pytest.mark.parametrize("fault", ["reset", "config_flip", "frozen", "nack"])
def test_trouble_with_a_sleeping_chip_wakes_the_pack_and_heals(opened, fault) -> None:
    """S2, S6: everything is open meanwhile."""
    opened.run(60)
    opened.bench.chip.fault(fault, True)
    opened.run(20)
    assert not opened.asleep
    opened.bench.chip.fault(fault, False)
    opened.run(60)
    assert opened.closed == (True, True)


def test_a_cell_too_low_asleep_opens_the_way_out_within_its_delay_and_a_slow_period(kept) -> None:
    """S1: protection is slower by one period, not gone."""
    kept.run(10)
    low = kept.bench.plant.settings.cells
    kept.bench.request({"cell": low, "values": {"offset_mv": -900}})
    began_ms = kept.due_ms
    while kept.closed[1]:
        kept.cycle()
        assert kept.due_ms - began_ms < 10_000
    # Two looks at most until the first bad one, then cell_uvp_delay_s.
    assert kept.due_ms - began_ms <= 2 * 1000 + 2000 + 250 + 250
    assert kept.closed[0]


def test_a_restart_asleep_begins_awake(opened, tmp_path) -> None:
    """S13: sleep is not kept; the chip is found asleep and brought up."""
    opened.run(60)
    assert opened.chip_asleep
    opened.virtual = Virtual(load(tmp_path / "bmsd.toml"), opened.bench)
    opened.virtual.now_ms = opened.due_ms
    opened.run(30)
    assert opened.closed == (True, True)
    assert not opened.chip_asleep
