"""Read the configuration: every error at once, each with file, line, value, range and what to do.

The main file and its drop-ins are merged key by key, later files win. Nothing is switched or started here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from bmsd.afe.chips import CHIPS
from bmsd.core.heater import exceeds, least_mohm
from bmsd.core.settings import Settings, heater_max_mw, settings
from bmsd.errors import ConfigError
from bmsd.hardware.outputs import SWITCHED
from bmsd.tables import configuration, parameters
from bmsd.tables.chemistries import CHEMISTRIES
from bmsd.tables.configuration import Key, Required
from bmsd.tables.parameters import Parameters

DEFAULT_PATH = Path("/etc/bmsd/bmsd.toml")
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.-]+)\s*\]")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


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


@dataclass(frozen=True, slots=True)
class CanConfig:
    """The inverter bus; `bus` goes to python-can as it is."""

    protocol: str
    silence_after_s: float
    bus: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModbusConfig:
    """The RS485 port."""

    port: str
    baudrate: int
    parity: str
    stopbits: int
    unit: int
    maps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AfeConfig:
    """The front-end chip and its bus."""

    chip: str
    bus: int
    address: int
    crc: bool
    shunt_uohm: int
    battery_sensors: int
    switch_sensor: bool
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class OutputsConfig:
    """GPIO lines; a line that is None is not wired."""

    backend: str
    gpio_chip: str
    active_low: bool
    lines: Mapping[str, int]
    """Output name (charge, discharge, precharge, heater, buzzer, heartbeat) to line number."""
    feedback: Mapping[str, int]
    """Contactor name to the line number of its auxiliary contact."""


@dataclass(frozen=True, slots=True)
class Config:
    """A complete, consistent configuration."""

    path: Path
    chemistry: str
    preset: str
    cells: int
    capacity_mah: int
    afe: AfeConfig
    outputs: OutputsConfig
    heater_mohm: int | None
    heater_from_pack: bool
    can: CanConfig | None
    modbus: ModbusConfig | None
    scenario: str
    parameters: Parameters
    chosen: Mapping[str, int]
    """The parameters the installer wrote himself, by inside name."""

    @property
    def battery_sensors(self) -> int:
        """Count the battery temperature sensors."""
        return self.afe.battery_sensors

    def settings(self, changed: Parameters | None = None) -> Settings:
        """Give the core's settings, with the configured parameters or a changed set."""
        return settings(
            changed or self.parameters,
            CHEMISTRIES[self.chemistry],
            cells=self.cells,
            capacity_mah=self.capacity_mah,
            battery_sensors=self.afe.battery_sensors,
            switch_sensor=self.afe.switch_sensor,
            heater_mohm=self.heater_mohm if "heater" in self.outputs.lines else None,
            heater_from_pack=self.heater_from_pack,
            precharge="precharge" in self.outputs.lines,
            wired=frozenset(self.outputs.lines) & frozenset(SWITCHED),
        )


def load(path: Path) -> Config:
    """Read and check a configuration file with its drop-ins; raise ConfigError with every problem."""
    problems: list[str] = []
    given = _read(path, problems)
    values = _check_keys(given, problems)
    chosen = _chosen_parameters(given.get("parameters", {}), problems)
    _check_chip(given, values, problems)
    merged = _check_parameters(given, values, chosen, problems)
    _check_heater(given, values, merged, problems)
    _check_lines(given, values, problems)
    if problems or merged is None:
        raise ConfigError(problems)
    return _build(path, given, values, merged, chosen)


def _read(path: Path, problems: list[str]) -> dict[str, dict[str, Given]]:
    merged: dict[str, dict[str, Given]] = {}
    for file in (path, *sorted((path.parent / "conf.d").glob("*.toml"))):
        try:
            text = file.read_text()
            document = tomllib.loads(text)
        except FileNotFoundError:
            problems.append(f"{file}: there is no such file. Copy the example etc/bmsd.toml and adapt it")
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{file}: cannot be read: {error}")
            continue
        except tomllib.TOMLDecodeError as error:
            problems.append(f"{file}: is not valid TOML: {error}. Texts need quotes, tables need [brackets]")
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
            found.setdefault((section, key[1]), number)
    return found


def _merge(
    file: Path,
    document: Mapping[str, Any],
    lines: Mapping[tuple[str, str], int],
    merged: dict[str, dict[str, Given]],
    problems: list[str],
) -> None:
    for section, table in document.items():
        place = Place(str(file), lines.get((section, ""), lines.get(("", section), 0)))
        if section not in configuration.SECTIONS:
            problems.append(
                f"{place}: there is no section [{section}]{_nearest(section, configuration.SECTIONS)}"
            )
        elif not isinstance(table, dict):
            problems.append(f"{place}: {section} must be a section: write [{section}] and its keys below")
        else:
            target = merged.setdefault(section, {})
            for name, value in table.items():
                target[name] = Given(value, Place(str(file), lines.get((section, name), place.line)))


def _nearest(word: str, known: Any) -> str:
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _check_keys(given: Mapping[str, dict[str, Given]], problems: list[str]) -> dict[str, Any]:
    """Check every key against its row; give section.name: value, with defaults filled in."""
    values: dict[str, Any] = {}
    for section in configuration.SECTIONS[:-1]:
        present = given.get(section, {})
        rows = configuration.keys_of(section)
        for name, (value, place) in present.items():
            if name in rows:
                values[f"{section}.{name}"] = _checked(rows[name], value, place, problems)
            elif section not in configuration.OPEN_SECTIONS:
                problems.append(f"{place}: [{section}] has no key {name}{_nearest(name, rows)}")
        if section not in given and section in configuration.OPTIONAL_SECTIONS:
            continue
        for name, row in rows.items():
            if name in present:
                continue
            values[f"{section}.{name}"] = row.default
            if row.required is Required.YES:
                problems.append(f"{section}.{name} is missing: {row.help} Write {row.allowed}")
    return values


def _checked(row: Key, value: Any, place: Place, problems: list[str]) -> Any:
    """Check one value; a wrong one is reported and taken as missing."""
    name = f"{row.section}.{row.name}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {bool: isinstance(value, bool), int: number and float(value).is_integer(), float: number,
            str: isinstance(value, str), list: isinstance(value, list)}[row.type]  # fmt: skip
    if fits and row.low is not None and row.high is not None:
        fits = row.low <= value <= row.high
    if fits and row.choices:
        chosen = value if row.type is list else [value]
        fits = all(choice in row.choices for choice in chosen)
    if fits:
        return int(value) if row.type is int else value
    problems.append(f"{place}: {name} is {value!r}, allowed is {row.allowed}. {row.help}")
    return None


def _chosen_parameters(given: Mapping[str, Given], problems: list[str]) -> dict[str, int]:
    chosen: dict[str, int] = {}
    for name, (value, place) in given.items():
        row = parameters.BY_PUBLIC_NAME.get(name)
        if row is None:
            near = _nearest_parameter(name)
            problems.append(f"{place}: there is no parameter {name}{near}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            problems.append(f"{place}: {name} is {value!r}, but must be a number in {row.unit.symbol}")
        elif abs(value) > 1e9:
            problems.append(f"{place}: {name} is {value!r}, far outside any range")
        else:
            chosen[row.name] = row.unit.to_inside(value)
    return chosen


def _nearest_parameter(name: str) -> str:
    near = get_close_matches(name, parameters.BY_PUBLIC_NAME, 1)
    return f"; did you mean {near[0]}?" if near else "; docs/generated/parameters.md lists them"


def _check_chip(
    given: Mapping[str, dict[str, Given]], values: Mapping[str, Any], problems: list[str]
) -> None:
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


def _check_parameters(
    given: Mapping[str, dict[str, Given]],
    values: Mapping[str, Any],
    chosen: Mapping[str, int],
    problems: list[str],
) -> dict[str, int | None] | None:
    """Check the whole set: ranges and order (S8). Needs chemistry and cell count to be right."""
    chemistry, cells = values.get("pack.chemistry"), values.get("pack.cells")
    if chemistry is None or cells is None or values.get("pack.preset") is None:
        return None
    merged = parameters.defaults(chemistry, values["pack.preset"], cells, chosen)
    for name, text in parameters.problems(merged, cells).items():
        written = given.get("parameters", {}).get(parameters.BY_NAME[name].public_name)
        problems.append(f"{written.place}: {text}" if written else f"[parameters]: {text}")
    return merged


def _check_heater(
    given: Mapping[str, dict[str, Given]],
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
    if exceeds(mohm, full_mv, max_ma, max_mw):
        enough = -(-least_mohm(full_mv, max_ma, max_mw) // 100) / 10
        problems.append(
            f"{place}: heater.resistance_ohm is {ohm:g}: at full pack voltage ({full_mv / 1000:.1f} V) it"
            f" would draw {full_mv / mohm:.2f} A and {full_mv * full_mv / mohm / 1000:.0f} W;"
            f" allowed are {max_ma / 1000:.2f} A and {max_mw / 1000:.0f} W."
            f" Use at least {enough:.1f} ohm"
        )
    if values.get("outputs.heater") is None:
        problems.append(f"{place}: [heater] needs its line: write outputs.heater = N")


def _check_lines(
    given: Mapping[str, dict[str, Given]], values: Mapping[str, Any], problems: list[str]
) -> None:
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


def _build(
    path: Path,
    given: Mapping[str, dict[str, Given]],
    values: Mapping[str, Any],
    merged: Mapping[str, int | None],
    chosen: Mapping[str, int],
) -> Config:
    ohm = values.get("heater.resistance_ohm")
    return Config(
        path=path,
        chemistry=values["pack.chemistry"],
        preset=values["pack.preset"],
        cells=values["pack.cells"],
        capacity_mah=round(values["pack.capacity_ah"] * 1000),
        afe=_afe(values),
        outputs=_outputs(values),
        heater_mohm=None if ohm is None else round(ohm * 1000),
        heater_from_pack=values.get("heater.supply") == "pack",
        can=_can(given, values) if "can" in given else None,
        modbus=_modbus(values) if "modbus" in given else None,
        scenario=values.get("bench.scenario") or "demo",
        parameters=parameters.build(merged, values["pack.cells"]),
        chosen=dict(chosen),
    )


def _afe(values: Mapping[str, Any]) -> AfeConfig:
    return AfeConfig(
        chip=values["afe.chip"],
        bus=values["afe.bus"],
        address=values["afe.address"],
        crc=values["afe.crc"],
        shunt_uohm=round(values["afe.shunt_mohm"] * 1000),
        battery_sensors=values["afe.battery_sensors"],
        switch_sensor=values["afe.switch_sensor"],
        timeout_ms=values["afe.timeout_ms"],
    )


def _outputs(values: Mapping[str, Any]) -> OutputsConfig:
    names = ("charge", "discharge", "precharge", "heater", "buzzer", "heartbeat")
    wired = {name: values[f"outputs.{name}"] for name in names}
    contacts = {name: values[f"outputs.{name}_feedback"] for name in ("charge", "discharge")}
    return OutputsConfig(
        backend=values["outputs.backend"],
        gpio_chip=values["outputs.gpio_chip"],
        active_low=values["outputs.active_low"],
        lines={name: line for name, line in wired.items() if line is not None},
        feedback={name: line for name, line in contacts.items() if line is not None},
    )


def _can(given: Mapping[str, dict[str, Given]], values: Mapping[str, Any]) -> CanConfig:
    """Everything that is not bmsd's own goes to python-can."""
    own = ("protocol", "silence_after_s")
    bus = {name: written.value for name, written in given["can"].items() if name not in own}
    for name in ("interface", "channel", "bitrate"):
        bus.setdefault(name, values[f"can.{name}"])
    return CanConfig(values["can.protocol"], float(values["can.silence_after_s"]), bus)


def _modbus(values: Mapping[str, Any]) -> ModbusConfig:
    return ModbusConfig(
        port=values["modbus.port"],
        baudrate=values["modbus.baudrate"],
        parity=values["modbus.parity"],
        stopbits=values["modbus.stopbits"],
        unit=values["modbus.unit"],
        maps=tuple(values["modbus.maps"]),
    )
