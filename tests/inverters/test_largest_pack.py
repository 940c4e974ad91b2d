"""The largest pack that a configuration accepts: what a field cannot hold may mislead nobody."""

from __future__ import annotations

import pytest

from bmsd.inverters.protocols import PROTOCOLS, voltage_problems
from bmsd.tables.configuration import KEYS
from bmsd.tables.parameters import BY_NAME
from tests.inverters.packs import POINTS, decoded, document

EVERY = pytest.mark.parametrize("name", PROTOCOLS)
CAPACITY_MAH = round(next(key.high for key in KEYS if key.name == "capacity_ah") * 1000)
MOST_MA = BY_NAME["charge_max_ma"].high
REACHES = {"sma": 1_200_000}
"""Currents that a protocol reaches where it is less than its field."""


@EVERY
@pytest.mark.parametrize("full_permille", [0, 333, 500, 1000])
@pytest.mark.parametrize("capacity_mah", [280_000, 655_350, 655_360, 1_000_000, CAPACITY_MAH])
def test_what_remains_is_told_as_its_share_of_what_is_told_of_the_capacity(
    name, full_permille, capacity_mah
) -> None:
    """A field of 655.35 Ah at its end said "full" for a pack of 1,000 Ah down to two thirds."""
    remaining_mah = capacity_mah * full_permille // 1000
    values = decoded(name, document(capacity_mah=capacity_mah, remaining_mah=remaining_mah))
    if values.get("capacity_mah") is None or values.get("remaining_mah") is None:
        return
    share = 1000 * values["remaining_mah"] / values["capacity_mah"]
    assert share == pytest.approx(full_permille, abs=2)
    assert values["capacity_mah"] <= capacity_mah


@EVERY
@pytest.mark.parametrize("point", ["charge_limit_ma", "discharge_limit_ma"])
def test_no_limit_is_told_larger_than_it_is(name, point) -> None:
    """S7: at its end a limit is told as less."""
    told_ma = decoded(name, document(**{point: MOST_MA})).get(point)
    if told_ma is not None:
        assert REACHES.get(name, 1_000_000) >= told_ma
        assert told_ma >= min(MOST_MA, 1_000_000)


@EVERY
@pytest.mark.parametrize("current_ma", [MOST_MA, -MOST_MA])
def test_the_largest_current_keeps_its_sign_and_size(name, current_ma) -> None:
    told_ma = decoded(name, document(current_ma=current_ma)).get("current_ma")
    if told_ma is not None and abs(told_ma) != abs(current_ma):
        assert told_ma * current_ma > 0
        assert abs(told_ma) >= 400_000, "JK's field ends at 400 A"


@EVERY
@pytest.mark.parametrize("cells", [3, 8, 16, 24, 32])
def test_a_charge_voltage_is_told_as_it_is_or_refused(name, cells) -> None:
    """Of each cell count, LTO to Li-ion."""
    for charge_mv in (1_200 * cells, 2_700 * cells, 3_450 * cells, 4_350 * cells):
        points = {**POINTS, "pack_mv": charge_mv - 500, "charge_limit_mv": charge_mv}
        told_mv = decoded(name, {"points": points, "alarms": []}).get("charge_limit_mv")
        if told_mv is not None and not voltage_problems(name, charge_mv):
            assert charge_mv - 100 < told_mv <= charge_mv


def test_luxpower_is_told_the_configured_capacity_while_data_is_lost() -> None:
    """S7: it is not measured; 0 Ah would be a statement."""
    assert decoded("luxpower", None)["capacity_mah"] == 280_000


@pytest.mark.parametrize("name", ["pylontech", "deye", "sunsynk", "luxpower", "solark", "victron", "byd"])
def test_who_reads_the_capacity_in_0x379_is_told_it(name) -> None:
    frame = next(frame for frame in PROTOCOLS[name].frames if frame.id == 0x379)
    assert [signal.name for signal in frame.signals] == ["capacity_mah"]
    assert decoded(name, document(capacity_mah=CAPACITY_MAH))["capacity_mah"] == CAPACITY_MAH


@pytest.mark.parametrize("name", ["growatt", "sma"])
@pytest.mark.parametrize(
    ("charge_mv", "good"), [(40_999, False), (41_000, True), (63_000, True), (63_001, False)]
)
def test_inverters_for_48_v_are_refused_other_packs(name, charge_mv, good) -> None:
    assert (voltage_problems(name, charge_mv) == []) is good
