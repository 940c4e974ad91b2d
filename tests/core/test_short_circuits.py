"""Short circuits in a row: each ends by itself, but not more often than the parameter allows."""

from __future__ import annotations

import pytest

from bmsd.core.state import begin
from bmsd.core.types import AfeState, ChipFault, Request
from bmsd.tables.alarms import BOTH, BY_NAME, Release
from tests.support.bench_inputs import Pack, make_settings

HOUR_MS = 3_600_000
RELEASE_MS = 60_000


def shorted(pack: Pack, at_ms: int | None = None) -> None:
    """Let the chip report a short for one cycle."""
    if at_ms is not None:
        pack.run(at_ms - pack.now_ms, 1000)
    pack.faults = ChipFault.SHORT_CIRCUIT
    pack.cycle()
    pack.faults = ChipFault.NONE
    pack.cycle()


def closes_again(pack: Pack) -> bool:
    pack.run(RELEASE_MS + 30_000)
    return pack.state.commands.charge and pack.state.commands.discharge


def test_three_end_by_themselves_and_the_fourth_within_the_hour_waits() -> None:
    """S1, S13: the parameter's own number, and one more."""
    pack = Pack().started()
    for number in (1, 2, 3):
        shorted(pack)
        assert pack.alarm("short_circuit").value == number
        assert not pack.state.commands.discharge
        assert closes_again(pack)
    shorted(pack)
    assert pack.alarm("short_circuit_repeated").active
    assert pack.alarm("short_circuit_repeated").value == 4
    assert not closes_again(pack)
    pack.run(5 * HOUR_MS, 10_000)
    assert pack.alarm("short_circuit_repeated").active
    assert pack.reset("short_circuit_repeated")
    assert closes_again(pack)


@pytest.mark.parametrize(("early_ms", "latched"), [(1, True), (0, False)])
def test_a_short_counts_for_an_hour_to_the_millisecond(early_ms, latched) -> None:
    pack = Pack().started()
    shorted(pack)
    first_ms = pack.state.shorts[0]
    for _ in (2, 3):
        pack.run(RELEASE_MS + 30_000)
        shorted(pack)
    pack.run(first_ms + HOUR_MS - early_ms - 250 - pack.now_ms, 1000)
    shorted(pack)
    pack.cycle(after_ms=1)
    assert pack.alarm("short_circuit_repeated").active is latched


@pytest.mark.parametrize("allowed", [0, 1, 5, 20])
def test_how_many_is_a_parameter(allowed) -> None:
    pack = Pack(make_settings(chosen={"short_circuit_releases_per_hour": allowed})).started()
    for _ in range(allowed):
        shorted(pack)
        assert not pack.alarm("short_circuit_repeated").active
        pack.run(RELEASE_MS + 10_000)
    shorted(pack)
    assert pack.alarm("short_circuit_repeated").active


def test_a_short_that_stays_is_one() -> None:
    pack = Pack().started()
    pack.faults = ChipFault.SHORT_CIRCUIT
    pack.run(600_000)
    assert len(pack.state.shorts) == 1
    assert not pack.alarm("short_circuit_repeated").active


def test_the_event_says_which_one_it_is() -> None:
    pack = Pack().started()
    for number in (1, 2):
        pack.faults = ChipFault.SHORT_CIRCUIT
        out = pack.cycle()
        assert [e.value for e in out.events if e.name == "short_circuit"] == [number]
        pack.faults = ChipFault.NONE
        assert closes_again(pack)


def test_without_a_poll_nothing_is_counted_and_nothing_released() -> None:
    """S2: the chip's trips are unknown then."""
    pack = Pack().started()
    shorted(pack)
    pack.polled, pack.afe = False, AfeState.ABSENT
    pack.run(RELEASE_MS * 2)
    assert pack.alarm("short_circuit").active
    assert len(pack.state.shorts) == 1


def test_the_latch_survives_a_restart_and_refuses_while_the_chip_still_trips() -> None:
    """S13: a power cut resets no fault; what stands in its way is the release time of the short itself."""
    pack = Pack(state=begin(0, latched={"short_circuit_repeated": (4, None)}))
    pack.run(60_000)
    assert pack.alarm("short_circuit_repeated").active
    assert pack.state.commands.charge is pack.state.commands.discharge is False
    pack.faults = ChipFault.SHORT_CIRCUIT
    pack.cycle(Request("reset", "short_circuit_repeated"))
    pack.run(60_000)
    assert not pack.state.commands.discharge


def test_the_row_blocks_and_ends_as_the_rules_say() -> None:
    row = BY_NAME["short_circuit_repeated"]
    assert row.blocks == BOTH
    assert row.ends is Release.OPERATOR
