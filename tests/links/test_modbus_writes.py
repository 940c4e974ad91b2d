"""Writes over Modbus as raw bytes: what is carried out, what is refused and how, and that locked means locked."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import pytest

from bmsd.config import pin
from bmsd.config.load import load
from bmsd.errors import PeerError, StaleError
from bmsd.ipc.shared_files import PARAMETERS, WRITES, Publisher, monotonic_ms
from bmsd.links import modbus_writes
from bmsd.links.link import Link
from bmsd.links.modbus_lock import WRITES_PER_HOUR, WRITES_PER_MINUTE, Why
from bmsd.links.modbus_map import OwnMap
from bmsd.links.modbus_pack import MappedPack
from bmsd.links.modbus_rtu import Echo, Framer, ModbusRequest, Refusal, crc_is_good, with_crc
from bmsd.links.modbus_unit import ModbusUnit
from bmsd.links.modbus_writes import Writes
from bmsd.links.snapshots import Snapshots
from bmsd.tables import registers, remote
from tests.support.snapshots import publish_snapshot

EXAMPLE = Path(__file__).resolve().parents[2] / "etc" / "bmsd.toml"
RIGHT = 271_828
OVP = registers.PARAMETERS_AT + 2 * remote.BY_NAME["cell_ovp_mv"].number
SECONDS_OPEN = 600


class Line:
    """One unit that takes writes; the core is played, and remembers what it was asked."""

    def __init__(self, folder: Path) -> None:
        (folder / "bmsd.toml").write_text(EXAMPLE.read_text(encoding="utf-8"))
        self.folder = folder
        self.said: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.refusal: Exception | None = None
        link = Link("modbus", load(folder / "bmsd.toml"), folder)
        link.say = lambda _priority, text: self.said.append(text)  # type: ignore[method-assign]
        self.config = link.config
        self._publisher = Publisher(folder)
        self.publish()
        self._link = link
        self.begin()

    def begin(self) -> None:
        """Start the link, or start it again."""
        writes = Writes(self._link, self._ask)
        self.unit = ModbusUnit([OwnMap(MappedPack(self.config, Snapshots(self.folder), writes), 1)])

    def publish(self, remote_off: tuple[str, ...] = (), seconds_open: int = 0) -> None:
        """Publish what the core does."""
        now_ms = monotonic_ms()
        values = {name: self.config.parameters.get(name) for name in remote.BY_NAME}
        body = {"cells": 16, "points": {}, "alarms": [], "remote_off": list(remote_off)}
        publish_snapshot(self.folder, body, now_ms)
        self._publisher.publish(PARAMETERS, {"values": values}, now_ms)
        until_ms = now_ms + 1000 * seconds_open if seconds_open else 0
        self._publisher.publish(
            WRITES, {"unlocked": {"at_ms": now_ms, "until_ms": until_ms, "link": ""}}, now_ms
        )

    def _ask(self, _folder: Path, request: dict[str, Any], _timeout_s: float) -> dict[str, Any]:
        self.asked.append(request)
        if self.refusal:
            raise self.refusal
        return {"ok": True}

    def raw(self, function: int, body: bytes) -> bytes:
        answer = self.unit.answer(ModbusRequest(1, function, body))
        assert answer is not None
        assert crc_is_good(answer)
        return answer[1:-2]

    def write(self, address: int, *values: int) -> bytes:
        """Write registers with function 16."""
        return self.raw(
            16, struct.pack(f">HHB{len(values)}H", address, len(values), 2 * len(values), *values)
        )

    def write_one(self, address: int, value: int) -> bytes:
        """Write one register with function 06."""
        return self.raw(6, struct.pack(">HH", address, value))

    def read(self, address: int, count: int = 1) -> list[int]:
        answer = self.raw(3, struct.pack(">HH", address, count))
        return list(struct.unpack(f">{count}H", answer[2:]))

    def try_pin(self, number: int) -> bytes:
        return self.write(registers.PIN_AT, *divmod(number, 1 << 16))


@pytest.fixture
def line(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(modbus_writes, "time", clock)  # its wait for the core to publish takes no time
    return Line(tmp_path)


@pytest.fixture
def opened(line):
    line.publish(seconds_open=SECONDS_OPEN)
    return line


@pytest.fixture
def with_pin(line, tmp_path):
    pin.write(pin.path_beside(tmp_path / "bmsd.toml"), RIGHT)
    return line


def refused(function: int, code: Refusal) -> bytes:
    return bytes((function | 0x80, code))


def done(address: int, count: int) -> bytes:
    return struct.pack(">BHH", 16, address, count)


def why(line: Line) -> Why:
    return Why(line.read(603)[0])


@pytest.mark.fault_class(12, "alone")
def test_ten_thousand_random_writes_change_nothing_while_it_is_locked(line) -> None:
    """S14: whatever the bytes, nothing reaches the core, and the line answers on."""
    rng = random.Random(6)
    near = (registers.PIN_AT, registers.LOCK_AT, registers.SWITCHES_AT, OVP, registers.PARAMETERS_AT, 0, 100)
    for _ in range(10_000):
        function = rng.choice((5, 6, 15, 16))
        address = rng.choice((rng.randrange(65_536), rng.choice(near) + rng.randrange(4)))
        count = rng.randrange(1, 124)
        if function in (5, 6):
            body = struct.pack(">HH", address, rng.choice((0, 1, 0xFF00, rng.randrange(65_536))))
        else:
            data = rng.randbytes(2 * count if rng.random() < 0.9 else rng.randrange(200))
            body = struct.pack(">HHB", address, count, len(data) & 0xFF) + data
        line.unit.answer(ModbusRequest(1, function, body))
        assert line.asked == []
    assert line.read(600) == [1]
    assert line.read(registers.PARAMETERS_AT, 2) == [0, line.config.parameters.cell_ovp_mv]


def test_a_line_without_writes_refuses_the_function(line) -> None:
    line.unit = ModbusUnit([OwnMap(MappedPack(line.config, Snapshots(line.config.path.parent)), 1)])
    assert line.write_one(registers.SWITCHES_AT, 0) == refused(6, Refusal.FUNCTION)
    assert line.write(registers.SWITCHES_AT, 0) == refused(16, Refusal.FUNCTION)
    assert line.read(600) == [0]


def test_locked_is_no_address_and_the_registers_say_why(line) -> None:
    """S14."""
    assert line.write_one(registers.SWITCHES_AT, 0) == refused(6, Refusal.ADDRESS)
    assert line.write(OVP, 0, 3500) == refused(16, Refusal.ADDRESS)
    assert line.asked == []
    assert why(line) is Why.LOCKED
    assert line.read(604, 4) == [0, 0, 0, 2]
    assert line.said == [
        "write by modbus unit 1 at 700 refused: writes are locked",
        f"write by modbus unit 1 at {OVP} refused: writes are locked",
    ]


def test_a_switch_goes_to_the_core_with_who_asked(opened) -> None:
    """S14: as a remote request, which the core narrows."""
    opened.publish(("charge",), SECONDS_OPEN)
    assert opened.write_one(registers.SWITCHES_AT, 0) == struct.pack(">BHH", 6, registers.SWITCHES_AT, 0)
    assert opened.asked == [{"do": "switch", "name": "charge", "on": False, "remote": "modbus unit 1"}]
    assert opened.said == ["write by modbus unit 1: charge off"]
    assert opened.read(registers.SWITCHES_AT, 3) == [0, 1, 1]
    assert opened.read(604, 2) == [0, 1]


def test_several_switches_are_switched_off_before_others_are_given_back(opened) -> None:
    assert opened.write(registers.SWITCHES_AT, 1, 1, 0) == done(registers.SWITCHES_AT, 3)
    assert [(one["name"], one["on"]) for one in opened.asked] == [
        ("balance", False), ("charge", True), ("discharge", True),
    ]  # fmt: skip


def test_parameters_of_one_write_are_one_set(opened) -> None:
    """S8: what is left out stays; a negative value is one."""
    numbers = [remote.BY_NAME[name].number for name in ("cell_ovp_mv", "cell_ovpr_mv", "cell_ovp_delay_ms")]
    assert numbers == [numbers[0] + n for n in range(3)]
    assert opened.write(OVP, 0, 3550, 0x8000, 0, 0xFFFF, 0xFF9C) == done(OVP, 6)
    values = {"cell_ovp_mv": 3550, "cell_ovp_delay_ms": -100}
    assert opened.asked == [{"do": "set", "values": values, "remote": "modbus unit 1"}]


def test_a_write_that_leaves_everything_as_it_is_asks_nothing(opened) -> None:
    assert opened.write(OVP, 0x8000, 0) == done(OVP, 2)
    assert opened.asked == []


WRONG = (
    ((OVP, 3550), Refusal.ADDRESS),
    ((OVP + 1, 3550), Refusal.ADDRESS),
    ((OVP + 1, 0, 3550), Refusal.ADDRESS),
    ((OVP, 0, 3550, 0), Refusal.ADDRESS),
    ((registers.PARAMETERS_AT + registers.PARAMETERS_LENGTH, 0, 1), Refusal.ADDRESS),
    ((registers.PARAMETERS_AT - 2, 0, 1), Refusal.ADDRESS),
    ((registers.SWITCHES_AT, 2), Refusal.VALUE),
    ((registers.SWITCHES_AT, 0xFFFF), Refusal.VALUE),
    ((registers.SWITCHES_AT, 0, 0, 0, 0), Refusal.ADDRESS),
    ((registers.SWITCHES_AT + 3, 0), Refusal.ADDRESS),
    ((registers.SWITCHES_AT - 1, 0), Refusal.ADDRESS),
    ((0, 2), Refusal.ADDRESS),
    ((102, 1), Refusal.ADDRESS),
    ((registers.LOCK_AT, 2), Refusal.ADDRESS),
    ((registers.LOCK_AT, 1, 1), Refusal.ADDRESS),
    ((40_000, 1), Refusal.ADDRESS),
    ((65_535, 1), Refusal.ADDRESS),
)


@pytest.mark.parametrize(("written", "code"), WRONG, ids=[str(row[0]) for row in WRONG])
def test_what_is_no_order_is_refused_while_unlocked(opened, written, code) -> None:
    """S8, S14."""
    assert opened.write(*written) == refused(16, code)
    assert opened.asked == []


@pytest.mark.parametrize(
    ("error", "code", "kept"),
    [
        (PeerError("out of order"), Refusal.VALUE, Why.REFUSED),
        (StaleError("nobody listens"), Refusal.DEVICE, Why.NO_CORE),
    ],
)
def test_what_the_core_says_reaches_master_and_journal(opened, error, code, kept) -> None:
    """S8, S7."""
    opened.refusal = error
    assert opened.write(OVP, 0, 3550) == refused(16, code)
    assert why(opened) is kept
    assert opened.said == [f"write by modbus unit 1 at {OVP} refused: {error}"]


def test_the_pin_unlocks_and_the_lock_order_locks(with_pin) -> None:
    """S14."""
    assert with_pin.try_pin(RIGHT) == done(registers.PIN_AT, 2)
    assert with_pin.read(600) == [2]
    assert 295 <= with_pin.read(601)[0] <= 300
    assert with_pin.read(registers.PIN_AT, 2) == [0xFFFF, 0xFFFF], "it is never told"
    assert with_pin.write_one(registers.SWITCHES_AT, 0)[0] == 6
    assert with_pin.write_one(registers.LOCK_AT, 1)[0] == 6
    assert with_pin.write_one(registers.SWITCHES_AT, 0) == refused(6, Refusal.ADDRESS)
    assert len(with_pin.asked) == 1
    assert not any(str(RIGHT) in text for text in with_pin.said), "the journal is no place for a PIN"


def test_the_fifth_wrong_pin_locks_out_and_then_the_right_one_does_not_help(with_pin, clock) -> None:
    """S14."""
    for _ in range(4):
        assert with_pin.try_pin(RIGHT + 1) == refused(16, Refusal.VALUE)
    assert with_pin.try_pin(RIGHT + 1) == refused(16, Refusal.ADDRESS)
    assert with_pin.try_pin(RIGHT) == refused(16, Refusal.ADDRESS)
    assert with_pin.read(600) == [3]
    assert 890 <= with_pin.read(602)[0] <= 900
    clock.sleep(1)
    with_pin.publish(seconds_open=SECONDS_OPEN)
    assert with_pin.read(600) == [2], "somebody at the pack"


def test_a_link_that_starts_anew_gives_nobody_new_tries(with_pin, clock) -> None:
    """S14."""
    for _ in range(4):
        assert with_pin.try_pin(RIGHT + 1) == refused(16, Refusal.VALUE)
        with_pin.begin()
    assert with_pin.try_pin(RIGHT + 1) == refused(16, Refusal.ADDRESS)
    with_pin.begin()
    assert with_pin.read(600) == [3]
    assert with_pin.try_pin(RIGHT) == refused(16, Refusal.ADDRESS)
    clock.sleep(800)
    with_pin.begin()
    assert 90 <= with_pin.read(602)[0] <= 100, "no longer than it was"
    with_pin.publish(seconds_open=SECONDS_OPEN)
    assert with_pin.read(600) == [2]
    with_pin.publish()
    with_pin.begin()
    assert with_pin.read(600) == [1], "somebody at the pack ended it"


def test_a_link_that_starts_anew_is_locked(with_pin) -> None:
    """S14."""
    assert with_pin.try_pin(RIGHT) == done(registers.PIN_AT, 2)
    with_pin.begin()
    assert with_pin.read(600) == [1]


@pytest.mark.parametrize(
    "text", ["", "{", '{"schema": 1, "failures": null}', '{"failures": "x", "out_until_ms": []}']
)
def test_a_memory_that_cannot_be_read_is_none(with_pin, text) -> None:
    (with_pin.folder / "lock-modbus.json").write_text(text)
    with_pin.begin()
    assert with_pin.read(600) == [1]
    assert with_pin.try_pin(RIGHT) == done(registers.PIN_AT, 2)


@pytest.mark.parametrize("number", [0, 1234, 123_456, 0xFFFF_FFFF])
def test_without_a_pin_nothing_unlocks(line, number) -> None:
    """S14: there is no default, and those of JK boards are not taken."""
    assert line.try_pin(number) == refused(16, Refusal.VALUE)
    assert why(line) is Why.NO_PIN
    assert line.read(600) == [1]


def test_half_a_pin_is_none(with_pin) -> None:
    assert with_pin.write_one(registers.PIN_AT, RIGHT >> 16) == refused(6, Refusal.ADDRESS)
    assert with_pin.write_one(registers.PIN_AT + 1, RIGHT & 0xFFFF) == refused(6, Refusal.ADDRESS)
    assert with_pin.read(600) == [1]


@pytest.mark.fault_class(12, "alone")
def test_a_flood_of_writes_is_busy_and_ends_in_few_lines(opened) -> None:
    """S9: neither the core nor the journal is flooded."""
    answers = [opened.write_one(registers.SWITCHES_AT, 1) for _ in range(200)]
    assert (
        answers[:WRITES_PER_MINUTE] == [struct.pack(">BHH", 6, registers.SWITCHES_AT, 1)] * WRITES_PER_MINUTE
    )
    assert set(answers[WRITES_PER_MINUTE:]) == {refused(6, Refusal.BUSY)}
    assert len(opened.asked) == WRITES_PER_MINUTE
    assert len(opened.said) <= 3 * WRITES_PER_MINUTE


ANYTHING = {
    "lock": (registers.LOCK_AT, 1), "wrong lock": (registers.LOCK_AT, 2), "pin": (registers.PIN_AT, 1, 2),
    "switch on": (registers.SWITCHES_AT, 1), "switch off": (registers.SWITCHES_AT, 0), "parameter": (OVP, 0, 3550),
    "nowhere": (5, 5), "half": (OVP, 1), "beyond": (registers.PARAMETERS_AT - 2, 0, 0),
}  # fmt: skip


@pytest.mark.fault_class(12, "alone")
@pytest.mark.parametrize("state", ["locked", "unlocked", "pin"])
@pytest.mark.parametrize("written", [*ANYTHING.values(), None], ids=[*ANYTHING, "all of them in turn"])
def test_whatever_is_written_for_hours_ends_in_a_bounded_number_of_lines_and_requests(
    line, tmp_path, clock, state, written
) -> None:
    """S9: neither journal nor card is filled from the line."""
    if state == "pin":
        pin.write(pin.path_beside(tmp_path / "bmsd.toml"), RIGHT)
    if state == "unlocked":
        line.publish(seconds_open=24 * 3600)
    for hour in range(2):
        for n in range(150):
            line.write(*(written or list(ANYTHING.values())[n % len(ANYTHING)]))
            if state == "pin" and n % 50 == 0:
                line.try_pin(RIGHT)
            clock.sleep(24)
        assert len(line.said) <= 3 * WRITES_PER_HOUR * (hour + 2)
        assert len(line.asked) <= WRITES_PER_HOUR * (hour + 2)


def test_the_lock_order_is_told_when_it_locks_something(opened) -> None:
    answers = {opened.write_one(registers.LOCK_AT, 1) for _ in range(5000)}
    assert answers == {struct.pack(">BHH", 6, registers.LOCK_AT, 1)}
    assert opened.said == ["writes locked by modbus unit 1"]


def test_a_door_of_another_link_or_of_another_boot_opens_nothing(line, tmp_path, monkeypatch) -> None:
    """S14, S11."""
    now_ms = monotonic_ms()
    unlocked = {"at_ms": now_ms, "until_ms": now_ms + 60_000, "link": "modbus@garage"}
    Publisher(tmp_path).publish(WRITES, {"unlocked": unlocked}, now_ms)
    assert line.read(600) == [1]
    line.publish(seconds_open=SECONDS_OPEN)
    monkeypatch.setattr("bmsd.links.snapshots.boot_id", lambda: "another")
    assert line.write_one(registers.SWITCHES_AT, 0) == refused(6, Refusal.ADDRESS)


def test_a_broadcast_write_is_dropped_and_counted() -> None:
    """S14: nobody answers for a broadcast, so nobody may order with one."""
    framer = Framer((1,), 115_200)
    framer.feed(with_crc(bytes.fromhex("0006 02BC 0000")), 1_000_000)
    assert framer.take(1_010_000) is None
    assert framer.foreign == 1


def test_an_adapter_that_gives_back_what_is_sent_gives_no_order() -> None:
    """The acknowledgement of function 06 is the order again, and would go round for ever."""
    order = ModbusRequest(1, 6, bytes.fromhex("02BC0000"))
    echo = Echo(115_200)
    assert not echo.is_one(order, 0)
    echo.answered(order, 1000)
    assert echo.is_one(order, 3000)
    assert not echo.is_one(order, 4000), "once"
    echo.answered(order, 1000)
    assert not echo.is_one(order, 1_000_000), "a master that repeats it later means it"
    echo.answered(order, 1000)
    assert not echo.is_one(ModbusRequest(1, 6, bytes.fromhex("02BC0001")), 3000)
    read = ModbusRequest(1, 3, bytes.fromhex("00640002"))
    echo.answered(read, 1000)
    assert not echo.is_one(read, 3000)
