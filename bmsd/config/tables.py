"""Read a TOML file into tables that know their lines, and collect everything that is wrong with it."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmsd.config import toml
from bmsd.config.files import nearest
from bmsd.errors import ConfigError, PeerError

_HEADER = re.compile(r"\s*\[+\s*([A-Za-z0-9_-]+)\s*\]+")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


@dataclass(frozen=True, slots=True)
class Table:
    """One [table] or one of several [[tables]], with the line of each key."""

    name: str
    values: Mapping[str, Any]
    lines: Mapping[str, int]
    file: str
    line: int

    def place(self, key: str) -> str:
        """Say where a key stands, or the table when it has none."""
        line = self.lines.get(key, self.line)
        return f"{self.file}, line {line}" if line else self.file


class Problems:
    """What is wrong with a file: one text each, with its place, in the order of the file."""

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def add(self, table: Table, key: str, text: str) -> None:
        """Report a problem with a key, or with the whole table."""
        what = f"{table.name}.{key}" if key else f"[{table.name}]"
        line = table.lines.get(key, table.line)
        self._found.append((line, f"{table.place(key)}: {what}: {text}"))

    def add_plain(self, line: int, text: str) -> None:
        """Report a problem with something that is no known table."""
        self._found.append((line, text))

    @contextlib.contextmanager
    def at(self, table: Table, key: str) -> Iterator[None]:
        """Report what the checks inside refuse."""
        try:
            yield
        except PeerError as error:
            self.add(table, key, str(error))

    def unknown_keys(self, table: Table, known: Iterable[str]) -> None:
        """Report every key that is not known."""
        names = tuple(known)
        for key in table.values:
            if key not in names:
                self.add(table, key, f"there is no such key{nearest(key, names)}")

    def number(self, table: Table, key: str, low: float, high: float, otherwise: float | None) -> float:
        """Take a number within its range; without a value to fall back on it must be there."""
        value = table.values.get(key, otherwise)
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if good and low <= value <= high:
            return float(value)
        seen = "is missing" if value is None else f"is {value!r}"
        self.add(table, key, f"{seen}, allowed is a number from {low:.10g} to {high:.10g}")
        return low

    def text(self, table: Table, key: str, otherwise: str) -> str:
        """Take a text."""
        value = table.values.get(key, otherwise)
        if not isinstance(value, str):
            self.add(table, key, f"is {value!r}, but must be a text in quotes")
            return otherwise
        return value

    def raise_if_any(self) -> None:
        """Raise ConfigError when anything was reported."""
        if self._found:
            raise ConfigError([text for _, text in sorted(self._found, key=lambda found: found[0])])


def read(path: Path, known: Mapping[str, bool], problems: Problems) -> dict[str, list[Table]]:
    """Read a file; `known` names its tables and whether there may be several of each."""
    tables: dict[str, list[Table]] = {name: [] for name in known}
    text, document = toml.read(path)
    lines = _lines(text)
    for name, content in document.items():
        line = lines.get((name, 0, ""), lines.get(("", 0, name), 0))
        if name not in known:
            problems.add_plain(line, f"{path}, line {line}: there is no [{name}]{nearest(name, known)}")
            continue
        wanted = f"[[{name}]]" if known[name] else f"[{name}]"
        listed = content if isinstance(content, list) else [content]
        if isinstance(content, list) != known[name] or not all(isinstance(one, dict) for one in listed):
            problems.add_plain(
                line, f"{path}, line {line}: {name} must be written {wanted}, with its keys below"
            )
            continue
        for index, values in enumerate(listed):
            own = {key: n for (table, count, key), n in lines.items() if (table, count) == (name, index)}
            tables[name].append(Table(name, values, own, str(path), own.get("", 0)))
    return tables


def _lines(text: str) -> dict[tuple[str, int, str], int]:
    """Find the line of every table (by name and count) and key; tomllib does not keep them."""
    found: dict[tuple[str, int, str], int] = {}
    counts: dict[str, int] = {}
    table, index = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[1]
            index = counts.get(table, 0)
            counts[table] = index + 1
            found[(table, index, "")] = number
        elif key := _ASSIGNMENT.match(line):
            found.setdefault((table, index, key[1]), number)
    return found
