"""Charging that an operator orders: a forced charge or a full charge. Neither widens a limit (S14).

Each ends by itself: when the pack is full, or after a time. Neither is stored, so every restart ends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bmsd.core.soc import SocState
from bmsd.core.types import Event, Request
from bmsd.tables.ordered import FORCE, FULL, KIND, LASTS_MS


@dataclass(frozen=True, slots=True)
class Ordered:
    """Until when each is ordered; None: it is not."""

    force: int | None = None
    full: int | None = None
    fulls: int | None = None
    """How often the pack had been full when the first of them was ordered; None while that is unknown."""


NOTHING_ORDERED = Ordered()


def advance(
    before: Ordered, requests: Iterable[Request], soc: SocState | None, now_ms: int
) -> tuple[Ordered, tuple[Event, ...]]:
    """End what is over, then take the requests of this cycle."""
    after, events = _ended(before, soc, now_ms)
    for request in requests:
        if request.kind == KIND:
            until_ms = now_ms + LASTS_MS[request.name] if request.on else None
            after = replace(after, **{request.name: until_ms})
            if soc is not None:
                # While an order runs this number stands: with another one it would have ended.
                after = replace(after, fulls=soc.full_charges)
    return _kept(after), events


def _ended(before: Ordered, soc: SocState | None, now_ms: int) -> tuple[Ordered, tuple[Event, ...]]:
    if before is NOTHING_ORDERED:
        return before, ()
    if before.fulls is None and soc is not None:
        before = replace(before, fulls=soc.full_charges)
    is_full = soc is not None and before.fulls is not None and soc.full_charges > before.fulls
    over = [
        name
        for name, until_ms in ((FORCE, before.force), (FULL, before.full))
        if until_ms is not None and (is_full or now_ms >= until_ms)
    ]
    events = tuple(Event(at_ms=now_ms, kind="request", name=f"{name} charge", state="ended") for name in over)
    return _kept(replace(before, **dict.fromkeys(over))), events


def _kept(orders: Ordered) -> Ordered:
    """Forget how often the pack had been full with the last order: the next one counts from its own cycle."""
    return orders if orders.force or orders.full else NOTHING_ORDERED
