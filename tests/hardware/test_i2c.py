"""The real bus behind a stand-in for smbus2: one combined transaction, bounded, reopened."""

from __future__ import annotations

import errno
import sys
from types import ModuleType
from typing import ClassVar

import pytest

from bmsd.errors import BusError
from bmsd.hardware import i2c


class Message:
    """What smbus2 calls i2c_msg."""

    def __init__(self, kind: str, address: int, data: bytes) -> None:
        self.kind, self.address, self.data = kind, address, data

    @classmethod
    def write(cls, address: int, data: bytes) -> Message:
        return cls("write", address, bytes(data))

    @classmethod
    def read(cls, address: int, length: int) -> Message:
        return cls("read", address, bytes(length))

    def __iter__(self):
        return iter(self.data)


class FakeBus:
    """What smbus2 calls SMBus."""

    opened: ClassVar[list[FakeBus]] = []
    failure: ClassVar[int] = 0

    def __init__(self, number: int) -> None:
        if FakeBus.failure == errno.ENOENT:
            raise FileNotFoundError(errno.ENOENT, "no such bus")
        self.number, self.fd, self.closed = number, 77, False
        self.sent: list[list[Message]] = []
        FakeBus.opened.append(self)

    def i2c_rdwr(self, *messages: Message) -> None:
        if FakeBus.failure:
            raise OSError(FakeBus.failure, "as told")
        self.sent.append(list(messages))
        for message in messages:
            if message.kind == "read":
                message.data = bytes(range(len(message.data)))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def ioctls(monkeypatch) -> list[tuple[int, int, int]]:
    """Put the stand-in in place; give the list of ioctl calls."""
    module = ModuleType("smbus2")
    module.SMBus, module.i2c_msg = FakeBus, Message
    monkeypatch.setitem(sys.modules, "smbus2", module)
    monkeypatch.setattr(FakeBus, "opened", [])
    monkeypatch.setattr(FakeBus, "failure", 0)
    calls: list[tuple[int, int, int]] = []
    monkeypatch.setattr(i2c.fcntl, "ioctl", lambda *arguments: calls.append(arguments))
    return calls


def test_nothing_is_opened_before_the_first_transfer(ioctls) -> None:
    i2c.I2cPort(1)
    assert FakeBus.opened == []


def test_write_and_read_are_one_combined_transaction(ioctls) -> None:
    assert i2c.I2cPort(3).transfer(0x08, b"\x14", 4) == b"\0\1\2\3"
    (bus,) = FakeBus.opened
    assert bus.number == 3
    ((first, second),) = bus.sent
    assert (first.kind, first.address, first.data) == ("write", 0x08, b"\x14")
    assert (second.kind, second.address, len(second.data)) == ("read", 0x08, 4)


def test_a_write_alone_and_a_read_alone(ioctls) -> None:
    port = i2c.I2cPort(1)
    assert port.transfer(0x08, b"\x3e\x95\x00", 0) == b""
    assert port.transfer(0x08, b"", 2) == b"\0\1"
    kinds = [[message.kind for message in sent] for sent in FakeBus.opened[0].sent]
    assert kinds == [["write"], ["read"]]


@pytest.mark.parametrize(("timeout_ms", "units"), [(1, 1), (10, 1), (20, 2), (25, 3)])
def test_the_adapters_time_out_is_set_in_tens_of_milliseconds(ioctls, timeout_ms, units) -> None:
    i2c.I2cPort(1, timeout_ms).transfer(0x08, b"\x12", 2)
    assert ioctls == [(77, 0x0702, units)]


@pytest.mark.parametrize("number", [errno.EREMOTEIO, errno.ETIMEDOUT, errno.EIO])
def test_a_failure_stays_an_oserror_and_the_bus_is_opened_anew(ioctls, number) -> None:
    port = i2c.I2cPort(1)
    port.transfer(0x08, b"\x12", 2)
    FakeBus.failure = number
    with pytest.raises(OSError) as caught:  # noqa: PT011
        port.transfer(0x08, b"\x12", 2)
    assert caught.value.errno == number
    assert FakeBus.opened[0].closed
    FakeBus.failure = 0
    assert port.transfer(0x08, b"\x12", 2) == b"\0\1"
    assert len(FakeBus.opened) == 2
    assert len(ioctls) == 2, "the time-out is set again"


def test_a_missing_bus_is_an_oserror_each_time(ioctls) -> None:
    FakeBus.failure = errno.ENOENT
    port = i2c.I2cPort(9)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            port.transfer(0x08, b"\x12", 2)


def test_a_bus_that_refuses_its_time_out_is_closed(ioctls, monkeypatch) -> None:
    def refuse(*arguments: int) -> None:
        raise OSError(errno.ENOTTY, "not an adapter")

    monkeypatch.setattr(i2c.fcntl, "ioctl", refuse)
    with pytest.raises(OSError, match="not an adapter"):
        i2c.I2cPort(1).transfer(0x08, b"\x12", 2)
    assert FakeBus.opened[0].closed


def test_close_can_be_repeated_and_survives_an_error(ioctls, monkeypatch) -> None:
    port = i2c.I2cPort(1)
    port.close()
    port.transfer(0x08, b"\x12", 2)
    monkeypatch.setattr(FakeBus, "close", lambda self: (_ for _ in ()).throw(OSError(9, "bad")))
    port.close()
    port.close()


def test_the_real_messages_of_smbus2_fit(monkeypatch) -> None:
    smbus2 = pytest.importorskip("smbus2")
    sent = []

    class Bus(FakeBus):
        def i2c_rdwr(self, *messages) -> None:
            sent.extend(messages)

    monkeypatch.setattr(smbus2, "SMBus", Bus)
    monkeypatch.setattr(FakeBus, "opened", [])
    monkeypatch.setattr(i2c.fcntl, "ioctl", lambda *arguments: 0)
    assert i2c.I2cPort(1).transfer(0x08, b"\x14", 64) == bytes(64)
    assert [message.len for message in sent] == [1, 64]
    assert sent[0].addr == 0x08
    assert bytes(sent[0]) == b"\x14"


class Node:
    """A stand-in for the device node: what opening and locking it says."""

    def __init__(self, monkeypatch, opening: OSError | None = None, locking: OSError | None = None) -> None:
        def give(error: OSError | None, result: int):
            def call(*_arguments: object) -> int:
                if error:
                    raise error
                return result

            return call

        monkeypatch.setattr(i2c.os, "open", give(opening, 9))
        monkeypatch.setattr(i2c.fcntl, "flock", give(locking, 0))


def test_a_claimed_bus_is_locked_for_the_life_of_the_process(monkeypatch, tmp_path) -> None:
    node = tmp_path / "i2c-1"
    node.touch()
    real = i2c.os.open
    monkeypatch.setattr(i2c.os, "open", lambda path, flags: real(node, flags))
    first, second = i2c.I2cPort(1), i2c.I2cPort(1)
    first.claim()
    first.close()
    with pytest.raises(BusError, match="another bmsd"):
        second.claim()
    second.release()
    first.release()
    second.claim()
    with pytest.raises(BusError, match="another bmsd"):
        first.claim()


@pytest.mark.parametrize(
    ("opening", "locking", "word"),
    [
        (FileNotFoundError(), None, "there is no /dev/i2c-7.*dtparam=i2c_arm=on"),
        (PermissionError(), None, "/dev/i2c-7 .*group i2c"),
        (OSError(errno.EIO, "as told"), None, "/dev/i2c-7 .*as told"),
        (None, BlockingIOError(), "/dev/i2c-7 is held by another bmsd"),
    ],
)
def test_a_bus_that_cannot_be_had_is_said_in_words(monkeypatch, opening, locking, word) -> None:
    Node(monkeypatch, opening, locking)
    with pytest.raises(BusError, match=word):
        i2c.I2cPort(7).claim()
