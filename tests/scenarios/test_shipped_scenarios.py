"""The scenarios that ship: each meets its own expectations, and a cold morning keeps S3 and S4 row by row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bmsd.sim import scenario
from tests.support.effort import slow_but
from tests.support.shipped import Run, shipped

ROOT = Path(__file__).resolve().parents[2]
COLD = "cold-morning"


EVERYDAY = ("afe-reset", "sensor-lost")


@pytest.fixture(scope="module")
def cold() -> Run:
    """Give a cold morning: everything the program prints and writes."""
    return shipped(COLD)


@pytest.mark.parametrize("name", slow_but(EVERYDAY, scenario.names()))
def test_a_shipped_scenario_meets_its_expectations(name) -> None:
    done = shipped(name)
    assert done.code == 0, done.errors


def test_every_shipped_scenario_expects_something(bench_config) -> None:
    for name in scenario.names():
        found = scenario.parse(scenario.find(name, Path()), bench_config)
        assert found.expectations, name
        assert found.title
        assert found.description


@pytest.mark.slow
def test_cold_morning_follows_s3(cold) -> None:
    """S3: charge is cut, then the heater goes on; the heater goes off, then charge returns."""
    told = [
        "Too cold to charge: sensor 1",
        "Charge contactor opened",
        "Heater on",
        "Too cold to charge cleared",
        "Heater off",
        "Charge contactor closed",
    ]
    places = []
    for words in told:
        start = places[-1] if places else cold.text.index("pack_c = -8")
        places.append(cold.text.index(words, start))
    assert places == sorted(places)


@pytest.mark.slow
def test_cold_morning_never_heats_and_charges_at_once(cold) -> None:
    """S3: not in a single row are both on."""
    assert all(not (row["switches.charge"] and row["switches.heater"]) for row in cold.rows)


@pytest.mark.slow
def test_cold_morning_keeps_the_heater_inside_its_limits(cold) -> None:
    """S4: below 3 A and 200 W, and only while the pack is below the recovery limit."""
    heated = [row for row in cold.rows if row["switches.heater"]]
    assert len(heated) > 500
    for row in heated:
        assert 2.0 < row["heater.current_a"] <= 3.0
        assert row["heater.power_w"] <= 200
        assert row["temperatures.battery_c.1"] < 5.0
        assert row["temperatures.battery_c.2"] < 5.0


@pytest.mark.slow
def test_cold_morning_does_not_charge_below_zero(cold) -> None:
    """S1, S3: no charging current below the limit, but for the moment the alarm takes to trip."""
    cold_rows = [row for row in cold.rows if (row["temperatures.battery_c.1"] or 0) < 0]
    assert cold_rows[0]["temperatures.battery_c.1"] == -8.0
    assert all(row["pack.current_a"] <= 0.1 for row in cold_rows[1:])
    assert all(row["limits.charge_current_a"] == 0 for row in cold_rows[1:])


@pytest.mark.slow
def test_cold_morning_warms_and_charges_again(cold) -> None:
    last = cold.rows[-1]
    assert last["switches.charge"] == 1
    assert last["pack.current_a"] == pytest.approx(40, abs=0.1)
    assert last["temperatures.battery_c.1"] > 5.0
    energy = re.search(r"heater: ([\d.]+) kWh", cold.text)
    assert energy
    assert 0.25 < float(energy[1]) < 0.45


def test_the_picture_in_the_documents_is_small() -> None:
    picture = ROOT / "docs" / "images" / "cold-morning.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 200_000
