"""The request socket: what an operator or a link may ask of the core.

One JSON object per connection, one JSON line back. The core serves it only while it waits for its next cycle,
never reads more than one short line from anyone, and drops whoever is slow (S9).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bmsd.errors import PeerError, StaleError
from bmsd.ipc.shared_files import SOCKET, monotonic_ms

LONGEST_REQUEST = 4096
MOST_CONNECTIONS = 8
IDLE_S = 2.0
_SO_PEERGROUPS = 59


@dataclass(slots=True)
class PendingRequest:
    """One request received, with the means to answer it."""

    request: dict[str, Any]
    who: str
    _connection: socket.socket

    def dropped(self) -> bool:
        """Drop it if who asked has hung up: he took it for refused, and it must not be done any more."""
        poll = select.poll()
        poll.register(self._connection, 0)  # an end that only sends no more is not reported
        if not any(event & select.POLLHUP for _, event in poll.poll(0)):
            return False
        self._connection.close()
        return True

    def answer(self, reply: Mapping[str, Any]) -> None:
        """Send the answer and hang up; a peer that does not read loses it."""
        with contextlib.suppress(OSError):
            self._connection.send(
                json.dumps(reply).encode() + b"\n", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
            )
        self._connection.close()


@dataclass(slots=True)
class _Peer:
    connection: socket.socket
    who: str
    allowed: bool
    until: float
    received: bytearray = field(default_factory=bytearray)


class RequestServer:
    """Serve the request socket while the core waits for its next cycle.

    Bad, oversized and unauthorised requests get an error reply; slow ones are dropped. `may_ask` decides by
    the peer's user and groups, both given by the kernel.
    """

    def __init__(self, path: Path, may_ask: Callable[[int, list[int]], bool]) -> None:
        self._may_ask = may_ask
        self._peers: dict[int, _Peer] = {}
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(str(path))
        os.chmod(path, 0o666)  # the kernel tells who asks; may_ask decides
        self._listener.listen(MOST_CONNECTIONS)
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)

    def wait(self, until_ms: int, most: int = 4) -> list[PendingRequest]:
        """Receive requests until a time; return at once when there are as many as one cycle takes."""
        asked: list[PendingRequest] = []
        while len(asked) < most:
            left_ms = until_ms - monotonic_ms()
            for descriptor, _ in self._poll.poll(max(left_ms, 0)):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif request := self._receive(self._peers[descriptor]):
                    asked.append(request)
            self._drop_idle()
            if left_ms <= 0:
                return asked
            if asked:
                # Answering soon matters more than collecting; the cycle's own time stays as it is.
                return asked
        return asked

    def close(self) -> None:
        """Close everything."""
        for peer in list(self._peers.values()):
            self._drop(peer)
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        if len(self._peers) >= MOST_CONNECTIONS:
            connection.close()
            return
        uid, groups = credentials(connection)
        peer = _Peer(connection, f"uid {uid}", self._may_ask(uid, groups), time.monotonic() + IDLE_S)
        self._peers[connection.fileno()] = peer
        self._poll.register(connection, select.POLLIN)

    def _receive(self, peer: _Peer) -> PendingRequest | None:
        try:
            data = peer.connection.recv(LONGEST_REQUEST + 1)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        peer.received += data
        if not data:
            self._drop(peer)
            return None
        if b"\n" not in peer.received and len(peer.received) <= LONGEST_REQUEST:
            return None
        self._forget(peer)
        asked = PendingRequest({}, peer.who, peer.connection)
        try:
            if not peer.allowed:
                raise PeerError(f"{peer.who} may not ask: join the group bmsd-admin")
            asked.request = parse_request(bytes(peer.received))
        except PeerError as error:
            asked.answer({"ok": False, "error": str(error)})
            return None
        return None if asked.dropped() else asked

    def _drop_idle(self) -> None:
        now = time.monotonic()
        for peer in [p for p in self._peers.values() if p.until < now]:
            self._drop(peer)

    def _forget(self, peer: _Peer) -> None:
        self._poll.unregister(peer.connection)
        self._peers.pop(peer.connection.fileno(), None)

    def _drop(self, peer: _Peer) -> None:
        self._forget(peer)
        peer.connection.close()


def parse_request(line: bytes) -> dict[str, Any]:
    """Read one request line; raise PeerError in words for anything but a short JSON object."""
    if len(line) > LONGEST_REQUEST:
        raise PeerError(f"request is longer than {LONGEST_REQUEST} bytes")
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PeerError(f"request is not JSON: {error}") from None
    if not isinstance(request, dict) or not isinstance(request.get("do"), str):
        raise PeerError('request must be an object with a "do", such as {"do": "switch"}')
    return request


def credentials(connection: socket.socket) -> tuple[int, list[int]]:
    """Ask the kernel who is at the other end: user id and all group ids."""
    _, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 1024)
    except OSError:
        raw = b""
    return uid, [gid, *struct.unpack(f"{len(raw) // 4}I", raw)]


def ask(runtime_dir: Path, request: Mapping[str, Any], timeout_s: float = 5.0) -> dict[str, Any]:
    """Send one request and wait for the answer; raise PeerError when it is refused or none comes."""
    path = runtime_dir / SOCKET
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = _read_line(connection)
        except (FileNotFoundError, ConnectionRefusedError):
            raise StaleError(f"nobody listens at {path}: bmsd is not running") from None
        except PermissionError:
            raise PeerError(f"{path} may not be used by you") from None
        except OSError as error:
            raise StaleError(f"bmsd does not answer at {path}: {error}") from None
    try:
        reply: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise StaleError("bmsd hung up without an answer") from None
    if not reply.get("ok"):
        raise PeerError(str(reply.get("error", "refused without a reason")))
    return reply


def _read_line(connection: socket.socket) -> bytes:
    received = b""
    while b"\n" not in received and len(received) < 1_000_000:
        data = connection.recv(65536)
        if not data:
            break
        received += data
    return received
