"""Every way out of the core ends with all outputs off (S5), and nothing old passes as new afterwards (S7)."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.support.running import ended

pytestmark = pytest.mark.system

STALE = 69
FAILS = """
import sys
from bmsd.daemon import main as daemon
from bmsd.control.controller import Controller

whole = Controller.cycle


def cycle(self, now_ms, requests=()):
    out = whole(self, now_ms, requests)
    if any(request.name == "balance" for request in requests):
        raise RuntimeError("a fault nobody thought of")
    return out


Controller.cycle = cycle
sys.exit(daemon.main())
"""
HANGS = FAILS.replace('raise RuntimeError("a fault nobody thought of")', "import time; time.sleep(1000)")


def test_a_start_closes_nothing_before_its_good_cycles(core) -> None:
    """S13: the chip is configured and measures, and still everything is off."""
    core.start(cautious=True)
    core.cycles(10)
    document = core.document()
    assert document["simulated"] is True
    assert document["points"]["state"] == "starting"
    assert document["points"]["pack_mv"] > 0
    assert core.is_open()
    assert {reason["because"] for reason in document["why"]["charge"]} == {"starting"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_wanted_end_switches_off_and_is_told(core, tools, number) -> None:
    """S5, S7: exit 0, lines off, bmsctl says that nothing is there, and the guard ends too."""
    core.start()
    guard = core.guard
    assert core.lines()["charge"]
    assert core.kill(number) == 0
    assert core.is_off()
    tools.eventually(lambda: not tools.lives(guard))
    assert "could NOT" not in core.stderr()
    told = tools.eventually(lambda: (c := core.ctl("status")).returncode == STALE and c)
    assert told.stderr.startswith("bmsctl:")
    assert json.loads((core.state / "state.json").read_text())["schema"] == 1


@pytest.mark.fault_class(15, "alone")
def test_a_killed_core_is_switched_off_by_its_guard(core, tools) -> None:
    """S5: kill -9."""
    core.start()
    guard = core.guard
    core.kill(signal.SIGKILL)
    tools.eventually(core.is_off)
    tools.eventually(lambda: not tools.lives(guard))
    tools.eventually(lambda: "on were: charge" in core.stderr())
    assert "the core is gone" in core.stderr()
    tools.eventually(lambda: core.ctl("status").returncode == STALE)
    assert core.ctl("why", "charge").returncode == STALE


@pytest.mark.fault_class(15, "alone")
def test_a_stopped_core_is_ended_and_switched_off_by_its_guard(core, tools) -> None:
    """S5: a hang is as good as dead, and must not wake up again with its outputs still on."""
    core.start()
    os.kill(core.pid, signal.SIGSTOP)
    tools.eventually(core.is_off)
    assert core.ended() == -signal.SIGKILL
    tools.eventually(lambda: "hung" in core.stderr())


@pytest.mark.fault_class(15, "alone")
def test_a_core_that_hangs_in_a_cycle_is_ended_too(tmp_path, tools) -> None:
    """S5: the guard is fed after a whole cycle only."""
    with tools.running(tmp_path, program=("-c", HANGS)) as core:
        core.start()
        with pytest.raises(Exception, match="bmsd"):
            core.ask(do="switch", name="balance", on=True)
        assert core.ended() == -signal.SIGKILL
        tools.eventually(core.is_off)


@pytest.mark.fault_class(15, "alone")
def test_an_exception_in_a_cycle_switches_off_and_shows_where(tmp_path, tools) -> None:
    """S5: what nobody thought of ends the core, outputs first."""
    with tools.running(tmp_path, program=("-c", FAILS)) as core:
        core.start()
        with pytest.raises(Exception, match="bmsd"):
            core.ask(do="switch", name="balance", on=True)
        assert core.ended() == 1
        assert core.is_off()
        assert "a fault nobody thought of" in core.stderr()


def test_a_guard_that_is_gone_stops_nothing(core, tools) -> None:
    """S5: the guard is a second layer, not a part that the first one needs."""
    core.start()
    guard = core.guard
    os.kill(guard, signal.SIGKILL)
    tools.eventually(lambda: not tools.lives(guard))
    core.cycles(10)
    assert core.is_well()
    assert core.kill(signal.SIGTERM) == 0
    assert core.is_off()


def test_a_guard_that_died_is_told_and_the_next_one_switches_off(core, tools) -> None:
    """S5: it could die unnoticed; then nobody but systemd and the chip was left when the core died as well."""
    core.start()
    first = core.guard
    overruns = core.points()["cycle_overruns"]
    os.kill(first, signal.SIGKILL)
    tools.eventually(lambda: ("guard_lost", "raised") in core.events("alarm"))
    tools.eventually(lambda: ("guard_lost", "cleared") in core.events("alarm"))
    assert core.is_closed(), "nothing opens for it"
    assert core.points()["cycle_overruns"] <= overruns + 1
    second = core.guard
    core._guards.append(second)
    assert second != first
    core.kill(signal.SIGKILL)
    tools.eventually(core.is_off)
    tools.eventually(lambda: not tools.lives(second))


def test_a_guard_outlives_the_signals_that_end_a_core(core, tools) -> None:
    """S5: Ctrl-C and a stop of the whole group reach the guard, too, and must not end it first."""
    core.start()
    guard = core.guard
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(guard, number)
    core.cycles(3)
    assert tools.lives(guard)
    core.kill(signal.SIGKILL)
    tools.eventually(core.is_off)


def test_a_second_core_is_refused_and_the_first_one_undisturbed(shared) -> None:
    """S5: two owners of one pack would each switch what the other opened."""
    second = shared.another()
    assert ended(second) == STALE
    assert "another bmsd runs" in shared.stderr()
    shared.cycles(5)
    assert shared.is_well()
    assert shared.ctl("switch", "charge", "on").returncode == 0


@pytest.mark.fault_class(15, "second")
def test_the_next_start_begins_with_everything_off(core) -> None:
    """S5, S13: lines that a dead core left on are off before anything is decided."""
    core.start()
    os.kill(core.guard, signal.SIGKILL)
    core.kill(signal.SIGKILL)
    assert core.lines()["charge"]
    core.start(cautious=True)
    assert core.is_off()
    assert core.is_open()
