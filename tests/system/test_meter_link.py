"""The meter link as a real process: reads our own slave on a pty and a server of pymodbus, and survives their end."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.configured import GOOD, written
from tests.support.patience import allowed
from tests.support.running import ROOT, PlayedCore, ended, eventually, last_words, link

pytest.importorskip("pymodbus")
pytestmark = pytest.mark.system
POINTS = {
    "sequence": 7, "state": "discharging", "pack_mv": 53200, "current_ma": -12300, "power_mw": -654000,
    "soc_permille": 600, "soh_permille": None, "cell_mv": [3325] * 16, "cell_min_mv": 3320, "cell_max_mv": 3330,
    "cell_average_mv": 3325, "cell_difference_mv": 10, "min_cell": 1, "max_cell": 2, "battery_decic": [235, -85],
    "switch_decic": 300, "charge_allowed": True, "discharge_allowed": True, "remaining_mah": 168_000,
    "capacity_mah": 280_000, "cycles_milli": 12_345, "charge_limit_ma": 50_000, "charge_actual": True,
    "discharge_actual": True, "balancing": [False] * 16, "wire_mohm": [None] * 16,
}  # fmt: skip


@pytest.fixture
def core(tmp_path):
    made = PlayedCore(tmp_path, POINTS)
    yield made
    made.die()


def running(name: str, folder: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    return link(name, folder / "bmsd.toml", folder)


def write(folder: Path, *sections: str) -> None:
    begin, end = GOOD.index("[modbus]"), GOOD.index("[parameters]")
    written(folder, "\n".join((GOOD[:begin], *sections, GOOD[end:])))


def devices(folder: Path) -> dict:
    """Ask bmsctl, as people do."""
    command = [sys.executable, "-m", "bmsd.cli.main", "devices", "--json", "--runtime-dir", str(folder)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout)["meter"]
    return {
        unit: {k: v["value"] for k, v in one["values"].items()} | {"error": one["error"]}
        for unit, one in told.items()
    }


def test_our_own_slave_is_read_as_a_pack_with_bmsd_and_as_a_jk_board(tmp_path, core, wire) -> None:
    """S7: signs and scales as told; an old core is an error, never a number."""
    write(
        tmp_path,
        f'[modbus]\nport = "{wire[0]}"\nbaudrate = 115200\nunit = 1\nmore_units = {{ 2 = ["jk"] }}\n',
        f'[meter]\nport = "{wire[1]}"\nbaudrate = 115200\nperiod_s = 1',
        'devices = { 1 = "bmsd", 2 = "jk-pb", 9 = "sdm120" }',
    )
    with running("modbus", tmp_path), running("meter", tmp_path) as meter:
        state = tmp_path / "link-meter.json"
        eventually(lambda: "2 of 3 answer" in json.loads(state.read_text())["detail"])
        found = devices(tmp_path)
        assert (found["1"]["pack_v"], found["1"]["current_a"], found["1"]["soc_percent"]) == (
            53.2,
            -12.3,
            60.0,
        )
        assert (found["1"]["soh_percent"], found["1"]["power_w"], found["1"]["charge_limit_a"]) == (
            None,
            -654.0,
            50.0,
        )
        assert (found["2"]["pack_v"], found["2"]["current_a"], found["2"]["soc_percent"]) == (
            53.2,
            -12.3,
            60.0,
        )
        assert (found["2"]["battery_1_c"], found["2"]["battery_2_c"], found["2"]["cycles"]) == (
            23.5,
            -8.5,
            12.0,
        )
        assert found["9"]["voltage_v"] is None
        assert found["9"]["error"]
        core.die()
        eventually(lambda: "exception 04" in devices(tmp_path)["1"]["error"])
        eventually(lambda: devices(tmp_path)["1"]["pack_v"] is None)
        meter.terminate()
        assert ended(meter, 10) == 0


class Meter:
    """A server of pymodbus that plays an SDM120: input registers, two words each."""

    def __init__(self, port: int, told: dict[int, float]) -> None:
        self._told, self._port, self._loop = told, port, asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(allowed(10))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        from pymodbus.server import ModbusTcpServer
        from pymodbus.simulator import DataType, SimData, SimDevice

        words = [0] * 400
        for address, value in self._told.items():
            words[address : address + 2] = struct.unpack(">HH", struct.pack(">f", value))
        data = SimData(0, values=words, datatype=DataType.REGISTERS)
        self._server = ModbusTcpServer(
            context=[SimDevice(id=5, simdata=[data])], address=("127.0.0.1", self._port)
        )
        self._ready.set()
        await self._server.serve_forever()

    def end(self) -> None:
        asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(allowed(10))
        self._thread.join(allowed(10))


def test_a_server_of_pymodbus_is_read_as_a_meter_and_its_end_and_return_are_told(tmp_path, core) -> None:
    """S7."""
    pytest.importorskip("pymodbus.simulator")
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    write(tmp_path, f'[meter]\ntcp = "127.0.0.1:{port}"\ndevices = {{ 5 = "sdm120" }}\nperiod_s = 1\n')
    told = {0: 230.5, 6: -4.25, 12: -975.0, 70: 50.0, 72: 1234.5, 342: 1333.75}
    with running("meter", tmp_path) as process:
        state = tmp_path / "link-meter.json"
        eventually(lambda: json.loads(state.read_text())["state"] == "error")
        meter = Meter(port, told)
        try:
            eventually(lambda: json.loads(state.read_text())["state"] == "running")
            found = devices(tmp_path)["5"]
        finally:
            meter.end()
        assert (found["voltage_v"], found["current_a"], found["power_w"]) == (230.5, -4.25, -975.0)
        assert (found["import_kwh"], found["total_kwh"], found["error"]) == (1234.5, 1333.75, "")
        eventually(lambda: json.loads(state.read_text())["state"] == "error")
        process.terminate()
        errors = last_words(process, 10)[1]
    assert "lost" in errors
    assert "not there" in errors, "at the start it never was"
    assert "is there" in errors
