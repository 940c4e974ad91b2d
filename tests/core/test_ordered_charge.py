"""An operator asks for a forced or a full charge: it widens nothing, and it ends (S14)."""

from __future__ import annotations

import pytest

from bmsd.core import ordered
from bmsd.core.ordered import NOTHING_ORDERED, Ordered
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.state import begin
from bmsd.core.types import Event, Request
from bmsd.tables.ordered import LASTS_MS
from tests.support.bench_inputs import Pack, make_settings
from tests.support.changed import replace

BOTH = pytest.mark.parametrize("name", ["force", "full"])


def ask(name: str, on: bool = True) -> Request:
    return Request("charge", name, on, "uid 7")


def half() -> Pack:
    """Give a pack that asks for nothing by itself."""
    made = make_settings()
    state = begin(0, soc_state=SocState(charge_mams=50_000 * MAMS_PER_MAH, error_permille=50))
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


@pytest.mark.parametrize("by_itself", [False, True])
@BOTH
def test_the_pack_asks_by_itself_or_an_operator_does(name, by_itself) -> None:
    state = begin(0)
    assert (state.asks_force, state.asks_full) == (False, False)
    given = {f"{name}_charge": True} if by_itself else {"ordered": Ordered(**{name: 1})}
    asking = replace(state, **given)
    assert (asking.asks_force, asking.asks_full) == (name == "force", name == "full")


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


T, HOUR_MS = 100_000_000, 3_600_000


def counted(full_charges: int) -> SocState:
    """Give a counter of a pack that was full so often."""
    return SocState(charge_mams=50_000 * MAMS_PER_MAH, error_permille=50, full_charges=full_charges)


@pytest.mark.parametrize(("name", "hours"), [("force", 12), ("full", 24)])
@pytest.mark.parametrize("counter", [None, counted(7)])
def test_a_forced_charge_lasts_twelve_hours_and_a_full_one_a_day(name, hours, counter) -> None:
    """Within a night; and within a day that has some sun."""
    begun, _ = ordered.advance(NOTHING_ORDERED, [ask(name)], counter, T)
    assert getattr(begun, name) == T + hours * HOUR_MS
    end_ms = T + hours * HOUR_MS
    assert ordered.advance(begun, [], counter, end_ms - 1) == (begun, ())
    assert ordered.advance(begun, [], counter, end_ms) == (
        NOTHING_ORDERED,
        (Event(at_ms=end_ms, kind="request", name=f"{name} charge", state="ended"),),
    )


@BOTH
def test_it_ends_with_the_next_full_charge_and_not_with_one_before(name) -> None:
    """A counter that never rises beyond where it was ends nothing, however often the pack had been full."""
    begun, _ = ordered.advance(NOTHING_ORDERED, [ask(name)], counted(7), T)
    assert begun.fulls == 7
    assert ordered.advance(begun, [], counted(7), T + 1) == (begun, ())
    assert ordered.advance(begun, [], None, T + 1) == (begun, ()), "a count that is lost says nothing (S2)"
    assert ordered.advance(begun, [], counted(8), T + 1) == (
        NOTHING_ORDERED,
        (Event(at_ms=T + 1, kind="request", name=f"{name} charge", state="ended"),),
    )


@BOTH
def test_where_the_count_comes_later_it_counts_from_there(name) -> None:
    """S2: asked before all cells were known."""
    begun, _ = ordered.advance(NOTHING_ORDERED, [ask(name)], None, T)
    assert begun.fulls is None
    assert ordered.advance(begun, [], None, T + 1) == (begun, ())
    known, events = ordered.advance(begun, [], counted(7), T + 2)
    assert (known, events) == (replace(begun, fulls=7), ())
    assert ordered.advance(known, [], counted(8), T + 3)[0] is NOTHING_ORDERED


def test_the_first_request_says_from_which_full_charge_on_both_count() -> None:
    force, _ = ordered.advance(NOTHING_ORDERED, [ask("force")], counted(7), T)
    both, _ = ordered.advance(force, [ask("full")], counted(7), T + 1)
    assert both == Ordered(T + 12 * HOUR_MS, T + 1 + 24 * HOUR_MS, 7)
    assert ordered.advance(both, [ask("force", False)], counted(7), T + 2)[0] == replace(both, force=None)


@BOTH
@pytest.mark.parametrize("other", ["force", "full"])
def test_one_that_is_asked_for_in_the_cycle_in_which_the_pack_gets_full_is_a_new_one(name, other) -> None:
    """A pack that was full when it was asked is asked all the same: the old order ends, the new one does not."""
    soc = SocState(charge_mams=50_000 * MAMS_PER_MAH, error_permille=50, full_charges=7)
    running, _ = ordered.advance(NOTHING_ORDERED, [ask(name)], soc, 1000)
    full = replace(soc, full_charges=8)
    after, events = ordered.advance(running, [ask(other)], full, 2000)
    assert [(event.name, event.state) for event in events] == [(f"{name} charge", "ended")]
    assert after == Ordered(**{other: 2000 + LASTS_MS[other]}, fulls=8)
    assert ordered.advance(after, [], full, 3000) == (after, ())
    assert ordered.advance(after, [], replace(soc, full_charges=9), 3000)[0] is NOTHING_ORDERED
