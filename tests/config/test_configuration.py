"""The configuration: every error at once, each with file, line, value, range and what to do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bmsd.afe.chips import CHIPS, Maturity
from bmsd.config.load import load
from bmsd.tables.configuration import keys_of
from tests.support.configured import GOOD, problems, written


def changed(folder: Path, *pairs: tuple[str, str]) -> Path:
    """Write the example with lines replaced; a line that is not there is a mistake of the test."""
    text = GOOD
    for old, new in pairs:
        assert re.search(f"^{re.escape(old)}$", text, re.MULTILINE), old
        text = re.sub(f"^{re.escape(old)}$", lambda _, n=new: n, text, count=1, flags=re.MULTILINE)
    return written(folder, text)


def line_of(path: Path, text: str) -> str:
    """Say where a line stands, as a problem says it."""
    number = path.read_text(encoding="utf-8").splitlines().index(text) + 1
    return f"{path}, line {number}"


def test_the_example_is_good(tmp_path) -> None:
    config = load(written(tmp_path, GOOD))
    assert (config.cells, config.chemistry, config.capacity_mah) == (16, "lifepo4", 280_000)
    assert config.heater_mohm == 24_000
    assert config.parameters.charge_ocp_ma == 100_000


# Line of the example, what stands there instead, and words that the one problem must carry.
WRONG = (
    ("cells = 16", "cells = 2", ("pack.cells", "2", "3 to 16")),
    ("cells = 16", "cells = 33", ("pack.cells", "33", "3 to 16")),
    ("cells = 16", "cells = true", ("pack.cells", "True", "3 to 16")),
    ("cells = 16", "cells = 16.5", ("pack.cells", "16.5", "3 to 16")),
    ("cells = 16", 'cells = "16"', ("pack.cells", "'16'", "3 to 16")),
    ("cells = 16", "cells = [16]", ("pack.cells", "[16]", "3 to 16")),
    ("cells = 16", "cells = {a = 1}", ("pack.cells", "3 to 16")),
    ("cells = 16", "cells = -16", ("pack.cells", "-16", "3 to 16")),
    ("cells = 16", "cells = nan", ("pack.cells", "nan", "3 to 16")),
    ("cells = 16", "cells = inf", ("pack.cells", "inf", "3 to 16")),
    ("cells = 16", "cells = 1979-05-27", ("pack.cells", "3 to 16")),
    ("capacity_ah = 280", "capacity_ah = nan", ("pack.capacity_ah", "nan", "1 to 5000")),
    ("capacity_ah = 280", "capacity_ah = -inf", ("pack.capacity_ah", "-inf", "1 to 5000")),
    ("capacity_ah = 280", "capacity_ah = 0", ("pack.capacity_ah", "0", "1 to 5000")),
    ("capacity_ah = 280", "capacity_ah = false", ("pack.capacity_ah", "False", "1 to 5000")),
    ("capacity_ah = 280", "capacity_ah = 1e300", ("pack.capacity_ah", "1e+300", "1 to 5000")),
    ('chemistry = "lifepo4"', 'chemistry = "lead"', ("pack.chemistry", "'lead'", '"lifepo4"', '"lto"')),
    ('chemistry = "lifepo4"', "chemistry = 4", ("pack.chemistry", "4", '"lifepo4"')),
    ('preset = "default"', 'preset = "jk"', ("pack.preset", "'jk'", '"jk-compatible"')),
    ("crc = true", "crc = 1", ("afe.crc", "1", "true or false")),
    ("crc = true", 'crc = "yes"', ("afe.crc", "'yes'", "true or false")),
    ('chip = "bq76952"', 'chip = "bq76200"', ("bq76200", "bq76952")),
    ("address = 0x08", "address = 0x78", ("afe.address", "120", "3 to 119")),
    ("resistance_ohm = 24.0", "resistance_ohm = 0", ("heater.resistance_ohm", "0", "0.1 to 10000")),
    ("unit = 1", "unit = 248", ("modbus.unit", "248", "1 to 247")),
    ("discharge = 27", "discharge = 17", ("outputs.discharge", "17", "outputs.charge")),
    ("discharge_feedback = 13", "discharge_feedback = 26", ("outputs.discharge_feedback", "26", "heartbeat")),
    ("charge_ocp_a = 100", "charge_ocp_a = nan", ("charge_ocp_a", "nan", "number in A")),
    ("charge_ocp_a = 100", "charge_ocp_a = inf", ("charge_ocp_a", "inf", "range")),
    ("charge_ocp_a = 100", "charge_ocp_a = 1e12", ("charge_ocp_a", "range")),
    ("charge_ocp_a = 100", "charge_ocp_a = true", ("charge_ocp_a", "True", "number in A")),
    ("charge_ocp_a = 100", 'charge_ocp_a = "100"', ("charge_ocp_a", "'100'", "number in A")),
    ("charge_ocp_a = 100", "charge_ocp_a = -100", ("charge_ocp_a", "-100", "1.000 A to 1000.000 A")),
    ("charge_ocp_a = 100", "charge_ocp_a = 1001", ("charge_ocp_a", "1001", "1.000 A to 1000.000 A")),
    ("charge_ocp_a = 100", "charge_ocp_a = 100\ndischarge_ocp_delay_s = 300", ("300", "2.000 s to 120.000 s")),
    ("baudrate = 9600", "baudrate = 9600\nbaudrat = 1", ("modbus", "baudrat", "did you mean baudrate")),
    ("charge_ocp_a = 100", "charge_ocp_a = 100\ncell_opv_v = 3.5", ("cell_opv_v", "did you mean cell_ovp_v")),
    ("[heater]", "[heatr]\n[heater]", ("heatr", "did you mean heater")),
)  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), WRONG, ids=[row[1].replace("\n", " ") for row in WRONG])
def test_a_wrong_value_is_told_with_line_value_range_and_next_step(tmp_path, old, new, words) -> None:
    path = changed(tmp_path, (old, new))
    found = [text for text in problems(path) if all(word in text for word in words)]
    assert len(found) == 1, problems(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    last = new.splitlines()[-1] if old != "[heater]" else "[heatr]"
    assert found[0].startswith(f"{path}, line {lines.index(last) + 1}: ")


@pytest.mark.parametrize("name", CHIPS)
def test_more_cells_than_the_chip_measures_are_refused_with_what_it_measures(tmp_path, name) -> None:
    """The table's range is that of the chip that measures most."""
    chip = CHIPS[name]
    cells = f"cells = {chip.max_cells + 1}"
    path = changed(tmp_path, ("cells = 16", cells), ('chip = "bq76952"', f'chip = "{name}"'))
    found = problems(path)
    assert found[0].startswith(
        f"{line_of(path, cells)}: pack.cells is {chip.max_cells + 1}, allowed is 3 to {chip.max_cells}. "
    )
    others = [other for other, row in CHIPS.items() if row.max_cells > chip.max_cells]
    assert all(other in "".join(found[1:]) for other in others)
    assert keys_of("pack")["cells"].high == max(row.max_cells for row in CHIPS.values())


def test_a_chip_that_cannot_be_configured_is_refused(tmp_path, monkeypatch) -> None:
    """S6: a driver that only measures sets up no protection, whatever its row says otherwise."""
    half = replace(CHIPS["bq76952"], maturity=Maturity.MEASURES)
    monkeypatch.setitem(CHIPS, "bq76999", half)
    path = changed(tmp_path, ('chip = "bq76952"', 'chip = "bq76999"'))
    (found, *_) = problems(path)
    assert "bq76999" in found
    assert "bq76952" in found
    monkeypatch.setitem(CHIPS, "bq76999", replace(half, maturity=Maturity.SIMULATED))
    assert load(path, on_chip=True).afe.chip == "bq76999"


def test_the_core_waits_for_fets_as_long_as_the_chip_of_the_pack_needs(tmp_path, monkeypatch) -> None:
    """S5: another chip takes another time, and its file says so."""
    row = CHIPS["bq76952"]
    monkeypatch.setitem(CHIPS, "bq76999", replace(row, facts=row.facts._replace(fet_follows_ms=777)))
    path = changed(tmp_path, ('chip = "bq76952"', 'chip = "bq76999"'))
    assert load(path).settings().fet_follows_ms == 777


def test_all_errors_are_told_at_once(tmp_path) -> None:
    path = changed(
        tmp_path,
        ("cells = 16", "cells = 99"),
        ("crc = true", "crc = 7"),
        ("unit = 1", "unit = 0\nspeed = 3"),
        ("charge_ocp_a = 100", "charge_ocp_a = 'x'"),
        ('topology = "split"', 'topology = "round"'),
    )
    found = "\n".join(problems(path))
    for word in ("pack.cells", "afe.crc", "modbus.unit", "speed", "charge_ocp_a", "switches.topology"):
        assert word in found, found


def test_a_missing_required_value_is_told(tmp_path) -> None:
    found = problems(changed(tmp_path, ("cells = 16", ""), ('chip = "bq76952"', ""), ("charge = 17", "")))
    for word in ("pack.cells is missing", "afe.chip is missing", "outputs.charge is missing"):
        assert any(word in text for text in found)


def test_a_missing_current_limit_is_told_with_its_range(tmp_path) -> None:
    found = problems(changed(tmp_path, ("charge_ocp_a = 100", "")))
    assert any("charge_ocp_a is missing" in text and "1.000 A to 1000.000 A" in text for text in found)


# Two limits that meet: the lower one is written, so its line is named.
CROSSED = (
    ("cell_ovpr_v = 3.6", "cell_ovp_v"),
    ("cell_uvp_v = 3.0", "cell_uvpr_v"),
    ("cell_shutdown_v = 2.7", "cell_uvp_v"),
    ("cell_floor_v = 2.6", "cell_shutdown_v"),
    ("cell_uvpr_v = 3.4", "cell_ovpr_v"),
    ("charge_utp_c = 4", "charge_utpr_c"),
    ("switch_otpr_c = 71", "switch_otp_c"),
    ("charge_max_a = 101", "charge_ocp_a"),
)


@pytest.mark.parametrize(("line", "other"), CROSSED)
def test_crossed_limits_are_refused_with_both_names(tmp_path, line, other) -> None:
    """S8: the order shutdown < UVP < UVPR < OVPR < OVP and its like."""
    path = changed(tmp_path, ("charge_ocp_a = 100", f"charge_ocp_a = 100\n{line}"))
    found = [text for text in problems(path) if line.split()[0] in text and other in text]
    assert found
    assert found[0].startswith(f"{line_of(path, line)}: ")


def test_a_heater_at_its_smallest_resistance_is_accepted(tmp_path) -> None:
    """S4: 57.6 V through 19.2 ohm is 3 A."""
    assert load(changed(tmp_path, ("resistance_ohm = 24.0", "resistance_ohm = 19.2"))).heater_mohm == 19_200


def test_a_heater_just_below_is_refused_with_the_resistance_that_would_do(tmp_path) -> None:
    """S4: at full pack voltage, with what it would draw and what is allowed."""
    path = changed(tmp_path, ("resistance_ohm = 24.0", "resistance_ohm = 19.1"))
    (found,) = problems(path)
    assert found.startswith(f"{line_of(path, 'resistance_ohm = 19.1')}: ")
    for word in ("19.1", "57.6 V", "3.02 A", "3.00 A", "200 W", "Use at least 19.2 ohm"):
        assert word in found, found


def test_a_small_pack_is_held_to_100_w(tmp_path) -> None:
    """S4: eight Li-ion cells, 33.6 V: 11.2 ohm by current, 11.3 by power."""
    small = (("cells = 16", "cells = 8"), ('chemistry = "lifepo4"', 'chemistry = "li-ion"'))
    (found,) = problems(changed(tmp_path, *small, ("resistance_ohm = 24.0", "resistance_ohm = 11.2")))
    assert "Use at least 11.3 ohm" in found
    assert (
        load(changed(tmp_path, *small, ("resistance_ohm = 24.0", "resistance_ohm = 11.3"))).heater_mohm
        == 11_300
    )


def test_a_heater_without_its_line_and_a_line_without_its_heater_are_refused(tmp_path) -> None:
    assert any("outputs.heater = N" in text for text in problems(changed(tmp_path, ("heater = 23", ""))))
    without = (("[heater]", ""), ("resistance_ohm = 24.0", ""), ('supply = "charger"', ""))
    assert any("outputs.heater needs [heater]" in text for text in problems(changed(tmp_path, *without)))


def test_active_low_outputs_are_refused_where_they_would_pulse(tmp_path) -> None:
    """S5: gpiozero switches active-low outputs on for a moment at every start."""
    path = changed(tmp_path, ('backend = "gpiod"', 'backend = "gpiozero"\nactive_low = true'))
    assert any("active-low" in text and "gpiod" in text for text in problems(path))
    assert load(
        changed(tmp_path, ('backend = "gpiod"', 'backend = "gpiod"\nactive_low = true'))
    ).outputs.active_low


def test_a_limit_the_chip_cannot_express_is_refused_in_its_words(tmp_path) -> None:
    """S6: the backstop is programmed from our parameters, so they have to fit."""
    found = problems(changed(tmp_path, ("shunt_mohm = 0.25", "shunt_mohm = 5")))
    assert any("shunt" in text and "the chip can do" in text for text in found)
