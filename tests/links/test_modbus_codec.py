"""The Modbus slave codec on raw bytes: what is answered, what is refused, and what is met with silence."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmsd.links.modbus_rtu import (
    LONGEST_FRAME,
    Framer,
    ModbusRequest,
    Refusal,
    RefusedError,
    RegisterAccess,
    crc16,
    crc_is_good,
    order_of,
    silence_us,
    with_crc,
)
from bmsd.links.modbus_unit import ModbusUnit

BAUD = 115_200
GOOD = with_crc(bytes.fromhex("010300640002"))
"""Unit 1, function 03, two registers from 100."""
OTHER = with_crc(bytes.fromhex("090300640002"))
OTHERS_REPLY = with_crc(bytes.fromhex("09030400010001"))


class Line:
    """A line on which time passes only as told; collects what the slave says."""

    def __init__(self, units: tuple[int, ...] = (1,), baudrate: int = BAUD) -> None:
        self.framer = Framer(units, baudrate)
        self.units = {unit: ModbusUnit([Registers()]) for unit in units}
        self.now_us = 1_000_000
        self.said: list[bytes] = []

    def sent(self, data: bytes, pause_us: int = 5000) -> Line:
        self.framer.feed(data, self.now_us)
        self.now_us += pause_us
        while (due_us := self.framer.due_us()) is not None and due_us <= self.now_us:
            if request := self.framer.take(self.now_us):
                reply = self.units[request.unit].answer(request)
                self.said += [] if reply is None else [reply]
        return self


class Registers:
    """A map of its own addresses."""

    functions = (3, 4)

    def __init__(self, start: int = 0) -> None:
        self._start = start

    def read(self, address: int, count: int) -> list[int]:
        if address == 13:
            raise RefusedError(Refusal.DEVICE)
        if not self._start <= address <= address + count <= self._start + 1000:
            raise RefusedError(Refusal.ADDRESS)
        return [(address + n) & 0xFFFF for n in range(count)]


REPLY = with_crc(bytes.fromhex("010304 0064 0065".replace(" ", "")))


def exception(function: int, code: int, unit: int = 1) -> bytes:
    return with_crc(bytes((unit, function | 0x80, code)))


def read(address: int, count: int, function: int = 3, unit: int = 1) -> bytes:
    return with_crc(struct.pack(">BBHH", unit, function, address, count))


def test_the_checksum_is_the_one_of_the_standard() -> None:
    assert crc16(b"123456789") == 0x4B37
    assert GOOD[-2:] == struct.pack("<H", crc16(GOOD[:-2]))


@pytest.mark.parametrize("function", [3, 4])
def test_a_read_is_answered(function) -> None:
    assert Line().sent(read(100, 2, function)).said == [with_crc(bytes((1, function)) + REPLY[2:-2])]


@pytest.mark.parametrize("count", [1, 125])
def test_the_least_and_the_most_registers_are_given(count) -> None:
    (reply,) = Line().sent(read(0, count)).said
    assert len(reply) == 5 + 2 * count
    assert reply[2] == 2 * count
    assert crc_is_good(reply)


@pytest.mark.parametrize("count", [0, 126, 65535])
def test_too_few_and_too_many_registers_are_refused_as_values(count) -> None:
    assert Line().sent(read(0, count)).said == [exception(3, 3)]


def test_an_address_that_is_not_there_is_refused() -> None:
    assert Line().sent(read(999, 2)).said == [exception(3, 2)]


def test_what_cannot_be_told_now_is_a_device_failure() -> None:
    assert Line().sent(read(13, 1, 4)).said == [exception(4, 4)]


@pytest.mark.fault_class(12, "alone")
@pytest.mark.parametrize("function", [1, 2, 5, 6, 7, 8, 15, 16, 17, 22, 23, 24, 43, 0x41, 0x7F])
def test_any_other_function_is_refused_as_a_function(function) -> None:
    frame = with_crc(bytes((1, function)) + bytes.fromhex("00640001"))
    assert Line().sent(frame).said == [exception(function, 1)]


@pytest.mark.fault_class(12, "alone")
def test_a_write_of_many_registers_is_refused_also_with_a_wrong_byte_count() -> None:
    right = with_crc(bytes.fromhex("01100064000204 00010002".replace(" ", "")))
    wrong = with_crc(bytes.fromhex("011000640002FF 00010002".replace(" ", "")))
    assert Line().sent(right).sent(wrong).sent(GOOD).said == [exception(16, 1)] * 2 + [REPLY]


@pytest.mark.parametrize("frame", [OTHER, with_crc(bytes.fromhex("0900")), read(0, 126, unit=9)])
def test_another_unit_is_never_answered(frame) -> None:
    line = Line().sent(frame)
    assert line.said == []
    assert line.sent(GOOD).said == [REPLY]


@pytest.mark.parametrize("frame", [read(100, 2, unit=0), with_crc(bytes.fromhex("000600640001"))])
def test_a_broadcast_is_never_answered(frame) -> None:
    assert Line().sent(frame).sent(GOOD).said == [REPLY]


def test_several_units_on_one_line_are_all_answered_and_no_other() -> None:
    line = Line((1, 7))
    seven = [with_crc(bytes((7,)) + REPLY[1:-2])]
    assert line.sent(read(100, 2, unit=7)).said == seven
    assert line.sent(read(100, 2, unit=9)).sent(read(100, 2, unit=0)).said == seven
    assert line.sent(GOOD).said[1:] == [REPLY]


def test_maps_under_one_unit_stand_side_by_side() -> None:
    """An address that one map does not have is looked for in the next; another refusal is the answer."""
    unit = ModbusUnit([Registers(), Registers(40_000)])
    request = ModbusRequest(1, 3, struct.pack(">HH", 40_001, 1))
    assert unit.answer(request) == with_crc(bytes.fromhex("0103029C41"))
    assert unit.answer(ModbusRequest(1, 3, struct.pack(">HH", 20_000, 1))) == exception(3, 2)
    assert unit.answer(ModbusRequest(1, 3, struct.pack(">HH", 13, 1))) == exception(3, 4)


GOOD_ORDERS = (
    (3, "0064007D", RegisterAccess(100, 125)),
    (4, "00640001", RegisterAccess(100, 1)),
    (5, "0064FF00", RegisterAccess(100, 1, (1,))),
    (5, "00640000", RegisterAccess(100, 1, (0,))),
    (6, "0064ABCD", RegisterAccess(100, 1, (0xABCD,))),
    (15, "00640009020501", RegisterAccess(100, 9, (1, 0, 1, 0, 0, 0, 0, 0, 1))),
    (16, "006400020400010002", RegisterAccess(100, 2, (1, 2))),
    (16, "0064007BF6" + "0007" * 123, RegisterAccess(100, 123, (7,) * 123)),
)
NO_ORDERS = (
    (3, "00640000"), (3, "0064007E"), (5, "00640001"), (5, "0064FF01"), (15, "0064000000"), (15, "006400090105"),
    (15, "00640009030501FF"), (15, "006407B1F7" + "00" * 247), (16, "0064000000"), (16, "00640002040001"),
    (16, "0064000205000100020000"), (16, "006400020300010002"), (16, "0064007CF8" + "0007" * 124),
    (16, "0064FFFF020001"), (16, ""), (16, "006400"),
)  # fmt: skip


@pytest.mark.parametrize(("function", "body", "order"), GOOD_ORDERS)
def test_an_order_is_read_as_it_is_written(function, body, order) -> None:
    assert order_of(ModbusRequest(1, function, bytes.fromhex(body))) == order


@pytest.mark.parametrize(("function", "body"), NO_ORDERS)
def test_an_order_that_makes_no_sense_is_refused_as_a_value(function, body) -> None:
    with pytest.raises(RefusedError) as refused:
        order_of(ModbusRequest(1, function, bytes.fromhex(body)))
    assert refused.value.code is Refusal.VALUE


@pytest.mark.parametrize(("function", "body"), [(15, "00640009"), (16, "00640002"), (3, "0401020304")])
def test_our_own_acknowledgement_echoed_is_no_order(function, body) -> None:
    assert order_of(ModbusRequest(1, function, bytes.fromhex(body))) is None


def test_a_write_glued_to_garbage_is_never_taken() -> None:
    """S14: in other traffic some bytes will one day look like one; only a frame between silences is believed."""
    write = with_crc(bytes.fromhex("010600640001"))
    assert Line().sent(b"\x00" + write).said == []
    assert Line().sent(write).said == [exception(6, 1)]


def test_what_is_left_of_too_much_garbage_is_never_a_whole_frame() -> None:
    """S14: also where exactly the longest frame stands at its end."""
    write = with_crc(bytes.fromhex("0110 0064 007B F6") + bytes(247))
    assert len(write) == LONGEST_FRAME
    assert Line().sent(write).said == [exception(16, 1)]
    assert Line().sent(b"\x00" * 300, 100).sent(write).said == []


def test_a_bad_checksum_is_met_with_silence() -> None:
    bad = GOOD[:-1] + bytes((GOOD[-1] ^ 1,))
    assert Line().sent(bad).said == []
    assert Line().sent(bad).sent(GOOD).said == [REPLY]


@pytest.mark.parametrize("pause_us", [2000, 5000, 25_000, 500_000])
def test_a_good_frame_after_half_a_frame_is_answered(pause_us) -> None:
    assert Line().sent(GOOD[:5], pause_us).sent(GOOD).said == [REPLY]


def test_half_a_header_that_promises_255_bytes_costs_nothing() -> None:
    line = Line().sent(bytes.fromhex("011000640002FF"), 500_000)
    assert line.sent(GOOD).sent(GOOD).said == [REPLY, REPLY]


@pytest.mark.parametrize("garbage", [b"\x00", b"\x01\x03", b"\xff" * 300, GOOD[:7], bytes(range(256)) * 4])
def test_a_good_frame_glued_to_garbage_is_answered(garbage) -> None:
    line = Line().sent(garbage + GOOD)
    assert line.said == [REPLY]
    assert line.framer.garbage == len(garbage)


@pytest.mark.parametrize("pause_us", [200, 5000, 16_000])
def test_a_frame_in_pieces_is_one_frame(pause_us) -> None:
    line = Line()
    for byte in GOOD[:-1]:
        line.sent(bytes((byte,)), pause_us)
    assert line.said == []
    assert line.sent(GOOD[-1:]).said == [REPLY]


def test_another_slaves_request_and_reply_are_passed_over() -> None:
    apart = Line().sent(OTHER).sent(OTHERS_REPLY).sent(GOOD)
    assert apart.said == [REPLY]
    assert apart.framer.foreign == 2
    assert Line().sent(OTHER + OTHERS_REPLY + GOOD).said == [REPLY]
    assert Line().sent(OTHER + OTHERS_REPLY).sent(GOOD).said == [REPLY]


def test_thirty_polls_beside_another_slave_are_all_answered() -> None:
    line = Line()
    for _ in range(30):
        line.sent(OTHER, 3000).sent(OTHERS_REPLY, 3000).sent(GOOD, 3000)
    assert line.said == [REPLY] * 30


def test_two_frames_five_milliseconds_apart_are_two_requests() -> None:
    assert Line().sent(GOOD, 5000).sent(read(100, 1), 5000).said == [REPLY, with_crc(b"\x01\x03\x02\x00\x64")]


def test_of_two_requests_at_once_only_the_last_is_answered() -> None:
    """A master that did not wait has given up on the first; its answer would be taken for the second's."""
    assert Line().sent(read(100, 1) + GOOD).said == [REPLY]


def test_our_own_answer_echoed_by_the_adapter_is_not_a_request() -> None:
    for reply in (REPLY, exception(3, 2), with_crc(bytes.fromhex("0103020064"))):
        assert Line().sent(reply).said == []
        assert Line().sent(reply).sent(GOOD).said == [REPLY]


def test_nothing_is_taken_before_the_silence_is_over() -> None:
    framer = Framer((1,), BAUD)
    framer.feed(GOOD, 0)
    assert framer.take(1749) is None
    assert framer.take(1750) == ModbusRequest(1, 3, bytes.fromhex("00640002"))
    assert framer.due_us() is None


@pytest.mark.parametrize(("baud", "silence"), [(9600, 4011), (19_200, 2006), (19_201, 1750), (115_200, 1750)])
def test_the_silence_is_three_and_a_half_characters(baud, silence) -> None:
    assert silence_us(baud) == silence


@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 100_000)), max_size=20))
def test_after_anything_at_all_a_good_request_is_answered(chunks) -> None:
    line = Line()
    for data, pause_us in chunks:
        line.sent(data, pause_us)
    line.said.clear()
    assert line.sent(GOOD).said[-1:] == [REPLY]


def test_random_traffic_is_almost_never_taken_for_a_request() -> None:
    random_bytes = random.Random(7)
    line = Line()
    for _ in range(20_000):
        line.sent(random_bytes.randbytes(random_bytes.randrange(1, 40)), random_bytes.randrange(0, 50_000))
    assert len(line.said) <= 2
    assert len(line.framer._buffer) <= 512


def test_after_each_of_ten_thousand_random_buffers_the_next_good_request_is_answered() -> None:
    """S9: right answers or silence, whatever was on the line."""
    random_bytes = random.Random(11)
    line = Line((1, 7))
    for _ in range(10_000):
        line.sent(random_bytes.randbytes(random_bytes.randrange(1, 400)), random_bytes.randrange(0, 50_000))
        said = line.said[:]
        line.said.clear()
        assert line.sent(GOOD).said[-1:] == [REPLY]
        assert all(crc_is_good(reply) and reply[0] in (1, 7) for reply in said)
        line.said.clear()


def test_the_buffer_stays_small_on_a_line_that_is_never_silent() -> None:
    line = Line()
    for _ in range(1000):
        line.sent(b"\x55" * 100, 0)
    assert len(line.framer._buffer) <= 512
    line.now_us += 5000
    assert line.sent(GOOD).said == [REPLY]
