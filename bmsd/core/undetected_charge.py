"""Common topology: whether the pack is charged although the current reading does not show it.

While charging is forbidden, a contactor that stays closed for the load relies on one reading. The cells are checked as
well: voltages that jump up without the current or against it, cells that rise more than loads that ended explain, and
a cell above over-voltage that goes on rising or stays there while nothing flows. What is unknown neither begins nor
ends any of it (S2).
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.alarms import Finding
from bmsd.core.cross_check import CrossCheckState
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings

STAYS_MS = 120_000
"""A cell above over-voltage whose charge ended falls within this time ..."""
FALLS_MV = 2
"""... by at least this much, which is more than the noise of a reading."""
NOTHING_PART = 100
"""A reading within this part of the capacity per hour says that nothing flows."""
RISES_MV = 10
"""No cell rises by this much at rest: temperature moves it by 0.2 mV a kelvin ..."""
RELAXES_MOHM_AH = 1000
"""... and a load that ended lets it rise by its current times this, divided by the capacity: cold NMC has 900 mΩ·Ah."""
WARMER_DECIC = 20
"""Cells warmer by this much have so much less resistance that a load that goes on counts as one that ended."""
STRETCH_MS = 3_600_000
"""A rise is looked for within this stretch and the one before; a trickle too small to be read lifts no cell so
fast. What was before counts half as much with every stretch: the slowest cells relax in 50 minutes."""
SHOWN_PART, SHOWN_MA = 500, 200
"""A charge current that the reading shows, beyond this part of the capacity per hour, explains a rise."""


class Stretch(NamedTuple):
    """The extremes of the readings in a stretch of time, while they showed no charge."""

    lowest_mv: int
    """Lowest cell: charge lifts every cell, and one that jumps alone is no charge."""
    least_ma: int
    most_ma: int
    """Loads; one that goes on lets no cell rise, unless the cells grow warm under it."""
    coldest_decic: int | None = None


class UndetectedCharge(NamedTuple):
    """What is remembered of cells beside a reading that shows no charge."""

    above_ms: int | None = None
    """Since when a cell stands above over-voltage while charging is forbidden ..."""
    above_mv: int | None = None
    """... and where it stood when the inverter had had its time."""
    since_ms: int = 0
    """When the present stretch began."""
    now: Stretch | None = None
    before: Stretch | None = None
    older_ma: int = 0
    """By how much loads differed earlier, halved with every stretch."""
    charged: bool = False
    """The cells say that charge flows, and charging is forbidden."""


NONE_DETECTED = UndetectedCharge()


def advance(
    settings: Settings,
    before: UndetectedCharge,
    values: Values,
    physics: CrossCheckState,
    *,
    refused: bool,
    closed: bool,
    now_ms: int,
) -> UndetectedCharge:
    """Take one cycle's values. `refused`: charging is forbidden; `closed`: the common contactor is closed.

    An open contactor shows what the cells rest at, for when it closes again.
    """
    if not settings.common:
        return NONE_DETECTED
    watched = refused and closed
    above_ms, above_mv = _above(settings, before, values, now_ms) if watched else (None, None)
    seen = _stretched(settings, before, values, now_ms)._replace(above_ms=above_ms, above_mv=above_mv)
    return seen._replace(charged=watched and _charged(settings, seen, values, physics, now_ms))


def worse(seen: UndetectedCharge, read: Finding) -> Finding:
    """Give what the cells say where the current reading shows nothing."""
    return Finding(True) if seen.charged and not read.bad else read


def _stretched(settings: Settings, last: UndetectedCharge, values: Values, now_ms: int) -> UndetectedCharge:
    """Follow the lowest cell, and the loads that may have lowered it."""
    current_ma, low_mv = values.current_ma, values.cell_min.value
    if current_ma is None or low_mv is None or not values.cell_min.complete:
        return last
    off_mv = values.doubt.value
    if off_mv is not None and off_mv > settings.parameters.stack_error_mv:
        return last  # a cell that reads low for a moment would let the others rise by as much
    if current_ma > max(settings.capacity_mah // SHOWN_PART, SHOWN_MA):
        return UndetectedCharge(older_ma=max([last.older_ma, *(one.most_ma for one in _stretches(last))]))
    load_ma, cold_decic = max(-current_ma, 0), values.battery_min.value
    begun = Stretch(lowest_mv=low_mv, least_ma=load_ma, most_ma=load_ma, coldest_decic=cold_decic)
    if last.now is None:
        return last._replace(since_ms=now_ms, now=begun)
    if now_ms - last.since_ms >= STRETCH_MS:
        older_ma = max(_ended_ma(last, cold_decic), last.older_ma) // 2
        return UndetectedCharge(since_ms=now_ms, now=begun, before=last.now, older_ma=older_ma)
    lowest_mv, least_ma, most_ma, coldest_decic = last.now
    known = [decic for decic in (coldest_decic, cold_decic) if decic is not None]
    return last._replace(
        now=Stretch(
            lowest_mv=min(lowest_mv, low_mv),
            least_ma=min(least_ma, load_ma),
            most_ma=max(most_ma, load_ma),
            coldest_decic=min(known, default=None),
        )
    )


def _stretches(seen: UndetectedCharge) -> list[Stretch]:
    return [stretch for stretch in (seen.now, seen.before) if stretch is not None]


def _ended_ma(seen: UndetectedCharge, cold_decic: int | None) -> int:
    """Give by how much loads differed within both stretches; the whole load where the cells grew warmer under it."""
    known = _stretches(seen)
    most_ma = max((one.most_ma for one in known), default=0)
    begun = [one.coldest_decic for one in known if one.coldest_decic is not None]
    if begun and cold_decic is not None and cold_decic - min(begun) >= WARMER_DECIC:
        return most_ma
    return most_ma - min((one.least_ma for one in known), default=0)


def _above(
    settings: Settings, before: UndetectedCharge, values: Values, now_ms: int
) -> tuple[int | None, int | None]:
    high, p = values.cell_max, settings.parameters
    if high.value is None or (not high.complete and high.value <= p.cell_ovp_mv):
        return before.above_ms, before.above_mv
    if high.value <= p.cell_ovp_mv:
        return None, None
    if before.above_ms is None:
        return now_ms, None
    if before.above_mv is None and now_ms - before.above_ms >= p.limit_react_ms:
        return before.above_ms, high.value
    return before.above_ms, before.above_mv


def _charged(
    settings: Settings, seen: UndetectedCharge, values: Values, physics: CrossCheckState, now_ms: int
) -> bool:
    current_ma, low = values.current_ma, values.cell_min
    if current_ma is None:
        return False
    jumped = physics.up is True and bool(physics.dead or (physics.wrong and current_ma < 0))
    ended_ma = max(_ended_ma(seen, values.battery_min.value), seen.older_ma)
    rises_mv = RISES_MV + ended_ma * RELAXES_MOHM_AH // settings.capacity_mah
    known = _stretches(seen) if low.complete and low.value is not None else []
    rose_mv = max((low.value - one.lowest_mv for one in known), default=0)  # type: ignore[operator]
    high_mv = values.cell_max.value
    if seen.above_ms is None:
        return rose_mv >= (RISES_MV if jumped else rises_mv)
    # Cells that were charged up to over-voltage rose before: what they do from there on counts.
    if seen.above_mv is None or high_mv is None:
        return False
    nothing = abs(current_ma) * NOTHING_PART <= settings.capacity_mah
    stays = now_ms - seen.above_ms >= STAYS_MS and high_mv > seen.above_mv - FALLS_MV
    return high_mv - seen.above_mv >= rises_mv or (nothing and stays)
