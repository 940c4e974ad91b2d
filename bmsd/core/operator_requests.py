"""Requests of operators: switches that narrow, resets, the override, a charge, factory values (S10, S14)."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bmsd.core import emergency, ordered
from bmsd.core.emergency import Override
from bmsd.core.ordered import NOTHING_ORDERED, Ordered
from bmsd.core.state import Consent, State
from bmsd.core.types import Event, Inputs, Request
from bmsd.tables.alarms import BOTH, Block
from bmsd.tables.ordered import KIND
from bmsd.tables.remote import SWITCHES

FACTORY = "factory"
REMOTE = "remote"
NO_RESETS: frozenset[str] = frozenset()


class OperatorRequests(NamedTuple):
    """What is asked for from this cycle on, and what to record."""

    consent: Consent
    asked_for: Block
    override: Override | None
    ordered: Ordered
    resets: frozenset[str]
    events: tuple[Event, ...]


def take(state: State, inputs: Inputs) -> OperatorRequests:
    """Take the requests of one cycle, in their order."""
    if not inputs.requests and state.override is None and state.ordered is NOTHING_ORDERED:
        return OperatorRequests(state.consent, state.asked_for, None, NOTHING_ORDERED, NO_RESETS, ())
    override, told = emergency.asked(state.override, inputs.requests, inputs.now_ms)
    consent, asked_for = state.consent, state.asked_for
    for request in inputs.requests:
        if request.kind == "switch":
            consent = _switched(consent, request)
            asked_for |= SWITCHES[request.name] & BOTH if request.on else Block.NONE
        elif request.kind == REMOTE:
            # This is no consent: what was never asked for here, or is forbidden here, stays so (S14).
            off = SWITCHES[request.name]
            consent = replace(
                consent, remote_off=consent.remote_off & ~off if request.on else consent.remote_off | off
            )
        elif request.kind == FACTORY:
            # What somebody has forbidden must not close because of a reset: each direction has to be asked for again.
            consent, asked_for = Consent(), Block.NONE
    resets = frozenset(r.name for r in inputs.requests if r.kind == "reset")
    events = tuple(_recorded(r, inputs.now_ms) for r in inputs.requests if r.kind != emergency.KIND)
    orders, over = ordered.advance(state.ordered, inputs.requests, state.soc, inputs.now_ms)
    return OperatorRequests(consent, asked_for, override, orders, resets, events + told + over)


def _switched(consent: Consent, request: Request) -> Consent:
    """Apply a switch of the local operator; switching on also ends what was switched off remotely."""
    off = SWITCHES[request.name] if request.on else Block.NONE
    return replace(consent, remote_off=consent.remote_off & ~off, **{request.name: bool(request.on)})


def _recorded(request: Request, now_ms: int) -> Event:
    word = request.kind if request.on is None else ("on" if request.on else "off")
    name = f"{request.name} charge" if request.kind == KIND else request.name
    return Event(at_ms=now_ms, kind="request", name=name, state=word, who=request.who)
