"""Check a configuration: every key against its row, the parameters as a set, and what is wired against it.

Each check adds its problems to one list, so that the installer sees all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bmsd.afe.chips import CHIPS, usable
from bmsd.config.advice import fitting_shunts
from bmsd.config.files import Files, alike, nearest
from bmsd.config.lines import free_line
from bmsd.config.parameters import trial_as_written
from bmsd.core.heater import least_mohm, misfit
from bmsd.core.settings import heater_max_mw
from bmsd.inverters.protocols import NAMES, row_of
from bmsd.tables import configuration, envelopes
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
                values[f"{section}.{name}"], text = _checked(_held_to_others(row, given), value, given)
                problems += [f"{place}: {text}"] if text else []
            elif section.partition(".")[0] not in configuration.OPEN_SECTIONS:
                problems.append(f"{place}: [{section}] has no key {name}{nearest(name, rows)}")
            elif near := alike(name, rows, _MISSPELT):
                # The library would drop it without a word, and the default be taken for what was meant.
                problems.append(f"{place}: [{section}] has no key {name}{near}")
        if section not in given and section in configuration.OPTIONAL_SECTIONS:
            continue
        for name, row in rows.items():
            if name in present:
                continue
            values[f"{section}.{name}"] = row.default
            if row.required is Required.YES:
                problems.append(_missing(path, given, _advised(_held_to_others(row, given), given)))
    return values


def _held_to_others(row: Key, given: Files) -> Key:
    """Narrow what a key may be to what the key beside it leaves."""
    key = f"{row.section.partition('.')[0]}.{row.name}"
    if key == "afe.chip":
        return replace(row, choices=usable())
    chip = CHIPS.get(str(_written(given, "afe", "chip")))
    if key == "pack.cells" and chip is not None:
        text = f"{row.help} So many does {_written(given, 'afe', 'chip')} measure."
        return replace(row, low=chip.min_cells, high=chip.max_cells, help=text)
    protocol = _written(given, row.section, "protocol")
    if key == "can.bitrate" and protocol in NAMES:
        rate = row_of(str(protocol)).bitrate
        return replace(row, low=rate, high=rate)
    if key == "can.protocol" and not isinstance(protocol, str):
        return replace(row, choices=NAMES)
    return row


def _advised(row: Key, given: Files) -> Key:
    """Add to the help of a wrong or missing key what would do in this file; it takes some trying out."""
    key = f"{row.section}.{row.name}"
    if key == "heater.resistance_ohm":
        least = least_ohm(given)
        return (
            row
            if least is None
            else replace(row, help=f"{row.help} This pack needs at least {least:.1f} ohm.")
        )
    if key == "afe.shunt_mohm":
        return _with_shunts(row, given)
    if row.section == "outputs" and row.type is int:
        return replace(row, help=f"{row.help} Free here is {free_line(given)}.")
    return row


def least_ohm(given: Files) -> float | None:
    """Give the smallest heater that this pack may have; None as long as the pack is not known (S4)."""
    tried = trial_as_written(given)
    if tried is None:
        return None
    trial, chosen = tried
    values, cells = trial.complete(chosen), trial.pack.cells
    ovp_mv, max_ma, max_mw = (values[n] or 0 for n in ("cell_ovp_mv", "heater_max_ma", "heater_max_mw"))
    if min(ovp_mv, max_ma, max_mw) <= 0:
        return None
    return -(-least_mohm(ovp_mv * cells, max_ma, heater_max_mw(cells, max_mw)) // 100) / 10


def _with_shunts(row: Key, given: Files) -> Key:
    """Narrow the shunt to what the chip needs for the currents that are written."""
    tried = trial_as_written(given)
    ends = fitting_shunts(*tried) if tried else None
    if ends is None:
        return row
    text = f"{row.help} For the currents written here {ends[0] / 1000:g} to {ends[1] / 1000:g} fit."
    return replace(row, help=text)


def _written(given: Files, section: str, key: str) -> Any:
    found = given.get(section, {}).get(key)
    return found.value if found else None


def _missing(path: Path, given: Files, row: Key) -> str:
    name = f"{row.section}.{row.name}"
    if name == "heater.resistance_ohm":
        row = replace(row, low=least_ohm(given) or row.low)
    return f"{given.place(row.section) or path}: {name} is missing: {row.help} Write {row.allowed}"


def _checked(row: Key, value: Any, given: Files) -> tuple[Any, str]:
    """Check one value; give it, or say what is wrong with it and take it as missing."""
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
        return (int(value) if row.type is int else value), ""
    text = f"{name} is {value!r:.60}, allowed is {row.allowed}{_meant(row, value)}"
    return None, f"{text}{'' if text.endswith('?') else '.'} {_advised(row, given).help}"


def _meant(row: Key, value: Any) -> str:
    """Say what may have been meant by a value that does not fit."""
    if row.choices:
        words = value if isinstance(value, list) else [value]
        wrong = next((str(word) for word in words if word not in row.choices), "")
        if row.type is list:
            return alike(wrong, row.choices) or "; write it in [brackets]"
        return alike(wrong, row.choices) or (f"; {wrong!r} is not known" if isinstance(value, str) else "")
    if row.type is list and not isinstance(value, list):
        return f"; write names in [brackets], as in {row.name} = [...]"
    if row.type in {int, float} and isinstance(value, str):
        return "; write a number, without quotes and unit"
    return "; write a whole number" if row.type is int and isinstance(value, float) else ""


def check_chip(given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Say which chip measures as many cells as the one that was chosen does not."""
    name, cells = values.get("afe.chip"), _written(given, "pack", "cells")
    if name is None or values.get("pack.cells") is not None:
        return
    fitting = [
        other
        for other, chip in CHIPS.items()
        if isinstance(cells, int) and chip.min_cells <= cells <= chip.max_cells
    ]
    if fitting:
        problems.append(
            f"{given['afe']['chip'].place}: afe.chip {name!r} measures {CHIPS[name].min_cells} to"
            f" {CHIPS[name].max_cells} cells, and pack.cells is {cells}; {' and '.join(fitting)} measure so many"
        )


def check_i_know(given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Refuse a name in an i_know that frees nothing: it is a slip, or somebody relies on it."""
    lines = [key.name for key in configuration.keys_of("outputs").values() if key.type is int]
    for section, names in (("pack", envelopes.KNOWABLE), ("outputs", lines)):
        for name in values.get(f"{section}.i_know") or ():
            if name not in names:
                place = given[section]["i_know"].place
                problems.append(f"{place}: {section}.i_know has {name!r}{nearest(str(name), names)}")


def check_heater(
    path: Path,
    given: Files,
    values: Mapping[str, Any],
    merged: Mapping[str, int | None] | None,
    problems: list[str],
) -> None:
    """Refuse a heater that would exceed its limits at full pack voltage (S4)."""
    if (
        values.get("outputs.heater") is None
        and "heater" in given
        and "heater" not in given.get("outputs", {})
    ):
        problems.append(
            f"{given.place('heater', 'resistance_ohm') or path}: [heater] needs its line:"
            f" write outputs.heater = N, such as {free_line(given)}"
        )
    if values.get("outputs.heater") is not None and "heater" not in given:
        least = least_ohm(given)
        problems.append(
            f"{given.place('outputs', 'heater') or path}: outputs.heater needs [heater] with resistance_ohm"
            f"{'' if least is None else f' of at least {least:.1f}'}"
        )
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
                f"{given.place('outputs') or path}: outputs.{name} is missing: {rows[name].help}"
                f" Write {rows[name].allowed}; free here is {free_line(given)}"
            )
    lines = [name for names in configuration.CONTACTOR_LINES.values() for name in names]
    for other in (name for name in lines if name not in wanted):
        problems.extend(
            f'{written[key].place}: outputs.{key} is not wired in the topology "{topology}"'
            f"{_INSTEAD.get(topology, '')}: remove it, or change switches.topology"
            for key in (other, f"{other}_feedback")
            if key in written
        )
    if topology in _ONE_BUS and values.get("heater.supply") not in {None, "pack"}:
        problems.append(
            f'{given.place("heater", "supply") or path}: heater.supply must be "pack" in the topology'
            f" \"{topology}\": the charger's side of its {_ONE_BUS[topology]} the load's, too"
        )
    if topology == configuration.OWN_FETS and values.get("afe.switch_sensor") is False:
        problems.append(
            f"{given.place('afe', 'switch_sensor') or path}: afe.switch_sensor must be true in the topology"
            f' "{topology}": a FET that is too hot fails closed; mount the chip\'s third sensor (TS3) on the FETs'
        )


_INSTEAD = {configuration.OWN_FETS: ", where the front-end chip drives its own FETs"}
_ONE_BUS = {"common": "contactor is", configuration.OWN_FETS: "FETs is"}
"""Topologies with charger and load behind the same switches."""
