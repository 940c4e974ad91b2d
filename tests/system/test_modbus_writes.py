"""A real core and a real Modbus link with writes, and masters that are not ours: written, refused, kept, journaled."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from bmsd.config import pin
from bmsd.ipc import shared_files
from bmsd.ipc.snapshot import read_snapshot
from tests.support.patience import allowed
from tests.support.running import eventually, last_words, link

pytestmark = pytest.mark.system
RIGHT, PIN_AT, OVP, SWITCHES = 271_828, 610, 1000, 700


@pytest.fixture
def line(core, wire):
    """Start a core and its link; give the link's process and the master's port."""
    core.section = f'[modbus]\nport = "{wire[0]}"\nbaudrate = 115200\nwrites = true\n'
    core.start()
    pin.write(pin.path_beside(core.config), RIGHT)
    state = core.runtime / "link-modbus.json"
    with link("modbus", core.config, core.runtime) as process:
        eventually(lambda: json.loads(state.read_text())["state"] == "running")
        yield process, wire[1]


def parameter(core, name: str) -> int:
    return shared_files.read_document(core.runtime / shared_files.PARAMETERS)["values"][name]


def cycles(core) -> int:
    """Count the core's cycles, of whatever age its snapshot is."""
    return read_snapshot(core.runtime).points["sequence"]


def two_writers(core) -> list[str] | None:
    """Give who wrote parameters, once there are two."""
    events = shared_files.read_document(core.runtime / shared_files.EVENTS)["events"]
    found = [event["who"] for event in events if event["kind"] == "parameter"]
    return found if len(found) == 2 else None


def test_pymodbus_and_minimalmodbus_write_what_narrows_and_nothing_else(core, tools, line) -> None:
    """S8, S14: with PIN, journaled, kept over a restart, given back."""
    minimalmodbus = pytest.importorskip("minimalmodbus")
    client_module = pytest.importorskip("pymodbus.client")
    process, port = line
    client = client_module.ModbusSerialClient(port, baudrate=115200, timeout=allowed(3))
    assert client.connect()

    def wrote(address: int, *values: int) -> int | None:
        answer = client.write_registers(address, list(values))
        return answer.exception_code if answer.isError() else None

    before = parameter(core, "cell_ovp_mv")
    assert client.write_register(SWITCHES, 0).exception_code == 2
    assert wrote(PIN_AT, *divmod(RIGHT + 1, 1 << 16)) == 3
    assert wrote(PIN_AT, *divmod(RIGHT, 1 << 16)) is None
    assert wrote(OVP, 0, before + 50) == 3
    assert wrote(OVP, 0, before - 50, 0, 0) == 3, "the second one is out of range: both are refused"
    assert parameter(core, "cell_ovp_mv") == before
    assert wrote(OVP, 0, before - 50) is None
    assert parameter(core, "cell_ovp_mv") == before - 50
    assert not client.write_register(SWITCHES, 0).isError()
    assert client.read_holding_registers(SWITCHES, count=3).registers == [0, 1, 1]
    client.close()
    tools.eventually(lambda: not core.points()["charge_actual"])

    instrument = minimalmodbus.Instrument(port, 1)
    instrument.serial.baudrate, instrument.serial.timeout = 115200, allowed(3)
    assert instrument.read_long(OVP, signed=True) == before - 50
    instrument.write_register(SWITCHES, 1, functioncode=6)
    tools.eventually(lambda: core.points()["charge_actual"])
    instrument.write_register(612, 1)
    with pytest.raises(minimalmodbus.IllegalRequestError):
        instrument.write_long(OVP, before - 60, signed=True)
    assert core.ctl("modbus", "unlock", "1m").returncode == 0
    instrument.write_long(OVP, before - 60, signed=True)
    instrument.serial.close()

    whos = tools.eventually(lambda: two_writers(core))
    assert all(who.startswith("modbus unit 1 (uid ") for who in whos)
    process.terminate()
    errors = last_words(process, 10)[1]
    assert "which is set at the pack" in errors
    assert str(RIGHT) not in errors
    core.kill()
    core.start()
    assert parameter(core, "cell_ovp_mv") == before - 60


def test_a_core_that_is_gone_is_a_device_failure(core, line) -> None:
    """S7, S9."""
    client_module = pytest.importorskip("pymodbus.client")
    assert core.ctl("modbus", "unlock", "1m").returncode == 0
    client = client_module.ModbusSerialClient(line[1], baudrate=115200, timeout=allowed(4))
    assert client.connect()
    core.kill()
    assert client.write_register(SWITCHES, 0).exception_code == 4
    client.close()


@pytest.mark.parametrize("what", ["switch", "parameter"])
def test_a_write_that_was_answered_with_04_is_not_carried_out_later(core, line, tools, what) -> None:
    """S8: a core that stood still meanwhile finds nobody who waits for it."""
    client_module = pytest.importorskip("pymodbus.client")
    assert core.ctl("modbus", "unlock", "1m").returncode == 0
    client = client_module.ModbusSerialClient(line[1], baudrate=115200, timeout=allowed(4), retries=0)
    assert client.connect()
    before = parameter(core, "cell_ovp_mv")
    for stopped in (core.guard, core.pid):
        os.kill(stopped, signal.SIGSTOP)
    if what == "switch":
        answer = client.write_register(SWITCHES, 0)
    else:
        answer = client.write_registers(OVP, [0, before - 50])
    for stopped in (core.pid, core.guard):
        os.kill(stopped, signal.SIGCONT)
    assert answer.exception_code == 4
    sequence = cycles(core)
    tools.eventually(lambda: cycles(core) > sequence + 5)
    assert core.document()["remote_off"] == []
    assert parameter(core, "cell_ovp_mv") == before
    assert core.ctl("modbus", "unlock", "1m").returncode == 0
    time.sleep(0.05)
    assert not client.write_register(SWITCHES, 0).isError()
    client.close()
