"""Choose the cells to balance: high ones, apart from each other, and only when it helps."""

from __future__ import annotations

from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.types import Inhibit, InhibitCause
from bmsd.tables.alarms import Block

MOST_CELLS = 8
"""More balancing resistors at once overheat a front end (TI SLUAA81A)."""
_CELLS_ARE_EVEN = Inhibit(InhibitCause.NOT_NEEDED, "cell_spread")
_NO_CELL_IS_HIGH = Inhibit(InhibitCause.NOT_NEEDED, "cell_max")


def decide(
    settings: Settings,
    values: Values,
    before: int,
    block: Block,
    unknown: tuple[Inhibit, ...],
    *,
    consent: bool,
    started: bool,
) -> tuple[int, Inhibit | None]:
    """Give the balance mask, and why it is empty: not wanted, not allowed, or no use."""
    reason = _against(settings, values, block, unknown, consent, started)
    if reason is not None:
        return 0, reason
    chosen = mask(settings, values, before)
    return chosen, None if chosen else _NO_CELL_IS_HIGH


def _against(
    settings: Settings,
    values: Values,
    block: Block,
    unknown: tuple[Inhibit, ...],
    consent: bool,
    started: bool,
) -> Inhibit | None:
    low, spread = values.cell_min, values.cell_spread
    if not settings.balancing:
        return Inhibit(InhibitCause.NOT_FITTED, "balance")
    if not consent:
        return Inhibit(InhibitCause.OPERATOR, "balance")
    if not started:
        return Inhibit(InhibitCause.STARTING)
    if block and Block.BALANCE in block:
        return Inhibit(InhibitCause.ALARM)
    if unknown or not low.complete or spread.value is None:
        return unknown[0] if unknown else Inhibit(InhibitCause.UNKNOWN, "cell_mv")
    if spread.value <= settings.parameters.balance_trigger_mv:
        return _CELLS_ARE_EVEN
    return None


def mask(settings: Settings, values: Values, before: int) -> int:
    """Choose cells above the start voltage, and above the lowest by the trigger.

    Neighbours are never chosen together: they share a sense lead (TI SLUAA81A). Of equal cells, those that
    are being balanced go on.
    """
    p, low_mv = settings.parameters, values.cell_min.value
    if low_mv is None:
        return 0
    least_mv = max(p.balance_start_mv, low_mv + p.balance_trigger_mv)
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
