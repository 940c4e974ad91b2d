"""The chip's own FETs at register level: commanded, read back, and off from whatever state the chip was left in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.bq769x2_fets import switch_off
from bmsd.afe.contract import SettingsLostError
from bmsd.afe.switching import OwnFets
from bmsd.afe.transfers import TransferError
from bmsd.core.types import AfeReport, AfeState, Commands
from bmsd.errors import VerifyError

BOTH, CHARGE, DISCHARGE, NONE = (True, True), (True, False), (False, True), (False, False)
PAIRS = (BOTH, CHARGE, DISCHARGE, NONE)


@pytest.fixture
def own(make_bench, settings):
    """Give a chip that was brought up for its own FETs."""
    bench = make_bench(replace(settings, own_fets=True))
    bench.bring_up()
    bench.frames.clear()
    return bench


def driven(bench) -> tuple[bool, bool]:
    """Give what the chip's gates do."""
    return bench.chip.switches.chg, bench.chip.switches.dsg


def turn(bench, pair) -> tuple[bool, bool]:
    """Command, let the chip evaluate, and see what its gates do."""
    bench.run(bench.driver.fets(*pair))
    bench.pass_ms(250)
    return driven(bench)


@pytest.mark.parametrize("before", PAIRS)
@pytest.mark.parametrize("pair", PAIRS)
def test_every_change_leads_where_it_was_commanded_and_off_at_once(own, before, pair) -> None:
    """S5: off does not wait for the chip's next evaluation."""
    assert turn(own, before) == before
    read = own.run(own.driver.fets(*pair))
    assert read == tuple(was and wanted for was, wanted in zip(before, pair, strict=True))
    assert driven(own) == read
    own.pass_ms(250)
    assert driven(own) == pair
    measured = own.poll()
    assert (measured.charge_fet, measured.discharge_fet) == pair


def test_the_frames_are_those_of_the_manuals_table(make_bench, settings) -> None:
    """FET_CONTROL has another order of bits than FET Status, and forces off; both at once are commands of their own."""
    bench = make_bench(replace(settings, own_fets=True, crc=False))
    bench.bring_up()
    found = {}
    for pair in PAIRS:
        bench.frames.clear()
        bench.run(bench.driver.fets(*pair))
        found[pair] = [out.hex(" ") for out, _ in bench.frames]
    assert found == {
        BOTH: ["3e 96 00", "7f"],
        CHARGE: ["3e 97 00 01", "60 67 05", "7f"],
        DISCHARGE: ["3e 97 00 04", "60 64 05", "7f"],
        NONE: ["3e 95 00", "7f"],
    }


def test_bringing_up_leaves_both_off_until_they_are_commanded(own) -> None:
    """S6, S13: FET_EN is set and FET_INIT_OFF holds them."""
    own.pass_ms(10_000)
    own.sense(3300, -50_000)
    own.pass_ms(1000)
    assert driven(own) == NONE


def test_a_reset_switches_off_and_nothing_comes_on_by_itself_afterwards(own) -> None:
    """S6."""
    assert turn(own, BOTH) == BOTH
    own.chip.fault("reset", True)
    own.pass_ms(5000)
    assert driven(own) == NONE
    with pytest.raises(SettingsLostError):
        own.poll()
    own.bring_up()
    own.pass_ms(5000)
    assert driven(own) == NONE


def test_the_settings_are_those_of_fets_in_series(own, ready) -> None:
    """S6: body-diode protection of the chip, no pre-discharge of its own, charge pump on; read back like all."""
    memory = own.chip.memory
    assert memory.unsigned(0x9308) == 0x2D
    assert memory.signed(0x9273, 2) == 1000
    assert memory.unsigned(0x9309) == 0x01
    assert memory.signed(0x930A, 2) == 0
    assert ready.chip.memory.unsigned(0x9308) == 0x2C, "an interlock of contactors has no body diode"


def test_the_status_costs_one_small_read_where_it_is_wanted_and_nothing_elsewhere(own, ready) -> None:
    """S9: six bytes on the wire, in the poll."""
    wire = {}
    for name, bench in (("own", own), ("contactors", ready)):
        bench.pass_ms(250)
        before = bench.counter.wire_bytes
        seen = bench.run(bench.driver.poll())
        wire[name] = bench.counter.wire_bytes - before
        assert (seen.charge_fet is None) is (name == "contactors")
    assert wire["own"] - wire["contactors"] == 5


def test_fets_that_stay_on_keep_the_protection_running(own) -> None:
    """S6: CONFIG_UPDATE is not entered before the status reads off."""
    turn(own, BOTH)
    own.chip.fault("fets_deaf", True)
    own.frames.clear()
    with pytest.raises(VerifyError, match="FETs do not go off"):
        own.run(own.driver.configure())
    assert reg.SET_CFGUPDATE not in own.commands()
    assert driven(own) == BOTH


@pytest.mark.parametrize(("status", "kept"), [(0x08, DISCHARGE), (0x04, CHARGE), (0x80, NONE)])
def test_the_chips_protection_keeps_the_last_word(own, status, kept) -> None:
    """S6: a command only ever stops to force off."""
    turn(own, BOTH)
    own.chip.protection.status = status
    own.chip._status_changed()
    assert driven(own) == kept
    assert turn(own, BOTH) == kept


@pytest.mark.parametrize(("status", "kept", "current_ma"), [(0x08, DISCHARGE, -1100), (0x04, CHARGE, 1100)])
def test_a_fet_that_the_chip_switched_off_spares_its_diode(own, status, kept, current_ma) -> None:
    """TI SLUUBY2B: with SFET it goes on again while current flows the other way, and off without."""
    turn(own, BOTH)
    own.chip.protection.status = status
    own.chip._status_changed()
    own.sense(3300, current_ma)
    own.pass_ms(250)
    assert driven(own) == BOTH
    own.sense(3300, current_ma // 2)
    own.pass_ms(250)
    assert driven(own) == kept


@pytest.mark.parametrize(("pair", "current_ma"), [(DISCHARGE, -50_000), (CHARGE, 50_000)])
def test_a_fet_that_is_forced_off_stays_off_whatever_flows(own, pair, current_ma) -> None:
    """TI's answer on its forum: a host command overrides the body-diode protection. So the daemon spares it."""
    own.sense(3300, current_ma)
    assert turn(own, pair) == pair
    own.pass_ms(4000)
    assert driven(own) == pair


def test_silence_switches_both_off(own) -> None:
    """S5: the host watchdog, the layer below a bus that hangs."""
    turn(own, BOTH)
    own.pass_ms(5000)
    assert driven(own) == NONE


@pytest.mark.parametrize("crc", [True, False])
@pytest.mark.parametrize("config_update", [True, False])
def test_they_go_off_in_either_link_mode_knowing_nothing(make_bench, settings, crc, config_update) -> None:
    """S5: what safe-off does when the core is dead, also in the middle of CONFIG_UPDATE."""
    bench = make_bench(replace(settings, own_fets=True, crc=crc))
    bench.bring_up()
    turn(bench, BOTH)
    if config_update:
        bench.chip.enter_config_update()
    assert bench.run(switch_off()) == NONE
    assert driven(bench) == NONE
    if config_update:
        bench.chip.leave_config_update()
        bench.pass_ms(1000)
        assert driven(bench) == NONE


def test_going_off_does_not_believe_a_chip_that_is_deaf_or_gone(own) -> None:
    """S2, S5: read back, not hoped for."""
    turn(own, BOTH)
    own.chip.fault("fets_deaf", True)
    assert own.run(switch_off()) == BOTH
    own.chip.fault("nack", True)
    with pytest.raises(TransferError):
        own.run(switch_off())


def report(state: AfeState) -> AfeReport:
    return AfeReport(state, None)


def test_off_is_sent_to_a_chip_that_lost_our_trust_and_on_is_not(own) -> None:
    """S5, S6: the session first has to make the chip ready."""
    fets = OwnFets()
    assert own.session.state is AfeState.ABSENT
    assert own.run(own.session.fets(True, True)) is None
    assert not own.frames
    assert own.run(own.session.fets(False, False)) == NONE
    fets.take(report(AfeState.ABSENT))
    own.frames.clear()
    own.run(fets.follow(own.session, Commands()))
    assert not own.frames, "the session's own first word is ALL_FETS_OFF"


def test_a_command_that_was_taken_is_not_repeated_and_one_that_was_not_is(own) -> None:
    """S9: one command per change, one per cycle while it is not carried out."""
    own.session._state = AfeState.READY
    fets = OwnFets()
    both = Commands(charge=True, discharge=True)
    ready = AfeReport(AfeState.READY, own.poll())
    fets.take(ready)
    own.run(fets.follow(own.session, both))
    own.pass_ms(250)
    for commands, sent in ((both, 0), (Commands(discharge=True), 1), (Commands(discharge=True), 0)):
        fets.take(AfeReport(AfeState.READY, own.poll()))
        own.frames.clear()
        own.run(fets.follow(own.session, commands))
        assert len([out for out, _ in own.frames if out[0] == 0x3E]) == sent
    own.chip.fault("fets_deaf", True)
    for _ in range(3):
        fets.take(AfeReport(AfeState.READY, own.poll()))
        own.frames.clear()
        own.run(fets.follow(own.session, Commands()))
        assert own.commands() == [reg.ALL_FETS_OFF]


def test_a_diode_that_is_spared_has_its_fet_on(own) -> None:
    own.session._state = AfeState.READY
    fets = OwnFets()
    fets.take(AfeReport(AfeState.READY, own.poll()))
    own.run(fets.follow(own.session, Commands(discharge=True, charge_diode=True)))
    own.pass_ms(250)
    assert driven(own) == BOTH
