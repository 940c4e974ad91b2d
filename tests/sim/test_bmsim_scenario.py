"""Scenario files: what they make of the bench, and what is refused, with its line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.config.load import load
from bmsd.errors import ConfigError
from bmsd.sim import scenario
from bmsd.sim.bench import Bench
from bmsd.sim.commands import BENCH_CONFIG


@pytest.fixture(scope="module")
def config():
    return load(BENCH_CONFIG)


@pytest.fixture
def parse(tmp_path, config):
    def from_text(text: str) -> scenario.Scenario:
        path = tmp_path / "made.toml"
        path.write_text(text)
        return scenario.parse(path, config)

    return from_text


def refused(parse, text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(text)
    return [problem.split("made.toml, ")[-1] for problem in error.value.problems]


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file(parse) -> None:
    found = refused(
        parse,
        """[scenario]
titel = "x"
duration_s = -5
[pack]
soc_percent = 250
sock_percent = 5
cell_type = "unobtainium"
[pakc]
[[event]]
at_s = 1
set = { ambient_c = 500 }
[[event]]
set = { ambient_c = 5 }
[[event]]
at_s = 3
fault = "cell_frozen"
[[event]]
at_s = 3
fault = "heater_opne"
[[event]]
at_s = 4
cell = 17
values = { offset_mv = 3 }
[[event]]
at_s = 5
switch = "charge"
[[event]]
at_s = 6
reset = "no_such_alarm"
[[event]]
at_s = 7
set = { ambient_c = 5 }
reset = "cell_floor"
""",
    )
    expected = [
        ("line 2:", "scenario.titel", "did you mean title?"),
        ("line 3:", "duration_s", "-5", "1 to"),
        ("line 5:", "soc_percent", "250", "0 to 100"),
        ("line 6:", "sock_percent", "did you mean soc_percent?"),
        ("line 7:", "unobtainium"),
        ("line 8:", "pakc", "did you mean pack?"),
        ("line 11:", "ambient_c=500", "-60 to 90"),
        ("line 12:", "at_s", "missing"),
        ("line 16:", "needs a cell"),
        ("line 19:", "did you mean heater_open?"),
        ("line 23:", "17", "1 to 16"),
        ("line 26:", "on = true"),
        ("line 29:", "no_such_alarm"),
        ("line 30:", "needs one of"),
    ]
    assert len(found) == len(expected), "\n".join(found)
    for problem, words in zip(found, expected, strict=True):
        assert all(word in problem for word in words), problem


def test_wrong_expectations_are_refused(parse) -> None:
    found = refused(
        parse,
        """[scenario]
duration_s = 100
[[expect]]
key = "pack.volts_v"
max = 1
[[expect]]
key = "pack.voltage_v"
[[expect]]
key = "switches.charge"
is = 1
[[expect]]
key = "switches.charge"
at_s = 101
is = 1
[[expect]]
key = "events"
order = ["heater burns", "charge off"]
[[expect]]
key = "events"
[[expect]]
key = "pack.voltage_v"
max = "high"
""",
    )
    words = [
        ("line 4:", "pack.volts_v", "did you mean pack.voltage_v?"),
        ("line 6:", "is, min, max"),
        ("line 10:", "at_s"),
        ("line 13:", "101", "0 to 100"),
        ("line 17:", "heater burns", "on or off"),
        ("line 18:", "order ="),
        ("line 22:", "'high'"),
    ]
    assert len(found) == len(words), "\n".join(found)
    for problem, wanted in zip(found, words, strict=True):
        assert all(word in problem for word in wanted), problem


@pytest.mark.parametrize("text", ["[scenario", 'title = "x"\n', "[[scenario]]\n", "event = 3\n"])
def test_what_is_no_scenario_is_refused(parse, text) -> None:
    assert refused(parse, text)


def test_the_pack_is_built_as_the_file_says(parse, config) -> None:
    plant = parse(
        '[pack]\nsoc_percent = 30\nambient_c = -5\nseed = 9\nua_w_per_k = 3\ncell_type = "lifepo4"'
    ).plant
    assert plant.initial_soc == pytest.approx(0.3)
    assert (plant.ambient_c, plant.start_c, plant.seed, plant.insulation_w_per_k) == (-5, None, 9, 3)
    assert (plant.cells, plant.capacity_ah, plant.chemistry) == (16, 280, config.chemistry)
    assert plant.heater_resistance_ohm == 24
    assert parse("").plant == scenario.PlantSettings(chemistry="lifepo4")


def test_what_else_can_be_set_stands_in_pack_too(parse, config) -> None:
    made = parse("[pack]\ncharger_a = 12\nts1_offset_k = 4\n")
    bench = Bench(config, made.plant, happenings=made.happenings)
    assert bench.plant.inverter.charger_a == 12
    assert bench.plant.sensors.ts1_offset_k == 4


def test_things_happen_at_their_time_in_order(parse, config) -> None:
    made = parse(
        "[[event]]\nat_s = 20\nset = { ambient_c = 2 }\n"
        '[[event]]\nat_s = 10\nfault = "heater_open"\n'
        "[[event]]\nat_s = 30\ncell = 7\nvalues = { offset_mv = 40 }\n"
    )
    bench = Bench(config, made.plant, now_ms=5000, happenings=made.happenings)
    bench.advance(14_999)
    assert bench.plant.faults() == []
    bench.advance(15_000)
    assert bench.plant.faults() == ["heater_open"]
    assert bench.plant.heat.ambient_c == 20
    bench.advance(100_000)
    assert bench.plant.heat.ambient_c == 2
    assert bench.plant.sensors.offset_mv[6] == 40


def test_the_simulated_daemon_stands_on_the_scenario_the_configuration_names(config) -> None:
    assert scenario.plant_settings(config).initial_soc == pytest.approx(0.55)
    cold = scenario.plant_settings(replace(config, scenario="cold-morning"))
    assert (cold.initial_soc, cold.ambient_c) == (pytest.approx(0.4), 6)


def test_an_unknown_scenario_of_a_configuration_is_refused_with_those_there_are(config) -> None:
    with pytest.raises(ConfigError) as error:
        scenario.plant_settings(replace(config, scenario="xyz"))
    text = str(error.value)
    assert "bench.scenario" in text
    assert all(name in text for name in scenario.names())


def test_a_configuration_may_name_a_file_beside_it(config, tmp_path) -> None:
    (tmp_path / "own.toml").write_text("[pack]\nsoc_percent = 11\n")
    own = replace(config, path=tmp_path / "bmsd.toml", scenario="own.toml")
    assert scenario.plant_settings(own).initial_soc == pytest.approx(0.11)
    with pytest.raises(ConfigError, match="no such scenario file"):
        scenario.plant_settings(replace(own, scenario="other.toml"))
