"""AfeSettings turned into BQ769x2 data memory: which row gets which value, and what that really is.

The settings are the chip's backstop behind the daemon's own limits, so a value between two steps goes
to the step further away from those limits: over-limits and delays up, under-limits down. The margin
between daemon and chip is never eaten by rounding. What a chip cannot do is a ValueError (TI SLUUBY2B).
"""

from __future__ import annotations

from dataclasses import dataclass

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.bq769x2_fixed import (
    CONTACTOR_ROWS,
    FIXED,
    OWN_FET_ROWS,
    THERMISTOR_CELL,
    THERMISTOR_SWITCH,
)
from bmsd.afe.bq769x2_registers import BLOCK, MemoryRow
from bmsd.core.types import AfeSettings
from bmsd.errors import Unfit, UnfitError

SCD_MV = (10, 20, 40, 60, 80, 100, 125, 150, 175, 200, 250, 300, 350, 400, 450, 500)
"""Short-circuit thresholds across the shunt by index (data-sheet section on SCD)."""

CC_GAIN_1_MOHM = 7.4768
"""CC Gain of a 1 mΩ shunt. The register default; another formula in the TRM gives 7.5684."""

CAPACITY_PER_CC_GAIN = 298261.6178

_TEN_MA_LIMIT_MA = 300_000
"""Above this the 16-bit current register needs 100 mA units: ±327 A less room to see a fault."""


@dataclass(frozen=True, slots=True)
class MemorySetting:
    """One row with its raw value; `field` and `real` say what it means in AfeSettings' own unit."""

    row: MemoryRow
    value: float
    field: str = ""
    real: int = 0


@dataclass(frozen=True, slots=True)
class MemoryBlock:
    """Settings at neighbouring addresses, written in one go."""

    address: int
    data: bytes
    names: str


def user_unit_ma(settings: AfeSettings) -> int:
    """Choose the unit of the chip's current register: 10 mA, or 100 mA for packs beyond ±300 A.

    A short circuit may saturate the register: the chip's comparator trips on the shunt voltage itself.
    """
    largest_ma = max(settings.charge_over_ma, settings.discharge_over_ma)
    if largest_ma > 10 * _TEN_MA_LIMIT_MA:
        raise ValueError(
            f"over-current limit {largest_ma} mA: the current register ends at "
            f"{10 * _TEN_MA_LIMIT_MA} mA; lower the limit"
        )
    return 10 if largest_ma <= _TEN_MA_LIMIT_MA else 100


def data_memory(settings: AfeSettings, inputs: tuple[int, ...]) -> tuple[MemorySetting, ...]:
    """List every row this driver sets, in order of address.

    `inputs` are the chip's cell inputs with a cell on them, counted from 0.
    Raises UnfitError naming every value that the chip cannot express.
    """
    switches = OWN_FET_ROWS if settings.own_fets else CONTACTOR_ROWS
    rows = [MemorySetting(row, value) for row, value in (*FIXED, *switches)]
    rows += [*_thermistors(settings), *_acquisition(settings, inputs)]
    unfit: list[Unfit] = []
    for group in (
        _over_voltage,
        _under_voltage,
        _charge_current,
        _discharge_current,
        _short_circuit,
        _temperatures,
        _switch_temperature,
        _watchdog,
    ):
        try:
            rows += group(settings)
        except UnfitError as error:
            unfit += error.unfit
    if unfit:
        raise UnfitError(unfit)
    return tuple(sorted(rows, key=lambda setting: setting.row.address))


def programmed(settings: tuple[MemorySetting, ...]) -> dict[str, int]:
    """Tell what the chip will really do, by the names and in the units of AfeSettings."""
    return {setting.field: setting.real for setting in settings if setting.field}


def blocks(settings: tuple[MemorySetting, ...]) -> tuple[MemoryBlock, ...]:
    """Join rows at neighbouring addresses into writes of at most 32 bytes, no row split."""
    found: list[MemoryBlock] = []
    for setting in settings:
        data = setting.row.pack(setting.value)
        last = found[-1] if found else None
        if (
            last is not None
            and setting.row.address == last.address + len(last.data)
            and len(last.data) + len(data) <= BLOCK
        ):
            found[-1] = MemoryBlock(last.address, last.data + data, f"{last.names}, {setting.row.name}")
        else:
            found.append(MemoryBlock(setting.row.address, data, setting.row.name))
    return tuple(found)


def _thermistors(settings: AfeSettings) -> list[MemorySetting]:
    """Set up the pins with an NTC: battery on TS1 and TS2, switches on TS3."""
    if settings.thermistors not in (1, 2):
        raise ValueError(
            f"{settings.thermistors} battery thermistors: the chip has inputs for 1 or 2 (TS1, TS2)"
        )
    return [
        MemorySetting(reg.TS1_CONFIG, THERMISTOR_CELL, "thermistors", settings.thermistors),
        MemorySetting(reg.TS2_CONFIG, THERMISTOR_CELL if settings.thermistors == 2 else 0),
        MemorySetting(reg.TS3_CONFIG, THERMISTOR_SWITCH),
    ]


def _acquisition(settings: AfeSettings, inputs: tuple[int, ...]) -> list[MemorySetting]:
    """Scale current to the shunt and name the inputs in use (Vcell Mode)."""
    if not 10 <= settings.shunt_uohm <= 100_000:
        raise ValueError(f"shunt {settings.shunt_uohm} µΩ: the chip can do 10 to 100000 µΩ")
    gain = CC_GAIN_1_MOHM * 1000 / settings.shunt_uohm
    unit_bits = 2 if user_unit_ma(settings) == 10 else 3
    return [
        MemorySetting(reg.CC_GAIN, gain, "shunt_uohm", settings.shunt_uohm),
        MemorySetting(reg.CAPACITY_GAIN, gain * CAPACITY_PER_CC_GAIN),
        MemorySetting(reg.DA_CONFIG, 0x04 | unit_bits),
        MemorySetting(reg.VCELL_MODE, sum(1 << number for number in inputs), "cells", len(inputs)),
    ]


def _over_voltage(settings: AfeSettings) -> list[MemorySetting]:
    """Set cell over-voltage: 50.6 mV steps, delays of 3.3·(n+2) ms."""
    over = -(-settings.cell_over_mv * 10 // 506)
    _check("cell_over_mv", "cell over-voltage", settings.cell_over_mv, "mV", over, (20, 1012), (110, 5566))
    return [
        MemorySetting(reg.COV_THRESHOLD, over, "cell_over_mv", over * 506 // 10),
        _delay(reg.COV_DELAY, "cell_over_delay_ms", settings.cell_over_delay_ms, 2047),
    ]


def _under_voltage(settings: AfeSettings) -> list[MemorySetting]:
    """Set cell under-voltage, in the same steps."""
    under = settings.cell_under_mv * 10 // 506
    _check("cell_under_mv", "cell under-voltage", settings.cell_under_mv, "mV", under, (20, 1012), (90, 4554))
    return [
        MemorySetting(reg.CUV_THRESHOLD, under, "cell_under_mv", under * 506 // 10),
        _delay(reg.CUV_DELAY, "cell_under_delay_ms", settings.cell_under_delay_ms, 2047),
    ]


def _charge_current(settings: AfeSettings) -> list[MemorySetting]:
    """Set charge over-current: 2 mV steps across the shunt."""
    steps = _current_steps("charge_over_ma", "charge over-current", settings.charge_over_ma, settings, 62)
    return [
        MemorySetting(reg.OCC_THRESHOLD, steps, "charge_over_ma", _current_ma(2 * steps, settings)),
        _delay(reg.OCC_DELAY, "charge_over_delay_ms", settings.charge_over_delay_ms, 127),
    ]


def _discharge_current(settings: AfeSettings) -> list[MemorySetting]:
    """Set discharge over-current. OCD2 doubles OCD1, two comparators for one."""
    steps = _current_steps(
        "discharge_over_ma", "discharge over-current", settings.discharge_over_ma, settings, 100
    )
    delay_ms = settings.discharge_over_delay_ms
    return [
        MemorySetting(reg.OCD1_THRESHOLD, steps, "discharge_over_ma", _current_ma(2 * steps, settings)),
        _delay(reg.OCD1_DELAY, "discharge_over_delay_ms", delay_ms, 127),
        MemorySetting(reg.OCD2_THRESHOLD, steps),
        MemorySetting(reg.OCD2_DELAY, _delay(reg.OCD2_DELAY, "discharge_over_delay_ms", delay_ms, 127).value),
    ]


def _short_circuit(settings: AfeSettings) -> list[MemorySetting]:
    """Set the short-circuit comparator: the next of sixteen steps, delay in 15 µs steps."""
    wanted_ma, delay_us = settings.short_circuit_ma, settings.short_circuit_delay_us
    reachable = [
        index
        for index, shunt_mv in enumerate(SCD_MV)
        if shunt_mv * 1_000_000 >= wanted_ma * settings.shunt_uohm
    ]
    lowest_ma, highest_ma = _current_ma(SCD_MV[0], settings), _current_ma(SCD_MV[-1], settings)
    if not reachable or wanted_ma < lowest_ma:
        text = (
            f"short circuit {wanted_ma} mA: with a {settings.shunt_uohm} µΩ shunt the chip can do "
            f"{lowest_ma} to {highest_ma} mA; change the limit or the shunt"
        )
        raise UnfitError([Unfit("short_circuit_ma", "short circuit", wanted_ma, lowest_ma, highest_ma, text)])
    steps = -(-delay_us // 15) + 1
    if delay_us < 0 or steps > 31:
        text = f"short-circuit delay {delay_us} µs: the chip can do 0 to 450 µs"
        raise UnfitError([Unfit("short_circuit_delay_us", "short-circuit delay", delay_us, 0, 450, text)])
    index = reachable[0]
    return [
        MemorySetting(reg.SCD_THRESHOLD, index, "short_circuit_ma", _current_ma(SCD_MV[index], settings)),
        MemorySetting(reg.SCD_DELAY, steps, "short_circuit_delay_us", (steps - 1) * 15),
    ]


def _temperatures(settings: AfeSettings) -> list[MemorySetting]:
    """Set the battery's temperature limits in whole degrees, recovery 5 °C inside, delay 2 s."""
    over_c, under_c = -(-settings.charge_over_decic // 10), settings.charge_under_decic // 10
    hot_c, cold_c = -(-settings.discharge_over_decic // 10), settings.discharge_under_decic // 10
    table = (
        ("charge_over_decic", over_c, -5, reg.OTC_THRESHOLD, reg.OTC_DELAY, reg.OTC_RECOVERY),
        ("charge_under_decic", under_c, 5, reg.UTC_THRESHOLD, reg.UTC_DELAY, reg.UTC_RECOVERY),
        ("discharge_over_decic", hot_c, -5, reg.OTD_THRESHOLD, reg.OTD_DELAY, reg.OTD_RECOVERY),
        ("discharge_under_decic", cold_c, 5, reg.UTD_THRESHOLD, reg.UTD_DELAY, reg.UTD_RECOVERY),
    )
    rows: list[MemorySetting] = []
    for field, limit_c, recovery_c, threshold, delay, recovery in table:
        wanted_decic: int = getattr(settings, field)
        _check(field, threshold.name, wanted_decic, "0.1 °C", limit_c, (-40, -400), (120, 1200))
        rows.append(MemorySetting(threshold, limit_c, field, limit_c * 10))
        rows.append(MemorySetting(delay, 2))
        rows.append(MemorySetting(recovery, min(120, max(-40, limit_c + recovery_c))))
    return rows


def _switch_temperature(settings: AfeSettings) -> list[MemorySetting]:
    """Set the switch board's limit in whole degrees, recovery 10 °C below."""
    limit_c = -(-settings.switch_over_decic // 10)
    _check(
        "switch_over_decic",
        "OTF Threshold",
        settings.switch_over_decic,
        "0.1 °C",
        limit_c,
        (10, 100),
        (150, 1500),
    )
    return [
        MemorySetting(reg.OTF_THRESHOLD, limit_c, "switch_over_decic", limit_c * 10),
        MemorySetting(reg.OTF_RECOVERY, limit_c - 10),
    ]


def _watchdog(settings: AfeSettings) -> list[MemorySetting]:
    """Set the host watchdog; 0 would switch it off, and with it the answer to a dead daemon (S5)."""
    seconds = settings.host_watchdog_s
    _check("host_watchdog_s", "host watchdog", seconds, "s", seconds, (1, 1), (65535, 65535))
    return [MemorySetting(reg.HWD_DELAY, seconds, "host_watchdog_s", seconds)]


def _current_ma(shunt_mv: int, settings: AfeSettings) -> int:
    return shunt_mv * 1_000_000 // settings.shunt_uohm


def _current_steps(field: str, what: str, value_ma: int, settings: AfeSettings, highest: int) -> int:
    steps = -(-value_ma * settings.shunt_uohm // 2_000_000)
    limits = (2, _current_ma(4, settings)), (highest, _current_ma(2 * highest, settings))
    _check(field, f"{what} with a {settings.shunt_uohm} µΩ shunt", value_ma, "mA", steps, *limits)
    return steps


def _delay(row: MemoryRow, field: str, value_ms: int, highest: int) -> MemorySetting:
    """Round a delay up to 3.3·(n+2) ms; n is at least 1 because 0 switches the protection off."""
    steps = max(1, -(-value_ms * 10 // 33) - 2) if value_ms >= 0 else 0
    _check(field, row.name, value_ms, "ms", steps, (1, 10), (highest, 33 * (highest + 2) // 10))
    return MemorySetting(row, steps, field, 33 * (steps + 2) // 10)


def _check(
    field: str, what: str, value: int, unit: str, steps: int, low: tuple[int, int], high: tuple[int, int]
) -> None:
    if low[0] <= steps <= high[0]:
        return
    most, limit = ("at least", low[1]) if steps < low[0] else ("at most", high[1])
    text = f"{what} {value} {unit}: the chip can do {low[1]} to {high[1]} {unit}; set {most} {limit} {unit}"
    raise UnfitError([Unfit(field, what, value, low[1], high[1], text)])
