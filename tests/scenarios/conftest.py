"""What the scenario tests share: the configuration of the bench."""

from __future__ import annotations

import pytest

from bmsd.config.load import load
from bmsd.sim.commands import BENCH_CONFIG


@pytest.fixture(scope="session")
def bench_config():
    return load(BENCH_CONFIG)
