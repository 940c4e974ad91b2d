"""The adapter under the CAN link: opened for a time, read without waiting, its many errors made three.

A network interface needs nothing but a socket; any other interface is python-can's, by configuration, and only then is
that imported. What drivers raise differs; above this file there is a queue without room, bytes that are not CAN, and a
bus that is lost.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bmsd.links.library import python_can
from bmsd.links.socketcan import NAME, CanBus, CanMessage, ClassicMessage, SocketCanBus, is_ours

SEND_TIMEOUT_S = 0.05
MOST_BAD = 3
"""Lines that are no CAN in one reading, before the adapter is opened again."""
LONGEST_LINE = 256
"""Bytes without an end of line; no frame takes so many."""
PORT_TIMEOUT_S = 1.0
MOST_WAITING = 256
"""Bytes on their way to a serial adapter that takes them slowly; more would arrive as old frames (S7)."""
SOCKET_TIMEOUT_S = 1.0
"""A server on the network may let us wait this long, at opening and at sending."""
INTERFACES = Path("/sys/class/net")
BUS_OFF, RESTARTED = 0x40, 0x100
_END = b"\r"
_CONTROLLER, _PASSIVE = 0x04, 0x30
_ERROR_CLASSES = {
    BUS_OFF: "the controller is off the bus after too many errors",
    0x20: "nobody acknowledges our frames",
    0x08: "frames are broken",
    0x10: "the transceiver reports a fault",
    0x80: "frames are broken",
    0x01: "a frame could not be sent in time",
}
"""Classes of SocketCAN's error frames, worst first."""


NONSENSE = "the adapter sends what is not CAN"


class BusLostError(Exception):
    """The interface is gone or refuses to work."""


def interface_problem(name: str) -> str:
    """Say that python-can has no such interface; empty when it has."""
    if name == NAME:
        return ""
    known: frozenset[str] = python_can().interfaces.VALID_INTERFACES
    if name in known:
        return ""
    return f"can.interface {name!r} is not known to python-can; known are {', '.join(sorted(known))}"


@contextlib.contextmanager
def opened(settings: dict[str, Any]) -> Iterator[CanBus]:
    """Open the bus for a time. Drivers raise what they like, at opening and at closing."""
    try:
        bus = SocketCanBus(settings["channel"]) if is_ours(settings) else _library_bus(settings)
    except Exception as error:
        raise BusLostError(_words(error)) from error
    try:
        yield bus
    finally:
        with contextlib.suppress(Exception):
            bus.shutdown()


def _library_bus(settings: dict[str, Any]) -> CanBus:
    """Open one of python-can's interfaces."""
    _quieten()
    with _bounded(settings):
        bus: CanBus = python_can().Bus(**settings)
    return bus


def is_off(settings: Mapping[str, Any]) -> bool:
    """Tell whether a network interface's controller is off the bus now: frames then go nowhere, without an error."""
    if settings["interface"] != NAME:
        return False
    try:
        return (INTERFACES / str(settings.get("channel")) / "carrier").read_text().strip() == "0"
    except OSError:
        return False  # it is down or gone, which sending tells


def _quieten() -> None:
    """Drop what the library logs: it comes as an exception, too, and is told once instead of at every attempt."""
    import logging  # it is there with the library

    log = logging.getLogger("can")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())


def _bounded(settings: dict[str, Any]) -> contextlib.AbstractContextManager[None]:
    """Bound the waits of drivers that have no time-outs of their own."""
    bounds = {"socketcand": _bounded_server, "slcan": _bounded_port}
    bound = bounds.get(settings["interface"])
    return bound(settings) if bound else contextlib.nullcontext()


@contextlib.contextmanager
def _bounded_port(_: dict[str, Any]) -> Iterator[None]:
    """Let no serial adapter that takes nothing hold us: neither while writing nor until all is written."""
    import serial  # only where there is a port: memory for all others

    plain = serial.serial_for_url

    def patient(*arguments: Any, **options: Any) -> serial.SerialBase:
        port = plain(*arguments, **options | {"write_timeout": PORT_TIMEOUT_S})
        port.flush = lambda: None  # type: ignore[method-assign]
        return port

    serial.serial_for_url = patient  # type: ignore[assignment]
    try:
        yield
    finally:
        serial.serial_for_url = plain


@contextlib.contextmanager
def _bounded_server(settings: dict[str, Any]) -> Iterator[None]:
    """Bound every wait for a server, and let the driver only at one that is there: it asks in a loop without pause."""
    with socket.create_connection((settings["host"], settings["port"]), SOCKET_TIMEOUT_S):
        pass
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SOCKET_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def send(bus: CanBus, message: ClassicMessage) -> bool:
    """Send one frame; False when the queue is full. BusLostError: anything worse."""
    try:
        if getattr(getattr(bus, "serialPortOrig", None), "out_waiting", 0) > MOST_WAITING:
            return False
        bus.send(
            message if isinstance(bus, SocketCanBus) else _library_message(message), timeout=SEND_TIMEOUT_S
        )
    except Exception as error:
        if _queue_is_full(error):
            return False
        raise BusLostError(_words(error)) from error
    return True


def _library_message(message: ClassicMessage) -> CanMessage:
    """Make the frame as python-can wants it; without is_extended_id it makes a 29-bit one."""
    made: CanMessage = python_can().Message(
        arbitration_id=message.arbitration_id, data=message.data, is_extended_id=message.is_extended_id
    )
    return made


def received(bus: CanBus, most: int) -> Iterator[CanMessage | None]:
    """Yield what has arrived, at most so many, without waiting; None is something that is not CAN.

    BusLostError: the interface is gone, or talks nonsense.
    """
    bad = 0
    for _ in range(most):
        try:
            message = bus.recv(0)
        except Exception as error:
            bad += 1
            if not _is_noise(bus, error):
                raise BusLostError(_words(error)) from error
            if bad >= MOST_BAD:
                raise BusLostError(NONSENSE) from error
            yield None
            continue
        if message is not None:
            yield message
        elif not _has_more(bus):
            return


def _is_noise(bus: CanBus, error: Exception) -> bool:
    """Tell noise on a text adapter from a lost one; a line that cannot be decoded would stay in the driver for ever."""
    if isinstance(error.__cause__ or error, UnicodeDecodeError):
        text = getattr(bus, "_buffer", bytearray())
        del text[: text.find(_END) + 1 or len(text)]
        return True
    return isinstance(error, ValueError | IndexError)


def _words(error: Exception) -> str:
    """Say what a driver raised, with the cause that it hides."""
    told = str(error) or type(error).__name__
    cause = str(error.__cause__ or "")
    return told if cause in told else f"{told}: {cause}"


def _has_more(bus: CanBus) -> bool:
    """Tell whether an adapter that gave no frame has more to read.

    One that speaks text answers each of our frames with a line: these must not hide what the inverter says. Older
    versions of the library read all lines at once and give one at a time.
    """
    text = bytes(getattr(bus, "_buffer", b""))
    if len(text.rpartition(_END)[2]) > LONGEST_LINE:
        raise BusLostError(NONSENSE)
    if _END in text:
        return True
    descriptor = descriptor_of(bus)
    if descriptor is None:
        return False
    try:
        return bool(select.select([descriptor], [], [], 0)[0])
    except (OSError, ValueError):
        return False


def descriptor_of(bus: CanBus) -> int | None:
    """Give what becomes readable with a frame; None where an adapter has no such thing, or has lost it."""
    try:
        descriptor = bus.fileno()
    except Exception:  # an adapter has none, or has lost it; each says so in its own way
        return None
    return descriptor if descriptor >= 0 else None


def error_classes(message: CanMessage) -> list[str]:
    """Say in words what an error frame reports."""
    number = message.arbitration_id
    found = [text for bit, text in _ERROR_CLASSES.items() if number & bit]
    if number & _CONTROLLER and len(message.data) > 1 and message.data[1] & _PASSIVE:
        found.append("the controller sees so many errors that it is passive")
    return list(dict.fromkeys(found))


def _queue_is_full(error: Exception) -> bool:
    """Tell a queue without room, as when nobody acknowledges, from a bus that is gone."""
    number = getattr(error, "error_code", None) or getattr(error, "errno", None)
    text = _words(error).lower()
    return number in {errno.ENOBUFS, errno.EAGAIN} or "full" in text or "timeout" in text
