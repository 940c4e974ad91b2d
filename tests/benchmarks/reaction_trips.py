"""How every protection is tripped, one row each, and why the others cannot be measured.

A row makes the cause appear at one moment and says how the chip's registers, or an input, show it. Rows of the
alarm table that compare a value need no such sentence: the table itself says what is beyond a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bmsd.core import deferred_opening
from bmsd.core.alarms import compare
from bmsd.core.cross_check import WINDOW
from bmsd.core.heater_watch import STUCK_MS
from bmsd.core.plausible import HeldReadings, validate
from bmsd.core.types import ChipFault, Inhibit, InhibitCause, Measurement, Request
from bmsd.tables.alarms import ALARMS, BY_NAME, Alarm, Block
from bmsd.tables.parameters import Parameters
from tests.benchmarks.reaction_pack import Pack

Act = Callable[[Pack], object]
Shows = Callable[[Pack, Measurement], bool]
LINES = {Block.CHARGE: "charge", Block.DISCHARGE: "discharge", Block.HEATER: "heater"}


def nothing(_pack: Pack) -> None:
    """Leave the pack as it is."""


def at_once(_pack: Pack, _measurement: Measurement) -> bool:
    """Tell that the cause is no value in a register: its moment is the one it was made at."""
    return True


@dataclass(frozen=True, slots=True)
class Trip:
    """One way to make a protection act."""

    alarm: str
    provoke: Act
    shows: Shows | None = None
    """None: the alarm's row compares a value, and says itself what is beyond its limit."""
    before: Act = nothing
    """What has to be so before, in normal operation."""
    delay: Callable[[Parameters], int] | None = None
    """Its own delay, where that is not the one of its row."""
    delay_from: str = ""
    """What such a delay is, in words."""
    unknown: bool = False
    """It opens because a value is unknown; the alarm that names the fault may come later."""
    current: bool = False
    """Current flows on through the contactor, whatever the inverter is told."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    sections: str = ""
    topology: str = "split"
    note: str = ""

    @property
    def row(self) -> Alarm:
        return BY_NAME[self.alarm]

    @property
    def name(self) -> str:
        """Name it; one alarm may be tripped in several ways."""
        return f"{self.alarm}, {self.note}" if self.note else self.alarm

    @property
    def lines(self) -> tuple[str, ...]:
        """Name the output lines that it has to switch off."""
        names = [name for block, name in LINES.items() if block in self.row.blocks]
        if self.topology == "common":
            names = [name if name == "heater" else "main" for name in names]
        return tuple(dict.fromkeys(names))

    def own_ms(self, p: Parameters) -> int:
        """Give the protection's own delay, with the wait for little current where current flows (S12)."""
        if self.delay is not None:
            delay_ms = self.delay(p)
        else:
            delay_ms = p.get(self.row.delay) if self.row.delay else 0
        return delay_ms + (self.wait_ms(p) if self.current else 0)

    def wait_ms(self, p: Parameters) -> int:
        """Give how long the contacts may wait for little current."""
        return deferred_opening.longest_ms(p, [Inhibit(InhibitCause.ALARM, self.alarm)])

    def is_shown(self, pack: Pack, measurement: Measurement) -> bool:
        """Tell whether registers or inputs show the cause now."""
        if self.shows is not None:
            return self.shows(pack, measurement)
        values, _ = validate(HeldReadings(), measurement, 0, pack.config.parameters)
        rule = next(rule for rule in pack.control.settings.table if rule.name == self.alarm)
        return compare(rule, getattr(values, rule.value))[0] is True


# The acts, by what they touch.


def put(name: str, value: float) -> Act:
    return lambda pack: pack.bench.plant.set(name, value)


def bend(cell: int, offset_mv: float) -> Act:
    return lambda pack: pack.bench.plant.cell(cell, offset_mv=offset_mv)


def breaks(name: str, cell: int | None = None) -> Act:
    return lambda pack: pack.bench.fault(name, True, cell)


def together(*acts: Act) -> Act:
    return lambda pack: [act(pack) for act in acts]


def then(ms: float) -> Act:
    return lambda pack: pack.pass_time(ms)


def switched_off(name: str) -> Act:
    """Have the operator switch one contactor off, and let it settle."""
    return together(lambda pack: pack.ask(Request("switch", name, False)), then(2500))


def charging(amps: float) -> Act:
    """Let a charger push, whatever it is told."""
    return together(breaks("inverter_ignores_limits"), put("charger_v", 60), put("charger_a", amps))


def drawing(watts: float) -> Act:
    """Let a load draw, whatever the inverter is told."""
    return together(breaks("inverter_ignores_limits"), put("load_w", watts))


def stack_reads(error_mv: float) -> Act:
    """Bend the chip's own reading of the whole string."""
    return lambda pack: setattr(pack.bench.plant.sensors, "stack", lambda volts: volts * 1000 + error_mv)


def saturate_current(pack: Pack) -> None:
    """Drive the current converter to its end, whatever flows."""
    pack.bench.plant.set("current_offset_ma", 10)
    pack.bench.chip.engine._per_ma = 1e9


def fail_for_good(pack: Pack) -> None:
    """Set the bit of a permanent failure in the chip's battery status."""
    chip = pack.bench.chip
    chip.security |= 0x10
    chip.show_status()


def swing(pack: Pack) -> None:
    """Switch the load on or off."""
    plant = pack.bench.plant
    plant.set("load_w", 0 if plant.inverter.load_w else 4500)


def swings(count: int) -> Act:
    return together(*[act for _ in range(count) for act in (swing, then(3000))])


def current_changed(pack: Pack, measurement: Measurement) -> bool:
    """Tell whether the current register has left what it showed when the watch began."""
    return _moved(pack, "current_ma", measurement.current_ma or 0, 28_000)


def voltage_changed(pack: Pack, measurement: Measurement) -> bool:
    return _moved(pack, "pack_mv", sum(mv or 0 for mv in measurement.cell_mv), 16 * 6)


def _moved(pack: Pack, name: str, value: int, by: int) -> bool:
    first = pack.first.setdefault(name, value)
    return abs(value - first) > by


def flows(into: bool, limit_ma: Callable[[Parameters], int]) -> Shows:
    """Look for a current beyond a limit, one way or the other."""
    sign = 1 if into else -1
    return lambda pack, m: (m.current_ma or 0) * sign > limit_ma(pack.config.parameters)


def faulty(fault: ChipFault) -> Shows:
    return lambda _, m: bool(m.faults & fault)


def contact(name: str, closed: bool) -> Shows:
    return lambda pack, _: pack.lines.contact(name) is closed


def oldest_ms(p: Parameters) -> int:
    return p.value_max_age_ms


def no_delay(_p: Parameters) -> int:
    return 0


UNKNOWN = {"delay": oldest_ms, "delay_from": "value_max_age_s", "unknown": True}
CAN = '[can]\ninterface = "virtual"\nchannel = "bench"\n'
EARLY = {"cell_charge_v": 3.36, "soc_full_v": 3.35}
"""A charge that ends below so low a limit of the pack."""
ROOM = {"stack_mismatch_v": 3.2}
HEATING = together(put("charger_v", 56), put("charger_a", 20), put("pack_c", -5), then(12_000))

PLAIN: tuple[Trip, ...] = (
    Trip("cell_ovp", bend(7, 340)),
    Trip("cell_uvp", bend(3, -640)),
    Trip("cell_shutdown", bend(3, -760)),
    Trip("cell_floor", bend(3, -1400), parameters=ROOM),
    Trip("pack_ovp", put("soc_percent", 97), parameters={"pack_ovp_v": 54, "pack_ovpr_v": 53.8, **EARLY}),
    Trip("pack_uvp", put("soc_percent", 8), parameters={"pack_uvp_v": 51, "pack_uvpr_v": 51.5}),
    Trip("charge_ocp", charging(120), current=True),
    Trip("charge_ocp2", charging(165), current=True),
    Trip("discharge_ocp", drawing(8900), current=True),
    Trip("discharge_ocp2", drawing(12_600), current=True),
    Trip("short_circuit", breaks("load_short"), faulty(ChipFault.SHORT_CIRCUIT)),
    Trip("charge_otp", put("pack_c", 58)),
    Trip("charge_utp", put("pack_c", -5)),
    Trip("discharge_otp", put("pack_c", 63)),
    Trip("discharge_utp", put("pack_c", -24)),
    Trip("switch_otp", put("board_c", 78)),
    Trip("cell_lost", breaks("cell_wire_short", 5), lambda _, m: (m.cell_mv[4] or 0) < 300, **UNKNOWN),
    Trip(
        "cell_frozen",
        put("soc_percent", 8),
        lambda pack, m: _moved(pack, "cell_mv", sorted(mv or 0 for mv in m.cell_mv)[8], 20),
        together(breaks("cell_frozen", 9), put("soc_percent", 15), then(2000), put("soc_percent", 10), then(2000)),
    ),
    Trip("temperature_lost", breaks("ntc1_open"), lambda _, m: None in m.battery_decic, **UNKNOWN),
    Trip("switch_temperature_lost", breaks("ntc3_open"), lambda _, m: m.switch_decic is None, **UNKNOWN),
    Trip("current_lost", saturate_current, lambda _, m: m.current_ma is None, **UNKNOWN),
    Trip("stack_lost", stack_reads(-90_000), lambda _, m: m.stack_mv is None, **UNKNOWN),
    Trip("stack_mismatch", stack_reads(-1500)),
    Trip("afe_lost", breaks("afe_nack"), at_once, note="no answer", **UNKNOWN),
    Trip("afe_lost", breaks("afe_stuck"), at_once, note="bus held low", **UNKNOWN),
    Trip("afe_reset", breaks("afe_reset"), at_once),
    Trip(
        "chip_charge_trip",
        charging(210),
        faulty(ChipFault.CHARGE_OVER_CURRENT),
        parameters={"charge_ocp2_delay_s": 10},
    ),
    Trip(
        "chip_discharge_trip",
        drawing(15_500),
        faulty(ChipFault.DISCHARGE_OVER_CURRENT),
        parameters={"discharge_ocp2_delay_s": 10},
    ),
    Trip("chip_fault", fail_for_good, faulty(ChipFault.PERMANENT_FAILURE)),
    Trip(
        "charge_contactor_welded", breaks("charge_weld"), contact("charge", True), switched_off("charge"),
        no_delay, "settled before",
    ),
    Trip(
        "discharge_contactor_welded", breaks("discharge_weld"), contact("discharge", True),
        switched_off("discharge"), no_delay, "settled before",
    ),
    Trip(
        "charge_contactor_open", breaks("charge_stuck_open"), contact("charge", False), nothing,
        no_delay, "settled before",
    ),
    Trip(
        "discharge_contactor_open", breaks("discharge_stuck_open"), contact("discharge", False), nothing,
        no_delay, "settled before",
    ),
    Trip(
        "output_fault", lambda pack: pack.lines.held.update(buzzer=True), at_once, nothing,
        lambda p: p.period_ms, "one period: the read-back of a cycle is judged in the next",
    ),
    Trip(
        "heater_over_limit", put("charger_v", 80), lambda _, m: (m.charger_mv or 0) > 72_500, HEATING
    ),
    Trip(
        "heater_stuck_on", lambda pack: setattr(pack, "heater_ma", 1500), at_once, nothing,
        lambda _: STUCK_MS, "fixed",
    ),
    Trip(
        "cells_frozen", swing, current_changed, together(breaks("cells_frozen"), then(1000), swings(3))
    ),
    Trip(
        "current_implausible", swing, voltage_changed, together(breaks("current_frozen"), then(1000), swings(3)),
        lambda p: (WINDOW - 1) * p.period_ms, f"{WINDOW} readings after the jump",
    ),
    Trip(
        "current_reversed", swing, voltage_changed, together(breaks("current_reversed"), then(1000), swings(5)),
        parameters={"physics_step_v": 0.004},
    ),
    Trip("charge_past_contactor", put("current_offset_ma", 20_000), flows(True, lambda p: p.limit_tolerance_ma),
         switched_off("charge")),
    Trip("discharge_past_contactor", put("current_offset_ma", -20_000),
         flows(False, lambda p: p.limit_tolerance_ma),
         switched_off("discharge")),
    Trip("charge_limit_enforced", charging(98),
         flows(True, lambda p: p.charge_max_ma + p.limit_tolerance_ma), then(4000),
         current=True, parameters={"limit_react_s": 1}, sections=CAN),
    Trip("discharge_limit_enforced", drawing(7700),
         flows(False, lambda p: p.discharge_max_ma + p.limit_tolerance_ma), then(4000),
         current=True, parameters={"limit_react_s": 1}, sections=CAN),
    Trip(
        "main_contactor_open", breaks("main_stuck_open"), contact("main", False), nothing,
        no_delay, "settled before", topology="common",
    ),
    Trip(
        "charge_not_stopped", charging(40), flows(True, lambda p: p.forbidden_charge_ma),
        switched_off("charge"), topology="common",
    ),
    Trip(
        "discharge_not_stopped", drawing(2000), flows(False, lambda p: p.forbidden_discharge_ma),
        switched_off("discharge"), topology="common",
    ),
)  # fmt: skip


def _under_current(trip: Trip) -> Trip:
    """Trip the same while current flows on, so that the contacts wait as long as they may."""
    flow = charging(40) if Block.CHARGE in trip.row.blocks else drawing(2000)
    return replace(trip, before=together(flow, then(2000), trip.before), current=True, note="under current")


TRIPS: dict[str, Trip] = {
    trip.name: trip
    for plain in PLAIN
    for trip in ((plain, _under_current(plain)) if plain.row.opening_ms and not plain.current else (plain,))
}

NOT_MEASURED = {
    "main_contactor_welded": "arises while the one contactor there is should be open, and does not open",
    "afe_refused": "arises only while the chip is brought up, with every contactor open",
    "precharge_failed": "arises while the discharge contactor is still open, and keeps it so",
    "heater_no_warming": "counts the core's own time of heating; no register shows a moment",
    "heater_long_run": "counts the core's own time of heating; no register shows a moment",
    "auto_shutdown": "follows `cell_shutdown`, which has opened the same contactor",
    "short_circuit_repeated": "follows `short_circuit`, which has opened both contactors",
    "charge_trip_repeated": "follows a trip that has opened the charge contactor",
    "discharge_trip_repeated": "follows a trip that has opened the discharge contactor",
    "cell_may_be_high": "follows loads that come and go, one after the other; no register shows a moment",
    "cell_may_be_low": "follows loads that come and go, one after the other; no register shows a moment",
    "afe_not_set": "arises only while the chip is brought up, with every contactor open or believed welded",
    "temperature_mismatch": "blocks the heater alone, after a delay of minutes",
    "configuration_fault": "arises only at a start, before anything has closed",
}
"""Alarms that block something and are not tripped here, with the reason."""


def missing() -> list[str]:
    """Name the blocking alarms that are neither tripped nor given a reason."""
    known = {trip.alarm for trip in PLAIN} | NOT_MEASURED.keys()
    return [alarm.name for alarm in ALARMS if alarm.blocks and alarm.name not in known]
