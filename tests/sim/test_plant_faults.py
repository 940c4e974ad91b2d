"""Every fault does what its row says, and undoes it when switched off."""

import math

import pytest

from bmsd.errors import PeerError
from bmsd.sim.faults import FAULTS
from bmsd.sim.plant import Plant, PlantSettings

FLAT = {"soc_spread": 0.0, "capacity_spread": 0.0, "resistance_spread": 0.0}


def running(**settings) -> Plant:
    """Give a pack that is pre-charged, closed both ways and charged with 40 A."""
    plant = Plant(PlantSettings(initial_soc=0.4, **settings))
    plant.set("charger_a", 40)
    plant.command("precharge", True)
    plant.advance(10_000)
    for name in ("charge", "discharge"):
        plant.command(name, True)
    plant.command("precharge", False)
    plant.advance(2000)
    return plant


def all_off(plant: Plant) -> None:
    for name in ("charge", "discharge", "precharge", "heater"):
        plant.command(name, False)
    plant.advance(1000)


def test_a_welded_charge_contactor_keeps_charging():
    plant = running()
    plant.fault("charge_weld", True)
    all_off(plant)
    assert plant.current_a == pytest.approx(40.0)
    assert plant.feedback("charge")
    plant.fault("charge_weld", False)
    plant.advance(250)
    assert plant.current_a == pytest.approx(0.0)


def test_a_welded_discharge_contactor_keeps_the_load_side_up():
    plant = running()
    plant.set("load_w", 1000)
    plant.fault("discharge_weld", True)
    plant.set("charger_a", 0)
    all_off(plant)
    assert plant.current_a == pytest.approx(-1000 / plant.cells.pack_v, rel=1e-3)
    plant.advance(60_000)
    assert plant.sense().load_mv == pytest.approx(plant.cells.pack_v * 1000)


@pytest.mark.parametrize("path", ["charge", "discharge", "precharge", "heater"])
def test_a_switch_that_is_stuck_open_does_not_close(path):
    name = "heater_stuck_off" if path == "heater" else f"{path}_stuck_open"
    plant = Plant(PlantSettings())
    plant.set("charger_a", 40)
    plant.fault(name, True)
    plant.command(path, True)
    plant.advance(1000)
    assert not plant.feedback(path)
    assert plant.current_a == 0.0
    assert plant.heater_a == 0.0
    plant.fault(name, False)
    assert plant.feedback(path)


@pytest.mark.parametrize("path", ["charge", "discharge", "heater"])
def test_a_stuck_feedback_stays_while_the_contacts_move(path):
    plant = Plant(PlantSettings())
    plant.fault(f"{path}_feedback_stuck", True)
    plant.command(path, True)
    plant.advance(1000)
    assert not plant.feedback(path)
    assert getattr(plant.circuit, path).closed
    plant.fault(f"{path}_feedback_stuck", False)
    assert plant.feedback(path)


def test_a_welded_precharge_relay_keeps_the_load_side_charged():
    plant = running()
    plant.fault("precharge_weld", True)
    all_off(plant)
    plant.advance(60_000)
    assert plant.sense().load_mv > 0.99 * plant.cells.pack_v * 1000


def test_a_heater_relay_stuck_on_heats_uncommanded():
    plant = Plant(PlantSettings(heater_supply="pack"))
    plant.fault("heater_stuck_on", True)
    plant.advance(1000)
    assert plant.heater_a == pytest.approx(plant.cells.pack_v / 24, rel=1e-3)


def test_a_burnt_heater_takes_no_current_and_a_shorted_one_more_than_three_amperes():
    plant = Plant(PlantSettings(heater_supply="pack"))
    plant.command("heater", True)
    plant.fault("heater_open", True)
    plant.advance(1000)
    assert plant.heater_a == 0.0
    assert plant.feedback("heater")
    plant.fault("heater_open", False)
    plant.fault("heater_short", True)
    plant.advance(1000)
    assert plant.heater_a == pytest.approx(plant.cells.pack_v / (0.3 * 24), rel=1e-3)
    assert plant.heater_a > 3.0


def test_a_load_left_on_keeps_precharge_from_finishing():
    plant = Plant(PlantSettings())
    plant.fault("load_left_on", True)
    plant.command("precharge", True)
    plant.advance(30_000)
    # 50 ohm behind 100 ohm: a third of the voltage, a constant third of an ampere
    assert plant.sense().load_mv == pytest.approx(plant.cells.pack_v * 1000 / 3, rel=1e-3)
    assert plant.current_a == pytest.approx(-plant.cells.pack_v / 150, rel=1e-3)


def test_a_short_circuit_draws_thousands_of_amperes_and_none_through_the_precharge():
    plant = Plant(PlantSettings())
    plant.fault("load_short", True)
    plant.command("precharge", True)
    plant.advance(5000)
    assert plant.sense().load_mv < 10.0
    assert plant.current_a == pytest.approx(-plant.cells.pack_v / 100, rel=1e-3)
    plant.command("discharge", True)
    plant.advance(100)
    assert plant.current_a < -2000.0


def test_an_inverter_that_ignores_limits_goes_on_charging():
    plant = running()
    plant.fault("inverter_ignores_limits", True)
    plant.limits(50.0, 0.0, 0.0)
    plant.advance(60_000)
    assert plant.current_a == pytest.approx(40.0)


def test_a_charger_running_away_passes_its_own_voltage():
    plant = running()
    plant.set("soc_percent", 99)
    plant.fault("charger_runaway", True)
    plant.advance(1_200_000)
    assert plant.current_a == pytest.approx(40.0)
    assert max(plant.sense().cell_mv) > 3650.0


def test_a_loose_joint_makes_the_switch_board_hot_in_minutes():
    plant = Plant(PlantSettings(ambient_c=20.0))
    plant.fault("switch_hot", True)
    plant.advance(1_200_000)
    assert plant.sense().ts_decic[2] == pytest.approx(1000.0, abs=1.0)


def test_a_broken_sense_wire_moves_the_voltage_to_the_next_cell():
    plant = Plant(PlantSettings(**FLAT))
    true_mv = plant.sense().cell_mv[0]
    plant.fault("cell_open_wire", True, cell=3)
    reading = plant.sense()
    assert reading.cell_mv[2] == 0.0
    assert reading.cell_mv[3] == pytest.approx(2 * true_mv)
    assert reading.stack_mv == pytest.approx(16 * true_mv)
    plant.fault("cell_open_wire", False, cell=3)
    assert plant.sense().cell_mv[2] == true_mv


def test_a_broken_top_wire_leaves_the_top_cell_at_nothing():
    plant = Plant(PlantSettings(**FLAT))
    true_mv = plant.sense().cell_mv[0]
    plant.fault("cell_open_wire", True, cell=16)
    assert plant.sense().cell_mv == [true_mv] * 15 + [0.0]


def test_swapped_wires_make_a_cell_read_negative_and_keep_the_sum():
    plant = Plant(PlantSettings(**FLAT))
    true_mv = plant.sense().cell_mv[0]
    plant.fault("cell_wires_swapped", True, cell=3)
    cell_mv = plant.sense().cell_mv
    assert cell_mv[2:5] == pytest.approx([2 * true_mv, -true_mv, 2 * true_mv])
    assert sum(cell_mv) == pytest.approx(16 * true_mv)


def test_shorted_wires_read_nothing():
    plant = Plant(PlantSettings())
    plant.fault("cell_wire_short", True, cell=1)
    assert plant.sense().cell_mv[0] == 0.0


def test_a_frozen_cell_reading_stays_while_the_others_move():
    plant = running()
    plant.fault("cell_frozen", True, cell=7)
    before = plant.sense()
    plant.advance(600_000)
    after = plant.sense()
    assert after.cell_mv[6] == before.cell_mv[6]
    assert after.cell_mv[5] != before.cell_mv[5]
    assert plant.faults() == ["cell_frozen 7"]


def test_frozen_cells_freeze_the_stack_voltage_too():
    plant = running()
    plant.fault("cells_frozen", True)
    before = plant.sense()
    plant.advance(600_000)
    after = plant.sense()
    assert after.cell_mv == before.cell_mv
    assert after.stack_mv == pytest.approx(before.stack_mv)
    assert plant.cells.pack_v * 1000 != pytest.approx(after.stack_mv, abs=1)


def test_the_current_reading_can_be_frozen_lost_or_reversed():
    plant = running()
    plant.fault("current_frozen", True)
    assert plant.sense().current_ma == pytest.approx(40_000.0)
    plant.set("charger_a", 10)
    plant.advance(1000)
    assert plant.sense().current_ma == pytest.approx(40_000.0)
    plant.fault("current_frozen", False)
    plant.fault("current_reversed", True)
    assert plant.sense().current_ma == pytest.approx(-10_000.0)
    plant.fault("current_lost", True)
    assert plant.sense().current_ma == 0.0


def test_the_current_reading_can_have_an_offset_and_a_gain_error():
    plant = running()
    plant.set("current_offset_ma", -280)
    plant.set("current_gain_percent", 0.5)
    assert plant.sense().current_ma == pytest.approx(40_000 * 1.005 - 280)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_thermistor_open_is_none_and_shorted_is_infinite(number):
    plant = Plant(PlantSettings(ambient_c=20.0))
    plant.fault(f"ntc{number}_short", True)
    assert plant.sense().ts_decic[number - 1] == math.inf
    plant.fault(f"ntc{number}_open", True)
    assert plant.sense().ts_decic[number - 1] is None
    others = [decic for k, decic in enumerate(plant.sense().ts_decic) if k != number - 1]
    assert others == pytest.approx([200.0, 200.0])


def test_a_sensor_at_the_warm_end_reads_warmer_than_the_cells():
    plant = Plant(PlantSettings(ambient_c=-5.0, ts_offset_k=(0.0, 8.0)))
    assert plant.sense().ts_decic[:2] == pytest.approx((-50.0, 30.0))


def test_an_offset_bends_one_cell_only():
    plant = Plant(PlantSettings(**FLAT))
    true_mv = plant.sense().cell_mv[0]
    plant.cell(7, offset_mv=80)
    assert plant.sense().cell_mv == pytest.approx([true_mv] * 6 + [true_mv + 80] + [true_mv] * 9)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_can_be_switched_on_and_off_and_is_listed(name):
    plant = running()
    cell = 2 if FAULTS[name].needs_cell else None
    plant.fault(name, True, cell)
    plant.advance(250)
    plant.sense()
    assert plant.faults() == [f"{name} 2" if cell else name]
    plant.fault(name, False, cell)
    assert plant.faults() == []


def test_a_fault_of_a_cell_needs_its_number_and_no_other_takes_one():
    plant = Plant(PlantSettings())
    with pytest.raises(PeerError, match="needs a cell, 1 to 16"):
        plant.fault("cell_frozen", True)
    with pytest.raises(PeerError, match="not of one cell"):
        plant.fault("charge_weld", True, cell=3)
    with pytest.raises(PeerError, match="no cell 0"):
        plant.fault("cell_frozen", True, cell=0)
