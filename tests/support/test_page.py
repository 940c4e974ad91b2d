"""The page of the tests is written from what a run and CI say."""

from __future__ import annotations

import pytest

from tests.support.page import steps


def test_the_steps_of_ci_are_read_from_its_last_line() -> None:
    log = "== 3 s: ./run lint\n== 900 s: all passed (tests 600 s, image-trixie 0 s, check 80 s)\n"
    table = steps(log)
    assert "| tests | `./run test --all --cover` |" in table
    assert "| image-trixie | `tests/machine/build-image --suite NAME` |" in table
    assert "| check | `tests/package/check DEB` |" in table
    assert table.endswith("| **900** |")
    assert table.count("\n") == 5
    with pytest.raises(SystemExit, match="only a run that passed"):
        steps("== 3 s: ./run lint\n")
