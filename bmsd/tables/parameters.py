"""Every run-time parameter, one row each: name, unit, range, presets and help.

`Parameters` is the set the core decides with. Configuration checks, `bmsctl params`, Modbus and the
parameter document derive from the rows. Preset numbers are those of the JK manuals where they agree and
the safer value where they differ; comments say which rows JK does not have.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bmsd.errors import ParameterError
from bmsd.tables.faults import Fault, by_name
from bmsd.tables.rows import (
    AMPERE,
    CELSIUS,
    COUNT,
    HOUR,
    KELVIN,
    MICROSECOND,
    PERCENT,
    SECOND,
    VOLT,
    WATT,
    Unit,
)

LARGE_PACK_MAH = 50_000
"""JK manuals A and C advise a smaller balance trigger above this."""


@dataclass(frozen=True, slots=True)
class Preset:
    """The value a row takes per chemistry; the jk-compatible ones only where they differ."""

    lifepo4: int | None
    li_ion: int | None
    lto: int | None
    lifepo4_jk: int | None = None
    li_ion_jk: int | None = None
    lto_jk: int | None = None

    def value(self, chemistry: str, preset: str) -> int | None:
        """Pick the value for a chemistry and preset name; None means the installer must choose."""
        key = chemistry.replace("-", "_")
        ours: int | None = getattr(self, key)
        if preset == "jk-compatible":
            theirs: int | None = getattr(self, f"{key}_jk")
            return ours if theirs is None else theirs
        return ours


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One parameter: what it is called, how large it may be, and where its value comes from."""

    name: str
    group: str
    unit: Unit
    low: int
    high: int
    preset: Preset
    help: str
    per_cell: bool = False
    """The preset and the range are per cell; the parameter is for the whole pack."""
    share_of: str = ""
    """Name of the parameter this one is derived from; the preset is then its share in permille."""
    large_pack: Preset | None = None
    """What the default preset takes for packs above 50 Ah."""

    @property
    def public_name(self) -> str:
        """Name the parameter as people write it in configuration and on the command line."""
        return self.unit.public_name(self.name)

    def bounds(self, cells: int) -> tuple[int, int]:
        """Give the allowed range for a pack of so many cells."""
        return (self.low * cells, self.high * cells) if self.per_cell else (self.low, self.high)


def _row(
    group: str,
    unit: Unit,
    low: int,
    high: int,
    preset: Preset | int | None,
    help: str,  # noqa: A002 - the column is called help everywhere
    *,
    per_cell: bool = False,
    share_of: str = "",
    large_pack: Preset | None = None,
) -> Any:
    if not isinstance(preset, Preset):
        preset = Preset(preset, preset, preset)
    return field(metadata={"row": ("", group, unit, low, high, preset, help, per_cell, share_of, large_pack)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One complete, consistent set of run-time parameters, in inside units."""

    # fmt: off
    # Cells. JK manuals A and C, rows 1 to 4 and 6; delays are bmsd's own (JK states none).
    cell_ovp_mv: int = _row(
        "cell", VOLT, 1200, 4350, Preset(3600, 4200, 2700),
        "Cell over-voltage: any cell above this stops charging.",
    )
    cell_ovpr_mv: int = _row(
        "cell", VOLT, 1200, 4350, Preset(3400, 4100, 2400),
        "Cell over-voltage recovery: charging returns when all cells are below this.",
    )
    cell_ovp_delay_ms: int = _row(
        "cell", SECOND, 0, 10_000, 1000, "How long a cell must be above over-voltage.",
    )
    cell_uvp_mv: int = _row(
        "cell", VOLT, 1200, 4350, Preset(2700, 2900, 1800),
        "Cell under-voltage: any cell below this stops discharging.",
    )
    cell_uvpr_mv: int = _row(
        "cell", VOLT, 1200, 4350, Preset(3000, 3200, 2000),
        "Cell under-voltage recovery: discharging returns when all cells are above this.",
    )
    cell_uvp_delay_ms: int = _row(
        "cell", SECOND, 0, 10_000, 2000, "How long a cell must be below under-voltage.",
    )
    cell_shutdown_mv: int = _row(
        "cell", VOLT, 1200, 4350, Preset(2600, 2800, 1700),
        "Shutdown voltage: the lowest cell below this ends every use of the pack's energy.",
    )
    cell_shutdown_delay_ms: int = _row(
        "cell", SECOND, 0, 60_000, 1000, "How long the lowest cell must be below shutdown voltage.",
    )
    cell_floor_mv: int = _row(
        "cell", VOLT, 500, 3000, Preset(2000, 2500, 1500),
        "Cell floor: a cell below this may be damaged; it is neither charged nor discharged until"
        " an operator has looked.",
    )
    emergency_over_mv: int = _row(
        "cell", VOLT, 0, 100, 50,
        "How far a cell may stand above over-voltage while an emergency override lifts that; the chip's own"
        " limit is 0.1 V above it.",
    )
    cell_spread_mv: int = _row(
        "cell", VOLT, 20, 2000, 300, "Cell spread: warn when highest minus lowest cell is above.",
    )
    cell_spread_release_mv: int = _row(
        "cell", VOLT, 10, 2000, 200, "Cell spread below which the warning ends.",
    )
    cell_spread_delay_ms: int = _row(
        "cell", SECOND, 0, 600_000, 10_000, "How long the spread must be too large.",
    )
    cell_frozen_move_mv: int = _row(
        "cell", VOLT, 5, 200, 20,
        "A cell that keeps the same reading to the millivolt while at least half of the cells move by this"
        " much, twice in a row, counts as frozen.",
    )
    # Pack voltage: a second line behind the cells; JK has none.
    pack_ovp_mv: int = _row(
        "pack", VOLT, 1200, 4350, Preset(3550, 4180, 2680),
        "Pack over-voltage: the sum of cells above this stops charging.", per_cell=True,
    )
    pack_ovpr_mv: int = _row(
        "pack", VOLT, 1200, 4350, Preset(3400, 4100, 2450),
        "Pack over-voltage recovery.", per_cell=True,
    )
    pack_uvp_mv: int = _row(
        "pack", VOLT, 1200, 4350, Preset(2800, 3000, 1850),
        "Pack under-voltage: the sum of cells below this stops discharging.", per_cell=True,
    )
    pack_uvpr_mv: int = _row(
        "pack", VOLT, 1200, 4350, Preset(3000, 3200, 2000),
        "Pack under-voltage recovery.", per_cell=True,
    )
    pack_voltage_delay_ms: int = _row(
        "pack", SECOND, 0, 60_000, 2000, "How long the pack voltage must be outside its limits.",
    )
    stack_mismatch_mv: int = _row(
        "pack", VOLT, 10, 200, 50,
        "Largest difference between the sum of cells and the chip's own stack reading;"
        " more means a sense lead or a reading is wrong.", per_cell=True,
    )
    stack_error_mv: int = _row(
        "pack", VOLT, 4, 200, 10,
        "How far the sum of cells and the chip's stack reading may differ by the chip's own errors, 5 mV a cell and as"
        " much for the stack; beyond it cells are judged by the worst that they may be.", per_cell=True,
    )
    # Current. JK rows 7 to 11 and 20; the second level and the shares are bmsd's own.
    charge_ocp_ma: int = _row(
        "current", AMPERE, 1000, 1_000_000, None,
        "Charge over-current. No safe default exists: the smallest rating of cells, cable,"
        " contactor and fuse decides.",
    )
    charge_ocp_delay_ms: int = _row(
        "current", SECOND, 2000, 120_000, 30_000, "How long charge over-current must last.",
    )
    charge_ocp_release_ms: int = _row(
        "current", SECOND, 2000, 120_000, 60_000,
        "How long charging then stays off; after the fast level twice as long each time within an hour.",
    )
    charge_ocp2_ma: int = _row(
        "current", AMPERE, 1000, 2_000_000, 1500,
        "Second, fast level of charge over-current; by default 150 % of the first.",
        share_of="charge_ocp_ma",
    )
    charge_ocp2_delay_ms: int = _row(
        "current", SECOND, 0, 10_000, 1000, "How long the second level must last.",
    )
    discharge_ocp_ma: int = _row(
        "current", AMPERE, 1000, 1_000_000, None,
        "Discharge over-current. No safe default exists: the smallest rating of cells, cable,"
        " contactor and fuse decides.",
    )
    discharge_ocp_delay_ms: int = _row(
        "current", SECOND, 2000, 120_000, 30_000, "How long discharge over-current must last.",
    )
    discharge_ocp_release_ms: int = _row(
        "current", SECOND, 2000, 120_000, 60_000,
        "How long discharging then stays off; after the fast level twice as long each time within an hour.",
    )
    discharge_ocp2_ma: int = _row(
        "current", AMPERE, 1000, 2_000_000, 1500,
        "Second, fast level of discharge over-current; by default 150 % of the first.",
        share_of="discharge_ocp_ma",
    )
    discharge_ocp2_delay_ms: int = _row(
        "current", SECOND, 0, 10_000, 500, "How long the second level must last.",
    )
    short_circuit_ma: int = _row(
        "current", AMPERE, 10_000, 4_000_000, 3000,
        "Short circuit: tripped by the front-end chip itself; by default 3 times the discharge"
        " over-current.", share_of="discharge_ocp_ma",
    )
    short_circuit_delay_us: int = _row(
        "current", MICROSECOND, 15, 450, 60, "How long the chip waits; it works in 15 µs steps.",
    )
    short_circuit_release_ms: int = _row(
        "current", SECOND, 2000, 120_000, 60_000, "How long everything stays off after a short.",
    )
    short_circuit_releases_per_hour: int = _row(
        "current", COUNT, 0, 20, 3,
        "How many short circuits within an hour end by themselves; one more waits for an operator"
        ".",
    )
    over_current_releases_per_hour: int = _row(
        "current", COUNT, 0, 4, 3,
        "How many trips of the fast over-current limit, or of the chip, end by themselves within an hour in each"
        " direction; the pause doubles each time, and one more waits for an operator.",
    )
    physics_step_mv: int = _row(
        "current", VOLT, 3, 100, 10,
        "From this jump of the mean cell voltage on, the current must jump with it: both belong to"
        " one resistance.",
    )
    # Temperature. JK rows 12 to 19; a discharge low limit is bmsd's own.
    charge_otp_decic: int = _row(
        "temperature", CELSIUS, 200, 800, Preset(550, 550, 600, 600, 600),
        "Charge over-temperature: the warmest battery sensor above this stops charging.",
    )
    charge_otpr_decic: int = _row(
        "temperature", CELSIUS, 150, 780, Preset(500, 500, 550, 550, 550),
        "Charge over-temperature recovery.",
    )
    charge_utp_decic: int = _row(
        "temperature", CELSIUS, -400, 200, Preset(0, 0, -200, None, -200),
        "Charge low temperature: the coldest battery sensor below this stops charging and asks"
        " for heat.",
    )
    charge_utpr_decic: int = _row(
        "temperature", CELSIUS, -380, 250, Preset(50, 50, -100, None, -100),
        "Charge low temperature recovery: heat ends, then charging returns.",
    )
    discharge_otp_decic: int = _row(
        "temperature", CELSIUS, 200, 800, 600,
        "Discharge over-temperature: the warmest battery sensor above this stops discharging.",
    )
    discharge_otpr_decic: int = _row(
        "temperature", CELSIUS, 150, 780, 550, "Discharge over-temperature recovery.",
    )
    discharge_utp_decic: int = _row(
        "temperature", CELSIUS, -400, 200, Preset(-200, -200, -300, -400, -400),
        "Discharge low temperature; with the preset jk-compatible the sensor's end.",
    )
    discharge_utpr_decic: int = _row(
        "temperature", CELSIUS, -380, 250, Preset(-100, -100, -200, -380, -380),
        "Discharge low temperature recovery.",
    )
    switch_otp_decic: int = _row(
        "temperature", CELSIUS, 400, 1000, 750,
        "Switch over-temperature: the contactor or MOSFET board above this stops everything.",
    )
    switch_otpr_decic: int = _row(
        "temperature", CELSIUS, 300, 980, 650, "Switch over-temperature recovery.",
    )
    temperature_delay_ms: int = _row(
        "temperature", SECOND, 0, 60_000, 2000,
        "How long a temperature must be outside its limit.",
    )
    temperature_spread_decik: int = _row(
        "temperature", KELVIN, 20, 500, 200,
        "Warn when two battery sensors are further apart: one of them has drifted or fallen off, or"
        " a part of the pack is in trouble.",
    )
    temperature_spread_release_decik: int = _row(
        "temperature", KELVIN, 10, 490, 150, "Difference of the sensors below which the warning ends.",
    )
    temperature_spread_delay_ms: int = _row(
        "temperature", SECOND, 0, 3_600_000, 60_000, "How long they must be too far apart.",
    )
    # Balancing. JK row 5; the start voltage is a suggestion, no manual gives one.
    balance_start_mv: int = _row(
        "balance", VOLT, 1200, 4350, Preset(3400, 4000, 2500),
        "Balance start: only cells above this are balanced.",
    )
    balance_trigger_mv: int = _row(
        "balance", VOLT, 2, 1000, 10,
        "Balance trigger: balance while the spread is above this; 5 mV by default above 50 Ah.",
        large_pack=Preset(5, 5, 10),
    )
    # Heater. Limits of JK document B; the rest is bmsd's own.
    heater_max_ma: int = _row(
        "heater", AMPERE, 100, 3000, 3000, "Largest heater current.",
    )
    heater_max_mw: int = _row(
        "heater", WATT, 1000, 200_000, 200_000,
        "Largest heater power; packs of up to 8 cells are held to 100 W whatever stands here.",
    )
    heater_max_run_ms: int = _row(
        "heater", SECOND, 60_000, 43_200_000, 21_600_000,
        "Longest run of the heater without a rest.",
    )
    heater_rest_ms: int = _row(
        "heater", SECOND, 60_000, 86_400_000, 3_600_000, "Rest after a longest run.",
    )
    heater_min_off_ms: int = _row(
        "heater", SECOND, 0, 600_000, 30_000, "Shortest time between two runs of the heater.",
    )
    heater_min_soc_permille: int = _row(
        "heater", PERCENT, 0, 1000, 200,
        "A heater fed from the pack stays off below this state of charge, unless a charger pays for it.",
    )
    heater_watch_ms: int = _row(
        "heater", SECOND, 300_000, 14_400_000, 2_700_000,
        "The watcher wants to see the pack warm within this time of heating.",
    )
    heater_watch_rise_decik: int = _row(
        "heater", KELVIN, 2, 50, 5, "By how much it must have warmed in that time.",
    )
    charger_detect_mv: int = _row(
        "heater", VOLT, 10, 700, 25,
        "A charger counts as present when its side is this much above the pack, or when it charges; where charge"
        " is cut without an auxiliary contact, this far apart proves it. By default 25 mV per cell: more than"
        " calibrated pins of a front end err.", per_cell=True,
    )
    # Contactors. All bmsd's own.
    contactor_min_off_ms: int = _row(
        "contactor", SECOND, 500, 600_000, 5000, "Shortest time a contactor stays open.",
    )
    contactor_operations_per_hour: int = _row(
        "contactor", COUNT, 2, 600, 30,
        "Closings of one contactor per hour; more waits for the hour to pass.",
    )
    contactor_settle_ms: int = _row(
        "contactor", SECOND, 50, 2000, 500,
        "How long a contactor may take to follow before it counts as stuck.",
    )
    precharge_permille: int = _row(
        "contactor", PERCENT, 800, 995, 950,
        "Share of the pack voltage that the load side must reach before the contactor closes; it must not stand further"
        " above the pack than that is below.",
    )
    precharge_timeout_ms: int = _row(
        "contactor", SECOND, 500, 30_000, 10_000, "How long one pre-charge may take.",
    )
    precharge_tries: int = _row(
        "contactor", COUNT, 1, 10, 3, "Pre-charge attempts before an operator must look.",
    )
    precharge_rest_ms: int = _row(
        "contactor", SECOND, 1000, 600_000, 10_000,
        "Rest between two attempts; the resistor must cool.",
    )
    opening_wait_ms: int = _row(
        "contactor", SECOND, 0, 5000, 1000,
        "How long a contactor that must open waits at most for the inverter to take its current back, where"
        " the alarm leaves so much time; 0 opens at once.",
    )
    opening_current_ma: int = _row(
        "contactor", AMPERE, 100, 50_000, 2000,
        "Below this current the contactor that waits to open does not wait any longer.",
    )
    weld_current_ma: int = _row(
        "contactor", AMPERE, 200, 50_000, 2000,
        "A current above this while everything is commanded open means a welded contactor; more than what hangs on"
        " the pack before the contactors.",
    )
    contact_proof_ms: int = _row(
        "contactor", SECOND, 1000, 60_000, 5000,
        "How long current or voltage must speak against a contactor before it counts as welded or as not closing.",
    )
    bus_hold_ms: int = _row(
        "contactor", SECOND, 60_000, 86_400_000, 600_000,
        "How long the load side may keep its voltage with everything off, without falling, before a warning tells that"
        " a relay or a contactor may be welded; longer than its capacitors hold it.",
    )
    contactor_life_closings: int = _row(
        "contactor", COUNT, 100, 10_000_000, 100_000,
        "Closings of a contactor's service life; at this count a warning asks for a new one. After a change raise it"
        " by the count reached.",
    )
    forbidden_charge_ma: int = _row(
        "contactor", AMPERE, 20, 100_000, 20,
        "Topology common: a charge current above this while charging is forbidden opens the contactor. In every"
        " topology no heat beside more. By default 2 % of over-current.", share_of="charge_ocp_ma",
    )
    forbidden_discharge_ma: int = _row(
        "contactor", AMPERE, 20, 100_000, 20,
        "Topology common: a discharge current above this while discharging is forbidden opens the contactor; by"
        " default 2 % of over-current.", share_of="discharge_ocp_ma",
    )
    forbidden_flow_ms: int = _row(
        "contactor", SECOND, 0, 30_000, 5000,
        "Topology common: how long a forbidden current may flow after the inverter was told zero; longer just after,"
        " where its protocol is known to need it.",
    )
    forbidden_flow_release_ms: int = _row(
        "contactor", SECOND, 60_000, 3_600_000, 300_000,
        "Topology common: how long the contactor then stays open before it is tried again; twice as long each time in a"
        " row, up to an hour.",
    )
    # Limits told to the inverter. Starting values after the projects named in docs/ARCHITECTURE.md.
    cell_charge_mv: int = _row(
        "limits", VOLT, 1200, 4350, Preset(3450, 4120, 2550),
        "Charge voltage per cell told to the inverter (CVL).",
    )
    cell_discharge_mv: int = _row(
        "limits", VOLT, 1200, 4350, Preset(3000, 3200, 2000),
        "Lowest voltage per cell told to the inverter (DVL).",
    )
    charge_max_ma: int = _row(
        "limits", AMPERE, 0, 1_000_000, 900,
        "Largest charge current told to the inverter (CCL); by default 90 % of over-current.",
        share_of="charge_ocp_ma",
    )
    discharge_max_ma: int = _row(
        "limits", AMPERE, 0, 1_000_000, 900,
        "Largest discharge current told to the inverter (DCL); by default 90 % of over-current.",
        share_of="discharge_ocp_ma",
    )
    charge_taper_mv: int = _row(
        "limits", VOLT, 10, 500, Preset(150, 100, 150),
        "CCL falls over this much below cell over-voltage, by the highest cell, to zero 20 mV before it; by default it"
        " begins near the charge voltage, for not every inverter lowers its current there by itself.",
    )
    discharge_taper_mv: int = _row(
        "limits", VOLT, 10, 500, 200,
        "DCL falls to zero over this much above cell under-voltage, by the lowest cell.",
    )
    charge_cold_taper_decik: int = _row(
        "limits", KELVIN, 0, 500, Preset(100, 100, 100, 0, 0, 0),
        "CCL falls over this much above charge low temperature, by the coldest sensor: cells take charge slowly in"
        " the cold; 0: not.",
    )
    charge_hot_taper_decik: int = _row(
        "limits", KELVIN, 0, 500, Preset(100, 100, 100, 0, 0, 0),
        "CCL falls over this much below charge over-temperature, by the warmest sensor, so that the pack warms no"
        " further; 0: not.",
    )
    discharge_cold_taper_decik: int = _row(
        "limits", KELVIN, 0, 500, Preset(200, 200, 200, 0, 0, 0),
        "DCL falls over this much above discharge low temperature: cold cells sag; 0: not.",
    )
    discharge_hot_taper_decik: int = _row(
        "limits", KELVIN, 0, 500, Preset(100, 100, 100, 0, 0, 0),
        "DCL falls over this much below discharge over-temperature; 0: not.",
    )
    charge_soc_taper_permille: int = _row(
        "limits", PERCENT, 0, 500, 0,
        "CCL falls over this much below 100 % state of charge; 0: not, for the highest cell knows better what still"
        " fits in than a count does.",
    )
    discharge_soc_taper_permille: int = _row(
        "limits", PERCENT, 0, 500, 0,
        "DCL falls over this much above 0 % state of charge; 0: not, for the lowest cell knows better.",
    )
    taper_least_permille: int = _row(
        "limits", PERCENT, 20, 1000, 100,
        "Share of the largest current that is left where a taper by temperature or state of charge ends; only the"
        " protection itself forbids.",
    )
    limit_hold_ms: int = _row(
        "limits", SECOND, 0, 600_000, 30_000,
        "How long CCL or DCL stays where it is after it was lowered, before it rises again; lowering never waits.",
    )
    limit_hold_voltage_ms: int = _row(
        "limits", SECOND, 0, 3_600_000, 300_000,
        "The same for CVL and DVL; longer, for an inverter that works in coarse steps answers with its whole current.",
    )
    limit_rise_permille: int = _row(
        "limits", PERCENT, 10, 10_000, 100,
        "How much of the largest current CCL and DCL rise per second, also from zero when a permission returns.",
    )
    limit_rise_mv: int = _row(
        "limits", VOLT, 1, 1000, 4,
        "How much CVL rises per minute after it was lowered, and falls per minute when a charge ends; DVL likewise."
        " Slow, for inverters take half a minute to follow.", per_cell=True,
    )
    absorption_least_ms: int = _row(
        "limits", SECOND, 0, 21_600_000, 900_000,
        "How long the pack is at least held at charge voltage before a charge is over, which gives balancing time ...",
    )
    absorption_most_ms: int = _row(
        "limits", SECOND, 60_000, 86_400_000, 7_200_000,
        "... and how long at most, when the current does not fall below the share that means full.",
    )
    float_charge: int = _row(
        "limits", COUNT, 0, 1, Preset(0, 0, 0, 1, 1, 1),
        "After a charge 0: rest, with little current until the pack is to be charged again, because lithium cells need"
        " no float and age faster when they are kept full; 1: float, kept full with whole current (JK's float mode).",
    )
    float_below_mv: int = _row(
        "limits", VOLT, 5, 500, Preset(75, 70, 100),
        "How far below the charge voltage CVL then stands, per cell: neither charge nor discharge of a full pack, so"
        " that the sun still serves the house (JK's RFV is the charge voltage, RCV, less this).",
    )
    rest_permille: int = _row(
        "limits", PERCENT, 20, 1000, 50,
        "Share of the largest current that CCL leaves at rest; not zero, which stops the whole inverter of some makes.",
    )
    recharge_permille: int = _row(
        "limits", PERCENT, 500, 990, 950,
        "A new charge begins when the state of charge is below this ...",
    )
    recharge_below_mv: int = _row(
        "limits", VOLT, 10, 1000, Preset(150, 170, 250),
        "... or the lowest cell this much below the charge voltage for a minute.",
    )
    full_charge_permille: int = _row(
        "limits", PERCENT, 500, 990, 970,
        "Ask the inverter for a full charge when the state of charge did not reach this ...",
    )
    full_charge_after_h: int = _row(
        "limits", HOUR, 0, 8760, 720,
        "... for so many hours of service, because only a full pack shows its true charge and is balanced; 0: never.",
    )
    limit_tolerance_ma: int = _row(
        "limits", AMPERE, 50, 100_000, 50,
        "Current beyond what was told, or past an open contactor, that is no fault: inverters and"
        " shunts are not exact; by default 5 % of charge over-current.",
        share_of="charge_ocp_ma",
    )
    limit_tolerance_mv: int = _row(
        "limits", VOLT, 5, 200, 30,
        "Voltage above the charge voltage told (CVL) that is no fault, while it charges.", per_cell=True,
    )
    limit_react_ms: int = _row(
        "limits", SECOND, 1000, 120_000, 10_000,
        "Time an inverter is given to follow a new limit before it is held to it.",
    )
    limit_ignored_delay_ms: int = _row(
        "limits", SECOND, 1000, 600_000, 20_000,
        "How long a limit must be exceeded until a warning says so.",
    )
    charge_enforce_delay_ms: int = _row(
        "limits", SECOND, 2000, 3_600_000, 60_000,
        "How long the charge limits must be exceeded until the charge contactor opens.",
    )
    discharge_enforce_delay_ms: int = _row(
        "limits", SECOND, 2000, 3_600_000, 300_000,
        "How long the discharge limit must be exceeded until the discharge contactor opens.",
    )
    limit_enforce_release_ms: int = _row(
        "limits", SECOND, 2000, 3_600_000, 600_000,
        "How long a contactor then stays open; both do after current past an open one.",
    )
    # State of charge. Anchors after the common practice of coulomb counters.
    soc_full_mv: int = _row(
        "soc", VOLT, 1200, 4350, Preset(3430, 4100, 2530),
        "Full: the highest cell at or above this ...",
    )
    soc_full_tail_permille: int = _row(
        "soc", PERCENT, 5, 300, 50,
        "... while charging with less than this share of the capacity per hour ...",
    )
    soc_full_time_ms: int = _row(
        "soc", SECOND, 1000, 1_800_000, 120_000,
        "... for this long; or, where the current comes and goes, within 20 mV of it and with as little on average, for"
        " five times as long.",
    )
    soc_empty_mv: int = _row(
        "soc", VOLT, 1200, 4350, Preset(2750, 3000, 1900),
        "Empty: the lowest cell at or below this, not in the cold ...",
    )
    soc_empty_time_ms: int = _row(
        "soc", SECOND, 1000, 1_800_000, 60_000, "... for this long.",
    )
    # Signals.
    buzzer: int = _row(
        "signals", COUNT, 0, 1, 1,
        "1: the buzzer sounds for alarms; 0: only while an emergency override is in force.",
    )
    # The cycle itself.
    period_ms: int = _row("cycle", SECOND, 100, 1000, 250, "Control period.")
    value_max_age_ms: int = _row(
        "cycle", SECOND, 200, 5000, 1000,
        "A value older than this is unknown: charging and discharging that depend on it stop.",
    )
    unknown_grace_ms: int = _row(
        "cycle", SECOND, 0, 30_000, 2000, "An unknown value becomes an alarm after this long.",
    )
    start_good_cycles: int = _row(
        "cycle", COUNT, 2, 100, 8, "Complete good cycles before anything closes after a start.",
    )
    recovery_ms: int = _row(
        "cycle", SECOND, 1000, 600_000, 10_000,
        "How long a lost sensor, chip or output must be good again before its alarm ends.",
    )
    # The lower end: warn, ask for charge, save what is left. All bmsd's own but for JK's sleep (document D).
    cell_low_margin_mv: int = _row(
        "reserve", VOLT, 0, 500, Preset(100, 100, 50),
        "Warn, and ask the inverter for charge, when the lowest cell is less than this above under-voltage;"
        " it ends at under-voltage recovery.",
    )
    force_charge_permille: int = _row(
        "reserve", PERCENT, 0, 500, 50,
        "Ask the inverter for charge below this state of charge ...; 0: only when a cell is low.",
    )
    force_charge_end_permille: int = _row(
        "reserve", PERCENT, 20, 800, 100, "... until it has reached this.",
    )
    force_charge_least_ms: int = _row(
        "reserve", SECOND, 0, 43_200_000, 1_800_000,
        "How long a request for charge lasts at least, so that charger and load do not take turns ...",
    )
    force_charge_least_permille: int = _row(
        "reserve", PERCENT, 0, 500, 150,
        "... and how much must have arrived since the pack was lowest, before it ends and an empty pack may be"
        " discharged again.",
    )
    inverter_idle_mw: int = _row(
        "reserve", WATT, 0, 20_000, 2500,
        "What the inverter takes from the pack for itself while it gives nothing; by default 2.5 W for each cell, 40 W"
        " for 16. Enough of the pack is kept for it, up to 20 %: below that discharging is held back.", per_cell=True,
    )
    reserve_h: int = _row(
        "reserve", HOUR, 0, 72, 12, "For how many hours that is kept: a night; 0: nothing is kept.",
    )
    shutdown_after_ms: int = _row(
        "reserve", SECOND, 10_000, 86_400_000, 600_000,
        "How long the pack may stay at shutdown voltage without charge before it shuts itself down.",
    )
    sleep_after_h: int = _row(
        "sleep", HOUR, 0, 1000, Preset(0, 0, 0, 26, 26, 26),
        "Sleep after so many hours with less than the sleep current; 0: never.",
    )
    sleep_current_ma: int = _row(
        "sleep", AMPERE, 100, 10_000, 1000, "A current below this, either way, is nobody using the pack.",
    )
    sleep_contactors: int = _row(
        "sleep", COUNT, 0, 1, 0,
        "What sleep does with the contactors: 0 keeps them as they are, 1 opens them: the house goes dark.",
    )
    sleep_period_ms: int = _row(
        "sleep", SECOND, 250, 1000, 500,
        "Control period asleep. A watchdog relay on the heartbeat must bear twice as much from edge to edge.",
    )
    # fmt: on

    def get(self, name: str) -> int:
        """Read one parameter by its inside name."""
        value: int = getattr(self, name)
        return value


ROWS: tuple[ParameterRow, ...] = tuple(ParameterRow(f.name, *f.metadata["row"][1:]) for f in fields(Parameters))
BY_NAME = {row.name: row for row in ROWS}
BY_PUBLIC_NAME = {row.public_name: row for row in ROWS}


@dataclass(frozen=True, slots=True)
class ParameterOrder:
    """A rule between two parameters: `lower` plus `gap` must not exceed `higher`."""

    lower: str
    higher: str
    gap: int


# S8. Gaps are the measuring error: 5 mV for cells, 2 K for temperatures (JK manuals, accuracy).
ORDERS: tuple[ParameterOrder, ...] = (
    ParameterOrder("cell_floor_mv", "cell_shutdown_mv", 5),
    ParameterOrder("cell_shutdown_mv", "cell_uvp_mv", 5),
    ParameterOrder("cell_uvp_mv", "cell_uvpr_mv", 5),
    ParameterOrder("cell_uvpr_mv", "cell_ovpr_mv", 5),
    ParameterOrder("cell_ovpr_mv", "cell_ovp_mv", 5),
    ParameterOrder("cell_charge_mv", "cell_ovp_mv", 5),
    ParameterOrder("cell_uvp_mv", "cell_discharge_mv", 5),
    ParameterOrder("cell_discharge_mv", "cell_charge_mv", 5),
    ParameterOrder("cell_spread_release_mv", "cell_spread_mv", 5),
    ParameterOrder("soc_full_mv", "cell_charge_mv", 0),
    ParameterOrder("cell_shutdown_mv", "soc_empty_mv", 0),
    ParameterOrder("soc_empty_mv", "soc_full_mv", 5),
    ParameterOrder("pack_uvp_mv", "pack_uvpr_mv", 5),
    ParameterOrder("pack_uvpr_mv", "pack_ovpr_mv", 5),
    ParameterOrder("pack_ovpr_mv", "pack_ovp_mv", 5),
    ParameterOrder("stack_error_mv", "stack_mismatch_mv", 0),
    ParameterOrder("charge_ocp_ma", "charge_ocp2_ma", 0),
    ParameterOrder("discharge_ocp_ma", "discharge_ocp2_ma", 0),
    ParameterOrder("discharge_ocp2_ma", "short_circuit_ma", 0),
    ParameterOrder("charge_max_ma", "charge_ocp_ma", 0),
    ParameterOrder("discharge_max_ma", "discharge_ocp_ma", 0),
    ParameterOrder("charge_utp_decic", "charge_utpr_decic", 20),
    ParameterOrder("charge_utpr_decic", "charge_otpr_decic", 20),
    ParameterOrder("charge_otpr_decic", "charge_otp_decic", 20),
    ParameterOrder("discharge_utp_decic", "discharge_utpr_decic", 20),
    ParameterOrder("discharge_utpr_decic", "discharge_otpr_decic", 20),
    ParameterOrder("discharge_otpr_decic", "discharge_otp_decic", 20),
    ParameterOrder("switch_otpr_decic", "switch_otp_decic", 50),
    ParameterOrder("temperature_spread_release_decik", "temperature_spread_decik", 5),
    ParameterOrder("limit_ignored_delay_ms", "charge_enforce_delay_ms", 0),
    ParameterOrder("limit_ignored_delay_ms", "discharge_enforce_delay_ms", 0),
    ParameterOrder("period_ms", "value_max_age_ms", 0),
    ParameterOrder("heater_watch_ms", "heater_max_run_ms", 0),
    ParameterOrder("precharge_tries", "contactor_operations_per_hour", 0),
    ParameterOrder("forbidden_charge_ma", "charge_ocp_ma", 0),
    ParameterOrder("forbidden_discharge_ma", "discharge_ocp_ma", 0),
    ParameterOrder("force_charge_permille", "force_charge_end_permille", 20),
    ParameterOrder("force_charge_end_permille", "recharge_permille", 0),
    ParameterOrder("absorption_least_ms", "absorption_most_ms", 0),
    ParameterOrder("float_below_mv", "recharge_below_mv", 5),
)


def defaults(
    chemistry: str, preset: str, cells: int, chosen: Mapping[str, int], capacity_mah: int = 0
) -> dict[str, int | None]:
    """Fill a set from presets around the values an installer chose; None where he must choose."""
    values: dict[str, int | None] = {}
    for row in ROWS:
        own = chosen.get(row.name)
        values[row.name] = _preset(row, chemistry, preset, cells, capacity_mah) if own is None else own
    for row in ROWS:
        if row.share_of and row.name not in chosen:
            base, share = values[row.share_of], values[row.name]
            values[row.name] = None if base is None or share is None else base * share // 1000
    return values


def _preset(row: ParameterRow, chemistry: str, preset: str, cells: int, capacity_mah: int) -> int | None:
    column = row.preset
    if row.large_pack is not None and preset == "default" and capacity_mah > LARGE_PACK_MAH:
        column = row.large_pack
    value = column.value(chemistry, preset)
    return value * cells if value is not None and row.per_cell else value


def problems(
    values: Mapping[str, int | None], cells: int, written: Container[str] = ()
) -> dict[str, str]:
    """List what is wrong with a set, by parameter name: missing, out of range, or out of order (S8).

    A crossing of two limits goes to the one in `written`, which somebody chose; else to the lower.
    """
    return by_name(faults(values, cells), written)


def faults(values: Mapping[str, int | None], cells: int) -> Iterator[Fault]:
    """Give every broken rule of range and order."""
    for row in ROWS:
        if text := range_problem(row, values[row.name], cells):
            yield Fault("range", (row.name,), text)
    for order in ORDERS:
        yield from _order_fault(order, values)


def range_problem(row: ParameterRow, value: int | None, cells: int) -> str:
    """Say what is wrong with one value by itself; empty when it is good."""
    low, high = row.bounds(cells)
    if value is not None and low <= value <= high:
        return ""
    allowed = f"{row.unit.text(low)} to {row.unit.text(high)}"
    if value is None:
        # A share that is missing follows from a base that is missing, which is told there.
        return "" if row.share_of else f"{row.public_name} is missing: choose {allowed}. {row.help}"
    return f"{row.public_name} is {row.unit.text(value)}, allowed {allowed}"


def _order_fault(order: ParameterOrder, values: Mapping[str, int | None]) -> Iterator[Fault]:
    lower, higher = values[order.lower], values[order.higher]
    if lower is None or higher is None or lower + order.gap <= higher:
        return
    low, high = BY_NAME[order.lower], BY_NAME[order.higher]
    rule = f"must be at least {low.unit.text(order.gap)} below" if order.gap else "must not be above"
    yield Fault(
        "order",
        (order.lower, order.higher),
        f"{low.public_name} ({low.unit.text(lower)}) {rule} {high.public_name} ({high.unit.text(higher)})",
        ": lower the first or raise the second",
    )


def build(values: Mapping[str, int | None], cells: int) -> Parameters:
    """Make a checked set; raise ParameterError with every problem found (S8)."""
    found = problems(values, cells)
    if found:
        raise ParameterError(list(found.values()))
    return Parameters(**values)  # type: ignore[arg-type]


def changed(current: Parameters, changes: Mapping[str, int], cells: int) -> Parameters:
    """Apply changes as one set, all or nothing (S8); raise ParameterError and change nothing."""
    unknown = [name for name in changes if name not in BY_NAME]
    if unknown:
        raise ParameterError([f"no parameter is called {name}" for name in unknown])
    values: dict[str, int | None] = {row.name: current.get(row.name) for row in ROWS}
    found = problems({**values, **changes}, cells)
    if found:
        raise ParameterError(list(found.values()))
    return replace(current, **dict(changes))
