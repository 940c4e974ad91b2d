"""Heat a pack that is too cold to charge, inside its limits (S3, S4).

Charge is cut first, then the heater goes on; the heater goes off first, then charge returns. Every value the
heater depends on must be known. Whether the pack really gets warmer is checked in `core.heater_watch`.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core import charge_cut, spread, supply
from bmsd.core.alarms import AlarmState, is_any_active
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.supply import CHARGING_MA, SupplyState
from bmsd.core.switching import SwitchPace, SwitchState, turn
from bmsd.core.types import Inhibit, InhibitCause
from bmsd.tables.alarms import Block

EMPTY = frozenset({"cell_uvp", "pack_uvp", "cell_shutdown", "auto_shutdown"})
"""While one of these is active, a heater on the pack takes only what a charger supplies at the same time."""
_NOT_FITTED = Inhibit(InhibitCause.NOT_FITTED, "heater")
_NOT_NEEDED = Inhibit(InhibitCause.NOT_NEEDED, "battery_min")


class HeaterInputs(NamedTuple):
    """What the heater is decided from in one cycle."""

    values: Values
    demanded: bool
    """The pack is too cold to charge."""
    started: bool
    unknown: tuple[Inhibit, ...]
    """Unknown values that the decision needs, and the operator's consent that a start waits for."""
    block: Block
    charge_is_open: bool
    """Charging is proved to be cut off."""
    soc_permille: int
    now_ms: int
    not_cut: Inhibit = charge_cut.CHARGE_FIRST
    """Why that is not proved, where it is not."""
    supply: SupplyState = SupplyState()
    empty: bool = False
    """The pack has nothing left to give."""
    joined: bool = False
    """A closed switch joins the pack to an inverter that receives limits."""


def exceeds(mohm: int, voltage_mv: int, max_ma: int, max_mw: int) -> bool:
    """Tell whether U/R or U²/R is above its limit; exact in integers."""
    return voltage_mv * 1000 > max_ma * mohm or voltage_mv * voltage_mv > max_mw * mohm


def least_mohm(voltage_mv: int, max_ma: int, max_mw: int) -> int:
    """Give the smallest resistance that keeps both limits at a voltage."""
    return max(-(-voltage_mv * 1000 // max_ma), -(-voltage_mv * voltage_mv // max_mw))


def misfit(mohm: int, full_mv: int, max_ma: int, max_mw: int) -> str:
    """Say what a heater would draw at full pack voltage and what would do; empty when it fits (S4)."""
    if not exceeds(mohm, full_mv, max_ma, max_mw):
        return ""
    enough = -(-least_mohm(full_mv, max_ma, max_mw) // 100) / 10
    return (
        f"at full pack voltage ({full_mv / 1000:.1f} V) it would draw {full_mv / mohm:.2f} A and"
        f" {full_mv * full_mv / mohm / 1000:.0f} W; allowed are {max_ma / 1000:.2f} A and"
        f" {max_mw / 1000:.0f} W. Use at least {enough:.1f} ohm"
    )


def supply_mv(settings: Settings, values: Values) -> int | None:
    """Give the highest voltage the heater may see now; None when it is unknown."""
    pack_mv, charger_mv = values.pack_mv.value, values.charger_mv
    if pack_mv is None:
        return None
    if settings.heater_from_pack:
        return pack_mv
    return None if charger_mv is None else max(pack_mv, charger_mv)


def taken_ma(settings: Settings, on: bool, values: Values) -> int:
    """Give what a heater on the pack takes: that current does not pass the contactors."""
    pack_mv = values.pack_mv.value
    if not on or not settings.heater_from_pack or settings.heater_mohm is None or pack_mv is None:
        return 0
    return pack_mv * 1000 // settings.heater_mohm


def charger_present(settings: Settings, values: Values) -> bool | None:
    """Tell whether a charger is there: it charges, or its side stands above the pack."""
    if values.current_ma is not None and values.current_ma > CHARGING_MA:
        return True
    return supply.standing_above(settings, values)


def is_empty(states: tuple[AlarmState, ...]) -> bool:
    """Tell whether the pack has nothing left to give."""
    return is_any_active(states, EMPTY)


def must_be_paid(settings: Settings, at: HeaterInputs) -> bool:
    """Tell whether a heater on the pack may run only where a charger supplies, or gives back, what it takes."""
    is_low = at.soc_permille < settings.parameters.heater_min_soc_permille
    return settings.heater_from_pack and (at.empty or is_low)


def on_trial(settings: Settings, at: HeaterInputs) -> bool:
    """Tell whether only the pack's current can show that a charger supplies the heater."""
    return (
        at.joined
        and must_be_paid(settings, at)
        and (at.empty or not supply.stands_ready(at.supply, at.now_ms))
    )


def waits_for_payer(settings: Settings, at: HeaterInputs) -> bool:
    """Tell whether the heater of an empty pack lacks nothing but a charger that supplies what it takes."""
    if not (settings.heater_from_pack and settings.limits_told and at.empty):
        return False
    return _not_wanted(settings, at) is None and supply.waits_until(at.supply, at.now_ms) is None


def asked_ma(settings: Settings, at: HeaterInputs, on: bool) -> int:
    """Give the current that the inverter is asked for although the cells take none: what the heater takes."""
    return supply.own_ma(settings, at.values) if on and on_trial(settings, at) else 0


def decide(settings: Settings, state: SwitchState, at: HeaterInputs) -> tuple[SwitchState, Inhibit | None]:
    """Decide the heater; the reason says why it is off, None while it is on."""
    p = settings.parameters
    reason = _not_wanted(settings, at) or _not_first(at) or _not_supplied(settings, at, state.on)
    if (reason is None) == state.on:
        return state, reason
    pace = SwitchPace(p.heater_min_off_ms, p.contactor_operations_per_hour)
    state, waiting = turn(state, reason is None, pace, at.now_ms)
    return state, reason or (waiting._replace(name="heater") if waiting else None)


def _not_wanted(settings: Settings, at: HeaterInputs) -> Inhibit | None:
    """Refuse what is not needed, not allowed, or cannot be judged."""
    coldest = at.values.battery_min
    if settings.heater_mohm is None:
        return _NOT_FITTED
    if not at.demanded:
        return _NOT_NEEDED
    if not at.started:
        return Inhibit(InhibitCause.STARTING)
    if Block.HEATER in at.block:
        return Inhibit(InhibitCause.ALARM)
    if at.unknown:
        return at.unknown[0]
    if not coldest.complete or coldest.value is None:
        return Inhibit(InhibitCause.UNKNOWN, "battery_decic")
    if coldest.value >= settings.parameters.charge_utpr_decic:
        return _NOT_NEEDED
    if spread.is_too_far(settings, at.values) is not False:
        return Inhibit(InhibitCause.SENSORS_APART, "battery_spread")
    return Inhibit(InhibitCause.WARM_SENSOR, "battery_max") if spread.is_warm(settings, at.values) else None


def _not_supplied(settings: Settings, at: HeaterInputs, on: bool) -> Inhibit | None:
    """Refuse a supply that is unknown, too high for the heater, absent, or to be saved."""
    p, mohm = settings.parameters, settings.heater_mohm
    volts = supply_mv(settings, at.values)
    if volts is None or mohm is None:
        return Inhibit(InhibitCause.NO_SUPPLY)
    if exceeds(mohm, volts, p.heater_max_ma, settings.heater_max_mw):
        return Inhibit(InhibitCause.OVER_LIMIT, "heater")
    if settings.heater_from_pack:
        return _not_paid(settings, at) if must_be_paid(settings, at) else None
    if charger_present(settings, at.values):
        return None
    until_ms = supply.waits_until(at.supply, at.now_ms)
    is_fed = until_ms is None and supply.fed(at.supply, at.values, at.now_ms, on)
    return None if is_fed else Inhibit(InhibitCause.NO_CHARGER, until_ms=until_ms)


def _not_paid(settings: Settings, at: HeaterInputs) -> Inhibit | None:
    """Refuse to drain a pack that is low or empty, unless a charger gives it back."""
    if not at.empty and supply.stands_ready(at.supply, at.now_ms):
        return None
    if not at.joined:
        return Inhibit(InhibitCause.LOW_CHARGE, "cell_min" if at.empty else "soc_permille")
    until_ms = supply.waits_until(at.supply, at.now_ms)
    if until_ms is not None:
        return Inhibit(InhibitCause.NOT_PAID, "soc_permille", until_ms)
    # An empty pack is joined for the heater alone, and the inverter may take nothing: there is no load.
    knows = at.empty or supply.knows_load(at.supply)
    return None if knows else Inhibit(InhibitCause.LOAD_UNKNOWN, "current_ma")


def _not_first(at: HeaterInputs) -> Inhibit | None:
    """Wait until charging is proved to be cut off (S3)."""
    return None if at.charge_is_open else at.not_cut
