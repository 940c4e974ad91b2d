"""What others make a link say and write has a bound, whatever they send."""

from __future__ import annotations

import pytest

from bmsd.links.limit import HOUR_MS, MINUTE_MS, Limit, RateLimits
from bmsd.links.link import ERROR, MOST_LINES, WARNING, Lost
from tests.links.watched import Watched


@pytest.fixture
def link(tmp_path, monkeypatch) -> Watched:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")  # as under systemd, which reads the priorities
    return Watched(tmp_path, monkeypatch, 10**9)


def test_two_limits_hold_together_and_what_one_refuses_the_other_does_not_count() -> None:
    both = RateLimits(Limit(2, MINUTE_MS), Limit(3, HOUR_MS))
    assert [both.spent(0), both.spent(1), both.spent(2), both.spent(3)] == [False, False, True, True]
    assert [both.spent(MINUTE_MS), both.spent(MINUTE_MS)] == [False, True]
    assert both.spent(HOUR_MS - 1)
    assert not both.spent(HOUR_MS)
    both.clear()
    assert not both.spent(HOUR_MS)


def test_a_plug_that_comes_and_goes_for_a_day_fills_no_journal(link, capsys) -> None:
    """S9: the limit is for every link, whatever it has to say and whoever makes it say so."""
    lost = Lost(link, "port")
    for _ in range(24 * 3600):
        lost.since("unplugged")
        lost.back()
        link.now_s += 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) <= 24 * (MOST_LINES + 2)
    assert "<4>bmsd-link modbus: 100 lines within an hour: further ones are left out" in said
    assert any("lines were left out" in line for line in said)


def test_what_was_left_out_is_counted_and_what_ends_a_link_is_always_said(link, capsys) -> None:
    for n in range(MOST_LINES + 5):
        link.say(WARNING, f"line {n}")
    link.say(ERROR, "ends")
    said = capsys.readouterr().err.splitlines()
    assert said[-3:] == [
        "<4>bmsd-link modbus: line 99",
        "<4>bmsd-link modbus: 100 lines within an hour: further ones are left out",
        "<3>bmsd-link modbus: ends",
    ]
    link.now_s += 3601
    link.say(WARNING, "again")
    assert capsys.readouterr().err.splitlines() == [
        "<5>bmsd-link modbus: 5 lines were left out",
        "<4>bmsd-link modbus: again",
    ]
