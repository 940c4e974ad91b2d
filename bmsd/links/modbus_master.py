"""A Modbus RTU master that only reads: one request, and its answer found in what the line brings.

pymodbus takes the echo of an adapter, a byte 00 of a transceiver that turns round and an answer from unit 0 each for no
answer, differently in each of its versions; on a serial line the codec of our own slave is used instead.
"""

from __future__ import annotations

import struct
import termios
import time

import serial

from bmsd.config.load import MeterConfig
from bmsd.errors import PeerError
from bmsd.links.listener import silence_us
from bmsd.links.modbus_client import TIMEOUT_S, LineError
from bmsd.links.modbus_rtu import crc_is_good, with_crc
from bmsd.tables.devices.rows import Ask

_HEAD, _CRC, _REFUSAL_BYTES = 3, 2, 5


def request_of(unit: int, ask: Ask) -> bytes:
    """Make the request."""
    return with_crc(struct.pack(">BBHH", unit, ask.function, ask.address, ask.count))


def answer_in(heard: bytes, unit: int, ask: Ask) -> list[int] | None:
    """Find the answer in all that was heard since the request; None: it is not whole yet.

    Our own request, given back by the adapter, and other bytes before the answer are passed over. PeerError: the device
    refuses, or tells another number of registers.
    """
    echo = heard.find(own := request_of(unit, ask))
    start = echo + len(own) if echo >= 0 else 0
    for at in range(start, len(heard) - _REFUSAL_BYTES + 1):
        if heard[at] != unit or heard[at + 1] & 0x7F != ask.function:
            continue
        refused = bool(heard[at + 1] & 0x80)
        frame = heard[at : at + (_REFUSAL_BYTES if refused else _HEAD + heard[at + 2] + _CRC)]
        if not crc_is_good(frame):
            continue
        if refused:
            raise PeerError(f"refused with exception {frame[2]:02}")
        if frame[2] != 2 * ask.count:
            raise PeerError(f"{frame[2] // 2} registers came, not {ask.count}")
        return list(struct.unpack(f">{ask.count}H", frame[_HEAD:-_CRC]))
    return None


class SerialClient:
    """The master of one serial line."""

    def __init__(self, settings: MeterConfig) -> None:
        self._settings = settings
        self._port: serial.Serial | None = None

    def read(self, unit: int, ask: Ask) -> list[int]:
        """Give registers. PeerError: refused, silent, or a wrong number of them; LineError: nobody can be asked."""
        try:
            port = self._port or self._opened()
            return self._asked(port, unit, ask)
        except (OSError, ValueError, termios.error) as error:
            self.close()
            raise LineError(str(error)) from None

    def close(self) -> None:
        """Let the port go; the next request opens it again."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _opened(self) -> serial.Serial:
        chosen = self._settings
        self._port = serial.Serial(
            chosen.port, chosen.baudrate, parity=chosen.parity, stopbits=chosen.stopbits, timeout=0,
            write_timeout=TIMEOUT_S, exclusive=True,
        )  # fmt: skip
        return self._port

    def _asked(self, port: serial.Serial, unit: int, ask: Ask) -> list[int]:
        time.sleep(silence_us(self._settings.baudrate) / 1e6)
        port.reset_input_buffer()  # an answer that came too late for its question
        port.write(request_of(unit, ask))
        heard, until_s = b"", time.monotonic() + self._patience_s(ask)
        while (left_s := until_s - time.monotonic()) > 0:
            port.timeout = left_s
            heard += port.read(1) + port.read(port.in_waiting)
            words = answer_in(heard, unit, ask)
            if words is not None:
                return words
        raise PeerError(f"{len(heard)} bytes came, which are no answer" if heard else "no answer")

    def _patience_s(self, ask: Ask) -> float:
        """Give how long to wait: what a device may take, and what the bytes take on the line."""
        return TIMEOUT_S + (2 * len(request_of(0, ask)) + 2 * ask.count + 5) * 11 / self._settings.baudrate
