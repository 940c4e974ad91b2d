"""When a pack that nobody uses goes to low power, and what wakes it.

A pure state machine. Asleep, everything is still measured, judged and switched, only once per `sleep_period_ms`.
Nothing unknown puts a pack to sleep, and everything unknown wakes it (S2).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from bmsd.core.plausible import Values
from bmsd.core.transitions import PlainMachine
from bmsd.tables.parameters import Parameters

HOUR_MS = 3_600_000
AGAIN_MS = 300_000
"""An empty pack that was woken stays awake for this long: time to look at it, or for a charger to begin."""
SLOW_SCAN_MS = 1000
"""How often a front end measures that rests; by so much a believed value may be older than awake."""
BLIND_MS = 2000
"""Time without a complete measurement that ends the sleep: more than one slow scan was missed."""
FILLING_MA = 100
"""A charge current that keeps an empty pack awake, so that sleep does not take its charger away."""
SEEN_PERMILLE = 900
"""The charger's side counts as wired when it shows this share of the pack through the closed contactor."""


PIN_ERROR = 25
"""A pin that was not calibrated reads up to a 25th too much [est]."""


class Sleep(Enum):
    """Whether a pack is used."""

    AWAKE = "awake"
    ASLEEP = "asleep"
    WAKING = "waking"
    """Not measured since it was woken."""


class SleepState(NamedTuple):
    """Sleep between cycles."""

    idle_since_ms: int | None = None
    asleep: bool = False
    why: str = ""
    """What changed `asleep` last."""
    fresh_ms: int = 0
    """When the last complete measurement was made, while asleep."""
    waking: bool = False
    """Awake, but not measured since: what sleep held open does not close on values from the sleep."""
    charger_side_seen: bool = False
    """The charger's side was read at the pack's voltage when the charge contactor was last closed."""

    @property
    def phase(self) -> Sleep:
        """Give the state in the table."""
        if self.asleep:
            return Sleep.ASLEEP
        return Sleep.WAKING if self.waking else Sleep.AWAKE


class SleepInputs(NamedTuple):
    """What one cycle shows."""

    values: Values
    started: bool
    busy: bool
    """Heater, pre-charge or balancing is on, or an emergency override."""
    fault: bool
    """A fault is active or a needed value unknown."""
    raised: bool
    """An alarm was raised in this cycle."""
    asked: bool
    """Somebody asked for something in this cycle."""
    pressed: bool
    """Somebody presses the button."""
    empty: bool
    """The pack has shut itself down."""
    charge_closed: bool
    now_ms: int


class _SleepAt(NamedTuple):
    """What the transitions are decided from."""

    p: Parameters
    seen: SleepInputs
    idle_ms: int = 0
    """For how long nobody has used the pack."""
    woken_by: str = ""


def _is_empty(at: _SleepAt) -> bool:
    return at.seen.empty and at.idle_ms >= AGAIN_MS


def _is_idle(at: _SleepAt) -> bool:
    return bool(at.p.sleep_after_h) and at.idle_ms >= at.p.sleep_after_h * HOUR_MS


def _is_measured(at: _SleepAt) -> bool:
    return at.seen.values.fresh


def _is_woken(at: _SleepAt) -> bool:
    return bool(at.woken_by)


_EMPTY, _UNUSED = "switched off empty, not used for 5 minutes", "not used for `sleep_after_h`"

PHASES = PlainMachine[Sleep, _SleepAt](
    (Sleep.AWAKE, _is_empty, _EMPTY, Sleep.ASLEEP),
    (Sleep.AWAKE, _is_idle, _UNUSED, Sleep.ASLEEP),
    (Sleep.ASLEEP, _is_woken, "request, button, fault, charger, current, alarm or work", Sleep.WAKING),
    (Sleep.WAKING, _is_empty, _EMPTY, Sleep.ASLEEP),
    (Sleep.WAKING, _is_idle, _UNUSED, Sleep.ASLEEP),
    (Sleep.WAKING, _is_measured, "measured completely", Sleep.AWAKE),
)


def advance(p: Parameters, state: SleepState, seen: SleepInputs) -> SleepState:
    """Go one cycle on."""
    now_ms, side_seen = seen.now_ms, _charger_side(state, seen)
    if state.phase is Sleep.ASLEEP:
        fresh_ms = now_ms if seen.values.fresh else state.fresh_ms
        at = _SleepAt(p, seen, woken_by=_wakes(p, seen, now_ms - fresh_ms))
        if PHASES.follow(Sleep.ASLEEP, at) is Sleep.ASLEEP:
            return SleepState(state.idle_since_ms, True, state.why, fresh_ms, False, side_seen)
        return SleepState(now_ms, False, at.woken_by, 0, True, side_seen)
    since_ms = (now_ms if state.idle_since_ms is None else state.idle_since_ms) if _idle(p, seen) else None
    at = _SleepAt(p, seen, 0 if since_ms is None else now_ms - since_ms)
    phase = PHASES.follow(state.phase, at)
    if phase is Sleep.ASLEEP:
        why = "empty" if _is_empty(at) else "idle"
        return SleepState(since_ms, True, why, now_ms, False, side_seen)
    return SleepState(since_ms, False, state.why, 0, phase is Sleep.WAKING, side_seen)


def holds_open(p: Parameters, state: SleepState) -> tuple[bool, bool]:
    """Tell whether sleep keeps the charge and the discharge contactor open.

    The charge contactor only where the front end would see a charger behind it: else nothing could ever charge.
    """
    opens = (state.asleep or state.waking) and p.sleep_contactors == 1
    return opens and state.charger_side_seen, opens


def older_ms(state: SleepState) -> int:
    """Give by how much a believed value may be older than awake: one slow scan."""
    return SLOW_SCAN_MS if state.asleep else 0


def period_ms(p: Parameters, state: SleepState) -> int:
    """Give the time from this cycle to the next."""
    return max(p.sleep_period_ms, p.period_ms) if state.asleep else p.period_ms


def charger(p: Parameters, values: Values, *, joined: bool) -> bool:
    """Tell whether a charger stands above the pack; unknown counts as none, because it only wakes.

    Through a closed contactor both should read the same: a little more is the error of a pin.
    """
    pack_mv = values.pack_mv.value
    if pack_mv is None or values.charger_mv is None:
        return False
    least_mv = max(p.charger_detect_mv, pack_mv // PIN_ERROR) if joined else p.charger_detect_mv
    return values.charger_mv - pack_mv >= least_mv


def _current(p: Parameters, values: Values) -> bool:
    """Tell whether current flows; an unknown one may."""
    return values.current_ma is None or abs(values.current_ma) >= p.sleep_current_ma


def _idle(p: Parameters, seen: SleepInputs) -> bool:
    if not seen.started or seen.busy or seen.fault or _current(p, seen.values):
        return False
    current_ma = seen.values.current_ma
    fills = seen.empty and current_ma is not None and current_ma >= FILLING_MA
    return not (
        fills
        or seen.asked
        or seen.pressed
        or seen.raised
        or charger(p, seen.values, joined=seen.charge_closed)
    )


def _wakes(p: Parameters, seen: SleepInputs, blind_ms: int) -> str:
    """Name what ends the sleep; empty when nothing does."""
    causes = (
        (seen.asked, "request"),
        (seen.pressed, "button"),
        (seen.fault or not seen.started or blind_ms >= BLIND_MS, "fault"),
        (charger(p, seen.values, joined=seen.charge_closed), "charger"),
        (_current(p, seen.values), "current"),
        (seen.raised and not seen.empty, "alarm"),
        (seen.busy, "work"),
    )
    return next((why for is_so, why in causes if is_so), "")


def _charger_side(state: SleepState, seen: SleepInputs) -> bool:
    """Learn from a closed charge contactor whether the charger's side can be read."""
    pack_mv, charger_mv = seen.values.pack_mv.value, seen.values.charger_mv
    if not seen.charge_closed or pack_mv is None or charger_mv is None:
        return state.charger_side_seen
    return charger_mv * 1000 >= pack_mv * SEEN_PERMILLE
