"""Home Assistant itself takes the file that is generated for it, and reads every value, unknown as unavailable.

It is hundreds of packages, so nothing installs it: BMSD_HOME_ASSISTANT names the Python of an environment that has
`homeassistant` and the `pymodbus` that its Modbus integration names. Installed with `-c` and the file
package_constraints.txt out of the package of homeassistant, pip finds its way in a few minutes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bmsd.docgen import clients
from tests.foreign.served import CELLS, ran, served
from tests.support.patience import allowed

PYTHON = os.environ.get("BMSD_HOME_ASSISTANT", "")
CLIENT = Path(__file__).with_name("home_assistant_client.py")
KNOWN = {
    "core_state": 0, "simulated": 1, "state": 4, "pack_v": 53.2, "current_a": -12.3, "power_w": -654,
    "soc_percent": 60.5, "soh_percent": 99, "capacity_ah": 280, "remaining_ah": 169.38, "charge_limit_v": 55.2,
    "charge_limit_a": 50, "discharge_limit_a": 80, "discharge_limit_v": 46.4, "battery_c_1": 23.5,
    "battery_c_2": -7.5, "switch_c": 30, **{f"cell_v_{n}": mv / 1000 for n, mv in enumerate(CELLS, 1)},
}  # fmt: skip
UNKNOWN = ("balance_a", "cycles", "heater_a", "charge_phase")
pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON, reason="BMSD_HOME_ASSISTANT names no Python of an environment with Home Assistant"
    ),
]


def test_home_assistant_reads_every_value(tmp_path) -> None:
    """S2."""
    file = tmp_path / "home-assistant.yaml"
    with served(tmp_path, "tcp") as (_, port):
        file.write_text(
            clients.home_assistant().replace("192.0.2.7", "127.0.0.1").replace("port: 1502", f"port: {port}")
        )
        output = ran([PYTHON, str(CLIENT), str(file), f"{allowed(20):.1f}"])
    found = json.loads(output.splitlines()[-1])
    assert len(found) == len(clients.shown())
    assert {name: float(found[name]) for name in KNOWN} == KNOWN
    assert {name: found[name] for name in UNKNOWN} == dict.fromkeys(UNKNOWN, "unavailable")
