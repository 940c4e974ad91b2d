"""What a poll costs over the simulated chip: the bench runs thousands a second."""

from __future__ import annotations

import time

import pytest

BUDGET_US = 60


@pytest.mark.bench
def test_a_poll_with_checksums_is_within_its_budget(ready) -> None:
    best_us = 1e9
    for _ in range(5):
        spent_ns = 0
        for _ in range(1000):
            ready.sense()
            ready.pass_ms(250)
            begun_ns = time.perf_counter_ns()
            ready.run(ready.driver.poll())
            spent_ns += time.perf_counter_ns() - begun_ns
        best_us = min(best_us, spent_ns / 1e6)
    print(f"poll: {best_us:.1f} µs")
    assert best_us <= BUDGET_US
