"""Read the configuration files, and keep for every value where it stands.

The main file and its drop-ins are merged key by key, later files win. What cannot be read is a problem text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bmsd.tables import configuration

_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.-]+)\s*\]")
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


Files = dict[str, dict[str, Given]]
"""Section, key, value as written."""


def read(path: Path, problems: list[str]) -> Files:
    """Read a configuration file and its drop-ins; every trouble is added to `problems`."""
    merged: Files = {}
    for file in (path, *sorted((path.parent / "conf.d").glob("*.toml"))):
        try:
            text = file.read_text()
            document = tomllib.loads(text)
        except FileNotFoundError:
            problems.append(f"{file}: there is no such file. Copy the example etc/bmsd.toml and adapt it")
            continue
        except (OSError, UnicodeDecodeError, RecursionError) as error:
            problems.append(f"{file}: cannot be read: {error}")
            continue
        except tomllib.TOMLDecodeError as error:
            problems.append(f"{file}: is not valid TOML: {error}. Texts need quotes, tables need [brackets]")
            continue
        except ValueError as error:
            problems.append(f"{file}: cannot be read: {error}")
            continue
        _merge(file, document, _lines(text), merged, problems)
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
    """Suggest what may have been meant, if something looks like it."""
    from difflib import get_close_matches  # memory of every process, for what is hardly ever wrong

    near = get_close_matches(word, list(known), 1, likeness)
    return f"; did you mean {near[0]}?" if near else ""
