"""Safe-off on real lines: it waits for a core that was just killed to let go of them (S5)."""

from __future__ import annotations

import pytest

from bmsd.errors import BusError, OutputError
from bmsd.hardware.board import FetsConfig, OutputsConfig
from bmsd.shutdown import safe_off
from bmsd.sim.chips.bq769x2 import Bq769x2Chip
from tests.support.configured import pack_text, written

OUTPUTS = OutputsConfig("gpiod", "", False, {"charge": 17, "heater": 23, "led": 25}, {})


class HeldLines:
    """Lines that are busy at first, and then read off."""

    wired = frozenset(OUTPUTS.lines)

    def __init__(self, level: bool) -> None:
        self.level, self.closed = level, False
        self.stuck: set[str] = set()

    def read(self, name: str) -> bool:
        if name in self.stuck:
            return True
        return self.level

    def close(self) -> None:
        self.closed = True


def opens_after(monkeypatch, refusals: int, lines: HeldLines) -> list[int]:
    tries = [0]

    def open_lines(_outputs: OutputsConfig) -> HeldLines:
        tries[0] += 1
        if tries[0] <= refusals:
            raise OutputError("busy")
        return lines

    monkeypatch.setattr(safe_off, "open_lines", open_lines)
    monkeypatch.setattr(safe_off.time, "sleep", lambda _s: None)
    return tries


@pytest.fixture
def runtime(tmp_path):
    safe_off.remember(tmp_path, OUTPUTS, simulated=False)
    return tmp_path


def test_lines_that_are_still_held_are_asked_for_again(runtime, monkeypatch) -> None:
    """S5: a killed core stuck in a bus transfer lets go a little later."""
    lines = HeldLines(level=False)
    tries = opens_after(monkeypatch, 3, lines)
    assert safe_off.switch_off(runtime, None) == "all outputs are off: charge, heater, led"
    assert tries == [4]
    assert lines.closed


def test_lines_that_are_never_let_go_are_told(runtime, monkeypatch) -> None:
    """S5: a safe-off that could not act says so."""
    opens_after(monkeypatch, 10**9, HeldLines(level=False))
    monkeypatch.setattr(safe_off, "PATIENCE_S", 0.01)
    with pytest.raises(OutputError):
        safe_off.switch_off(runtime, None)


@pytest.mark.parametrize("stuck", OUTPUTS.lines)
def test_a_line_that_reads_on_after_all_is_told(runtime, monkeypatch, stuck) -> None:
    """S5: off is read back, not hoped for, on every line."""
    lines = HeldLines(level=False)
    lines.stuck = {stuck}
    opens_after(monkeypatch, 0, lines)
    with pytest.raises(OSError, match=f"still on after safe-off: {stuck}$"):
        safe_off.switch_off(runtime, None)


class Bus:
    """A bus with a register-level chip on it, held by a dying core for a while."""

    def __init__(self, held: int = 0) -> None:
        self.chip, self.held, self.claims = Bq769x2Chip(), held, 0
        self.chip.leave_on(True, True)

    def __call__(self, number: int, timeout_ms: int) -> Bus:
        assert (number, timeout_ms) == (1, 20)
        return self

    def claim(self) -> None:
        self.claims += 1
        if self.claims <= self.held:
            raise BusError("held by another bmsd")

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        assert self.claims > self.held, "S5: the bus belongs to a core until it is dead"
        return self.chip.transfer(address, out, read)

    def release(self) -> None:
        pass

    @property
    def fets(self) -> tuple[bool, bool]:
        return self.chip.switches.chg, self.chip.switches.dsg


@pytest.fixture
def fets_runtime(tmp_path, monkeypatch):
    safe_off.remember(tmp_path, OUTPUTS, FetsConfig("bq76952", 1, 8, 20), simulated=False)
    monkeypatch.setattr(safe_off.time, "sleep", lambda _s: None)
    return tmp_path


@pytest.mark.parametrize("held", [0, 3])
def test_the_chips_own_fets_go_off_over_the_bus_once_the_core_is_dead(
    fets_runtime, monkeypatch, held
) -> None:
    """S5: and the lines do not wait for it."""
    bus, lines = Bus(held), HeldLines(level=False)
    monkeypatch.setattr("bmsd.hardware.i2c.I2cPort", bus)
    opens_after(monkeypatch, 0, lines)
    said = safe_off.switch_off(fets_runtime, None)
    assert said == "all outputs are off: charge FET, discharge FET, charge, heater, led"
    assert bus.fets == (False, False)
    assert bus.claims == held + 1


@pytest.mark.parametrize("fault", ["fets_deaf", "stuck", "nack"])
def test_fets_that_cannot_be_switched_off_are_told_and_the_lines_are_off_all_the_same(
    fets_runtime, monkeypatch, fault
) -> None:
    """S5: what is left then is the chip's watchdog."""
    bus, lines = Bus(), HeldLines(level=False)
    bus.chip.fault(fault, True)
    monkeypatch.setattr("bmsd.hardware.i2c.I2cPort", bus)
    monkeypatch.setattr(safe_off, "PATIENCE_S", 0.05)
    opens_after(monkeypatch, 0, lines)
    with pytest.raises((OSError, BusError)) as told:
        safe_off.switch_off(fets_runtime, None)
    assert lines.closed
    if fault == "fets_deaf":
        assert "still on after safe-off: charge FET, discharge FET" in str(told.value)


def test_without_a_core_s_list_the_configuration_says_where_the_chip_is(tmp_path, monkeypatch) -> None:
    """S5: a core that died before it could leave its list."""
    path = written(tmp_path, pack_text('[switches]\ntopology = "afe"\n'))
    bus = Bus()
    monkeypatch.setattr("bmsd.hardware.i2c.I2cPort", bus)
    assert safe_off.switch_off(tmp_path, path) == "all outputs are off: charge FET, discharge FET"
    assert bus.fets == (False, False)


LEFT_BY_0_1_0 = """{"simulated": false, "outputs": {"backend": "gpiod", "gpio_chip": "", "active_low": false,
 "lines": {"charge": 17, "heater": 23}, "feedback": {}}}"""
GUARD_OF_0_1_0 = [
    "--because",
    "the core is gone",
    "--runtime-dir",
    "/run/bmsd",
    "--config",
    "/etc/bmsd/bmsd.toml",
]


def test_the_list_of_an_older_core_is_understood(tmp_path, monkeypatch) -> None:
    """S5: after an upgrade a core of 0.1.0 runs on, and is switched off by this safe-off; never change these texts."""
    (tmp_path / safe_off.OUTPUTS_FILE).parent.mkdir()
    (tmp_path / safe_off.OUTPUTS_FILE).write_text(LEFT_BY_0_1_0)
    opens_after(monkeypatch, 0, HeldLines(level=False))
    assert safe_off.switch_off(tmp_path, None) == "all outputs are off: charge, heater"


def test_the_guard_of_an_older_core_is_understood() -> None:
    """S5: it calls safe-off with the words of its own version."""
    options = safe_off.parser().parse_args(GUARD_OF_0_1_0)
    assert (options.because, str(options.runtime_dir)) == ("the core is gone", "/run/bmsd")
