"""After a full charge an inverter that discharges down to the charge voltage takes nothing from the pack."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.house import Home
from tests.scenarios.limits_day import turns
from tests.scenarios.obedient import Obedient
from tests.support.effort import slow_but

PACKS = [("lifepo4", 4, 2000), ("lifepo4", 4, 10_000)]
"""What larger packs and other chemistries of 50 Ah give is not bounded by so little: docs/limits.md."""


def exported_wh(chemistry: str, cells: int, late_ms: int, *, follows: bool, hours: float = 0.6) -> float:
    """Fill a small pack and let it rest beside a grid that is always there; give what was taken from it."""
    home = Home("rest", chemistry=chemistry, cells=cells, capacity_ah=50, soc=0.985)
    pack = Obedient(home, exports=True, late_ms=late_ms, chosen={"absorption_least_ms": 60_000})
    pack.virtual.control.settings = replace(pack.virtual.control.settings, exports=follows)
    pack.set(charger_a=15, inverter_step_a=0)
    began_ms, given_wh, told_v = None, 0.0, []
    while began_ms is None or pack.now_ms - began_ms < hours * 3_600_000:
        out = pack.cycle()
        assert pack.now_ms < 3 * 3_600_000, "it was never full"
        resting = pack.virtual.points()["charge_phase"] == "rest"
        if resting and began_ms is None:
            began_ms = pack.now_ms
        if began_ms is not None:
            given_wh += max(-pack.pack_w, 0) / 3600
            told_v.append(out.limits.charge_mv / 1000)
    assert not pack.raised
    assert not turns(told_v, 0.1)
    return given_wh


@pytest.mark.parametrize(("chemistry", "cells", "late_ms"), slow_but([("lifepo4", 4, 10_000)], PACKS))
def test_nothing_is_exported_while_the_pack_rests(chemistry, cells, late_ms) -> None:
    """Less than a thousandth of what is in a pack; without following it is several times as much.

    S12: the charge voltage follows one way and does not turn round.
    """
    whole_wh = 50 * cells * 3.2
    assert exported_wh(chemistry, cells, late_ms, follows=True) < whole_wh / 1000


def test_a_charge_voltage_that_falls_by_the_clock_exports() -> None:
    """The test above can fail."""
    assert exported_wh("lifepo4", 4, 2000, follows=False) > 4 * 50 * 3.2 / 200
