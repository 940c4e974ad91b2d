"""Check [parameters]: every name and number, and the set as a whole against pack, heater and chip (S4, S6, S8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bmsd.afe.chips import CHIPS
from bmsd.config.advice import accepted, told
from bmsd.config.files import Files, Given, nearest
from bmsd.control.chip_protection import ChipWiring
from bmsd.control.feasibility import HEATER, Trial
from bmsd.hardware.board import AfeConfig
from bmsd.tables import envelopes, parameters
from bmsd.tables.chemistries import CHEMISTRIES, PRESETS
from bmsd.tables.configuration import CONTACTORS
from bmsd.tables.parameters import BY_NAME, ParameterRow

_ANY_SHUNT_UOHM = 250
_LARGEST = 1e9
"""No parameter comes near it."""


class Written(NamedTuple):
    """What [parameters] says: the numbers by inside name, and the rows whose value is none."""

    chosen: dict[str, int]
    wrong: dict[str, ParameterRow]


def written_parameters(given: Mapping[str, Given], problems: list[str]) -> Written:
    """Turn [parameters] into inside units, by inside name; a name that is none is told."""
    written = Written({}, {})
    for name, (value, place) in given.items():
        row = parameters.BY_PUBLIC_NAME.get(name)
        if row is None:
            near = nearest(name, parameters.BY_PUBLIC_NAME, "; docs/generated/parameters.md lists them")
            problems.append(f"{place}: there is no parameter {name}{near}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
            written.wrong[row.name] = row
        else:
            written.chosen[row.name] = row.unit.to_inside(value)
    return written


def check_parameters(
    path: Path,
    given: Files,
    values: Mapping[str, Any],
    written: Written,
    problems: list[str],
    *,
    dangers: bool = True,
    on_chip: bool = True,
    whole: bool = True,
) -> dict[str, int | None] | None:
    """Check the whole set: ranges, order and dangers (S8). Without a good [pack] only the ranges can be."""
    trial = trial_of(values, dangers=dangers, on_chip=on_chip, whole=whole)
    chosen, wrong = written
    for row in wrong.values():
        problems.append(
            f"{given['parameters'][row.public_name].place}: {_no_number(trial, given, row, chosen)}"
        )
    if trial is None:
        rows = [row for row in parameters.ROWS if row.name in chosen and not row.per_cell]
        found = [(row.name, parameters.range_problem(row, chosen[row.name], 1)) for row in rows]
    else:
        found = [(name, text) for name, text in told(trial, chosen, (HEATER,)) if name not in wrong]
    for name, text in found:
        if text:
            place = given.place("parameters", BY_NAME[name].public_name)
            problems.append(f"{place or f'{path}: [parameters]'}: {text}")
    return None if trial is None else dict(trial.complete(chosen))


def _no_number(trial: Trial | None, given: Files, row: ParameterRow, chosen: Mapping[str, int]) -> str:
    value = given["parameters"][row.public_name].value
    number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    what = "far outside any range" if number else f"but must be a number in {row.unit.symbol}".rstrip(" in")
    ends = accepted(trial, chosen, row.name) if trial else None
    low, high = ends or row.bounds(1)
    return f"{row.public_name} is {value!r:.40}, {what}; allowed here {row.unit.text(low)} to {row.unit.text(high)}"


def trial_of(
    values: Mapping[str, Any], *, dangers: bool = True, on_chip: bool = True, whole: bool = True
) -> Trial | None:
    """Put together what a set of parameters is held to; None without a good [pack]."""
    chemistry, cells = values.get("pack.chemistry"), values.get("pack.cells")
    preset = values.get("pack.preset")
    if chemistry is None or cells is None or preset is None:
        return None
    capacity_mah = round((values.get("pack.capacity_ah") or 0) * 1000)
    on_purpose = frozenset(name for name in values["pack.i_know"] or () if isinstance(name, str))
    ohm = values.get("heater.resistance_ohm")

    def complete(chosen: Mapping[str, int]) -> dict[str, int | None]:
        merged = parameters.defaults(chemistry, preset, cells, chosen, capacity_mah)
        return envelopes.capped(merged, chosen, capacity_mah)

    return Trial(
        envelopes.PackKind(chemistry, preset, cells, capacity_mah, on_purpose),
        complete,
        _chip(values) if dangers and on_chip else None,
        None if ohm is None else round(ohm * 1000),
        dangers,
        whole=whole,
    )


def trial_as_written(given: Files) -> tuple[Trial, dict[str, int]] | None:
    """Put a trial together from what is written, good or not; None as long as pack and chip are not known.

    It is for advice on a key that is itself wrong or missing: what it lacks is made up.
    """
    values = {f"{section}.{name}": one.value for section, keys in given.items() for name, one in keys.items()}
    values = {"pack.preset": PRESETS[0], "switches.topology": "split", "pack.i_know": ()} | values
    cells, chip = values.get("pack.cells"), CHIPS.get(str(values.get("afe.chip")))
    known = values.get("pack.chemistry") in [*CHEMISTRIES] and values["pack.preset"] in PRESETS
    if (
        not known
        or chip is None
        or not isinstance(cells, int)
        or not chip.min_cells <= cells <= chip.max_cells
    ):
        return None
    if values["switches.topology"] not in [*CONTACTORS] or not isinstance(
        values["pack.i_know"], list | tuple
    ):
        return None
    ah = values.get("pack.capacity_ah")
    number = isinstance(ah, int | float) and not isinstance(ah, bool) and 1 <= ah <= _LARGEST
    values |= {"pack.capacity_ah": ah if number else None, "heater.resistance_ohm": None}
    afe = AfeConfig(str(values["afe.chip"]), 1, 8, True, _ANY_SHUNT_UOHM, 2, True, 20)
    trial = trial_of(values)
    chosen = written_parameters(given.get("parameters", {}), []).chosen
    return (
        (replace(trial, chip=ChipWiring(cells, values["switches.topology"], afe)), chosen) if trial else None
    )


def _chip(values: Mapping[str, Any]) -> ChipWiring | None:
    """Give the chip as far as it is known and fits the cells."""
    afe = afe_of(values)
    topology, cells = values.get("switches.topology"), values["pack.cells"]
    if afe is None or topology is None or afe.chip not in CHIPS:
        return None
    row = CHIPS[afe.chip]
    return ChipWiring(cells, topology, afe) if row.min_cells <= cells <= row.max_cells else None


def afe_of(values: Mapping[str, Any]) -> AfeConfig | None:
    """Give the front-end chip's section; None while a key of it is missing or wrong."""
    names = ("chip", "bus", "address", "crc", "battery_sensors", "switch_sensor", "timeout_ms", "shunt_mohm")
    keys: dict[str, Any] = {name: values.get(f"afe.{name}") for name in names}
    shunt_mohm = keys.pop("shunt_mohm")
    if shunt_mohm is None or None in keys.values():
        return None
    return AfeConfig(shunt_uohm=round(shunt_mohm * 1000), **keys)
