"""How much current the pack bears now: one share per cause, and the smallest of all wins.

Every taper is the same line: the share of the largest current against the distance from a protection limit. By cell
voltage it ends at nothing a little before over-voltage or under-voltage. By
temperature and state of charge it ends at a least share: what is cold is charged slowly, and only the protection
itself forbids.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.plausible import Reading, Values
from bmsd.core.settings import Settings
from bmsd.tables.parameters import Parameters

WHOLE = 1000
UNKNOWN, FORBIDDEN, RISING, OVERRIDE = "unknown", "forbidden", "recovering", "override"
CELL, COLD, HOT, SOC, RESTING = "cell", "cold", "hot", "state of charge", "resting"
PACK, RESERVE = "pack", "reserve"
SPARE_MV = 20
"""So far before over-voltage and under-voltage current ends: an inverter goes on for a while, or takes a little for
itself, and that must not be where the contactor opens."""
NOTHING = ""
"""Nothing holds a current down: it is the largest configured."""


class Share(NamedTuple):
    """What is left of the largest current, in permille, and what takes the rest."""

    permille: int
    reason: str


def charge(settings: Settings, values: Values, soc_permille: int | None) -> Share:
    """Work out what the pack may be charged with."""
    p = settings.parameters
    spare_mv = min(SPARE_MV, (p.cell_ovp_mv - p.cell_charge_mv) // 2, p.charge_taper_mv // 2)
    least = p.taper_least_permille
    shares = [
        _share(CELL, _below(p.cell_ovp_mv - spare_mv, values.cell_max), p.charge_taper_mv - spare_mv, 0),
        _share(COLD, _above(p.charge_utp_decic, values.battery_min), p.charge_cold_taper_decik, least),
        _share(HOT, _below(p.charge_otp_decic, values.battery_max), p.charge_hot_taper_decik, least),
    ]
    if p.charge_soc_taper_permille:
        room = None if soc_permille is None else WHOLE - soc_permille
        shares.append(_share(SOC, room, p.charge_soc_taper_permille, least))
    return _smallest(shares)


def at_rest(settings: Settings, capability: Share) -> Share:
    """Ask for no more than rest needs, of what the pack bears."""
    return _smallest([capability, Share(settings.parameters.rest_permille, RESTING)])


def discharge(settings: Settings, values: Values, soc_permille: int | None) -> Share:
    """Work out what the pack may be discharged with."""
    p = settings.parameters
    least = p.taper_least_permille
    spare_mv = _spare_mv(p)
    taper_mv = p.discharge_taper_mv - spare_mv
    ends_mv = p.pack_uvp_mv + spare_mv * settings.cells
    shares = [
        _share(CELL, _above(p.cell_uvp_mv + spare_mv, values.cell_min), taper_mv, 0),
        _share(PACK, _above(ends_mv, values.pack_mv), taper_mv * settings.cells, 0),
        _share(COLD, _above(p.discharge_utp_decic, values.battery_min), p.discharge_cold_taper_decik, least),
        _share(HOT, _below(p.discharge_otp_decic, values.battery_max), p.discharge_hot_taper_decik, least),
    ]
    if p.discharge_soc_taper_permille:
        shares.append(_share(SOC, soc_permille, p.discharge_soc_taper_permille, least))
    return _smallest(shares)


def discharge_ends_mv(settings: Settings) -> int:
    """Give the cell voltage at which discharge current ends, in a pack whose cells are even."""
    p = settings.parameters
    return max(p.cell_uvp_mv, p.pack_uvp_mv // settings.cells) + _spare_mv(p)


def _spare_mv(p: Parameters) -> int:
    return min(SPARE_MV, p.discharge_taper_mv // 2)


def _smallest(shares: list[Share]) -> Share:
    """Pick the share that wins, the first of equal ones; a whole one has no reason."""
    found = min(shares, key=lambda share: share.permille)
    return found if found.permille < WHOLE else Share(WHOLE, NOTHING)


def _above(limit: int, worst: Reading) -> int | None:
    """Give how far a value stands above its limit; unknown while any value behind it is (S2)."""
    return worst.value - limit if worst.complete and worst.value is not None else None


def _below(limit: int, worst: Reading) -> int | None:
    return limit - worst.value if worst.complete and worst.value is not None else None


def _share(reason: str, distance: int | None, taper: int, least: int) -> Share:
    """Give the share at a distance from a limit; what is unknown leaves nothing (S7)."""
    if distance is None:
        return Share(0, UNKNOWN)
    if not taper:
        return Share(WHOLE if distance >= 0 else least, reason)
    return Share(least + (WHOLE - least) * min(max(distance, 0), taper) // taper, reason)
