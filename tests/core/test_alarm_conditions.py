"""Alarms that a check decides: each raised by its cause, at its delay, ended and blocking as its row says."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from bmsd.core.types import AfeState, ChipFault, Levels, Measurement
from bmsd.tables.alarms import ALARMS, BOTH, BY_NAME, EVERYTHING, Block, Release
from tests.support.bench_inputs import Pack, make_settings
from tests.support.changed import replace

CHARGE, DISCHARGE, HEATER, BALANCE = Block.CHARGE, Block.DISCHARGE, Block.HEATER, Block.BALANCE
CHARGE_OPEN, DISCHARGE_OPEN = Levels(charge=False, discharge=True), Levels(charge=True, discharge=False)
AGE_MS, GRACE_MS, RECOVERY_MS = 1000, 2000, 10_000
"""Defaults: an unknown value is believed for one second, then it is unknown for two, then it is an alarm."""
UNKNOWN_MS = AGE_MS + 1


class Cause(NamedTuple):
    """One condition row as the rules want it: how it comes, when, what it blocks and how it ends."""

    name: str
    cause: Callable[[Pack], None]
    first_ms: int
    """How long the cause is there before anyone can know."""
    delay_ms: int
    release_ms: int
    blocks: Block
    latched: bool = False


def set_to(**values: object) -> Callable[[Pack], None]:
    def cause(pack: Pack) -> None:
        for name, value in values.items():
            setattr(pack, name, value)

    return cause


def line_stuck(name: str, level: bool | None) -> Callable[[Pack], None]:
    return lambda pack: setattr(pack, "lines", replace(pack.inputs().lines, **{name: level}))


def fault(which: ChipFault) -> Callable[[Pack], None]:
    return set_to(faults=which)


COMES = (
    Cause("cell_lost", set_to(cells=[3300, None, 3302, 3303]), UNKNOWN_MS, GRACE_MS, RECOVERY_MS, EVERYTHING),
    Cause("temperature_lost", set_to(battery=[250, None]), UNKNOWN_MS, GRACE_MS, RECOVERY_MS, EVERYTHING),
    Cause("switch_temperature_lost", set_to(switch=None), UNKNOWN_MS, GRACE_MS, RECOVERY_MS, EVERYTHING),
    Cause("current_lost", set_to(current_ma=None), UNKNOWN_MS, GRACE_MS, RECOVERY_MS, BOTH | HEATER),
    Cause("stack_lost", set_to(stack=None), UNKNOWN_MS, GRACE_MS, RECOVERY_MS, BOTH),
    Cause("afe_lost", set_to(polled=False), 0, GRACE_MS, RECOVERY_MS, EVERYTHING),
    Cause("afe_lost", set_to(afe=AfeState.ABSENT), 0, GRACE_MS, RECOVERY_MS, EVERYTHING),
    Cause("afe_lost", set_to(afe=AfeState.CONFIGURING), 0, GRACE_MS, RECOVERY_MS, EVERYTHING),
    Cause("afe_not_set", set_to(afe=AfeState.WATCHING), 0, 0, RECOVERY_MS, EVERYTHING),
    Cause("afe_reset", set_to(resets=1), 0, 0, RECOVERY_MS, EVERYTHING),
    Cause("afe_reset", set_to(resets=1, afe=AfeState.CONFIGURING, polled=False), 0, 0, RECOVERY_MS, EVERYTHING),
    Cause("afe_refused", set_to(afe=AfeState.REFUSED, polled=False), 0, 0, RECOVERY_MS, EVERYTHING),
    Cause("short_circuit", fault(ChipFault.SHORT_CIRCUIT), 0, 0, 60_000, BOTH),
    Cause("chip_charge_trip", fault(ChipFault.CELL_OVER_VOLTAGE), 0, 0, RECOVERY_MS, CHARGE),
    Cause("chip_charge_trip", fault(ChipFault.CHARGE_OVER_CURRENT), 0, 0, RECOVERY_MS, CHARGE),
    Cause("chip_charge_trip", fault(ChipFault.CHARGE_TEMPERATURE), 0, 0, RECOVERY_MS, CHARGE),
    Cause("chip_charge_trip", fault(ChipFault.BOARD_TEMPERATURE), 0, 0, RECOVERY_MS, CHARGE),
    Cause("chip_charge_trip", fault(ChipFault.HOST_WATCHDOG), 0, 0, RECOVERY_MS, CHARGE),
    Cause("chip_discharge_trip", fault(ChipFault.CELL_UNDER_VOLTAGE), 0, 0, RECOVERY_MS, DISCHARGE),
    Cause("chip_discharge_trip", fault(ChipFault.DISCHARGE_OVER_CURRENT), 0, 0, RECOVERY_MS, DISCHARGE),
    Cause("chip_discharge_trip", fault(ChipFault.DISCHARGE_TEMPERATURE), 0, 0, RECOVERY_MS, DISCHARGE),
    Cause("chip_discharge_trip", fault(ChipFault.BOARD_TEMPERATURE), 0, 0, RECOVERY_MS, DISCHARGE),
    Cause("chip_discharge_trip", fault(ChipFault.HOST_WATCHDOG), 0, 0, RECOVERY_MS, DISCHARGE),
    Cause("chip_fault", fault(ChipFault.PERMANENT_FAILURE), 0, 0, RECOVERY_MS, EVERYTHING, latched=True),
    Cause("chip_fault", fault(ChipFault.OTHER), 0, 0, RECOVERY_MS, EVERYTHING, latched=True),
    Cause("contact_lost", set_to(feedback=Levels(charge=None, discharge=True)), 0, GRACE_MS, RECOVERY_MS, Block.NONE),
    Cause("charge_contactor_open", set_to(feedback=CHARGE_OPEN), 0, 0, 0, CHARGE, latched=True),
    Cause("discharge_contactor_open", set_to(feedback=DISCHARGE_OPEN), 0, 0, 0, DISCHARGE, latched=True),
    Cause("output_fault", line_stuck("heater", True), 0, 0, RECOVERY_MS, EVERYTHING),
    Cause("output_fault", line_stuck("charge", False), 0, 0, RECOVERY_MS, EVERYTHING),
    Cause("output_fault", line_stuck("discharge", None), 0, 0, RECOVERY_MS, EVERYTHING),
    Cause("heater_stuck_on", set_to(heater_ma=201), 0, 3000, 0, EVERYTHING, latched=True),
)  # fmt: skip
each_cause = pytest.mark.parametrize("cause", COMES, ids=lambda cause: cause.name)
ELSEWHERE = {
    "emergency_override": "test_emergency",
    "cell_frozen": "test_plausibility",
    "precharge_failed": "test_precharge",
    "charge_contactor_welded": "test_output_alarms",
    "discharge_contactor_welded": "test_output_alarms",
    "heater_over_limit": "test_heater_rules",
    "heater_no_warming": "test_heater_rules",
    "heater_long_run": "test_heater_rules",
    "configuration_fault": "test_output_alarms",
    "current_implausible": "test_cross_check",
    "current_reversed": "test_cross_check",
    "cells_frozen": "test_cross_check",
    "charge_past_contactor": "test_limit_compliance",
    "discharge_past_contactor": "test_limit_compliance",
    "charge_limit_ignored": "test_limit_compliance",
    "discharge_limit_ignored": "test_limit_compliance",
    "voltage_limit_ignored": "test_limit_compliance",
    "charge_limit_enforced": "test_limit_compliance",
    "discharge_limit_enforced": "test_limit_compliance",
    "short_circuit_repeated": "test_short_circuits",
    "cell_low": "test_low_battery",
    "auto_shutdown": "test_low_battery",
    "main_contactor_welded": "test_common_contactor",
    "main_contactor_open": "test_common_contactor",
    "charge_not_stopped": "test_common_contactor",
    "discharge_not_stopped": "test_common_contactor",
    "contactor_worn": "test_contactor_life",
    "cell_may_be_high": "test_doubt",
    "cell_may_be_low": "test_doubt",
    "stack_doubtful": "test_doubt",
    "cell_loose": "test_loose_wires",
    "reading_loose": "test_loose_wires",
    "cell_step": "test_cells_that_step",
    "guard_lost": "test_guard_is_missed",
    "load_side_high": "test_precharge",
    "load_side_live": "test_a_live_load_side",
    "charge_trip_repeated": "test_overloads",
    "discharge_trip_repeated": "test_overloads",
    "temperature_mismatch": "test_sensors_that_disagree",
}


def raised(cause: Cause) -> Pack:
    """Give a started pack on which the alarm of the case has just been raised."""
    pack = Pack().started()
    cause.cause(pack)
    if cause.first_ms:
        pack.cycle(after_ms=cause.first_ms)
    else:
        pack.cycle()
    if cause.delay_ms:
        pack.cycle(after_ms=cause.delay_ms)
    assert pack.alarm(cause.name).active
    return pack


def mend(pack: Pack) -> None:
    """Take every cause away; resets stay counted."""
    sound = Pack()
    for name in ("cells", "battery", "switch", "stack", "current_ma", "polled", "afe", "faults", "lines"):
        setattr(pack, name, getattr(sound, name))
    pack.feedback, pack.heater_ma = None, 0


def test_every_condition_row_has_its_case() -> None:
    decided = {alarm.name for alarm in ALARMS if not alarm.value}
    assert decided == {cause.name for cause in COMES} | set(ELSEWHERE)


@each_cause
def test_a_row_blocks_and_ends_as_the_rules_say(cause: Cause) -> None:
    row = BY_NAME[cause.name]
    assert row.blocks == cause.blocks
    assert (row.ends is Release.OPERATOR) is cause.latched


@each_cause
def test_it_comes_at_its_delay_and_not_a_millisecond_before(cause: Cause) -> None:
    """S2: an unknown value becomes an alarm itself after its grace time."""
    pack = Pack().started()
    cause.cause(pack)
    if cause.delay_ms:
        # The last belief ends one millisecond after its greatest age; from then on the grace time runs.
        pack.cycle(after_ms=cause.first_ms or 250)
        pack.cycle(after_ms=cause.delay_ms - 1)
        assert not pack.alarm(cause.name).active
        pack.cycle(after_ms=1)
    else:
        pack.cycle()
    assert pack.alarm(cause.name).active


@each_cause
def test_it_opens_what_it_blocks_in_the_same_cycle(cause: Cause) -> None:
    """S1: no permission stands beside an active alarm that blocks it."""
    pack = raised(cause)
    assert pack.out is not None
    if cause.blocks & CHARGE:
        assert not pack.out.charge_allowed
        assert not pack.out.commands.charge
    if cause.blocks & DISCHARGE:
        assert not pack.out.discharge_allowed
        assert not pack.out.commands.discharge
    if cause.blocks & BALANCE:
        assert not pack.out.commands.balance_mask


@each_cause
def test_it_ends_after_its_recovery_time_or_by_its_operator(cause: Cause) -> None:
    pack = raised(cause)
    mend(pack)
    pack.cycle()
    if cause.release_ms:
        pack.cycle(after_ms=cause.release_ms - 1)
        assert pack.alarm(cause.name).active
        pack.cycle(after_ms=1)
    if cause.latched:
        pack.run(3_600_000, 10_000)
        assert pack.alarm(cause.name).active
        assert pack.reset(cause.name)
    assert not pack.alarm(cause.name).active


@pytest.mark.parametrize("cause", [cause for cause in COMES if cause.latched], ids=lambda c: c.name)
def test_a_latched_one_refuses_its_reset_while_the_cause_persists(cause: Cause) -> None:
    pack = raised(cause)
    if cause.name.endswith("_contactor_open"):
        return  # The contactor is no longer wanted closed: an open contact is no fault now.
    pack.run(60_000)
    assert not pack.reset(cause.name)


@pytest.mark.parametrize("name", ["cell_lost", "temperature_lost"])
def test_a_lost_value_is_named(name: str) -> None:
    pack = raised(next(cause for cause in COMES if cause.name == name))
    assert pack.alarm(name).where == 2


@pytest.mark.parametrize("count", [2, 3])
def test_a_missing_sensor_is_a_lost_temperature(count: int) -> None:
    """S2: fewer sensors than fitted is unknown, not fine; the same holds for cells."""
    pack = Pack(make_settings(battery_sensors=count - 1))
    pack.battery = [250] * count
    pack.run(20_000)
    assert pack.alarm("temperature_lost").active
    assert not pack.state.commands.charge


@pytest.mark.parametrize("count", [3, 5])
def test_another_number_of_cells_than_declared_never_closes(count: int) -> None:
    """S13: all declared cells are present before the first closing."""
    pack = Pack(cells=[3300] * count)
    pack.run(20_000)
    assert pack.alarm("cell_lost").active
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge


def test_a_chip_fault_bit_in_a_value_that_is_not_read_changes_nothing() -> None:
    """S2: without a poll the chip's trips are unknown: an active one stays."""
    pack = raised(next(cause for cause in COMES if cause.name == "chip_charge_trip"))
    pack.polled = False
    pack.run(60_000)
    assert pack.alarm("chip_charge_trip").active


def test_a_measurement_of_nothing_but_unknowns_closes_nothing() -> None:
    """S2: unknown in every value at once."""
    pack = Pack(
        cells=[None] * 4, stack=None, charger_mv=None, load_mv=None, current_ma=None, battery=[None] * 2,
        switch=None, polled=True,
    )  # fmt: skip
    assert isinstance(pack.measurement(), Measurement)
    pack.run(60_000)
    assert pack.state.commands.charge is pack.state.commands.discharge is False
    assert {"cell_lost", "temperature_lost", "switch_temperature_lost", "current_lost"} <= pack.active()
