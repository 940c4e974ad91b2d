"""Welded and dead contactors seen by current and voltage, without auxiliary contacts; and what must never be one."""

from __future__ import annotations

import pytest

from bmsd.core.switching import SwitchState
from bmsd.core.types import Levels, Request
from tests.support.bench_inputs import Pack, make_settings
from tests.support.changed import replace

PROOF_MS, SETTLE_MS = 5000, 500
OFF = [Request("switch", name, False, "uid 0") for name in ("charge", "discharge")]
ON = [Request("switch", name, True, "uid 0") for name in ("charge", "discharge")]


def blind(**fittings) -> Pack:
    """Give a running pack whose contactors have no auxiliary contacts."""
    pack = Pack(make_settings(contacts=frozenset(), **fittings))
    pack.feedback = Levels()
    return pack.started()


def opened(**fittings) -> Pack:
    """Give a pack whose contactors were just commanded open."""
    pack = blind(**fittings)
    pack.cycle(*OFF)
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge
    return pack


def welds(pack: Pack) -> set[str]:
    """Name the welds that are told."""
    return {name for name in pack.active() if name.endswith("welded")}


@pytest.mark.parametrize(
    ("current_ma", "name"),
    [(2001, "charge_contactor_welded"), (-2001, "discharge_contactor_welded")],
)
def test_a_current_through_open_contactors_is_a_weld_at_its_time_and_not_before(current_ma, name) -> None:
    pack = opened()
    pack.current_ma = current_ma
    pack.cycle(after_ms=SETTLE_MS - 1)
    assert not pack.state.suspects, "the contacts may still move"
    pack.cycle(after_ms=1)
    pack.cycle(after_ms=PROOF_MS - 1)
    assert not pack.active()
    pack.cycle(after_ms=1)
    assert pack.active() == {name}


@pytest.mark.parametrize("current_ma", [2000, -2000, 0, None])
def test_a_current_at_the_limit_or_unknown_is_none(current_ma) -> None:
    """S2: an unknown current proves nothing here, and has an alarm of its own."""
    pack = opened()
    pack.current_ma = current_ma
    pack.run(60_000)
    assert not welds(pack)


def test_a_gap_in_the_current_begins_the_time_again() -> None:
    pack = opened()
    pack.run(1000)
    for _ in range(5):
        pack.current_ma = -20_000
        pack.run(PROOF_MS - 250)
        pack.current_ma = 0
        pack.cycle()
    assert not welds(pack)


def test_a_weld_is_latched_blocks_both_and_is_reset_when_no_current_flows() -> None:
    """S13: somebody has to look."""
    pack = opened()
    pack.current_ma = -20_000
    pack.run(10_000)
    assert not pack.reset("discharge_contactor_welded")
    pack.current_ma = 0
    pack.cycle(*ON)
    pack.run(20_000)
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge
    assert pack.reset("discharge_contactor_welded")


def test_capacitors_that_hold_the_load_side_for_ever_are_no_weld() -> None:
    """An inverter, or another source, keeps the voltage; only current proves a weld."""
    pack = opened()
    pack.load_mv = pack.charger_mv = sum(mv or 0 for mv in pack.cells)
    pack.run(3_600_000, 1000)
    assert not pack.active()


def test_one_closed_contactor_leaves_the_question_open() -> None:
    """Current that the other contactor carries says nothing."""
    pack = blind()
    pack.cycle(OFF[0])
    pack.current_ma = -50_000
    pack.run(60_000)
    pack.current_ma = 50_000
    pack.run(10_000)
    assert not pack.active()
    pack.run(20_000)
    assert "charge_past_contactor" in pack.active(), "a check of its own, and not at once"


def test_what_the_heater_or_its_stuck_relay_takes_is_no_weld() -> None:
    pack = opened(heater_from_pack=True, heater_mohm=6000)
    pack.current_ma = -(sum(mv or 0 for mv in pack.cells) // 6)
    pack.run(60_000)
    assert not welds(pack)


def test_a_heater_that_takes_twice_its_current_goes_off_and_latches_nothing() -> None:
    """S4, S15: the pack is back by itself when the heater is mended."""
    pack = opened(heater_from_pack=True, heater_mohm=6000)
    twice_ma = -2 * (sum(mv or 0 for mv in pack.cells) // 6) - 2001
    pack.run(1000)
    for _ in range(200):
        pack.state = replace(pack.state, heater=SwitchState(True, pack.now_ms))
        pack.current_ma = twice_ma
        pack.cycle()
        assert pack.alarm("heater_over_limit").active
        assert not pack.state.heater.on
    assert not welds(pack)
    pack.current_ma = 0
    pack.run(60_000)
    assert not pack.active()


def test_a_weld_behind_a_heater_is_found_when_that_is_off() -> None:
    """S4."""
    pack = opened(heater_from_pack=True, heater_mohm=6000)
    pack.state = replace(pack.state, heater=SwitchState(True, pack.now_ms))
    pack.current_ma = -10_000
    pack.run(SETTLE_MS + PROOF_MS + 500)
    assert welds(pack) == {"discharge_contactor_welded"}


@pytest.mark.parametrize(("permille", "open_"), [(900, False), (899, True)])
def test_a_load_side_that_stays_dead_is_a_contactor_that_does_not_close(permille, open_) -> None:
    pack = blind()
    pack_mv = 13_000
    pack.cells = [3250] * 4
    pack.load_mv = pack_mv * permille // 1000
    pack.cycle()
    pack.cycle(after_ms=PROOF_MS - 1)
    assert not pack.active()
    pack.cycle(after_ms=1)
    assert ("discharge_contactor_open" in pack.active()) is open_


def test_without_a_pre_charge_nobody_knows_that_the_load_side_is_measured() -> None:
    pack = Pack(make_settings(contacts=frozenset(), precharge=False))
    pack.feedback, pack.load_mv = Levels(), 0
    pack.run(60_000)
    assert pack.state.commands.discharge
    assert not pack.active()


def test_contact_and_current_disagree_and_either_one_is_enough() -> None:
    """A contact that reads open does not outvote a current, nor the other way round."""
    pack = Pack().started()
    pack.cycle(*OFF)
    pack.current_ma = -20_000
    pack.run(10_000)
    assert "discharge_contactor_welded" in pack.active()
    other = Pack().started()
    other.cycle(*OFF)
    other.feedback = Levels(charge=False, discharge=True)
    other.run(1000)
    assert "discharge_contactor_welded" in other.active()


@pytest.mark.slow
def test_hours_of_normal_life_raise_nothing() -> None:
    """Every quarter of an hour another current, and a switch now and then."""
    pack = blind()
    for turn in range(48):
        amps = (0, 40_000, -60_000, 5000, -1500)[turn % 5]
        asked = ON if turn % 4 else OFF
        pack.cycle(*asked)
        pack.run(15_000)
        both = pack.state.commands.charge and pack.state.commands.discharge
        pack.current_ma = amps if both else min(max(amps, -1900), 1900)
        for minute in range(15):
            pack.cells = [3300 + pack.current_ma // 1000 + minute % 2] * 4
            pack.run(59_000, 5000)
        pack.current_ma = 0
        pack.cycle()
        assert not pack.active()
