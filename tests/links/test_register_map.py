"""The register map: addresses that never move, unknown values that are never numbers, one snapshot per answer."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import pytest

from bmsd.config.load import load
from bmsd.core import changes
from bmsd.ipc import shared_files
from bmsd.ipc.shared_files import monotonic_ms
from bmsd.links.modbus_map import OwnMap
from bmsd.links.modbus_pack import MappedPack
from bmsd.links.modbus_rtu import Refusal, RefusedError
from bmsd.links.snapshots import Snapshots
from bmsd.tables import alarms, points, registers
from bmsd.tables.registers import BLOCKS, REGISTERS, S16, S32, U16, U32
from tests.support.locks import assert_frozen
from tests.support.snapshots import publish_snapshot

pytestmark = pytest.mark.usefixtures("clock")
LOCK = Path(__file__).parent / "registers.lock.json"
EXAMPLE = Path(__file__).resolve().parents[2] / "etc" / "bmsd.toml"
POINTS = {
    "sequence": 65_536, "state": "charging", "pack_mv": 53_204, "current_ma": -12_300, "soc_permille": 605,
    "cell_mv": [3300 + n for n in range(16)], "battery_decic": [-85, 210], "switch_decic": None,
    "charge_allowed": True, "charge_actual": None, "balancing": [True, False, True] + [False] * 13,
    "wire_mohm": [12] * 16, "bus_errors": 70_000,
}  # fmt: skip


class Clock:
    def __init__(self, folder: Path) -> None:
        self.map = OwnMap(MappedPack(load(EXAMPLE), Snapshots(folder)), 1)
        self._folder = folder

    def publish(self, age_ms: int = 0, alarms_=(), **changed) -> None:
        body = {"cells": 16, "simulated": True, "points": {**POINTS, **changed}, "alarms": list(alarms_)}
        publish_snapshot(self._folder, body, monotonic_ms() - age_ms)


@pytest.fixture
def pack(tmp_path):
    return Clock(tmp_path)


def test_every_register_stands_where_it_stood() -> None:
    """A changed line here breaks every master in the field: add registers, never move them."""
    rows = [
        [r.address, r.point, r.index, r.word.name, r.numerator, r.denominator]
        for r in sorted(REGISTERS, key=lambda r: r.address)
    ]
    assert_frozen(rows, LOCK)


def test_no_two_registers_share_an_address_and_all_are_in_a_block() -> None:
    used = [r.address + n for r in REGISTERS for n in range(r.word.words)]
    assert len(used) == len(set(used))
    for register in REGISTERS:
        assert registers.block_of(register.address, register.word.words), register


def test_blocks_are_apart_and_each_fits_one_request() -> None:
    spans = sorted((block.start, block.start + block.length) for block in BLOCKS)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(block.length <= 125 for block in BLOCKS)
    assert all(block.start % 100 == 0 for block in BLOCKS)


def test_every_point_is_in_the_map_and_every_register_is_a_point() -> None:
    used = {register.point for register in REGISTERS}
    known = {point.name for point in points.POINTS}
    assert used - known <= set(registers.DERIVED)
    assert set(registers.DERIVED) <= used
    # These two are served in another form: as counter and as mask.
    assert known - used == {"sequence", "balancing"}


def test_there_is_room_for_every_alarm_code_and_every_state() -> None:
    assert max(alarm.code for alarm in alarms.ALARMS) < 16 * registers.ALARM_WORDS
    source = Path(changes.__file__).read_text()
    assert all(f'"{word}"' in source for word in registers.STATES)


@pytest.mark.parametrize(
    ("word", "value", "expected"),
    [
        (U16, None, [0xFFFF]), (U16, 0, [0]), (U16, -1, [0]), (U16, 0xFFFE, [0xFFFE]),
        (U16, 0xFFFF, [0xFFFE]), (U16, 10**9, [0xFFFE]),
        (S16, None, [0x8000]), (S16, -1, [0xFFFF]), (S16, -32_767, [0x8001]), (S16, -32_768, [0x8001]),
        (S16, 32_767, [0x7FFF]), (S16, 32_768, [0x7FFF]),
        (U32, None, [0xFFFF, 0xFFFF]), (U32, 0x0001_0002, [1, 2]), (U32, 1 << 40, [0xFFFF, 0xFFFE]),
        (S32, None, [0x8000, 0]), (S32, -12_300, [0xFFFF, 0xCFF4]), (S32, -(1 << 40), [0x8000, 1]),
    ],
)  # fmt: skip
def test_a_value_is_clamped_and_the_unknown_one_is_never_a_number(word, value, expected) -> None:
    """S2."""
    assert word.encode(value) == expected


def test_the_live_block_is_one_snapshot_from_end_to_end(pack) -> None:
    pack.publish()
    live = pack.map.read(100, 125)
    assert live[0] == live[124] == 65_536 % 65_535
    assert live[1] == registers.STATES["charging"]
    assert live[2] == 1
    assert live[8] == 5320
    assert live[9:11] == [0xFFFF, 0xCFF4]
    assert live[13] == 605
    assert live[69:71] == [0, 0b101]
    assert live[80:96] == [3300 + n for n in range(16)]
    assert live[96:112] == [0xFFFF] * 16
    assert live[72:75] == [0x10000 - 85, 210, 0x8000]


def test_unknown_points_read_as_unknown(pack) -> None:
    """S2: unknown flags, numbers, lists and words."""
    pack.publish(pack_mv=None, state="dancing", cell_mv=None, balancing=[None] * 16, charge_allowed=None)
    live = pack.map.read(100, 125)
    assert live[8] == live[1] == live[2] == live[80] == live[41] == 0xFFFF
    assert live[69:72] == [0xFFFF, 0xFFFF, 0x8000]


def test_an_address_without_a_row_reads_as_unknown(pack) -> None:
    pack.publish()
    assert pack.map.read(213, 11) == [0xFFFF] * 11


@pytest.mark.parametrize("alarm", alarms.ALARMS, ids=lambda alarm: alarm.name)
def test_each_alarm_is_the_bit_of_its_code(pack, alarm) -> None:
    pack.publish(alarms_=[{"name": alarm.name, "latched": True}, {"name": "from a newer core"}])
    for start in (147, 155):
        bits = pack.map.read(start, 8)
        assert bits[alarm.code // 16] == 1 << alarm.code % 16
        assert sum(map(bool, bits)) == 1


def test_a_latched_alarm_is_told_apart(pack) -> None:
    pack.publish(alarms_=[{"name": "cell_ovp", "latched": False}])
    assert pack.map.read(147, 1) == [2]
    assert pack.map.read(155, 1) == [0]


@pytest.mark.parametrize(("address", "count"), [(20, 1), (99, 1), (99, 2), (100, 126), (224, 2), (65_535, 1)])
def test_what_is_not_in_one_block_is_no_address(pack, address, count) -> None:
    pack.publish()
    with pytest.raises(RefusedError) as refused:
        pack.map.read(address, count)
    assert refused.value.code is Refusal.ADDRESS


def test_old_data_is_refused_and_its_age_told(pack) -> None:
    """S7."""
    pack.publish(age_ms=shared_files.FRESH_MS + 100)
    with pytest.raises(RefusedError) as refused:
        pack.map.read(100, 1)
    assert refused.value.code is Refusal.DEVICE
    status = pack.map.read(0, 20)
    assert status[:2] == [registers.LAYOUT_VERSION, registers.CORE_OLD]
    assert shared_files.FRESH_MS < status[3] < shared_files.FRESH_MS + 1000


def test_data_that_turns_old_without_a_new_file_is_refused_too(pack, monkeypatch) -> None:
    """S7: what was laid out while it was present is not served when it no longer is."""
    pack.publish()
    pack.map.read(100, 1)
    later_ms = monotonic_ms() + shared_files.FRESH_MS + 1
    monkeypatch.setattr("bmsd.links.modbus_pack.monotonic_ms", lambda: later_ms)
    with pytest.raises(RefusedError):
        pack.map.read(100, 1)


@pytest.mark.parametrize("text", ["", "{", "bmsd", '{"schema": 1, "points": 3, "at_ms": 1}'])
def test_no_or_broken_data_is_absent(pack, tmp_path, text) -> None:
    """S7."""
    if text:
        (tmp_path / "snapshot").write_text(text)
    assert pack.map.read(1, 3) == [registers.CORE_ABSENT, 0xFFFF, 0xFFFF]
    with pytest.raises(RefusedError):
        pack.map.read(100, 1)


def test_a_snapshot_of_another_boot_is_absent(pack, monkeypatch) -> None:
    """S7, S11: monotonic times of another boot mean nothing."""
    pack.publish()
    monkeypatch.setattr("bmsd.links.snapshots.boot_id", lambda: "another")
    assert pack.map.read(1, 1) == [registers.CORE_ABSENT]


def test_a_new_snapshot_is_seen_at_the_next_request(pack) -> None:
    for soc in range(50):
        pack.publish(soc_permille=soc)
        assert pack.map.read(113, 1) == [soc]


def test_a_number_of_two_registers_is_never_half_old(pack) -> None:
    """One request is answered from one snapshot, however fast they come."""
    before, after = 0x1_FFFF, 0x2_0000
    end = threading.Event()

    def publish() -> None:
        while not end.is_set():
            pack.publish(cycles_milli=before)
            pack.publish(cycles_milli=after)

    pack.publish(cycles_milli=before)
    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    try:
        seen = {tuple(pack.map.read(121, 2)) for _ in range(2000)}
    finally:
        end.set()
        thread.join()
    assert seen == {(1, 0xFFFF), (2, 0)}


def test_a_snapshot_published_since_the_clock_was_read_is_new(pack, monkeypatch) -> None:
    """S7: a reader that was held up between clock and file does not take the newest data for old."""
    pack.publish(age_ms=1)
    earlier_ms = monotonic_ms() - 5
    assert pack.map._pack.snapshots.fresh(earlier_ms) is not None
    monkeypatch.setattr("bmsd.links.modbus_pack.monotonic_ms", lambda: earlier_ms)
    assert pack.map.read(100, 1)
    monkeypatch.setattr("bmsd.links.modbus_map.monotonic_ms", monotonic_ms)
    assert pack.map.read(1, 1) == [registers.CORE_FRESH]


def test_a_snapshot_from_the_future_is_not_believed(pack) -> None:
    """S7, S11."""
    pack.publish(age_ms=-5000)
    assert pack.map._pack.snapshots.fresh(monotonic_ms()) is None
    with pytest.raises(RefusedError):
        pack.map.read(100, 1)
