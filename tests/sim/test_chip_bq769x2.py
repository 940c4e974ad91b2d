"""The simulated BQ769x2 on the wire: registers by their published numbers, faults, and no crash."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmsd.afe.transfers import crc8
from bmsd.sim.chips.bq769x2 import FAULTS, Bq769x2Chip

CELLS = [3300.0 + n for n in range(16)]


@pytest.fixture
def chip() -> Bq769x2Chip:
    """Give a chip as after power-up, with a plain pack on it."""
    found = Bq769x2Chip()
    found.sense(CELLS, 0, 52_800, 52_000, (250, 250, 250))
    return found


def send(chip: Bq769x2Chip, *frames: str) -> None:
    for frame in frames:
        chip.transfer(0x08, bytes.fromhex(frame), 0)


def word(chip: Bq769x2Chip, register: int) -> int:
    return int.from_bytes(chip.transfer(0x08, bytes((register,)), 2), "little", signed=True)


def store(chip: Bq769x2Chip, address: int, data: bytes) -> None:
    """Write data memory as the data sheet says, in CONFIG_UPDATE."""
    low, high = address & 0xFF, address >> 8
    chip.transfer(0x08, bytes((0x3E, low, high)) + data, 0)
    total = ~(low + high + sum(data)) & 0xFF
    chip.transfer(0x08, bytes((0x60, total, len(data) + 4)), 0)


def test_after_power_up_por_is_set_and_leaving_config_update_clears_it(chip) -> None:
    assert word(chip, 0x12) & 0x0008
    send(chip, "3E 90 00")
    assert word(chip, 0x12) & 0x0009 == 0x0009
    send(chip, "3E 92 00")
    assert word(chip, 0x12) & 0x0009 == 0


def test_values_change_only_when_a_loop_ends(chip) -> None:
    chip.advance(62)
    assert word(chip, 0x14) == 0
    chip.advance(63)
    assert [word(chip, 0x14 + 2 * n) for n in range(16)] == [round(value) for value in CELLS]
    assert (word(chip, 0x34), word(chip, 0x36), word(chip, 0x38)) == (5292, 5280, 5200)
    chip.sense([4000.0] * 16, 0, 0, 0, (250, 250, 250))
    chip.advance(125)
    assert word(chip, 0x14) == 3300
    chip.advance(126)
    assert word(chip, 0x14) == 4000


def test_scan_flags_come_per_loop_and_per_three_loops_and_are_cleared_by_ones(chip) -> None:
    send(chip, "66 82 F8")
    chip.advance(63)
    assert word(chip, 0x62) & 0x82 == 0x02
    send(chip, "62 02 00")
    assert word(chip, 0x62) & 0x82 == 0
    chip.advance(188)
    assert word(chip, 0x62) & 0x82 == 0x02
    chip.advance(189)
    assert word(chip, 0x62) & 0x82 == 0x82
    send(chip, "62 80 00")
    assert word(chip, 0x62) & 0x82 == 0x02


def test_flags_not_enabled_are_not_latched(chip) -> None:
    chip.advance(500)
    assert word(chip, 0x62) & 0x82 == 0
    assert word(chip, 0x64) & 0x82 == 0x82


def test_current_follows_gain_and_unit_and_saturates(chip) -> None:
    chip.sense(CELLS, 8000, 0, 0, (250, 250, 250))
    chip.advance(63)
    assert word(chip, 0x3A) == 2000, "the default gain is that of 1 mΩ; this shunt has a quarter"
    send(chip, "3E 90 00")
    store(chip, 0x91A8, bytes.fromhex("F2 41 EF 41"))
    store(chip, 0x9303, b"\x06")
    send(chip, "3E 92 00")
    for current_ma, raw in ((12_340, 1234), (-12_340, -1234), (1e6, 32767), (-1e6, -32768)):
        chip.sense(CELLS, current_ma, 0, 0, (250, 250, 250))
        chip.advance(500)
        assert word(chip, 0x3A) == raw


def test_temperatures_are_in_tenths_of_a_kelvin_where_a_thermistor_is_set_up(chip) -> None:
    chip.sense(CELLS, 0, 0, 0, (250, 250, 250), internal_decic=310)
    chip.advance(63)
    assert (word(chip, 0x68), word(chip, 0x70), word(chip, 0x72)) == (3041, 2981, 0)


def test_a_subcommand_is_busy_then_echoes_with_length_and_checksum(chip) -> None:
    send(chip, "3E 01 00")
    assert chip.transfer(0x08, b"\x3e", 2) == b"\xff\xff"
    assert chip.transfer(0x08, b"\x3e", 2) == b"\x01\x00"
    assert chip.transfer(0x08, b"\x40", 2) == b"\x95\x76"
    total, length = chip.transfer(0x08, b"\x60", 2)
    assert length == 6
    assert total == ~(0x01 + 0x95 + 0x76) & 0xFF


@pytest.mark.parametrize("frame", ["60 B4 06", "60 B5 05", "60 B5 04", "60 B5 00", "60 B5 FF"])
def test_a_wrong_checksum_or_length_is_ignored_without_a_sign(chip, frame) -> None:
    send(chip, "3E 90 00", "3E B2 92 05 01", frame)
    assert chip.memory.unsigned(0x92B2, 2) == 60
    send(chip, "3E B2 92 05 01", "60 B5 06")
    assert chip.memory.unsigned(0x92B2, 2) == 0x0105


def test_data_memory_is_only_written_in_config_update(chip) -> None:
    send(chip, "3E B2 92 05 00", "60 B6 06")
    assert chip.memory.unsigned(0x92B2, 2) == 60


def test_checksum_and_length_must_come_together(chip) -> None:
    send(chip, "3E 90 00", "3E B2 92 05 00", "60 B6", "61 06")
    assert chip.memory.unsigned(0x92B2, 2) == 60


def test_defaults_are_those_of_the_data_sheet(chip) -> None:
    memory = chip.memory
    assert (memory.unsigned(0x9261), memory.unsigned(0x9262), memory.unsigned(0x9263)) == (136, 0, 0)
    assert (memory.unsigned(0x9278), memory.unsigned(0x9279, 2)) == (86, 74)
    assert memory.signed(0x92AC) == -20
    assert memory.real(0x91A8) == pytest.approx(7.4768)


def crc_mode(chip: Bq769x2Chip) -> None:
    send(chip, "3E 90 00")
    store(chip, 0x9239, b"\x12")
    send(chip, "3E 92 00", "3E BC 29")


def test_crc_mode_begins_with_the_swap_and_ends_with_a_reset(chip) -> None:
    crc_mode(chip)
    wire = chip.transfer(0x08, b"\x12", 2)
    assert wire[1] == crc8(bytes((0x10, 0x12, 0x11, wire[0])))
    with pytest.raises(OSError, match="acknowledge") as caught:
        send(chip, "3E 95 00")
    assert caught.value.errno == errno.EREMOTEIO
    chip.power_cycle()
    send(chip, "3E 95 00")


def test_a_wrong_checksum_on_a_write_stores_nothing(chip) -> None:
    crc_mode(chip)
    good = bytes((0x66, 0x82, crc8(b"\x10\x66\x82"), 0xF8, crc8(b"\xf8")))
    for position in range(1, len(good)):
        bad = bytearray(good)
        bad[position] ^= 0x01
        with pytest.raises(OSError, match="acknowledge"):
            chip.transfer(0x08, bytes(bad), 0)
        assert chip.registers[0x66:0x68] == b"\x00\xf8"
    chip.transfer(0x08, good, 0)
    assert chip.registers[0x66:0x68] == b"\x82\xf8"


def test_another_address_is_not_acknowledged(chip) -> None:
    with pytest.raises(OSError, match="acknowledge"):
        chip.transfer(0x10, b"\x12", 2)


def test_fet_enable_toggles(chip) -> None:
    for expected in (0x10, 0x00, 0x10):
        send(chip, "3E 22 00", "3E 57 00")
        assert chip.transfer(0x08, b"\x40", 1)[0] & 0x10 == expected


def test_sleep_freezes_values_and_sleep_disable_wakes(chip) -> None:
    chip.advance(10_100)
    assert word(chip, 0x12) & 0x8000, "asleep by default after a while without current"
    chip.sense([4000.0] * 16, 0, 0, 0, (250, 250, 250))
    chip.advance(15_000)
    assert word(chip, 0x14) == 3300
    chip.advance(15_200)
    assert word(chip, 0x14) == 4000
    send(chip, "3E 9A 00")
    chip.sense([3500.0] * 16, 0, 0, 0, (250, 250, 250))
    chip.advance(15_263)
    assert word(chip, 0x14) == 3500
    assert not word(chip, 0x12) & 0x8000


def test_balancing_ends_by_itself_after_twenty_seconds(chip) -> None:
    send(chip, "3E 83 00 05 00", "60 77 06")
    assert chip.balancing_mask == 0x0005
    chip.advance(19_999)
    assert chip.balancing_mask == 0x0005
    chip.advance(20_000)
    assert chip.balancing_mask == 0


def test_balancing_ends_with_a_trip(chip) -> None:
    send(chip, "3E 83 00 05 00", "60 77 06")
    chip.sense([4500.0] * 16, 0, 0, 0, (250, 250, 250))
    chip.advance(1000)
    assert chip.balancing_mask == 0


def test_the_signature_is_a_function_of_the_static_settings(chip) -> None:
    first = chip.memory.signature()
    chip.memory.flip(0x9278)
    assert chip.memory.signature() != first
    chip.memory.flip(0x9278)
    assert chip.memory.signature() == first


def test_a_shut_down_chip_does_not_answer_until_power_returns(chip) -> None:
    send(chip, "3E 10 00")
    with pytest.raises(OSError, match="acknowledge"):
        word(chip, 0x12)
    chip.power_cycle()
    assert word(chip, 0x12) & 0x0008


def test_an_open_wire_moves_voltage_to_the_upper_neighbour(chip) -> None:
    chip.fault("open_wire", True, cell=7)
    chip.sense(CELLS, 0, 0, 0, (250, 250, 250))
    chip.advance(63)
    low, high = word(chip, 0x14 + 12), word(chip, 0x14 + 14)
    assert low < 1500
    assert high > 5000
    chip.fault("open_wire", False)
    chip.sense(CELLS, 0, 0, 0, (250, 250, 250))
    chip.advance(126)
    assert word(chip, 0x14 + 12) == 3306


def test_an_open_wire_on_the_top_cell_has_no_neighbour(chip) -> None:
    chip.fault("open_wire", True, cell=16)
    chip.sense(CELLS, 0, 0, 0, (250, 250, 250))
    chip.advance(63)
    assert word(chip, 0x32) < 1500


def test_voltages_beyond_the_converter_are_clipped(chip) -> None:
    chip.sense([1e9, -1e9] + [3300.0] * 14, 0, 1e9, -1e9, (1e9, -1e9, 0))
    chip.advance(63)
    assert (word(chip, 0x14), word(chip, 0x16), word(chip, 0x36)) == (5500, -200, 32767)


def test_every_fault_has_a_meaning_and_an_unknown_one_is_refused(chip) -> None:
    assert all(meaning.endswith(".") for meaning in FAULTS.values())
    for name in FAULTS:
        chip.fault(name, True)
        chip.fault(name, False)
    assert chip.faults == {}
    with pytest.raises(ValueError, match="no fault 'gremlin'"):
        chip.fault("gremlin", True)


def test_the_same_inputs_give_the_same_bytes() -> None:
    def history() -> bytes:
        chip = Bq769x2Chip()
        for now_ms in range(0, 5000, 50):
            chip.sense(CELLS, now_ms - 2500, 0, 0, (250, 250, 250))
            chip.advance(now_ms)
        return bytes(chip.registers)

    assert history() == history()


def attempt(chip: Bq769x2Chip, out: bytes, read: int) -> tuple[bytes, int]:
    """Transfer, and give the answer with 0 or nothing with the errno."""
    try:
        return chip.transfer(0x08, out, read), 0
    except OSError as error:
        return b"", error.errno or -1


@given(
    steps=st.lists(st.tuples(st.binary(max_size=44), st.integers(0, 80), st.integers(0, 2000)), max_size=12),
    crc=st.booleans(),
    fault=st.sampled_from(["", *FAULTS]),
)
def test_random_transfers_never_crash_the_chip(steps, crc, fault) -> None:
    chip = Bq769x2Chip()
    chip.link.crc = crc
    if fault:
        chip.fault(fault, True)
    now_ms = 0
    for out, read, pause_ms in steps:
        now_ms += pause_ms
        chip.sense(CELLS, 0, 0, 0, (250, 250, 250))
        chip.advance(now_ms)
        answer, failure = attempt(chip, out, read)
        assert failure in (0, errno.EREMOTEIO, errno.ETIMEDOUT)
        assert failure or len(answer) == read


@given(code=st.integers(0, 0xFFFF), payload=st.binary(max_size=32))
def test_random_subcommands_and_payloads_never_crash_the_chip(code, payload) -> None:
    chip = Bq769x2Chip()
    chip.enter_config_update()
    try:
        store(chip, code, payload)
        send(chip, "3E 92 00")
    except OSError:
        assert not chip.powered
    chip.sense(CELLS, 0, 0, 0, (250, 250, 250))
    chip.advance(10_000)
