"""Where bmsctl writes: colour only on a terminal that wants it, symbols only where the encoding has them.

Everything fits 80 columns, or fewer where the terminal is narrower.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from typing import TextIO

WIDEST = 80
NARROWEST = 30
_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "alert": "1;37;41",
}
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PLAIN = str.maketrans({
    "°": "", "Ω": "ohm", "µ": "u", "±": "+-", "·": "-", "×": "x", "²": "2", "█": "#", "░": ".", "─": "-",
})  # fmt: skip


class Console:
    """One output stream and what it can show."""

    def __init__(self, stream: TextIO | None = None, *, colour: bool = True) -> None:
        self.stream = stream or sys.stdout
        self.is_terminal = self.stream.isatty()
        unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
        self.colour = colour and self.is_terminal and not unwanted
        self.symbols = _can_encode(self.stream, "°Ωµ±·█░─")

    @property
    def width(self) -> int:
        """Give the columns to use now; a pipe gets as many as the widest."""
        if not self.is_terminal:
            return WIDEST
        return max(min(shutil.get_terminal_size().columns, WIDEST), NARROWEST)

    def paint(self, text: str, look: str) -> str:
        """Colour a text, if this console shows colour."""
        return f"\x1b[{_CODES[look]}m{text}\x1b[0m" if self.colour and look and text else text

    def say(self, text: str = "") -> None:
        """Write one line, with symbols the stream can encode."""
        print(self.encodable(text), file=self.stream)

    def encodable(self, text: str) -> str:
        """Replace symbols by letters where the encoding lacks them."""
        if self.symbols:
            return text
        encoding = self.stream.encoding or "ascii"
        return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)

    def paragraph(self, text: str, indent: str = "") -> None:
        """Write a text wrapped to the width."""
        for line in wrapped(self.encodable(text), self.width, indent, indent):
            self.say(line)

    def bar(self, share: float | None, width: int) -> str:
        """Draw a share of 0 to 1; an unknown one is all question marks, never an empty bar."""
        if share is None:
            return "?" * width
        full = round(min(max(share, 0.0), 1.0) * width)
        return self.encodable("█" * full + "░" * (width - full))


def wrapped(text: str, width: int, first: str = "", later: str = "") -> list[str]:
    """Break a text into lines; words are only cut when longer than a line."""
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    ) or [first.rstrip()]


def cut(text: str, width: int) -> str:
    """Cut a plain text to a width; two dots say that it goes on."""
    return text if len(text) <= width else f"{text[: width - 3]} .."


def clipped(text: str, width: int) -> str:
    """Cut a line to what is visible in so many columns; colour codes take no room."""
    out, room, at = [], width, 0
    for code in _ESCAPE.finditer(text):
        piece = text[at : code.start()][:room]
        room -= len(piece)
        out += [piece, code.group()]
        at = code.end()
    return "".join([*out, text[at:][:room]])


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
