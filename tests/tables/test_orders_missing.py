"""Sets of parameters that are in order one by one and defeat a rule together (S8)."""

from __future__ import annotations

import pytest

from bmsd.tables import parameters

BASE = parameters.defaults("lifepo4", "default", 16, {"charge_ocp_ma": 100_000, "discharge_ocp_ma": 150_000})


@pytest.mark.parametrize("run_ms", [60_000, 600_000, 2_699_000])
def test_a_longest_run_that_ends_before_the_watcher_can_judge_is_refused(run_ms) -> None:
    """S4: with runs shorter than its time and a rest between them the watcher never finds a cold heater."""
    assert parameters.problems({**BASE, "heater_max_run_ms": run_ms}, 16)
    assert not parameters.problems({**BASE, "heater_max_run_ms": BASE["heater_watch_ms"]}, 16)
