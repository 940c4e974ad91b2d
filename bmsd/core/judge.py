"""What is true now: requests taken, values believed, alarms run, charge counted.

The first half of a decision. It moves nothing; `core.step` does, from what is judged here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bmsd.core import alarms, checks, contacts, flow, heater, heater_watch, reserve, sleep, soc, wear
from bmsd.core.alarms import Active, AlarmState
from bmsd.core.contactors import PrechargeState
from bmsd.core.heater_watch import WatchState
from bmsd.core.plausible import Held, Values, believe
from bmsd.core.settings import Settings
from bmsd.core.soc import SocState
from bmsd.core.state import Consent, State
from bmsd.core.types import Event, Inputs, Request
from bmsd.tables.alarms import Block


class Judged(NamedTuple):
    """What is believed and what is alarmed in this cycle."""

    consent: Consent
    values: Values
    held: Held
    watch: WatchState
    alarms: tuple[AlarmState, ...]
    active: Active
    precharge: PrechargeState
    soc: SocState | None
    block: Block
    outputs_good: bool
    astray: contacts.Astray
    events: tuple[Event, ...]


def judge(settings: Settings, state: State, inputs: Inputs) -> Judged:
    """Believe the values, run the alarms, count the charge."""
    now_ms = inputs.now_ms
    consent, resets, asked = _requests(state.consent, inputs)
    precharge = state.precharge
    if "precharge_failed" in resets:
        precharge = replace(precharge, tries=0)
    values, held = believe(
        state.held,
        inputs.afe.measurement,
        now_ms,
        settings.parameters,
        switch_sensor=settings.switch_sensor,
        older_ms=sleep.older_ms(state.sleep),
    )
    before = state.watch
    if "heater_no_warming" in resets:
        # A new chance to warm, not a new longest run (S4).
        before = replace(before, heated_ms=0, reference_decic=None)
    watch, verdict = _watch_heater(settings, state, before, values, inputs)
    of_outputs = checks.outputs(
        settings, inputs, state.commands, state.charge, state.discharge, precharge, state.main
    )
    astray, of_contacts = contacts.watch(settings, state, values, now_ms)
    findings = {
        **checks.lost_values(settings, values),
        **checks.chip(inputs.afe, state.resets),
        **of_outputs,
        **of_contacts,
        **flow.findings(settings, state, values),
        **wear.findings(settings, state),
        **checks.heater(verdict, _heater_over_limit(settings, state, values)),
        **reserve.findings(settings.parameters, state.alarms, values),
    }
    states, raised = alarms.advance(settings.table, state.alarms, values, findings, resets, now_ms)
    active = alarms.active(states)
    counted, anchored = _count(settings, state, values, now_ms)
    return Judged(
        consent=consent,
        values=values,
        held=held,
        watch=watch,
        alarms=states,
        active=active,
        precharge=precharge,
        soc=counted,
        block=alarms.blocked(active),
        outputs_good=not of_outputs,
        astray=astray,
        events=asked + raised + anchored,
    )


def _requests(consent: Consent, inputs: Inputs) -> tuple[Consent, frozenset[str], tuple[Event, ...]]:
    """Take the operator's requests: consents to keep, alarms to reset, and what to record (S14)."""
    if not inputs.requests:
        return consent, frozenset(), ()
    resets = frozenset(r.name for r in inputs.requests if r.kind == "reset")
    switched = {r.name: bool(r.on) for r in inputs.requests if r.kind == "switch"}
    events = tuple(_asked(request, inputs.now_ms) for request in inputs.requests)
    return replace(consent, **switched), resets, events


def _asked(request: Request, now_ms: int) -> Event:
    word = request.kind if request.on is None else ("on" if request.on else "off")
    return Event(now_ms, "request", request.name, word, who=request.who)


def _watch_heater(
    settings: Settings, state: State, before: WatchState, values: Values, inputs: Inputs
) -> tuple[WatchState, heater_watch.Verdict]:
    p, coldest = settings.parameters, values.battery_min
    return heater_watch.watch(
        before,
        on=state.heater.on,
        coldest_decic=coldest.value if coldest.complete else None,
        measured_ma=inputs.heater_ma,
        wanted_rise_decik=p.heater_watch_rise_decik,
        within_ms=p.heater_watch_ms,
        longest_run_ms=p.heater_max_run_ms,
        max_ma=p.heater_max_ma,
        now_ms=inputs.now_ms,
    )


def _heater_over_limit(settings: Settings, state: State, values: Values) -> bool:
    """Tell whether a running heater sees more voltage than its limits allow (S4)."""
    volts = heater.supply_mv(settings, values)
    if not state.heater.on or settings.heater_mohm is None or volts is None:
        return False
    p = settings.parameters
    return heater.exceeds(settings.heater_mohm, volts, p.heater_max_ma, settings.heater_max_mw)


def _count(
    settings: Settings, state: State, values: Values, now_ms: int
) -> tuple[SocState | None, tuple[Event, ...]]:
    counter = state.soc
    if counter is None:
        if not values.cell_max.complete or values.pack_mv.value is None:
            return None, ()
        counter = soc.first(settings, values.pack_mv.value // settings.cells)
    return soc.advance(settings, counter, values, now_ms, charging=state.charge_path)
