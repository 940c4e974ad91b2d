"""bmsd as a JK board: its tables against recordings of real boards, its answers read by a client that is not ours."""

from __future__ import annotations

import json
import random
import re
import struct
from pathlib import Path

import pytest

from bmsd.config.load import load
from bmsd.ipc import shared_files
from bmsd.ipc.shared_files import Publisher, monotonic_ms
from bmsd.links import jk_4e57
from bmsd.links.jk_values import ALARM_BITS
from bmsd.links.modbus_jk import JkBoard, JkMap
from bmsd.links.modbus_pack import MappedPack
from bmsd.links.modbus_rtu import ModbusRequest, Refusal, crc_is_good, with_crc
from bmsd.links.modbus_unit import ModbusUnit
from bmsd.links.snapshots import Snapshots
from bmsd.tables import alarms, jk
from bmsd.tables import jk_4e57 as story_rows
from bmsd.tables.alarms import Block, Severity
from bmsd.tables.jk import ABOUT, LIVE, SETTINGS
from tests.links import jk_client as client
from tests.support.snapshots import publish_snapshot

pytestmark = pytest.mark.usefixtures("clock")
ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests" / "recordings" / "jk"
EXAMPLE = (ROOT / "etc" / "bmsd.toml").read_text(encoding="utf-8")
FRAMES = json.loads((RECORDED / "rs485-pb.json").read_text())
READS = json.loads((RECORDED / "rs485-pb-fc03.json").read_text())
STORIES = json.loads((RECORDED / "uart-4e57.json").read_text())
POINTS = {
    "sequence": 7, "uptime_ms": 65_900, "runtime_ms": 7_200_000, "state": "discharging", "pack_mv": 53_204,
    "current_ma": -12_340, "power_mw": -656_537, "soc_permille": 605, "soh_permille": None, "capacity_mah": 280_000,
    "remaining_mah": 169_400, "cycles_milli": 70_499, "discharged_mah": 19_739_720,
    "cell_mv": [3318 + n for n in range(16)], "cell_min_mv": 3318, "cell_max_mv": 3333, "cell_average_mv": 3325,
    "cell_difference_mv": 15, "min_cell": 1, "max_cell": 16, "balancing": [False] * 16, "balance_commanded": False,
    "wire_mohm": [None] * 16, "battery_decic": [-85, 210], "switch_decic": 300, "charge_allowed": True,
    "discharge_allowed": True, "charge_commanded": True, "charge_actual": True, "discharge_commanded": True,
    "discharge_actual": True, "precharge_commanded": False, "precharge_actual": False, "heater_commanded": True,
    "heater_actual": True, "heater_ma": 2216, "emergency_remaining_ms": 0,
}  # fmt: skip
READ_ALL = bytes.fromhex("4E5700130000000006030000000000006800000129")


class Bench:
    def __init__(self, folder: Path, battery_sensors: int = 2, switch_sensor: str = "true") -> None:
        text = EXAMPLE.replace("battery_sensors = 2", f"battery_sensors = {battery_sensors}")
        text = text.replace("switch_sensor = true", f"switch_sensor = {switch_sensor}")
        (folder / "bmsd.toml").write_text(text)
        self.pack = MappedPack(load(folder / "bmsd.toml"), Snapshots(folder))
        self.map = JkMap(self.pack, 5)
        self.unit = ModbusUnit([self.map])
        self.folder, self.publisher = folder, Publisher(folder)

    def publish(self, *active: str, age_ms: int = 0, **changed) -> Bench:
        rows = [{"name": name, "latched": False} for name in active]
        body = {"cells": 16, "points": {**POINTS, **changed}, "alarms": rows}
        publish_snapshot(self.folder, body, monotonic_ms() - age_ms)
        return self

    def frame(self, register: int) -> bytes:
        """Ask as a master does; check the acknowledgement behind the frame, give the frame."""
        reply = self.unit.answer(ModbusRequest(5, 16, struct.pack(">HHBH", register, 1, 2, 0)))
        assert reply is not None
        assert len(reply) == 308
        assert reply[300:] == with_crc(struct.pack(">BBHH", 5, 16, register, 1))
        return reply[:300]

    def live(self) -> dict:
        return client.frame(self.frame(0x1620))

    def station(self) -> jk_4e57.JkStation:
        return jk_4e57.JkStation(JkBoard(self.pack, 5).values, 115_200)

    def story(self) -> dict:
        reply = asked(self.station(), READ_ALL)
        assert reply is not None
        return client.story(reply)


def asked(station: jk_4e57.JkStation, *pieces: bytes, pause_us: int = 100) -> bytes | None:
    now_us = 1_000_000
    for piece in pieces:
        station.feed(piece, now_us)
        now_us += pause_us
    return station.take(now_us + 5000)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def refusal(body: bytes, bench: Bench, function: int = 16) -> int:
    reply = bench.unit.answer(ModbusRequest(5, function, body))
    assert reply is not None
    assert crc_is_good(reply)
    assert len(reply) == 5
    return reply[2]


# --- The tables and the client against real boards ------------------------------------------------------------


def raw(row: jk.JkField, data: bytes, order: str) -> list:
    """Read a field of bmsd's table out of recorded bytes, in inside units."""
    if row.kind is jk.TEXT:
        return [data[row.offset : row.offset + row.count].rstrip(b"\0").decode()]
    size, signed = row.kind.value
    places = (row.offset + n * size for n in range(row.count))
    return [int.from_bytes(data[at : at + size], order, signed=signed) * row.per for at in places]


def told(decoded: dict) -> dict[str, float]:
    """Turn the recording's stated values into inside units by the names of bmsd's rows."""
    names = {
        "cell_uvp_mv": "cell_uvp", "cell_uvpr_mv": "cell_uvpr", "cell_ovp_mv": "cell_ovp", "cell_ovpr_mv": "cell_ovpr",
        "balance_trigger_mv": "balance_trigger", "soc_full_mv": "soc100", "soc_empty_mv": "soc0",
        "cell_shutdown_mv": "power_off", "charge_max_ma": "max_charge", "charge_ocp_delay_ms": "charge_ocp_delay",
        "charge_ocp_release_ms": "charge_ocp_release", "discharge_max_ma": "max_discharge",
        "discharge_ocp_delay_ms": "discharge_ocp_delay", "discharge_ocp_release_ms": "discharge_ocp_release",
        "short_circuit_release_ms": "scp_release", "balance_max_ma": "max_balance", "charge_otp_decic": "charge_otp",
        "charge_otpr_decic": "charge_otpr", "discharge_otp_decic": "discharge_otp",
        "discharge_otpr_decic": "discharge_otpr", "charge_utp_decic": "charge_utp", "charge_utpr_decic": "charge_utpr",
        "switch_otp_decic": "mosfet_otp", "switch_otpr_decic": "mosfet_otpr", "cells": "cell_count",
        "rated_mah": "capacity", "short_circuit_delay_us": "scp_delay", "balance_start_mv": "start_balance",
        "unit": "device_address", "precharge_timeout_ms": "precharge_time", "sleep_after_h": "smart_sleep",
        "cell_average_mv": "average_cell", "cell_difference_mv": "delta_cell", "switch_decic": "mosfet_temperature",
        "pack_mv": "voltage", "magnitude_mw": "power_W_unsigned", "current_ma": "current",
        "battery_1_decic": "temperature_1", "battery_2_decic": "temperature_2", "balance_ma": "balance_current",
        "soc_permille": "soc_percent", "remaining_mah": "remaining", "capacity_mah": "full_charge_capacity",
        "cycles_milli": "cycles", "discharged_mah": "cycle_capacity", "soh_permille": "soh_percent",
        "precharge_on": "precharge", "charge_on": "charge_mosfet", "discharge_on": "discharge_mosfet",
        "heating": "heating", "emergency_remaining_ms": "emergency_time", "clock_s": "rtc_ticks_s_since_2020",
        "model": "model", "hardware": "hardware", "software": "software", "name": "device_name",
        "serial": "serial_number",
    }  # fmt: skip
    found = {}
    stated = {key.replace("mos_otp", "mosfet_otp"): value for key, value in decoded.items()}
    for row, stem in names.items():
        for key, value in stated.items():
            if key == stem or re.fullmatch(re.escape(stem) + "_(m?V|m?A|m?Ah|s|us|h|C|0.1C)", key):
                found[row] = value if isinstance(value, str) else inside(row, key, value)
    return found


def inside(row: str, key: str, value: float) -> int:
    small = ("_mV", "_mA", "_mAh")
    scale = {"_mv": 1000, "_ma": 1000, "_mah": 1000, "_mw": 1000, "_ms": 1000, "_milli": 1000, "_decic": 10,
             "_permille": 10}  # fmt: skip
    if key.endswith(small) or key.endswith("_0.1C"):
        return round(value)
    return round(value * next((by for ending, by in scale.items() if row.endswith(ending)), 1))


def compared(block: jk.JkBlock, data: bytes, order: str, decoded: dict) -> int:
    stated, count = told(decoded), 0
    for row in block.fields:
        if row.value in stated and row.kind is not jk.I8 and row.offset + 4 <= len(data):
            (found,) = raw(row, data, order)
            expected = stated[row.value]
            if isinstance(expected, str):
                assert found.startswith(expected), row
            else:
                assert abs(found - expected) < row.per, (row, expected)
            count += 1
    return count


@pytest.mark.parametrize("entry", FRAMES, ids=lambda entry: entry["id"])
def test_the_tables_read_a_recorded_frame_as_it_was_meant(entry) -> None:
    block = {1: SETTINGS, 2: LIVE, 3: ABOUT}[entry["frame_type"]]
    data = bytes.fromhex(entry["hex"])
    assert data[4] == block.frame_type
    assert compared(block, data[6:], "little", entry["decoded"]) >= {1: 28, 2: 20, 3: 5}[block.frame_type]
    if block is LIVE:
        cells = next(row for row in LIVE.fields if row.value == "cell_mv")
        volts = entry["decoded"]["cell_voltages_V"]
        assert raw(cells, data[6:], "little")[: len(volts)] == [round(v * 1000) for v in volts]


def test_the_tables_read_a_recorded_answer_to_function_03() -> None:
    first = bytes.fromhex(READS[0]["hex"])
    assert compared(SETTINGS, first[3:-2], "big", READS[0]["decoded"]) >= 26


def test_function_03_shows_the_frame_with_its_words_turned() -> None:
    """The same settings of one board were recorded in both forms; bmsd's two forms differ in the same way."""
    entry = next(e for e in FRAMES if e["id"] == "jk02-32s-settings-82231620")
    little, big = bytes.fromhex(entry["hex"])[6 : 6 + 128], bytes.fromhex(READS[0]["hex"])[3:-2]
    assert len(big) == 128
    for row in SETTINGS.fields:
        if row.offset + 4 <= 128:
            assert raw(row, little, "little") == raw(row, big, "big"), row


@pytest.mark.parametrize("entry", FRAMES, ids=lambda entry: entry["id"])
def test_the_client_reads_a_recorded_frame_as_it_was_meant(entry) -> None:
    """Proof of the other party: it is believed about bmsd only because of this."""
    found = client.frame(bytes.fromhex(entry["hex"]))
    masked = {*entry.get("masked", ())}
    common = [name for name in found if name in entry["decoded"] and name not in masked]
    assert len(common) >= {1: 30, 2: 25, 3: 6}[entry["frame_type"]]
    for name in common:
        if isinstance(found[name], str):
            assert found[name].startswith(entry["decoded"][name]), name
        else:
            assert found[name] == pytest.approx(entry["decoded"][name]), name


@pytest.mark.parametrize("entry", STORIES, ids=lambda entry: entry["id"])
def test_a_recorded_story_is_read_and_has_the_order_of_the_table(entry) -> None:
    data = bytes.fromhex(entry["hex"])
    found = client.story(data)
    for name in ("cell_voltages_V", "command", "source", "transport"):
        assert found[name] == entry["decoded"].get(name, found[name])
    decoded = entry["decoded"].get("decoded", entry["decoded"])
    for name in ("mosfet_C", "sensor1_C", "sensor2_C", "voltage_V", "current_A", "soc_percent", "cells"):
        if name in decoded:
            assert found[name] == pytest.approx(decoded[name]), name
    assert found["order"] == [row.id for row in story_rows.FIELDS]
    assert jk_4e57.is_good(data)


# --- bmsd as the board ----------------------------------------------------------------------------------------


def test_the_live_frame_is_this_pack(bench) -> None:
    found = bench.publish().live()
    assert found["cell_voltages_V"] == [round(3.318 + n / 1000, 3) for n in range(16)]
    assert (found["voltage_V"], found["current_A"], found["power_W_unsigned"]) == (53.204, -12.34, 656.537)
    assert (found["soc_percent"], found["remaining_Ah"], found["full_charge_capacity_Ah"]) == (61, 169.4, 280)
    assert (found["soh_percent"], found["cycles"], found["cycle_capacity_Ah"]) == (100, 70, 19739.72)
    assert (found["max_cell_number"], found["min_cell_number"], found["delta_cell_V"]) == (16, 1, 0.015)
    assert (found["temperature_1_C"], found["temperature_2_C"], found["mosfet_temperature_C"]) == (
        -8.5,
        21,
        30,
    )
    assert (found["heating"], found["heating_current_A"], found["runtime_s"]) == (True, 2.216, 7200)
    assert (found["charge_mosfet"], found["discharge_mosfet"]) == (True, True)
    assert (found["errors_bitmask"], found["temperature_sensor_present_bitmask"]) == ("0x00000000", "0x07")
    assert found["voltage_0.01V_field_V"] == 53.2


def test_the_settings_frame_has_the_parameters_in_force(bench) -> None:
    bench.publish()
    found = client.frame(bench.frame(0x161E))
    assert (found["cell_ovp_V"], found["cell_uvp_V"], found["power_off_V"]) == (3.6, 2.7, 2.6)
    assert (found["cell_count"], found["capacity_Ah"], found["device_address"]) == (16, 280, 5)
    assert (found["charge_utp_C"], found["charge_utpr_C"], found["mosfet_otp_C"]) == (0, 5, 75)
    assert found["heating_stop_C_or_battery_alarm_release"] == 5
    assert found["max_charge_A"] <= 100
    assert found["max_discharge_A"] <= 150
    rows = {name: bench.pack.config.parameters.get(name) for name in bench.pack.parameters()}
    bench.publisher.publish(
        "parameters.json", {"values": rows | {"cell_ovp_mv": 3555, "charge_utp_decic": -105}}, 0
    )
    found = client.frame(bench.frame(0x161E))
    assert (found["cell_ovp_V"], found["charge_utp_C"]) == (3.555, -10.5)
    assert found["heating_start_C_or_battery_alarm"] in (-10, -11)


@pytest.mark.parametrize(
    ("phase", "stage"), [("bulk", 0), ("absorption", 1), ("float", 2), ("rest", 2), (None, 0)]
)
def test_the_stage_of_the_charge_is_told_and_how_long_it_was_seen(bench, clock, phase, stage) -> None:
    """Where esphome-jk-bms and aiobmsble read it: byte 280 of the frame, seconds at 278."""
    bench.publish(charge_phase="none of these").live()
    clock.sleep(3)
    for seconds in (0, 90):
        clock.sleep(seconds)
        bench.publish(charge_phase=phase)
        data = bench.frame(0x1620)
        assert data[280] == stage
        assert bench.map.read(0x1312, 1) == [stage << 8]
        expected = seconds + 3 * (stage == 0)
        assert int.from_bytes(data[278:280], "little") == bench.map.read(0x1310, 1)[0] == expected


def test_the_seconds_of_a_stage_end_at_what_fits(bench, clock) -> None:
    for seconds in (0, 65_535, 1, 100_000):
        clock.sleep(seconds)
        bench.publish().frame(0x1620)
    assert bench.map.read(0x1310, 1) == [0xFFFF]


@pytest.mark.parametrize(("float_charge", "heater"), [(0, False), (0, True), (1, False), (1, True)])
def test_the_float_voltage_and_the_float_mode_are_told(bench, float_charge, heater) -> None:
    """RFV at 0x1024, the mode in bit 9 of 0x1114, beside that of the heater."""
    bench.publish()
    object.__setattr__(bench.pack.config, "heater_mohm", 24_000 if heater else None)
    rows = {name: bench.pack.config.parameters.get(name) for name in bench.pack.parameters()}
    rows |= {"float_charge": float_charge, "cell_charge_mv": 3450, "float_below_mv": 75}
    bench.publisher.publish("parameters.json", {"values": rows}, 0)
    found = client.frame(bench.frame(0x161E))
    assert (found["request_charge_V"], found["request_float_V"]) == (3.45, 3.375)
    assert bench.map.read(0x1024, 2) == [0, 3375]
    assert bench.map.read(0x1114, 1) == [float_charge << 9 | heater]


def test_a_client_is_told_the_current_that_is_asked_for_and_not_the_one_that_trips(bench) -> None:
    """S14: such a client charges with what stands there."""
    bench.publish()
    rows = {name: bench.pack.config.parameters.get(name) for name in bench.pack.parameters()}
    rows |= {"charge_max_ma": 40_000, "charge_ocp_ma": 100_000, "discharge_max_ma": 50_000}
    bench.publisher.publish("parameters.json", {"values": rows}, 0)
    found = client.frame(bench.frame(0x161E))
    assert (found["max_charge_A"], found["max_discharge_A"]) == (40, 50)


def test_the_about_frame_gives_no_password_away(bench) -> None:
    bench.publish()
    data = bench.frame(0x161C)
    found = client.frame(data)
    assert (found["model"], found["software"], found["hardware"]) == ("bmsd-16S", "15.41", "15A")
    assert re.fullmatch("[0-9A-F]{16}", found["serial_number"])
    assert found["device_name"] == f"bmsd {found['serial_number'][:10]}"
    assert found["device_passcode"] == found["setup_passcode"] == ""
    assert data[62:78] == data[118:134] == bytes(16)
    assert data[5] == 0


@pytest.mark.parametrize("way", ["charge", "discharge"])
@pytest.mark.parametrize(
    "changed", [{"{}_allowed": False}, {"{}_allowed": None}, {"{}_actual": False},
                {"{}_actual": None, "{}_commanded": None}],
)  # fmt: skip
def test_a_direction_reads_as_on_only_when_it_is_allowed_and_closed(bench, way, changed) -> None:
    """S1, S2: a forbidden direction is off also behind a common contactor that is closed."""
    bench.publish(**{name.format(way): value for name, value in changed.items()})
    assert bench.live()[f"{way}_mosfet"] is False
    bit = 0 if way == "charge" else 1
    assert bench.story()["fields"][0x8C] >> bit & 1 == 0


UNKNOWN = ({"pack_mv": None}, {"current_ma": None}, {"soc_permille": None}, {"cell_mv": [3300] * 15 + [None]},
           {"cell_mv": []}, {"battery_decic": [None, 210]}, {"battery_decic": None}, {"max_cell": None})  # fmt: skip


@pytest.mark.parametrize("changed", UNKNOWN, ids=str)
def test_a_lost_measurement_is_a_failed_board_and_never_a_number(bench, changed) -> None:
    """S2: JK has no word for unknown, and clients work out limits from what they read."""
    bench.publish(**changed)
    assert refusal(struct.pack(">HH", 0x1290, 2), bench, 3) == Refusal.DEVICE
    assert refusal(bytes.fromhex("1620000102 0000"), bench) == Refusal.DEVICE
    assert asked(bench.station(), READ_ALL) is None


def test_old_data_is_told_by_nobody(bench) -> None:
    """S7."""
    bench.publish(age_ms=shared_files.FRESH_MS + 100)
    assert refusal(struct.pack(">HH", 0x1000, 1), bench, 3) == Refusal.DEVICE
    assert refusal(bytes.fromhex("161E000102 0000"), bench) == Refusal.DEVICE
    assert asked(bench.station(), READ_ALL) is None


def test_a_missing_switch_sensor_reads_as_none(bench) -> None:
    found = bench.publish(switch_decic=None).live()
    assert found["mosfet_temperature_C"] == -200
    assert found["temperature_sensor_present_bitmask"] == "0x06"
    found = bench.publish(battery_decic=[210]).live()
    assert (found["temperature_2_C"], found["temperature_sensor_present_bitmask"]) == (-200, "0x03")


@pytest.mark.parametrize("battery", [-85, 0, 210, 400])
def test_the_story_tells_a_fitted_sensor_where_none_is_fitted(tmp_path, battery) -> None:
    """A client takes the coldest of all it reads for the pack, and would stop charging at a stand-in of 0 °C."""
    one = Bench(tmp_path, battery_sensors=1, switch_sensor="false")
    found = one.publish(battery_decic=[battery], switch_decic=None).story()
    degrees = round(battery / 10)
    assert [found[name] for name in ("mosfet_C", "sensor1_C", "sensor2_C")] == [degrees] * 3
    assert found["fields"][0x86] == 1
    assert one.live()["temperature_sensor_present_bitmask"] == "0x02"


def test_the_story_tells_the_warmest_battery_sensor_for_a_switch_board_without_one(tmp_path) -> None:
    found = Bench(tmp_path, switch_sensor="false").publish(switch_decic=None).story()
    assert [found[name] for name in ("mosfet_C", "sensor1_C", "sensor2_C")] == [21, -8, 21]


@pytest.mark.parametrize("identifier", [0, 0x79, 0x80, 0x81, 0x85])
def test_the_story_is_silent_when_a_fitted_sensor_is_lost(bench, identifier) -> None:
    """S2: nothing stands in for what was lost."""
    assert asked(bench.publish(switch_decic=None).station(), command(3, identifier)) is None
    assert asked(bench.publish().station(), command(3, identifier)) is not None


STAND_INS = {
    "cycles_milli": "a count of its life", "discharged_mah": "a count of its life",
    "runtime_ms": "a count of its life", "uptime_ms": "a count of its life",
    "emergency_remaining_ms": "the switches are told as they are", "soh_permille": "the capacity is told, of the rated",
    "heater_ma": "shown beside the relay", "balance_ma": "shown beside the balancer", "wire_mohm": "shown",
    "cell_min_mv": "the cells are told", "cell_max_mv": "the cells are told",
    "power_mw": "voltage and current are told",
    "sequence": "not told", "state": "not told",
    "charge_phase": "shown", "switch_decic": "tested above: this protocol has a word for it",
    "balancing": "the switch is told", "balance_commanded": "unknown is off",
    **{f"{way}_{what}": "unknown is off" for way in ("charge", "discharge", "precharge", "heater")
       for what in ("allowed", "commanded", "actual")},
}  # fmt: skip
"""What a JK board may tell as a number while it is unknown, and why nobody is misled."""


@pytest.mark.parametrize("name", POINTS)
def test_each_value_that_is_unknown_is_a_failed_board_or_a_stand_in_with_a_reason(bench, name) -> None:
    """S2."""
    bench.publish(**{name: None})
    reply = bench.unit.answer(ModbusRequest(5, 3, struct.pack(">HH", 0x1290, 2)))
    assert (reply[1] == 3) == (name in STAND_INS)


def test_a_snapshot_that_says_nothing_of_alarms_is_a_failed_board(bench) -> None:
    """S2: no list of alarms is not an empty one."""
    publish_snapshot(bench.folder, {"cells": 16, "points": POINTS}, monotonic_ms())
    assert refusal(struct.pack(">HH", 0x12A0, 2), bench, 3) == Refusal.DEVICE


@pytest.mark.parametrize("alarm", alarms.ALARMS, ids=lambda alarm: alarm.name)
def test_an_alarm_that_blocks_a_direction_has_a_bit_in_both_protocols(bench, alarm) -> None:
    bench.publish(alarm.name)
    blocks = bool(alarm.blocks & (Block.CHARGE | Block.DISCHARGE))
    live = int(bench.live()["errors_bitmask"], 16)
    assert not blocks or live
    assert not blocks or bench.story()["fields"][0x8B]
    assert alarm.severity is not Severity.WARNING or not live
    assert live & ~sum(1 << bit for bit, _ in ALARM_BITS) == 0


def test_registers_count_bytes_and_answers_are_contiguous(bench) -> None:
    bench.publish()
    assert bench.map.read(0x1290, 2) == [0, 53_204]
    assert bench.map.read(0x1298, 2) == [0xFFFF, 0x10000 - 12_340]
    assert bench.map.read(0x1202, 1) == [3319]
    assert bench.map.read(0x1200, 17) == [*(3318 + n for n in range(16)), 0]
    assert bench.map.read(0x12A6, 1) == [0 << 8 | 61]
    assert bench.map.read(0x106C, 2) == [0, 16]
    assert (
        bytes(word for pair in bench.map.read(0x1400, 4) for word in pair.to_bytes(2, "big")) == b"bmsd-16S"
    )


def test_any_piece_of_a_block_reads_the_same(bench) -> None:
    bench.publish()
    choice = random.Random(3)
    for start in jk.BLOCKS:
        whole = bench.map.read(start, 125) + bench.map.read(start + 250, (jk.BLOCK_BYTES - 250) // 2)
        for _ in range(50):
            at = choice.randrange(len(whole))
            count = choice.randrange(1, min(125, len(whole) - at) + 1)
            assert bench.map.read(start + 2 * at, count) == whole[at : at + count]


@pytest.mark.parametrize(
    ("address", "count"),
    [
        (0x0FFE, 1),
        (0x0FFE, 2),
        (0x1001, 1),
        (0x1124, 1),
        (0x1122, 2),
        (0x11FE, 2),
        (0x1600, 1),
        (0x1800, 1),
        (0, 1),
    ],
)
def test_what_no_board_has_is_no_address(bench, address, count) -> None:
    bench.publish()
    assert refusal(struct.pack(">HH", address, count), bench, 3) == Refusal.ADDRESS


@pytest.mark.parametrize(
    "register", [*range(0x1600, 0x161C, 2), 0x1622, 0x1624, 0x1000, 0x1070, 0x1078, 0x1470, 0x1202]
)
@pytest.mark.parametrize("words", [1, 2])
def test_no_setting_no_password_and_no_command_is_taken(bench, register, words) -> None:
    """S14: shutdown, change of chemistry, emergency start and switches of a JK tool do nothing."""
    bench.publish()
    body = struct.pack(f">HHB{words}H", register, words, 2 * words, *[1] * words)
    assert refusal(body, bench) == Refusal.ADDRESS
    assert refusal(struct.pack(">HH", register, 1), bench, 6) == Refusal.FUNCTION


def test_a_frame_is_asked_for_with_one_register(bench) -> None:
    bench.publish()
    assert refusal(bytes.fromhex("1620 0002 04 00000000"), bench) == Refusal.VALUE
    assert refusal(bytes.fromhex("1620 0001 03 000000"), bench) == Refusal.VALUE


# --- 4E57 -----------------------------------------------------------------------------------------------------


def test_the_story_is_this_pack(bench) -> None:
    found = bench.publish().story()
    fields = found["fields"]
    assert found["order"] == [row.id for row in story_rows.FIELDS]
    assert found["cell_voltages_V"] == [round(3.318 + n / 1000, 3) for n in range(16)]
    assert (found["voltage_V"], found["current_A"], found["soc_percent"], found["cells"]) == (
        53.2,
        -12.34,
        61,
        16,
    )
    assert (found["mosfet_C"], found["sensor1_C"], found["sensor2_C"]) == (30, -8, 21)
    assert (fields[0xAA], fields[0xB9], fields[0x89], fields[0x87]) == (280, 280, 19_740, 70)
    assert (fields[0x90], fields[0x93], fields[0xA5], fields[0xA6], fields[0xAF]) == (3600, 2700, 0, 5, 0)
    assert (fields[0x8C], fields[0xC0], fields[0xB2], fields[0xB6]) == (0b011, 1, "", 120)
    assert re.fullmatch(r"bmsd_\d+\.\d+\.\d+_*", fields[0xB7])
    assert fields[0xBA]
    assert bench.publish(current_ma=12_340).story()["current_A"] == 12.34


@pytest.mark.parametrize(
    ("decic", "degrees"), [(0, 0), (-10, -1), (-400, -40), (-500, -40), (990, 99), (1000, 100), (1200, 100)]
)
def test_temperatures_of_the_story_are_told_within_their_range(bench, decic, degrees) -> None:
    assert bench.publish(switch_decic=decic).story()["mosfet_C"] == degrees


def command(number: int, identifier: int = 0, transfer: int = 0, extra: bytes = b"") -> bytes:
    inner = bytes(4) + bytes((number, 3, transfer, identifier)) + extra + bytes.fromhex("0000000068")
    body = b"NW" + (len(inner) + 6).to_bytes(2, "big") + inner
    return body + (sum(body) & 0xFFFF).to_bytes(4, "big")


def test_one_field_can_be_asked_for(bench) -> None:
    bench.publish()
    assert command(6) == READ_ALL
    reply = asked(bench.station(), command(3, 0x85))
    assert reply is not None
    assert reply[8:13] == bytes((3, 0, 1, 0x85, 61))
    assert jk_4e57.is_good(reply)
    cells = asked(bench.station(), command(3, 0x79))
    assert cells is not None
    assert cells[11:13] == bytes((0x79, 48))
    everything = asked(bench.station(), command(3))
    assert everything is not None
    assert client.story(everything)["command"] == 3


@pytest.mark.parametrize(
    "frame",
    [command(5, 0, extra=b"123456"), command(5, 0x85), command(2, 0x85), command(2, 0xAB, extra=b"\x00"),
     command(2, 0xBB, extra=b"\x01"), command(1), command(4), command(3, 0xBD), command(6, transfer=1),
     READ_ALL[:-1] + b"\x2a", READ_ALL[:-1], READ_ALL[:3] + b"\x14" + READ_ALL[4:], b"", b"NW",
     with_crc(bytes.fromhex("010310000001"))],
)  # fmt: skip
def test_passwords_writes_and_nonsense_are_met_with_silence(bench, frame) -> None:
    """S14: and the next good request is answered."""
    bench.publish()
    station = bench.station()
    assert asked(station, frame) is None
    station.feed(READ_ALL, 2_000_000)
    assert station.take(2_010_000) is not None


def test_a_request_in_pieces_or_behind_noise_is_answered(bench) -> None:
    bench.publish()
    assert asked(bench.station(), *(bytes((byte,)) for byte in READ_ALL)) is not None
    assert asked(bench.station(), b"\xff\x00NW\x00" + READ_ALL) is not None
    assert asked(bench.station(), READ_ALL[:9], READ_ALL, pause_us=30_000) is not None


def test_after_ten_thousand_random_buffers_the_next_good_request_is_answered(bench) -> None:
    """S9."""
    station, values = bench.station(), JkBoard(bench.publish().pack, 5).values()
    station._values = lambda: values
    choice, now_us = random.Random(13), 0
    for _ in range(10_000):
        station.feed(choice.randbytes(choice.randrange(1, 600)), now_us)
        now_us += choice.randrange(50_000)
        station.take(now_us)
        assert len(station._buffer) <= 512
    now_us += 30_000
    station.feed(READ_ALL, now_us)
    assert station.take(now_us + 5000) is not None


@pytest.mark.parametrize("after", [b"\0", b"\0\0", b"\xff", b"NW", b"NW\x00\x13", bytes(40)])
def test_bytes_after_a_whole_request_of_the_older_protocol_never_spoil_it(bench, after) -> None:
    bench.publish()
    assert asked(bench.station(), READ_ALL + after) is not None
    assert asked(bench.station(), READ_ALL, after) is not None


def test_the_end_of_a_request_of_the_older_protocol_may_come_late(bench) -> None:
    bench.publish()
    station, now_us = bench.station(), 1_000_000
    for at in range(0, len(READ_ALL), 5):
        station.feed(READ_ALL[at : at + 5], now_us)
        now_us += 16_000
        found = station.take(now_us - 10_000)
    assert found is not None


def test_our_own_story_given_back_before_the_next_request_is_passed_over(bench) -> None:
    bench.publish()
    station = bench.station()
    said = asked(station, READ_ALL)
    assert said is not None
    station.feed(said + READ_ALL, 2_000_000)
    assert station.take(2_010_000) == said
