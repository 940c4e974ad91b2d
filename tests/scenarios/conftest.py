"""What the scenario tests share: the configuration of the bench, and helpers under their plain names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bmsd.config.load import load
from bmsd.sim.commands import BENCH_CONFIG

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def bench_config():
    return load(BENCH_CONFIG)
