"""How often a short circuit was released by itself within the last hour; the one too many waits for an operator."""

from __future__ import annotations

from bmsd.core.alarms import Finding
from bmsd.core.switching import HOUR_MS
from bmsd.core.types import Event

Shorts = tuple[int, ...]
"""When short circuits were raised within the last hour."""


def count(shorts: Shorts, events: tuple[Event, ...], now_ms: int) -> Shorts:
    """Take this cycle's events; forget what is an hour old."""
    raised = any(event.name == "short_circuit" and event.state == "raised" for event in events)
    if not shorts and not raised:
        return shorts
    kept = recent(shorts, now_ms)
    return (*kept, now_ms) if raised else kept


def recent(times_ms: tuple[int, ...], now_ms: int) -> tuple[int, ...]:
    """Keep what is not an hour old."""
    return tuple(at_ms for at_ms in times_ms if now_ms - at_ms < HOUR_MS)


def number(shorts: Shorts, found: dict[str, Finding], releases_per_hour: int) -> dict[str, Finding]:
    """Count a short circuit that the chip reports, and report when there were more than may end by themselves."""
    told = {}
    if "short_circuit" in found and found["short_circuit"].bad:
        told["short_circuit"] = Finding(True, len(shorts) + 1)
    if len(shorts) > releases_per_hour:
        told["short_circuit_repeated"] = Finding(True, len(shorts))
    return told
