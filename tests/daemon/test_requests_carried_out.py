"""Requests that parse but make no sense: each gets an error reply and changes nothing, whatever stands in it (S8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.config.load import load
from bmsd.daemon.request_handler import RequestHandler
from bmsd.tables import parameters
from tests.support.configured import EXAMPLE
from tests.support.effort import examples
from tests.support.handlers import handled, refused

CONFIG = load(EXAMPLE)
NONSENSE: tuple[dict[str, Any], ...] = (
    {"do": ""},
    {"do": "emergency"},
    {"do": "emergency", "on": 1},
    {"do": "charge"},
    {"do": "charge", "name": "force"},
    {"do": "charge", "name": "full", "on": 1},
    {"do": "charge", "name": "fast", "on": True},
    {"do": "charge", "name": ["full"], "on": True},
    {"do": "factory-reset"},
    {"do": "switch"},
    {"do": "switch", "name": "charge"},
    {"do": "switch", "name": "charge", "on": 1},
    {"do": "switch", "name": "charge", "on": None},
    {"do": "switch", "name": "heater", "on": True},
    {"do": "switch", "name": "precharge", "on": True},
    {"do": "switch", "name": ["charge"], "on": True},
    {"do": "switch", "name": {}, "on": True},
    {"do": "reset"},
    {"do": "reset", "alarm": "nothing"},
    {"do": "reset", "alarm": 7},
    {"do": "set"},
    {"do": "set", "values": None},
    {"do": "set", "values": {}},
    {"do": "set", "values": []},
    {"do": "set", "values": {"cell_ovp_mv": None}},
    {"do": "set", "values": {"cell_ovp_mv": True}},
    {"do": "set", "values": {"cell_ovp_mv": 3600.0}},
    {"do": "set", "values": {"cell_ovp_mv": "3600"}},
    {"do": "set", "values": {"cell_ovp_mv": [3600]}},
    {"do": "set", "values": {"cell_ovp_v": 3}},
    {"do": "set", "values": {"cell_ovp_mv": -1}},
    {"do": "set", "values": {"cell_ovp_mv": 3550, "cell_uvp_mv": 3550}},
    {"do": "set", "values": {"cell_ovp_mv": 3550, "nonsense": 1}},
    {"do": "set", "values": {"discharge_ocp_ma": 900_000, "discharge_ocp2_ma": 900_000, "short_circuit_ma": 900_000}},
    {"do": "preset"},
    {"do": "preset", "name": "jk"},
    {"do": "preset", "name": ["default"]},
    {"do": "preset", "name": 1},
    {"do": "sim"},
    {"do": "sim", "set": {}},
)  # fmt: skip


@pytest.mark.parametrize("request_", NONSENSE, ids=str)
def test_a_request_that_makes_no_sense_is_refused_in_words(request_) -> None:
    assert refused(RequestHandler(CONFIG, {}), request_)


@hypothesis_settings(deadline=None, max_examples=examples(300))
@given(
    st.dictionaries(
        st.sampled_from([row.name for row in parameters.ROWS]),
        st.integers(-(10**7), 10**7),
        min_size=1,
        max_size=4,
    )
)
def test_a_write_is_taken_whole_or_not_at_all(values) -> None:
    """S8: and what is taken is a set that is in order."""
    handler = RequestHandler(CONFIG, {})
    answer = handled(handler, {"do": "set", "values": values})
    if answer["ok"]:
        assert all(handler.parameters.get(name) == value for name, value in values.items())
        inside = {row.name: handler.parameters.get(row.name) for row in parameters.ROWS}
        assert parameters.problems(inside, CONFIG.cells) == {}
    else:
        assert handler.parameters == CONFIG.parameters
        assert handler.take_events() == []


def test_an_accepted_write_is_recorded_with_who_what_from_and_to() -> None:
    """S8."""
    handler = RequestHandler(CONFIG, {})
    answer = handled(handler, {"do": "set", "values": {"cell_ovp_mv": 3580}})
    assert answer == {"ok": True, "changed": ["cell_ovp_mv"]}
    (event,) = handler.take_events()
    assert (event.name, event.limit, event.value, event.who) == ("cell_ovp_mv", 3600, 3580, "uid 0")
    assert handler.changed == {"cell_ovp_mv": 3580}


def test_unset_goes_back_to_the_configuration() -> None:
    handler = RequestHandler(CONFIG, {"cell_ovp_mv": 3580})
    assert handler.parameters.cell_ovp_mv == 3580
    handled(handler, {"do": "unset"})
    assert handler.parameters == CONFIG.parameters
    assert handler.changed == {}


def test_a_preset_keeps_the_current_limits_of_the_installer() -> None:
    handler = RequestHandler(CONFIG, {})
    handled(handler, {"do": "preset", "name": "jk-compatible"})
    assert handler.parameters.charge_otp_decic == 600
    assert handler.parameters.charge_ocp_ma == 100_000


def test_a_factory_reset_goes_back_to_the_configuration_with_contactors_open_only() -> None:
    """S6, S8: parameters are those of the files, recorded with who; refused while a contactor is closed."""
    handler = RequestHandler(CONFIG, {"cell_ovp_mv": 3550})
    assert "a contactor is closed" in refused(handler, {"do": "factory-reset"})
    request = handled(handler, {"do": "factory-reset"}, "uid 7", contactors_open=True)
    assert (request.kind, request.who) == ("factory", "uid 7")
    assert handler.parameters == CONFIG.parameters
    assert [(event.name, event.value, event.who) for event in handler.take_events()] == [
        ("cell_ovp_mv", 3600, "uid 7")
    ]
    assert handler.changed == {}


@pytest.mark.parametrize("name", ["force", "full"])
@pytest.mark.parametrize("on", [True, False])
def test_a_charge_is_asked_of_the_core(name, on) -> None:
    request = handled(RequestHandler(CONFIG, {}), {"do": "charge", "name": name, "on": on}, "uid 7")
    assert (request.kind, request.name, request.on, request.who) == ("charge", name, on, "uid 7")


def test_the_override_is_asked_of_the_core() -> None:
    """S10: it carries who asked."""
    request = handled(RequestHandler(CONFIG, {}), {"do": "emergency", "on": True}, "uid 7")
    assert (request.kind, request.on, request.who) == ("emergency", True, "uid 7")
