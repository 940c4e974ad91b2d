"""The kernel's CAN sockets without python-can: each bit of a frame both ways, and what the kernel refuses.

No test sends anything: the socket is a stand-in. The machine test opens real ones.
"""

from __future__ import annotations

import errno
import socket
import struct

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmsd.links import adapters, socketcan
from bmsd.links.adapters import BusLostError
from bmsd.links.socketcan import ClassicMessage, SocketCanBus, is_ours

FRAME = ClassicMessage(arbitration_id=0x351, data=bytes(range(8)))
STAMPED = 35


class FakeSocket:
    """A socket of the kernel that fails as told."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.inbox: list[tuple[bytes, list[tuple[int, int, bytes]]]] = []
        self.options: dict[tuple[int, int], int] = {}
        self.failure: OSError | None = None
        self.blocking, self.closed, self.channel = True, False, ""

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.options[level, name] = value

    def setblocking(self, on: bool) -> None:
        self.blocking = on

    def bind(self, address: tuple[str]) -> None:
        if self.failure:
            raise self.failure
        (self.channel,) = address

    def send(self, data: bytes) -> None:
        if self.failure:
            raise self.failure
        self.sent.append(data)

    def recvmsg(self, size: int, room: int):
        if self.failure:
            raise self.failure
        if not self.inbox:
            raise BlockingIOError(errno.EAGAIN, "nothing there")
        content, said = self.inbox.pop(0)
        assert len(content) <= size
        return content, said, 0, ("can0",)

    def fileno(self) -> int:
        return 77

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def fake(monkeypatch):
    made = FakeSocket()
    monkeypatch.setattr(socketcan.socket, "socket", lambda *kind: made)
    return made


@pytest.fixture
def bus(fake):
    return SocketCanBus("can0")


def raw(number: int, data: bytes) -> bytes:
    """Write `struct can_frame` of linux/can.h by hand."""
    return struct.pack("=IB3x", number, len(data)) + data.ljust(8, b"\0")


def test_it_hears_of_errors_and_times_and_never_waits(fake, bus) -> None:
    assert fake.channel == "can0"
    assert fake.options == {(101, 2): 0x1FFF_FFFF, (socket.SOL_SOCKET, STAMPED): 1}
    assert not fake.blocking


@given(
    number=st.integers(0, 0x1FFF_FFFF),
    extended=st.booleans(),
    remote=st.booleans(),
    data=st.binary(max_size=8),
)
def test_what_is_sent_is_what_python_can_sends(number, extended, remote, data) -> None:
    """Byte for byte what the library's own driver gives the kernel, but for a length that counts from 9 to 15 alone."""
    from can.interfaces.socketcan.socketcan import build_can_frame

    number &= 0x1FFF_FFFF if extended else 0x7FF
    data = b"" if remote else data
    theirs = can.Message(arbitration_id=number, is_extended_id=extended, is_remote_frame=remote, data=data)
    ours = ClassicMessage(arbitration_id=number, is_extended_id=extended, is_remote_frame=remote, data=data)
    fake = FakeSocket()
    bus = SocketCanBus.__new__(SocketCanBus)
    bus._socket = fake  # type: ignore[assignment]
    bus.send(ours)
    length_again = 7
    expected = bytearray(build_can_frame(theirs))
    expected[length_again] = 0
    assert fake.sent == [expected]


@pytest.mark.parametrize(
    ("number", "identifier", "kind"),
    [
        (0x305, 0x305, {}),
        (0x7FF, 0x7FF, {}),
        (0x8000_0305, 0x305, {"is_extended_id": True}),
        (0x9FFF_FFFF, 0x1FFF_FFFF, {"is_extended_id": True}),
        (0x4000_0305, 0x305, {"is_remote_frame": True}),
        (0x2000_0040, 0x40, {"is_error_frame": True}),
        (0x2000_0104, 0x104, {"is_error_frame": True}),
    ],
)
def test_what_is_heard_has_its_number_and_kind(fake, bus, number, identifier, kind) -> None:
    fake.inbox.append((raw(number, b"\1\2\3"), []))
    assert bus.recv(0) == ClassicMessage(arbitration_id=identifier, data=b"\1\2\3", **kind)
    assert bus.recv(0) is None


def test_the_kernel_says_when_a_frame_came(fake, bus) -> None:
    stamp = struct.pack("@ll", 1_790_000_000, 250_000_000)
    fake.inbox += [
        (raw(1, b""), [(socket.SOL_SOCKET, STAMPED, stamp)]),
        (raw(1, b""), [(socket.SOL_SOCKET, STAMPED, stamp[:4]), (socket.SOL_SOCKET, 1, stamp)]),
    ]
    assert bus.recv(0).timestamp == 1_790_000_000.25
    assert bus.recv(0).timestamp == 0


def test_a_length_that_is_none_gives_no_more_than_there_is(fake, bus) -> None:
    fake.inbox.append((struct.pack("=IB3x8s", 5, 255, b"12345678"), []))
    assert bus.recv(0).data == b"12345678"


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.EAGAIN])
def test_a_queue_without_room_is_full(fake, bus, number) -> None:
    fake.failure = OSError(number, "no room")
    assert not adapters.send(bus, FRAME)


@pytest.mark.parametrize("number", [errno.ENETDOWN, errno.ENODEV, errno.ENXIO])
def test_an_interface_that_is_gone_is_lost(fake, bus, number) -> None:
    fake.failure = OSError(number, "gone")
    with pytest.raises(BusLostError, match="gone"):
        adapters.send(bus, FRAME)
    with pytest.raises(BusLostError, match="gone"):
        list(adapters.received(bus, 5))


def test_an_interface_that_is_not_there_is_told_and_its_socket_closed(fake) -> None:
    fake.failure = OSError(errno.ENODEV, "No such device")
    with (
        pytest.raises(BusLostError, match="No such device"),
        adapters.opened({"interface": "socketcan", "channel": "x"}),
    ):
        pass
    assert fake.closed


def test_it_is_opened_for_a_time(fake) -> None:
    with adapters.opened({"interface": "socketcan", "channel": "can1", "bitrate": 500_000}) as bus:
        assert adapters.descriptor_of(bus) == 77
        assert adapters.send(bus, FRAME)
    assert fake.closed
    assert fake.sent == [raw(0x351, bytes(range(8)))]


def test_further_wishes_are_pythons_can_library() -> None:
    assert is_ours({"interface": "socketcan", "channel": "can0"})
    assert not is_ours({"interface": "socketcan", "channel": "can0", "fd": True})
    assert not is_ours({"interface": "slcan", "channel": "/dev/ttyUSB0"})


def test_a_network_interface_needs_no_library(fake, monkeypatch) -> None:
    """Not even where it is not installed."""
    monkeypatch.setitem(__import__("sys").modules, "can", None)
    assert adapters.interface_problem("socketcan") == ""
    with adapters.opened({"interface": "socketcan", "channel": "can0"}) as bus:
        assert adapters.send(bus, FRAME)
