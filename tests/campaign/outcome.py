"""How a life ended, and which latches are explained by what was broken in it."""

from __future__ import annotations

from dataclasses import dataclass, field

WELDS = {"charge_weld", "discharge_weld", "main_weld", "charge_feedback_stuck", "discharge_feedback_stuck",
         "main_feedback_stuck", "charge_bounce", "discharge_bounce"}  # fmt: skip
CURRENT = {
    "current_frozen",
    "current_lost",
    "current_reversed",
    "current offset",
    "cells_frozen",
    "afe_frozen",
}
HEATER = {"heater_stuck_on", "heater_stuck_off", "heater_open", "heater_short", "sensor off", "ntc1_open",
          "ntc1_short", "ntc2_open", "ntc2_short"}  # fmt: skip
CELLS = {"cell_open_wire", "cell_wires_swapped", "cell_wire_short", "cell_frozen", "cells_frozen", "cell reads low",
         "afe_zeros", "afe_ones", "afe_torn", "noise"}  # fmt: skip
EXPLAINED = {
    "charge_contactor_welded": WELDS | CURRENT | {"afe_fets_deaf"},
    "discharge_contactor_welded": WELDS | CURRENT | {"precharge_weld", "afe_fets_deaf"},
    "main_contactor_welded": WELDS | CURRENT | {"precharge_weld"},
    "charge_contactor_open": {"charge_stuck_open", "afe_fets_deaf", *WELDS},
    "discharge_contactor_open": {"discharge_stuck_open", "afe_fets_deaf", *WELDS},
    "main_contactor_open": {"main_stuck_open", *WELDS},
    "precharge_failed": {"precharge_stuck_open", "load_left_on", "load_short"},
    "short_circuit_repeated": {"load_short"},
    "charge_trip_repeated": {"charger_runaway", "inverter_ignores_limits"} | CELLS | CURRENT,
    "discharge_trip_repeated": {"load_short", "load_left_on", "inverter_ignores_limits"} | CELLS | CURRENT,
    "current_implausible": CURRENT,
    "current_reversed": CURRENT,
    "heater_no_warming": HEATER,
    "heater_stuck_on": HEATER,
    "cell_floor": CELLS | CURRENT | {"afe_frozen"},
    "chip_fault": {"afe_zeros", "afe_ones", "afe_torn", "afe_crc"},
}
"""What a person has to look at, by the faults that may have brought it about. A latch without one is a pack that is
stuck."""


@dataclass(slots=True)
class Outcome:
    """How a life went."""

    number: int
    text: str
    broken: list[str] = field(default_factory=list)
    """What the oracle saw that must never be, each once."""
    back_s: float | None = None
    """Seconds of health until the pack was in service for good; None: it was not at the end."""
    latched: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    """What stood against it at the end."""
    faults: frozenset[str] = frozenset()
    waits_for_warmth: bool = False
    """It ended cold and empty with its heater on the pack, where no charger can feed it: docs/SAFETY.md, S15."""

    @property
    def is_latched(self) -> bool:
        """Tell whether it waits for a person, and what was broken explains that."""
        return self.back_s is None and any(EXPLAINED.get(name, set()) & self.faults for name in self.latched)

    @property
    def is_gap(self) -> bool:
        """Tell whether it is the one case that is known not to come back in the cold."""
        return self.back_s is None and self.waits_for_warmth and not self.is_latched

    @property
    def is_stuck(self) -> bool:
        return self.back_s is None and not (self.is_latched or self.waits_for_warmth)

    @property
    def is_bad(self) -> bool:
        return bool(self.broken) or self.is_stuck

    @property
    def told(self) -> str:
        """Tell what went wrong."""
        lines = [self.text, *[f"  rule broken: {one}" for one in self.broken]]
        if self.is_stuck:
            lines.append(
                f"  not back: {', '.join(self.why) or 'contactors'}; latched: {', '.join(self.latched) or 'none'}"
            )
        return "\n".join(lines)
