"""The sentences of `bmsctl why`: what stands first, and one for every reason the core can give.

Each takes what was seen, so that every value and every limit in a sentence is the present one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bmsd.core.contactors import HIGH
from bmsd.core.types import InhibitCause
from bmsd.ipc.sentences import DOING, duration_text, listed, number_text
from bmsd.tables import parameters
from bmsd.tables.rows import CELSIUS, KELVIN, VOLT, Unit

Points = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PackView:
    """What the shared files say: the snapshot, and the parameters in force where they can be read."""

    snapshot: Mapping[str, Any]
    values: Mapping[str, int]

    @property
    def points(self) -> Points:
        """Give the points by inside name."""
        points: Points = self.snapshot["points"]
        return points

    def parameter(self, name: str) -> str:
        """Write a parameter in force with its name: `3.400 V (cell_ovpr_v)`."""
        row = parameters.BY_NAME[name]
        value = self.values.get(name)
        return row.public_name if value is None else f"{number_text(row.unit, value)} ({row.public_name})"


def coldest(points: Points) -> int | None:
    """Give the coldest battery sensor; unknown while any is."""
    return min(_all_known(points.get("battery_decic")), default=None)


def warmest(points: Points) -> int | None:
    """Give the warmest battery sensor; unknown while any is."""
    return max(_all_known(points.get("battery_decic")), default=None)


def spread(points: Points) -> int | None:
    """Give how far the battery sensors are apart; unknown while any is."""
    high, low = warmest(points), coldest(points)
    return None if high is None or low is None else high - low


def _all_known(values: list[int | None] | None) -> list[int]:
    known = [value for value in values or () if value is not None]
    return known if len(known) == len(values or ()) else []


_UNKNOWN = {
    "afe": "The front-end chip is not ready",
    "cell_mv": "A cell voltage is unknown",
    "battery_decic": "A battery temperature is unknown",
    "battery_min": "A battery temperature is unknown",
    "switch_decic": "The temperature of the switch board is unknown",
    "current_ma": "The pack current is unknown",
    "stack_mv": "The stack voltage is unknown",
}


def lead(what: str, seen: PackView, reasons: int) -> str:
    """Say first how things stand."""
    if what == "heater":
        return _heater_lead(seen)
    if what == "balance":
        return _balance_lead(seen)
    return _contactor_lead(what, seen) + (f" There are {reasons} reasons." if reasons > 1 else "")


def _contactor_lead(what: str, seen: PackView) -> str:
    points, doing = seen.points, DOING[what].capitalize()
    allowed, wanted, closed = (points.get(f"{what}_{key}") for key in ("allowed", "commanded", "actual"))
    if not allowed and wanted:
        return f"{doing} is not allowed, and the inverter is told zero; the contactor is still closed."
    if not allowed and closed:
        return f"{doing} is not allowed; the {what} contactor is told to open and still reads closed."
    if not allowed:
        return f"{doing} is not allowed."
    if wanted and closed is False:
        return f"{doing} is allowed and the {what} contactor is told to close, but it still reads open."
    if wanted:
        return f"{doing} is allowed and the {what} contactor is closed."
    return f"{doing} is allowed, but the {what} contactor is not closed yet."


def _load_side_high(seen: PackView) -> str:
    pack = measured(VOLT, seen.points.get("pack_mv"))
    return (
        f"The load side stands above the pack, which is at {pack}: the contactor waits until it is as near as"
        f" {seen.parameter('precharge_permille')} asks from below. Lower the charger's voltage if it stays."
    )


def _heater_lead(seen: PackView) -> str:
    points = seen.points
    if not points.get("heater_commanded"):
        stuck = ", but its relay still reads closed" if points.get("heater_actual") else ""
        return f"The heater is off{stuck}."
    cold = measured(CELSIUS, coldest(points))
    current, power = (points.get(name) for name in ("heater_ma", "heater_mw"))
    figures = (
        "" if current is None or power is None else f" with {current / 1000:.2f} A, {power / 1000:.0f} W"
    )
    return (
        f"The heater is on{figures}: the coldest battery sensor is at {cold}. It goes off"
        f" when that reaches {seen.parameter('charge_utpr_decic')}; then charging returns."
    )


def _balance_lead(seen: PackView) -> str:
    flags = seen.points.get("balancing") or []
    cells = [str(n) for n, on in enumerate(flags, 1) if on]
    if not seen.points.get("balance_commanded"):
        return "Balancing is off."
    which = f" for cell{'s' if len(cells) > 1 else ''} {listed(cells)}" if cells else ""
    spread = measured(VOLT, seen.points.get("cell_difference_mv"))
    return (
        f"Balancing is on{which}: highest and lowest cell are {spread} apart."
        f" It ends at {seen.parameter('balance_trigger_mv')}."
    )


def measured(unit: Unit, value: int | None) -> str:
    """Write a value that may be unknown."""
    return "an unknown value" if value is None else unit.text(value)


def ampere_text(value_ma: int | None) -> str:
    """Write a current limit as people say it: 86.4 A, and no milliampere that nobody can measure."""
    return "an unknown current" if value_ma is None else f"{value_ma / 1000:.1f}".removesuffix(".0") + " A"


def plain_reason(what: str, because: str, name: str, seen: PackView) -> str:
    """Write out a reason that is no alarm."""
    if because == InhibitCause.UNKNOWN.value:
        return f"{_UNKNOWN.get(name, f'A value ({name}) is unknown')}; it must be measured again first."
    if because == InhibitCause.NOT_NEEDED.value:
        return _not_needed(what, name, seen)
    if name == HIGH:
        return _load_side_high(seen)
    write = _SENTENCES.get(because)
    return write(what, seen) if write else f"Reason: {because} {name}".rstrip() + "."


def _not_needed(what: str, name: str, seen: PackView) -> str:
    points = seen.points
    if what == "heater" and coldest(points) is None:
        return f"A battery temperature is unknown; heat begins below a measured {seen.parameter('charge_utp_decic')}."
    if what == "heater":
        return (
            f"It is not needed: the coldest battery sensor is at {measured(CELSIUS, coldest(points))},"
            f" heat begins below {seen.parameter('charge_utp_decic')}."
        )
    if name == "cell_spread":
        spread = measured(VOLT, points.get("cell_difference_mv"))
        return (
            f"It is not needed: highest and lowest cell are {spread} apart,"
            f" balancing begins above {seen.parameter('balance_trigger_mv')}."
        )
    return (
        f"The highest cell is at {measured(VOLT, points.get('cell_max_mv'))};"
        f" only cells above {seen.parameter('balance_start_mv')} are balanced."
    )


def lifted(what: str, seen: PackView) -> list[str]:
    """Name the alarms that would block it, were there no emergency override (S10)."""
    names = [
        entry["name"] for entry in seen.snapshot.get("alarms", ()) if what in (entry.get("lifted") or ())
    ]
    if not names:
        return []
    left = duration_text(seen.points.get("emergency_remaining_ms") or 0)
    return [f"An emergency override lifts {listed(names)}, for another {left}."]


def _not_asked(what: str, seen: PackView) -> str:
    if what == "heater":
        return "It waits until charging is asked for: 'bmsctl switch charge on'."
    return (
        f"Nothing closes by itself after this start (switches.close_after_restart, or a factory reset):"
        f" 'bmsctl switch {what} on' asks for it."
    )


def _by_operator(what: str, seen: PackView) -> str:
    return f"An operator switched {DOING[what]} off; 'bmsctl switch {what} on' allows it again."


def _starting(what: str, seen: PackView) -> str:
    cycles = seen.values.get("start_good_cycles", "a number of")
    return f"bmsd has just started: it waits for {cycles} complete good measurements in a row."


def _min_off(what: str, seen: PackView) -> str:
    rest = "heater_min_off_ms" if what == "heater" else "contactor_min_off_ms"
    return f"It went off a moment ago and stays off for at least {seen.parameter(rest)}."


def _over_limit(what: str, seen: PackView) -> str:
    return (
        "At the present voltage the heater would exceed its limits"
        f" of {seen.parameter('heater_max_ma')} or {seen.parameter('heater_max_mw')}:"
        " it needs more ohms (heater.resistance_ohm)."
    )


def _no_charger(what: str, seen: PackView) -> str:
    return (
        "The heater is fed by the charger, and there is none: its side would stand"
        f" {seen.parameter('charger_detect_mv')} above the pack, or it would charge, or its side would stay alive under"
        " the heater in a trial. Switch the charger on."
    )


def _low_charge(what: str, seen: PackView) -> str:
    return (
        "The heater is fed by the pack, which is empty, or whose state of charge is below"
        f" {seen.parameter('heater_min_soc_permille')}: charge the pack first. Above under-voltage it is also heated"
        f" for a charger that stood {seen.parameter('charger_detect_mv')} above the pack for 10 minutes."
    )


def _not_paid(what: str, seen: PackView) -> str:
    return (
        "The heater is fed by the pack, whose state of charge is below"
        f" {seen.parameter('heater_min_soc_permille')}, and no charger pays for it: the inverter was asked for the"
        " heater's current alone, and the pack gave it. It is tried again after a pause, which grows."
    )


def _not_proved(what: str, seen: PackView) -> str:
    return (
        "Heat waits until charge is proved cut. No auxiliary contact reads open, and the charger's side stands less"
        f" than {seen.parameter('charger_detect_mv')} apart from the pack: so it does behind a welded contactor."
        " Wire the auxiliary contact (outputs.charge_feedback)."
    )


def _sensors_apart(what: str, seen: PackView) -> str:
    return (
        f"The battery sensors disagree: they are {measured(KELVIN, spread(seen.points))} apart, the switch board is at"
        f" {measured(CELSIUS, seen.points.get('switch_decic'))}. One of them is off its place or wrong; compare them by"
        " hand."
    )


def _warm_sensor(what: str, seen: PackView) -> str:
    return (
        f"The warmest battery sensor is at {measured(CELSIUS, warmest(seen.points))}, half way or more from"
        f" {seen.parameter('charge_utpr_decic')} to {seen.parameter('charge_otpr_decic')}: a part of the pack is warm"
        " already."
    )


def _told_zero(what: str, seen: PackView) -> str:
    side = what if what in {"charge", "discharge"} else "charge"
    most, time = seen.parameter(f"forbidden_{side}_ma"), seen.parameter("forbidden_flow_ms")
    return (
        "One contactor serves both directions and stays closed for the other one, or for a heater that the charger"
        f" feeds. It opens if {DOING[side]} goes on with more than {most} for {time}."
    )


_SENTENCES: dict[str, Callable[[str, PackView], str]] = {
    InhibitCause.OPERATOR.value: _by_operator,
    InhibitCause.NOT_ASKED.value: _not_asked,
    InhibitCause.LAST_LIMIT.value: lambda _, s: (
        "The emergency override does not lift this: a cell, a battery sensor or the switch board is beyond a limit that"
        " nothing lifts."
    ),
    InhibitCause.SPENT.value: lambda _, s: (
        "The emergency override no longer lifts this: a cell, a battery sensor or the switch board passed a limit that"
        " nothing lifts. 'bmsctl emergency on' asks for it again."
    ),
    InhibitCause.STARTING.value: _starting,
    InhibitCause.MIN_OFF.value: _min_off,
    InhibitCause.OVER_LIMIT.value: _over_limit,
    InhibitCause.NO_CHARGER.value: _no_charger,
    InhibitCause.HEATER_FIRST.value: lambda _, s: (
        "The heater is still on: heat ends first, then charging returns."
    ),
    InhibitCause.CHARGE_FIRST.value: lambda _, s: "The charge contactor must open first, then heat begins.",
    InhibitCause.CHARGE_FLOWS.value: lambda _, s: (
        f"A charge current of more than {s.parameter('forbidden_charge_ma')} flows, or it is not known whether one"
        " does: charge must be cut first, then heat begins."
    ),
    InhibitCause.NOT_PROVED_CUT.value: _not_proved,
    InhibitCause.NOT_PAID.value: _not_paid,
    InhibitCause.LOAD_UNKNOWN.value: lambda _, s: (
        "The heater is fed by the pack, and a charger has to pay for it. Whether it does is judged by the pack's"
        " current, so what the load alone takes is measured first, for half a minute after the contactor has closed."
    ),
    InhibitCause.SENSORS_APART.value: _sensors_apart,
    InhibitCause.WARM_SENSOR.value: _warm_sensor,
    InhibitCause.OPERATIONS.value: lambda _, s: (
        f"The contactor has closed {s.parameter('contactor_operations_per_hour')} times within an hour; it waits"
        " for the hour to pass. Look for what makes it switch that often in 'bmsctl events'."
    ),
    InhibitCause.PRECHARGE.value: lambda _, s: (
        f"The load side is being charged through the resistor; it must reach {s.parameter('precharge_permille')}"
        " of the pack voltage, or the attempt is given up and repeated after a rest."
    ),
    InhibitCause.LOW_CURRENT.value: lambda _, s: (
        f"The contactor opens when less than {s.parameter('opening_current_ma')} flows, and at the latest when its"
        " time is over: contacts last longer when the inverter has taken its current back."
    ),
    InhibitCause.TOLD_ZERO.value: _told_zero,
    InhibitCause.OTHER_DIRECTION.value: lambda what, s: (
        "One contactor serves both directions, and it has to be open because of the other one:"
        f" 'bmsctl why {'discharge' if what == 'charge' else 'charge'}' tells the reason."
    ),
    InhibitCause.NOT_FITTED.value: lambda _, s: "No heater is configured: the section [heater] is missing.",
    InhibitCause.LOW_CHARGE.value: _low_charge,
    InhibitCause.ASLEEP.value: lambda what, _: (
        f"The pack sleeps, and sleep keeps the {what} contactor open (sleep_contactors = 1). A charger that stands"
        " above the pack wakes it, or 'bmsctl wake'."
    ),
    InhibitCause.NO_SUPPLY.value: lambda _, s: "The voltage that would feed the heater is unknown.",
}
