"""The circuit on the pack: contactors in time, pre-charge, inrush, charger, load and inverter."""

import math

import pytest

from bmsd.sim.circuit import constant_power_a
from bmsd.sim.plant import Plant, PlantSettings


def plant_with(**settings) -> Plant:
    return Plant(PlantSettings(soc_spread=0.0, capacity_spread=0.0, resistance_spread=0.0, **settings))


def precharged(**settings) -> Plant:
    """Give a plant with the discharge contactor closed after a proper pre-charge."""
    plant = plant_with(**settings)
    plant.command("precharge", True)
    plant.advance(10_000)
    plant.command("discharge", True)
    plant.advance(1000)
    plant.command("precharge", False)
    plant.advance(100)
    return plant


@pytest.mark.parametrize(
    ("seconds", "share"),
    [(1, 1 - math.exp(-1)), (3, 0.9502), (4, 0.9817), (5, 0.9933)],
)
@pytest.mark.parametrize("dt_ms", [1, 10, 250, 1000])
def test_precharge_follows_its_time_constant_whatever_the_step(seconds, share, dt_ms):
    # 10 mF through 100 ohm: 1 s. The pack sags by 2.5 mV under 0.5 A, hence 1e-4.
    plant = plant_with()
    plant.command("precharge", True)
    plant.advance(20)  # pull-in
    for _ in range(seconds * 1000 // dt_ms):
        plant.advance(dt_ms)
    assert plant.circuit.load_v / plant.cells.pack_v == pytest.approx(share, rel=1e-4)


def test_precharge_current_begins_at_volts_over_ohms_and_falls():
    plant = plant_with()
    plant.command("precharge", True)
    plant.advance(21)
    first_a = -plant.current_a
    assert first_a == pytest.approx(plant.cells.pack_v / 100.0, rel=0.001)  # 1 ms of 1 s
    plant.advance(3000)
    assert -plant.current_a < 0.1 * first_a


def test_precharge_takes_from_the_pack_what_the_capacitors_hold():
    plant = plant_with()
    before_ah = plant.cells.discharged_ah
    plant.command("precharge", True)
    plant.advance(20_000)
    held_ah = 0.010 * plant.circuit.load_v / 3600
    assert plant.cells.discharged_ah - before_ah == pytest.approx(held_ah, rel=1e-6)


def test_closing_after_precharge_is_soft_and_without_it_is_hard():
    soft, hard = precharged(), plant_with()
    hard.command("discharge", True)
    hard.advance(100)
    assert soft.circuit.hard_closings == 0
    assert soft.circuit.inrush_a < 10.0
    assert hard.circuit.hard_closings == 1
    # 52.9 V over 4.8 mOhm of cells (a little more at 20 °C) and 2 mOhm of cable
    assert 6000 < hard.circuit.inrush_a < 9000


def test_the_load_side_follows_the_pack_when_closed_and_decays_in_five_seconds_when_open():
    plant = precharged()
    assert plant.sense().load_mv == pytest.approx(plant.cells.pack_v * 1000)
    plant.command("discharge", False)
    plant.advance(15)
    full_mv = plant.sense().load_mv
    plant.advance(5000)
    assert plant.sense().load_mv == pytest.approx(full_mv / math.e, rel=1e-6)


def test_a_running_inverter_empties_its_capacitors_at_once_when_the_path_opens():
    plant = precharged()
    plant.set("load_w", 1000)
    plant.advance(1000)
    plant.command("discharge", False)
    plant.advance(15 + 20)
    assert plant.sense().load_mv < 0.81 * plant.cells.pack_v * 1000


def test_a_contactor_closes_after_its_pull_in_and_opens_after_its_drop_out_time():
    plant = plant_with()
    plant.command("charge", True)
    plant.advance(19)
    assert not plant.feedback("charge")
    plant.advance(1)
    assert plant.feedback("charge")
    plant.command("charge", False)
    plant.advance(14)
    assert plant.feedback("charge")
    plant.advance(1)
    assert not plant.feedback("charge")


def test_the_contactor_opens_at_the_same_moment_in_long_and_short_steps():
    charged = []
    for dt_ms in (1, 5, 250):
        plant = plant_with(initial_soc=0.3)
        plant.set("charger_a", 40)
        plant.command("charge", True)
        for _ in range(500 // dt_ms):
            plant.advance(dt_ms)
        plant.command("charge", False)
        for _ in range(500 // dt_ms):
            plant.advance(dt_ms)
        charged.append(plant.cells.charged_ah * 3600 / 40)
    # 0.5 s less 20 ms pull-in, plus 15 ms drop-out
    assert charged == pytest.approx([0.495] * 3, abs=1e-9)


def test_a_command_taken_back_before_pull_in_moves_nothing():
    plant = plant_with()
    plant.command("charge", True)
    plant.advance(10)
    plant.command("charge", False)
    plant.advance(100)
    assert plant.circuit.charge.operations == 0


def test_an_opening_under_load_is_counted_with_its_current_and_one_at_rest_is_not():
    plant = plant_with(initial_soc=0.3)
    plant.set("charger_a", 40)
    plant.command("charge", True)
    plant.advance(1000)
    plant.command("charge", False)
    plant.advance(1000)
    contactor = plant.circuit.charge
    assert (contactor.operations, contactor.openings_under_load) == (1, 1)
    assert contactor.worst_break_a == pytest.approx(40.0)
    plant.set("charger_a", 0)
    plant.command("charge", True)
    plant.advance(1000)
    plant.command("charge", False)
    plant.advance(1000)
    assert (contactor.operations, contactor.openings_under_load) == (2, 1)


def test_the_hardware_gate_opens_a_commanded_contactor():
    plant = precharged(initial_soc=0.3)
    plant.set("charger_a", 40)
    plant.command("charge", True)
    plant.advance(1000)
    plant.charge_permit = plant.discharge_permit = False
    plant.advance(15)
    assert not plant.feedback("charge")
    assert not plant.feedback("discharge")
    plant.charge_permit = True
    plant.advance(20)
    assert plant.feedback("charge")


def test_each_path_carries_its_own_direction_only():
    plant = plant_with(initial_soc=0.3)
    plant.set("charger_a", 40)
    plant.set("load_w", 1000)
    plant.command("charge", True)
    plant.advance(1000)
    assert plant.current_a == pytest.approx(40.0)
    plant.command("charge", False)
    plant.command("discharge", True)
    plant.advance(1000)
    assert plant.current_a * plant.cells.pack_v == pytest.approx(-1000.0, rel=1e-3)


def test_charger_and_load_add_up():
    plant = precharged(initial_soc=0.3)
    plant.set("charger_a", 40)
    plant.set("load_w", 1000)
    plant.command("charge", True)
    plant.advance(1000)
    assert plant.current_a == pytest.approx(40.0 - 1000.0 / plant.cells.pack_v, rel=1e-3)
    assert plant.circuit.charge_a == pytest.approx(40.0)


def test_the_charger_goes_from_constant_current_to_constant_voltage():
    plant = plant_with(initial_soc=0.97)
    plant.set("charger_a", 60)
    plant.set("charger_v", 56.0)
    plant.command("charge", True)
    plant.advance(60_000)
    assert plant.current_a == pytest.approx(60.0)
    plant.advance(3_600_000)
    assert 0.0 < plant.current_a < 20.0
    assert plant.cells.pack_v == pytest.approx(56.0, abs=0.005)  # one second's rise of the cells


def test_a_load_shares_a_charger_at_constant_voltage():
    plant = precharged(initial_soc=0.97)
    plant.set("charger_a", 60)
    plant.set("charger_v", 56.0)
    plant.set("load_w", 560)
    plant.command("charge", True)
    plant.advance(3_600_000)
    assert plant.circuit.discharge_a == pytest.approx(10.0, rel=1e-3)
    assert plant.circuit.charge_a == pytest.approx(plant.current_a + 10.0, rel=1e-3)


def test_the_charger_side_shows_the_charger_when_open_and_the_pack_when_closed():
    plant = plant_with(initial_soc=0.3)
    plant.advance(250)
    assert plant.sense().charger_mv == 0.0
    plant.set("charger_a", 40)
    plant.set("charger_v", 57.6)
    assert plant.sense().charger_mv == pytest.approx(57_600.0)
    plant.command("charge", True)
    plant.advance(250)
    assert plant.sense().charger_mv == pytest.approx(plant.cells.pack_v * 1000)


@pytest.mark.parametrize("load_w", [60_000, 140_000, 200_000, 1_000_000])
def test_a_load_beyond_reach_gives_numbers_and_no_more_than_the_pack_can(load_w):
    plant = precharged()
    plant.set("load_w", load_w)
    for _ in range(100):
        plant.advance(100)
        reading = plant.sense()
        assert all(math.isfinite(mv) for mv in reading.cell_mv)
        assert math.isfinite(reading.current_ma)
    assert plant.current_a <= 0.0


def test_a_load_is_served_exactly_up_to_the_reach_of_the_source():
    # 50 V behind 10 mOhm yields at most 62.5 kW, at half its voltage
    amps = constant_power_a(50.0, 0.010, 10_000.0)
    assert amps * (50.0 - 0.010 * amps) == pytest.approx(10_000.0)
    assert constant_power_a(50.0, 0.010, 62_500.1) == pytest.approx(2500.0)
    assert constant_power_a(-3.0, 0.010, 10.0) == 0.0


def test_an_inverter_follows_its_limits_in_seconds():
    plant = precharged(initial_soc=0.3)
    plant.set("charger_a", 40)
    plant.command("charge", True)
    plant.advance(1000)
    plant.limits(56.0, 10.0, 100.0)
    plant.advance(2000)
    assert plant.current_a == pytest.approx(10.0 + 30.0 / math.e, rel=0.2)  # within its lag of 2 s
    plant.advance(20_000)
    assert plant.current_a == pytest.approx(10.0, abs=0.01)
    plant.limits(56.0, 0.0, 100.0)
    plant.advance(20_000)
    assert plant.current_a == pytest.approx(0.0, abs=0.01)


def test_an_inverter_keeps_to_its_discharge_limit():
    plant = precharged()
    plant.set("load_w", 5000)
    plant.limits(56.0, 10.0, 20.0)
    plant.advance(20_000)
    assert plant.current_a == pytest.approx(-20.0, abs=0.01)
    plant.limits(None, None, None)
    plant.advance(1000)
    assert plant.current_a < -90.0


def test_an_inverter_without_limits_does_as_it_is_set():
    plant = precharged(initial_soc=0.3)
    plant.set("charger_a", 40)
    plant.command("charge", True)
    plant.advance(1000)
    assert plant.current_a == pytest.approx(40.0)


@pytest.mark.parametrize("kind", ["common", "own_fets"])
def test_pre_charge_raises_a_bus_above_a_charger_that_is_set_too_low(kind):
    """A charger gives and takes nothing back: it keeps the bus from falling, never from rising."""
    plant = plant_with(**{kind: True})
    plant.set("charger_a", 40)
    plant.set("charger_v", plant.cells.pack_v - 2)
    plant.advance(100)
    assert plant.circuit.load_v == pytest.approx(plant.cells.pack_v - 2)
    plant.command("precharge", True)
    plant.advance(6000)
    assert plant.circuit.load_v == pytest.approx(plant.cells.pack_v, rel=0.002)
    plant.command("precharge", False)
    plant.advance(60_000)
    assert plant.circuit.load_v == pytest.approx(plant.cells.pack_v - 2, abs=0.01)


def test_an_idle_inverter_takes_its_own_whatever_it_is_told_and_nothing_while_it_is_cut_off():
    plant = precharged()
    plant.set("inverter_idle_w", 40)
    plant.limits(55.2, 0.0, 0.0)
    plant.set("inverter_lag_s", 0)
    plant.set("load_w", 1000)
    plant.advance(5000)
    assert -plant.current_a * plant.cells.pack_v == pytest.approx(40, rel=0.01)
    plant.command("discharge", False)
    plant.advance(1000)
    assert plant.current_a == 0.0


def test_an_inverter_that_exports_takes_the_pack_down_to_the_charge_voltage_and_no_further():
    plant = precharged()
    plant.fault("inverter_exports", True)
    plant.set("inverter_lag_s", 0)
    told_v = plant.cells.pack_v - 0.1
    plant.limits(told_v, 0.0, 0.0)
    plant.advance(2000)
    assert plant.current_a < -5.0
    assert plant.cells.pack_v == pytest.approx(told_v, abs=0.002)
    plant.limits(told_v + 0.2, 0.0, 0.0)
    plant.advance(2000)
    assert plant.current_a == 0.0
    plant.limits(10.0, 0.0, 0.0)
    plant.advance(2000)
    assert plant.current_a == pytest.approx(-100.0), "its largest current"


@pytest.mark.parametrize("share", [0.7, 1.2])
def test_an_inrush_flows_either_way(share):
    plant = plant_with()
    plant.circuit.load_v = share * plant.cells.pack_v
    plant.command("discharge", True)
    plant.advance(20)
    apart_v = abs(share - 1.0) * plant.cells.pack_v
    assert plant.circuit.inrush_a == pytest.approx(apart_v / (plant.cells.source()[1] + 0.002), rel=0.05)
    assert plant.circuit.hard_closings == 1


def test_a_tenth_above_is_a_soft_closing():
    plant = plant_with()
    plant.circuit.load_v = 1.09 * plant.cells.pack_v
    plant.command("discharge", True)
    plant.advance(20)
    assert plant.circuit.hard_closings == 0


def test_a_bus_without_its_pack_stands_where_its_inverter_was_told():
    plant = plant_with(common=True)
    plant.set("charger_a", 20)
    plant.set("charger_v", 57.6)
    plant.limits(53.0, 0.0, 0.0)
    plant.advance(20_000)
    assert plant.circuit.load_v == pytest.approx(53.0, abs=0.01)
    plant.fault("inverter_ignores_limits", True)
    plant.advance(1000)
    assert plant.circuit.load_v == pytest.approx(57.6)


def test_a_charger_that_is_set_too_low_pulls_no_bus_down_behind_a_discharge_fet():
    """The pack holds the bus through the FET that is on and the diode of the one that is off."""
    plant = plant_with(own_fets=True)
    plant.set("charger_a", 40)
    plant.set("charger_v", plant.cells.pack_v - 4)
    plant.command("precharge", True)
    plant.advance(6000)
    plant.command("discharge", True)
    plant.command("precharge", False)
    plant.advance(60_000)
    assert not plant.circuit.charge.closed
    assert plant.circuit.load_v == pytest.approx(plant.cells.pack_v, rel=0.001)
    assert plant.charger_v == pytest.approx(plant.cells.pack_v, rel=0.001)
