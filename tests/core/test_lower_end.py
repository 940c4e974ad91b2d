"""The lower end of the pack, call by call: the warning, the shutdown, and the wish for charge."""

from __future__ import annotations

import pytest

from bmsd.core.alarms import ALL_QUIET, AlarmState, Finding
from bmsd.core.low_battery import findings, force_charge
from bmsd.core.plausible import HeldReadings, Reading, Values, validate
from bmsd.core.types import ChipFault, Measurement
from bmsd.tables.alarms import ALARMS
from tests.support.bench_inputs import make_settings

P = make_settings(chosen={"force_charge_permille": 50, "force_charge_end_permille": 100}).parameters


def believed(lowest: Reading, current_ma: int | None = 0) -> Values:
    measured = Measurement(
        cell_mv=(3300,) * 4,
        stack_mv=13_200,
        charger_mv=0,
        load_mv=0,
        current_ma=current_ma,
        battery_decic=(250, 250),
        switch_decic=300,
        faults=ChipFault.NONE,
    )
    return validate(HeldReadings(), measured, 0, P)[0]._replace(cell_min=lowest)


def active(*names: str) -> tuple[AlarmState, ...]:
    return tuple(AlarmState(True) if a.name in names else s for a, s in zip(ALARMS, ALL_QUIET, strict=True))


GOOD = Reading(3300, True, 1)
LOW_MV, RECOVERED_MV = 2700 + 100, 3000


def test_a_pack_in_order_finds_nothing() -> None:
    assert findings(P, ALL_QUIET, believed(GOOD)) == {}


@pytest.mark.parametrize(("mv", "is_low"), [(LOW_MV, False), (LOW_MV - 1, True)])
def test_the_warning_comes_a_margin_above_under_voltage(mv, is_low) -> None:
    found = findings(P, ALL_QUIET, believed(Reading(mv, True, 3)))
    assert found == ({"cell_low": Finding(True, mv, 3)} if is_low else {})


@pytest.mark.parametrize(("mv", "is_low"), [(RECOVERED_MV, False), (RECOVERED_MV - 1, True)])
def test_it_stays_until_recovery(mv, is_low) -> None:
    found = findings(P, active("cell_low"), believed(Reading(mv, True, 3)))
    assert found == ({"cell_low": Finding(True, mv, 3)} if is_low else {})


def test_it_never_begins_above_recovery() -> None:
    wide = make_settings(chosen={"cell_low_margin_mv": 500}).parameters
    assert findings(wide, ALL_QUIET, believed(Reading(RECOVERED_MV, True, 1))) == {}
    assert findings(wide, ALL_QUIET, believed(Reading(RECOVERED_MV - 1, True, 1))) != {}


def test_beside_an_unknown_cell_a_low_one_is_low_and_a_good_one_is_no_answer() -> None:
    """S2."""
    assert findings(P, ALL_QUIET, believed(Reading(2750, False, 2))) == {"cell_low": Finding(True, 2750, 2)}
    assert findings(P, ALL_QUIET, believed(Reading(3300, False, 2))) == {"cell_low": Finding(None, 3300, 2)}
    assert findings(P, ALL_QUIET, believed(Reading(None, False))) == {"cell_low": Finding(None, None, None)}


@pytest.mark.parametrize(
    ("current_ma", "bad"), [(501, False), (500, True), (0, True), (-9000, True), (None, None)]
)
def test_a_pack_at_shutdown_voltage_shuts_down_unless_charge_arrives(current_ma, bad) -> None:
    """S2: an unknown current neither begins it nor ends it."""
    found = findings(P, active("cell_shutdown"), believed(GOOD, current_ma))
    assert found == ({} if bad is False else {"auto_shutdown": Finding(bad)})


@pytest.mark.parametrize("name", ["cell_low", "cell_uvp", "pack_uvp", "cell_shutdown", "auto_shutdown"])
def test_each_alarm_of_the_lower_end_asks_for_charge(name) -> None:
    assert force_charge(P, False, active(name), 900)
    assert force_charge(P, False, active(name), None)


def test_no_other_alarm_does() -> None:
    others = {alarm.name for alarm in ALARMS} - {
        *("cell_low", "cell_uvp", "pack_uvp", "cell_shutdown", "auto_shutdown")
    }
    assert not force_charge(P, False, active(*others), 900)


@pytest.mark.parametrize(
    ("before", "permille", "asks"),
    [
        (False, 49, True), (False, 50, False), (True, 50, True), (True, 99, True), (True, 100, False),
        (False, None, False), (True, None, True),
    ],
)  # fmt: skip
def test_a_low_state_of_charge_asks_until_there_is_more(before, permille, asks) -> None:
    """S2, S12: unknown changes nothing; it begins and ends at different values."""
    assert force_charge(P, before, ALL_QUIET, permille) is asks
