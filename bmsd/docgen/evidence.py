"""Which test shows what: the tests of every hazard and of every safety rule, on one page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from bmsd.docgen import source
from bmsd.docgen.hazards import HAZARDS

PAGE = "docs/generated/tests.md"
_LISTED = re.compile(r"\[[^\]]+\]\(\.\./\.\./(tests/[^)]+)\)")
_RULE = re.compile(r"^### (S\d+)\n\n(.*?)\n(?=\n|\Z)", re.DOTALL | re.MULTILINE)
_HEAD = """# Tests of hazards and rules

<!-- Made by ./run docs from the hazards' table and the docstrings of the tests. Do not edit. -->

What [SAFETY.md](../SAFETY.md) says is shown by these files. A test belongs to a rule when its docstring cites it.
"""


def tests_page(root: Path) -> str:
    """Write the page."""
    tests = source.citing_files(root)
    hazards = (
        f"### {hazard.name}\n\n{_links(f'tests/{name}' for name in hazard.tests)}" for hazard in HAZARDS
    )
    rules = (f"### {rule}\n\n{_links(tests[rule])}" for rule in source.RULES)
    return "\n\n".join([f"{_HEAD}\n## Hazards", *hazards, "## Rules", *rules]) + "\n"


def _links(names: Iterable[str]) -> str:
    links = [f"[{name.removeprefix('tests/')}](../../{name})" for name in names]
    return f"{', '.join(links) or 'none yet'}."


def is_true(root: Path, text: str | None) -> bool:
    """Tell whether every listed test cites its rule, and the rest of the page is as it would be written.

    A list that lacks a new test is still true, so that a new test alone makes no document old.
    """
    wanted, tests = tests_page(root), source.citing_files(root)
    if text is None or _RULE.sub("", text) != _RULE.sub("", wanted):
        return False
    for rule, lists in _RULE.findall(text):
        listed, there = {*_LISTED.findall(lists)}, {*tests[rule]}
        if listed - there or (there and not listed):
            return False
    return True
