"""The driver on the simulated chip: start from every state, settings kept, polls that are true."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bmsd.afe.bq769x2 import BQ76942, BQ769142, Bq769x2
from bmsd.afe.bq769x2_link import write_buffer
from bmsd.afe.contract import NoNewScanError, SettingsLostError
from bmsd.afe.transfers import Write, frame_write
from bmsd.core.types import ChipFault
from bmsd.errors import AfeError, BusError, CrcError, VerifyError, WrongChipError
from bmsd.sim.chips.bq769x2 import Bq769x2Chip

ALL_FETS_OFF = 0x0095


def config_updates(bench) -> int:
    return bench.commands().count(0x0090)


def settings_in(chip: Bq769x2Chip) -> tuple[int, ...]:
    return tuple(
        chip.memory.unsigned(address) for address in (0x9261, 0x9278, 0x9282, 0x9286, 0x92B2, 0x9302, 0x9308)
    )


def test_the_first_write_of_all_forbids_the_switches(bench) -> None:
    """A chip whose watchdog ran out permits again with the first transfer; this comes before."""
    bench.run(bench.driver.start())
    out, read = bench.frames[0]
    assert (out, read) == (bytes.fromhex("3E 95 00"), 0)


def test_in_crc_mode_too_the_first_accepted_write_forbids_the_switches(bench) -> None:
    bench.bring_up()
    bench.frames.clear()
    bench.run(Bq769x2(bench.settings).start())
    written = [out for out, _ in bench.frames if len(out) > 1]
    assert written[0] == bytes.fromhex("3E 95 00"), "refused: it has no checksums"
    assert written[1] == frame_write(0x08, Write(0x3E, b"\x95\x00", crc=True))


def test_a_fresh_chip_comes_up_with_checksums(bench) -> None:
    bench.bring_up()
    assert bench.chip.link.crc
    assert settings_in(bench.chip) == (0xFC, 75, 32, 7, 5, 0xAA, 0x2C)
    assert bench.counter.errors == 0


def test_a_fresh_chip_comes_up_without_checksums_where_none_are_asked_for(make_bench, settings) -> None:
    bench = make_bench(replace(settings, crc=False))
    bench.bring_up()
    assert not bench.chip.link.crc
    assert bench.poll().cell_mv[0] == 3300


def test_a_chip_already_in_crc_mode_is_recognised(bench) -> None:
    bench.bring_up()
    before = config_updates(bench)
    bench.run(Bq769x2(bench.settings).start())
    assert config_updates(bench) == before, "nothing to change, so protection stays on"
    assert bench.counter.errors == 0


def test_a_chip_in_crc_mode_serves_a_configuration_without(bench, settings) -> None:
    bench.bring_up()
    bench.driver = Bq769x2(replace(settings, crc=False))
    bench.bring_up()
    assert bench.poll().cell_mv[15] == 3315


def test_a_chip_stuck_in_config_update_is_freed(bench) -> None:
    bench.chip.enter_config_update()
    bench.run(bench.driver.start())
    assert not bench.chip.config_update
    bench.run(bench.driver.configure())
    assert settings_in(bench.chip)[0] == 0xFC


def test_a_sealed_chip_is_unsealed_with_the_factory_keys(bench) -> None:
    bench.chip.transfer(0x08, bytes.fromhex("3E 30 00"), 0)
    bench.bring_up()
    assert settings_in(bench.chip)[0] == 0xFC


def test_a_chip_sealed_with_other_keys_is_refused(bench) -> None:
    bench.chip.memory.write(0x9257, b"\x12\x34")
    bench.chip.transfer(0x08, bytes.fromhex("3E 30 00"), 0)
    with pytest.raises(VerifyError, match="sealed"):
        bench.run(bench.driver.start())


def test_another_chip_is_refused(make_bench) -> None:
    bench = make_bench(chip=Bq769x2Chip(device_number=0x7692))
    with pytest.raises(WrongChipError, match="0x7692"):
        bench.run(bench.driver.start())


def test_no_chip_is_a_bus_error(bench) -> None:
    bench.chip.fault("nack", True)
    with pytest.raises(BusError, match="no acknowledge"):
        bench.run(bench.driver.start())


def test_a_restarting_daemon_finds_its_chip_and_permits_nothing(ready) -> None:
    ready.run(ready.driver.permit(True))
    ready.pass_ms(300)
    assert ready.chip.dsg_permit
    ready.run(Bq769x2(ready.settings).start())
    assert not ready.chip.dsg_permit
    assert not ready.chip.chg_permit


def test_fets_are_enabled_once_and_not_toggled_off_again(ready) -> None:
    ready.run(ready.driver.configure())
    assert ready.chip.switches.fet_enabled
    assert ready.commands().count(0x0022) == 1


def test_settings_that_do_not_stick_are_tried_three_times_and_refused(bench) -> None:
    """S6: written, read back, compared."""
    bench.run(bench.driver.start())
    bench.chip.fault("no_writes", True)
    bench.frames.clear()
    with pytest.raises(VerifyError, match=r"3 attempts.*CC Gain"):
        bench.run(bench.driver.configure())
    assert not bench.chip.config_update, "its default protection is on again"


def test_a_setting_lost_once_is_written_again(bench) -> None:
    """S6: a first write after a mode change is sometimes lost."""
    bench.run(bench.driver.start())
    transfer, lost = bench.chip.transfer, []

    def lossy(address: int, out: bytes, read: int) -> bytes:
        if out[0] == 0x60 and len(out) > 1 and not lost:
            lost.append(out)
            return b""
        return transfer(address, out, read)

    bench.chip.transfer = lossy
    bench.run(bench.driver.configure())
    assert lost
    bench.pass_ms(250)
    assert bench.run(bench.driver.poll()).current_ma == 0
    assert settings_in(bench.chip)[0] == 0xFC


def test_a_poll_reads_every_value(ready) -> None:
    ready.sense(cell_mv=3000, current_ma=-123_450, decic=-55)
    measurement = ready.poll()
    assert measurement.cell_mv == tuple(range(3000, 3016))
    assert measurement.stack_mv == 48_120
    assert (measurement.charger_mv, measurement.load_mv) == (52_800, 52_000)
    assert measurement.current_ma == -123_450
    assert measurement.battery_decic == (-55, -54)
    assert measurement.switch_decic == 400
    assert measurement.faults is ChipFault.NONE


def test_a_poll_costs_little_more_than_its_values(ready) -> None:
    """Budget: at most 1.15 of the minimum; the reference set S2 has 146 bytes with checksums."""
    before, transfers = ready.counter.wire_bytes, ready.counter.transfers
    ready.poll()
    assert ready.counter.wire_bytes - before == 131
    assert ready.counter.transfers - transfers == 6
    values = 3 * 1 + 2 + 16 * 2 + 4 * 2 + 3 * 2 + 2
    reads, acknowledging_the_scan = 5, 6
    assert 1.15 * (3 * reads + 2 * values + acknowledging_the_scan) >= 131


@pytest.mark.parametrize(
    ("variant", "cells", "inputs", "number"),
    [
        (BQ76942, 10, range(10), 0x7694),
        (BQ76942, 10, range(10), 0x7642),
        (BQ76942, 6, range(10), 0x7694),
        (BQ769142, 14, (*range(12), 13, 15), 0x7691),
        (BQ769142, 8, (*range(12), 13, 15), 0x7691),
    ],
)
def test_the_smaller_chips_read_their_cells_in_order(
    make_bench, settings, variant, cells, inputs, number
) -> None:
    chip = Bq769x2Chip(cells=cells, inputs=tuple(inputs), device_number=number)
    bench = make_bench(replace(settings, cells=cells), chip)
    bench.driver = Bq769x2(bench.settings, variant)
    bench.bring_up()
    measurement = bench.run(bench.driver.poll())
    assert measurement.cell_mv == tuple(range(3300, 3300 + cells))
    assert measurement.faults is ChipFault.NONE, "unused inputs trip nothing"


@pytest.mark.parametrize("cells", range(3, 17))
def test_every_cell_count_reads_its_cells(make_bench, settings, cells) -> None:
    bench = make_bench(replace(settings, cells=cells), Bq769x2Chip(cells=cells))
    bench.bring_up()
    measurement = bench.run(bench.driver.poll())
    assert measurement.cell_mv == tuple(range(3300, 3300 + cells))
    assert measurement.faults is ChipFault.NONE


def test_a_saturated_current_is_unknown(ready) -> None:
    """S2: the end of a 16-bit scale is not a measurement."""
    for current_ma in (327_670, 500_000, -327_670, -327_680, -500_000):
        ready.sense(current_ma=current_ma)
        assert ready.poll().current_ma is None
    ready.sense(current_ma=-327_660)
    assert ready.poll().current_ma == -327_660


@pytest.mark.parametrize(("decic", "seen"), [(-400, -400), (-401, None), (1199, 1199)])
def test_a_thermistor_off_its_scale_is_unknown(ready, decic, seen) -> None:
    """S2: an open or shorted NTC has no temperature."""
    ready.chip.sense([3300.0] * 16, 0, 0, 0, (decic, 250, 250))
    assert ready.poll().battery_decic[0] == seen


def test_an_open_thermistor_on_the_switch_is_unknown(ready) -> None:
    ready.chip.sense([3300.0] * 16, 0, 0, 0, (250, 250, -2000))
    assert ready.poll().switch_decic is None


def test_one_thermistor_gives_one_temperature(make_bench, settings) -> None:
    bench = make_bench(replace(settings, thermistors=1))
    bench.bring_up()
    assert bench.poll().battery_decic == (250,)


def test_a_negative_cell_is_unknown_and_others_stay_as_read(ready) -> None:
    """S2: what the chip marks invalid is unknown; plausibility is the core's."""
    ready.chip.sense([-50.0, 100.0, 5500.0] + [3300.0] * 13, 0, 0, 0, (250, 250, 250))
    assert ready.poll().cell_mv[:4] == (None, 100, 5500, 3300)


@pytest.mark.parametrize(
    ("pin_mv", "read_mv"), [(-10, 0), (-1000, 0), (-1010, None), (0, 0), (52_000, 52_000)]
)
def test_a_pin_that_nothing_drives_reads_nothing_in_spite_of_its_offset(ready, pin_mv, read_mv) -> None:
    """S2: an open charger side is no lost value; one that no pin can have is."""
    ready.chip.sense([3300.0] * 16, 0, pin_mv, pin_mv, (250, 250, 250))
    measurement = ready.poll()
    assert (measurement.charger_mv, measurement.load_mv) == (read_mv, read_mv)


def test_cells_are_unknown_while_the_open_wire_test_draws_current(ready) -> None:
    """S2: voltages under test current are not voltages of the cells."""
    ready.pass_ms(250)
    ready.chip.registers[0x12] |= 0x20
    measurement = ready.run(ready.driver.poll())
    assert measurement.cell_mv == (None,) * 16
    assert measurement.current_ma == 0


def test_no_new_scan_is_no_measurement(ready) -> None:
    """S7: old values are never shown as new."""
    ready.poll()
    with pytest.raises(NoNewScanError):
        ready.run(ready.driver.poll())


def test_a_frozen_chip_gives_no_measurement(ready) -> None:
    """S7: a frozen sensor is found at the next poll."""
    ready.poll()
    ready.chip.fault("frozen", True)
    with pytest.raises(NoNewScanError):
        ready.poll()
    ready.chip.fault("frozen", False)
    assert ready.poll().cell_mv[0] == 3300


def test_the_first_measurement_waits_for_a_full_scan(bench) -> None:
    """S2: after one loop of three the stack and the pins have not been measured."""
    bench.run(bench.driver.start())
    bench.run(bench.driver.configure())
    bench.pass_ms(64)
    with pytest.raises(NoNewScanError):
        bench.run(bench.driver.poll())
    bench.pass_ms(126)
    assert bench.run(bench.driver.poll()).stack_mv == 52_920


@pytest.mark.parametrize("crc", [True, False])
def test_a_reset_is_found_at_the_next_poll(make_bench, settings, crc) -> None:
    """S6: a chip that lost its settings is not measured with."""
    bench = make_bench(replace(settings, crc=crc))
    bench.bring_up()
    bench.poll()
    bench.chip.fault("reset", True)
    with pytest.raises(SettingsLostError, match="reset"):
        bench.poll()


def test_config_update_and_sleep_are_found_at_the_next_poll(ready) -> None:
    """S6, S7: no protection, or values of 5 s ago."""
    ready.pass_ms(250)
    ready.chip.enter_config_update()
    with pytest.raises(SettingsLostError, match="CONFIG_UPDATE"):
        ready.poll()
    ready.chip.leave_config_update()
    ready.pass_ms(250)
    ready.chip.registers[0x13] |= 0x80
    with pytest.raises(SettingsLostError, match="sleeps"):
        ready.run(ready.driver.poll())


def test_a_changed_setting_is_found_by_the_fingerprint(ready) -> None:
    """S6: checked again while running."""
    ready.run(ready.driver.fingerprint())
    ready.chip.fault("config_flip", True)
    with pytest.raises(SettingsLostError, match="signature"):
        ready.run(ready.driver.fingerprint())


def test_a_changed_calibration_is_found_though_the_signature_leaves_it_out(ready) -> None:
    """S6: a wrong current gain is as bad as a wrong limit."""
    ready.chip.fault("gain_flip", True)

    def check_every_block() -> None:
        for _ in ready.driver._blocks:
            ready.run(ready.driver.fingerprint())

    with pytest.raises(SettingsLostError, match="CC Gain"):
        check_every_block()


def test_permits_follow_the_command_within_the_chips_evaluation(ready) -> None:
    ready.run(ready.driver.permit(True))
    ready.pass_ms(250)
    assert (ready.chip.dsg_permit, ready.chip.chg_permit) == (True, True)
    ready.run(ready.driver.permit(False))
    assert (ready.chip.dsg_permit, ready.chip.chg_permit) == (False, False)


def test_balancing_masks_reach_the_right_inputs(make_bench, settings) -> None:
    bench = make_bench(replace(settings, cells=13), Bq769x2Chip(cells=13))
    bench.bring_up()
    bench.run(bench.driver.balance(0b1_0000_0000_0101))
    assert bench.chip.balancing_mask == 0x8005
    bench.run(bench.driver.balance(0))
    assert bench.chip.balancing_mask == 0


@pytest.mark.parametrize("mask", [0b11, 0b110, 1 << 16, -1])
def test_balancing_refuses_neighbours_and_cells_that_are_not_there(ready, mask) -> None:
    with pytest.raises(ValueError, match="balancing mask"):
        ready.run(ready.driver.balance(mask))
    assert ready.chip.balancing_mask == 0


TRIPS = [
    (0x03, 0x80, ChipFault.SHORT_CIRCUIT),
    (0x03, 0x40, ChipFault.DISCHARGE_OVER_CURRENT),
    (0x03, 0x20, ChipFault.DISCHARGE_OVER_CURRENT),
    (0x03, 0x10, ChipFault.CHARGE_OVER_CURRENT),
    (0x03, 0x08, ChipFault.CELL_OVER_VOLTAGE),
    (0x03, 0x04, ChipFault.CELL_UNDER_VOLTAGE),
    (0x03, 0x01, ChipFault.OTHER),
    (0x05, 0x80, ChipFault.BOARD_TEMPERATURE),
    (0x05, 0x40, ChipFault.BOARD_TEMPERATURE),
    (0x05, 0x20, ChipFault.DISCHARGE_TEMPERATURE),
    (0x05, 0x10, ChipFault.CHARGE_TEMPERATURE),
    (0x05, 0x04, ChipFault.BOARD_TEMPERATURE),
    (0x05, 0x02, ChipFault.DISCHARGE_TEMPERATURE),
    (0x05, 0x01, ChipFault.CHARGE_TEMPERATURE),
    (0x05, 0x08, ChipFault.OTHER),
    (0x07, 0x02, ChipFault.HOST_WATCHDOG),
    (0x07, 0x40, ChipFault.SHORT_CIRCUIT),
    (0x07, 0x08, ChipFault.OTHER),
    (0x13, 0x10, ChipFault.PERMANENT_FAILURE),
    (0x02, 0xFF, ChipFault.NONE),
    (0x04, 0xFF, ChipFault.NONE),
    (0x06, 0xFF, ChipFault.NONE),
]


@pytest.mark.parametrize(("register", "bits", "fault"), TRIPS)
def test_each_status_bit_has_its_meaning_and_alerts_have_none(ready, register, bits, fault) -> None:
    ready.pass_ms(250)
    ready.chip.registers[register] |= bits
    assert ready.run(ready.driver.poll()).faults == fault


class Noise:
    """A port that acknowledges everything and answers noise."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        return self.random.randbytes(read)


@pytest.mark.parametrize("seed", range(200))
def test_noise_never_becomes_a_measurement_with_checksums_on(ready, seed) -> None:
    """S2: with checksums a value is right or it is unknown."""
    ready.chip = Noise(seed)
    ready.pass_ms = lambda milliseconds: None
    with pytest.raises(AfeError):
        ready.run(ready.driver.poll())


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("crc", [True, False])
def test_noise_never_ends_in_anything_but_an_afe_error(make_bench, settings, crc, seed) -> None:
    bench = make_bench(replace(settings, crc=crc))
    bench.chip = Noise(seed)
    bench.pass_ms = lambda milliseconds: None
    for procedure in (bench.driver.start(), bench.driver.configure(), bench.driver.fingerprint()):
        with pytest.raises(AfeError):
            bench.run(procedure)


@pytest.mark.parametrize("name", ["crc", "flip", "zeros", "ones"])
def test_bytes_changed_on_the_way_are_never_a_measurement(ready, name) -> None:
    """S2: zeros, ones and flipped bits do not pass for values."""
    for _ in range(40):
        ready.chip.fault(name, True)
        with pytest.raises(CrcError):
            ready.poll()
        ready.chip.fault(name, False)
    assert ready.poll().cell_mv[0] == 3300


@pytest.mark.parametrize("name", ["zeros", "ones"])
def test_a_plain_link_of_zeros_or_ones_is_no_measurement(make_bench, settings, name) -> None:
    """S2: a line held low or high looks like an answer; its status bits give it away."""
    bench = make_bench(replace(settings, crc=False))
    bench.bring_up()
    bench.chip.fault(name, True)
    with pytest.raises(AfeError):
        bench.poll()


def test_otp_is_never_written(ready) -> None:
    for _ in range(20):
        ready.poll()
    ready.run(ready.driver.fingerprint())
    assert ready.chip.otp_writes == 0
    assert not {0x00A0, 0x00A1} & set(ready.commands())


def test_data_memory_does_not_change_outside_config_update(ready) -> None:
    ready.run(write_buffer(0x9278, b"\x6e", crc=True))
    assert ready.chip.memory.unsigned(0x9278) == 75
