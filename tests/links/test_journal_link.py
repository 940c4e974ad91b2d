"""The journal link: which events are new, what each says, and what becomes of a lost core."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from bmsd.ipc.shared_files import FRESH_MS, Publisher, monotonic_ms
from bmsd.links import journal, snapshots
from bmsd.links.journal import Follower, Mark, fields, new_events, remembered
from bmsd.links.link import Link
from bmsd.tables import alarms
from tests.support.snapshots import publish_snapshot


def event(
    n: int, at_ms: int, kind: str = "alarm", name: str = "cell_ovp", state: str = "raised", **more
) -> dict:
    empty = {"where": None, "value": None, "limit": None, "who": ""}
    return {"n": n, "at_ms": at_ms, "time": 0.0, "kind": kind, "name": name, "state": state, **empty, **more}


class Bench:
    """One journal link, the core's files, and the lines it wrote."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.lines: list[tuple[str, dict]] = []
        self.publisher = Publisher(folder)
        self.now_ms = monotonic_ms()
        self.restart()

    def restart(self) -> None:
        link = Link("journal", SimpleNamespace(), self.folder)  # type: ignore[arg-type]
        self.follower = Follower(link, lambda message, found: self.lines.append((message, dict(found))))

    def core(self, *events: dict) -> None:
        self.publisher.publish("events.json", {"events": list(events)}, self.now_ms)
        publish_snapshot(self.folder, {"points": {}}, self.now_ms)

    def look(self, after_ms: int = 0) -> list[str]:
        """Let time pass and look; give the messages of this look."""
        self.now_ms += after_ms
        before = len(self.lines)
        self.follower.look(self.now_ms)
        return [message for message, _ in self.lines[before:]]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_each_event_is_told_once_in_order(bench) -> None:
    bench.core(event(1, 10), event(2, 10, state="cleared"))
    assert len(bench.look()) == 2
    assert bench.look() == []
    bench.core(event(1, 10), event(2, 10, state="cleared"), event(3, 11))
    assert len(bench.look()) == 1


def test_a_restarted_link_repeats_nothing(bench) -> None:
    bench.core(event(1, 10), event(2, 20))
    bench.look()
    bench.restart()
    assert bench.look() == []
    bench.core(event(1, 10), event(2, 20), event(3, 30))
    assert len(bench.look()) == 1


def test_a_restarted_core_begins_its_numbers_again_and_all_its_events_are_told(bench) -> None:
    bench.core(*(event(n, 10 * n) for n in range(1, 6)))
    assert len(bench.look()) == 5
    bench.core(*(event(n, 1000 + n) for n in range(1, 8)))
    assert len(bench.look()) == 7


def test_a_link_that_starts_late_tells_what_is_still_in_the_ring(bench) -> None:
    bench.core(*(event(n, n) for n in range(300, 556)))
    gap, *lines = bench.look()
    assert gap.startswith("299 events were not told")
    assert len(lines) == 256


def test_events_that_were_overwritten_are_counted_in_one_line(bench) -> None:
    bench.core(event(1, 10), event(2, 20))
    bench.look()
    bench.core(event(5, 50), event(6, 60))
    assert [line[:22] for line in bench.look()] == ["2 events were not told", *["Cell over-voltage; cha"] * 2]
    gap = bench.lines[2][1]
    assert (gap["BMSD_EVENT"], gap["BMSD_VALUE"], gap["PRIORITY"]) == ("link", "2", "4")
    assert len(gap["MESSAGE_ID"]) == 32
    bench.core(event(5, 50), event(6, 60), event(7, 70))
    assert len(bench.look()) == 1


def test_a_restarted_core_with_a_gap_of_its_own_is_counted_from_one(bench) -> None:
    bench.core(*(event(n, 10 * n) for n in range(1, 6)))
    bench.look()
    bench.core(*(event(n, 1000 + n) for n in range(3, 6)))
    assert bench.look()[0].startswith("2 events were not told")


def test_events_are_read_again_only_when_there_are_new_ones(bench, monkeypatch) -> None:
    read, files = snapshots.read_document, []

    def counted(path):
        files.append(path.name)
        return read(path)

    monkeypatch.setattr(snapshots, "read_document", counted)
    bench.core(event(1, 10))
    for lines in (1, 0, 0):
        assert len(bench.look()) == lines
    assert files == ["events.json"]
    bench.core(event(1, 10), event(2, 20))
    assert len(bench.look()) == 1
    assert files == ["events.json"] * 2


def test_events_of_an_earlier_boot_are_history(monkeypatch) -> None:
    """S11."""
    monkeypatch.setattr(journal, "boot_id", lambda: "now")
    assert new_events({"boot": "before", "events": [event(1, 1)]}, Mark()) == []
    assert len(new_events({"boot": "now", "events": [event(1, 1)]}, Mark())) == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 1}', '{"schema": 1, "boot": "x", "last_n": "y"}']
)
def test_an_unusable_memory_is_no_memory(tmp_path, text) -> None:
    (tmp_path / "link-journal.json").write_text(text)
    assert remembered(tmp_path / "link-journal.json") == Mark()


def test_an_alarm_carries_its_fields_in_peoples_units() -> None:
    found = fields(event(1, 1, where=7, value=3612, limit=3600))
    assert found == {
        "BMSD_EVENT": "alarm", "BMSD_NAME": "cell_ovp", "BMSD_ALARM": "cell_ovp", "BMSD_STATE": "raised",
        "BMSD_CELL": "7", "BMSD_VALUE": "3.612", "BMSD_LIMIT": "3.6", "BMSD_UNIT": "V", "PRIORITY": "2",
        "MESSAGE_ID": alarms.BY_NAME["cell_ovp"].message_id, "SYSLOG_IDENTIFIER": "bmsd",
    }  # fmt: skip


@pytest.mark.parametrize("alarm", alarms.ALARMS, ids=lambda alarm: alarm.name)
def test_each_alarm_is_as_urgent_as_it_is_severe_and_its_end_is_a_notice(alarm) -> None:
    raised = fields(event(1, 1, name=alarm.name))
    cleared = fields(event(2, 1, name=alarm.name, state="cleared"))
    assert raised["PRIORITY"] == str(alarm.severity.priority)
    assert cleared["PRIORITY"] == "5"
    assert raised["MESSAGE_ID"] == cleared["MESSAGE_ID"] == alarm.message_id


def test_a_sensor_is_not_called_a_cell() -> None:
    found = fields(event(1, 1, name="charge_utp", where=2, value=-85, limit=0))
    assert found["BMSD_SENSOR"] == "2"
    assert (found["BMSD_VALUE"], found["BMSD_LIMIT"], found["BMSD_UNIT"]) == ("-8.5", "0.0", "°C")
    assert "BMSD_CELL" not in found


def test_other_events_have_their_own_units_and_who_asked() -> None:
    soc = fields(event(1, 1, "soc", "full", "anchored", value=1000, limit=965))
    assert (soc["BMSD_VALUE"], soc["BMSD_LIMIT"], soc["BMSD_UNIT"]) == ("100.0", "96.5", "%")
    asked = fields(event(1, 1, "request", "charge", "off", who="uid 1000"))
    assert asked["BMSD_WHO"] == "uid 1000"
    assert "BMSD_VALUE" not in asked


def test_a_parameter_is_named_as_people_write_it() -> None:
    found = fields(event(1, 1, "parameter", "cell_ovp_mv", "set", value=3550, limit=3600, who="uid 0"))
    assert (found["BMSD_NAME"], found["BMSD_VALUE"], found["BMSD_LIMIT"]) == ("cell_ovp_v", "3.55", "3.6")


def test_an_event_of_a_newer_core_is_told_as_far_as_it_is_understood(bench) -> None:
    bench.core(event(1, 1, "novelty", "thing", "done", value=3), event(2, 2, name="alarm_of_tomorrow"))
    assert len(bench.look()) == 2


def test_a_lost_core_is_said_once_and_once_when_back(bench) -> None:
    """S7."""
    bench.core()
    assert bench.look() == []
    (lost,) = bench.look(FRESH_MS + 1)
    assert lost.startswith("bmsd core lost")
    assert bench.look(10_000) == []
    bench.core()
    assert bench.look() == ["bmsd core is back"]
    assert bench.lines[0][1]["PRIORITY"] == "3"
    assert [found["BMSD_STATE"] for _, found in bench.lines] == ["lost", "back"]


def test_a_core_that_went_on_while_the_journal_was_stalled_is_not_called_lost(bench) -> None:
    bench.core()
    bench.look()

    def stall(message, found) -> None:
        """Take a minute, in which the core publishes again and again."""
        bench.lines.append((message, dict(found)))
        publish_snapshot(bench.folder, {"points": {}}, bench.now_ms + 60_000)

    bench.follower._send = stall
    bench.core(event(1, 1))
    assert [line[:17] for line in bench.look()] == ["Cell over-voltage"]
    assert bench.look(60_100) == []


def test_a_core_that_is_only_starting_is_not_called_lost(bench) -> None:
    assert bench.look(1000) == []
    (lost,) = bench.look(journal.START_MS)
    assert "not running" in lost


def test_a_journal_that_refuses_costs_the_line_and_not_the_link(bench) -> None:
    def refuse(message, found) -> None:
        raise OSError("journal is full")

    bench.follower._send = refuse
    bench.core(event(1, 1))
    bench.look()
    state = json.loads((bench.folder / "link-journal.json").read_text())
    assert (state["failed"], state["last_n"]) == (1, 1)


def test_without_a_journal_the_lines_go_to_stderr_with_their_priority(monkeypatch, tmp_path, capfd) -> None:
    monkeypatch.setattr(journal, "JOURNAL_SOCKET", tmp_path / "none")
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    journal.sender()("Cell over-voltage", {"PRIORITY": "2"})
    assert capfd.readouterr().err == "<2>Cell over-voltage\n"
