"""Whether a Modbus line takes writes now: PIN, time window, lock-out, flood limit. Times in, answers out.

One per line: whoever fails on it locks out everybody on it, and somebody at the pack ends that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from bmsd.links.limit import HOUR_MS, MINUTE_MS, Limit, RateLimits

WINDOW_MS = 5 * 60_000
"""How long a PIN opens: enough to set a pack up, too short to be forgotten open."""
TRIES, LOCKED_OUT_MS = 5, 15 * 60_000
"""With 900,000 PINs of six digits, 20 tries an hour find one in two and a half years on average."""
WRITES_PER_MINUTE, WRITES_PER_HOUR = 10, 60
"""Each write is a line in the journal and a file on the card; a person or a PLC that is well needs few."""


class Doing(IntEnum):
    """What the lock does, as the register says it."""

    LOCKED = 1
    UNLOCKED = 2
    LOCKED_OUT = 3


class Why(IntEnum):
    """Why the last write was refused, as the register says it."""

    NONE = 0
    LOCKED = 1
    WRONG_PIN = 2
    LOCKED_OUT = 3
    TOO_MANY = 4
    NO_PIN = 5
    ADDRESS = 6
    VALUE = 7
    REFUSED = 8
    NO_CORE = 9


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What somebody at the pack said last: open until then, or, with 0, closed."""

    at_ms: int = 0
    until_ms: int = 0


@dataclass(slots=True)
class Lock:
    """The lock of one line. Whatever is not known to be open is locked."""

    failures: int = 0
    """Wrong PINs since the last good one."""
    _unlocked: Unlocked = Unlocked()
    _pin_until_ms: int = 0
    _closed_ms: int = -1
    """When the line itself closed it last, by an order or a wrong PIN."""
    _out_until_ms: int = 0
    _writes: RateLimits = field(
        default_factory=lambda: RateLimits(
            Limit(WRITES_PER_MINUTE, MINUTE_MS), Limit(WRITES_PER_HOUR, HOUR_MS)
        )
    )

    def remembered(self, failures: int, out_until_ms: int, now_ms: int) -> None:
        """Take up what an earlier run of this link knew of wrong PINs; nothing is ever open by that."""
        self.failures = min(max(failures, 0), TRIES - 1)
        self._out_until_ms = min(max(out_until_ms, 0), now_ms + LOCKED_OUT_MS)

    @property
    def memory(self) -> dict[str, int]:
        """Give what has to outlive this run of the link."""
        return {"failures": self.failures, "out_until_ms": self._out_until_ms}

    def hear(self, unlocked: Unlocked) -> None:
        """Take the word of somebody at the pack; it replaces everything that was before."""
        if unlocked == self._unlocked:
            return
        self._unlocked, self._pin_until_ms = unlocked, 0
        if unlocked.until_ms:
            self.failures = self._out_until_ms = 0
            self._writes.clear()

    def doing(self, now_ms: int) -> Doing:
        """Tell what it does now."""
        if self.open_ms(now_ms):
            return Doing.UNLOCKED
        return Doing.LOCKED_OUT if self.out_ms(now_ms) else Doing.LOCKED

    def open_ms(self, now_ms: int) -> int:
        """Tell for how long it is still open."""
        by_door = self._unlocked.until_ms if self._unlocked.at_ms > self._closed_ms else 0
        return max(by_door - now_ms, self._pin_until_ms - now_ms, 0)

    def out_ms(self, now_ms: int) -> int:
        """Tell for how long no PIN is looked at."""
        return max(self._out_until_ms - now_ms, 0)

    def too_many(self, now_ms: int) -> bool:
        """Count one write or PIN; tell whether it is one too many."""
        return self._writes.spent(now_ms)

    def unlock(self, is_right: Callable[[], bool | None], now_ms: int) -> Why:
        """Try a PIN; a wrong one closes what was open."""
        if self.out_ms(now_ms):
            return Why.LOCKED_OUT
        right = is_right()
        if right:
            self.failures, self._pin_until_ms = 0, now_ms + WINDOW_MS
            return Why.NONE
        self.close(now_ms)
        if right is None:
            return Why.NO_PIN
        self.failures += 1
        if self.failures >= TRIES:
            self.failures, self._out_until_ms = 0, now_ms + LOCKED_OUT_MS
            return Why.LOCKED_OUT
        return Why.WRONG_PIN

    def close(self, now_ms: int) -> None:
        """Lock at once."""
        self._pin_until_ms, self._closed_ms = 0, now_ms
