"""Whether the pack may be charged and discharged: the one place where S1 is decided.

A permission needs every value it depends on, no blocking alarm, a finished start and the operator's consent.
All reasons against are collected, for `bmsctl why`.
"""

from __future__ import annotations

from bmsd.core.alarms import Active
from bmsd.core.checks import unknown_values
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.types import AfeState, Inhibit, InhibitCause
from bmsd.tables.alarms import Block


def unknowns(settings: Settings, values: Values, afe: AfeState) -> tuple[Inhibit, ...]:
    """Give each unknown value as a reason, the front end first: without it nothing is known (S1, S2)."""
    missing = [] if afe is AfeState.READY else ["afe"]
    missing += unknown_values(settings, values)
    return tuple([Inhibit(InhibitCause.UNKNOWN, name) for name in missing]) if missing else ()


def against(
    alarms: Active,
    block: Block,
    unknown: tuple[Inhibit, ...],
    *,
    started: bool,
    consent: bool,
    asked_for: bool = True,
    lifts: Block = Block.NONE,
    spent: Block = Block.NONE,
    passed: Block = Block.NONE,
) -> tuple[Inhibit, ...]:
    """Collect every reason against one permission; none means it is given.

    `lifts` are the directions in which an emergency override is in force; each alarm says whether it yields (S10).
    `spent` are those in which it was, until a last limit was `passed`, which opens without a wait.
    """
    if started and consent and asked_for and not alarms and not unknown:
        return ()
    reasons = [
        Inhibit(InhibitCause.ALARM, alarm.name)
        for alarm, _ in alarms
        if alarm.blocks & block & ~(alarm.overridable & lifts)
    ]
    if spent & block and any(alarm.overridable & block for alarm, _ in alarms):
        because = InhibitCause.LAST_LIMIT if passed & block else InhibitCause.SPENT
        reasons.append(Inhibit(because, _name(block)))
    reasons.extend(unknown)
    if not started:
        reasons.append(Inhibit(InhibitCause.STARTING))
    if not consent:
        reasons.append(Inhibit(InhibitCause.OPERATOR, _name(block)))
    if not asked_for:
        reasons.append(Inhibit(InhibitCause.NOT_ASKED, _name(block)))
    return tuple(reasons)


def _name(block: Block) -> str:
    return (block.name or "").lower()
