"""The inverter's section: protocol, bit rate and name that contradict each other or do not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmsd.config import Config, load
from bmsd.errors import ConfigError
from bmsd.inverters.protocols import PROTOCOLS

GOOD = (Path(__file__).resolve().parents[1] / "etc" / "bmsd.toml").read_text(encoding="utf-8")


def loaded(folder: Path, *lines: str) -> Config:
    """Load the example with other lines in [can]."""
    path = folder / "bmsd.toml"
    before, after = GOOD.split("[can]")[0], GOOD.split("[can]")[1].split("\n[", maxsplit=1)[1]
    path.write_text("\n".join((before, "[can]", *lines, f"[{after}")), encoding="utf-8")
    return load(path)


def problems(folder: Path, *lines: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loaded(folder, *lines)
    return refused.value.problems


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_bit_rate_that_is_not_written_is_the_protocols(tmp_path, name) -> None:
    can = loaded(tmp_path, f'protocol = "{name}"').can
    assert can is not None
    assert can.bus["bitrate"] == PROTOCOLS[name].bitrate
    assert can.battery_name == ""


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_bit_rate_that_contradicts_is_refused_with_its_line(tmp_path, name) -> None:
    right = PROTOCOLS[name].bitrate
    found = problems(tmp_path, f'protocol = "{name}"', f"bitrate = {750_000 - right}")
    assert len(found) == 1
    assert str(right) in found[0]
    assert "line" in found[0]


def test_an_unknown_protocol_lists_the_known_ones_with_or_without_a_bit_rate(tmp_path) -> None:
    for more in ((), ("bitrate = 500000",)):
        found = problems(tmp_path, 'protocol = "pylon"', *more)
        assert len(found) == 1
        assert all(name in found[0] for name in PROTOCOLS)


def test_a_name_is_taken_for_the_battery_and_not_for_the_bus(tmp_path) -> None:
    can = loaded(tmp_path, 'battery_name = "SHEnergy"').can
    assert can is not None
    assert can.battery_name == "SHEnergy"
    assert "battery_name" not in can.bus
    found = problems(tmp_path, 'battery_name = "SHEnergy2"')
    assert len(found) == 1
    assert "8 printable" in found[0]
