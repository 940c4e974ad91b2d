"""The registers of a JK board of the PB series, and its frames: for JK tools and for drivers made for such a board.

It tells and takes nothing: settings, passwords and the one-shot commands (shutdown, chemistry) are no addresses here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from bmsd.ipc.shared_files import monotonic_ms
from bmsd.links import jk_values
from bmsd.links.modbus_pack import MappedPack
from bmsd.links.modbus_rtu import READ_HOLDING, WRITE_REGISTERS, Refusal, RefusedError
from bmsd.tables import jk

_BLOCK_MASK = 0xFE00


class JkMap:
    """One pack as a JK board under one unit id."""

    functions = (READ_HOLDING, WRITE_REGISTERS)

    def __init__(self, pack: MappedPack, unit: int) -> None:
        self._board = JkBoard(pack, unit)

    def read(self, address: int, count: int) -> list[int]:
        """Give registers from a byte address; RefusedError: no such address, or a pack that cannot be told."""
        block = jk.BLOCKS.get(address & _BLOCK_MASK)
        offset = address & ~_BLOCK_MASK
        if block is None or offset % 2 or offset + 2 * count > jk.BLOCK_BYTES:
            raise RefusedError(Refusal.ADDRESS)
        data = jk.block_bytes(block, self._board.values(), "big")[offset : offset + 2 * count]
        return [*struct.unpack(f">{count}H", data)]

    def write(self, address: int, words: Sequence[int]) -> bytes:
        """Give the frame that a write to its register asks for; no other address takes anything."""
        block = jk.FRAMES.get(address)
        if block is None:
            raise RefusedError(Refusal.ADDRESS)
        if len(words) != 1:
            raise RefusedError(Refusal.VALUE)
        return jk.frame(block, self._board.values())


class JkBoard:
    """All values of the board, from one snapshot."""

    def __init__(self, pack: MappedPack, unit: int) -> None:
        self._pack = pack
        self._fixed = jk_values.fixed(pack.config, unit)
        self._stage: tuple[int, int] | None = None
        """The stage of the charge that was told last, and since when."""

    def values(self) -> dict[str, Any]:
        """Give them; RefusedError: the core's data is old, or a measurement is unknown."""
        snapshot = self._pack.present()
        told = jk_values.present(snapshot, self._pack.config)
        settings = jk_values.in_force(self._pack.parameters(), self._pack.config)
        return {**settings, **told, **self._fixed, "charge_stage_ms": self._staying_ms(told["charge_stage"])}

    def _staying_ms(self, stage: int) -> int:
        """Tell how long the charge has been seen at this stage."""
        now_ms = monotonic_ms()
        if self._stage is None or self._stage[0] != stage:
            self._stage = (stage, now_ms)
        return now_ms - self._stage[1]
