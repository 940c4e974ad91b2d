"""The whole cycle against the simulated chip and pack, in virtual time."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from bmsd.afe.session import SIGNATURE_EVERY
from bmsd.afe.transfers import interleave, read_prefix
from bmsd.control import controller as module
from bmsd.control.controller import Controller
from bmsd.core.alarms import is_active
from bmsd.core.state import begin
from bmsd.core.types import Request
from bmsd.errors import OutputError
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from tests.support.configured import loaded, pack_text

CONFIG = pack_text("""
[outputs]
charge = 17
discharge = 27
precharge = 22
heater = 23
buzzer = 24
heartbeat = 25
led = 26
charge_feedback = 5
discharge_feedback = 6
[heater]
resistance_ohm = 24.0
""")


class Rig:
    """A controller on a bench; every cycle is checked for a contactor on an unverified chip."""

    def __init__(self, config) -> None:
        self.config = config
        self.bench = Bench(config, PlantSettings(), happenings=())
        self.control = Controller(
            config, config.parameters, self.bench.board(lambda ms: self.pass_ms(ms, wait=True)), begin(0)
        )
        self.now_ms = 0
        self.programmed: list[tuple[int, bool]] = []
        self._watch_programming()

    def _watch_programming(self) -> None:
        """Write down each CONFIG_UPDATE, in which the chip's protection is off, and what was closed then."""
        transfer = self.bench.chip.transfer

        def seen(address: int, out: bytes, read: int) -> bytes:
            if out[:2] == b"\x3e\x90":
                lines = self.bench.lines
                self.programmed.append((self.now_ms, lines.read("charge") or lines.read("discharge")))
            return transfer(address, out, read)

        self.bench.chip.transfer = seen

    def pass_ms(self, ms: int, *, wait: bool = False) -> None:
        if not wait:
            self.now_ms += ms

    def cycle(self, *requests: Request):
        self.now_ms += self.control.parameters.period_ms
        self.bench.advance(self.now_ms)
        out = self.control.cycle(self.now_ms, requests)
        self.bench.tell_inverter(out.limits)
        return out

    def run(self, seconds: float) -> None:
        until = self.now_ms + round(seconds * 1000)
        while self.now_ms < until:
            self.cycle()

    @property
    def closed(self) -> tuple[bool, bool]:
        return self.bench.lines.read("charge"), self.bench.lines.read("discharge")

    def active(self, name: str) -> bool:
        return is_active(self.control.state.alarms, name)


@pytest.fixture
def config(tmp_path):
    return loaded(tmp_path, CONFIG)


@pytest.fixture
def rig(config) -> Rig:
    return Rig(config)


@pytest.fixture
def running(rig) -> Rig:
    rig.run(20)
    assert rig.closed == (True, True)
    return rig


def test_nothing_closes_before_the_chip_is_verified_and_has_measured(rig) -> None:
    """S6, S13: programmed with everything open, then the stated number of good cycles."""
    good = 0
    while not any(rig.closed):
        rig.cycle()
        assert rig.now_ms < 30_000
        good += rig.control.inputs.afe.measurement is not None and not any(rig.closed)
    assert rig.programmed
    assert not any(closed for _, closed in rig.programmed)
    assert good >= rig.config.parameters.start_good_cycles - 1


def test_a_chip_that_refuses_its_settings_never_lets_anything_close(rig) -> None:
    """S6: read back, compared, refused; told by name."""
    whole = rig.bench.chip.transfer

    def forgets(address: int, out: bytes, read: int) -> bytes:
        answer = whole(address, out, read)
        if read > 8 and out == b"\x40":
            return interleave(bytes(read // 2), read_prefix(address, 0x40))
        return answer

    rig.bench.chip.transfer = forgets
    rig.run(30)
    assert rig.closed == (False, False)
    assert rig.active("afe_refused")


def test_a_reset_chip_opens_everything_and_is_programmed_before_anything_closes(running) -> None:
    """S6: settings lost means contactors open until they are right again."""
    running.programmed.clear()
    running.bench.fault("afe_reset", True)
    running.bench.fault("afe_reset", False)
    for _ in range(3):
        running.cycle()
    assert running.closed == (False, False)
    assert running.active("afe_reset")
    running.run(60)
    assert running.closed == (True, True)
    assert running.programmed
    assert not any(closed for _, closed in running.programmed)


@pytest.mark.parametrize("before_ms", [0, 1, 20, 50, 100, 200, 249])
@pytest.mark.parametrize("fault", ["afe_reset", "load_short"])
def test_a_chip_that_opens_a_contactor_between_two_polls_leaves_no_latch(
    running, fault: str, before_ms: int
) -> None:
    """S15: whenever it acts, the contact that it opened is no broken coil, and the pack is back by itself."""
    running.bench.advance(running.now_ms + running.control.parameters.period_ms - before_ms)
    running.bench.fault(fault, True)
    if fault == "load_short":
        running.bench.advance(running.now_ms + running.control.parameters.period_ms - before_ms // 2)
    running.bench.fault(fault, False)
    for _ in range(8):
        running.cycle()
        assert not running.active("charge_contactor_open")
        assert not running.active("discharge_contactor_open")
    running.run(400)
    assert running.closed == (True, True)


@pytest.mark.parametrize("stall_ms", [300, 500, 600, 1200, 3000])
@pytest.mark.parametrize("closes", [True, False])
def test_a_cycle_that_switches_late_leaves_a_contactor_its_time(config, closes: bool, stall_ms: int) -> None:
    """S15, S12: what a slow cycle decided moves at its end; the next one begins at once and must not miss it yet."""
    rig = Rig(config)
    clock_ms = [0]
    rig.control._board = replace(rig.control._board, clock_ms=lambda: clock_ms[0])
    apply, opens = (
        module.outputs.apply,
        [Request("switch", name, False, "uid 0") for name in ("charge", "discharge")],
    )

    def late(lines, commands):
        moves = commands.charge is not bool(lines.read("charge"))
        if moves and commands.charge is closes and rig.control.state.started:
            clock_ms[0] += stall_ms
            rig.bench.advance(clock_ms[0])
        return apply(lines, commands)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.outputs, "apply", late)
        for n in range(200):
            rig.now_ms = max(rig.now_ms + 250, clock_ms[0])
            clock_ms[0] = rig.now_ms
            rig.bench.advance(rig.now_ms)
            rig.control.cycle(rig.now_ms, tuple(opens) if n == 100 and not closes else ())
            for name in ("open", "welded"):
                assert not rig.active(f"charge_contactor_{name}")
                assert not rig.active(f"discharge_contactor_{name}")
    assert rig.closed == ((True, True) if closes else (False, False))


def test_the_contacts_are_read_before_the_chip(running, monkeypatch) -> None:
    """A trip after its poll is told by the next one; a contact that it opened must not be read before that."""
    order = []
    transfer, contacts = running.bench.chip.transfer, module.outputs.contacts

    def polled(*what):
        order.append("chip")
        return transfer(*what)

    def looked(lines):
        order.append("contacts")
        return contacts(lines)

    monkeypatch.setattr(running.bench.chip, "transfer", polled)
    monkeypatch.setattr(module.outputs, "contacts", looked)
    running.cycle()
    assert order[0] == "contacts"
    assert set(order[1:]) == {"chip"}


def test_changed_parameters_reach_the_chip_only_with_contactors_open(running) -> None:
    """S6: programming switches the chip's protection off for a moment."""
    running.programmed.clear()
    running.control.use(replace(running.config.parameters, cell_ovp_mv=3550))
    assert running.control.backstop_is_old
    running.run(10)
    assert not running.programmed
    assert running.control.backstop_is_old
    assert running.control.settings.parameters.cell_ovp_mv == 3550
    running.cycle(Request("switch", "charge", False, "test"), Request("switch", "discharge", False, "test"))
    running.run(5)
    assert not running.control.backstop_is_old
    assert running.programmed
    assert not any(closed for _, closed in running.programmed)


def test_the_decision_uses_changed_parameters_at_once(running) -> None:
    """S8: the daemon's own limits do not wait for the chip's."""
    running.control.use(replace(running.config.parameters, cell_ovp_mv=3305, cell_ovpr_mv=3290))
    running.run(2)
    assert running.closed[0] is False
    assert running.active("cell_ovp")


def test_a_stop_leaves_everything_off_and_the_chip_forbids_its_switches(running) -> None:
    """S5."""
    running.control.stop()
    assert running.closed == (False, False)
    assert not any(
        running.bench.lines.read(name) for name in running.bench.lines.wired if name != "heartbeat"
    )
    running.bench.advance(running.now_ms + 100)
    assert not running.bench.chip.chg_permit
    assert not running.bench.chip.dsg_permit


@pytest.mark.parametrize("fault", ["afe_nack", "afe_stuck", "afe_crc"])
def test_a_stop_switches_off_with_a_dead_chip_too(running, fault) -> None:
    """S5: outputs first; what the chip says to it comes after."""
    running.bench.fault(fault, True)
    running.control.stop()
    assert running.closed == (False, False)


def test_the_settings_are_looked_at_once_the_outputs_are_driven(running, monkeypatch) -> None:
    """S6: a check never delays a protection; what it finds acts one cycle later."""
    order: list[str] = []
    transfer, apply = running.bench.chip.transfer, module.outputs.apply

    def seen(address: int, out: bytes, read: int) -> bytes:
        order.append("settings" if out[:1] == b"\x3e" else "values")
        return transfer(address, out, read)

    def driven(*given):
        order.append("outputs")
        return apply(*given)

    running.bench.chip.transfer = seen
    monkeypatch.setattr(module.outputs, "apply", driven)
    looked = 0
    for _ in range(40):
        order.clear()
        running.cycle()
        assert order[0] == "values"
        assert "settings" not in order[: order.index("outputs")]
        looked += "settings" in order
    assert looked >= 40 // SIGNATURE_EVERY
    running.bench.chip.fault("config_flip", True)
    running.run((SIGNATURE_EVERY + 1) * running.control.parameters.period_ms / 1000)
    assert running.closed == (False, False)


def test_the_heartbeat_moves_with_good_measurements_and_stops_without(running) -> None:
    """S5: a watchdog relay behind it drops the contactors when we measure nothing."""
    seen = []
    for _ in range(6):
        running.cycle()
        seen.append(running.bench.lines.read("heartbeat"))
    assert seen in ([True, False] * 3, [False, True] * 3)
    running.bench.fault("afe_nack", True)
    running.cycle()
    held = running.bench.lines.read("heartbeat")
    for _ in range(6):
        running.cycle()
        assert running.bench.lines.read("heartbeat") is held


def test_a_stuck_bus_costs_a_bounded_number_of_transfers(running) -> None:
    """S9: a cycle on a dead bus still decides and switches, and does not retry without end."""
    running.bench.fault("afe_stuck", True)
    calls = 0
    transfer = running.bench.chip.transfer

    def counted(*arguments) -> bytes:
        nonlocal calls
        calls += 1
        return transfer(*arguments)

    running.bench.chip.transfer = counted
    for _ in range(40):
        calls = 0
        running.cycle()
        assert calls <= 8
    assert running.closed == (False, False)


def test_the_wall_clock_decides_nothing(config, monkeypatch) -> None:
    """S11: years back and forth in every cycle, and not one decision differs."""

    def decisions() -> list:
        rig = Rig(config)
        found = []
        for count in range(400):
            if count == 150:
                rig.bench.request({"do": "sim", "set": {"pack_c": -8, "ambient_c": -12, "charger_a": 30}})
            if count == 300:
                rig.bench.request({"do": "sim", "cell": 7, "values": {"offset_mv": 400}})
            out = rig.cycle()
            found.append((rig.now_ms, out, rig.control.levels))
        return found

    expected = decisions()
    years = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: (next(years) * 7919 % 100) * 31_557_600.0)
    monkeypatch.setattr(time, "time_ns", lambda: (next(years) * 7919 % 100) * 31_557_600_000_000_000)
    assert decisions() == expected


def test_waiting_in_real_time_waits_for_milliseconds(monkeypatch) -> None:
    waited = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    module.sleep_ms(2)
    assert waited == [0.002]


def test_a_line_that_does_not_follow_is_a_fault_and_opens_everything(running) -> None:
    """S1, S2: what cannot be read back is not believed to be as commanded."""
    read = running.bench.lines.read
    running.bench.lines.read = lambda name: False if name == "charge" else read(name)
    running.run(2)
    assert running.active("output_fault")
    assert running.closed == (False, False)


def test_balancing_is_renewed_while_it_is_wanted(config) -> None:
    """The chip ends it by itself after 20 s: silence of the daemon ends it, too."""
    rig = Rig(config)
    rig.bench.plant.set("soc_percent", 99)
    rig.bench.plant.cell(4, soc_percent=100)
    rig.bench.request({"do": "sim", "set": {"charger_a": 4}})
    rig.run(60)
    if not rig.control.state.commands.balance_mask:
        rig.bench.plant.cell(4, offset_mv=150)
        rig.run(10)
    assert rig.control.state.commands.balance_mask
    for _ in range(200):
        rig.cycle()
        assert bool(rig.bench.chip.balancing_mask) == bool(rig.control.state.commands.balance_mask)


def test_a_stop_tells_whether_everything_is_off(running) -> None:
    """S5: the guard is only sent home by a core that has read back every line as off."""
    drive = running.bench.lines.drive

    def stuck(name: str, on: bool) -> None:
        if name == "heater":
            raise OutputError("output heater cannot be set")
        drive(name, on)

    running.bench.lines.drive = stuck
    assert running.control.stop() is False
    running.bench.lines.drive = drive
    assert running.control.stop() is True


def test_the_status_led_shows_the_start_then_health_and_goes_dark_at_the_end(running) -> None:
    """S5: an LED that is lit says that bmsd runs."""
    lit = []
    for _ in range(20):
        running.cycle()
        lit.append(running.bench.lines.read("led"))
    assert all(lit)
    assert running.control.stop()
    assert not running.bench.lines.read("led")


def test_a_status_led_that_fails_is_no_fault(running, monkeypatch) -> None:
    """It is not read back: no LED is worth a dark house."""
    drive = running.bench.lines.drive

    def broken(name: str, on: bool) -> None:
        if name == "led":
            raise OutputError("gone")
        drive(name, on)

    monkeypatch.setattr(running.bench.lines, "drive", broken)
    for _ in range(20):
        out = running.cycle()
    assert out.commands.charge
    assert not is_active(running.control.state.alarms, "output_fault")
