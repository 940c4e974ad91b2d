"""A serial port that may not be had: what the Modbus link does when waiting cannot help."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import serial

from bmsd.config import load
from bmsd.links import modbus
from bmsd.links.link import Link

EXAMPLE = Path(__file__).resolve().parents[2] / "etc" / "bmsd.toml"


class Watched(Link):
    """A link whose waits take no time and are written down; it is told to end after some of them."""

    def __init__(self, runtime_dir: Path, ends_after: int) -> None:
        super().__init__("modbus", load(EXAMPLE), runtime_dir)
        self.now_s, self.reports, self._left = 0.0, [], ends_after

    def wait(self, timeout_s: float, descriptor: int | None = None) -> bool:
        self.now_s += timeout_s
        self._left -= 1
        self.stopping = self._left <= 0
        return False

    def report(self, state: str, detail: str = "", *, at_once: bool = False, **figures: object) -> None:
        self.reports.append((state, detail))


@pytest.fixture
def refused(monkeypatch):
    """Let every opening of a port fail with an error number."""

    def with_number(number: int, link: Watched) -> None:
        def opened(*_words: object, **_named: object) -> None:
            raise serial.SerialException(number, "could not open port")

        monkeypatch.setattr(modbus.serial, "Serial", opened)
        monkeypatch.setattr(modbus.time, "monotonic", lambda: link.now_s)

    return with_number


def test_a_port_that_systemd_forbids_ends_the_link_after_a_while(refused, tmp_path) -> None:
    """An adapter plugged in later: only a new process is allowed its driver."""
    link = Watched(tmp_path, 1000)
    refused(errno.EPERM, link)
    with pytest.raises(modbus.PortForbiddenError, match="DeviceAllow"):
        modbus.run(link)
    assert link.now_s == pytest.approx(modbus.FORBIDDEN_S)
    assert {state for state, _ in link.reports} == {"error"}


def test_a_forbidden_port_does_not_keep_a_link_from_its_wanted_end(refused, tmp_path) -> None:
    link = Watched(tmp_path, 3)
    refused(errno.EPERM, link)
    modbus.run(link)
    assert link.stopping


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.EBUSY])
def test_any_other_refusal_is_waited_for(refused, tmp_path, number) -> None:
    link = Watched(tmp_path, 200)
    refused(number, link)
    modbus.run(link)
    assert link.now_s > modbus.FORBIDDEN_S
