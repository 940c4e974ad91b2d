"""An empty night: an inverter that obeys, late and coarse, never meets the contactor, whatever it takes for itself.

The nights are short, and so is what is kept for them; docs/limits.md has the whole ones.
"""

from __future__ import annotations

import pytest

from tests.scenarios.house import Home
from tests.scenarios.obedient import Obedient
from tests.support.effort import slow_but

IDLE_W = 2.5
"""A cell's share of what the inverter takes for itself."""
TRIPS = {"cell_uvp", "pack_uvp", "cell_shutdown", "discharge_not_stopped", "discharge_limit_enforced"}
PACKS = [
    (chemistry, cells, topology)
    for topology in ("split", "common")
    for chemistry in ("lifepo4", "li-ion", "lto")
    for cells in (4, 8, 16)
]


def night(chemistry: str, cells: int, topology: str, hours: float = 1.0, **chosen: int) -> Obedient:
    """Empty a small pack with a fifth of its capacity an hour, then let the night go on with the idle inverter."""
    home = Home("night", chemistry=chemistry, cells=cells, capacity_ah=50, soc=0.09)
    pack = Obedient(home, topology, {"reserve_h": 1, **chosen})
    pack.set(load_w=0.2 * 50 * pack.bench.plant.cells.pack_v, inverter_idle_w=IDLE_W * cells)
    while pack.now_ms < hours * 3_600_000:
        pack.cycle()
    return pack


@pytest.mark.parametrize(
    ("chemistry", "cells", "topology"), slow_but([("lifepo4", 4, "split"), ("lto", 4, "common")], PACKS)
)
def test_an_inverter_that_obeys_never_meets_the_contactor(chemistry, cells, topology) -> None:
    """S1: the count begins at one half, so the cells alone must end it; noise of 1 mV, 10 s late, steps of 1 A."""
    pack = night(chemistry, cells, topology)
    out = pack.cycle()
    assert (out.limits.discharge_ma, out.limits.discharge_reason) == (0, "reserve")
    assert not TRIPS & set(pack.raised), pack.raised
    assert pack.joined
    assert out.limits.charge_ma > 0


def test_without_the_margin_and_the_reserve_it_does(monkeypatch) -> None:
    """The test above can fail."""
    from bmsd.core import derating, low_battery
    from bmsd.core.low_battery import LowBattery

    monkeypatch.setattr(derating, "SPARE_MV", 0)
    monkeypatch.setattr(low_battery, "advance", lambda *_: (False, LowBattery()))
    pack = night("lifepo4", 4, "split", pack_uvp_mv=2600 * 4)
    assert {"cell_uvp"} <= set(pack.raised)
    assert not pack.joined


@pytest.mark.slow
@pytest.mark.parametrize("charger_a", [50, 90])
def test_a_grid_that_charges_when_asked_and_a_load_do_not_take_turns(charger_a) -> None:
    """100 Ah and 3 kW: the request toggled 16 times in 80 minutes, with the discharge limit whole all the while.

    The count begins a third of the capacity too high, so that the cells have to say it.
    """
    pack = Obedient(Home("turns", capacity_ah=100, soc=0.15))
    pack.set(load_w=3000, inverter_idle_w=40)
    asked, changes, lowest = False, 0, 1.0
    while pack.now_ms < 80 * 60_000:
        pack.cycle()
        now_asked = pack.virtual.control.state.force_charge
        if now_asked is not asked:
            pack.set(charger_a=charger_a if now_asked else 0)
            changes, asked = changes + 1, now_asked
        lowest = min(lowest, *pack.bench.plant.cells.soc)
    assert changes <= 4
    assert lowest > 0.02
    assert not TRIPS & set(pack.raised)
