"""One CAN link in one process, with its own clock and a bus that fails as told."""

from __future__ import annotations

import json
import os
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import can

from bmsd.config.can import CanConfig
from bmsd.ipc.frame_ring import RingWriter
from bmsd.links import can as can_link
from bmsd.links.can import InverterState
from bmsd.links.link import Link
from bmsd.links.watcher import NoticeWatcher
from tests.support.clocks import StillClock
from tests.support.snapshots import publish_snapshot

POINTS = {
    "pack_mv": 53_200, "current_ma": 0, "battery_decic": [200], "soc_permille": 500, "soh_permille": None,
    "cell_min_mv": 3300, "cell_max_mv": 3300, "charge_allowed": True, "discharge_allowed": True,
    "charge_limit_mv": 55_200, "charge_limit_ma": 1000, "discharge_limit_ma": 1000,
    "discharge_limit_mv": 46_400,
}  # fmt: skip


class FakeBus:
    """A bus that fails as told."""

    def __init__(self) -> None:
        self.sent: list[can.Message] = []
        self.failure: Exception | None = None
        self.inbox: list[Any] = []

    def send(self, message, timeout=None) -> None:
        assert timeout is not None, "a send without a limit may hang"
        if self.failure:
            raise self.failure
        self.sent.append(message)

    def recv(self, timeout=None):
        assert timeout == 0, "listening must not wait"
        found = self.inbox.pop(0) if self.inbox else None
        if isinstance(found, Exception):
            raise found
        return found


def _let_go(ring: RingWriter, notices: NoticeWatcher, pipe: tuple[int, int]) -> None:
    ring.close()
    notices.close()
    for descriptor in pipe:
        os.close(descriptor)


class Bench:
    """One link with its clock and its bus."""

    def __init__(
        self, folder: Path, monkeypatch, silence_s: float = 30.0, protocol: str = "pylontech", **settings
    ) -> None:
        parameters = SimpleNamespace(cell_charge_mv=3450, cell_discharge_mv=2900)
        config = SimpleNamespace(
            parameters=parameters,
            cells=16,
            chemistry="lifepo4",
            capacity_mah=280_000,
            path=folder / "bmsd.toml",
            buses={"can": None},
        )
        self.folder = folder
        self.clock = StillClock(monkeypatch)
        monkeypatch.setattr(can_link.time, "sleep", lambda _: None)
        self.link = Link("can", config, folder)  # type: ignore[arg-type]
        self.inverter = InverterState(
            self.link, CanConfig(protocol, silence_s, {"channel": "fake"}, **settings)
        )
        self.bus = FakeBus()
        # Some tests make hundreds: select() knows no descriptor above 1023, the kernel gives 128 watchers to a user.
        inverter, pipe = self.inverter, (self.link._woken, self.link._wake)
        weakref.finalize(self, _let_go, inverter._traffic._ring, inverter._notices, pipe)

    @property
    def now_ms(self) -> int:
        return self.clock.now_ms

    @now_ms.setter
    def now_ms(self, now_ms: int) -> None:
        self.clock.now_ms = now_ms

    def publish(self, **changed) -> None:
        body = {"points": {**POINTS, **changed}, "alarms": []}
        publish_snapshot(self.folder, body, self.now_ms)

    def cycle(self, after_ms: int = 0) -> list[int]:
        """Let time pass and run the loop once; give the identifiers it sent."""
        self.now_ms += after_ms
        self.bus.sent.clear()
        self.inverter.cycle(self.bus)  # type: ignore[arg-type]
        return [message.arbitration_id for message in self.bus.sent]

    def hear(self, number: int, data: bytes = bytes(8), **kind) -> None:
        """Put a frame on the bus; it is taken in the next cycle."""
        kind.setdefault("is_extended_id", number > 0x7FF)
        self.bus.inbox.append(can.Message(arbitration_id=number, data=data, **kind))

    def sent(self, identifier: int) -> bytes:
        return next(bytes(m.data) for m in self.bus.sent if m.arbitration_id == identifier)

    def state(self) -> dict:
        self.link._reported = None
        self.inverter.cycle(self.bus)  # type: ignore[arg-type]
        return json.loads((self.folder / "link-can.json").read_text())
