"""The drivers of Venus OS for JK boards read bmsd, unchanged: dbus-serialbattery, where it is at hand.

It is no package: BMSD_SERIALBATTERY names the folder of a checkout that holds its battery.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.configured import EXAMPLE
from tests.support.patience import allowed
from tests.support.running import PlayedCore, eventually, link
from tests.system.test_shared_line import POINTS

FOLDER = os.environ.get("BMSD_SERIALBATTERY", "")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not FOLDER, reason="BMSD_SERIALBATTERY names no checkout of dbus-serialbattery"),
]
SCRIPT = """
import json, sys
folder, kind, port = sys.argv[1:]
sys.path[:0] = [folder, folder + "/bms"]
if kind == "pb":
    from jkbms_pb import Jkbms_pb
    pack = Jkbms_pb(port, 115200, b"\\x02")
    good = pack.test_connection()
else:
    from jkbms import Jkbms
    pack = Jkbms(port, 115200, None)
    good = pack.test_connection() and pack.get_settings()
good = bool(good and pack.refresh_data() and pack.refresh_data())
print(json.dumps({
    "good": good, "voltage": pack.voltage, "current": pack.current, "coldest": pack.get_min_temperature(),
    "charge": bool(pack.charge_fet), "discharge": bool(pack.discharge_fet),
}))
"""
SECTIONS = {
    "pb": 'port = "{}"\nbaudrate = 115200\nmore_units = {{ 2 = ["jk"] }}\n',
    "uart": 'port = "{}"\nbaudrate = 115200\nmode = "jk-4e57"\n',
}


def read_by_driver(kind: str, port: str) -> dict:
    command = [sys.executable, "-c", SCRIPT, FOLDER, kind, port]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=allowed(30))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", SECTIONS)
@pytest.mark.parametrize("sensors", [1, 2])
def test_the_drivers_of_venus_read_the_pack(tmp_path, wire, kind, sensors) -> None:
    """Where a sensor is not fitted the coldest temperature is that of the fitted one, not 0 °C."""
    text = EXAMPLE.read_text(encoding="utf-8").replace("battery_sensors = 2", f"battery_sensors = {sensors}")
    text = text.replace("switch_sensor = true", f"switch_sensor = {str(sensors == 2).lower()}")
    old = text[text.index("[modbus]") : text.index("[parameters]")]
    (tmp_path / "bmsd.toml").write_text(text.replace(old, f"[modbus]\n{SECTIONS[kind].format(wire[0])}"))
    changed = {"battery_decic": [230, 210][:sensors], "switch_decic": 300 if sensors == 2 else None}
    core = PlayedCore(tmp_path, POINTS | changed)
    try:
        with link("modbus", tmp_path / "bmsd.toml", tmp_path):
            eventually(lambda: json.loads((tmp_path / "link-modbus.json").read_text())["state"] == "running")
            found = read_by_driver(kind, wire[1])
    finally:
        core.die()
    assert found["good"]
    assert (found["voltage"], found["current"]) == (53.2, -12.3)
    assert found["coldest"] == (23 if sensors == 1 else 21)
    assert found["charge"]
    assert found["discharge"]
