"""Every fault class has a test alone and one as the second of two faults, and the page says what is so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bmsd.docgen import faults
from bmsd.docgen.source import constants

ROOT = Path(__file__).resolve().parents[2]
CLASSES = constants(ROOT / faults.TABLE)["CLASSES"]
NUMBERS = [row[0] for row in CLASSES]


def test_there_are_twenty_in_order() -> None:
    assert [*range(1, 21)] == NUMBERS


@pytest.mark.parametrize("when", faults.WHEN)
@pytest.mark.parametrize("number", NUMBERS)
def test_a_class_is_shown_each_way_by_a_test_that_passes(number, when) -> None:
    counted = Counter((test.number, test.when) for test in faults.marked(ROOT) if not test.gap)
    assert counted[number, when], f"no test is marked fault_class({number}, {when!r})"


def test_marks_name_only_rows_that_exist() -> None:
    strange = [t for t in faults.marked(ROOT) if t.number not in NUMBERS or t.when not in faults.WHEN]
    assert not strange


def test_a_gap_is_told_on_the_page() -> None:
    page = (ROOT / faults.PAGE).read_text(encoding="utf-8")
    for test in faults.marked(ROOT):
        assert not test.gap or f"`{test.name}`" in page


def test_a_mark_is_read_as_it_stands(tmp_path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(
        '@pytest.mark.fault_class(3, "alone")\n@pytest.mark.xfail(strict=True)\ndef test_it(): ...\n'
        "def test_other(): ...\n"
    )
    assert faults.marked(tmp_path) == [faults.Marked(3, "alone", "tests/test_a.py", "test_it", True)]
