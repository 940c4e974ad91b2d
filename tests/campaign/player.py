"""Live a random life on the bench: the real controller and chip driver, the plant, and an oracle that looks at it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from bmsd.config.load import CanConfig, Config, load
from bmsd.core import report
from bmsd.core.state import Outputs, begin
from bmsd.sim.bench import Bench
from bmsd.sim.faults import FAULTS
from bmsd.sim.plant import CHARGE_V, PlantSettings
from bmsd.sim.runner import Virtual
from tests.campaign.lives import BROKEN_S, HEALTHY_S, INVERTERS, Break, RandomLife, Weather
from tests.campaign.oracle import Oracle
from tests.campaign.outcome import Outcome

SETTLED_S = 900
"""A pack that was in service for so long without a break is taken to stay there: its hour ends."""
EMPTY = 0.1
"""Below this a cold pack need not discharge: it is charged first."""
COLD_C, MILD_C = -8.0, 20.0
MILD_S, MILD_STEPS = 600, 300
"""How long a pack takes to where the weather of the last hour has it, and in how many steps."""
NO_PAYERS = frozenset({"coarse", "deaf to the current"})
"""Inverters that cannot give as little as a heater takes: those charge a cold pack, or give nothing."""
CLOSED_BY = {"split": "charge = 17\ndischarge = 27", "common": "main = 17", "afe": ""}
CONTACTS = {
    "split": "charge_feedback = 5\ndischarge_feedback = 6",
    "common": "main_feedback = 12",
    "afe": "",
}
HEATER_W = {4: 60, 8: 80, 15: 150, 16: 150}
"""What the heater of so many cells gives at the charge voltage, within S4's limits."""


def text_of(life: RandomLife) -> str:
    """Write the configuration of a life's pack as an installer would."""
    full_v = CHARGE_V[life.chemistry] * life.cells
    ohm = max(full_v**2 / HEATER_W[life.cells], full_v / 2.5)
    contacts = CONTACTS[life.topology] if life.contacts else ""
    return f"""
[pack]
chemistry = "{life.chemistry}"
cells = {life.cells}
capacity_ah = {life.capacity_ah}
[afe]
chip = "bq76952"
shunt_mohm = 0.25
[outputs]
{CLOSED_BY[life.topology]}
precharge = 22
heater = 23
{contacts}
[switches]
topology = "{life.topology}"
[heater]
resistance_ohm = {ohm:.1f}
supply = "{life.supply}"
[parameters]
charge_ocp_a = {life.capacity_ah // 2}
discharge_ocp_a = {life.capacity_ah // 2}
period_s = {life.period_ms / 1000}
"""


def config_of(life: RandomLife) -> Config:
    """Load it, checks and all."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bmsd.toml"
        path.write_text(text_of(life), encoding="utf-8")
        return replace(load(path), can=CanConfig("pylontech", 10.0, {}))


def plant_of(life: RandomLife, config: Config) -> PlantSettings:
    """Build the pack itself."""
    return PlantSettings(
        chemistry=life.chemistry,
        cells=life.cells,
        capacity_ah=life.capacity_ah,
        initial_soc=life.soc,
        seed=life.number,
        ambient_c=life.start_c,
        heater_resistance_ohm=(config.heater_mohm or 24_000) / 1000,
        heater_supply="pack" if life.supply == "pack" else "charger",
        common=life.topology == "common",
        own_fets=life.topology == "afe",
    )


class Player:
    """One pack that lives."""

    def __init__(self, life: RandomLife) -> None:
        self.life = life
        self.config = config_of(life)
        self.bench = Bench(self.config, plant_of(life, self.config), happenings=())
        self.virtual = Virtual(self.config, self.bench)
        self.oracle = Oracle(life, self.config.parameters, self.bench.plant)
        self.now_ms = 0
        self._load_w = 0.0
        self._exported_w = 0.0
        self._set(**INVERTERS[life.inverter])
        if life.inverter == "deaf to the current":
            self.bench.fault("inverter_ignores_current", True)

    def live(self) -> Outcome:
        """Live it to the end."""
        outcome = Outcome(
            self.life.number, self.life.text, faults=frozenset(b.name for b in self.life.breaks)
        )
        changes = sorted(
            [(w.at_s, 0, w) for w in self.life.weather]
            + [(b.at_s, 1, (b, True)) for b in self.life.breaks]
            + [(b.at_s + b.lasts_s, 2, (b, False)) for b in self.life.breaks],
            key=lambda change: change[:2],
        )
        for at_s, _, change in changes:
            self._run_until(at_s)
            if isinstance(change, Weather):
                self._weather(change)
            else:
                self._break(*change)
        self._run_until(BROKEN_S)
        self._heal()
        outcome.back_s = self._healthy_hour()
        outcome.broken = self.oracle.broken
        outcome.waits_for_warmth = self.life.supply == "pack" and self._is_cold() and self._nobody_pays()
        control = self.virtual.control
        if control.out is not None:
            outcome.latched = tuple(sorted(report.latched(control.state)))
            outcome.why = tuple(
                f"{reason.because.name.lower()} {reason.name}".strip()
                for reason in (*control.out.charge_inhibits, *control.out.discharge_inhibits)
            )
        return outcome

    def _healthy_hour(self) -> float | None:
        """Pass an hour of good weather; give when the pack was in service for good."""
        begun_s, back_s = self.now_ms / 1000, None
        plant = self.bench.plant
        while self.now_ms / 1000 < begun_s + HEALTHY_S:
            passed_s = self.now_ms / 1000 - begun_s
            needs_charge = plant.cells.mean_soc < 0.5 or self._is_cold()
            self._supply(0.3 if needs_charge else 0.0, 0.0)
            self._load(0.0 if needs_charge else 0.2)
            self._run_until(begun_s + passed_s + 30.0)
            if not self._in_service():
                back_s = None
            elif back_s is None:
                back_s = self.now_ms / 1000 - begun_s
            elif self.now_ms / 1000 - begun_s >= back_s + SETTLED_S:
                break
        return back_s

    def _in_service(self) -> bool:
        """Tell whether charge and discharge can flow, as the real contacts stand, and are allowed.

        A pack that is too cold to charge and has a charger that could is in service when it is really heated.
        """
        circuit, out = self.bench.plant.circuit, self.virtual.control.out
        if out is None:
            return False
        charges = circuit.charger_joined and out.charge_allowed
        discharges = circuit.load_joined and out.discharge_allowed
        if self._is_cold():
            # A charger that stands below the pack would charge no warm one either.
            full = self.bench.plant.cells.pack_v >= self.bench.plant.inverter.charger_v
            charges = charges or self.bench.plant.element.power_w > 0.0 or full
            discharges = discharges or self.bench.plant.cells.mean_soc < EMPTY
        return charges and discharges

    def _nobody_pays(self) -> bool:
        """Tell whether no charger can feed the heater of a pack that has nothing to spend (docs/SAFETY.md, S15)."""
        if self.life.topology == "common":
            return self.life.inverter in NO_PAYERS
        return 1000 * min(self.bench.plant.cells.volts) < self.config.parameters.cell_uvpr_mv

    def _is_cold(self) -> bool:
        return bool(10 * self.bench.plant.heat.pack_c < self.config.parameters.charge_utpr_decic)

    def _run_until(self, at_s: float) -> None:
        while self.now_ms < at_s * 1000:
            out = self.virtual.cycle(self.now_ms)
            self._tell(out)
            self.oracle.look(self.virtual.now_ms, out)
            self.now_ms = max(self.now_ms + self.virtual.control.period_ms, self.virtual.now_ms)
        # What comes next happens now, not at the last cycle: an armature that was moving then is where it went.
        self.bench.advance(max(round(at_s * 1000), self.virtual.now_ms))

    def _tell(self, out: Outputs) -> None:
        """Tell the inverter its limits; one that exports draws the pack down to the charge voltage."""
        self.bench.tell_inverter(out.limits)
        if self.life.inverter != "exporting":
            return
        above_v = self.bench.plant.cells.pack_v - out.limits.charge_mv / 1000
        exported_w = 1000.0 if above_v > 0.1 and out.limits.charge_mv else 0.0
        if exported_w != self._exported_w:
            self._exported_w = exported_w
            self._set(load_w=self._load_w + exported_w)

    def _set(self, **values: float) -> None:
        if values:
            self.bench.request({"set": values})

    def _load(self, share: float) -> None:
        watts = share * self.life.capacity_ah * self.bench.plant.cells.pack_v
        if abs(watts - self._load_w) > 1.0:
            self._load_w = watts
            self._set(load_w=self._load_w + self._exported_w)

    def _supply(self, share: float, above_cvl_v: float) -> None:
        volts = self.config.parameters.cell_charge_mv * self.life.cells / 1000 + above_cvl_v
        self._set(charger_a=share * self.life.capacity_ah, charger_v=volts)

    def _weather(self, weather: Weather) -> None:
        self._set(ambient_c=weather.ambient_c)
        self._supply(weather.charger_c, weather.charger_above_cvl_v)
        self._load(weather.load_c)

    def _break(self, broken: Break, on: bool) -> None:
        """Break something, or mend it."""
        own = {"cell reads low": -300.0, "cell reads high": 150.0}
        if broken.name in own:
            self.bench.request(
                {"cell": broken.cell, "values": {"offset_mv": own[broken.name] if on else 0.0}}
            )
        elif broken.name == "noise":
            self._set(noise_mv=15.0 if on else 0.0)
        elif broken.name == "current offset":
            self._set(current_offset_ma=3000.0 if on else 0.0)
        elif broken.name == "sensor off":
            self._set(ts1_offset_k=30.0 if on else 0.0)
        elif broken.name in {"restart", "silence"}:
            if on:
                self._pause(broken)
        else:
            needs = broken.name in FAULTS and FAULTS[broken.name].needs_cell
            self.bench.fault(broken.name, on, broken.cell if needs else None)

    def _pause(self, broken: Break) -> None:
        """Let the core say nothing for a while; started again, it knows what its state file keeps."""
        if broken.name == "restart":
            state = self.virtual.control.state
            self.virtual.control.stop()
        self.now_ms += round(broken.lasts_s * 1000)
        if broken.name == "restart":
            kept = begin(
                self.now_ms, latched=report.latched(state), soc_state=state.soc, consent=state.consent
            )
            self.virtual = Virtual(self.config, self.bench, kept)
            self.virtual.now_ms = self.now_ms

    def _heal(self) -> None:
        """Let everything be good again; the air is mild, and what was frozen or hot has its time.

        In steps: cells whose resistance changes at once jump without a current, which no pack does.
        """
        for broken in self.life.breaks:
            self._break(broken, False)
        degrees = COLD_C if self.life.ends_cold else MILD_C
        self._set(ambient_c=degrees, board_c=25.0)
        begun_c, begun_s = self.bench.plant.heat.pack_c, self.now_ms / 1000
        for step in range(1, MILD_STEPS + 1):
            self._set(pack_c=begun_c + (degrees - begun_c) * step / MILD_STEPS)
            self._run_until(begun_s + step * MILD_S / MILD_STEPS)
