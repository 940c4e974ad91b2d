"""Take the advice of a refusal as an installer would, and write it into the file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from bmsd.daemon.main import checked_config
from bmsd.errors import ConfigError
from bmsd.tables.configuration import KEYS, SECTIONS
from bmsd.tables.parameters import BY_PUBLIC_NAME

Sections = dict[str, dict[str, Any]]
Change = tuple[str, str, Any]
"""Section, key and value; None removes the key."""

_NUMBER = r"(-?[\d.]+)"
_TAKE = re.compile(rf"Take (?:(\w+) of )?at (?:most|least) {_NUMBER}")
_AND = re.compile(rf" and (\w+) of at (?:most|least) {_NUMBER}")
_OR = re.compile(rf", or (\w+) of at (?:most|least) {_NUMBER}")
_SHUNT = re.compile(rf"[Ff]it a shunt \(afe\.shunt_mohm\) of at (?:most|least) {_NUMBER}")
_KEYED = (
    re.compile(r"must be \"(\w+)\" in the topology"),
    re.compile(r"must be (true) in the topology"),
    re.compile(r"did you mean ([\w-]+)\?"),
    re.compile(r"needs at least ([\d.]+) ohm"),
    re.compile(r"written here ([\d.]+) to [\d.]+ fit"),
    re.compile(r"Use at least ([\d.]+) ohm"),
    re.compile(r"(?:Free here is|free here is|Take another, such as|outputs.heater = N, such as|Take) (\d+)"),
    re.compile(r"allowed is (?:one of|a list of) \"([\w-]+)\""),
    re.compile(r"write a serial port, such as \"([\w/]+)\""),
    re.compile(r"Write one of \"([\w-]+)\""),
    re.compile(rf"With the rest of the file {_NUMBER}"),
    re.compile(rf"allowed here {_NUMBER}"),
    re.compile(rf"(?:allowed is|Write|allowed) {_NUMBER}"),
    re.compile(r"known are ([\w-]+)"),
    re.compile(r"allowed is (true|a text|a list of texts)"),
)


def refusals(path: Path, text: str) -> list[str]:
    """Write a file and give what is wrong with it."""
    path.write_text(text, encoding="utf-8")
    try:
        checked_config(path)
    except ConfigError as error:
        return error.problems
    return []


def applied(sections: Sections, changes: list[Change]) -> Sections:
    """Give the file with some values changed."""
    new = {section: dict(keys) for section, keys in sections.items()}
    for section, key, value in changes:
        if value is None:
            new.get(section, {}).pop(key, None)
        else:
            new.setdefault(section, {})[key] = value
    return new


def ways(problem: str) -> list[list[Change]]:
    """Give every way out that a refusal names, each as the changes it asks for."""
    found: list[list[Change]] = []
    if "Leave it out" in problem or "remove it" in problem:
        return [[(*key_of(problem), None)]]
    if gone := re.search(r"Leave out ([\w ]+):", problem):
        return [[("parameters", name, None) for name in gone[1].split(" and ")]]
    if 'use backend = "gpiod"' in problem:
        return [[("outputs", "backend", "gpiod")]]
    if heater := re.search(r"needs \[heater\] with resistance_ohm of at least ([\d.]+)", problem):
        return [[("heater", "resistance_ohm", float(heater[1]))]]
    if take := _TAKE.search(problem):
        first = [_parameter(take[1] or key_of(problem)[1], take[2])]
        found.append(first + [_parameter(*both.groups()) for both in _AND.finditer(problem)])
        found += [[_parameter(*other.groups())] for other in _OR.finditer(problem)]
    if shunt := _SHUNT.search(problem):
        found.append([("afe", "shunt_mohm", float(shunt[1]))])
    return found or _keyed(problem)


def _keyed(problem: str) -> list[list[Change]]:
    section, key = key_of(problem)
    for pattern in _KEYED:
        if match := pattern.search(problem):
            return [[(section, key, _valued(section, key, match[1]))]]
    return []


def key_of(problem: str) -> tuple[str, str]:
    """Give section and key that a refusal names first."""
    text = problem.partition(".toml")[2]
    for word in re.findall(r"[\w.-]+", text):
        section, _, key = word.rpartition(".")
        if word in BY_PUBLIC_NAME:
            return "parameters", word
        if section.partition(".")[0] in SECTIONS and key:
            return section, key
    return "", ""


def _parameter(name: str, value: str) -> Change:
    return "parameters", name, float(value)


def _valued(section: str, key: str, text: str) -> Any:
    if section == "parameters":
        return float(text)
    kind = next(
        (row.type for row in KEYS if (row.section, row.name) == (section.partition(".")[0], key)), str
    )
    if kind is list:
        return [] if text == "a list of texts" else [text]
    if kind is bool:
        return text == "true"
    return int(float(text)) if kind is int else float(text) if kind is float else text


def sections_of(text: str) -> Sections:
    """Read a file back."""
    return tomllib.loads(text)
