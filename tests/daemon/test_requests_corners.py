"""Requests that no one would write by hand: what JSON can say and the code does not expect (S9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.config.load import load
from bmsd.core.types import Request
from bmsd.daemon.request_handler import RequestHandler
from tests.support.configured import EXAMPLE
from tests.support.effort import examples
from tests.support.handlers import handled, refused

CONFIG = load(EXAMPLE)


@pytest.mark.parametrize("alarm", [[], {}, ["cell_floor"], {"name": "cell_floor"}], ids=str)
def test_a_reset_of_something_that_is_no_name_is_refused(alarm) -> None:
    """S9: a request never ends the core, whoever asks."""
    assert refused(RequestHandler(CONFIG, {}), {"do": "reset", "alarm": alarm})


@pytest.mark.parametrize("digits", [300, 400, 4000])
def test_a_number_without_measure_is_refused(digits) -> None:
    """S9: JSON knows no largest integer."""
    assert refused(RequestHandler(CONFIG, {}), {"do": "set", "values": {"cell_ovp_mv": 10**digits}})
    assert refused(RequestHandler(CONFIG, {}), {"do": "set", "values": {"heater_max_mw": -(10**digits)}})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
verbs = st.sampled_from(("switch", "reset", "set", "preset", "unset", "sim", "", "x"))
keys = st.sampled_from(("name", "on", "alarm", "values", "set", "cell"))


@hypothesis_settings(deadline=None, max_examples=examples(300))
@given(verbs, st.dictionaries(keys, anything, max_size=4))
def test_any_object_gets_an_answer_or_goes_to_the_core(verb, rest) -> None:
    """S9: whatever JSON can say."""
    handler = RequestHandler(CONFIG, {})
    answer = handled(handler, {**rest, "do": verb})
    assert isinstance(answer, Request) or isinstance(answer["ok"], bool)
