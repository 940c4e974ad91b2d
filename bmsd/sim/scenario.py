"""Scenarios: what pack stands on the bench, what happens to it when, and what is expected of bmsd.

A scenario is a TOML file; those in `scenarios/` ship with bmsd and go by their name. Everything wrong in a
file is reported at once, with its line. Times count from the start of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmsd.config.files import nearest
from bmsd.config.load import Config
from bmsd.config.tables import Problems, Table, read
from bmsd.core.types import Request
from bmsd.errors import ConfigError, PeerError
from bmsd.sim.celltypes import CELL_TYPES
from bmsd.sim.expect import Expected, expected
from bmsd.sim.faults import CELL_SETTABLES, CHIP_FAULTS, FAULTS, SETTABLES, Settable, known, within
from bmsd.sim.plant import PlantSettings
from bmsd.tables import alarms

FOLDER = Path(__file__).parent / "scenarios"
LONGEST_S = 366 * 86_400
SHORTEST_SAMPLE_S = 0.1

BUILT = {
    "soc_percent": Settable("charge of the cells, on average", "%", 0.0, 100.0, "", "initial_soc", 0.01),
    "ambient_c": Settable("temperature around the pack", "°C", -60.0, 90.0, "", "ambient_c"),
    "pack_c": Settable("temperature of the cells; without it that around", "°C", -60.0, 120.0, "", "start_c"),
    "ua_w_per_k": Settable("heat loss of the pack", "W/K", 0.0, 100.0, "", "insulation_w_per_k"),
    "seed": Settable("number the spreads of the cells are drawn from", "", 0.0, 1e9, "", "seed"),
    "soc_spread_percent": Settable("spread of charge, sigma", "%", 0.0, 20.0, "", "soc_spread", 0.01),
    "capacity_spread_percent": Settable(
        "spread of capacity, sigma", "%", 0.0, 20.0, "", "capacity_spread", 0.01
    ),
    "resistance_spread_percent": Settable(
        "spread of resistance, sigma", "%", 0.0, 20.0, "", "resistance_spread", 0.01
    ),
}
"""What [pack] builds; everything else that can be set on the bench may stand there too."""

CONSENTS = ("charge", "discharge", "balance")
EVENT_KEYS = {
    "set": ("at_s", "set"),
    "values": ("at_s", "cell", "values"),
    "fault": ("at_s", "fault", "on", "cell"),
    "switch": ("at_s", "switch", "on"),
    "reset": ("at_s", "reset"),
    "wake": ("at_s", "wake"),
}
"""What an [[event]] is about, and the keys it then has."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens: to the bench, as `bmsctl sim` would ask it, or asked of the core."""

    at_ms: int
    text: str
    bench: Mapping[str, Any]
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario, checked against the pack it runs on."""

    name: str
    title: str
    description: str
    duration_ms: int
    sample_ms: int
    plant: PlantSettings
    happenings: tuple[Happening, ...]
    expectations: tuple[Expected, ...]


def names() -> list[str]:
    """List the scenarios that ship with bmsd."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def find(name: str, beside: Path) -> Path:
    """Find a scenario by its name, or by a path ending in .toml; raise ConfigError when there is none."""
    if name.endswith(".toml"):
        path = beside / name
        if path.is_file():
            return path
        raise ConfigError([f"{path}: there is no such scenario file"])
    if name in names():
        return FOLDER / f"{name}.toml"
    raise ConfigError(
        [f"there is no scenario {name!r}{nearest(name, names())}; or give a path that ends in .toml"]
    )


def load(config: Config) -> Scenario:
    """Load the scenario that a configuration names in bench.scenario."""
    try:
        path = find(config.scenario, config.path.parent)
    except ConfigError as error:
        raise ConfigError([f"{config.path}: bench.scenario: {text}" for text in error.problems]) from None
    return parse(path, config)


def plant_settings(config: Config) -> PlantSettings:
    """Build the plant that a configuration describes, in the state its scenario begins with."""
    return load(config).plant


def parse(path: Path, config: Config) -> Scenario:
    """Read and check a scenario file; raise ConfigError with every problem."""
    problems = Problems()
    tables = read(path, {"scenario": False, "pack": False, "event": True, "expect": True}, problems)
    heads = tables["scenario"] or [Table("scenario", {}, {}, str(path), 0)]
    head = heads[0]
    problems.unknown_keys(head, ("title", "description", "duration_s", "sample_s"))
    duration_s = problems.number(head, "duration_s", 1, LONGEST_S, 3600)
    sample_s = problems.number(head, "sample_s", SHORTEST_SAMPLE_S, LONGEST_S, 1)
    plant, happenings = _pack(tables["pack"], config, problems)
    happenings += [one for table in tables["event"] for one in _happening(table, config, problems)]
    expectations = [expected(table, n, config, duration_s, problems)
                    for n, table in enumerate(tables["expect"], 1)]  # fmt: skip
    problems.raise_if_any()
    return Scenario(
        name=path.stem,
        title=problems.text(head, "title", path.stem),
        description=problems.text(head, "description", ""),
        duration_ms=round(duration_s * 1000),
        sample_ms=round(sample_s * 1000),
        plant=plant,
        happenings=tuple(sorted(happenings, key=lambda one: one.at_ms)),
        expectations=tuple(one for one in expectations if one is not None),
    )


def _pack(tables: list[Table], config: Config, problems: Problems) -> tuple[PlantSettings, list[Happening]]:
    """Build the plant: the configuration's pack, as [pack] says it stands there at the start."""
    built: dict[str, Any] = {
        "chemistry": config.chemistry,
        "cells": config.cells,
        "capacity_ah": config.capacity_mah / 1000,
        "heater_resistance_ohm": (config.heater_mohm or 24_000) / 1000,
        "heater_supply": "pack" if config.heater_from_pack else "charger",
        "common": config.topology == "common",
        "own_fets": config.fets is not None,
    }
    happenings = []
    for table in tables:
        problems.unknown_keys(table, (*BUILT, "cell_type", *SETTABLES))
        for name, value in table.values.items():
            if name == "cell_type":
                with problems.at(table, name):
                    built[name] = known(str(value), CELL_TYPES, "cell type")
            elif name in BUILT:
                row, number = BUILT[name], problems.number(table, name, BUILT[name].low, BUILT[name].high, 0)
                built[row.attribute] = int(number) if name == "seed" else number * row.scale
            elif name in SETTABLES:
                number = problems.number(table, name, SETTABLES[name].low, SETTABLES[name].high, 0)
                happenings.append(_setting(0, {name: number}))
    return PlantSettings(**built), happenings


def _setting(at_ms: int, values: Mapping[str, float]) -> Happening:
    told = ", ".join(f"{name} = {value:g} {SETTABLES[name].unit}" for name, value in values.items())
    return Happening(at_ms, told, {"set": dict(values)})


def _happening(table: Table, config: Config, problems: Problems) -> list[Happening]:
    """Check one [[event]]; a wrong one is reported and left out."""
    kinds = [kind for kind in EVENT_KEYS if kind in table.values]
    if len(kinds) != 1:
        problems.add(table, "", f"an event needs one of {', '.join(EVENT_KEYS)}; it has {len(kinds)}")
        return []
    kind = kinds[0]
    problems.unknown_keys(table, EVENT_KEYS[kind])
    at_ms = round(1000 * problems.number(table, "at_s", 0, LONGEST_S, None))
    made: list[Happening] = []
    with problems.at(table, kind):
        made.append(_MAKERS[kind](table.values, at_ms, config.cells))
    return made


def _numbers(given: object, table: Mapping[str, Settable]) -> dict[str, float]:
    if not isinstance(given, dict) or not given:
        raise PeerError("needs { name = value, ... }")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PeerError(f"{name} is {value!r}, but must be a number")
        within(name, value, table)
    return {name: float(value) for name, value in given.items()}


def _set(values: Mapping[str, Any], at_ms: int, _cells: int) -> Happening:
    return _setting(at_ms, _numbers(values["set"], SETTABLES))


def _cell(number: object, cells: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= cells:
        raise PeerError(f"cell is {number!r}, but must be a whole number, 1 to {cells}")
    return number


def _values(values: Mapping[str, Any], at_ms: int, cells: int) -> Happening:
    cell, wanted = _cell(values.get("cell"), cells), _numbers(values["values"], CELL_SETTABLES)
    told = ", ".join(f"{name} = {value:g} {CELL_SETTABLES[name].unit}" for name, value in wanted.items())
    return Happening(at_ms, f"cell {cell}: {told}", {"cell": cell, "values": wanted})


def _on(values: Mapping[str, Any], otherwise: bool | None) -> bool:
    on = values.get("on", otherwise)
    if not isinstance(on, bool):
        raise PeerError("needs on = true or on = false")
    return on


def _fault(values: Mapping[str, Any], at_ms: int, cells: int) -> Happening:
    name, on = known(str(values["fault"]), (*FAULTS, *CHIP_FAULTS), "fault"), _on(values, True)
    request = {"fault": name, "on": on}
    told = f"fault {name} {'on' if on else 'off'}"
    needs_cell = name in FAULTS and FAULTS[name].needs_cell
    if needs_cell != ("cell" in values):
        raise PeerError(f"fault {name} {'needs a cell' if needs_cell else 'is not of one cell'}")
    if needs_cell:
        request["cell"] = _cell(values["cell"], cells)
        told += f", cell {request['cell']}"
    return Happening(at_ms, told, request)


def _switch(values: Mapping[str, Any], at_ms: int, _cells: int) -> Happening:
    name, on = known(str(values["switch"]), CONSENTS, "switch"), _on(values, None)
    return Happening(at_ms, "", {}, Request("switch", name, on, "Scenario"))


def _reset(values: Mapping[str, Any], at_ms: int, _cells: int) -> Happening:
    name = known(str(values["reset"]), alarms.BY_NAME, "alarm")
    return Happening(at_ms, "", {}, Request("reset", name, None, "Scenario"))


def _wake(values: Mapping[str, Any], at_ms: int, _cells: int) -> Happening:
    if values["wake"] is not True:
        raise PeerError("needs wake = true")
    return Happening(at_ms, "", {}, Request("wake", "pack", None, "Scenario"))


_MAKERS = {
    "set": _set,
    "values": _values,
    "fault": _fault,
    "switch": _switch,
    "reset": _reset,
    "wake": _wake,
}
