"""The presets, number by number as the JK reference resolves them, and the order every set must keep (S8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.errors import ParameterError
from bmsd.tables import parameters
from bmsd.tables.parameters import BY_NAME, ORDERS, ROWS
from tests.support.effort import examples

CURRENTS = {"charge_ocp_ma": 100_000, "discharge_ocp_ma": 150_000}
COLUMNS = (
    ("lifepo4", "default"), ("lifepo4", "jk-compatible"), ("li-ion", "default"), ("li-ion", "jk-compatible"),
    ("lto", "default"), ("lto", "jk-compatible"),
)  # fmt: skip
# JK reference, section 8, typed out: one column per chemistry and preset, in the order of COLUMNS.
TABLE: dict[str, tuple[int, ...]] = {
    "cell_ovp_mv": (3600, 3600, 4200, 4200, 2700, 2700),
    "cell_ovpr_mv": (3400, 3400, 4100, 4100, 2400, 2400),
    "cell_uvp_mv": (2700, 2700, 2900, 2900, 1800, 1800),
    "cell_uvpr_mv": (3000, 3000, 3200, 3200, 2000, 2000),
    "cell_shutdown_mv": (2600, 2600, 2800, 2800, 1700, 1700),
    "balance_trigger_mv": (10, 10, 10, 10, 10, 10),
    "charge_ocp_delay_ms": (30_000,) * 6,
    "charge_ocp_release_ms": (60_000,) * 6,
    "discharge_ocp_delay_ms": (30_000,) * 6,
    "discharge_ocp_release_ms": (60_000,) * 6,
    "short_circuit_release_ms": (60_000,) * 6,
    "charge_otp_decic": (550, 600, 550, 600, 600, 600),
    "charge_otpr_decic": (500, 550, 500, 550, 550, 550),
    "charge_utp_decic": (0, 0, 0, -200, -200, -200),
    "charge_utpr_decic": (50, 50, 50, -100, -100, -100),
    "discharge_otp_decic": (600,) * 6,
    "discharge_otpr_decic": (550,) * 6,
    "switch_otp_decic": (750,) * 6,
    "switch_otpr_decic": (650,) * 6,
    "heater_max_ma": (3000,) * 6,
    "heater_max_mw": (200_000,) * 6,
    # Emergency floor of the conflict list, 7.19: never discharged below.
    "cell_floor_mv": (2000, 2000, 2500, 2500, 1500, 1500),
}
# The cold end of discharging: a default of ours, off in the jk-compatible sets (the sensor's own end).
DISCHARGE_COLD = {
    ("lifepo4", "default"): (-200, -100), ("li-ion", "default"): (-200, -100),
    ("lto", "default"): (-300, -200), ("lto", "jk-compatible"): (-300, -200),
}  # fmt: skip


def filled(chemistry: str, preset: str, cells: int = 16, **chosen: int) -> dict[str, int | None]:
    return parameters.defaults(chemistry, preset, cells, {**CURRENTS, **chosen})


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("column", range(6), ids=[f"{c}-{p}" for c, p in COLUMNS])
def test_a_preset_number_is_that_of_the_reference(name, column) -> None:
    assert filled(*COLUMNS[column])[name] == TABLE[name][column]


@pytest.mark.parametrize(("column", "pair"), DISCHARGE_COLD.items(), ids=str)
def test_the_cold_limit_of_discharging(column, pair) -> None:
    values = filled(*column)
    assert (values["discharge_utp_decic"], values["discharge_utpr_decic"]) == pair


@pytest.mark.parametrize("chemistry", ["lifepo4", "li-ion"])
def test_the_jk_sets_have_no_cold_limit_of_discharging(chemistry) -> None:
    """No believable temperature is below the sensor's own end."""
    assert filled(chemistry, "jk-compatible")["discharge_utp_decic"] == -400


@pytest.mark.parametrize("column", COLUMNS, ids=str)
@pytest.mark.parametrize("cells", [3, 8, 16])
def test_every_preset_is_a_set_that_is_accepted(column, cells) -> None:
    """S8: whatever the chemistry."""
    values = filled(*column, cells=cells)
    assert parameters.problems(values, cells) == {}
    parameters.build(values, cells)


@pytest.mark.parametrize("column", COLUMNS, ids=str)
@pytest.mark.parametrize("name", CURRENTS)
def test_a_current_limit_has_no_default(column, name) -> None:
    """No document gives one: the installer must say it."""
    values = parameters.defaults(*column, 16, {k: v for k, v in CURRENTS.items() if k != name})
    assert values[name] is None
    with pytest.raises(ParameterError, match=BY_NAME[name].public_name):
        parameters.build(values, 16)


def test_shares_of_a_current_follow_it() -> None:
    values = filled("lifepo4", "default")
    assert values["charge_ocp2_ma"] == 150_000
    assert values["discharge_ocp2_ma"] == 225_000
    assert values["short_circuit_ma"] == 450_000
    assert values["charge_max_ma"] == 90_000
    assert values["discharge_max_ma"] == 135_000


# What the reference and the rules demand of every set, typed out: lower, higher, least gap.
WANTED = (
    ("cell_floor_mv", "cell_shutdown_mv", 5), ("cell_shutdown_mv", "cell_uvp_mv", 5),
    ("cell_uvp_mv", "cell_uvpr_mv", 5), ("cell_uvpr_mv", "cell_ovpr_mv", 5), ("cell_ovpr_mv", "cell_ovp_mv", 5),
    ("pack_uvp_mv", "pack_uvpr_mv", 5), ("pack_uvpr_mv", "pack_ovpr_mv", 5), ("pack_ovpr_mv", "pack_ovp_mv", 5),
    ("charge_utp_decic", "charge_utpr_decic", 20), ("charge_otpr_decic", "charge_otp_decic", 20),
    ("charge_utpr_decic", "charge_otpr_decic", 20),
    ("discharge_utp_decic", "discharge_utpr_decic", 20), ("discharge_otpr_decic", "discharge_otp_decic", 20),
    ("discharge_utpr_decic", "discharge_otpr_decic", 20), ("switch_otpr_decic", "switch_otp_decic", 50),
    ("cell_charge_mv", "cell_ovp_mv", 5), ("cell_spread_release_mv", "cell_spread_mv", 5),
    ("charge_ocp_ma", "charge_ocp2_ma", 0), ("discharge_ocp_ma", "discharge_ocp2_ma", 0),
    ("discharge_ocp2_ma", "short_circuit_ma", 0),
    ("charge_max_ma", "charge_ocp_ma", 0), ("discharge_max_ma", "discharge_ocp_ma", 0),
)  # fmt: skip


@pytest.mark.parametrize(("lower", "higher", "gap"), WANTED)
def test_two_limits_that_meet_are_refused_and_their_least_gap_is_not(lower, higher, gap) -> None:
    """S8: by at least the measuring error, 5 mV and 2 K."""
    found = {(order.lower, order.higher): order.gap for order in ORDERS}
    assert found[lower, higher] == gap
    base = filled("lifepo4", "default")
    high = base[higher]
    assert high is not None
    low_row, high_row = BY_NAME[lower], BY_NAME[higher]
    rule = [f"{low_row.public_name} (", high_row.public_name]

    def says(value: int) -> bool:
        texts = parameters.problems({**base, lower: value}, 16).values()
        return any(all(part in text for part in rule) for text in texts)

    assert not says(high - gap)
    assert says(high - gap + 1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_value_at_the_end_of_its_range_is_in_range_and_one_step_beyond_is_not(row) -> None:
    base = filled("lifepo4", "default")
    for end, step in zip(row.bounds(16), (-1, 1), strict=True):
        inside = parameters.problems({**base, row.name: end}, 16).get(row.name, "")
        assert "allowed" not in inside
        assert "allowed" in parameters.problems({**base, row.name: end + step}, 16)[row.name]


@hypothesis_settings(deadline=None, max_examples=examples(50))
@given(st.sampled_from(ROWS), st.integers(-5_000_000, 5_000_000))
def test_a_refused_write_changes_nothing(row, value) -> None:
    """S8: all or nothing."""
    current = parameters.build(filled("lifepo4", "default"), 16)
    kept = parameters.build(filled("lifepo4", "default"), 16)
    wish = {"temperature_delay_ms": 3000, row.name: value}
    try:
        after = parameters.changed(current, wish, 16)
    except ParameterError:
        pass
    else:
        assert after.get(row.name) == value
        assert parameters.problems({r.name: after.get(r.name) for r in ROWS}, 16) == {}
    assert current == kept


def test_a_write_to_a_name_that_is_none_is_refused() -> None:
    current = parameters.build(filled("lifepo4", "default"), 16)
    with pytest.raises(ParameterError, match="cell_opv_mv"):
        parameters.changed(current, {"cell_opv_mv": 3500}, 16)


@pytest.mark.parametrize("name", ["charge_ocp", "discharge_ocp", "short_circuit"])
def test_trip_and_release_times_are_2_to_120_seconds(name) -> None:
    """7.9 of the conflict list; 300 s stays refused (7.6)."""
    names = [f"{name}_release_ms"] + ([] if name == "short_circuit" else [f"{name}_delay_ms"])
    for row in (BY_NAME[n] for n in names):
        assert row.bounds(16) == (2000, 120_000)


def test_the_heater_is_held_to_3_a_and_200_w_by_its_range() -> None:
    """7.5 of the conflict list: never by preset."""
    assert BY_NAME["heater_max_ma"].high == 3000
    assert BY_NAME["heater_max_mw"].high == 200_000
    assert BY_NAME["heater_max_ma"].low > 0
    assert BY_NAME["heater_max_mw"].low > 0
