"""A chip that measures and may not be set up: the pack is seen and told of, and nothing closes."""

from __future__ import annotations

from bmsd.core.types import ALL_OFF, AfeState, ChipFault, InhibitCause
from tests.support.bench_inputs import Pack


def test_its_cells_are_known_and_nothing_closes() -> None:
    """S6, S15: not even after any number of good cycles."""
    pack = Pack(afe=AfeState.WATCHING, current_ma=None, switch=None)
    pack.run(60_000)
    assert pack.out is not None
    assert pack.out.values.cell_mv == (3300, 3301, 3302, 3303)
    assert "afe_not_set" in pack.active()
    assert "afe_lost" not in pack.active()
    assert not pack.state.started
    assert pack.state.commands == ALL_OFF
    assert pack.out.limits.charge_ma == pack.out.limits.discharge_ma == 0
    assert InhibitCause.UNKNOWN in {
        reason.because for reason in pack.out.charge_inhibits if reason.name == "afe"
    }


def test_a_cell_in_trouble_is_told_of_meanwhile() -> None:
    pack = Pack(afe=AfeState.WATCHING, cells=[3700, 3300, 3300, 3300])
    pack.run(5000)
    assert "cell_ovp" in pack.active()


def test_it_comes_back_when_it_was_set_up() -> None:
    """S15."""
    pack = Pack(afe=AfeState.WATCHING)
    pack.run(60_000)
    pack.afe = AfeState.READY
    pack.run(25_000)
    assert pack.state.commands.charge
    assert pack.state.commands.discharge
    assert not pack.active()


def test_without_an_answer_it_is_lost_and_what_was_told_stays() -> None:
    """S2."""
    pack = Pack(afe=AfeState.WATCHING)
    pack.run(5000)
    pack.polled = False
    pack.run(60_000)
    assert {"afe_not_set", "afe_lost"} <= pack.active()


def test_its_trips_are_those_of_other_limits() -> None:
    """S2: they neither explain anything nor are told."""
    pack = Pack(afe=AfeState.WATCHING, faults=ChipFault.CELL_OVER_VOLTAGE, cells=[3700, 3300, 3300, 3300])
    pack.run(5000)
    assert "chip_charge_trip" not in pack.active()
    pack.cells = [3300] * 4
    pack.run(30_000)
    assert "cell_ovp" not in pack.active()
