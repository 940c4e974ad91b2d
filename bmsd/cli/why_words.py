"""The sentences of `bmsctl why`: what stands first, and one for every reason the core can give.

Each takes what was seen, so that every value and every limit in a sentence is the present one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bmsd.core.types import Because
from bmsd.tables import parameters
from bmsd.tables.rows import CELSIUS, VOLT, Unit
from bmsd.texts import DOING, duration_text, listed, number_text

Points = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
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


def lead(what: str, seen: Seen, reasons: int) -> str:
    """Say first how things stand."""
    if what == "heater":
        return _heater_lead(seen)
    if what == "balance":
        return _balance_lead(seen)
    return _contactor_lead(what, seen) + (f" There are {reasons} reasons." if reasons > 1 else "")


def _contactor_lead(what: str, seen: Seen) -> str:
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


def _heater_lead(seen: Seen) -> str:
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


def _balance_lead(seen: Seen) -> str:
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


def plain_reason(what: str, because: str, name: str, seen: Seen) -> str:
    """Write out a reason that is no alarm."""
    if because == Because.UNKNOWN.value:
        return f"{_UNKNOWN.get(name, f'A value ({name}) is unknown')}; it must be measured again first."
    if because == Because.NOT_NEEDED.value:
        return _not_needed(what, name, seen)
    write = _SENTENCES.get(because)
    return write(what, seen) if write else f"Reason: {because} {name}".rstrip() + "."


def _not_needed(what: str, name: str, seen: Seen) -> str:
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


def lifted(what: str, seen: Seen) -> list[str]:
    """Name the alarms that would block it, were there no emergency override (S10)."""
    names = [
        entry["name"] for entry in seen.snapshot.get("alarms", ()) if what in (entry.get("lifted") or ())
    ]
    if not names:
        return []
    left = duration_text(seen.points.get("emergency_remaining_ms") or 0)
    return [f"An emergency override lifts {listed(names)}, for another {left}."]


def _not_asked(what: str, seen: Seen) -> str:
    if what == "heater":
        return "It waits until charging is asked for: 'bmsctl switch charge on'."
    return (
        f"Nothing closes by itself after this start (switches.close_after_restart, or a factory reset):"
        f" 'bmsctl switch {what} on' asks for it."
    )


def _by_operator(what: str, seen: Seen) -> str:
    return f"An operator switched {DOING[what]} off; 'bmsctl switch {what} on' allows it again."


def _starting(what: str, seen: Seen) -> str:
    cycles = seen.values.get("start_good_cycles", "a number of")
    return f"bmsd has just started: it waits for {cycles} complete good measurements in a row."


def _min_off(what: str, seen: Seen) -> str:
    rest = "heater_min_off_ms" if what == "heater" else "contactor_min_off_ms"
    return f"It went off a moment ago and stays off for at least {seen.parameter(rest)}."


def _over_limit(what: str, seen: Seen) -> str:
    return (
        "At the present voltage the heater would exceed its limits"
        f" of {seen.parameter('heater_max_ma')} or {seen.parameter('heater_max_mw')}:"
        " it needs more ohms (heater.resistance_ohm)."
    )


def _no_charger(what: str, seen: Seen) -> str:
    return (
        "The heater is fed by the charger, and there is none: its side would stand"
        f" {seen.parameter('charger_detect_mv')} above the pack, or it would charge. Switch the charger on."
    )


def _told_zero(what: str, seen: Seen) -> str:
    side = what if what in {"charge", "discharge"} else "charge"
    return (
        f"One contactor serves both directions and stays closed for the other one. It opens if {DOING[side]} goes on"
        f" with more than {seen.parameter(f'forbidden_{side}_ma')} for {seen.parameter('forbidden_flow_ms')}."
    )


_SENTENCES: dict[str, Callable[[str, Seen], str]] = {
    Because.OPERATOR.value: _by_operator,
    Because.NOT_ASKED.value: _not_asked,
    Because.LAST_LIMIT.value: lambda _, s: (
        "The emergency override does not lift this: a cell, a battery sensor or the switch board is beyond a limit that"
        " nothing lifts."
    ),
    Because.SPENT.value: lambda _, s: (
        "The emergency override no longer lifts this: a cell, a battery sensor or the switch board passed a limit that"
        " nothing lifts. 'bmsctl emergency on' asks for it anew."
    ),
    Because.STARTING.value: _starting,
    Because.MIN_OFF.value: _min_off,
    Because.OVER_LIMIT.value: _over_limit,
    Because.NO_CHARGER.value: _no_charger,
    Because.HEATER_FIRST.value: lambda _, s: (
        "The heater is still on: heat ends first, then charging returns."
    ),
    Because.CHARGE_FIRST.value: lambda _, s: "The charge contactor must open first, then heat begins.",
    Because.OPERATIONS.value: lambda _, s: (
        f"The contactor has closed {s.parameter('contactor_operations_per_hour')} times within an hour; it waits"
        " for the hour to pass. Look for what makes it switch that often in 'bmsctl events'."
    ),
    Because.PRECHARGE.value: lambda _, s: (
        f"The load side is being charged through the resistor; it must reach {s.parameter('precharge_permille')}"
        " of the pack voltage, or the attempt is given up and repeated after a rest."
    ),
    Because.LOW_CURRENT.value: lambda _, s: (
        f"The contactor opens when less than {s.parameter('opening_current_ma')} flows, and at the latest when its"
        " time is over: contacts last longer when the inverter has taken its current back."
    ),
    Because.TOLD_ZERO.value: _told_zero,
    Because.OTHER_DIRECTION.value: lambda what, s: (
        "One contactor serves both directions, and it has to be open because of the other one:"
        f" 'bmsctl why {'discharge' if what == 'charge' else 'charge'}' tells the reason."
    ),
    Because.NOT_FITTED.value: lambda _, s: "No heater is configured: the section [heater] is missing.",
    Because.LOW_CHARGE.value: lambda _, s: (
        "The heater is fed by the pack, and its state of charge is below"
        f" {s.parameter('heater_min_soc_permille')}: charge the pack first."
    ),
    Because.ASLEEP.value: lambda what, _: (
        f"The pack sleeps, and sleep keeps the {what} contactor open (sleep_contactors = 1). A charger that stands"
        " above the pack wakes it, or 'bmsctl wake'."
    ),
    Because.NO_SUPPLY.value: lambda _, s: "The voltage that would feed the heater is unknown.",
}
