"""How much current the pack bears now: one share per cause, and the smallest of all wins.

Every taper is the same line: the share of the largest current against the distance from a protection limit. By cell
voltage it reaches zero a little before over-voltage or under-voltage. By temperature and state of charge it ends at
a least share: a cold pack is charged slowly, and only the protection itself forbids charging.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.plausible import Reading, Values
from bmsd.core.settings import Settings, per_settings
from bmsd.tables.parameters import Parameters

WHOLE = 1000
UNKNOWN, FORBIDDEN, RISING, OVERRIDE = "unknown", "forbidden", "recovering", "override"
CELL, COLD, HOT, SOC, RESTING = "cell", "cold", "hot", "state of charge", "resting"
PACK, RESERVE = "pack", "reserve"
SPARE_MV = 20
"""Current ends this far before over-voltage and under-voltage: an inverter goes on for a while, or takes a little for
itself, and that must not open the contactor."""
NOTHING = ""
"""Nothing holds a current down: it is the largest configured."""


class Share(NamedTuple):
    """What is left of the largest current, in permille, and what takes the rest."""

    permille: int
    reason: str


ALL = Share(WHOLE, NOTHING)


class Taper(NamedTuple):
    """The line of one cause: whole at a distance of `width` from the limit, and the least at the limit itself."""

    reason: str
    limit: int
    above: bool
    """What is good lies above the limit."""
    width: int
    least: int


@per_settings
def _charge_tapers(settings: Settings) -> tuple[Taper, Taper, Taper]:
    """Give the lines of the highest cell, of cold and of heat."""
    p = settings.parameters
    spare_mv = min(SPARE_MV, (p.cell_ovp_mv - p.cell_charge_mv) // 2, p.charge_taper_mv // 2)
    least = p.taper_least_permille
    return (
        Taper(CELL, p.cell_ovp_mv - spare_mv, False, p.charge_taper_mv - spare_mv, 0),
        Taper(COLD, p.charge_utp_decic, True, p.charge_cold_taper_decik, least),
        Taper(HOT, p.charge_otp_decic, False, p.charge_hot_taper_decik, least),
    )


def charge(settings: Settings, values: Values, soc_permille: int | None) -> Share:
    """Work out the share of the charge current that the pack bears."""
    p = settings.parameters
    cell, cold, hot = _charge_tapers(settings)
    share = _smaller(ALL, cell, values.cell_max)
    share = _smaller(share, cold, values.battery_min)
    share = _smaller(share, hot, values.battery_max)
    if p.charge_soc_taper_permille:
        taper = Taper(SOC, WHOLE, False, p.charge_soc_taper_permille, p.taper_least_permille)
        share = _smaller(share, taper, _counted(soc_permille))
    return share


def at_rest(settings: Settings, capability: Share) -> Share:
    """Cut what the pack bears down to what it needs at rest."""
    permille = settings.parameters.rest_permille
    return Share(permille, RESTING) if permille < capability.permille else capability


@per_settings
def _discharge_tapers(settings: Settings) -> tuple[Taper, Taper, Taper, Taper]:
    """Give the lines of the lowest cell, of the pack, of cold and of heat."""
    p = settings.parameters
    least, spare_mv = p.taper_least_permille, _spare_mv(p)
    taper_mv = p.discharge_taper_mv - spare_mv
    return (
        Taper(CELL, p.cell_uvp_mv + spare_mv, True, taper_mv, 0),
        Taper(PACK, p.pack_uvp_mv + spare_mv * settings.cells, True, taper_mv * settings.cells, 0),
        Taper(COLD, p.discharge_utp_decic, True, p.discharge_cold_taper_decik, least),
        Taper(HOT, p.discharge_otp_decic, False, p.discharge_hot_taper_decik, least),
    )


def discharge(settings: Settings, values: Values, soc_permille: int | None) -> Share:
    """Work out the share of the discharge current that the pack bears."""
    p = settings.parameters
    cell, pack, cold, hot = _discharge_tapers(settings)
    share = _smaller(ALL, cell, values.cell_min)
    share = _smaller(share, pack, values.pack_mv)
    share = _smaller(share, cold, values.battery_min)
    share = _smaller(share, hot, values.battery_max)
    if p.discharge_soc_taper_permille:
        taper = Taper(SOC, 0, True, p.discharge_soc_taper_permille, p.taper_least_permille)
        share = _smaller(share, taper, _counted(soc_permille))
    return share


def discharge_ends_mv(settings: Settings) -> int:
    """Give the cell voltage at which discharge current ends, in a pack whose cells are equal."""
    p = settings.parameters
    return max(p.cell_uvp_mv, p.pack_uvp_mv // settings.cells) + _spare_mv(p)


def _spare_mv(p: Parameters) -> int:
    return min(SPARE_MV, p.discharge_taper_mv // 2)


def _counted(soc_permille: int | None) -> Reading:
    return Reading(soc_permille, soc_permille is not None)


def _smaller(share: Share, taper: Taper, worst: Reading) -> Share:
    """Give what a cause leaves where that is less; unknown while any value behind it is, and then nothing (S2, S7)."""
    value, complete, _ = worst
    if value is None or not complete:
        return Share(0, UNKNOWN) if share.permille else share
    reason, limit, above, width, left = taper
    distance = value - limit if above else limit - value
    if distance >= width:
        return share
    if width:
        left += (WHOLE - left) * max(distance, 0) // width
    return Share(left, reason) if left < share.permille else share
