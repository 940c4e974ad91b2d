"""The reduced packs that are explored, one per group of rules, each in a small and a big size.

All parameters are inside their allowed ranges and pass the checks of a real configuration. Cell limits stand 5 to 20 mV
apart and readings within 0.1 V, so that no reading counts as frozen and no jump of the voltage as a broken shunt.
"""

from __future__ import annotations

from typing import Any

from bmsd.core.types import AfeState, ChipFault, Request
from bmsd.tables.alarms import ALARMS, Release
from tests.properties.explore import FOLLOW, NONE, Model, Say, every
from tests.properties.folding import Frame
from tests.properties.ledger import lines
from tests.support.bench_inputs import make_settings

TICK_MS = 500
FLOOR, SHUT, LOW, AT_UVP, GOOD, AT_OVP, HIGH = 2965, 2975, 2985, 2990, 3010, 3040, 3045
"""Below floor, shutdown and under-voltage; exactly at the limits; good; above over-voltage."""
NEAR_ABOVE, FAR_ABOVE = 6622, 7300
"""A load side 10 and 21 % above two good cells: a contactor may close onto a source up to a fifth above."""
NARROW = {
    "cell_floor_mv": 2970, "cell_shutdown_mv": 2980, "soc_empty_mv": 2980, "cell_uvp_mv": 2990,
    "cell_discharge_mv": 2995, "cell_uvpr_mv": 3000, "cell_ovpr_mv": 3020, "cell_ovp_mv": 3040,
    "soc_full_mv": 3025, "cell_charge_mv": 3030, "cell_low_margin_mv": 0, "cell_frozen_move_mv": 200,
    "physics_step_mv": 100, "stack_mismatch_mv": 400, "cell_spread_mv": 2000, "cell_spread_release_mv": 1990,
    "temperature_spread_decik": 500, "temperature_spread_release_decik": 490,
    "pack_uvp_mv": 5965, "pack_uvpr_mv": 5980, "pack_ovpr_mv": 6070, "pack_ovp_mv": 6085,
}  # fmt: skip
"""For two cells; pack limits lie where two cells together reach them."""
BRISK = {
    "cell_ovp_delay_ms": 500, "cell_uvp_delay_ms": 1000, "cell_shutdown_delay_ms": 500, "pack_voltage_delay_ms": 1000,
    "temperature_delay_ms": 500, "value_max_age_ms": 500, "unknown_grace_ms": 1000, "recovery_ms": 1000,
    "contactor_min_off_ms": 1000, "contactor_operations_per_hour": 600, "contactor_settle_ms": 500,
    "precharge_timeout_ms": 500, "precharge_rest_ms": 1000, "precharge_tries": 2, "opening_wait_ms": 1000,
    "start_good_cycles": 2, "limit_ignored_delay_ms": 1000, "limit_enforce_release_ms": 2000,
    "charge_ocp_delay_ms": 2000, "charge_ocp_release_ms": 2000, "charge_ocp2_delay_ms": 500,
    "discharge_ocp_delay_ms": 2000, "discharge_ocp_release_ms": 2000, "discharge_ocp2_delay_ms": 500,
    "short_circuit_release_ms": 2000, "heater_min_off_ms": 1000, "contact_proof_ms": 1000, "weld_current_ma": 50_000,
    "short_circuit_releases_per_hour": 20, "over_current_releases_per_hour": 0,
    "shutdown_after_ms": 86_400_000, "limit_hold_ms": 0,
    "limit_rise_permille": 10_000,
}  # fmt: skip
WIRED = frozenset({"charge", "discharge", "precharge", "heater"})
RESETS = tuple(Request("reset", alarm.name) for alarm in ALARMS if alarm.ends is Release.OPERATOR)
SHUTDOWN_NEVER = frozenset({"auto_shutdown"})


def frame(chosen: dict[str, int] | None = None, **more: Any) -> Frame:
    """Make a frame of narrow, brisk settings with some chosen otherwise."""
    folding = {
        name: more.pop(name)
        for name in ("tick_ms", "sleeps", "counts_hour", "counts_heating", "endless")
        if name in more
    }
    given: dict[str, Any] = {
        "capacity_mah": 10**9,
        "balancing": False,
        "precharge": False,
        "heater_mohm": None,
    }
    given |= {"wired": WIRED, "limits_told": False}
    made = make_settings(cells=2, chosen={**NARROW, **BRISK, **(chosen or {})}, **{**given, **more})
    return Frame(made, lines(made), **{"endless": SHUTDOWN_NEVER, **folding})


def cells(*levels: int | None) -> tuple[tuple[int | None, int | None], ...]:
    """Combine levels for the two cells."""
    return tuple((one, other) for one in levels for other in levels)


def models(big: bool) -> list[Model]:
    """Give every model in one size."""
    makers = (
        over_voltage, under_voltage, current, cold, cold_lies, heater_runs, contacts, load_side, chip, hour, reserve,
        override, together,
    )  # fmt: skip
    return [make(big) for make in makers]


def over_voltage(big: bool) -> Model:
    """Explore cells up to and beyond over-voltage, each of them lost, with and without current."""
    what = "cells good, at and above over-voltage, lost; current or none; no poll"
    if big:
        says = every(cells=cells(GOOD, AT_OVP, HIGH, None), current_ma=(0, 6000)) + every(polled=(False,))
    else:
        pairs = ((GOOD, GOOD), (AT_OVP, HIGH), (HIGH, None))
        says = every(cells=pairs, current_ma=(0, 6000)) + every(polled=(False,))
    return Model("over-voltage", what, "S1 S2 S12 S13", frame(), Say(requests=RESETS), says)


def under_voltage(big: bool) -> Model:
    """Explore cells down to and below their floor, each of them lost."""
    what = "cells good, at and below under-voltage, below shutdown and floor, lost; no poll; resets"
    if big:
        pairs = cells(FLOOR, SHUT, LOW, AT_UVP, GOOD, None)
    else:
        pairs = ((GOOD, GOOD), (AT_UVP, GOOD), (LOW, GOOD), (SHUT, LOW), (FLOOR, GOOD), (LOW, None))
    says = (
        every(cells=pairs)
        + every(polled=(False,))
        + every(cells=((LOW, None), (FLOOR, GOOD)), requests=(RESETS,))
    )
    return Model("under-voltage", what, "S1 S2 S12 S13", frame(), Say(requests=RESETS), says)


def current(big: bool) -> Model:
    """Explore currents of every size in both directions, past open contactors too; cycles may be late."""
    what = "currents up to the second level, both ways, little and unknown; no poll; a late cycle"
    slow = {
        "value_max_age_ms": 1000,
        "contactor_min_off_ms": 2000,
        "unknown_grace_ms": 1000,
        "opening_wait_ms": 2000,
    }
    amounts = (0, 1000, 6000, 101_000, 151_000, -6000, -151_000, -226_000, None)
    times = (1000, 2000)
    if not big:
        amounts, times = (0, 151_000, -226_000, None), (1000,)
    says = every(Say(1000), current_ma=amounts, after_ms=times) + every(Say(1000), polled=(False,))
    return Model("current", what, "S1 S2 S12", frame(slow, tick_ms=1000), Say(1000, requests=RESETS), says)


def cold(big: bool) -> Model:
    """Explore the order of cold: charge open, heat, heat off, charge; with lost sensors and every charger."""
    what = "warm, at both limits, cold, lost sensors; chargers absent, present, too strong; current or none"
    degrees: tuple[Any, ...] = ((250, 250), (-10, 250), (49, 50), (50, 50), (None, -10))
    if big:
        degrees += ((-10, -10), (0, 0), (551, 250), (-10, None))
    base = Say(battery=(-10, 250), charger_mv=9000)
    says = every(base, battery=degrees) + every(base, charger_mv=(18_001, None), current_ma=(0,))
    says += every(base, current_ma=(6000,))
    if big:
        says += every(base, battery=degrees, charger_mv=(9000, 18_000, None), current_ma=(0, 6000))
    return Model(
        "cold", what, "S1 S2 S3 S4", frame(heater_mohm=6000), Say(charger_mv=9000, requests=RESETS), says
    )


def cold_lies(big: bool) -> Model:
    """Explore the same order with a charge contactor, a heater line or a heater current that lies."""
    what = "cold and warm; a charge contact, a heater line and a measured heater current that lie or are lost"
    degrees = ((-10, 250), (50, 50)) if not big else ((250, 250), (-10, 250), (49, 50), (50, 50))
    base = Say(battery=(-10, 250), charger_mv=9000)
    says = every(base, battery=degrees, charge_contact=(FOLLOW, True))
    says += every(base, heater_line=(True,)) + every(base, charge_contact=(None,))
    if big:
        says += every(base, battery=degrees, heater_line=(True, None)) + every(base, heater_ma=(0, 201, 3001))
        says += every(base, charge_line=(True,))
    mend = Say(charger_mv=9000, requests=RESETS, heater_ma=0 if big else None)
    return Model("cold-lies", what, "S2 S3 S4", frame(heater_mohm=6000), mend, says)


def heater_runs(big: bool) -> Model:
    """Explore long heating, in steps of a minute: the watcher, the longest run, the rest."""
    what = "minutes of heating: warming, not warming, longest run and rest, current measured, stuck on, lost"
    slow = {
        "heater_max_run_ms": 300_000, "heater_watch_ms": 300_000, "heater_rest_ms": 120_000 if big else 60_000,
        "heater_min_off_ms": 120_000, "recovery_ms": 60_000, "contactor_min_off_ms": 60_000,
    }  # fmt: skip
    base = Say(60_000, charger_mv=9000)
    degrees: tuple[Any, ...] = ((-10, -10), (-5, -5), (50, 50), (-10, None))
    measured: tuple[int | None, ...] = (0, 3001)
    if big:
        degrees += ((-5, -10), (0, 0), (49, 49), (250, 250))
        measured += (201, None)
    says = every(base, battery=degrees) + every(base, battery=((-10, -10),), heater_ma=measured)
    says += every(base, polled=(False,))
    if big:
        says += every(base, battery=((-10, -10),), charger_mv=(0,))
    made = frame(slow, heater_mohm=6000, counts_heating=True, tick_ms=60_000)
    return Model("heater-runs", what, "S3 S4", made, base._replace(requests=RESETS, heater_ma=0), says)


def contacts(big: bool) -> Model:
    """Explore contacts, lines and the load side that do not follow, with a pre-charge."""
    what = "auxiliary contacts and lines that follow, stick or are lost; a load side that comes up, stays down, is lost"
    says = every(charge_contact=(True, False)) + every(discharge_contact=(True, None)) + every(load=(0,))
    says += every(cells=((HIGH, GOOD), (LOW, GOOD))) + every(charge_line=(True,))
    if big:
        says += (
            every(charge_contact=(None,))
            + every(discharge_contact=(False,))
            + every(charge_line=(False, None))
            + every(discharge_line=(True, None))
        )
        says += every(load=(None,)) + every(charge_contact=(True, False), current_ma=(6000, -6000))
    return Model("contacts", what, "S1 S2 S12", frame(precharge=True), Say(requests=RESETS), says)


def load_side(big: bool) -> Model:
    """Explore a load side that stands anywhere: empty, on its way, above the pack by little and by far, unknown."""
    what = "a load side that comes up, stays down, half way, above the pack by little or by far, or is lost; no poll"
    levels: tuple[int | None, ...] = (0, 3000, NEAR_ABOVE, FAR_ABOVE, None)
    says = every(load=levels) + every(polled=(False,))
    if big:
        says += every(cells=((HIGH, GOOD), (LOW, GOOD)), load=(FOLLOW, NEAR_ABOVE)) + every(
            discharge_contact=(False,)
        )
    made = frame({"precharge_timeout_ms": 1000}, precharge=True)
    return Model("load-side", what, "S1 S2 S12 S13", made, Say(requests=RESETS), says)


def chip(big: bool) -> Model:
    """Explore the front end in every state, with resets and its own trips."""
    what = "the chip ready, absent, being programmed, refused; reset; its own trips; with and without a poll"
    trips = (ChipFault.SHORT_CIRCUIT, ChipFault.PERMANENT_FAILURE)
    lost = Say(polled=False)
    says = (
        every(faults=trips) + every(lost, afe=(AfeState.READY, AfeState.REFUSED)) + every(chip_reset=(True,))
    )
    says += every(lost, afe=(AfeState.CONFIGURING,), chip_reset=(False, True))
    if big:
        says += every(faults=(ChipFault.CELL_OVER_VOLTAGE, ChipFault.HOST_WATCHDOG)) + every(
            afe=tuple(AfeState)
        )
        says += every(lost, afe=(AfeState.ABSENT,))
    return Model("chip", what, "S1 S2", frame(), Say(requests=RESETS), says)


def hour(big: bool) -> Model:
    """Explore an hour of switching in steps of ten (big: five) minutes: rests, operations, shorts that come back."""
    what = "an operator who switches both directions, short circuits, steps of minutes"
    slow = {
        "contactor_operations_per_hour": 2, "contactor_min_off_ms": 600_000, "short_circuit_releases_per_hour": 1,
        "precharge_tries": 1,
    }  # fmt: skip
    base = Say(300_000 if big else 600_000)
    switched = tuple(_switched(name, on) for name in ("charge", "discharge") for on in (True, False))
    says = every(base, requests=((), *switched)) + every(base, faults=(ChipFault.SHORT_CIRCUIT,))
    made = frame(slow, counts_hour=True, precharge=big, tick_ms=base.after_ms)
    willing = (*RESETS, *_switched("charge", True), *_switched("discharge", True))
    return Model("hour", what, "S12 S13 S14", made, base._replace(requests=willing), says)


def _switched(name: str, on: bool) -> tuple[Request, ...]:
    return (Request("switch", name, on),)


def reserve(big: bool) -> Model:
    """Explore the lower end, in steps of 100 s: shutdown, sleep with open contactors, chargers that wake."""
    what = "cells below shutdown, low, good; charge arrives or not; a charger, a request; no poll"
    slow = {"shutdown_after_ms": 200_000, "sleep_contactors": 1, "contactor_min_off_ms": 100_000}
    slow |= {"recovery_ms": 100_000}
    base = Say(100_000)
    pairs = ((SHUT, GOOD), (LOW, LOW), (GOOD, GOOD))
    says = every(base, cells=pairs, current_ma=(0, 6000), charger_mv=(0, 9000))
    says += every(base, cells=((SHUT, GOOD),), requests=((Request("wake", "pack"),),)) + every(
        base, polled=(False,)
    )
    if big:
        says += every(
            base, cells=((SHUT, None), (FLOOR, GOOD)), current_ma=(0, None), charger_mv=(0, 9000, None)
        )
    made = frame(slow, sleeps=True, endless=frozenset(), tick_ms=100_000)
    return Model("reserve", what, "S1 S2 S12", made, base._replace(requests=RESETS, charger_mv=9000), says)


def override(big: bool) -> Model:
    """Explore the override, in steps of ten (big: five) minutes: what it lifts and what it never lifts."""
    what = "an override asked for and ended; cells below, above, beyond its last limits; cold; hot switch; short; lost"
    base = Say(300_000 if big else 600_000)
    slow = {"contactor_min_off_ms": base.after_ms, "emergency_over_mv": 2, "recovery_ms": base.after_ms}
    pairs = ((GOOD, GOOD), (LOW, GOOD), (FLOOR, GOOD), (3042, GOOD))
    if big:
        pairs += ((HIGH, GOOD), (SHUT, GOOD), (3041, LOW), (3041, None), (LOW, None), (None, None))
    on, off = (Request("emergency", "override", True),), (Request("emergency", "override", False),)
    says = every(base, cells=pairs, requests=((), on)) + every(base, requests=(off,))
    says += (
        every(base, battery=((-10, 250),))
        + every(base, cells=((HIGH, GOOD),))
        + every(base, switch_decic=(751,))
    )
    says += every(base, faults=(ChipFault.SHORT_CIRCUIT,))
    if big:
        says += every(base, battery=((250, None),)) + every(base, polled=(False,))
    made = frame(slow, precharge=big, tick_ms=base.after_ms)
    return Model("override", what, "S1 S2 S10", made, base._replace(requests=RESETS), says)


def together(big: bool) -> Model:
    """Explore everything at once, from a running pack, for a few cycles."""
    what = "cells, current, temperatures, contacts, chip and poll in every combination, from a running pack"
    says = every(
        cells=((GOOD, GOOD), (HIGH, GOOD), (LOW, None)), current_ma=(0, 6000, None),
        battery=((250, 250), (-10, 250), (None, 250)), charge_contact=(FOLLOW, True),
        faults=(NONE, ChipFault.SHORT_CIRCUIT), polled=(True, False) if big else (True,),
    )  # fmt: skip
    made = frame(heater_mohm=6000, precharge=True)
    mend = Say(charger_mv=9000, requests=RESETS)
    return Model("together", what, "S1 S2 S3 S4 S12", made, mend, says, 3 if big else 2, (mend,) * 8)
