"""What the inverter is told: charge voltage (CVL), charge and discharge current (CCL, DCL), lowest voltage (DVL).

A limit falls in the cycle that wants it lower and rises slowly. Currents are zero whenever the permission is missing
or a value unknown (S7). The charge voltage follows the cell that stands highest, so that an inverter takes its
current back by itself long before over-voltage, and never sees an open bus.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core import charging, derating, rate_limit, soc
from bmsd.core.charging import Charging, Phase
from bmsd.core.derating import CELL, FORBIDDEN, NOTHING, PACK, RESERVE, RISING, UNKNOWN, WHOLE, Share
from bmsd.core.plausible import Values
from bmsd.core.rate_limit import RateLimit, RateLimited, follow, mirrored
from bmsd.core.settings import Settings, per_settings
from bmsd.core.soc import SocState

SECOND_MS, MINUTE_MS = 1000, 60_000
LEAN_MV = 10
"""A highest cell no further above the mean than this does not lower the charge voltage: every healthy pack has one."""
SAG_MS = 600_000
"""For this long after a low cell reduced the discharge current, it rises slowly: a slow inverter would otherwise
have all of it again before the cell is seen to sag."""
LATE_TIMES = 10
"""The rise then takes this many times the time that an inverter is given to react."""
NEAR_MV = 30
"""The highest cell lowers the pack's charge voltage only from this far below its own on: a cell that is ahead in the
middle of a charge says nothing about its end."""
FAR_MV = 200
"""Per cell. CVL begins to rise from at most this far below what is wanted: a wrong cell reading that lowered it by a
third would otherwise keep a good pack from charging for hours (S15). A cell this far below is not near its end."""


class Limits(NamedTuple):
    """Limits for the inverter; currents are positive in both directions."""

    charge_mv: int
    charge_ma: int
    discharge_ma: int
    discharge_mv: int
    charge_capability_ma: int
    """What the pack may be charged with where it asks for less, as it does at rest."""
    charge_reason: str = NOTHING
    """What holds the current below the largest one."""
    discharge_reason: str = NOTHING
    heat_ma: int = 0
    """What a charger is asked to give for the heater on the pack, while nothing may go into the cells (S3)."""


class LimitState(NamedTuple):
    """Where every limit stands; None before the first cycle."""

    charge_mv: RateLimited
    charge_ma: RateLimited
    charge_capability_ma: RateLimited
    discharge_ma: RateLimited
    discharge_mv: RateLimited
    charging: Charging
    sagged_ms: int | None = None
    """When a low cell last held the discharge current down."""


class LimitInputs(NamedTuple):
    """What the limits are decided from in one cycle."""

    values: Values
    counter: SocState | None
    charge_allowed: bool
    discharge_allowed: bool
    closed: bool
    """The charge path is closed."""
    wants_charge: bool = False
    held: bool = False
    """Discharging is held back until charge has arrived."""


def advance(
    settings: Settings, state: LimitState | None, asked: LimitInputs, now_ms: int
) -> tuple[LimitState, Limits]:
    """Work out the limits of one cycle."""
    if state is None:
        state = _first(settings, asked, now_ms)
    phase = charging.advance(
        settings,
        state.charging,
        charging.ChargingInputs(asked.values, asked.counter, asked.closed, asked.wants_charge),
        state.charge_mv.value,
        now_ms,
    )
    counted = None if asked.counter is None else soc.permille(settings, asked.counter)
    capability = derating.charge(settings, asked.values, counted)
    into = derating.at_rest(settings, capability) if phase.phase is Phase.REST else capability
    paces = _paces(settings)
    out_of = derating.discharge(settings, asked.values, counted)
    sagged_ms = now_ms if out_of.reason in (CELL, PACK) else state.sagged_ms
    if asked.held and out_of.reason != UNKNOWN:
        out_of = Share(0, RESERVE)
    most_ma, may_charge = settings.parameters.charge_max_ma, asked.charge_allowed
    charge_ma, charge_reason = _current(state.charge_ma, into, most_ma, paces.charge, now_ms, may_charge)
    capability_ma = charge_ma
    if into is not capability or state.charge_capability_ma != state.charge_ma:
        capability_ma, _ = _current(
            state.charge_capability_ma, capability, most_ma, paces.charge, now_ms, may_charge
        )
    most_ma, may_discharge = settings.parameters.discharge_max_ma, asked.discharge_allowed
    pace = paces.discharge if sagged_ms is None else _wary(settings, sagged_ms, now_ms)
    discharge_ma, discharge_reason = _current(
        state.discharge_ma, out_of, most_ma, pace, now_ms, may_discharge
    )
    charge_mv, discharge_mv = _voltages(settings, state, phase, asked.values, now_ms)
    after = LimitState(
        charge_ma=charge_ma,
        charge_capability_ma=capability_ma,
        discharge_ma=discharge_ma,
        charge_mv=charge_mv,
        discharge_mv=discharge_mv,
        charging=phase,
        sagged_ms=sagged_ms,
    )
    return after, Limits(
        charge_mv=charge_mv.value,
        charge_ma=charge_ma.value,
        discharge_ma=discharge_ma.value,
        discharge_mv=discharge_mv.value,
        charge_capability_ma=capability_ma.value,
        charge_reason=charge_reason,
        discharge_reason=discharge_reason,
    )


def _first(settings: Settings, asked: LimitInputs, now_ms: int) -> LimitState:
    """Begin with no current, and at the configured voltages."""
    p, none = settings.parameters, rate_limit.from_zero(now_ms)
    highest, lowest = p.cell_charge_mv * settings.cells, p.cell_discharge_mv * settings.cells
    return LimitState(
        charge_ma=none,
        charge_capability_ma=none,
        discharge_ma=none,
        charge_mv=RateLimited(highest, highest, now_ms),
        discharge_mv=RateLimited(lowest, lowest, now_ms),
        charging=charging.begin(settings, asked.counter, now_ms),
    )


class _Paces(NamedTuple):
    """How each limit recovers."""

    charge: RateLimit
    discharge: RateLimit
    upper: RateLimit
    """Of the charge voltage that a cell lowered ..."""
    upper_at_once: RateLimit
    """... and of one that the phase of the charge lowers: that goes down slowly by itself."""
    lower: RateLimit


@per_settings
def _paces(settings: Settings) -> _Paces:
    p = settings.parameters
    lower = RateLimit(hold_ms=p.limit_hold_voltage_ms, amount=p.limit_rise_mv, time_ms=MINUTE_MS)
    upper = lower._replace(furthest=FAR_MV * settings.cells)
    return _Paces(
        charge=_pace(settings, p.charge_max_ma, p.limit_rise_permille),
        discharge=_pace(settings, p.discharge_max_ma, p.limit_rise_permille),
        upper=upper,
        upper_at_once=upper._replace(hold_ms=0),
        lower=lower,
    )


def _pace(settings: Settings, most_ma: int, rise: int) -> RateLimit:
    """Let a current rise by so many permille of the largest one in each second."""
    return RateLimit(
        hold_ms=settings.parameters.limit_hold_ms, amount=most_ma * rise, time_ms=WHOLE * SECOND_MS
    )


def _wary(settings: Settings, sagged_ms: int, now_ms: int) -> RateLimit:
    """Let the discharge current rise slowly where cells sagged lately."""
    p = settings.parameters
    if now_ms - sagged_ms >= SAG_MS:
        return _paces(settings).discharge
    rise = min(p.limit_rise_permille, max(WHOLE * SECOND_MS // (LATE_TIMES * p.limit_react_ms), 1))
    return _pace(settings, p.discharge_max_ma, rise)


def _current(
    last: RateLimited, share: Share, most_ma: int, pace: RateLimit, now_ms: int, allowed: bool
) -> tuple[RateLimited, str]:
    """Move one current towards its share of the largest one; what is forbidden or unknown is zero at once (S7)."""
    permille, reason = share
    if not allowed or reason == UNKNOWN:
        return rate_limit.from_zero(now_ms), UNKNOWN if reason == UNKNOWN else FORBIDDEN
    wanted_ma = most_ma * permille // WHOLE
    found = follow(last, wanted_ma, now_ms, pace)
    return found, RISING if found.value < wanted_ma else reason


def _voltages(
    settings: Settings, state: LimitState, phase: Charging, values: Values, now_ms: int
) -> tuple[RateLimited, RateLimited]:
    """Move both voltages; while a cell is unknown neither gives more room."""
    paces = _paces(settings)
    target_mv = charging.target_mv(settings, phase, now_ms)
    highest_mv = _charge_mv(settings, values, target_mv)
    lowest_mv = _discharge_mv(settings, values)
    if not values.pack_mv.complete:
        highest_mv = min(highest_mv, state.charge_mv.value)
        lowest_mv = max(lowest_mv, state.discharge_mv.value)
    # What the phase lowers needs no hold afterwards; what a cell lowers does.
    upper = paces.upper_at_once if highest_mv == target_mv else paces.upper
    return (
        follow(state.charge_mv, highest_mv, now_ms, upper),
        mirrored(state.discharge_mv, lowest_mv, now_ms, paces.lower),
    )


def _charge_mv(settings: Settings, values: Values, target_mv: int) -> int:
    """Lower the charge voltage by how far the highest cell is above the others, so that it ends near its own.

    Once cells are above their charge voltage, the pack's is lowered by their excess, so that the charger relieves them.
    Never lower than that: some inverters discharge down to this voltage as fast as they can.
    """
    highest = values.cell_max.value
    if highest is None:
        return target_mv
    top_mv = settings.parameters.cell_charge_mv
    known = values.cell_mv if values.cell_max.complete else [mv for mv in values.cell_mv if mv is not None]
    if highest <= top_mv:
        near_mv = highest - top_mv + NEAR_MV
        if near_mv <= 0:
            return min(target_mv, top_mv * settings.cells)
        ahead_mv = max(len(known) * (highest - LEAN_MV) - sum(known), 0)  # type: ignore[arg-type]
        return min(target_mv, top_mv * settings.cells - ahead_mv * near_mv // NEAR_MV)
    excess_mv = sum(mv - top_mv for mv in known if mv > top_mv)  # type: ignore[operator, misc]
    relieved_mv = values.pack_mv.value - excess_mv if values.pack_mv.value is not None else target_mv
    return min(target_mv - excess_mv, relieved_mv)


def _discharge_mv(settings: Settings, values: Values) -> int:
    """Raise the lowest voltage where one cell is near under-voltage before the pack is: the inverter stops first."""
    p = settings.parameters
    lowest_mv = p.cell_discharge_mv * settings.cells
    low, pack = values.cell_min, values.pack_mv
    if low.value is None or pack.value is None:
        return lowest_mv
    return max(lowest_mv, pack.value - max(low.value - p.cell_uvp_mv, 0) * settings.cells)
