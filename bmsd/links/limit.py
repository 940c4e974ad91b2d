"""How often something may happen: what others make us write has a bound, whatever they send."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


@dataclass(slots=True)
class Limit:
    """So many things within a time."""

    most: int
    span_ms: int = MINUTE_MS
    _times_ms: deque[int] = field(default_factory=deque)

    def full(self, now_ms: int) -> bool:
        """Tell whether one more would be too many."""
        while self._times_ms and self._times_ms[0] <= now_ms - self.span_ms:
            self._times_ms.popleft()
        return len(self._times_ms) >= self.most

    def clear(self) -> None:
        """Begin to count again."""
        self._times_ms.clear()

    def count(self, now_ms: int) -> None:
        """Count one thing."""
        self._times_ms.append(now_ms)


class RateLimits:
    """Several limits that hold together."""

    def __init__(self, *limits: Limit) -> None:
        self._limits = limits

    def spent(self, now_ms: int) -> bool:
        """Count one thing; tell whether it is one too many, which then does not count."""
        if any(limit.full(now_ms) for limit in self._limits):
            return True
        for limit in self._limits:
            limit.count(now_ms)
        return False

    def clear(self) -> None:
        """Begin to count again."""
        for limit in self._limits:
            limit.clear()
