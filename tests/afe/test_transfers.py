"""Framing, checksums, retries: what every chip shares. V numbers are TI's published examples."""

from __future__ import annotations

import errno
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmsd.afe.transfers import (
    BusCounter,
    Procedure,
    Read,
    TransferError,
    Wait,
    Write,
    crc8,
    frame_write,
    interleave,
    read_prefix,
    run,
    unframe_read,
)
from bmsd.errors import BusError, CrcError

V1 = [
    ("10 3E 22", 0x63),
    ("00", 0x00),
    ("10 14 11 68", 0x33),
    ("0B", 0x31),
    ("10 14 11 C5", 0x79),
]
V3 = bytes.fromhex("E4 9E 0C 24 42 C9 0E 2A")


@pytest.mark.parametrize(("data", "expected"), V1)
def test_v1_crc_of_the_published_figures(data: str, expected: int) -> None:
    assert crc8(bytes.fromhex(data)) == expected


def test_crc_of_the_usual_check_string() -> None:
    assert crc8(b"123456789") == 0xF4


def test_v2_a_write_carries_a_checksum_after_each_byte() -> None:
    wire = frame_write(0x08, Write(0x3E, bytes.fromhex("14 04"), crc=True))
    assert bytes((0x10,)) + wire == bytes.fromhex("10 3E 14 E1 04 1C")


def test_a_plain_write_is_register_and_data() -> None:
    assert frame_write(0x08, Write(0x3E, b"\x95\x00", crc=False)) == b"\x3e\x95\x00"


def test_v3_a_read_of_two_cells() -> None:
    assert unframe_read(0x08, Read(0x14, 4, crc=True), V3) == bytes.fromhex("E4 0C 42 0E")


@pytest.mark.parametrize("bit", range(8 * len(V3)))
def test_v3_with_any_bit_flipped_is_rejected(bit: int) -> None:
    """S2: a corrupted value must not become a number."""
    wire = bytearray(V3)
    wire[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CrcError):
        unframe_read(0x08, Read(0x14, 4, crc=True), bytes(wire))


@pytest.mark.parametrize("length", range(8))
@pytest.mark.parametrize("crc", [True, False])
def test_a_short_answer_is_no_answer(crc: bool, length: int) -> None:
    with pytest.raises(CrcError):
        unframe_read(0x08, Read(0x14, 4 if crc else 8, crc), V3[:length])


@pytest.mark.parametrize(("data", "expected"), [("10 05 40", 0x24), ("11 40", 0x85)])
def test_v14_the_bq769x0_family_uses_the_same_checksum(data: str, expected: int) -> None:
    assert crc8(bytes.fromhex(data)) == expected


@given(data=st.binary(min_size=1, max_size=32), register=st.integers(0, 0x7F))
def test_what_is_interleaved_comes_back(data: bytes, register: int) -> None:
    wire = interleave(data, read_prefix(0x08, register))
    assert unframe_read(0x08, Read(register, len(data), crc=True), wire) == data


@given(
    data=st.binary(min_size=1, max_size=32),
    register=st.integers(0, 0x7F),
    bit=st.integers(0, 8 * 64 - 1),
)
def test_any_single_bit_flip_is_found(data: bytes, register: int, bit: int) -> None:
    wire = bytearray(interleave(data, read_prefix(0x08, register)))
    wire[bit // 8 % len(wire)] ^= 1 << bit % 8
    with pytest.raises(CrcError):
        unframe_read(0x08, Read(register, len(data), crc=True), bytes(wire))


class Line:
    """A port that fails as told, then answers zeros."""

    def __init__(self, *failures: int) -> None:
        self.failures = list(failures)
        self.attempts = 0

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        self.attempts += 1
        if self.failures:
            raise OSError(self.failures.pop(0), "as told")
        return bytes(read)


def one_read() -> Procedure[bytes]:
    answer = yield Read(0x12, 2, crc=False)
    return answer


def no_sleep(milliseconds: int) -> None:
    assert milliseconds > 0


def test_a_lost_acknowledge_is_tried_again_and_counted() -> None:
    line, counter = Line(errno.EREMOTEIO, errno.EREMOTEIO), BusCounter()
    assert run(one_read(), line, 0x08, no_sleep, counter=counter) == b"\0\0"
    assert (counter.errors, counter.transfers) == (2, 3)


def test_retries_end() -> None:
    line = Line(*[errno.EREMOTEIO] * 9)
    with pytest.raises(BusError):
        run(one_read(), line, 0x08, no_sleep, retries=2)
    assert line.attempts == 3


def test_a_stuck_bus_is_tried_only_once_more() -> None:
    """A stuck bus may only cost a bounded part of a period."""
    line = Line(*[errno.ETIMEDOUT] * 9)
    with pytest.raises(BusError):
        run(one_read(), line, 0x08, no_sleep, retries=5)
    assert line.attempts == 2


def test_a_time_out_after_other_failures_ends_the_retries() -> None:
    line = Line(errno.EREMOTEIO, errno.ETIMEDOUT, errno.EREMOTEIO)
    with pytest.raises(BusError):
        run(one_read(), line, 0x08, no_sleep, retries=5)
    assert line.attempts == 2


def test_a_refused_probe_is_an_answer_and_no_error() -> None:
    def probe() -> Procedure[bool]:
        try:
            yield Write(0x3E, b"\x95\x00", False, probe=True)
        except TransferError as error:
            return error.refused
        return False

    line, counter = Line(errno.EREMOTEIO), BusCounter()
    assert run(probe(), line, 0x08, no_sleep, counter=counter)
    assert (line.attempts, counter.errors) == (1, 0)


def test_the_error_goes_into_the_procedure_so_that_it_can_clean_up() -> None:
    def careful() -> Generator[Read | Write | Wait, bytes, str]:
        try:
            yield Read(0x12, 2, crc=False)
        except BusError:
            yield Write(0x3E, b"\x92\x00", crc=False)
            return "cleaned up"
        return "read"

    line = Line(*[errno.EREMOTEIO] * 3)
    assert run(careful(), line, 0x08, no_sleep) == "cleaned up"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EREMOTEIO, "no acknowledge (EREMOTEIO); check"),
        (errno.ETIMEDOUT, "time-out (ETIMEDOUT)"),
        (errno.ENOENT, "enable I2C"),
        (errno.ENODEV, "(ENODEV)"),
    ],
)
def test_the_error_says_what_where_and_what_to_check(number: int, words: str) -> None:
    with pytest.raises(BusError) as caught:
        run(one_read(), Line(*[number] * 9), 0x08, no_sleep)
    assert "reading 2 bytes at register 0x12 of address 0x08" in str(caught.value)
    assert words in str(caught.value)


def test_waits_use_the_injected_clock() -> None:
    slept: list[int] = []

    def waits() -> Procedure[None]:
        yield Wait(2)
        yield Wait(5)

    run(waits(), Line(), 0x08, slept.append)
    assert slept == [2, 5]


def test_wire_bytes_are_counted_with_addresses_and_checksums() -> None:
    def both() -> Procedure[None]:
        yield Read(0x14, 4, crc=False)
        yield Write(0x3E, b"\x95\x00", crc=True)

    counter = BusCounter()
    run(both(), Line(), 0x08, no_sleep, counter=counter)
    assert counter.wire_bytes == (3 + 4) + (1 + 1 + 4)
