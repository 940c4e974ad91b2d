"""What reaches the journal: the fields of every event of the bench, and the call of its library."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bmsd.core.types import Event
from bmsd.docgen.catalog import catalog
from bmsd.links import journal
from bmsd.links.journal import fields
from bmsd.tables.alarms import ALARMS
from bmsd.tables.events import FIELDS, KINDS
from tests.support import effort
from tests.support.running import eventually
from tests.support.shipped import shipped

NAMES = {name for name, _ in FIELDS}
OURS = re.compile("@([A-Z_]+)@")
LONG = ("demo", "over-voltage-cell")
OTHERS = [
    Event(at_ms=1, kind="daemon", name="bmsd", state="started"),
    Event(at_ms=1, kind="daemon", name="bmsd", state="stopping"),
    Event(at_ms=1, kind="daemon", name="state file", state="lost"),
    Event(at_ms=1, kind="daemon", name="state file", state="back"),
    Event(at_ms=1, kind="request", name="charge", state="off", who="uid 0"),
    Event(at_ms=1, kind="parameter", name="cell_ovp_mv", state="set", value=3550, limit=3600, who="uid 0"),
    Event(
        at_ms=1, kind="parameter", name="contactor_ops_per_hour", state="set", value=20, limit=30, who="uid 0"
    ),
    Event(at_ms=1, kind="writes", name="modbus", state="unlocked", value=600, who="uid 0"),
    Event(at_ms=1, kind="writes", name="modbus@garage", state="locked", who="uid 0"),
    Event(at_ms=1, kind="soc", name="empty", state="anchored", value=0),
    Event(at_ms=1, kind="emergency", name="override", state="on", who="uid 0"),
    Event(at_ms=1, kind="emergency", name="override", state="off", who="uid 0"),
    Event(at_ms=1, kind="emergency", name="override", state="ended"),
]


@cache
def entries() -> dict[str, str]:
    """Give the explanations of the catalog by message id."""
    parts = re.split(r"^-- ([0-9a-f]{32})$", catalog(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def told() -> list[Event]:
    """Run some scenarios, and keep their events beside those that only a running daemon makes."""
    found = list(OTHERS)
    for name in ("sensor-lost", "afe-reset", *(LONG if effort.EVERYTHING else ())):
        found += shipped(name).events
    return found


@pytest.mark.slow
def test_the_bench_tells_enough_kinds_to_prove_something(told) -> None:
    assert {event.kind for event in told} == {row.kind for row in KINDS} - {"core", "link"} | {"alarm"}
    assert len({event.name for event in told if event.kind == "alarm"}) >= 5


def test_every_event_has_an_id_and_only_fields_that_are_documented(told) -> None:
    for event in told:
        found = fields(asdict(event))
        assert found["MESSAGE_ID"] in entries(), event
        assert found.keys() <= NAMES, event


def test_the_catalog_names_only_fields_that_such_a_line_always_has(told) -> None:
    """journalctl leaves the name of a field that is absent, which reads badly."""
    for event in told:
        found = fields(asdict(event))
        assert {*OURS.findall(entries()[found["MESSAGE_ID"]])} <= found.keys(), event


def test_the_catalog_has_one_entry_for_each_id_and_no_other() -> None:
    ids = [*(alarm.message_id for alarm in ALARMS), *(row.message_id for row in KINDS)]
    assert sorted(entries()) == sorted(ids)
    assert re.findall(r"^-- (\w+)$", catalog(), re.MULTILINE) == ids


@pytest.mark.parametrize("message_id", entries())
def test_an_entry_has_its_heads_and_its_four_answers(message_id) -> None:
    heads, _, text = entries()[message_id].lstrip("\n").partition("\n\n")
    names = [line.split(":")[0] for line in heads.splitlines()]
    assert names == ["Subject", "Defined-By", "Support", "Documentation"]
    assert all(words in text for words in ("What happened:", "What bmsd does:", "What ends it:"))
    # A line of a text that begins with two hyphens would end the entry.
    assert not re.search("^--", text, re.MULTILINE)


class Recorded:
    """Stands for the journal's library, and records what it is given."""

    def __init__(self, monkeypatch, folder: Path) -> None:
        self.sent: list[tuple[tuple[Any, ...], Mapping[str, Any]]] = []
        package, module = ModuleType("systemd"), ModuleType("systemd.journal")
        module.send = lambda *words, **named: self.sent.append((words, named))  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "systemd", package)
        monkeypatch.setitem(sys.modules, "systemd.journal", module)
        (folder / "socket").touch()
        monkeypatch.setattr(journal, "JOURNAL_SOCKET", folder / "socket")


def test_the_library_is_called_with_the_line_and_every_field_as_text(monkeypatch, tmp_path) -> None:
    recorded = Recorded(monkeypatch, tmp_path)
    event = asdict(
        Event(at_ms=1, kind="alarm", name="cell_ovp", state="raised", where=7, value=3612, limit=3600)
    )
    journal.sender()("Cell over-voltage", fields(event))
    ((words, named),) = recorded.sent
    assert words == ("Cell over-voltage",)
    # CODE_FILE keeps the library from walking the stack.
    assert named == {**fields(event), "CODE_FILE": journal.__file__}
    assert all(isinstance(value, str) for value in named.values())


def test_without_the_library_lines_go_to_stderr(monkeypatch, capfd) -> None:
    monkeypatch.setitem(sys.modules, "systemd.journal", None)
    journal.sender()("text", {"PRIORITY": "5"})
    assert capfd.readouterr().err == "text\n", "to a person in a terminal a priority is noise"
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    journal.sender()("text", {"PRIORITY": "5"})
    assert capfd.readouterr().err == "<5>text\n"


@pytest.mark.skipif(not journal.JOURNAL_SOCKET.exists(), reason="no journald here: nothing was sent for real")
def test_a_real_journal_takes_the_line() -> None:
    pytest.importorskip("systemd.journal", reason="no python module of systemd: nothing was sent for real")
    mark = f"test-{time.monotonic_ns()}"
    event = asdict(Event(at_ms=1, kind="request", name=mark, state="off", who="uid 0"))
    journal.sender()("A test of bmsd, of no meaning", fields(event))
    query = ["journalctl", "-o", "cat", "-x", f"BMSD_NAME={mark}"]
    eventually(lambda: "A test of bmsd" in subprocess.run(query, capture_output=True, text=True).stdout)
