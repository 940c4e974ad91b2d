"""Cycles keep their grid: a protection's delay must not end a millisecond after a cycle and cost another one."""

from __future__ import annotations

from itertools import pairwise

import pytest

pytestmark = [pytest.mark.system, pytest.mark.deadline]


def test_each_cycle_is_decided_for_the_time_it_was_due(shared, tools) -> None:
    """S1: however late it woke; only an overrun, which is counted, moves the grid."""

    seen: dict[int, tuple[int, int]] = {}

    def moved() -> list[int] | None:
        """Give how far decisions without an overrun between them are off the grid, of many of them."""
        document = shared.document()
        points = document["points"]
        seen[points["sequence"]] = document["at_ms"], points["cycle_overruns"]
        steps = pairwise(sorted(seen.items()))
        found = [b[0] - a[0] - (m - n) * 100 for (n, a), (m, b) in steps if a[1] == b[1]]
        return found if len(found) >= 30 else None

    assert set(tools.eventually(moved)) == {0}
