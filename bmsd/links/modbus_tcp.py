"""The Modbus TCP link: the same units and maps as on a serial line, for a few connections at a time.

Who asks too fast, too slowly, or does not read his answers costs the others one answer each, never a wait: one
request of each in turn, and nothing is sent that does not go at once.

pymodbus's server is not used: it answers what it cannot decode with function 0x80 instead of the function with its
high bit set, names itself for function 17, and bounds no number of connections (tried with 3.16).
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from functools import partial

from bmsd.config.load import ModbusConfig
from bmsd.errors import PeerError
from bmsd.links.link import REPORT_MS, Backoff, Link, Lost
from bmsd.links.modbus_pack import MappedPack
from bmsd.links.modbus_rtu import ModbusRequest, Refusal
from bmsd.links.modbus_unit import ModbusUnit

MOST_PEERS = 8
IDLE_S = 60.0
"""Who has sent no whole request for this long makes room for another when all places are taken."""
THIS_DEVICE = (0, 255)
"""Unit ids that mean whoever has the address, by the guide to Modbus over TCP."""
ROUND_S = 0.001
"""Rest between two rounds while somebody has more to ask: a flood leaves the processor to others."""
UNREAD_BYTES = 8192
"""Answers that a client may leave unread before it is hung up; the kernel keeps up to twice as much."""
_HEADER = struct.Struct(">HHH")
_LONGEST_PDU = 254
"""Bytes after the header: unit, function and data."""


class Stream:
    """Finds requests in what one client sends. PeerError: it is no Modbus TCP, hang up."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived."""
        self._buffer += data

    @property
    def full(self) -> bool:
        """Tell whether there is enough to do before more is read."""
        return len(self._buffer) >= _HEADER.size + _LONGEST_PDU

    def take(self) -> tuple[int, ModbusRequest] | None:
        """Give the number and content of the next whole request."""
        if len(self._buffer) < _HEADER.size:
            return None
        number, protocol, length = _HEADER.unpack_from(self._buffer)
        if protocol != 0 or not 2 <= length <= _LONGEST_PDU:
            raise PeerError("this is no Modbus TCP")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        return number, ModbusRequest(body[0], body[1], body[2:])


class Peer:
    """One client."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.connection, self.name = connection, name
        self.stream = Stream()
        self.asked_s = time.monotonic()
        """When it sent a whole request last: single bytes keep no place."""
        self.reading = True
        """It is read from: not while whole requests of it wait."""


class Server:
    """All clients of one address."""

    def __init__(self, listener: socket.socket, units: Mapping[int, ModbusUnit], pack: MappedPack) -> None:
        self.refused = self.turned_away = self.dropped = 0
        self._units = {**dict.fromkeys(THIS_DEVICE, next(iter(units.values()))), **units}
        self.pack = pack
        self._peers: dict[int, Peer] = {}
        self._listener = listener
        self._poll = select.epoll()
        self._poll.register(listener.fileno(), select.EPOLLIN)

    @property
    def peers(self) -> int:
        """Count the clients."""
        return len(self._peers)

    def fileno(self) -> int:
        """Give what to wait for."""
        return self._poll.fileno()

    def serve(self) -> bool:
        """Do what is to do now, one request of each client; tell whether there is more."""
        for descriptor, _ in self._poll.poll(0, MOST_PEERS + 1):
            if descriptor == self._listener.fileno():
                self._accept()
            elif descriptor in self._peers:
                self._receive(self._peers[descriptor])
        answered = [self._answer(peer) for peer in list(self._peers.values())]
        return any(answered)

    def close(self) -> None:
        """Hang up everywhere."""
        for peer in list(self._peers.values()):
            self._drop(peer)
        self._poll.close()

    def _accept(self) -> None:
        try:
            connection, address = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        if len(self._peers) >= MOST_PEERS and not self._make_room():
            self.turned_away += 1
            connection.close()
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)
        self._peers[connection.fileno()] = Peer(connection, f"{address[0]}:{address[1]}")
        self._poll.register(connection.fileno(), select.EPOLLIN)

    def _make_room(self) -> bool:
        oldest = min(self._peers.values(), key=lambda peer: peer.asked_s)
        if time.monotonic() - oldest.asked_s < IDLE_S:
            return False
        self._drop(oldest)
        return True

    def _receive(self, peer: Peer) -> None:
        try:
            data = peer.connection.recv(_HEADER.size + _LONGEST_PDU)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(peer)
            return
        peer.stream.feed(data)

    def _answer(self, peer: Peer) -> bool:
        """Answer one request; tell whether there may be another."""
        try:
            taken = peer.stream.take()
            if taken is not None:
                peer.asked_s = time.monotonic()
                self._send(peer, *taken)
        except (PeerError, OSError):  # an answer that does not go at once is a client that does not read
            self.dropped += 1
            self._drop(peer)
            return False
        self._read_on(peer, not peer.stream.full)
        return taken is not None

    def _send(self, peer: Peer, number: int, request: ModbusRequest) -> None:
        self.pack.source = peer.name
        unit = self._units.get(request.unit)
        reply = unit.plain(request) if unit else refusal(request, Refusal.NO_UNIT)
        self.pack.source = ""
        if reply is None:
            reply = refusal(
                request, Refusal.VALUE
            )  # nothing echoes here: what looks like an answer is broken
        self.pack.requests += 1
        self.refused += bool(reply[1] & 0x80)
        data = _HEADER.pack(number, 0, len(reply)) + reply
        if peer.connection.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) != len(data):
            raise BlockingIOError

    def _read_on(self, peer: Peer, wanted: bool) -> None:
        if wanted != peer.reading:
            self._poll.modify(peer.connection.fileno(), select.EPOLLIN if wanted else 0)
            peer.reading = wanted

    def _drop(self, peer: Peer) -> None:
        descriptor = peer.connection.fileno()
        self._peers.pop(descriptor, None)
        with contextlib.suppress(OSError):
            self._poll.unregister(descriptor)
        peer.connection.close()


def refusal(request: ModbusRequest, code: Refusal) -> bytes:
    """Make the answer that refuses a request, without a checksum."""
    return bytes((request.unit, request.function | 0x80, code))


def run(link: Link, settings: ModbusConfig, units: Mapping[int, ModbusUnit], pack: MappedPack) -> None:
    """Serve the address until the link is told to end."""
    assert settings.tcp is not None
    host, port = settings.tcp
    where, patience = f"{host} port {port}", Backoff()
    lost = Lost(link, f"address {where}")
    while not link.stopping:
        try:
            with _listening(host, port) as listener:
                lost.back()
                patience.worked()
                _serve(link, Server(listener, units, pack), f"unit {', '.join(map(str, units))} at {where}")
        except OSError as error:
            lost.since(reason := _reason(error))
            detail = f"cannot listen at {where}: {reason}"
            link.pause(patience.failed(), partial(link.report, "error", detail))


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((host, port))
        listener.listen(MOST_PEERS)
        yield listener


def _reason(error: OSError) -> str:
    if error.errno == errno.EAFNOSUPPORT:
        return "systemd lets this link use no network; docs/modbus.md has the drop-in"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "ports below 1024 need a right that this link has not; take 1502"
    return str(error)


def _serve(link: Link, server: Server, where: str) -> None:
    next_report_s, more = 0.0, False
    try:
        while not link.stopping:
            now_s = time.monotonic()
            if now_s >= next_report_s:
                _report(link, server, where)
                next_report_s = now_s + REPORT_MS / 1000
            if more:
                time.sleep(ROUND_S)
            else:
                link.wait(next_report_s - now_s, server.fileno())
            more = server.serve()
    finally:
        server.close()


def _report(link: Link, server: Server, where: str) -> None:
    server.pack.tell(
        link, where, requests=server.pack.requests, refused=server.refused, clients=server.peers,
        turned_away=server.turned_away, dropped=server.dropped,
    )  # fmt: skip
