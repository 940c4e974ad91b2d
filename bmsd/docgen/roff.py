"""Manual pages in the few forms they need, so that making them takes no tool: the `man` macros of roff."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bmsd import __version__

MADE = r""".\" Made by './run docs' from {sources}. Changes here are lost: change the source."""
_MARKS = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
_SPECIAL = {"\\": r"\(rs", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti", "`": r"\(ga"}


def page(name: str, section: int, title: str, sources: str, *parts: str) -> str:
    """Put a page together. `title` is the line by which `apropos` finds it."""
    head = f'.TH {literal(name.upper())} {section} "" "bmsd {__version__}" "bmsd"'
    # Neither hyphens nor stretched lines: names that are broken cannot be copied.
    lines = [
        MADE.format(sources=sources),
        head,
        ".nh",
        ".ad l",
        ".SH NAME",
        rf"{literal(name)} \- {text(title)}",
    ]
    whole = "\n".join([*lines, *(part for part in parts if part)]) + "\n"
    # A heading begins a paragraph by itself.
    return re.sub(r"(?m)^(\.S[HS] .*)\n\.PP$", r"\1", whole)


def section(title: str, *parts: str) -> str:
    """Write a section; without content there is none."""
    inside = [part for part in parts if part]
    return "\n".join([f".SH {literal(title.upper())}", *inside]) if inside else ""


def part(title: str) -> str:
    """Write a heading inside a section."""
    return f'.SS "{literal(title)}"'


def paragraph(*sentences: str) -> str:
    """Write a paragraph, one line of source per sentence."""
    return "\n".join([".PP", *map(text, sentences)])


def tagged(terms: str, *sentences: str) -> str:
    """Write a term, already in roff, and below it, indented, what there is to say about it."""
    return "\n".join([".TP", terms, *map(text, sentences)])


def indented(parts: Iterable[str]) -> str:
    """Move parts one step to the right; nothing stays nothing."""
    inside = list(parts)
    return "\n".join([".RS", *inside, ".RE"]) if inside else ""


def bold(word: str) -> str:
    """Write what is to be typed as it stands."""
    return rf"\fB{literal(word)}\fP"


def italic(word: str) -> str:
    """Write what stands for something else."""
    return rf"\fI{literal(word)}\fP"


def literal(word: str) -> str:
    """Escape a word that may be copied to a shell: each hyphen is a minus, each quote is straight."""
    return _escape(word).replace("-", r"\-")


def text(sentence: str) -> str:
    """Escape a sentence; `words in code marks` and **strong ones** become bold."""
    parts, at = [], 0
    for found in _MARKS.finditer(sentence):
        parts += [_words(sentence[at : found.start()]), bold(found[1] or found[2])]
        at = found.end()
    line = "".join([*parts, _words(sentence[at:])])
    # A line that begins with a dot or a quote would be read as a macro.
    return rf"\&{line}" if line.startswith((".", "'")) else line


def _words(words: str) -> str:
    """Escape prose; only options keep their minus."""
    return re.sub(r"(?<!\w)-{1,2}(?=\w)", lambda found: found[0].replace("-", r"\-"), _escape(words))


def _escape(words: str) -> str:
    return "".join(_SPECIAL.get(c) or (c if c.isascii() else rf"\[u{ord(c):04X}]") for c in words)


def see_also(pages: Sequence[tuple[str, int]]) -> str:
    """Write the section that leads to other pages."""
    lines = [f".BR {literal(name)} ({number})" for name, number in sorted(pages, key=lambda p: (p[1], p[0]))]
    return section("see also", *(f"{line}," for line in lines[:-1]), lines[-1])
