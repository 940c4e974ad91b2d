"""The heater in one cycle: whether charging is cut off, what feeds it, what the inverter is to give (S3, S4)."""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core import alarms, charge_cut, heater, soc, supply
from bmsd.core.evaluation import Evaluation
from bmsd.core.heater import HeaterInputs
from bmsd.core.settings import Settings
from bmsd.core.state import State
from bmsd.core.supply import SupplyInputs, SupplyState
from bmsd.core.switching import SwitchState
from bmsd.core.types import Inhibit, InhibitCause, Inputs
from bmsd.tables.alarms import Block

_NOT_ASKED = Inhibit(InhibitCause.NOT_ASKED, "charge")


class Heated(NamedTuple):
    """Whether the heater is on, and what it waits for."""

    heater: SwitchState
    supply: SupplyState
    demanded: bool
    """The pack is too cold to charge."""
    wait: Inhibit | None
    asked_ma: int
    """What the inverter is asked to give for the heater alone."""
    waits_for_payer: bool
    """The heater of an empty pack lacks nothing but a charger that supplies what it takes."""


def advance(
    settings: Settings,
    state: State,
    found: Evaluation,
    unknown: tuple[Inhibit, ...],
    inputs: Inputs,
    *,
    started: bool,
) -> Heated:
    """Decide the heater of one cycle; learn what feeds it in every cycle, on or off."""
    demanded = settings.heater_mohm is not None and alarms.is_active(found.alarms, "charge_utp")
    not_cut = charge_cut.against_heat(settings, state, found.values, inputs)
    at = HeaterInputs(
        values=found.values,
        demanded=demanded,
        started=started,
        unknown=unknown if Block.CHARGE in found.asked_for else (*unknown, _NOT_ASKED),
        block=found.block,
        charge_is_open=not_cut is None,
        soc_permille=0 if found.soc is None else soc.permille(settings, found.soc),
        now_ms=inputs.now_ms,
        not_cut=not_cut or charge_cut.CHARGE_FIRST,
        supply=state.supply,
        empty=heater.is_empty(found.alarms),
        joined=settings.limits_told
        and (state.main.on if settings.common else settings.own_fets and state.discharge.on),
    )
    if settings.heater_mohm is not None:
        at = _learned(settings, state, at, inputs)
    switch, wait = heater.decide(settings, state.heater, at)
    asked_ma = heater.asked_ma(settings, at, switch.on)
    return Heated(switch, at.supply, demanded, wait, asked_ma, heater.waits_for_payer(settings, at))


def _learned(
    settings: Settings, state: State, at: heater.HeaterInputs, inputs: Inputs
) -> heater.HeaterInputs:
    """Add what this cycle shows of the heater's supply."""
    seen = SupplyInputs(
        values=at.values,
        on=state.heater.on,
        changed_ms=state.heater.changed_ms,
        heater_ma=inputs.heater_ma,
        on_trial=heater.on_trial(settings, at),
        apart=not (state.charge_path or state.diodes.charge.spared),
        joined=state.main.on if settings.common else state.discharge.on,
        may_charge=state.charge.on or (state.main.on and not state.common.refused & Block.CHARGE),
        now_ms=inputs.now_ms,
    )
    known = supply.advance(settings, state.supply, seen)
    return at if known is state.supply else at._replace(supply=known)
