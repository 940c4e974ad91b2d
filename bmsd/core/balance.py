"""Choose the cells to balance: high ones, apart from each other, and only when it helps."""

from __future__ import annotations

from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.tables.alarms import Block

MOST_CELLS = 8
"""More balancing resistors at once overheat a front end (TI SLUAA81A)."""


def mask(settings: Settings, values: Values, before: int, block: Block, wanted: bool) -> int:
    """Give the balance mask: cells above the start voltage and above the lowest by the trigger.

    A running balance goes on until the spread is at or below the trigger. Neighbours are never chosen
    together: they share a sense lead (TI SLUAA81A).
    """
    p = settings.parameters
    low, spread = values.cell_min, values.cell_spread
    if not (settings.balancing and wanted and not block & Block.BALANCE):
        return 0
    if not (low.complete and low.value is not None and spread.value is not None):
        return 0
    if spread.value <= p.balance_trigger_mv:
        return 0
    least_mv = max(p.balance_start_mv, low.value + p.balance_trigger_mv)
    high = sorted(
        ((mv, n) for n, mv in enumerate(values.cell_mv) if mv is not None and mv > least_mv),
        key=lambda pair: (-pair[0], not before >> pair[1] & 1, pair[1]),
    )
    chosen = 0
    for _, n in high:
        neighbours = (1 << n) << 1 | (1 << n) >> 1
        if not chosen & neighbours and chosen.bit_count() < MOST_CELLS:
            chosen |= 1 << n
    return chosen
