"""The vocabulary of the core: what comes in each cycle, and what goes out.

Everything is frozen, in integer milli-units; None is unknown and never good. Positive current charges.
Times come from the monotonic clock, in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntFlag, auto
from typing import NamedTuple


class ChipFault(IntFlag):
    """What the front-end chip itself reports: its own trips, and doubts about its state."""

    NONE = 0
    CELL_OVER_VOLTAGE = auto()
    CELL_UNDER_VOLTAGE = auto()
    CHARGE_OVER_CURRENT = auto()
    DISCHARGE_OVER_CURRENT = auto()
    SHORT_CIRCUIT = auto()
    CHARGE_TEMPERATURE = auto()
    DISCHARGE_TEMPERATURE = auto()
    BOARD_TEMPERATURE = auto()
    HOST_WATCHDOG = auto()
    PERMANENT_FAILURE = auto()
    OTHER = auto()


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
    charge_fet: bool | None = None
    """The chip's own charge FET is driven on; None where the chip's FETs are not the pack's switches."""
    discharge_fet: bool | None = None


class AfeState(Enum):
    """How far the front end is: only READY means configured, verified and measuring."""

    ABSENT = auto()
    CONFIGURING = auto()
    READY = auto()
    REFUSED = auto()
    """The chip answers, but is the wrong one or does not keep its settings."""
    WATCHING = auto()
    """It measures, but may not be set up, because a contactor does not read open: what it says is shown and no more."""


class AfeReport(NamedTuple):
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
    switch_over_decic: int
    own_fets: bool = False
    """The chip's own FETs, in series, are the pack's switches."""


class Levels(NamedTuple):
    """One level per output: what a line or an auxiliary contact reads; None where nothing is wired."""

    charge: bool | None = None
    discharge: bool | None = None
    precharge: bool | None = None
    heater: bool | None = None
    buzzer: bool | None = None
    main: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request of an operator; it can only narrow what the rules allow, the override apart (S10, S14)."""

    kind: str
    """`switch` (name charge, discharge or balance; on), `remote` (the same remotely, which narrows further), `reset`
    (name of an alarm), `wake`, `emergency` (on), `charge` (name force or full; on) or `factory`."""
    name: str
    on: bool | None = None
    who: str = ""


class Inputs(NamedTuple):
    """Everything one decision is made from."""

    now_ms: int
    afe: AfeReport
    lines: Levels
    """Output lines as read back after the last cycle's commands."""
    feedback: Levels
    """Auxiliary contacts, where wired."""
    heater_ma: int | None = None
    """Measured heater current, where a sensor is fitted."""
    requests: tuple[Request, ...] = ()
    pressed: bool = False
    """Somebody presses the button that wakes the pack."""
    silent: bool = False
    """The core was silent for so long that the chip may have acted: everything was switched off before this cycle."""
    guarded: bool | None = True
    """The process that switches off when the core dies is there and listens; None: it is starting."""
    contacts_after_ms: int = 3_600_000
    """How long after a line was last switched the contacts were read: a slow cycle switches late."""


class Commands(NamedTuple):
    """What the outputs shall do. All off is the safe state and the start."""

    charge: bool = False
    discharge: bool = False
    precharge: bool = False
    heater: bool = False
    buzzer: bool = False
    balance_mask: int = 0
    """Bit n set: balance cell n + 1."""
    main: bool = False
    """The one contactor of the common topology."""
    charge_diode: bool = False
    """The charge FET is on though charging is forbidden: current flows out and would burn its body diode."""
    discharge_diode: bool = False


ALL_OFF = Commands()


class InhibitCause(Enum):
    """Why something is not allowed or not done."""

    ALARM = "alarm"
    UNKNOWN = "unknown"
    STARTING = "starting"
    OPERATOR = "operator"
    NOT_ASKED = "not asked for"
    LAST_LIMIT = "last limit of the override"
    SPENT = "override ended by a last limit"
    HEATER_FIRST = "heater first"
    CHARGE_FIRST = "charge first"
    CHARGE_FLOWS = "charge current"
    NOT_PROVED_CUT = "charge not proved cut"
    MIN_OFF = "minimum off time"
    OPERATIONS = "operations per hour"
    PRECHARGE = "pre-charge"
    LOW_CURRENT = "low current"
    TOLD_ZERO = "told zero"
    OTHER_DIRECTION = "other direction"
    NOT_FITTED = "not fitted"
    NOT_NEEDED = "not needed"
    NO_CHARGER = "no charger"
    LOW_CHARGE = "low state of charge"
    NO_SUPPLY = "supply voltage unknown"
    NOT_PAID = "no charger pays"
    LOAD_UNKNOWN = "load not known yet"
    SENSORS_APART = "sensors disagree"
    WARM_SENSOR = "a sensor is warm"
    OVER_LIMIT = "over its limit"
    ASLEEP = "asleep"


class Inhibit(NamedTuple):
    """One reason against something: the kind, the thing, and when it may end."""

    because: InhibitCause
    name: str = ""
    """The alarm, the value or the switch it is about."""
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something changed. `kind` is alarm, or one of those in `tables.events`."""

    at_ms: int
    kind: str
    name: str
    state: str
    where: int | None = None
    value: int | None = None
    limit: int | None = None
    who: str = ""
    lifted: tuple[str, ...] = ()
    """Of a raised alarm: what it would block, but an emergency override lifts."""
