"""When a contactor closes and opens, in the split topology: one for charging, one for discharging.

Opening is never delayed here; `core.deferred_opening` says where it may wait. Closing waits for permission, for its
rest (S12), and on the load side for a pre-charge proved by voltage. A contactor that does not follow is reported
by `core.checks`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bmsd.core.settings import Settings
from bmsd.core.switching import SwitchPace, SwitchState, turn, waits
from bmsd.core.types import Inhibit, InhibitCause
from bmsd.tables.parameters import Parameters

HIGH = "load_side_high"
"""What a pre-charge waits for while the load side stands above the pack."""
DIODE_MV = 1000
"""A body diode that carries current takes 0.8 V."""
HELD_PERMILLE = 200
"""How far above the pack a source may hold the load side when a contactor closes onto it in the end: as far as the
widest `precharge_percent` allows below."""
SHORTED_MS = 2000
SHORTED_PERMILLE = 50
"""A load side still below this share of the pack after that time is a short: the resistor carries nearly the whole
voltage and need not bear it any longer. One that gets there within the longest time-out is past 18 % by then."""


@dataclass(frozen=True, slots=True)
class PrechargeState:
    """The pre-charge between cycles; an attempt runs while its relay is on and the contactor is not."""

    relay: SwitchState = SwitchState()
    tries: int = 0
    """Failed attempts in a row."""
    held: int = 0
    """Attempts in a row at whose end a source held the load side above the pack; one more than the tries: too far."""


def drive(p: Parameters, state: SwitchState, wanted: bool, now_ms: int) -> tuple[SwitchState, Inhibit | None]:
    """Close or open one contactor; the reason says what a wanted closing waits for."""
    return turn(state, wanted, _pace(p), now_ms)


def load_side(
    settings: Settings,
    state: SwitchState,
    precharge: PrechargeState,
    wanted: bool,
    pack_mv: int | None,
    load_mv: int | None,
    now_ms: int,
) -> tuple[SwitchState, PrechargeState, Inhibit | None]:
    """Close the discharge contactor behind a pre-charge, or open both."""
    p = settings.parameters
    if not wanted:
        state, _ = drive(p, state, False, now_ms)
        return state, replace(_relay(p, precharge, False, now_ms), held=0), None
    if state.on:
        return state, _after_closing(p, state, precharge, now_ms), None
    if not settings.precharge:
        state, reason = drive(p, state, True, now_ms)
        return state, precharge, reason
    reason = waits(state, _pace(p), now_ms)
    if reason is not None:
        return state, _relay(p, precharge, False, now_ms), reason
    is_high = _stands_above(settings, pack_mv, load_mv)
    if is_high and precharge.held >= p.precharge_tries:
        return _onto_a_source(p, state, precharge, pack_mv, load_mv, now_ms)
    if not precharge.relay.on:
        relay, reason = turn(precharge.relay, True, _rest(p), now_ms)
        name = HIGH if is_high else ""
        if reason is not None:
            reason = replace(reason, name=name)
        return state, replace(precharge, relay=relay), reason or Inhibit(InhibitCause.PRECHARGE, name)
    if not is_high and _is_up(p, pack_mv, load_mv):
        state, reason = drive(p, state, True, now_ms)
        return state, replace(precharge, tries=0, held=0), reason
    if is_high:
        return state, *_hold_out(p, precharge, now_ms)
    return state, *_attempt(p, precharge, _shorted(pack_mv, load_mv), now_ms)


def _pace(p: Parameters) -> SwitchPace:
    return SwitchPace(p.contactor_min_off_ms, p.contactor_operations_per_hour)


def _rest(p: Parameters) -> SwitchPace:
    """Let the resistor cool after every attempt, however it ended."""
    return SwitchPace(p.precharge_rest_ms, p.contactor_operations_per_hour)


def _relay(p: Parameters, precharge: PrechargeState, on: bool, now_ms: int) -> PrechargeState:
    relay, _ = turn(precharge.relay, on, _rest(p), now_ms)
    return replace(precharge, relay=relay)


def _is_up(p: Parameters, pack_mv: int | None, load_mv: int | None) -> bool:
    """Compare the load side with the pack; unknown proves nothing."""
    if pack_mv is None or load_mv is None:
        return False
    return load_mv * 1000 >= pack_mv * p.precharge_permille


def _stands_above(settings: Settings, pack_mv: int | None, load_mv: int | None) -> bool:
    """Tell whether the load side is as far above the pack as it must not be below; unknown shows nothing.

    What is between them flows when they are joined, either way. Behind a FET, its body diode joins them before.
    """
    if pack_mv is None or load_mv is None:
        return False
    bound = pack_mv * (1000 - settings.parameters.precharge_permille)
    return (load_mv - pack_mv) * 1000 > (max(bound, DIODE_MV * 1000) if settings.own_fets else bound)


def _onto_a_source(
    p: Parameters,
    state: SwitchState,
    precharge: PrechargeState,
    pack_mv: int | None,
    load_mv: int | None,
    now_ms: int,
) -> tuple[SwitchState, PrechargeState, Inhibit | None]:
    """Close onto a source that nothing brings down, if it is not too far above; else wait without the resistor (S15).

    Capacitors alone come down through the resistor, and an inverter that obeys when it is told so. What still stands
    above after all attempts is a charger, and a pack that never joins it is never charged. One that was too far above
    and comes nearer is tried with the resistor again.
    """
    precharge = _relay(p, precharge, False, now_ms)
    too_far = pack_mv is None or load_mv is None or (load_mv - pack_mv) * 1000 > pack_mv * HELD_PERMILLE
    if too_far or stands_too_far(p, precharge):
        held = p.precharge_tries + 1 if too_far else 0
        return state, replace(precharge, held=held), Inhibit(InhibitCause.PRECHARGE, HIGH)
    state, reason = drive(p, state, True, now_ms)
    return state, replace(precharge, tries=0, held=0), reason


def stands_too_far(p: Parameters, precharge: PrechargeState) -> bool:
    """Tell whether a source holds the load side further above the pack than a contactor may close."""
    return precharge.held > p.precharge_tries


def _hold_out(p: Parameters, precharge: PrechargeState, now_ms: int) -> tuple[PrechargeState, Inhibit | None]:
    """Wait for a load side above the pack to come down; that it does not is no failure of the pre-charge."""
    began_ms = now_ms if precharge.relay.changed_ms is None else precharge.relay.changed_ms
    end_ms = began_ms + p.precharge_timeout_ms
    if now_ms < end_ms:
        return precharge, Inhibit(InhibitCause.PRECHARGE, HIGH, until_ms=end_ms)
    held = min(precharge.held + 1, p.precharge_tries)
    precharge = _relay(p, replace(precharge, tries=0, held=held), False, now_ms)
    return precharge, Inhibit(InhibitCause.PRECHARGE, HIGH, until_ms=now_ms + p.precharge_rest_ms)


def _shorted(pack_mv: int | None, load_mv: int | None) -> bool:
    """Tell a load side that does not rise; unknown shows nothing."""
    if pack_mv is None or load_mv is None:
        return False
    return load_mv * 1000 < pack_mv * SHORTED_PERMILLE


def _attempt(
    p: Parameters, precharge: PrechargeState, shorted: bool, now_ms: int
) -> tuple[PrechargeState, Inhibit | None]:
    """Let an attempt run, or end it when its time is up, which onto a short is sooner."""
    began_ms = now_ms if precharge.relay.changed_ms is None else precharge.relay.changed_ms
    longest_ms = p.precharge_timeout_ms
    end_ms = began_ms + (min(longest_ms, SHORTED_MS) if shorted else longest_ms)
    if now_ms < end_ms:
        return precharge, Inhibit(InhibitCause.PRECHARGE, until_ms=end_ms)
    failed = _relay(p, replace(precharge, tries=precharge.tries + 1, held=0), False, now_ms)
    return failed, Inhibit(InhibitCause.PRECHARGE, until_ms=now_ms + p.precharge_rest_ms)


def _after_closing(
    p: Parameters, state: SwitchState, precharge: PrechargeState, now_ms: int
) -> PrechargeState:
    """Keep the relay on until the contactor has had time to close, then drop it."""
    settled = state.changed_ms is None or now_ms - state.changed_ms >= p.contactor_settle_ms
    return _relay(p, precharge, False, now_ms) if settled else precharge
