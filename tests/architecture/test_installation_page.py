"""The transcripts of the installation page are what the programs say, and what the pages advise is accepted."""

from __future__ import annotations

import re
import tomllib
from io import StringIO
from itertools import zip_longest
from pathlib import Path

import pytest

from bmsd.cli import setup
from bmsd.cli.console import Console
from bmsd.cli.setup_dialogue import Dialogue
from bmsd.cli.setup_file import text_of
from bmsd.config.load import load
from bmsd.tables.configuration import KEYS
from tests.support import advice, dangerous_files
from tests.support.configured import GOOD, problems, written

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "installation.md").read_text(encoding="utf-8")
BOARDS = (DOCS / "boards.md").read_text(encoding="utf-8")
START = (DOCS / "start.md").read_text(encoding="utf-8")
WRONG = re.findall(
    r"^\$ bmsd --check-config --config bmsd\.toml +# (.*)\n((?:bmsd: .*\n)+)", PAGE, re.MULTILINE
)
ANSWER = re.compile(r"^([a-z]+\.[a-z_]+(?: \[[^\]]*\])?: )(.*)$", re.MULTILINE)


class Utf8(StringIO):
    """A stream that has all symbols."""

    encoding = "utf-8"


def dialogue() -> str:
    """Give the dialogue of the page, as far as it asks."""
    return PAGE.split("## A whole dialogue")[1].split("```text\n")[1].split("\n```")[0]


def first_difference(shown: str, said: str) -> str:
    """Tell the first line that the page shows otherwise than setup says it."""
    for on_page, now in zip_longest(shown.splitlines(), said.splitlines(), fillvalue=""):
        if on_page != now:
            return f"the page shows {on_page!r}, setup says {now!r}"
    return "the page has more"


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[line for line, _ in WRONG])
def test_a_wrong_file_is_refused_as_the_page_shows_it(tmp_path, line, said) -> None:
    key = line.split(" = ")[0]
    old = re.search(rf"^{key} = .*$", GOOD, re.MULTILINE)
    text = GOOD.replace(f"{old[0]}\n", f"{line}\n") if old else f"{GOOD}{line}\n"
    path = written(tmp_path, text)
    now = "".join(f"bmsd: {text}\n" for text in problems(path))
    assert now == said.replace("bmsd.toml", str(path), 1), "docs/installation.md: copy what bmsd says now"


def test_there_are_ten_of_them() -> None:
    assert len(WRONG) == 10


def test_the_dialogue_is_what_setup_says() -> None:
    """With the same answers typed, word by word up to the file that is shown."""
    shown = dialogue()
    typed = iter(answer for _, answer in ANSWER.findall(shown))
    talk = Utf8()

    def read() -> str:
        answer = next(typed)
        talk.write(f"{answer}\n")  # a terminal echoes it
        return f"{answer}\n"

    console = Console(talk)
    console.paragraph(setup._FIRST.format(path=Path("/etc/bmsd/bmsd.toml")))
    answers = Dialogue(console, read).ask_all({})
    said = talk.getvalue().rstrip()
    assert shown.startswith(said), (
        f"docs/installation.md, the whole dialogue: {first_difference(shown, said)}"
    )
    rest = shown.removeprefix(said)
    file = text_of(answers, Path("/etc/bmsd/bmsd.toml"))
    assert tomllib.loads(file) == tomllib.loads(rest.split("\n\nWrite this to")[0])


def test_the_file_of_the_dialogue_is_accepted(tmp_path) -> None:
    file = dialogue().split("# bmsd: configuration of one battery pack")[1].split("\n\nWrite this to")[0]
    config = load(written(tmp_path, f"#{file}"))
    assert {"heartbeat", "precharge"} <= {*config.outputs.lines}
    assert {*config.outputs.feedback} == {"charge", "discharge"}


def test_the_lines_beside_the_two_channel_can_hat_are_accepted_and_collide_with_nothing(tmp_path) -> None:
    """The HAT+ is on SPI 1: the lines of the example would be its chip selects and interrupts."""
    outputs = tomllib.loads(BOARDS.split("```toml\n")[1].split("```")[0])["outputs"]
    sections = advice.sections_of(GOOD)
    sections["outputs"] = {"backend": "gpiod", **outputs}
    config = load(written(tmp_path, dangerous_files.text_of(sections)))
    used = {*config.outputs.keys.values()}
    hat = {16, 17, 18, 19, 20, 21, 22, 13}
    assert not used & hat
    assert {*advice.sections_of(GOOD)["outputs"].values()} & hat, "the example does collide"
    firmware = re.search(r"`gpio=([\d,]+)=op,dl` and `gpio=([\d,]+)=ip,pd`", BOARDS)
    assert firmware
    driven, read = ({int(line) for line in lines.split(",")} for lines in firmware.groups())
    assert driven == {*config.outputs.lines.values()}
    assert read == {*config.outputs.feedback.values()}


def test_the_first_page_drives_the_lines_of_the_example() -> None:
    driven, read = re.findall(r"gpio=([\d,]+)=(?:op,dl|ip,pd)", START)
    outputs = advice.sections_of(GOOD)["outputs"]
    inputs = {line for key, line in outputs.items() if key.endswith("_feedback")}
    lines = {line for key, line in outputs.items() if isinstance(line, int)} - inputs
    assert {int(line) for line in driven.split(",")} == lines
    assert {int(line) for line in read.split(",")} == inputs


def test_the_first_page_is_numbered_and_leads_to_the_doctor_before_anything_is_switched() -> None:
    numbers = [int(number) for number in re.findall(r"^(\d+)\. \*\*", START, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    for earlier, later in (
        ("./run deb", "apt install ./dist"), ("apt install ./dist", "bmsctl setup"), ("bmsctl setup", "disable bmsd"),
        ("disable bmsd", "sudo reboot"), ("sudo reboot", "bmsctl doctor"), ("bmsctl doctor", "enable --now bmsd"),
        ("ice water", "enable --now bmsd"),
    ):  # fmt: skip
        assert START.index(earlier) < START.index(later), (earlier, later)
    assert "## What to buy" in START
    assert all(anchor in BOARDS for anchor in ("## Front end", "## CAN and RS485", "## Watchdog relay"))
    assert {key.name for key in KEYS if key.section == "outputs"} >= {"heartbeat"}
