"""Cycles keep their grid: a protection's delay must not end a millisecond after a cycle and cost another one."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(120)]


def test_each_cycle_is_decided_for_the_time_it_was_due(shared, tools) -> None:
    """S1: however late it woke; only an overrun, which is counted, moves the grid."""

    def steps() -> list[int] | None:
        """Give the steps between decisions, in one stretch without an overrun."""
        seen: dict[int, int] = {}
        overruns = shared.points()["cycle_overruns"]
        while len(seen) < 30:
            document = shared.document()
            if document["points"]["cycle_overruns"] != overruns:
                return None
            seen[document["points"]["sequence"]] = document["at_ms"]
        first, last = min(seen), max(seen)
        return [(at - seen[first]) - (n - first) * 100 for n, at in seen.items()] if last > first else None

    assert set(tools.eventually(steps)) == {0}
