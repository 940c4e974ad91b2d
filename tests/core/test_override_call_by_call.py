"""The emergency override, call by call: asked for, in reach, announced, and what an inverter may take (S10)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bmsd.core import emergency
from bmsd.core.alarms import Active, AlarmState
from bmsd.core.derating import OVERRIDE
from bmsd.core.emergency import Override, asked, limits, reach
from bmsd.core.limits import Limits
from bmsd.core.switching import SwitchState
from bmsd.core.types import Event, Request
from bmsd.tables.alarms import BOTH, BY_NAME, Block
from tests.support.bench_inputs import START_MS, Pack, believed, make_settings

SETTINGS = make_settings()
P = SETTINGS.parameters
T, HALF_HOUR_MS = START_MS, 1_800_000
ON, OFF = (Request("emergency", "override", on, "uid 7") for on in (True, False))
CHARGE, DISCHARGE = Block.CHARGE, Block.DISCHARGE
ENDED = Event(at_ms=T, kind="emergency", name="override", state="ended")


def told(kind: str, word: str) -> Event:
    return Event(at_ms=T, kind=kind, name="override", state=word, who="uid 7")


def test_its_time_is_half_an_hour_to_the_millisecond() -> None:
    override = Override(T - HALF_HOUR_MS + 1)
    assert override.left_ms(T) == 1
    assert asked(override, (), T) == (override, ())
    assert asked(Override(T - HALF_HOUR_MS), (), T) == (None, (ENDED,))
    assert asked(Override(T - HALF_HOUR_MS - 1), (), T) == (None, (ENDED,))


def test_one_whose_time_is_up_can_be_asked_for_anew_in_the_same_cycle() -> None:
    found = asked(Override(T - HALF_HOUR_MS), (ON,), T)
    assert found == (Override(T), (ENDED, told("emergency", "on")))


def test_it_is_switched_on_and_off_by_its_own_requests_alone() -> None:
    """A request of another kind before it does not hide it, and does nothing itself."""
    other = Request("switch", "charge", True, "uid 7")
    assert asked(None, (other,), T) == (None, ())
    assert asked(None, (other, ON), T) == (Override(T), (told("emergency", "on"),))
    assert asked(Override(T - 1), (other, OFF), T) == (None, (told("emergency", "off"),))


def test_asking_for_what_is_so_is_recorded_and_changes_nothing() -> None:
    running = Override(T - 1000)
    assert asked(running, (ON,), T) == (running, (told("request", "on"),))
    assert asked(None, (OFF,), T) == (None, (told("request", "off"),))


def test_asking_again_lifts_anew_what_a_last_limit_took_and_not_its_time() -> None:
    spent = Override(T - 1000, spent=BOTH, lifts=Block.NONE)
    assert asked(spent, (ON,), T)[0] == Override(T - 1000)


def reached(override: Override = Override(T), settings: Any = SETTINGS, **readings: Any) -> Override:  # noqa: B008
    found = reach(settings, override, believed(settings, **readings))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("at", "beyond", "ends"),
    [
        ({"cell_mv": (3300, P.cell_ovp_mv + P.emergency_over_mv, 3300, 3300)},
         {"cell_mv": (3300, P.cell_ovp_mv + P.emergency_over_mv + 1, 3300, 3300)}, CHARGE),
        ({"cell_mv": (P.cell_floor_mv, 3300, 3300, 3300)},
         {"cell_mv": (P.cell_floor_mv - 1, 3300, 3300, 3300)}, BOTH),
        ({"battery_decic": (P.charge_utp_decic, 100)}, {"battery_decic": (P.charge_utp_decic - 1, 100)}, CHARGE),
        ({"switch_decic": P.switch_otp_decic}, {"switch_decic": P.switch_otp_decic + 1}, BOTH),
    ],
    ids=("high cell", "low cell", "cold", "hot switch"),
)  # fmt: skip
def test_each_last_limit_ends_its_directions_one_step_beyond(at, beyond, ends) -> None:
    """S10: at the limit everything is lifted; what is passed is spent."""
    assert reached(**at) == Override(T, Block.NONE, BOTH, Block.NONE)
    assert reached(**beyond) == Override(T, ends, BOTH & ~ends, ends)


def test_what_is_spent_stays_spent_when_nothing_is_passed_any_more() -> None:
    found = reached(Override(T, spent=CHARGE, passed=CHARGE))
    assert found == Override(T, CHARGE, DISCHARGE, Block.NONE)


def test_a_limit_is_passed_also_beside_an_unknown_value_and_an_unknown_one_spends_nothing() -> None:
    """S2, S10."""
    found = reached(cell_mv=(None, P.cell_floor_mv - 1, 3300, 3300))
    assert found == Override(T, BOTH, Block.NONE, BOTH)
    assert reached(cell_mv=(None, 3300, 3300, 3300)) == Override(T, Block.NONE, Block.NONE, Block.NONE)
    assert reached(switch_decic=None).lifts == Block.NONE
    assert reached(settings=make_settings(switch_sensor=False), switch_decic=None).lifts == BOTH


def test_what_is_asked_of_it_is_its_own_answer_and_nothing_without_one() -> None:
    override = Override(T, spent=CHARGE, lifts=DISCHARGE, passed=CHARGE)
    assert emergency.spent(override) == emergency.passed(override) == CHARGE
    assert emergency.lifts(override) == DISCHARGE
    for ask in (emergency.spent, emergency.passed, emergency.lifts):
        assert ask(None) == Block.NONE
    assert reach(SETTINGS, None, believed(SETTINGS)) is None


def test_only_an_alarm_that_rises_says_what_of_it_is_lifted() -> None:
    """An alarm that ends, or one that does not yield, lifts nothing."""
    risen, other = (
        Event(at_ms=T, kind="alarm", name=name, state="raised") for name in ("cell_uvp", "cell_floor")
    )
    ended = Event(at_ms=T, kind="alarm", name="cell_uvp", state="cleared")
    override = Override(T, lifts=BOTH)
    assert emergency.announced((risen, other, ended), override) == (
        replace(risen, lifted=("discharge",)), other, ended,
    )  # fmt: skip
    assert emergency.announced((risen, ended), Override(T, lifts=CHARGE)) == (risen, ended)
    assert emergency.announced((risen,), None) == (risen,)


def test_operations_count_anew_and_nothing_else_does() -> None:
    """S12: rest and life stay."""
    used = SwitchState(False, 7, (1, 2, 3), 9)
    assert emergency.restart_counts(used) == SwitchState(False, 7, (), 9)


UVP: Active = ((BY_NAME["cell_uvp"], AlarmState(True)),)
TOLD = {
    "charge_mv": 13_800,
    "charge_ma": 50_000,
    "discharge_ma": 90_000,
    "discharge_mv": 12_000,
    "charge_capability_ma": 60_000,
}
SHARE_MA = P.discharge_max_ma // 5


def given(
    override: Override | None, active: Active = UVP, *, discharges: bool = True, **before: int
) -> dict[str, int]:
    """Give what the inverter is told with an override, instead of `TOLD`."""
    told_ = Limits(**{**TOLD, **before})
    found = limits(SETTINGS, override, told_, active, discharges=discharges)
    return {name: getattr(found, name) for name in TOLD}


def test_from_low_cells_no_more_than_a_fifth_down_to_shutdown() -> None:
    lifted = TOLD | {"discharge_ma": SHARE_MA, "discharge_mv": P.cell_shutdown_mv * 4}
    assert given(Override(T, lifts=BOTH)) == given(Override(T, lifts=DISCHARGE)) == lifted


def test_without_a_lifted_alarm_a_fifth_is_the_least_and_no_more_is_taken_away() -> None:
    lifted = Override(T, lifts=BOTH)
    assert given(lifted, ())["discharge_ma"] == TOLD["discharge_ma"]
    assert given(lifted, (), discharge_ma=0)["discharge_ma"] == SHARE_MA
    of_charge = ((BY_NAME["cell_ovp"], AlarmState(True)),)
    assert given(lifted, of_charge)["discharge_ma"] == TOLD["discharge_ma"]


def test_a_voltage_that_is_lower_already_stays() -> None:
    assert given(Override(T, lifts=BOTH), discharge_mv=8000)["discharge_mv"] == 8000


@pytest.mark.parametrize(("active", "discharge_ma", "is_reason"), [
    (UVP, 90_000, True), (UVP, 0, True), ((), 90_000, False), ((), SHARE_MA, False), ((), SHARE_MA - 1, True),
])  # fmt: skip
def test_the_override_is_the_reason_of_a_limit_that_it_sets(active, discharge_ma, is_reason) -> None:
    """Whatever is told for charging; where it sets none, the reason stays what it was."""
    before = Limits(
        charge_mv=13_800,
        charge_ma=0,
        discharge_ma=discharge_ma,
        discharge_mv=12_000,
        charge_capability_ma=0,
        charge_reason="of charge",
        discharge_reason="of discharge",
    )
    found = limits(SETTINGS, Override(T, lifts=BOTH), before, active, discharges=True)
    assert found.discharge_reason == (OVERRIDE if is_reason else "of discharge")
    assert found.charge_reason == "of charge"


@pytest.mark.parametrize("override", [None, Override(T), Override(T, lifts=CHARGE)])
def test_where_discharging_is_not_lifted_or_open_nothing_is_added(override) -> None:
    """S7: nothing is told that cannot be had."""
    assert given(override) == TOLD
    assert given(Override(T, lifts=BOTH), discharges=False) == TOLD


def test_an_alarm_that_ends_under_an_override_says_nothing_of_it() -> None:
    """The whole way: raised while it is lifted, and ended while it is."""
    pack = Pack().started()
    pack.cycle(ON)
    pack.cells = [2650] * 4
    pack.until(lambda p: "cell_uvp" in p.active())
    pack.cells = [3300] * 4
    pack.until(lambda p: "cell_uvp" not in p.active())
    assert pack.out is not None
    assert [event.lifted for event in pack.out.events if event.name == "cell_uvp"] == [()]
