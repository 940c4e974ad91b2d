"""The hazards of the safety document: times that fit, alarms that exist, tests that cite the rules (S1 to S15)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmsd.docgen import hazards
from bmsd.docgen.hazards import HAZARDS
from bmsd.docgen.source import RULES, cited, docstrings
from bmsd.tables.alarms import ALARMS, BOTH, Severity

TESTS = Path(__file__).resolve().parents[1]
BOUNDS = [bound for hazard in HAZARDS for bound in hazard.bounds]
each = pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.name)


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.alarms[0])
def test_what_acts_is_quicker_than_what_the_hazard_tolerates(bound) -> None:
    for common in (False, True):
        assert hazards.slowest_ms(bound, hazards.defaults(), common=common) < bound.tolerates_ms


@each
def test_a_hazard_names_rules_and_tests_that_cite_them(hazard) -> None:
    assert hazard.rules
    for name in hazard.tests:
        rules = {rule for _, text in docstrings(TESTS / name) for rule in cited(text)}
        assert rules & set(hazard.rules), f"{name} cites none of {hazard.rules}"
    proved = {rule for name in hazard.tests for _, text in docstrings(TESTS / name) for rule in cited(text)}
    assert set(hazard.rules) <= proved, f"no test named here cites {set(hazard.rules) - proved}"


def test_every_rule_stands_against_a_hazard_or_keeps_people_informed() -> None:
    used = {rule for hazard in HAZARDS for rule in hazard.rules}
    assert set(RULES) - used == {"S8"}, "S8 keeps the parameters right that all others use"


def test_every_threshold_protection_belongs_to_a_hazard() -> None:
    named = {name for bound in BOUNDS for name in bound.alarms}
    thresholds = {
        row.name for row in ALARMS if row.value and row.blocks & BOTH and row.severity is not Severity.WARNING
    }
    # Too cold to discharge wears a pack; it endangers nobody. An empty pack that shut itself down is already safe.
    assert thresholds - named <= {"discharge_utp", "auto_shutdown"}


def test_the_safety_document_shows_them() -> None:
    assert f"<!-- hazards -->\n\n{hazards.section()}\n\n<!-- end -->" in (
        TESTS.parent / "docs" / "SAFETY.md"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["core", "properties", "scenarios", "fault_classes"])
def test_every_file_of_safety_tests_names_a_rule(folder) -> None:
    silent = [
        path.name
        for path in sorted((TESTS / folder).glob("test_*.py"))
        if not any(rule in RULES for _, text in docstrings(path) for rule in cited(text))
    ]
    assert not silent, f"no rule is cited by {silent}"
