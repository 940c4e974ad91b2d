"""Which thermistors belong on the chip is said wherever somebody could mount another, and what another would read."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from bmsd.afe.bq769x2_fixed import THERMISTOR_CELL, THERMISTOR_SWITCH
from bmsd.afe.chips import CHIPS
from bmsd.cli import doctor
from bmsd.cli.doctor_machine import Machine
from bmsd.cli.setup_questions import BY_KEY
from tests.support.configured import GOOD, written

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "raspberry-pi.md"
ZERO_K, ROOM_K, B_K = 273.15, 298.15, 3435
WORDS = ("10 k", "103AT", "3435", "18 k", "pull-up")


def reads_c(true_c: float, ohm: float, b_k: float) -> float:
    """Give what the chip makes of a thermistor, which it takes for one of 10 kΩ and B 3435 K."""
    over = ohm / 10_000 * math.exp(b_k * (1 / (true_c + ZERO_K) - 1 / ROOM_K))
    return 1 / (1 / ROOM_K + math.log(over) / B_K) - ZERO_K


@pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS)
def test_the_pins_are_set_for_what_the_texts_say(chip) -> None:
    """Function thermistor, the chip's own 18 kΩ polynomial and pull-up: bits 5:4 and 7:6 are zero (TI SLUUBY2B)."""
    for byte in (THERMISTOR_CELL, THERMISTOR_SWITCH):
        assert (byte & 3, byte >> 4) == (3, 0)
    assert all(word in chip.thermistor for word in WORDS), (
        "this test knows TI's thermistor alone: a family with another one, or none, needs its own words here,"
        " in 'bmsctl setup', in 'bmsctl doctor' and in docs/raspberry-pi.md"
    )


def test_setup_doctor_and_guide_say_it(tmp_path) -> None:
    """S3: a wrong thermistor shifts the temperature below which charging is forbidden."""
    machine = Machine(Path("/"))
    told = doctor.thermistors(doctor.case_of(machine, written(tmp_path, GOOD), tmp_path))
    guide = GUIDE.read_text(encoding="utf-8")
    for text in (told, BY_KEY["afe.battery_sensors"].more, guide.replace("kΩ", "kohm")):
        assert all(word in text for word in WORDS), text
        assert "ice water" in text
    assert "second thermometer" in told
    assert "second thermometer" in guide


ROWS = re.findall(
    r"^\| (\d+) kΩ, B (\d+)[^|]*\| (?:below )?(-?\d+) °C[^|]*\| (-?\d+) °C[^|]*\|$",
    GUIDE.read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} kohm, B {row[1]}")
def test_the_guide_says_what_another_thermistor_reads(row) -> None:
    kohm, b_k, cold, warm = map(int, row)
    at_0, at_50 = (reads_c(true_c, kohm * 1000, b_k) for true_c in (0, 50))
    assert at_0 < cold if cold == -40 else round(at_0) == cold
    assert round(at_50) == warm


def test_the_guide_has_the_right_one_and_some_wrong_ones() -> None:
    assert ROWS[0][:2] == ("10", "3435")
    assert len(ROWS) >= 4
