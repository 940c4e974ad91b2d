"""The meter link: tables of devices, a pymodbus that is called differently in each version, and what is old."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from bmsd.cli.main import main
from bmsd.config.load import MeterConfig
from bmsd.errors import PeerError
from bmsd.ipc.shared_files import Publisher, monotonic_ms
from bmsd.links.meter import Reader, client_of
from bmsd.links.modbus_client import Client, LineError, word_for_unit
from bmsd.tables import jk, points, registers
from bmsd.tables.devices import DEVICES
from bmsd.tables.devices.rows import F32, S16, U16, Ask, Value

ASK = Ask(4, 0, 2)


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_every_value_is_in_an_answer_and_has_a_name_of_its_own(device) -> None:
    assert len({row.name for row in device.values}) == len(device.values)
    for row in device.values:
        assert row.byte + struct.calcsize(row.layout.value) <= 2 * device.asks[row.ask].count, row
    for ask in device.asks:
        assert ask.function in (3, 4)
        assert ask.count <= 125


def value(name: str, **changes: Any) -> Value:
    """Make a value of one register at the beginning."""
    given = {"symbol": "V", "ask": 0, "byte": 0, "layout": U16, **changes}
    return Value(name, **given)


@pytest.mark.parametrize(
    ("row", "words", "expected"),
    [
        (value("a", divide=1000), [3300], 3.3), (value("a", layout=S16, divide=10), [0xFFAB], -8.5),
        (value("a", layout=F32), [0x4366, 0x3333], 230.2), (value("a", layout=F32), [0xC2C8, 0], -100.0),
        (value("a", layout=F32), [0x7FC0, 0], None), (value("a", layout=F32), [0x7F80, 0], None),
        (value("a", unknown=0xFFFF), [0xFFFF], None), (value("a", unknown=0xFFFF), [0xFFFE], 65534.0),
        (value("a", byte=1, layout=U16), [0xFFFF], None), (value("a", layout=F32), [1], None),
    ],
)  # fmt: skip
def test_a_value_is_scaled_and_what_is_no_number_is_unknown(row, words, expected) -> None:
    """S2."""
    assert row.read([words]) == expected
    assert row.read([None]) is None


def test_meters_are_read_at_the_addresses_of_their_makers_list() -> None:
    """0x0000 voltage, 0x0006 current, 0x000C power, 0x0046 frequency, 0x0048 import, 0x004A export, 0x0156 total."""
    told = {0: 230.5, 6: -4.25, 12: -975.0, 30: -0.99, 70: 50.02, 72: 1234.5, 74: 99.25, 342: 1333.75}
    for name in ("sdm120", "sdm230"):
        device = DEVICES[name]
        answers = [words_of(told, ask) for ask in device.asks]
        found = {row.name: row.read(answers) for row in device.values}
        assert found["voltage_v"] == 230.5
        assert (found["current_a"], found["power_w"]) == (-4.25, -975.0)
        assert found["frequency_hz"] == 50.02
        assert (found["import_kwh"], found["export_kwh"], found["total_kwh"]) == (1234.5, 99.25, 1333.75)
        assert max(ask.count for ask in device.asks) <= 60, "30 values of two registers at most"


def words_of(told: dict[int, float], ask: Ask) -> list[int]:
    data = bytearray(2 * ask.count)
    for address, number in told.items():
        if ask.address <= address < ask.address + ask.count:
            struct.pack_into(">f", data, 2 * (address - ask.address), number)
    return list(struct.unpack(f">{ask.count}H", data))


def test_a_pack_with_bmsd_is_read_by_the_rows_that_make_its_map() -> None:
    device = DEVICES["bmsd"]
    values = {"pack_mv": 53_210, "current_ma": -12_300, "soc_permille": 605, "charge_limit_ma": 90_000,
              "charge_allowed": True, "cell_min_mv": 3312}  # fmt: skip
    block = next(block for block in registers.BLOCKS if block.name == "live")
    found = {row.name: row.read([registers.words(block, values)]) for row in device.values}
    assert (found["pack_v"], found["current_a"], found["soc_percent"]) == (53.21, -12.3, 60.5)
    assert (found["charge_limit_a"], found["charge_allowed"], found["cell_min_v"]) == (90.0, 1.0, 3.312)
    assert found["discharge_allowed"] is found["switch_c"] is found["soh_percent"] is None
    assert {row.symbol for row in device.values} <= {point.unit.symbol for point in points.POINTS}


def test_a_jk_board_is_read_by_the_rows_that_make_one() -> None:
    device = DEVICES["jk-pb"]
    values: dict[str, Any] = {str(row.value): 0 for row in jk.LIVE.fields} | {
        "cell_mv": [3300] * 16, "wire_mohm": [0] * 16, "pack_mv": 53_210, "current_ma": -12_300, "soc_permille": 605,
        "battery_1_decic": -85, "battery_2_decic": jk.NO_SENSOR_DECIC, "cycles_milli": 12_000, "charge_on": 1,
        "remaining_mah": 123_456,
    }  # fmt: skip
    data = jk.block_bytes(jk.LIVE, values, "big")
    answers = [cut(data, ask) for ask in device.asks]
    found = {row.name: row.read(answers) for row in device.values}
    assert (found["pack_v"], found["current_a"], found["soc_percent"]) == (53.21, -12.3, 61.0)
    assert (found["battery_1_c"], found["battery_2_c"]) == (-8.5, None)
    assert (found["cycles"], found["charge_on"], found["remaining_ah"]) == (12.0, 1.0, 123.456)


def cut(data: bytes, ask: Ask) -> list[int]:
    """Take what a board answers: addresses count bytes, registers words."""
    start = ask.address - jk.LIVE.start
    return list(struct.unpack(f">{ask.count}H", data[start : start + 2 * ask.count]))


class Answer:
    """An answer as pymodbus gives it."""

    def __init__(self, words: list[int], code: int | None = None) -> None:
        self.registers = words
        if code is not None:
            self.exception_code = code

    def isError(self) -> bool:  # noqa: N802 - pymodbus's name
        return hasattr(self, "exception_code")


class Of30:
    """A client as in 3.0."""

    def __init__(self, answer: Any, opens: bool = True) -> None:
        self.answer, self.opens, self.asked, self.closed = answer, opens, [], 0

    def connect(self) -> bool:
        return self.opens

    def close(self) -> None:
        self.closed += 1

    def read_input_registers(self, address: int, count: int = 1, slave: int = 0, **_more: Any) -> Any:
        self.asked.append((address, count, slave))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Of316(Of30):
    """A client as in 3.16."""

    def read_input_registers(self, address: int, *, count: int = 1, device_id: int = 1) -> Any:  # type: ignore[override]
        return super().read_input_registers(address, count, device_id)


@pytest.mark.parametrize(("kind", "word"), [(Of30, "slave"), (Of316, "device_id")])
def test_the_unit_goes_by_the_name_that_this_version_has(kind, word) -> None:
    made = kind(Answer([1, 2]))
    assert word_for_unit(made.read_input_registers) == word
    assert Client(lambda: made).read(7, ASK) == [1, 2]
    assert made.asked == [(0, 2, 7)]


BAD = {
    "refused": Answer([], 2), "too few": Answer([1]), "too many": Answer([1, 2, 3]), "none": None,
    "silent": RuntimeError("No response"), "the port went": OSError("gone"),
}  # fmt: skip


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_what_is_no_answer_is_an_error_and_no_number(answer) -> None:
    """S2, S7."""
    made = Of316(answer)
    client = Client(lambda: made)
    with pytest.raises(PeerError):
        client.read(1, ASK)
    if isinstance(answer, Exception):
        assert made.closed == 1, "the next request opens the port again"


def test_a_port_that_cannot_be_opened_is_told_apart() -> None:
    with pytest.raises(LineError):
        Client(lambda: Of316(Answer([1, 2]), opens=False)).read(1, ASK)

    def absent() -> Any:
        raise OSError("no such port")

    with pytest.raises(LineError, match="no such port"):
        Client(absent).read(1, ASK)


def test_the_installed_pymodbus_has_what_is_used() -> None:
    pytest.importorskip("pymodbus")
    tcp = client_of(MeterConfig("", ("127.0.0.1", 1), 9600, "N", 1, 5000, {1: "sdm120"}))
    with pytest.raises(LineError):
        tcp.read(1, ASK)
    serial = client_of(MeterConfig("/dev/nothing-here", None, 9600, "E", 1, 5000, {1: "sdm120"}))
    with pytest.raises(LineError):
        serial.read(1, ASK)


class Said:
    """A link that only keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, _priority: int, text: str) -> None:
        self.lines.append(text)

    def wait(self, _timeout_s: float) -> bool:
        return False


def test_a_device_that_falls_silent_keeps_its_age_and_is_told_of_once() -> None:
    """S7: the values stay what they were, with the time they are from."""
    made, link = Of316(Answer([0] * 38)), Said()
    made.read_input_registers = lambda _address, count, device_id: Answer([0] * count)  # type: ignore[method-assign]
    client = Client(lambda: made)
    reader = Reader(link, 3, DEVICES["sdm120"])  # type: ignore[arg-type]
    assert reader.told()["values"] == {}
    reader.read(client)
    first = reader.told()
    assert first["error"] == ""
    made.read_input_registers = lambda _address, count, device_id: Answer([], 4)  # type: ignore[method-assign]
    for _ in range(3):
        reader.read(client)
    assert reader.told()["read_ms"] == first["read_ms"]
    assert reader.told()["error"] == "refused with exception 04"
    assert len(link.lines) == 1


def publish(folder: Path, *, read_age_ms: int, link_age_ms: int = 0, period_ms: int = 1000) -> None:
    now_ms = monotonic_ms()
    told = {"kind": "sdm120", "read_ms": now_ms - read_age_ms, "error": "", "values": {"voltage_v": 230.5}}
    body = {"state": "running", "period_ms": period_ms, "devices": {"1": told}}
    Publisher(folder).publish("link-meter.json", body, now_ms - link_age_ms)


def shown(folder: Path, capsys) -> dict[str, Any]:
    assert main(["devices", "--json", "--runtime-dir", str(folder)]) == 0
    return json.loads(capsys.readouterr().out)["meter"]["1"]


@pytest.mark.parametrize(
    ("ages", "value"),
    [
        ({"read_age_ms": 500}, 230.5), ({"read_age_ms": 7900}, 230.5), ({"read_age_ms": 9000}, None),
        ({"read_age_ms": 500, "link_age_ms": 6000}, None), ({"read_age_ms": 9000, "period_ms": 10_000}, 230.5),
    ],
)  # fmt: skip
def test_what_is_old_is_unknown(tmp_path, capsys, clock, ages, value) -> None:
    """S7."""
    publish(tmp_path, **ages)
    told = shown(tmp_path, capsys)
    assert told["values"]["voltage_v"] == {"value": value, "unit": "V"}
    assert told["values"]["power_w"]["value"] is None
    assert main(["devices", "--runtime-dir", str(tmp_path)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "voltage_v" in line)
    assert line.split() == ["voltage_v", "?" if value is None else "230.5", "V"]


def test_no_link_no_devices(tmp_path, capsys) -> None:
    assert main(["devices", "--runtime-dir", str(tmp_path)]) == 0
    assert "no device is read" in capsys.readouterr().out
