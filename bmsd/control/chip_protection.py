"""The front-end chip's own protection, made from our parameters with a margin (S6).

The chip must not act before the daemon in ordinary trouble, and must act when the daemon does not. Margins
are one place, here; what the chip's steps make of them is the driver's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from bmsd.afe.chips import CHIPS
from bmsd.afe.contract import ChipFacts
from bmsd.core.types import AfeSettings
from bmsd.hardware.board import AfeConfig
from bmsd.tables.configuration import OWN_FETS
from bmsd.tables.parameters import Parameters

CELL_MARGIN_MV = 100
"""Above over-voltage and below shutdown voltage: two of the chip's 50.6 mV steps less rounding."""
CURRENT_MARGIN_PERMILLE = 1250
"""Above the second over-current level."""
HEAT_MARGIN_DECIK = 50
COLD_MARGIN_DECIK = 100
"""Cold charging harms over minutes: a wider margin keeps the two layers from tripping together."""
DELAY_MARGIN_MS = 1000
HOST_WATCHDOG_S = 5
"""Several periods and retries; well inside the time a cell takes from trip to harm."""
MADE_FROM: Mapping[str, tuple[str, ...]] = {
    "cell_over_mv": ("cell_ovp_mv",),
    "cell_over_delay_ms": ("cell_ovp_delay_ms",),
    "cell_under_mv": ("cell_shutdown_mv", "cell_floor_mv"),
    "cell_under_delay_ms": ("cell_uvp_delay_ms", "cell_shutdown_delay_ms"),
    "charge_over_ma": ("charge_ocp2_ma", "charge_ocp_ma"),
    "discharge_over_ma": ("discharge_ocp2_ma", "discharge_ocp_ma"),
    "short_circuit_ma": ("short_circuit_ma", "discharge_ocp_ma"),
    "short_circuit_delay_us": ("short_circuit_delay_us",),
    "charge_over_decic": ("charge_otp_decic", "discharge_otp_decic"),
    "charge_under_decic": ("charge_utp_decic", "discharge_utp_decic"),
    "discharge_over_decic": ("discharge_otp_decic", "charge_otp_decic"),
    "discharge_under_decic": ("discharge_utp_decic", "charge_utp_decic"),
    "switch_over_decic": ("switch_otp_decic",),
}
"""The parameters that each setting of the chip follows, or follows where they are not written themselves."""


class Wired(Protocol):
    """What of a configuration the chip's settings need."""

    @property
    def cells(self) -> int:
        """Count the cells in series."""

    @property
    def topology(self) -> str:
        """Say what switches the pack."""

    @property
    def afe(self) -> AfeConfig:
        """Give the chip and its bus."""


class ChipWiring(NamedTuple):
    """The same of a configuration that is still being checked."""

    cells: int
    topology: str
    afe: AfeConfig


def afe_settings(config: Wired, p: Parameters) -> AfeSettings:
    """Work out the chip's settings for a configuration and a set of parameters.

    A common contactor has both permits in series, so a trip for one direction ends the other, too. There the chip's
    limits of temperature and under-voltage lie where neither is allowed; else a pack that is only too cold to charge
    would leave the house dark, and an empty one could not be charged (S15).
    """
    hottest = max(p.charge_otp_decic, p.discharge_otp_decic)
    coldest = min(p.charge_utp_decic, p.discharge_utp_decic)
    is_common, facts = config.topology == "common", CHIPS[config.afe.chip].facts
    return AfeSettings(
        cells=config.cells,
        thermistors=config.afe.battery_sensors,
        shunt_uohm=config.afe.shunt_uohm,
        crc=config.afe.crc,
        cell_over_mv=p.cell_ovp_mv + CELL_MARGIN_MV,
        cell_over_delay_ms=_delay_ms(p.cell_ovp_delay_ms, facts),
        cell_under_mv=_cell_under_mv(p, facts, is_common=is_common),
        cell_under_delay_ms=_delay_ms(max(p.cell_uvp_delay_ms, p.cell_shutdown_delay_ms), facts),
        charge_over_ma=p.charge_ocp2_ma * CURRENT_MARGIN_PERMILLE // 1000,
        charge_over_delay_ms=facts.over_current_delay_ms,
        discharge_over_ma=p.discharge_ocp2_ma * CURRENT_MARGIN_PERMILLE // 1000,
        discharge_over_delay_ms=facts.over_current_delay_ms,
        short_circuit_ma=p.short_circuit_ma,
        short_circuit_delay_us=p.short_circuit_delay_us,
        charge_over_decic=HEAT_MARGIN_DECIK + (hottest if is_common else p.charge_otp_decic),
        charge_under_decic=max((coldest if is_common else p.charge_utp_decic) - COLD_MARGIN_DECIK, -400),
        discharge_over_decic=HEAT_MARGIN_DECIK + (hottest if is_common else p.discharge_otp_decic),
        discharge_under_decic=max(
            (coldest if is_common else p.discharge_utp_decic) - COLD_MARGIN_DECIK, -400
        ),
        host_watchdog_s=HOST_WATCHDOG_S,
        switch_over_decic=p.switch_otp_decic + HEAT_MARGIN_DECIK,
        own_fets=config.topology == OWN_FETS,
    )


def _cell_under_mv(p: Parameters, facts: ChipFacts, *, is_common: bool) -> int:
    """Give the under-voltage limit: behind a common contactor only where charging is forbidden, too."""
    if is_common:
        return max(p.cell_floor_mv, facts.lowest_cell_mv)
    return max(p.cell_shutdown_mv - CELL_MARGIN_MV, p.cell_floor_mv)


def _delay_ms(ours_ms: int, facts: ChipFacts) -> int:
    return min(ours_ms + DELAY_MARGIN_MS, facts.longest_cell_delay_ms)
