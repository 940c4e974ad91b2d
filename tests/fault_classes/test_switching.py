"""What is switched does not follow: contactors, pre-charge, heater, balancing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fault_classes.fault_bench import A_CYCLE_MORE_S, LONGEST_WAIT_S, PERIOD_S, Pack
from tests.support.effort import slow_but

pytestmark = pytest.mark.timeout(400)  # of processor time there is little on a busy machine

OTHER = {"charge": "discharge", "discharge": "charge"}


# 8  Contactors


@pytest.mark.fault_class(8, "alone")
@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_a_welded_contactor_opens_the_other_and_is_latched(name) -> None:
    """S1, S13: found when it should open; nothing is asked for any more; a restart and a mended weld end nothing."""
    pack = Pack().started()
    pack.fault(f"{name}_weld")
    pack.ask("switch", name, False)
    pack.trips(f"{name}_contactor_welded", 5)
    pack.until(lambda: not pack.contacts[OTHER[name]], A_CYCLE_MORE_S)
    assert pack.asks_for_nothing
    pack.fault(f"{name}_weld", False)
    pack.ask("switch", name, True)
    pack.stays(30, lambda: pack.is_open)
    pack.restart()
    pack.stays(30, lambda: pack.is_open)
    pack.reset(f"{name}_contactor_welded")
    pack.until(lambda: pack.carries == (True, True), 60)


@pytest.mark.fault_class(8, "alone")
@pytest.mark.parametrize(
    ("topology", "name"), [("split", "charge"), ("split", "discharge"), ("common", "main")]
)
def test_a_contactor_that_does_not_close_is_latched_and_not_tried_again(topology, name) -> None:
    """S12: one closing, an alarm, no hammering."""
    pack = Pack(topology)
    pack.fault(f"{name}_stuck_open")
    pack.trips(f"{name}_contactor_open", 30)
    tried = closings(pack, name)
    pack.run(600)
    assert closings(pack, name) == tried == 1
    pack.fault(f"{name}_stuck_open", False)
    pack.stays(30, lambda: not pack.contacts[name])
    pack.reset(f"{name}_contactor_open")
    pack.until(lambda: pack.contacts[name], 60)


@pytest.mark.fault_class(8, "alone")
def test_contacts_that_bounce_raise_nothing() -> None:
    """S12: an auxiliary contact that reads wrong for 0.4 s after each move, ten moves."""
    pack = Pack()
    pack.fault("charge_bounce")
    pack.fault("discharge_bounce")
    pack.started()
    for _ in range(5):
        for on in (False, True):
            pack.ask("switch", "charge", on)
            pack.ask("switch", "discharge", on)
            pack.run(20)
    assert not pack.raised
    assert pack.carries == (True, True)
    assert pack.moves("charge") == pack.moves("discharge") == 6


@pytest.mark.fault_class(8, "second")
def test_an_over_voltage_behind_a_welded_charge_contactor_opens_the_rest() -> None:
    """S1, S13: the charger is asked for zero, the weld found and latched; a cell that is well again ends one of two."""
    pack = Pack().started()
    pack.set(charger_a=40)
    pack.run(20)
    pack.fault("charge_weld")
    pack.cell(5, offset_mv=330)
    pack.trips("cell_ovp", 1.0 + A_CYCLE_MORE_S)
    pack.trips("charge_contactor_welded", LONGEST_WAIT_S)
    pack.until(lambda: not pack.contacts["discharge"], A_CYCLE_MORE_S)
    assert pack.asks_for_nothing
    pack.until(lambda: pack.amperes < 1, 20)
    pack.cell(5, offset_mv=0)
    pack.stays(60, lambda: pack.asks_for_nothing and not pack.contacts["discharge"])
    assert "cell_ovp" not in pack.active


@pytest.mark.fault_class(8, "second")
def test_a_weld_behind_a_deaf_inverter_is_told_by_everything_there_is() -> None:
    """S1: no contactor is left that could end it: the buzzer, zero limits and the alarm's name are."""
    pack = Pack(plant={"initial_soc": 0.9}).started()
    pack.fault("inverter_ignores_limits")
    pack.set(charger_a=85)
    pack.run(10)
    pack.fault("charge_weld")
    pack.cell(5, offset_mv=330)
    pack.trips("charge_contactor_welded", 5)
    pack.run(30)
    assert {"cell_ovp", "charge_contactor_welded"} <= set(pack.active)
    assert pack.contacts["charge"]
    assert not pack.contacts["discharge"]
    assert pack.asks_for_nothing
    sounds = []
    for _ in range(40):
        pack.cycle()
        sounds.append(pack.plant.buzzer)
    assert any(sounds)


@pytest.mark.fault_class(8, "second")
def test_a_contactor_that_does_not_close_beside_an_empty_pack_lets_it_charge() -> None:
    """S1: first under-voltage; then the discharge contactor is dead; charging stays possible, and both are told."""
    pack = Pack().started()
    pack.cell(5, offset_mv=-640)
    pack.until(lambda: not pack.contacts["discharge"], 6)
    pack.fault("discharge_stuck_open")
    pack.cell(5, offset_mv=0)
    pack.trips("discharge_contactor_open", 60)
    pack.set(charger_a=30)
    pack.stays(60, lambda: pack.contacts["charge"] and not pack.contacts["discharge"])
    assert pack.amperes > 20


def closings(pack: Pack, name: str) -> int:
    return int(pack.virtual.points()["charge_closings" if name == "main" else f"{name}_closings"])


# 9  Pre-charge


def attempts(pack: Pack) -> list[float]:
    """Give how long the pre-charge relay was on, each time."""
    at = [
        (event.at_ms, event.state)
        for event in pack.told
        if event.name == "precharge" and event.kind == "switch"
    ]
    return [(off[0] - on[0]) / 1000 for on, off in zip(at[::2], at[1::2], strict=False)]


@pytest.mark.fault_class(9, "alone")
@pytest.mark.parametrize(
    ("topology", "fault", "longest_s"),
    slow_but(
        [("split", "load_short", 2.0)],
        [("split", "load_short", 2.0), ("common", "load_short", 2.0), ("split", "load_left_on", 10.0)],
    ),
)
def test_a_load_side_that_does_not_come_up_is_tried_three_times(topology, fault, longest_s) -> None:
    """S13: a plain short for two seconds each, a load for its time-out; then an operator; never a hard closing."""
    pack = Pack(topology)
    pack.fault(fault)
    pack.trips("precharge_failed", 60)
    pack.run(600)
    assert attempts(pack) == [pytest.approx(longest_s, abs=PERIOD_S)] * 3
    assert not pack.carries[1]
    assert pack.plant.circuit.hard_closings == 0
    if topology == "split":
        assert pack.contacts["charge"], "an empty house can still be charged"
    pack.restart()
    pack.run(60)
    assert not pack.carries[1]
    pack.fault(fault, False)
    pack.reset("precharge_failed")
    pack.until(lambda: pack.carries == (True, True), 60)


@pytest.mark.fault_class(9, "alone")
@pytest.mark.parametrize("topology", ["split", "common"])
def test_no_load_at_all_is_no_fault(topology) -> None:
    """S13: nothing to charge behind the resistor: the voltage is there at once, and proves it."""
    pack = Pack(topology)
    pack.set(capacitance_mf=0.001)
    pack.until(lambda: pack.carries == (True, True), 10)
    pack.run(60)
    assert not pack.raised
    assert pack.plant.circuit.hard_closings == 0


@pytest.mark.fault_class(9, "alone")
def test_a_broken_resistor_closes_nothing() -> None:
    """S13: the load side stays at nothing."""
    pack = Pack()
    pack.fault("precharge_stuck_open")
    pack.trips("precharge_failed", 60)
    pack.stays(60, lambda: not pack.contacts["discharge"])


@pytest.mark.fault_class(9, "second")
def test_a_short_while_the_pack_was_empty_is_met_by_the_resistor() -> None:
    """S1: first under-voltage, then the short; charge brings the cells back, and nothing hard closes onto it."""
    pack = Pack().started()
    pack.cell(5, offset_mv=-640)
    pack.until(lambda: not pack.contacts["discharge"], 6)
    pack.fault("load_short")
    pack.run(10)
    pack.cell(5, offset_mv=0)
    pack.trips("precharge_failed", 90)
    pack.run(60)
    assert attempts(pack)[-3:] == [pytest.approx(2.0, abs=PERIOD_S)] * 3
    assert pack.plant.circuit.hard_closings == 0
    assert not pack.contacts["discharge"]
    assert pack.contacts["charge"]
    pack.reset("precharge_failed")
    pack.run(90)
    assert "precharge_failed" in pack.active, "a reset buys three more tries, not a closing"
    assert not pack.contacts["discharge"]


@pytest.mark.fault_class(9, "second")
@pytest.mark.parametrize("fault", ["ntc1_open", "afe_nack"])
def test_what_is_lost_during_a_pre_charge_ends_it(fault) -> None:
    """S1: the relay carries current too, so it opens with the rest."""
    pack = Pack()
    pack.fault("load_left_on")
    pack.until(lambda: pack.contacts["precharge"], 10)
    pack.fault(fault)
    pack.until(lambda: pack.is_open, 1.0 + A_CYCLE_MORE_S)
    pack.fault(fault, False)
    pack.trips("precharge_failed", 90)
    assert pack.plant.circuit.hard_closings == 0


# 13  Heater


WATCH_S = 600


def heating(measured_heater: bool = True, **plant: Any) -> Pack:
    """Give a cold pack that heats from its charger."""
    cold = {"ambient_c": -10.0, "start_c": -5.0, **plant}
    pack = Pack(measured_heater=measured_heater, plant=cold, heater_watch_ms=WATCH_S * 1000)
    pack.set(charger_a=40)
    pack.until(lambda: pack.contacts["heater"], 30)
    return pack.run(30)


@pytest.mark.slow
@pytest.mark.fault_class(13, "alone")
def test_a_heater_that_draws_too_much_is_cut_and_stays_bounded() -> None:
    """S4, S12: shorted turns, 7.8 A; cut in the cycle that measures it; charge stays blocked by the cold."""
    pack = heating()
    pack.fault("heater_short")
    pack.until(lambda: pack.plant.heater_a < 0.1, A_CYCLE_MORE_S)
    pack.trips("heater_over_limit", A_CYCLE_MORE_S)
    closed_before = pack.moves("heater")
    drawn_s = 0.0
    for _ in range(round(3600 / PERIOD_S)):
        pack.cycle()
        drawn_s += PERIOD_S * (pack.plant.heater_a > 3.0)
        assert not pack.contacts["charge"]
    assert pack.moves("heater") - closed_before <= 30
    assert drawn_s <= 20


@pytest.mark.fault_class(13, "alone")
@pytest.mark.parametrize(("fault", "measured"), [("heater_stuck_off", False), ("heater_open", True)])
def test_a_heater_that_does_not_heat_is_told_after_its_time(fault, measured) -> None:
    """S3, S4: ten minutes of heating without warmth, as set here; the relay opens, and charge stays blocked."""
    pack = heating(measured)
    pack.fault(fault)
    pack.trips("heater_no_warming", WATCH_S + 60)
    pack.until(lambda: not pack.contacts["heater"], A_CYCLE_MORE_S)
    pack.fault(fault, False)
    pack.stays(300, lambda: not pack.contacts["heater"] and not pack.contacts["charge"])


@pytest.mark.fault_class(8, "second")
@pytest.mark.parametrize("contacts", [True, False])
def test_beside_a_welded_charge_contactor_nothing_is_heated(contacts, monkeypatch) -> None:
    """S3: with an auxiliary contact, and with nothing but current and voltage to tell."""
    pack = Pack()
    if not contacts:
        monkeypatch.setattr(pack.bench.lines, "contact", lambda _name: None)
        settings = replace(pack.virtual.control.settings, contacts=frozenset())
        monkeypatch.setattr(pack.virtual.control, "settings", settings)
    pack.set(charger_a=38, charger_v=56)
    pack.until(lambda: pack.amperes > 30, 60)
    pack.fault("charge_weld")
    pack.set(pack_c=-8, ambient_c=-8)
    pack.stays(300, lambda: not pack.contacts["heater"])


@pytest.mark.fault_class(13, "alone")
def test_a_heater_that_stays_on_is_found_by_its_current_and_opens_everything() -> None:
    """S4: three seconds of current beside a relay that is off; without a current sensor only the thermostat is left."""
    pack = Pack(measured_heater=True).started()
    pack.set(charger_a=40)
    pack.fault("heater_stuck_on")
    pack.trips("heater_stuck_on", 3.0 + A_CYCLE_MORE_S)
    pack.until(lambda: pack.carries == (False, False), A_CYCLE_MORE_S)
    pack.fault("heater_stuck_on", False)
    pack.stays(60, lambda: pack.carries == (False, False))


@pytest.mark.fault_class(13, "alone")
@pytest.mark.xfail(
    strict=True, reason="without a measured current a relay that sticks is seen by nothing but warmth"
)
def test_a_heater_that_stays_on_is_found_without_a_current_sensor() -> None:
    """S4: the boards of today measure no heater current."""
    pack = Pack().started()
    pack.set(charger_a=40)
    pack.fault("heater_stuck_on")
    pack.trips("heater_stuck_on", 600)


@pytest.mark.fault_class(13, "second")
def test_a_heater_that_stays_on_beside_a_lost_sensor_outlasts_it() -> None:
    """S1, S13: the sensor is mended first; the heater still holds everything open."""
    pack = Pack(measured_heater=True).started()
    pack.set(charger_a=40)
    pack.fault("ntc1_open")
    pack.until(lambda: pack.is_open, 1.0 + A_CYCLE_MORE_S)
    pack.fault("heater_stuck_on")
    pack.trips("heater_stuck_on", 3.0 + A_CYCLE_MORE_S)
    pack.fault("ntc1_open", False)
    pack.stays(60, lambda: pack.carries == (False, False))
    assert "temperature_lost" not in pack.active


@pytest.mark.fault_class(13, "second")
def test_heat_that_does_not_come_is_not_hidden_by_a_sensor_at_the_warm_end() -> None:
    """S3, S4: one sensor reads 20 K too warm, then the heater dies: the coldest one is watched, charge stays off."""
    pack = heating(ts_offset_k=(20.0, 0.0))
    pack.fault("heater_stuck_off")
    pack.trips("heater_no_warming", WATCH_S + 60)
    pack.stays(60, lambda: not pack.contacts["charge"] and not pack.contacts["heater"])


@pytest.mark.fault_class(13, "second")
def test_a_short_in_the_heater_beside_a_chip_that_is_lost_is_off_with_it() -> None:
    """S2, S4: the heater goes with the first unknown value, before anything about its current is asked."""
    pack = heating()
    pack.fault("afe_crc")
    pack.fault("heater_short")
    pack.until(lambda: not pack.contacts["heater"], A_CYCLE_MORE_S)
    pack.until(lambda: pack.is_open, 1.0 + A_CYCLE_MORE_S)
    pack.stays(30, lambda: pack.is_open)


# 20  Balancing


def balancing() -> Pack:
    """Give a full, idle pack whose cells 3 and 9 are being balanced."""
    pack = Pack(plant={"initial_soc": 0.97, "soc_spread": 0.0}).started()
    for cell in (3, 9):
        pack.cell(cell, soc_percent=99.9)
    pack.until(lambda: balanced(pack) == {3, 9}, 30)
    return pack


def balanced(pack: Pack) -> set[int]:
    """Name the cells that are really being drained."""
    return {n for n, amps in enumerate(pack.plant.cells.balance_a, 1) if amps > 0}


@pytest.mark.fault_class(20, "alone")
def test_a_pack_at_rest_is_balanced_only_as_long_as_it_helps() -> None:
    """S1: idle is no reason to drain cells; near each other they are left alone."""
    pack = balancing()
    for cell in (3, 9):
        pack.cell(cell, soc_percent=97)
    pack.until(lambda: not balanced(pack), A_CYCLE_MORE_S)
    pack.stays(60, lambda: not balanced(pack))


@pytest.mark.fault_class(20, "alone")
@pytest.mark.parametrize("hot", ["pack_c", "board_c"])
def test_a_hot_pack_or_board_is_not_balanced(hot) -> None:
    """S1: resistors are heaters."""
    pack = balancing()
    pack.set(ambient_c=50)
    pack.set(**{hot: 85})
    pack.until(lambda: not balanced(pack), 2.0 + A_CYCLE_MORE_S)


@pytest.mark.fault_class(20, "alone")
def test_a_balanced_cell_is_read_as_it_is() -> None:
    """S2: through 0.05 ohm of wire, to 10 mV."""
    pack = balancing()
    for cell in (3, 9):
        pack.cell(cell, wire_ohm=0.05)
    for _ in range(200):
        pack.cycle()
        for volts, seen_mv in zip(pack.plant.cells.volts, pack.out.values.cell_mv, strict=True):
            assert seen_mv == pytest.approx(volts * 1000, abs=10)
    assert balanced(pack)


@pytest.mark.fault_class(20, "second")
@pytest.mark.parametrize("fault", ["ntc1_open", "cell_open_wire"])
def test_balancing_ends_when_a_value_is_lost(fault) -> None:
    """S2: what is measured beside it cannot be judged."""
    pack = balancing()
    pack.fault(fault, True, 12 if fault.startswith("cell") else None)
    pack.until(lambda: not balanced(pack), 1.0 + A_CYCLE_MORE_S)


@pytest.mark.fault_class(20, "second")
@pytest.mark.parametrize("fault", ["afe_stuck", "afe_nack"])
def test_the_chip_ends_balancing_by_itself_when_nobody_can_tell_it_to(fault) -> None:
    """S5: a balancing chip that cannot be reached any more; its own timer ends it within 20 s."""
    pack = balancing()
    pack.fault(fault)
    pack.until(lambda: not balanced(pack), 20.0 + A_CYCLE_MORE_S)
    pack.stays(60, lambda: not balanced(pack))
