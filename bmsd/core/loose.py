"""Readings that come and go: a loose wire is back before it counts as lost, and is reported all the same.

A single reading may be missing now and then. One that is missing again and again beside others that are there has a
wire or a plug of its own that moves.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.alarms import Finding
from bmsd.core.plausible import HeldReadings, LastGood

TIMES = 3
WITHIN_MS = 600_000
_KEPT = 16
"""A broken wire takes two cells each time."""
_SINGLES = (0, 2, 3)
"""Stack, current, switch sensor; a charger's side may be without a voltage."""

Gone = tuple[tuple[int, int], ...]
"""What went missing and when, the last few: place from 1, time."""


class LooseState(NamedTuple):
    """What was missing in the last cycle, and what went missing before."""

    cells: tuple[int, ...] = ()
    others: tuple[int, ...] = ()
    """Battery sensors by place; single readings below zero."""
    cells_gone: Gone = ()
    others_gone: Gone = ()


def watch(
    state: LooseState, held: HeldReadings, frozen: tuple[int, ...], found: dict[str, Finding], now_ms: int
) -> tuple[LooseState, dict[str, Finding]]:
    """Count what goes missing, and add it to what was found; a cycle without any cell says nothing of one wire."""
    if not (state.cells or state.others or state.cells_gone or state.others_gone) and _complete(held, now_ms):
        return state, found
    if now_ms in held.cells.at_ms:
        cells = tuple([place for place in _missing(held.cells, now_ms) if place not in frozen])
        others = _missing(held.sensors, now_ms)
        others += tuple([-1 - n for n in _SINGLES if held.singles.at_ms[n] != now_ms])
        if cells != state.cells or others != state.others:
            state = LooseState(
                cells,
                others,
                _counted(state.cells_gone, state.cells, cells, now_ms),
                _counted(state.others_gone, state.others, others, now_ms),
            )
    for name, gone in (("cell_loose", state.cells_gone), ("reading_loose", state.others_gone)):
        place = _again_and_again(gone, now_ms) if len(gone) >= TIMES else None
        if place is not None:
            found = {**found, name: Finding(True, None, place if place > 0 else None)}
    return state, found


def _complete(held: HeldReadings, now_ms: int) -> bool:
    """Tell whether everything was read in this very cycle, as nearly always."""
    cells, sensors, singles = held.cells.at_ms, held.sensors.at_ms, held.singles.at_ms
    return (
        cells.count(now_ms) == len(cells)
        and sensors.count(now_ms) == len(sensors)
        and singles.count(now_ms) == len(singles)
    )


def _missing(kept: LastGood, now_ms: int) -> tuple[int, ...]:
    if kept.at_ms.count(now_ms) == len(kept.at_ms):
        return ()
    return tuple([place for place, at_ms in enumerate(kept.at_ms, 1) if at_ms != now_ms])


def _counted(gone: Gone, before: tuple[int, ...], missing: tuple[int, ...], now_ms: int) -> Gone:
    new = tuple([(place, now_ms) for place in missing if place not in before])
    return (*gone, *new)[-_KEPT:]


def _again_and_again(gone: Gone, now_ms: int) -> int | None:
    """Name what went missing often enough lately."""
    lately = [place for place, at_ms in gone if now_ms - at_ms < WITHIN_MS]
    return next((place for place in lately if lately.count(place) >= TIMES), None)
