"""Each cause of an alarm that is no comparison, by itself: what is found, and that nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import checks
from bmsd.core.alarms import Finding
from bmsd.core.contactors import PrechargeState
from bmsd.core.heater_watch import Verdict
from bmsd.core.plausible import HeldReadings, Values, validate
from bmsd.core.settings import Settings
from bmsd.core.switching import SwitchState
from bmsd.core.types import AfeReport, AfeState, ChipFault, Commands, Inputs, Levels, Measurement
from tests.support.bench_inputs import make_settings
from tests.support.changed import replace

SETTINGS = make_settings()
GOOD = Measurement(
    cell_mv=(3300,) * 4,
    stack_mv=13_200,
    charger_mv=0,
    load_mv=0,
    current_ma=0,
    battery_decic=(250, 250),
    switch_decic=300,
    faults=ChipFault.NONE,
)
BAD, NOT_SEEN = Finding(True, None, None), Finding(None, None, None)
T = 3_000_000


def believed(**changed: Any) -> Values:
    return validate(HeldReadings(), replace(GOOD, **changed), 0, SETTINGS.parameters)[0]


def lost(values: Values, settings: Settings = SETTINGS) -> dict[str, Finding]:
    return checks.lost_values(settings, values)


def test_a_pack_in_order_has_no_cause_of_anything() -> None:
    assert lost(believed()) == {}
    assert checks.chip(AfeReport(AfeState.READY, GOOD), 0) == {}
    assert outputs() == {}
    assert checks.heater(Verdict(), False) == {}
    assert checks.override(False) == {}


@pytest.mark.parametrize(
    ("changed", "name", "where"),
    [
        ({"cell_mv": (3300, 3300, None, None)}, "cell_lost", 3),
        ({"cell_mv": (3300,) * 3}, "cell_lost", None),
        ({"cell_mv": (3300,) * 5}, "cell_lost", None),
        ({"battery_decic": (250, None)}, "temperature_lost", 2),
        ({"battery_decic": (250,)}, "temperature_lost", None),
        ({"battery_decic": (250,) * 3}, "temperature_lost", None),
        ({"switch_decic": None}, "switch_temperature_lost", None),
        ({"current_ma": None}, "current_lost", None),
        ({"stack_mv": None}, "stack_lost", None),
    ],
)
def test_a_lost_value_is_a_cause_with_the_place_of_the_first(changed, name, where) -> None:
    """S2."""
    assert lost(believed(**changed)) == {name: Finding(True, None, where)}


def test_all_that_is_lost_is_named_in_the_order_of_the_values() -> None:
    nothing = believed(
        cell_mv=(None,) * 4, stack_mv=None, current_ma=None, battery_decic=(None,) * 2, switch_decic=None
    )
    assert checks.unknown_values(SETTINGS, nothing) == [
        "cell_mv", "battery_decic", "switch_decic", "current_ma", "stack_mv",
    ]  # fmt: skip


def test_a_board_without_a_switch_sensor_loses_none() -> None:
    assert lost(believed(switch_decic=None), make_settings(switch_sensor=False)) == {}


def test_a_frozen_cell_is_named_the_first_of_them() -> None:
    assert lost(believed()._replace(frozen=(2, 4))) == {"cell_frozen": Finding(True, None, 2)}


TOLD_BY_A_POLL = (
    "afe_reset", "afe_refused", "short_circuit", "chip_charge_trip", "chip_discharge_trip", "chip_fault",
)  # fmt: skip
UNSEEN = {**dict.fromkeys(TOLD_BY_A_POLL, NOT_SEEN), "afe_lost": BAD}


@pytest.mark.parametrize(
    ("report", "found"),
    [
        (AfeReport(AfeState.READY, None), UNSEEN),
        (AfeReport(AfeState.ABSENT, None), UNSEEN),
        (AfeReport(AfeState.ABSENT, GOOD), UNSEEN),
        (AfeReport(AfeState.CONFIGURING, GOOD), UNSEEN),
        (AfeReport(AfeState.CONFIGURING, replace(GOOD, faults=ChipFault.SHORT_CIRCUIT)), UNSEEN),
        (AfeReport(AfeState.REFUSED, None), {**UNSEEN, "afe_refused": BAD}),
        (AfeReport(AfeState.READY, GOOD, resets=4), {"afe_reset": BAD}),
        (AfeReport(AfeState.READY, GOOD, resets=3), {}),
        (AfeReport(AfeState.READY, GOOD, resets=2), {}),
        (AfeReport(AfeState.CONFIGURING, None, resets=3), {**UNSEEN, "afe_reset": BAD}),
        (AfeReport(AfeState.ABSENT, None, resets=3), UNSEEN),
        (AfeReport(AfeState.WATCHING, None), UNSEEN),
        (AfeReport(AfeState.WATCHING, GOOD), dict.fromkeys(TOLD_BY_A_POLL, NOT_SEEN)),
    ],
)
def test_what_a_front_end_in_this_state_leaves_to_see(report, found) -> None:
    """S2, S6: without a poll of a ready chip its trips are neither there nor gone."""
    assert checks.chip(report, 3) == found


def test_a_chip_that_is_configured_for_the_first_time_was_not_reset() -> None:
    assert checks.chip(AfeReport(AfeState.CONFIGURING, None), 0) == UNSEEN


@pytest.mark.parametrize("was_told", [False, True])
def test_a_chip_that_measures_and_may_not_be_set_up_is_told_of(was_told) -> None:
    """S6."""
    assert checks.not_set(AfeReport(AfeState.WATCHING, GOOD), was_told) == {"afe_not_set": BAD}


@pytest.mark.parametrize(
    "report",
    [
        *[AfeReport(state, None) for state in AfeState],
        *[AfeReport(state, GOOD) for state in (AfeState.ABSENT, AfeState.CONFIGURING, AfeState.REFUSED)],
    ],
)
def test_only_a_poll_of_a_chip_that_is_set_up_takes_that_back(report) -> None:
    """S2: where it was told; where it was not, nothing begins."""
    assert checks.not_set(report, True) == {"afe_not_set": NOT_SEEN}
    assert checks.not_set(report, False) == {}


@pytest.mark.parametrize("was_told", [False, True])
def test_a_chip_that_is_set_up_is_not_told_of(was_told) -> None:
    assert checks.not_set(AfeReport(AfeState.READY, GOOD), was_told) == {}


BOTH = {"chip_charge_trip": BAD, "chip_discharge_trip": BAD}


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (ChipFault.CELL_OVER_VOLTAGE, {"chip_charge_trip": BAD}),
        (ChipFault.CHARGE_OVER_CURRENT, {"chip_charge_trip": BAD}),
        (ChipFault.CHARGE_TEMPERATURE, {"chip_charge_trip": BAD}),
        (ChipFault.CELL_UNDER_VOLTAGE, {"chip_discharge_trip": BAD}),
        (ChipFault.DISCHARGE_OVER_CURRENT, {"chip_discharge_trip": BAD}),
        (ChipFault.DISCHARGE_TEMPERATURE, {"chip_discharge_trip": BAD}),
        (ChipFault.BOARD_TEMPERATURE, BOTH),
        (ChipFault.HOST_WATCHDOG, BOTH),
        (ChipFault.SHORT_CIRCUIT, {"short_circuit": BAD}),
        (ChipFault.PERMANENT_FAILURE, {"chip_fault": BAD}),
        (ChipFault.OTHER, {"chip_fault": BAD}),
        (ChipFault.SHORT_CIRCUIT | ChipFault.OTHER, {"short_circuit": BAD, "chip_fault": BAD}),
    ],
)
def test_each_bit_of_the_chip_is_its_cause_and_no_other(fault, found) -> None:
    """S6."""
    assert checks.chip(AfeReport(AfeState.READY, replace(GOOD, faults=fault)), 0) == found


def outputs(
    commands: Commands = Commands(charge=True, discharge=True),  # noqa: B008 - frozen
    lines: Levels | None = None,
    feedback: Levels | None = None,
    *,
    charge: SwitchState | None = None,
    main: SwitchState = SwitchState(),  # noqa: B008 - frozen
    tries: int = 0,
    settings: Settings = SETTINGS,
    report: AfeReport = AfeReport(AfeState.READY, GOOD),  # noqa: B008 - frozen
    resets_before: int = 0,
    after_ms: int = 3_600_000,
) -> dict[str, Finding]:
    """Compare outputs that follow, but for what is given."""
    c = commands
    lines = lines or Levels(
        charge=c.charge, discharge=c.discharge, precharge=c.precharge, heater=c.heater, buzzer=c.buzzer
    )
    feedback = feedback or Levels(charge=c.charge, discharge=c.discharge)
    inputs = Inputs(T, report, lines, feedback, contacts_after_ms=after_ms)
    states = charge or SwitchState(c.charge, T - 60_000), SwitchState(c.discharge, T - 60_000)
    return checks.outputs(settings, inputs, c, *states, PrechargeState(tries=tries), main, resets_before)


@pytest.mark.parametrize("name", ["charge", "discharge", "precharge", "heater", "buzzer"])
def test_a_wired_line_that_stands_elsewhere_or_cannot_be_read_is_a_fault(name) -> None:
    """S2, S5."""
    followed = Levels(charge=False, discharge=False, precharge=False, heater=False, buzzer=False)
    for level in (True, None):
        found = outputs(Commands(), replace(followed, **{name: level}))
        assert found == {"output_fault": BAD}
        only = make_settings(wired=frozenset(SETTINGS.wired - {name}))
        assert outputs(Commands(), replace(followed, **{name: level}), settings=only) == {}


def test_an_open_contact_on_a_closed_contactor_and_the_other_way_round() -> None:
    assert outputs(feedback=Levels(charge=False, discharge=True)) == {"charge_contactor_open": BAD}
    assert outputs(feedback=Levels(charge=True, discharge=False)) == {"discharge_contactor_open": BAD}
    assert outputs(Commands(), feedback=Levels(charge=True, discharge=False)) == {
        "charge_contactor_welded": BAD
    }
    assert outputs(Commands(), feedback=Levels(charge=False, discharge=True)) == {
        "discharge_contactor_welded": BAD
    }


def tripped(fault: ChipFault) -> AfeReport:
    return AfeReport(AfeState.READY, replace(GOOD, faults=fault))


BOTH_OPEN = Levels(charge=False, discharge=False)
EITHER = {"charge_contactor_open": NOT_SEEN, "discharge_contactor_open": NOT_SEEN}


@pytest.mark.parametrize(
    "report",
    [
        AfeReport(AfeState.READY, None), AfeReport(AfeState.ABSENT, None), AfeReport(AfeState.CONFIGURING, None),
        AfeReport(AfeState.REFUSED, None), AfeReport(AfeState.WATCHING, GOOD),
        AfeReport(AfeState.READY, GOOD, resets=3),
        *map(tripped, (ChipFault.SHORT_CIRCUIT, ChipFault.HOST_WATCHDOG, ChipFault.BOARD_TEMPERATURE,
                       ChipFault.PERMANENT_FAILURE, ChipFault.OTHER)),
    ],
)  # fmt: skip
def test_a_contactor_that_the_chip_may_have_opened_is_no_broken_coil(report: AfeReport) -> None:
    """S15: the latch would wait for a person after every trip and reset; another alarm tells that the chip acted."""
    assert outputs(feedback=BOTH_OPEN, report=report, resets_before=2) == EITHER
    assert outputs(feedback=Levels(charge=True, discharge=True), report=report, resets_before=2) == {}
    common = outputs(
        Commands(main=True),
        Levels(charge=False, discharge=False, precharge=False, heater=False, buzzer=False, main=True),
        Levels(main=False),
        main=SwitchState(True, T - 60_000),
        settings=make_settings(topology="common"),
        report=report,
        resets_before=2,
    )
    assert common == {"main_contactor_open": NOT_SEEN}
    closed = outputs(Commands(), feedback=Levels(charge=True, discharge=True), report=report, resets_before=2)
    assert closed == {"charge_contactor_welded": BAD, "discharge_contactor_welded": BAD}, "no chip closes one"


@pytest.mark.parametrize(
    "fault", [ChipFault.CELL_OVER_VOLTAGE, ChipFault.CHARGE_TEMPERATURE, ChipFault.CHARGE_OVER_CURRENT]
)
def test_a_trip_of_one_direction_excuses_the_other_contactor_nothing(fault: ChipFault) -> None:
    found = outputs(feedback=BOTH_OPEN, report=tripped(fault))
    assert found == {"charge_contactor_open": NOT_SEEN, "discharge_contactor_open": BAD}
    found = outputs(feedback=BOTH_OPEN, report=tripped(fault | ChipFault.CELL_UNDER_VOLTAGE))
    assert found == EITHER


@pytest.mark.parametrize(
    "fault", [ChipFault.CELL_UNDER_VOLTAGE, ChipFault.DISCHARGE_TEMPERATURE, ChipFault.DISCHARGE_OVER_CURRENT]
)
def test_a_trip_of_discharging_excuses_no_charge_contactor(fault: ChipFault) -> None:
    found = outputs(feedback=BOTH_OPEN, report=tripped(fault))
    assert found == {"charge_contactor_open": BAD, "discharge_contactor_open": NOT_SEEN}
    main = outputs(
        Commands(main=True),
        Levels(charge=False, discharge=False, precharge=False, heater=False, buzzer=False, main=True),
        Levels(main=False),
        main=SwitchState(True, T - 60_000),
        settings=make_settings(topology="common"),
        report=tripped(fault),
    )
    assert main == {"main_contactor_open": NOT_SEEN}, "both permits are in series"


def test_a_chip_that_reset_before_excuses_nothing_any_more() -> None:
    report = AfeReport(AfeState.READY, GOOD, resets=2)
    found = outputs(feedback=BOTH_OPEN, report=report, resets_before=2)
    assert found == {"charge_contactor_open": BAD, "discharge_contactor_open": BAD}


def test_a_contactor_has_its_time_to_move() -> None:
    settle_ms = SETTINGS.parameters.contactor_settle_ms
    moving, moved = SwitchState(True, T - settle_ms + 1), SwitchState(True, T - settle_ms)
    assert outputs(feedback=Levels(charge=False, discharge=True), charge=moving) == {}
    assert outputs(feedback=Levels(charge=False, discharge=True), charge=moved) == {
        "charge_contactor_open": BAD
    }
    assert outputs(feedback=Levels(charge=False, discharge=True), charge=SwitchState(True)) == {
        "charge_contactor_open": BAD
    }


def test_a_contact_that_was_read_soon_after_a_line_moved_says_nothing_yet() -> None:
    """S15: a slow cycle moves the line long after the time that it was decided for."""
    settle_ms = SETTINGS.parameters.contactor_settle_ms
    for commands, states, found in (
        (Commands(charge=True), SwitchState(True, T - 60_000), "charge_contactor_open"),
        (Commands(), SwitchState(False, T - 60_000), "charge_contactor_welded"),
    ):
        wrong = Levels(charge=not commands.charge, discharge=False)
        assert outputs(commands, feedback=wrong, charge=states, after_ms=settle_ms - 1) == {}
        assert outputs(commands, feedback=wrong, charge=states, after_ms=settle_ms) == {found: BAD}


def test_a_wired_contact_that_cannot_be_read_leaves_both_its_faults_open() -> None:
    """S2."""
    unseen = {
        "discharge_contactor_open": NOT_SEEN,
        "discharge_contactor_welded": NOT_SEEN,
        "contact_lost": BAD,
    }
    assert outputs(feedback=Levels(charge=True, discharge=None)) == unseen
    assert (
        outputs(
            feedback=Levels(charge=True, discharge=None),
            settings=make_settings(contacts=frozenset(("charge",))),
        )
        == {}
    )


@pytest.mark.parametrize("level", [False, True])
def test_the_chips_own_fets_have_no_auxiliary_contacts(level) -> None:
    """What is read there is no word about them: the chip's own register is."""
    own = make_settings(topology="afe")
    closed = Commands(charge=True, discharge=True)
    for commands in (Commands(), closed):
        assert outputs(commands, feedback=Levels(charge=level, discharge=level), settings=own) == {}


def test_the_common_contactor_is_watched_where_it_is_the_one() -> None:
    common = make_settings(topology="common")
    idle = Commands()
    assert outputs(idle, feedback=Levels(main=True), settings=common) == {"main_contactor_welded": BAD}
    assert outputs(
        idle, feedback=Levels(main=False), settings=common, main=SwitchState(True, T - 60_000)
    ) == {"main_contactor_open": BAD}
    assert outputs(idle, feedback=Levels(charge=True, discharge=True, main=False), settings=common) == {}
    assert outputs(idle, feedback=Levels(charge=False, discharge=False, main=True)) == {}


def test_a_source_that_stands_too_far_above_the_pack_is_told_with_its_voltage() -> None:
    """S15: after all attempts, and one more look that found it too far."""
    most = SETTINGS.parameters.precharge_tries
    values = believed(load_mv=17_000)
    assert checks.load_side(SETTINGS, PrechargeState(held=most), values) == {}
    assert checks.load_side(SETTINGS, PrechargeState(held=most + 1), values) == {
        "load_side_high": Finding(True, 17_000)
    }


def test_so_many_failed_pre_charges_are_a_fault() -> None:
    most = SETTINGS.parameters.precharge_tries
    assert outputs(tries=most - 1) == {}
    assert outputs(tries=most) == outputs(tries=most + 1) == {"precharge_failed": BAD}


@pytest.mark.parametrize(
    ("verdict", "over_limit", "found"),
    [
        (Verdict(no_warming=True), False, {"heater_no_warming": BAD}),
        (Verdict(long_run=True), False, {"heater_long_run": BAD}),
        (Verdict(stuck_on=True), False, {"heater_stuck_on": BAD}),
        (Verdict(over_current=True), False, {"heater_over_limit": BAD}),
        (Verdict(), True, {"heater_over_limit": BAD}),
        (Verdict(current_unknown=True), False, {"heater_over_limit": NOT_SEEN, "heater_stuck_on": NOT_SEEN}),
        (Verdict(current_unknown=True), True, {"heater_over_limit": BAD, "heater_stuck_on": NOT_SEEN}),
    ],
)
def test_each_verdict_of_the_heaters_watcher_is_its_cause_and_no_other(verdict, over_limit, found) -> None:
    """S2, S4: a sensor that does not answer neither raises nor releases."""
    assert checks.heater(verdict, over_limit) == found


def test_an_override_is_an_alarm_of_its_own() -> None:
    """S10."""
    assert checks.override(True) == {"emergency_override": BAD}
