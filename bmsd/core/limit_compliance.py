"""Whether the inverter keeps its limits, and whether current flows through a contactor that is open.

An inverter is judged against the highest limit that it was told within the time it is given to react. Before it
has been told limits for that long it is not judged; nor where it takes more than a pack at rest asks for, as long as
the pack bears it and the voltage holds. An unknown current never counts as obeying (S2).
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.alarms import Finding
from bmsd.core.limits import Limits
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.switching import SwitchState


class HighestLimits(NamedTuple):
    """The highest limits of a stretch of time."""

    charge_mv: int
    charge_ma: int
    discharge_ma: int


class SentLimits(NamedTuple):
    """What the inverter was told lately: two stretches, each as long as it is given to react."""

    since_ms: int = 0
    now: HighestLimits | None = None
    before: HighestLimits | None = None
    """None: nothing has been in force for long enough."""


def tell(told: SentLimits, limits: Limits, react_ms: int, now_ms: int) -> SentLimits:
    """Remember what goes out in this cycle."""
    fresh = HighestLimits(limits.charge_mv, limits.charge_capability_ma, limits.discharge_ma)
    if told.now is None:
        return SentLimits(now_ms, fresh)
    if now_ms - told.since_ms >= react_ms:
        return SentLimits(now_ms, fresh, told.now)
    if fresh == told.now:
        return told
    return told._replace(now=_highest(told.now, fresh))


def _highest(one: HighestLimits, other: HighestLimits) -> HighestLimits:
    return HighestLimits(*[max(pair) for pair in zip(one, other, strict=True)])


def limits(settings: Settings, told: SentLimits, values: Values, *, closed: bool) -> dict[str, Finding]:
    """Compare what flows with what was told; both stages of a row come from the same finding.

    With every contactor open there is no inverter to judge, and what draws current is wired to the pack itself; an
    unknown current still ends no alarm (S2).
    """
    if not settings.limits_told or told.now is None or told.before is None:
        return {}
    p, most = settings.parameters, told.now if told.now == told.before else _highest(told.now, told.before)
    found: dict[str, Finding] = {}
    into = _over(values.charge_ma.value, most.charge_ma + p.limit_tolerance_ma)
    spare_ma = max(p.limit_tolerance_ma, settings.idle_ma) + _own_ma(settings)
    out_of = _over(values.discharge_ma.value, most.discharge_ma + spare_ma)
    above = _over(values.pack_mv.value, most.charge_mv + p.limit_tolerance_mv)
    if values.charge_ma.value is None:
        above = Finding(None)
    elif values.charge_ma.value <= p.limit_tolerance_ma:
        # A full pack rests above a lowered charge voltage: only an inverter that still charges disobeys.
        above = None
    for name, finding in (("charge", into), ("discharge", out_of), ("voltage", above)):
        if finding is not None:
            found[f"{name}_limit_ignored"] = finding
    if out_of is not None:
        found["discharge_limit_enforced"] = out_of
    enforced = _worse(into, above)
    if enforced is not None:
        found["charge_limit_enforced"] = Finding(enforced.bad)
    return found if closed else {name: finding for name, finding in found.items() if finding.bad is None}


def _own_ma(settings: Settings) -> int:
    """Give what the pack's own heater may take, which is not the inverter's doing."""
    return settings.parameters.heater_max_ma if settings.heater_from_pack else 0


def _over(value: int | None, limit: int) -> Finding | None:
    if value is None:
        return Finding(None)
    return Finding(True, value) if value > limit else None


def _worse(one: Finding | None, other: Finding | None) -> Finding | None:
    """Pick what is bad before what is unknown, and that before what is good."""
    given = [finding for finding in (one, other) if finding is not None]
    return next((finding for finding in given if finding.bad), given[0] if given else None)


def past_contactors(
    settings: Settings, charge: SwitchState, discharge: SwitchState, values: Values, now_ms: int
) -> dict[str, Finding]:
    """Look for current through a contactor that has had time to open.

    Both open, or a common one: see `core.weld_detection`.
    """
    p = settings.parameters
    if charge.on is discharge.on:
        return {}
    found: dict[str, Finding] = {}
    for name, switch, reading, own_ma in (
        ("charge", charge, values.charge_ma, 0),
        ("discharge", discharge, values.discharge_ma, _own_ma(settings)),
    ):
        settled = switch.changed_ms is None or now_ms - switch.changed_ms >= p.contactor_settle_ms
        if switch.on or not settled:
            continue
        over = _over(reading.value, max(p.limit_tolerance_ma, p.weld_current_ma) + own_ma)
        if over is not None:
            found[f"{name}_past_contactor"] = over
    return found
