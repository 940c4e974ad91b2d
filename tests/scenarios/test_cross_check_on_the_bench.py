"""Hours of normal life raise nothing; a broken current, frozen cells and a deaf inverter are found in time.

BMSD_HOURS lengthens the lives: `BMSD_HOURS=2` with a longer --timeout is the run that counts before a release.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bmsd.sim import replay
from bmsd.sim.recording import Recording
from tests.scenarios.house import WATCHED, Home, House
from tests.support.effort import slow_but

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
HOURS = float(os.environ.get("BMSD_HOURS", "0.25"))
HOMES = (
    Home("a house"),
    Home("a house, JK's numbers", preset="jk-compatible", seed=2),
    Home("a heat wave, heavy loads", ambient_c=40, share=0.8, seed=3),
    Home("a cold shed", ambient_c=-15, seed=4),
    Home("a cold shed that must not charge at all", ambient_c=-18, capacity_ah=100, share=0.8, seed=5),
    Home("a camper", cells=4, capacity_ah=20, share=1.0, seed=6),
    Home("a cabin with a few lamps", cells=8, capacity_ah=100, share=0.03, pause_s=(5, 20), seed=7),
    Home("li-ion", "li-ion", cells=14, capacity_ah=100, share=0.8, seed=8),
    Home("li-ion, cold, JK's numbers", "li-ion", "jk-compatible", 14, 60, ambient_c=2, seed=9),
    Home("titanate, cold", "lto", cells=16, capacity_ah=40, ambient_c=-15, share=2.0, seed=10),
    Home("nearly full", soc=0.97, seed=11),
    Home("nearly empty", soc=0.08, seed=12),
    Home("a slow inverter and a noisy board", lag_s=4.0, noise_mv=5.0, offset_ma=-500, seed=13),
    Home("compressors", pause_s=(1, 6), lag_s=0.1, share=0.5, seed=14),
)
EVERYDAY = [home for home in HOMES if home.name in {"a house", "a cold shed", "li-ion"}]


@pytest.mark.fault_class(1, "alone")
@pytest.mark.parametrize("home", slow_but(EVERYDAY, HOMES), ids=lambda home: home.name)
def test_hours_of_normal_life_raise_nothing(home) -> None:
    """Fault class 1: a house that goes dark for nothing is as bad as a fault that is missed."""
    house = House(home)
    house.run(20)
    house.live(HOURS)
    assert not house.names() & WATCHED, house.raised
    moved = home.name not in {"a cabin with a few lamps", "a cold shed that must not charge at all"}
    assert not moved or house.jumps >= 8 * HOURS, "a life without a jump of the cells proves little"


@pytest.mark.slow
def test_a_rest_of_hours_in_exact_readings_raises_nothing() -> None:
    """Fault class 1: closed contactors, a converter without noise, a shunt with an offset, nothing moves."""
    house = House(Home("rest", noise_mv=0.0, offset_ma=300))
    house.run(HOURS * 3 * 3600)
    assert not house.raised
    assert house.virtual.control.state.commands.discharge


ROWS = None if "BMSD_HOURS" in os.environ else 1000


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ah"), [("p25C", 2.053), ("p05C", 2.051), ("m15C", 2.062)])
def test_the_shipped_recordings_of_real_cells_raise_nothing(bench_config, tmp_path, name, ah) -> None:
    """Fault class 1: urban driving with a cell that is stiff, and one that is cold; whole with BMSD_HOURS."""
    lines = (RECORDINGS / f"lfp_a123_dyn_{name}.csv").read_text().splitlines()
    path = tmp_path / "cut.csv"
    path.write_text("\n".join([*lines[:1], *lines[1:][-ROWS if ROWS else None :]]))
    raised: list[str] = []

    def tell(_at_ms: int, what: object) -> None:
        if getattr(what, "kind", "") == "alarm":
            raised.append(what.name)  # type: ignore[attr-defined]

    with Recording(path) as rows:
        pack = replay.pack_of(bench_config, rows, "lifepo4", ah, own=False)
        done = replay.replay(pack, rows, replay.start_soc(pack, rows, 100.0, None), tell)
    assert done.rows >= 1000
    assert not WATCHED & set(raised)


def kettle(house: House, times: int, wanted: str) -> float:
    """Switch a kettle on and off every half minute until the alarm comes; give the seconds it took."""
    begun_ms = house._now_ms
    for _ in range(times):
        for load_w in (4000, 300):
            house.set(load_w=load_w)
            house.run(30)
            if wanted in house.names():
                return (house._now_ms - begun_ms) / 1000
    raise AssertionError(f"{wanted} never came: {house.raised}")


def worse(house: House) -> None:
    """Break something else beforehand: a wire, and a sensor that drifts."""
    house.bench.request({"cell": 3, "values": {"wire_ohm": 0.5}})
    house.set(ts1_offset_k=25, noise_mv=2)


each_time = pytest.mark.parametrize("before", [lambda house: None, worse], ids=["alone", "second"])


@each_time
@pytest.mark.parametrize(
    ("fault", "alarm", "within_s"),
    [
        ("current_lost", "current_implausible", 150),
        ("current_frozen", "current_implausible", 150),
        ("current_reversed", "current_reversed", 180),
        ("cells_frozen", "cells_frozen", 150),
    ],
)
def test_what_cannot_be_true_is_found_by_kettles(
    fault, alarm, within_s, before: Callable[[House], None]
) -> None:
    """S2, fault classes 2 and 7: four jumps, four swings, or six jumps the wrong way."""
    house = House(Home("a kitchen"))
    house.set(load_w=300)
    before(house)
    house.run(40)
    house.bench.fault(fault, True)
    assert kettle(house, 6, alarm) <= within_s
    assert not house.virtual.control.state.commands.charge
    assert not house.virtual.control.state.commands.discharge


@each_time
def test_a_converter_that_freezes_during_a_charge_is_found_before_a_tenth_more(before) -> None:
    """S2, fault class 2: a constant current shows no jump; what has flowed does."""
    house = House(Home("sun", share=0.5))
    before(house)
    house.run(40)
    house.set(charger_a=140)
    house.run(60)
    house.bench.fault("cells_frozen", True)
    started_soc = house.bench.plant.cells.mean_soc
    while "cells_frozen" not in house.names():
        house.run(10)
        assert house.bench.plant.cells.mean_soc - started_soc < 0.11
    assert not house.virtual.control.state.commands.charge


@pytest.mark.fault_class(10, "alone")
@each_time
@pytest.mark.parametrize(
    ("name", "values"),
    [("charge", {"charger_a": 200}), ("discharge", {"load_w": 6500})],
)
def test_a_deaf_inverter_is_told_of_and_then_cut_off(name, values, before) -> None:
    """S1, fault class 10: at a limit of half its current, within the stated times of the parameters."""
    house = House(Home("deaf"))
    before(house)
    house.run(20)
    limits = {"charge_max_ma": 100_000, "discharge_max_ma": 100_000}
    control = house.virtual.control
    control.use(replace(control.parameters, **limits))
    house.bench.fault("inverter_ignores_limits", True)
    house.run(60)
    begun_ms = house._now_ms
    house.set(**values)
    delay_ms = getattr(control.parameters, f"{name}_enforce_delay_ms")
    house.run(delay_ms / 1000 + 5)
    at = {alarm: at_s for at_s, alarm in house.raised}
    warned = at[f"{name}_limit_ignored"] - begun_ms / 1000
    cut = at[f"{name}_limit_enforced"] - begun_ms / 1000
    assert control.parameters.limit_ignored_delay_ms / 1000 <= warned <= 25
    assert delay_ms / 1000 <= cut <= delay_ms / 1000 + 5
    assert not getattr(control.state.commands, name)
    assert getattr(control.state.commands, "discharge" if name == "charge" else "charge")


def test_a_short_that_comes_back_is_given_up_after_three_releases() -> None:
    """S13: on the chip's own comparator, with contactors that close onto it again and again."""
    house = House(Home("short"))
    house.run(20)
    for _ in range(6):
        house.bench.fault("load_short", True)
        house.run(2)
        house.bench.fault("load_short", False)
        house.run(120)
    shorts = [name for _, name in house.raised if name == "short_circuit"]
    assert len(shorts) == 4, house.raised
    assert "short_circuit_repeated" in house.names()
    assert not house.virtual.control.state.commands.discharge
