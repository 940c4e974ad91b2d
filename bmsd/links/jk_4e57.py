"""The 4E57 protocol of older JK boards without input and output: bytes and times in, answers out.

The line is its own: this is not Modbus. A frame is judged when the line has been silent, by the length that it says
itself; what stands beside it is skipped. Reading is answered; a password, a write and whatever does not check is met
with silence, as is every request while the core's data is old or a measurement unknown: the protocol has no word for
no.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from bmsd.links.listener import Listener
from bmsd.links.modbus_rtu import Refusal, RefusedError
from bmsd.tables import jk_4e57

START = b"\x4e\x57"
READ, READ_ALL = 3, 6
_REQUEST, _REPLY, _BMS = 0, 1, 0
_SHORTEST, _LONGEST = 20, 512
_COMMAND, _TRANSFER, _DATA = 8, 10, 11
_END = bytes.fromhex("0000000068")
"""Record number, then the end mark."""


class JkStation(Listener):
    """A board at the end of a line."""

    def __init__(self, values: Callable[[], dict[str, Any]], baudrate: int) -> None:
        super().__init__(baudrate, most=_LONGEST)
        self.answered = self.refused = 0
        self.heard: Counter[int] = Counter()
        """Nobody has a number here."""
        self._values = values

    def take(self, now_us: int) -> bytes | None:
        """Answer the request that ended before this silence; None where silence is the answer."""
        request = self._ended(now_us, last_frame)
        if request is None:
            return None
        if request[_TRANSFER] != _REQUEST:
            self.foreign += 1  # an answer, perhaps our own, echoed by the adapter
            return None
        return self._answer(request)

    def _answer(self, request: bytes) -> bytes | None:
        try:
            data = self._asked(request[_COMMAND], request[_DATA])
        except RefusedError:
            data = None
        if data is None:
            self.refused += 1
            return None
        self.answered += 1
        return framed(request[4:8], request[_COMMAND], data)

    def _asked(self, command: int, identifier: int) -> bytes | None:
        if command == READ_ALL or (command == READ and identifier == 0):
            return jk_4e57.everything(self._told())
        if command != READ:
            return None
        if identifier == jk_4e57.CELLS_ID:
            return jk_4e57.cells(self._told())
        row = jk_4e57.BY_ID.get(identifier)
        return None if row is None else row.encode(self._told())

    def _told(self) -> dict[str, Any]:
        """Give the values of the board. RefusedError: one is lost, and the protocol has no word for that."""
        values = self._values()
        if None in (values["switch_word"], values["battery_1_word"], values["battery_2_word"]):
            raise RefusedError(Refusal.DEVICE)
        return values


def last_frame(buffer: bytes) -> bytes | None:
    """Find the last whole frame in what has arrived, each as long as it says itself."""
    found, at = None, buffer.find(START)
    while at >= 0:
        frame = buffer[at : at + 2 + int.from_bytes(buffer[at + 2 : at + 4], "big")]
        is_whole = len(frame) >= _SHORTEST and is_good(frame)
        found = frame if is_whole else found
        at = buffer.find(START, at + (len(frame) if is_whole else 1))
    return found


def is_good(frame: bytes) -> bool:
    """Tell whether length and sum of a frame are right."""
    length = int.from_bytes(frame[2:4], "big")
    return length == len(frame) - 2 and frame[-4:] == _sum(frame[:-4])


def _sum(data: bytes) -> bytes:
    """Give the four bytes at the end: a checksum nobody uses, then the low half of the sum of all bytes."""
    return (sum(data) & 0xFFFF).to_bytes(4, "big")


def framed(terminal: bytes, command: int, data: bytes) -> bytes:
    """Make a reply of the board."""
    inner = terminal + bytes((command, _BMS, _REPLY)) + data + _END
    body = START + (len(inner) + 2 + 4).to_bytes(2, "big") + inner
    return body + _sum(body)
