"""An operator asks for a forced or a full charge: it widens nothing, and it ends (S14)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.core.ordered import LASTS_MS, NOTHING_ORDERED
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.state import begin
from bmsd.core.types import Request
from tests.support.bench_inputs import Pack, make_settings

BOTH = pytest.mark.parametrize("name", ["force", "full"])


def ask(name: str, on: bool = True) -> Request:
    return Request("charge", name, on, "uid 7")


def half() -> Pack:
    """Give a pack that asks for nothing by itself."""
    made = make_settings()
    state = begin(0, soc_state=SocState(50_000 * MAMS_PER_MAH, 50))
    return Pack(made, state=state).started()


def asks(pack: Pack) -> dict[str, bool]:
    return {"force": pack.state.asks_force, "full": pack.state.asks_full}


def ended(pack: Pack, name: str) -> bool:
    assert pack.out is not None
    return (f"{name} charge", "ended") in {(event.name, event.state) for event in pack.out.events}


@BOTH
def test_it_is_asked_for_until_it_is_taken_back(name) -> None:
    pack = half()
    assert asks(pack) == {"force": False, "full": False}
    out = pack.cycle(ask(name))
    assert asks(pack) == {"force": name == "force", "full": name == "full"}
    assert [(e.kind, e.name, e.state, e.who) for e in out.events] == [
        ("request", f"{name} charge", "on", "uid 7")
    ]
    pack.run(3_600_000, 10_000)
    assert asks(pack)[name]
    pack.cycle(ask(name, False))
    assert asks(pack) == {"force": False, "full": False}
    assert pack.state.ordered is NOTHING_ORDERED


@BOTH
def test_it_ends_when_its_time_is_over(name) -> None:
    pack = half()
    begun_ms = pack.now_ms + 250
    pack.at(begun_ms, ask(name))
    pack.at(begun_ms + LASTS_MS[name] - 1)
    assert asks(pack)[name]
    assert not ended(pack, name)
    pack.at(begun_ms + LASTS_MS[name])
    assert not asks(pack)[name]
    assert ended(pack, name)
    pack.cycle()
    assert not ended(pack, name)


@BOTH
def test_asking_again_begins_the_time_anew(name) -> None:
    pack = half()
    begun_ms = pack.now_ms + 250
    pack.at(begun_ms, ask(name))
    pack.at(begun_ms + LASTS_MS[name] - 1000, ask(name))
    pack.at(begun_ms + LASTS_MS[name] + 1000)
    assert asks(pack)[name]


def test_both_end_when_the_pack_becomes_full() -> None:
    pack = half()
    pack.cycle(ask("force"), ask("full"))
    counter = pack.state.soc
    assert counter is not None
    pack.state = replace(pack.state, soc=replace(counter, full_charges=counter.full_charges + 1))
    pack.cycle()
    assert asks(pack) == {"force": False, "full": False}
    assert ended(pack, "force")
    assert ended(pack, "full")


def test_a_pack_that_was_full_when_it_was_asked_is_asked_all_the_same() -> None:
    """For a counter that is not believed, and for cells that need balancing."""
    pack = half()
    counter = pack.state.soc
    assert counter is not None
    pack.state = replace(pack.state, soc=replace(counter, full=True, full_charges=7))
    pack.cycle(ask("full"))
    assert asks(pack)["full"]


@BOTH
def test_it_widens_no_limit_and_closes_nothing(name) -> None:
    """S14: beside a cell at its limit the request stands, and nothing may flow."""
    pack, other = half(), half()
    pack.cycle(ask(name))
    other.cycle()
    for one in (pack, other):
        one.cells[0] = 3650
        one.run(10_000)
    assert pack.out is not None
    assert other.out is not None
    assert pack.out.commands == other.out.commands
    assert not pack.out.charge_allowed
    assert pack.out.limits.charge_ma == 0
    assert asks(pack)[name], "it is asked for again as soon as it may be"


@BOTH
def test_without_a_counter_it_ends_by_time_alone(name) -> None:
    pack = Pack(make_settings()).started()
    pack.state = replace(pack.state, soc=None)
    pack.at(pack.now_ms + 250, ask(name))
    assert asks(pack)[name]
    pack.at(pack.now_ms + LASTS_MS[name])
    assert not asks(pack)[name]
