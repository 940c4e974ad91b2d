"""Alarm causes that are no plain comparison: lost values, the chip's state, outputs that do not follow.

Each check says bad, good, or unknown; a finding that is missing means good.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter

from bmsd.core import contactors, trips
from bmsd.core.alarms import AlarmState, Finding, is_active
from bmsd.core.contactors import PrechargeState
from bmsd.core.diode import Diodes
from bmsd.core.heater_watch import Verdict
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings
from bmsd.core.switching import SwitchState
from bmsd.core.types import AfeReport, AfeState, ChipFault, Commands, Inputs, Levels
from bmsd.tables.alarms import BOTH, Block

BOTH_TRIPS = ChipFault.BOARD_TEMPERATURE | ChipFault.HOST_WATCHDOG
CHARGE_TRIPS = (
    ChipFault.CELL_OVER_VOLTAGE | ChipFault.CHARGE_OVER_CURRENT | ChipFault.CHARGE_TEMPERATURE | BOTH_TRIPS
)
DISCHARGE_TRIPS = (
    ChipFault.CELL_UNDER_VOLTAGE
    | ChipFault.DISCHARGE_OVER_CURRENT
    | ChipFault.DISCHARGE_TEMPERATURE
    | BOTH_TRIPS
)
OWN_FAULTS = ChipFault.PERMANENT_FAILURE | ChipFault.OTHER

_TOLD_OF_FETS_BY_A_POLL = (
    "output_fault",
    "charge_contactor_welded",
    "discharge_contactor_welded",
    "discharge_contactor_open",
)

BAD = Finding(True)
NOT_SEEN = Finding(None)
"""The cause can neither be seen nor excluded: nothing starts, and nothing is released (S2)."""


def unknown_values(settings: Settings, values: Values) -> list[str]:
    """Name every value that charging and discharging depend on and that is unknown (S1, S2)."""
    names = []
    if not values.cell_max.complete or len(values.cell_mv) != settings.cells:
        names.append("cell_mv")
    if not values.battery_min.complete or len(values.battery_decic) != settings.battery_sensors:
        names.append("battery_decic")
    if settings.switch_sensor and values.switch_decic.value is None:
        names.append("switch_decic")
    if values.current_ma is None:
        names.append("current_ma")
    if values.stack_mv is None:
        names.append("stack_mv")
    return names


_LOST = {
    "cell_mv": "cell_lost",
    "battery_decic": "temperature_lost",
    "switch_decic": "switch_temperature_lost",
    "current_ma": "current_lost",
    "stack_mv": "stack_lost",
}


def lost_values(settings: Settings, values: Values) -> dict[str, Finding]:
    """Turn every unknown value into its alarm's cause, with the place of the first one that is missing."""
    found: dict[str, Finding] = {}
    if values.frozen:
        found["cell_frozen"] = Finding(True, None, values.frozen[0])
    groups = {"cell_mv": values.cell_mv, "battery_decic": values.battery_decic}
    for name in unknown_values(settings, values):
        found[_LOST[name]] = Finding(True, None, _first_unknown(groups.get(name, ())))
    return found


def _first_unknown(values: tuple[int | None, ...]) -> int | None:
    return values.index(None) + 1 if None in values else None


_TOLD_BY_A_POLL = (
    "afe_reset",
    "afe_refused",
    "short_circuit",
    "chip_charge_trip",
    "chip_discharge_trip",
    "chip_fault",
)


def chip(report: AfeReport, resets_before: int, explained: ChipFault = ChipFault.NONE) -> dict[str, Finding]:
    """Turn the front end's state and its own trips into alarm causes (S6), except trips that say nothing new."""
    found: dict[str, Finding] = {}
    if report.state is not AfeState.READY or report.measurement is None:
        found = dict.fromkeys(_TOLD_BY_A_POLL, NOT_SEEN)
        if not _is_watched(report):
            found["afe_lost"] = BAD
    if report.state is AfeState.REFUSED:
        found["afe_refused"] = BAD
    if report.resets > resets_before or (report.state is AfeState.CONFIGURING and report.resets):
        found["afe_reset"] = BAD
    if report.state is not AfeState.READY or report.measurement is None or not report.measurement.faults:
        return found
    faults = report.measurement.faults & ~explained
    if faults & ChipFault.SHORT_CIRCUIT:
        found["short_circuit"] = BAD
    if faults & CHARGE_TRIPS:
        found["chip_charge_trip"] = BAD
    if faults & DISCHARGE_TRIPS:
        found["chip_discharge_trip"] = BAD
    if faults & OWN_FAULTS:
        found["chip_fault"] = BAD
    return found


def not_set(report: AfeReport, was_told: bool) -> dict[str, Finding]:
    """Report a chip that measures but may not be set up; one that does not answer does not clear that (S2)."""
    if _is_watched(report):
        return {"afe_not_set": BAD}
    is_set = report.state is AfeState.READY and report.measurement is not None
    return {"afe_not_set": NOT_SEEN} if was_told and not is_set else {}


def _is_watched(report: AfeReport) -> bool:
    return report.state is AfeState.WATCHING and report.measurement is not None


def outputs(
    settings: Settings,
    inputs: Inputs,
    commands: Commands,
    charge: SwitchState,
    discharge: SwitchState,
    precharge: PrechargeState,
    main: SwitchState,
    resets_before: int,
) -> dict[str, Finding]:
    """Compare the commands with what lines and auxiliary contacts read; `fets` does it for the chip's own FETs."""
    found: dict[str, Finding] = {}
    if _differs(settings.wired, commands, inputs.lines):
        found["output_fault"] = BAD
    settle_ms = settings.parameters.contactor_settle_ms
    states = {"charge": charge, "discharge": discharge, "main": main}
    for name in () if settings.own_fets else settings.contactors:
        state, level = states[name], getattr(inputs.feedback, name)
        if level is None and name in settings.contacts:
            found |= {f"{name}_contactor_open": NOT_SEEN, f"{name}_contactor_welded": NOT_SEEN}
            found["contact_lost"] = BAD
        if level is None or level == state.on:
            continue
        decided = state.changed_ms is None or inputs.now_ms - state.changed_ms >= settle_ms
        if decided and inputs.contacts_after_ms >= settle_ms:
            excused = state.on and _chip_may_hold(settings, inputs.afe, resets_before, name)
            found[f"{name}_contactor_{'open' if state.on else 'welded'}"] = NOT_SEEN if excused else BAD
    if precharge.tries >= settings.parameters.precharge_tries:
        found["precharge_failed"] = BAD
    return found


def _chip_may_hold(settings: Settings, report: AfeReport, resets_before: int, name: str) -> bool:
    """Tell whether a contactor may be open because the chip withdrew its permit, which is no fault of the coil.

    A chip that trips or resets between two polls opens it before the daemon knows.
    """
    measured = report.measurement
    if report.state is not AfeState.READY or measured is None or report.resets > resets_before:
        return True
    return bool(trips.holds(settings, measured.faults) & _DIRECTIONS[name])


_DIRECTIONS = {"charge": Block.CHARGE, "discharge": Block.DISCHARGE, "main": BOTH}


def fets(
    settings: Settings,
    inputs: Inputs,
    charge: SwitchState,
    discharge: SwitchState,
    diodes: Diodes,
    explained: ChipFault = ChipFault.NONE,
) -> dict[str, Finding]:
    """Compare what the chip's own FETs were told with what its status register reads, once they had time to follow.

    A FET that a trip of the chip holds off is no output fault; an explained trip excuses none that is told to be on.
    """
    if not settings.own_fets:
        return {}
    measured = inputs.afe.measurement
    if measured is None:
        return dict.fromkeys(_TOLD_OF_FETS_BY_A_POLL, NOT_SEEN)
    settle_ms = max(settings.parameters.contactor_settle_ms, settings.fet_follows_ms)
    for level, switch, diode in (
        (measured.charge_fet, charge, diodes.charge),
        (measured.discharge_fet, discharge, diodes.discharge),
    ):
        changes_ms = [at_ms for at_ms in (switch.changed_ms, diode.changed_ms) if at_ms is not None]
        if any(inputs.now_ms - at_ms < settle_ms for at_ms in changes_ms):
            continue
        if level is None or (level and not (switch.on or diode.spared)):
            return {"output_fault": BAD}
        if switch.on and not level and not measured.faults & ~explained:
            return {"output_fault": BAD}
    return {}


def _differs(wired: frozenset[str], commands: Commands, lines: Levels) -> bool:
    """Tell whether any wired line reads other than commanded; an unreadable one counts as different (S2)."""
    of_wired = _reader(wired)
    return of_wired(lines) != of_wired(commands)


@lru_cache(maxsize=4)
def _reader(names: frozenset[str]) -> Callable[[Levels | Commands], object]:
    """Make what reads these levels at once: every cycle compares the same ones."""
    return attrgetter(*names) if names else bool  # of nothing both read alike


def load_side(settings: Settings, precharge: PrechargeState, values: Values) -> dict[str, Finding]:
    """Report a source that holds the load side so far above the pack that no contactor closes onto it."""
    if not contactors.stands_too_far(settings.parameters, precharge):
        return {}
    return {"load_side_high": Finding(True, values.load_mv)}


def override(in_force: bool) -> dict[str, Finding]:
    """Announce an emergency override as an alarm of its own (S10)."""
    return {"emergency_override": BAD} if in_force else {}


def doubt(settings: Settings, states: tuple[AlarmState, ...], values: Values) -> dict[str, Finding]:
    """Compare the sum of the cells with the stack, and the worst that a cell may be with the limits of cells (S2)."""
    p, off = settings.parameters, values.doubt
    if off.value is None:
        return dict.fromkeys(_OF_DOUBT, NOT_SEEN)
    if off.value <= p.stack_error_mv:
        return {}
    found = {"stack_doubtful": Finding(True, off.value)}
    high, low = values.highest_possible, values.lowest_possible
    most = p.cell_ovpr_mv if is_active(states, "cell_may_be_high") else p.cell_ovp_mv
    least = p.cell_uvpr_mv if is_active(states, "cell_may_be_low") else p.cell_uvp_mv
    if high.value is not None and high.value > most:
        found["cell_may_be_high"] = Finding(True, high.value, high.where)
    if low.value is not None and low.value < least:
        found["cell_may_be_low"] = Finding(True, low.value, low.where)
    return found


_OF_DOUBT = ("stack_doubtful", "cell_may_be_high", "cell_may_be_low")


def guard(listens: bool | None) -> dict[str, Finding]:
    """Report that the process that switches off when this one dies is gone (S5); None: it is starting."""
    return {} if listens else {"guard_lost": NOT_SEEN if listens is None else BAD}


def heater(verdict: Verdict, over_limit: bool) -> dict[str, Finding]:
    """Turn the watcher's verdict and the present limit check into alarm causes (S4)."""
    found: dict[str, Finding] = {}
    if verdict.current_unknown:
        found = {"heater_over_limit": NOT_SEEN, "heater_stuck_on": NOT_SEEN}
    if verdict.over_current or over_limit:
        found["heater_over_limit"] = BAD
    if verdict.no_warming:
        found["heater_no_warming"] = BAD
    if verdict.stuck_on:
        found["heater_stuck_on"] = BAD
    if verdict.long_run:
        found["heater_long_run"] = BAD
    return found
