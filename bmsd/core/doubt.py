"""Which cells may read wrong when the sum of the cells and the stack reading differ by more than the chip errs.

A reading that jumps while the difference jumps by as much, and most others stay, is wrong by its jump. Where that was
not seen, any cell may be wrong: then cells are judged by the worst case.
"""

from __future__ import annotations

from typing import NamedTuple

SAME_MV = 20
"""A jump of one reading, and what the others do meanwhile, to within a few errors of the chip."""

Cells = tuple[int | None, ...]


class Doubt(NamedTuple):
    """What is remembered of the difference."""

    off_mv: int | None = None
    """Stack reading minus sum of the cells, when both were last read in one cycle."""
    cells: Cells = ()
    errors: tuple[tuple[int, int], ...] = ()
    """Cells that read wrong: place, from 1, and by how much each reads too high."""


def follow(doubt: Doubt, cells: Cells, off_mv: int | None, error_mv: int) -> Doubt:
    """Take this cycle's difference. An unknown one forgets nothing (S2)."""
    if off_mv is None:
        return doubt
    if doubt.off_mv is None or abs(off_mv) <= error_mv:
        return Doubt(off_mv, cells)
    errors, moved_mv = doubt.errors, off_mv - doubt.off_mv
    if abs(moved_mv) > SAME_MV:
        jumps = _jumps(doubt.cells, cells)
        if abs(sum(jumps.values()) + moved_mv) <= SAME_MV * len(jumps):
            known = dict(errors)
            known |= {place: known.get(place, 0) + jump for place, jump in jumps.items()}
            errors = tuple((place, error) for place, error in known.items() if abs(error) > SAME_MV)
    return Doubt(off_mv, cells, errors)


def explained(doubt: Doubt, error_mv: int) -> bool:
    """Tell whether the cells that are known to read wrong explain the whole difference."""
    total = sum([error for _, error in doubt.errors])
    return bool(doubt.errors) and doubt.off_mv is not None and abs(doubt.off_mv + total) <= error_mv


def _jumps(before: Cells, now: Cells) -> dict[int, int]:
    """Give the cells that jumped, by how much; none where most did: then the load changed."""
    found = {
        place: is_now - was
        for place, (was, is_now) in enumerate(zip(before, now, strict=False), 1)
        if was is not None and is_now is not None and abs(is_now - was) > SAME_MV
    }
    return found if 2 * len(found) <= len(now) else {}
