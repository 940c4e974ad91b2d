"""How much this run of the tests does: what a change can break in a normal day, or everything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

EVERYTHING = False
"""Set by the plugin `everyday` before any test module is read."""


def examples(everything: int) -> int:
    """Give the number of random examples of a property: all of them, or a fifth in the everyday run."""
    return everything if EVERYTHING else max(5, everything // 5)


def slow_but(everyday: Iterable[Any], values: Iterable[Any]) -> list[Any]:
    """Give the values of a parameter, or rows of some, all of them marked slow but those of the everyday run."""
    quick = list(everyday)
    return [value if value in quick else _slow(value) for value in values]


def _slow(value: Any) -> Any:
    return pytest.param(*(value if type(value) is tuple else (value,)), marks=pytest.mark.slow)


def slow_rows(slow: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Give rows of parameters, each with its first column as its name, some of them marked slow."""
    slower = set(slow)
    return [
        pytest.param(*row, id=row[0], marks=[pytest.mark.slow] if row[0] in slower else []) for row in rows
    ]
