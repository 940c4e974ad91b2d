"""What is true now: requests taken, values believed, alarms run, charge counted.

The first half of a decision. It moves nothing; `core.step` does, from what is judged here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bmsd.core import (
    alarms,
    checks,
    contactor_life,
    cross_check,
    emergency,
    forbidden_current,
    heater,
    heater_watch,
    joints,
    limit_compliance,
    live_load_side,
    loose,
    low_battery,
    operator_requests,
    overloads,
    short_circuits,
    sleep,
    soc,
    spread,
    trips,
    weld_detection,
)
from bmsd.core.alarms import Active, AlarmState, Finding
from bmsd.core.contactors import PrechargeState
from bmsd.core.cross_check import CrossCheckState
from bmsd.core.emergency import Override
from bmsd.core.heater_watch import WatchState
from bmsd.core.joints import JointState
from bmsd.core.live_load_side import LoadSideState
from bmsd.core.loose import LooseState
from bmsd.core.ordered import Ordered
from bmsd.core.overloads import Overloads
from bmsd.core.plausible import HeldReadings, Values, validate
from bmsd.core.settings import Settings
from bmsd.core.short_circuits import Shorts
from bmsd.core.soc import SocState
from bmsd.core.state import Consent, State
from bmsd.core.types import ChipFault, Event, Inputs
from bmsd.tables.alarms import Block


class Evaluation(NamedTuple):
    """What is believed and what is alarmed in this cycle."""

    consent: Consent
    values: Values
    held: HeldReadings
    watch: WatchState
    alarms: tuple[AlarmState, ...]
    active: Active
    precharge: PrechargeState
    soc: SocState | None
    block: Block
    outputs_good: bool
    suspects: weld_detection.Suspects
    load_side: LoadSideState
    events: tuple[Event, ...]
    cross_check: CrossCheckState
    joints: JointState
    loose: LooseState
    shorts: Shorts
    overloads: Overloads
    override: Override | None
    ordered: Ordered
    asked_for: Block


def evaluate(settings: Settings, state: State, inputs: Inputs) -> Evaluation:
    """Believe the values, run the alarms, count the charge."""
    asked, now_ms = operator_requests.take(state, inputs), inputs.now_ms
    precharge, before, short = _reset(state, asked.resets)
    overload = overloads.reset(state.overloads, asked.resets)
    values, held = _believe(settings, state, inputs)
    override = emergency.reach(settings, asked.override, values)
    watch, verdict = _watch_heater(settings, state, before, values, inputs)
    known, confirmed = trips.explained(settings, state, values, inputs.afe)
    of_outputs = _outputs(settings, state, inputs, precharge, known)
    suspects, of_contacts = weld_detection.watch(settings, state, values, now_ms)
    load_side, of_load_side = _load_side(settings, state, values, precharge, now_ms)
    p, table = settings.parameters, settings.table
    seen, joint, wires, odd = _compared(settings, state, values, held, now_ms)
    of_chip = checks.chip(inputs.afe, state.resets, known)
    findings = {
        **checks.lost_values(settings, values),
        **of_chip,
        **checks.not_set(inputs.afe, alarms.is_active(state.alarms, "afe_not_set")),
        **(weld_detection.worse(of_outputs, of_contacts) | of_load_side),
        **contactor_life.findings(settings, state),
        **checks.heater(verdict, _heater_over_limit(settings, state, values, now_ms)),
        **seen.findings,
        **(odd | checks.doubt(settings, state.alarms, values)),
        **_flow(settings, state, values, now_ms),
        **short_circuits.number(short, of_chip, p.short_circuit_releases_per_hour),
        **overloads.findings(overload, p.over_current_releases_per_hour),
        **(checks.override(override is not None) | checks.guard(inputs.guarded)),
        **low_battery.findings(settings.parameters, state.alarms, values),
        **spread.findings(settings, values, alarms.is_active(state.alarms, "temperature_mismatch")),
    }
    pauses = overloads.pauses(table, overload)
    states, raised = alarms.advance(
        table, state.alarms, values, findings, asked.resets, now_ms, confirmed, pauses, settings.bounds
    )
    active = alarms.active(states)
    counted, anchored = _count(settings, state, values, now_ms)
    return Evaluation(
        consent=asked.consent,
        values=values,
        held=held,
        watch=watch,
        alarms=states,
        active=active,
        precharge=precharge,
        soc=counted,
        block=alarms.blocked(active),
        outputs_good=not of_outputs,
        suspects=suspects,
        load_side=load_side,
        events=asked.events + emergency.announced(raised, override) + anchored,
        cross_check=seen.state,
        joints=joint,
        loose=wires,
        shorts=short_circuits.count(short, raised, now_ms),
        overloads=overloads.count(overload, state.alarms, raised, p.over_current_releases_per_hour, now_ms),
        override=override,
        ordered=asked.ordered,
        asked_for=asked.asked_for,
    )


def _believe(settings: Settings, state: State, inputs: Inputs) -> tuple[Values, HeldReadings]:
    return validate(
        state.held,
        inputs.afe.measurement,
        inputs.now_ms,
        settings.parameters,
        switch_sensor=settings.switch_sensor,
        older_ms=sleep.older_ms(state.sleep),
    )


def _compared(
    settings: Settings, state: State, values: Values, held: HeldReadings, now_ms: int
) -> tuple[cross_check.CrossChecked, JointState, LooseState, dict[str, Finding]]:
    """Compare current and voltages, each cell's step with the others', and a reading with its last ones."""
    step_mv = settings.parameters.physics_step_mv
    seen = cross_check.watch(
        state.cross_check, values, settings.cells, settings.capacity_mah, step_mv, now_ms
    )
    joint, odd = joints.watch(state.joints, seen.state, values.cell_mv, step_mv)
    wires, odd = loose.watch(state.loose, held, values.frozen, odd, now_ms)
    return seen, joint, wires, odd


def _load_side(
    settings: Settings, state: State, values: Values, precharge: PrechargeState, now_ms: int
) -> tuple[LoadSideState, dict[str, Finding]]:
    """Look at the load side: held too far above the pack, or alive with everything off."""
    switches = live_load_side.beside(settings, state.charge, state.discharge, state.main, precharge)
    seen, found = live_load_side.watch(settings, state.load_side, switches, values, state.alarms, now_ms)
    return seen, found | checks.load_side(settings, precharge, values)


def _outputs(
    settings: Settings, state: State, inputs: Inputs, precharge: PrechargeState, explained: ChipFault
) -> dict[str, Finding]:
    """Compare every switch with what reads it back: lines, auxiliary contacts, the chip's status register."""
    charge, discharge = state.charge, state.discharge
    of_fets = checks.fets(settings, inputs, charge, discharge, state.diodes, explained)
    return of_fets | checks.outputs(
        settings, inputs, state.commands, charge, discharge, precharge, state.main, state.resets
    )


def _reset(state: State, resets: frozenset[str]) -> tuple[PrechargeState, WatchState, Shorts]:
    """Restart what an operator resets: tries of the pre-charge, the heater's watch, counted shorts."""
    precharge, watch, short = state.precharge, state.watch, state.shorts
    if not resets:
        return precharge, watch, short
    if "precharge_failed" in resets:
        precharge = replace(precharge, tries=0)
    if "heater_no_warming" in resets:
        # A new chance to warm, not a new longest run (S4).
        watch = watch._replace(heated_ms=0, reference_decic=None)
    if "short_circuit_repeated" in resets:
        short = ()
    return precharge, watch, short


def _flow(settings: Settings, state: State, values: Values, now_ms: int) -> dict[str, Finding]:
    """Compare the current with the limits told and with what is switched on."""
    closed = state.charge.on or state.discharge.on or state.main.on
    found = limit_compliance.limits(settings, state.sent_limits, values, closed=closed)
    found |= forbidden_current.patient(
        settings, state, forbidden_current.findings(settings, state, values), now_ms
    )
    return found | limit_compliance.past_contactors(settings, state.charge, state.discharge, values, now_ms)


def restart_counts(state: State, evaluation: Evaluation, now_ms: int) -> tuple[State, Evaluation]:
    """Count the operations of the contactors from zero when an emergency override begins (S10, S12)."""
    override = evaluation.override
    if override is None or override.began_ms != now_ms:
        return state, evaluation
    relay = emergency.restart_counts(evaluation.precharge.relay)
    state = state._replace(
        charge=emergency.restart_counts(state.charge),
        discharge=emergency.restart_counts(state.discharge),
        main=emergency.restart_counts(state.main),
    )
    return state, evaluation._replace(precharge=replace(evaluation.precharge, relay=relay))


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


def _heater_over_limit(settings: Settings, state: State, values: Values, now_ms: int) -> bool:
    """Tell whether a running heater sees more voltage than its limits allow, or takes more than it should (S4)."""
    if weld_detection.heater_takes_too_much(settings, state, values, now_ms):
        return True
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
        if values.pack_mv.value is None:
            return None, ()
        counter = soc.first(settings, values.pack_mv.value // settings.cells)
    return soc.advance(settings, counter, values, now_ms, charging=state.charge_path)
