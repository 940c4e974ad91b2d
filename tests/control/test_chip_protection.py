"""The chip's own thresholds stand behind ours on the safe side, for every chemistry and preset (S6)."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from bmsd.afe.bq769x2 import Bq769x2
from bmsd.afe.chips import CHIPS
from bmsd.control.chip_protection import MADE_FROM, afe_settings
from bmsd.tables.parameters import ROWS
from tests.support.configured import loaded, pack_text

KINDS = [(c, p) for c in ("lifepo4", "li-ion", "lto") for p in ("default", "jk-compatible")]


@pytest.fixture(params=KINDS, ids=" ".join)
def config(request, tmp_path):
    chemistry, preset = request.param
    text = pack_text(
        "[outputs]\ncharge = 17\ndischarge = 27\n",
        chemistry=chemistry,
        preset=preset,
        cells=8,
        capacity_ah=100,
    )
    return loaded(tmp_path, text)


def test_the_chip_acts_later_than_we_do_and_before_harm(config) -> None:
    """S6: beyond our limit, so that it stays quiet in ordinary trouble; not far beyond."""
    p, chip = config.parameters, afe_settings(config, config.parameters)
    assert p.cell_ovp_mv < chip.cell_over_mv <= p.cell_ovp_mv + 200
    assert p.cell_floor_mv <= chip.cell_under_mv < p.cell_uvp_mv
    assert chip.cell_under_mv <= p.cell_shutdown_mv
    assert chip.charge_over_ma > p.charge_ocp2_ma >= p.charge_ocp_ma
    assert chip.discharge_over_ma > p.discharge_ocp2_ma >= p.discharge_ocp_ma
    assert chip.charge_over_decic > p.charge_otp_decic
    assert chip.discharge_over_decic > p.discharge_otp_decic
    assert chip.charge_under_decic < p.charge_utp_decic
    assert chip.discharge_under_decic <= max(p.discharge_utp_decic, -400)
    assert chip.charge_under_decic >= -400
    assert chip.discharge_under_decic >= -400
    assert chip.cell_over_delay_ms > p.cell_ovp_delay_ms
    assert chip.cell_under_delay_ms > p.cell_uvp_delay_ms
    assert chip.short_circuit_ma == p.short_circuit_ma


def test_what_the_chip_makes_of_it_is_still_on_the_safe_side(config) -> None:
    """S6: rounding to the chip's steps does not take the margin away."""
    p = config.parameters
    real = Bq769x2(afe_settings(config, p)).programmed
    assert real["cell_over_mv"] > p.cell_ovp_mv
    assert real["cell_under_mv"] < p.cell_uvp_mv
    assert real["charge_over_ma"] > p.charge_ocp_ma
    assert real["discharge_over_ma"] > p.discharge_ocp_ma
    assert real["charge_over_decic"] > p.charge_otp_decic
    assert real["charge_under_decic"] < p.charge_utp_decic


def test_a_delay_longer_than_the_chip_knows_is_cut(config) -> None:
    slow = replace(config.parameters, cell_ovp_delay_ms=10_000, cell_uvp_delay_ms=10_000)
    chip = afe_settings(config, slow)
    assert (
        chip.cell_over_delay_ms
        == chip.cell_under_delay_ms
        == CHIPS[config.afe.chip].facts.longest_cell_delay_ms
    )


def test_the_host_watchdog_outlasts_several_periods(config) -> None:
    """S5: a daemon that is gone is noticed by the chip, one that retries is not."""
    chip = afe_settings(config, config.parameters)
    assert 4 * config.parameters.period_ms < chip.host_watchdog_s * 1000 <= 10_000


def test_every_parameter_of_the_backstop_moves_it(config) -> None:
    """S6: a changed parameter leads to a chip programmed again."""
    p, before = config.parameters, afe_settings(config, config.parameters)
    for name, by in {
        "cell_ovp_mv": -10, "cell_shutdown_mv": 10, "charge_ocp2_ma": -1000, "discharge_ocp2_ma": -1000,
        "short_circuit_ma": -1000, "charge_otp_decic": -10, "charge_utp_decic": 10, "discharge_otp_decic": -10,
        "cell_ovp_delay_ms": 100, "short_circuit_delay_us": 15,
    }.items():  # fmt: skip
        assert afe_settings(config, replace(p, **{name: p.get(name) + by})) != before, name


def test_every_setting_says_which_parameters_it_follows(config) -> None:
    """S6: a refusal of the chip is told at the parameter that asks for it."""
    p, before = config.parameters, asdict(afe_settings(config, config.parameters))
    for row in ROWS:
        value = p.get(row.name)
        for by in (-100, -1, 1, 100):
            after = asdict(afe_settings(config, replace(p, **{row.name: value + by})))
            moved = [field for field in before if before[field] != after[field]]
            assert all(row.name in MADE_FROM[field] for field in moved), (row.name, moved)


@pytest.fixture
def common(tmp_path):
    text = '[outputs]\nmain = 17\nprecharge = 22\n[switches]\ntopology = "common"\n'
    return loaded(tmp_path, pack_text(text))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"charge_otp_decic": 450},
        {"discharge_otp_decic": 500, "charge_otp_decic": 580},
        {"discharge_utp_decic": 100},
        {"charge_utp_decic": 50},
        {"discharge_utp_decic": -400},
    ],
)
def test_behind_a_common_contactor_the_chip_acts_where_neither_direction_is_allowed(common, changed) -> None:
    """S6, S15: both permits are in series with its driver, so a trip for one direction ends the other, too."""
    p = replace(common.parameters, **changed)
    chip = afe_settings(common, p)
    coldest = min(p.charge_utp_decic, p.discharge_utp_decic)
    hottest = max(p.charge_otp_decic, p.discharge_otp_decic)
    assert chip.charge_under_decic == chip.discharge_under_decic == max(coldest - 100, -400)
    assert chip.charge_over_decic == chip.discharge_over_decic == hottest + 50
    real = Bq769x2(chip).programmed
    assert real["charge_under_decic"] <= coldest
    assert real["charge_over_decic"] >= hottest
    assert real["cell_under_mv"] <= p.cell_floor_mv
    assert real["cell_over_mv"] < p.cell_ovp_mv + 200


@pytest.mark.parametrize(("floor_mv", "under_mv"), [(500, 1012), (1012, 1012), (1013, 1013), (2000, 2000)])
def test_a_floor_that_the_chip_cannot_do_is_no_reason_to_refuse_it(common, floor_mv, under_mv) -> None:
    p = replace(common.parameters, cell_floor_mv=floor_mv)
    assert afe_settings(common, p).cell_under_mv == under_mv
    assert Bq769x2(afe_settings(common, p)).programmed["cell_under_mv"] <= under_mv
