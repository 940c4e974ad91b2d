"""A serial port that may not be had: what the Modbus link does when waiting cannot help."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import sys
import termios
import tty

import pytest
import serial

from bmsd.config.load import ModbusConfig, Rs485Config
from bmsd.links import modbus
from bmsd.links.line import PortLostError, opened
from tests.links.watched import Watched


@pytest.fixture
def refused(monkeypatch):
    """Let every opening of a port fail with an error number."""

    def with_number(number: int) -> None:
        def refuse(_port: serial.Serial) -> None:
            raise serial.SerialException(number, "could not open port")

        monkeypatch.setattr(serial.Serial, "open", refuse)

    return with_number


def test_a_port_that_systemd_forbids_ends_the_link_after_a_while(refused, tmp_path, monkeypatch) -> None:
    """An adapter plugged in later: only a new process is allowed its driver."""
    link = Watched(tmp_path, monkeypatch, 1000)
    refused(errno.EPERM)
    with pytest.raises(modbus.PortForbiddenError, match="DeviceAllow"):
        modbus.run(link)
    assert link.now_s == pytest.approx(modbus.FORBIDDEN_S)
    assert {state for state, _ in link.reports} == {"error"}


def test_a_forbidden_port_does_not_keep_a_link_from_its_wanted_end(refused, tmp_path, monkeypatch) -> None:
    link = Watched(tmp_path, monkeypatch, 3)
    refused(errno.EPERM)
    modbus.run(link)
    assert link.stopping


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.EBUSY])
def test_any_other_refusal_is_waited_for(refused, tmp_path, monkeypatch, number) -> None:
    link = Watched(tmp_path, monkeypatch, 200)
    refused(number)
    modbus.run(link)
    assert link.now_s > modbus.FORBIDDEN_S


# --- RS485 by the kernel ----------------------------------------------------------------------------------------

GET, SET = 0x542E, 0x542F
HIGH = Rs485Config(high_when_sending=True, before_ms=0, after_ms=0)
LOW = Rs485Config(high_when_sending=False, before_ms=1, after_ms=2)


class Driver:
    """The kernel's side of a serial port that has an RS485 mode; `keeps` is the mask of flags it lets be set."""

    def __init__(self, monkeypatch, keeps: int = 0xFF) -> None:
        self.words, self.raised = [0] * 8, []
        real = fcntl.ioctl

        def ioctl(descriptor: int, request: int, buffer: object = 0, *more: object) -> object:
            if request in (GET, SET):
                if request == SET:
                    self.words = [buffer[0] & keeps, *buffer[1:]]
                buffer[:] = array.array("i", self.words)
                return 0
            if request in (termios.TIOCMBIS, termios.TIOCMBIC):
                if int.from_bytes(buffer, sys.byteorder) & termios.TIOCM_RTS:
                    self.raised.append(request == termios.TIOCMBIS)
                return 0
            return real(descriptor, request, buffer, *more)

        monkeypatch.setattr(fcntl, "ioctl", ioctl)


@pytest.fixture
def line():
    """Open a raw pty; give the path of one end."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def port(path: str, rs485: Rs485Config | None) -> ModbusConfig:
    return ModbusConfig(path, 115_200, "N", 1, {1: ("bmsd",)}, rs485=rs485)


@pytest.mark.parametrize(("rs485", "flags", "delays"), [(HIGH, 0b011, [0, 0]), (LOW, 0b101, [1, 2])])
def test_the_kernel_is_told_polarity_and_delays(monkeypatch, line, rs485, flags, delays) -> None:
    driver = Driver(monkeypatch)
    with opened("modbus", port(line, rs485)):
        assert driver.words[0] & 0b10111 == flags
        assert driver.words[1:3] == delays


@pytest.mark.parametrize("rs485", [HIGH, LOW])
def test_the_transceiver_never_talks_at_opening(monkeypatch, line, rs485) -> None:
    """On a shared line that would break somebody's answer: RTS goes to its idle level, never to the other."""
    driver = Driver(monkeypatch)
    with opened("modbus", port(line, rs485)):
        assert set(driver.raised) == {not rs485.high_when_sending}


@pytest.mark.parametrize("keeps", [0, 0b110, 0b101, 0b001])
def test_a_driver_that_does_not_keep_what_it_was_told_is_found(monkeypatch, line, keeps) -> None:
    Driver(monkeypatch, keeps)
    with pytest.raises(PortLostError, match="does not keep RTS high"), opened("modbus", port(line, HIGH)):
        raise AssertionError("opened")


def test_a_driver_without_the_mode_is_an_error_with_the_next_step(line) -> None:
    """A pty has none, nor have most USB adapters."""
    with (
        pytest.raises(PortLostError, match=r'no RS485 mode.*direction = "adapter"'),
        opened("modbus", port(line, HIGH)),
    ):
        raise AssertionError("opened")


def test_an_adapter_is_asked_for_nothing(monkeypatch, line) -> None:
    driver = Driver(monkeypatch)
    with opened("modbus", port(line, None)) as found:
        assert found.is_open
        assert driver.words == [0] * 8


def test_nobody_else_gets_the_port_while_it_is_open(line) -> None:
    with (
        opened("modbus", port(line, None)),
        pytest.raises(PortLostError, match="lock"),
        opened("modbus", port(line, None)),
    ):
        raise AssertionError("opened twice")
