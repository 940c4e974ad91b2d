"""Far ends that are not python-can's: a serial CAN adapter on a pty, and a socketcand server on the loopback."""

from __future__ import annotations

import os
import re
import select
import socket
import threading
import time
import tty
from typing import Any

from bmsd.ipc.shared_files import write_all


class FarEnd:
    """The other end of a serial line: a thread that answers what comes, until the device is taken away."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.openpty()
        tty.setraw(self.ours)
        tty.setraw(self.theirs)
        self.port = os.ttyname(self.theirs)
        self.reading = True
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def unplug(self) -> None:
        """Take the device away, as a USB adapter that is pulled."""
        self._end.set()
        self._thread.join()
        for descriptor in (self.ours, self.theirs):
            try:
                os.close(descriptor)
            except OSError:
                pass

    def _run(self) -> None:
        while not self._end.is_set():
            if not self.reading or not select.select([self.ours], [], [], 0.02)[0]:
                time.sleep(0.005)
                continue
            self.came(os.read(self.ours, 4096))

    def came(self, data: bytes) -> None:
        """Answer what came."""
        raise NotImplementedError


class Adapter(FarEnd):
    """A serial adapter (slcan): answers every command as firmware does, keeps what it is told to send."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[str] = []
        self.frames: list[tuple[str, str]] = []
        self._text = b""
        self._thread.start()

    def say(self, data: bytes) -> None:
        write_all(self.ours, data)

    def heard(self, number: int, data: bytes) -> None:
        """Hand over a frame from the bus."""
        kind = f"T{number:08X}" if number > 0x7FF else f"t{number:03X}"
        self.say(f"{kind}{len(data)}{data.hex().upper()}\r".encode())

    def came(self, data: bytes) -> None:
        *lines, self._text = (self._text + data).split(b"\r")
        for line in lines:
            self._answer(line.decode())

    def _answer(self, line: str) -> None:
        if match := re.fullmatch(r"t([0-9A-F]{3})([0-8])([0-9A-F]*)|T([0-9A-F]{8})([0-8])([0-9A-F]*)", line):
            number, size, data = match[1] or match[4], match[2] or match[5], match[3] or match[6]
            assert len(data) == 2 * int(size)
            self.frames.append((number, data))
            self.say(b"z\r" if match[1] else b"Z\r")
        else:
            self.commands.append(line)
            self.say(b"\r")


class Server:
    """A socketcand server: greets, opens, carries; each of its manners can be spoiled."""

    def __init__(self, port: int = 0, greeting: bytes = b"< hi >") -> None:
        self.frames: list[tuple[str, str]] = []
        self.greeting = greeting
        self.clients: list[socket.socket] = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen()
        self.port = int(self._listener.getsockname()[1])
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def settings(self) -> dict[str, Any]:
        return {"interface": "socketcand", "channel": "can0", "host": "127.0.0.1", "port": self.port}

    def say(self, text: bytes) -> None:
        for client in self.clients:
            try:
                client.sendall(text)
            except OSError:
                pass

    def hang_up(self) -> None:
        """End every connection, as a server that is stopped."""
        for client in self.clients:
            client.close()
        self.clients = []

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self._listener.close()
        self.hang_up()

    def _run(self) -> None:
        while not self._end.is_set():
            clients = list(self.clients)
            for ready in select.select([self._listener, *clients], [], [], 0.02)[0]:
                if ready is self._listener:
                    self.clients.append(ready.accept()[0])
                    self.say_to(self.clients[-1], self.greeting)
                else:
                    self._take(ready)

    def say_to(self, client: socket.socket, text: bytes) -> None:
        try:
            client.sendall(text)
        except OSError:
            pass

    def _take(self, client: socket.socket) -> None:
        try:
            text = client.recv(4096)
        except OSError:
            text = b""
        if not text:
            if client in self.clients:
                self.clients.remove(client)
            return
        for order in re.findall(r"< ([^>]*) >", text.decode()):
            words = order.split()
            if words[0] == "send":
                self.frames.append((words[1], "".join(word.zfill(2) for word in words[3:]).upper()))
            else:
                self.say_to(client, b"< ok >")
