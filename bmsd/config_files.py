"""Read the configuration files, and keep for every value where it stands.

The main file and its drop-ins are merged key by key, later files win. What cannot be read is a problem text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
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
            for target, name, value in _values(section, table):
                line = lines.get((target, name), lines.get((target, ""), place.line))
                merged.setdefault(target, {})[name] = Given(value, Place(str(file), line))


def _values(section: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield section, key and value; a table in the section of which there may be more is a section `can.NAME`."""
    more = section == configuration.MORE_OF
    for name, value in table.items():
        if more and isinstance(value, dict) and name not in configuration.keys_of(section):
            yield from ((f"{section}.{name}", key, inner) for key, inner in value.items())
        else:
            yield section, name, value


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest what may have been meant."""
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
