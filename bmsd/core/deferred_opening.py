"""Whether a contactor that must open may first wait for the inverter to reduce its current (S12).

The permission is gone and the limit told is zero in the cycle that decides; only the contacts wait, until little
current flows or the shortest time that any reason leaves is over. An unknown current is not waited for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bmsd.core.types import Inhibit, InhibitCause
from bmsd.tables.alarms import BY_NAME
from bmsd.tables.parameters import Parameters


class DeferredOpening(NamedTuple):
    """Since when each closed contactor lacks its permission; None while it has it or is open."""

    charge_ms: int | None = None
    discharge_ms: int | None = None
    main_ms: int | None = None


NONE_WAITS = DeferredOpening()


def decide(
    p: Parameters,
    name: str,
    *,
    closed: bool,
    against: tuple[Inhibit, ...],
    current_ma: int | None,
    since_ms: int | None,
    now_ms: int,
) -> tuple[int | None, Inhibit | None]:
    """Give since when a contactor waits to open, and the reason while it may; no reason: open now."""
    if not closed or not against:
        return None, None
    since_ms = now_ms if since_ms is None else since_ms
    until_ms = since_ms + longest_ms(p, against)
    if current_ma is None or abs(current_ma) < p.opening_current_ma or now_ms >= until_ms:
        return since_ms, None
    return since_ms, Inhibit(InhibitCause.LOW_CURRENT, name, until_ms=until_ms)


def longest_ms(p: Parameters, against: Iterable[Inhibit]) -> int:
    """Give how long the contacts may wait: the shortest time that any reason leaves."""
    return min((min(p.opening_wait_ms, _leaves_ms(p, reason)) for reason in against), default=0)


def leaves_time(reason: Inhibit) -> bool:
    """Tell whether a reason leaves any time, whatever the parameter says."""
    if reason.because is InhibitCause.ALARM:
        return bool(BY_NAME[reason.name].opening_ms)
    # A sleeping pack carries no current: where only one direction sleeps, the common contactor stays closed. For
    # what nobody asked for yet, or an override no longer lifts, zero is told as for any other request or alarm.
    return reason.because in {
        InhibitCause.OPERATOR,
        InhibitCause.ASLEEP,
        InhibitCause.NOT_ASKED,
        InhibitCause.SPENT,
    }


def _leaves_ms(p: Parameters, reason: Inhibit) -> int:
    """Give what one reason leaves; whatever is unknown leaves nothing."""
    if reason.because is InhibitCause.ALARM:
        return BY_NAME[reason.name].opening_ms
    return p.opening_wait_ms if reason.because in {InhibitCause.OPERATOR, InhibitCause.SPENT} else 0
