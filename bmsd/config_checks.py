"""Check a configuration: every key against its row, the parameters as a set, and what is wired against it.

Each check adds its problems to one list, so that the installer sees all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bmsd.afe.chips import CHIPS
from bmsd.config_files import Files, Given, Place, alike, nearest
from bmsd.core.heater import misfit
from bmsd.core.settings import heater_max_mw
from bmsd.tables import configuration, parameters
from bmsd.tables.configuration import Key, Required

_MISSPELT = 0.85
"""How like one of our keys a library's own has to look to be taken for a slip; python-can's stay below."""


def check_keys(path: Path, given: Files, problems: list[str]) -> dict[str, Any]:
    """Check every key against its row; give section.name: value, with defaults filled in."""
    values: dict[str, Any] = {}
    further = [section for section in given if "." in section]
    for section in (*configuration.SECTIONS[:-1], *further):
        present = given.get(section, {})
        rows = configuration.keys_of(section)
        for name, (value, place) in present.items():
            if name in rows:
                row = replace(rows[name], section=section)
                values[f"{section}.{name}"] = _checked(row, value, place, problems)
            elif section.partition(".")[0] not in configuration.OPEN_SECTIONS:
                problems.append(f"{place}: [{section}] has no key {name}{nearest(name, rows)}")
            elif near := alike(name.lower(), rows, _MISSPELT):
                # The library would drop it without a word, and the default be taken for what was meant.
                problems.append(f"{place}: [{section}] has no key {name}{near}")
        if section not in given and section in configuration.OPTIONAL_SECTIONS:
            continue
        for name, row in rows.items():
            if name in present:
                continue
            values[f"{section}.{name}"] = row.default
            if row.required is Required.YES:
                problems.append(f"{path}: {section}.{name} is missing: {row.help} Write {row.allowed}")
    return values


def _checked(row: Key, value: Any, place: Place, problems: list[str]) -> Any:
    """Check one value; a wrong one is reported and taken as missing."""
    name = f"{row.section}.{row.name}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and (isinstance(value, int) or value.is_integer())
    fits = {bool: isinstance(value, bool), int: whole, float: number, str: isinstance(value, str),
            list: isinstance(value, list), dict: isinstance(value, dict)}[row.type]  # fmt: skip
    if fits and row.low is not None and row.high is not None:
        fits = row.low <= value <= row.high
    if fits and row.choices:
        chosen = value if row.type is list else [value]
        fits = all(choice in row.choices for choice in chosen)
    if fits:
        return int(value) if row.type is int else value
    problems.append(f"{place}: {name} is {value!r}, allowed is {row.allowed}. {row.help}")
    return None


def chosen_parameters(given: Mapping[str, Given], problems: list[str]) -> dict[str, int]:
    """Turn [parameters] into inside units, by inside name."""
    chosen: dict[str, int] = {}
    for name, (value, place) in given.items():
        row = parameters.BY_PUBLIC_NAME.get(name)
        if row is None:
            near = nearest(name, parameters.BY_PUBLIC_NAME, "; docs/generated/parameters.md lists them")
            problems.append(f"{place}: there is no parameter {name}{near}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            problems.append(f"{place}: {name} is {value!r}, but must be a number in {row.unit.symbol}")
        elif abs(value) > 1e9:
            problems.append(f"{place}: {name} is {value!r}, far outside any range")
        else:
            chosen[row.name] = row.unit.to_inside(value)
    return chosen


def check_chip(given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Check that the front-end chip is known and measures so many cells."""
    name, cells = values.get("afe.chip"), values.get("pack.cells")
    if name is None:
        return
    place = given["afe"]["chip"].place
    chip = CHIPS.get(name)
    if chip is None:
        problems.append(f"{place}: afe.chip {name!r} is not known; known are {', '.join(sorted(CHIPS))}")
    elif cells is not None and not chip.min_cells <= cells <= chip.max_cells:
        problems.append(
            f"{place}: {name} measures {chip.min_cells} to {chip.max_cells} cells, pack.cells is {cells}"
        )


def check_parameters(
    path: Path,
    given: Files,
    values: Mapping[str, Any],
    chosen: Mapping[str, int],
    problems: list[str],
) -> dict[str, int | None] | None:
    """Check the whole set: ranges and order (S8). Without a good [pack] only the ranges can be."""
    chemistry, cells = values.get("pack.chemistry"), values.get("pack.cells")
    preset = values.get("pack.preset")
    merged, found = None, {}
    if chemistry is None or cells is None or preset is None:
        rows = [row for row in parameters.ROWS if row.name in chosen and not row.per_cell]
        found = {row.name: parameters.range_problem(row, chosen[row.name], 1) for row in rows}
    else:
        capacity_mah = round((values.get("pack.capacity_ah") or 0) * 1000)
        merged = parameters.defaults(chemistry, preset, cells, chosen, capacity_mah)
        found = parameters.problems(merged, cells, chosen)
    for name, text in found.items():
        if text:
            written = given.get("parameters", {}).get(parameters.BY_NAME[name].public_name)
            problems.append(f"{written.place if written else f'{path}: [parameters]'}: {text}")
    return merged


def check_heater(
    given: Files,
    values: Mapping[str, Any],
    merged: Mapping[str, int | None] | None,
    problems: list[str],
) -> None:
    """Refuse a heater that would exceed its limits at full pack voltage (S4)."""
    ohm, cells = values.get("heater.resistance_ohm"), values.get("pack.cells")
    if ohm is None or merged is None or cells is None:
        return
    ovp_mv, max_ma, max_mw = (merged[n] for n in ("cell_ovp_mv", "heater_max_ma", "heater_max_mw"))
    if ovp_mv is None or max_ma is None or max_mw is None or max_ma <= 0 or max_mw <= 0:
        return
    mohm, full_mv = round(ohm * 1000), ovp_mv * cells
    max_mw = heater_max_mw(cells, max_mw)
    place = given["heater"]["resistance_ohm"].place
    text = misfit(mohm, full_mv, max_ma, max_mw)
    if text:
        problems.append(f"{place}: heater.resistance_ohm is {ohm:g}: {text}")
    if values.get("outputs.heater") is None:
        problems.append(f"{place}: [heater] needs its line: write outputs.heater = N")


def check_lines(given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Refuse a line used twice, and active-low outputs where the library would pulse them."""
    used: dict[int, str] = {}
    for key in configuration.keys_of("outputs").values():
        line = values.get(f"outputs.{key.name}")
        if key.type is not int or line is None:
            continue
        if line in used:
            place = given["outputs"][key.name].place
            problems.append(f"{place}: outputs.{key.name} uses line {line}, which is outputs.{used[line]}")
        used[line] = key.name
    if values.get("outputs.active_low") and values.get("outputs.backend") == "gpiozero":
        problems.append(
            f"{given['outputs']['active_low'].place}: gpiozero pulses active-low outputs ON at every start:"
            ' use backend = "gpiod", or drivers that switch on with a high level'
        )
    if values.get("outputs.heater") is not None and "heater" not in given:
        problems.append(
            f"{given['outputs']['heater'].place}: outputs.heater needs [heater] with resistance_ohm"
        )


def check_topology(path: Path, given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Refuse a contactor that the topology does not have, and miss one that it has."""
    topology = values.get("switches.topology")
    if topology is None:
        return
    written, rows = given.get("outputs", {}), configuration.keys_of("outputs")
    wanted = configuration.CONTACTOR_LINES[topology]
    for name in wanted:
        if values.get(f"outputs.{name}") is None and name not in written:
            problems.append(
                f"{path}: outputs.{name} is missing: {rows[name].help} Write {rows[name].allowed}"
            )
    for other in (
        name for names in configuration.CONTACTOR_LINES.values() for name in names if name not in wanted
    ):
        problems.extend(
            f'{written[key].place}: outputs.{key} is not wired in the topology "{topology}"'
            f"{_INSTEAD.get(topology, '')}: remove it, or change switches.topology"
            for key in (other, f"{other}_feedback")
            if key in written
        )
    if topology in _ONE_BUS and values.get("heater.supply") not in {None, "pack"}:
        problems.append(
            f'{path}: heater.supply must be "pack" in the topology "{topology}": the charger\'s side of its'
            f" {_ONE_BUS[topology]} the load's, too"
        )
    if topology == configuration.OWN_FETS and values.get("afe.switch_sensor") is False:
        problems.append(
            f'{path}: afe.switch_sensor must be true in the topology "{topology}": a FET that is too hot fails'
            " closed; mount the chip's third sensor (TS3) on the FETs"
        )


_INSTEAD = {configuration.OWN_FETS: ", where the front-end chip drives its own FETs"}
_ONE_BUS = {"common": "contactor is", configuration.OWN_FETS: "FETs is"}
"""Topologies with charger and load behind the same switches."""
