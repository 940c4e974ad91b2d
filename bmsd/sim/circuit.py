"""What hangs on the pack: contactors, pre-charge, inverter with its capacitors, charger, heater.

Split topology: the charge contactor passes charging current only, the discharge contactor discharging
only. Common topology: one main contactor, with charger and load on one bus behind it. Topology afe: the same bus behind
two FETs in series, each of which blocks one direction and passes the other through its body diode. The pack is seen
as a voltage source behind a resistance; each step is solved in closed form.
"""

from __future__ import annotations

import math

from bmsd.sim.contactor import Contactor
from bmsd.sim.inverter import SimInverter

INRUSH_OHM = 0.002
"""Cable, contact and capacitor resistance that an inrush passes besides the cells [est]."""

HARD_SHARE = 0.9
"""A closing onto less than this share of the pack voltage is hard: below it the inrush doubles soon; so is one onto as
much above."""

BLEED_S = 5.0
"""A load side that nothing feeds loses its voltage with this time constant [est]."""

INVERTER_STOP_SHARE = 0.8
"""A running inverter empties its capacitors down to this share of the pack voltage, then stops [est]."""

DEAD_V = 1e-6
"""Below this the load side counts as empty, which keeps an endless decay out of the arithmetic."""

LEFT_ON_OHM = 50.0
"""Fault load_left_on: about 1 A of load that no pre-charge gets past."""

SHORT_OHM = 0.01
"""Fault load_short: a bolted short behind some cable."""

HEATER_SHORT_SHARE = 0.3
"""Fault heater_short: what is left of the resistance of a heater with shorted turns."""

EXPORT_A = 100.0
"""Most that an inverter takes from the pack for the grid [est]."""

NEVER_MS = 1_000_000
"""Until a contactor arrives where none is on its way."""

DIODE_V = 0.8
"""What a body diode takes from the voltage while it carries current [est]."""


class Heater:
    """The heating element: its resistance, its supply, and the ways it breaks."""

    def __init__(self, ohm: float, from_pack: bool) -> None:
        self.nominal_ohm = ohm
        self.from_pack = from_pack
        self.burnt = False
        self.shorted = False
        self.current_a = 0.0
        self.power_w = 0.0

    @property
    def ohm(self) -> float:
        """Give the resistance as it is now; infinite when burnt through."""
        if self.burnt:
            return math.inf
        return self.nominal_ohm * (HEATER_SHORT_SHARE if self.shorted else 1.0)

    def feed(self, volts: float) -> None:
        """Put a voltage on it; 0 is off."""
        self.current_a = volts / self.ohm if volts else 0.0
        self.power_w = volts * self.current_a


def constant_power_a(emf_v: float, ohm: float, watts: float) -> float:
    """Find the current at which a source yields a power; beyond its reach, the one that yields most."""
    if watts <= 0.0 or emf_v <= 0.0:
        return 0.0
    reach = emf_v * emf_v - 4.0 * ohm * watts
    if reach <= 0.0:
        return emf_v / (2.0 * ohm)
    return 2.0 * watts / (emf_v + math.sqrt(reach))


class Circuit:
    """All of it, wired. `solve` gives the pack current for a step, and moves the load side along."""

    def __init__(
        self,
        inverter: SimInverter,
        element: Heater,
        precharge_ohm: float,
        capacitance_f: float,
        pull_in_ms: int,
        drop_out_ms: int,
        common: bool = False,
        own_fets: bool = False,
    ) -> None:
        self.own_fets = own_fets
        self.one_bus = common or own_fets
        """Charger and load are behind the same switches."""
        self.inverter = inverter
        self.element = element
        self.precharge_ohm = precharge_ohm
        self.capacitance_f = capacitance_f
        arrivals = (0, 0) if own_fets else (pull_in_ms, drop_out_ms)
        self.charge = Contactor(*arrivals)
        self.discharge = Contactor(*arrivals)
        self.precharge = Contactor(pull_in_ms, drop_out_ms)
        self.heater = Contactor(pull_in_ms, drop_out_ms)
        self.main = Contactor(pull_in_ms, drop_out_ms)
        self.contactors = (self.charge, self.discharge, self.precharge, self.heater, self.main)
        self.load_left_on = False
        self.load_short = False
        self.load_v = 0.0
        self.charge_a = 0.0
        self.discharge_a = 0.0
        self.precharge_a = 0.0
        self.inrush_a = 0.0
        self.diode_a = 0.0
        """Through a body diode whose FET is off."""
        self.hard_closings = 0
        self._at_rest = False

    @property
    def charger_joined(self) -> bool:
        """Tell whether a closed contactor joins the charger to the pack."""
        return self.charge.closed or self.main.closed

    @property
    def load_joined(self) -> bool:
        """Tell whether a closed contactor joins the load to the pack."""
        return self.discharge.closed or self.main.closed

    def behind_v(self, pack_v: float) -> float:
        """Give the voltage behind the switches while one of them joins the bus to the pack."""
        if not self.own_fets or self.charge.closed is self.discharge.closed:
            return pack_v
        if self.diode_a > 0.0:
            return pack_v + (-DIODE_V if self.discharge.closed else DIODE_V)
        # Through the FET that is on and the other one's diode the pack keeps the bus from falling below it.
        source_v = self.inverter.port_v if self.inverter.present else 0.0
        if self.discharge.closed:
            return max(source_v, pack_v)
        return source_v if self.inverter.present else self.load_v

    def disturb(self) -> None:
        """Take note that a contactor was commanded, permitted, forbidden, broken or mended."""
        self._at_rest = False

    def elapse(self, dt_ms: int) -> None:
        """Let contactors that move do so for a time that passes no arrival."""
        if not self._at_rest:
            for contactor in self.contactors:
                contactor.elapse(dt_ms)

    def move(self, pack_v: float, pack_ohm: float) -> int:
        """Let contactors follow their commands; give the time until the next one arrives, in ms."""
        if self._at_rest:
            return NEVER_MS
        next_ms = NEVER_MS
        for contactor in self.contactors:
            contactor.drive()
            if 0 < contactor.left_ms < next_ms:
                next_ms = contactor.left_ms
        self.charge.settle(self.charge_a)
        if self.discharge.settle(self.discharge_a) and self.discharge.closed:
            self._close_on(pack_v, pack_ohm)
        if self.main.settle(self.charge_a - self.discharge_a) and self.main.closed:
            self._close_on(pack_v, pack_ohm)
        self.precharge.settle(self.precharge_a)
        self.heater.settle(self.element.current_a)
        self._at_rest = not any(contactor.is_moving for contactor in self.contactors)
        return next_ms

    def _close_on(self, pack_v: float, pack_ohm: float) -> None:
        """Note the inrush of a contactor that closed onto the load side, and whether it was a hard one."""
        apart_v = abs(pack_v - self.load_v)
        self.inrush_a = max(self.inrush_a, apart_v / (pack_ohm + INRUSH_OHM))
        if apart_v > (1.0 - HARD_SHARE) * pack_v:
            self.hard_closings += 1
        self.load_v = pack_v

    def solve(self, emf_v: float, ohm: float, pack_v: float, dt_s: float) -> float:
        """Find the pack current of the next step, A, from the pack as a source behind a resistance."""
        volts, amps, draw_a = self.inverter.effective()
        self._feed_heater(pack_v)
        if self.element.current_a and not self.element.from_pack:
            # Fed even where the charging limit is zero: what that holds back is the pack's current.
            amps = max(0.0, amps - self.element.current_a)
        load_joined = self.load_joined
        joined = self.charger_joined or (self.own_fets and load_joined)
        charging = joined and self.inverter.present
        load_siemens = self._fault_conductance() if load_joined else 0.0
        siemens = load_siemens + self._heater_conductance()
        shrink = 1.0 / (1.0 + ohm * siemens)
        source_v, source_ohm = emf_v * shrink, ohm * shrink
        fed = load_joined or (self.own_fets and joined and charging)
        watts = self.inverter.load_w if fed else 0.0
        if fed and self.inverter.idle_w > 0.0:
            watts += self.inverter.idle_w
            draw_a += self.inverter.idle_w / max(source_v, 1.0)
        charge_a, load_a = _share(source_v, source_ohm, amps if charging else 0.0, volts, watts, draw_a)
        if fed and self.inverter.exports and source_v > volts:
            load_a = max(load_a, min((source_v - volts) / source_ohm, EXPORT_A))
        if self.own_fets:
            charge_a, load_a = self._block(charge_a, load_a)
        terminal_v = source_v + source_ohm * (charge_a - load_a)
        self.charge_a = charge_a
        self.discharge_a = load_a + terminal_v * load_siemens
        # Behind a closed contactor there is nothing to work out: the load side is the pack.
        self.precharge_a = 0.0 if load_joined else self._precharge_load(terminal_v, dt_s)
        return charge_a - load_a - terminal_v * siemens - self.precharge_a

    def _block(self, charge_a: float, load_a: float) -> tuple[float, float]:
        """Let each FET that is off block its direction, and its diode pass the other one."""
        if not self.charge.closed:
            charge_a = min(charge_a, load_a)  # what the charger has left feeds the load
        if not self.discharge.closed:
            load_a = min(load_a, charge_a)
        self.diode_a = 0.0
        if self.charge.closed is not self.discharge.closed:
            self.diode_a = abs(charge_a - load_a)
        return charge_a, load_a

    def _feed_heater(self, pack_v: float) -> None:
        """Give the heater its supply: the pack, or a charger bus that is alive."""
        if not self.heater.closed:
            self.element.feed(0.0)
        elif self.element.from_pack:
            self.element.feed(max(pack_v, 0.0))
        elif self.inverter.present:
            self.element.feed(pack_v if self.charger_joined else self.inverter.charger_v)
        else:
            self.element.feed(0.0)

    def _heater_conductance(self) -> float:
        """Give a heater that is on the pack, in siemens."""
        return 1.0 / self.element.ohm if self.heater.closed and self.element.from_pack else 0.0

    def _fault_conductance(self) -> float:
        """Give what faults put across the load side, in siemens."""
        siemens = 1.0 / LEFT_ON_OHM if self.load_left_on else 0.0
        return siemens + 1.0 / SHORT_OHM if self.load_short else siemens

    def _precharge_load(self, pack_v: float, dt_s: float) -> float:
        """Move the load side's voltage by one step, exactly; give the mean pre-charge current, A.

        A charger on the same bus keeps it from falling below its own voltage, and takes nothing from what stands
        above.
        """
        least_v = self.inverter.port_v if self.one_bus and self.inverter.present else 0.0
        if self.own_fets and self.charge.closed:
            # What stands higher flows into the pack through the body diode of the discharge FET.
            self.load_v = min(self.load_v, pack_v + DIODE_V)
            least_v = min(least_v, pack_v + DIODE_V)
        siemens = self._fault_conductance()
        target_v = 0.0
        if self.precharge.closed:
            supply = 1.0 / self.precharge_ohm
            target_v = pack_v * supply / (siemens + supply)
            siemens += supply
        else:
            self._run_down(pack_v, dt_s)
            siemens += self.capacitance_f / BLEED_S
        tau_s = self.capacitance_f / siemens
        gap_v = self.load_v - target_v
        keep = math.exp(-dt_s / tau_s)
        self.load_v = max(target_v + gap_v * keep, least_v)
        if self.load_v < DEAD_V:
            self.load_v = 0.0
        if not self.precharge.closed:
            return 0.0
        mean_v = max(target_v + gap_v * (1.0 - keep) * tau_s / dt_s, least_v)
        return (pack_v - mean_v) / self.precharge_ohm

    def _run_down(self, pack_v: float, dt_s: float) -> None:
        """Let a running inverter take its power from its capacitors until it stops."""
        stop_v = INVERTER_STOP_SHARE * pack_v
        if self.inverter.load_w > 0.0 and self.load_v > stop_v:
            squared = self.load_v**2 - 2.0 * self.inverter.load_w * dt_s / self.capacitance_f
            self.load_v = max(stop_v, math.sqrt(max(squared, 0.0)))


def _share(
    emf_v: float, ohm: float, amps: float, volts: float, watts: float, draw_a: float
) -> tuple[float, float]:
    """Split between charger and load: constant current first, constant voltage where that is reached."""
    load_a = min(constant_power_a(emf_v + ohm * amps, ohm, watts), draw_a)
    if amps <= 0.0 or emf_v + ohm * (amps - load_a) <= volts:
        return amps, load_a
    load_a = min(watts / volts, draw_a)
    charge_a = min(amps, (volts - emf_v) / ohm + load_a)
    if charge_a > 0.0:
        return charge_a, load_a
    return 0.0, min(constant_power_a(emf_v, ohm, watts), draw_a)
