"""How a decision is reported: one word for what the pack does, and an event for each change."""

from __future__ import annotations

from bmsd.core import alarms
from bmsd.core.evaluation import Evaluation
from bmsd.core.state import State
from bmsd.core.types import Commands, Event, Inhibit

CHARGING_MA = 500
"""Above this the state word says charging or discharging rather than idle."""


def word(
    found: Evaluation, unknown: tuple[Inhibit, ...], commands: Commands, *, started: bool, asleep: bool
) -> str:
    """Say in one word what the pack does; the worst news wins."""
    if not started:
        return "starting"
    if unknown or alarms.is_fault(found.active):
        return "fault"
    if commands.heater:
        return "heating"
    if asleep:
        return "sleeping"
    current_ma = found.values.current_ma or 0
    if current_ma > CHARGING_MA:
        return "charging"
    return "discharging" if current_ma < -CHARGING_MA else "idle"


def events(before: State, after: State, now_ms: int) -> tuple[Event, ...]:
    """Give an event for the end of the start and for each switch that moved."""
    if before.commands == after.commands and before.word == after.word and before.sleep == after.sleep:
        return ()
    found = []
    if before.word == "starting" and after.word != "starting":
        found.append(Event(at_ms=now_ms, kind="state", name="pack", state="started"))
    if before.sleep.asleep != after.sleep.asleep:
        found.append(
            Event(
                at_ms=now_ms,
                kind="state",
                name=after.sleep.why,
                state="asleep" if after.sleep.asleep else "awake",
            )
        )
    for name in ("charge", "discharge", "main", "precharge", "heater"):
        was, now = getattr(before.commands, name), getattr(after.commands, name)
        if was != now:
            found.append(Event(at_ms=now_ms, kind="switch", name=name, state="on" if now else "off"))
    if bool(before.commands.balance_mask) != bool(after.commands.balance_mask):
        word = "on" if after.commands.balance_mask else "off"
        found.append(Event(at_ms=now_ms, kind="switch", name="balance", state=word))
    return tuple(found)
