"""`bmsim run` as a user meets it: what it writes, prints and returns."""

from __future__ import annotations

import sys

import pytest

from bmsd.config.load import load
from bmsd.ipc import status
from bmsd.sim.commands import BENCH_CONFIG
from bmsd.sim.main import main
from bmsd.tables.points import POINTS

SHORT = """
[scenario]
title = "Short"
duration_s = 60
sample_s = 5
[pack]
soc_percent = 60
charger_a = 30
noise_mv = 2
[[event]]
at_s = 20
fault = "ntc1_open"
"""


@pytest.fixture
def short(tmp_path):
    """Write a scenario; give its path. More text is added to it."""

    def write(more: str = ""):
        path = tmp_path / "short.toml"
        path.write_text(SHORT + more)
        return str(path)

    return write


def test_the_same_run_gives_the_same_bits(short, tmp_path, capsys) -> None:
    """Noise, faults and chip included."""
    results = []
    for name in ("one.csv", "two.csv"):
        assert main(["run", short(), "--csv", str(tmp_path / name)]) == 0
        told = [line for line in capsys.readouterr().out.splitlines() if "real time" not in line]
        results.append(((tmp_path / name).read_bytes(), told))
    assert results[0] == results[1]


def test_the_csv_has_the_columns_of_the_status_document(short, tmp_path) -> None:
    out = tmp_path / "a.csv"
    assert main(["run", short(), "--csv", str(out), "--quiet"]) == 0
    header, *rows = [line.split(",") for line in out.read_text().splitlines()]
    config = load(BENCH_CONFIG)
    assert header == ["t_s", *status.columns(config.cells, config.battery_sensors)]
    plain = {path.split(".")[0] for path in (point.path for point in POINTS)}
    assert {name.split(".")[0] for name in header[1:]} == plain
    for name in ("pack.soc_percent", "cells.voltage_v.16", "switches.charge", "heater.current_a",
                 "limits.charge_current_a", "temperatures.battery_c.2", "permissions.charge"):  # fmt: skip
        assert header.count(name) == 1, name
    assert [float(row[0]) for row in rows] == [float(t) for t in range(0, 61, 5)]
    assert {len(row) for row in rows} == {len(header)}


def test_unknown_is_empty_and_switches_are_numbers(short, tmp_path) -> None:
    out = tmp_path / "a.csv"
    main(["run", short(), "--csv", str(out), "--quiet"])
    header, *rows = [line.split(",") for line in out.read_text().splitlines()]
    charge, sensor = header.index("switches.charge"), header.index("temperatures.battery_c.1")
    assert {row[charge] for row in rows} == {"0", "1"}
    assert rows[0][sensor] == ""
    assert rows[3][sensor] == "20.0"
    assert rows[-1][sensor] == ""
    assert {row[header.index("cycle.last_ms")] for row in rows} == {""}


def test_events_are_told_with_their_time(short, capsys) -> None:
    assert main(["run", short()]) == 0
    told = capsys.readouterr().out
    assert "0:00:20.000  [bench] fault ntc1_open on" in told
    assert "0:00:21.000  Charge contactor opened" in told
    assert "Battery temperature unknown: sensor 1" in told
    assert "temperature_lost" in told.split("trips:")[1].splitlines()[0]


def test_quiet_tells_only_the_end(short, capsys) -> None:
    assert main(["run", short(), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert "contactor" not in told
    assert "simulated 1 min 0 s" in told


def test_a_failed_expectation_is_exit_1_and_says_what_was_seen(short, capsys) -> None:
    more = """
[[expect]]
at_s = 50
key = "switches.charge"
is = 1
[[expect]]
key = "pack.current_a"
max = 50
"""
    assert main(["run", short(more), "--quiet"]) == 1
    told = capsys.readouterr()
    assert "checks: 1 of 2 as expected" in told.out
    assert "expect 1: switches.charge is 1: seen 0 at 50 s" in told.err
    assert "short.toml, line 16" in told.err


def test_a_refused_scenario_is_exit_78_with_every_problem(short, capsys) -> None:
    assert (
        main(["run", short('[[event]]\nat_s = 1\nfautl = "x"\n[[expect]]\nkey = "pack.volts"\nmax = 1\n')])
        == 78
    )
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "line 13" in told[0]
    assert "line 17" in told[1]


def test_an_unknown_scenario_names_those_there_are(capsys) -> None:
    assert main(["run", "cold-mourning"]) == 78
    assert "did you mean cold-morning?" in capsys.readouterr().err


def test_a_refused_configuration_is_exit_78(short, tmp_path, capsys) -> None:
    config = tmp_path / "bad.toml"
    config.write_text("[pack]\ncells = 99\n")
    assert main(["run", short(), "--config", str(config)]) == 78
    assert "pack.cells" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["run"], ["fly"], ["run", "demo", "--period-ms", "7"]])
def test_wrong_usage_is_exit_2(arguments) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2


def test_another_period_is_used(short, tmp_path) -> None:
    out = tmp_path / "a.csv"
    assert main(["run", short(), "--csv", str(out), "--quiet", "--period-ms", "100"]) == 0
    header, *rows = [line.split(",") for line in out.read_text().splitlines()]
    assert rows[-1][header.index("cycle.period_ms")] == "100"
    assert int(rows[-1][header.index("sequence")]) > 590


def test_without_matplotlib_the_plot_says_what_to_do(short, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["run", short(), "--plot", str(tmp_path / "a.png")]) == 1
    told = capsys.readouterr()
    assert "pip install matplotlib" in told.err
    assert "simulated" not in told.out


def test_the_plot_is_a_picture_and_the_same_twice(short, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    pictures = []
    for name in ("one.png", "two.png"):
        assert main(["run", short(), "--plot", str(tmp_path / name), "--quiet"]) == 0
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0].startswith(b"\x89PNG")
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    "faults", [(), ("afe_nack", "load_short", "switch_hot", "ntc3_open", "charge_weld")], ids=["no", "many"]
)
def test_a_plot_with_alarms_is_drawn(faults, short, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    more = "".join(f'[[event]]\nat_s = {30 + n}\nfault = "{name}"\n' for n, name in enumerate(faults))
    assert main(["run", short(more), "--plot", str(tmp_path / "a.png"), "--quiet"]) == 0


def test_list_names_scenarios_quantities_and_faults(capsys) -> None:
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    for word in ("cold-morning", "A cold morning", "ambient_c", "offset_mv", "heater_open", "afe_reset"):
        assert word in told
