"""Clients that shout, stall, lie and die: the core goes on with its cycles (S9)."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket

import pytest

from tests.support.patience import Lateness, allowed

pytestmark = [pytest.mark.system, pytest.mark.deadline]

GARBAGE = [
    b"\n", b"null\n", b"[]\n", b"{}\n", b'{"do": 5}\n', b'{"do": "fly"}\n', b"\xff\xfe\x00\n", b"{" * 4000 + b"\n",
    b"[" * 4095 + b"\n", b'{"do": "switch"}\n', b'{"do": "set", "values": {"cell_ovp_mv": "x"}}\n',
    b'{"do": "set", "values": {"cell_ovp_mv": 1e999}}\n', b'{"do": "set", "values": {"none": 1}}\n',
    b'{"do": "reset", "alarm": 7}\n', b'{"do": "preset", "name": []}\n', b'{"do": "sim", "set": {"soc_percent": []}}\n',
    b'{"do": "sim", "cell": "x", "values": {"offset_mv": 1}}\n', b'{"do": "sim", "cell": 99, "values": {}}\n',
    b'{"do": "sim", "cell": 1, "values": {"not there": 1}}\n', b'{"do": "sim", "fault": 7, "on": true}\n',
    b'{"do": "sim", "set": {"soc_percent": NaN}}\n', b'{"do": "set", "values": {"cell_ovp_mv": NaN}}\n',
    b'{"do": "switch", "name": [], "on": true}\n', b'{"do": "switch", "name": {"a": 1}, "on": true}\n',
    b'{"do": "sim", "fault": "cell_frozen", "on": true, "cell": 99}\n', b"x" * 10_000,
]  # fmt: skip


def connect(core) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(allowed(10))
    connection.connect(str(core.runtime / "bmsd.sock"))
    return connection


def reply(core, line: bytes) -> dict:
    """Send one line and read what comes back."""
    with connect(core) as connection:
        received = b""
        # A core that has read enough hangs up; what it said before can still be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(line)
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(65536):
                received += data
    return json.loads(received)


@pytest.mark.parametrize("line", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_gets_an_error_and_changes_nothing(shared, line) -> None:
    """S9, S8: an error reply in words, nothing else."""
    before = shared.points()["sequence"]
    answer = reply(shared, line)
    assert answer["ok"] is False
    assert answer["error"]
    assert shared.process.poll() is None
    shared.cycles(2)
    assert shared.points()["sequence"] > before
    assert shared.is_well()


def test_a_flood_of_connections_takes_no_cycle_away(shared) -> None:
    """S9: while hundreds come, go, stall and write noise, every cycle is still done, none is skipped."""
    draw = random.Random(7)
    start, late = shared.points(), Lateness(shared.pid)
    held = []
    for _ in range(600):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            connection.connect(str(shared.runtime / "bmsd.sock"))
            connection.send(
                draw.choice([b"", b"{", os.urandom(2000), b'{"do":"switch","name":"charge","on":true}\n'])
            )
        except OSError:
            connection.close()
            continue
        if draw.random() < 0.3:
            connection.close()
        else:
            held.append(connection)
    shared.cycles(20)
    for connection in held:
        connection.close()
    end = shared.points()
    # Without the time that others had the processor.
    elapsed_ms = end["uptime_ms"] - start["uptime_ms"] - round(1000 * late.seconds)
    due = elapsed_ms // end["period_ms"]
    done = end["sequence"] - start["sequence"]
    told = end["cycle_overruns"] - start["cycle_overruns"]
    # A late cycle moves the ones after it; whatever is missing must be told as late, not lost.
    assert done >= due // 2
    assert done + told >= due - 2
    assert shared.is_well()
    assert shared.ctl("switch", "charge", "on").returncode == 0


def test_a_peer_that_says_nothing_is_dropped_and_others_are_served(shared, tools) -> None:
    """S9: all places taken by silence are free again soon."""
    silent = [connect(shared) for _ in range(8)]
    tools.eventually(lambda: shared.ctl("switch", "charge", "on").returncode == 0)
    for connection in silent:
        connection.close()
