"""Safe-off on real lines: it waits for a core that was just killed to let go of them (S5)."""

from __future__ import annotations

import pytest

from bmsd import safe_off
from bmsd.errors import OutputError
from bmsd.hardware.board import OutputsConfig

OUTPUTS = OutputsConfig("gpiod", "", False, {"charge": 17, "heater": 23, "led": 25}, {})


class Held:
    """Lines that are busy at first, and then read off."""

    wired = frozenset(OUTPUTS.lines)

    def __init__(self, level: bool) -> None:
        self.level, self.closed = level, False

    def read(self, _name: str) -> bool:
        return self.level

    def close(self) -> None:
        self.closed = True


def opens_after(monkeypatch, refusals: int, lines: Held) -> list[int]:
    tries = [0]

    def open_lines(_outputs: OutputsConfig) -> Held:
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
    lines = Held(level=False)
    tries = opens_after(monkeypatch, 3, lines)
    assert safe_off.switch_off(runtime, None) == "all outputs are off: charge, heater, led"
    assert tries == [4]
    assert lines.closed


def test_lines_that_are_never_let_go_are_told(runtime, monkeypatch) -> None:
    """S5: a safe-off that could not act says so."""
    opens_after(monkeypatch, 10**9, Held(level=False))
    monkeypatch.setattr(safe_off, "PATIENCE_S", 0.01)
    with pytest.raises(OutputError):
        safe_off.switch_off(runtime, None)


def test_a_line_that_reads_on_after_all_is_told(runtime, monkeypatch) -> None:
    """S5: off is read back, not hoped for."""
    opens_after(monkeypatch, 0, Held(level=True))
    with pytest.raises(OSError, match="still on"):
        safe_off.switch_off(runtime, None)


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
    opens_after(monkeypatch, 0, Held(level=False))
    assert safe_off.switch_off(tmp_path, None) == "all outputs are off: charge, heater"


def test_the_guard_of_an_older_core_is_understood() -> None:
    """S5: it calls safe-off with the words of its own version."""
    options = safe_off.parser().parse_args(GUARD_OF_0_1_0)
    assert (options.because, str(options.runtime_dir)) == ("the core is gone", "/run/bmsd")
