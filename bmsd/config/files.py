"""Read the configuration files, and keep for every value where it stands.

The main file and its drop-ins are merged key by key, later files win.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bmsd.config import toml
from bmsd.errors import ConfigError
from bmsd.tables import configuration

_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.-]+)\s*\]")
_BEGIN = ". Copy the example etc/bmsd.toml and adapt it, or run 'bmsctl setup'"
_ASSIGNMENT = re.compile(r"\s*(?:([A-Za-z0-9_-]+)\s*\.\s*)?([A-Za-z0-9_-]+)\s*=")


class Place(NamedTuple):
    """Where a value stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}" if self.line else self.file


class Given(NamedTuple):
    """One value as written, and where."""

    value: Any
    place: Place


class Files(dict[str, dict[str, Given]]):
    """Section, key, value as written; and where each section begins."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: dict[str, Place] = {}

    def place(self, section: str, key: str = "") -> Place | None:
        """Say where a key stands, or else its section; None where neither is written."""
        written = self.get(section, {}).get(key)
        return written.place if written else self.headers.get(section)


def read(path: Path, problems: list[str]) -> Files:
    """Read a configuration file and its drop-ins; raise ConfigError where one cannot be read.

    What is missing then is not known, so nothing else is said of the others.
    """
    merged, unreadable = Files(), list[str]()
    for file in (path, *sorted((path.parent / "conf.d").glob("*.toml"))):
        try:
            text, document = toml.read(file, _BEGIN)
        except ConfigError as error:
            unreadable += error.problems
            continue
        _merge(file, document, _lines(text), merged, problems)
    if unreadable:
        raise ConfigError(unreadable)
    if not merged and not problems:
        raise ConfigError([f"{path}: nothing is written in it{_BEGIN}"])
    return merged


def _lines(text: str) -> dict[tuple[str, str], int]:
    """Find the line of every section and key; tomllib does not keep them."""
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = header[1]
            found.setdefault((section, ""), number)
        elif key := _ASSIGNMENT.match(line):
            found.setdefault((key[1] or section, key[2]), number)
    return found


def _merge(
    file: Path,
    document: Mapping[str, Any],
    lines: Mapping[tuple[str, str], int],
    merged: Files,
    problems: list[str],
) -> None:
    for section, table in document.items():
        place = Place(str(file), lines.get((section, ""), lines.get(("", section), 0)))
        if section not in configuration.SECTIONS:
            problems.append(
                f"{place}: there is no section [{section}]{nearest(section, configuration.SECTIONS)}"
            )
        elif not isinstance(table, dict):
            problems.append(f"{place}: {section} must be a section: write [{section}] and its keys below")
        else:
            for full, keys in _apart(section, table).items():
                header = lines.get((full, ""), place.line)
                merged.headers[full] = Place(str(file), header)
                target = merged.setdefault(full, {})
                for name, value in keys.items():
                    target[name] = Given(value, Place(str(file), lines.get((full, name), header)))


def _apart(section: str, table: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Take a section and the named ones below it apart; one of which only those are written is not there."""
    if section not in configuration.NAMED_SECTIONS:
        return {section: table}
    rows = configuration.keys_of(section)
    named = {name: keys for name, keys in table.items() if isinstance(keys, dict) and name not in rows}
    own = {name: value for name, value in table.items() if name not in named}
    first: dict[str, Mapping[str, Any]] = {section: own} if own or not named else {}
    return first | {f"{section}.{name}": keys for name, keys in named.items()}


def nearest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Suggest what may have been meant; otherwise say what there is."""
    return alike(word, known) or otherwise or f"; known are {', '.join(known)}"


def alike(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Suggest what may have been meant, if something looks like it; capitals do not count."""
    from difflib import get_close_matches  # memory of every process, for what is hardly ever wrong

    small = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), list(small), 1, likeness)
    return f"; did you mean {small[near[0]]}?" if near else ""
