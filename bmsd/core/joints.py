"""Whether all cells step with the current: resistances differ between cells, but not by a factor of four.

A bad joint, a loose sense wire in the way of the current, or a reading that does not follow its cell shows in the step
alone.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.alarms import Finding
from bmsd.core.cross_check import WINDOW, CrossCheckState

STEPS = 4
"""Clean steps in a row that it takes: a single one may have coincided with balancing."""
MORE, LESS = 3, 4
"""A cell is odd whose step is more than three times that of the middle one, or less than a quarter of it ..."""
BEYOND_MV = 20
"""... and this far away from it: near empty and full, and with other joints, healthy cells differ, too."""
SHORT_OF_MV = 6
"""The chip's error within one step, twice."""

Cells = tuple[int | None, ...]


class JointState(NamedTuple):
    """The last readings of the cells, oldest first, and how many steps in a row each was odd."""

    recent: tuple[Cells, ...] = ()
    odd: tuple[int, ...] = ()


def watch(
    state: JointState, physics: CrossCheckState, cells: Cells, step_mv: int
) -> tuple[JointState, dict[str, Finding]]:
    """Look for a clean step of voltage and current in the middle of the window; an unknown cell restarts it (S2)."""
    if not physics.recent or None in cells or (state.recent and len(state.recent[-1]) != len(cells)):
        return JointState((), state.odd), _findings(state)
    recent, odd = (*state.recent[1 - 2 * WINDOW :], cells), state.odd
    if len(recent) == len(physics.recent) == 2 * WINDOW:
        rise = physics.recent[WINDOW][0] - physics.recent[WINDOW - 1][0]
        if abs(rise) >= len(cells) * step_mv and _is_clean(physics, rise):
            odd = _judged(recent, odd if len(odd) == len(cells) else (0,) * len(cells))
    state = JointState(recent, odd)
    return state, _findings(state) if odd else {}


def _is_clean(physics: CrossCheckState, rise: int) -> bool:
    """Tell whether voltages stood before and after, and the current went with them."""
    before, after = physics.recent[:WINDOW], physics.recent[WINDOW:]
    change = after[0][1] - before[-1][1]
    if not change or (change > 0) is not (rise > 0):
        return False
    for part in (before, after):
        mvs = [mv for mv, _ in part]
        if (max(mvs) - min(mvs)) * 4 > abs(rise):
            return False
    return True


def _judged(recent: tuple[Cells, ...], odd: tuple[int, ...]) -> tuple[int, ...]:
    sums = [(sum(column[:WINDOW]), sum(column[WINDOW:])) for column in zip(*recent, strict=True)]
    rises = [after - before for before, after in sums]
    middle = sorted(rises)[len(rises) // 2]
    return tuple(
        [
            min(count + 1, STEPS) if _is_odd(rise, middle) else 0
            for rise, count in zip(rises, odd, strict=True)
        ]
    )


def _is_odd(rise: int, middle: int) -> bool:
    """Compare with the middle cell, in its direction."""
    if middle < 0:
        rise, middle = -rise, -middle
    if rise > middle:
        return rise > MORE * middle and rise - middle > BEYOND_MV * WINDOW
    return rise * LESS < middle and middle - rise > SHORT_OF_MV * WINDOW


def _findings(state: JointState) -> dict[str, Finding]:
    if not state.odd or max(state.odd) < STEPS:
        return {}
    return {"cell_step": Finding(True, None, state.odd.index(STEPS) + 1)}
