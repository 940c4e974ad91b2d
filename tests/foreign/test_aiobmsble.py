"""aiobmsble, the decoder of JK boards behind Home Assistant's BMS_BLE, reads the frames that bmsd says on its line.

It needs Python 3.12, bmsd's tests run with 3.11: so it runs beside them, with the Python that BMSD_AIOBMSBLE_PYTHON
names, out of the folder that BMSD_AIOBMSBLE names (tests/foreign/install).
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest
import serial

from bmsd.links.modbus_rtu import with_crc
from tests.foreign.served import CELLS, ran, served
from tests.support.patience import allowed

FOLDER = os.environ.get("BMSD_AIOBMSBLE", "")
PYTHON = os.environ.get("BMSD_AIOBMSBLE_PYTHON", "python3")
CLIENT = Path(__file__).with_name("aiobmsble_client.py")
ABOUT, LIVE = 0x161C, 0x1620
FRAME_BYTES, ALL_BYTES = 300, 308
pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(
        not FOLDER, reason="BMSD_AIOBMSBLE names no folder; it takes Python 3.12: tests/foreign/install"
    ),
]


def frames(port: str) -> list[str]:
    """Ask for both frames as a master on RS485 does; give them in hex."""
    found = []
    with serial.Serial(port, 115200, timeout=allowed(5)) as line:
        for register in (ABOUT, LIVE):
            line.write(with_crc(struct.pack(">BBHHBH", 2, 16, register, 1, 2, 0)))
            said = line.read(ALL_BYTES)
            assert len(said) == ALL_BYTES
            found.append(said[:FRAME_BYTES].hex())
    return found


@pytest.mark.parametrize("current_ma", [-12_300, 12_300])
def test_aiobmsble_reads_the_frames(tmp_path, current_ma) -> None:
    heats = {"heater_commanded": True, "heater_actual": True, "heater_ma": 2216, "cycles_milli": 70_499}
    with served(tmp_path, "rtu", current_ma=current_ma, **heats) as (_, port):
        told = frames(port)
    found = json.loads(ran([PYTHON, str(CLIENT), *told], {**os.environ, "PYTHONPATH": FOLDER}))
    about, live = found["about"], found["live"]
    assert (about["model"], about["hw_version"], about["sw_version"]) == ("bmsd-16S", "15A", "15.41")
    assert (live["voltage"], live["current"], live["battery_level"]) == (53.2, current_ma / 1000, 61)
    assert (live["cycle_charge"], live["design_capacity"], live["battery_health"]) == (169.38, 280, 100)
    assert (live["problem_code"], live["cell_count"], live["delta_voltage"]) == (0, 16, 0.015)
    assert (live["chrg_mosfet"], live["dischrg_mosfet"], live["heater"]) == (True, True, True)
    assert (live["heater_current"], live["cycles"]) == (2.216, 70)
    assert live["cell_voltages"] == [mv / 1000 for mv in CELLS]
    assert live["temp_values"] == [30, 23.5, -7.5]
