"""Where a Modbus frame begins and ends on a line that others share: raw bytes and times in, answers out.

A CRC is good one byte early or late where a byte 00 stands at its end, adapters and transceivers add bytes of their
own, and other slaves, JK boards among them, speak in between.
"""

from __future__ import annotations

import random
import struct

import pytest

from bmsd.links import modbus_unit
from bmsd.links.listener import silence_us
from bmsd.links.modbus_rtu import Echo, Framer, ModbusRequest, Refusal, RefusedError, crc_is_good, with_crc
from bmsd.links.modbus_unit import ModbusUnit, Station
from bmsd.tables import jk

BAUD = 115_200
SILENCE_US = silence_us(BAUD)
NO_VALUES = {str(row.value): 0 for block in jk.BLOCKS.values() for row in block.fields}
JK_LIVE = jk.frame(jk.LIVE, NO_VALUES | {"cell_mv": [3300] * 16, "wire_mohm": [0] * 16})


class Registers:
    """Takes everything, and tells what was written; 0x1620 is answered as a JK board does."""

    functions = (3, 4, 6, 16)

    def __init__(self) -> None:
        self.written: list[tuple[int, tuple[int, ...]]] = []

    def read(self, address: int, count: int) -> list[int]:
        return [(address + n) & 0xFFFF for n in range(count)]

    def write(self, address: int, words: tuple[int, ...]) -> bytes:
        if address == 9999:
            raise RefusedError(Refusal.ADDRESS)
        self.written.append((address, tuple(words)))
        return JK_LIVE if address == jk.LIVE.frame_register else b""


class Pack:
    requests = 0


class Time:
    """The clock of the code under test."""

    now_us = 0

    @staticmethod
    def monotonic_ns() -> int:
        return 1000 * Time.now_us


@pytest.fixture(autouse=True)
def _time(monkeypatch):
    monkeypatch.setattr(modbus_unit, "time", Time)


class Line:
    """A line on which time passes only as told."""

    def __init__(self, units: tuple[int, ...] = (1,), baudrate: int = BAUD) -> None:
        self.map = Registers()
        self.station = Station({unit: ModbusUnit([self.map]) for unit in units}, Pack(), baudrate)  # type: ignore[arg-type]
        self.now_us = 1_000_000
        self.said: list[bytes] = []

    def sent(self, data: bytes, pause_us: int = 5000, quiet_us: int | None = None) -> Line:
        self.station.feed(data, self.now_us, quiet_us)
        self.now_us += pause_us
        while (due_us := self.station.due_us()) is not None and due_us <= self.now_us:
            Time.now_us = due_us
            reply = self.station.take(due_us)
            self.said += [] if reply is None else [reply]
        return self


def read(address: int, count: int = 2, function: int = 3, unit: int = 1) -> bytes:
    return with_crc(struct.pack(">BBHH", unit, function, address, count))


def one(address: int, value: int, unit: int = 1) -> bytes:
    return with_crc(struct.pack(">BBHH", unit, 6, address, value))


def many(address: int, *values: int, unit: int = 1) -> bytes:
    return with_crc(
        struct.pack(f">BBHHB{len(values)}H", unit, 16, address, len(values), 2 * len(values), *values)
    )


def requests(choice: random.Random) -> list[bytes]:
    """Give one request of each function, at a random place."""
    address, value = choice.randrange(65_000), choice.randrange(65_536)
    values = [choice.randrange(65_536) for _ in range(choice.randrange(1, 124))]
    count = choice.randrange(1, 126)
    return [read(address, count), read(address, count, 4), one(address, value), many(address, *values)]


def ending_in_00() -> list[bytes]:
    """Give requests of every function whose checksum ends in 00: good already without their last byte."""
    choice, found = random.Random(1), []
    wanted = dict.fromkeys((3, 4, 6, 16), 5)
    while any(wanted.values()):
        for frame in requests(choice):
            if frame[-1] == 0 and wanted[frame[1]]:
                wanted[frame[1]] -= 1
                found.append(frame)
    return found


def looking_like_an_answer() -> list[bytes]:
    """Give reads from 512 to 767 whose checksum ends in 00: their first seven bytes would be a good answer, too."""
    frames = [read(address, count) for address in range(512, 768) for count in range(1, 126)]
    return [frame for frame in frames if frame[-1] == 0][:20]


EARLY = [*ending_in_00(), *looking_like_an_answer()]


def answer(frame: bytes) -> list[bytes]:
    """Give what a line says to a frame that comes alone."""
    said = Line().sent(frame).said
    assert len(said) == 1
    assert crc_is_good(said[0][-8:] if said[0].startswith(jk.FRAME_HEAD) else said[0])
    return said


@pytest.mark.parametrize("after", ["00", "0000", "FF", "000000", "01", "0103", "4E57", "FF00FF00FF"])
@pytest.mark.parametrize("pause_us", [0, SILENCE_US - 1])
def test_bytes_after_a_whole_frame_never_spoil_it(after, pause_us) -> None:
    choice = random.Random(2)
    for frame in [request for _ in range(20) for request in requests(choice)] + EARLY:
        line = Line().sent(frame, pause_us).sent(bytes.fromhex(after))
        assert line.said == answer(frame), frame.hex()


def test_the_request_that_was_met_with_silence_is_answered() -> None:
    assert Line().sent(bytes.fromhex("010300B40004") + read(0xB4, 4)[-2:] + b"\0").said == answer(
        read(0xB4, 4)
    )


def test_a_write_with_a_byte_too_many_is_a_write() -> None:
    line = Line().sent(many(100, 1, 2) + b"\0")
    assert line.said == [with_crc(bytes.fromhex("0110 0064 0002"))]
    assert line.map.written == [(100, (1, 2))]


@pytest.mark.parametrize("pause_us", [SILENCE_US, 5000, 16_000, 20_000])
@pytest.mark.parametrize("late", [1, 2, 3, 5])
def test_the_end_of_a_request_may_come_late(pause_us, late) -> None:
    for frame in EARLY:
        line = Line().sent(frame[:-late], pause_us)
        assert line.said == []
        assert line.sent(frame[-late:]).said == answer(frame), frame.hex()


def test_what_comes_later_than_that_is_no_part_of_it() -> None:
    for frame in EARLY:
        assert Line().sent(frame[:-1], 20_001).sent(frame[-1:]).said == []


@pytest.mark.parametrize("late_us", [SILENCE_US, 5000, 16_000])
def test_a_long_write_in_pieces_is_one_write(late_us) -> None:
    frame, line = many(100, *range(123)), Line()
    for at in range(0, len(frame), 60):
        line.sent(frame[at : at + 60], late_us)
    assert line.sent(b"", 5000).map.written == [(100, tuple(range(123)))]


OTHERS = {
    "a glitch": b"\0", "two glitches": b"\xff\x00", "half a frame": read(100)[:5], "half a write": many(100, 1, 2)[:7],
    "a request to another": read(100, unit=9), "an answer of another": with_crc(bytes.fromhex("09030400010002")),
    "a write of another": many(100, 1, 2, unit=9), "a refusal of another": with_crc(bytes.fromhex("098302")),
    "a frame of a JK board": JK_LIVE + with_crc(bytes.fromhex("0910 1620 0001")),
    "one with two bytes more": JK_LIVE + with_crc(bytes.fromhex("0910 1620 0001")) + b"\0\0",
    "half a frame of a JK board": JK_LIVE[:200], "noise": random.Random(3).randbytes(300), "4E57": b"NW\x00\x13\x00",
}  # fmt: skip
ORDERS = {"06": one(700, 0), "16": many(1000, 0, 3550), "a frame of JK": many(0x1620, 0), "03": read(180, 16)}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("before", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("pause_us", [SILENCE_US, 2500, 5000, 19_000, 20_000, 20_001, 100_000])
def test_after_a_silence_a_whole_frame_is_taken_whatever_was_before(before, order, pause_us) -> None:
    line = Line().sent(before, pause_us).sent(order)
    assert line.said == answer(order)


@pytest.mark.parametrize("before", [b"\0", b"\xff\x00", read(100)[:5], JK_LIVE[:200]])
def test_without_the_silence_only_a_read_is_taken(before) -> None:
    """S14: in other bytes something looks like an order one day."""
    for order in (ORDERS["06"], ORDERS["16"]):
        line = Line().sent(before, SILENCE_US - 1).sent(order)
        assert line.said == line.map.written == []
    assert Line().sent(before, SILENCE_US - 1).sent(ORDERS["03"]).said == answer(ORDERS["03"])


@pytest.mark.parametrize("name", [name for name in OTHERS if name.startswith(("a ", "one "))][1:])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_where_whole_frames_of_others_end_ours_may_begin_although_no_silence_was_seen(name, order) -> None:
    """An adapter or a busy machine hands several over at once; where each ends is in their own first bytes."""
    assert Line().sent(OTHERS[name] + order).said == answer(order)
    assert Line().sent(OTHERS["a request to another"] + OTHERS[name] + order).said == answer(order)


@pytest.mark.parametrize("before", [b"\0", b"\xff", b"\0\0", read(100)[:5]])
@pytest.mark.parametrize("register", jk.FRAMES)
def test_what_asks_a_jk_board_for_a_frame_orders_nothing_and_needs_no_silence(before, register) -> None:
    """A transceiver that turns round puts a 00 directly before each request of a master."""
    line = Line().sent(before + many(register, 0))
    assert line.said == answer(many(register, 0))
    assert Line().sent(before + many(register, 0, 0)).said == []
    assert Line().sent(before + many(register + 2 if register == 0x1620 else 0x1600, 0)).said == []


def test_a_request_that_others_follow_is_one_that_the_master_gave_up() -> None:
    """An answer now would be spoken into another slave's."""
    assert Line().sent(one(700, 0) + read(100, unit=9)).said == []
    line = Line().sent(one(700, 0) + read(100))
    assert line.said == answer(read(100))
    assert line.map.written == []


def test_of_requests_that_piled_up_while_we_were_late_the_last_is_answered() -> None:
    assert Line().sent(read(100) + read(101) + read(102)).said == answer(read(102))


def test_a_reader_that_was_late_joins_the_pieces_it_finds() -> None:
    frame = many(100, 1, 2)
    assert Line().sent(frame[:5], 300_000, None).now_us == 1_300_000
    late = Line()
    late.station.feed(frame[:5], 1_000_000)
    late.now_us = 1_300_000
    assert late.sent(frame[5:], quiet_us=1_000_500).map.written == [(100, (1, 2))]


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize(
    "first", [read(100), read(100, 1), many(100, 1, 2), many(0x1620, 0), one(9999, 1), one(100, 1)]
)
@pytest.mark.parametrize("pause_us", [0, SILENCE_US, 5000])
def test_an_adapter_that_gives_back_what_it_sends_costs_no_request(first, order, pause_us) -> None:
    line = Line().sent(first)
    (said,) = line.said
    line.sent(said, pause_us).sent(order)
    assert line.said[1:] == answer(order)


def test_the_same_order_again_is_an_order_where_the_adapter_gives_nothing_back() -> None:
    line = Line().sent(read(100)).sent(one(700, 0))
    for _ in range(Echo.MOST_AGAIN):
        line.sent(one(700, 0))
    assert line.map.written == [(700, (0,))] * (1 + Echo.MOST_AGAIN)


def test_our_own_word_does_not_go_round_although_one_echo_was_lost() -> None:
    line = Line().sent(read(100)).sent(one(700, 0))
    before = 1
    while len(line.said) > before:
        before = len(line.said)
        assert before < 100
        line.sent(line.said[-1])
    assert len(line.map.written) == 1 + Echo.MOST_AGAIN


def test_many_short_pieces_cost_little() -> None:
    """S9: single bytes with silences between them are many places at which a frame could begin."""
    framer = Framer((1,), BAUD)
    for n in range(2000):
        framer.feed(b"\x01", n * SILENCE_US)
        framer.take((n + 1) * SILENCE_US)
        assert len(framer._starts) <= 33
    framer.feed(read(100), 2001 * SILENCE_US)
    assert framer.take(2003 * SILENCE_US) == ModbusRequest(1, 3, bytes.fromhex("00640002"))


def test_a_shared_line_of_random_pieces_gives_right_answers_and_no_other() -> None:
    """S9, S14: others' frames, noise and pieces between requests that stand after a silence."""
    choice, line, expected = random.Random(5), Line((1, 7)), 0
    for _ in range(3000):
        for _ in range(choice.randrange(4)):
            line.sent(choice.choice([*OTHERS.values(), choice.randbytes(choice.randrange(1, 30))]),
                      choice.choice((0, 500, 3000, 10_000, 30_000)))  # fmt: skip
        line.now_us += SILENCE_US
        frame = choice.choice(requests(choice))
        before = len(line.said)
        line.sent(frame, choice.choice((3000, 30_000)))
        expected += 1
        assert len(line.said) == before + 1
        assert line.said[-1] == answer(frame)[0]
    assert len(line.said) == expected


@pytest.mark.parametrize("first", [read(100), many(100, 1, 2), many(0x1620, 0), one(9999, 1)])
@pytest.mark.parametrize("pause_us", [0, 5000])
def test_an_adapter_that_gave_anything_back_is_known_to_do_so(first, pause_us) -> None:
    """Registers, acknowledgements, frames of JK and refusals: each tells what the acknowledgement of 06 cannot."""
    line = Line().sent(read(100)).sent(read(101)).sent(first)
    line.sent(line.said[-1], pause_us).sent(one(700, 0))
    written = len(line.map.written)
    line.sent(line.said[-1])
    assert len(line.map.written) == written


def test_what_is_given_back_is_known_although_a_busy_machine_reads_it_late() -> None:
    late = Line().sent(read(100))
    late.sent(late.said[-1]).sent(one(700, 0), 400_000)
    late.sent(late.said[-1])
    assert late.map.written == [(700, (0,))]
    soon = Line().sent(read(100)).sent(read(101)).sent(one(700, 0), 400_000)
    assert soon.sent(one(700, 0)).map.written == [(700, (0,))] * 2, "a master's, where nothing is given back"


@pytest.mark.parametrize("between", [read(100, unit=9), b"\0", many(100, 1, 2, unit=9)])
def test_an_echo_that_is_read_together_with_others_words_does_not_cost_the_next_order(between) -> None:
    line = Line().sent(read(100))
    line.sent(line.said[-1]).sent(one(700, 0))
    line.sent(line.said[-1] + between).sent(one(700, 0))
    assert line.map.written == [(700, (0,))] * 2


def test_one_echo_that_was_lost_does_not_make_the_next_one_an_order() -> None:
    """A busy machine reads so much at once that the head of a long echo is no longer there."""
    line = Line().sent(read(100)).sent(read(100))
    line.sent(line.said[-1]).sent(many(0x1620, 0))
    lost = line.said[-1][-200:]
    line.sent(lost).sent(one(700, 0))
    line.sent(line.said[-1])
    assert line.map.written == [(0x1620, (0,)), (700, (0,))]


def test_an_adapter_that_gives_nothing_back_any_more_is_believed_after_some_answers() -> None:
    line = Line().sent(read(100))
    line.sent(line.said[-1])
    for _ in range(Echo.MOST_AGAIN + 1):
        line.sent(read(101)).sent(read(102))
    line.sent(one(700, 0)).sent(one(700, 0))
    assert line.map.written == [(700, (0,))] * 2


@pytest.mark.parametrize("seed", range(40))
def test_echoes_that_a_busy_machine_reads_late_and_with_others_words_are_no_orders(seed) -> None:
    """S9, S14: what was given back may wait, and be joined to others' words."""
    choice, line = random.Random(seed), Line((1, 7)).sent(read(100))
    line.sent(line.said[-1])
    for asked in range(2, 60):
        line.now_us += choice.choice((2000, 100_000, 400_000))
        line.sent(choice.choice((read(100, 120), *ORDERS.values(), one(9999, 1))))
        assert len(line.said) == asked
        line.now_us += choice.choice((0, 1000, 400_000))
        line.sent(line.said[-1] + choice.choice((b"", *OTHERS.values())), choice.choice((3000, 30_000)))
        assert len(line.said) == asked, line.said[-1].hex()
