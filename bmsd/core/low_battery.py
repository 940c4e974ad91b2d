"""The lower end of the pack: warn before under-voltage, ask the inverter for charge, shut down to save the rest.

What an idle inverter takes in a night is kept for it: discharging is held back while the pack asks for charge, so that
an inverter that obeys never meets the contactor. None of it ever forbids charging: a pack that is empty must stay
chargeable.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core import alarms, derating, soc
from bmsd.core.alarms import AlarmState, Finding
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings, per_settings
from bmsd.core.soc import SocState
from bmsd.tables.parameters import Parameters

CHARGING_MA = 500
"""A current above this charges the pack."""
ALL = 1000
MOST_KEPT_PERMILLE = 200
"""Most that is kept for an idle inverter, so that a pack too small for a night can still be used."""
MOST_ASKED_PERMILLE = 900
"""A request for charge ends here at the latest."""
CALM_WARM, CALM_COLD = 4, 20
"""A current of at most this part of the capacity per hour hardly lowers a cell; in the cold resistance is several times
larger."""
CHARGED = 100
"""A charge current above this part of it lifts a cell."""
CALM_MS = 60_000
IN_THE_FLAT = 500
"""Stands for the charge left where the curve is flat: not nearly empty is all that is known."""
_CALLS_FOR_CHARGE = ("cell_low", "cell_uvp", "pack_uvp", "cell_shutdown", "auto_shutdown")


def findings(p: Parameters, states: tuple[AlarmState, ...], values: Values) -> dict[str, Finding]:
    """Find the causes of `cell_low` and `auto_shutdown` from the alarms of the last cycle and present values."""
    low = _low(p, values, alarms.is_active(states, "cell_low"))
    found = {} if low is None else {"cell_low": low}
    if alarms.is_active(states, "cell_shutdown"):
        current_ma = values.current_ma
        if current_ma is None or current_ma <= CHARGING_MA:
            found["auto_shutdown"] = Finding(None if current_ma is None else True)
    return found


def _low(p: Parameters, values: Values, active: bool) -> Finding | None:
    """Compare the lowest cell with the limit, or with recovery while the warning stands; None is good."""
    limit_mv = p.cell_uvpr_mv if active else min(p.cell_uvp_mv + p.cell_low_margin_mv, p.cell_uvpr_mv)
    low = values.cell_min
    if low.value is None:
        return Finding(None)
    if low.value < limit_mv:
        return Finding(True, low.value, low.where)
    return None if low.complete else Finding(None, low.value, low.where)


def force_charge(
    p: Parameters,
    before: bool,
    states: tuple[AlarmState, ...],
    soc_permille: int | None,
    begin_permille: int = 0,
) -> bool:
    """Say whether the inverter should charge now whatever it had planned, with hysteresis.

    It begins below the configured share or `begin_permille`, the higher of the two. A state of charge that is unknown
    neither begins the request nor ends it (S2).
    """
    if _calls(states):
        return True
    if soc_permille is None:
        return before
    limit = max(p.force_charge_permille, begin_permille)
    if before:
        limit = max(p.force_charge_end_permille, limit)
    return soc_permille < limit


def _calls(states: tuple[AlarmState, ...]) -> bool:
    return alarms.is_any_active(states, _CALLS_FOR_CHARGE)


class LowBattery(NamedTuple):
    """Why charge is asked for, and whether discharging is held back for it."""

    since_ms: int | None = None
    """When charge was asked for; None: it is not ..."""
    least_permille: int = ALL
    """... and the least that was left since."""
    empty: bool = False
    """What is left belongs to the idle inverter, until charge has arrived."""
    held: bool = False
    """Discharging is held back: the pack is empty, or a cell is low."""
    ahead_permille: int = 0
    """How far the count was above what a calm cell last showed while charge was asked for."""
    calm_since_ms: int | None = None
    """Since when the current is so small that a cell tells what is left; None: it is not."""


def advance(
    settings: Settings,
    asked: bool,
    before: LowBattery,
    states: tuple[AlarmState, ...],
    values: Values,
    counter: SocState | None,
    now_ms: int,
) -> tuple[bool, LowBattery]:
    """Ask for charge while the pack is nearly empty, and until enough has arrived for long enough.

    The energy and the time keep a charger and a load from taking turns every few minutes. What is not known neither
    begins nor ends anything (S2).
    """
    p, begin = settings.parameters, begin_permille(settings)
    calm_since_ms = _calm_since(settings, before.calm_since_ms, values, now_ms)
    calm = calm_since_ms is not None and now_ms - calm_since_ms >= CALM_MS
    left, ahead = _left(settings, counter, values, before.ahead_permille, calm=calm)
    empty = before.empty if left is None else left < (_refilled(p, begin) if before.empty else begin)
    since_ms = before.since_ms if asked and before.since_ms is not None else now_ms
    least = min(before.least_permille, ALL if left is None else left)
    lasts = asked and (
        now_ms - since_ms < p.force_charge_least_ms or left is None or left < _refilled(p, least)
    )
    if not (force_charge(p, asked, states, left, begin) or empty or lasts):
        return False, LowBattery(calm_since_ms=calm_since_ms)
    return True, LowBattery(
        since_ms=since_ms,
        least_permille=least,
        empty=empty,
        held=empty or _calls(states),
        ahead_permille=ahead,
        calm_since_ms=calm_since_ms,
    )


@per_settings
def begin_permille(settings: Settings) -> int:
    """Give the share below which what is left is kept for the inverter's own consumption of a night.

    It stands on the share at which discharging ends by voltage; 0: nothing is kept.
    """
    p = settings.parameters
    pack_mv = settings.chemistry.nominal_mv * settings.cells
    idle_mah = p.inverter_idle_mw * p.reserve_h * 1000 // pack_mv
    if not idle_mah:
        return p.force_charge_permille
    ends_mv = derating.discharge_ends_mv(settings)
    unusable = soc.rested(settings.chemistry, ends_mv) or 0
    kept = min(idle_mah * ALL // settings.capacity_mah, MOST_KEPT_PERMILLE)
    return max(p.force_charge_permille, min(unusable, MOST_KEPT_PERMILLE) + kept)


def _refilled(p: Parameters, from_permille: int) -> int:
    """Give the share at which enough has arrived."""
    return min(from_permille + p.force_charge_least_permille, MOST_ASKED_PERMILLE)


def _calm_since(settings: Settings, since_ms: int | None, values: Values, now_ms: int) -> int | None:
    """Tell since when so little flows that the lowest cell stands near its rest voltage; charge lifts it."""
    current_ma, coldest = values.current_ma, values.battery_min
    if current_ma is None or current_ma > settings.capacity_mah // CHARGED:
        return None
    warm = coldest.complete and coldest.value is not None and coldest.value >= soc.COLD_DECIC
    if current_ma < -settings.capacity_mah // (CALM_WARM if warm else CALM_COLD):
        return None
    return now_ms if since_ms is None else since_ms


def _left(
    settings: Settings, counter: SocState | None, values: Values, ahead: int, *, calm: bool
) -> tuple[int | None, int]:
    """Give the share that is left, by the count and by what the lowest cell shows, and how far the count is ahead.

    A calm cell tells it, but never more than the count with its error; what the count is ahead of it holds for the
    charge that then arrives. A cell under load shows less than it has: it speaks against a count that is too low.
    Unknown before anything is counted.
    """
    if counter is None:
        return None, ahead
    counted, low, current_ma = soc.permille(settings, counter), values.cell_min, values.current_ma
    charged = current_ma is None or current_ma > settings.capacity_mah // CHARGED
    if charged or low.value is None or not low.complete:
        return counted - ahead, ahead
    shown, error = soc.rested(settings.chemistry, low.value), soc.error_permille(settings, counter)
    most = min(counted - ahead + error, IN_THE_FLAT) if shown is None else min(counted + error, shown)
    if not calm:
        return max(counted - ahead, most), ahead
    return most, ahead if shown is None else counted - most
