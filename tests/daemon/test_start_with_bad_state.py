"""A start with a state file that does not fit: the core runs, blocks, and says why (S13)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bmsd.core.soc import SocState
from bmsd.daemon.state_file import STATE_FILE, Stored, encode
from bmsd.errors import StaleError
from bmsd.ipc.snapshot import read_snapshot
from tests.support.patience import Patience
from tests.support.running import PATIENCE_S, last_words

ROOT = Path(__file__).resolve().parents[2]
STATES = {
    "out of range": Stored(changed={"cell_ovp_mv": 9000}),
    "without measure": Stored(changed={"cell_ovp_mv": 10**400}),
    "unknown to this version": Stored(changed={"cell_wobble_mv": 1}),
    "beyond the chip and this shunt": Stored(
        changed={"discharge_ocp2_ma": 700_000, "short_circuit_ma": 2_000_000}
    ),
    "torn": b'{"schema": 1',
}


@pytest.mark.system
@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_state_that_does_not_fit_blocks_until_an_operator_has_looked(tmp_path, state) -> None:
    """S8, S13: a core that never starts again protects nobody and explains nothing."""
    alarms = {alarm["name"] for alarm in started(tmp_path, state)["alarms"]}
    assert "configuration_fault" in alarms


@pytest.mark.system
def test_a_count_of_a_larger_pack_is_published_as_full_at_most(tmp_path) -> None:
    whole = 280_000 * 3_600_000
    points = started(tmp_path, Stored(soc=SocState(charge_mams=3 * whole, error_permille=10, full=True)))[
        "points"
    ]
    assert points["soc_permille"] <= 1000


@pytest.mark.system
@pytest.mark.parametrize(("word", "waits"), [("automatic", False), ("operator", True)])
def test_the_configuration_says_whether_a_start_waits_for_an_operator(tmp_path, word, waits) -> None:
    """S13: from the file to the first decision."""
    file = tmp_path / "bmsd.toml"
    text = (ROOT / "etc" / "bmsd.toml").read_text()
    file.write_text(text.replace('close_after_restart = "automatic"', f'close_after_restart = "{word}"'))
    against = started(tmp_path, Stored(), file)["why"]["charge"]
    assert ("not asked for" in {reason["because"] for reason in against}) is waits


def started(folder: Path, state: Stored | bytes, config: Path = ROOT / "etc" / "bmsd.toml") -> dict:
    """Start a simulated core on this state and give its first snapshot."""
    runtime, kept = folder / "run", folder / "state"
    kept.mkdir()
    (kept / STATE_FILE).write_bytes(state if isinstance(state, bytes) else encode(state))
    command = [sys.executable, "-m", "bmsd.daemon.main", "--simulate", "--config", str(config)]
    command += ["--runtime-dir", str(runtime), "--state-dir", str(kept)]
    core = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        patience = Patience(PATIENCE_S)
        while not patience.is_over() and core.poll() is None:
            try:
                return dict(read_snapshot(runtime).document)
            except StaleError:
                time.sleep(0.05)
    finally:
        core.terminate()
        _, told = last_words(core)
    raise AssertionError(f"no snapshot; exit {core.returncode}: {told[-800:]}")
