"""V4 to V10: frames and values TI and others published, against driver code and simulated chip.

Register numbers are written out on purpose: a wrong one in the tables must not be its own proof.
"""

from __future__ import annotations

import struct

import pytest

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.bq769x2_link import read_buffer, write_buffer
from bmsd.afe.bq769x2_settings import data_memory
from bmsd.afe.transfers import Procedure, Read, Wait, Write

SIXTEEN = tuple(range(16))


def writes(procedure: Procedure[None]) -> list[tuple[int, str]]:
    """Run a procedure on nothing and list what it writes."""
    found = []
    for step in procedure:
        if isinstance(step, Write):
            found.append((step.register, step.data.hex(" ").upper()))
        else:
            assert isinstance(step, Wait)
    return found


def test_v4_a_data_memory_write_is_two_frames() -> None:
    frames = writes(write_buffer(0x9180, bytes.fromhex("7A 30"), False))
    assert frames == [(0x3E, "80 91 7A 30"), (0x60, "44 06")]


def test_v4_the_chip_stores_it_and_gives_it_back(bench) -> None:
    bench.chip.enter_config_update()
    bench.chip.transfer(0x08, bytes.fromhex("3E 80 91 7A 30"), 0)
    bench.chip.transfer(0x08, bytes.fromhex("60 44 06"), 0)
    bench.chip.transfer(0x08, bytes.fromhex("3E 80 91"), 0)
    assert bench.chip.transfer(0x08, b"\x3e", 2) == b"\xff\xff", "busy once"
    assert bench.chip.transfer(0x08, b"\x3e", 2) == b"\x80\x91"
    assert bench.chip.transfer(0x08, b"\x61", 1) == b"\x24"
    assert bench.chip.transfer(0x08, b"\x40", 2) == bytes.fromhex("7A 30")


def test_v4_the_driver_reads_it_back(bench) -> None:
    bench.chip.enter_config_update()
    bench.run(write_buffer(0x9180, bytes.fromhex("7A 30"), False))
    assert bench.run(read_buffer(0x9180, False))[:2] == bytes.fromhex("7A 30")


def test_v5_host_watchdog_of_five_seconds() -> None:
    frames = writes(write_buffer(reg.HWD_DELAY.address, reg.HWD_DELAY.pack(5), False))
    assert frames == [(0x3E, "B2 92 05 00"), (0x60, "B6 06")]


def test_v6_regulator_options_and_regulators() -> None:
    options = writes(write_buffer(reg.HWD_REGULATOR.address, reg.HWD_REGULATOR.pack(0x25), False))
    assert options == [(0x3E, "38 92 25"), (0x60, "10 05")]
    regulators = writes(write_buffer(reg.REG12_CONFIG.address, reg.REG12_CONFIG.pack(0x0D), False))
    assert regulators == [(0x3E, "36 92 0D"), (0x60, "2A 05")]


def test_v7_current_gains_are_floats() -> None:
    frames = writes(write_buffer(0x91A8, reg.CC_GAIN.pack(7.4768), False))
    assert frames == [(0x3E, "A8 91 F2 41 EF 40"), (0x60, "64 08")]
    capacity = reg.CAPACITY_GAIN.pack(7.4768 * 298261.6178)
    assert capacity == bytes.fromhex("6A 1C 08 4A")


def test_v7_is_what_a_one_milliohm_shunt_gets(settings) -> None:
    from dataclasses import replace

    memory = data_memory(replace(settings, shunt_uohm=1000, charge_over_ma=100_000,
                                 discharge_over_ma=150_000, short_circuit_ma=400_000), SIXTEEN)  # fmt: skip
    packed = {setting.row.address: setting.row.pack(setting.value) for setting in memory}
    assert packed[0x91A8] == bytes.fromhex("F2 41 EF 40")
    assert packed[0x91AC] == bytes.fromhex("6A 1C 08 4A")


def test_v8_balancing_the_outer_cells_and_stopping(bench) -> None:
    bench.driver._set_mode(False)
    frames = writes(bench.driver.balance(0x8001))
    assert frames == [(0x3E, "83 00 01 80"), (0x60, "FB 06")]
    assert writes(bench.driver.balance(0)) == [(0x3E, "83 00 00 00"), (0x60, "7C 06")]


def test_v9_the_chip_moves_to_another_address(bench) -> None:
    frames = writes(write_buffer(0x923A, b"\x20", False))
    assert frames == [(0x3E, "3A 92 20"), (0x60, "13 05")]
    for frame in ("3E 90 00", "3E 3A 92 20", "60 13 05", "3E 92 00", "3E BC 29"):
        bench.chip.transfer(0x08, bytes.fromhex(frame), 0)
    bench.chip.transfer(0x10, b"\x12", 2)
    with pytest.raises(OSError, match="no acknowledge"):
        bench.chip.transfer(0x08, b"\x12", 2)


def test_v10_single_bytes_tear_and_one_transaction_does_not(ready) -> None:
    ready.chip.fault("torn", True)
    ready.sense(cell_mv=0x0D00)
    ready.pass_ms(63)
    ready.sense(cell_mv=0x0CFF)
    ready.pass_ms(63)
    ready.chip.link.crc = False
    low = ready.chip.transfer(0x08, b"\x14", 1)
    high = ready.chip.transfer(0x08, b"\x15", 1)
    assert low + high == b"\x00\x0c", "3072 mV, which the cell never had"
    assert ready.chip.transfer(0x08, b"\x14", 2) == b"\xff\x0c"


def test_v10_the_driver_never_sees_a_torn_value(ready) -> None:
    """S2: what is reported is a value the cell had."""
    ready.chip.fault("torn", True)
    ready.sense(cell_mv=0x0D00)
    ready.pass_ms(63)
    ready.sense(cell_mv=0x0CFF)
    measurement = ready.poll()
    assert measurement.cell_mv == tuple(range(0x0CFF, 0x0CFF + 16))


def test_v10_no_read_of_the_poll_splits_a_value(ready) -> None:
    words = {*range(0x12, 0x3C, 2), 0x62, 0x70, 0x72, 0x74}
    for block in (ready.driver._plan.alarms, *ready.driver._plan.reads):
        assert isinstance(block, Read)
        end = block.register + block.length
        assert block.register - 1 not in words
        assert end - 1 not in words
        assert block.length <= 32


def test_a_float_survives_its_bytes() -> None:
    assert reg.CC_GAIN.unpack(reg.CC_GAIN.pack(0.5)) == 0.5
    with pytest.raises(ValueError, match="does not fit"):
        reg.OTC_THRESHOLD.pack(200)
    assert struct.calcsize("<f") == 4
