"""What is known of the changes that nobody notices: the explanations, and the document with the figures."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from datetime import date
from pathlib import Path

import mutants
from mutants import Mutant

EXPLANATIONS = Path(__file__).resolve().parent / "explained.toml"
DOCUMENT = mutants.CORE.parents[1] / "docs" / "mutation.md"


@functools.cache
def explained() -> dict[tuple[str, str, str], str]:
    """Read the explanations: module, function, change, and the reason."""
    if not EXPLANATIONS.exists():
        return {}
    rows = tomllib.loads(EXPLANATIONS.read_text(encoding="utf-8"))
    return {}


def fingerprint(module: str) -> str:
    """Name the state of a module's source."""
    return hashlib.sha256(mutants.source(module).encode()).hexdigest()[:12]


def write(left: dict[str, list[Mutant]], prints: dict[str, str], today: date) -> None:
    pass
