"""A trip of the chip that says no more than the daemon has decided is no fault, and one that says more is told."""

from __future__ import annotations

import pytest

from bmsd.core import checks
from bmsd.core.alarms import AlarmState, Finding
from bmsd.core.diode import Diodes
from bmsd.core.emergency import Override
from bmsd.core.state import begin
from bmsd.core.switching import SwitchState
from bmsd.core.trips import NOTHING, SAID, explained
from bmsd.core.types import AfeReport, AfeState, ChipFault, Levels, Request
from bmsd.tables.alarms import ALARMS, BOTH, Block
from tests.support.bench_inputs import Pack, believed, make_settings
from tests.support.changed import replace

CHIP = {"chip_charge_trip", "chip_discharge_trip", "chip_fault"}
COMMON = {
    "topology": "common",
    "wired": frozenset({"main", "precharge", "heater", "buzzer"}),
    "contacts": frozenset(),
}
SAME = [
    # what is wrong, the alarm that says so, the chip's word, what is blocked by it
    ({"battery": [-120, -115]}, "charge_utp", ChipFault.CHARGE_TEMPERATURE, Block.CHARGE),
    ({"battery": [580, 575]}, "charge_otp", ChipFault.CHARGE_TEMPERATURE, Block.CHARGE),
    ({"cells": [3650, 3400, 3400, 3400]}, "cell_ovp", ChipFault.CELL_OVER_VOLTAGE, Block.CHARGE),
    ({"cells": [2650, 2800, 2800, 2800]}, "cell_uvp", ChipFault.CELL_UNDER_VOLTAGE, Block.DISCHARGE),
    ({"battery": [-250, -245]}, "discharge_utp", ChipFault.DISCHARGE_TEMPERATURE, BOTH),
    ({"battery": [650, 645]}, "discharge_otp", ChipFault.DISCHARGE_TEMPERATURE, BOTH),
    ({"switch": 800}, "switch_otp", ChipFault.BOARD_TEMPERATURE, BOTH),
]


def troubled(wrong: dict, **more) -> Pack:
    """Give a pack that was in service and has been in this trouble for a minute."""
    pack = Pack(make_settings(heater_mohm=None, **more)).started()
    for name, value in wrong.items():
        setattr(pack, name, value)
    pack.run(60_000)
    return pack


@pytest.mark.parametrize(("wrong", "name", "fault", "blocked"), SAME)
def test_the_same_word_from_the_chip_changes_nothing(wrong, name, fault, blocked) -> None:
    """S1, S15: no further alarm, nothing else blocked, whatever the inverter hears stays the same."""
    pack = troubled(wrong)
    before, allowed = pack.active(), (pack.out.charge_allowed, pack.out.discharge_allowed)
    assert name in before
    pack.faults = fault
    pack.run(120_000)
    assert pack.active() == before
    assert (pack.out.charge_allowed, pack.out.discharge_allowed) == allowed
    assert allowed == (not blocked & Block.CHARGE, not blocked & Block.DISCHARGE)
    assert pack.state.commands.discharge is allowed[1]
    assert pack.out.word != "fault"


@pytest.mark.parametrize(("wrong", "name", "fault", "_blocked"), SAME)
def test_an_alarm_that_the_chip_confirms_ends_with_the_chips_trip(wrong, name, fault, _blocked) -> None:
    """S6: until then the chip would hold back what is told to close."""
    pack = troubled(wrong)
    pack.faults = fault
    pack.run(5000)
    pack.cells, pack.battery, pack.switch = [3300] * 4, [250, 250], 300
    pack.run(60_000)
    assert name in pack.active()
    assert not pack.active() & CHIP
    pack.faults = ChipFault.NONE
    pack.run(60_000)
    assert name not in pack.active()
    assert pack.state.commands.charge
    assert pack.state.commands.discharge


@pytest.mark.parametrize(("wrong", "name", "fault", "_blocked"), SAME)
def test_the_same_word_about_a_pack_that_is_well_is_told(wrong, name, fault, _blocked) -> None:
    """S1: then the daemon sees something else than the chip."""
    pack = Pack().started()
    pack.faults = fault
    pack.cycle()
    assert pack.active() & CHIP


def test_a_cold_start_hears_the_chip_before_its_own_delay_is_over() -> None:
    """S13: the value is beyond its limit, nothing is closed: the chip says nothing new."""
    pack = Pack(
        make_settings(heater_mohm=None, chosen={"temperature_delay_ms": 10_000}), battery=[-120, -118]
    )
    for _ in range(240):
        pack.faults = ChipFault.CHARGE_TEMPERATURE if pack.now_ms > 1_002_000 else ChipFault.NONE
        pack.cycle()
        assert not pack.active() & CHIP
    assert pack.active() == {"charge_utp"}
    assert pack.state.commands.discharge


def test_behind_a_contactor_that_is_told_to_be_closed_every_trip_is_told() -> None:
    """S1: the chip opens it in hardware; left commanded it would close again by itself, without pre-charge."""
    pack = Pack().started()
    pack.battery = [-120, -118]
    pack.cycle()
    pack.faults = ChipFault.CHARGE_TEMPERATURE
    pack.cycle()
    assert "chip_charge_trip" in pack.active()
    assert not pack.state.commands.charge
    assert pack.state.commands.discharge


def test_an_unknown_value_explains_nothing() -> None:
    """S2."""
    pack = Pack()
    pack.battery = [None, None]
    pack.run(3000)
    pack.faults = ChipFault.CHARGE_TEMPERATURE
    pack.cycle()
    assert "chip_charge_trip" in pack.active()


@pytest.mark.parametrize("fault", [ChipFault.SHORT_CIRCUIT, ChipFault.HOST_WATCHDOG, ChipFault.OTHER])
def test_some_words_of_the_chip_are_never_explained(fault) -> None:
    pack = troubled({"battery": [-250, -245]})
    pack.faults = fault
    pack.cycle()
    assert pack.active() & (CHIP | {"short_circuit"})


def test_one_word_of_two_that_is_new_is_told_alone() -> None:
    pack = troubled({"battery": [-120, -115]})
    pack.faults = ChipFault.CHARGE_TEMPERATURE | ChipFault.CELL_UNDER_VOLTAGE
    pack.cycle()
    assert pack.active() & CHIP == {"chip_discharge_trip"}


def test_what_an_override_lifts_explains_nothing() -> None:
    """S10: the chip's own limits are the last word."""
    pack = troubled({"cells": [2650, 2800, 2800, 2800]})
    pack.cycle(Request("emergency", "override", True, "uid 0"))
    pack.run(20_000)
    assert pack.state.commands.discharge
    pack.faults = ChipFault.CELL_UNDER_VOLTAGE
    pack.cycle()
    assert "chip_discharge_trip" in pack.active()
    assert not pack.state.commands.discharge


def test_behind_an_open_contactor_too() -> None:
    pack = troubled({"cells": [2650, 2800, 2800, 2800]})
    pack.state = replace(pack.state, override=Override(pack.now_ms, lifts=BOTH))
    report = pack.inputs().afe
    report = replace(report, measurement=replace(report.measurement, faults=ChipFault.CELL_UNDER_VOLTAGE))
    assert explained(pack.settings, pack.state, pack.out.values, report) == NOTHING


def test_a_common_contactor_that_is_closed_for_the_load_opens_with_any_trip() -> None:
    """S1: both permits are in series there, so it is open already, and must be told so."""
    pack = Pack(make_settings(heater_mohm=None, **COMMON))
    pack.lines, pack.feedback = (
        Levels(charge=False, discharge=False, precharge=False, heater=False, buzzer=False, main=False),
        Levels(),
    )

    def run(seconds: int) -> None:
        for _ in range(4 * seconds):
            pack.cycle()
            c = pack.state.commands
            pack.load_mv = 13_200 if c.precharge or c.main else 0
            pack.lines = Levels(
                charge=c.charge,
                discharge=c.discharge,
                precharge=c.precharge,
                heater=c.heater,
                buzzer=c.buzzer,
                main=c.main,
            )

    run(15)
    assert pack.state.commands.main
    pack.cells = [3650, 3400, 3400, 3400]
    run(10)
    assert pack.state.commands.main
    pack.faults = ChipFault.CELL_OVER_VOLTAGE
    run(1)
    assert "chip_charge_trip" in pack.active()
    assert not pack.state.commands.main


def test_without_a_poll_nothing_is_explained() -> None:
    """S2: what the chip says is unknown then, and no alarm ends."""
    pack = troubled({"battery": [-120, -115]})
    pack.polled = False
    assert explained(pack.settings, pack.state, pack.out.values, pack.inputs().afe) == NOTHING


def test_a_fet_that_does_not_go_on_is_found_beside_a_trip_of_the_other_one() -> None:
    """S2: a cold night is long, and the chip holds only the charge FET."""
    pack = Pack(make_settings(topology="afe", heater_mohm=None), battery=[-120, -118])
    pack.run(20_000)
    fault = ChipFault.CHARGE_TEMPERATURE
    report = pack.inputs().afe
    measured = replace(report.measurement, faults=fault, charge_fet=False, discharge_fet=False)
    inputs = replace(pack.inputs(), afe=replace(report, measurement=measured))
    on = SwitchState(True, pack.now_ms - 60_000)
    assert checks.fets(pack.settings, inputs, SwitchState(), on, Diodes(), fault) == {
        "output_fault": Finding(True)
    }
    assert checks.fets(pack.settings, inputs, SwitchState(), on, Diodes()) == {}


def test_every_alarm_that_explains_blocks_what_the_trip_holds() -> None:
    """S1: else a trip would be taken for known though nothing is decided."""
    rows = {row.name: row for row in ALARMS}
    for said in SAID.values():
        blocks = [rows[name].blocks & said.holds for name in said.alarms]
        assert said.holds in blocks


@pytest.mark.parametrize(
    ("active", "fault", "is_known"),
    [
        ({"cell_ovp"}, ChipFault.CELL_OVER_VOLTAGE, False),
        ({"cell_shutdown", "cell_uvp"}, ChipFault.CELL_UNDER_VOLTAGE, False),
        ({"cell_floor"}, ChipFault.CELL_UNDER_VOLTAGE, True),
        ({"charge_utp"}, ChipFault.CHARGE_TEMPERATURE, False),
        ({"charge_utp", "discharge_utp"}, ChipFault.CHARGE_TEMPERATURE, True),
        ({"charge_utp", "discharge_utp"}, ChipFault.DISCHARGE_TEMPERATURE, True),
        ({"discharge_ocp2"}, ChipFault.DISCHARGE_OVER_CURRENT, False),
        ({"switch_otp"}, ChipFault.BOARD_TEMPERATURE, True),
    ],
)
def test_behind_a_common_contactor_only_what_holds_both_directions_explains(active, fault, is_known) -> None:
    """S1: the chip holds it open; told to close for one direction it would count as one that does not follow."""
    settings = make_settings(**COMMON)
    state = replace(begin(0), alarms=tuple(AlarmState(row.name in active) for row in ALARMS))
    measured = replace(Pack().measurement(), faults=fault)
    known, confirmed = explained(settings, state, believed(settings), AfeReport(AfeState.READY, measured))
    assert (known, confirmed) == ((fault, frozenset(active)) if is_known else NOTHING)


def test_the_cold_of_the_other_direction_confirms_nothing() -> None:
    """S15: with two contactors discharging returns at its own limit, whatever the chip says of charging."""
    state = replace(
        begin(0), alarms=tuple(AlarmState(row.name in {"charge_utp", "discharge_utp"}) for row in ALARMS)
    )
    settings = make_settings()
    measured = replace(Pack().measurement(), faults=ChipFault.CHARGE_TEMPERATURE)
    found = explained(settings, state, believed(settings), AfeReport(AfeState.READY, measured))
    assert found == (ChipFault.CHARGE_TEMPERATURE, frozenset({"charge_utp"}))


F = ChipFault
SAYS = {
    F.CELL_OVER_VOLTAGE: (Block.CHARGE, {"cell_ovp"}),
    F.CHARGE_TEMPERATURE: (Block.CHARGE, {"charge_utp", "charge_otp"}),
    F.CHARGE_OVER_CURRENT: (Block.CHARGE, {"charge_ocp", "charge_ocp2"}),
    F.CELL_UNDER_VOLTAGE: (Block.DISCHARGE, {"cell_uvp", "cell_shutdown", "cell_floor"}),
    F.DISCHARGE_TEMPERATURE: (Block.DISCHARGE, {"discharge_utp", "discharge_otp"}),
    F.DISCHARGE_OVER_CURRENT: (Block.DISCHARGE, {"discharge_ocp", "discharge_ocp2"}),
    F.BOARD_TEMPERATURE: (BOTH, {"switch_otp"}),
}
"""The direction that each trip holds, and the alarms each of which holds it as well."""


def known(fault: ChipFault, *names: str, state: AfeState = AfeState.READY, **more) -> ChipFault:
    """Give what is known of a trip beside active alarms, with everything open."""
    fittings = {"topology": more.pop("topology")} if "topology" in more else {}
    made = make_settings(**fittings)
    measured = Pack(made, faults=fault).measurement()
    states = tuple(AlarmState(row.name in names) for row in ALARMS)
    before = replace(begin(0), **{"alarms": states, **more})
    return explained(made, before, believed(made), AfeReport(state, measured))[0]


@pytest.mark.parametrize("fault", F)
def test_each_trip_is_known_by_its_own_alarms_and_told_beside_any_other(fault) -> None:
    """S6: a short circuit and the watchdog are always told."""
    by = {row.name for row in ALARMS if known(fault, row.name)}
    assert by == (SAYS[fault][1] if fault in SAYS else set())
    assert all(known(fault, name) == fault for name in by)


@pytest.mark.parametrize("state", [AfeState.WATCHING, AfeState.CONFIGURING, AfeState.REFUSED])
def test_of_a_chip_that_is_not_set_up_no_trip_is_known(state) -> None:
    """S6: nobody knows what its limits are."""
    assert known(F.CELL_OVER_VOLTAGE, "cell_ovp", state=state) is F.NONE


CLOSED = SwitchState(True, 0)


@pytest.mark.parametrize("fault", SAYS)
@pytest.mark.parametrize("closed", ["charge", "discharge", "main"])
def test_a_trip_that_opens_what_is_told_to_be_closed_is_news(fault, closed) -> None:
    """S5."""
    holds, names = SAYS[fault]
    is_held = {"charge": Block.CHARGE, "discharge": Block.DISCHARGE, "main": Block.NONE}[closed] & holds
    assert known(fault, *names, **{closed: CLOSED}) == (F.NONE if is_held else fault)


@pytest.mark.parametrize(("closed", "is_news"), [("main", True), ("charge", False), ("discharge", False)])
def test_a_trip_of_either_direction_opens_the_common_contactor(closed, is_news) -> None:
    """S5: both permits are in series, so that it is held only by an alarm that holds both."""
    common = {"topology": "common", closed: CLOSED}
    assert known(F.BOARD_TEMPERATURE, "switch_otp", **common) == (F.NONE if is_news else F.BOARD_TEMPERATURE)
    assert known(F.CELL_OVER_VOLTAGE, "cell_ovp", **common) is F.NONE


@pytest.mark.parametrize("fault", [F.CHARGE_TEMPERATURE, F.DISCHARGE_TEMPERATURE])
@pytest.mark.parametrize(("names", "is_known"), [
    (("charge_utp", "discharge_utp"), True), (("charge_otp", "discharge_otp"), True),
    (("charge_utp",), False), (("discharge_otp",), False),
])  # fmt: skip
def test_a_temperature_that_opens_the_common_contactor_is_known_by_the_alarms_of_both_directions(
    fault, names, is_known
) -> None:
    """S6."""
    assert known(fault, *names, topology="common") == (fault if is_known else F.NONE)
