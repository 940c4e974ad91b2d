"""The master of a serial line: its answer is found beside echoes, glitches and others, and nothing else is one."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable

import pytest

from bmsd.config.load import MeterConfig
from bmsd.errors import PeerError
from bmsd.links import modbus_master
from bmsd.links.meter import client_of
from bmsd.links.modbus_client import LineError
from bmsd.links.modbus_master import SerialClient, answer_in, request_of
from bmsd.links.modbus_rtu import with_crc
from bmsd.tables.devices.rows import Ask
from tests.links.lines import FarEnd
from tests.support.patience import allowed

ASK = Ask(3, 0x1200, 3)
WORDS = [3301, 0, 0xFFFF]


def answer(unit: int = 1, ask: Ask = ASK, words: list[int] = WORDS) -> bytes:
    return with_crc(struct.pack(f">BBB{len(words)}H", unit, ask.function, 2 * len(words), *words))


BEFORE = {
    "nothing": b"", "a leading 00": b"\0", "two": b"\0\0", "FF": b"\xff", "our own words": request_of(1, ASK),
    "our own words and 00": request_of(1, ASK) + b"\0", "00 and our own words": b"\0" + request_of(1, ASK),
    "another's answer": answer(9), "noise": random.Random(1).randbytes(40), "half an answer": answer()[:6],
}  # fmt: skip


@pytest.mark.parametrize("after", [b"", b"\0", b"\xff\xff", answer(9)])
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_the_answer_is_found_beside_other_bytes(before, after) -> None:
    whole = before + answer()
    assert answer_in(whole + after, 1, ASK) == WORDS
    for length in range(len(whole)):
        assert answer_in(whole[:length], 1, ASK) is None


@pytest.mark.parametrize("unit", [0, 1, 16, 247])
def test_every_unit_may_answer_also_the_first_board_of_a_set(unit) -> None:
    assert answer_in(request_of(unit, ASK) + answer(unit), unit, ASK) == WORDS
    assert answer_in(b"\0" + answer(unit), unit, ASK) == WORDS


@pytest.mark.parametrize(
    "heard", [answer(2), answer(ask=Ask(4, 0, 3)), answer()[:-1] + b"\x55", request_of(1, ASK), b"\0" * 300],
)  # fmt: skip
def test_what_is_no_answer_is_none(heard) -> None:
    """S2."""
    assert answer_in(heard, 1, ASK) is None


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_a_refusal_and_a_wrong_number_of_registers_are_told(before) -> None:
    with pytest.raises(PeerError, match="exception 02"):
        answer_in(before + with_crc(bytes.fromhex("018302")), 1, ASK)
    with pytest.raises(PeerError, match="2 registers came, not 3"):
        answer_in(before + answer(words=[1, 2]), 1, ASK)


class Slave(FarEnd):
    """A device at the other end of a pty that says what `reply` makes of a request."""

    def __init__(self, reply: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self.settings = MeterConfig(self.port, None, 115_200, "N", 1, 5000, {1: "sdm120"})
        self.asked: list[bytes] = []
        self._reply = reply
        self._thread.start()

    def came(self, data: bytes) -> None:
        self.asked.append(data)
        os.write(self.ours, self._reply(data))


@pytest.fixture
def slave(monkeypatch):
    made: list[Slave] = []

    def make(reply: Callable[[bytes], bytes]) -> Slave:
        monkeypatch.setattr(modbus_master, "TIMEOUT_S", allowed(0.5))
        made.append(Slave(reply))
        return made[-1]

    yield make
    for one in made:
        one.unplug()


@pytest.mark.parametrize("unit", [0, 1])
@pytest.mark.parametrize("before", [b"", b"\0"])
@pytest.mark.parametrize("echo", [False, True])
def test_a_device_on_a_line_is_read(slave, unit, before, echo) -> None:
    there = slave(lambda request: (request if echo else b"") + before + answer(unit))
    client = client_of(there.settings)
    assert [client.read(unit, ASK) for _ in range(3)] == [WORDS] * 3
    assert there.asked == [request_of(unit, ASK)] * 3
    client.close()


def test_an_answer_that_came_too_late_is_not_taken_for_the_next_ones(slave) -> None:
    """S7."""
    there = slave(
        lambda request: b"" if request == request_of(1, ASK) else answer(ask=Ask(3, 0, 3), words=[7, 8, 9])
    )
    client = SerialClient(there.settings)
    with pytest.raises(PeerError, match="no answer"):
        client.read(1, ASK)
    os.write(there.ours, answer())
    assert client.read(1, Ask(3, 0, 3)) == [7, 8, 9]
    client.close()


def test_noise_alone_is_told_apart_from_silence(slave) -> None:
    client = SerialClient(slave(lambda _request: b"\x55" * 9).settings)
    with pytest.raises(PeerError, match="9 bytes came, which are no answer"):
        client.read(1, ASK)
    client.close()


def test_a_port_that_goes_is_a_line_that_is_lost_and_is_opened_again(slave) -> None:
    there = slave(lambda _request: answer())
    client = SerialClient(there.settings)
    assert client.read(1, ASK) == WORDS
    there.unplug()
    for _ in range(2):
        with pytest.raises(LineError):
            client.read(1, ASK)
