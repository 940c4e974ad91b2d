"""A network interface of the kernel (SocketCAN) through the standard library's socket: 13 MiB less than python-can.

Bytes on the socket are `struct can_frame` of linux/can.h; frames of CAN FD do not come to a socket that did not ask
for them. It has the four methods of a python-can bus that the link uses.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

NAME = "socketcan"
_FRAME = struct.Struct("=IB3x8s")
_EXTENDED, _REMOTE, _ERROR = 0x8000_0000, 0x4000_0000, 0x2000_0000
_11_BIT, _29_BIT = 0x7FF, 0x1FFF_FFFF
_ERROR_FILTER, _ALL_ERRORS = 2, 0x1FFF_FFFF
"""CAN_RAW_ERR_FILTER of linux/can/raw.h; errors of the bus come as frames."""
_STAMPED = 35
"""SO_TIMESTAMPNS of asm-generic/socket.h: the kernel says when a frame came."""
_STAMP = struct.Struct("@ll")
_ROOM = socket.CMSG_SPACE(_STAMP.size)
_OWN_KEYS = {"interface", "channel", "bitrate"}
"""The bit rate is set where the interface is brought up. Any other key is python-can's to understand."""


class CanMessage(Protocol):
    """What the link reads of a frame; those of python-can have the same names."""

    arbitration_id: int
    is_extended_id: bool
    is_remote_frame: bool
    is_error_frame: bool
    is_fd: bool
    timestamp: float

    @property
    def data(self) -> bytes | bytearray:
        """Give the content."""


@dataclass(slots=True, kw_only=True)
class ClassicMessage:
    """A frame of at most 8 bytes."""

    arbitration_id: int
    data: bytes
    is_extended_id: bool = False
    is_remote_frame: bool = False
    is_error_frame: bool = False
    is_fd: bool = False
    timestamp: float = 0.0
    """Wall clock, in seconds; 0 is unknown."""


class CanBus(Protocol):
    """What the link needs of a bus."""

    def send(self, msg: Any, timeout: float | None = None) -> None:
        """Send one frame, or raise what this kind of bus raises."""

    def recv(self, timeout: float | None = None) -> CanMessage | None:
        """Give a frame that has arrived; None when there is none."""

    def fileno(self) -> int:
        """Give what becomes readable with a frame."""

    def shutdown(self) -> None:
        """Let the bus go."""


def is_ours(settings: Mapping[str, Any]) -> bool:
    """Tell whether a bus is a network interface without further wishes."""
    return settings["interface"] == NAME and settings.keys() <= _OWN_KEYS


class SocketCanBus:
    """One network interface, open for classic frames. OSError: it is not there, down, or without room."""

    def __init__(self, channel: str) -> None:
        self._socket = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
        try:
            self._socket.setsockopt(socket.SOL_CAN_RAW, _ERROR_FILTER, _ALL_ERRORS)
            self._socket.setsockopt(socket.SOL_SOCKET, _STAMPED, 1)
            self._socket.setblocking(False)
            self._socket.bind((channel,))
        except OSError:
            self._socket.close()
            raise

    def send(self, msg: Any, timeout: float | None = None) -> None:
        """Send one frame, or find the queue full at once: waiting is no use while nobody acknowledges."""
        number = msg.arbitration_id | _EXTENDED * msg.is_extended_id | _REMOTE * msg.is_remote_frame
        self._socket.send(_FRAME.pack(number, len(msg.data), bytes(msg.data)))

    def recv(self, timeout: float | None = None) -> ClassicMessage | None:
        """Give a frame that has arrived; None when there is none."""
        try:
            content, said, _, _ = self._socket.recvmsg(_FRAME.size, _ROOM)
        except BlockingIOError:
            return None
        number, length, data = _FRAME.unpack(content)
        extended = bool(number & _EXTENDED)
        return ClassicMessage(
            arbitration_id=number & (_29_BIT if extended or number & _ERROR else _11_BIT),
            data=data[: min(length, len(data))],
            is_extended_id=extended,
            is_remote_frame=bool(number & _REMOTE),
            is_error_frame=bool(number & _ERROR),
            timestamp=_stamp_s(said),
        )

    def fileno(self) -> int:
        """Give what becomes readable with a frame."""
        return self._socket.fileno()

    def shutdown(self) -> None:
        """Let the interface go."""
        self._socket.close()


def _stamp_s(said: list[tuple[int, int, bytes]]) -> float:
    """Give when the kernel took the frame."""
    for level, kind, data in said:
        if (level, kind) == (socket.SOL_SOCKET, _STAMPED) and len(data) == _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack(data)
            return float(seconds + nanoseconds / 1e9)
    return 0.0
