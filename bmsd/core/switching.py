"""One switched output: off at once, on only after its rest and inside its operations per hour (S12)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from bmsd.core.types import Inhibit, InhibitCause

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class SwitchState:
    """One contactor or relay between cycles."""

    on: bool = False
    changed_ms: int | None = None
    """When it last went on or off."""
    starts_ms: tuple[int, ...] = ()
    """When it went on within the last hour."""
    closings: int = 0
    """How often it went on in its life."""


class SwitchPace(NamedTuple):
    """How often an output may go on: its shortest time off, and its operations per hour."""

    min_off_ms: int
    per_hour: int


def turn(
    state: SwitchState, wanted: bool, pace: SwitchPace, now_ms: int
) -> tuple[SwitchState, Inhibit | None]:
    """Move one output; the reason says what a wanted start waits for."""
    if not wanted:
        return (replace(state, on=False, changed_ms=now_ms) if state.on else state), None
    if state.on:
        return state, None
    reason = waits(state, pace, now_ms)
    if reason is not None:
        return state, reason
    recent = tuple(t for t in state.starts_ms if now_ms - t < HOUR_MS)
    return SwitchState(True, now_ms, (*recent, now_ms), state.closings + 1), None


def waits(state: SwitchState, pace: SwitchPace, now_ms: int) -> Inhibit | None:
    """Say what an output that is off still has to wait for; None when it may go on."""
    if state.changed_ms is not None and now_ms - state.changed_ms < pace.min_off_ms:
        return Inhibit(InhibitCause.MIN_OFF, until_ms=state.changed_ms + pace.min_off_ms)
    recent = [t for t in state.starts_ms if now_ms - t < HOUR_MS]
    if len(recent) >= pace.per_hour:
        return Inhibit(InhibitCause.OPERATIONS, until_ms=recent[len(recent) - pace.per_hour] + HOUR_MS)
    return None
