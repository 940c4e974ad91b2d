"""Common topology: whether current still flows in a direction in which the inverter was told zero.

The contactor is closed for the other direction, so only a measurement can tell. What the heater takes from the pack
is no load of the inverter. An unknown current shows neither that it obeys nor that it does not (S2).
"""

from __future__ import annotations

from bmsd.core import alarms, heater, undetected_charge
from bmsd.core.alarms import Finding
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.state import NOTHING_REFUSED, RefusedDirection, RefusedDirections, State
from bmsd.core.switching import HOUR_MS, SwitchState
from bmsd.core.types import Event
from bmsd.tables.alarms import Block

LONGEST_PAUSE_MS = HOUR_MS
MOST_OPENINGS = 12
"""More than this make the pause no longer."""
NOT_STOPPED = frozenset({"charge_not_stopped", "discharge_not_stopped"})


def findings(settings: Settings, state: State, values: Values) -> dict[str, Finding]:
    """Turn a forbidden current through a closed common contactor into an alarm's cause."""
    refused = state.common.refused
    if not settings.common:
        return {}
    p, found = settings.parameters, {}
    if not state.main.on:
        return {}
    if refused & Block.CHARGE:
        found["charge_not_stopped"] = undetected_charge.worse(
            state.undetected_charge, _beyond(values.current_ma, p.forbidden_charge_ma)
        )
    if refused & Block.DISCHARGE:
        drawn_ma = None if values.current_ma is None else -values.current_ma
        least_ma = max(p.forbidden_discharge_ma, settings.idle_ma)
        limit_ma = least_ma + heater.taken_ma(settings, state.heater.on, values)
        found["discharge_not_stopped"] = _beyond(drawn_ma, limit_ma)
    return found


def patient(settings: Settings, state: State, found: dict[str, Finding], now_ms: int) -> dict[str, Finding]:
    """Leave the inverter its time to react and the contactor its pause; after both, raise the alarm without delay.

    The pause doubles with each opening in a row, because each trial is a pulse of a forbidden current; there is a
    trial all the same, because the house needs the other direction (S15).
    """
    if not settings.common:
        return found
    for direction in ("charge", "discharge"):
        name, refusal = f"{direction}_not_stopped", getattr(state.refusals, direction)
        finding = found.get(name)
        if finding is not None and finding.bad:
            found[name] = _in_its_time(settings, refusal, finding, now_ms)
        elif (
            not state.main.on and alarms.is_active(state.alarms, name) and _pauses(settings, refusal, now_ms)
        ):
            found[name] = Finding(None)
    return found


def _in_its_time(settings: Settings, refusal: RefusedDirection, finding: Finding, now_ms: int) -> Finding:
    """Ignore a current while the inverter may still react; one that opened the contactor before trips at once."""
    if refusal.since_ms is None:
        return finding
    told_ms, delay_ms = now_ms - refusal.since_ms, settings.parameters.forbidden_flow_ms
    if told_ms < settings.obeys_ms - delay_ms:
        return Finding(False)
    again = refusal.openings > 0 and told_ms >= max(settings.obeys_ms, delay_ms)
    return finding._replace(at_once=again)


def _pauses(settings: Settings, refusal: RefusedDirection, now_ms: int) -> bool:
    """Tell whether the pause is still longer than the release time that follows."""
    release_ms = settings.parameters.forbidden_flow_release_ms
    pause_ms = min(release_ms << max(refusal.openings - 1, 0), max(release_ms, LONGEST_PAUSE_MS))
    return now_ms - refusal.opened_ms < pause_ms - release_ms


def remember(
    settings: Settings,
    state: State,
    refused: Block,
    main: SwitchState,
    events: tuple[Event, ...],
    now_ms: int,
) -> RefusedDirections:
    """Record what this cycle refused and opened for; after an hour closed all openings are forgotten."""
    before = state.refusals
    if not settings.common or (not refused and before is NOTHING_REFUSED):
        return before
    forgets = main.on and main.changed_ms is not None and now_ms - main.changed_ms >= HOUR_MS
    raised = {event.name for event in events if event.state == "raised"}
    return RefusedDirections(
        _next(before.charge, refused & Block.CHARGE, "charge_not_stopped" in raised, forgets, now_ms),
        _next(
            before.discharge, refused & Block.DISCHARGE, "discharge_not_stopped" in raised, forgets, now_ms
        ),
    )


def _next(
    refusal: RefusedDirection, refused: Block, opened: bool, forgets: bool, now_ms: int
) -> RefusedDirection:
    since_ms = None
    if refused:
        since_ms = now_ms if refusal.since_ms is None else refusal.since_ms
    if opened:
        return RefusedDirection(since_ms, min(refusal.openings + 1, MOST_OPENINGS), now_ms)
    return RefusedDirection(since_ms, 0 if forgets else refusal.openings, refusal.opened_ms)


def _beyond(current_ma: int | None, limit_ma: int) -> Finding:
    if current_ma is None:
        return Finding(None)
    return Finding(True, current_ma) if current_ma > limit_ma else Finding(False)
