"""The SunSpec chain as a register map: laid out once per snapshot, read in any pieces.

Its addresses depend on the number of cells, and on nothing that changes while the link runs.
"""

from __future__ import annotations

from bmsd.ipc.snapshot import Snapshot
from bmsd.links import sunspec_values
from bmsd.links.modbus_pack import MappedPack, ReadOnly
from bmsd.links.modbus_rtu import Refusal, RefusedError
from bmsd.tables import sunspec


class SunSpecMap(ReadOnly):
    """The models of one pack under one unit id."""

    def __init__(self, pack: MappedPack, unit: int) -> None:
        self._pack = pack
        self._fixed = sunspec_values.fixed(pack.config, unit)
        self._length = len(sunspec.chain(self._fixed))
        self._laid_out: tuple[Snapshot, list[int]] | None = None

    def read(self, address: int, count: int) -> list[int]:
        """Give registers; RefusedError: no such address, or nothing present to tell (S7)."""
        start = address - sunspec.BASE
        if not 0 <= start <= start + count <= self._length:
            raise RefusedError(Refusal.ADDRESS)
        return self._chain(self._pack.present())[start : start + count]

    def _chain(self, snapshot: Snapshot) -> list[int]:
        if self._laid_out is None or self._laid_out[0] is not snapshot:
            values = sunspec_values.present(snapshot, self._fixed["nominal_mv"])
            self._laid_out = (snapshot, sunspec.chain({**values, **self._fixed}))
        return self._laid_out[1]
