"""Points that tell of both topologies, of wear, of an override and of sleep; reasons and alarms, each in its place."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import report
from bmsd.core.alarms import AlarmState
from bmsd.core.contactors import PrechargeState
from bmsd.core.emergency import Override
from bmsd.core.plausible import Reading
from bmsd.core.report import Cycle
from bmsd.core.settings import Settings
from bmsd.core.sleep import SleepState
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.state import Outputs, State, begin
from bmsd.core.switching import SwitchState
from bmsd.core.types import AfeReport, AfeState, Commands, Inhibit, InhibitCause, Levels
from bmsd.tables.alarms import ALARMS, Block
from tests.support.bench_inputs import START_MS, Pack, make_settings
from tests.support.changed import replace

T = START_MS
SPLIT, COMMON = make_settings(), make_settings(topology="common")


def decided(settings: Settings = SPLIT, **readings: Any) -> tuple[State, Outputs]:
    """Give a pack at rest after one cycle."""
    pack = Pack(settings, now_ms=T, **readings)
    out = pack.at(T)
    return pack.state, out


def told(
    settings: Settings = SPLIT,
    *,
    state: dict[str, Any] | None = None,
    values: dict[str, Any] | None = None,
    commands: Commands | None = None,
    lines: Levels | None = None,
    contacts: Levels | None = None,
    heater_ma: int | None = None,
    **out: Any,
) -> dict[str, Any]:
    """Give the points of such a decision."""
    known, decision = decided(settings)
    decision = replace(decision, values=decision.values._replace(**(values or {})), **out)
    decision = replace(decision, commands=commands or decision.commands)
    inputs = replace(
        Pack(settings, now_ms=T).inputs(),
        afe=AfeReport(AfeState.READY, None, errors=21),
        feedback=contacts or Levels(),
        heater_ma=heater_ma,
    )
    cycle = Cycle(sequence=1, uptime_ms=2, runtime_ms=3, last_us=4, worst_us=5, overruns=6, disk_bytes=7)
    known = replace(known, **(state or {}))
    return report.points(settings, known, decision, inputs, lines or Levels(), cycle)


def picked(found: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(found[name] for name in names)


def test_the_common_contactor_is_the_switch_of_both_directions() -> None:
    names = ("charge_commanded", "discharge_commanded", "charge_actual", "discharge_actual")
    lines = Levels(charge=False, discharge=False, main=True)
    found = told(COMMON, commands=Commands(main=True), lines=lines)
    assert picked(found, *names) == (True, True, True, True)
    assert picked(told(COMMON, lines=lines, contacts=Levels(main=False)), *names) == (False,) * 4
    found = told(commands=Commands(charge=True), lines=Levels(discharge=True, main=False))
    assert picked(found, *names) == (True, False, None, True)


@pytest.mark.parametrize("name", ["precharge", "heater", "buzzer"])
def test_every_other_switch_is_told_as_itself_in_both_topologies(name) -> None:
    for settings in (SPLIT, COMMON):
        found = told(settings, commands=Commands(main=True, **{name: True}), lines=Levels(**{name: False}))
        assert picked(found, f"{name}_commanded", f"{name}_actual") == (True, False)


def test_closings_are_told_by_the_switch_that_closed() -> None:
    closings = {
        name: SwitchState(closings=n) for n, name in enumerate(("charge", "discharge", "main", "heater"), 1)
    }
    state = {**closings, "precharge": PrechargeState(SwitchState(closings=5))}
    names = ("charge_closings", "discharge_closings", "precharge_closings", "heater_closings")
    assert picked(told(state=state), *names) == (1, 2, 5, 4)
    assert picked(told(COMMON, state=state), *names) == (3, 3, 5, 4)


def test_an_override_is_told_with_the_time_it_has_left() -> None:
    """S10."""
    names = ("emergency_active", "emergency_remaining_ms")
    assert picked(told(), *names) == (False, 0)
    assert picked(told(state={"override": Override(T - 60_000)}), *names) == (True, 29 * 60_000)


def test_the_period_is_the_one_until_the_next_cycle() -> None:
    p = SPLIT.parameters
    assert told()["period_ms"] == p.period_ms
    assert told(state={"sleep": SleepState(0, True)})["period_ms"] == p.sleep_period_ms


def test_errors_of_the_bus_and_the_running_of_cycles_are_passed_on() -> None:
    names = ("bus_errors", "sequence", "uptime_ms", "runtime_ms", "cycle_last_us", "cycle_worst_us",
             "cycle_overruns", "disk_bytes")  # fmt: skip
    assert picked(told(), *names) == (21, 1, 2, 3, 4, 5, 6, 7)


def test_permissions_demands_and_limits_are_told_as_decided() -> None:
    names = ("charge_allowed", "discharge_allowed", "heater_demanded", "state")
    found = told(charge_allowed=True, discharge_allowed=False, heater_demanded=True, word="idle")
    assert picked(found, *names) == (True, False, True, "idle")
    found = told(charge_allowed=False, discharge_allowed=True, heater_demanded=False, word="fault")
    assert picked(found, *names) == (False, True, False, "fault")
    limits = replace(decided()[1].limits, charge_mv=1, charge_ma=2, discharge_ma=3, discharge_mv=4)
    names = ("charge_limit_mv", "charge_limit_ma", "discharge_limit_ma", "discharge_limit_mv")
    assert picked(told(limits=limits), *names) == (1, 2, 3, 4)


@pytest.mark.parametrize(("asked", "allowed", "told_"), [
    (True, True, True), (True, False, False), (False, True, False), (False, False, False),
])  # fmt: skip
def test_charge_is_asked_for_where_it_is_allowed(asked, allowed, told_) -> None:
    assert told(state={"force_charge": asked}, charge_allowed=allowed)["force_charge"] is told_


@pytest.mark.parametrize(("asked", "allowed", "told_"), [
    (True, True, True), (True, False, False), (False, True, False), (False, False, False),
])  # fmt: skip
def test_a_full_charge_is_asked_for_where_charge_is_allowed(asked, allowed, told_) -> None:
    found = told(state={"full_charge": asked}, charge_allowed=allowed, discharge_allowed=not allowed)
    assert found["full_charge"] is told_


def test_the_phase_of_a_charge_and_what_holds_the_limits_down_are_told() -> None:
    limits = replace(decided()[1].limits, charge_reason="of charge", discharge_reason="of discharge")
    names = ("charge_limit_reason", "discharge_limit_reason")
    assert picked(told(limits=limits), *names) == ("of charge", "of discharge")
    limiting = decided()[0].limiting
    assert limiting is not None
    assert told()["charge_phase"] == limiting.charging.phase.value
    assert told(state={"limiting": None})["charge_phase"] is None


def test_power_and_average_are_reckoned_from_what_is_known() -> None:
    names = ("pack_mv", "current_ma", "power_mw", "cell_average_mv")
    known = {"pack_mv": Reading(13_207, True), "current_ma": 3001}
    assert picked(told(values=known), *names) == (13_207, 3001, 13_207 * 3001 // 1000, 3301)
    assert picked(told(values={**known, "current_ma": None}), *names) == (13_207, None, None, 3301)
    unknown = {**known, "pack_mv": Reading(None, False)}
    assert picked(told(values=unknown), *names) == (None, 3001, None, None)


COUNTER = SocState(
    charge_mams=40_000 * MAMS_PER_MAH,
    error_permille=20,
    discharged_mams=250_750 * MAMS_PER_MAH + 1,
    full_charges=3,
)


def test_the_count_is_told_in_the_units_of_its_points_or_not_at_all() -> None:
    names = (
        "soc_permille",
        "soc_error_permille",
        "remaining_mah",
        "cycles_milli",
        "full_charges",
        "discharged_mah",
    )
    assert picked(told(state={"soc": COUNTER}), *names) == (400, 20, 40_000, 2507, 3, 250_750)
    assert picked(told(state={"soc": None}), *names) == (None,) * 6
    assert picked(told(state={"soc": None}), "capacity_mah", "soh_permille") == (100_000, None)


def test_an_empty_count_is_shown_as_it_is_where_the_lowest_cell_is_not_known() -> None:
    """S2."""
    nothing = {"soc": replace(COUNTER, charge_mams=0)}
    for reading, shown in (
        (Reading(3300, True, 1), 10),
        (Reading(3300, False, 1), 0),
        (Reading(None, False), 0),
    ):
        assert told(state=nothing, values={"cell_min": reading})["soc_permille"] == shown


def test_extremes_are_told_of_all_cells_or_of_none() -> None:
    """S2: the unknown cell may be the highest or the lowest."""
    names = ("cell_max_mv", "max_cell", "cell_min_mv", "min_cell", "cell_difference_mv")
    values = {
        "cell_max": Reading(3310, True, 2),
        "cell_min": Reading(3290, True, 3),
        "cell_spread": Reading(20, True, 2),
    }
    assert picked(told(values=values), *names) == (3310, 2, 3290, 3, 20)
    values = {name: reading._replace(complete=False) for name, reading in values.items()}
    assert picked(told(values=values), *names) == (None,) * 5


def test_cells_are_flagged_that_are_balanced() -> None:
    found = told(commands=Commands(balance_mask=0b1010))
    assert picked(found, "balancing", "balance_commanded", "balance_actual", "balance_ma") == (
        [False, True, False, True], True, None, None,
    )  # fmt: skip
    assert told()["balance_commanded"] is False


def test_lists_are_full_also_where_nothing_was_measured() -> None:
    found = told(values={"cell_mv": (), "battery_decic": ()})
    assert picked(found, "cell_mv", "battery_decic", "wire_mohm") == ([None] * 4, [None] * 2, [None] * 4)
    found = told(values={"cell_mv": (1, None), "battery_decic": (2,), "switch_decic": Reading(3, True)})
    assert picked(found, "cell_mv", "battery_decic", "switch_decic") == ([1, None], [2], 3)


@pytest.mark.parametrize(("line", "measured", "expected"), [
    (True, None, (1000, 24_000)), (False, None, (0, 0)), (None, None, (None, None)),
    (True, 700, (700, 16_800)), (False, 700, (700, 16_800)), (True, 0, (0, 0)),
])  # fmt: skip
def test_the_heater_is_told_as_measured_or_by_its_resistance_while_on(line, measured, expected) -> None:
    """24 V over 24 ohm."""
    found = told(values={"charger_mv": 24_000}, lines=Levels(heater=line), heater_ma=measured)
    assert picked(found, "heater_ma", "heater_mw") == expected


def test_a_heater_of_unknown_supply_or_none_is_told_as_far_as_it_is_known() -> None:
    names = ("heater_ma", "heater_mw")
    dark = {"charger_mv": None}
    assert picked(told(values=dark, lines=Levels(heater=True)), *names) == (None, None)
    assert picked(told(values=dark, lines=Levels(heater=True), heater_ma=700), *names) == (700, None)
    assert picked(told(values=dark, lines=Levels(heater=False)), *names) == (0, 0)
    none = make_settings(heater_mohm=None)
    assert picked(told(none, values={"charger_mv": 24_000}, lines=Levels(heater=True)), *names) == (
        None,
        None,
    )
    assert picked(
        told(none, values={"charger_mv": 24_000}, lines=Levels(heater=True), heater_ma=5), *names
    ) == (5, 120)


def test_each_thing_has_its_own_reasons() -> None:
    reasons = [(Inhibit(InhibitCause.ALARM, name, n),) for n, name in enumerate(("a", "b", "c", "d"))]
    out = replace(
        decided()[1], charge_inhibits=reasons[0], discharge_inhibits=reasons[1], heater_inhibits=reasons[2],
        balance_inhibits=reasons[3],
    )  # fmt: skip
    assert report.why(out) == {
        thing: [{"because": "alarm", "name": name, "until_ms": n}]
        for n, (thing, name) in enumerate(
            zip(("charge", "discharge", "heater", "balance"), "abcd", strict=True)
        )
    }


def with_alarms(*names: str) -> State:
    alarms = tuple(
        AlarmState(
            active=row.name in names, since_ms=5, bad_since_ms=None, good_since_ms=None, value=7, where=3
        )
        for row in ALARMS
    )
    return replace(begin(T), alarms=alarms)


def test_active_alarms_are_told_with_cause_limit_and_what_is_lifted() -> None:
    state = with_alarms("cell_uvp", "precharge_failed")
    trip = SPLIT.parameters.cell_uvp_mv
    common = {"since_ms": 5, "where": 3, "value": 7}
    assert report.alarms(SPLIT, state) == [
        {"name": "cell_uvp", **common, "limit": trip, "latched": False, "lifted": []},
        {"name": "precharge_failed", **common, "limit": None, "latched": True, "lifted": []},
    ]
    lifted = replace(state, override=Override(T, lifts=Block.DISCHARGE))
    assert [row["lifted"] for row in report.alarms(SPLIT, lifted)] == [["discharge"], []]
    elsewhere = replace(state, override=Override(T, lifts=Block.CHARGE))
    assert [row["lifted"] for row in report.alarms(SPLIT, elsewhere)] == [[], []]


def test_only_what_must_survive_is_kept_with_value_and_place() -> None:
    """S13."""
    assert report.latched(with_alarms("cell_ovp", "cell_uvp", "cell_floor")) == {
        "cell_uvp": (7, 3), "cell_floor": (7, 3),
    }  # fmt: skip
