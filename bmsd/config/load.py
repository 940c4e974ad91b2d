"""The configuration of one pack: what the files say, checked and complete.

Every error is reported at once, each with file, line, value, range and what to do. Nothing is switched or
started here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bmsd.afe.chips import CHIPS
from bmsd.config import checks
from bmsd.config.can import CanConfig, buses, check_buses
from bmsd.config.files import Files, read
from bmsd.config.lines import check_header, check_lines
from bmsd.config.links import check_meters, check_modbus, tcp_address
from bmsd.config.parameters import afe_of, check_parameters, written_parameters
from bmsd.control.chip_protection import ChipWiring
from bmsd.control.feasibility import Trial
from bmsd.core.settings import Settings, settings
from bmsd.errors import ConfigError
from bmsd.hardware.board import AfeConfig, FetsConfig, OutputsConfig
from bmsd.hardware.outputs import SWITCHED
from bmsd.inverters import protocols
from bmsd.inverters.protocols import row_of
from bmsd.tables import envelopes, parameters
from bmsd.tables.chemistries import CHEMISTRIES
from bmsd.tables.configuration import FILE, OWN_FETS, link_of
from bmsd.tables.parameters import Parameters

DEFAULT_PATH = Path(FILE)


@dataclass(frozen=True, slots=True)
class Rs485Config:
    """How the kernel switches a transceiver's direction by RTS."""

    high_when_sending: bool
    before_ms: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class ModbusConfig:
    """One RS485 port."""

    port: str
    baudrate: int
    parity: str
    stopbits: int
    units: Mapping[int, tuple[str, ...]]
    """The unit ids this pack answers to on it, each with its maps."""
    writes: bool = False
    """Masters may write once somebody has unlocked it."""
    mode: str = "rtu"
    tcp: tuple[str, int] | None = None
    """Address and port of Modbus TCP; then there is no serial port."""
    rs485: Rs485Config | None = None
    """None: the adapter switches the direction by itself."""


@dataclass(frozen=True, slots=True)
class MeterConfig:
    """One line on which bmsd is the master."""

    port: str
    tcp: tuple[str, int] | None
    baudrate: int
    parity: str
    stopbits: int
    period_ms: int
    devices: Mapping[int, str]
    """The kind of device under each unit id."""


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
    closes_by_itself: bool
    """After a start contactors wait for no operator (S13)."""
    chosen: Mapping[str, int]
    """The parameters the installer wrote himself, by inside name."""
    topology: str = "split"
    i_know: frozenset[str] = frozenset()
    """Parameters that go beyond what is usual for the chemistry on purpose, by public name."""
    named: Mapping[str, CanConfig | ModbusConfig | MeterConfig] = field(default_factory=dict)
    """Further sections by the names of their links: [modbus.garage] is modbus@garage."""
    meter: MeterConfig | None = None

    def of_link(self, name: str) -> CanConfig | ModbusConfig | MeterConfig | None:
        """Give what a link is configured with; None: it is not."""
        first = {"can": self.can, "modbus": self.modbus, "meter": self.meter}
        return self.named.get(name) if "@" in name else first.get(name)

    @property
    def modbus_ports(self) -> dict[str, ModbusConfig]:
        """Give all Modbus ports by the names of their links."""
        first = {"modbus": self.modbus} if self.modbus else {}
        return first | {name: row for name, row in self.named.items() if isinstance(row, ModbusConfig)}

    @property
    def buses(self) -> dict[str, CanConfig]:
        """Give all CAN buses by the names of their links."""
        first = {"can": self.can} if self.can else {}
        return first | {name: row for name, row in self.named.items() if isinstance(row, CanConfig)}

    @property
    def meters(self) -> dict[str, MeterConfig]:
        """Give all lines on which others are read by the names of their links."""
        first = {"meter": self.meter} if self.meter else {}
        return first | {name: row for name, row in self.named.items() if isinstance(row, MeterConfig)}

    @property
    def links(self) -> tuple[str, ...]:
        """Name every link that serves a section."""
        return (*self.buses, *self.modbus_ports, *self.meters)

    @property
    def battery_sensors(self) -> int:
        """Count the battery temperature sensors."""
        return self.afe.battery_sensors

    @property
    def fets(self) -> FetsConfig | None:
        """Say where the chip is whose own FETs switch the pack; None where contactors do."""
        if self.topology != OWN_FETS:
            return None
        return FetsConfig(self.afe.chip, self.afe.bus, self.afe.address, self.afe.timeout_ms)

    @property
    def trial(self) -> Trial:
        """Give what a changed set of parameters of this pack is held to (S8)."""
        values = {row.name: self.parameters.get(row.name) for row in parameters.ROWS}
        return Trial(
            envelopes.PackKind(self.chemistry, self.preset, self.cells, self.capacity_mah, self.i_know),
            lambda changes: {**values, **changes},
            ChipWiring(self.cells, self.topology, self.afe),
            self.heater_mohm,
            for_good=False,
        )

    def settings(self, changed: Parameters | None = None) -> Settings:
        """Give the core's settings, with the configured parameters or a changed set."""
        return settings(
            changed or self.parameters,
            CHEMISTRIES[self.chemistry],
            cells=self.cells,
            capacity_mah=self.capacity_mah,
            fet_follows_ms=CHIPS[self.afe.chip].facts.fet_follows_ms,
            battery_sensors=self.afe.battery_sensors,
            switch_sensor=self.afe.switch_sensor,
            heater_mohm=self.heater_mohm if "heater" in self.outputs.lines else None,
            heater_from_pack=self.heater_from_pack,
            precharge="precharge" in self.outputs.lines,
            wired=frozenset(self.outputs.lines) & frozenset(SWITCHED),
            contacts=frozenset(self.outputs.feedback),
            limits_told=self.can is not None,
            exports=any(row_of(bus.protocol).exports for bus in self.buses.values()),
            topology=self.topology,
            obeys_ms=max((protocols.obeys_ms(bus.protocol) for bus in self.buses.values()), default=0),
        )


class Checked(NamedTuple):
    """Values of the keys, the parameters written, and all parameters; None of those without a good [pack]."""

    values: dict[str, Any]
    chosen: dict[str, int]
    merged: Mapping[str, int | None] | None


def load(path: Path, *, dangers: bool = True, on_chip: bool = False) -> Config:
    """Read and check a configuration file with its drop-ins; raise ConfigError with every problem.

    Whoever switches nothing on may read one that is complete but dangerous: safe-off has to. Who is about to program
    the chip tries the parameters on it, too.
    """
    problems: list[str] = []
    given = read(path, problems)
    values, chosen, merged = check(path, given, problems, dangers=dangers, on_chip=on_chip)
    afe = afe_of(values)
    if problems or merged is None or afe is None:
        raise ConfigError(problems)
    return _build(path, given, values, merged, chosen, afe)


def check(
    path: Path,
    given: Files,
    problems: list[str],
    *,
    dangers: bool = True,
    on_chip: bool = True,
    whole: bool = True,
) -> Checked:
    """Check everything that is written; what is wrong is added to the problems.

    Not whole are a dialogue's answers so far: a parameter that is missing is no problem yet.
    """
    values = checks.check_keys(path, given, problems)
    written = written_parameters(given.get("parameters", {}), problems)
    checks.check_chip(given, values, problems)
    checks.check_i_know(given, values, problems)
    merged = check_parameters(
        path, given, values, written, problems, dangers=dangers, on_chip=on_chip, whole=whole
    )
    checks.check_heater(path, given, values, merged, problems)
    check_lines(given, values, problems)
    if dangers:
        check_header(given, values, problems)
    checks.check_topology(path, given, values, problems)
    check_buses(given, values, merged, problems)
    check_modbus(given, values, problems)
    check_meters(given, values, problems)
    return Checked(values, written.chosen, merged)


def _build(
    path: Path,
    given: Files,
    values: Mapping[str, Any],
    merged: Mapping[str, int | None],
    chosen: Mapping[str, int],
    afe: AfeConfig,
) -> Config:
    ohm, found = values.get("heater.resistance_ohm"), buses(given, values)
    return Config(
        path=path,
        chemistry=values["pack.chemistry"],
        preset=values["pack.preset"],
        cells=values["pack.cells"],
        capacity_mah=round(values["pack.capacity_ah"] * 1000),
        afe=afe,
        outputs=_outputs(values),
        heater_mohm=None if ohm is None else round(ohm * 1000),
        heater_from_pack=values.get("heater.supply") == "pack",
        can=found.pop("can", None),
        modbus=_modbus("modbus", values) if "modbus" in given else None,
        meter=_meter("meter", values) if "meter" in given else None,
        scenario=values.get("bench.scenario") or "demo",
        parameters=parameters.build(merged, values["pack.cells"]),
        closes_by_itself=values["switches.close_after_restart"] == "automatic",
        chosen=dict(chosen),
        topology=values["switches.topology"],
        i_know=frozenset(values["pack.i_know"]),
        named={**found, **_named(given, values)},
    )


def _outputs(values: Mapping[str, Any]) -> OutputsConfig:
    names = ("charge", "discharge", "main", "precharge", "heater", "buzzer", "heartbeat", "led")
    wired = {name: values[f"outputs.{name}"] for name in names}
    contacts = {name: values[f"outputs.{name}_feedback"] for name in ("charge", "discharge", "main")}
    return OutputsConfig(
        backend=values["outputs.backend"],
        gpio_chip=values["outputs.gpio_chip"],
        active_low=values["outputs.active_low"],
        lines={name: line for name, line in wired.items() if line is not None},
        feedback={name: line for name, line in contacts.items() if line is not None},
        button=values["outputs.button"],
    )


def _named(given: Files, values: Mapping[str, Any]) -> dict[str, ModbusConfig | MeterConfig]:
    """Build the named sections of the Modbus links."""
    slaves = {link_of(name): _modbus(name, values) for name in given if name.startswith("modbus.")}
    return slaves | {link_of(name): _meter(name, values) for name in given if name.startswith("meter.")}


def _meter(section: str, values: Mapping[str, Any]) -> MeterConfig:
    return MeterConfig(
        port=values[f"{section}.port"] or "",
        tcp=tcp_address(values[f"{section}.tcp"] or ""),
        baudrate=values[f"{section}.baudrate"],
        parity=values[f"{section}.parity"],
        stopbits=values[f"{section}.stopbits"],
        period_ms=round(values[f"{section}.period_s"] * 1000),
        devices={int(unit): kind for unit, kind in values[f"{section}.devices"].items()},
    )


def _modbus(section: str, values: Mapping[str, Any]) -> ModbusConfig:
    more = values[f"{section}.more_units"] or {}
    return ModbusConfig(
        port=values[f"{section}.port"] or "",
        baudrate=values[f"{section}.baudrate"],
        parity=values[f"{section}.parity"],
        stopbits=values[f"{section}.stopbits"],
        units={
            values[f"{section}.unit"]: tuple(values[f"{section}.maps"]),
            **{int(unit): tuple(maps) for unit, maps in more.items()},
        },
        writes=values[f"{section}.writes"],
        mode=values[f"{section}.mode"],
        tcp=tcp_address(values[f"{section}.tcp"] or ""),
        rs485=_rs485(section, values) if values[f"{section}.direction"] == "kernel" else None,
    )


def _rs485(section: str, values: Mapping[str, Any]) -> Rs485Config:
    return Rs485Config(
        high_when_sending=values[f"{section}.rts_when_sending"] == "high",
        before_ms=values[f"{section}.before_ms"],
        after_ms=values[f"{section}.after_ms"],
    )
