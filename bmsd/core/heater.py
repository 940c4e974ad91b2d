"""Heat a pack that is too cold to charge, inside its limits (S3, S4).

Charge is cut first, then the heater goes on; the heater goes off first, then charge returns. Every value the
heater depends on must be known. Whether the pack really warms is not asked here: `core.heater_watch` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.switching import Pace, SwitchState, turn
from bmsd.core.types import Because, Reason
from bmsd.tables.alarms import Block

CHARGING_MA = 500
"""A charge current above this proves a charger."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the heater is decided from in one cycle."""

    values: Values
    demanded: bool
    """The pack is too cold to charge."""
    started: bool
    unknown: tuple[Reason, ...]
    """Values that decide and are not known; and the word of an operator that a start waits for."""
    block: Block
    charge_is_open: bool
    """Open as commanded in the last cycle and as read back."""
    soc_permille: int
    now_ms: int


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
    """Give what a heater on the pack takes beside the contactors, so that it is no current of theirs."""
    pack_mv = values.pack_mv.value
    if not on or not settings.heater_from_pack or settings.heater_mohm is None or pack_mv is None:
        return 0
    return pack_mv * 1000 // settings.heater_mohm


def charger_present(settings: Settings, values: Values) -> bool | None:
    """Tell whether a charger is there: it charges, or its side stands above the pack."""
    if values.current_ma is not None and values.current_ma > CHARGING_MA:
        return True
    if values.charger_mv is None or values.pack_mv.value is None:
        return None
    return values.charger_mv >= values.pack_mv.value + settings.parameters.charger_detect_mv


def decide(settings: Settings, state: SwitchState, at: Situation) -> tuple[SwitchState, Reason | None]:
    """Decide the heater; the reason says why it is off, None while it is on."""
    p = settings.parameters
    reason = _not_wanted(settings, at) or _not_supplied(settings, at) or _not_first(at)
    pace = Pace(p.heater_min_off_ms, p.contactor_operations_per_hour)
    state, waiting = turn(state, reason is None, pace, at.now_ms)
    return state, reason or (replace(waiting, name="heater") if waiting else None)


def _not_wanted(settings: Settings, at: Situation) -> Reason | None:
    """Refuse what is not needed, not allowed, or cannot be judged."""
    coldest = at.values.battery_min
    if settings.heater_mohm is None:
        return Reason(Because.NOT_FITTED, "heater")
    if not at.demanded:
        return Reason(Because.NOT_NEEDED, "battery_min")
    if not at.started:
        return Reason(Because.STARTING)
    if at.block & Block.HEATER:
        return Reason(Because.ALARM)
    if at.unknown:
        return at.unknown[0]
    if not coldest.complete or coldest.value is None:
        return Reason(Because.UNKNOWN, "battery_decic")
    if coldest.value >= settings.parameters.charge_utpr_decic:
        return Reason(Because.NOT_NEEDED, "battery_min")
    return None


def _not_supplied(settings: Settings, at: Situation) -> Reason | None:
    """Refuse a supply that is unknown, too strong for the heater, or not to be spent."""
    p, mohm = settings.parameters, settings.heater_mohm
    volts = supply_mv(settings, at.values)
    if volts is None or mohm is None:
        return Reason(Because.NO_SUPPLY)
    if exceeds(mohm, volts, p.heater_max_ma, settings.heater_max_mw):
        return Reason(Because.OVER_LIMIT, "heater")
    if settings.heater_from_pack:
        is_low = at.soc_permille < p.heater_min_soc_permille
        return Reason(Because.LOW_CHARGE, "soc_permille") if is_low else None
    return None if charger_present(settings, at.values) else Reason(Because.NO_CHARGER)


def _not_first(at: Situation) -> Reason | None:
    """Wait for the charge contactor to open (S3)."""
    return None if at.charge_is_open else Reason(Because.CHARGE_FIRST, "charge")
