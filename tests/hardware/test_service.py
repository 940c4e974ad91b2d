"""What systemd gets to hear, received on a real notify socket."""

from __future__ import annotations

import socket

import pytest

from bmsd.hardware.service import Service
from tests.support.patience import allowed

pytest.importorskip("sdnotify", reason="sdnotify is missing: nothing was told to systemd")


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Listen where NOTIFY_SOCKET points."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(allowed(10))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listener


def test_systemd_hears_ready_status_watchdog_and_stopping(systemd) -> None:
    service = Service()
    service.ready("started, waiting for good cycles")
    service.alive()
    service.status("idle; no alarms")
    service.stopping()
    heard = [systemd.recv(4096) for _ in range(4)]
    assert heard == [
        b"READY=1\nSTATUS=started, waiting for good cycles",
        b"WATCHDOG=1",
        b"STATUS=idle; no alarms",
        b"STOPPING=1",
    ]


def test_a_status_is_one_line_of_ascii(systemd) -> None:
    """What is not ASCII would be sent as Latin-1, and a line break would be another field."""
    Service().status("5 °C\nREADY=1\nµ – ∞")
    heard = systemd.recv(4096)
    assert heard.isascii()
    assert heard.count(b"\n") == 0
    assert heard.startswith(b"STATUS=5 ?C READY=1")


def test_without_systemd_nothing_is_said_and_nothing_fails(monkeypatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    service = Service()
    service.ready("x")
    service.alive()
    service.status("x")
    service.stopping()


def test_a_notify_socket_that_is_gone_stops_nothing(systemd, tmp_path) -> None:
    """S9: systemd then misses us and acts; we go on."""
    service = Service()
    systemd.close()
    (tmp_path / "notify").unlink()
    service.alive()


def test_a_notify_socket_that_was_never_there_stops_nothing(monkeypatch, tmp_path) -> None:
    """S9."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    service = Service()
    service.ready("x")
    service.alive()
