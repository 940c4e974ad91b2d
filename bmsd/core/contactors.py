"""When a contactor closes and opens, in the split topology: one for charging, one for discharging.

Opening is never delayed here; `core.deferred_opening` says where it may wait. Closing waits for permission, for its
rest (S12), and on the load side for a pre-charge proved by voltage. A contactor that does not follow is reported
by `core.checks`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from bmsd.core.settings import Settings
from bmsd.core.switching import SwitchPace, SwitchState, turn, waits
from bmsd.core.transitions import StateMachine
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


class LoadSide(Enum):
    """How far the load side is connected."""

    OPEN = "open"
    PRECHARGING = "pre-charging"
    """The relay is on: the load side comes up, or down, through the resistor."""
    CLOSING = "closing"
    """The contactor is commanded, and the relay bridges it until it has arrived."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PrechargeState:
    """The pre-charge between cycles; an attempt runs while its relay is on and the contactor is not."""

    relay: SwitchState = SwitchState()
    tries: int = 0
    """Failed attempts in a row."""
    held: int = 0
    """Attempts in a row that ended with the load side held above the pack; one more than the tries: too far above."""


def drive(p: Parameters, state: SwitchState, wanted: bool, now_ms: int) -> tuple[SwitchState, Inhibit | None]:
    """Close or open one contactor; the reason says what a wanted closing waits for."""
    return (state, None) if wanted == state.on else turn(state, wanted, _pace(p), now_ms)


Moved = tuple[SwitchState, PrechargeState, Inhibit | None]
"""Contactor and pre-charge after a cycle, and what a wanted closing waits for."""


class _LoadSideAt(NamedTuple):
    """What the load side is decided from in one cycle."""

    settings: Settings
    state: SwitchState
    precharge: PrechargeState
    wanted: bool
    pack_mv: int | None
    load_mv: int | None
    now_ms: int

    @property
    def p(self) -> Parameters:
        """Give the parameters."""
        return self.settings.parameters


def place(state: SwitchState, precharge: PrechargeState) -> LoadSide:
    """Tell from contactor and relay how far the load side is connected."""
    if state.on:
        return LoadSide.CLOSING if precharge.relay.on else LoadSide.CLOSED
    return LoadSide.PRECHARGING if precharge.relay.on else LoadSide.OPEN


def load_side(
    settings: Settings,
    state: SwitchState,
    precharge: PrechargeState,
    wanted: bool,
    pack_mv: int | None,
    load_mv: int | None,
    now_ms: int,
) -> Moved:
    """Close the discharge contactor behind a pre-charge, or open both."""
    at = _LoadSideAt(settings, state, precharge, wanted, pack_mv, load_mv, now_ms)
    row = LOAD_SIDE.find(place(state, precharge), at)
    return (state, precharge, None) if row is None else row.act(at)


def _pace(p: Parameters) -> SwitchPace:
    return SwitchPace(p.contactor_min_off_ms, p.contactor_operations_per_hour)


def _rest(p: Parameters) -> SwitchPace:
    """Let the resistor cool after every attempt, however it ended."""
    return SwitchPace(p.precharge_rest_ms, p.contactor_operations_per_hour)


def _relay(at: _LoadSideAt, on: bool) -> PrechargeState:
    relay, _ = turn(at.precharge.relay, on, _rest(at.p), at.now_ms)
    return replace(at.precharge, relay=relay)


def stands_too_far(p: Parameters, precharge: PrechargeState) -> bool:
    """Tell whether a source holds the load side further above the pack than a contactor may close."""
    return precharge.held > p.precharge_tries


# --- Conditions -------------------------------------------------------------------------------------------------


def _is_unwanted(at: _LoadSideAt) -> bool:
    return not at.wanted


def _must_rest(at: _LoadSideAt) -> bool:
    return waits(at.state, _pace(at.p), at.now_ms) is not None


def _resistor_rests(at: _LoadSideAt) -> bool:
    return waits(at.precharge.relay, _rest(at.p), at.now_ms) is not None


def _has_no_precharge(at: _LoadSideAt) -> bool:
    return not at.settings.precharge


def _is_up(at: _LoadSideAt) -> bool:
    """Compare the load side with the pack; unknown proves nothing."""
    if at.pack_mv is None or at.load_mv is None or _is_high(at):
        return False
    return at.load_mv * 1000 >= at.pack_mv * at.p.precharge_permille


def _is_high(at: _LoadSideAt) -> bool:
    """Tell whether the load side is further above the pack than it may be below; unknown shows nothing.

    A difference drives a current when they are joined, in either direction. Behind a FET its body diode conducts first.
    """
    if at.pack_mv is None or at.load_mv is None:
        return False
    bound = at.pack_mv * (1000 - at.p.precharge_permille)
    if at.settings.own_fets:
        bound = max(bound, DIODE_MV * 1000)
    return (at.load_mv - at.pack_mv) * 1000 > bound


def _is_held(at: _LoadSideAt) -> bool:
    """Tell whether a source holds the load side above the pack (S15).

    Capacitors alone run down through the resistor, and an inverter that obeys lowers its bus when told. What stands
    above after all attempts is a charger, and a pack that never joins it is never charged. One that was too far above
    and comes nearer is tried with the resistor again.
    """
    return at.precharge.held >= at.p.precharge_tries and _is_high(at)


def _is_held_too_far(at: _LoadSideAt) -> bool:
    return _is_held(at) and (stands_too_far(at.p, at.precharge) or _is_too_far(at))


def _is_too_far(at: _LoadSideAt) -> bool:
    pack_mv, load_mv = at.pack_mv or 0, at.load_mv or 0  # both are known of a load side that stands above
    return (load_mv - pack_mv) * 1000 > pack_mv * HELD_PERMILLE


def _stayed_high(at: _LoadSideAt) -> bool:
    return _is_high(at) and at.now_ms >= _end_ms(at)


def _took_too_long(at: _LoadSideAt) -> bool:
    return not _is_high(at) and at.now_ms >= _end_ms(at)


def _has_settled(at: _LoadSideAt) -> bool:
    changed_ms = at.state.changed_ms
    return changed_ms is None or at.now_ms - changed_ms >= at.p.contactor_settle_ms


def _always(_at: _LoadSideAt) -> bool:
    return True


def _end_ms(at: _LoadSideAt) -> int:
    """Give when the running attempt ends: sooner onto a short; an unknown voltage shows no short."""
    longest_ms = at.p.precharge_timeout_ms
    if (
        at.pack_mv is not None
        and at.load_mv is not None
        and at.load_mv * 1000 < at.pack_mv * SHORTED_PERMILLE
    ):
        longest_ms = min(longest_ms, SHORTED_MS)
    began_ms = at.precharge.relay.changed_ms
    return (at.now_ms if began_ms is None else began_ms) + longest_ms


# --- Actions ----------------------------------------------------------------------------------------------------


def _open(at: _LoadSideAt) -> Moved:
    state, _ = drive(at.p, at.state, False, at.now_ms)
    return state, replace(_relay(at, False), held=0), None


def _rest_contactor(at: _LoadSideAt) -> Moved:
    return at.state, _relay(at, False), waits(at.state, _pace(at.p), at.now_ms)


def _rest_resistor(at: _LoadSideAt) -> Moved:
    reason = waits(at.precharge.relay, _rest(at.p), at.now_ms)
    return at.state, at.precharge, reason._replace(name=_name(at)) if reason else None


def _hold_off(at: _LoadSideAt) -> Moved:
    """Wait without the resistor."""
    held = at.p.precharge_tries + 1 if _is_too_far(at) else 0
    return at.state, replace(_relay(at, False), held=held), Inhibit(InhibitCause.PRECHARGE, HIGH)


def _begin(at: _LoadSideAt) -> Moved:
    return at.state, _relay(at, True), Inhibit(InhibitCause.PRECHARGE, _name(at))


def _go_on(at: _LoadSideAt) -> Moved:
    return at.state, at.precharge, Inhibit(InhibitCause.PRECHARGE, _name(at), until_ms=_end_ms(at))


def _fail(at: _LoadSideAt) -> Moved:
    return _end(at, replace(at.precharge, tries=at.precharge.tries + 1, held=0))


def _give_way(at: _LoadSideAt) -> Moved:
    """End an attempt whose load side did not come down: no failure of the pre-charge."""
    return _end(at, replace(at.precharge, tries=0, held=min(at.precharge.held + 1, at.p.precharge_tries)))


def _end(at: _LoadSideAt, precharge: PrechargeState) -> Moved:
    relay, _ = turn(precharge.relay, False, _rest(at.p), at.now_ms)
    until_ms = at.now_ms + at.p.precharge_rest_ms
    return (
        at.state,
        replace(precharge, relay=relay),
        Inhibit(InhibitCause.PRECHARGE, _name(at), until_ms=until_ms),
    )


def _close(at: _LoadSideAt) -> Moved:
    """Close with the relay as it is: it bridges the contactor until that has arrived."""
    state, _ = drive(at.p, at.state, True, at.now_ms)
    return state, replace(at.precharge, tries=0, held=0), None


def _close_without_resistor(at: _LoadSideAt) -> Moved:
    state, _ = drive(at.p, at.state, True, at.now_ms)
    return state, replace(_relay(at, False), tries=0, held=0), None


def _drop_relay(at: _LoadSideAt) -> Moved:
    return at.state, _relay(at, False), None


def _name(at: _LoadSideAt) -> str:
    return HIGH if _is_high(at) else ""


LOAD_SIDE = StateMachine[LoadSide, _LoadSideAt, Callable[[_LoadSideAt], Moved]](
    (LoadSide.OPEN, _is_unwanted, "not allowed", LoadSide.OPEN, _open),
    (LoadSide.OPEN, _must_rest, "contactor rests (S12)", LoadSide.OPEN, _rest_contactor),
    (LoadSide.OPEN, _has_no_precharge, "no pre-charge fitted", LoadSide.CLOSED, _close),
    (LoadSide.OPEN, _is_held_too_far, "a source holds the load side too far above", LoadSide.OPEN, _hold_off),
    (LoadSide.OPEN, _is_held, "a source holds it above, near enough", LoadSide.CLOSED, _close_without_resistor),
    (LoadSide.OPEN, _resistor_rests, "resistor cools", LoadSide.OPEN, _rest_resistor),
    (LoadSide.OPEN, _always, "allowed", LoadSide.PRECHARGING, _begin),
    (LoadSide.PRECHARGING, _is_unwanted, "not allowed", LoadSide.OPEN, _open),
    (LoadSide.PRECHARGING, _must_rest, "contactor rests (S12)", LoadSide.OPEN, _rest_contactor),
    (LoadSide.PRECHARGING, _is_held_too_far, "a source holds it too far above", LoadSide.OPEN, _hold_off),
    (LoadSide.PRECHARGING, _is_held, "a source holds it above, near enough", LoadSide.CLOSED,
     _close_without_resistor),
    (LoadSide.PRECHARGING, _is_up, "load side at `precharge_percent`", LoadSide.CLOSING, _close),
    (LoadSide.PRECHARGING, _stayed_high, "time over, load side still above", LoadSide.OPEN, _give_way),
    (LoadSide.PRECHARGING, _took_too_long, "time over: failed", LoadSide.OPEN, _fail),
    (LoadSide.PRECHARGING, _always, "goes on", LoadSide.PRECHARGING, _go_on),
    (LoadSide.CLOSING, _is_unwanted, "not allowed", LoadSide.OPEN, _open),
    (LoadSide.CLOSING, _has_settled, "contactor has arrived", LoadSide.CLOSED, _drop_relay),
    (LoadSide.CLOSED, _is_unwanted, "not allowed", LoadSide.OPEN, _open),
)  # fmt: skip
"""How the load side is joined; the place is read from contactor and relay, `place`."""
