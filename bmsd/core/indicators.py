"""What buzzer and status LED do: one pattern each for what there is to tell. Pure functions of time.

A pattern is a row of lengths, on and off in turn, counted in ticks of 250 ms, or of the control period where that
is longer: the lines move once per cycle.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from bmsd.core.alarms import Active
from bmsd.tables.alarms import Severity

TICK_MS = 250


class Pattern(NamedTuple):
    """Lengths in ticks, on first, over and over; and when it falls silent (None: never)."""

    ticks: tuple[int, ...]
    lasts_ms: int | None = None

    @property
    def is_steady(self) -> bool:
        """Tell whether it never goes off."""
        return len(self.ticks) == 1


EMERGENCY = "emergency_override"
"""The one alarm with a sound of its own."""

# Worst first: the first that still sounds is heard.
BUZZER: dict[str, Pattern] = {
    "fault": Pattern((2, 2), 60_000),
    "protection": Pattern((1, 1, 1, 5), 30_000),
    "warning": Pattern((1, 15), 12_000),
    "emergency": Pattern((1, 39)),
}
LED: dict[str, Pattern] = {
    "good": Pattern((1,)),
    "warning": Pattern((4, 4)),
    "bad": Pattern((1, 1)),
    "starting": Pattern((1, 1, 1, 5)),
}


def is_on(pattern: Pattern, since_ms: int, period_ms: int) -> bool:
    """Tell whether a pattern is on, so long after it began."""
    if pattern.is_steady:
        return True
    tick = since_ms // max(TICK_MS, period_ms) % sum(pattern.ticks)
    return bisect_right(tuple(accumulate(pattern.ticks)), tick) % 2 == 0


def buzzer(active: Active, *, sounds: bool, period_ms: int, now_ms: int) -> bool:
    """Sound for the worst alarm that is new enough; an override is heard also where the buzzer is switched off."""
    if not active:
        return False
    began: dict[str, int] = {}
    for alarm, state in active:
        kind = "emergency" if alarm.name == EMERGENCY else alarm.severity.value
        began[kind] = max(began.get(kind, state.since_ms), state.since_ms)
    for kind, pattern in BUZZER.items():
        if kind not in began or not (sounds or kind == "emergency"):
            continue
        since_ms = now_ms - began[kind]
        if pattern.lasts_ms is None or since_ms < pattern.lasts_ms:
            return is_on(pattern, since_ms, period_ms)
    return False


def led(active: Active, *, started: bool, unknown: bool, period_ms: int, now_ms: int) -> bool:
    """Show how the pack is: steady is good, and dark is a bmsd that does not run."""
    if started and not (unknown or active):
        return is_on(LED["good"], now_ms, period_ms)
    if not started:
        kind = "starting"
    elif unknown or any(alarm.severity is not Severity.WARNING for alarm, _ in active):
        kind = "bad"
    else:
        kind = "warning"
    return is_on(LED[kind], now_ms, period_ms)
