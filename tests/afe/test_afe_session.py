"""The session over many cycles: when it configures, what it says, how it gets well again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.afe.bq769x2_fixed import FACTS
from bmsd.afe.session import REFUSED_RETRY_MS, AfeSession
from bmsd.core.types import AfeState, ChipFault
from bmsd.sim.chips.bq769x2 import FAULTS, Bq769x2Chip

SET_CFGUPDATE = 0x0090
SUBCOMMAND = b"\x3e"


def test_a_chip_is_found_configured_and_measured_in_three_cycles(bench) -> None:
    reports = [bench.cycle() for _ in range(3)]
    assert [report.state for report in reports] == [
        AfeState.CONFIGURING,
        AfeState.READY,
        AfeState.READY,
    ]
    assert [report.measurement is None for report in reports] == [True, True, False]
    assert all(report.detail for report in reports[:2])
    assert reports[2].detail == ""


@pytest.mark.parametrize("crc", [True, False])
def test_nothing_is_sent_before_the_contactors_are_open(make_bench, settings, crc) -> None:
    """S6: configuring switches the chip's protection off."""
    bench = make_bench(replace(settings, crc=crc))
    for _ in range(10):
        report = bench.cycle(contactors_open=False)
        assert report.state is AfeState.ABSENT
        assert "contactors" in report.detail
    assert bench.frames == []


def test_config_update_never_happens_with_contactors_closed(bench) -> None:
    """S6: not at start, not after a reset, a changed setting, a lost bus or a second start."""
    bench.until_ready()
    for trouble in ("reset", "config_flip", "nack", "stuck", "crc", "frozen"):
        bench.chip.fault(trouble, True)
        bench.frames.clear()
        for _ in range(60):
            bench.cycle(contactors_open=False)
            assert not bench.chip.config_update
        assert SET_CFGUPDATE not in bench.commands(), trouble
        bench.chip.fault(trouble, False)
        for _ in range(60):
            bench.cycle(contactors_open=True)
        assert bench.session.state is AfeState.READY, trouble


def test_contactors_closed_between_finding_and_configuring_stop_it(bench) -> None:
    """S6: each step asks again."""
    assert bench.cycle().state is AfeState.CONFIGURING
    before = bench.commands().count(SET_CFGUPDATE)
    assert bench.cycle(contactors_open=False).state is AfeState.CONFIGURING
    assert bench.commands().count(SET_CFGUPDATE) == before


@pytest.mark.parametrize("crc", [True, False])
def test_a_reset_ends_measurements_at_once_and_is_counted(make_bench, settings, crc) -> None:
    """S6: contactors open until the settings are right again."""
    bench = make_bench(replace(settings, crc=crc))
    bench.until_ready()
    bench.chip.fault("reset", True)
    report = bench.cycle(contactors_open=False)
    assert (report.state, report.measurement, report.resets) == (AfeState.CONFIGURING, None, 1)
    assert "reset" in report.detail
    for _ in range(4):
        report = bench.cycle(contactors_open=False)
        assert (report.state, report.measurement) == (AfeState.CONFIGURING, None)
    assert "reset" in report.detail
    assert "contactors" in report.detail
    report = bench.until_ready()
    assert (report.state, report.resets) == (AfeState.READY, 1)
    assert bench.chip.memory.unsigned(0x9261) == 0xFC


def test_a_changed_setting_is_found_within_the_check_period(bench) -> None:
    """S6: checked again while running."""
    bench.until_ready()
    bench.chip.fault("config_flip", True)
    reports = [bench.cycle(contactors_open=False) for _ in range(16)]
    first = next(number for number, report in enumerate(reports) if report.measurement is None)
    assert reports[first].resets == 1
    assert all(report.measurement is None for report in reports[first:])
    bench.until_ready()
    assert bench.chip.memory.unsigned(0x9278) == 75, "written again"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nack", "no acknowledge"),
        ("stuck", "time-out"),
        ("crc", "checksum"),
        ("flip", "checksum"),
        ("zeros", "checksum"),
        ("ones", "checksum"),
        ("frozen", "measured nothing"),
    ],
)
def test_bus_trouble_is_no_measurement_in_words_and_heals(bench, name, words) -> None:
    """S2, S7: unknown at once, never the last good value; never an exception."""
    bench.until_ready()
    bench.chip.fault(name, True)
    for _ in range(3):
        report = bench.cycle(contactors_open=False)
        assert report.measurement is None
        assert words in report.detail
        assert report.state is AfeState.READY
    bench.chip.fault(name, False)
    assert bench.cycle(contactors_open=False).measurement is not None


@pytest.mark.parametrize("name", ["nack", "stuck", "crc", "zeros", "ones"])
def test_long_bus_trouble_starts_over(bench, name) -> None:
    bench.until_ready()
    bench.chip.fault(name, True)
    for _ in range(8):
        report = bench.cycle(contactors_open=False)
    assert report.state is AfeState.ABSENT
    assert "starting over" in report.detail
    bench.chip.fault(name, False)
    assert bench.until_ready().state is AfeState.READY


def test_errors_are_counted_also_those_a_retry_made_good(bench) -> None:
    bench.until_ready()
    assert bench.cycle().errors == 0
    transfer, refused = bench.chip.transfer, []

    def refuse_once(address: int, out: bytes, read: int) -> bytes:
        if not refused:
            refused.append(out)
            raise OSError(121, "once")
        return transfer(address, out, read)

    bench.chip.transfer = refuse_once
    report = bench.cycle()
    assert report.measurement is not None
    assert report.errors == 1


def test_another_chip_is_refused_and_asked_again_after_ten_seconds(make_bench) -> None:
    bench = make_bench(chip=Bq769x2Chip(device_number=0x7692))
    assert bench.cycle().state is AfeState.REFUSED
    frames = len(bench.frames)
    for _ in range(REFUSED_RETRY_MS // 250 - 1):
        report = bench.cycle()
        assert report.state is AfeState.REFUSED
        assert "0x7692" in report.detail
    assert len(bench.frames) == frames
    bench.chip.device_number = 0x7695
    assert bench.until_ready().state is AfeState.READY


def test_a_chip_that_does_not_keep_its_settings_is_refused(bench) -> None:
    """S6: no measurement, and with it no contactor, without verified settings."""
    bench.chip.fault("no_writes", True)
    states = [bench.cycle().state for _ in range(5)]
    assert states[-1] is AfeState.REFUSED
    bench.chip.fault("no_writes", False)
    for _ in range(50):
        report = bench.cycle()
    assert report.state is AfeState.READY
    assert report.measurement is not None


def test_the_chip_is_never_polled_before_it_is_configured(bench) -> None:
    """S6: no measurement from unverified settings."""
    report = bench.cycle()
    while report.measurement is None:
        assert bench.session.state in (AfeState.CONFIGURING, AfeState.READY)
        report = bench.cycle()
    assert bench.chip.memory.unsigned(0x9261) == 0xFC


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "open_wire"])
def test_no_fault_ever_raises_and_every_cycle_is_bounded(bench, name) -> None:
    bench.until_ready()
    bench.chip.fault(name, True)
    worst = 0
    for number in range(120):
        before = bench.counter.transfers
        bench.cycle(contactors_open=number % 3 > 0)
        worst = max(worst, bench.counter.transfers - before)
    assert worst <= 400


def test_a_stuck_bus_costs_two_time_outs_per_cycle(bench) -> None:
    """The loop keeps its deadline on a stuck bus."""
    bench.until_ready()
    bench.chip.fault("stuck", True)
    for _ in range(40):
        before = bench.counter.transfers
        bench.cycle()
        assert bench.counter.transfers - before <= 2


def test_permit_and_balance_need_a_ready_chip(bench) -> None:
    assert bench.run(bench.session.permit(True)) is False
    assert bench.run(bench.session.balance(1)) is False
    assert bench.frames == []
    bench.until_ready()
    assert bench.run(bench.session.permit(True)) is True
    assert bench.run(bench.session.balance(0x5)) is True
    bench.pass_ms(250)
    assert bench.chip.dsg_permit
    assert bench.chip.balancing_mask == 0x5


def test_permit_and_balance_report_bus_trouble(bench) -> None:
    bench.until_ready()
    bench.chip.fault("nack", True)
    assert bench.run(bench.session.permit(True)) is False
    assert bench.run(bench.session.balance(1)) is False


def test_orders_that_the_chip_does_not_take_are_bad_cycles(bench) -> None:
    """S6: a chip that is never heard again is no ready chip, whatever it was asked."""
    bench.until_ready()
    bench.chip.fault("nack", True)
    for _ in range(7):
        bench.run(bench.session.permit(True))
    assert bench.session.state is AfeState.READY
    bench.run(bench.session.balance(1))
    assert bench.session.state is AfeState.ABSENT


@pytest.mark.parametrize(("resting", "ms"), [(False, 500), (True, 2500)])
def test_a_chip_that_rests_may_measure_once_a_second(bench, resting, ms) -> None:
    """S7: and no more seldom; the eighth cycle too late starts it again."""
    bench.until_ready()
    assert bench.run(bench.session.rest(resting)) is True
    bench.chip.fault("frozen", True)
    begun_ms = bench.now_ms
    while bench.session.state is AfeState.READY:
        bench.cycle()
    assert bench.now_ms - begun_ms == ms + 7 * 250


def test_a_dead_daemon_loses_its_permits_and_a_living_one_keeps_them(bench) -> None:
    """S5: the chip's host watchdog opens the contactors of a daemon that stopped."""
    bench.until_ready()
    bench.run(bench.session.permit(True))
    for _ in range(60):
        bench.cycle(contactors_open=False)
    assert bench.chip.dsg_permit
    bench.pass_ms(4_999)
    assert bench.chip.dsg_permit
    bench.pass_ms(1)
    assert not bench.chip.dsg_permit
    assert not bench.chip.chg_permit


def test_the_chips_own_trip_reaches_the_report(bench) -> None:
    bench.until_ready()
    bench.sense(current_ma=-700_000)
    report = bench.cycle(contactors_open=False)
    assert report.measurement is not None
    assert ChipFault.SHORT_CIRCUIT in report.measurement.faults


def test_a_fast_loop_bears_polls_between_two_scans(bench) -> None:
    bench.until_ready()
    seen = []
    for _ in range(40):
        bench.pass_ms(25)
        seen.append(bench.run(bench.session.cycle(bench.now_ms, False)))
    assert {report.state for report in seen} == {AfeState.READY}
    assert sum(report.measurement is not None for report in seen) >= 12
    assert seen[-1].errors == 0


def test_a_session_can_check_settings_at_every_poll(bench) -> None:
    """S6: how soon a changed setting is found is a choice."""
    bench.session = AfeSession(bench.driver, FACTS, bench.counter, check_every=1)
    bench.until_ready()
    bench.chip.fault("config_flip", True)
    assert bench.cycle(contactors_open=False).measurement is not None, "looked at once the outputs are driven"
    assert bench.cycle(contactors_open=False).measurement is None


def test_settings_that_could_not_be_read_are_looked_at_before_a_measurement_counts(bench) -> None:
    """S2, S6: a check that did not succeed is unknown, not good."""
    bench.session = AfeSession(bench.driver, FACTS, bench.counter, check_every=1)
    bench.until_ready()
    transfer, looks = bench.chip.transfer, []

    def without_settings(address: int, out: bytes, read: int) -> bytes:
        if out[:1] == SUBCOMMAND:
            looks.append(out)
            raise OSError(121, "no acknowledge")
        return transfer(address, out, read)

    bench.chip.transfer = without_settings
    assert bench.cycle(contactors_open=False).measurement is not None
    assert looks
    for _ in range(6):
        report = bench.cycle(contactors_open=False)
        assert (report.state, report.measurement) == (AfeState.READY, None)
        assert "no acknowledge" in report.detail
    assert bench.cycle(contactors_open=False).state is AfeState.ABSENT, "and not borne for ever"


def test_one_look_that_failed_costs_no_measurement_when_the_next_succeeds(bench) -> None:
    bench.session = AfeSession(bench.driver, FACTS, bench.counter, check_every=1)
    bench.until_ready()
    transfer = bench.chip.transfer
    bench.chip.transfer = lambda address, out, read: (
        b"" if out[:1] == SUBCOMMAND else transfer(address, out, read)
    )
    assert bench.cycle(contactors_open=False).measurement is not None
    bench.chip.transfer = transfer
    assert bench.cycle(contactors_open=False).measurement is not None


def test_a_setting_changed_while_it_could_not_be_read_gives_no_measurement(bench) -> None:
    """S6: the look that is taken again stands before the measurement, not behind it."""
    bench.session = AfeSession(bench.driver, FACTS, bench.counter, check_every=1)
    bench.until_ready()
    transfer = bench.chip.transfer
    bench.chip.transfer = lambda address, out, read: (
        b"" if out[:1] == SUBCOMMAND else transfer(address, out, read)
    )
    bench.cycle(contactors_open=False)
    bench.chip.transfer = transfer
    bench.chip.fault("config_flip", True)
    report = bench.cycle(contactors_open=False)
    assert (report.state, report.measurement, report.resets) == (AfeState.CONFIGURING, None, 1)
