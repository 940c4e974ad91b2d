"""The report of the machine test in docs/ is of the cases that exist, and all of them were as expected."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "docs" / "machine.md"
GUEST = ROOT / "tests" / "machine" / "guest"
RULES = re.compile(r"S([1-9]|1[0-4])")


def cases() -> dict[str, str]:
    """Give every case that is written as a function: its name and the rules it names."""
    found = {}
    for path in sorted(GUEST.glob("cases_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "case":
                name, rules, _ = (ast.literal_eval(argument) for argument in node.args)
                assert name not in found, f"two cases are called {name!r}"
                found[name] = rules
    return found


def rows() -> dict[str, dict[str, str]]:
    """Give the verdict of each case by Debian release."""
    found: dict[str, dict[str, str]] = {}
    release = ""
    for line in REPORT.read_text().splitlines():
        if line.startswith("## Debian "):
            release = line.split()[2].rstrip(":")
            found[release] = {}
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if release and len(cells) == 5 and cells[0] not in {"Case", "---"}:
            found[release][cells[0]] = cells[4]
    return found


def test_there_are_cases() -> None:
    assert len(cases()) > 25


@pytest.mark.parametrize("name", cases())
def test_every_case_is_in_the_report_of_both_releases(name) -> None:
    assert set(rows()) == {"bookworm", "trixie"}
    assert {release for release, told in rows().items() if name in told} == {"bookworm", "trixie"}


def test_the_report_has_no_bad_case() -> None:
    """S5."""
    bad = [
        (release, name) for release, told in rows().items() for name, word in told.items() if word != "good"
    ]
    assert bad == []


def test_cases_name_rules_that_exist() -> None:
    named = " ".join(cases().values()).split()
    assert [rule for rule in named if not RULES.fullmatch(rule)] == []
