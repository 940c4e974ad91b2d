"""Requests that came over a wire: they narrow what was set at the pack, and nothing else (S8, S14)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bmsd.config.load import load
from bmsd.core.types import Request
from bmsd.daemon.request_handler import RequestHandler
from tests.support.configured import EXAMPLE
from tests.support.handlers import handled

CONFIG = load(EXAMPLE)
OVP = CONFIG.parameters.cell_ovp_mv
WIRE = "modbus unit 1"


def ask(handler: RequestHandler, do: str, **words: Any) -> dict[str, Any] | Request:
    """Put a request to the handler; give its answer, or what goes to the core."""
    return handled(handler, {"do": do, **words}, "uid 990", 5000, contactors_open=True)


def narrow(handler: RequestHandler, **values: int) -> dict[str, Any]:
    answer = ask(handler, "set", values=values, remote=WIRE)
    assert isinstance(answer, dict)
    return answer


def here(handler: RequestHandler, **values: int) -> dict[str, Any]:
    answer = ask(handler, "set", values=values)
    assert isinstance(answer, dict)
    return answer


@pytest.fixture
def handler():
    return RequestHandler(CONFIG, {})


def test_narrower_is_taken_and_recorded_with_who(handler) -> None:
    """S8, S14."""
    assert narrow(handler, cell_ovp_mv=OVP - 20)["ok"]
    assert handler.parameters.cell_ovp_mv == OVP - 20
    (event,) = handler.take_events()
    assert (event.name, event.value, event.limit, event.who) == (
        "cell_ovp_mv",
        OVP - 20,
        OVP,
        f"{WIRE} (uid 990)",
    )


@pytest.mark.parametrize(
    "values",
    [{"cell_ovp_mv": OVP + 1}, {"cell_ovp_mv": OVP - 20, "cell_uvp_mv": CONFIG.parameters.cell_uvp_mv - 1}],
)
def test_wider_is_refused_as_a_whole(handler, values) -> None:
    """S14, S8."""
    answer = narrow(handler, **values)
    assert not answer["ok"]
    assert "which is set at the pack" in answer["error"]
    assert handler.parameters == CONFIG.parameters
    assert (handler.remote, handler.take_events()) == ({}, [])


def test_what_breaks_the_order_is_refused_by_the_same_check_as_here(handler) -> None:
    """S8."""
    answer = narrow(handler, cell_ovp_mv=CONFIG.parameters.cell_ovpr_mv)
    assert not answer["ok"]
    assert "must be at least" in answer["error"]


def test_from_afar_it_goes_back_to_what_was_set_here_and_no_further(handler) -> None:
    """S14."""
    narrow(handler, cell_ovp_mv=OVP - 50)
    assert narrow(handler, cell_ovp_mv=OVP - 10)["ok"]
    assert narrow(handler, cell_ovp_mv=OVP)["ok"]
    assert handler.remote == {}
    here(handler, cell_ovp_mv=OVP - 30)
    assert not narrow(handler, cell_ovp_mv=OVP - 29)["ok"]
    assert narrow(handler, cell_ovp_mv=OVP - 31)["ok"]
    assert handler.changed == {"cell_ovp_mv": OVP - 30}
    assert handler.parameters.cell_ovp_mv == OVP - 31


def test_a_word_said_here_ends_what_was_narrowed_from_afar(handler) -> None:
    narrow(handler, cell_ovp_mv=OVP - 50, cell_ovp_delay_ms=500)
    here(handler, cell_ovp_mv=OVP - 5)
    assert handler.parameters.cell_ovp_mv == OVP - 5
    assert handler.remote == {"cell_ovp_delay_ms": 500}
    ask(handler, "unset")
    assert handler.parameters == CONFIG.parameters
    assert handler.remote == {}


@pytest.mark.parametrize("do", ["unset", "factory-reset"])
def test_going_back_here_is_going_back_all_the_way(handler, do) -> None:
    narrow(handler, cell_ovp_mv=OVP - 50)
    ask(handler, do)
    assert handler.parameters == CONFIG.parameters


def test_what_was_narrowed_survives_a_restart(handler) -> None:
    """S13, S14."""
    narrow(handler, cell_ovp_mv=OVP - 50)
    again = RequestHandler(CONFIG, handler.changed, None, handler.remote)
    assert again.parameters.cell_ovp_mv == OVP - 50


def test_a_configuration_that_became_narrower_is_not_widened_by_what_was_kept(handler) -> None:
    """S14."""
    kept = {"cell_ovp_mv": OVP - 10}
    narrower = replace(CONFIG, parameters=replace(CONFIG.parameters, cell_ovp_mv=OVP - 40))
    assert RequestHandler(narrower, {}, None, kept).parameters.cell_ovp_mv == OVP - 40


@pytest.mark.parametrize("on", [True, False])
def test_a_switch_from_afar_is_another_request(handler, on) -> None:
    """S14."""
    assert ask(handler, "switch", name="charge", on=on, remote=WIRE) == Request(
        "remote", "charge", on, f"{WIRE} (uid 990)"
    )


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ("reset", {"alarm": "cell_floor"}), ("emergency", {"on": True}), ("factory-reset", {}), ("unset", {}),
        ("charge", {"name": "force", "on": True}),
        ("preset", {"name": "jk-compatible"}), ("wake", {}), ("writes", {"unlock_s": 60}), ("sim", {"list": True}),
    ],
)  # fmt: skip
def test_nothing_else_is_taken_from_afar(handler, do, words) -> None:
    """S14, S10."""
    answer = ask(handler, do, remote=WIRE, **words)
    assert isinstance(answer, dict)
    assert answer == {"ok": False, "error": "remotely only these are taken: switch, set"}


@pytest.mark.parametrize("place", [None, "", 7, True, "x" * 61, "two\nlines", "\x1b[31m", ["modbus"]])
def test_a_wire_without_a_plain_name_is_refused(handler, place) -> None:
    answer = ask(handler, "switch", name="charge", on=False, remote=place)
    assert isinstance(answer, dict)
    assert "plain words" in answer["error"]


WRITES = replace(CONFIG, modbus=replace(CONFIG.modbus, writes=True))  # type: ignore[type-var]


def test_unlocking_where_nothing_takes_writes_is_refused(handler) -> None:
    answer = ask(handler, "writes", unlock_s=60)
    assert isinstance(answer, dict)
    assert answer["error"].endswith("those with modbus.writes: none")


def test_unlocking_is_recorded_and_told_until_when() -> None:
    handler = RequestHandler(WRITES, {})
    assert ask(handler, "writes", unlock_s=600) == {"ok": True, "unlocked_s": 600}
    assert handler.unlocked == {"at_ms": 5000, "until_ms": 605_000, "link": ""}
    assert ask(handler, "writes", unlock_s=0, link="modbus") == {"ok": True, "unlocked_s": 0}
    assert handler.unlocked == {"at_ms": 5000, "until_ms": 0, "link": "modbus"}
    assert [(e.kind, e.name, e.state, e.who) for e in handler.take_events()] == [
        ("writes", "modbus", "unlocked", "uid 990"), ("writes", "modbus", "locked", "uid 990"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words", [{}, {"unlock_s": -1}, {"unlock_s": 3601}, {"unlock_s": True}, {"unlock_s": 1.5}, {"unlock_s": "10m"},
              {"unlock_s": 5, "link": "modbus@attic"}, {"unlock_s": 5, "link": 3}],
)  # fmt: skip
def test_unlocking_for_ever_or_nowhere_is_refused(words) -> None:
    handler = RequestHandler(WRITES, {})
    unlocked = handler.unlocked
    answer = ask(handler, "writes", **words)
    assert isinstance(answer, dict)
    assert not answer["ok"]
    assert handler.unlocked is unlocked
