"""Heat in one cycle: is it demanded, what is the heater told of pack and switches, and what is learned beside it."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import heating
from bmsd.core.alarms import ALL_QUIET, AlarmState
from bmsd.core.diode import Diode, Diodes
from bmsd.core.evaluation import evaluate
from bmsd.core.heating import Heated
from bmsd.core.settings import Settings
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.state import CommonState, begin
from bmsd.core.supply import READY_MS, SupplyState
from bmsd.core.switching import SwitchState
from bmsd.core.types import Inhibit, InhibitCause
from bmsd.tables.alarms import ALARMS, BOTH, Block
from tests.support.bench_inputs import START_MS, Pack, make_settings
from tests.support.changed import replace

T = START_MS
OFF, ON = SwitchState(False, T - 60_000), SwitchState(True, T - 60_000)
COLD = tuple(AlarmState(row.name == "charge_utp", T) for row in ALARMS)
SPLIT, COMMON, FETS = (
    make_settings(topology=name, heater_from_pack=True) for name in ("split", "common", "afe")
)
LOW = SocState(charge_mams=1000 * MAMS_PER_MAH, error_permille=5)
"""A hundredth of the capacity."""
ABOVE, ALONE = {"charger_mv": 14_400}, {"charger_mv": 0}


def heated(
    settings: Settings = SPLIT,
    *,
    alarms: tuple[AlarmState, ...] = COLD,
    evaluation: dict[str, Any] | None = None,
    readings: dict[str, Any] | None = None,
    **state: Any,
) -> Heated:
    """Decide one cycle of a cold pack that is started, with everything open, but for what is given."""
    pack = Pack(settings, now_ms=T, battery=[-80, -80], **(readings or ALONE))
    before = replace(begin(T, soc_state=LOW), **{"charge": OFF, "discharge": OFF, "main": OFF, **state})
    inputs = pack.inputs()
    found = evaluate(settings, before, inputs)._replace(
        alarms=alarms, **{"block": Block.CHARGE, **(evaluation or {})}
    )
    return heating.advance(settings, before, found, (), inputs, started=True)


@pytest.mark.parametrize(
    ("mohm", "alarms", "demanded"),
    [(24_000, COLD, True), (24_000, ALL_QUIET, False), (None, COLD, False), (None, ALL_QUIET, False)],
)
def test_heat_is_demanded_where_a_heater_is_fitted_and_the_cells_are_too_cold_to_charge(
    mohm, alarms, demanded
) -> None:
    """S3."""
    assert heated(make_settings(heater_mohm=mohm), alarms=alarms).demanded is demanded


def test_a_start_that_waits_for_an_operator_says_so_of_the_heater() -> None:
    """S13: what may not be charged yet needs no heat."""
    assert heated(evaluation={"asked_for": Block.DISCHARGE}).wait == Inhibit(InhibitCause.NOT_ASKED, "charge")
    assert heated(evaluation={"asked_for": BOTH}).wait == Inhibit(InhibitCause.LOW_CHARGE, "soc_permille")


def test_a_charge_that_was_never_counted_pays_for_no_heat() -> None:
    """S2, S4."""
    assert heated(evaluation={"soc": None}).wait == Inhibit(InhibitCause.LOW_CHARGE, "soc_permille")


@pytest.mark.parametrize(
    ("settings", "state", "is_joined"),
    [
        (COMMON, {"main": ON}, True),
        (COMMON, {"charge": ON, "discharge": ON}, False),
        (FETS, {"discharge": ON}, True),
        (FETS, {"charge": OFF, "main": ON}, False),
        (SPLIT, {"discharge": ON}, False),
        (SPLIT, {"main": ON}, False),
        (make_settings(topology="common", heater_from_pack=True, limits_told=False), {"main": ON}, False),
        (make_settings(topology="afe", heater_from_pack=True, limits_told=False), {"discharge": ON}, False),
    ],
)
def test_a_low_pack_asks_only_an_inverter_that_is_told_and_joined_to_it(settings, state, is_joined) -> None:
    """S4: on two contactors the way of the charge is open in the cold. Here the load is not known yet."""
    told = {"common": CommonState(Block.CHARGE)}
    asks, asks_none = (
        Inhibit(InhibitCause.LOAD_UNKNOWN, "current_ma"),
        Inhibit(InhibitCause.LOW_CHARGE, "soc_permille"),
    )
    assert heated(settings, **told, **state).wait == (asks if is_joined else asks_none)


def test_a_charge_fet_alone_joins_no_pack_to_its_inverter() -> None:
    """Nothing flows out through it; here it is on to spare its diode."""
    spared = {"charge": ON, "diodes": Diodes(charge=Diode(True))}
    low, joined = heated(FETS, **spared), heated(FETS, **spared, discharge=ON)
    assert (low.supply.joined_ms, joined.supply.joined_ms) == (None, T)


@pytest.mark.parametrize(
    ("settings", "state", "joined_ms"),
    [
        (SPLIT, {"discharge": ON}, T),
        (SPLIT, {"charge": ON, "main": ON}, None),
        (FETS, {"discharge": ON}, T),
        (COMMON, {"main": ON}, T),
        (COMMON, {"charge": ON, "discharge": ON}, None),
    ],
)
def test_the_load_is_seen_through_the_switch_that_carries_it(settings, state, joined_ms) -> None:
    assert heated(settings, **state).supply.joined_ms == joined_ms


@pytest.mark.parametrize(
    ("settings", "state", "above_ms"),
    [
        (SPLIT, {}, T),
        (SPLIT, {"charge": ON}, None),
        (SPLIT, {"discharge": ON}, T),
        (COMMON, {"main": ON}, None),
        (FETS, {"diodes": Diodes(charge=Diode(True))}, None),
        (FETS, {"diodes": Diodes(discharge=Diode(True))}, T),
    ],
)
def test_a_charger_stands_above_the_pack_only_where_nothing_joins_the_two(settings, state, above_ms) -> None:
    """S3: behind a closed switch, or a FET that spares its diode, both sides are one."""
    assert heated(settings, readings=ABOVE, **state).supply.alive_ms == above_ms


@pytest.mark.parametrize(
    ("settings", "state", "charged_ms"),
    [
        (SPLIT, {"charge": ON}, T),
        (SPLIT, {"discharge": ON}, None),
        (SPLIT, {}, None),
        (COMMON, {"main": ON}, T),
        (COMMON, {"main": ON, "common": CommonState(Block.DISCHARGE)}, T),
        (COMMON, {"main": ON, "common": CommonState(Block.CHARGE)}, None),
        (COMMON, {"main": ON, "common": CommonState(BOTH)}, None),
        (COMMON, {"common": CommonState(Block.DISCHARGE)}, None),
        (COMMON, {}, None),
    ],
)
def test_a_current_that_comes_in_shows_a_charger_where_charge_is_allowed(settings, state, charged_ms) -> None:
    """S2: where nothing is closed for it, or it is told zero, a reading of it proves no payer."""
    flows = {"charger_mv": 0, "current_ma": 20_000}
    assert heated(settings, readings=flows, **state).supply.charged_ms == charged_ms


def test_what_is_learned_in_a_cycle_counts_in_it() -> None:
    """S4: a charger that has just gone pays for nothing any more, however long it stood there."""
    ready = {"supply": SupplyState(alive_ms=T - READY_MS)}
    assert heated(**ready, readings=ABOVE).wait is None
    gone = heated(**ready, readings=ALONE)
    assert (gone.wait, gone.supply.alive_ms) == (Inhibit(InhibitCause.LOW_CHARGE, "soc_permille"), None)


def test_where_no_heater_is_fitted_nothing_is_learned_of_its_supply() -> None:
    none = make_settings(heater_mohm=None)
    known = SupplyState()
    assert heated(none, supply=known, readings=ABOVE).supply is known
    assert heated(make_settings(), supply=known, readings=ABOVE).supply.alive_ms == T
