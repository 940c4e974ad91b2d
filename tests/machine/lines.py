"""The other ends of the test machine's serial lines: a Modbus master, a meter, and a CAN adapter.

None of them is bmsd's, and none uses its code: what they hear is what was on the wire.
"""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import termios
import threading
import tty
from collections.abc import Callable
from typing import Any

Door = Callable[[dict[str, Any]], dict[str, Any]]
METER_UNIT, INPUT_REGISTERS = 1, 4
VOLTS, WATTS, HERTZ = 231.5, -1234.5, 49.75
METER = {0: VOLTS, 12: WATTS, 70: HERTZ}
"""What the meter measures, by the address of the first of two registers; the rest is zero."""
MOST_KEPT = 200


class Cable:
    """A serial cable: two ptys joined by a thread, one end for the guest, one for the host."""

    def __init__(self) -> None:
        self._masters: list[int] = []
        self._open: list[int] = []  # else a close at one end is a hang-up
        self.ends: list[str] = []
        for _ in range(2):
            master, slave = pty.openpty()
            tty.setraw(slave, termios.TCSANOW)
            self._masters.append(master)
            self._open.append(slave)
            self.ends.append(os.ttyname(slave))
        threading.Thread(target=self._pump, daemon=True, name="cable").start()

    def _pump(self) -> None:
        left, right = self._masters
        while True:
            for master in select.select(self._masters, [], [])[0]:
                os.write(right if master == left else left, os.read(master, 4096))


class Plug:
    """A serial line whose other end is a piece of this program."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave, termios.TCSANOW)
        self.end = os.ttyname(self._slave)
        threading.Thread(target=self._live, daemon=True, name="plug").start()

    def _live(self) -> None:
        while True:
            self.take(os.read(self._master, 4096))

    def say(self, data: bytes) -> None:
        """Send to the guest."""
        os.write(self._master, data)

    def take(self, data: bytes) -> None:
        """Take what the guest sent."""
        raise NotImplementedError


class Meter(Plug):
    """An energy meter on RS485, read by its input registers."""

    def __init__(self) -> None:
        self._heard = b""
        super().__init__()

    def take(self, data: bytes) -> None:
        """Answer a request as soon as it is whole."""
        self._heard = (self._heard + data)[-8:]
        body, check = self._heard[:6], self._heard[6:]
        if check != crc(body):
            return
        self._heard = b""
        unit, function, address, count = struct.unpack(">BBHH", body)
        if (unit, function) == (METER_UNIT, INPUT_REGISTERS):
            words = struct.pack(">BBB", unit, function, 2 * count)
            words += b"".join(struct.pack(">f", METER.get(address + n, 0.0)) for n in range(0, count, 2))
            self.say(words + crc(words))


def crc(data: bytes) -> bytes:
    """Make the checksum of Modbus RTU."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


class Adapter(Plug):
    """A CAN controller on a serial line that the kernel's slcan driver runs: the only one here with bit rate and state.

    What it is told, such as `S6` for 500 kbit/s, and the frames that it was given are kept.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._kept: list[str] = []
        super().__init__()

    def take(self, data: bytes) -> None:
        """Keep whole lines."""
        *lines, self._rest = (self._rest + data).split(b"\r")
        self._kept = (self._kept + [line.decode("ascii", "replace") for line in lines])[-MOST_KEPT:]

    def door(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out a request of the guest: be deaf or not, say something, tell what was heard since the last time."""
        if "deaf" in request:
            # What takes nothing from the line, rather than reads it late: kernels keep 64 KiB for a late reader.
            termios.tcflow(self._slave, termios.TCOOFF if request["deaf"] else termios.TCOON)
        if "say" in request:
            self.say(request["say"].encode() + b"\r")
        heard, self._kept = self._kept, []
        return {"heard": heard}


def mbpoll(ports: list[str]) -> Door:
    """Make the master on the RS485 lines: mbpoll, which is not ours."""

    def poll(request: dict[str, Any]) -> dict[str, Any]:
        port = ports[request.get("line", 0)]
        words = ["mbpoll", "-m", "rtu", "-b", "9600", "-P", "none", *request["words"], "-1", "-o", "3", port]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        found = [line.split(":")[1].strip() for line in done.stdout.splitlines() if line.startswith("[")]
        return {"code": done.returncode, "values": found, "error": done.stderr.strip()}

    return poll
