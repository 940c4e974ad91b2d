"""When a contactor closes and opens, in the split topology: one for charging, one for discharging.

Opening is never delayed. Closing waits for permission, for its rest (S12), and on the load side for a
pre-charge proved by voltage. A contactor that does not follow is reported by `core.checks`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bmsd.core.settings import Settings
from bmsd.core.types import Because, Reason
from bmsd.tables.parameters import Parameters

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class ContactorState:
    """One contactor between cycles."""

    on: bool = False
    changed_ms: int | None = None
    closings_ms: tuple[int, ...] = ()
    """Times of the closings of the last hour."""


@dataclass(frozen=True, slots=True)
class PrechargeState:
    """The pre-charge relay between cycles."""

    on: bool = False
    since_ms: int | None = None
    """When the running attempt began."""
    failed_ms: int | None = None
    """When the last attempt failed."""
    tries: int = 0
    """Failed attempts in a row."""


def drive(
    p: Parameters, state: ContactorState, wanted: bool, now_ms: int
) -> tuple[ContactorState, Reason | None]:
    """Close or open one contactor; the reason says what a wanted closing waits for."""
    if not wanted:
        return (replace(state, on=False, changed_ms=now_ms) if state.on else state), None
    if state.on:
        return state, None
    reason = may_close(p, state, now_ms)
    if reason:
        return state, reason
    recent = tuple(t for t in state.closings_ms if now_ms - t < HOUR_MS)
    return ContactorState(True, now_ms, (*recent, now_ms)), None


def may_close(p: Parameters, state: ContactorState, now_ms: int) -> Reason | None:
    """Say what an open contactor still has to wait for; None when it may close (S12)."""
    if state.changed_ms is not None and now_ms - state.changed_ms < p.contactor_min_off_ms:
        return Reason(Because.MIN_OFF, until_ms=state.changed_ms + p.contactor_min_off_ms)
    recent = [t for t in state.closings_ms if now_ms - t < HOUR_MS]
    if len(recent) >= p.contactor_operations_per_hour:
        oldest = recent[len(recent) - p.contactor_operations_per_hour]
        return Reason(Because.OPERATIONS, until_ms=oldest + HOUR_MS)
    return None


def load_side(
    settings: Settings,
    state: ContactorState,
    precharge: PrechargeState,
    wanted: bool,
    pack_mv: int | None,
    load_mv: int | None,
    now_ms: int,
) -> tuple[ContactorState, PrechargeState, Reason | None]:
    """Close the discharge contactor behind a pre-charge, or open both."""
    p = settings.parameters
    if not wanted:
        state, _ = drive(p, state, False, now_ms)
        return state, replace(precharge, on=False, since_ms=None), None
    if state.on:
        return state, _after_closing(p, state, precharge, now_ms), None
    if not settings.precharge:
        state, reason = drive(p, state, True, now_ms)
        return state, precharge, reason
    reason = may_close(p, state, now_ms) or _precharge_rest(p, precharge, now_ms)
    if reason:
        return state, replace(precharge, on=False, since_ms=None), reason
    return _precharge(p, state, precharge, pack_mv, load_mv, now_ms)


def _precharge(
    p: Parameters,
    state: ContactorState,
    precharge: PrechargeState,
    pack_mv: int | None,
    load_mv: int | None,
    now_ms: int,
) -> tuple[ContactorState, PrechargeState, Reason | None]:
    """Run an attempt: proved by voltage it closes, out of time it fails; unknown proves nothing."""
    if precharge.since_ms is None:
        return state, replace(precharge, on=True, since_ms=now_ms), Reason(Because.PRECHARGE)
    proved = pack_mv is not None and load_mv is not None and load_mv * 1000 >= pack_mv * p.precharge_permille
    if proved:
        state, reason = drive(p, state, True, now_ms)
        return state, replace(precharge, tries=0, failed_ms=None), reason
    if now_ms - precharge.since_ms < p.precharge_timeout_ms:
        end = precharge.since_ms + p.precharge_timeout_ms
        return state, precharge, Reason(Because.PRECHARGE, until_ms=end)
    failed = PrechargeState(False, None, now_ms, precharge.tries + 1)
    return state, failed, _precharge_rest(p, failed, now_ms)


def _precharge_rest(p: Parameters, precharge: PrechargeState, now_ms: int) -> Reason | None:
    """Let the resistor cool between attempts."""
    if precharge.failed_ms is None or now_ms - precharge.failed_ms >= p.precharge_rest_ms:
        return None
    return Reason(Because.PRECHARGE, until_ms=precharge.failed_ms + p.precharge_rest_ms)


def _after_closing(
    p: Parameters, state: ContactorState, precharge: PrechargeState, now_ms: int
) -> PrechargeState:
    """Keep the relay on until the contactor has had time to close, then drop it."""
    settled = state.changed_ms is None or now_ms - state.changed_ms >= p.contactor_settle_ms
    return replace(precharge, on=False, since_ms=None) if settled and precharge.on else precharge
