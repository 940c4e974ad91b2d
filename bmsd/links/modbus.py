"""The Modbus link: answer a master on RS485 (or any serial line, or over TCP) from the core's snapshot.

One line, some units; read-only unless the configuration says otherwise. Waiting is for bytes or for the silence
that ends a frame, never by polling.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

import serial

from bmsd.config.load import ModbusConfig
from bmsd.links import jk_4e57, modbus_tcp
from bmsd.links.line import PortForbiddenError, PortLostError, opened
from bmsd.links.link import REPORT_MS, Backoff, Link, Lost
from bmsd.links.modbus_identity import objects_of
from bmsd.links.modbus_jk import JkBoard, JkMap
from bmsd.links.modbus_map import OwnMap
from bmsd.links.modbus_pack import MappedPack
from bmsd.links.modbus_sunspec import SunSpecMap
from bmsd.links.modbus_unit import Map, ModbusUnit, Station
from bmsd.links.modbus_writes import Writes
from bmsd.links.snapshots import Snapshots
from bmsd.tables.configuration import JK_4E57

MAPS: dict[str, Callable[[MappedPack, int], Map]] = {
    "bmsd": OwnMap,
    "sunspec": SunSpecMap,
    "jk": JkMap,
}
"""Every register map by its name in the configuration, made for a unit id."""

FORBIDDEN_S = 30.0
"""A link that may not have its port ends after this time, so that systemd starts it again, and not too often."""


def run(link: Link) -> None:
    """Serve the line until the link is told to end."""
    settings = link.config.of_link(link.name)
    assert isinstance(settings, ModbusConfig)
    pack = MappedPack(link.config, Snapshots(link.runtime_dir), Writes(link) if settings.writes else None)
    if settings.tcp is not None:
        modbus_tcp.run(link, settings, _units(settings, pack), pack)
        return
    slave = Slave(link, settings, pack)
    patience = Backoff()
    while not link.stopping:
        try:
            with opened(link.name, settings) as port:
                slave.serve(port, patience)
        except PortLostError as error:
            slave.port_lost(str(error), patience.failed())
        except PortForbiddenError as error:
            slave.port_lost(str(error), FORBIDDEN_S)
            if not link.stopping:
                raise


def _station(settings: ModbusConfig, pack: MappedPack) -> Station | jk_4e57.JkStation:
    """Make what answers on a line of this mode."""
    if settings.mode == JK_4E57:
        unit = next(iter(settings.units))
        return jk_4e57.JkStation(JkBoard(pack, unit).values, settings.baudrate)
    return Station(_units(settings, pack), pack, settings.baudrate)


def _units(settings: ModbusConfig, pack: MappedPack) -> dict[int, ModbusUnit]:
    identity = objects_of(pack.config)
    return {
        unit: ModbusUnit([MAPS[name](pack, unit) for name in maps], identity)
        for unit, maps in settings.units.items()
    }


class Slave:
    """This pack on one line."""

    def __init__(self, link: Link, settings: ModbusConfig, pack: MappedPack) -> None:
        self._link = link
        self._settings = settings
        self._pack = pack
        self._station = _station(settings, self._pack)
        self._port = Lost(link, f"port {settings.port}")
        self._unsent = 0
        self._failures = 0

    def serve(self, port: serial.Serial, patience: Backoff) -> None:
        """Answer until the link ends or the port is lost."""
        self._port.back()
        descriptor = port.fileno()
        next_report_us = quiet_us = 0
        while not self._link.stopping:
            now_us = time.monotonic_ns() // 1000
            if now_us >= next_report_us:
                self._report()
                next_report_us = now_us + 1000 * REPORT_MS
            due_us = self._station.due_us()
            until_us = next_report_us if due_us is None else min(due_us, next_report_us)
            if self._link.wait((until_us - now_us) / 1e6, descriptor):
                begun_us = time.monotonic_ns() // 1000
                self._station.feed(_read(descriptor), time.monotonic_ns() // 1000, quiet_us, begun_us)
                patience.worked()
                continue
            quiet_us = until_us  # nothing had arrived by then, however late we are told
            if reply := self._station.take(time.monotonic_ns() // 1000):
                self._write(port, reply)

    def port_lost(self, reason: str, wait_s: float) -> None:
        """Wait for the next attempt to open the port, and go on telling how the link is."""
        self._failures += 1
        self._port.since(reason)
        figures = self._figures() | self._pack.told_of_writes()
        self._link.pause(wait_s, lambda: self._link.report("error", f"no port: {reason}", **figures))

    def _write(self, port: serial.Serial, reply: bytes) -> None:
        try:
            port.write(reply)
        except serial.SerialTimeoutException:
            self._unsent += 1
            with contextlib.suppress(Exception):
                port.reset_output_buffer()
        except OSError as error:
            raise PortLostError(str(error)) from error

    def _report(self) -> None:
        who = (
            "JK 4E57"
            if self._settings.mode == JK_4E57
            else f"unit {', '.join(map(str, self._settings.units))}"
        )
        self._pack.tell(self._link, f"{who} on {self._settings.port}", **self._figures())

    def _figures(self) -> dict[str, Any]:
        return {
            "requests": self._station.answered,
            "refused": self._station.refused,
            "unsent": self._unsent,
            "foreign_frames": self._station.foreign,
            "garbage_bytes": self._station.garbage,
            "units_heard": sorted(self._station.heard),
            "port_failures": self._failures,
        }


def _read(descriptor: int) -> bytes:
    """Read what is there. PortLostError: the device is gone."""
    try:
        data = os.read(descriptor, 4096)
    except BlockingIOError:
        return b""
    except OSError as error:
        raise PortLostError(str(error)) from error
    if not data:
        raise PortLostError("the device is gone")
    return data
