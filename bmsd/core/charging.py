"""The phases of a charge: bulk, absorption, then float or rest until the pack is to be charged again.

Bulk and absorption ask for the same voltage; in absorption the highest cell has come near it and time is counted.
A charge is over when the charge counter has found full (core.soc) and balancing has had its time, or when it lasts
too long. Then the voltage is lowered slowly, as the cells relax. Where an inverter discharges down to it, it is
lowered no faster than they relax: only while the pack takes a current.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from bmsd.core import soc
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.soc import SocState
from bmsd.core.transitions import PlainMachine

LOW_MS = 60_000
"""A lowest cell below the recharge voltage for this long is not just a dip under load."""
MINUTE_MS = 60_000
MEAN_MS = 10_000
"""The current that lets the charge voltage fall is averaged over this time, so that ripple does not count."""
ZERO_UA = 100_000
"""A mean charge current up to this may be the error of the shunt: counted, it would discharge the pack by as much."""
WHOLE_PACE = 50
"""From this part of the capacity per hour on the charge voltage falls at full pace, below it in proportion, so that it
stops falling when the current ends."""


class Phase(Enum):
    """The phase of a charge."""

    BULK = "bulk"
    ABSORPTION = "absorption"
    FLOAT = "float"
    REST = "rest"


OVER = (Phase.FLOAT, Phase.REST)


class Charging(NamedTuple):
    """A charge between cycles."""

    phase: Phase = Phase.BULK
    since_ms: int = 0
    """When float or rest began, moved on by the time in which the charge voltage stood still ..."""
    from_mv: int = 0
    """... and the charge voltage told then."""
    absorbed_ms: int = 0
    """How long the highest cell was held near the charge voltage in this charge."""
    last_ms: int = 0
    low_since_ms: int | None = None
    mean_ua: int = 0
    """The mean current by which the charge voltage falls."""


class ChargingInputs(NamedTuple):
    """What a charge is decided from in one cycle."""

    values: Values
    counter: SocState | None
    closed: bool
    """The charge path is closed."""
    asked: bool
    """The pack asks for charge whatever the phase."""


def begin(settings: Settings, counter: SocState | None, now_ms: int) -> Charging:
    """Begin after a start; a pack that was full and has hardly been used since is not charged again."""
    if counter is None or not counter.full:
        return Charging()
    return Charging(
        phase=_after(settings), since_ms=now_ms, from_mv=settings.parameters.cell_charge_mv * settings.cells
    )


class _ChargeAt(NamedTuple):
    """What the transitions are decided from."""

    settings: Settings
    seen: ChargingInputs
    absorbed_ms: int
    low_ms: int
    """How long the lowest cell has been below the recharge voltage."""


def _is_over(at: _ChargeAt) -> bool:
    p, counter = at.settings.parameters, at.seen.counter
    is_full = counter is not None and counter.full
    return (is_full and at.absorbed_ms >= p.absorption_least_ms) or at.absorbed_ms >= p.absorption_most_ms


def _floats(at: _ChargeAt) -> bool:
    return bool(at.settings.parameters.float_charge)


def _is_near(at: _ChargeAt) -> bool:
    """Tell whether the highest cell is near its charge voltage; one that is unknown tells nothing (S2)."""
    high = at.seen.values.cell_max
    return high.complete and high.value is not None and high.value >= at.settings.parameters.soc_full_mv


def _is_far(at: _ChargeAt) -> bool:
    high, far_mv = at.seen.values.cell_max, at.settings.parameters.soc_full_mv - soc.HELD_MV
    return high.complete and high.value is not None and high.value < far_mv


def _begins_again(at: _ChargeAt) -> bool:
    counter = at.seen.counter
    counted = None if counter is None else soc.permille(at.settings, counter)
    used = counted is not None and counted < at.settings.parameters.recharge_permille
    return used or at.seen.asked or at.low_ms >= LOW_MS


_OVER = "full and absorbed for `absorption_least_s`, or absorbed for `absorption_most_s`"
_AGAIN = "used down to `recharge_percent`, a cell below the recharge voltage for a minute, or asked for"

PHASES = PlainMachine[Phase, _ChargeAt](
    (Phase.BULK, lambda at: _is_over(at) and _floats(at), f"{_OVER}; `float_charge`", Phase.FLOAT),
    (Phase.BULK, _is_over, _OVER, Phase.REST),
    (Phase.BULK, _is_near, "highest cell at `soc_full_v`", Phase.ABSORPTION),
    (Phase.ABSORPTION, lambda at: _is_over(at) and _floats(at), f"{_OVER}; `float_charge`", Phase.FLOAT),
    (Phase.ABSORPTION, _is_over, _OVER, Phase.REST),
    (Phase.ABSORPTION, _is_far, "highest cell 20 mV below it", Phase.BULK),
    (Phase.FLOAT, _begins_again, _AGAIN, Phase.BULK),
    (Phase.FLOAT, lambda at: not _floats(at), "`float_charge` taken away", Phase.REST),
    (Phase.REST, _begins_again, _AGAIN, Phase.BULK),
    (Phase.REST, _floats, "`float_charge` given", Phase.FLOAT),
)


def advance(settings: Settings, state: Charging, seen: ChargingInputs, told_mv: int, now_ms: int) -> Charging:
    """Move on to the phase of this cycle; `told_mv` is the charge voltage told last."""
    if state.phase in OVER:
        return _rest(settings, state, seen, now_ms)
    at = _ChargeAt(settings, seen, state.absorbed_ms, 0)
    if state.phase is Phase.ABSORPTION and seen.closed and not _is_far(at):
        at = at._replace(absorbed_ms=at.absorbed_ms + min(now_ms - state.last_ms, soc.LONGEST_STEP_MS))
    phase = PHASES.follow(state.phase, at)
    if phase in OVER:
        return Charging(phase=phase, since_ms=now_ms, from_mv=told_mv)
    return Charging(phase=phase, absorbed_ms=at.absorbed_ms, last_ms=now_ms)


def _rest(settings: Settings, state: Charging, seen: ChargingInputs, now_ms: int) -> Charging:
    """Wait until the pack is to be charged again."""
    p, low, low_since_ms = settings.parameters, seen.values.cell_min, state.low_since_ms
    if low.value is not None and low.value < p.cell_charge_mv - p.recharge_below_mv:
        low_since_ms = now_ms if low_since_ms is None else low_since_ms
    elif low.complete:
        low_since_ms = None
    low_ms = 0 if low_since_ms is None else now_ms - low_since_ms
    phase = PHASES.follow(state.phase, _ChargeAt(settings, seen, 0, low_ms))
    if phase is Phase.BULK:
        return Charging()
    state = state._replace(phase=phase, low_since_ms=low_since_ms)
    return _relaxing(settings, state, seen.values.current_ma, now_ms) if settings.exports else state


def _relaxing(settings: Settings, state: Charging, current_ma: int | None, now_ms: int) -> Charging:
    """Hold the charge voltage as far as the pack takes no current at it; unknown counts as none (S2).

    A pack that relaxes below the charge voltage is charged again by an inverter that holds it; one that is still above
    would be emptied down to it, into the grid.
    """
    last_ms = max(state.last_ms, state.since_ms)
    step_ms = min(max(now_ms - last_ms, 0), soc.LONGEST_STEP_MS)
    mean_ua = state.mean_ua
    if current_ma is not None:
        mean_ua += (current_ma * 1000 - mean_ua) * step_ms // (MEAN_MS + step_ms)
    whole_ua = settings.capacity_mah * 1000 // WHOLE_PACE
    taken_ua = 0 if current_ma is None else min(max(mean_ua - ZERO_UA, 0), whole_ua)
    stood_ms = now_ms - last_ms - step_ms * taken_ua // whole_ua
    return state._replace(since_ms=state.since_ms + stood_ms, last_ms=now_ms, mean_ua=mean_ua)


def _after(settings: Settings) -> Phase:
    return Phase.FLOAT if settings.parameters.float_charge else Phase.REST


def target_mv(settings: Settings, state: Charging, now_ms: int) -> int:
    """Give the pack voltage that the phase asks for."""
    p = settings.parameters
    charge_mv = p.cell_charge_mv * settings.cells
    if state.phase not in OVER:
        return charge_mv
    hold_mv = charge_mv - p.float_below_mv * settings.cells
    fallen_mv = p.limit_rise_mv * (now_ms - state.since_ms) // MINUTE_MS
    return max(min(state.from_mv, charge_mv) - fallen_mv, hold_mv)
