"""The topology decides which contactors have lines: one that is missing and one too many are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmsd.hardware.board import FetsConfig
from tests.support.configured import loaded, pack_text, problems, written

COMMON = '[switches]\ntopology = "common"\n'


def pack(folder: Path, sections: str) -> Path:
    return written(folder, pack_text(sections))


def test_split_is_the_default_and_has_two_contactors(tmp_path) -> None:
    config = loaded(tmp_path, pack_text("[outputs]\ncharge = 17\ndischarge = 27\ncharge_feedback = 12\n"))
    assert config.settings().contactors == ("charge", "discharge")
    assert not config.settings().common
    assert config.settings().contacts == {"charge"}


def test_common_has_one(tmp_path) -> None:
    config = loaded(
        tmp_path, pack_text(f"{COMMON}[outputs]\nmain = 17\nmain_feedback = 12\nprecharge = 22\n")
    )
    settings = config.settings()
    assert settings.common
    assert settings.wired == {"main", "precharge"}
    assert settings.contacts == {"main"}
    assert settings.precharge


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_a_missing_contactor_of_split_is_told(tmp_path, name) -> None:
    other = "discharge" if name == "charge" else "charge"
    (found,) = problems(pack(tmp_path, f"[outputs]\n{other} = 17\n"))
    assert f"outputs.{name} is missing" in found
    assert "0 to 1000" in found


def test_a_missing_main_contactor_is_told(tmp_path) -> None:
    (found,) = problems(pack(tmp_path, COMMON))
    assert "outputs.main is missing" in found


@pytest.mark.parametrize("name", ["charge", "discharge", "charge_feedback", "discharge_feedback"])
def test_a_line_that_common_does_not_have_is_told_at_its_place(tmp_path, name) -> None:
    (found,) = problems(pack(tmp_path, f"{COMMON}[outputs]\nmain = 17\n{name} = 5\n"))
    assert f'outputs.{name} is not wired in the topology "common"' in found
    assert f"{tmp_path / 'bmsd.toml'}, line " in found


@pytest.mark.parametrize("name", ["main", "main_feedback"])
def test_a_line_that_split_does_not_have_is_told_at_its_place(tmp_path, name) -> None:
    (found,) = problems(pack(tmp_path, f"[outputs]\ncharge = 17\ndischarge = 27\n{name} = 5\n"))
    assert f'outputs.{name} is not wired in the topology "split"' in found


def test_a_heater_on_the_charger_is_refused_beside_a_common_contactor(tmp_path) -> None:
    """S3: there is no charger's side that the contactor cuts from the load."""
    heater = "[outputs]\nmain = 17\nheater = 23\n[heater]\nresistance_ohm = 24.0\n"
    (found,) = problems(pack(tmp_path, COMMON + heater))
    assert 'heater.supply must be "pack"' in found
    assert loaded(tmp_path, pack_text(f'{COMMON}{heater}supply = "pack"\n')).heater_from_pack


AFE = '[switches]\ntopology = "afe"\n'


def test_the_chips_own_fets_need_no_line_at_all(tmp_path) -> None:
    """S5: safe-off learns where the chip is."""
    config = loaded(tmp_path, pack_text(AFE))
    settings = config.settings()
    assert settings.own_fets
    assert settings.contactors == ("charge", "discharge")
    assert (settings.wired, settings.contacts) == (frozenset(), frozenset())
    assert config.fets == FetsConfig("bq76952", 1, 0x08, 20)
    assert loaded(tmp_path, pack_text("[outputs]\ncharge = 17\ndischarge = 27\n")).fets is None


@pytest.mark.parametrize("name", ["charge", "discharge", "main", "charge_feedback", "main_feedback"])
def test_a_contactor_beside_the_chips_own_fets_is_told_at_its_place(tmp_path, name) -> None:
    (found,) = problems(pack(tmp_path, f"{AFE}[outputs]\n{name} = 5\n"))
    assert (
        f'outputs.{name} is not wired in the topology "afe", where the front-end chip drives its own FETs'
        in found
    )
    assert f"{tmp_path / 'bmsd.toml'}, line " in found


def test_a_heater_on_the_charger_is_refused_beside_the_chips_own_fets(tmp_path) -> None:
    """S3: charger and load are one bus behind them."""
    heater = "[outputs]\nheater = 23\n[heater]\nresistance_ohm = 24.0\n"
    (found,) = problems(pack(tmp_path, AFE + heater))
    assert 'heater.supply must be "pack"' in found
    assert loaded(tmp_path, pack_text(f'{AFE}{heater}supply = "pack"\n')).heater_from_pack


def test_fets_without_a_temperature_sensor_are_refused(tmp_path) -> None:
    """S1: a FET that is too hot fails closed."""
    text = pack_text(AFE).replace("shunt_mohm = 0.25", "shunt_mohm = 0.25\nswitch_sensor = false")
    (found,) = problems(written(tmp_path, text))
    assert "afe.switch_sensor must be true" in found


def test_the_forbidden_currents_are_below_over_current(tmp_path) -> None:
    """S8: and follow it by default."""
    split = "[outputs]\ncharge = 17\ndischarge = 27\n"
    config = loaded(tmp_path, pack_text(split))
    assert (config.parameters.forbidden_charge_ma, config.parameters.forbidden_discharge_ma) == (2000, 3000)
    found = problems(written(tmp_path, pack_text(split, charge_ocp_a=10, forbidden_charge_a=10.1)))
    assert any("forbidden_charge_a" in problem for problem in found)
