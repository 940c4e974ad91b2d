"""Lines through gpiozero, on its own mock pins: what every pin did from the first moment on."""

from __future__ import annotations

import builtins
import sys
from types import ModuleType

import pytest

from bmsd.errors import OutputError
from bmsd.hardware.outputs_gpiozero import GpiozeroLines, default_factory

gpiozero = pytest.importorskip("gpiozero", reason="gpiozero is missing: its backend was not tried")
OUTPUTS = {"charge": 17, "discharge": 27, "heater": 23}
CONTACTS = {"charge": 5}


@pytest.fixture
def factory():
    from gpiozero.pins.mock import MockFactory

    made = MockFactory()
    yield made
    made.reset()


@pytest.fixture
def lines(factory):
    return GpiozeroLines(OUTPUTS, CONTACTS, factory)


def states(factory, number: int) -> list[bool]:
    return [bool(entry.state) for entry in factory.pin(number).states]


def test_no_line_is_on_for_a_moment_when_it_is_made(lines, factory) -> None:
    """S5, S13: a start closes nothing, not even as a pulse."""
    for number in OUTPUTS.values():
        assert not any(states(factory, number))
        assert factory.pin(number).function == "output"


def test_lines_follow_and_read_back_the_pin_itself(lines, factory) -> None:
    lines.drive("charge", True)
    assert lines.read("charge")
    assert not lines.read("heater")
    factory.pin(17).state = False
    assert not lines.read("charge")
    assert lines.wired == set(OUTPUTS)


def test_contacts_are_read_where_wired(lines, factory) -> None:
    assert lines.contact("charge") is False
    factory.pin(5).drive_high()
    assert lines.contact("charge") is True
    assert lines.contact("discharge") is None


def test_closing_writes_off_before_it_lets_go(lines, factory) -> None:
    """S5: gpiozero makes a closed pin an input; its last level must be off."""
    for name in OUTPUTS:
        lines.drive(name, True)
    lines.close()
    for number in OUTPUTS.values():
        assert states(factory, number)[-1] is False


def test_a_line_that_fails_to_go_off_at_the_end_keeps_no_other_one_on(lines, factory, monkeypatch) -> None:
    """S5: every line is closed on its own."""
    for name in OUTPUTS:
        lines.drive(name, True)
    drive = lines.drive

    def fails_once(name: str, on: bool) -> None:
        if name == "charge":
            raise OutputError("output charge cannot be set")
        drive(name, on)

    monkeypatch.setattr(lines, "drive", fails_once)
    lines.close()
    assert states(factory, 27)[-1] is False
    assert states(factory, 23)[-1] is False


def test_whatever_the_pin_library_raises_is_an_output_error(lines) -> None:
    """S9: nothing a library invents passes through the control loop."""
    lines.close()
    with pytest.raises(OutputError, match="charge"):
        lines.drive("charge", True)
    with pytest.raises(OutputError, match="charge"):
        lines.read("charge")
    assert lines.contact("charge") is None


def test_lines_that_cannot_be_had_are_refused_by_number(factory) -> None:
    with pytest.raises(OutputError, match="17"):
        GpiozeroLines({"charge": 17, "discharge": 17}, {}, factory)


def test_without_a_pin_library_the_next_step_is_told(monkeypatch) -> None:
    whole = builtins.__import__

    def without(name, *rest, **named):
        if name == "gpiozero.pins.lgpio":
            raise ImportError("No module named 'lgpio'")
        return whole(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OutputError, match="python3-lgpio"):
        default_factory()


def test_a_pin_library_that_does_not_know_the_board_says_what_to_do(monkeypatch) -> None:
    """S5: in words and with an exit code, not with a traceback."""

    def fail() -> None:
        raise gpiozero.PinUnknownPi("unable to locate Pi revision")

    module = ModuleType("gpiozero.pins.lgpio")
    module.LGPIOFactory = fail
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", module)
    with pytest.raises(OutputError, match=r'Pi revision.*backend = "gpiod"'):
        default_factory()
