"""What is measured is wrong: noise, frozen values, broken wires and sensors, a current that is not true."""

from __future__ import annotations

import pytest

from tests.fault_classes.fault_bench import A_CYCLE_MORE_S, LONGEST_WAIT_S, Pack

pytestmark = pytest.mark.timeout(400)  # of processor time there is little on a busy machine

UNKNOWN_S = 1.0 + A_CYCLE_MORE_S
"""A value is believed for one second after its last good reading."""


def swing(pack: Pack, times: int = 12, high_w: float = 4000, low_w: float = 300) -> None:
    """Give the load to switch by itself: on and off every 15 s."""
    for turn in range(times):
        pack.set(load_w=(high_w, low_w)[turn % 2])
        pack.run(15)


HELD_TO_NOTHING_MS = 3_600_000
"""An inverter that ignores its limits is cut off so late that the cells decide alone."""


def swing_until(pack: Pack, alarm: str, within_s: float) -> float:
    """Switch a kettle on and off until an alarm comes; give the seconds it took."""
    begun_s, turn = pack.now_s, 0
    while alarm not in pack.active:
        assert pack.now_s - begun_s <= within_s, pack.active
        pack.set(load_w=(4000, 300)[turn // 60 % 2])
        pack.cycle()
        turn += 1
    return pack.now_s - begun_s


# 1  Noise


def spikes(pack: Pack, count: int) -> None:
    """Let single readings of two cells be far out, now and then."""
    for turn in range(count):
        cell, wrong_mv = ((3, 600), (9, -900))[turn % 2]
        pack.cell(cell, offset_mv=wrong_mv)
        pack.cycle()
        pack.cell(cell, offset_mv=0)
        pack.run(5)


@pytest.mark.slow
@pytest.mark.fault_class(1, "alone")
def test_noise_trips_nothing_and_hides_nothing() -> None:
    """S2: single readings far out and ten minutes of noise raise nothing; the cell that is too high is cut."""
    pack = Pack(plant={"initial_soc": 0.9}, charge_enforce_delay_ms=HELD_TO_NOTHING_MS).started()
    spikes(pack, 40)
    pack.set(noise_mv=10, charger_a=40)
    pack.cell(5, noise_mv=40)
    pack.run(600)
    assert not pack.raised
    overcharge(pack, 5)


@pytest.mark.fault_class(1, "alone")
def test_noise_does_not_hide_a_cell_that_is_too_low() -> None:
    """S2: the other end; a cell at 2.55 V behind noise of 40 mV."""
    pack = Pack().started()
    pack.cell(5, noise_mv=40)
    pack.set(load_w=500)
    pack.run(60)
    assert not pack.raised
    pack.cell(5, offset_mv=-740)
    pack.until(lambda: not pack.contacts["discharge"], 10)
    assert pack.active["cell_uvp"] == 5


@pytest.mark.fault_class(1, "second")
def test_noise_beside_a_deaf_inverter_and_a_frozen_current_hides_nothing() -> None:
    """S1, S2: neither the limits nor the current help; the cells alone decide."""
    pack = Pack(plant={"initial_soc": 0.9}, charge_enforce_delay_ms=HELD_TO_NOTHING_MS).started()
    pack.set(charger_a=40)
    pack.run(30)
    pack.fault("current_frozen")
    pack.fault("inverter_ignores_limits")
    pack.set(noise_mv=5)
    pack.cell(5, noise_mv=40)
    pack.run(120)
    assert "cell_ovp" not in pack.active
    overcharge(pack, 5)


def overcharge(pack: Pack, cell: int) -> None:
    """Charge one cell too far; it must be cut before the chip's own limit, 0.1 V above ours."""
    pack.fault("inverter_ignores_limits")
    pack.cell(cell, soc_percent=97.5)
    pack.set(charger_a=85)
    highest = 0.0
    while pack.contacts["charge"]:
        pack.run(1)
        highest = max(highest, pack.plant.cells.volts[cell - 1])
        assert highest < 3.7, pack.active
    assert highest > 3.55, "cut long before there was a reason"
    assert pack.active["cell_ovp"] == cell


# 2  Frozen


@pytest.mark.fault_class(2, "alone")
@pytest.mark.parametrize(
    ("fault", "cell", "alarm", "within_s"),
    [
        ("cell_frozen", 5, "cell_frozen", 60),
        ("cells_frozen", None, "cells_frozen", 150),
        ("current_frozen", None, "current_implausible", 150),
    ],
)
def test_a_frozen_reading_is_found_by_kettles(fault, cell, alarm, within_s) -> None:
    """S2: named, everything open, by loads that come and go every 15 s."""
    pack = Pack().started()
    pack.set(load_w=300)
    pack.run(20)
    pack.fault(fault, True, cell)
    swing_until(pack, alarm, within_s)
    pack.until(lambda: pack.is_open, A_CYCLE_MORE_S)
    assert pack.active[alarm] == cell
    assert pack.allowed == (False, False)


@pytest.mark.fault_class(2, "second")
def test_a_short_beside_a_frozen_current_is_ended_by_the_cells() -> None:
    """S1, S13: the chip's comparator sits on the same shunt; the cells that sink open, and it stays open."""
    pack = Pack().started()
    pack.set(load_w=300)
    pack.run(20)
    pack.fault("current_frozen")
    pack.run(2)
    pack.fault("load_short")
    pack.until(lambda: not pack.contacts["discharge"], 2.0)
    assert "cell_shutdown" in pack.trips_raised()
    pack.stays(120, lambda: not pack.contacts["discharge"])
    pack.fault("load_short", False)
    pack.stays(300, lambda: not pack.contacts["discharge"])
    assert pack.moves("discharge") == 1


def fill_behind_a_frozen_reading(ahead_percent: float) -> Pack:
    """Charge without any kettle, while the one cell that will be full first reads 3.33 V for ever."""
    pack = Pack(plant={"initial_soc": 0.9, "soc_spread": 0.0}).started()
    pack.set(charger_a=85)
    pack.run(30)
    pack.fault("cell_frozen", True, 5)
    pack.cell(5, soc_percent=90 + ahead_percent)
    while pack.contacts["charge"]:
        pack.run(1)
        assert pack.plant.cells.volts[4] < 3.65, pack.active
    return pack


@pytest.mark.fault_class(2, "second")
@pytest.mark.parametrize("ahead_percent", [1, 3])
def test_a_fuller_cell_behind_a_frozen_reading_is_not_overcharged(ahead_percent) -> None:
    """S1, S2: out of balance first, then frozen, under a constant charge."""
    active = fill_behind_a_frozen_reading(ahead_percent).active
    assert active.get("cell_frozen") == 5 or "cell_may_be_high" in active


@pytest.mark.fault_class(2, "second")
def test_a_much_fuller_cell_behind_a_frozen_reading_is_not_overcharged() -> None:
    """S1, S2: 6 % ahead of the others."""
    fill_behind_a_frozen_reading(6)


# 3  Sense wires

WIRES = [("cell_open_wire", 4), ("cell_open_wire", 16), ("cell_wire_short", 3), ("cell_wires_swapped", 8)]


@pytest.mark.fault_class(3, "alone")
@pytest.mark.parametrize("topology", ["split", "common"])
@pytest.mark.parametrize(("fault", "cell"), WIRES)
def test_a_broken_sense_wire_ends_charge_and_names_its_cell(topology, fault, cell) -> None:
    """S1, S2: open when the last good reading is too old, named when the grace is over."""
    pack = Pack(topology).started()
    pack.set(charger_a=30)
    pack.run(20)
    pack.fault(fault, True, cell)
    pack.until(lambda: pack.carries == (False, False), UNKNOWN_S)
    pack.trips("cell_lost", 3)
    assert pack.active["cell_lost"] == cell
    assert pack.asks_for_nothing
    pack.fault(fault, False, cell)
    pack.until(lambda: pack.carries == (True, True), 60)


@pytest.mark.fault_class(3, "alone")
def test_a_bad_wire_is_named_before_it_hides_an_overcharge() -> None:
    """S2: a crimp of 2 ohm, read while 0.1 A of balancing flows through it."""
    pack = Pack(plant={"initial_soc": 0.93}, charge_enforce_delay_ms=HELD_TO_NOTHING_MS).started()
    pack.cell(6, wire_ohm=2, soc_percent=97)
    pack.fault("inverter_ignores_limits")
    pack.set(charger_a=90)
    while pack.contacts["charge"]:
        pack.run(1)
        assert pack.plant.cells.volts[5] < 3.7, pack.active


@pytest.mark.fault_class(3, "second")
@pytest.mark.parametrize(("topology", "weld"), [("split", "charge"), ("common", "main")])
def test_a_lost_cell_behind_a_welded_contactor_opens_what_opens(topology, weld) -> None:
    """S1, S13: the rest opens, zero is asked for, the weld is latched, and mending the wire ends nothing."""
    pack = Pack(topology).started()
    pack.set(charger_a=30)
    pack.run(20)
    pack.fault(f"{weld}_weld")
    pack.fault("cell_open_wire", True, 4)
    pack.trips(f"{weld}_contactor_welded", 10)
    pack.trips("cell_lost", 5)
    assert [name for name, closed in pack.contacts.items() if closed] == [weld]
    assert pack.asks_for_nothing
    pack.fault("cell_open_wire", False, 4)
    pack.stays(60, lambda: pack.asks_for_nothing and pack.allowed == (False, False))
    assert set(pack.active) == {f"{weld}_contactor_welded"}


# 4  Temperature sensors


@pytest.mark.fault_class(4, "alone")
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("kind", ["open", "short"])
def test_a_broken_battery_sensor_is_unknown_and_not_cold(number, kind) -> None:
    """S2, S4: no charge, and no heat: a broken wire reads colder than any winter."""
    pack = Pack(plant={"ambient_c": 2.0}).started()
    pack.set(charger_a=30)
    pack.run(20)
    pack.fault(f"ntc{number}_{kind}")
    pack.until(lambda: pack.is_open, UNKNOWN_S)
    pack.stays(60, lambda: not pack.contacts["heater"] and not pack.out.heater_demanded)
    assert pack.active["temperature_lost"] == number
    assert "charge_utp" not in pack.trips_raised()
    pack.fault(f"ntc{number}_{kind}", False)
    pack.until(lambda: pack.carries == (True, True), 60)


@pytest.mark.fault_class(4, "alone")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_sensor_that_was_never_there_lets_nothing_close(number) -> None:
    """S13, S2: missing at the start."""
    pack = Pack()
    pack.fault(f"ntc{number}_open")
    pack.stays(120, lambda: pack.is_open and pack.allowed == (False, False))


@pytest.mark.fault_class(4, "alone")
def test_a_sensor_that_drifts_is_told_and_never_makes_a_cold_pack_warm() -> None:
    """S2: 5 K a minute; a warning when it is 20 K off for a minute, and the coldest sensor still decides."""
    pack = Pack(plant={"ambient_c": 3.0}).started()
    pack.set(charger_a=30)
    for minute in range(1, 7):
        pack.set(ts1_offset_k=5 * minute)
        pack.run(60)
    assert "temperature_spread" in pack.active
    pack.set(pack_c=-2)
    pack.until(lambda: not pack.contacts["charge"], 2.0 + LONGEST_WAIT_S + A_CYCLE_MORE_S)
    assert pack.active["charge_utp"] == 2


@pytest.mark.fault_class(4, "alone")
@pytest.mark.parametrize("low_k", [30, 45])
def test_a_warm_pack_is_not_heated_by_a_sensor_that_reads_low(low_k) -> None:
    """S4: it could be 20 °C, or freezing; nobody knows, and that is told."""
    pack = Pack(plant={"ambient_c": 20.0, "ts_offset_k": (-low_k, 0.0)})
    pack.set(charger_a=30, charger_v=57.6)
    pack.stays(90, lambda: not pack.contacts["heater"] and not pack.contacts["charge"])
    assert "temperature_mismatch" in pack.active


@pytest.mark.fault_class(4, "second")
def test_a_lost_sensor_and_an_over_voltage_each_hold_their_own() -> None:
    """S1: first the sensor, then the cell; mending the sensor leaves charge blocked by the cell, by name."""
    pack = Pack().started()
    pack.fault("ntc1_open")
    pack.until(lambda: pack.is_open, UNKNOWN_S)
    pack.cell(7, offset_mv=330)
    pack.trips("cell_ovp", 1.0 + A_CYCLE_MORE_S)
    pack.trips("temperature_lost", 3)
    pack.fault("ntc1_open", False)
    pack.until(lambda: pack.contacts["discharge"], 60)
    pack.stays(60, lambda: not pack.contacts["charge"])
    assert pack.active == {"cell_ovp": 7, "cell_spread": 7, "stack_doubtful": None}
    pack.cell(7, offset_mv=0)
    pack.until(lambda: pack.contacts["charge"], 60)


@pytest.mark.fault_class(4, "second")
def test_an_over_voltage_that_ends_does_not_end_a_lost_sensor() -> None:
    """S1: the other way round."""
    pack = Pack().started()
    pack.cell(7, offset_mv=330)
    pack.until(lambda: not pack.contacts["charge"], 5)
    pack.fault("ntc2_short")
    pack.until(lambda: pack.is_open, UNKNOWN_S)
    pack.cell(7, offset_mv=0)
    pack.stays(60, lambda: pack.is_open)
    assert "cell_ovp" not in pack.active
    assert pack.active["temperature_lost"] == 2


# 7  Current


@pytest.mark.fault_class(7, "alone")
@pytest.mark.parametrize(
    ("fault", "alarm", "within_s"),
    [("current_lost", "current_implausible", 150), ("current_reversed", "current_reversed", 240)],
)
def test_a_current_that_is_not_true_is_found_and_latched(fault, alarm, within_s) -> None:
    """S2, S13: found by loads; nothing flows until somebody has looked, also when it is gone again."""
    pack = Pack().started()
    pack.set(load_w=300)
    pack.run(20)
    pack.fault(fault)
    swing_until(pack, alarm, within_s)
    pack.until(lambda: pack.is_open, A_CYCLE_MORE_S)
    pack.fault(fault, False)
    pack.stays(60, lambda: pack.is_open)
    pack.reset(alarm)
    pack.until(lambda: pack.carries == (True, True), 60)


@pytest.mark.fault_class(7, "alone")
@pytest.mark.parametrize("offset_ma", [-40_000, 8000])
def test_beside_a_wrong_current_the_cells_alone_end_a_charge(offset_ma) -> None:
    """S1: an offset is not found while contactors are closed; the voltages are limits of their own."""
    pack = Pack(plant={"initial_soc": 0.93}).started()
    pack.set(current_offset_ma=offset_ma)
    pack.fault("inverter_ignores_limits")
    pack.cell(5, soc_percent=97.5)
    pack.set(charger_a=85)
    while pack.contacts["charge"]:
        pack.run(1)
        assert pack.highest_v < 3.65, pack.active
    assert pack.active.get("cell_ovp") == 5 or "charge_limit_enforced" in pack.active


@pytest.mark.fault_class(7, "alone")
def test_an_offset_shows_when_nothing_can_flow() -> None:
    """S2, S13: a current past open contactors is taken for a weld, and latched."""
    pack = Pack().started()
    pack.set(current_offset_ma=8000)
    pack.ask("switch", "charge", False)
    pack.ask("switch", "discharge", False)
    pack.trips("charge_contactor_welded", 15)


@pytest.mark.fault_class(7, "alone")
def test_a_charge_that_was_never_counted_is_not_called_exact() -> None:
    """S2: with a current that reads nothing the estimate keeps its error, and a full pack ends it by voltage."""
    pack = Pack().started()
    pack.fault("current_lost")
    pack.set(charger_a=85)
    before = pack.virtual.points()["soc_error_permille"]
    pack.run(120)
    assert pack.virtual.points()["soc_error_permille"] >= before >= 100


@pytest.mark.fault_class(7, "second")
def test_a_lost_current_then_a_deaf_inverter_overcharges_nothing() -> None:
    """S1: obedience is judged by current and sees nothing; the cells open, and the latch outlasts them."""
    pack = Pack(plant={"initial_soc": 0.93}).started()
    pack.fault("inverter_ignores_limits")
    pack.fault("current_lost")
    pack.cell(5, soc_percent=97.5)
    pack.set(charger_a=85)
    while pack.contacts["charge"]:
        pack.run(1)
        assert pack.highest_v < 3.65, pack.active
    assert pack.active["cell_ovp"] == 5


@pytest.mark.fault_class(7, "second")
def test_a_lost_current_that_was_found_outlasts_the_fault_before_it() -> None:
    """S13: first a cell too high, then the shunt; the cell is mended, and both stay open."""
    pack = Pack().started()
    pack.set(load_w=300)
    pack.cell(7, offset_mv=330)
    pack.until(lambda: not pack.contacts["charge"], 5)
    pack.fault("current_lost")
    swing_until(pack, "current_implausible", 150)
    pack.cell(7, offset_mv=0)
    pack.fault("current_lost", False)
    pack.stays(120, lambda: pack.is_open)
    assert "cell_ovp" not in pack.active


# 14  Sensor at the warm end


@pytest.mark.fault_class(14, "alone")
@pytest.mark.parametrize("topology", ["split", "common"])
@pytest.mark.parametrize("warm", ["ts1_offset_k", "ts2_offset_k"])
def test_the_coldest_sensor_decides(topology, warm) -> None:
    """S1, S3: one sensor sits at the heater and reads 12 °C; the cells are at -2 °C and are not charged."""
    pack = Pack(topology).started()
    pack.set(**{warm: 14.0})
    pack.set(charger_a=30)
    pack.run(30)
    assert pack.amperes > 20
    pack.set(ambient_c=-2, pack_c=-2)
    pack.until(lambda: pack.amperes < 2, 12)
    pack.stays(60, lambda: pack.amperes < 2 and not pack.out.charge_allowed)
    assert pack.active["charge_utp"] == {"ts1_offset_k": 2, "ts2_offset_k": 1}[warm]


@pytest.mark.fault_class(14, "second")
@pytest.mark.parametrize("kind", ["open", "short"])
def test_the_warm_sensor_alone_allows_nothing(kind) -> None:
    """S2: the sensor that is cold breaks; the one that is left says 12 °C, and is not believed for both."""
    pack = Pack(plant={"ambient_c": -2.0, "ts_offset_k": (14.0, 0.0)})
    pack.set(charger_a=30)
    pack.run(60)
    assert pack.active["charge_utp"] == 2
    pack.fault(f"ntc2_{kind}")
    pack.stays(120, lambda: not pack.contacts["charge"] and pack.amperes < 1)
    assert pack.active["temperature_lost"] == 2
    assert not pack.contacts["heater"], "a heater beside an unknown temperature"
