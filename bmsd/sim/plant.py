"""The pack and everything around it, as one thing that moves on in time.

Physics, so floats in SI units; the border to the chip is `sense`, in milli-units. The same settings and the
same calls give the same bits. Positive current charges. Cells count from 1, as on the pack.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bmsd.errors import PeerError
from bmsd.sim.cells import Cells
from bmsd.sim.celltypes import CELL_TYPES
from bmsd.sim.circuit import Circuit, Heater
from bmsd.sim.contactor import Contactor
from bmsd.sim.faults import CELL_SETTABLES, FAULTS, SETTABLES, known, within
from bmsd.sim.heat import CELL_J_PER_K_AH, Heat, scaled_ua_w_per_k
from bmsd.sim.inverter import SimInverter
from bmsd.sim.sensors import SensorReading, Sensors

LONGEST_STEP_MS = 1000
"""Longer advances are cut; the fastest cell branch has 11 s."""

CHARGE_V = {"lifepo4": 3.50, "li-ion": 4.15, "lto": 2.70}
"""A charger's usual setting per cell, V [est]; `charger_v` overrides it."""

SWITCHES = ("charge", "discharge", "precharge", "heater", "main", "buzzer")


@dataclass(frozen=True, slots=True)
class PlantSettings:
    """What is built: the pack, its place, its heater and its inverter. Spreads are sigmas, fractions."""

    chemistry: str = "lifepo4"
    cells: int = 16
    capacity_ah: float = 280.0
    initial_soc: float = 0.5
    soc_spread: float = 0.01
    capacity_spread: float = 0.01
    resistance_spread: float = 0.06
    seed: int = 1
    cell_type: str = ""
    """A row of CELL_TYPES other than the chemistry's own, for cells unlike the ones one plans for."""
    ambient_c: float = 20.0
    start_c: float | None = None
    """Temperature of the cells at the start; None: that of the surroundings."""
    insulation_w_per_k: float | None = None
    """Heat loss; None: 1.2 W/K for 16 x 280 Ah, scaled with the surface."""
    ts_offset_k: tuple[float, float] = (0.0, 0.0)
    """How much warmer than the cells TS1 and TS2 sit, e.g. at the end with the heater."""
    heater_resistance_ohm: float = 24.0
    heater_supply: Literal["charger", "pack"] = "charger"
    precharge_ohm: float = 100.0
    inverter_capacitance_f: float = 0.010
    pull_in_ms: int = 20
    drop_out_ms: int = 15
    balance_ohm: float = 33.0
    common: bool = False
    """One main contactor joins charger and load to the pack."""
    own_fets: bool = False
    """Two FETs in series do, driven by the front-end chip."""


@dataclass(slots=True)
class Panel:
    """What people touch."""

    button: float = 0.0
    """1 while somebody presses it."""


class Plant:
    """The bench. Command switches, set and break things, `advance` the time, `sense` what came of it."""

    def __init__(self, settings: PlantSettings) -> None:
        self.settings = settings
        kind = CELL_TYPES[known(settings.cell_type or settings.chemistry, CELL_TYPES, "cell type")]
        self.cells = Cells(
            kind,
            settings.cells,
            settings.capacity_ah,
            settings.initial_soc,
            settings.seed,
            settings.soc_spread,
            settings.capacity_spread,
            settings.resistance_spread,
        )
        self.heat = _build_heat(settings)
        self.inverter = SimInverter(CHARGE_V[settings.chemistry] * settings.cells)
        self.element = Heater(settings.heater_resistance_ohm, settings.heater_supply == "pack")
        self.circuit = Circuit(
            self.inverter,
            self.element,
            settings.precharge_ohm,
            settings.inverter_capacitance_f,
            settings.pull_in_ms,
            settings.drop_out_ms,
            settings.common,
            settings.own_fets,
        )
        self.sensors = Sensors(settings.cells, settings.seed + 1, settings.ts_offset_k)
        self.buzzer = False
        self.panel = Panel()
        self.current_a = 0.0
        self.time_ms = 0
        self._balanced: frozenset[int] = frozenset()
        self._contactors = dict(zip(SWITCHES, self.circuit.contactors, strict=False))
        self._parts: dict[str, object] = {
            "cells": self.cells,
            "heat": self.heat,
            "inverter": self.inverter,
            "element": self.element,
            "circuit": self.circuit,
            "sensors": self.sensors,
            "panel": self.panel,
            **self._contactors,
        }
        self.cells.warm(self.heat.pack_c)

    # Time

    def advance(self, dt_ms: int) -> None:
        """Move on by dt_ms: in one step up to a second, cut only where a contactor arrives."""
        cells, circuit = self.cells, self.circuit
        left_ms = dt_ms
        while left_ms > 0:
            source_v, source_ohm = cells.source()
            arrival_ms = circuit.move(cells.pack_v, source_ohm)
            step_ms = min(left_ms, arrival_ms, LONGEST_STEP_MS)
            self._step(source_v, source_ohm, step_ms / 1000.0)
            circuit.elapse(step_ms)
            if step_ms == arrival_ms:
                circuit.move(cells.pack_v, source_ohm)
            left_ms -= step_ms
            self.time_ms += step_ms

    def _step(self, source_v: float, source_ohm: float, dt_s: float) -> None:
        """Solve the circuit, then let charge and heat flow for one step in which nothing switches."""
        cells, heat, circuit = self.cells, self.heat, self.circuit
        self.inverter.advance(dt_s)
        if self._balanced:
            self._bleed()
        self.current_a = circuit.solve(source_v, source_ohm, cells.pack_v, dt_s)
        cells.advance(self.current_a, dt_s)
        if circuit.load_joined:
            circuit.load_v = circuit.behind_v(cells.pack_v)
        heat.advance(cells.loss_w + self.element.power_w, self.current_a, dt_s, circuit.diode_a)
        cells.warm(heat.pack_c)

    def sense(self) -> SensorReading:
        """Give what the front end's pins see now."""
        cells, circuit, sensors = self.cells, self.circuit, self.sensors
        return SensorReading(
            sensors.cells(cells.volts, cells.balance_a),
            sensors.stack(cells.pack_v),
            sensors.current(self.current_a),
            self.charger_v * 1000.0,
            circuit.load_v * 1000.0,
            sensors.temperatures(self.heat.pack_c, self.heat.board_c),
        )

    # Switches

    def command(self, switch_name: str, on: bool) -> None:
        """Command a switch: charge, discharge, precharge, heater or buzzer."""
        if known(switch_name, SWITCHES, "switch") == "buzzer":
            self.buzzer = on
        else:
            self._contactors[switch_name].commanded = on
            self.circuit.disturb()

    def feedback(self, switch_name: str) -> bool:
        """Give the auxiliary contact of a switch, or whether the button is pressed."""
        if switch_name == "button":
            return self.panel.button >= 0.5
        if contactor := self._contactors.get(switch_name):
            return contactor.feedback
        known(switch_name, SWITCHES, "switch")
        return self.buzzer

    @property
    def charge_permit(self) -> bool:
        """Hardware gate of the charge contactor, e.g. the chip's DCHG pin; AND-ed with the command."""
        return self.circuit.charge.permit

    @charge_permit.setter
    def charge_permit(self, permit: bool) -> None:
        self._permit(self.circuit.charge, permit)

    @property
    def discharge_permit(self) -> bool:
        """Hardware gate of the discharge contactor, e.g. the chip's DDSG pin; AND-ed with the command."""
        return self.circuit.discharge.permit

    @discharge_permit.setter
    def discharge_permit(self, permit: bool) -> None:
        self._permit(self.circuit.discharge, permit)

    def _permit(self, contactor: Contactor, permit: bool) -> None:
        """Permit or forbid one contactor; both permits are in series with the main contactor's driver."""
        if permit == contactor.permit:
            return
        contactor.permit = permit
        self.circuit.main.permit = self.circuit.charge.permit and self.circuit.discharge.permit
        self.circuit.disturb()

    def balance(self, cells: Iterable[int]) -> None:
        """Put the balancing resistor across these cells, and no others. Cells count from 1."""
        balanced = frozenset(self._cell_index(cell) for cell in cells)
        if balanced != self._balanced:
            self._balanced = balanced
            self._bleed()

    def _bleed(self) -> None:
        """Work out what balancing takes from each cell at its present voltage."""
        ohm = self.settings.balance_ohm
        self.cells.balance(
            [
                max(0.0, volts) / ohm if k in self._balanced else 0.0
                for k, volts in enumerate(self.cells.volts)
            ]
        )

    # What an operator of the bench turns

    def limits(self, charge_v: float | None, charge_a: float | None, discharge_a: float | None) -> None:
        """Tell the inverter its limits, as CAN would: V, A, A, both positive; None is no limit."""
        self.inverter.limit_v = charge_v
        self.inverter.limit_charge_a = charge_a
        self.inverter.limit_discharge_a = discharge_a

    def set(self, name: str, value: float) -> None:
        """Set one quantity of SETTABLES."""
        row = within(name, value, SETTABLES)
        setattr(self._parts[row.part], row.attribute, value * row.scale)
        self._refresh()

    def cell(self, number: int, **values: float) -> None:
        """Set quantities of CELL_SETTABLES on one cell, e.g. cell(7, offset_mv=80); all or none."""
        index = self._cell_index(number)
        rows = [(within(name, value, CELL_SETTABLES), value) for name, value in values.items()]
        for row, value in rows:
            getattr(self._parts[row.part], row.attribute)[index] = value * row.scale
        self._refresh()

    def _refresh(self) -> None:
        """Let the parts take up what was set from outside."""
        self.cells.warm(self.heat.pack_c)
        self.cells.refresh()
        self.sensors.refresh()

    def fault(self, name: str, on: bool, cell: int | None = None) -> None:
        """Switch one of FAULTS on or off; a fault of one cell needs its number."""
        row = FAULTS[known(name, FAULTS, "fault")]
        if row.needs_cell and cell is None:
            raise PeerError(f"fault {name} needs a cell, 1 to {self.settings.cells}")
        if not row.needs_cell and cell is not None:
            raise PeerError(f"fault {name} is not of one cell")
        if row.part == "sensors":
            self.sensors.fault(name, 0 if cell is None else self._cell_index(cell) + 1, on)
            return
        setattr(self._parts[row.part], row.attribute, on)
        self.circuit.disturb()
        self.circuit.move(self.cells.pack_v, self.cells.source()[1])

    def faults(self) -> list[str]:
        """List the faults that are on; those of a cell as `cell_frozen 7`."""
        rows = ((name, row) for name, row in FAULTS.items() if row.attribute)
        found = [name for name, row in rows if getattr(self._parts[row.part], row.attribute)]
        return found + [f"{name} {cell}".removesuffix(" 0") for name, cell in self.sensors.active()]

    def _cell_index(self, number: int) -> int:
        """Turn a cell's number, from 1, into its index, from 0."""
        if not 1 <= number <= self.settings.cells:
            raise PeerError(f"there is no cell {number}; cells are 1 to {self.settings.cells}")
        return number - 1

    # What really is, for scenarios and tests

    @property
    def charger_v(self) -> float:
        """Give the voltage on the charger's side of the charge contactor."""
        if self.circuit.charger_joined or (self.circuit.own_fets and self.circuit.load_joined):
            return self.circuit.behind_v(self.cells.pack_v)
        if self.inverter.present:
            return self.inverter.port_v if self.circuit.one_bus else self.inverter.charger_v
        return self.circuit.load_v if self.circuit.own_fets else 0.0

    @property
    def heater_a(self) -> float:
        """Give the current in the heating element, as a current sensor would measure it."""
        return self.element.current_a


def _build_heat(settings: PlantSettings) -> Heat:
    """Work out how much heat the block holds and loses."""
    ah = settings.cells * settings.capacity_ah
    ua_w_per_k = settings.insulation_w_per_k
    if ua_w_per_k is None:
        ua_w_per_k = scaled_ua_w_per_k(settings.cells, settings.capacity_ah)
    start_c = settings.ambient_c if settings.start_c is None else settings.start_c
    return Heat(CELL_J_PER_K_AH * ah, ua_w_per_k, settings.ambient_c, start_c)
