"""The demo's wires: pseudo-terminals in place of a CAN adapter and an RS485 line, and who is at their ends.

At the end of the CAN wire sits a small inverter that counts frames and says that it is there. The end of the
RS485 wire is free, for any Modbus master.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import time
import tty
from dataclasses import dataclass, field

INVERTER_ALIVE = b"t30580000000000000000\r"
"""The inverter's life sign of the Pylontech protocol, as a serial CAN adapter writes it."""
ALIVE_S = 1.0


@dataclass(slots=True)
class Wire:
    """One pseudo-terminal: our end, and the name by which a program opens the other."""

    ours: int
    theirs: int
    name: str


def _wire() -> Wire:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    # `theirs` stays open, or the wire would break each time the program at it ends.
    return Wire(ours, theirs, os.ttyname(theirs))


@dataclass(slots=True)
class Wires:
    """All wires, moved by one background thread."""

    can: Wire = field(default_factory=_wire)
    modbus: Wire = field(default_factory=_wire)
    master: Wire = field(default_factory=_wire)
    """The far end of the RS485 line."""
    frames: int = 0
    ids: set[str] = field(default_factory=set)
    _rest: bytes = b""
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Let them carry. After the programs were started: a process with threads is bad at starting others."""
        self._thread = threading.Thread(target=self._run, name="wires")
        self._thread.start()

    def __enter__(self) -> Wires:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread:
            self._thread.join()
        for wire in (self.can, self.modbus, self.master):
            os.close(wire.ours)
            os.close(wire.theirs)

    def _run(self) -> None:
        next_alive = 0.0
        ends = [self.can.ours, self.modbus.ours, self.master.ours]
        while not self._end.is_set():
            if time.monotonic() >= next_alive:
                _write(self.can.ours, INVERTER_ALIVE)
                next_alive = time.monotonic() + ALIVE_S
            for end in select.select(ends, [], [], 0.1)[0]:
                self._carry(end, _read(end))

    def _carry(self, end: int, data: bytes) -> None:
        if end == self.can.ours:
            self._count(data)
        else:
            _write(self.master.ours if end == self.modbus.ours else self.modbus.ours, data)

    def _count(self, data: bytes) -> None:
        """Count standard frames in what the adapter is told; `t` and three digits begin one."""
        *lines, self._rest = (self._rest + data).split(b"\r")
        for line in lines:
            if line.startswith(b"t"):
                self.frames += 1
                self.ids.add(line[1:4].decode("ascii", "replace"))


def _read(end: int) -> bytes:
    try:
        return os.read(end, 4096)
    except OSError:
        return b""


def _write(end: int, data: bytes) -> None:
    """Write what fits; a wire that nobody reads loses the rest, as a wire does."""
    with contextlib.suppress(OSError):
        os.write(end, data)
