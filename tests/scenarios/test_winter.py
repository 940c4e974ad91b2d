"""Winters: a healthy pack gets from the cold to its first charge by itself (S3, S4)."""

from __future__ import annotations

import pytest

from tests.scenarios.winter import (
    CELLS,
    CHARGERS,
    CHARGES,
    END,
    HEATERS,
    LONGEST_H,
    PAGE,
    START,
    Winter,
    live,
    winters,
)
from tests.support.effort import slow_but

EVERYDAY = (Winter(4, "nearly full", "charger", "own"),)
WINTERS = (
    Winter(4, "empty", "charger", "own"), Winter(4, "nearly full", "charger", "own"),
    Winter(16, "empty", "charger", "above"), Winter(8, "half full", "charger", "own"),
    Winter(4, "half full", "charger", "generator"), Winter(4, "low", "pack", "own"),
    Winter(4, "half full", "pack", "own"), Winter(4, "empty", "pack", "own"),
    Winter(8, "empty", "pack", "generator"), Winter(4, "low", "pack", "generator"),
    Winter(4, "low", "pack, the chip's FETs", "above"),
)  # fmt: skip
"""A few of them; `./run winter` takes all."""


@pytest.mark.parametrize("winter", slow_but(EVERYDAY, WINTERS), ids=str)
def test_a_cold_pack_is_warmed_and_charged_without_a_person(winter) -> None:
    """S3, S4: in a third of the longest time, and from whatever there is."""
    told = live(winter)
    assert told.charged_h is not None, told.against
    assert told.charged_h < LONGEST_H / 2
    assert told.heat_wh > 0
    assert not {"heater_no_warming", "heater_over_limit", "charge_not_stopped"} & set(told.raised)


@pytest.mark.slow
@pytest.mark.parametrize("heater", ["pack, two contactors", "pack, the chip's FETs"])
def test_an_empty_pack_gives_nothing_for_its_own_heater(heater) -> None:
    """S4: beside a charger that stands ready; the end that docs/winter.md names."""
    told = live(Winter(4, "empty", heater, "own"))
    assert (told.charged_h, told.heat_wh) == (None, 0)
    assert told.against == "low state of charge"


def test_the_page_has_a_row_for_every_pack() -> None:
    page = PAGE.read_text()
    lines = page[page.index(START) + len(START) : page.index(END)].splitlines()
    assert len(lines) == 2 + len(CELLS) * len(CHARGES) * len(HEATERS)
    assert len(winters()) == (len(lines) - 2) * len(CHARGERS)
    never = [line for line in lines[2:] if "never" in line]
    assert {line.split("|")[3].strip() for line in never} == {"pack, two contactors", "pack, the chip's FETs"}
    assert {line.split("|")[2].strip() for line in never} == {"empty"}
