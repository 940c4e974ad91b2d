"""Whether contacts are where they were commanded, seen by current and voltage, with or without auxiliary contacts.

A weld is proved by current alone: an inverter's capacitors hold a load side at pack voltage for minutes, and
another source for ever. A contactor that does not close is seen by what its load side reads. Whatever is unknown
proves nothing here, and takes nothing back. An auxiliary contact has a finding of its own, and either one is enough.
"""

from __future__ import annotations

from collections.abc import Mapping

from bmsd.core import heater
from bmsd.core.alarms import Finding
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.state import State
from bmsd.core.switching import SwitchState

JOINED_PERMILLE = 900
"""Behind a closed contactor the load side reads at least this share of the pack: cable and contact lose less."""
Suspects = tuple[tuple[str, int], ...]
"""What the values point to, by the alarm's name, and since when."""


def watch(
    settings: Settings, state: State, values: Values, now_ms: int
) -> tuple[Suspects, dict[str, Finding]]:
    """Remember what this cycle's values point to, and report what they have pointed to for long enough."""
    names = (_welded(settings, state, values, now_ms), _not_closing(settings, state, values, now_ms))
    is_hidden = _heater_hides(settings, state, values, now_ms)
    if not (any(names) or state.suspects or is_hidden or values.current_ma is None):
        return (), {}
    known = dict(state.suspects)
    suspects = {name: known.get(name, now_ms) for name in names if name}
    proof_ms = settings.parameters.contact_proof_ms
    found = {name: Finding(now_ms - since_ms >= proof_ms or None) for name, since_ms in suspects.items()}
    if is_hidden:
        # What was suspected without the heater stays so while it is on (S2).
        hidden = f"{settings.contactors[-1]}_contactor_welded"
        suspects |= {name: since_ms for name, since_ms in known.items() if name == hidden}
        found[hidden] = Finding(None)
    if values.current_ma is None:
        # Nothing can be said of a weld: what was suspected stays so, and no latch may go (S2).
        welds = [f"{name}_contactor_welded" for name in settings.contactors]
        suspects |= {name: since_ms for name, since_ms in known.items() if name in welds}
        found |= dict.fromkeys(welds, Finding(None))
    return tuple(suspects.items()), found


def worse(one: Mapping[str, Finding], other: Mapping[str, Finding]) -> dict[str, Finding]:
    """Put findings of two sources together: bad before unknown, unknown before good."""
    both = {**one, **other}
    if not one or not other:
        return both
    return {name: one[name] if name in one and one[name].bad else found for name, found in both.items()}


def _welded(settings: Settings, state: State, values: Values, now_ms: int) -> str:
    """Name the weld that a current points to while everything is commanded open; empty when none does."""
    if values.current_ma is None or not _all_rest(settings, state, now_ms):
        return ""
    if values.current_ma > settings.parameters.weld_current_ma:
        return f"{settings.contactors[0]}_contactor_welded"
    if _draws(settings, values) and not _heater_hides(settings, state, values, now_ms):
        return f"{settings.contactors[-1]}_contactor_welded"
    return ""


def heater_takes_too_much(settings: Settings, state: State, values: Values, now_ms: int) -> bool:
    """Tell whether more flows out of the pack while its heater alone is on than such a heater takes (S4)."""
    return values.fresh and state.heater.on and _heater_hides(settings, state, values, now_ms)


def _heater_hides(settings: Settings, state: State, values: Values, now_ms: int) -> bool:
    """Tell whether a heater that takes too much may be what looks like a weld; what flows without it is one."""
    if not settings.heater_from_pack or _rests(settings, state.heater, False, now_ms):
        return False
    return _all_rest(settings, state, now_ms) and _draws(settings, values)


def _draws(settings: Settings, values: Values) -> bool:
    """Tell whether more flows out of the pack than its heater takes; one whose relay is stuck takes as much."""
    if values.current_ma is None:
        return False
    limit_ma = settings.parameters.weld_current_ma + heater.taken_ma(settings, True, values)
    return -values.current_ma > limit_ma


def _all_rest(settings: Settings, state: State, now_ms: int) -> bool:
    """Tell whether everything that joins the pack has been open for long enough."""
    for name in settings.contactors:
        if not _rests(settings, getattr(state, name), False, now_ms):
            return False
    return _rests(settings, state.precharge.relay, False, now_ms)


def _not_closing(settings: Settings, state: State, values: Values, now_ms: int) -> str:
    """Name the contactor whose load side stays dead behind it; only a pre-charge proves that it is measured."""
    name = settings.contactors[-1]
    pack_mv, load_mv = values.pack_mv.value, values.load_mv
    if not settings.precharge or pack_mv is None or load_mv is None:
        return ""
    closed = _rests(settings, getattr(state, name), True, now_ms)
    return f"{name}_contactor_open" if closed and load_mv * 1000 < pack_mv * JOINED_PERMILLE else ""


def _rests(settings: Settings, switch: SwitchState, on: bool, now_ms: int) -> bool:
    """Tell whether a switch has been on, or off, for long enough to have followed."""
    if switch.on is not on:
        return False
    return switch.changed_ms is None or now_ms - switch.changed_ms >= settings.parameters.contactor_settle_ms
