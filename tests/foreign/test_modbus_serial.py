"""modbus-serial, the library that most masters on Node.js are built on (Node-RED, ioBroker), reads and writes bmsd.

It is no package of Python: BMSD_MODBUS_SERIAL names the folder with its node_modules (tests/foreign/install).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.foreign.served import ROUNDS, assert_told, ran
from tests.support.patience import allowed

FOLDER = os.environ.get("BMSD_MODBUS_SERIAL", "")
CLIENT = Path(__file__).with_name("modbus_serial_client.js")
pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="BMSD_MODBUS_SERIAL names no folder: tests/foreign/install"),
    pytest.mark.skipif(not shutil.which("node"), reason="node is missing: modbus-serial was not tried"),
]


def test_modbus_serial_reads_and_writes(place) -> None:
    command = ["node", str(CLIENT), *place, str(ROUNDS), f"{allowed(2):.2f}"]
    assert_told(ran(command, {**os.environ, "NODE_PATH": f"{FOLDER}/node_modules"}))
