"""The Modbus slave codec on raw bytes: what is answered, what is refused, and what is met with silence."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmsd.links.modbus_rtu import (
    Framer,
    Refusal,
    RefusedError,
    Request,
    answer,
    crc16,
    crc_is_good,
    silence_us,
    with_crc,
)

BAUD = 115_200
GOOD = with_crc(bytes.fromhex("010300640002"))
"""Unit 1, function 03, two registers from 100."""
OTHER = with_crc(bytes.fromhex("090300640002"))
OTHERS_REPLY = with_crc(bytes.fromhex("09030400010001"))


class Line:
    """A line on which time passes only as told; collects what the slave says."""

    def __init__(self, unit: int = 1, baudrate: int = BAUD) -> None:
        self.framer = Framer(unit, baudrate)
        self.now_us = 1_000_000
        self.said: list[bytes] = []

    def sent(self, data: bytes, pause_us: int = 5000) -> Line:
        self.framer.feed(data, self.now_us)
        self.now_us += pause_us
        while (due_us := self.framer.due_us()) is not None and due_us <= self.now_us:
            if request := self.framer.take(self.now_us):
                reply = answer(request, registers)
                self.said += [] if reply is None else [reply]
        return self


def registers(address: int, count: int) -> list[int]:
    if address == 13:
        raise RefusedError(Refusal.DEVICE)
    if address + count > 1000:
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
    framer = Framer(1, BAUD)
    framer.feed(GOOD, 0)
    assert framer.take(1749) is None
    assert framer.take(1750) == Request(1, 3, bytes.fromhex("00640002"))
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


def test_the_buffer_stays_small_on_a_line_that_is_never_silent() -> None:
    line = Line()
    for _ in range(1000):
        line.sent(b"\x55" * 100, 0)
    assert len(line.framer._buffer) <= 512
    line.now_us += 5000
    assert line.sent(GOOD).said == [REPLY]
