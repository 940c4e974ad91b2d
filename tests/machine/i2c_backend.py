"""A virtual I2C bus for the test machine: chips written in Python, real transfers.

The guest kernel's virtio-i2c driver sends every message of a transfer here over a vhost-user socket, so that
/dev/i2c-N in the guest is a full I2C master: raw I2C_RDWR with repeated starts, any length, and an error for an
address nobody answers. A chip is anything with `transfer(address, out, read) -> bytes` that raises OSError.
"""

from __future__ import annotations

import array
import mmap
import os
import selectors
import socket
import struct
import threading
from pathlib import Path
from typing import NamedTuple, Protocol

# virtio 1.2, section 5.21, and vhost-user, as QEMU's interop document has them
F_VERSION_1, F_PROTOCOL, F_I2C_ZERO_LENGTH = 1 << 32, 1 << 30, 1 << 0
PF_REPLY_ACK, PF_BACKEND_REQ = 1 << 3, 1 << 5  # user-mode Linux wants the second
GET_FEATURES, SET_MEM_TABLE, SET_VRING_NUM, SET_VRING_ADDR = 1, 5, 8, 9
SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL = 10, 11, 12, 13
GET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_BACKEND_REQ_FD = 15, 17, 21
NEED_REPLY, IS_REPLY = 8, 5
DESC_NEXT, DESC_WRITE, DESC_INDIRECT = 1, 2, 4
I2C_FAIL_NEXT, I2C_READ = 1, 2
MSG_OK, MSG_ERR = 0, 1
HEADER, U64, RING = struct.Struct("<III"), struct.Struct("<Q"), struct.Struct("<II")


class Chip(Protocol):
    """Whatever answers on the bus."""

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Answer one combined transaction; OSError is a missing acknowledge."""
        ...


class Region(NamedTuple):
    """A piece of the guest's memory."""

    guest: int
    user: int
    size: int
    memory: mmap.mmap
    offset: int


class Place(NamedTuple):
    """A spot in the guest's memory."""

    memory: mmap.mmap
    at: int
    length: int = 0

    def bytes(self) -> bytes:
        return bytes(self.memory[self.at : self.at + self.length])


class Backend:
    """The device's side of one connection with one virtqueue."""

    def __init__(self, sock: socket.socket, chip: Chip) -> None:
        self._sock, self._chip = sock, chip
        self._regions: list[Region] = []
        self._rings: tuple[Place, Place, Place] | None = None
        self._size = self._last = 0
        self._kick: int | None = None
        self._call: int | None = None
        self._held: list[int] = []
        self._out = b""
        self._failed = False
        self._poller = selectors.DefaultSelector()
        self._poller.register(sock, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until the other side is gone."""
        while True:
            for key, _ in self._poller.select():
                if key.fileobj is self._sock:
                    if not self._message():
                        return
                elif self._kick is not None:
                    os.read(self._kick, 8)
                    self._drain()

    def _receive(self, count: int) -> tuple[bytes, list[int]]:
        data, descriptors = b"", array.array("i")
        while len(data) < count:
            more, ancillary, _, _ = self._sock.recvmsg(count - len(data), socket.CMSG_SPACE(32))
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    descriptors.frombytes(payload[: len(payload) - len(payload) % 4])
            if not more:
                return b"", []
            data += more
        return data, list(descriptors)

    def _message(self) -> bool:
        head, descriptors = self._receive(HEADER.size)
        if not head:
            return False
        request, flags, size = HEADER.unpack(head)
        body, more = self._receive(size) if size else (b"", [])
        answer = self._handle(request, body, descriptors + more)
        if answer is None and flags & NEED_REPLY:
            answer = U64.pack(0)
        if answer is not None:
            self._sock.sendall(HEADER.pack(request, IS_REPLY, len(answer)) + answer)
        return True

    def _handle(self, request: int, body: bytes, descriptors: list[int]) -> bytes | None:
        if request == GET_FEATURES:
            return U64.pack(F_VERSION_1 | F_PROTOCOL | F_I2C_ZERO_LENGTH)
        if request == GET_PROTOCOL_FEATURES:
            return U64.pack(PF_REPLY_ACK | PF_BACKEND_REQ)
        if request == GET_QUEUE_NUM:
            return U64.pack(1)
        if request == GET_VRING_BASE:
            self._drop_kick()
            return RING.pack(RING.unpack_from(body + bytes(8))[0], self._last)
        self._set(request, body, descriptors)
        return None

    def _set(self, request: int, body: bytes, descriptors: list[int]) -> None:
        if request == SET_MEM_TABLE:
            self._map(body, descriptors)
        elif request == SET_VRING_NUM:
            self._size = RING.unpack(body)[1]
        elif request == SET_VRING_ADDR:
            _, _, table, used, available, _ = struct.unpack("<IIQQQQ", body)
            self._rings = (self._user(table), self._user(available), self._user(used))
        elif request == SET_VRING_BASE:
            self._last = RING.unpack(body)[1]
        elif request == SET_VRING_KICK:
            self._drop_kick()
            if descriptors:
                self._kick = descriptors[0]
                self._poller.register(self._kick, selectors.EVENT_READ)
        elif request == SET_VRING_CALL:
            if self._call is not None:
                os.close(self._call)
            self._call = descriptors[0] if descriptors else None
        elif request == SET_BACKEND_REQ_FD:
            self._held = descriptors  # nothing is ever sent on it
        else:
            for descriptor in descriptors:
                os.close(descriptor)

    def _map(self, body: bytes, descriptors: list[int]) -> None:
        for region in self._regions:
            region.memory.close()
        self._regions = []
        for index in range(struct.unpack_from("<I", body)[0]):
            guest, size, user, offset = struct.unpack_from("<QQQQ", body, 8 + 32 * index)
            memory = mmap.mmap(descriptors[index], size + offset, mmap.MAP_SHARED)
            self._regions.append(Region(guest, user, size, memory, offset))
            os.close(descriptors[index])

    def _drop_kick(self) -> None:
        if self._kick is not None:
            self._poller.unregister(self._kick)
            os.close(self._kick)
            self._kick = None

    def _user(self, address: int) -> Place:
        for region in self._regions:
            if region.user <= address < region.user + region.size:
                return Place(region.memory, address - region.user + region.offset)
        raise ValueError(f"address {address:#x} is in no region")

    def _guest(self, address: int, length: int) -> Place:
        for region in self._regions:
            if region.guest <= address < region.guest + region.size:
                return Place(region.memory, address - region.guest + region.offset, length)
        raise ValueError(f"address {address:#x} is in no region")

    def _drain(self) -> None:
        """Carry out all requests that wait in the queue."""
        if self._rings is None:
            return
        _, available, used = self._rings
        done = False
        while self._last != struct.unpack_from("<H", available.memory, available.at + 2)[0]:
            slot = available.at + 4 + 2 * (self._last % self._size)
            head = struct.unpack_from("<H", available.memory, slot)[0]
            written = self._request(*self._chain(head))
            index = struct.unpack_from("<H", used.memory, used.at + 2)[0]
            RING.pack_into(used.memory, used.at + 4 + 8 * (index % self._size), head, written)
            struct.pack_into("<H", used.memory, used.at + 2, (index + 1) & 0xFFFF)
            self._last = (self._last + 1) & 0xFFFF
            done = True
        if done and self._call is not None:
            os.write(self._call, U64.pack(1))

    def _chain(self, index: int) -> tuple[list[Place], list[Place]]:
        """Follow a chain of descriptors: what the device reads, and what it writes."""
        assert self._rings is not None
        out: list[Place] = []
        into: list[Place] = []
        table = self._rings[0]
        while True:
            address, length, flags, follow = struct.unpack_from("<QIHH", table.memory, table.at + 16 * index)
            if flags & DESC_INDIRECT:
                table, index = self._guest(address, length), 0
                continue
            (into if flags & DESC_WRITE else out).append(self._guest(address, length))
            if not flags & DESC_NEXT:
                return out, into
            index = follow

    def _request(self, out: list[Place], into: list[Place]) -> int:
        """Do one message; a write that a read follows is kept, because a chip answers both at once."""
        address, _, flags = struct.unpack("<HHI", out[0].bytes()[:8])
        status, more = into[-1], bool(flags & I2C_FAIL_NEXT)
        answer, good = b"", not self._failed
        if good and flags & I2C_READ:
            good, answer = self._transfer(address >> 1, self._out, into[0].length if len(into) > 1 else 0)
            self._out = b""
            into[0].memory[into[0].at : into[0].at + len(answer)] = answer
        elif good:
            self._out = out[1].bytes() if len(out) > 1 else b""
            if not more:
                good, _ = self._transfer(address >> 1, self._out, 0)
                self._out = b""
        status.memory[status.at] = MSG_OK if good else MSG_ERR
        self._failed = more and not good
        return 1 + len(answer)

    def _transfer(self, address: int, out: bytes, read: int) -> tuple[bool, bytes]:
        try:
            return True, self._chip.transfer(address, out, read)[:read]
        except OSError:
            return False, b""


def serve(path: Path, chip: Chip) -> None:
    """Offer the bus on a socket, from a thread of its own."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def loop() -> None:
        while True:
            peer, _ = server.accept()
            with peer:
                Backend(peer, chip).run()

    threading.Thread(target=loop, daemon=True, name="i2c").start()
