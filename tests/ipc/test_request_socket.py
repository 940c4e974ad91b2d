"""The request socket against bad peers: an error reply or a drop, never an exception, never a late cycle (S9)."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.errors import PeerError, StaleError
from bmsd.ipc.request_socket import (
    LONGEST_REQUEST,
    MOST_CONNECTIONS,
    PendingRequest,
    RequestServer,
    ask,
    parse_request,
)
from bmsd.ipc.shared_files import SOCKET, monotonic_ms
from tests.support.patience import allowed

LATE_MS = 400
"""A wait that ends this much after its deadline is late."""
ROUNDS = 5
"""So many it does at least, also where the time was over before it could begin: connect, then read."""


class Desk:
    """A server in its own directory, with means to talk to it."""

    def __init__(self, folder: Path) -> None:
        self.allowed = True
        self.folder = folder
        self.server = RequestServer(folder / SOCKET, lambda _uid, _groups: self.allowed)
        self.peers: list[socket.socket] = []

    def connect(self, data: bytes = b"") -> socket.socket:
        """Connect a peer that says this and nothing more."""
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.settimeout(allowed(5))
        peer.connect(str(self.folder / SOCKET))
        self.peers.append(peer)
        if data:
            peer.sendall(data)
        return peer

    def wait(self, duration_ms: int = 50) -> list[PendingRequest]:
        """Serve for some time, as the core does between two cycles; it must end in time."""
        until_ms = monotonic_ms() + duration_ms
        found: list[PendingRequest] = []
        rounds = 0
        while monotonic_ms() < until_ms or rounds < ROUNDS:
            found += self.server.wait(until_ms)
            rounds += 1
            assert monotonic_ms() - until_ms < allowed(LATE_MS)
        return found

    def close(self) -> None:
        """Hang up everywhere."""
        for peer in self.peers:
            peer.close()
        self.server.close()


def reply(peer: socket.socket) -> dict[str, Any] | None:
    """Read the one line that is answered; None when the peer was dropped."""
    data = b""
    try:
        while not data.endswith(b"\n"):
            more = peer.recv(65536)
            if not more:
                break
            data += more
    except ConnectionError:
        pass
    return json.loads(data) if data else None


@pytest.fixture
def handler(tmp_path):
    handler = Desk(tmp_path)
    yield handler
    handler.close()


def test_a_good_request_arrives_with_who_asked_and_is_answered(handler) -> None:
    peer = handler.connect(b'{"do": "reset", "alarm": "cell_floor"}\n')
    (asked,) = handler.wait()
    assert asked.request == {"do": "reset", "alarm": "cell_floor"}
    assert asked.who.startswith("uid ")
    asked.answer({"ok": True})
    assert reply(peer) == {"ok": True}


def test_a_request_in_two_halves_is_one_request(handler) -> None:
    peer = handler.connect(b'{"do": ')
    assert handler.wait() == []
    peer.sendall(b'"switch"}\n')
    assert [asked.request["do"] for asked in handler.wait()] == ["switch"]


BAD = {
    "no JSON": b"charge off\n",
    "an empty line": b"\n",
    "binary": bytes(range(256)) + b"\n",
    "not UTF-8": b'{"do": "\xff\xfe"}\n',
    "nothing but nulls": b"\0" * 100 + b"\n",
    "a list": b"[1, 2]\n",
    "a number": b"12\n",
    "null": b"null\n",
    "no do": b'{"name": "charge"}\n',
    "a do that is no text": b'{"do": ["switch"]}\n',
    "two at once": b'{"do": "a"}\n{"do": "b"}\n',
    "half an object": b'{"do": "switch"\n',
    "deep lists": b'{"do": ' + b"[" * 2000 + b"]" * 2000 + b"}\n",
    "deep objects": b'{"a":' * 800 + b"\n",
    "a number of four thousand digits": b'{"do": ' + b"9" * 4000 + b"}\n",
    "too long": b'{"do": "' + b"x" * LONGEST_REQUEST + b'"}\n',
    "too long without an end": b"x" * (LONGEST_REQUEST + 1),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_bad_request_gets_an_error_reply_and_nothing_else(handler, data) -> None:
    peer = handler.connect(data)
    assert handler.wait() == []
    answer = reply(peer)
    assert answer is not None
    assert answer["ok"] is False
    assert answer["error"]


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_a_flood_in_one_request_is_cut_off(handler, size) -> None:
    """S9: never more than one short line is read from anyone."""
    peer = handler.connect()
    peer.setblocking(False)
    sent = 0
    for _ in range(20):
        try:
            sent += peer.send(b"x" * size)
        except (BlockingIOError, ConnectionError):
            break
        assert handler.wait(5) == []
    assert handler.wait() == []


def test_a_peer_that_hangs_up_in_the_middle_is_forgotten(handler) -> None:
    for _ in range(3 * MOST_CONNECTIONS):
        handler.connect(b'{"do": "swi').close()
        assert handler.wait(5) == []
    handler.connect(b'{"do": "reset"}\n')
    assert len(handler.wait()) == 1


def test_a_peer_that_hangs_up_before_its_answer_harms_nobody(handler) -> None:
    peer = handler.connect(b'{"do": "reset"}\n')
    (asked,) = handler.wait()
    peer.close()
    asked.answer({"ok": True})
    asked.answer({"ok": True})


def test_a_peer_that_never_reads_does_not_hold_up_an_answer(handler) -> None:
    peer = handler.connect(b'{"do": "reset"}\n')
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    (asked,) = handler.wait()
    began = time.monotonic()
    asked.answer({"ok": True, "text": "x" * 10_000_000})
    assert time.monotonic() - began < allowed(1)


def test_a_slow_peer_is_dropped(handler) -> None:
    """S9: a line that takes longer than two seconds is not waited for."""
    peer = handler.connect(b'{"do"')
    began = time.monotonic()
    while time.monotonic() - began < 2.3:
        handler.wait(100)
    assert reply(peer) is None
    handler.connect(b'{"do": "reset"}\n')
    assert len(handler.wait()) == 1


def test_more_connections_than_allowed_are_turned_away(handler) -> None:
    silent = [handler.connect() for _ in range(MOST_CONNECTIONS)]
    assert handler.wait() == []
    one_more = handler.connect(b'{"do": "reset"}\n')
    assert handler.wait() == []
    assert reply(one_more) is None
    silent[0].sendall(b'{"do": "reset"}\n')
    assert len(handler.wait()) == 1


def test_an_unauthorised_peer_is_told_so_and_not_heard(handler) -> None:
    handler.allowed = False
    peer = handler.connect(b'{"do": "switch", "name": "charge", "on": false}\n')
    assert handler.wait() == []
    answer = reply(peer)
    assert answer is not None
    assert answer["ok"] is False
    assert "bmsd-admin" in answer["error"]


def test_no_cycle_takes_more_than_a_few_requests(handler) -> None:
    for _ in range(MOST_CONNECTIONS):
        handler.connect(b'{"do": "reset"}\n')
    time.sleep(0.05)
    found = handler.server.wait(monotonic_ms() + 1000, most=4)
    assert 1 <= len(found) <= MOST_CONNECTIONS
    assert len(found) + len(handler.wait()) == MOST_CONNECTIONS


def test_a_deadline_that_is_over_returns_at_once(handler) -> None:
    began = time.monotonic()
    assert handler.server.wait(monotonic_ms() - 10_000) == []
    assert time.monotonic() - began < allowed(1)


def test_many_bad_peers_at_once_do_not_make_a_cycle_late(handler) -> None:
    """S9: a flood of garbage from several threads; every wait ends in time and a good request is served after it."""
    stop = threading.Event()

    def pester(seed: int) -> None:
        dice = random.Random(seed)
        while not stop.is_set():
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                    peer.settimeout(0.2)
                    peer.connect(str(handler.folder / SOCKET))
                    peer.sendall(dice.choice(list(BAD.values()))[: dice.randrange(1, 5000)])
            except OSError:
                time.sleep(0.001)

    threads = [threading.Thread(target=pester, args=(seed,), daemon=True) for seed in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        handler.wait(50)
    stop.set()
    for thread in threads:
        thread.join(allowed(5))
    handler.wait(2200)
    handler.connect(b'{"do": "reset"}\n')
    assert len(handler.wait()) == 1


@hypothesis_settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=5000), st.text(max_size=2000).map(str.encode)))
def test_any_line_is_a_request_or_refused_in_words(line) -> None:
    try:
        request = parse_request(line)
    except PeerError:
        pass
    else:
        assert isinstance(request["do"], str)


def test_asking_where_nobody_listens_is_told(tmp_path) -> None:
    with pytest.raises(StaleError, match="not running"):
        ask(tmp_path, {"do": "reset"})


def test_asking_a_server_that_hangs_up_is_told(tmp_path) -> None:
    handler = Desk(tmp_path)
    handler.allowed = False
    thread = threading.Thread(target=handler.wait, args=(1000,), daemon=True)
    thread.start()
    with pytest.raises(PeerError, match="bmsd-admin"):
        ask(tmp_path, {"do": "reset"})
    thread.join(allowed(5))
    handler.close()
    with pytest.raises(StaleError):
        ask(tmp_path, {"do": "reset"}, timeout_s=0.5)


def test_who_has_hung_up_is_known_before_anything_is_done(handler) -> None:
    """S8: a link that took it for refused has told its master so."""
    line = b'{"do": "wake"}\n'
    peers = [handler.connect(line) for _ in range(3)]
    waiting, half, gone = peers
    half.shutdown(socket.SHUT_WR)
    gone.close()
    assert [asked.dropped() for asked in handler.wait()] == [False, False], "one hung up before it was read"
    late = handler.connect(line)
    (asked,) = handler.wait()
    assert not asked.dropped()
    late.close()
    assert asked.dropped()
    assert waiting.fileno() >= 0
