"""Each single reason that keeps the heater off, with everything else in its favour (S3, S4)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import heater
from bmsd.core.heater import HeaterInputs, charger_present, decide, misfit, supply_mv
from bmsd.core.plausible import HeldReadings, Reading, Values, validate
from bmsd.core.settings import Settings
from bmsd.core.supply import Lightest, SupplyState
from bmsd.core.switching import SwitchState
from bmsd.core.types import ChipFault, Inhibit, InhibitCause, Measurement
from bmsd.tables.alarms import Block
from tests.support.bench_inputs import make_settings
from tests.support.changed import replace

SETTINGS = make_settings()
FROM_PACK = make_settings(heater_from_pack=True)
OFF = SwitchState()


def believed(
    *,
    charger_mv: int | None = 16_000,
    current_ma: int | None = 0,
    coldest: int = -80,
    warmest: int = 100,
) -> Values:
    measured = Measurement(
        cell_mv=(3300,) * 4,
        stack_mv=13_200,
        charger_mv=charger_mv,
        load_mv=0,
        current_ma=current_ma,
        battery_decic=(coldest, warmest),
        switch_decic=300,
        faults=ChipFault.NONE,
    )
    return validate(HeldReadings(), measured, 0, SETTINGS.parameters)[0]


def cold(values: Values | None = None, **more: Any) -> HeaterInputs:
    """Give a situation in which the heater goes on, but for what is given."""
    wanted = HeaterInputs(
        values=values or believed(),
        demanded=True,
        started=True,
        unknown=(),
        block=Block.NONE,
        charge_is_open=True,
        soc_permille=500,
        now_ms=1_000_000,
    )
    return replace(wanted, **more)


def reason(settings: Settings, at: HeaterInputs) -> Inhibit | None:
    state, why = decide(settings, OFF, at)
    assert state.on is (why is None)
    return why


def test_with_nothing_against_it_it_goes_on() -> None:
    assert reason(SETTINGS, cold()) is None
    assert reason(FROM_PACK, cold()) is None


LOST = Inhibit(InhibitCause.UNKNOWN, "cell_mv")


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (cold(demanded=False), Inhibit(InhibitCause.NOT_NEEDED, "battery_min")),
        (cold(started=False), Inhibit(InhibitCause.STARTING)),
        (cold(block=Block.HEATER | Block.CHARGE), Inhibit(InhibitCause.ALARM)),
        (cold(unknown=(LOST, Inhibit(InhibitCause.UNKNOWN, "stack_mv"))), LOST),
        (cold(believed(coldest=50)), Inhibit(InhibitCause.NOT_NEEDED, "battery_min")),
        (cold(believed(charger_mv=None)), Inhibit(InhibitCause.NO_SUPPLY)),
        (cold(believed(charger_mv=13_200)), Inhibit(InhibitCause.NO_CHARGER)),
        (cold(charge_is_open=False), Inhibit(InhibitCause.CHARGE_FIRST, "charge")),
    ],
    ids=lambda given: given.because.value if isinstance(given, Inhibit) else "",
)
def test_one_reason_alone_keeps_it_off(at, why) -> None:
    """S3, S4."""
    assert reason(SETTINGS, at) == why


@pytest.mark.parametrize("coldest", [Reading(None, False), Reading(-80, False, 1), Reading(None, True)])
def test_a_coldest_place_that_is_not_known_for_sure_keeps_it_off(coldest) -> None:
    """S4: never on while a battery temperature is unknown, even when no other list says so."""
    at = cold(believed()._replace(battery_min=coldest))
    assert reason(SETTINGS, at) == Inhibit(InhibitCause.UNKNOWN, "battery_decic")


def test_one_tenth_below_recovery_is_still_heated() -> None:
    assert reason(SETTINGS, cold(believed(coldest=49))) is None


APART = Inhibit(InhibitCause.SENSORS_APART, "battery_spread")


@pytest.mark.parametrize(("coldest", "why"), [(-150, None), (-151, APART)])
def test_sensors_further_apart_than_25_kelvin_keep_it_off(coldest, why) -> None:
    """S4: one of them is wrong, and nobody knows which."""
    assert reason(SETTINGS, cold(believed(coldest=coldest))) == why


def test_sensors_that_nobody_can_compare_keep_it_off() -> None:
    """S2, S4."""
    assert reason(SETTINGS, cold(believed()._replace(battery_spread=Reading(None, False)))) == APART


@pytest.mark.parametrize(("warmest", "is_on"), [(0, True), (1, False)])
def test_a_sensor_half_way_to_the_upper_limit_keeps_it_off(warmest, is_on) -> None:
    """S4: half way from recovery in the cold to recovery in the heat."""
    p = SETTINGS.parameters
    half = (p.charge_utpr_decic + p.charge_otpr_decic) // 2
    found = reason(SETTINGS, cold(believed(coldest=40, warmest=half + warmest)))
    assert found == (None if is_on else Inhibit(InhibitCause.WARM_SENSOR, "battery_max"))


def test_an_alarm_that_blocks_only_charging_does_not_end_heat() -> None:
    assert reason(SETTINGS, cold(block=Block.CHARGE | Block.BALANCE)) is None


def test_without_a_heater_there_is_none() -> None:
    assert reason(make_settings(heater_mohm=None), cold()) == Inhibit(InhibitCause.NOT_FITTED, "heater")


def test_a_supply_above_the_heaters_limits_keeps_it_off() -> None:
    """S4: 24 ohm bear 48.9 V for the 100 W of a small pack; the charger's side counts, being higher."""
    assert reason(SETTINGS, cold(believed(charger_mv=48_989))) is None
    assert reason(SETTINGS, cold(believed(charger_mv=48_990))) == Inhibit(InhibitCause.OVER_LIMIT, "heater")


@pytest.mark.parametrize(("permille", "is_on"), [(200, True), (199, False)])
def test_a_pack_heats_itself_only_above_its_least_charge(permille, is_on) -> None:
    least = FROM_PACK.parameters.heater_min_soc_permille
    found = reason(FROM_PACK, cold(soc_permille=least + permille - 200))
    assert found == (None if is_on else Inhibit(InhibitCause.LOW_CHARGE, "soc_permille"))


NOW_MS = 1_000_000
LOW = FROM_PACK.parameters.heater_min_soc_permille - 1
READY = SupplyState(alive_ms=NOW_MS - 600_000)
"""A charger that has stood above the pack for ten minutes."""
KNOWN = SupplyState(lightest=Lightest(0, -500))
PAUSES = SupplyState(until_ms=NOW_MS + 1, lightest=Lightest(0, -500))


@pytest.mark.parametrize(
    ("permille", "empty", "paid"), [(LOW + 1, False, False), (LOW, False, True), (LOW + 1, True, True)]
)
def test_a_low_or_empty_pack_pays_for_no_heat(permille, empty, paid) -> None:
    at = cold(soc_permille=permille, empty=empty)
    assert heater.must_be_paid(FROM_PACK, at) is paid
    assert heater.must_be_paid(SETTINGS, at) is False, (
        "where it hangs on the charger's side, it takes nothing"
    )


@pytest.mark.parametrize(
    ("given", "is_trial"),
    [
        ({"soc_permille": LOW}, True),
        ({"soc_permille": LOW, "supply": replace(READY, alive_ms=NOW_MS - 599_999)}, True),
        ({"soc_permille": LOW, "supply": READY}, False),
        ({"soc_permille": LOW + 1}, False),
        ({"soc_permille": LOW + 1, "empty": True}, True),
        ({"empty": True, "supply": READY}, True),
        ({"soc_permille": LOW, "joined": False}, False),
        ({"empty": True, "joined": False}, False),
    ],
)
def test_only_the_current_shows_who_pays_for_the_heat_of_a_low_pack_that_is_joined(given, is_trial) -> None:
    """A charger that stays above a low pack is sign enough; for an empty one only what comes in at once is."""
    at = cold(**{"joined": True, **given})
    assert heater.on_trial(FROM_PACK, at) is is_trial
    assert heater.asked_ma(FROM_PACK, at, True) == (550 if is_trial else 0), "24 ohm at 13.2 V"
    assert heater.asked_ma(FROM_PACK, at, False) == 0


def test_nothing_is_asked_for_a_heater_that_the_charger_feeds_itself() -> None:
    assert heater.asked_ma(SETTINGS, cold(joined=True, empty=True), True) == 0


@pytest.mark.parametrize(
    ("settings", "given", "waits"),
    [
        (FROM_PACK, {}, True),
        (FROM_PACK, {"supply": replace(PAUSES, until_ms=NOW_MS)}, True),
        (FROM_PACK, {"supply": PAUSES}, False),
        (FROM_PACK, {"empty": False}, False),
        (FROM_PACK, {"empty": False, "soc_permille": LOW}, False),
        (FROM_PACK, {"demanded": False}, False),
        (FROM_PACK, {"block": Block.HEATER}, False),
        (SETTINGS, {}, False),
        (make_settings(heater_from_pack=True, limits_told=False), {}, False),
    ],
)
def test_an_empty_pack_in_the_cold_waits_for_a_charger_that_can_be_asked(settings, given, waits) -> None:
    """S15: but not in the pause after a trial that nobody paid for."""
    assert heater.waits_for_payer(settings, cold(**{"empty": True, **given})) is waits


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"supply": READY}, None),
        ({"joined": True, "supply": KNOWN}, None),
        ({"joined": True}, Inhibit(InhibitCause.LOAD_UNKNOWN, "current_ma")),
        ({"joined": True, "supply": PAUSES}, Inhibit(InhibitCause.NOT_PAID, "soc_permille", NOW_MS + 1)),
        ({"joined": True, "supply": replace(PAUSES, until_ms=NOW_MS)}, None),
        ({}, Inhibit(InhibitCause.LOW_CHARGE, "soc_permille")),
        ({"empty": True}, Inhibit(InhibitCause.LOW_CHARGE, "cell_min")),
        ({"empty": True, "supply": READY}, Inhibit(InhibitCause.LOW_CHARGE, "cell_min")),
        ({"empty": True, "joined": True}, None),
        ({"empty": True, "joined": True, "supply": READY}, None),
        (
            {"empty": True, "joined": True, "supply": PAUSES},
            Inhibit(InhibitCause.NOT_PAID, "soc_permille", NOW_MS + 1),
        ),
    ],
)
def test_a_low_pack_is_heated_only_by_who_pays_or_may_be_tried(given, why) -> None:
    """S4: an empty one is joined for the heater alone, so that no load needs to be known beside it."""
    assert reason(FROM_PACK, cold(**{"soc_permille": LOW, **given})) == why


def test_a_rest_that_is_not_over_names_the_heater() -> None:
    """S12: with when it ends."""
    state, why = decide(SETTINGS, SwitchState(False, 999_999), cold())
    assert not state.on
    rest_ms = SETTINGS.parameters.heater_min_off_ms
    assert why == Inhibit(InhibitCause.MIN_OFF, "heater", 999_999 + rest_ms)
    assert decide(SETTINGS, SwitchState(False, 1_000_000 - rest_ms), cold())[0].on


def test_its_supply_is_the_higher_of_pack_and_charger() -> None:
    assert supply_mv(SETTINGS, believed(charger_mv=16_000)) == 16_000
    assert supply_mv(SETTINGS, believed(charger_mv=0)) == 13_200
    assert supply_mv(FROM_PACK, believed(charger_mv=16_000)) == 13_200
    assert supply_mv(FROM_PACK, believed(charger_mv=None)) == 13_200


def test_an_unknown_pack_or_charger_voltage_is_no_supply() -> None:
    """S2."""
    unknown = believed()._replace(pack_mv=Reading(None, False))
    assert supply_mv(SETTINGS, unknown) is None
    assert supply_mv(FROM_PACK, unknown) is None
    assert supply_mv(SETTINGS, believed(charger_mv=None)) is None


def test_a_charger_shows_by_its_current_or_by_its_voltage() -> None:
    detect_mv = SETTINGS.parameters.charger_detect_mv
    assert charger_present(SETTINGS, believed(charger_mv=None, current_ma=501)) is True
    assert charger_present(SETTINGS, believed(charger_mv=0, current_ma=500)) is False
    assert charger_present(SETTINGS, believed(charger_mv=13_200 + detect_mv)) is True
    assert charger_present(SETTINGS, believed(charger_mv=13_200 + detect_mv - 1)) is False
    assert charger_present(SETTINGS, believed(charger_mv=13_200 + detect_mv, current_ma=None)) is True


@pytest.mark.parametrize("lost", [{"charger_mv": None}, {"pack_mv": Reading(None, False)}])
def test_an_unknown_voltage_is_neither_a_charger_nor_none(lost) -> None:
    """S2."""
    assert charger_present(SETTINGS, believed()._replace(**lost)) is None


def test_a_heater_that_fits_is_not_complained_about() -> None:
    assert misfit(24_000, 14_400, 3000, 100_000) == ""
    assert misfit(4800, 14_400, 3000, 100_000) == ""


def test_a_heater_that_does_not_fit_is_told_what_it_would_draw_and_what_would_do() -> None:
    """S4: a configuration that would exceed the limits at full pack voltage is refused."""
    assert misfit(10_000, 57_600, 3000, 200_000) == (
        "at full pack voltage (57.6 V) it would draw 5.76 A and 332 W; allowed are 3.00 A and 200 W."
        " Use at least 19.2 ohm"
    )
    assert misfit(1000, 57_600, 30_000, 2_000_000) == (
        "at full pack voltage (57.6 V) it would draw 57.60 A and 3318 W; allowed are 30.00 A and 2000 W."
        " Use at least 2.0 ohm"
    )
    assert misfit(20_000, 72_000, 3000, 200_000).endswith("Use at least 26.0 ohm")


def test_the_advised_resistance_is_never_rounded_down() -> None:
    for full_mv in range(10_000, 101_000, 997):
        said = float(misfit(1, full_mv, 3000, 200_000).rsplit(" ", 2)[1])
        assert misfit(round(said * 1000), full_mv, 3000, 200_000) == ""
        assert heater.exceeds(round(said * 1000) - 100, full_mv, 3000, 200_000)


def test_exactly_both_limits_are_allowed() -> None:
    """S4: 3 A through 6 ohm, 200 W in 50 ohm."""
    assert not heater.exceeds(6000, 18_000, 3000, 200_000)
    assert not heater.exceeds(50_000, 100_000, 3000, 200_000)


def test_only_a_heater_that_is_on_and_hangs_on_the_pack_takes_from_it() -> None:
    assert heater.taken_ma(replace(FROM_PACK, heater_mohm=6600), True, believed()) == 2000
    assert heater.taken_ma(FROM_PACK, False, believed()) == 0
    assert heater.taken_ma(SETTINGS, True, believed()) == 0
    assert heater.taken_ma(replace(FROM_PACK, heater_mohm=None), True, believed()) == 0
    unknown = believed()._replace(pack_mv=Reading(None, False))
    assert heater.taken_ma(FROM_PACK, True, unknown) == 0
