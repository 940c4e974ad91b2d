"""The vocabulary of the core: what comes in each cycle, and what goes out.

Everything is frozen, in integer milli-units; None is unknown and never good. Positive current charges.
Times come from the monotonic clock, in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntFlag


class ChipFault(IntFlag):
    """What the front-end chip itself reports: its own trips, and doubts about its state."""

    NONE = 0
    CELL_OVER_VOLTAGE = 1
    CELL_UNDER_VOLTAGE = 2
    CHARGE_OVER_CURRENT = 4
    DISCHARGE_OVER_CURRENT = 8
    SHORT_CIRCUIT = 16
    OVER_TEMPERATURE = 32
    UNDER_TEMPERATURE = 64
    HOST_WATCHDOG = 128
    PERMANENT_FAILURE = 256
    OTHER = 512


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one complete poll of the front end yields. A value that could not be had is None."""

    cell_mv: tuple[int | None, ...]
    stack_mv: int | None
    charger_mv: int | None
    """Voltage on the charger's side of the charge contactor."""
    load_mv: int | None
    """Voltage on the load's side of the discharge contactor; proves pre-charge."""
    current_ma: int | None
    battery_decic: tuple[int | None, ...]
    switch_decic: int | None
    faults: ChipFault


class AfeState(Enum):
    """How far the front end is: only READY means configured, verified and measuring."""

    ABSENT = "absent"
    CONFIGURING = "configuring"
    READY = "ready"
    REFUSED = "refused"
    """The chip answers, but is the wrong one or does not keep its settings."""


@dataclass(frozen=True, slots=True)
class AfeReport:
    """The front end's part of one cycle."""

    state: AfeState
    measurement: Measurement | None
    """None: no complete good poll this cycle."""
    detail: str = ""
    """Why, in words, when there is no measurement."""
    errors: int = 0
    """Bus errors since start, retried ones included."""
    resets: int = 0
    """Times the chip lost its settings since start."""


@dataclass(frozen=True, slots=True)
class AfeSettings:
    """What a front-end driver needs to know to configure its chip (S6).

    Thresholds are the chip's backstop: already widened by the margin over the daemon's own limits.
    """

    cells: int
    thermistors: int
    shunt_uohm: int
    crc: bool
    cell_over_mv: int
    cell_over_delay_ms: int
    cell_under_mv: int
    cell_under_delay_ms: int
    charge_over_ma: int
    charge_over_delay_ms: int
    discharge_over_ma: int
    discharge_over_delay_ms: int
    short_circuit_ma: int
    short_circuit_delay_us: int
    charge_over_decic: int
    charge_under_decic: int
    discharge_over_decic: int
    discharge_under_decic: int
    host_watchdog_s: int
