"""An RS485 line that others share: a second slave, JK boards, an adapter that hands back what is sent, glitches.

The test is master, other slave and wire at once; the link is the real process. Every byte that it says has to be the
right answer at the right time, and whatever the noise left whole is answered.
"""

from __future__ import annotations

import json
import os
import random
import select
import struct
import time
import tty
from collections import deque

import pytest

from bmsd.links.modbus_rtu import crc_is_good, with_crc
from bmsd.tables import jk
from tests.links import jk_client
from tests.support.configured import pack_text, written
from tests.support.patience import allowed
from tests.support.running import PlayedCore, eventually, link

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
POINTS = {
    "sequence": 7, "state": "discharging", "pack_mv": 53200, "current_ma": -12300, "power_mw": -654000,
    "soc_permille": 605, "soh_permille": 990, "cell_mv": [3325] * 16, "cell_min_mv": 3320, "cell_max_mv": 3330,
    "cell_average_mv": 3325, "cell_difference_mv": 10, "min_cell": 1, "max_cell": 16, "battery_decic": [235, -75],
    "switch_decic": 300, "charge_allowed": True, "discharge_allowed": True, "remaining_mah": 169_380,
    "capacity_mah": 280_000, "discharge_commanded": True, "discharge_actual": True, "charge_actual": True,
}  # fmt: skip
OURS, BOARD, OTHER = 1, 15, 9
LIVE_AT, LIVE_LENGTH, LOCK_AT = 100, 125, 612
QUIET_S = 0.004
"""More than 3.5 characters at 115200 baud, which count as 1.75 ms above 19200."""
SECTION = (
    '[modbus]\nport = "{}"\nbaudrate = 115200\nunit = 1\nwrites = true\nmore_units = {{ 15 = ["jk"] }}\n'
)
CONFIG = pack_text("[outputs]\ncharge = 1\ndischarge = 2\n")


class Wire:
    """The line as the link sees it."""

    def __init__(self, echo: bool) -> None:
        self.ours, self.theirs = os.openpty()
        tty.setraw(self.ours)
        tty.setraw(self.theirs)
        self.path, self._echo = os.ttyname(self.theirs), echo
        self.lately: deque[str] = deque(maxlen=12)
        """What was on the line lately, for whoever has to find out why."""

    def put(self, data: bytes, *, quiet: bool = True) -> None:
        """Put bytes on the line, and let it be silent afterwards, counted from when the link has read them."""
        self._note("in", data)
        os.write(self.ours, data)
        if quiet:
            eventually(self._is_read)
            time.sleep(QUIET_S)

    def said(self, length: int) -> bytes:
        """Take what the link says, and hand it back where the adapter does."""
        found = b""
        while len(found) < length and select.select([self.ours], [], [], allowed(2))[0]:
            found += os.read(self.ours, 4096)
        self._note("out", found)
        if self._echo:
            self.put(found)
        return found

    def unasked(self) -> str:
        """Give what the link says now, in hex; nothing, where silence is right."""
        return os.read(self.ours, 4096).hex() if select.select([self.ours], [], [], QUIET_S)[0] else ""

    def _note(self, way: str, data: bytes) -> None:
        self.lately.append(f"{time.monotonic():.4f} {way} {data[:40].hex()}")

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)

    def _is_read(self) -> bool:
        """Tell whether nothing is left for the link; looking makes the kernel hand over what is on its way."""
        return not select.select([self.theirs], [], [], 0)[0]


class Master:
    """Asks us, and knows the right answer to everything it asks."""

    def __init__(self, wire: Wire, choice: random.Random) -> None:
        self._wire, self._choice = wire, choice
        self.asked = self.answered = self.destroyed = 0
        self._live = self._words(LIVE_AT, LIVE_LENGTH)
        self._settings = self._board(0x161E)
        self._about = self._board(0x161C)
        self.asked = self.answered = 0

    def ask(self) -> None:
        """Ask one of many things, whole or destroyed, and look at the answer."""
        request, right = self._choice.choice(
            (self._read, self._read, self._beyond, self._lock, self._frame, self._wrong)
        )()
        self.asked += 1
        if self._choice.random() < 0.1:
            place = self._choice.randrange(len(request))
            request = (
                request[:place]
                + bytes((request[place] ^ 1 << self._choice.randrange(8),))
                + request[place + 1 :]
            )
            self.destroyed += 1
            self._wire.put(request)
            assert self._wire.unasked() == "", request.hex()
            return
        self._wire.put(request, quiet=False)
        found = self._wire.said(len(right) if right else 308)
        if right:
            assert found == right, "\n".join(self._wire.lately)
        else:
            assert found.startswith(jk.FRAME_HEAD), "\n".join(self._wire.lately)
            assert jk_client.frame(found[:300])["voltage_V"] == 53.2
            assert found[300:] == with_crc(request[:6])
        self.answered += 1

    def _words(self, address: int, count: int) -> bytes:
        self._wire.put(with_crc(struct.pack(">BBHH", OURS, 3, address, count)), quiet=False)
        found = self._wire.said(5 + 2 * count)
        assert crc_is_good(found)
        return found[3:-2]

    def _board(self, register: int) -> bytes:
        self._wire.put(with_crc(struct.pack(">BBHHBH", BOARD, 16, register, 1, 2, 0)), quiet=False)
        found = self._wire.said(308)
        assert len(found) == 308
        return found

    def _read(self) -> tuple[bytes, bytes]:
        at = self._choice.randrange(LIVE_LENGTH)
        count, function = self._choice.randrange(1, LIVE_LENGTH - at + 1), self._choice.choice((3, 4))
        request = struct.pack(">BBHH", OURS, function, LIVE_AT + at, count)
        data = self._live[2 * at : 2 * (at + count)]
        return with_crc(request), with_crc(bytes((OURS, function, len(data))) + data)

    def _beyond(self) -> tuple[bytes, bytes]:
        request = struct.pack(">BBHH", OURS, 3, LIVE_AT + LIVE_LENGTH - 1, 2)
        return with_crc(request), with_crc(bytes((OURS, 0x83, 2)))

    def _lock(self) -> tuple[bytes, bytes]:
        if self._choice.random() < 0.5:
            order = with_crc(struct.pack(">BBHH", OURS, 6, LOCK_AT, 1))
            return order, order
        order = struct.pack(">BBHHBH", OURS, 16, LOCK_AT, 1, 2, 1)
        return with_crc(order), with_crc(order[:6])

    def _frame(self) -> tuple[bytes, bytes]:
        register, right = self._choice.choice(
            ((0x161E, self._settings), (0x161C, self._about), (0x1620, b""))
        )
        return with_crc(struct.pack(">BBHHBH", BOARD, 16, register, 1, 2, 0)), right

    def _wrong(self) -> tuple[bytes, bytes]:
        function = self._choice.choice((1, 2, 5, 0x41))
        return with_crc(bytes((OURS, function, 0, 100, 0, 1))), with_crc(bytes((OURS, function | 0x80, 1)))


class Others:
    """Everybody else on the line, who asks for nothing of ours."""

    def __init__(self, wire: Wire, choice: random.Random) -> None:
        self._wire, self._choice = wire, choice

    def speak(self) -> None:
        """Put something on the line that is none of our business; we have to be silent."""
        kinds = (self._poll, self._glitch, self._glitch, self._board, self._broadcast, self._half)
        for piece in (pieces := self._choice.choice(kinds)()):
            self._wire.put(piece)
        assert self._wire.unasked() == "", [piece.hex() for piece in pieces]

    def _poll(self) -> list[bytes]:
        count = self._choice.randrange(1, 126)
        request = with_crc(struct.pack(">BBHH", OTHER, 3, self._choice.randrange(65_000), count))
        answer = with_crc(bytes((OTHER, 3, 2 * count)) + self._choice.randbytes(2 * count))
        return [request, answer] if self._choice.random() < 0.5 else [request + answer]

    def _glitch(self) -> list[bytes]:
        return [self._choice.choice((b"\0", b"\xff", b"\0\0", self._choice.randbytes(3)))]

    def _board(self) -> list[bytes]:
        acknowledged = with_crc(bytes.fromhex("0210 1620 0001"))
        return [frame_of_another() + acknowledged + self._choice.choice((b"", b"\0\0"))]

    def _broadcast(self) -> list[bytes]:
        return [with_crc(struct.pack(">BBHH", 0, 6, LOCK_AT, 1))]

    def _half(self) -> list[bytes]:
        return [with_crc(struct.pack(">BBHH", OURS, 3, LIVE_AT, 9))[: self._choice.randrange(1, 7)]]


def frame_of_another() -> bytes:
    body = (jk.FRAME_HEAD + b"\2\0" + bytes(range(200))).ljust(jk.FRAME_BYTES - 1, b"\0")
    return body + bytes((sum(body) & 0xFF,))


def shared(folder, echo: bool, requests: int) -> None:
    choice, wire = random.Random(requests + echo), Wire(echo)
    core = PlayedCore(folder, POINTS)
    state = folder / "link-modbus.json"
    try:
        with link("modbus", written(folder, CONFIG + SECTION.format(wire.path)), folder) as process:
            eventually(lambda: json.loads(state.read_text())["state"] == "running")
            master, others = Master(wire, choice), Others(wire, choice)
            for _ in range(requests):
                if choice.random() < 0.5:
                    others.speak()
                master.ask()
            assert master.answered == master.asked - master.destroyed
            assert process.poll() is None
            told = json.loads(state.read_text())
            assert told["foreign_frames"] > requests // 20
    finally:
        core.die()
        wire.close()


@pytest.mark.parametrize("echo", [False, True])
def test_a_few_hundred_requests_on_a_shared_line_are_answered_right(tmp_path, echo) -> None:
    """S9."""
    shared(tmp_path, echo, 250)


@pytest.mark.slow
def test_ten_thousand_requests_on_a_shared_line_are_answered_right(tmp_path) -> None:
    """S9: beside a second slave, JK boards, an echo and glitches; nothing wrong, nothing lost that noise left whole."""
    shared(tmp_path, True, 10_000)
