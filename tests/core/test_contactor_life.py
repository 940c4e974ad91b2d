"""How often contactors closed: over their life, and within the last hour over restarts and reboots (S12)."""

from __future__ import annotations

import pytest

from bmsd.core import contactor_life
from bmsd.core.alarms import Finding
from bmsd.core.contactor_life import ContactorLife
from bmsd.core.state import begin
from bmsd.core.switching import SwitchPace, SwitchState, waits
from bmsd.core.types import Inhibit, InhibitCause, Request
from tests.support.bench_inputs import Pack, make_settings
from tests.support.changed import replace

HOUR_MS = 3_600_000
OFF, ON = (Request("switch", "charge", on, "uid 0") for on in (False, True))
QUICK = {"contactor_operations_per_hour": 5, "contactor_min_off_ms": 500}


def switched(times: int, **more: int) -> Pack:
    """Give a pack whose charge contactor closed so many times."""
    pack = Pack(make_settings(chosen={**QUICK, **more})).started()
    for _ in range(times - 1):
        pack.cycle(OFF)
        pack.cycle(ON, after_ms=500)
    assert pack.state.commands.charge
    return pack


def restarted(pack: Pack, after_ms: int = 0, *, same_boot: bool = True) -> Pack:
    """Start anew with what the old pack leaves behind, on the same clock or on one that began again."""
    now_ms = pack.now_ms + after_ms if same_boot else 5000
    state = contactor_life.remembered(
        begin(now_ms),
        contactor_life.worn(pack.state, now_ms if same_boot else pack.now_ms),
        now_ms,
        same_boot=same_boot,
    )
    return Pack(pack.settings, now_ms=now_ms, state=state)


def test_every_closing_counts_and_an_opening_does_not() -> None:
    pack = switched(3)
    assert pack.state.charge.closings == 3
    assert pack.state.discharge.closings == pack.state.precharge.relay.closings == 1
    pack.cycle(OFF)
    assert pack.state.charge.closings == 3


def test_the_count_of_its_life_survives_and_forgets_no_hour() -> None:
    """S13: unlike the pace, it never shrinks."""
    pack = switched(4)
    pack.now_ms += 2 * HOUR_MS
    again = restarted(pack)
    again.started()
    assert again.state.charge.closings == 5
    assert len(again.state.charge.starts_ms) == 1


def test_a_crash_loop_switches_no_more_often_than_one_long_run() -> None:
    """S12: five closings an hour, however many starts there are."""
    pack, closings = switched(1), 1
    for _ in range(12):
        pack = restarted(pack, after_ms=10_000)
        pack.run(5000)
        closings += pack.state.commands.charge
    assert closings == 5
    assert pack.out is not None
    assert pack.out.charge_inhibits[0].because is InhibitCause.OPERATIONS


@pytest.mark.parametrize("down_ms", [0, 600_000])
def test_closings_of_before_a_restart_leave_when_their_hour_is_over(down_ms: int) -> None:
    """S12: in the same boot the clock runs on."""
    pack = switched(5)
    first_ms = pack.state.charge.starts_ms[0]
    again = restarted(pack, down_ms)
    again.run(5000)
    assert not again.state.commands.charge
    again.at(first_ms + HOUR_MS - 1)
    assert not again.state.commands.charge
    again.at(first_ms + HOUR_MS)
    assert again.state.commands.charge


def test_after_a_reboot_the_last_hour_counts_as_now() -> None:
    """S12, S11: the old clock means nothing, and nobody knows how long the machine was off."""
    again = restarted(switched(5), same_boot=False)
    began_ms = again.now_ms
    again.run(10_000)
    assert not again.state.commands.charge
    assert again.state.commands.discharge
    again.at(began_ms + HOUR_MS - 1)
    assert not again.state.commands.charge
    again.at(began_ms + HOUR_MS)
    assert again.state.commands.charge


def test_after_a_reboot_an_old_time_that_looks_past_counts_as_now() -> None:
    """S11, S12: another boot's clock, whatever it read, says nothing of how long ago it was."""
    kept = {"charge": ContactorLife(5, (1000,) * 5)}
    state = contactor_life.remembered(begin(2 * HOUR_MS), kept, 2 * HOUR_MS, same_boot=False)
    assert state.charge.starts_ms == (2 * HOUR_MS,) * 5
    state = contactor_life.remembered(begin(2 * HOUR_MS), kept, 2 * HOUR_MS, same_boot=True)
    assert state.charge.starts_ms == (1000,) * 5


def test_what_is_an_hour_old_need_not_be_kept() -> None:
    """S12: to the millisecond, as the pace forgets it."""
    state = replace(begin(0), charge=SwitchState(True, 9, (1000, 1001, 2000), 7))
    assert contactor_life.worn(state, 1000 + HOUR_MS) == {"charge": ContactorLife(7, (1001, 2000))}


def test_a_time_that_lies_ahead_counts_as_now() -> None:
    """S12: a file that says so must not hold a contactor open for ever."""
    state = contactor_life.remembered(
        begin(5000), {"charge": ContactorLife(9, (10**12,) * 5)}, 5000, same_boot=True
    )
    assert state.charge.starts_ms == (5000,) * 5
    assert state.charge.closings == 9


def test_a_contactor_that_never_closed_leaves_nothing_behind() -> None:
    assert contactor_life.worn(begin(0), 0) == {}
    assert set(contactor_life.worn(switched(1).state, 0)) == {"charge", "discharge", "precharge"}


@pytest.mark.parametrize("topology", ["split", "common", "afe"])
def test_the_most_used_contactor_of_its_topology_is_the_one_that_is_worn(topology) -> None:
    """A contactor that another topology would have, and a FET, wear nobody out."""
    settings = make_settings(topology=topology, chosen={"contactor_life_closings": 100})
    own = settings.contactors if topology != "afe" else ()
    for name in ("charge", "discharge", "main"):
        state = replace(begin(0), **{name: SwitchState(closings=100)})
        expected = {"contactor_worn": Finding(True, 100)} if name in own else {}
        assert contactor_life.findings(settings, state) == expected
        assert contactor_life.findings(settings, replace(begin(0), **{name: SwitchState(closings=99)})) == {}


@pytest.mark.parametrize(("closings", "worn"), [(98, False), (99, True)])
def test_the_end_of_its_service_life_is_warned_of_and_blocks_nothing(closings: int, worn: bool) -> None:
    settings = make_settings(chosen={"contactor_life_closings": 100})
    state = contactor_life.remembered(
        begin(1_000_000), {"discharge": ContactorLife(closings)}, 1_000_000, same_boot=False
    )
    pack = Pack(settings, state=state).started()
    assert pack.state.discharge.closings == closings + 1
    assert ("contactor_worn" in pack.active()) is worn
    assert pack.state.commands.charge
    if worn:
        assert pack.alarm("contactor_worn").value == 100
        pack.settings = make_settings(chosen={"contactor_life_closings": 101})
        pack.cycle()
        assert not pack.active()


def test_relays_that_carry_no_pack_current_are_counted_and_not_warned_of() -> None:
    settings = make_settings(chosen={"contactor_life_closings": 100})
    kept = {"heater": ContactorLife(500), "precharge": ContactorLife(500)}
    pack = Pack(
        settings, state=contactor_life.remembered(begin(1_000_000), kept, 1_000_000, same_boot=True)
    ).started()
    assert not pack.active()
    assert pack.state.heater.closings == 500
    assert pack.state.precharge.relay.closings == 501


# --- The shortest time off over restarts ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "rest"), [("charge", "contactor_min_off_ms"), ("heater", "heater_min_off_ms"),
                                            ("main", "contactor_min_off_ms")])  # fmt: skip
def test_the_shortest_time_off_runs_on_over_a_restart(name, rest) -> None:
    """S12: from when it went off, to the millisecond."""
    settings = make_settings()
    rest_ms: int = settings.parameters.get(rest)
    state = replace(begin(0), **{name: SwitchState(False, 700_000, (690_000,), 3)})
    again = contactor_life.remembered(begin(0), contactor_life.worn(state, 701_000), 702_000, same_boot=True)
    pace = SwitchPace(rest_ms, 30)
    switch = contactor_life.switch(again, name)
    assert waits(switch, pace, 700_000 + rest_ms - 1) == Inhibit(
        InhibitCause.MIN_OFF, until_ms=700_000 + rest_ms
    )
    assert waits(switch, pace, 700_000 + rest_ms) is None


def test_what_was_on_when_the_core_was_killed_went_off_nobody_knows_when() -> None:
    """S12: so its rest begins with the new start; where the core switched it off itself, at that moment."""
    state = replace(begin(0), charge=SwitchState(True, 5000, (5000,), 1))
    killed = contactor_life.remembered(begin(0), contactor_life.worn(state, 8000), 9000, same_boot=True)
    assert killed.charge == SwitchState(False, 9000, (5000,), 1)
    stopped = contactor_life.remembered(
        begin(0), contactor_life.worn(state, 8000, stopped=True), 9000, same_boot=True
    )
    assert stopped.charge == SwitchState(False, 8000, (5000,), 1)


def test_after_a_reboot_everything_has_been_off_since_the_boot() -> None:
    """S12: no output outlives the machine."""
    state = replace(begin(0), heater=SwitchState(True, 50_000_000, (), 2))
    again = contactor_life.remembered(
        begin(4000), contactor_life.worn(state, 50_000_000), 4000, same_boot=False
    )
    assert again.heater == SwitchState(False, 0, (), 2)


def test_a_time_off_that_lies_ahead_counts_as_now() -> None:
    """S12: a file that says so must not hold a contactor open for ever."""
    again = contactor_life.remembered(
        begin(0), {"charge": ContactorLife(1, (), 10**12)}, 5000, same_boot=True
    )
    assert again.charge.changed_ms == 5000


@pytest.mark.parametrize(("starts", "expected"), [((), None), ((8000,), 9000)])
def test_a_pre_charge_lasts_seconds(starts, expected) -> None:
    """S12: one that began within the hour may have been on; an older one was not."""
    again = contactor_life.remembered(begin(0), {"precharge": ContactorLife(1, starts)}, 9000, same_boot=True)
    assert again.precharge.relay.changed_ms == expected


def test_a_heater_that_is_restarted_again_and_again_rests_all_the_same() -> None:
    """S12: at most one start in thirty seconds, however often the core begins anew."""
    pack = Pack(battery=[-80, -80], charger_mv=16_000)
    pack.run(10_000)
    assert pack.state.commands.heater
    starts = 1
    for _ in range(10):
        pack = restarted(pack, after_ms=1000)
        pack.battery, pack.charger_mv = [-80, -80], 16_000
        was_on = False
        for _ in range(20):
            pack.cycle()
            starts += pack.state.commands.heater and not was_on
            was_on = pack.state.commands.heater
    assert starts <= 3


@pytest.mark.parametrize("name", ["charge", "discharge", "main", "heater"])
@pytest.mark.parametrize("starts", [(), (8000,)])
def test_a_switch_that_was_on_for_hours_rests_from_the_restart(name, starts) -> None:
    """S12: that it last closed more than an hour ago does not say when it opened."""
    again = contactor_life.remembered(begin(0), {name: ContactorLife(1, starts)}, 9000, same_boot=True)
    assert contactor_life.switch(again, name).changed_ms == 9000
