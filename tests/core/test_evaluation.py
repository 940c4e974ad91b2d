"""What one cycle judges, call by call: resets begin anew, currents against what is switched, charge counted."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import soc
from bmsd.core.alarms import AlarmState
from bmsd.core.contactors import PrechargeState
from bmsd.core.emergency import Override
from bmsd.core.evaluation import Evaluation, evaluate, restart_counts
from bmsd.core.heater_watch import WatchState
from bmsd.core.limit_compliance import HighestLimits, SentLimits
from bmsd.core.live_load_side import NAME, NOT_WATCHED, LoadSideState
from bmsd.core.settings import Settings
from bmsd.core.soc import SocState
from bmsd.core.state import CommonState, RefusedDirection, RefusedDirections, State, begin
from bmsd.core.switching import SwitchState
from bmsd.core.types import Request
from bmsd.tables.alarms import ALARMS, BOTH
from tests.support.bench_inputs import PERIOD_MS, START_MS, Pack, make_settings
from tests.support.changed import replace

T = START_MS
SETTINGS = make_settings()
OFF, ON = SwitchState(False, T - 60_000), SwitchState(True, T - 60_000)


def evaluation(
    state: dict[str, Any] | None = None,
    *requests: Request,
    settings: Settings = SETTINGS,
    **readings: Any,
) -> Evaluation:
    """Judge one cycle of a fresh state with these parts in it."""
    before: State = replace(begin(T), **(state or {}))
    pack = Pack(settings, now_ms=T, **readings)
    return evaluate(settings, before, pack.inputs(requests))


def active(found: Evaluation) -> set[str]:
    return {alarm.name for alarm, _ in found.active}


def suspected(found: Evaluation) -> set[str]:
    """Name the alarms that are active or whose time runs."""
    quiet = AlarmState()
    return {alarm.name for alarm, state in zip(ALARMS, found.alarms, strict=True) if state != quiet}


def reset(name: str) -> Request:
    return Request("reset", name, None, "uid 7")


FAILED = {
    "precharge": PrechargeState(SwitchState(closings=2), tries=3),
    "watch": WatchState(T - PERIOD_MS, heated_ms=99_000, reference_decic=240, run_ms=77_000),
    "shorts": (T - 1000, T - 500),
    "heater": ON,
}


def test_a_reset_begins_anew_what_it_names_and_nothing_else() -> None:
    """S13: tries of the pre-charge, the watch over the heater, counted shorts."""
    kept = WatchState(last_ms=T, heated_ms=99_000 + PERIOD_MS, reference_decic=240, run_ms=77_000 + PERIOD_MS)
    anew = WatchState(last_ms=T, heated_ms=PERIOD_MS, reference_decic=241, run_ms=77_000 + PERIOD_MS)
    for name, tries, watch, shorts in (
        ("cell_floor", 3, kept, FAILED["shorts"]),
        ("precharge_failed", 0, kept, FAILED["shorts"]),
        ("heater_no_warming", 3, anew, FAILED["shorts"]),
        ("short_circuit_repeated", 3, kept, ()),
    ):
        found = evaluation(FAILED, reset(name), battery=[241, 251])
        assert (found.precharge.tries, found.watch, found.shorts) == (tries, watch, shorts), name
        assert found.precharge.relay == SwitchState(closings=2)


def test_an_unknown_sensor_is_no_reference_for_warmth() -> None:
    """S2, S4: the coldest known one need not be the coldest."""
    before = {"watch": WatchState(T - PERIOD_MS), "heater": ON}
    assert evaluation(before, battery=[245, 251]).watch.reference_decic == 245
    assert evaluation(before, battery=[None, 251]).watch.reference_decic is None


def test_a_running_heater_at_too_high_a_voltage_is_beyond_its_limits() -> None:
    """S4: 80 V over 24 ohm are 3.3 A; and only a running one, of known resistance at a known voltage."""
    name = "heater_over_limit"
    assert name in suspected(evaluation({"heater": ON}, charger_mv=80_000))
    assert name not in suspected(evaluation({"heater": ON}, charger_mv=16_000))
    assert name not in suspected(evaluation({"heater": OFF}, charger_mv=80_000))
    assert name not in suspected(evaluation({"heater": ON}, charger_mv=None))
    none_fitted = make_settings(heater_mohm=None)
    assert name not in suspected(evaluation({"heater": ON}, settings=none_fitted, charger_mv=80_000))
    on_pack = make_settings(heater_from_pack=True, heater_mohm=6000)
    assert name in suspected(evaluation({"heater": ON}, settings=on_pack, current_ma=-50_000))
    assert name not in suspected(evaluation({"heater": OFF}, settings=on_pack, current_ma=-50_000))


def test_an_override_in_force_is_an_active_alarm() -> None:
    """S10: announced on every output, and only then."""
    assert "emergency_override" in active(evaluation({"override": Override(T - 1)}))
    assert "emergency_override" not in active(evaluation())


TOLD = {
    "sent_limits": SentLimits(
        T - 20_000, HighestLimits(13_800, 10_000, 20_000), HighestLimits(13_800, 10_000, 20_000)
    )
}


@pytest.mark.parametrize("closed", ["charge", "discharge", "main"])
def test_an_inverter_is_held_to_its_limits_while_any_contactor_is_closed(closed) -> None:
    settings = make_settings(topology="common" if closed == "main" else "split")
    found = suspected(evaluation({**TOLD, closed: ON}, settings=settings, current_ma=50_000))
    assert "charge_limit_ignored" in found
    assert "charge_limit_ignored" not in suspected(evaluation(TOLD, settings=settings, current_ma=50_000))


@pytest.mark.parametrize(
    ("open_", "closed", "sign"), [("charge", "discharge", 1), ("discharge", "charge", -1)]
)
def test_a_current_past_its_open_contactor_is_seen_while_the_other_is_closed(open_, closed, sign) -> None:
    name = f"{open_}_past_contactor"
    assert name in suspected(evaluation({open_: OFF, closed: ON}, current_ma=sign * 20_000))
    assert name not in suspected(evaluation({open_: OFF, closed: ON}, current_ma=-sign * 20_000))
    assert name not in suspected(evaluation({open_: ON, closed: ON}, current_ma=sign * 20_000))


@pytest.mark.parametrize(
    ("topology", "closed", "is_watched"),
    [
        ("split", (), True),
        ("split", ("charge", "main"), True),
        ("split", ("discharge",), False),
        ("afe", (), True),
        ("afe", ("main",), True),
        ("afe", ("charge",), False),
        ("afe", ("discharge",), False),
        ("common", (), True),
        ("common", ("charge", "discharge"), True),
        ("common", ("main",), False),
    ],
)
def test_a_load_side_is_watched_with_every_switch_open_that_joins_it_to_the_pack(
    topology, closed, is_watched
) -> None:
    """S2: of the chip's own FETs either one feeds it, through the body diode of the other."""
    stands = LoadSideState(T - SETTINGS.parameters.bus_hold_ms, 13_200)
    before = {"charge": OFF, "discharge": OFF, "main": OFF, "load_side": stands, **dict.fromkeys(closed, ON)}
    found = evaluation(before, settings=make_settings(topology=topology), load_mv=13_200)
    assert found.load_side == (stands if is_watched else NOT_WATCHED)
    assert (NAME in suspected(found)) is is_watched


@pytest.mark.parametrize(("direction", "sign"), [("charge", 1), ("discharge", -1)])
def test_a_current_that_goes_on_through_the_common_contactor_is_an_alarms_cause(direction, sign) -> None:
    """S1: told zero, it went on; one that did so before trips at once."""
    name, common = f"{direction}_not_stopped", make_settings(topology="common")
    told = {"main": ON, "common": CommonState(BOTH)}
    again = {
        **told,
        "refusals": RefusedDirections(**{direction: RefusedDirection(T - 20_000, 1, T - 100_000)}),
    }
    assert name in suspected(evaluation(told, settings=common, current_ma=sign * 20_000))
    assert name not in active(evaluation(told, settings=common, current_ma=sign * 20_000))
    assert name in active(evaluation(again, settings=common, current_ma=sign * 20_000))
    assert name not in suspected(evaluation(again, settings=common, current_ma=-sign * 20_000))
    assert name not in suspected(evaluation(again, settings=SETTINGS, current_ma=sign * 20_000))


def test_a_new_override_counts_each_contactors_operations_anew_and_an_older_one_does_not() -> None:
    """S10, S12: life and rest of each stay its own."""
    names = ("charge", "discharge", "main")
    used = {name: SwitchState(False, T - n, (T - n,), 10 + n) for n, name in enumerate(names, 1)}
    relay = SwitchState(False, T - 9, (T - 9,), 19)
    before = replace(begin(T), **used, precharge=PrechargeState(relay, 2))
    for override, anew in ((None, False), (Override(T - 1), False), (Override(T), True)):
        found = evaluate(SETTINGS, before, Pack(SETTINGS, now_ms=T).inputs())._replace(override=override)
        state, after = restart_counts(before, found, T)
        for name in names:
            expected = replace(used[name], starts_ms=()) if anew else used[name]
            assert getattr(state, name) == expected
        assert after.precharge == PrechargeState(replace(relay, starts_ms=()) if anew else relay, 2)


@pytest.mark.parametrize("cell_mv", [2600, 3000, 3300])
def test_a_first_count_is_read_from_the_average_cell(cell_mv) -> None:
    found, expected = evaluation(cells=[cell_mv] * 4).soc, soc.first(SETTINGS, cell_mv)
    assert found is not None
    assert (found.charge_mams, found.error_permille) == (expected.charge_mams, expected.error_permille)
    assert soc.first(SETTINGS, 2600) != soc.first(SETTINGS, 3000) != soc.first(SETTINGS, 3300)


def test_without_all_cells_no_count_begins_and_one_that_runs_goes_on() -> None:
    """S2."""
    assert evaluation(cells=[3300, None, 3300, 3300]).soc is None
    assert evaluation(polled=False).soc is None
    running = SocState(charge_mams=123_456_789, error_permille=20, last_ms=T - PERIOD_MS)
    for cells in ([3300] * 4, [3300, None, 3300, 3300]):
        found = evaluation({"soc": running}, cells=cells, current_ma=1000).soc
        assert found is not None
        assert found.charge_mams == 123_456_789 + 1000 * PERIOD_MS
