"""Restarts in a row: what must survive does, what must not grow does not (S12, S13).

Ten of them show what one restart loses or leaves; BMSD_RESTARTS=100 also what only many would wear out.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

RESTARTS = int(os.environ.get("BMSD_RESTARTS", "10"))
MOST_PER_HOUR = 30
LATCHED = "charge_contactor_open"


def body(core) -> dict:
    found: dict = json.loads((core.state / "state.json").read_text())["body"]
    return found


def names(folder: Path) -> set[str]:
    """Name what a core leaves in a directory; a file that is being replaced is none."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(".new")}


def resting(core) -> bool:
    """Tell whether a start has closed what it may, or is told why not, and that has been kept."""
    document = core.document()
    points, reasons = document["points"], document["why"]["discharge"]
    limited = any(reason["because"] == "operations per hour" for reason in reasons)
    kept = body(core)["worn"]["discharge"]["closings"]
    return (points["discharge_actual"] or limited) and points["discharge_closings"] == kept


@pytest.mark.fault_class(16, "second")
def test_many_restarts_forget_nothing_wear_nothing_out_and_leave_nothing(core, tools) -> None:
    """S13, S12, S5: by kill -9 and by SIGTERM in turn, with a latched fault."""
    core.start()
    core.fault("charge_stuck_open", True)
    tools.eventually(lambda: LATCHED in body(core)["latched"])
    charge = body(core)["soc"]["charge_mams"]
    core.kill(signal.SIGTERM)
    often, seldom = (f"contactor_operations_per_hour = {n}" for n in (600, MOST_PER_HOUR))
    slow = core.config.read_text().replace(often, seldom)
    files: tuple[set[str], set[str]] | None = None
    closed = []
    for turn in range(RESTARTS):
        core.config.write_text(slow)
        core.process = core.another()
        guard = core.guard
        core._guards.append(guard)
        tools.eventually(lambda: resting(core))
        assert LATCHED in core.alarms(), turn
        assert not core.points()["charge_actual"]
        closed.append(core.points()["discharge_closings"])
        ended = signal.SIGKILL if turn % 2 else signal.SIGTERM
        core.kill(ended)
        tools.eventually(core.is_off)
        tools.eventually(lambda guard=guard: not tools.lives(guard))
        now = names(core.state), names(core.runtime) - {"snapshot"}
        files = files or now
        assert now == files, turn
        if ended == signal.SIGKILL:
            (core.runtime / "snapshot").unlink()
    after = body(core)
    assert after["soc"]["charge_mams"] == pytest.approx(charge, rel=0.002)
    assert LATCHED in after["latched"]
    assert closed == sorted(closed)
    assert closed[-1] <= MOST_PER_HOUR + 1
    assert RESTARTS < 40 or closed[-1] >= MOST_PER_HOUR - 1, "hardly anything closed: the limit was not met"
    assert len(after["worn"]["discharge"]["starts_ms"]) <= MOST_PER_HOUR + 1
    assert (core.state / "state.json").stat().st_size < 16_384
    assert "Traceback" not in core.stderr()
