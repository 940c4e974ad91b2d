"""What one decision makes of a silence in which the chip may have acted: everything anew, nothing forgotten."""

from __future__ import annotations

import pytest

from bmsd.core.contactors import PrechargeState
from bmsd.core.silence import begun_again
from bmsd.core.state import begin
from bmsd.core.step import step
from bmsd.core.switching import SwitchState
from bmsd.core.types import ALL_OFF, Levels, Request
from tests.support.bench_inputs import Pack, cold, make_settings
from tests.support.changed import replace

COMMON = {"topology": "common", "wired": frozenset({"main", "precharge", "heater", "buzzer"})}
ALL_READ_OFF = Levels(charge=False, discharge=False, precharge=False, heater=False, buzzer=False, main=False)


def silent(pack: Pack, after_ms: int = 5500) -> None:
    """Run the cycle after a silence: the shell has switched everything off before it."""
    pack.now_ms += after_ms
    inputs = pack.inputs()
    state, out = step(
        pack.settings,
        pack.state,
        type(inputs)(pack.now_ms, inputs.afe, ALL_READ_OFF, Levels(), silent=True),
    )
    pack.state, pack.out = state, out


def test_everything_is_off_and_a_start_begins() -> None:
    """S13: good cycles, rest and pre-charge as after a start, and one event."""
    pack = Pack().started()
    silent(pack)
    assert pack.out is not None
    assert pack.out.commands == ALL_OFF
    assert pack.out.word == "starting"
    assert pack.out.limits.charge_ma == pack.out.limits.discharge_ma == 0
    assert [(e.kind, e.name, e.state) for e in pack.out.events if e.kind == "state"] == [
        ("state", "core", "silent")
    ]
    began_ms = pack.now_ms
    pack.until(lambda p: p.state.commands.charge)
    assert pack.now_ms - began_ms == 5000  # S12: its rest
    assert not pack.state.commands.discharge
    assert pack.state.commands.precharge
    pack.until(lambda p: p.state.commands.discharge)
    assert not pack.active()


@pytest.mark.parametrize("on", ["charge", "discharge", "main", "heater", "relay"])
def test_each_switch_that_was_on_went_off_now_and_keeps_what_was_counted(on) -> None:
    """S4, S12: its rest begins; the others rest on from when they went off."""
    now_ms, off, used = (
        900_000,
        SwitchState(False, 5000, (1000,), 7),
        SwitchState(True, 8000, (1000, 8000), 8),
    )
    each = {name: used if name == on else off for name in ("charge", "discharge", "main", "heater", "relay")}
    relay = each.pop("relay")
    state = replace(begin(0), **each, precharge=PrechargeState(relay, 2))
    after = begun_again(state, now_ms)
    rests = {**each, "relay": relay, on: SwitchState(False, now_ms, (1000, 8000), 8)}
    assert after.precharge == PrechargeState(rests.pop("relay"), 2)
    assert {name: getattr(after, name) for name in rests} == rests


def test_what_was_off_keeps_its_rest_and_what_was_on_begins_one() -> None:
    """S12."""
    pack = Pack().started()
    pack.cycle(Request("switch", "charge", False, "uid 0"))
    opened_ms = pack.state.charge.changed_ms
    silent(pack)
    assert pack.state.charge.changed_ms == opened_ms
    assert pack.state.discharge.changed_ms == pack.now_ms
    assert not pack.state.consent.charge
    assert pack.state.discharge.closings == 1


def test_alarms_and_what_was_counted_stay() -> None:
    """S13: a silence is no way to reset a fault."""
    pack = Pack().started()
    pack.cells[1] = 2500
    pack.run(5000)
    before = pack.active()
    assert "cell_shutdown" in before
    silent(pack)
    assert pack.active() >= before
    assert pack.state.soc is not None


def test_the_heater_goes_off_and_rests() -> None:
    """S4, S5."""
    pack = cold()
    assert pack.state.commands.heater
    silent(pack)
    assert not pack.state.heater.on
    assert pack.state.heater.changed_ms == pack.now_ms


@pytest.mark.parametrize("more", [{}, COMMON])
def test_a_pack_that_had_closed_nothing_is_the_same_but_for_its_start(more) -> None:
    pack = Pack(make_settings(**more))
    pack.run(1000)
    after = begun_again(pack.state, pack.now_ms)
    assert (after.charge, after.discharge, after.main) == (
        pack.state.charge,
        pack.state.discharge,
        pack.state.main,
    )
    assert after.precharge == pack.state.precharge
    assert (after.good_cycles, after.started) == (0, False)


def test_without_a_silence_nothing_begins_anew() -> None:
    pack = Pack().started()
    out = pack.cycle(after_ms=5500)
    assert out.commands.charge
    assert not any(event.state == "silent" for event in out.events)
