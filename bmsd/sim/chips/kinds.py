"""The chips that the bench can stand in for, by their names in the configuration."""

from __future__ import annotations

from collections.abc import Callable

from bmsd.afe.bq769x2 import BQ76942, BQ76952, BQ769142, Variant
from bmsd.sim.chips.bq769x2 import Bq769x2Chip
from bmsd.sim.chips.contract import SimChip

Make = Callable[[int, int, int], SimChip]
"""Makes a chip from the number of cells, the shunt in µΩ and the address on the bus."""


def _bq769x2(variant: Variant) -> Make:
    def make(cells: int, shunt_uohm: int, address: int) -> SimChip:
        return Bq769x2Chip(cells, shunt_uohm, address, variant.inputs, max(variant.device_numbers))

    return make


KINDS: dict[str, Make] = {row.name: _bq769x2(row) for row in (BQ76952, BQ76942, BQ769142)}
