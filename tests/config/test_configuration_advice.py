"""Every refusal names key, line and a value that is then accepted: the advice is taken, and must be good."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from bmsd.tables.configuration import KEYS, Key
from bmsd.tables.parameters import ROWS, ParameterRow
from tests.support import advice
from tests.support.configured import GOOD
from tests.support.dangerous_files import drawn, text_of
from tests.support.effort import examples, slow_but

BASE = advice.sections_of(GOOD)
FILES = 400


def refused(folder: Path, sections: advice.Sections) -> list[str]:
    return advice.refusals(folder / "bmsd.toml", text_of(sections))


def after_each_way(folder: Path, sections: advice.Sections, problem: str) -> list[str]:
    """Take each way out that a refusal names by itself; give what is not accepted, and was not refused before."""
    before = {advice.key_of(text) for text in refused(folder, sections)} - {advice.key_of(problem)}
    ways = advice.ways(problem)
    if not ways:
        return [f"no advice in: {problem}"]
    return [
        f"{problem}\n  took {changes} and got {left}"
        for changes in ways
        if (left := refused(folder, advice.applied(sections, changes)))
        and not {advice.key_of(text) for text in left} <= before
    ]


def outside(row: ParameterRow) -> list[float]:
    """Give values around and beyond what a parameter may be."""
    low, high = row.bounds(16)
    dice = random.Random(row.name)
    steps = [low - 1, high + 1, low - 10 * (high - low), high, low, dice.randint(low, high)]
    return [row.unit.to_public(step) for step in steps]


OFTEN = [row for row in ROWS if row.group == "current" or row in ROWS[::6]]


@pytest.mark.parametrize("row", slow_but(OFTEN, ROWS), ids=lambda row: row.public_name)
def test_the_advice_of_a_refused_parameter_is_accepted(tmp_path, row) -> None:
    """S8: whatever rule refuses it; one key is wrong, so one change must do."""
    found = []
    for value in outside(row):
        sections = advice.applied(BASE, [("parameters", row.public_name, value)])
        place = _place(sections, "parameters", row.public_name)
        for problem in refused(tmp_path, sections):
            if "heater.resistance_ohm" in problem or "can.protocol" in problem:
                continue  # told beside the parameter, at a line of their own
            found += after_each_way(tmp_path, sections, problem)
            there = place in problem or row.public_name in problem
            found += [] if there else [f"another line than the one written: {problem}"]
    assert not found, "\n".join(found)


def _place(sections: advice.Sections, section: str, key: str) -> str:
    lines = text_of(sections).splitlines()
    first = lines.index(f"[{section}]")
    number = next(
        number for number, line in enumerate(lines[first:], first + 1) if line.startswith(f"{key} = ")
    )
    return f"line {number}: "


@pytest.mark.parametrize("value", ["x", True, float("nan"), float("inf"), 1e12, [1], {"a": 1}], ids=str)
@pytest.mark.parametrize("row", ROWS[::9], ids=lambda row: row.public_name)
def test_the_advice_for_what_is_no_number_is_accepted(tmp_path, row, value) -> None:
    sections = advice.applied(BASE, [("parameters", row.public_name, value)])
    (problem,) = refused(tmp_path, sections)
    assert not after_each_way(tmp_path, sections, problem)


def wrong_values(row: Key) -> list[Any]:
    values: list[Any] = ["Pylontec", 7.5, -1, 10**9, ["x"], {"a": 1}]
    if row.low is not None and row.high is not None:
        values += [row.low, row.high, row.high * 2]
    return values


FREE_TEXTS = {"battery_name", "gpio_chip", "port", "channel", "interface", "scenario", "tcp", "bench"}
KNOWN_KEYS = [
    row for row in KEYS if row.section in BASE and row.name not in {*FREE_TEXTS, "more_units", "fallback"}
]


@pytest.mark.parametrize("row", KNOWN_KEYS, ids=lambda row: f"{row.section}.{row.name}")
def test_the_advice_of_a_refused_key_is_accepted(tmp_path, row) -> None:
    """One key is wrong; each way out that is named takes the file to where nothing is refused."""
    found = []
    for value in wrong_values(row):
        sections = advice.applied(BASE, [(row.section, row.name, value)])
        problems = refused(tmp_path, sections)
        # A key that has no meaning here is to be removed, and no value of it would do.
        idle = {advice.key_of(text) for text in problems if "remove it" in text}
        for problem in problems:
            if advice.key_of(problem) not in idle:
                found += after_each_way(tmp_path, sections, problem)
        if idle:
            found += refused(tmp_path, advice.applied(sections, [(*key, None) for key in idle]))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "row", [row for row in KEYS if row.section in BASE], ids=lambda row: f"{row.section}.{row.name}"
)
def test_the_advice_for_a_missing_key_is_accepted(tmp_path, row) -> None:
    sections = advice.applied(BASE, [(row.section, row.name, None)])
    for problem in refused(tmp_path, sections):
        assert not after_each_way(tmp_path, sections, problem)


def test_the_advice_of_random_files_leads_to_a_good_one(tmp_path) -> None:
    """S8: several things are wrong at once; taking all first ways, round after round, ends with a good file."""
    stuck = []
    for number in range(examples(FILES)):
        sections = advice.sections_of(drawn(number).text)
        for _ in range(6):
            problems = refused(tmp_path, sections)
            for problem in problems:
                if ways := advice.ways(problem):
                    sections = advice.applied(sections, ways[0])
            if not problems:
                break
        else:
            stuck.append(f"file {number}: {problems}")
    assert not stuck, "\n".join(stuck[:10])
