"""Every safety rule has a test that cites it, and nothing cites a rule that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bmsd.docgen.source import RULES, cited, citing_files, docstrings

ROOT = Path(__file__).resolve().parents[2]
NOT_IMPLEMENTED: dict[str, str] = {}
SAFETY = ROOT / "docs" / "SAFETY.md"


def explained() -> dict[str, str]:
    """Give the text of each rule's section in the safety document."""
    sections = re.split(r"^### (S\d+) ", SAFETY.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(sections[1::2], sections[2::2], strict=True))


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in NOT_IMPLEMENTED])
def test_a_rule_is_cited_by_a_test(rule) -> None:
    assert citing_files(ROOT)[rule], f"no test cites {rule} in its docstring"


@pytest.mark.parametrize("rule", NOT_IMPLEMENTED)
def test_a_rule_that_is_not_there_yet_is_not_claimed(rule) -> None:
    assert not citing_files(ROOT)[rule], f"{rule} has tests: take it off the list"
    assert "Not there" in explained()[rule]


def test_only_rules_that_exist_are_cited_by_tests() -> None:
    strange = {rule: files for rule, files in citing_files(ROOT).items() if rule not in RULES}
    assert not strange


def test_only_rules_that_exist_are_cited_by_the_source() -> None:
    strange = []
    for path in sorted((ROOT / "bmsd").rglob("*.py")):
        texts = (text for _, text in docstrings(path))
        strange += [(path.name, rule) for text in texts for rule in cited(text) if rule not in RULES]
    assert not strange


def test_the_safety_document_explains_every_rule_and_lists_its_tests() -> None:
    assert tuple(explained()) == RULES
    for rule, text in explained().items():
        assert f"<!-- tests {rule} -->" in text


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("as S1 says", ["S1"]),
        ("(S5, S13)", ["S5", "S13"]),
        ("the rules S1 to S4 hold", ["S1", "S2", "S3", "S4"]),
        ("a 16S pack, an 8S board, TS1, S16LE and JK-B1A8S20P", []),
        ("S16 does not exist", ["S16"]),
    ],
)
def test_citations_are_found(text, rules) -> None:
    assert list(cited(text)) == rules
