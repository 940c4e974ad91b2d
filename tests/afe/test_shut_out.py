"""A chip that may not be set up, because a contactor does not read open: it is measured, and nothing of it changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.afe.session import SHUT_OUT_MS
from bmsd.core.types import AfeState, ChipFault

SET_CFGUPDATE = 0x0090
PERIOD_MS = 250


def shut_out(bench, seconds: float = 10):
    """Let cycles pass with a contactor that reads closed; give all reports."""
    return [bench.cycle(contactors_open=False) for _ in range(round(seconds * 1000 / PERIOD_MS))]


@pytest.mark.parametrize("crc", [True, False])
def test_a_fresh_chip_is_measured_though_it_may_not_be_set_up(make_bench, settings, crc) -> None:
    """S6, S15: a weld and a start; cells are seen, and what hangs on lost settings is unknown (S2)."""
    bench = make_bench(replace(settings, crc=crc))
    last = shut_out(bench)[-1]
    assert last.state is AfeState.WATCHING
    assert last.measurement is not None
    assert last.measurement.cell_mv == tuple(3300 + n for n in range(16))
    assert last.measurement.current_ma is None
    assert last.measurement.switch_decic is None
    assert last.measurement.load_mv is None
    assert last.measurement.faults is ChipFault.NONE
    assert "contactors" in last.detail
    assert SET_CFGUPDATE not in bench.commands()
    assert not bench.chip.dsg_permit
    assert not bench.chip.chg_permit


def test_it_waits_for_as_long_as_a_contactor_may_take(bench) -> None:
    """S6: and not a cycle longer."""
    began_ms = None
    while not bench.frames:
        bench.cycle(contactors_open=False)
        began_ms = bench.now_ms if began_ms is None else began_ms
    assert SHUT_OUT_MS <= bench.now_ms - began_ms + PERIOD_MS <= SHUT_OUT_MS + 2 * PERIOD_MS


def test_the_first_word_forbids(bench) -> None:
    """S6: whatever the last host left permitted."""
    shut_out(bench)
    assert bench.commands()[0] == 0x0095


@pytest.mark.parametrize("crc", [True, False])
def test_a_chip_that_still_holds_its_settings_is_as_good_as_configured(make_bench, settings, crc) -> None:
    """S6: a weld and a restart of the core: compared, not written, and everything is known."""
    bench = make_bench(replace(settings, crc=crc))
    bench.until_ready()
    restarted = make_bench(replace(settings, crc=crc))
    restarted.chip = bench.chip
    restarted.now_ms = bench.now_ms
    last = shut_out(restarted)[-1]
    assert last.state is AfeState.READY
    assert last.measurement.current_ma == 0
    assert last.measurement.battery_decic == (250, 251)
    assert SET_CFGUPDATE not in restarted.commands()
    for _ in range(60):  # checks of the settings go on
        assert restarted.cycle(contactors_open=False).state is AfeState.READY


def test_one_setting_that_differs_is_enough_to_distrust_what_hangs_on_it(bench) -> None:
    """S2, S6: here the calibration of the current; temperatures are known."""
    bench.until_ready()
    bench.chip.fault("gain_flip", True)
    shut_out(bench, 12)
    last = shut_out(bench, 1)[-1]
    assert last.state is AfeState.WATCHING
    assert last.measurement.current_ma is None
    assert last.measurement.battery_decic == (250, 251)
    assert last.measurement.stack_mv is not None


def test_a_reset_in_service_beside_a_contactor_that_stays_closed(bench) -> None:
    """S15: seen again within seconds, and set up as soon as it opens."""
    bench.until_ready()
    bench.chip.fault("reset", True)
    last = shut_out(bench)[-1]
    assert (last.state, last.resets) == (AfeState.WATCHING, 1)
    assert last.measurement.cell_mv[0] == 3300
    report = bench.until_ready()
    assert report.state is AfeState.READY
    assert bench.chip.memory.unsigned(0x9261) == 0xFC


def test_a_reset_of_a_chip_that_is_watched_ends_what_was_believed(bench) -> None:
    """S2: what it held before it does not hold now."""
    bench.until_ready()
    bench.chip.fault("config_flip", True)
    assert shut_out(bench)[-1].measurement.current_ma == 0
    bench.chip.fault("reset", True)
    reports = shut_out(bench)
    assert all(r.measurement is None or r.measurement.current_ma is None for r in reports)
    assert reports[-1].measurement is not None


@pytest.mark.parametrize("name", ["nack", "stuck", "zeros", "ones", "frozen"])
def test_trouble_on_the_bus_is_no_measurement_and_heals(bench, name) -> None:
    """S2, S9: never an exception, never an old value."""
    shut_out(bench)
    bench.chip.fault(name, True)
    reports = shut_out(bench)
    assert all(report.measurement is None for report in reports[4:])
    bench.chip.fault(name, False)
    last = shut_out(bench)[-1]
    assert last.state is AfeState.WATCHING
    assert last.measurement is not None


def test_another_chip_is_refused_here_too(make_bench, settings) -> None:
    bench = make_bench(settings)
    bench.chip.device_number = 0x1234
    assert shut_out(bench)[-1].state is AfeState.REFUSED
    assert shut_out(bench, 20)[-1].state is AfeState.REFUSED


def test_a_chip_left_in_config_update_measures_again(bench) -> None:
    """S6: the one state that is ended, because nothing protects in it."""
    bench.until_ready()
    bench.chip.enter_config_update()
    shut_out(bench)
    assert not bench.chip.config_update
    assert bench.session.state is AfeState.READY
    assert bench.cycle(contactors_open=False).measurement is not None


def test_what_is_lost_while_it_is_watched_is_found_again(bench) -> None:
    shut_out(bench)
    bench.chip.enter_config_update()
    reports = shut_out(bench)
    assert any(report.measurement is None for report in reports)
    assert reports[-1].measurement is not None
