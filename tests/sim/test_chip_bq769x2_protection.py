"""The simulated comparators: each trips at its delay and not one step before, and recovers."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from bmsd.sim.chips.bq769x2 import Bq769x2Chip

GOOD = {"cell_mv": 3300.0, "current_ma": 0.0, "hot": 250.0, "cold": 250.0, "switch": 250.0, "die": 250.0}  # fmt: skip

# Threshold, delay, recovery as data memory; 250 µΩ shunt.
MEMORY = [
    (0x9261, "<3B", (0xFC, 0xF7, 0x02)),
    (0x9275, "<BH", (49, 300)),  # 2479.4 mV, 996.6 ms
    (0x9278, "<BH", (72, 301)),  # 3643.2 mV, 999.9 ms
    (0x9280, "<6B", (10, 28, 20, 88, 30, 13)),  # OCC 80 A 99 ms, OCD1 160 A 297 ms, OCD2 240 A
    (0x9286, "<2B", (6, 15)),  # 125 mV: 500 A
    (0x9288, "<h", (500,)),
    (0x928D, "<h", (-500,)),
    (0x92B2, "<H", (5,)),
    (0x92FD, "<3B", (0x07, 0x07, 0x0F)),
    (0x9301, "<2B", (0xAA, 0xAA)),
    (0x9236, "<2B", (0x0D, 0x01)),
    (0x9234, "<H", (0x2882,)),
]

# Name, pins, status register, bit, delay in ms, whether DSG and CHG are dropped.
TRIPS = [
    ("COV", {"cell_mv": 3644.0}, 0x03, 0x08, 999.9, False, True),
    ("CUV", {"cell_mv": 2479.0}, 0x03, 0x04, 996.6, True, False),
    ("OCC", {"current_ma": 80_000.0}, 0x03, 0x10, 99.0, False, True),
    ("OCD1", {"current_ma": -160_000.0}, 0x03, 0x20, 297.0, True, False),
    ("OCD2", {"current_ma": -240_000.0}, 0x03, 0x40, 49.5, True, False),
    ("OTC", {"hot": 550.0}, 0x05, 0x10, 2000, False, True),
    ("OTD", {"hot": 600.0}, 0x05, 0x20, 2000, True, True),
    ("OTF", {"switch": 800.0}, 0x05, 0x80, 2000, True, True),
    ("OTINT", {"die": 850.0}, 0x05, 0x40, 2000, True, True),
    ("UTC", {"cold": 0.0}, 0x05, 0x01, 2000, False, True),
    ("UTD", {"cold": 0.0}, 0x05, 0x02, 2000, True, True),
    ("UTINT", {"die": -200.0}, 0x05, 0x04, 2000, True, True),
]


def sense(chip: Bq769x2Chip, **pins: float) -> None:
    values = {**GOOD, **pins}
    cells = [3300.0] * 16
    cells[6] = values["cell_mv"]
    temperatures = (values["hot"], values["cold"], values["switch"])
    chip.sense(cells, values["current_ma"], 0, 0, temperatures, values["die"])


@pytest.fixture
def chip() -> Bq769x2Chip:
    """Give a chip that is set up, permits both directions, and stands at 1000 ms."""
    found = Bq769x2Chip()
    for address, form, values in MEMORY:
        found.memory.write(address, struct.pack(form, *values))
    sense(found)
    found.enter_config_update()
    found.leave_config_update()
    found.transfer(0x08, bytes.fromhex("3E 22 00"), 0)
    found.transfer(0x08, bytes.fromhex("3E 96 00"), 0)
    found.advance(1000)
    assert (found.dsg_permit, found.chg_permit) == (True, True)
    return found


@pytest.mark.parametrize(
    ("name", "pins", "register", "bit", "delay_ms", "dsg", "chg"), TRIPS, ids=[t[0] for t in TRIPS]
)
def test_a_comparator_trips_at_its_delay_and_not_before(
    chip, name, pins, register, bit, delay_ms, dsg, chg
) -> None:
    """S6: the layer below the daemon acts by itself."""
    sense(chip, **pins)
    whole_ms = -int(-delay_ms // 1)
    chip.advance(1000 + whole_ms - 1)
    assert not chip.registers[register] & bit
    chip.advance(1000 + whole_ms)
    assert chip.registers[register] & bit
    assert not (dsg and chip.dsg_permit)
    assert not (chg and chip.chg_permit)


NEARLY = [
    ("COV", {"cell_mv": 3643.0}),
    ("CUV", {"cell_mv": 2480.0}),
    ("OCC", {"current_ma": 79_999.0}),
    ("OCD1", {"current_ma": -159_999.0}),
    ("OTC", {"hot": 549.0}),
    ("OTF", {"switch": 799.0}),
    ("UTC", {"cold": 1.0}),
    ("UTINT", {"die": -199.0}),
]


@pytest.mark.parametrize(("name", "pins"), NEARLY)
def test_just_inside_nothing_ever_trips(chip, name, pins) -> None:
    sense(chip, **pins)
    for now_ms in range(1000, 20_000, 500):
        chip.feed_watchdog()
        chip.advance(now_ms)
    assert (chip.registers[0x03], chip.registers[0x05]) == (0, 0)
    assert chip.dsg_permit
    assert chip.chg_permit


def test_a_violation_that_ends_in_time_trips_nothing_and_starts_afresh(chip) -> None:
    for start_ms in (1000, 2000, 3000):
        chip.advance(start_ms)
        sense(chip, cell_mv=3700)
        chip.advance(start_ms + 900)
        sense(chip)
    chip.advance(4500)
    assert chip.registers[0x03] == 0


def test_a_short_circuit_trips_within_the_call(chip) -> None:
    """S6: microseconds, long before any daemon."""
    sense(chip, current_ma=-500_000)
    sense(chip)
    assert not chip.dsg_permit
    assert not chip.chg_permit
    assert chip.registers[0x03] & 0x80


def test_just_below_a_short_circuit_nothing_trips_at_once(chip) -> None:
    sense(chip, current_ma=-499_999)
    assert chip.dsg_permit


@pytest.mark.parametrize(
    ("name", "pins", "register", "bit", "delay_ms", "dsg", "chg"), TRIPS, ids=[t[0] for t in TRIPS]
)
def test_a_comparator_recovers_three_seconds_after_the_cause(
    chip, name, pins, register, bit, delay_ms, dsg, chg
) -> None:
    sense(chip, **pins)
    chip.advance(4000)
    assert chip.registers[register] & bit
    sense(chip)
    chip.advance(4100)
    chip.advance(7000)
    chip.feed_watchdog()
    chip.advance(7099)
    assert chip.registers[register] & bit
    chip.advance(7100)
    assert not chip.registers[register] & bit
    chip.advance(7350)
    assert chip.dsg_permit
    assert chip.chg_permit


def test_recovery_needs_the_hysteresis(chip) -> None:
    sense(chip, cell_mv=3700)
    chip.advance(2500)
    sense(chip, cell_mv=3600)
    for now_ms in range(2500, 20_000, 500):
        chip.feed_watchdog()
        chip.advance(now_ms)
    assert chip.registers[0x03] & 0x08
    assert not chip.chg_permit


def test_the_host_watchdog_drops_both_permits_at_expiry_and_recovers_by_traffic(chip) -> None:
    """S5: a daemon that stopped loses its contactors."""
    chip.transfer(0x08, b"\x12", 2)
    chip.advance(5999)
    assert chip.dsg_permit
    chip.advance(6000)
    assert (chip.dsg_permit, chip.chg_permit) == (False, False)
    assert chip.registers[0x07] & 0x02
    chip.transfer(0x08, b"\x12", 2)
    assert (chip.dsg_permit, chip.chg_permit) == (False, False), "not before the next evaluation"
    chip.advance(6250)
    assert (chip.dsg_permit, chip.chg_permit) == (True, True)


def test_refused_traffic_does_not_feed_the_watchdog(chip) -> None:
    """S5: only valid communication counts."""
    chip.advance(5000)
    with pytest.raises(OSError, match="acknowledge"):
        chip.transfer(0x10, b"\x12", 2)
    chip.advance(6000)
    assert not chip.dsg_permit


def test_config_update_forbids_everything_and_stops_protecting(chip) -> None:
    chip.transfer(0x08, bytes.fromhex("3E 90 00"), 0)
    assert (chip.dsg_permit, chip.chg_permit) == (False, False)
    sense(chip, cell_mv=4500, current_ma=-900_000)
    chip.advance(60_000)
    assert chip.registers[0x03] == 0
    assert (chip.dsg_permit, chip.chg_permit) == (False, False)


def test_a_power_cycle_permits_nothing(chip) -> None:
    """S5: settings are gone, and with them the pins' function."""
    chip.power_cycle()
    chip.advance(10_000)
    assert (chip.dsg_permit, chip.chg_permit) == (False, False)


def test_pins_not_set_up_as_interlock_stay_low() -> None:
    """S5: high must mean permitted; with the default polarity it would mean the opposite."""
    for pin, regulators in ((0x00, b"\x0d\x01"), (0x2A, b"\x0d\x01"), (0xAA, b"\x00\x00")):
        found = Bq769x2Chip()
        found.memory.write(0x9301, bytes((pin, pin)))
        found.memory.write(0x9236, regulators)
        found.enter_config_update()
        found.leave_config_update()
        found.transfer(0x08, bytes.fromhex("3E 22 00"), 0)
        found.transfer(0x08, bytes.fromhex("3E 96 00"), 0)
        found.advance(1000)
        assert not found.dsg_permit


def test_unused_inputs_trip_nothing_and_wrongly_used_ones_do() -> None:
    for mode, trips in ((0x8007, False), (0x800F, True)):
        found = Bq769x2Chip(cells=4)
        found.memory.write(0x9261, b"\xfc")
        found.memory.write(0x9304, struct.pack("<H", mode))
        found.enter_config_update()
        found.sense([3300.0] * 4, 0, 0, 0, (250, 250, 250))
        found.leave_config_update()
        found.advance(1000)
        assert bool(found.registers[0x03] & 0x04) is trips


@pytest.mark.parametrize("off", ["3E 95 00", "3E 93 00", "3E 94 00"])
def test_forcing_off_acts_at_once(chip, off) -> None:
    chip.transfer(0x08, bytes.fromhex(off), 0)
    assert chip.dsg_permit is (off == "3E 94 00")
    assert chip.chg_permit is (off == "3E 93 00")


def test_fet_control_uses_the_layout_of_the_reference_manual(chip) -> None:
    chip.transfer(0x08, bytes.fromhex("3E 97 00 01"), 0)
    chip.transfer(0x08, bytes((0x60, ~(0x97 + 0x01) & 0xFF, 5)), 0)
    assert (chip.dsg_permit, chip.chg_permit) == (False, True)


def test_settings_and_comparators_agree(settings_of_driver) -> None:
    """S6: two transcriptions of the data sheet, the driver's and the chip's, meet in one value."""
    driver_chip, programmed = settings_of_driver
    protection = driver_chip.protection
    assert int(protection._cov_mv) == programmed["cell_over_mv"]
    assert int(protection._cuv_mv) == programmed["cell_under_mv"]
    assert protection._occ_ma == programmed["charge_over_ma"]
    assert -protection._ocd1_ma == -protection._ocd2_ma == programmed["discharge_over_ma"]
    assert -protection._scd_ma == programmed["short_circuit_ma"]
    over, under = sorted(protection._over_decic.values()), sorted(protection._under_decic.values())
    assert {programmed["charge_over_decic"], programmed["discharge_over_decic"]} <= set(over)
    assert {programmed["charge_under_decic"], programmed["discharge_under_decic"]} <= set(under)


@pytest.fixture
def settings_of_driver():
    """Give a chip the driver has configured, and what the driver says it programmed."""
    from bmsd.afe.bq769x2 import Bq769x2
    from bmsd.afe.transfers import run
    from bmsd.core.types import AfeSettings

    settings = AfeSettings(
        cells=16,
        thermistors=2,
        shunt_uohm=250,
        crc=True,
        cell_over_mv=3700,
        cell_over_delay_ms=1000,
        cell_under_mv=2500,
        cell_under_delay_ms=1000,
        charge_over_ma=120_000,
        charge_over_delay_ms=300,
        discharge_over_ma=200_000,
        discharge_over_delay_ms=300,
        short_circuit_ma=500_000,
        short_circuit_delay_us=200,
        charge_over_decic=550,
        charge_under_decic=0,
        discharge_over_decic=600,
        discharge_under_decic=-200,
        host_watchdog_s=5,
        switch_over_decic=800,
    )
    settings = replace(settings, crc=False)
    driver, chip = Bq769x2(settings), Bq769x2Chip()
    for procedure in (driver.start(), driver.configure()):
        run(procedure, chip, 0x08, lambda ms: None)
    return chip, driver.programmed


# Rows whose default is 0, which the chip's table of defaults leaves out.
ZERO_BY_DEFAULT = {
    0x9236, 0x9237, 0x9238, 0x9239, 0x9262, 0x9263, 0x927D, 0x9286, 0x928F, 0x9295, 0x92FA, 0x92FB,
    0x92FC, 0x92FE, 0x92FF, 0x9300, 0x9301, 0x9302, 0x9304, 0x930A, 0x9335,
}  # fmt: skip
# Rows of latched recovery: they have a default, but no part in the simulation.
NOT_SIMULATED = {0x9290, 0x9291, 0x9292, 0x9296, 0x9297, 0x9298}


def test_every_row_of_the_driver_lies_where_the_chip_has_one_of_that_size() -> None:
    """S6: one transcription of the data sheet checks the other, row by row."""
    from bmsd.afe import bq769x2_registers as reg
    from bmsd.sim.chips.bq769x2_memory import _DEFAULTS

    sizes = {address: struct.calcsize(form) for address, form, _ in _DEFAULTS}
    rows = [value for value in vars(reg).values() if isinstance(value, reg.MemoryRow)]
    assert len(rows) > 80
    for row in rows:
        if row.address not in ZERO_BY_DEFAULT | NOT_SIMULATED:
            assert sizes.get(row.address) == int(row.type[1]), row.name
