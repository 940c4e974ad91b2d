"""What an inverter is known to need until it keeps a new limit reaches the core from the protocol's row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.config.load import CanConfig
from bmsd.inverters.protocols import AUTO, PROTOCOLS, obeys_ms
from tests.support.configured import loaded, pack_text


def test_a_sunny_island_may_take_ten_seconds_and_one_that_is_not_known_yet_too() -> None:
    assert obeys_ms("sma") == 10_000
    assert obeys_ms("pylontech") == 0
    assert obeys_ms(AUTO) == max(row.obeys_ms for row in PROTOCOLS.values())


@pytest.mark.parametrize(
    ("first", "second", "needed_ms"),
    [("sma", "pylontech", 10_000), ("pylontech", "sma", 10_000), ("pylontech", "deye", 0), (None, None, 0)],
)
def test_the_slowest_that_is_told_counts(tmp_path, first, second, needed_ms) -> None:
    """S15: a common contactor waits for whoever needs longest."""
    config = loaded(tmp_path, pack_text("[outputs]\ncharge = 17\ndischarge = 27\n"))
    assert config.settings().obeys_ms == 0
    if first is not None:
        named = {"can@shed": CanConfig(second, 10.0, {})}
        config = replace(config, can=CanConfig(first, 10.0, {}), named=named)
    assert config.settings().obeys_ms == needed_ms
