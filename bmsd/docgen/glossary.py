"""The page of the words: one line each, from the glossary's rows."""

from __future__ import annotations

from bmsd.docgen.markdown import page, table
from bmsd.tables.glossary import TERMS

_TEXT = (
    "The words of bmsd, as its field uses them. Code, documents and messages have one word for one thing; what others"
    " call it stands beside it."
)


def glossary_page() -> str:
    """List every term."""
    rows = ([f"**{term.name}**", term.meaning, term.also, _place(term.where)] for term in TERMS)
    return page(
        "Glossary",
        "`bmsd/tables/glossary.py`",
        _TEXT,
        table(("Term", "Meaning", "Also called", "Where"), rows),
    )


def _place(path: str) -> str:
    return f"[{path.removeprefix('bmsd/')}](../../{path})" if path else ""
