"""The meter link: read energy meters and other packs, and tell what they say. Nothing here decides anything.

One process per line: whoever is on it is asked in turn. What was not told in the last rounds is unknown (S7).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from bmsd.config.load import MeterConfig
from bmsd.errors import PeerError
from bmsd.ipc.shared_files import monotonic_ms
from bmsd.links.link import WARNING, Backoff, Link, Lost
from bmsd.links.modbus_client import Client, LineError, tcp_client
from bmsd.links.modbus_master import SerialClient
from bmsd.tables.devices import DEVICES
from bmsd.tables.devices.rows import Device


class Reader:
    """One device under one unit id: its last values, and how it is."""

    def __init__(self, link: Link, unit: int, device: Device) -> None:
        self.unit, self.device = unit, device
        self.error = "not read yet"
        self._lost = Lost(link, f"{device.title}, unit {unit},")
        self._link = link
        self._values: dict[str, float | None] = {}
        self._read_ms: int | None = None

    def read(self, client: Client | SerialClient) -> None:
        """Ask it everything once; LineError: nobody can be asked."""
        try:
            answers = self._answers(client)
        except LineError:
            raise
        except PeerError as error:
            self.error = str(error)
            self._lost.since(self.error, WARNING)
            return
        self._values = {row.name: row.read(answers) for row in self.device.values}
        self._read_ms, self.error = monotonic_ms(), ""
        self._lost.back()

    def _answers(self, client: Client | SerialClient) -> Sequence[list[int]]:
        found = []
        for ask in self.device.asks:
            found.append(client.read(self.unit, ask))
            self._link.wait(self.device.pause_ms / 1000)
        return found

    def told(self) -> dict[str, Any]:
        """Give what the link's file says of it."""
        return {
            "kind": self.device.name,
            "read_ms": self._read_ms,
            "error": self.error,
            "values": self._values,
        }


def run(link: Link) -> None:
    """Read all devices of the line, round after round, until the link is told to end."""
    settings = link.config.of_link(link.name)
    assert isinstance(settings, MeterConfig)
    readers = [Reader(link, unit, DEVICES[kind]) for unit, kind in settings.devices.items()]
    where = settings.port if settings.tcp is None else f"{settings.tcp[0]} port {settings.tcp[1]}"
    lost, patience = Lost(link, where), Backoff()
    link.report("waiting", f"{where}: not read yet", period_ms=settings.period_ms)
    client: Client | SerialClient | None = None
    while not link.stopping:
        begun_ms = monotonic_ms()
        try:
            client = client or client_of(settings)
            _round(link, where, readers, client)
            patience.worked()
            lost.back()
            wait_s = max(settings.period_ms - (monotonic_ms() - begun_ms), 0) / 1000
        except LineError as error:
            lost.since(str(error))
            wait_s = patience.failed()
            _report(link, where, readers, str(error))
        link.pause(wait_s, partial(link.report, *link.reported))
    if client:
        client.close()


def client_of(settings: MeterConfig) -> Client | SerialClient:
    """Make the master of a section. LineError: what it needs is not there."""
    return SerialClient(settings) if settings.tcp is None else tcp_client(settings)


def _round(link: Link, where: str, readers: Sequence[Reader], client: Client | SerialClient) -> None:
    """Read everyone once; LineError: nobody can be asked."""
    for reader in readers:
        if link.stopping:
            return
        reader.read(client)
        _report(link, where, readers)


def _report(link: Link, where: str, readers: Sequence[Reader], no_line: str = "") -> None:
    told = {str(reader.unit): reader.told() for reader in readers}
    good = [reader for reader in readers if not reader.error]
    if no_line:
        link.report("error", f"{where}: {no_line}", at_once=True, devices=told)
    elif good:
        link.report("running", f"{where}: {len(good)} of {len(readers)} answer", at_once=True, devices=told)
    else:
        link.report("waiting", f"{where}: {readers[0].error}", at_once=True, devices=told)
