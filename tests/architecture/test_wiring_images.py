"""The pictures of the Raspberry Pi guide are current, take their pins from etc/bmsd.toml, and say what is so."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.bq769x2_fixed import FIXED
from bmsd.cli.setup_questions import QUESTIONS
from bmsd.config.load import load
from bmsd.control.chip_protection import HOST_WATCHDOG_S
from bmsd.hardware.board import OutputsConfig
from bmsd.shutdown import guard
from bmsd.tables.alarms import ALARMS, BY_NAME, Block

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
NAMES = ("wiring.svg", "header-pins.svg", "failure-layers.svg")
CELL_OVER_VOLTAGE = 0x08
"""COV in the chip's tables of what opens which switch."""


def script() -> ModuleType:
    """Load the script; it is no part of the package."""
    loader = SourceFileLoader("make_wiring", str(IMAGES / "make_wiring.py"))
    spec = spec_from_loader("make_wiring", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def words(svg: str) -> list[str]:
    """Give the texts of a picture in the order they were drawn."""
    root = ElementTree.fromstring(svg)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_current(name) -> None:
    drawn = script().pictures()[name]
    hint = "run 'python3 docs/images/make_wiring.py' and commit what it writes"
    assert (IMAGES / name).read_text(encoding="utf-8") == drawn, hint


def test_every_picture_is_named_here_and_shown_in_the_guide() -> None:
    assert set(script().PICTURES) == set(NAMES)
    assert all(f"](images/{name})" in guide() for name in NAMES)


def test_the_pins_are_those_of_the_example_configuration() -> None:
    outputs = load(ROOT / "etc" / "bmsd.toml").outputs
    drawn = script().pictures()
    for name, line in outputs.lines.items():
        assert str(line) in words(drawn["wiring.svg"]), name
        header = words(drawn["header-pins.svg"])
        place = next(n for n, text in enumerate(header) if re.search(rf"GPIO {line}\b", text))
        assert header[place + 1].startswith(name)
    for name, line in outputs.feedback.items():
        header = words(drawn["header-pins.svg"])
        place = next(n for n, text in enumerate(header) if re.search(rf"GPIO {line}\b", text))
        assert header[place + 1] == f"{name} feedback"


def test_another_pin_in_the_configuration_moves_in_the_pictures(tmp_path) -> None:
    text = (ROOT / "etc" / "bmsd.toml").read_text(encoding="utf-8")
    moved = re.sub(r"^charge = \d+$", "charge = 21", text, flags=re.MULTILINE)
    assert moved != text
    (tmp_path / "bmsd.toml").write_text(moved, encoding="utf-8")
    before, after = script().pictures(), script().pictures(tmp_path / "bmsd.toml")
    assert "21" in words(after["wiring.svg"])
    assert "21" not in words(before["wiring.svg"])
    header = words(after["header-pins.svg"])
    assert header[header.index("GPIO 21 ▼") + 1] == "charge"


def test_the_header_has_every_line_once() -> None:
    header = script().HEADER
    lines = sorted(int(name.split()[1]) for name in header if name.startswith("GPIO"))
    assert len(header) == 40
    assert lines == list(range(28))


def test_the_times_are_those_of_the_program() -> None:
    acts = {failure.what.replace("|", " "): failure.acts for failure in script().FAILURES}
    values = load(ROOT / "etc" / "bmsd.toml").parameters
    assert acts["bmsd hangs"][1] == f"{guard.HANG_S} s"
    assert acts["I2C or chip lost"][0] == f"{values.value_max_age_ms // 1000} s"
    assert acts["kernel hangs"][5] == f"{HOST_WATCHDOG_S} s"
    assert (
        acts["kernel hangs"][3] == re.search(r"^RuntimeWatchdogSec=(\d+)$", guide(), re.MULTILINE)[1] + " s"
    )
    unit = (ROOT / "systemd" / "bmsd.service").read_text(encoding="utf-8")
    assert acts["bmsd hangs"][2] == re.search(r"^WatchdogSec=(\d+)$", unit, re.MULTILINE)[1] + " s"


def guide() -> str:
    return (ROOT / "docs" / "raspberry-pi.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Give the blocks of one language in the guide."""
    return re.findall(rf"^```{language}\n(.*?)^```", guide(), re.DOTALL | re.MULTILINE)


def boot_lines(block: str, mode: str) -> set[int]:
    """Give the lines that a config.txt sets to a mode."""
    found = re.search(rf"^gpio=([\d,]+)={mode}$", block, re.MULTILINE)
    assert found, f"no gpio= line with {mode}"
    return {int(number) for number in found[1].split(",")}


def example() -> OutputsConfig:
    """Load the outputs of the example configuration."""
    return load(ROOT / "etc" / "bmsd.toml").outputs


def used() -> set[int]:
    """Give the lines that bmsd takes in the example configuration."""
    return {*example().lines.values(), *example().feedback.values()}


def test_the_boot_levels_of_the_guide_are_those_of_the_lines() -> None:
    """A line that the guide forgets would be held by its weak pull alone until bmsd takes it."""
    texts = [block for block in blocks("ini") if "strict_gpiod" in block]
    assert len(texts) == 3
    for block in texts:
        assert boot_lines(block, "op,dl") == set(example().lines.values())
        assert boot_lines(block, "ip,pd") == set(example().feedback.values())


def test_setup_offers_the_lines_of_the_example() -> None:
    asked = [question for question in QUESTIONS if question.when({"switches.topology": "split"})]
    offered = {question.key: question.free for question in asked if question.free is not None}
    lines = {f"outputs.{name}": line for name, line in example().lines.items()}
    assert offered == lines | {f"outputs.{name}_feedback": n for name, n in example().feedback.items()}


def test_every_line_of_the_example_is_pulled_down_at_power_up_and_no_bus_has_it() -> None:
    assert all(script().LAST_PULLED_UP < line <= 27 for line in used())
    assert not used() & set(script().TAKEN)


class Hat(NamedTuple):
    """One row of the guide's table of CAN and RS485 hardware."""

    lines: set[int]
    """GPIO lines it takes."""
    interrupts: set[int]
    heater: int | None
    """Where the heater goes beside it; None: it stays."""


def hats() -> list[Hat]:
    """Read the table; only rows with GPIO lines are HATs."""
    start = guide().index("| Hardware | Lines | GPIO it takes |")
    table = guide()[start : guide().index("\n\n", start)].splitlines()[2:]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    return [_hat(takes, lines) for _, lines, takes in rows if takes != "none"]


def _hat(takes: str, lines: str) -> Hat:
    takes, _, moved = takes.partition(":")
    found = {
        line
        for first, last in re.findall(r"(\d+)(?: to (\d+))?", takes)
        for line in range(int(first), int(last or first) + 1)
    }
    interrupts = {int(number) for number in re.findall(r"(?:interrupt|int_pin)=(\d+)", lines)}
    heater = re.search(r"heater to (\d+)", moved)
    return Hat(found, interrupts, int(heater[1]) if heater else None)


def test_the_lines_fit_beside_every_hat_of_the_guide_but_one_which_says_what_to_move() -> None:
    assert len(hats()) == 5
    for hat in hats():
        clash = used() & hat.lines
        assert clash == (set() if hat.heater is None else {example().lines["heater"]})
    (moved,) = (hat for hat in hats() if hat.heater is not None)
    assert moved.heater not in moved.lines | used() | set(script().TAKEN)
    assert script().LAST_PULLED_UP < moved.heater <= 27
    pin = script().HEADER.index(f"GPIO {moved.heater}") + 1
    assert f"`heater = {moved.heater}`, its wire on pin {pin}, and {moved.heater} for 23 " in guide()


def test_interrupts_of_hats_are_in_their_row_and_marked_in_the_picture() -> None:
    assert all(hat.interrupts <= hat.lines for hat in hats())
    assert set().union(*(hat.interrupts for hat in hats())) == set(script().HAT_INTERRUPTS)
    header = words(script().pictures()["header-pins.svg"])
    for line, who in script().HAT_INTERRUPTS.items():
        place = next(n for n, text in enumerate(header) if re.search(rf"GPIO {line}\b", text))
        assert header[place + 1].endswith(f"! {who}")


def test_the_overlays_of_the_whole_examples_leave_the_lines_alone() -> None:
    found = {
        int(number) for block in blocks("ini") for number in re.findall(r"(?:interrupt|int_pin)=(\d+)", block)
    }
    assert found == {24, 25}
    assert not used() & found


def test_the_table_of_pins_is_right() -> None:
    outputs = example()
    rows = re.findall(r"^\| ([a-z -]+) \| (\d+) \| (\d+) \| (up|down) \|$", guide(), re.MULTILINE)
    assert len(rows) == len({name for name, *_ in rows}) == len(outputs.lines) + len(outputs.feedback)
    for words_, pin, line, pull in rows:
        name = words_.replace("-", "")
        group = outputs.feedback if name.endswith(" contact") else outputs.lines
        assert int(line) == group[name.removesuffix(" contact")]
        assert script().HEADER[int(pin) - 1] == f"GPIO {line}"
        assert pull == ("up" if int(line) <= script().LAST_PULLED_UP else "down")


def test_what_a_charger_on_the_load_side_gets_past_is_told_in_full() -> None:
    """An alarm that opens the load side as well does not belong in the list."""
    safety = (ROOT / "docs" / "SAFETY.md").read_text(encoding="utf-8")
    told = safety[safety.index("**`split` is for separate chargers and loads only.**") :].partition("\n- ")[0]
    charge_only = {
        row.name for row in ALARMS if Block.CHARGE in row.blocks and Block.DISCHARGE not in row.blocks
    }
    assert {name for name in re.findall(r"`(\w+)`", told) if name in BY_NAME} == charge_only - {
        "charge_contactor_open"
    }
    chip = dict(FIXED)
    assert chip[reg.CHG_FET_A] & CELL_OVER_VOLTAGE
    assert not chip[reg.DSG_FET_A] & CELL_OVER_VOLTAGE


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_needs_nothing_else_and_keeps_its_texts_inside(name) -> None:
    root = ElementTree.fromstring((IMAGES / name).read_text(encoding="utf-8"))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    background = root.find("{http://www.w3.org/2000/svg}rect")
    assert background is not None
    assert (background.attrib["fill"], background.attrib["width"]) == ("#ffffff", f"{width:g}")
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        size, x, y = (float(text.attrib[key]) for key in ("font-size", "x", "y"))
        long = 0.66 * size * len(text.text or "")
        left = x - {"start": 0, "middle": long / 2, "end": long}[text.attrib["text-anchor"]]
        assert size >= 12
        assert left >= 0, text.text
        assert left + long <= width, text.text
        assert size <= y <= height, text.text
