"""The pictures of the Raspberry Pi guide are current, take their pins from etc/bmsd.toml, and say what is so."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from bmsd import guard
from bmsd.config import load

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
NAMES = ("wiring.svg", "header-pins.svg", "failure-layers.svg")


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
    guide = (ROOT / "docs" / "raspberry-pi.md").read_text(encoding="utf-8")
    assert all(f"](images/{name})" in guide for name in NAMES)


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
    unit = (ROOT / "systemd" / "bmsd.service").read_text(encoding="utf-8")
    assert acts["bmsd hangs"][2] == re.search(r"^WatchdogSec=(\d+)$", unit, re.MULTILINE)[1] + " s"


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
