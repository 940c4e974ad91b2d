"""Why charging or discharging is refused: every reason is told, by its name (S1, S14)."""

from __future__ import annotations

import pytest

from bmsd.core import alarms
from bmsd.core.permissions import against, unknowns
from bmsd.core.types import AfeState, Inhibit, InhibitCause, Request
from bmsd.tables.alarms import BOTH, BY_NAME, Block
from tests.support.bench_inputs import Pack, make_settings


@pytest.mark.parametrize("afe", [state for state in AfeState if state is not AfeState.READY])
def test_a_front_end_that_is_not_ready_forbids_everything_at_once(afe) -> None:
    """S1, S6: whatever it measured a moment ago, and while every value is still young enough."""
    pack = Pack().started()
    pack.afe = afe
    out = pack.cycle()
    assert Inhibit(InhibitCause.UNKNOWN, "afe") in out.charge_inhibits
    assert Inhibit(InhibitCause.UNKNOWN, "afe") in out.discharge_inhibits
    assert not out.commands.charge
    assert not out.commands.discharge


def test_the_front_end_is_named_before_the_values_that_it_does_not_give() -> None:
    pack = Pack(afe=AfeState.ABSENT, polled=False)
    out = pack.cycle()
    names = [reason.name for reason in out.charge_inhibits if reason.because is InhibitCause.UNKNOWN]
    assert names == ["afe", "cell_mv", "battery_decic", "switch_decic", "current_ma", "stack_mv"]


def test_a_pack_in_order_lacks_nothing() -> None:
    pack = Pack().started()
    assert pack.out is not None
    assert unknowns(pack.settings, pack.out.values, AfeState.READY) == ()
    assert pack.out.charge_inhibits == pack.out.discharge_inhibits == ()


def test_a_board_without_a_switch_sensor_does_not_miss_it() -> None:
    pack = Pack(make_settings(switch_sensor=False), switch=None).started()
    assert pack.out is not None
    assert pack.out.charge_inhibits == ()


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_the_operators_no_is_told_with_the_name_of_the_switch(name) -> None:
    """S14."""
    pack = Pack().started()
    out = pack.cycle(Request("switch", name, False))
    told = {"charge": out.charge_inhibits, "discharge": out.discharge_inhibits}
    assert told.pop(name)[0] == Inhibit(InhibitCause.OPERATOR, name)
    assert told.popitem()[1] == ()


def test_all_reasons_are_collected_not_only_the_first() -> None:
    unknown = (Inhibit(InhibitCause.UNKNOWN, "cell_mv"), Inhibit(InhibitCause.UNKNOWN, "stack_mv"))
    found = against((), Block.CHARGE, unknown, started=False, consent=False)
    assert found == (*unknown, Inhibit(InhibitCause.STARTING), Inhibit(InhibitCause.OPERATOR, "charge"))


def alarmed(name: str) -> alarms.Active:
    return ((BY_NAME[name], alarms.AlarmState(True, 0)),)


@pytest.mark.parametrize("block", [Block.CHARGE, Block.DISCHARGE])
def test_a_direction_that_waits_for_the_operators_word_names_itself(block) -> None:
    """S13."""
    found = against((), block, (), started=True, consent=True, asked_for=False)
    assert found == (Inhibit(InhibitCause.NOT_ASKED, block.name.lower()),)


def test_a_last_limit_is_the_reason_where_it_took_a_lifted_alarm_back() -> None:
    """S10: beside an alarm that yields in this direction, and only there."""

    def told(name: str, block: Block, spent: Block) -> list[Inhibit]:
        found = against(alarmed(name), block, (), started=True, consent=True, spent=spent, passed=spent)
        after = against(alarmed(name), block, (), started=True, consent=True, spent=spent)
        assert [(r.name, r.because) for r in after if r.because is InhibitCause.SPENT] == [
            (r.name, InhibitCause.SPENT) for r in found if r.because is InhibitCause.LAST_LIMIT
        ], "passed no more, but still spent"
        return [reason for reason in found if reason.because is InhibitCause.LAST_LIMIT]

    assert BY_NAME["cell_uvp"].overridable == Block.DISCHARGE
    assert told("cell_uvp", Block.DISCHARGE, Block.DISCHARGE) == [
        Inhibit(InhibitCause.LAST_LIMIT, "discharge")
    ]
    assert told("cell_uvp", Block.CHARGE, BOTH) == []
    assert told("cell_uvp", Block.DISCHARGE, Block.CHARGE) == []
    assert against((), Block.DISCHARGE, (), started=True, consent=True, spent=BOTH) == ()


def test_an_override_lifts_an_alarm_only_where_it_reaches_and_the_alarm_yields() -> None:
    """S10."""

    def given(name: str, block: Block, lifts: Block) -> bool:
        return not against(alarmed(name), block, (), started=True, consent=True, lifts=lifts)

    assert given("cell_uvp", Block.DISCHARGE, Block.DISCHARGE)
    assert not given("cell_uvp", Block.DISCHARGE, Block.CHARGE)
    assert not given("short_circuit", Block.DISCHARGE, BOTH)


def test_an_alarm_forbids_only_what_its_row_blocks() -> None:
    """S1."""
    assert against(alarmed("cell_uvp"), Block.CHARGE, (), started=True, consent=True) == ()
    assert against(alarmed("cell_uvp"), Block.DISCHARGE, (), started=True, consent=True) == (
        Inhibit(InhibitCause.ALARM, "cell_uvp"),
    )
