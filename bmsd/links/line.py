"""Open the serial line of a link, with the direction of an RS485 transceiver switched by the kernel where asked for.

Most adapters switch it by themselves. A transceiver whose direction hangs on RTS needs the kernel: a program is too
late by milliseconds, and would talk into other answers.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import termios
from collections.abc import Iterator

import serial
from serial.rs485 import RS485Settings

from bmsd.config.load import ModbusConfig, Rs485Config

LONGEST_ANSWER = 400
"""Bytes, of a JK board's whole story."""
WRITE_TIMEOUT_S = 1.0
"""Longer than any answer takes on the slowest line but the very slow ones; a stuck line is not waited for."""
_TIOCGRS485 = 0x542E
_ENABLED, _HIGH_WHEN_SENDING, _HIGH_ELSE = 1, 2, 4
_WORDS = 8


class PortLostError(Exception):
    """The serial port is gone or refuses to work."""


class PortForbiddenError(Exception):
    """The port is there, and systemd does not let this process have it.

    The drivers of DeviceAllow= are looked up when a process is started: that of an adapter which is plugged in for
    the first time later was not loaded then.
    """


@contextlib.contextmanager
def opened(link: str, settings: ModbusConfig) -> Iterator[serial.Serial]:
    """Open the line for a time, for us alone."""
    port = _made(settings)
    try:
        port.open()
        if settings.rs485:
            _prove(port, settings.rs485)
    except PortLostError:
        port.close()
        raise
    except (OSError, ValueError, termios.error) as error:
        if getattr(error, "errno", None) == errno.EPERM:  # wrong rights of the file would be EACCES
            raise PortForbiddenError(
                f"{settings.port} is not allowed by systemd; the link starts again to get it. If that does not help,"
                f" name its driver: DeviceAllow=char-... in 'systemctl edit bmsd-link@{link}'"
            ) from error
        raise PortLostError(_refused(settings, error)) from error
    with contextlib.suppress(Exception):
        port.set_low_latency_mode(True)  # where the driver has it: FTDI adapters hold bytes back for 16 ms
    try:
        yield port
    finally:
        with contextlib.suppress(OSError):
            port.close()


def _made(settings: ModbusConfig) -> serial.Serial:
    """Make the port without opening it: what is set before holds from the first moment."""
    port = serial.Serial(
        None,
        settings.baudrate,
        parity=settings.parity,
        stopbits=settings.stopbits,
        timeout=0,
        write_timeout=_write_timeout_s(settings.baudrate),
        exclusive=True,
    )
    port.port = settings.port
    if settings.rs485:
        high = settings.rs485.high_when_sending
        port.rts = not high  # pyserial raises RTS at opening: the transceiver would talk
        port.rs485_mode = RS485Settings(
            rts_level_for_tx=high,
            rts_level_for_rx=not high,
            delay_before_tx=settings.rs485.before_ms / 1000,
            delay_before_rx=settings.rs485.after_ms / 1000,
        )
    return port


def _prove(port: serial.Serial, wanted: Rs485Config) -> None:
    """Read back what the driver made of it: some drivers take one polarity only, and say nothing."""
    words = array.array("i", [0] * _WORDS)
    fcntl.ioctl(port.fileno(), _TIOCGRS485, words)
    polarity = _HIGH_WHEN_SENDING if wanted.high_when_sending else _HIGH_ELSE
    if words[0] & (_ENABLED | _HIGH_WHEN_SENDING | _HIGH_ELSE) != _ENABLED | polarity:
        level = "high" if wanted.high_when_sending else "low"
        raise PortLostError(
            f"the driver of {port.port} does not keep RTS {level} while sending (flags {words[0]:#x}): try the other"
            ' rts_when_sending, or direction = "adapter"'
        )


def _refused(settings: ModbusConfig, error: Exception) -> str:
    """Say why a port could not be had; RS485 by the kernel is the usual reason where it was asked for."""
    if settings.rs485 and "RS485" in str(error):
        return (
            f"the driver of {settings.port} has no RS485 mode ({error}): write direction ="
            ' "adapter" for an adapter that switches by itself'
        )
    return str(error)


def _write_timeout_s(baudrate: int) -> float:
    """Give twice the time the longest answer takes."""
    return max(WRITE_TIMEOUT_S, 2 * LONGEST_ANSWER * 11 / baudrate)
