"""Every alarm, one row each: what trips it, what releases it, what it blocks, and what to tell people.

A row with a `value` compares one believed value with a parameter; a row with a `condition` is decided by
`core.checks`. Both run through the same timers in `core.alarms`. Codes are stable: Modbus uses them as bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntFlag

from bmsd.tables.rows import AMPERE, CELSIUS, COUNT, KELVIN, VOLT, Unit

_JOURNAL_SPACE = "6f2f4c0e-57c1-4b0a-9d3c-2a1f4c1b7d60"


class Block(IntFlag):
    """What an active alarm does not allow."""

    NONE = 0
    CHARGE = 1
    DISCHARGE = 2
    HEATER = 4
    BALANCE = 8

    @property
    def names(self) -> list[str]:
        """List the blocked things by name, in table order."""
        return [flag.name.lower() for flag in Block if flag in self and flag.name]


BOTH = Block.CHARGE | Block.DISCHARGE
EVERYTHING = BOTH | Block.HEATER | Block.BALANCE


class Severity(Enum):
    """How bad it is, mildest first."""

    WARNING = "warning"
    PROTECTION = "protection"
    FAULT = "fault"

    @property
    def priority(self) -> int:
        """Give the journal priority: 4 warning, 2 a protection tripped, 3 hardware fault."""
        return {"warning": 4, "protection": 2, "fault": 3}[self.value]


class Sense(Enum):
    """On which side of the limit the value is bad."""

    ABOVE = "above"
    BELOW = "below"


class Release(Enum):
    """What ends an alarm once its cause is gone."""

    ITSELF = "itself"
    """The value beyond its recovery limit, for the release time if the row has one."""
    OPERATOR = "operator"
    """Only `bmsctl reset`, and only when the cause is gone. Survives restarts (S13)."""


class Condition(Enum):
    """What an alarm is about, in the groups that inverters have words for; one that fits none needs a new group."""

    CELL_HIGH = "a cell is too high"
    PACK_HIGH = "the pack is too high"
    HIGH_WARNING = "the pack stands higher than it should"
    CELL_EMPTY = "a cell is empty; only charging ends it"
    PACK_EMPTY = "the pack is empty"
    CELL_FLOOR = "a cell was below its floor"
    LOW_WARNING = "the pack is nearly empty"
    CHARGE_HOT = "too hot to charge"
    DISCHARGE_HOT = "too hot to discharge"
    SWITCH_HOT = "the switch board is too hot"
    CHARGE_COLD = "too cold to charge"
    DISCHARGE_COLD = "too cold to discharge"
    CHARGE_CURRENT = "too much charge current"
    CHARGE_CURRENT_WARNING = "more charge current than was allowed"
    DISCHARGE_CURRENT = "too much discharge current"
    DISCHARGE_CURRENT_WARNING = "more discharge current than was allowed"
    SHORT = "short circuit"
    CURRENT_SENSE = "the current is not known"
    MEASURING = "something that decides is not known"
    INTERNAL_WARNING = "something inside is not in order"
    CHIP = "the front-end chip acted or failed"
    CHARGE_SWITCH = "the charge contactor does not follow"
    DISCHARGE_SWITCH = "the discharge contactor does not follow"
    BOTH_SWITCHES = "a switch of both directions does not follow"
    SWITCH_WARNING = "a contactor or its surroundings need a look"
    STOPPED = "the pack as a whole may not be used"
    HEATER = "the heater"
    CELL_SPREAD = "the cells are apart"
    TEMPERATURE_SPREAD = "the temperatures are apart"
    OVERRIDE = "an emergency override is in force"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm row. `trip`, `release`, `delay` and `release_delay` name parameters."""

    name: str
    code: int
    severity: Severity
    blocks: Block
    title: str
    advice: str
    value: str = ""
    """Name of the believed value that is compared; empty when a check decides."""
    sense: Sense = Sense.ABOVE
    trip: str = ""
    release: str = ""
    delay: str = ""
    release_delay: str = ""
    ends: Release = Release.ITSELF
    inclusive: bool = False
    """Recovery is reached at its limit, not only beyond it."""
    unit: Unit = COUNT
    overridable: Block = Block.NONE
    """What of `blocks` an emergency override lifts (S10); all that is not named here stays blocked."""
    kept: bool = False
    """Survives a restart though it ends by itself: else a restart would forget what it has to recover from."""
    condition: Condition = field(kw_only=True)
    """What inverters are told that it is about."""
    opening_ms: int = 0
    """How long the contactor may wait for the inverter to take its current back (S12); 0 opens at once."""

    @property
    def survives(self) -> bool:
        """Tell whether the alarm is still there after a restart (S13)."""
        return self.kept or self.ends is Release.OPERATOR

    @property
    def message_id(self) -> str:
        """Give the journal MESSAGE_ID, fixed for ever by the alarm's name."""
        from uuid import UUID, uuid5  # only the journal link asks, and not before an alarm

        return uuid5(UUID(_JOURNAL_SPACE), self.name).hex


W, P, F = Severity.WARNING, Severity.PROTECTION, Severity.FAULT
ABOVE, BELOW = Sense.ABOVE, Sense.BELOW
OPERATOR = Release.OPERATOR
C = Condition

# One alarm per entry, columns in the order of the class.
# fmt: off
ALARMS: tuple[Alarm, ...] = (
    # Cells and pack voltage.
    Alarm("cell_ovp", 1, P, Block.CHARGE, "Cell over-voltage",
          "Charging returns when every cell is below recovery. If it repeats, lower the charge"
          " voltage and let the balancer work.",
          "cell_max", ABOVE, "cell_ovp_mv", "cell_ovpr_mv", "cell_ovp_delay_ms", unit=VOLT,
          opening_ms=500, overridable=Block.CHARGE, condition=C.CELL_HIGH),
    Alarm("cell_uvp", 2, P, Block.DISCHARGE, "Cell under-voltage",
          "Charge the pack; discharging returns when every cell is above recovery.",
          "cell_min", BELOW, "cell_uvp_mv", "cell_uvpr_mv", "cell_uvp_delay_ms",
          unit=VOLT, kept=True, opening_ms=500, overridable=Block.DISCHARGE, condition=C.CELL_EMPTY),
    Alarm("cell_shutdown", 3, P, Block.DISCHARGE | Block.BALANCE, "Shutdown voltage",
          "Charge the pack now. Charging stays possible.",
          "cell_min", BELOW, "cell_shutdown_mv", "cell_uvpr_mv", "cell_shutdown_delay_ms",
          unit=VOLT, kept=True, overridable=Block.DISCHARGE, condition=C.CELL_EMPTY),
    Alarm("cell_floor", 4, F, EVERYTHING, "Cell below its floor",
          "The cell may be damaged: measure it, replace it or recover it by hand, then"
          " 'bmsctl reset cell_floor'.",
          "cell_min", BELOW, "cell_floor_mv", "cell_shutdown_mv", "cell_shutdown_delay_ms",
          ends=OPERATOR, unit=VOLT, condition=C.CELL_FLOOR),
    Alarm("cell_spread", 5, W, Block.NONE, "Cells far apart",
          "Let the balancer work, or look for a weak cell or a bad joint.",
          "cell_spread", ABOVE, "cell_spread_mv", "cell_spread_release_mv", "cell_spread_delay_ms",
          unit=VOLT, condition=C.CELL_SPREAD),
    Alarm("pack_ovp", 6, P, Block.CHARGE, "Pack over-voltage",
          "Lower the charge voltage of charger and inverter.",
          "pack_mv", ABOVE, "pack_ovp_mv", "pack_ovpr_mv", "pack_voltage_delay_ms", unit=VOLT,
          opening_ms=2000, overridable=Block.CHARGE, condition=C.PACK_HIGH),
    Alarm("pack_uvp", 7, P, Block.DISCHARGE, "Pack under-voltage",
          "Charge the pack.",
          "pack_mv", BELOW, "pack_uvp_mv", "pack_uvpr_mv", "pack_voltage_delay_ms",
          unit=VOLT, kept=True, opening_ms=2000, overridable=Block.DISCHARGE, condition=C.PACK_EMPTY),
    # Current.
    Alarm("charge_ocp", 8, P, Block.CHARGE, "Charge over-current",
          "Returns by itself. If it repeats, lower the charger's current.",
          "charge_ma", ABOVE, "charge_ocp_ma", "charge_ocp_ma", "charge_ocp_delay_ms",
          "charge_ocp_release_ms", unit=AMPERE, opening_ms=1000, condition=C.CHARGE_CURRENT),
    Alarm("charge_ocp2", 9, P, Block.CHARGE, "Charge over-current, fast level",
          "Returns by itself. Look for a charger out of control.",
          "charge_ma", ABOVE, "charge_ocp2_ma", "charge_ocp_ma", "charge_ocp2_delay_ms",
          "charge_ocp_release_ms", unit=AMPERE, condition=C.CHARGE_CURRENT),
    Alarm("discharge_ocp", 10, P, Block.DISCHARGE, "Discharge over-current",
          "Returns by itself. If it repeats, reduce the load.",
          "discharge_ma", ABOVE, "discharge_ocp_ma", "discharge_ocp_ma", "discharge_ocp_delay_ms",
          "discharge_ocp_release_ms", unit=AMPERE, opening_ms=1000, condition=C.DISCHARGE_CURRENT),
    Alarm("discharge_ocp2", 11, P, Block.DISCHARGE, "Discharge over-current, fast level",
          "Returns by itself. Reduce the load; look for a partial short.",
          "discharge_ma", ABOVE, "discharge_ocp2_ma", "discharge_ocp_ma", "discharge_ocp2_delay_ms",
          "discharge_ocp_release_ms", unit=AMPERE, condition=C.DISCHARGE_CURRENT),
    Alarm("short_circuit", 12, P, BOTH, "Short circuit",
          "Tripped by the chip. Find the short before the release time ends.",
          release_delay="short_circuit_release_ms", condition=C.SHORT),
    # Temperature.
    Alarm("charge_otp", 13, P, Block.CHARGE | Block.HEATER | Block.BALANCE, "Too warm to charge",
          "Let the pack cool; check ventilation and charge current.",
          "battery_max", ABOVE, "charge_otp_decic", "charge_otpr_decic", "temperature_delay_ms",
          unit=CELSIUS, opening_ms=2000, condition=C.CHARGE_HOT),
    Alarm("charge_utp", 14, P, Block.CHARGE, "Too cold to charge",
          "Charging returns when the pack is warm; the heater helps where one is fitted.",
          "battery_min", BELOW, "charge_utp_decic", "charge_utpr_decic", "temperature_delay_ms",
          # The heater is off at recovery (S4): a pack that it holds there must be warm enough.
          inclusive=True, unit=CELSIUS, opening_ms=2000, condition=C.CHARGE_COLD),
    Alarm("discharge_otp", 15, P, Block.DISCHARGE | Block.HEATER | Block.BALANCE, "Too warm to discharge",
          "Let the pack cool; check the load.",
          "battery_max", ABOVE, "discharge_otp_decic", "discharge_otpr_decic",
          "temperature_delay_ms", unit=CELSIUS, opening_ms=2000, condition=C.DISCHARGE_HOT),
    Alarm("discharge_utp", 16, P, Block.DISCHARGE, "Too cold to discharge",
          "Discharging returns when the pack is warmer.",
          "battery_min", BELOW, "discharge_utp_decic", "discharge_utpr_decic",
          "temperature_delay_ms", unit=CELSIUS, opening_ms=2000, overridable=Block.DISCHARGE,
          condition=C.DISCHARGE_COLD),
    Alarm("switch_otp", 17, P, EVERYTHING, "Switch board too warm",
          "Check the contactors' or MOSFETs' cooling and terminals.",
          "switch_decic", ABOVE, "switch_otp_decic", "switch_otpr_decic", "temperature_delay_ms",
          unit=CELSIUS, opening_ms=1000, condition=C.SWITCH_HOT),
    # Lost or doubtful values (S2).
    Alarm("cell_lost", 18, F, EVERYTHING, "Cell voltage unknown",
          "Check the sense lead and connector of the cell.",
          delay="unknown_grace_ms", release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("cell_frozen", 19, F, EVERYTHING, "Cell voltage frozen",
          "The reading does not follow the pack: check the sense lead and the chip.",
          release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("temperature_lost", 20, F, EVERYTHING, "Battery temperature unknown",
          "A battery sensor is open, shorted or missing: check its wire.",
          delay="unknown_grace_ms", release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("switch_temperature_lost", 21, F, EVERYTHING, "Switch temperature unknown",
          "The switch sensor is open, shorted or missing; set afe.switch_sensor = false if none"
          " is fitted.",
          delay="unknown_grace_ms", release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("current_lost", 22, F, BOTH | Block.HEATER, "Current unknown",
          "Check the shunt wires, and that the current is inside the chip's range.",
          delay="unknown_grace_ms", release_delay="recovery_ms", condition=C.CURRENT_SENSE),
    Alarm("stack_mismatch", 23, F, BOTH | Block.BALANCE, "Sum of cells and stack voltage differ",
          "A sense lead or a reading is wrong: measure the cells by hand.",
          "stack_mismatch", ABOVE, "stack_mismatch_mv", "stack_mismatch_mv", "unknown_grace_ms",
          "recovery_ms", unit=VOLT, condition=C.MEASURING),
    # The front-end chip.
    Alarm("afe_lost", 24, F, EVERYTHING, "Front-end chip does not answer",
          "Check power, I2C wiring, address and bus speed.",
          delay="unknown_grace_ms", release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("afe_reset", 25, F, EVERYTHING, "Front-end chip lost its settings",
          "bmsd programs and verifies it again by itself. If it repeats, check the chip's supply.",
          release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("afe_refused", 26, F, EVERYTHING, "Front-end chip is wrong or keeps no settings",
          "Compare afe.chip, address and crc with the board.",
          release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("afe_not_set", 83, F, EVERYTHING, "Front-end chip measures and may not be set up",
          "It is set up with open contactors only, and one reads closed: find the weld, the stuck auxiliary contact or"
          " the output line. What hangs on its settings is unknown until then.",
          release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("chip_charge_trip", 27, P, Block.CHARGE, "The chip's own charge protection tripped",
          "The backstop behind bmsd's limits acted: read the other alarms, cells and sensors.",
          release_delay="recovery_ms", condition=C.CHIP),
    Alarm("chip_discharge_trip", 28, P, Block.DISCHARGE,
          "The chip's own discharge protection tripped",
          "The backstop behind bmsd's limits acted: read the other alarms, cells and sensors.",
          release_delay="recovery_ms", condition=C.CHIP),
    Alarm("chip_fault", 29, F, EVERYTHING, "The chip reports a fault of its own",
          "Read 'bmsctl status'; replace the front end if it stays.",
          release_delay="recovery_ms", ends=OPERATOR, condition=C.CHIP),
    # Outputs.
    Alarm("precharge_failed", 30, F, Block.DISCHARGE, "Pre-charge failed",
          "The load side does not reach the pack voltage: look for a short or a load that draws"
          " while off, then 'bmsctl reset precharge_failed'.",
          ends=OPERATOR, condition=C.DISCHARGE_SWITCH),
    Alarm("charge_contactor_welded", 31, F, BOTH, "Charge contactor does not open",
          "Disconnect the charger by hand, replace the contactor, then reset.", ends=OPERATOR,
          condition=C.CHARGE_SWITCH),
    Alarm("charge_contactor_open", 32, F, Block.CHARGE, "Charge contactor does not close",
          "Check coil, driver and supply of the contactor, then reset.", ends=OPERATOR,
          condition=C.CHARGE_SWITCH),
    Alarm("discharge_contactor_welded", 33, F, BOTH, "Discharge contactor does not open",
          "Disconnect the load by hand, replace the contactor, then reset.", ends=OPERATOR,
          condition=C.DISCHARGE_SWITCH),
    Alarm("discharge_contactor_open", 34, F, Block.DISCHARGE, "Discharge contactor does not close",
          "Check coil, driver and supply of the contactor, then reset.", ends=OPERATOR,
          condition=C.DISCHARGE_SWITCH),
    Alarm("output_fault", 35, F, EVERYTHING, "An output line does not follow",
          "Check the GPIO chip, the line numbers and who else uses them; where the front-end chip's own FETs switch,"
          " the bus and the chip.",
          release_delay="recovery_ms", condition=C.BOTH_SWITCHES),
    # Heater (S4).
    Alarm("heater_over_limit", 36, F, Block.HEATER, "Heater over its limit",
          "Current or power at the present voltage is too high: check heater.resistance_ohm.",
          release_delay="recovery_ms", condition=C.HEATER),
    Alarm("heater_no_warming", 37, F, Block.HEATER, "Heater does not warm the pack",
          "Check heater, relay, fuse and the place of the sensors, then 'bmsctl reset"
          " heater_no_warming'.",
          ends=OPERATOR, condition=C.HEATER),
    Alarm("heater_stuck_on", 38, F, EVERYTHING, "Heater current flows while it is off",
          "Disconnect the heater by hand: its relay is stuck. Then reset.", ends=OPERATOR, condition=C.STOPPED),
    Alarm("heater_long_run", 39, W, Block.HEATER, "Heater ran for its longest time",
          "It rests now. A larger heater or better insulation is needed.",
          release_delay="heater_rest_ms", condition=C.HEATER),
    Alarm("stack_lost", 41, F, BOTH, "Stack voltage unknown",
          "The sum of cells cannot be checked: look at the front end's top-of-stack connection.",
          delay="unknown_grace_ms", release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("contact_lost", 42, W, Block.NONE, "Auxiliary contact unreadable",
          "A weld would not be found: check the contact's line and GPIO chip.",
          delay="unknown_grace_ms", release_delay="recovery_ms", condition=C.SWITCH_WARNING),
    # The one contactor of the common topology.
    Alarm("main_contactor_welded", 56, F, BOTH, "Main contactor does not open",
          "Disconnect the pack by hand, replace the contactor, then reset.", ends=OPERATOR,
          condition=C.BOTH_SWITCHES),
    Alarm("main_contactor_open", 57, F, BOTH, "Main contactor does not close",
          "Check coil, driver and supply of the contactor, then reset.", ends=OPERATOR,
          condition=C.BOTH_SWITCHES),
    Alarm("charge_not_stopped", 58, P, BOTH, "Charge current flows while it is forbidden",
          "The inverter was told zero and went on, so the contactor opened; it is tried again, later each time. Check"
          " the CAN link and the inverter's battery settings; if no current was shown, the cells gave it away: check"
          " the shunt and its wires.",
          delay="forbidden_flow_ms", release_delay="forbidden_flow_release_ms", unit=AMPERE,
          condition=C.CHARGE_CURRENT),
    Alarm("discharge_not_stopped", 59, P, BOTH, "Discharge current flows while it is forbidden",
          "The inverter was told zero and went on, so the contactor opened; it is tried again, later each time. Reduce"
          " the load; check the CAN link and the inverter's battery settings.",
          delay="forbidden_flow_ms", release_delay="forbidden_flow_release_ms", unit=AMPERE,
          condition=C.DISCHARGE_CURRENT),
    Alarm("contactor_worn", 60, W, Block.NONE, "Contactor at the end of its service life",
          "Change the contactor, then raise contactor_life_closings by the count it reached.",
          condition=C.SWITCH_WARNING),
    # The lower end of the pack.
    Alarm("cell_low", 61, W, Block.NONE, "Pack nearly empty",
          "Charge the pack: discharging ends at under-voltage (cell_uvp_v).",
          delay="cell_uvp_delay_ms", unit=VOLT, condition=C.LOW_WARNING),
    Alarm("auto_shutdown", 62, P, Block.DISCHARGE | Block.BALANCE, "Pack shut itself down",
          "Charge the pack: it wakes and goes on by itself. docs/black-start.md tells what to do when the"
          " charger needs the pack to start.",
          delay="shutdown_after_ms", release_delay="recovery_ms", kept=True, overridable=Block.DISCHARGE,
          condition=C.CELL_EMPTY),
    # Configuration.
    Alarm("configuration_fault", 40, F, EVERYTHING, "Stored parameters are not usable",
          "Read the message, set the parameters again with 'bmsctl params', then 'bmsctl reset"
          " configuration_fault'.",
          ends=OPERATOR, condition=C.STOPPED),
    # Current and voltages that cannot both be true.
    Alarm("current_implausible", 48, F, BOTH | Block.HEATER, "Current reading stands still",
          "The cells answer to loads and the current reading does not: check the shunt and its wires,"
          " then 'bmsctl reset current_implausible'.",
          ends=OPERATOR, unit=AMPERE, condition=C.CURRENT_SENSE),
    Alarm("current_reversed", 49, F, BOTH | Block.HEATER, "Current has the wrong sign",
          "The cells rise when the current says discharge: swap the shunt's sense wires, then"
          " 'bmsctl reset current_reversed'.",
          ends=OPERATOR, condition=C.CURRENT_SENSE),
    Alarm("cells_frozen", 50, F, EVERYTHING, "All cell voltages frozen",
          "Current flows and no reading moves: the chip no longer measures. Take its supply away"
          " for a moment, or replace the front end.",
          release_delay="recovery_ms", condition=C.MEASURING),
    Alarm("charge_past_contactor", 51, F, BOTH, "Charge current past the open charge contactor",
          "Look for a charger on the load side, a welded contactor, or a current reading that is off.",
          delay="limit_ignored_delay_ms", release_delay="limit_enforce_release_ms", unit=AMPERE,
          condition=C.CHARGE_SWITCH),
    Alarm("discharge_past_contactor", 52, F, BOTH, "Discharge current past the open discharge contactor",
          "Look for a load on the charger's side, a welded contactor, or a current reading that is off.",
          delay="limit_ignored_delay_ms", release_delay="limit_enforce_release_ms", unit=AMPERE,
          condition=C.DISCHARGE_SWITCH),
    # Limits that the inverter does not keep.
    Alarm("charge_limit_ignored", 53, W, Block.NONE, "Inverter charges with more than it was told",
          "Check the inverter's battery protocol and settings; if it goes on, the charge contactor opens.",
          delay="limit_ignored_delay_ms", release_delay="recovery_ms", unit=AMPERE,
          condition=C.CHARGE_CURRENT_WARNING),
    Alarm("discharge_limit_ignored", 54, W, Block.NONE, "Inverter discharges with more than it was told",
          "Reduce the load, and check the inverter's battery protocol; if it goes on, the discharge"
          " contactor opens.",
          delay="limit_ignored_delay_ms", release_delay="recovery_ms", unit=AMPERE,
          condition=C.DISCHARGE_CURRENT_WARNING),
    Alarm("voltage_limit_ignored", 55, W, Block.NONE, "Inverter charges above the voltage it was told",
          "Check the inverter's battery protocol and its own charge voltage; if it goes on, the charge"
          " contactor opens.",
          delay="limit_ignored_delay_ms", release_delay="recovery_ms", unit=VOLT, condition=C.HIGH_WARNING),
    Alarm("charge_limit_enforced", 64, P, Block.CHARGE, "Charging ended: the inverter does not keep its limits",
          "Returns by itself. Check the inverter's battery protocol, its cable and its own settings.",
          delay="charge_enforce_delay_ms", release_delay="limit_enforce_release_ms", opening_ms=2000,
          condition=C.CHARGE_CURRENT),
    Alarm("discharge_limit_enforced", 65, P, Block.DISCHARGE,
          "Discharging ended: the inverter does not keep its limit",
          "Returns by itself. Reduce the load, or raise discharge_max_a if the pack may carry it.",
          delay="discharge_enforce_delay_ms", release_delay="limit_enforce_release_ms", unit=AMPERE,
          opening_ms=2000, condition=C.DISCHARGE_CURRENT),
    Alarm("short_circuit_repeated", 66, F, BOTH, "Short circuit again and again",
          "Find the short before anything closes onto it, then 'bmsctl reset short_circuit_repeated'.",
          ends=OPERATOR, condition=C.SHORT),
    Alarm("temperature_spread", 67, W, Block.NONE, "Battery sensors far apart",
          "Check the place and contact of the sensors; feel whether a part of the pack is hot.",
          "battery_spread", ABOVE, "temperature_spread_decik", "temperature_spread_release_decik",
          "temperature_spread_delay_ms", unit=KELVIN, condition=C.TEMPERATURE_SPREAD),
    # Readings that contradict each other.
    Alarm("cell_may_be_high", 68, F, Block.CHARGE | Block.BALANCE, "A cell may stand above over-voltage, unseen",
          "The cells sum up to less than the stack reads, so that one of them may be higher than it reads: measure the"
          " cells by hand, and look at their sense wires.",
          delay="unknown_grace_ms", release_delay="recovery_ms", unit=VOLT, condition=C.CELL_HIGH),
    Alarm("cell_may_be_low", 69, F, Block.DISCHARGE | Block.BALANCE, "A cell may stand below under-voltage, unseen",
          "The cells sum up to more than the stack reads, so that one of them may be lower than it reads: measure the"
          " cells by hand, and look at their sense wires.",
          delay="unknown_grace_ms", release_delay="recovery_ms", unit=VOLT, condition=C.CELL_EMPTY),
    Alarm("stack_doubtful", 70, W, Block.NONE, "Sum of cells and stack voltage differ by more than the chip errs",
          "Measure the cells by hand. If they are right, the stack reading is off: raise stack_error_v.",
          delay="cell_spread_delay_ms", release_delay="recovery_ms", unit=VOLT, condition=C.INTERNAL_WARNING),
    Alarm("cell_loose", 71, W, Block.NONE, "A cell's reading comes and goes",
          "Look for a loose sense wire or plug, at this cell and the next one.", release_delay="recovery_ms",
          condition=C.INTERNAL_WARNING),
    Alarm("reading_loose", 72, W, Block.NONE, "A reading of temperature, current or stack comes and goes",
          "Look for a loose sensor, shunt or supply wire.", release_delay="recovery_ms",
          condition=C.INTERNAL_WARNING),
    Alarm("cell_step", 73, W, Block.NONE, "A cell does not step with the others when the current does",
          "Look for a bad joint or a loose sense wire at this cell, or a weak cell.", release_delay="recovery_ms",
          condition=C.INTERNAL_WARNING),
    # The daemon itself.
    Alarm("guard_lost", 74, W, Block.NONE, "The guard process is gone",
          "bmsd starts it again by itself; until then only systemd and the chip switch off if bmsd dies. If it repeats,"
          " 'journalctl -k' tells of lack of memory.", condition=C.INTERNAL_WARNING),
    Alarm("charge_trip_repeated", 81, F, Block.CHARGE, "Charging tripped again and again",
          "The fast over-current limit or the chip ended charging too often within an hour. Look for a charger out of"
          " control, then 'bmsctl reset charge_trip_repeated'.",
          ends=OPERATOR, condition=C.CHARGE_CURRENT),
    Alarm("discharge_trip_repeated", 82, F, Block.DISCHARGE, "Discharging tripped again and again",
          "The fast over-current limit or the chip ended discharging too often within an hour. Reduce the load, look"
          " for a partial short, then 'bmsctl reset discharge_trip_repeated'.",
          ends=OPERATOR, condition=C.DISCHARGE_CURRENT),
    Alarm("load_side_high", 80, W, Block.NONE, "Load side above the pack",
          "A charger holds the load side too far above the pack for a contactor to close. Lower its voltage, or switch"
          " it off until the contactor has closed.",
          delay="unknown_grace_ms", unit=VOLT, condition=C.SWITCH_WARNING),
    Alarm("load_side_live", 84, W, Block.NONE, "Load side stays alive with everything off",
          "The pre-charge relay or a contactor may be welded, or another source holds the load side: it is live. Open"
          " the pack's main switch, and measure.",
          release_delay="recovery_ms", unit=VOLT, condition=C.SWITCH_WARNING),
    Alarm("temperature_mismatch", 85, F, Block.HEATER, "Battery sensors disagree",
          "One of them is off its place or wrong, so nobody knows how warm the pack is: compare them by hand. The pack"
          " is not heated until they agree.",
          delay="temperature_spread_delay_ms", release_delay="recovery_ms", unit=KELVIN,
          condition=C.TEMPERATURE_SPREAD),
    # Emergency override (S10).
    Alarm("emergency_override", 43, W, Block.NONE, "Emergency override in force",
          "Some protections no longer open the contactors: watch the pack, and use only what you need."
          " It ends by itself after 30 minutes; 'bmsctl emergency off' ends it now.", condition=C.OVERRIDE),
)
# fmt: on
BY_NAME = {alarm.name: alarm for alarm in ALARMS}
