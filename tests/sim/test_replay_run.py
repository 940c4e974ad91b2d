"""`bmsim replay`: recordings through chip and core, row by row, never looking ahead."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from bmsd.sim.main import main
from tests.support.effort import slow_but

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
WARM = RECORDINGS / "lfp_a123_dyn_p25C.csv"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def cut(source: Path, target: Path, rows: int) -> Path:
    """Copy the first rows of a recording."""
    with source.open() as file:
        target.write_text("".join(line for _, line in zip(range(rows + 1), file, strict=False)))
    return target


@pytest.fixture
def replay(tmp_path, capsys):
    """Replay a file; give the rows written and what was printed."""

    def run(path: Path, *options: str) -> tuple[list[dict[str, str]], str]:
        out = tmp_path / "out.csv"
        code = main(["replay", str(path), "--csv", str(out), *options])
        told = capsys.readouterr()
        assert code == 0, told.err
        return rows_of(out), told.out

    return run


@pytest.fixture
def recorded(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "in.csv"
        path.write_text(text)
        return path

    return write


def steady(volts: str, current_a: float, seconds: int, step: int = 1) -> str:
    lines = [f"{t},{current_a},{volts}" for t in range(0, seconds + 1, step)]
    names = ",".join(f"v{n}" for n in range(1, volts.count(",") + 2)) if "," in volts else "voltage_v"
    return "\n".join([f"t_s,current_a,{names}", *lines])


@pytest.mark.parametrize(
    ("name", "capacity_ah", "rms", "most"),
    slow_but([], [("p25C", 2.053, 0.15, 0.3), ("p05C", 2.051, 0.15, 0.3), ("m15C", 2.062, 0.15, 0.3)]),
)
def test_real_cells_are_counted_closely(replay, name, capacity_ah, rms, most) -> None:
    """The cycler counts too, so that this is rounding and timing of chip and core: below 0.15 % RMS."""
    source = RECORDINGS / f"lfp_a123_dyn_{name}.csv"
    rows, _ = replay(source, "--capacity-ah", str(capacity_ah), "--initial-soc", "100", "--quiet")
    reference = rows_of(source)
    assert [float(row["t_s"]) for row in rows] == [float(row["t_s"]) for row in reference]
    errors = [
        float(row["pack.soc_percent"]) - 100 * float(true["soc_ref"])
        for row, true in zip(rows, reference, strict=True)
        if float(row["t_s"]) >= 3600
    ]
    assert math.sqrt(sum(error**2 for error in errors) / len(errors)) < rms
    assert max(map(abs, errors)) < most


def test_what_comes_later_changes_nothing_before(replay, tmp_path) -> None:
    part = cut(WARM, tmp_path / "part.csv", 400)
    longer = cut(WARM, tmp_path / "longer.csv", 900)
    options = ("--capacity-ah", "2.053", "--initial-soc", "100", "--quiet")
    first, _ = replay(part, *options)
    second, _ = replay(longer, *options)
    assert len(first) == 400
    assert second[:400] == first


def test_a_row_is_decided_on_its_own_values(replay, recorded) -> None:
    """No look-ahead and no lag: the values of a row are measured and judged at its time."""
    rows, _ = replay(
        recorded("t_s,current_a,voltage_v\n0,0,3.30\n2,5,3.35\n4,-7,3.25\n"), "--capacity-ah", "10"
    )
    assert [row["pack.current_a"] for row in rows] == ["0.0", "5.0", "-7.0"]
    assert [row["cells.min_v"] for row in rows] == ["3.3", "3.35", "3.25"]


def test_the_first_row_is_already_known(replay, recorded) -> None:
    rows, _ = replay(recorded(steady("3.3", 2.0, 3)), "--capacity-ah", "10", "--initial-soc", "50")
    assert rows[0]["pack.current_a"] == "2.0"
    assert rows[0]["state"] == "charging"
    assert rows[0]["pack.soc_percent"] == "50.0"


def test_switching_is_said_to_be_open_loop(replay, recorded) -> None:
    _, told = replay(recorded(steady("3.3", 0, 3)), "--capacity-ah", "10")
    assert "Switching is open-loop" in told


def test_decisions_are_made_but_move_nothing(replay, recorded) -> None:
    """A recorded cell that goes on charging above over-voltage is cut off, and goes on charging."""
    rows, told = replay(recorded(steady("3.65", 5.0, 30)), "--capacity-ah", "10", "--initial-soc", "90")
    assert "Cell over-voltage" in told
    assert rows[-1]["switches.charge"] == "0"
    assert rows[-1]["pack.current_a"] == "5.0"
    assert rows[-1]["limits.charge_current_a"] == "0.0"


def test_one_cell_stands_for_each_and_a_pack_is_shared(replay, recorded) -> None:
    one, _ = replay(recorded(steady("3.3", 0, 3)), "--capacity-ah", "10")
    pack, _ = replay(recorded(steady("52.8", 0, 3)), "--capacity-ah", "10")
    assert one[-1]["pack.voltage_v"] == pack[-1]["pack.voltage_v"] == "52.8"
    assert one[-1]["cells.voltage_v.16"] == pack[-1]["cells.voltage_v.16"] == "3.3"


def test_cells_of_their_own_make_a_pack_of_so_many(replay, recorded) -> None:
    rows, told = replay(recorded(steady("3.30,3.31,3.32,3.33", 0, 3)), "--capacity-ah", "10")
    assert "4 cells" in told
    assert rows[-1]["cells.voltage_v.4"] == "3.33"
    assert "cells.voltage_v.5" not in rows[-1]


@pytest.mark.parametrize("chemistry", ["lifepo4", "li-ion", "lto"])
@pytest.mark.parametrize("capacity_ah", ["0.5", "2.9", "100", "5000"])
def test_cells_of_any_size_fit_the_chip(replay, recorded, chemistry, capacity_ah) -> None:
    """The limits of 20 C are clipped to what can be programmed, with a shunt that goes with them."""
    volts = "2.3" if chemistry == "lto" else "3.5"
    current_a = float(capacity_ah) / 5
    rows, _ = replay(
        recorded(steady(volts, current_a, 20)), "--capacity-ah", capacity_ah, "--chemistry", chemistry
    )
    assert float(rows[-1]["pack.current_a"]) == pytest.approx(min(current_a, 1000), abs=0.11)
    assert rows[-1]["pack.capacity_ah"] == str(float(capacity_ah))


def test_charge_is_counted_over_the_time_rows_stand_for(replay, recorded) -> None:
    rows, _ = replay(
        recorded(steady("3.3", 3.6, 1000, step=10)), "--capacity-ah", "10", "--initial-soc", "50"
    )
    assert float(rows[-1]["pack.soc_percent"]) == pytest.approx(60.0, abs=0.15)


@pytest.mark.slow
def test_a_long_gap_is_skipped_not_counted(replay, recorded) -> None:
    text = steady("3.3", 3.6, 100) + "\n" + "\n".join(f"{7300 + t},3.6,3.3" for t in range(10))
    rows, told = replay(recorded(text), "--capacity-ah", "10", "--initial-soc", "50")
    assert "gaps skipped: 1, 7140 s" in told
    held_percent = 160 * 3.6 / 3600 / 10 * 100
    assert float(rows[-1]["pack.soc_percent"]) == pytest.approx(50 + held_percent, abs=0.3)
    rows, told = replay(recorded(text), "--capacity-ah", "10", "--initial-soc", "10", "--hold-s", "9000")
    assert "gaps skipped: 0" in told
    assert float(rows[-1]["pack.soc_percent"]) == pytest.approx(10 + 73.1, abs=0.5)


def test_rows_faster_than_the_chip_are_taken_as_they_come(replay, recorded) -> None:
    lines = ["t_s,current_a,voltage_v", *(f"{n / 50},1,3.3" for n in range(100))]
    rows, _ = replay(recorded("\n".join(lines)), "--capacity-ah", "10")
    assert len(rows) == 100
    assert int(rows[-1]["sequence"]) - int(rows[0]["sequence"]) == pytest.approx(19, abs=1)


def test_a_curve_gives_the_first_estimate_unless_it_is_told(replay, recorded, tmp_path) -> None:
    curve = tmp_path / "ocv.csv"
    curve.write_text("soc,v_mid\n0,3.0\n1,4.0\n")
    source = recorded(steady("3.30", 0, 3))
    rows, _ = replay(source, "--capacity-ah", "10", "--ocv", str(curve))
    assert rows[0]["pack.soc_percent"] == "30.0"
    rows, _ = replay(source, "--capacity-ah", "10", "--ocv", str(curve), "--initial-soc", "80")
    assert rows[0]["pack.soc_percent"] == "80.0"
    source = recorded(steady("52.8", 0, 3))
    rows, _ = replay(source, "--capacity-ah", "10", "--ocv", str(curve))
    assert rows[0]["pack.soc_percent"] == "30.0"


def test_without_either_the_core_makes_its_own(replay, recorded) -> None:
    rows, _ = replay(recorded(steady("3.30", 0, 3)), "--capacity-ah", "10")
    assert rows[0]["pack.soc_percent"] == "50.0"
    assert rows[0]["pack.soc_error_percent"] == "25.0"


def test_the_same_recording_gives_the_same_bits(replay, tmp_path) -> None:
    part = cut(WARM, tmp_path / "part.csv", 200)
    assert replay(part, "--capacity-ah", "2.053")[0] == replay(part, "--capacity-ah", "2.053")[0]


def test_an_error_against_a_reference_is_told(replay, recorded) -> None:
    lines = ["t_s,current_a,voltage_v,soc_ref", *(f"{t},0,3.3,0.48" for t in range(0, 4000, 10))]
    _, told = replay(recorded("\n".join(lines)), "--capacity-ah", "10", "--initial-soc", "50")
    assert "2.00 % rms, 2.00 % at most" in told


def test_a_replay_can_be_drawn(replay, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    part = cut(WARM, tmp_path / "part.csv", 100)
    replay(part, "--capacity-ah", "2.053", "--plot", str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--capacity-ah", "0"), 78, "0.1 to 5000 Ah"),
        (("--initial-soc", "130"), 1, "0 to 100 %"),
        (("--columns", "x"), 1, "NEW=OLD"),
        (("--hold-s", "0"), 1, "above 0"),
    ],
)
def test_wrong_options_are_refused(recorded, capsys, options, code, words) -> None:
    assert main(["replay", str(recorded(steady("3.3", 0, 3))), *options]) == code
    assert words in capsys.readouterr().err


def test_a_file_that_is_not_there_is_exit_1(tmp_path, capsys) -> None:
    assert main(["replay", str(tmp_path / "nothing.csv")]) == 1
    assert "nothing.csv" in capsys.readouterr().err


def test_an_own_configuration_keeps_its_limits_and_its_cells(recorded, tmp_path, capsys) -> None:
    from bmsd.sim.commands import BENCH_CONFIG

    own = tmp_path / "own.toml"
    own.write_text(BENCH_CONFIG.read_text())
    assert main(["replay", str(recorded(steady("3.3", 130, 40))), "--config", str(own)]) == 0
    assert "Charge over-current" in capsys.readouterr().out
    assert main(["replay", str(recorded(steady("3.3,3.3,3.3", 0, 3))), "--config", str(own)]) == 78
    assert "pack.cells is 16, but the recording has 3 cells" in capsys.readouterr().err
