"""The whole plant: balance of charge, determinism, step length, tables, balancing, speed of the border."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmsd.errors import PeerError
from bmsd.sim.cells import DEAD_HIGH, DEAD_LOW
from bmsd.sim.faults import CELL_SETTABLES, FAULTS, SETTABLES
from bmsd.sim.ocv import FLOOR_V
from bmsd.sim.plant import SWITCHES, Plant, PlantSettings
from tests.support.effort import examples


def story(seed: int, dt_ms: int = 250) -> list[object]:
    """Run a few minutes in which everything moves; give every reading."""
    plant = Plant(PlantSettings(seed=seed, initial_soc=0.6, ambient_c=5.0))
    plant.set("noise_mv", 1.0)
    plant.set("charger_a", 60)
    plant.set("load_w", 1500)
    readings: list[object] = []
    for second in range(120):
        plant.command("precharge", second < 6)
        plant.command("discharge", 5 <= second < 100)
        plant.command("charge", 20 <= second < 110)
        plant.command("heater", second % 20 < 10)
        plant.balance([1, 7] if second > 50 else [])
        for _ in range(1000 // dt_ms):
            plant.advance(dt_ms)
            readings.append(plant.sense())
    return readings


def test_the_same_seed_gives_the_same_bits():
    assert story(3) == story(3)


def test_another_seed_gives_another_pack():
    assert story(3) != story(4)


def test_the_length_of_the_step_changes_a_cell_by_less_than_half_a_millivolt():
    # In one step the current is solved with the cell voltages of its beginning: at 40 A the cells move by
    # 0.1 mV a second, and a switch-over lands up to one step away from where it was.
    ends = []
    for dt_ms in (1, 50, 250, 1000):
        plant = Plant(PlantSettings(initial_soc=0.6))
        plant.set("charger_a", 60)
        plant.set("load_w", 1500)
        for name in ("charge", "discharge"):
            plant.command(name, True)
        for _ in range(60_000 // dt_ms):
            plant.advance(dt_ms)
        ends.append((plant.sense().cell_mv[0], plant.cells.charged_ah))
    for cell_mv, charged_ah in ends[1:]:
        assert cell_mv == pytest.approx(ends[0][0], abs=0.5)
        assert charged_ah == pytest.approx(ends[0][1], rel=1e-3)


def test_an_advance_of_an_hour_is_the_same_as_its_seconds():
    one, many = Plant(PlantSettings()), Plant(PlantSettings())
    for plant in (one, many):
        plant.set("load_w", 500)
        plant.command("discharge", True)
        plant.advance(1000)
    one.advance(3_600_000)
    for _ in range(3600):
        many.advance(1000)
    assert one.sense() == many.sense()


def test_the_charge_through_the_shunt_is_the_charge_in_the_cells():
    plant = Plant(PlantSettings(initial_soc=0.5))
    before_ah = plant.cells.stored_ah
    plant.set("charger_a", 50)
    plant.set("load_w", 700)
    for name in ("charge", "discharge"):
        plant.command(name, True)
    plant.advance(1000)
    start_ah = plant.cells.stored_ah
    counted_as = 0.0
    for _ in range(3600):
        plant.advance(1000)
        counted_as += plant.sense().current_ma / 1000
    assert plant.cells.stored_ah - start_ah == pytest.approx(16 * counted_as / 3600, rel=1e-9)
    assert start_ah > before_ah


def test_an_lfp_pack_driven_past_full_reaches_its_over_voltage():
    plant = Plant(PlantSettings(initial_soc=0.95))
    plant.set("charger_a", 100)
    plant.set("charger_v", 16 * 3.80)
    plant.command("charge", True)
    plant.advance(900_000)
    assert max(plant.sense().cell_mv) > 3650.0


def test_a_cell_that_is_fuller_than_the_others_reaches_over_voltage_first():
    plant = Plant(PlantSettings(initial_soc=0.90, soc_spread=0.0, capacity_spread=0.0))
    plant.cell(7, soc_percent=96)
    plant.set("charger_a", 100)
    plant.set("charger_v", 16 * 3.55)
    plant.command("charge", True)
    plant.advance(1_200_000)
    cell_mv = plant.sense().cell_mv
    assert cell_mv.index(max(cell_mv)) == 6
    assert cell_mv[6] > 3600.0


def test_balancing_takes_charge_from_the_chosen_cells_only():
    plant = Plant(PlantSettings())
    before = list(plant.cells.soc)
    plant.balance([3])
    plant.advance(3_600_000)
    lost_ah = (before[2] - plant.cells.soc[2]) * 280 * plant.cells.capacity[2]
    assert lost_ah == pytest.approx(3.3 / 33, rel=0.02)  # 100 mA for an hour; the cell rests near 3.31 V
    assert plant.cells.soc[3] == before[3]
    plant.balance([])
    after = plant.cells.soc[2]
    plant.advance(1000)
    assert plant.cells.soc[2] == after


def test_a_leaking_cell_empties():
    plant = Plant(PlantSettings())
    before = plant.cells.soc[4]
    plant.cell(5, leak_ma=1000)
    plant.advance(3_600_000)
    assert (before - plant.cells.soc[4]) * 280 * plant.cells.capacity[4] == pytest.approx(1.0, rel=1e-6)


def test_a_pulled_down_sense_wire_shows_only_while_it_balances():
    plant = Plant(PlantSettings())
    true_mv = plant.sense().cell_mv[0]
    plant.cell(1, wire_ohm=1.0)
    assert plant.sense().cell_mv[0] == pytest.approx(true_mv)
    plant.balance([1])
    assert true_mv - plant.sense().cell_mv[0] == pytest.approx(100.0, rel=0.02)  # 0.1 A x 1 ohm


def test_setting_the_charge_keeps_the_spread_between_cells():
    plant = Plant(PlantSettings(initial_soc=0.5))
    low, high = min(plant.cells.soc), max(plant.cells.soc)
    plant.set("soc_percent", 80)
    assert plant.cells.mean_soc == pytest.approx(0.8)
    assert max(plant.cells.soc) - min(plant.cells.soc) == pytest.approx(high - low)


@pytest.mark.parametrize(("percent", "others"), [(120, 0.0), (-20, 1.0)])
def test_setting_the_charge_drives_no_cell_beyond_the_ends_of_its_curve(percent, others):
    """A cell that is far away from the others goes no further than current could take it."""
    plant = Plant(PlantSettings(initial_soc=others))
    plant.cell(1, soc_percent=percent)
    plant.set("soc_percent", percent)
    assert min(plant.cells.soc) >= DEAD_LOW
    assert max(plant.cells.soc) <= DEAD_HIGH
    assert min(plant.cells.volts) >= FLOOR_V
    assert max(plant.cells.volts) <= plant.cells.kind.ceiling_v


@pytest.mark.parametrize("name", sorted(SETTABLES))
def test_every_quantity_takes_its_whole_range_and_refuses_what_is_outside(name):
    row = SETTABLES[name]
    plant = Plant(PlantSettings())
    for value in (row.low, row.high):
        plant.set(name, value)
        plant.advance(1000)
        assert math.isfinite(plant.sense().stack_mv)
    for value in (row.low - 1, row.high * 1.01 + 1, math.nan):
        with pytest.raises(PeerError, match=name):
            plant.set(name, value)


@pytest.mark.parametrize("name", sorted(CELL_SETTABLES))
def test_every_quantity_of_a_cell_takes_its_whole_range(name):
    row = CELL_SETTABLES[name]
    plant = Plant(PlantSettings())
    for value in (row.low, row.high):
        plant.cell(7, **{name: value})
        plant.advance(1000)
        assert math.isfinite(plant.sense().stack_mv)
    with pytest.raises(PeerError, match=name):
        plant.cell(7, **{name: row.high * 1.01 + 1})


def test_a_refused_cell_setting_changes_nothing():
    plant = Plant(PlantSettings())
    with pytest.raises(PeerError, match="wire_ohm"):
        plant.cell(7, offset_mv=80, wire_ohm=-1)
    assert plant.sensors.offset_mv[6] == 0.0


def test_an_unknown_name_is_answered_with_the_known_ones():
    plant = Plant(PlantSettings())
    with pytest.raises(PeerError, match=r"did you mean ambient_c.*charger_a"):
        plant.set("ambient", 3)
    with pytest.raises(PeerError, match=r"did you mean charge_weld.*ntc1_open"):
        plant.fault("charge_welded", True)
    with pytest.raises(PeerError, match="charge, discharge, precharge, heater, main, buzzer"):
        plant.command("horn", True)
    with pytest.raises(PeerError, match="cells are 1 to 16"):
        plant.cell(17, offset_mv=1)
    with pytest.raises(PeerError, match=r"lifepo4, .*lto"):
        Plant(PlantSettings(cell_type="lead"))


def test_the_buzzer_sounds_as_commanded():
    plant = Plant(PlantSettings())
    plant.command("buzzer", True)
    assert plant.feedback("buzzer")


@pytest.mark.parametrize("chemistry", ["lifepo4", "li-ion", "lto"])
@pytest.mark.parametrize("cells", [3, 8, 16, 32])
def test_every_chemistry_and_size_charges_to_its_voltage_and_stays_there(chemistry, cells):
    plant = Plant(PlantSettings(chemistry, cells, 50.0, initial_soc=0.8))
    plant.set("charger_a", 25)
    plant.command("charge", True)
    plant.advance(2 * 3_600_000)
    assert plant.cells.pack_v == pytest.approx(plant.inverter.charger_v, rel=1e-3)
    assert 0.0 <= plant.current_a < 5.0


ACTIONS = st.one_of(
    st.tuples(st.just("command"), st.sampled_from(SWITCHES), st.booleans()),
    st.tuples(st.just("fault"), st.sampled_from(sorted(FAULTS)), st.booleans()),
    st.tuples(st.just("set"), st.sampled_from(sorted(set(SETTABLES) - {"pack_c"})), st.floats(0.0, 1.0)),
    st.tuples(st.just("advance"), st.integers(1, 5000), st.none()),
)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_whatever_is_done_to_it_the_plant_gives_numbers(actions):
    plant = Plant(PlantSettings(cells=4))
    for kind, what, value in actions:
        if kind == "command":
            plant.command(what, value)
        elif kind == "fault":
            plant.fault(what, value, 2 if FAULTS[what].needs_cell else None)
        elif kind == "set":
            row = SETTABLES[what]
            plant.set(what, row.low + value * (row.high - row.low))
        else:
            plant.advance(what)
        plant.advance(250)
        reading = plant.sense()
        numbers = [*reading.cell_mv, reading.stack_mv, reading.current_ma, reading.load_mv]
        assert all(math.isfinite(number) for number in [*numbers, reading.charger_mv, plant.heater_a])
        assert math.isfinite(plant.heat.pack_c)
