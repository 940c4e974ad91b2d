"""Expectations: what holds, what fails, and that an unknown value is never good (S2)."""

from __future__ import annotations

import pytest

from bmsd.config.load import load
from bmsd.core.types import Event
from bmsd.sim.commands import BENCH_CONFIG
from bmsd.sim.expect import Checker, Expected, key_of

CONFIG = load(BENCH_CONFIG)


def bound(key: str, from_ms: int, to_ms: int, **bounds) -> Checker:
    moment = from_ms == to_ms
    return Checker((Expected("here", "it", key_of(key, CONFIG), bounds, from_ms, to_ms, moment),))


def events(*happened: str, order: tuple[str, ...] = (), never: tuple[str, ...] = ()) -> list[str]:
    checker = Checker((Expected("here", "it", None, order=order, never=never),))
    for at_s, words in enumerate(happened):
        name, state = words.split()
        checker.take(Event(at_ms=at_s * 1000, kind="alarm", name=name, state=state))
    return checker.failures()


@pytest.mark.parametrize(
    ("value_ma", "good"), [(3000, True), (3001, False), (None, False)], ids=["at", "above", "unknown"]
)
def test_a_bound_at_a_moment(value_ma, good) -> None:
    checker = bound("heater.current_a", 500, 500, max=3.0)
    checker.look(250, {"heater_ma": 9999})
    checker.look(500, {"heater_ma": value_ma})
    checker.look(750, {"heater_ma": 9999})
    assert (checker.failures() == []) is good


def test_a_bound_over_a_span_sees_every_cycle_in_it() -> None:
    checker = bound("cells.voltage_v.2", 1000, 2000, min=3.0)
    checker.look(750, {"cell_mv": [0, 0]})
    checker.look(1000, {"cell_mv": [0, 3000]})
    checker.look(1250, {"cell_mv": [0, None]})
    checker.look(2250, {"cell_mv": [0, 0]})
    assert checker.failures() == []
    checker.look(1500, {"cell_mv": [0, 2999]})
    assert checker.failures() == ["it: seen 2.999 at 1.5 s (here)"]


def test_a_value_never_known_fails() -> None:
    checker = bound("pack.current_a", 0, 1000, max=3)
    checker.look(500, {"current_ma": None})
    assert checker.failures() == ["it: the value was never known (here)"]


def test_flags_texts_and_unknown_can_be_expected() -> None:
    for key, wanted, points in (
        ("switches.charge", 1, {"charge_actual": True}),
        ("state", "idle", {"state": "idle"}),
        ("switches.charge", "unknown", {"charge_actual": None}),
    ):
        checker = bound(key, 0, 0, **{"is": wanted})
        checker.look(0, points)
        assert checker.failures() == []


def test_only_looked_at_when_wanted() -> None:
    checker = bound("state", 500, 500, **{"is": "idle"})
    assert [checker.needs_points(at_ms) for at_ms in (250, 500)] == [False, True]
    checker.look(500, {"state": "idle"})
    assert not checker.needs_points(750)


def test_an_order_of_events() -> None:
    wanted = ("charge off", "heater on", "charge on")
    assert events("charge on", "charge off", "cell_ovp raised", "heater on", "charge on", order=wanted) == []
    assert events("heater on", "charge off", "charge on", order=wanted) == [
        "it: never seen heater on after charge off (here)"
    ]
    assert events(order=wanted) == ["it: never seen charge off (here)"]


def test_events_that_must_not_come() -> None:
    assert events("charge on", never=("charge off",)) == []
    assert events("charge on", "charge off", never=("charge off",)) == ["it: seen charge off at 1 s (here)"]


def test_what_was_asked_for_is_not_what_happened() -> None:
    checker = Checker((Expected("here", "it", None, never=("charge off",)),))
    checker.take(Event(at_ms=0, kind="request", name="charge", state="off", who="Someone"))
    assert checker.failures() == []
