"""What the core decides with: parameters, the pack, what is fitted; fixed between parameter writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from bmsd.core.alarms import Bounds, Rule, bounds, rules
from bmsd.tables.chemistries import Chemistry
from bmsd.tables.configuration import CONTACTOR_LINES, CONTACTORS, OWN_FETS
from bmsd.tables.parameters import Parameters

SMALL_PACK_CELLS = 8
SMALL_PACK_HEATER_MW = 100_000
"""JK's 8S boards allow 100 W of heat, all larger ones 200 W (JK document B, heating note)."""


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """The pack and its fittings, with the parameters and what is made from them once.

    Each one is itself and equals no other: that is what `per_settings` knows it by.
    """

    parameters: Parameters
    chemistry: Chemistry
    cells: int
    capacity_mah: int
    battery_sensors: int
    switch_sensor: bool
    heater_mohm: int | None
    """None: no heater is fitted."""
    heater_from_pack: bool
    precharge: bool
    """A pre-charge relay is fitted."""
    balancing: bool
    """The front end can balance."""
    wired: frozenset[str]
    """Outputs that have a line: each must read back as commanded."""
    contacts: frozenset[str]
    """Contactors whose auxiliary contact is wired."""
    table: tuple[Rule, ...]
    limits_told: bool
    """An inverter bus is configured: somebody hears the limits and can be held to them."""
    exports: bool
    """An inverter is there that discharges the pack down to the charge voltage, into grid or load."""
    topology: str
    fet_follows_ms: int
    """How long the front-end chip's own FETs take to follow a command, and the next poll to show it."""
    obeys_ms: int = 0
    """How long the slowest inverter that is told is known to need until it keeps a new limit; 0: nothing is known."""
    bounds: Bounds = field(init=False)
    """Between these no value is bad for any alarm."""
    common: bool = field(init=False)
    """One contactor carries both directions."""
    own_fets: bool = field(init=False)
    """The front-end chip's own FETs are the switches."""
    contactors: tuple[str, ...] = field(init=False)
    """Names of the contactors of the topology."""
    idle_ma: int = field(init=False)
    """What the inverter takes for itself, whatever it is told; most of it from an empty pack."""
    heater_max_mw: int = field(init=False)
    """The heater's power limit for this size of pack (S4)."""

    def __post_init__(self) -> None:
        """Work out what follows from the rest."""
        p = self.parameters
        keep = object.__setattr__  # this is the one moment in which something frozen may be filled
        keep(self, "bounds", bounds(self.table))
        keep(self, "common", self.topology == "common")
        keep(self, "own_fets", self.topology == OWN_FETS)
        keep(self, "contactors", CONTACTORS[self.topology])
        keep(self, "idle_ma", p.inverter_idle_mw * 1000 // p.pack_uvp_mv)
        keep(self, "heater_max_mw", heater_max_mw(self.cells, p.heater_max_mw))


T = TypeVar("T")


def per_settings(function: Callable[[Settings], T]) -> Callable[[Settings], T]:
    """Keep what follows from settings alone: it is worked out once for each, not in every cycle."""
    return lru_cache(maxsize=4)(function)


def heater_max_mw(cells: int, max_mw: int) -> int:
    """Cap the heater of a small pack at what the 8S class allows."""
    return min(max_mw, SMALL_PACK_HEATER_MW) if cells <= SMALL_PACK_CELLS else max_mw


def settings(
    parameters: Parameters,
    chemistry: Chemistry,
    *,
    cells: int,
    capacity_mah: int,
    fet_follows_ms: int,
    battery_sensors: int = 2,
    switch_sensor: bool = True,
    heater_mohm: int | None = None,
    heater_from_pack: bool = False,
    precharge: bool = True,
    balancing: bool = True,
    wired: frozenset[str] = frozenset(),
    contacts: frozenset[str] | None = None,
    limits_told: bool = True,
    exports: bool = False,
    topology: str = "split",
    obeys_ms: int = 0,
) -> Settings:
    """Build the settings of one pack, alarm rules included."""
    return Settings(
        parameters=parameters,
        chemistry=chemistry,
        cells=cells,
        capacity_mah=capacity_mah,
        battery_sensors=battery_sensors,
        switch_sensor=switch_sensor,
        heater_mohm=heater_mohm,
        heater_from_pack=heater_from_pack,
        precharge=precharge,
        balancing=balancing,
        wired=wired,
        contacts=frozenset(CONTACTOR_LINES[topology]) if contacts is None else contacts,
        table=rules(parameters),
        limits_told=limits_told,
        exports=exports,
        topology=topology,
        fet_follows_ms=fet_follows_ms,
        obeys_ms=obeys_ms,
    )
