"""The journal document: its queries ask for fields, names and options that exist, and its lines are lines of bmsd."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bmsd.links.journal import fields
from bmsd.tables import parameters
from bmsd.tables.alarms import ALARMS, Severity
from bmsd.tables.events import FIELDS, KINDS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "journal.md").read_text(encoding="utf-8")
NAMES = {name for name, _ in FIELDS}
KNOWN = {
    "BMSD_EVENT": {"alarm", *(row.kind for row in KINDS)},
    "BMSD_ALARM": {alarm.name for alarm in ALARMS},
    "BMSD_STATE": {"raised", "cleared", "on", "off", *(row.state for row in KINDS)},
    "BMSD_NAME": {"charge", "discharge", "precharge", "heater", "balance"},
}
OF_SYSTEMD = {"_PID", "UNIT"}
FLAGS = {"-t", "-f", "-b", "-p", "-x", "-n", "-u", "-o", "-q"}
LONG = {"--since", "--grep", "--output-fields", "--flush", "--header"}


def queries() -> list[str]:
    """List every journalctl command of the document, in blocks and in code marks."""
    inline = re.findall(r"`(journalctl [^`]*)`", TEXT)
    return [*re.findall(r"^\$ (journalctl .*)$", TEXT, re.MULTILINE), *inline]


def faults(query: str) -> list[str]:
    found = []
    for word in shlex.split(query.split(" | ", maxsplit=1)[0])[1:]:
        name, sign, value = word.partition("=")
        if word.startswith("--"):
            found += [] if name in LONG else [f"option {name}"]
            names = value.split(",") if name == "--output-fields" else []
            found += [f"field {field}" for field in names if field not in NAMES]
        elif sign and name not in OF_SYSTEMD:
            found += [] if name in NAMES else [f"field {name}"]
            found += [f"{name} is never {value}"] if value not in KNOWN.get(name, {value}) else []
        elif re.fullmatch("-[a-z]", word):
            found += [] if word in FLAGS else [f"option {word}"]
    return found


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_what_there_is(query) -> None:
    assert not faults(query)


def test_a_wrong_query_is_found() -> None:
    assert faults("journalctl --sinse=x -z BMSD_ALARM=cell_hot BMSD_COLOUR=red --output-fields=BMSD_X") == [
        "option --sinse",
        "option -z",
        "BMSD_ALARM is never cell_hot",
        "field BMSD_COLOUR",
        "field BMSD_X",
    ]


def test_the_document_answers_at_least_ten_questions() -> None:
    assert len(re.findall(r"^\$ journalctl", TEXT, re.MULTILINE)) >= 10


def test_the_priorities_of_the_document_are_those_of_the_tables() -> None:
    told = {int(number) for number in re.findall(r"^\| (\d) \(", TEXT, re.MULTILINE)}
    assert told == {severity.priority for severity in Severity} | {row.priority for row in KINDS}


def test_the_name_to_ask_for_is_the_one_that_lines_carry() -> None:
    event = {"kind": "parameter", "name": parameters.ROWS[0].name, "state": "set"}
    assert fields(event)["SYSLOG_IDENTIFIER"] == "bmsd"
    assert "-t bmsd" in TEXT
