"""What all register maps of one link draw from: the pack's configuration, its snapshot, and the requests so far."""

from __future__ import annotations

from dataclasses import dataclass

from bmsd.bus import Snapshot, monotonic_ms
from bmsd.config import Config
from bmsd.links.modbus_rtu import Refusal, RefusedError
from bmsd.links.snapshots import Snapshots


@dataclass(slots=True)
class Pack:
    """One pack, as the maps see it."""

    config: Config
    snapshots: Snapshots
    requests: int = 0
    """Requests answered since the link started."""

    def present(self) -> Snapshot:
        """Give the present snapshot; RefusedError with a device failure when it is old or missing (S7)."""
        snapshot = self.snapshots.fresh(monotonic_ms())
        if snapshot is None:
            raise RefusedError(Refusal.DEVICE)
        return snapshot
