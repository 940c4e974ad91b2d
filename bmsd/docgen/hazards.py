"""The hazards of a lithium pack: what each tolerates, what acts against it and when, and what shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from bmsd.control import chip_protection
from bmsd.docgen.markdown import codes, table
from bmsd.shutdown import guard
from bmsd.tables import parameters
from bmsd.tables.alarms import BOTH, BY_NAME, Alarm
from bmsd.tables.parameters import Parameters


class Bound(NamedTuple):
    """One way to the hazard: who acts against it, and how long it may last."""

    alarms: tuple[str, ...]
    tolerates_ms: int
    because: str


class Hazard(NamedTuple):
    """One hazard; `tests` are files below tests/."""

    name: str
    harm: str
    rules: tuple[str, ...]
    bounds: tuple[Bound, ...]
    daemon: str
    chip: str
    hardware: str
    classes: tuple[int, ...]
    tests: tuple[str, ...]


LOST = ("cell_lost", "stack_lost", "stack_mismatch", "afe_lost", "afe_reset")
BLIND_MS = 10_000
FULL = "at 1 C a full cell takes 0.28 % of its capacity in that time"

HAZARDS = (
    Hazard(
        "Over-charge of a cell", "gas, fire", ("S1", "S2", "S6", "S7"),
        (Bound(("cell_ovp", "pack_ovp", "cell_may_be_high"), 10_000, FULL),
         Bound(LOST, BLIND_MS, "the same charge, not seen")),
        "The inverter is asked for less before the limit, for nothing at it, and the charge contactor opens.",
        "Over-voltage comparator at `cell_ovp_v` + 100 mV.", "A charger with a limit of its own.",
        (1, 2, 3, 5, 6, 10, 18),
        ("core/test_alarm_boundaries.py", "core/test_plausibility.py", "afe/test_backstop_acts.py",
         "properties/test_safety_rules.py", "core/test_limit_compliance.py"),
    ),
    Hazard(
        "Over-discharge of a cell", "copper dissolves; a short circuit when it is charged again",
        ("S1", "S2", "S6", "S13"),
        (Bound(("cell_uvp", "cell_shutdown", "cell_floor", "pack_uvp", "cell_may_be_low"), 10_000,
               "at 1 C an empty cell gives 0.28 % of its capacity in that time"),
         Bound(LOST, BLIND_MS, "the same discharge, not seen")),
        "The discharge contactor opens; below `cell_floor_v` nothing flows until someone has looked.",
        "Under-voltage comparator below `cell_shutdown_v`; with `common` at `cell_floor_v`.",
        "Nothing that draws from the pack before its contactors.",
        (1, 2, 3, 5, 6, 18),
        ("core/test_alarm_boundaries.py", "core/test_low_battery.py", "scenarios/test_black_start.py",
         "afe/test_backstop_acts.py", "properties/test_safety_rules.py"),
    ),
    Hazard(
        "Over-current and short circuit", "burnt cable, welded contactor", ("S1", "S6", "S12"),
        (Bound(("charge_ocp", "discharge_ocp"), 60_000,
               "an overload of up to 1.5 times; cables of the sizes that packs need warm over minutes"),
         Bound(("charge_ocp2", "discharge_ocp2"), 3_000,
               "an overload beyond 1.5 times: the chip's own comparators act after 0.4 s at 1.25 times of that")),
        "Two levels with delays; a trip of the chip is read, told and counted.",
        "Over-current comparators; short circuit within the microseconds of `short_circuit_delay_us`.",
        "A **fuse** that breaks the pack's full short-circuit current.",
        (7, 8, 9, 18),
        ("core/test_alarm_boundaries.py", "core/test_short_circuits.py", "core/test_precharge.py",
         "core/test_contactor_rest.py", "sim/test_chip_bq769x2_protection.py"),
    ),
    Hazard(
        "Over-temperature", "ageing, fire", ("S1", "S2", "S6"),
        (Bound(("charge_otp", "discharge_otp", "switch_otp"), 60_000,
               "a 280 Ah cell (5.4 kg, 0.25 mΩ) at 1 C warms by 0.2 K a minute"),
         Bound(("temperature_lost", "switch_temperature_lost"), 60_000, "the same warming, not seen")),
        "Charge, discharge or both end above their limits.",
        "Over-temperature comparators at the limits + 5 K; with `common` at the higher one.",
        "Sensors where it gets hot.", (4, 13, 14),
        ("core/test_alarm_boundaries.py", "core/test_plausibility.py", "afe/test_backstop_acts.py"),
    ),
    Hazard(
        "Charging below freezing", "lithium plates out; a short circuit later", ("S1", "S2", "S3"),
        (Bound(("charge_utp", "temperature_lost"), 10_000, "at 1 C, 0.28 % of the capacity in that time"),),
        "Charge is cut below `charge_utp_c`; the pack is heated first and charged only above `charge_utpr_c`.",
        "Under-temperature comparator 10 K lower; with `common` only where discharging is forbidden, too.",
        "Sensors where it is coldest.", (4, 14, 18),
        ("core/test_heat_and_charge_order.py", "core/test_steady_cold.py", "scenarios/test_shipped_scenarios.py",
         "properties/test_safety_rules.py"),
    ),
    Hazard(
        "Heater stuck on", "the pack cooks", ("S3", "S4", "S5"),
        (Bound(("heater_over_limit", "heater_stuck_on"), 60_000,
               "200 W into 16 kg of cells warm them by 0.75 K a minute; the mat itself is hot sooner"),),
        "Heat is refused outside its limits; a watcher that shares no code with the control wants to see warmth.",
        "None.", "A **thermostat in series with the heater**: the only layer that works on a relay that sticks.",
        (13,),
        ("core/test_heater_rules.py", "core/test_heater_watch.py", "core/test_output_alarms.py",
         "shutdown/test_safe_off.py"),
    ),
    Hazard(
        "Unexpected closing", "work on a live bus", ("S5", "S10", "S12", "S13", "S14"), (),
        "Nothing closes at a start before good cycles; latched faults survive power cuts; requests narrow.",
        "No permit before its settings are proved.", "A main switch that can be locked.", (8, 15, 16, 17, 19),
        ("core/test_close_after_restart.py", "core/test_emergency.py", "system/test_ways_out.py",
         "system/test_what_survives.py", "daemon/test_start_with_bad_state.py"),
    ),
    Hazard(
        "Controller dies, hangs or loses its supply", "contactors stay as they are", ("S5", "S9", "S11"), (),
        f"Guard process, after {guard.HANG_S} s or at once when the core is gone; safe-off, by systemd too.",
        f"Host watchdog, after {chip_protection.HOST_WATCHDOG_S} s.",
        "Contactors that open without coil power, pull-downs, a watchdog relay.", (6, 11, 12, 15, 16),
        ("system/test_ways_out.py", "system/test_flood.py", "shutdown/test_safe_off.py", "control/test_controller.py",
         "sim/test_chip_bq769x2_protection.py"),
    ),
    Hazard(
        "Loss of supply to a house", "no light, no heat, no pump", ("S12", "S13", "S10", "S15"), (),
        "A pack too empty to discharge can still be charged, and the other way round; trips release by themselves"
        " where that is safe; an empty pack asks for charge ([black start](black-start.md)); no pack sleeps unless"
        " told to; a person can override for 30 minutes.",
        "Its limits lie beyond the daemon's, so that it never acts first.", "A second source for what must not fail.",
        (1, 10, 16, 19),
        ("scenarios/test_black_start.py", "core/test_low_battery.py", "core/test_sleep.py", "core/test_emergency.py",
         "campaign/test_campaign.py", "properties/test_exploration.py"),
    ),
)  # fmt: skip
PACK_MA = {"charge_ocp_ma": 100_000, "discharge_ocp_ma": 150_000}
"""The two limits without a default; no time depends on them."""


def defaults() -> Parameters:
    """Give the parameters of a pack whose installer chose nothing else."""
    return parameters.build(parameters.defaults("lifepo4", "default", 16, PACK_MA, 280_000), 16)


def acts_ms(alarm: Alarm, p: Parameters, *, common: bool = False) -> int:
    """Give the longest time from the value to the open contactor, with the contacts' own time."""
    delay_ms = getattr(p, alarm.delay) if alarm.delay else 0
    stale_ms = p.value_max_age_ms if alarm.delay == "unknown_grace_ms" else 0
    waits_ms = min(alarm.opening_ms, p.opening_wait_ms)
    if common and alarm.opening_ms and alarm.blocks & BOTH != BOTH:
        # Told zero first: it opens when the current goes on, seen one cycle later.
        waits_ms = p.forbidden_flow_ms + p.period_ms
    return int(stale_ms + delay_ms + waits_ms + p.period_ms + p.contactor_settle_ms)


def slowest_ms(bound: Bound, p: Parameters, *, common: bool = False) -> int:
    """Give the time of the slowest alarm of a bound."""
    return max(acts_ms(BY_NAME[name], p, common=common) for name in bound.alarms)


def section() -> str:
    """Write all hazards, each with its rules, times, layers and tests."""
    p = defaults()
    return "\n\n".join(part for hazard in HAZARDS for part in _parts(hazard, p))


def _parts(hazard: Hazard, p: Parameters) -> Iterable[str]:
    yield f"### {hazard.name}"
    yield f"What it does: {hazard.harm}. Rules: {', '.join(hazard.rules)}."
    if hazard.bounds:
        heads = ("Alarms", "Act within", "With `common`", "Tolerated for", "Because")
        yield table(heads, (_bound(bound, p) for bound in hazard.bounds))
    layers = (("1. daemon", hazard.daemon), ("2. chip", hazard.chip), ("3. hardware", hazard.hardware))
    yield table(("Layer", "What it does"), layers)
    classes = ", ".join(str(number) for number in hazard.classes)
    anchor = re.sub(r"[^a-z -]", "", hazard.name.lower()).replace(" ", "-")
    yield f"[Fault classes](fault-classes.md) {classes}. [Tests](generated/tests.md#{anchor})."


def _bound(bound: Bound, p: Parameters) -> tuple[str, ...]:
    times = (slowest_ms(bound, p), slowest_ms(bound, p, common=True), bound.tolerates_ms)
    return codes(bound.alarms), *map(_seconds, times), bound.because


def _seconds(ms: int) -> str:
    return f"{ms / 1000:g} s"
