"""Modbus TCP as raw bytes on loopback: right answers, an end for what is none, and nobody in another one's way."""

from __future__ import annotations

import random
import socket
import struct
import time

import pytest

from bmsd.errors import PeerError
from bmsd.links import modbus_tcp
from bmsd.links.modbus_pack import MappedPack
from bmsd.links.modbus_rtu import Refusal, RefusedError
from bmsd.links.modbus_tcp import MOST_PEERS, Server, Stream
from bmsd.links.modbus_unit import ModbusUnit
from tests.support.patience import Patience, allowed


class Registers:
    """Registers 100 to 224, each its own address; writes are kept, and said to be slow where wanted."""

    functions = (3, 4, 6, 16)

    def __init__(self) -> None:
        self.written: list[tuple[int, tuple[int, ...]]] = []

    def read(self, address: int, count: int) -> list[int]:
        if address < 100 or address + count > 225:
            raise RefusedError(Refusal.ADDRESS)
        return list(range(address, address + count))

    def write(self, address: int, words: tuple[int, ...]) -> bytes:
        self.written.append((address, tuple(words)))
        return b"a frame of JK, which has no place here"


class Net:
    """A server in this process; time to serve is given by hand."""

    def __init__(self) -> None:
        self.map = Registers()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.setblocking(False)
        self.pack = MappedPack(None, None)  # type: ignore[arg-type]
        self.server = Server(self.listener, {1: ModbusUnit([self.map])}, self.pack)
        self.clients: list[socket.socket] = []

    def client(self) -> socket.socket:
        made = socket.create_connection(self.listener.getsockname(), timeout=allowed(2))
        self.clients.append(made)
        self.run(3)
        return made

    def run(self, rounds: int = 20) -> None:
        for _ in range(rounds):
            self.server.serve()

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.server.close()
        self.listener.close()


@pytest.fixture
def net():
    made = Net()
    yield made
    made.close()


def asked(pdu: bytes, number: int = 7, unit: int = 1) -> bytes:
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, unit) + pdu


READ = bytes.fromhex("0300640002")
ANSWER = bytes.fromhex("0007 0000 0007 01 03 04 0064 0065")


def said(net: Net, client: socket.socket, data: bytes, rounds: int = 20) -> bytes:
    """Send something, serve, and give what comes back; empty when it was hung up or nothing came."""
    client.sendall(data)
    net.run(rounds)
    client.setblocking(False)
    try:
        return client.recv(4096)
    except BlockingIOError:
        return b"silence"
    except OSError:
        return b""
    finally:
        client.settimeout(allowed(2))


RIGHT = {
    "a read": (READ, ANSWER[6:]),
    "function 04": (bytes.fromhex("0400640001"), bytes.fromhex("01 04 02 0064")),
    "no such address": (bytes.fromhex("0300000001"), bytes.fromhex("01 83 02")),
    "count 0": (bytes.fromhex("0300640000"), bytes.fromhex("01 83 03")),
    "count 126": (bytes.fromhex("030064007e"), bytes.fromhex("01 83 03")),
    "an unknown function": (bytes.fromhex("4101"), bytes.fromhex("01 C1 01")),
    "identification": (bytes.fromhex("2b0e0100"), bytes.fromhex("01 AB 01")),
    "listen only": (bytes.fromhex("0800040000"), bytes.fromhex("01 88 01")),
    "who are you": (bytes.fromhex("11"), bytes.fromhex("01 91 01")),
    "a function alone": (bytes.fromhex("03"), bytes.fromhex("01 83 03")),
    "a wrong byte count": (bytes.fromhex("100064000204000100"), bytes.fromhex("01 90 03")),
    "one register written": (bytes.fromhex("0600640005"), bytes.fromhex("01 06 0064 0005")),
    "two registers written": (bytes.fromhex("10006400020400010002"), bytes.fromhex("01 10 0064 0002")),
}


@pytest.mark.parametrize(("pdu", "answer"), RIGHT.values(), ids=RIGHT)
def test_each_request_has_its_answer(net, pdu, answer) -> None:
    client = net.client()
    assert said(net, client, asked(pdu)) == struct.pack(">HHH", 7, 0, len(answer)) + answer
    assert said(net, client, asked(READ)) == ANSWER


@pytest.mark.parametrize("unit", [0, 255])
def test_units_0_and_255_are_this_device(net, unit) -> None:
    """As the guide to Modbus over TCP has it: they mean whoever has the address, not everybody."""
    client = net.client()
    answer = bytes((unit,)) + ANSWER[7:]
    assert said(net, client, asked(READ, unit=unit)) == ANSWER[:6] + answer
    wrote = bytes.fromhex("0600640005")
    assert said(net, client, asked(wrote, unit=unit)) == struct.pack(">HHHB", 7, 0, 6, unit) + wrote
    assert net.map.written == [(100, (5,))]


def test_of_several_units_the_first_is_this_device(net) -> None:
    second = Registers()
    second.read = lambda _address, count: [2] * count  # type: ignore[method-assign]
    net.server._units |= Server(
        net.listener, {1: ModbusUnit([net.map]), 2: ModbusUnit([second])}, net.pack
    )._units
    client = net.client()
    assert said(net, client, asked(READ, unit=0))[6:] == b"\0" + ANSWER[7:]
    assert said(net, client, asked(READ, unit=2))[9:] == bytes.fromhex("0002 0002")


@pytest.mark.parametrize("unit", [2, 247, 248, 254])
def test_a_unit_that_is_not_here_is_told_and_nothing_is_done(net, unit) -> None:
    """S14: there are no broadcasts over TCP."""
    client = net.client()
    answer = bytes((unit, 0x86, 0x0B))
    assert (
        said(net, client, asked(bytes.fromhex("0600640005"), unit=unit))
        == struct.pack(">HHH", 7, 0, 3) + answer
    )
    assert net.map.written == []


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("0007 0001 0006 01 0300640002"), bytes.fromhex("0007 0000 0001 01"),
        bytes.fromhex("0007 0000 00FF") + bytes(255), b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 300,
    ],
    ids=["protocol", "short", "long", "http", "noise"],
)  # fmt: skip
def test_what_is_no_modbus_is_hung_up(net, data) -> None:
    other, client = net.client(), net.client()
    assert said(net, client, data) == b""
    assert said(net, other, asked(READ)) == ANSWER


def test_a_request_in_single_bytes_is_one_request(net) -> None:
    client = net.client()
    data = asked(READ)
    for n in range(len(data) - 1):
        assert said(net, client, data[n : n + 1], rounds=2) == b"silence"
    assert said(net, client, data[-1:]) == ANSWER


def test_ten_thousand_random_buffers_end_in_answers_or_hanging_up(net) -> None:
    """S9."""
    rng = random.Random(4)
    stream, taken = Stream(), 0
    for _ in range(10_000):
        head = struct.pack(">HHH", 1, rng.choice((0, 0, 0, 1)), rng.randrange(260))
        try:
            stream.feed(rng.choice((head, b"")) + rng.randbytes(rng.randrange(64)))
            while request := stream.take():
                taken += 1
                assert net.server._units[1].plain(request[1]) is None or request
        except PeerError:
            stream = Stream()
    assert taken > 100
    assert said(net, net.client(), asked(READ)) == ANSWER


def test_more_clients_than_places_are_turned_away_until_one_is_silent_for_long(net, monkeypatch) -> None:
    """S9."""
    clients = [net.client() for _ in range(MOST_PEERS)]
    late = net.client()
    assert said(net, late, asked(READ)) == b""
    assert (net.server.peers, net.server.turned_away) == (MOST_PEERS, 1)
    now_s = time.monotonic()
    monkeypatch.setattr(modbus_tcp.time, "monotonic", lambda: now_s + modbus_tcp.IDLE_S)
    assert said(net, clients[3], asked(READ)) == ANSWER
    assert said(net, net.client(), asked(READ)) == ANSWER
    assert said(net, clients[3], asked(READ)) == ANSWER, "who speaks keeps his place"
    assert net.server.peers == MOST_PEERS


def test_single_bytes_keep_no_place(net, monkeypatch) -> None:
    """S9: whole requests count."""
    clients = [net.client() for _ in range(MOST_PEERS)]
    now_s, request = time.monotonic(), asked(READ)
    for n in range(1, len(request)):
        monkeypatch.setattr(modbus_tcp.time, "monotonic", lambda n=n: now_s + 10 * n)
        for client in clients:
            said(net, client, request[n - 1 : n], rounds=2)
    assert said(net, net.client(), asked(READ)) == ANSWER


def test_a_client_that_never_reads_is_dropped_and_the_others_are_answered(net) -> None:
    """S9."""
    deaf, other = net.client(), net.client()
    deaf.setblocking(False)
    big, patience = asked(bytes.fromhex("030064007d")) * 50, Patience(30)
    while not net.server.dropped and not patience.is_over():
        try:
            deaf.send(big)
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            break
        net.run(3)
        assert said(net, other, asked(READ), rounds=3) == ANSWER
    assert net.server.dropped == 1
    assert said(net, other, asked(READ)) == ANSWER


@pytest.mark.fault_class(12, "alone")
def test_a_flood_costs_the_others_one_answer_each_round(net) -> None:
    """S9: one request of each client in turn, and no more of it is kept than two requests."""
    loud, quiet = net.client(), net.client()
    loud.sendall(asked(READ) * 5000)
    net.run(2)
    assert said(net, quiet, asked(READ), rounds=2) == ANSWER
    (peer,) = [peer for peer in net.server._peers.values() if peer.stream._buffer]
    assert len(peer.stream._buffer) < 600


def test_a_client_that_goes_leaves_nothing(net) -> None:
    for _ in range(50):
        client = net.client()
        client.sendall(asked(READ)[:5])
        client.close()
        net.run(3)
    assert net.server.peers == 0
    assert net.server.turned_away == 0


def test_a_write_knows_who_sent_it(net) -> None:
    """S8: the journal names the client."""
    sources = []
    net.map.write = lambda *_: sources.append(net.pack.source) or b""  # type: ignore[method-assign]
    client = net.client()
    said(net, client, asked(bytes.fromhex("0600640005")))
    host, port = client.getsockname()
    assert sources == [f"{host}:{port}"]
    assert net.pack.source == ""
