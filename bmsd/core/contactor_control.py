"""Where the contactors go, by topology: two that each carry one direction, or a common one that carries both.

`split`: each direction has its contactor, and a direction that is refused opens its own.
`common`: one main contactor. The limit of a refused direction is zero, and the contactor stays closed for the other
one where the reason leaves time (`Alarm.opening_ms`); `core.forbidden_current` opens it when the current goes on. It
opens at once where a reason leaves none, and when neither direction is left. A pack that is empty and too cold to
charge closes it for a charger that feeds its heater, with both directions told zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bmsd.core import contactors, deferred_opening, forbidden_current, heater
from bmsd.core.contactors import PrechargeState
from bmsd.core.deferred_opening import NONE_WAITS, DeferredOpening
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.state import CommonState, State
from bmsd.core.switching import SwitchState
from bmsd.core.types import Inhibit, InhibitCause
from bmsd.tables.alarms import Block

CHARGER_GONE_MS = 60_000
"""A pack at shutdown voltage whose contactor closed for a charger opens it when none charged for this long."""
CHARGER_AGAIN_MS = 900_000
"""And it is not tried again for this long: each trial lets the loads on that side drain the pack a little."""
ENDED_BY_CHARGING = frozenset({"cell_shutdown", "auto_shutdown"})
"""Alarms that open the common contactor at once, and that only charging through it can end."""
TOO_COLD = frozenset({"charge_utp"})


class ContactorInputs(NamedTuple):
    """What the contactors are decided from in one cycle."""

    charge_inhibits: tuple[Inhibit, ...]
    discharge_inhibits: tuple[Inhibit, ...]
    precharge: PrechargeState
    values: Values
    heat_is_off: bool
    """Off as commanded and as read back (S3)."""
    waits_for_payer: bool
    """The heater of an empty pack lacks nothing but a charger that supplies what it takes."""
    now_ms: int


class ContactorDecision(NamedTuple):
    """Where the contactors are now, and what each direction waits for."""

    charge: SwitchState
    discharge: SwitchState
    main: SwitchState
    precharge: PrechargeState
    opening: DeferredOpening
    common: CommonState
    may_ask_charge: bool
    """The inverter may be asked for charge: a contactor is closed for it, and nothing is against it."""
    may_ask_discharge: bool
    wait_charge: tuple[Inhibit, ...]
    wait_discharge: tuple[Inhibit, ...]

    @property
    def waits_for_bus(self) -> bool:
        """Tell whether only a load side above the pack keeps the contactor open, and so the pack from its charger."""
        if self.charge.on or self.discharge.on or self.main.on:
            return False
        return any(reason.name == contactors.HIGH for reason in self.wait_discharge)


def move(settings: Settings, state: State, at: ContactorInputs) -> ContactorDecision:
    """Move the contactors of one cycle."""
    return _common(settings, state, at) if settings.common else _split(settings, state, at)


def _split(settings: Settings, state: State, at: ContactorInputs) -> ContactorDecision:
    p, asked = settings.parameters, state.opening
    charge_ms, hold_charge = _hold(settings, at, "charge", state.charge, at.charge_inhibits, asked.charge_ms)
    may_charge = not at.charge_inhibits or hold_charge is not None
    charge, wait_charge = contactors.drive(p, state.charge, may_charge and at.heat_is_off, at.now_ms)
    if may_charge and not at.heat_is_off:
        wait_charge = Inhibit(InhibitCause.HEATER_FIRST, "heater")
    discharge_ms, hold_discharge = _hold(
        settings, at, "discharge", state.discharge, at.discharge_inhibits, asked.discharge_ms
    )
    may_discharge = not at.discharge_inhibits or hold_discharge is not None
    discharge, precharge, wait_discharge = _load_side(settings, state.discharge, at, may_discharge)
    return ContactorDecision(
        charge,
        discharge,
        state.main,
        precharge,
        NONE_WAITS if charge_ms is discharge_ms is None else DeferredOpening(charge_ms, discharge_ms),
        state.common,
        charge.on and not at.charge_inhibits,
        discharge.on and not at.discharge_inhibits,
        _some(wait_charge or hold_charge),
        _some(wait_discharge or hold_discharge),
    )


def _common(settings: Settings, state: State, at: ContactorInputs) -> ContactorDecision:
    wanted = _wanted(settings, state, at)
    against = () if wanted else at.charge_inhibits + at.discharge_inhibits
    main_ms, hold = _hold(settings, at, "main", state.main, against, state.opening.main_ms)
    main, precharge, wait = _load_side(settings, state.main, at, wanted or hold is not None)
    waits = _some(wait or hold)
    may_ask_charge = main.on and not at.charge_inhibits and at.heat_is_off
    wait_charge = waits + _told(main, wanted, at.charge_inhibits, "discharge")
    if not at.charge_inhibits and not at.heat_is_off:
        wait_charge += (Inhibit(InhibitCause.HEATER_FIRST, "heater"),)
    return ContactorDecision(
        state.charge,
        state.discharge,
        main,
        precharge,
        DeferredOpening(main_ms=main_ms),
        CommonState(
            _refused(at), _charged_ms(state, main, at), _trial(state, main, at), _gave_up_ms(state, main, at)
        ),
        may_ask_charge,
        main.on and not at.discharge_inhibits,
        wait_charge,
        waits + _told(main, wanted, at.discharge_inhibits, "charge"),
    )


def _wanted(settings: Settings, state: State, at: ContactorInputs) -> bool:
    """Tell whether the common contactor shall be closed."""
    if at.charge_inhibits and at.discharge_inhibits:
        return _warms(at) and _charges(settings, state, at)
    hasty = [r for r in at.charge_inhibits + at.discharge_inhibits if not deferred_opening.leaves_time(r)]
    if not hasty:
        return True
    charging_ends_it = _only(hasty, ENDED_BY_CHARGING)
    return charging_ends_it and not at.charge_inhibits and _charges(settings, state, at)


def _warms(at: ContactorInputs) -> bool:
    """Tell whether an empty pack that is too cold needs a charger for its heater alone; both limits are zero (S15)."""
    is_cold, is_empty = _only(at.charge_inhibits, TOO_COLD), _only(at.discharge_inhibits, heater.EMPTY)
    return at.waits_for_payer and is_cold and is_empty


def _only(against: Iterable[Inhibit], names: frozenset[str]) -> bool:
    """Tell whether nothing but these alarms is against a direction."""
    return all(reason.because is InhibitCause.ALARM and reason.name in names for reason in against)


def _charges(settings: Settings, state: State, at: ContactorInputs) -> bool:
    """Tell whether a charger is there: its side stands above the open contactor, or it charged lately."""
    if not state.main.on:
        gave_up_ms = state.common.gave_up_ms
        rested = gave_up_ms is None or at.now_ms - gave_up_ms >= CHARGER_AGAIN_MS
        return rested and heater.charger_present(settings, at.values) is True
    charged_ms = _charged_ms(state, state.main, at)
    return charged_ms is not None and at.now_ms - charged_ms < CHARGER_GONE_MS


def _charged_ms(state: State, main: SwitchState, at: ContactorInputs) -> int | None:
    """Give when the closed contactor last carried a charge current; closing for a charger counts as one."""
    if not main.on:
        return None
    if not state.main.on:
        return at.now_ms if at.discharge_inhibits else None
    current_ma = at.values.current_ma
    is_heated = _warms(at) and not at.heat_is_off  # core.heater judges whether the charger supplies it
    if is_heated or (current_ma is not None and current_ma > 0):
        return at.now_ms
    return state.common.charged_ms


def _trial(state: State, main: SwitchState, at: ContactorInputs) -> bool:
    """Tell whether the contactor is closed for a charger alone, below shutdown voltage."""
    if not main.on:
        return False
    if state.main.on:
        return state.common.trial and bool(at.discharge_inhibits)
    return _warms(at) or any(not deferred_opening.leaves_time(reason) for reason in at.discharge_inhibits)


def _gave_up_ms(state: State, main: SwitchState, at: ContactorInputs) -> int | None:
    """Give when the contactor that had closed for a charger opened again."""
    if main.on or not at.discharge_inhibits:
        return None
    return at.now_ms if state.common.trial else state.common.gave_up_ms


def _refused(at: ContactorInputs) -> Block:
    """Give the directions with a reason of their own against them."""
    charge = Block.CHARGE if _own(at.charge_inhibits) or not at.heat_is_off else Block.NONE
    return charge | (Block.DISCHARGE if _own(at.discharge_inhibits) else Block.NONE)


def _own(against: tuple[Inhibit, ...]) -> bool:
    return any(reason.name not in forbidden_current.NOT_STOPPED for reason in against)


def _told(main: SwitchState, wanted: bool, against: tuple[Inhibit, ...], other: str) -> tuple[Inhibit, ...]:
    """Say why the contactor is not where this direction would have it."""
    if against and main.on and wanted:
        return (Inhibit(InhibitCause.TOLD_ZERO, other),)
    if not against and not wanted:
        return (Inhibit(InhibitCause.OTHER_DIRECTION, other),)
    return ()


def _hold(
    settings: Settings,
    at: ContactorInputs,
    name: str,
    switch: SwitchState,
    against: tuple[Inhibit, ...],
    since_ms: int | None,
) -> tuple[int | None, Inhibit | None]:
    """Let a closed contactor that has to open wait for little current, where that may be (S12)."""
    return deferred_opening.decide(
        settings.parameters,
        name,
        closed=switch.on,
        against=against,
        current_ma=at.values.current_ma,
        since_ms=since_ms,
        now_ms=at.now_ms,
    )


def _load_side(
    settings: Settings, switch: SwitchState, at: ContactorInputs, wanted: bool
) -> tuple[SwitchState, PrechargeState, Inhibit | None]:
    pack_mv, load_mv = at.values.pack_mv.value, at.values.load_mv
    return contactors.load_side(settings, switch, at.precharge, wanted, pack_mv, load_mv, at.now_ms)


def _some(reason: Inhibit | None) -> tuple[Inhibit, ...]:
    return () if reason is None else (reason,)
