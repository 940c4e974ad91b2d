"""Read a TOML file, and say in one problem why it cannot be read: the line, what stands there, what to write."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from bmsd.errors import ConfigError

_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")
_KEY = r"^\s*(?P<key>[A-Za-z0-9_.-]+)\s*=\s*"
_HINTS = (
    (r"(?P<whole>\d+),(?P<part>\d+)\s*(#.*)?$", "write a point: {key} = {whole}.{part}"),
    (r"(?P<number>-?\d[\d_.]*)\s*(?P<unit>[^\d\s.,#][^\s#]*)\s*(#.*)?$", "write it without {unit}: {key} = {number}"),
    (r"(?P<yes>yes|on|True|TRUE)\s*(#.*)?$", "write {key} = true"),
    (r"(?P<no>no|off|False|FALSE)\s*(#.*)?$", "write {key} = false"),
    (r"(?P<text>[A-Za-z/][^\s\"'#]*)\s*(#.*)?$", "a text needs quotes: {key} = \"{text}\""),
    (r"[\"'](?P<text>[^\"'#]*?)\s*(#.*)?$", "the closing quote is missing: {key} = \"{text}\""),
    (r"(#.*)?$", "the value is missing: write one behind {key} =, or remove the line"),
)  # fmt: skip
"""What people write that is no TOML, by what stands behind the equals sign, and what to write instead."""
_OTHERWISE = "texts need quotes, tables need [brackets]"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read(file: Path, if_missing: str = "") -> tuple[str, dict[str, Any]]:
    """Give the text of a file and what it says; raise ConfigError with the one reason why it cannot be read."""
    text = _text(file, if_missing)
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_no_toml(file, text, str(error))]) from None
    except (RecursionError, ValueError) as error:
        raise ConfigError([f"{file}: cannot be read: {error}"]) from None


def _text(file: Path, if_missing: str) -> str:
    """Decode a file; the mark that some editors put before UTF-8 is no part of it."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise ConfigError([f"{file}: there is no such file{if_missing}"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{file}: cannot be read: it is a directory; name the file in it"]) from None
    except PermissionError:
        raise ConfigError(
            [f"{file}: cannot be read: you may not. Use sudo, or a user of the file's group"]
        ) from None
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from None
    if data.startswith(_UTF_16) or data[1:2] == b"\0":
        raise ConfigError([f"{file}: cannot be read: it is UTF-16 text. Save it as UTF-8"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            [
                f"{file}, line {line}: cannot be read: byte 0x{data[error.start]:02x} is no UTF-8 text."
                " Save the file as UTF-8"
            ]
        ) from None


def _no_toml(file: Path, text: str, error: str) -> str:
    lines = text.splitlines() or [""]
    found = _PLACE.search(error)
    number = min(int(found[1]), len(lines)) if found else len(lines)
    what, line = _PLACE.sub("", error), lines[number - 1]
    said = f"{what[:1].lower()}{what[1:]}: {line.strip()[:60]!r}"
    return f"{file}, line {number}: is not valid TOML: {said}; {_hint(what, line)}"


def _hint(what: str, line: str) -> str:
    """Say what to write instead, as far as the line shows what was meant."""
    if what.startswith("Cannot overwrite"):
        return "it is written twice: remove one of the two"
    if what.startswith("Cannot declare"):
        return "the section is there already: put its keys under the first one"
    for pattern, hint in _HINTS:
        if match := re.match(_KEY + pattern, line):
            return hint.format(**match.groupdict())
    return _OTHERWISE
