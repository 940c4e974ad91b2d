"""The single writer: off before on, one bad line keeps no other one on, and what is read back is told."""

from __future__ import annotations

from itertools import product

import pytest

from bmsd.core.types import ALL_OFF, Commands, Levels
from bmsd.errors import OutputError
from bmsd.hardware import outputs
from bmsd.hardware.board import OutputsConfig, open_lines
from bmsd.hardware.outputs import SWITCHED
from tests.support.changed import replace

ALL_ON = Commands(charge=True, discharge=True, precharge=True, heater=True, buzzer=True, main=True)


class RecordedLines:
    """Lines in memory that write down every drive, and fail where told."""

    def __init__(self, wired=(*SWITCHED, "heartbeat"), on=()) -> None:
        self.wired = frozenset(wired)
        self.levels = {name: name in on for name in wired}
        self.driven: list[tuple[str, bool]] = []
        self.stuck: set[str] = set()
        self.unreadable: set[str] = set()
        self.contacts: dict[str, bool | None] = {}

    def drive(self, name: str, on: bool) -> None:
        self.driven.append((name, on))
        if name in self.stuck:
            raise OutputError(f"output {name} cannot be set")
        self.levels[name] = on

    def read(self, name: str) -> bool:
        if name in self.unreadable:
            raise OutputError(f"output {name} cannot be read")
        return self.levels[name]

    def contact(self, name: str) -> bool | None:
        return self.contacts.get(name)

    def close(self) -> None:
        raise AssertionError("apply lets nothing go")


@pytest.mark.parametrize("before", list(product((False, True), repeat=6)))
def test_everything_goes_off_before_anything_goes_on(before) -> None:
    """S3: charge opens before the heater closes, whatever changes in one cycle."""
    was = [name for name, on in zip(SWITCHED, before, strict=True) if on]
    for wanted in (ALL_ON, ALL_OFF, replace(ALL_OFF, heater=True), replace(ALL_OFF, charge=True)):
        lines = RecordedLines(on=was)
        found = outputs.apply(lines, wanted)
        offs = [n for n, (_, on) in enumerate(lines.driven) if not on]
        ons = [n for n, (_, on) in enumerate(lines.driven) if on]
        assert not offs or not ons or max(offs) < min(ons)
        assert {name: getattr(found, name) for name in SWITCHED} == {
            name: getattr(wanted, name) for name in SWITCHED
        }


def test_heat_and_charge_go_off_first() -> None:
    lines = RecordedLines(on=SWITCHED)
    outputs.all_off(lines)
    assert [name for name, _ in lines.driven] == [
        "heater",
        "charge",
        "discharge",
        "main",
        "precharge",
        "buzzer",
    ]


@pytest.mark.parametrize("bad", SWITCHED)
def test_a_line_that_does_not_go_off_keeps_no_other_one_on(bad) -> None:
    """S5: every line is switched off on its own."""
    lines = RecordedLines(on=SWITCHED)
    lines.stuck = {bad}
    found = outputs.all_off(lines)
    assert {name for name, on in lines.levels.items() if on} == {bad}
    assert getattr(found, bad) is None
    assert all(getattr(found, name) is False for name in SWITCHED if name != bad)


@pytest.mark.parametrize("bad", SWITCHED)
def test_nothing_goes_on_in_a_cycle_in_which_something_did_not_go_off(bad) -> None:
    """S3: with the heater stuck on, charge must not follow."""
    lines = RecordedLines(on=[bad])
    lines.stuck = {bad}
    wanted = replace(ALL_ON, **{bad: False})
    outputs.apply(lines, wanted)
    assert not any(on for _, on in lines.driven)


def test_a_line_that_does_not_go_on_is_unknown() -> None:
    """S2: a failed line has no level that could be mistaken for a good one."""
    lines = RecordedLines()
    lines.stuck = {"charge"}
    assert outputs.apply(lines, ALL_ON).charge is None


def test_what_cannot_be_read_back_is_unknown() -> None:
    """S2."""
    lines = RecordedLines()
    lines.unreadable = {"discharge"}
    assert outputs.apply(lines, ALL_ON) == Levels(
        charge=True, discharge=None, precharge=True, heater=True, buzzer=True, main=True
    )


def test_a_line_that_reads_otherwise_is_told_as_it_reads() -> None:
    lines = RecordedLines()
    lines.read = lambda name: name == "buzzer"
    assert outputs.apply(lines, replace(ALL_OFF, charge=True)) == Levels(
        charge=False, discharge=False, precharge=False, heater=False, buzzer=True, main=False
    )


def test_what_is_not_wired_is_neither_driven_nor_known() -> None:
    lines = RecordedLines(wired=("charge", "discharge"))
    found = outputs.apply(lines, ALL_ON)
    assert {name for name, _ in lines.driven} == {"charge", "discharge"}
    assert found == Levels(charge=True, discharge=True)


def test_the_heartbeat_is_nobody_elses_business() -> None:
    """S5: switching all off leaves the beat alone; only a finished cycle moves it."""
    lines = RecordedLines()
    outputs.apply(lines, ALL_ON)
    outputs.all_off(lines)
    assert "heartbeat" not in dict(lines.driven)
    outputs.beat(lines, True)
    assert lines.levels["heartbeat"]


def test_a_heartbeat_that_fails_or_is_missing_does_no_harm() -> None:
    lines = RecordedLines()
    lines.stuck = {"heartbeat"}
    outputs.beat(lines, True)
    outputs.beat(RecordedLines(wired=("charge",)), True)


def test_a_status_led_that_fails_or_is_missing_does_no_harm() -> None:
    lines = RecordedLines(wired=("charge", "led"))
    outputs.show(lines, True)
    assert lines.levels["led"]
    lines.stuck = {"led"}
    outputs.show(lines, False)
    outputs.show(RecordedLines(wired=("charge",)), True)


def test_contacts_are_read_where_there_are_some() -> None:
    lines = RecordedLines()
    lines.contacts = {"charge": True}
    assert outputs.contacts(lines) == Levels(charge=True)


def test_the_button_is_pressed_only_when_it_reads_so() -> None:
    """S2: one that is not wired, or cannot be read, wakes nobody."""
    lines = RecordedLines()
    for level in (None, False, True):
        lines.contacts["button"] = level
        assert outputs.is_pressed(lines) is (level is True)


def test_the_button_is_an_input_beside_the_contacts() -> None:
    wired = OutputsConfig("gpiod", "", False, {"charge": 17}, {"charge": 12}, button=20)
    assert wired.inputs == {"charge": 12, "button": 20}
    assert wired.keys == {"charge": 17, "charge_feedback": 12, "button": 20}
    assert replace(wired, button=None).inputs == {"charge": 12}


def test_a_board_without_a_line_opens_no_gpio_chip_and_does_nothing() -> None:
    """S5: the front-end chip's own FETs may be all there is to switch; nothing is claimed to have been."""
    lines = open_lines(OutputsConfig("gpiod", "no such chip", False, {}, {}))
    assert outputs.apply(lines, ALL_ON) == Levels()
    assert outputs.contacts(lines) == Levels()
    for refused in (lambda: lines.drive("charge", True), lambda: lines.read("charge")):
        with pytest.raises(OutputError, match="no output charge"):
            refused()
    lines.close()
