"""One decision of the whole pack: `step(settings, state, inputs)` gives the next state and what to do.

Pure: no clock, no input or output, no logging. The order is the order of trust: believe values, run the
alarms, give or refuse permissions, then move heater and contactors (S1, S3).
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core import (
    alarms,
    balance,
    changes,
    contactor_control,
    diode,
    emergency,
    forbidden_current,
    heater,
    heating,
    indicators,
    limit_compliance,
    limits,
    low_battery,
    permissions,
    silence,
    sleep,
    soc,
    undetected_charge,
)
from bmsd.core.contactor_control import ContactorDecision, ContactorInputs
from bmsd.core.diode import Diodes
from bmsd.core.evaluation import Evaluation, evaluate, restart_counts
from bmsd.core.heating import Heated
from bmsd.core.limit_compliance import SentLimits
from bmsd.core.limits import LimitInputs, Limits, LimitState
from bmsd.core.low_battery import LowBattery
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.sleep import SleepInputs, SleepState
from bmsd.core.state import Outputs, RefusedDirections, State
from bmsd.core.types import Commands, Event, Inhibit, InhibitCause, Inputs
from bmsd.core.undetected_charge import UndetectedCharge
from bmsd.tables.alarms import BOTH, Block

_ASLEEP = (Inhibit(InhibitCause.ASLEEP, "sleep"),)


class _Permits(NamedTuple):
    """What is allowed in this cycle, and the reasons against."""

    good_cycles: int
    started: bool
    unknown: tuple[Inhibit, ...]
    charge: tuple[Inhibit, ...]
    discharge: tuple[Inhibit, ...]
    sleep: SleepState


class _Switching(NamedTuple):
    """How contactors and heater move, and what they wait for."""

    contactors: ContactorDecision
    diodes: Diodes
    heated: Heated


def step(settings: Settings, state: State, inputs: Inputs) -> tuple[State, Outputs]:
    """Decide one cycle."""
    if inputs.silent:
        state = silence.begun_again(state, inputs.now_ms)
    found = evaluate(settings, state, inputs)
    state, found = restart_counts(state, found, inputs.now_ms)
    permits = _permit(settings, state, found, inputs)
    moved = _move(settings, state, found, permits, inputs)
    return _conclude(settings, state, found, permits, moved, inputs)


def _permit(settings: Settings, state: State, found: Evaluation, inputs: Inputs) -> _Permits:
    """Give or refuse charging and discharging (S1), and count good cycles after a start (S13)."""
    unknown = permissions.unknowns(settings, found.values, inputs.afe.state)
    wanted = settings.parameters.start_good_cycles
    complete = found.values.fresh and not unknown and found.outputs_good and not found.suspects
    good = min(state.good_cycles + 1, wanted) if complete else 0
    # An alarm whose trip timer runs would open again what closes now; what is blocked anyway does not wait for it.
    started = state.started or (good >= wanted and not alarms.pending(found.alarms) & BOTH & ~found.block)
    sleeping = _sleep(settings, state, found, inputs, fault=bool(unknown), started=started)
    no_charge, no_discharge = sleep.holds_open(settings.parameters, sleeping)
    override = found.override
    lifts, spent = emergency.lifts(override), emergency.spent(override)
    passed = emergency.passed(override)

    def against(block: Block, consent: bool) -> tuple[Inhibit, ...]:
        return permissions.against(
            found.active,
            block,
            unknown,
            started=started,
            consent=consent,
            asked_for=block in found.asked_for,
            lifts=lifts,
            spent=spent,
            passed=passed,
        )

    return _Permits(
        good_cycles=good,
        started=started,
        unknown=unknown,
        charge=against(Block.CHARGE, found.consent.gives(Block.CHARGE)) + _ASLEEP * no_charge,
        discharge=against(Block.DISCHARGE, found.consent.gives(Block.DISCHARGE)) + _ASLEEP * no_discharge,
        sleep=sleeping,
    )


def _sleep(
    settings: Settings, state: State, found: Evaluation, inputs: Inputs, *, fault: bool, started: bool
) -> SleepState:
    """Let the pack fall asleep or wake."""
    commands = state.commands
    situation = SleepInputs(
        values=found.values,
        started=started,
        busy=commands.heater
        or commands.precharge
        or bool(commands.balance_mask)
        or found.override is not None,
        fault=fault or alarms.is_fault(found.active),
        raised=bool(found.events) and any(event.state == "raised" for event in found.events),
        asked=bool(inputs.requests),
        pressed=inputs.pressed,
        empty=alarms.is_active(found.alarms, "auto_shutdown"),
        charge_closed=(commands.charge and inputs.feedback.charge is not False)
        or (commands.main and inputs.feedback.main is not False),
        now_ms=inputs.now_ms,
    )
    return sleep.advance(settings.parameters, state.sleep, situation)


def _move(
    settings: Settings, state: State, found: Evaluation, permits: _Permits, inputs: Inputs
) -> _Switching:
    """Move heater and contactors. Charge opens before heat, heat ends before charge (S3)."""
    heated = heating.advance(settings, state, found, permits.unknown, inputs, started=permits.started)
    heat_is_off = not (state.heater.on or heated.heater.on or inputs.lines.heater)
    values, now_ms = found.values, inputs.now_ms
    at = ContactorInputs(
        permits.charge,
        permits.discharge,
        found.precharge,
        values,
        heat_is_off,
        heated.waits_for_payer,
        now_ms,
    )
    moved = contactor_control.move(settings, state, at)
    return _Switching(moved, _diodes(settings, state, moved, values, inputs), heated)


def _diodes(
    settings: Settings, state: State, moved: ContactorDecision, values: Values, inputs: Inputs
) -> Diodes:
    """Spare the body diodes of the chip's own FETs; only a current of this very cycle lets a FET be on for it."""
    if not settings.own_fets:
        return state.diodes
    measured = inputs.afe.measurement
    through_ma = None if measured is None else measured.current_ma
    if through_ma is not None:
        through_ma += heater.taken_ma(settings, state.heater.on, values)
    return diode.spare(state.diodes, moved.charge, moved.discharge, through_ma, inputs.now_ms)


def _conclude(
    settings: Settings,
    state: State,
    found: Evaluation,
    permits: _Permits,
    moved: _Switching,
    inputs: Inputs,
) -> tuple[State, Outputs]:
    """Put commands, limits and the next state together."""
    mask, wait_balance = balance.decide(
        settings,
        found.values,
        state.commands.balance_mask,
        found.block,
        permits.unknown,
        consent=found.consent.gives(Block.BALANCE),
        started=permits.started,
    )
    commands = Commands(
        charge=moved.contactors.charge.on,
        discharge=moved.contactors.discharge.on,
        precharge=moved.contactors.precharge.relay.on,
        heater=moved.heated.heater.on,
        buzzer=indicators.buzzer(
            found.active,
            sounds=bool(settings.parameters.buzzer),
            period_ms=sleep.period_ms(settings.parameters, permits.sleep),
            now_ms=inputs.now_ms,
        ),
        balance_mask=mask,
        main=moved.contactors.main.on,
        charge_diode=moved.diodes.charge.spared,
        discharge_diode=moved.diodes.discharge.spared,
    )
    limiting, given = _limits(settings, state, found, moved.contactors, inputs.now_ms)
    if moved.heated.asked_ma:
        given = given._replace(heat_ma=moved.heated.asked_ma)
    react_ms = max(settings.parameters.limit_react_ms, settings.obeys_ms)
    told = limit_compliance.tell(state.sent_limits, given, react_ms, inputs.now_ms)
    after = _after(settings, state, found, permits, moved, commands, told, limiting, inputs)
    events = found.events + changes.events(state, after, inputs.now_ms)
    if inputs.silent:
        events = (silence.told(inputs.now_ms), *events)
    return after, _outputs(settings, found, permits, moved, after, given, wait_balance, events, inputs.now_ms)


def _limits(
    settings: Settings, state: State, found: Evaluation, contactors: ContactorDecision, now_ms: int
) -> tuple[LimitState, Limits]:
    """Give the limits for the inverter: no current through a contactor that waits to close or to open."""
    asked = LimitInputs(
        values=found.values,
        counter=found.soc,
        charge_allowed=contactors.may_ask_charge,
        discharge_allowed=contactors.may_ask_discharge,
        closed=state.charge_path,
        wants_charge=state.asks_force or state.asks_full,
        held=state.low_battery.held,
    )
    limiting, given = limits.advance(settings, state.limiting, asked, now_ms)
    if contactors.waits_for_bus:
        # An inverter that obeys lowers the bus that it shares with the pack, and the contactor can close.
        given = given._replace(charge_mv=min(given.charge_mv, found.values.pack_mv.value or 0))
    return limiting, emergency.limits(
        settings, found.override, given, found.active, discharges=contactors.may_ask_discharge
    )


def _after(
    settings: Settings,
    state: State,
    found: Evaluation,
    permits: _Permits,
    moved: _Switching,
    commands: Commands,
    told: SentLimits,
    limiting: LimitState,
    inputs: Inputs,
) -> State:
    """Remember what the next cycle needs."""
    asked, kept = _low_battery(settings, state, found, inputs.now_ms)
    return State(
        alarms=found.alarms,
        soc=found.soc,
        consent=found.consent,
        held=found.held,
        good_cycles=permits.good_cycles,
        started=permits.started,
        charge=moved.contactors.charge,
        discharge=moved.contactors.discharge,
        precharge=moved.contactors.precharge,
        heater=moved.heated.heater,
        supply=moved.heated.supply,
        watch=found.watch,
        commands=commands,
        resets=max(state.resets, inputs.afe.resets),
        word=changes.word(
            found, permits.unknown, commands, started=permits.started, asleep=permits.sleep.asleep
        ),
        cross_check=found.cross_check,
        joints=found.joints,
        loose=found.loose,
        sent_limits=told,
        shorts=found.shorts,
        overloads=found.overloads,
        sleep=permits.sleep,
        force_charge=asked,
        low_battery=kept,
        undetected_charge=_undetected(settings, state, found, moved.contactors, inputs.now_ms),
        opening=moved.contactors.opening,
        main=moved.contactors.main,
        common=moved.contactors.common,
        suspects=found.suspects,
        diodes=moved.diodes,
        load_side=found.load_side,
        override=found.override,
        asked_for=found.asked_for,
        limiting=limiting,
        refusals=_refusals(settings, state, found, moved.contactors, inputs.now_ms),
        ordered=found.ordered,
        full_charge=found.soc is not None and soc.long_not_full(settings.parameters, found.soc),
    )


def _low_battery(settings: Settings, state: State, found: Evaluation, now_ms: int) -> tuple[bool, LowBattery]:
    """Ask for charge near empty, and hold back what is left."""
    asks, kept = state.force_charge, state.low_battery
    return low_battery.advance(settings, asks, kept, found.alarms, found.values, found.soc, now_ms)


def _undetected(
    settings: Settings, state: State, found: Evaluation, contactors: ContactorDecision, now_ms: int
) -> UndetectedCharge:
    """Check the cells beside the current reading, while a common contactor is closed and charging refused."""
    return undetected_charge.advance(
        settings,
        state.undetected_charge,
        found.values,
        found.cross_check,
        refused=settings.common and Block.CHARGE in contactors.common.refused,
        closed=contactors.main.on,
        now_ms=now_ms,
    )


def _refusals(
    settings: Settings, state: State, found: Evaluation, contactors: ContactorDecision, now_ms: int
) -> RefusedDirections:
    """Remember in which direction current went on although zero was told."""
    return forbidden_current.remember(
        settings, state, contactors.common.refused, contactors.main, found.events, now_ms
    )


def _outputs(
    settings: Settings,
    found: Evaluation,
    permits: _Permits,
    moved: _Switching,
    after: State,
    given: Limits,
    wait_balance: Inhibit | None,
    events: tuple[Event, ...],
    now_ms: int,
) -> Outputs:
    """Say what was decided."""
    return Outputs(
        commands=after.commands,
        limits=given,
        charge_allowed=not permits.charge,
        discharge_allowed=not permits.discharge,
        heater_demanded=moved.heated.demanded,
        charge_inhibits=permits.charge + moved.contactors.wait_charge,
        discharge_inhibits=permits.discharge + moved.contactors.wait_discharge,
        heater_inhibits=_optional(moved.heated.wait),
        balance_inhibits=_optional(wait_balance),
        values=found.values,
        word=after.word,
        events=events,
        led=indicators.led(
            found.active,
            started=permits.started,
            unknown=bool(permits.unknown),
            period_ms=sleep.period_ms(settings.parameters, permits.sleep),
            now_ms=now_ms,
        ),
    )


def _optional(reason: Inhibit | None) -> tuple[Inhibit, ...]:
    return () if reason is None else (reason,)
