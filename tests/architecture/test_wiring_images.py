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
from bmsd.backstop import HOST_WATCHDOG_S
from bmsd.config import load
from bmsd.hardware.board import OutputsConfig

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


def configurations(directory: Path) -> list[OutputsConfig]:
    """Load the outputs of the example configuration, and of it with the guide's drop-in."""
    (directory / "bmsd.toml").write_text((ROOT / "etc" / "bmsd.toml").read_text(encoding="utf-8"))
    plain = load(directory / "bmsd.toml").outputs
    (dropin,) = blocks("toml")
    (directory / "conf.d").mkdir()
    (directory / "conf.d" / "pins.toml").write_text(dropin)
    return [plain, load(directory / "bmsd.toml").outputs]


def test_the_boot_levels_of_the_guide_are_those_of_the_lines(tmp_path) -> None:
    """A line that the guide forgets would be held by its weak pull alone until bmsd takes it."""
    plain, with_hat = configurations(tmp_path)
    texts = [block for block in blocks("ini") if "strict_gpiod" in block]
    assert len(texts) == 3
    for block, outputs in zip(texts, (plain, with_hat, with_hat), strict=True):
        assert boot_lines(block, "op,dl") == set(outputs.lines.values())
        assert boot_lines(block, "ip,pd") == set(outputs.feedback.values())


def test_the_lines_beside_a_hat_are_pulled_down_and_not_the_hats(tmp_path) -> None:
    _, outputs = configurations(tmp_path)
    ours = {*outputs.lines.values(), *outputs.feedback.values()}
    assert all(9 <= line <= 27 for line in ours)
    hats = {*script().TAKEN, *script().HAT_INTERRUPTS, 18, 19, 20, 21}
    assert not ours & hats
    for block in blocks("ini")[1:]:
        taken = {int(number) for number in re.findall(r"(?:interrupt|int_pin)=(\d+)", block)}
        assert not ours & taken


def test_the_table_of_pins_is_right(tmp_path) -> None:
    plain, with_hat = configurations(tmp_path)
    rows = re.findall(
        r"^\| ([a-z -]+) \| (\d+) \| (\d+) \| \W*(up|down)\W* \| \W*(\d+)", guide(), re.MULTILINE
    )
    assert len(rows) == len(plain.lines) + len(plain.feedback)
    for words_, pin, line, pull, beside in rows:
        name = words_.replace("-", "")
        group = "feedback" if name.endswith(" contact") else "lines"
        key = name.removesuffix(" contact")
        assert int(line) == getattr(plain, group)[key]
        assert int(beside) == getattr(with_hat, group)[key]
        assert script().HEADER[int(pin) - 1] == f"GPIO {line}"
        assert pull == ("up" if int(line) <= script().LAST_PULLED_UP else "down")


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
