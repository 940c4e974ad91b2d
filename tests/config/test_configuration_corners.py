"""The configuration where two things meet: odd numbers, presets and written limits, hidden places."""

from __future__ import annotations

import pytest

from bmsd.daemon.request_handler import RequestHandler
from tests.support.configured import GOOD, loaded, problems, written
from tests.support.handlers import refused


@pytest.mark.parametrize("line", ["cells = 16", "capacity_ah = 280", "charge_ocp_a = 100"])
def test_a_number_of_five_hundred_digits_is_a_wrong_number_and_no_crash(tmp_path, line) -> None:
    name = line.split(" = ", maxsplit=1)[0]
    found = problems(written(tmp_path, GOOD.replace(line, f"{name} = {'9' * 500}")))
    assert any(name in text for text in found)


def test_brackets_without_end_are_a_wrong_file_and_no_crash(tmp_path) -> None:
    found = problems(written(tmp_path, GOOD + "\nx = " + "[" * 5000))
    assert str(tmp_path) in found[0]


def test_a_written_limit_that_crosses_a_preset_is_told_with_its_line(tmp_path) -> None:
    """Each error has file and line: the installer wrote the higher one, so that is the line he needs."""
    text = GOOD + "cell_uvpr_v = 2.6\n"
    number = text.splitlines().index("cell_uvpr_v = 2.6") + 1
    found = [problem for problem in problems(written(tmp_path, text)) if "cell_uvpr_v" in problem]
    assert found
    assert all(f"line {number}" in problem for problem in found), found


def test_every_problem_names_its_file(tmp_path) -> None:
    """A missing key has no line, but it has a file to be written into."""
    text = GOOD.replace("cells = 16", "").replace("discharge_ocp_a = 150", "")
    assert all(str(tmp_path) in problem for problem in problems(written(tmp_path, text)))
    text = GOOD.replace("discharge_ocp_a = 150", "")
    assert all(str(tmp_path) in problem for problem in problems(written(tmp_path, text)))


@pytest.mark.parametrize(
    "pack", ["pack.cells = 99\n", 'pack = {chemistry = "lifepo4", cells = 99, capacity_ah = 280}\n']
)
def test_other_ways_to_write_a_key_have_a_line_as_well(tmp_path, pack) -> None:
    body = "\n".join(GOOD.split("[afe]", maxsplit=1)[1:])
    found = problems(written(tmp_path, f"{pack}\n[afe]{body}"))
    assert any("pack.cells" in problem and "line 1" in problem for problem in found), found


def test_all_limits_that_the_chip_cannot_express_are_told_at_once(tmp_path) -> None:
    """S6: charge and discharge over-current are both beyond what this shunt lets the chip see."""
    text = GOOD.replace("shunt_mohm = 0.25", "shunt_mohm = 1.5")
    found = "\n".join(problems(written(tmp_path, text)))
    assert "charge over-current" in found
    assert "discharge over-current" in found
    assert "short circuit" in found


@pytest.mark.parametrize(("ah", "mv"), [(50, 10), (51, 5), (280, 5)])
def test_the_balance_trigger_of_the_default_preset_follows_the_capacity(tmp_path, ah, mv) -> None:
    """JK reference, section 8: 10 mV up to 50 Ah, 5 mV above, in the default sets for LiFePO4 and Li-ion."""
    config = loaded(tmp_path, GOOD.replace("capacity_ah = 280", f"capacity_ah = {ah}"))
    assert config.parameters.balance_trigger_mv == mv


@pytest.mark.parametrize(
    "values", [{"heater_max_ma": 1000}, {"cell_ovp_mv": 4000}, {"heater_max_mw": 50_000}]
)
def test_a_write_at_run_time_that_the_heater_does_not_fit_is_refused(tmp_path, values) -> None:
    """S4, S8: a set that would exceed the heater's limits at full pack voltage is refused, whenever it comes."""
    config = loaded(tmp_path, GOOD.replace("resistance_ohm = 24.0", "resistance_ohm = 19.2"))
    assert refused(RequestHandler(config, {}), {"do": "set", "values": values})
