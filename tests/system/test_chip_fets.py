"""A real core whose switches are the chip's own FETs: every way out leaves them off (S5), and so does every doubt.

The simulated chip ends with its core; what its FETs did last outlives it in the bench's file of lines, as the FETs of
a real chip outlive a core, and safe-off switches them off there.
"""

from __future__ import annotations

import os
import signal

import pytest

pytestmark = pytest.mark.system

CONTACTOR_KEYS = ("charge = 17", "discharge = 27", "charge_feedback = 5", "discharge_feedback = 6")


@pytest.fixture
def fets(tmp_path, tools):
    text = tools.config.replace("resistance_ohm = 24.0", 'resistance_ohm = 24.0\nsupply = "pack"')
    for key in CONTACTOR_KEYS:
        assert key in text
        text = text.replace(f"{key}\n", "", 1)
    with tools.running(tmp_path, text=text, section='\n[switches]\ntopology = "afe"\n') as core:
        yield core


def both(core) -> tuple[bool, bool]:
    """Give what the FETs did last."""
    return core.lines()["charge"], core.lines()["discharge"]


def test_a_start_closes_nothing_before_its_good_cycles(fets, tools) -> None:
    """S13: the chip is configured and measures, and its FETs are off."""
    fets.start(cautious=True)
    fets.cycles(10)
    assert fets.is_open()
    assert both(fets) == (False, False)
    assert {reason["because"] for reason in fets.document()["why"]["charge"]} == {"starting"}


def test_a_killed_core_leaves_its_fets_off(fets, tools) -> None:
    """S5: kill -9, and the guard's safe-off."""
    fets.start()
    assert both(fets) == (True, True)
    fets.kill(signal.SIGKILL)
    tools.eventually(fets.is_off)
    tools.eventually(lambda: "on were: " in fets.stderr())
    assert "charge, discharge" in fets.stderr()


def test_a_stopped_core_leaves_its_fets_off(fets, tools) -> None:
    """S5: a hang is as good as dead."""
    fets.start()
    os.kill(fets.pid, signal.SIGSTOP)
    tools.eventually(fets.is_off)
    assert fets.ended() == -signal.SIGKILL


def test_a_wanted_end_switches_off_over_the_bus_and_needs_no_guard(fets, tools) -> None:
    """S5: the core reads the FETs as off before it sends its guard home."""
    fets.start()
    guard = fets.guard
    assert fets.kill(signal.SIGTERM) == 0
    assert fets.is_off()
    tools.eventually(lambda: not tools.lives(guard))
    assert "safe-off" not in fets.stderr()


def test_an_end_that_cannot_switch_off_leaves_it_to_the_guard(fets, tools) -> None:
    """S5: the chip takes commands and does not carry them out."""
    fets.start()
    fets.fault("afe_fets_deaf", True)
    fets.kill(signal.SIGTERM)
    tools.eventually(lambda: "the core is gone" in fets.stderr())


def test_the_next_start_begins_with_fets_off_that_a_dead_core_left_on(fets) -> None:
    """S5, S13: no guard was left to do it."""
    fets.start()
    os.kill(fets.guard, signal.SIGKILL)
    fets.kill(signal.SIGKILL)
    assert both(fets) == (True, True)
    fets.start(cautious=True)
    fets.cycles(3)
    assert both(fets) == (False, False)


def test_a_chip_that_resets_is_programmed_anew_and_its_fets_return(fets, tools) -> None:
    """S6."""
    fets.start()
    fets.fault("afe_reset", True)
    tools.eventually(lambda: ("afe_reset", "raised") in fets.events("alarm"))
    assert both(fets) == (False, False)
    fets.fault("afe_reset", False)
    tools.eventually(fets.is_well)
    assert ("output_fault", "raised") not in fets.events("alarm")


def test_a_command_that_does_not_take_is_told_and_blocks(fets, tools) -> None:
    """S2: an output fault, until the status register reads as commanded."""
    fets.start()
    fets.fault("afe_fets_deaf", True)
    fets.ask(do="switch", name="charge", on=False)
    tools.eventually(lambda: "output_fault" in fets.alarms())
    assert not fets.points()["discharge_commanded"]
    assert fets.points()["discharge_actual"]
    fets.fault("afe_fets_deaf", False)
    tools.eventually(lambda: both(fets) == (False, False))
    fets.ask(do="switch", name="charge", on=True)
    tools.eventually(fets.is_well)


def test_over_voltage_opens_the_charge_fet_and_discharging_goes_on(fets, tools) -> None:
    """S1: with a load the charge FET is on again for its diode, and charging stays forbidden."""
    fets.start()
    fets.ask(do="sim", cell=7, values={"offset_mv": 500})
    tools.eventually(lambda: both(fets) == (False, True))
    tools.eventually(lambda: "cell_ovp" in fets.alarms())
    fets.sim(load_w=1500)
    tools.eventually(lambda: fets.points()["current_ma"] < -20_000)
    tools.eventually(lambda: both(fets) == (True, True))
    tools.eventually(lambda: fets.points()["charge_actual"])
    points = fets.points()
    assert not points["charge_commanded"]
    assert points["charge_limit_ma"] == 0
    assert points["discharge_allowed"]
    fets.sim(load_w=0)
    tools.eventually(lambda: both(fets) == (False, True))
