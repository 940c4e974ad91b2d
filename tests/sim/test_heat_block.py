"""Temperatures: the block of cells, its heater, and the board of switches, against the stated figures."""

import math

import pytest

from bmsd.sim.heat import Heat, scaled_ua_w_per_k
from bmsd.sim.plant import Plant, PlantSettings


def heated_plant(**settings) -> Plant:
    """Build 16 x 280 Ah with a 3 A heater on the charger's bus of 51.2 V."""
    plant = Plant(PlantSettings(heater_resistance_ohm=51.2 / 3, **settings))
    plant.set("charger_a", 20)
    plant.set("charger_v", 51.2)
    plant.command("heater", True)
    return plant


def test_three_amperes_at_51_volts_warm_the_block_by_six_kelvin_an_hour():
    # 154 W into 91 kJ/K is 6.06 K/h; "about 6" is taken as 5 %.
    plant = heated_plant(ambient_c=-10.0, insulation_w_per_k=0.0)
    plant.advance(3_600_000)
    assert plant.heat.pack_c + 10.0 == pytest.approx(6.0, rel=0.05)
    assert plant.heater_a == pytest.approx(3.0)


def test_the_heater_holds_a_hundred_kelvin_over_ambient_in_one_and_a_half_watts_per_kelvin():
    plant = heated_plant(ambient_c=-30.0, insulation_w_per_k=1.5, start_c=69.0)
    plant.advance(10_000_000)
    # 153.6 W / 1.5 W/K = 102.4 K: it is still rising slowly at 99 K over ambient
    assert 69.0 < plant.heat.pack_c < -30.0 + 102.4


def test_an_insulated_block_has_a_time_constant_of_a_day():
    heat = Heat(91_200.0, 1.2, 0.0, 20.0)
    for _ in range(76_000):
        heat.advance(0.0, 0.0, 1.0)
    # 91.2 kJ/K / 1.2 W/K = 76,000 s = 21 h, inside the stated 17 to 25 h
    assert heat.pack_c == pytest.approx(20.0 / math.e, rel=1e-9)


def test_smaller_blocks_lose_less_heat_but_cool_faster():
    small, large = scaled_ua_w_per_k(8, 100.0), scaled_ua_w_per_k(16, 280.0)
    assert large == pytest.approx(1.2)
    assert small < large
    assert small / (8 * 100) > large / (16 * 280)


def test_no_charger_no_heat_when_the_heater_hangs_on_the_charger():
    plant = heated_plant()
    plant.set("charger_a", 0)
    plant.advance(1000)
    assert plant.heater_a == 0.0


def test_a_heater_on_the_pack_discharges_it_by_what_it_takes():
    plant = Plant(PlantSettings(heater_supply="pack"))
    plant.command("heater", True)
    plant.advance(2000)
    pack_v = plant.cells.pack_v
    # the heater current of the last step was solved with the voltage at its beginning, some mV earlier
    assert plant.heater_a == pytest.approx(pack_v / 24.0, rel=1e-3)
    assert plant.current_a == pytest.approx(-plant.heater_a, rel=1e-3)


def test_a_heater_on_the_charger_takes_its_share_of_the_charging_current():
    plant = Plant(PlantSettings(initial_soc=0.3))
    plant.set("charger_a", 20)
    plant.command("charge", True)
    plant.command("heater", True)
    plant.advance(5000)
    assert plant.current_a == pytest.approx(20.0 - plant.heater_a)
    assert plant.heater_a == pytest.approx(plant.cells.pack_v / 24.0, rel=1e-3)


def test_current_warms_the_cells_by_their_losses():
    # 140 A through 16 cells of 0.3 to 0.6 mOhm (branches filling up) and 15 mV of hysteresis:
    # 94 to 188 W and 34 W; in one hour 5 to 8.7 K without losses to the outside
    plant = Plant(PlantSettings(initial_soc=0.9, insulation_w_per_k=0.0, ambient_c=25.0))
    plant.set("load_w", 7000)
    plant.command("discharge", True)
    plant.advance(3_600_000)
    assert 5.0 < plant.heat.pack_c - 25.0 < 8.7


def test_the_switch_board_warms_with_the_square_of_the_current_in_minutes():
    heat = Heat(91_200.0, 1.2, 20.0, 20.0)
    for _ in range(120):
        heat.advance(0.0, 100.0, 1.0)
    assert heat.board_c == pytest.approx(20.0 + 20.0 * (1 - 1 / math.e))
    for _ in range(1200):
        heat.advance(0.0, 200.0, 1.0)
    assert heat.board_c == pytest.approx(100.0, abs=0.01)


@pytest.mark.parametrize("steps", [1, 10, 1000])
def test_the_length_of_the_step_does_not_change_the_temperature(steps):
    heat = Heat(91_200.0, 1.2, 0.0, 20.0)
    for _ in range(steps):
        heat.advance(50.0, 30.0, 1000.0 / steps)
    settled_c = 50.0 / 1.2
    expected_c = settled_c + (20.0 - settled_c) * math.exp(-1000.0 * 1.2 / 91_200.0)
    assert heat.pack_c == pytest.approx(expected_c, abs=1e-9)


def test_a_changed_heat_loss_takes_effect_at_once():
    heat = Heat(1000.0, 10.0, 0.0, 20.0)
    heat.advance(0.0, 0.0, 1.0)
    heat.ua_w_per_k = 0.0
    before_c = heat.pack_c
    heat.advance(0.0, 0.0, 1.0)
    assert heat.pack_c == before_c
