"""An upgrade puts new files under a core that runs on: it must need none of them, but for safe-off (S5)."""

from __future__ import annotations

import json

import pytest

from bmsd.errors import PeerError

pytestmark = pytest.mark.system

TELLS_WHAT_IT_LOADS_LATE = """
import json, sys
from pathlib import Path
from bmsd.daemon import main as daemon
from bmsd.hardware.service import Service

ready, loaded = Service.ready, set()


def note(self, text):
    loaded.update(sys.modules)
    ready(self, text)


Service.ready = note
code = daemon.main()
late = sorted(set(sys.modules) - loaded)
Path(sys.argv[sys.argv.index("--state-dir") + 1], "late.json").write_text(json.dumps(late))
sys.exit(code)
"""


def test_a_core_that_is_ready_loads_nothing_more(core, tools) -> None:
    """Every kind of request, an alarm, a heater and an ordered end: a module loaded then could be a new one."""
    core.program = ("-c", TELLS_WHAT_IT_LOADS_LATE)
    core.start()
    core.sim(charger_a=40, ambient_c=-12, pack_c=-8)
    tools.eventually(lambda: core.points()["heater_actual"])
    core.fault("ntc1_open", True)
    tools.eventually(lambda: "temperature_lost" in core.alarms())
    for good in (
        {"do": "switch", "name": "charge", "on": False},
        {"do": "reset", "alarm": "cell_ovp"},
        {"do": "set", "values": {"cell_ovp_mv": 3550}},
        {"do": "preset", "name": "default"},
        {"do": "unset"},
    ):
        assert core.ask(**good).get("ok"), good
    for refused in ({"do": "set", "values": {"cell_ovp_mv": 9000}}, {"do": "reset", "alarm": "nothing"}):
        with pytest.raises(PeerError):
            core.ask(**refused)
    assert core.kill(15) == 0
    assert json.loads((core.state / "late.json").read_text()) == []
