"""One decision of the whole pack: `step(settings, state, inputs)` gives the next state and what to do.

Pure: no clock, no input or output, no logging. The order is the order of trust: believe values, run the
alarms, give or refuse permissions, then move heater and contactors (S1, S3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bmsd.core import (
    alarms,
    balance,
    diode,
    emergency,
    flow,
    heater,
    heating,
    limits,
    moves,
    obedience,
    permissions,
    reserve,
    signals,
    silence,
    sleep,
    soc,
    unseen,
)
from bmsd.core.diode import Diodes
from bmsd.core.heating import Heated
from bmsd.core.judge import Judged, counted_anew, judge
from bmsd.core.limits import Asked, Limits, LimitState
from bmsd.core.moves import Situation
from bmsd.core.obedience import Told
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.sleep import SleepState
from bmsd.core.state import Outputs, Refusals, State
from bmsd.core.types import (
    Because,
    Commands,
    Event,
    Inputs,
    Reason,
)
from bmsd.core.unseen import Unseen
from bmsd.tables.alarms import BOTH, Block, Severity

CHARGING_MA = 500
"""Above this the state word says charging or discharging rather than idle."""


class _Permits(NamedTuple):
    """What is allowed in this cycle, and the reasons against."""

    good_cycles: int
    started: bool
    unknown: tuple[Reason, ...]
    charge: tuple[Reason, ...]
    discharge: tuple[Reason, ...]
    sleep: SleepState


class _Moved(NamedTuple):
    """Where contactors and heater go, and what they wait for."""

    contactors: moves.Moved
    diodes: Diodes
    heated: Heated


def step(settings: Settings, state: State, inputs: Inputs) -> tuple[State, Outputs]:
    """Decide one cycle."""
    if inputs.silent:
        state = silence.begun_anew(state, inputs.now_ms)
    judged = judge(settings, state, inputs)
    state, judged = counted_anew(state, judged, inputs.now_ms)
    permits = _permit(settings, state, judged, inputs)
    moved = _move(settings, state, judged, permits, inputs)
    return _conclude(settings, state, judged, permits, moved, inputs)


def _permit(settings: Settings, state: State, judged: Judged, inputs: Inputs) -> _Permits:
    """Give or refuse charging and discharging (S1), and count good cycles after a start (S13)."""
    unknown = permissions.unknowns(settings, judged.values, inputs.afe.state)
    wanted = settings.parameters.start_good_cycles
    complete = judged.values.fresh and not unknown and judged.outputs_good and not judged.astray
    good = min(state.good_cycles + 1, wanted) if complete else 0
    # A trip timer that runs would open again what closes now; what is blocked anyway waits for none.
    foreseen = alarms.pending(judged.alarms) & BOTH & ~judged.block
    started = state.started or (good >= wanted and not foreseen)
    sleeping = _sleep(settings, state, judged, inputs, fault=bool(unknown), started=started)
    asleep = (Reason(Because.ASLEEP, "sleep"),)
    no_charge, no_discharge = sleep.holds_open(settings.parameters, sleeping)

    def against(block: Block, consent: bool) -> tuple[Reason, ...]:
        return permissions.against(
            judged.active,
            block,
            unknown,
            started=started,
            consent=consent,
            asked_for=bool(judged.asked_for & block),
            lifts=emergency.lifts(judged.override),
            spent=emergency.spent(judged.override),
            passed=emergency.passed(judged.override),
        )

    return _Permits(
        good_cycles=good,
        started=started,
        unknown=unknown,
        charge=against(Block.CHARGE, judged.consent.gives(Block.CHARGE)) + asleep * no_charge,
        discharge=against(Block.DISCHARGE, judged.consent.gives(Block.DISCHARGE)) + asleep * no_discharge,
        sleep=sleeping,
    )


def _sleep(
    settings: Settings, state: State, judged: Judged, inputs: Inputs, *, fault: bool, started: bool
) -> SleepState:
    """Let the pack fall asleep or wake."""
    commands = state.commands
    situation = sleep.Situation(
        values=judged.values,
        started=started,
        busy=commands.heater
        or commands.precharge
        or bool(commands.balance_mask)
        or judged.override is not None,
        fault=fault or any(alarm.severity is Severity.FAULT for alarm, _ in judged.active),
        raised=any(event.state == "raised" for event in judged.events),
        asked=bool(inputs.requests),
        pressed=inputs.pressed,
        empty=alarms.is_active(judged.alarms, "auto_shutdown"),
        charge_closed=(commands.charge and inputs.feedback.charge is not False)
        or (commands.main and inputs.feedback.main is not False),
        now_ms=inputs.now_ms,
    )
    return sleep.advance(settings.parameters, state.sleep, situation)


def _move(settings: Settings, state: State, judged: Judged, permits: _Permits, inputs: Inputs) -> _Moved:
    """Move heater and contactors. Charge opens before heat, heat ends before charge (S3)."""
    heated = heating.advance(settings, state, judged, permits.unknown, inputs, started=permits.started)
    heat_is_off = not (state.heater.on or heated.heater.on or inputs.lines.heater)
    values, now_ms = judged.values, inputs.now_ms
    at = Situation(
        permits.charge,
        permits.discharge,
        judged.precharge,
        values,
        heat_is_off,
        heated.waits_for_payer,
        now_ms,
    )
    moved = moves.move(settings, state, at)
    return _Moved(moved, _diodes(settings, state, moved, values, inputs), heated)


def _diodes(settings: Settings, state: State, moved: moves.Moved, values: Values, inputs: Inputs) -> Diodes:
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
    judged: Judged,
    permits: _Permits,
    moved: _Moved,
    inputs: Inputs,
) -> tuple[State, Outputs]:
    """Put commands, limits and the next state together."""
    mask, wait_balance = balance.decide(
        settings,
        judged.values,
        state.commands.balance_mask,
        judged.block,
        permits.unknown,
        consent=judged.consent.gives(Block.BALANCE),
        started=permits.started,
    )
    commands = Commands(
        moved.contactors.charge.on,
        moved.contactors.discharge.on,
        moved.contactors.precharge.relay.on,
        moved.heated.heater.on,
        signals.buzzer(
            judged.active,
            sounds=bool(settings.parameters.buzzer),
            period_ms=sleep.period_ms(settings.parameters, permits.sleep),
            now_ms=inputs.now_ms,
        ),
        mask,
        moved.contactors.main.on,
        moved.diodes.charge.spared,
        moved.diodes.discharge.spared,
    )
    limiting, given = _limits(settings, state, judged, moved.contactors, inputs.now_ms)
    if moved.heated.asked_ma:
        given = replace(given, heat_ma=moved.heated.asked_ma)
    react_ms = max(settings.parameters.limit_react_ms, settings.obeys_ms)
    told = obedience.tell(state.told, given, react_ms, inputs.now_ms)
    after = _after(settings, state, judged, permits, moved, commands, told, limiting, inputs)
    events = judged.events + _changes(state, after, inputs.now_ms)
    if inputs.silent:
        events = (silence.told(inputs.now_ms), *events)
    return after, _outputs(
        settings, judged, permits, moved, after, given, wait_balance, events, inputs.now_ms
    )


def _limits(
    settings: Settings, state: State, judged: Judged, contactors: moves.Moved, now_ms: int
) -> tuple[LimitState, Limits]:
    """Give what the inverter may ask for: nothing through a contactor that waits to close or to open."""
    asked = Asked(
        judged.values,
        judged.soc,
        contactors.may_ask_charge,
        contactors.may_ask_discharge,
        state.charge_path,
        state.asks_force or state.asks_full,
        state.reserve.held,
    )
    limiting, given = limits.advance(settings, state.limiting, asked, now_ms)
    if contactors.waits_for_bus:
        # An inverter that obeys brings down the bus that it shares with the pack, and the contactor can close.
        given = replace(given, charge_mv=min(given.charge_mv, judged.values.pack_mv.value or 0))
    return limiting, emergency.limits(
        settings, judged.override, given, judged.active, discharges=contactors.may_ask_discharge
    )


def _after(
    settings: Settings,
    state: State,
    judged: Judged,
    permits: _Permits,
    moved: _Moved,
    commands: Commands,
    told: Told,
    limiting: LimitState,
    inputs: Inputs,
) -> State:
    """Remember what the next cycle needs."""
    asked, kept = reserve.advance(
        settings, state.force_charge, state.reserve, judged.alarms, judged.values, judged.soc, inputs.now_ms
    )
    return State(
        alarms=judged.alarms,
        soc=judged.soc,
        consent=judged.consent,
        held=judged.held,
        good_cycles=permits.good_cycles,
        started=permits.started,
        charge=moved.contactors.charge,
        discharge=moved.contactors.discharge,
        precharge=moved.contactors.precharge,
        heater=moved.heated.heater,
        supply=moved.heated.supply,
        watch=judged.watch,
        commands=commands,
        resets=max(state.resets, inputs.afe.resets),
        word=_word(judged, permits, commands),
        physics=judged.physics,
        joints=judged.joints,
        loose=judged.loose,
        told=told,
        shorts=judged.shorts,
        overloads=judged.overloads,
        sleep=permits.sleep,
        force_charge=asked,
        reserve=kept,
        unseen=_unseen(settings, state, judged, moved.contactors, inputs.now_ms),
        opening=moved.contactors.opening,
        main=moved.contactors.main,
        common=moved.contactors.common,
        astray=judged.astray,
        diodes=moved.diodes,
        bus=judged.bus,
        override=judged.override,
        asked_for=judged.asked_for,
        limiting=limiting,
        refusals=_refusals(settings, state, judged, moved.contactors, inputs.now_ms),
        ordered=judged.ordered,
        full_charge=judged.soc is not None and soc.long_not_full(settings.parameters, judged.soc),
    )


def _unseen(settings: Settings, state: State, judged: Judged, contactors: moves.Moved, now_ms: int) -> Unseen:
    """Ask the cells beside the current reading, while a common contactor is closed and charging refused."""
    return unseen.advance(
        settings,
        state.unseen,
        judged.values,
        judged.physics,
        refused=bool(contactors.common.refused & Block.CHARGE),
        closed=contactors.main.on,
        now_ms=now_ms,
    )


def _refusals(
    settings: Settings, state: State, judged: Judged, contactors: moves.Moved, now_ms: int
) -> Refusals:
    """Remember who went on although it was told zero."""
    return flow.remember(settings, state, contactors.common.refused, contactors.main, judged.events, now_ms)


def _outputs(
    settings: Settings,
    judged: Judged,
    permits: _Permits,
    moved: _Moved,
    after: State,
    given: Limits,
    wait_balance: Reason | None,
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
        against_charge=permits.charge + moved.contactors.wait_charge,
        against_discharge=permits.discharge + moved.contactors.wait_discharge,
        against_heater=_optional(moved.heated.wait),
        against_balance=_optional(wait_balance),
        values=judged.values,
        word=after.word,
        events=events,
        led=signals.led(
            judged.active,
            started=permits.started,
            unknown=bool(permits.unknown),
            period_ms=sleep.period_ms(settings.parameters, permits.sleep),
            now_ms=now_ms,
        ),
    )


def _optional(reason: Reason | None) -> tuple[Reason, ...]:
    return () if reason is None else (reason,)


def _word(judged: Judged, permits: _Permits, commands: Commands) -> str:
    """Say in one word what the pack does; the worst news wins."""
    if not permits.started:
        return "starting"
    if any(alarm.severity is Severity.FAULT for alarm, _ in judged.active):
        return "fault"
    if permits.unknown:
        return "fault"
    if commands.heater:
        return "heating"
    if permits.sleep.asleep:
        return "sleeping"
    current_ma = judged.values.current_ma or 0
    if current_ma > CHARGING_MA:
        return "charging"
    return "discharging" if current_ma < -CHARGING_MA else "idle"


def _changes(before: State, after: State, now_ms: int) -> tuple[Event, ...]:
    """Tell the end of the start, and each switch that moved."""
    events = []
    if before.word == "starting" and after.word != "starting":
        events.append(Event(now_ms, "state", "pack", "started"))
    if before.sleep.asleep != after.sleep.asleep:
        events.append(Event(now_ms, "state", after.sleep.why, "asleep" if after.sleep.asleep else "awake"))
    for name in ("charge", "discharge", "main", "precharge", "heater"):
        was, now = getattr(before.commands, name), getattr(after.commands, name)
        if was != now:
            events.append(Event(now_ms, "switch", name, "on" if now else "off"))
    if bool(before.commands.balance_mask) != bool(after.commands.balance_mask):
        word = "on" if after.commands.balance_mask else "off"
        events.append(Event(now_ms, "switch", "balance", word))
    return tuple(events)
