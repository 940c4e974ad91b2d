"""The common topology and a current reading that is lost or reversed: a deaf charger does not charge a cold pack.

The contactor hung on that one reading: 58 A went into a pack at -8 °C for as long as they came.
"""

from __future__ import annotations

import pytest

from bmsd.sim.bench import Bench
from tests.sim.test_common_topology import Rig
from tests.support.effort import slow_but

FAULTS = ("current_lost", "current_reversed")
MOST_S = 15
"""The time that a forbidden current is given, and what its finding takes."""


def charged_s(rig: Rig, seconds: float) -> float:
    """Let time pass; give how long charge flowed that was forbidden."""
    cycles = 0
    for _ in range(round(seconds * 4)):
        rig.cycle()
        cycles += rig.plant.current_a > 2.0 and not rig.control.out.charge_allowed
    return cycles / 4


def deaf(bench: Bench, fault: str) -> None:
    bench.request({"fault": fault, "on": True})
    bench.request({"fault": "inverter_ignores_limits", "on": True})
    bench.request({"set": {"charger_v": 58, "charger_a": 58}})


@pytest.mark.parametrize(
    ("fault", "soc"),
    slow_but([(fault, 0.5) for fault in FAULTS], [(f, s) for f in FAULTS for s in (0.3, 0.5, 0.8)]),
)
def test_a_charger_that_comes_while_it_is_too_cold_is_cut_off(tmp_path, fault, soc) -> None:
    """S1, S2."""
    rig = Rig(tmp_path, initial_soc=soc, ambient_c=-8.0, start_c=-8.0)
    rig.bench.request({"set": {"noise_mv": 1}})
    rig.started().run(20)
    assert not rig.control.out.charge_allowed
    deaf(rig.bench, fault)
    assert charged_s(rig, 120) <= MOST_S
    assert not rig.closed
    assert rig.active("charge_not_stopped")


@pytest.mark.parametrize("fault", slow_but(["current_lost"], FAULTS))
def test_one_that_charged_before_it_got_cold_is_cut_off(tmp_path, fault) -> None:
    """S1, S2: no step of the voltage gives it away then."""
    rig = Rig(tmp_path, initial_soc=0.5, ambient_c=20.0)
    rig.started()
    deaf(rig.bench, fault)
    rig.run(120)
    rig.plant.heat.pack_c = rig.plant.heat.ambient_c = -8.0
    assert charged_s(rig, 120) <= MOST_S
    assert not rig.closed


@pytest.mark.parametrize("fault", slow_but(["current_reversed"], FAULTS))
def test_one_that_goes_on_at_over_voltage_is_cut_off(tmp_path, fault) -> None:
    """S1: it got to 3.767 V, where the chip stopped it."""
    rig = Rig(tmp_path, initial_soc=0.97, ambient_c=25.0)
    rig.started()
    deaf(rig.bench, fault)
    rig.until(lambda: not rig.control.out.charge_allowed, 1800)
    assert charged_s(rig, 60) <= MOST_S
    assert max(rig.plant.cells.volts) < 3.62
    assert not rig.closed


def test_a_cold_night_with_loads_that_come_and_go_stays_alight(tmp_path) -> None:
    """S15: what cells do when a load ends is no charge."""
    rig = Rig(tmp_path, initial_soc=0.6, ambient_c=-8.0, start_c=-8.0)
    rig.bench.request({"set": {"noise_mv": 1, "current_offset_ma": 100}})
    rig.started()
    for load_w in (0, 5000, 0, 200, 0, 2500, 40):
        rig.bench.request({"set": {"load_w": load_w}})
        for _ in range(120):
            rig.cycle()
            assert rig.closed
        rig.run(60)
    assert not rig.control.out.charge_allowed
    assert not rig.active("charge_not_stopped")
