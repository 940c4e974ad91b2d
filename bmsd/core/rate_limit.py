"""A limit over time: it falls at once, holds for a while, then rises no faster than its pace.

So a limit that follows a noisy or a sagging cell does not oscillate with it, not even with an inverter that is slow to
follow.
"""

from __future__ import annotations

from typing import NamedTuple


class RateLimit(NamedTuple):
    """How a limit recovers: after `hold_ms`, then by `amount` in each `time_ms`."""

    hold_ms: int
    amount: int
    time_ms: int
    furthest: int | None = None
    """The rise begins at most this far below what is wanted; None: from wherever the limit is."""


class RateLimited(NamedTuple):
    """Where a limit is, and the line on which it rises."""

    value: int
    base: int
    rises_ms: int
    """From when on it rises, beginning at `base`."""


def from_zero(now_ms: int) -> RateLimited:
    """Forbid: it rises from zero as soon as it may, without a hold: what forbade it has a recovery of its own."""
    return RateLimited(0, 0, now_ms)


def follow(last: RateLimited, wanted: int, now_ms: int, pace: RateLimit) -> RateLimited:
    """Move towards what is wanted: down at once, up in time."""
    value, base, rises_ms = last
    if wanted < value:
        return RateLimited(wanted, wanted, now_ms + pace.hold_ms)
    if wanted == value == base:
        return _stays(last, now_ms)
    if pace.furthest is not None and now_ms >= rises_ms and wanted - pace.furthest > value:
        begun = wanted - pace.furthest
        return RateLimited(begun, begun, now_ms)
    # Rounded up, so that the slowest pace still moves.
    reached = base - (-pace.amount * max(now_ms - rises_ms, 0) // pace.time_ms)
    if wanted <= reached:
        return RateLimited(wanted, wanted, max(rises_ms, now_ms))
    return RateLimited(reached, base, rises_ms)


def _stays(last: RateLimited, now_ms: int) -> RateLimited:
    """Stand where it is wanted; a rise begins from here."""
    return last if last.rises_ms >= now_ms else RateLimited(last.value, last.base, now_ms)


def mirrored(last: RateLimited, wanted: int, now_ms: int, pace: RateLimit) -> RateLimited:
    """Move a limit that protects from below: up at once, down in time."""
    if wanted == last.value == last.base:
        return _stays(last, now_ms)
    turned = follow(RateLimited(-last.value, -last.base, last.rises_ms), -wanted, now_ms, pace)
    return RateLimited(-turned.value, -turned.base, turned.rises_ms)
