"""The charge counter where anchors, restarts and noise meet."""

from __future__ import annotations

from bmsd.core import soc
from bmsd.core.plausible import HeldReadings, Values, validate
from bmsd.core.soc import SocState
from bmsd.core.types import ChipFault, Measurement
from tests.support.bench_inputs import make_settings
from tests.support.changed import replace

PACK = make_settings()
WHOLE = PACK.capacity_mah * 3_600_000


def values(mv: int, ma: int) -> Values:
    measured = Measurement(
        cell_mv=(mv,) * 4,
        stack_mv=4 * mv,
        charger_mv=0,
        load_mv=0,
        current_ma=ma,
        battery_decic=(250, 250),
        switch_decic=300,
        faults=ChipFault.NONE,
    )
    return validate(HeldReadings(), measured, 0, PACK.parameters)[0]


def run(state: SocState, seconds: int, mv: int, ma, start_ms: int = 1000) -> SocState:
    for second in range(seconds):
        now_ms = start_ms + second * 1000
        state, _ = soc.advance(PACK, state, values(mv, ma(second) if callable(ma) else ma), now_ms)
    return state


def test_the_empty_anchor_counts_although_the_counter_already_stands_at_zero() -> None:
    """Otherwise a pack that reached zero by counting stays unsure for ever."""
    state = run(SocState(charge_mams=0, error_permille=soc.UNKNOWN_ERROR_PERMILLE), 120, 2740, -100)
    assert state.synchronised
    assert soc.error_permille(PACK, state) <= 20


def test_float_charging_with_a_little_ripple_is_one_full_charge() -> None:
    """Full charges count charges, not samples of noise: 10 mA back for a second every three minutes."""
    full = SocState(charge_mams=WHOLE // 2, error_permille=50)
    state = run(full, 7200, 3440, lambda second: -10 if second % 180 == 0 else 200)
    assert state.full_charges == 1


def test_a_stored_count_of_a_larger_pack_is_not_more_than_all() -> None:
    """S13: the count survives a restart; the capacity may have been changed meanwhile."""
    stored = SocState(charge_mams=WHOLE * 28 // 10, error_permille=50, full=True)
    assert soc.shown_permille(PACK, stored, 3300) <= 1000
    first, _ = soc.advance(PACK, replace(stored, last_ms=None), values(3300, 0), 1000)
    assert soc.permille(PACK, first) <= 1000


def test_a_cell_that_stands_high_behind_an_open_contactor_is_not_full() -> None:
    """After an over-voltage cut the runaway cell rests above the full voltage at no current at all."""
    state = SocState(charge_mams=WHOLE // 2, error_permille=50)
    for second in range(600):
        state, _ = soc.advance(PACK, state, values(3460, 0), 1000 + second * 1000, charging=False)
    assert state.full_charges == 0
    assert soc.permille(PACK, state) == 500
