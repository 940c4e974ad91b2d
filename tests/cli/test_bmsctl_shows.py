"""bmsctl status, cells, alarms and events: plain, as JSON, and when there is nothing good to show."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from bmsd.cli.main import COMMANDS, parser
from bmsd.ipc import shared_files
from bmsd.ipc.snapshot_page import SLOT, SnapshotPublisher

OVP = {"where": 7, "value": 3712, "limit": 3600}


def test_status_shows_the_pack_at_a_glance(runtime) -> None:
    code, out, err = runtime.run("status")
    assert (code, err) == (0, "")
    for part in ("charging (simulated bench)", "53.214 V   +40.00 A   +2129 W", "52.3 ± 2.0 %",
                 "146.4 of 280.0 Ah", "3.312 to 3.331 V, 0.019 V apart, lowest 11, highest 7",
                 "battery 21.3, 21.5 °C",
                 "charge, discharge ON; precharge, heater, balance, buzzer off", "charging yes; discharging yes",
                 "charge 90.0 A up to 55.2 V", "can running", "no alarms", "up 1 h 2 min"):  # fmt: skip
        assert " ".join(part.split()) in " ".join(out.split()), part


def test_status_shows_unknown_as_unknown(runtime) -> None:
    names = (
        "pack_mv",
        "current_ma",
        "power_mw",
        "soc_permille",
        "cell_min_mv",
        "switch_decic",
        "charge_allowed",
    )
    runtime.publish(
        **dict.fromkeys(names), cell_mv=[None] * 16, battery_decic=[None, 213], charge_commanded=None
    )
    code, out, _ = runtime.run("status")
    assert code == 0
    for part in ("? V   ? A   ? W", "????", "? to 3.331 V", "battery ?, 21.3 °C", "charge ?", "charging ?"):
        assert part in out, part


def test_everything_unknown_breaks_no_view(runtime) -> None:
    from bmsd.tables.points import POINTS

    runtime.publish(**dict.fromkeys(point.name for point in POINTS))
    for words in (["status"], ["cells"], ["alarms"], ["why"], ["status", "--json"], ["why", "--json"]):
        code, _, err = runtime.run(*words)
        assert (code, err) == (0, ""), words


def test_status_counts_the_closings_of_a_life(runtime) -> None:
    runtime.publish(charge_closings=12, discharge_closings=1234, precharge_closings=None, heater_closings=0)
    shown = " ".join(runtime.run("status")[1].split())
    assert "closings charge 12, discharge 1234, precharge ?, heater 0" in shown


def test_a_switch_that_does_not_follow_is_shown(runtime) -> None:
    runtime.publish(charge_commanded=False, charge_actual=True)
    assert "discharge ON; precharge, heater, balance, buzzer off; charge off but reads ON" in " ".join(
        runtime.run("status")[1].split()
    )


def test_status_names_reasons_and_alarms(runtime) -> None:
    runtime.publish(
        charge_allowed=False,
        alarms=[
            runtime.alarm("cell_spread", value=412, where=7, limit=300),
            runtime.alarm("cell_ovp", **OVP),
        ],
        why={"charge": [{"because": "alarm", "name": "cell_ovp", "until_ms": None}]},
    )
    _, out, _ = runtime.run("status")
    assert "charging no (cell_ovp)" in out
    assert out.index("PROTECTION Cell over-voltage") < out.index("WARNING"), "worst first"
    assert "0.412 V apart, cell 7 the highest" in " ".join(out.split())


def test_status_as_json_is_one_document(runtime) -> None:
    code, out, _ = runtime.run("status", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["pack"]["voltage_v"] == 53.214
    assert document["age_s"] < 1.5
    assert document["links"]["can"]["state"] == "running"


def test_cells_draws_every_cell(runtime) -> None:
    runtime.publish(cell_mv=[3326] * 6 + [None] + [3326] * 9, balancing=[True] + [False] * 15)
    code, out, _ = runtime.run("cells")
    assert code == 0
    assert len(re.findall(r"3\.326", out)) == 15
    assert re.search(r" 7     \?", out)
    assert re.search(r" 1 3\.326 b", out)


@pytest.mark.parametrize("cells", [3, 8, 9, 16, 24, 32])
def test_cells_of_any_pack_fit(runtime, cells) -> None:
    runtime.publish(cell_mv=[3000 + n for n in range(cells)], balancing=[False] * cells)
    _, out, _ = runtime.run("cells")
    assert all(f"{n:2d} {3 + (n - 1) / 1000:.3f}" in out for n in range(1, cells + 1))


def test_alarms_come_with_advice(runtime) -> None:
    runtime.publish(alarms=[runtime.alarm("cell_ovp", **OVP), runtime.alarm("newer_than_this_program")])
    code, out, _ = runtime.run("alarms")
    assert code == 0
    flat = " ".join(out.split())
    assert "cell 7 at 3.712 V, limit 3.600 V; charging blocked (cell_ovp, for 2 min 14 s)" in flat
    assert "lower the charge voltage" in flat
    assert "newer_than_this_program" in flat


def test_alarms_as_json(runtime) -> None:
    runtime.publish(alarms=[runtime.alarm("cell_ovp", **OVP)])
    (alarm,) = json.loads(runtime.run("alarms", "--json")[1])
    assert alarm["name"] == "cell_ovp"
    assert (alarm["cell"], alarm["value"], alarm["limit"], alarm["blocks"]) == (7, 3.712, 3.6, ["charge"])
    assert alarm["since_s"] == pytest.approx(134, abs=1)


@pytest.mark.parametrize(("link", "state", "look_at"), [
    ("can", "error", "'bmsctl can'"), ("can@shed", "stale", "'bmsctl can --bus shed'"),
    ("modbus@garage", "error", "'journalctl -u bmsd-link@modbus@garage' and 'bmsctl doctor'"),
])  # fmt: skip
def test_a_link_in_trouble_is_told_with_the_alarms_and_with_what_to_do(runtime, link, state, look_at) -> None:
    """Nothing of it reaches the core, so no alarm of the core can tell of it."""
    runtime.link(link, "running" if state == "stale" else state, "no bus", 60_000 if state == "stale" else 0)
    shown = runtime.run("alarms")[1]
    assert f"WARNING    link {link}: " in shown
    assert "no bus" in shown
    assert "no alarms" not in shown
    assert f"See {look_at}." in " ".join(shown.split())
    assert f"link {link}: " in runtime.run("status")[1]
    assert json.loads(runtime.run("alarms", "--json")[1]) == []


@pytest.mark.parametrize("state", ["running", "waiting", "stopped"])
def test_a_link_that_works_or_waits_is_no_trouble(runtime, state) -> None:
    runtime.link("can", state, "inverter not heard yet")
    assert runtime.run("alarms")[1] == "no alarms\n"


def test_no_alarms_says_so(runtime) -> None:
    assert runtime.run("alarms")[1] == "no alarms\n"
    assert json.loads(runtime.run("alarms", "--json")[1]) == []


def test_events_in_order_and_counted(runtime) -> None:
    runtime.events(
        {"kind": "daemon", "name": "bmsd", "state": "started"},
        {"kind": "alarm", "name": "cell_ovp", "state": "raised", **OVP},
        {"kind": "switch", "name": "charge", "state": "off"},
        {
            "kind": "parameter",
            "name": "cell_ovp_mv",
            "state": "set",
            "value": 3550,
            "limit": 3600,
            "who": "uid 0",
        },
    )
    code, out, _ = runtime.run("events", "-n", "3")
    assert code == 0
    assert "bmsd started" not in out
    assert out.index("Cell over-voltage: cell 7 at 3.712 V") < out.index("Charge contactor opened")
    parameter = json.loads(runtime.run("events", "--json")[1])[-1]
    assert (parameter["name"], parameter["value"], parameter["limit"]) == ("cell_ovp_v", 3.55, 3.6)


def test_old_events_are_shown_but_not_as_success(runtime) -> None:
    runtime.publish(age_ms=60_000)
    code, out, err = runtime.run("events")
    assert code == 69
    assert "bmsd started" in out
    assert re.search(r"6\d\.\d s old", err)


NEEDS_DAEMON = [
    ["status"], ["status", "--json"], ["cells"], ["alarms"], ["alarms", "--json"], ["why"], ["why", "charge"],
    ["why", "--json"], ["params"], ["params", "get", "cell_ovp_v"], ["params", "--json"], ["events", "--follow"],
]  # fmt: skip


@pytest.mark.parametrize("words", NEEDS_DAEMON, ids=" ".join)
def test_stale_is_69_and_nothing_old_is_shown(runtime, words) -> None:
    runtime.publish(age_ms=4200)
    runtime.events()
    code, out, err = runtime.run(*words)
    assert (code, out) == (69, "")
    assert re.search(r"the snapshot is 4\.[2-9] s old: bmsd has stopped or hangs", err)


@pytest.mark.parametrize("words", [*NEEDS_DAEMON, ["events"]], ids=" ".join)
def test_no_snapshot_is_69(runtime, words) -> None:
    for file in runtime.path.iterdir():
        file.unlink()
    code, out, err = runtime.run(*words)
    assert (code, out) == (69, "")
    assert "does not exist: bmsd is not running" in err


@pytest.mark.parametrize("length", [0, 1, 40, 500, -1])
def test_a_half_written_snapshot_is_69(runtime, length) -> None:
    """Both slots: while one of them is whole, it is shown."""
    path = runtime.path / shared_files.SNAPSHOT
    path.write_bytes(bytes(SLOT) + path.read_bytes()[SLOT:][:length])
    code, out, err = runtime.run("status")
    assert (code, out) == (69, "")
    assert "half written, or no snapshot of this version" in err


def test_a_snapshot_of_another_boot_is_69(runtime) -> None:
    SnapshotPublisher(runtime.path / shared_files.SNAPSHOT, "another").publish(
        {}, {}, shared_files.monotonic_ms()
    )
    code, _, err = runtime.run("status")
    assert code == 69
    assert "before the last boot" in err


@pytest.mark.parametrize(
    "words", [[], ["unknown"], ["why", "weather"], ["events", "-n", "0"], ["events", "-n", "x"], ["watch"]]
)
def test_wrong_usage_is_2(runtime, words) -> None:
    assert runtime.run(*words)[0] == 2


def test_the_directory_may_stand_before_or_after_or_in_the_environment(runtime, monkeypatch, capsys) -> None:
    from bmsd.cli.main import main

    assert main(["--runtime-dir", str(runtime.path), "alarms"]) == 0
    assert main(["alarms", "--runtime-dir", str(runtime.path)]) == 0
    assert main(["--runtime-dir", str(runtime.path), "params", "get", "cell_ovp_v"]) == 0
    assert main(["params", "get", "cell_ovp_v", "--runtime-dir", str(runtime.path)]) == 0
    monkeypatch.setenv("BMSD_RUNTIME_DIR", str(runtime.path))
    assert main(["alarms"]) == 0
    assert main(["--runtime-dir", "/nowhere", "alarms"]) == 69


def test_every_command_has_help_within_80_columns(monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in COMMANDS:
        with pytest.raises(SystemExit) as end:
            parser().parse_args([command.name, "--help"])
        assert end.value.code == 0
        assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_a_reader_that_leaves_early_is_no_error(runtime, alive) -> None:
    bmsctl = f"{sys.executable} -m bmsd.cli.main params --runtime-dir {runtime.path}"
    command = f"{bmsctl} | head -1; echo ${{PIPESTATUS[0]}}"
    for _ in range(3):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert done.stderr == ""
        assert done.stdout.splitlines()[1] == "0"


@pytest.mark.parametrize("words", [["status"], ["cells"], ["params"], ["why"]], ids=" ".join)
def test_a_terminal_without_symbols_gets_letters(runtime, alive, words) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bmsd.cli.main", *words, "--runtime-dir", str(runtime.path)],
        capture_output=True, env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert b"?" not in done.stdout.replace(b"? %", b"")


def test_an_override_is_the_first_thing_seen(runtime) -> None:
    """S10: announced by status, by the list of alarms, and by what an alarm that is lifted says."""
    lifted = runtime.alarm("cell_uvp", lifted=["discharge"])
    runtime.publish(
        alarms=[lifted, runtime.alarm("emergency_override")],
        emergency_active=True,
        emergency_remaining_ms=605_000,
    )
    out = runtime.run("status")[1]
    assert out.index("EMERGENCY OVERRIDE ON, 10 min 5 s left") < out.index("pack ")
    assert out.count("override   ") == 1
    alarms = " ".join(runtime.run("alarms")[1].split())
    assert "Cell under-voltage; the emergency override allows discharging" in alarms
    assert "Emergency override in force" in alarms


def test_cells_for_programs_are_those_of_the_status(runtime) -> None:
    code, out, _ = runtime.run("cells", "--json")
    assert code == 0
    assert json.loads(out) == json.loads(runtime.run("status", "--json")[1])["cells"]
