"""Watch that heating warms the pack. Shares no code and no decision with the heater's control (S4).

It knows only three things: whether the heater relay is on, how warm the coldest sensor is, and the measured
heater current where there is one.
"""

from __future__ import annotations

from typing import NamedTuple

STUCK_MA = 200
"""A measured current above this with the relay off is a stuck relay."""
STUCK_MS = 3000
LONGEST_MS = 43_200_000
"""The most that a stored time counts: a wrong one in the file would otherwise block the heater for ever."""


class WatchState(NamedTuple):
    """What the watcher saw so far."""

    last_ms: int | None = None
    heated_ms: int = 0
    """Heating time since the reference temperature was taken."""
    reference_decic: int | None = None
    run_ms: int = 0
    """Heating time of the present run, less the rest since."""
    stuck_since_ms: int | None = None
    measured: bool = False
    """A current sensor is fitted: it has answered at least once."""


class Proof(NamedTuple):
    """What must survive a restart: else a burnt-out heater is never found, and the longest run never ends (S4)."""

    heated_ms: int = 0
    reference_decic: int | None = None
    run_ms: int = 0
    last_ms: int | None = None
    """On the monotonic clock of the boot it belongs to."""


def proof(state: WatchState) -> Proof:
    """Give what must survive."""
    return Proof(
        heated_ms=state.heated_ms,
        reference_decic=state.reference_decic,
        run_ms=state.run_ms,
        last_ms=state.last_ms,
    )


def revived(kept: Proof, now_ms: int, *, same_boot: bool) -> WatchState:
    """Go on from what survived. Rest meanwhile counts in the same boot only, where the clock ran on."""
    last_ms = min(kept.last_ms, now_ms) if same_boot and kept.last_ms is not None else None
    return WatchState(
        last_ms=last_ms,
        heated_ms=min(kept.heated_ms, LONGEST_MS),
        reference_decic=kept.reference_decic,
        run_ms=min(kept.run_ms, LONGEST_MS),
    )


class Verdict(NamedTuple):
    """What the watcher says; each is an alarm's cause."""

    no_warming: bool = False
    long_run: bool = False
    stuck_on: bool = False
    over_current: bool = False
    current_unknown: bool = False
    """The current sensor that is fitted does not answer: the last two can be neither seen nor excluded."""


def watch(
    state: WatchState,
    *,
    on: bool,
    coldest_decic: int | None,
    measured_ma: int | None,
    wanted_rise_decik: int,
    within_ms: int,
    longest_run_ms: int,
    max_ma: int,
    now_ms: int,
) -> tuple[WatchState, Verdict]:
    """Judge one cycle; an unknown temperature counts as no warming while time runs (S2)."""
    step_ms = 0 if state.last_ms is None else now_ms - state.last_ms
    stuck_since = _stuck_since(state, on, measured_ma, now_ms)
    # Time off is credited only as fast as time on counts, so that a heater that goes on and off is judged, too.
    signed_ms = step_ms if on else -step_ms
    heated_ms, run_ms = max(state.heated_ms + signed_ms, 0), max(state.run_ms + signed_ms, 0)
    reference_decic = state.reference_decic if on or heated_ms else None
    if on and coldest_decic is not None:
        if reference_decic is None:
            reference_decic = coldest_decic
        elif coldest_decic - reference_decic >= wanted_rise_decik:
            reference_decic, heated_ms = coldest_decic, 0
    verdict = Verdict(
        no_warming=heated_ms >= within_ms,
        long_run=run_ms >= longest_run_ms,
        stuck_on=stuck_since is not None and now_ms - stuck_since >= STUCK_MS,
        over_current=measured_ma is not None and measured_ma > max_ma,
        current_unknown=measured_ma is None and state.measured,
    )
    measured = state.measured or measured_ma is not None
    return WatchState(
        last_ms=now_ms,
        heated_ms=heated_ms,
        reference_decic=reference_decic,
        run_ms=run_ms,
        stuck_since_ms=stuck_since,
        measured=measured,
    ), verdict


def _stuck_since(state: WatchState, on: bool, measured_ma: int | None, now_ms: int) -> int | None:
    """Time a current that flows while the relay is off; an unknown current keeps the timer."""
    if on or (measured_ma is not None and measured_ma <= STUCK_MA):
        return None
    if measured_ma is None:
        return state.stuck_since_ms
    return now_ms if state.stuck_since_ms is None else state.stuck_since_ms
