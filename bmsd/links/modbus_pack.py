"""What all register maps of one link draw from: the pack's configuration, its snapshot, and the requests so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bmsd.config.load import Config
from bmsd.errors import StaleError
from bmsd.ipc.shared_files import PARAMETERS, monotonic_ms, read_document
from bmsd.ipc.snapshot import Snapshot
from bmsd.links.link import Link
from bmsd.links.modbus_rtu import READS, Refusal, RefusedError
from bmsd.links.modbus_writes import Writes
from bmsd.links.snapshots import Snapshots
from bmsd.tables import parameters


@dataclass(slots=True)
class MappedPack:
    """One pack, as the maps see it."""

    config: Config
    snapshots: Snapshots
    writes: Writes | None = None
    """What takes writes on this line; None: nothing does."""
    source: str = ""
    """Who is being answered, where a line can tell."""
    requests: int = 0
    """Requests answered since the link started."""
    _read: tuple[int, Mapping[str, int]] | None = field(default=None, init=False)

    def told_of_writes(self) -> dict[str, Any]:
        """Give what the link's file tells of its writes; nothing where there are none."""
        return {} if self.writes is None else {"writes": self.writes.registers(monotonic_ms())}

    def tell(self, link: Link, where: str, **figures: Any) -> None:
        """Report how the link at an address or port is: it waits while the core has nothing present."""
        figures |= self.told_of_writes()
        if self.snapshots.fresh(monotonic_ms()) is not None:
            link.report("running", where, **figures)
        else:
            link.report("waiting", f"{where}; {self.snapshots.trouble}", **figures)

    def present(self) -> Snapshot:
        """Give the present snapshot; RefusedError with a device failure when it is old or missing (S7)."""
        snapshot = self.snapshots.fresh(monotonic_ms())
        if snapshot is None:
            raise RefusedError(Refusal.DEVICE)
        return snapshot

    def parameters(self) -> Mapping[str, int]:
        """Give the parameters in force; those of the configuration until the core has said any."""
        path = self.snapshots.folder / PARAMETERS
        try:
            version = path.stat().st_mtime_ns
            if self._read is None or self._read[0] != version:
                self._read = (version, read_document(path)["values"])
        except (OSError, StaleError, KeyError):
            return {row.name: self.config.parameters.get(row.name) for row in parameters.ROWS}
        return self._read[1]


class ReadOnly:
    """A map that takes nothing."""

    functions: Sequence[int] = READS

    def write(self, _address: int, _words: Sequence[int]) -> bytes:
        """Refuse: nothing here can be written."""
        raise RefusedError(Refusal.FUNCTION)
