"""Markdown in the few forms the documents need: pages, tables, code words, figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bmsd.tables.rows import Unit

MADE = "<!-- Made by `./run docs` from {sources}. Changes here are lost: change the source. -->"


def page(title: str, sources: str, *parts: str) -> str:
    """Put a page together; `sources` says where its content is kept."""
    return "\n\n".join([f"# {title}", MADE.format(sources=sources), *parts]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    lines = [_line(heads), _line(["---"] * len(heads))]
    return "\n".join([*lines, *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(word: object) -> str:
    """Mark a word as something to type or to find in the source; nothing stays nothing."""
    return f"`{word}`" if word != "" else ""


def codes(words: Iterable[object]) -> str:
    """Mark a list of words."""
    return ", ".join(code(word) for word in words)


def figure(unit: Unit, value: int) -> str:
    """Write an inside value for people, without its unit and without trailing zeros."""
    text = f"{value / unit.scale:.{unit.digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
