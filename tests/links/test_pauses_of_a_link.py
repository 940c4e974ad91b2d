"""A link that waits for something goes on telling how it is: silent for longer it would count as lost."""

from __future__ import annotations

import socket
from itertools import pairwise

import pytest

from bmsd.config.load import ModbusConfig
from bmsd.links import modbus_tcp
from bmsd.links.link import REPORT_MS
from tests.links.watched import Watched

REPORT_S = REPORT_MS / 1000


@pytest.fixture
def link(tmp_path, monkeypatch) -> Watched:
    return Watched(tmp_path, monkeypatch, 12)


def test_a_pause_tells_as_often_as_a_link_reports_and_ends_in_time(link) -> None:
    link.pause(2.5 * REPORT_S, lambda: link.report("error", "gone"))
    assert link.told_s == [0, REPORT_S, 2 * REPORT_S]
    assert link.now_s == 2.5 * REPORT_S


def test_no_pause_tells_nothing_and_a_link_that_ends_waits_no_longer(link) -> None:
    link.pause(0, lambda: link.report("error"))
    assert not link.reports
    link.pause(60, lambda: link.report("error"))
    assert link.now_s == 12 * REPORT_S


def test_a_tcp_address_that_is_taken_is_told_of_while_it_is_waited_for(link) -> None:
    """A wait grows to 30 s; a link that says nothing for so long looks dead."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ModbusConfig("", 9600, "N", 1, {1: ("bmsd",)}, tcp=taken.getsockname()[:2])
        modbus_tcp.run(link, settings, {}, None)  # type: ignore[arg-type]
    assert all(state == "error" and "cannot listen" in detail for state, detail in link.reports)
    assert link.told_s[0] == 0
    assert max(later - earlier for earlier, later in pairwise(link.told_s)) == REPORT_S
