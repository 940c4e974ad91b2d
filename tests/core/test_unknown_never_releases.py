"""S2 in the corners: unknowns that meet another fault, and alarms whose cause can no longer be seen."""

from __future__ import annotations

import pytest

from bmsd.core.types import AfeState, Levels, Request
from tests.support.bench_inputs import Pack, cold, make_settings


def frozen() -> Pack:
    """Give a pack on which cell 3 has just been found frozen."""
    pack = Pack(make_settings(cells=8), cells=[3300] * 8).started()
    for _ in range(2):
        pack.cells = [mv if n == 2 else (mv or 0) - 20 for n, mv in enumerate(pack.cells)]
        pack.cycle()
    assert pack.alarm("cell_frozen").active
    return pack


def test_a_lost_poll_beside_a_frozen_cell_is_only_a_lost_poll() -> None:
    """Fault class 18: two faults at once; a decision is made, whatever is missing."""
    pack = frozen()
    pack.polled = False
    pack.run(60_000)
    assert pack.alarm("cell_frozen").active
    assert pack.alarm("afe_lost").active
    assert not pack.state.commands.charge


def test_a_frozen_cell_that_becomes_unknown_stays_frozen() -> None:
    """S2: an unknown value does not release an active alarm."""
    pack = frozen()
    pack.cells[2] = None
    pack.run(60_000)
    assert pack.alarm("cell_frozen").active


def test_a_stack_voltage_that_stays_unknown_ends_charging_and_discharging() -> None:
    """S1, S2: stack_mismatch blocks both, so both depend on the stack reading."""
    pack = Pack().started()
    pack.stack = None
    pack.run(60_000)
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_a_contact_that_can_no_longer_be_read_does_not_let_a_weld_be_reset(name) -> None:
    """S2: unknown is not open."""
    pack = Pack().started()
    pack.battery = [900, 900]
    pack.run(3000)
    pack.feedback = Levels(**{name: True})
    pack.run(1000)
    assert pack.alarm(f"{name}_contactor_welded").active
    pack.feedback = Levels()
    assert not pack.reset(f"{name}_contactor_welded")


def test_an_unknown_heater_current_does_not_end_an_over_limit() -> None:
    """S2: the sensor that saw too much has gone; nothing shows that the heater is in order."""
    pack = cold()
    pack.heater_ma = 3500
    pack.cycle()
    pack.heater_ma = None
    pack.run(60_000)
    assert pack.alarm("heater_over_limit").active


@pytest.mark.parametrize("name", ["afe_reset", "afe_refused"])
def test_a_chip_that_went_silent_is_not_a_chip_that_is_right_again(name) -> None:
    """S6: open until it is right again; silence says nothing about that."""
    pack = Pack().started()
    pack.polled = False
    if name == "afe_refused":
        pack.afe = AfeState.REFUSED
    else:
        pack.resets, pack.afe = 1, AfeState.CONFIGURING
    pack.cycle()
    assert pack.alarm(name).active
    pack.afe = AfeState.ABSENT
    pack.run(60_000)
    assert pack.alarm(name).active


def test_one_reset_is_enough_for_a_failed_pre_charge() -> None:
    """S13: the cause, too many failures in a row, is what the operator clears."""
    pack = Pack(load_mv=0)
    pack.until(lambda p: p.alarm("precharge_failed").active)
    pack.load_mv = "follow"
    assert pack.reset("precharge_failed")


@pytest.mark.parametrize("lost", ["cells", "battery", "current_ma", "switch", "stack"])
def test_a_cycle_with_an_unknown_value_is_no_complete_good_cycle(lost) -> None:
    """S13: the value of the cycle before does not make this one complete."""
    pack = Pack()
    sound = getattr(pack, lost)
    for turn in range(20):
        setattr(pack, lost, sound if turn % 2 else ([None, *sound[1:]] if isinstance(sound, list) else None))
        pack.cycle()
    assert not pack.state.commands.charge


def test_a_cell_that_moved_between_two_looks_is_not_frozen() -> None:
    """Fault class 1: it reads 3350 and 3351 in turn while the others pass the knee; a frozen one never moves."""
    pack = Pack(make_settings(cells=8), cells=[3350] * 8).started()
    for turn in range(60):
        pack.cells = [3350 + turn % 2] + [3350 + turn] * 7
        pack.cycle()
        assert not pack.alarm("cell_frozen").active


def test_a_pre_charge_that_keeps_being_interrupted_rests_as_well() -> None:
    """S12: no chatter, and the resistor must cool, however the attempt ended."""
    pack, starts, was_on = Pack(load_mv=0), 0, True
    pack.run(2250)
    assert pack.state.commands.precharge
    for turn in range(2400):
        pack.current_ma = None if turn % 8 >= 2 else 0
        pack.cycle()
        starts += pack.state.commands.precharge and not was_on
        was_on = pack.state.commands.precharge
    assert starts <= pack.settings.parameters.contactor_operations_per_hour


@pytest.mark.slow
def test_a_weak_charger_does_not_make_the_heater_chatter() -> None:
    """S12: a limit on operations per hour: its voltage falls whenever the heater draws."""
    pack, starts, was_on = cold(), 0, True
    for _ in range(14_400):
        pack.charger_mv = 14_000 if was_on else 16_000
        pack.cycle()
        starts += pack.state.commands.heater and not was_on
        was_on = pack.state.commands.heater
    assert starts <= pack.settings.parameters.contactor_operations_per_hour


def test_more_good_cycles_asked_for_at_run_time_do_not_open_a_running_pack() -> None:
    """S13 is about a start; a parameter write is none."""
    pack = Pack().started()
    pack.settings = make_settings(chosen={"start_good_cycles": 20})
    pack.cycle()
    assert pack.state.commands.charge


@pytest.mark.parametrize("count", [0, 3])
def test_a_measurement_of_another_size_is_a_lost_cell_and_no_crash(count) -> None:
    """S2: with one of them unknown as well."""
    pack = Pack().started()
    pack.cells = [3300] * count
    pack.stack = None
    pack.run(1000)
    pack.cells = [None, *pack.cells[1:]]
    pack.run(10_000)
    assert pack.alarm("cell_lost").active


def test_a_load_reading_from_before_the_attempt_proves_nothing() -> None:
    """S2: the load side was up when it was last seen, and has been let go since."""
    pack = Pack(
        make_settings(
            chosen={"value_max_age_ms": 5000, "contactor_min_off_ms": 500, "precharge_rest_ms": 1000}
        )
    )
    pack.started()
    pack.cycle(Request("switch", "discharge", False))
    pack.load_mv = None
    pack.cycle(Request("switch", "discharge", True))
    pack.run(3500)
    assert not pack.state.commands.discharge


@pytest.mark.parametrize("running", [False, True])
def test_a_wired_contact_that_stays_unreadable_becomes_an_alarm_itself(running) -> None:
    """S2: without it a weld is never found; and a start that waits for it has to say so."""
    pack = Pack().started() if running else Pack()
    for _ in range(240):
        pack.feedback = Levels(charge=None, discharge=pack.state.commands.discharge)
        pack.cycle()
    assert pack.active()
