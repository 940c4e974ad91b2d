"""The emergency override: what it lifts, what it never lifts, and when it ends."""

from __future__ import annotations

import pytest

from bmsd.core import emergency, permissions
from bmsd.core.alarms import AlarmState
from bmsd.core.plausible import validate
from bmsd.core.state import begin
from bmsd.core.types import AfeState, ChipFault, Inhibit, InhibitCause, Request
from bmsd.tables.alarms import ALARMS, BY_NAME, Block
from tests.support.bench_inputs import PERIOD_MS, Pack, make_settings
from tests.support.changed import replace

ON, OFF = Request("emergency", "override", True, "uid 7"), Request("emergency", "override", False, "uid 7")
HALF_HOUR_MS = 1_800_000
CHARGE, DISCHARGE = Block.CHARGE, Block.DISCHARGE
LIFTED = {
    "cell_ovp": CHARGE,
    "pack_ovp": CHARGE,
    "cell_uvp": DISCHARGE,
    "cell_shutdown": DISCHARGE,
    "pack_uvp": DISCHARGE,
    "discharge_utp": DISCHARGE,
    "auto_shutdown": DISCHARGE,
}
"""All that an override may lift, written down a second time."""
NEVER = (
    "short_circuit", "switch_otp", "cell_lost", "cell_frozen", "stack_mismatch", "stack_lost", "afe_lost",
    "afe_reset", "afe_refused", "chip_charge_trip", "chip_discharge_trip", "chip_fault", "charge_utp",
    "temperature_lost", "switch_temperature_lost", "current_lost", "cell_floor", "charge_contactor_welded",
    "discharge_contactor_welded", "charge_contactor_open", "discharge_contactor_open", "output_fault",
    "precharge_failed",
)  # fmt: skip


def empty(cell_mv: int = 2650) -> Pack:
    """Give a started pack whose cells then fell below under-voltage: discharging is blocked."""
    pack = Pack().started()
    pack.cells = [cell_mv] * 4
    pack.run(10_000)
    assert "cell_uvp" in pack.active()
    assert not pack.state.commands.discharge
    return pack


def full(cell_mv: int = 3620) -> Pack:
    """Give a started pack with a cell above over-voltage: charging is blocked."""
    pack = Pack().started()
    pack.cells[1] = cell_mv
    pack.run(10_000)
    assert "cell_ovp" in pack.active()
    assert not pack.state.commands.charge
    return pack


# --- What is lifted -------------------------------------------------------------------------------------------


def test_the_column_of_the_table_is_the_list_of_the_rule() -> None:
    """S10: nothing but this may be lifted, and what is never lifted is named."""
    assert {row.name: row.overridable for row in ALARMS if row.overridable} == LIFTED
    assert not [name for name in NEVER if BY_NAME[name].overridable]


@pytest.mark.parametrize("row", ALARMS, ids=lambda row: row.name)
@pytest.mark.parametrize("lifts", [Block.NONE, CHARGE, DISCHARGE, CHARGE | DISCHARGE])
def test_every_alarm_with_every_reach_of_the_override(row, lifts) -> None:
    """S10: an alarm blocks a direction unless the row and the override both say that it is lifted."""
    active = ((row, AlarmState(True)),)
    for block in (CHARGE, DISCHARGE):
        against = permissions.against(active, block, (), started=True, consent=True, lifts=lifts)
        lifted = block & lifts & LIFTED.get(row.name, Block.NONE)
        assert bool(against) is (bool(row.blocks & block) and not lifted)


def test_all_lifted_alarms_together_do_not_lift_one_that_is_not() -> None:
    """S10: each alarm is asked for itself."""
    every = tuple((row, AlarmState(True)) for row in ALARMS)
    for block in (CHARGE, DISCHARGE):
        against = permissions.against(every, block, (), started=True, consent=True, lifts=CHARGE | DISCHARGE)
        names = {reason.name for reason in against}
        assert names == {
            a.name for a in ALARMS if a.blocks & block and not LIFTED.get(a.name, Block.NONE) & block
        }


@pytest.mark.parametrize("block", [CHARGE, DISCHARGE])
@pytest.mark.parametrize("lifts", [Block.NONE, CHARGE | DISCHARGE])
def test_start_operator_and_unknown_values_are_not_lifted(block, lifts) -> None:
    """S10, S1, S13: what is no alarm is never lifted."""
    unknown = (Inhibit(InhibitCause.UNKNOWN, "cell_mv"),)
    assert permissions.against((), block, unknown, started=True, consent=True, lifts=lifts)
    assert permissions.against((), block, (), started=False, consent=True, lifts=lifts)
    assert permissions.against((), block, (), started=True, consent=False, lifts=lifts)


def test_an_empty_pack_discharges_through_pre_charge() -> None:
    """S10: the house gets its power back, and pre-charge is not skipped."""
    pack = empty()
    pack.cycle(ON)
    seen = [(pack.state.commands.precharge, pack.state.commands.discharge)]
    for _ in range(40):
        pack.cycle()
        seen.append((pack.state.commands.precharge, pack.state.commands.discharge))
    assert seen[0] == (True, False)
    assert seen[-1] == (False, True)
    assert pack.out.discharge_allowed
    assert "cell_uvp" in pack.active()
    assert "emergency_override" in pack.active()


def test_without_the_override_the_same_pack_stays_off() -> None:
    pack = empty()
    pack.run(10_000)
    assert not pack.state.commands.discharge


def test_a_full_pack_may_be_charged_up_to_the_margin() -> None:
    """S10: above over-voltage, not above over-voltage plus margin."""
    pack = full(3650)
    pack.cycle(ON)
    pack.run(6000)
    assert pack.state.commands.charge
    assert pack.out.limits.charge_ma == 0, "the inverter is asked for nothing all the same"


def test_heater_and_balancing_stay_blocked() -> None:
    """S10: only charging and discharging are lifted."""
    pack = empty(2550)
    pack.battery = [-80, -80]
    pack.cycle(ON)
    pack.run(20_000)
    assert "cell_shutdown" in pack.active()
    assert pack.state.commands.discharge
    assert not pack.state.commands.heater
    assert not pack.state.commands.balance_mask


# --- What is never lifted -------------------------------------------------------------------------------------


def test_one_step_above_the_margin_ends_charging_at_once_and_for_this_override() -> None:
    """S10: a cell above over-voltage plus margin; no delay, and no contactor that flaps there."""
    pack = full(3650)
    pack.cycle(ON)
    pack.run(6000)
    pack.cells[1] = 3651
    pack.cycle()
    assert not pack.state.commands.charge
    pack.cells[1] = 3640
    pack.run(20_000)
    assert not pack.state.commands.charge
    assert pack.state.override is not None, "discharging is still lifted"
    pack.cycle(OFF)
    pack.cycle(ON)
    pack.run(6000)
    assert pack.state.commands.charge


def test_a_cell_below_its_floor_ends_both_at_once() -> None:
    """S10: a cell below its floor; the latched alarm follows after its delay."""
    pack = empty(2000)
    pack.cycle(ON)
    pack.run(15_000)
    assert pack.state.commands.discharge, "exactly at the floor"
    pack.cells[2] = 1999
    pack.cycle()
    assert not pack.state.commands.discharge
    pack.cells[2] = 2100
    pack.run(20_000)
    assert not pack.state.commands.discharge


def test_a_last_limit_does_not_wait_for_little_current() -> None:
    """S10, S12: the contacts open under load rather than a cell goes below its floor."""
    for value, cells in (("cell_uvp", [2650, 2650, 1999, 2650]), ("cell_ovp", [3651, 3300, 3300, 3300])):
        pack = empty() if value == "cell_uvp" else full()
        pack.cycle(ON)
        pack.run(15_000)
        pack.current_ma = -40_000 if value == "cell_uvp" else 40_000
        pack.cycle()
        closed = pack.state.commands
        assert closed.discharge if value == "cell_uvp" else closed.charge
        pack.cells = cells
        pack.cycle()
        opened = pack.state.commands
        assert not (opened.discharge if value == "cell_uvp" else opened.charge)


def test_too_cold_to_charge_is_not_lifted() -> None:
    """S10: charging below the low-temperature limit, at the limit and one step below."""
    pack = full(3620)
    pack.battery = [0, 0]
    pack.cycle(ON)
    pack.run(6000)
    assert pack.state.commands.charge
    pack.battery = [-1, 0]
    pack.cycle()
    assert not pack.state.commands.charge


def test_a_battery_too_warm_stays_off() -> None:
    """S10: over-temperature is not on the list of what is lifted."""
    pack = empty()
    pack.battery = [601, 610]
    pack.run(5000)
    pack.cycle(ON)
    pack.run(20_000)
    assert not pack.state.commands.discharge
    assert not pack.state.commands.charge


@pytest.mark.parametrize(
    ("value", "lost"),
    [("cells", [2650, None, 2650, 2650]), ("battery", [None, 250]), ("switch", None), ("current_ma", None),
     ("stack", None), ("polled", False), ("afe", AfeState.CONFIGURING)],
)  # fmt: skip
def test_an_unknown_value_opens_in_spite_of_the_override(value, lost) -> None:
    """S10, S1, S2: unknown is tried in every input; each one opens once its last value is too old."""
    pack = empty()
    pack.cycle(ON)
    pack.run(15_000)
    assert pack.state.commands.discharge
    setattr(pack, value, lost)
    pack.run(1500)
    assert not pack.state.commands.discharge
    assert not pack.state.commands.charge
    assert pack.out.limits.discharge_ma == 0


@pytest.mark.parametrize(
    ("value", "lost", "left"),
    [("cells", [3300, None, 3300, 3300], Block.NONE), ("battery", [None, 250], DISCHARGE),
     ("switch", None, Block.NONE), ("cells", [3300] * 4, CHARGE | DISCHARGE)],
)  # fmt: skip
def test_nothing_is_lifted_where_a_last_limit_cannot_be_judged(value, lost, left) -> None:
    """S10, S2: each last limit by itself, before any alarm or unknown value is asked."""
    pack = Pack().started()
    setattr(pack, value, lost)
    p = pack.settings.parameters
    values, _ = validate(pack.state.held, pack.measurement(), pack.now_ms + 60_000, p, switch_sensor=True)
    reached = emergency.reach(pack.settings, emergency.Override(pack.now_ms), values)
    assert reached.lifts == left
    assert reached.spent == Block.NONE, "an unknown value ends nothing for good"


@pytest.mark.parametrize("fault", [fault for fault in ChipFault if fault])
def test_a_fault_that_the_chip_reports_is_not_lifted(fault) -> None:
    """S10: short circuit, the chip's own limits and its own faults."""
    pack = empty()
    pack.cycle(ON)
    pack.run(15_000)
    pack.faults = fault
    pack.cycle()
    of_charge = ChipFault.CELL_OVER_VOLTAGE | ChipFault.CHARGE_OVER_CURRENT | ChipFault.CHARGE_TEMPERATURE
    assert pack.state.commands.discharge is bool(fault & of_charge)
    if fault & of_charge:
        assert not pack.state.commands.charge


def test_a_hot_switch_board_is_not_lifted() -> None:
    """S10: at once while something is lifted, and the alarm after its delay."""
    pack = empty()
    pack.cycle(ON)
    pack.run(15_000)
    pack.switch = 750
    pack.cycle()
    assert pack.state.commands.discharge
    pack.switch = 751
    pack.cycle()
    assert not pack.state.commands.discharge


def test_a_pack_without_a_switch_sensor_has_an_override_too() -> None:
    pack = Pack(make_settings(switch_sensor=False), switch=None).started()
    pack.cells = [2650] * 4
    pack.run(10_000)
    pack.cycle(ON)
    pack.run(15_000)
    assert pack.state.commands.discharge


def test_an_operator_who_switched_off_is_not_overruled() -> None:
    """S10, S14: the override lifts alarms, not a person's word."""
    pack = empty()
    pack.cycle(Request("switch", "discharge", False, "uid 0"))
    pack.cycle(ON)
    pack.run(15_000)
    assert not pack.state.commands.discharge


def test_it_does_not_shorten_a_start() -> None:
    """S10, S13: good cycles first."""
    pack = Pack(cells=[2650] * 4)
    pack.cycle(ON)
    pack.run(PERIOD_MS * 5)
    assert not pack.state.started
    assert pack.state.commands == replace(pack.state.commands, charge=False, discharge=False, precharge=False)


# --- Waits ----------------------------------------------------------------------------------------------------


def test_a_contactor_that_used_up_its_hour_may_close_again() -> None:
    """S10, S12: its operations count anew from the start of the override, and no further."""
    pack = Pack(make_settings(chosen={"contactor_operations_per_hour": 3})).started()
    for _ in range(5):
        pack.cycle(Request("switch", "charge", False))
        pack.run(6000)
        pack.cycle(Request("switch", "charge", True))
        pack.run(6000)
    assert not pack.state.commands.charge
    assert pack.out.charge_inhibits[-1].because is InhibitCause.OPERATIONS
    pack.cycle(ON)
    pack.run(1000)
    assert pack.state.commands.charge
    for _ in range(5):
        pack.cycle(Request("switch", "charge", False))
        pack.run(6000)
        pack.cycle(Request("switch", "charge", True))
        pack.run(6000)
    assert not pack.state.commands.charge


def test_a_contactor_rests_after_opening_and_so_does_the_pre_charge_resistor() -> None:
    """S10, S12: what protects the hardware from heat and wear is not lifted."""
    pack = full(3650)
    pack.cycle(ON)
    pack.run(6000)
    pack.cycle(Request("switch", "charge", False))
    pack.cycle(Request("switch", "charge", True))
    pack.run(4000)
    assert not pack.state.commands.charge
    pack.run(2000)
    assert pack.state.commands.charge


# --- Its time -------------------------------------------------------------------------------------------------


def test_it_ends_after_exactly_thirty_minutes() -> None:
    """S10: not a millisecond later, and nothing renews it."""
    pack = empty()
    pack.cycle(ON)
    began_ms = pack.now_ms
    pack.run(HALF_HOUR_MS - PERIOD_MS)
    assert pack.state.commands.discharge
    pack.at(began_ms + HALF_HOUR_MS - 1)
    assert pack.state.commands.discharge
    pack.at(began_ms + HALF_HOUR_MS)
    assert not pack.state.commands.discharge
    assert pack.state.override is None
    assert [(e.kind, e.state) for e in pack.out.events if e.kind == "emergency"] == [("emergency", "ended")]
    pack.run(60_000)
    assert not pack.state.commands.discharge


def test_asking_again_does_not_make_it_longer() -> None:
    """S10: a script that asks every minute gets thirty minutes, not for ever."""
    pack = empty()
    pack.cycle(ON)
    began_ms = pack.now_ms
    while pack.now_ms < began_ms + HALF_HOUR_MS - 60_000:
        pack.cycle(ON, after_ms=60_000)
        assert pack.state.override.began_ms == began_ms
        assert "emergency" not in {event.kind for event in pack.out.events}
        assert "request" in {event.kind for event in pack.out.events}
    pack.at(began_ms + HALF_HOUR_MS)
    assert pack.state.override is None


@pytest.mark.slow
def test_it_can_be_asked_for_anew_once_it_ended() -> None:
    """S10: a new thirty minutes need a new word of a person."""
    pack = empty()
    pack.cycle(ON)
    pack.run(HALF_HOUR_MS)
    assert pack.state.override is None
    pack.cycle(ON)
    assert pack.state.override.began_ms == pack.now_ms


def test_off_ends_it_at_once() -> None:
    """S10: in the cycle that is asked."""
    pack = empty()
    pack.cycle(ON)
    pack.run(15_000)
    pack.cycle(OFF)
    assert not pack.state.commands.discharge
    assert "emergency_override" not in pack.active()


def test_the_last_word_of_a_cycle_counts() -> None:
    """S10: on and off in one cycle is off; off and on is a new one."""
    pack = empty()
    pack.cycle(ON, OFF)
    assert pack.state.override is None
    pack.cycle(OFF, ON)
    assert pack.state.override is not None


def test_a_restart_ends_it() -> None:
    """S10: what survives a start has no place for it."""
    assert begin(0).override is None


def test_it_is_told_who_asked() -> None:
    """S10: announced as an event that carries who asked."""
    pack = empty()
    pack.cycle(ON)
    told = [event for event in pack.out.events if event.kind == "emergency"]
    assert [(event.state, event.who) for event in told] == [("on", "uid 7")]
    pack.cycle(OFF)
    told = [event for event in pack.out.events if event.kind == "emergency"]
    assert [(event.state, event.who) for event in told] == [("off", "uid 7")]


def test_an_alarm_that_rises_while_it_is_lifted_says_so() -> None:
    """S10: the journal does not claim that something is blocked that is not."""
    pack = Pack().started()
    pack.cycle(ON)
    pack.cells = [2650] * 4
    events = []
    for _ in range(20):
        events += [event for event in pack.cycle().events if event.name == "cell_uvp"]
    assert [event.lifted for event in events] == [("discharge",)]
    assert pack.state.commands.discharge


# --- What the inverter is told --------------------------------------------------------------------------------


def test_the_inverter_may_take_a_fifth_from_an_empty_pack() -> None:
    """S10: told zero, it would leave the house dark; told everything, it would break the cells down."""
    pack = empty()
    assert pack.out.limits.discharge_ma == 0
    pack.cycle(ON)
    pack.run(15_000)
    most = pack.settings.parameters.discharge_max_ma
    assert pack.out.limits.discharge_ma == most // 5
    assert pack.out.limits.discharge_mv == pack.settings.parameters.cell_shutdown_mv * 4


def test_an_inverter_that_takes_just_that_fifth_keeps_its_limit() -> None:
    """S10: what the override tells is also what the inverter is held to; one that takes more is still found."""
    pack = empty()
    pack.cycle(ON)
    pack.run(15_000)
    pack.current_ma = -(pack.settings.parameters.discharge_max_ma // 5)
    pack.run(600_000)
    assert not [name for name in pack.active() if name.startswith("discharge_limit")]
    assert pack.state.commands.discharge
    pack.current_ma *= 2
    pack.run(600_000)
    assert "discharge_limit_enforced" in pack.active()
    assert not pack.state.commands.discharge


def test_a_healthy_pack_is_told_the_same_with_and_without() -> None:
    pack = Pack().started()
    pack.run(5000)
    before = pack.out.limits
    pack.cycle(ON)
    pack.run(1000)
    assert replace(pack.out.limits, discharge_mv=0) == replace(before, discharge_mv=0)


@pytest.mark.slow
def test_a_pack_that_shut_itself_down_is_woken_and_stays_awake() -> None:
    """S10: that is when it is needed; neither the shutdown nor sleep ends it before its time."""
    pack = Pack().started()
    pack.cells = [2550] * 4
    pack.until(lambda pack: pack.state.sleep.asleep, within_ms=3_600_000)
    assert "auto_shutdown" in pack.active()
    pack.cycle(ON)
    pack.run(15_000)
    assert pack.state.commands.discharge
    pack.run(HALF_HOUR_MS - 20_000)
    assert pack.state.commands.discharge
    assert not pack.state.sleep.asleep
    pack.run(10_000)
    assert not pack.state.commands.discharge
