"""What feeds the heater: the signs of a charger, and a trial where there is no other sign (S2, S4).

A heater on the charger's side costs the pack nothing, so it is tried wherever that side is alive: what is not fed
collapses under the heater within seconds. A heater on the pack runs below `heater_min_soc` only where a charger
pays, that is, gives what it takes: it stands above the open switch, or the pack's current shows that as much comes in.
"""

from __future__ import annotations

from typing import NamedTuple

from bmsd.core.plausible import Values
from bmsd.core.settings import Settings

CHARGING_MA = 500
"""A charge current above this proves a charger."""
ALIVE_PERMILLE = 800
"""A charger's side below this share of the pack's voltage feeds nothing that could ever charge the pack."""
CHARGED_MS = 600_000
"""A charger that charged counts as there for this long where its side cannot be read."""
ALIVE_MS = 30_000
"""An open side that has been alive for this long is tried: a charge left over from before has had time to go."""
READY_MS = 600_000
"""A low pack may spend its own charge on heat once a charger has stood above it for this long: that will return it."""
TRIAL_MS = 10_000
"""What still feeds the heater after this time is a source: capacitors of 100 mF are empty in 24 ohm after 7 s."""
PAYS_MS = 30_000
"""How long the current may look as if the pack paid: inverters take up to 15 s to give what they are asked for."""
LIGHTEST_MS = 600_000
"""For how long the lightest load is remembered: what a load that switches on and off takes is no sign."""
MINUTE_MS, LONGEST_PAUSE_MS = 60_000, 3_600_000
SOON_MS, SOON_TRIALS = 600_000, 12
"""A generator that runs for 20 minutes is met by a trial every 10. After so many that nobody paid for, 6 minutes of
heat in all, they come once an hour."""


class Lightest(NamedTuple):
    """The most that came in, or the least that went out, without the heater, in the last stretches of time."""

    since_ms: int | None = None
    now_ma: int | None = None
    before_ma: int | None = None

    @property
    def most_ma(self) -> int | None:
        """Give the most of both stretches; None when nothing was seen."""
        seen = [ma for ma in (self.now_ma, self.before_ma) if ma is not None]
        return max(seen, default=None)


class SupplyState(NamedTuple):
    """What is known of the heater's supply."""

    charged_ms: int | None = None
    """When a charge current last came in, to a second."""
    side_seen: bool = False
    """The charger's side was read alive: it is wired, and when it reads dead it is dead."""
    alive_ms: int | None = None
    """Since when it is read alive; with a heater on the pack since when it stands above the pack."""
    failed: int = 0
    """Trials in a row that showed no supply."""
    until_ms: int | None = None
    """No heat before this time: the pause after a trial that failed."""
    unpaid_ms: int = 0
    """How long the current has looked as if the pack paid, less the time since in which it has not."""
    last_ms: int | None = None
    """When the heater was last seen on."""
    joined_ms: int | None = None
    """Since when a closed switch joins the pack to what it feeds."""
    lightest: Lightest = Lightest()


class SupplyInputs(NamedTuple):
    """What one cycle shows of the heater and its supply."""

    values: Values
    on: bool
    """The heater was commanded on."""
    changed_ms: int | None
    heater_ma: int | None
    on_trial: bool
    """The heater is on the pack, and only the current can show that a charger pays."""
    apart: bool
    """No closed switch joins the charger's side to the pack."""
    joined: bool
    """A closed switch joins the pack to what it feeds: its current is that of the load."""
    may_charge: bool
    """A switch is closed for charge, and charge is allowed."""
    now_ms: int


def standing_above(settings: Settings, values: Values) -> bool | None:
    """Tell whether the charger's side stands above the pack by more than the readings err; None is unknown."""
    if values.charger_mv is None or values.pack_mv.value is None:
        return None
    return values.charger_mv >= values.pack_mv.value + settings.parameters.charger_detect_mv


def alive(values: Values) -> bool | None:
    """Tell whether the charger's side carries a voltage that could feed a heater; None is unknown."""
    if values.charger_mv is None or values.pack_mv.value is None:
        return None
    return values.charger_mv * 1000 >= values.pack_mv.value * ALIVE_PERMILLE


def fed(state: SupplyState, values: Values, now_ms: int, on: bool) -> bool:
    """Tell whether a heater on the charger's side may be tried, or go on, where no charger stands above the pack."""
    charged = state.charged_ms is not None and now_ms - state.charged_ms < CHARGED_MS
    if alive(values):
        return on or charged or (state.alive_ms is not None and now_ms - state.alive_ms >= ALIVE_MS)
    return charged and not state.side_seen and values.charger_mv is not None


def stands_ready(state: SupplyState, now_ms: int) -> bool:
    """Tell whether a charger has stood above the pack for so long that it is there to stay."""
    return state.alive_ms is not None and now_ms - state.alive_ms >= READY_MS


def knows_load(state: SupplyState) -> bool:
    """Tell whether the load without the heater is known, beside which a trial can be judged."""
    return state.lightest.most_ma is not None


def waits_until(state: SupplyState, now_ms: int) -> int | None:
    """Give when the pause after a trial ends; None when there is none."""
    return state.until_ms if state.until_ms is not None and now_ms < state.until_ms else None


def own_ma(settings: Settings, values: Values) -> int:
    """Give what the heater takes at the pack's voltage; 0 where that is unknown or no heater is there."""
    pack_mv, mohm = values.pack_mv.value, settings.heater_mohm
    return 0 if pack_mv is None or mohm is None else pack_mv * 1000 // mohm


def advance(settings: Settings, state: SupplyState, seen: SupplyInputs) -> SupplyState:
    """Learn from one cycle."""
    current_ma = seen.values.current_ma
    charges = current_ma is not None and current_ma > CHARGING_MA and seen.may_charge
    if charges and (state.charged_ms is None or seen.now_ms - state.charged_ms >= 1000):
        state = state._replace(charged_ms=seen.now_ms, failed=0, until_ms=None)
    if settings.heater_from_pack:
        is_above = seen.apart and standing_above(settings, seen.values)
        return _paid(settings, _stands(state, is_above, seen.now_ms), seen)
    is_alive = alive(seen.values)
    state = _stands(state, is_alive, seen.now_ms)
    if is_alive and not state.side_seen:
        state = state._replace(side_seen=True)
    return _tried(settings, state, seen) if seen.on else state


def _stands(state: SupplyState, is_there: bool | None, now_ms: int) -> SupplyState:
    """Remember since when a voltage is there; an unknown one ends it (S2)."""
    if bool(is_there) is (state.alive_ms is not None):
        return state
    return state._replace(alive_ms=now_ms if is_there else None)


def _tried(settings: Settings, state: SupplyState, seen: SupplyInputs) -> SupplyState:
    """Judge a supply on the charger's side by what it does under the heater."""
    for_ms = 0 if seen.changed_ms is None else seen.now_ms - seen.changed_ms
    if waits_until(state, seen.now_ms) is not None:
        return state
    lasts, is_above = for_ms >= TRIAL_MS, standing_above(settings, seen.values)
    if is_above is None:
        return state
    if not fed(state, seen.values, seen.now_ms, True):
        return _failed(state, 0 if lasts else _doubled(MINUTE_MS, state.failed - 1), seen.now_ms)
    # Where the voltage shows a charger, the watcher judges a heater without current (S4).
    if (
        lasts
        and not is_above
        and seen.heater_ma is not None
        and 2 * seen.heater_ma < own_ma(settings, seen.values)
    ):
        return _failed(state, _doubled(MINUTE_MS, state.failed), seen.now_ms)
    return state._replace(failed=0) if lasts and state.failed else state


def _paid(settings: Settings, state: SupplyState, seen: SupplyInputs) -> SupplyState:
    """Judge by the current of the pack whether a charger pays for a heater on the pack."""
    current_ma = seen.values.current_ma
    if seen.joined is (state.joined_ms is None):
        # The load is not known while nothing joins it, nor while an inverter still reduces what it gave before.
        state = state._replace(joined_ms=seen.now_ms if seen.joined else None, lightest=Lightest())
    if not seen.on:
        settled = state.joined_ms is not None and seen.now_ms - state.joined_ms >= PAYS_MS
        lightest = _lightest(state.lightest, current_ma, seen.now_ms) if settled else state.lightest
        if lightest is state.lightest and state.last_ms is None:
            return state
        return state._replace(lightest=lightest, unpaid_ms=0, last_ms=None)
    if not seen.on_trial:
        return state if state.last_ms is None else state._replace(unpaid_ms=0, last_ms=None)
    if current_ma is not None and current_ma > settings.parameters.forbidden_charge_ma:
        # Asked for the heater's current, the inverter charges cold cells: it is not asked again soon.
        return _failed(state, LONGEST_PAUSE_MS, seen.now_ms)
    step_ms = 0 if state.last_ms is None else seen.now_ms - state.last_ms
    pays = _pays(settings, state, seen)
    unpaid_ms = max(state.unpaid_ms + (-step_ms if pays else step_ms), 0)
    state = state._replace(unpaid_ms=unpaid_ms, last_ms=seen.now_ms)
    if unpaid_ms >= PAYS_MS:
        return _failed(state, _unpaid_pause(state.failed), seen.now_ms)
    lasts = seen.changed_ms is not None and seen.now_ms - seen.changed_ms >= 2 * PAYS_MS
    return state._replace(failed=0) if lasts and pays and state.failed else state


def _pays(settings: Settings, state: SupplyState, seen: SupplyInputs) -> bool:
    """Tell whether more than half of the heater's current comes in; an unknown current does not (S2)."""
    current_ma, most_ma = seen.values.current_ma, state.lightest.most_ma
    if current_ma is None:
        return False
    least_ma = min(most_ma or 0, 0) - own_ma(settings, seen.values) // 2
    return current_ma >= least_ma


def _lightest(last: Lightest, current_ma: int | None, now_ms: int) -> Lightest:
    """Remember the lightest load while the heater is off."""
    if last.since_ms is None:
        return last if current_ma is None else Lightest(now_ms, current_ma)
    if now_ms - last.since_ms >= LIGHTEST_MS:
        return Lightest(now_ms, current_ma, last.now_ma)
    if current_ma is None or (last.now_ma is not None and current_ma <= last.now_ma):
        return last
    return last._replace(now_ma=current_ma)


def _failed(state: SupplyState, pause_ms: int, now_ms: int) -> SupplyState:
    return state._replace(failed=state.failed + 1, until_ms=now_ms + pause_ms)


def _unpaid_pause(failed: int) -> int:
    """Give the pause after trials that the pack paid for."""
    return min(SOON_MS, 5 * MINUTE_MS << failed) if failed < SOON_TRIALS else LONGEST_PAUSE_MS


def _doubled(first_ms: int, times: int) -> int:
    """Give a pause that doubles with every failure; none before the first."""
    return 0 if times < 0 else min(first_ms << min(times, 10), LONGEST_PAUSE_MS)
