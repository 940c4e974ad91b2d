"""What holds down the current that the inverter is told, in the sentences of `bmsctl why`."""

from __future__ import annotations

from collections.abc import Callable

from bmsd.cli.why_words import PackView, ampere_text, coldest, measured, warmest
from bmsd.core import derating
from bmsd.core.charging import Phase
from bmsd.tables import parameters
from bmsd.tables.rows import CELSIUS, PERCENT, VOLT

_LARGEST = {"charge": "charge_max_ma", "discharge": "discharge_max_ma"}


def held_down(what: str, seen: PackView) -> list[str]:
    """Say which cause holds the current down; nothing while none does, or where the contactor is open anyway."""
    reason = seen.points.get(f"{what}_limit_reason")
    write = _SENTENCES.get(reason or "")
    if write is None or not seen.points.get(f"{what}_allowed"):
        return []
    told, largest = (
        ampere_text(seen.points.get(f"{what}_limit_ma")),
        ampere_text(seen.values.get(_LARGEST[what])),
    )
    name = parameters.BY_NAME[_LARGEST[what]].public_name
    return [f"The inverter is told {told} of {largest} ({name}): {write(what, seen)}"]


def phase(seen: PackView) -> list[str]:
    """Say what the charge is at when it is over: little or no current is no fault then."""
    if seen.points.get("charge_phase") not in {Phase.FLOAT.value, Phase.REST.value}:
        return []
    return [
        f"The last charge is over; a new one begins below {seen.parameter('recharge_permille')}, or with the lowest"
        f" cell {seen.parameter('recharge_below_mv')} below the charge voltage."
    ]


def _cell(what: str, seen: PackView) -> str:
    if what == "charge":
        high = measured(VOLT, seen.points.get("cell_max_mv"))
        return (
            f"the highest cell, {seen.points.get('max_cell')}, is at {high}, and the current falls to zero over"
            f" {seen.parameter('charge_taper_mv')} below {seen.parameter('cell_ovp_mv')}."
        )
    low = measured(VOLT, seen.points.get("cell_min_mv"))
    return (
        f"the lowest cell, {seen.points.get('min_cell')}, is at {low}, and the current falls to zero over"
        f" {seen.parameter('discharge_taper_mv')} above {seen.parameter('cell_uvp_mv')}."
    )


def _pack(_: str, seen: PackView) -> str:
    return (
        f"the pack is at {measured(VOLT, seen.points.get('pack_mv'))}, and the current falls to zero before"
        f" {seen.parameter('pack_uvp_mv')}."
    )


def _cold(what: str, seen: PackView) -> str:
    return (
        f"the coldest battery sensor is at {measured(CELSIUS, coldest(seen.points))}, and the current falls over"
        f" {seen.parameter(f'{what}_cold_taper_decik')} above {seen.parameter(f'{what}_utp_decic')}."
    )


def _hot(what: str, seen: PackView) -> str:
    return (
        f"the warmest battery sensor is at {measured(CELSIUS, warmest(seen.points))}, and the current falls over"
        f" {seen.parameter(f'{what}_hot_taper_decik')} below {seen.parameter(f'{what}_otp_decic')}."
    )


def _soc(what: str, seen: PackView) -> str:
    end = "below 100 %" if what == "charge" else "above 0 %"
    return (
        f"the state of charge is at {measured(PERCENT, seen.points.get('soc_permille'))}, and the current falls over"
        f" {seen.parameter(f'{what}_soc_taper_permille')} {end}."
    )


_SENTENCES: dict[str, Callable[[str, PackView], str]] = {
    derating.CELL: _cell,
    derating.COLD: _cold,
    derating.HOT: _hot,
    derating.SOC: _soc,
    derating.PACK: _pack,
    derating.RESERVE: lambda _, s: (
        f"the pack is nearly empty and asks for charge; what is left is kept for the inverter itself"
        f" ({s.parameter('inverter_idle_mw')} for {s.parameter('reserve_h')}). Discharging returns when"
        f" {s.parameter('force_charge_least_permille')} have arrived."
    ),
    derating.RESTING: lambda _, s: (
        f"the pack was charged and rests, which leaves {s.parameter('rest_permille')}."
    ),
    derating.RISING: lambda what, s: (
        f"it was lower a moment ago, stays there for {s.parameter('limit_hold_ms')}, and then rises by"
        f" {s.parameter('limit_rise_permille')} of the largest a second"
        f"{', slower where a cell sagged lately.' if what == 'discharge' else '.'}"
    ),
    derating.FORBIDDEN: lambda _, s: "a contactor is on its way.",
    derating.OVERRIDE: lambda _, s: "an emergency override leaves this share of an empty pack.",
}
