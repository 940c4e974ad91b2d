"""Manual pages and completion: complete, well-formed, and true to the parsers; completion is asked in a real bash."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bmsd.docgen import commandline, manpages, manual, roff
from bmsd.docgen.commandline import ProgramCommand
from bmsd.docgen.documents import FOLDER, documents
from bmsd.tables import alarms, configuration, parameters

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = commandline.programs()
PAGES = {path.name: path for path in sorted((ROOT / FOLDER / "man").iterdir())}
MACROS = {"TH", "SH", "SS", "PP", "TP", "RS", "RE", "BR", "I", "br", "nh", "ad"}
EVERY = [command for program in PROGRAMS.values() for command in program.all()]


def plain(page: str) -> str:
    """Take the escapes out of a page."""
    text = re.sub(r"\\f[BIP]|\\&", "", page).replace(r"\-", "-").replace(r"\(aq", "'")
    return re.sub(r"\\\[u([0-9A-F]{4})\]", lambda found: chr(int(found[1], 16)), text)


def own_page(program: ProgramCommand) -> str:
    return plain(manpages.program_page(program))


def test_every_program_of_the_project_has_a_page_and_a_completion() -> None:
    scripts = (
        (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.scripts]")[1].split("\n\n")[0]
    )
    names = re.findall(r"^([\w-]+) =", scripts, re.MULTILINE)
    assert sorted(names) == sorted(PROGRAMS)
    made = documents()
    for name in names:
        assert any(path.startswith(f"{FOLDER}/man/{name}.") for path in made)
        assert f"{FOLDER}/completion/{name}.bash" in made


@pytest.mark.parametrize("command", EVERY, ids=lambda command: " ".join(command.words))
def test_a_page_tells_every_command_and_option_with_help(command) -> None:
    page = own_page(PROGRAMS[command.words[0]])
    assert " ".join(command.words) in page
    for word in command.options:
        assert word.help, f"{command.words} {word.flags} has no help"
        assert all(flag in page for flag in word.flags)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda program: program.words[0])
def test_a_page_tells_the_exit_codes(program) -> None:
    assert {0, 1, 2} <= program.exits.keys()
    assert ".SH EXIT STATUS" in own_page(program)


def test_exit_codes_agree_with_the_contract() -> None:
    text = (ROOT / "docs" / "CONTRACT.md").read_text(encoding="utf-8")
    for name, program in PROGRAMS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}"))
        told = {int(code) for code in re.findall(r"(?<=[ ,])(\d+) ", row.split("|")[3])}
        assert told <= program.exits.keys(), name


def test_the_configuration_page_has_every_key_and_parameter() -> None:
    page = plain(manual.configuration_page())
    names = [key.name for key in configuration.KEYS] + [row.public_name for row in parameters.ROWS]
    assert not [name for name in names if f"\n{name}\n" not in page]


def test_the_alarm_page_has_every_alarm_with_its_id_and_advice() -> None:
    page = plain(manual.alarms_page())
    for alarm in alarms.ALARMS:
        assert f"\n{alarm.name}\n{alarm.title}" in page
        assert alarm.message_id in page
        assert alarm.advice in page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_uses_known_macros_and_plain_characters(name) -> None:
    text = PAGES[name].read_text(encoding="utf-8")
    assert text.isascii()
    used = {line[1:].split()[0] for line in text.splitlines() if line.startswith(".") and line[1] != "\\"}
    assert used <= MACROS
    assert not [line for line in text.splitlines() if line.startswith("'")]
    assert text.count("\n.RS\n") == text.count("\n.RE\n")


@pytest.mark.skipif(not shutil.which("man"), reason="no man here: the pages were not rendered")
@pytest.mark.parametrize("name", PAGES)
def test_a_page_renders_without_a_warning(name) -> None:
    command = ["man", "--warnings", "-E", "UTF-8", "-l", str(PAGES[name])]
    done = subprocess.run(command, capture_output=True, text=True, env={"MANWIDTH": "80", **PATH})
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


PATH = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("a -10 °C b", r"a \-10 \[u00B0]C b"),
        (".dot", r"\&.dot"),
        ("'quoted' `x-y`", r"\(aqquoted\(aq \fBx\-y\fP"),
        (r"back\slash", r"back\(rsslash"),
        ("use --json, well-known", r"use \-\-json, well-known"),
    ],
)
def test_text_is_escaped(given, written) -> None:
    assert roff.text(given) == written


ASK = """
compopt() { echo "$*" >&2; }
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_${1//-/_}
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(line: str) -> list[str]:
    """Ask bash what it offers at the end of a line, whose words are split as bash splits them."""
    words = re.split(" +", re.sub(" ?= ?", " = ", line))
    path = ROOT / FOLDER / "completion" / f"{words[0]}.bash"
    command = ["bash", "--norc", "-c", ASK, "ask", str(path), *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    words = done.stdout.split()
    # What is still to get its value has no space behind it.
    told = done.stderr.splitlines()
    assert ("-o nospace" in told) is (len(words) == 1 and words[0].endswith("="))
    assert set(told) <= {"-o nospace", "-o filenames"}
    return words


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here: completion was not asked")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bmsctl par", ["params"]),
        ("bmsctl params ", ["list", "get", "set", "preset", "reset"]),
        ("bmsctl params get cell_ovpr", ["cell_ovpr_v"]),
        ("bmsctl params set cell_ovpr", ["cell_ovpr_v="]),
        ("bmsctl params set cell_ovp_v=3.55 cell_ovpr", ["cell_ovpr_v="]),
        ("bmsctl params set cell_ovp_v=", []),
        ("bmsctl --runtime-dir /x params get cell_ovpr", ["cell_ovpr_v"]),
        ("bmsctl --runtime-dir=/x params get cell_ovpr", ["cell_ovpr_v"]),
        ("bmsctl reset heater_no", ["heater_no_warming"]),
        ("bmsctl switch ", ["charge", "discharge", "balance"]),
        ("bmsctl switch charge ", ["on", "off"]),
        ("bmsctl switch charge on ", []),
        ("bmsctl sim fault afe_n", ["afe_nack"]),
        ("bmsctl sim cell 7 off", ["offset_mv="]),
        ("bmsctl setup --set pack.cel", ["pack.cells="]),
        ("bmsctl setup --set=pack.cel", ["pack.cells="]),
        ("bmsctl events --f", ["--follow"]),
        ("bmsd-link ", ["can", "modbus", "meter", "journal"]),
        ("bmsd --config etc/bm", ["etc/bmsd.toml"]),
        ("bmsd --check", ["--check-config"]),
        ("bmsim run cold", ["cold-morning"]),
        ("bmsim replay --chemistry l", ["lifepo4", "li-ion", "lto"]),
        ("bmsim replay tests/recordings/lfp_a123_dyn_p2", ["tests/recordings/lfp_a123_dyn_p25C.csv"]),
        ("bmsd-safe-off --b", ["--because"]),
    ],
)
def test_bash_completes(line, words) -> None:
    assert offered(line) == words


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here: completion was not asked")
def test_every_command_is_offered_in_its_place() -> None:
    for command in EVERY:
        if command.commands:
            assert offered(f"{' '.join(command.words)} ") == [below.words[-1] for below in command.commands]
