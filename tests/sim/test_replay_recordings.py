"""Every recording outside the repository, where there is one: it runs, and the count stays close.

They do not ship, for size or licence; a folder `shared` beside the repository, or BMSD_SHARED, holds them.
What is measured here is counting from a right start with anchors: the least any estimator has to reach.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from bmsd.config.load import load
from bmsd.sim import replay
from bmsd.sim.commands import BENCH_CONFIG
from bmsd.sim.recording import Recording


class Case(NamedTuple):
    name: str
    chemistry: str
    capacity_ah: float
    initial_percent: float
    rms: float
    most: float


# The A123 cycler had an offset of its own that the reference takes off: 1 % and more over a day.
# The largest errors are anchors: empty by voltage where the reference still sees a few percent.
CASES = (
    Case("lfp_a123_dyn_p25C", "lifepo4", 2.053, 100.0, 1.2, 2.5),
    Case("lfp_a123_dyn_p05C", "lifepo4", 2.051, 100.0, 0.6, 3.5),
    Case("lfp_a123_dyn_m15C", "lifepo4", 2.062, 100.0, 0.6, 3.0),
    Case("lfp_tue_dyn_a", "lifepo4", 3.686, 98.5, 0.3, 3.0),
    Case("nmc_tue_2p87ah_dyn_0to40C_a", "li-ion", 2.873, 99.72, 0.15, 0.5),
    Case("nmc_tue_1ah_drive", "li-ion", 0.956, 95.2, 0.7, 5.5),
    Case("nmc_lghg2_mixed1_p25C", "li-ion", 2.876, 100.0, 0.15, 0.5),
    Case("nmc_lghg2_mixed1_p00C", "li-ion", 2.876, 100.0, 0.15, 0.5),
    Case("nmc_lghg2_mixed3_m10C", "li-ion", 2.876, 100.0, 0.15, 0.5),
)
SHARED = Path(os.environ.get("BMSD_SHARED", Path(__file__).resolve().parents[3] / "shared"))
PACK = "pack_lfp_jk16s_undervoltage"


def recording(name: str) -> Path:
    """Find a recording, or skip loudly."""
    path = SHARED / "data" / "cells" / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"NOT RUN: {path} is not there; set BMSD_SHARED to the folder that holds it")
    return path


def run(path: Path, chemistry: str, capacity_ah: float, percent: float) -> replay.Replayed:
    base = load(BENCH_CONFIG)
    with Recording(path) as rows:
        pack = replay.pack_of(base, rows, chemistry, capacity_ah, own=False)
        start = replay.start_soc(pack, rows, percent, None)
        return replay.replay(pack, rows, start, lambda _at_ms, _what: None)


@pytest.mark.slow
@pytest.mark.needs_shared
@pytest.mark.timeout(600)  # a day of recording takes 15 s on an idle machine, and more beside other tests
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_recording_is_counted_closely(case) -> None:
    done = run(recording(case.name), case.chemistry, case.capacity_ah, case.initial_percent)
    assert done.error.count > 900
    assert done.error.rms < case.rms, done.error.text()
    assert done.error.largest < case.most, done.error.text()


@pytest.mark.needs_shared
def test_a_real_pack_with_cells_in_millivolts_runs() -> None:
    done = run(recording(PACK), "lifepo4", 100.0, 20.0)
    assert done.rows == 170
    assert done.summary.lowest.value == 2878
    assert done.summary.lowest.where == 8
