"""The front-end chips bmsd knows: a chip is one driver file and one row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

from bmsd.afe.bq769x2 import BQ76942, BQ76952, BQ769142, Bq769x2
from bmsd.afe.bq769x2_fets import switch_off
from bmsd.afe.bq769x2_fixed import FACTS
from bmsd.afe.contract import ChipFacts, FrontEnd
from bmsd.afe.transfers import Procedure
from bmsd.core.types import AfeSettings


class Maturity(Enum):
    """How far a driver is."""

    MEASURES = "measures, cannot be configured: not to be used"
    SIMULATED = "complete, tried on the simulated chip"
    HARDWARE = "complete, tried on hardware"


@dataclass(frozen=True, slots=True)
class Chip:
    """One supported chip: its limits and how to make its driver."""

    driver: Callable[[AfeSettings], FrontEnd]
    """Raises ValueError for settings the chip cannot do."""
    min_cells: int
    max_cells: int
    max_thermistors: int
    crc: bool
    """The link can carry checksums."""
    thermistor: str
    """Which one belongs on its inputs; another shifts every temperature."""
    facts: ChipFacts
    maturity: Maturity
    fets_off: Callable[[], Procedure[tuple[bool, bool]]]
    """Switches the chip's own FETs off knowing nothing of its state; gives what charge and discharge then read."""


_THERMISTOR = (
    "NTC of 10 kohm at 25 °C with the curve of a Semitec 103AT (B 25/85 of 3435 K), from the pin to ground, without"
    " any other resistor: the chip has its own pull-up of 18 kohm and calculates with that curve"
)
"""TI SLUUBY2B: the 18 kohm pull-up is for thermistors such as the 103AT, and the chip's default polynomial is its. The
B value is Semitec's, of the AT series from 25 and 85 °C, within 1 %."""
_TRIED = Maturity.SIMULATED
CHIPS = {
    "bq76952": Chip(
        partial(Bq769x2, variant=BQ76952), 3, 16, 2, True, _THERMISTOR, FACTS, _TRIED, switch_off
    ),
    "bq76942": Chip(
        partial(Bq769x2, variant=BQ76942), 3, 10, 2, True, _THERMISTOR, FACTS, _TRIED, switch_off
    ),
    "bq769142": Chip(
        partial(Bq769x2, variant=BQ769142), 3, 14, 2, True, _THERMISTOR, FACTS, _TRIED, switch_off
    ),
}


def usable() -> tuple[str, ...]:
    """Name the chips that a pack may be built with: one that cannot be configured protects nothing (S6)."""
    return tuple(name for name, chip in CHIPS.items() if chip.maturity is not Maturity.MEASURES)
