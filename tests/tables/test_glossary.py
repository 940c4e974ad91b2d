"""The glossary: one row for each word, in order, and its places exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmsd.tables.glossary import TERMS, Term

ROOT = Path(__file__).resolve().parents[2]


def test_terms_are_in_order_and_each_is_there_once() -> None:
    names = [term.name.lower() for term in TERMS]
    assert names == sorted(set(names))


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_term_is_a_sentence_and_its_place_exists(term: Term) -> None:
    assert term.meaning[0].isupper()
    assert term.meaning.endswith(".")
    assert not term.where or (ROOT / term.where).exists()
