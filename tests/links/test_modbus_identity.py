"""Function 43 with type 14: who the device is, for tools that ask everyone."""

from __future__ import annotations

import pytest

from bmsd import __version__
from bmsd.config.load import load
from bmsd.links.modbus_identity import objects_of
from bmsd.links.modbus_rtu import ModbusRequest, Refusal, with_crc
from bmsd.links.modbus_unit import ModbusUnit
from tests.support.configured import EXAMPLE

OBJECTS = objects_of(load(EXAMPLE))
UNIT = ModbusUnit([], OBJECTS)


def asked(body: bytes) -> bytes:
    answer = UNIT.plain(ModbusRequest(1, 0x2B, body))
    assert answer is not None
    return answer[1:]


def decoded(answer: bytes) -> dict[int, str]:
    """Take an answer apart as the standard has it: nothing follows, and all is counted."""
    assert (answer[0], answer[1], answer[3:6]) == (0x2B, 0x0E, b"\x83\0\0")
    count, at, found = answer[6], 7, {}
    for _ in range(count):
        number, size = answer[at], answer[at + 1]
        found[number] = answer[at + 2 : at + 2 + size].decode("ascii")
        at += 2 + size
    assert at == len(answer) <= 253
    return found


@pytest.mark.parametrize(
    ("level", "numbers"), [(1, [0, 1, 2]), (2, [0, 1, 2, 4, 5]), (3, [0, 1, 2, 4, 5, 0x80])]
)
def test_each_level_has_its_texts(level, numbers) -> None:
    found = decoded(asked(bytes((0x0E, level, 0))))
    assert list(found) == numbers
    assert (found[0], found[1], found[2]) == ("bmsd", "bmsd-16S", __version__)


@pytest.mark.parametrize(
    ("level", "first", "numbers"),
    [(1, 1, [1, 2]), (1, 2, [2]), (1, 3, [0, 1, 2]), (1, 4, [0, 1, 2]), (2, 4, [4, 5]), (2, 0x80, [0, 1, 2, 4, 5]),
     (3, 0x80, [0x80]), (3, 0xFF, [0, 1, 2, 4, 5, 0x80])],
)  # fmt: skip
def test_a_stream_begins_where_it_is_wanted_or_anew(level, first, numbers) -> None:
    assert list(decoded(asked(bytes((0x0E, level, first))))) == numbers


@pytest.mark.parametrize("number", OBJECTS)
def test_each_text_can_be_asked_for_alone(number) -> None:
    assert decoded(asked(bytes((0x0E, 4, number)))) == {number: OBJECTS[number].decode()}


@pytest.mark.parametrize(
    ("body", "code"),
    [("0D0100", Refusal.FUNCTION), ("", Refusal.FUNCTION), ("0E", Refusal.VALUE), ("0E01", Refusal.VALUE),
     ("0E010000", Refusal.VALUE), ("0E0000", Refusal.VALUE), ("0E0500", Refusal.VALUE), ("0EFF00", Refusal.VALUE),
     ("0E0403", Refusal.ADDRESS), ("0E0481", Refusal.ADDRESS)],
)  # fmt: skip
def test_what_is_not_there_is_refused(body, code) -> None:
    assert asked(bytes.fromhex(body)) == bytes((0xAB, code))


def test_pymodbus_reads_it() -> None:
    """Its own decoder, of whatever version; the name of the class is the same in all of them."""
    module = pytest.importorskip("pymodbus.pdu.mei_message", reason="another version has it elsewhere")
    response = module.ReadDeviceInformationResponse()
    response.decode(asked(bytes.fromhex("0E0300"))[1:])
    assert response.information[0] == b"bmsd"
    assert response.information[1] == b"bmsd-16S"


def test_it_is_answered_on_a_serial_line() -> None:
    answer = UNIT.answer(ModbusRequest(1, 0x2B, bytes.fromhex("0E0400")))
    assert answer == with_crc(bytes.fromhex("012B0E0483000001") + b"\0\x04bmsd")
