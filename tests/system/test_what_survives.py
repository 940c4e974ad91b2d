"""What a power cut must not take away (S13), and what a broken file or disk must not do (S9)."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest

from bmsd.ipc.snapshot import read_snapshot
from tests.support.effort import slow_but

pytestmark = pytest.mark.system

FAULT = "configuration_fault"


def latch_and_change(core, tools) -> None:
    """Leave a trace in everything that has to survive."""
    core.sim(soc_percent=70)
    core.ask(do="set", values={"cell_ovp_mv": 3555})
    core.ask(do="switch", name="balance", on=False)
    core.fault("charge_stuck_open", True)
    tools.eventually(lambda: "charge_contactor_open" in core.alarms())
    tools.eventually(lambda: "charge_contactor_open" in (core.state / "state.json").read_text())


def test_kill_takes_away_neither_charge_nor_consent_nor_alarm_nor_parameter(core, tools) -> None:
    """S13, S8: the charge counter, consents, operator-latched alarms and changed parameters survive."""
    core.start()
    latch_and_change(core, tools)
    stored = json.loads((core.state / "state.json").read_text())["body"]
    core.kill(signal.SIGKILL)
    core.start(cautious=True)
    alarm = next(a for a in core.document()["alarms"] if a["name"] == "charge_contactor_open")
    assert alarm["latched"]
    assert core.points()["runtime_ms"] >= stored["runtime_ms"]
    assert core.points()["soc_permille"] is not None
    values = json.loads((core.runtime / "parameters.json").read_text())
    assert values["values"]["cell_ovp_mv"] == 3555
    assert values["configured"]["cell_ovp_mv"] == 3600
    again = json.loads((core.state / "state.json").read_text())["body"]
    assert again["consent"] == {"charge": True, "discharge": True, "balance": False}
    assert again["changed"] == stored["changed"] == {"cell_ovp_mv": 3555}
    assert again["soc"]["charge_mams"] == pytest.approx(stored["soc"]["charge_mams"], rel=0.001)


@pytest.mark.slow
def test_after_a_factory_reset_a_restart_closes_nothing_that_nobody_asked_for(core, tools) -> None:
    """S13, S14: it allows every switch again, so each direction waits for a word, whatever restarts between."""
    core.start()
    for name in ("charge", "discharge"):
        core.ask(do="switch", name=name, on=False)
    tools.eventually(core.is_open)
    core.ask(do="factory-reset")
    tools.eventually(lambda: json.loads((core.state / "state.json").read_text())["body"]["asked_for"] == [])
    core.kill(signal.SIGKILL)
    core.start(closes=False)
    tools.eventually(
        lambda: "starting" not in [reason["because"] for reason in core.document()["why"]["charge"]]
    )
    core.cycles(20)
    assert core.is_open()
    assert "not asked for" in [reason["because"] for reason in core.document()["why"]["charge"]]
    core.ask(do="switch", name="charge", on=True)
    tools.eventually(lambda: core.points()["charge_actual"])


BROKEN = [b"", b"{", b'{"schema": 1}', b"\xff\xfe\x00", "half", "flipped", "list"]


@pytest.mark.fault_class(16, "alone")
@pytest.mark.parametrize("broken", slow_but(["half"], BROKEN))
def test_a_broken_state_file_blocks_until_somebody_has_looked(core, tools, broken) -> None:
    """S13, S2: what cannot be read is not guessed; charge and discharge wait for an operator."""
    core.state.mkdir()
    whole = {"soc": None, "consent": {}, "latched": {}, "changed": {}, "runtime_ms": 5}
    text = json.dumps({"schema": 1, "sum": 1, "body": whole}).encode()
    content = {"half": text[: len(text) // 2], "flipped": text, "list": b"[]"}.get(str(broken), broken)
    (core.state / "state.json").write_bytes(content)
    core.start(cautious=True)
    assert FAULT in core.alarms()
    assert core.is_open()
    assert not core.points()["charge_allowed"]
    assert not core.points()["discharge_allowed"]
    assert "state.json" in core.stderr()
    assert core.ctl("reset", FAULT).returncode == 0
    tools.eventually(lambda: FAULT not in core.alarms())


@pytest.mark.fault_class(17, "second")
def test_stored_parameters_that_do_not_fit_block_and_are_not_used(core, tools) -> None:
    """S8, S13: a set that the rules refuse today is refused as a whole, also when it was stored."""
    core.start()
    core.ask(do="set", values={"cell_ovp_mv": 3555})
    tools.eventually(lambda: "3555" in (core.state / "state.json").read_text())
    core.kill(signal.SIGTERM)
    core.section = "cell_ovpr_v = 3.58\n"
    core.start(cautious=True)
    assert FAULT in core.alarms()
    values = json.loads((core.runtime / "parameters.json").read_text())["values"]
    assert (values["cell_ovp_mv"], values["cell_ovpr_mv"]) == (3600, 3580)


def test_closings_of_before_a_kill_still_count(core, tools) -> None:
    """S12: within one boot a core that is killed again and again goes on with its hour."""
    core.start()
    assert core.points()["charge_closings"] == 1
    tools.eventually(lambda: "starts_ms" in (core.state / "state.json").read_text())
    core.kill(signal.SIGKILL)
    core.start()
    assert core.points()["charge_closings"] == 2
    kept = tools.eventually(lambda: json.loads((core.state / "state.json").read_text())["body"])
    tools.eventually(lambda: len(_starts(core)) == 2)
    assert kept["boot"]


def _starts(core) -> list[int]:
    body = json.loads((core.state / "state.json").read_text())["body"]
    starts: list[int] = body["worn"]["charge"]["starts_ms"]
    return starts


def test_a_missing_state_file_is_a_first_start(core) -> None:
    """S13: nothing lost, nothing blocked."""
    core.start()
    assert not core.alarms()


def test_a_state_directory_that_is_gone_stops_nothing(core, tools) -> None:
    """S9: a disk that takes nothing delays nothing; when it is back, it is written again."""
    core.start()
    shutil.rmtree(core.state)
    core.ask(do="switch", name="charge", on=False)
    tools.eventually(lambda: not core.points()["charge_actual"])
    core.cycles(10)
    core.state.mkdir()
    core.ask(do="switch", name="charge", on=True)
    tools.eventually(core.is_well)
    tools.eventually(lambda: json.loads((core.state / "state.json").read_text()))


@pytest.mark.fault_class(15, "alone")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system that is full")
def test_a_full_disk_stops_nothing(core, tools) -> None:
    """S9: full from the start."""
    core.state.mkdir()
    if os.system(f"mount -t tmpfs -o size=4k tmpfs '{core.state}' 2>/dev/null"):
        pytest.skip("this root may not mount")
    try:
        (core.state / "ballast").write_bytes(b"x" * 4096)
        core.start()
        core.ask(do="switch", name="charge", on=False)
        tools.eventually(lambda: not core.points()["charge_actual"])
        core.cycles(10)
        assert core.points()["disk_bytes"] == 0
        assert core.kill(signal.SIGTERM) == 0
        assert core.is_off()
    finally:
        core.end()
        os.system(f"umount '{core.state}'")


def test_a_runtime_directory_that_is_gone_stops_no_control(core, tools) -> None:
    """S9: nobody can see or ask the core any more, and it goes on; its end is still an end with all off."""
    core.start()
    aside = core.folder / "aside"
    core.runtime.rename(aside)
    before = read_snapshot(aside).points["sequence"]
    tools.eventually(lambda: not (core.runtime / "snapshot").exists())
    alive = core.process.poll()
    assert alive is None
    core.runtime.mkdir()
    tools.eventually(lambda: core.points()["sequence"] > before + 3)
    assert core.process.poll() is None
    assert core.is_closed()
    core.kill(signal.SIGTERM)
    assert "Traceback" not in core.stderr()
