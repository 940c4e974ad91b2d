"""What breaks on the bench while a real core runs: a named alarm, outputs off where S1 asks, and recovery.

The chip's comparators act on broken leads too, so further alarms may stand beside the expected one.
"""

from __future__ import annotations

import time

import pytest

from tests.support.effort import slow_but

pytestmark = pytest.mark.system

EVERYTHING_OFF = [
    ("afe_nack", None, "afe_lost"),
    ("afe_crc", None, "afe_lost"),
    ("afe_stuck", None, "afe_lost"),
    ("afe_frozen", None, "afe_lost"),
    ("afe_zeros", None, "afe_lost"),
    ("afe_ones", None, "afe_lost"),
    ("cell_wire_short", 3, "cell_lost"),
    ("cell_open_wire", 4, "cell_lost"),
    ("cell_wires_swapped", 8, "cell_lost"),
    ("ntc1_open", None, "temperature_lost"),
    ("ntc1_short", None, "temperature_lost"),
    ("ntc2_open", None, "temperature_lost"),
    ("ntc3_open", None, "switch_temperature_lost"),
]


@pytest.mark.parametrize(("fault", "cell", "alarm"), EVERYTHING_OFF)
def test_a_lost_value_opens_everything_and_comes_back(shared, tools, fault, cell, alarm) -> None:
    """S1, S2, S7: unknown is no good number; limits are zero; what is whole again closes again."""
    tools.eventually(shared.is_well)
    shared.fault(fault, True, cell)
    try:
        tools.eventually(lambda: alarm in shared.alarms() and shared.is_open())
        points = shared.points()
        assert not points["charge_allowed"]
        assert not points["discharge_allowed"]
        assert points["charge_limit_ma"] == points["discharge_limit_ma"] == 0
    finally:
        shared.fault(fault, False, cell)
    tools.eventually(shared.is_well)


@pytest.mark.parametrize("fault", ["afe_reset", "afe_config_flip"])
def test_a_chip_that_lost_its_settings_opens_everything_until_it_is_right_again(shared, tools, fault) -> None:
    """S6: contactors open, the chip is programmed and verified again, only then they close."""
    tools.eventually(shared.is_well)
    begun = shared.document()["event_sequence"]
    shared.fault(fault, True)
    shared.fault(fault, False)
    tools.eventually(lambda: ("afe_reset", "raised") in shared.events("alarm", since=begun))
    # Events are published before the snapshot: one read right after may still be that of the cycle before.
    tools.eventually(lambda: ("discharge", "on") in shared.events("switch", since=begun) and shared.is_well())
    moved = shared.events("alarm", "switch", since=begun)
    assert moved.index(("charge", "off")) < moved.index(("charge", "on"))
    assert moved.index(("discharge", "off")) < moved.index(("discharge", "on"))
    assert moved.index(("afe_reset", "cleared")) < moved.index(("charge", "on"))


def test_reads_never_tear_a_value(shared, tools) -> None:
    """S2: a chip that mixes two scans in values read in two parts has no way to: values keep true."""
    tools.eventually(shared.is_well)
    shared.fault("afe_torn", True)
    try:
        for amperes in (40, 0, 40, 0):
            shared.sim(charger_a=amperes)
            shared.cycles(4)
            points = shared.points()
            assert max(points["cell_mv"]) - min(points["cell_mv"]) < 100
            assert abs(points["pack_mv"] - sum(points["cell_mv"])) == 0
        assert not shared.alarms()
    finally:
        shared.fault("afe_torn", False)


def shake(core, alarm: str, attempts: int, cycles: int = 10) -> bool:
    """Let the current swing, so that what stands still shows; tell whether the alarm came."""
    core.sim(inverter_lag_s=0)
    try:
        for attempt in range(attempts):
            core.sim(charger_a=80 * (attempt % 2), load_w=5000 * ((attempt + 1) % 2))
            until = core.points()["sequence"] + cycles
            while core.points()["sequence"] < until:
                if alarm in core.alarms():
                    return True
                time.sleep(0.05)
        return False
    finally:
        core.sim(charger_a=0, load_w=0, inverter_lag_s=2)


def test_a_frozen_cell_is_found_by_the_others_moving(shared, tools) -> None:
    """S2: a reading that stands still while the pack moves is no reading."""
    tools.eventually(shared.is_well)
    shared.fault("cell_frozen", True, 5)
    try:
        assert shake(shared, "cell_frozen", 20)
        tools.eventually(shared.is_open)
        frozen = next(a for a in shared.document()["alarms"] if a["name"] == "cell_frozen")
        assert frozen["where"] == 5
    finally:
        shared.fault("cell_frozen", False, 5)
    tools.eventually(shared.is_well)


@pytest.mark.parametrize(
    ("fault", "alarm"),
    slow_but(
        [("cells_frozen", "cells_frozen")],
        [
            ("current_lost", "current_implausible"),
            ("current_frozen", "current_implausible"),
            ("cells_frozen", "cells_frozen"),
        ],
    ),
)
def test_a_dead_current_or_frozen_cells_are_found_by_the_other_moving(shared, tools, fault, alarm) -> None:
    """S2: cells that move without current, or current that moves no cell, cannot both be true."""
    tools.eventually(shared.is_well)
    shared.fault(fault, True)
    try:
        assert shake(shared, alarm, 12, 20)
        tools.eventually(shared.is_open)
    finally:
        shared.fault(fault, False)
    shared.sim(charger_a=10)  # One reading that moves is what ends frozen cells.
    if alarm == "current_implausible":
        tools.eventually(lambda: shared.ctl("reset", alarm).returncode == 0)
    tools.eventually(shared.is_well)
    shared.sim(charger_a=0)


def test_a_short_is_left_to_the_chip_and_told(shared, tools) -> None:
    """S1: the chip's comparator opens, the alarm is named, nothing closes onto the short."""
    tools.eventually(shared.is_well)
    shared.ask(do="set", values={"short_circuit_release_ms": 2000})
    shared.fault("load_short", True)
    try:
        tools.eventually(lambda: "short_circuit" in shared.alarms() and shared.is_open())
    finally:
        shared.fault("load_short", False)
    tools.eventually(shared.is_well)


@pytest.mark.parametrize(
    ("fault", "alarm"),
    [
        ("charge_stuck_open", "charge_contactor_open"),
        ("discharge_stuck_open", "discharge_contactor_open"),
    ],
)
def test_a_contactor_that_does_not_follow_waits_for_an_operator(shared, tools, fault, alarm) -> None:
    """S1: read-back decides, and the alarm stays until somebody has looked."""
    tools.eventually(shared.is_well)
    shared.fault(fault, True)
    tools.eventually(lambda: alarm in shared.alarms())
    shared.fault(fault, False)
    shared.cycles(10)
    assert alarm in shared.alarms()
    tools.eventually(lambda: shared.ctl("reset", alarm).returncode == 0)
    tools.eventually(shared.is_well)


def test_a_welded_contactor_opens_the_other_one(shared, tools) -> None:
    """S1: what cannot be opened any more is told, and the rest is opened."""
    tools.eventually(shared.is_well)
    shared.fault("charge_weld", True)
    shared.ask(do="switch", name="charge", on=False)
    tools.eventually(lambda: "charge_contactor_welded" in shared.alarms())
    tools.eventually(lambda: shared.points()["discharge_actual"] is False)
    shared.fault("charge_weld", False)
    shared.ask(do="switch", name="charge", on=True)
    tools.eventually(lambda: shared.ctl("reset", "charge_contactor_welded").returncode == 0)
    tools.eventually(shared.is_well)
