"""What the core remembers between cycles, and what one decision says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bmsd.core import alarms
from bmsd.core.alarms import AlarmState
from bmsd.core.contactors import PrechargeState
from bmsd.core.cross_check import CrossCheckState
from bmsd.core.deferred_opening import DeferredOpening
from bmsd.core.diode import Diodes
from bmsd.core.emergency import Override
from bmsd.core.heater_watch import WatchState
from bmsd.core.joints import JointState
from bmsd.core.limit_compliance import SentLimits
from bmsd.core.limits import Limits, LimitState
from bmsd.core.live_load_side import LoadSideState
from bmsd.core.loose import LooseState
from bmsd.core.low_battery import LowBattery
from bmsd.core.ordered import NOTHING_ORDERED, Ordered
from bmsd.core.overloads import NONE, Overloads
from bmsd.core.plausible import HeldReadings, Values
from bmsd.core.short_circuits import Shorts
from bmsd.core.sleep import SleepState
from bmsd.core.soc import SocState
from bmsd.core.supply import SupplyState
from bmsd.core.switching import SwitchState
from bmsd.core.types import ALL_OFF, Commands, Event, Inhibit
from bmsd.core.undetected_charge import NONE_DETECTED, UndetectedCharge
from bmsd.tables.alarms import BOTH, Block


@dataclass(frozen=True, slots=True)
class Consent:
    """What the operator allows the pack, and what was switched off remotely."""

    charge: bool = True
    discharge: bool = True
    balance: bool = True
    remote_off: Block = Block.NONE
    """Switched off remotely; only that is given back remotely (S14)."""

    def gives(self, block: Block) -> bool:
        """Tell whether one thing is allowed here and not switched off remotely."""
        if self.remote_off and block in self.remote_off:
            return False
        if block is Block.CHARGE:
            return self.charge
        return self.discharge if block is Block.DISCHARGE else self.balance


@dataclass(frozen=True, slots=True)
class CommonState:
    """What the common topology remembers of its main contactor."""

    refused: Block = Block.NONE
    """The directions that the inverter was told zero for in the last cycle."""
    charged_ms: int | None = None
    """When the closed contactor last carried a charge current."""
    trial: bool = False
    """It is closed for a charger alone, below shutdown voltage."""
    gave_up_ms: int | None = None
    """When it opened again because no charger charged through it."""


@dataclass(frozen=True, slots=True)
class RefusedDirection:
    """What the common topology remembers of one direction that the inverter was told zero for."""

    since_ms: int | None = None
    """Since when it is refused; None while it is not."""
    openings: int = 0
    """How often in a row the contactor opened because the current went on."""
    opened_ms: int = 0
    """When it last did."""


@dataclass(frozen=True, slots=True)
class RefusedDirections:
    """Both directions."""

    charge: RefusedDirection = RefusedDirection()
    discharge: RefusedDirection = RefusedDirection()


NOTHING_REFUSED = RefusedDirections()
"""The one object for it: a good cycle is recognised by its identity."""


class State(NamedTuple):
    """Everything the core remembers from one cycle to the next."""

    alarms: tuple[AlarmState, ...]
    soc: SocState | None = None
    consent: Consent = Consent()
    held: HeldReadings = HeldReadings()
    good_cycles: int = 0
    started: bool = False
    charge: SwitchState = SwitchState()
    discharge: SwitchState = SwitchState()
    precharge: PrechargeState = PrechargeState()
    heater: SwitchState = SwitchState()
    supply: SupplyState = SupplyState()
    """What is known of what feeds the heater."""
    watch: WatchState = WatchState()
    commands: Commands = ALL_OFF
    resets: int = 0
    word: str = "starting"
    cross_check: CrossCheckState = CrossCheckState()
    joints: JointState = JointState()
    loose: LooseState = LooseState()
    sent_limits: SentLimits = SentLimits()
    shorts: Shorts = ()
    overloads: Overloads = NONE
    sleep: SleepState = SleepState()
    force_charge: bool = False
    """The pack needs charge, whether or not it may be charged now."""
    low_battery: LowBattery = LowBattery()
    undetected_charge: UndetectedCharge = NONE_DETECTED
    """Topology common: what the cells say beside a current reading that shows no charge."""
    opening: DeferredOpening = DeferredOpening()
    override: Override | None = None
    asked_for: Block = BOTH
    """Directions that need no further consent of an operator to close after this start (S13)."""
    main: SwitchState = SwitchState()
    common: CommonState = CommonState()
    suspects: tuple[tuple[str, int], ...] = ()
    """Contactors that seem to be elsewhere by current or voltage: the alarm's name, and since when."""
    load_side: LoadSideState = LoadSideState()
    diodes: Diodes = Diodes()
    """Topology afe: FETs that are on only to spare their body diode."""
    limiting: LimitState | None = None
    """Where the limits stand and the charge is; None before the first cycle."""
    refusals: RefusedDirections = NOTHING_REFUSED
    full_charge: bool = False
    """The pack has not been full for a long time and asks to be, whether or not it may be charged now."""
    ordered: Ordered = NOTHING_ORDERED
    """Charging that an operator has ordered."""

    @property
    def asks_force(self) -> bool:
        """Tell whether the pack, or an operator, asks to be charged now."""
        return self.force_charge or self.ordered.force is not None

    @property
    def asks_full(self) -> bool:
        """Tell whether the pack, or an operator, asks for a full charge."""
        return self.full_charge or self.ordered.full is not None

    @property
    def charge_path(self) -> bool:
        """Tell whether a contactor that can carry charge current is closed, as commanded."""
        return self.charge.on or self.main.on


class Outputs(NamedTuple):
    """One decision: what to switch, what to tell, and why not more."""

    commands: Commands
    limits: Limits
    charge_allowed: bool
    discharge_allowed: bool
    heater_demanded: bool
    charge_inhibits: tuple[Inhibit, ...]
    discharge_inhibits: tuple[Inhibit, ...]
    heater_inhibits: tuple[Inhibit, ...]
    balance_inhibits: tuple[Inhibit, ...]
    values: Values
    word: str
    events: tuple[Event, ...]
    led: bool


def begin(
    now_ms: int,
    *,
    latched: Mapping[str, tuple[int | None, int | None]] | None = None,
    soc_state: SocState | None = None,
    consent: Consent | None = None,
    asked_for: Block = BOTH,
) -> State:
    """Make the state of a fresh start from what survived the last one (S13)."""
    return State(
        alarms.start(latched or {}, now_ms),
        soc_state,
        consent or Consent(),
        asked_for=asked_for,
    )
