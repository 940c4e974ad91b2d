"""The BQ769x2 settings that no limit of the pack bears on, with reasons where not the default.

Everything that protects is written, defaults too: what OTP or an earlier host left must not matter
(TI SLUUBY2B, chapter 13). The latch limits are 0: latching, with an operator's reset, is the daemon's.
"""

from __future__ import annotations

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.bq769x2_registers import MemoryRow
from bmsd.afe.contract import ChipFacts

FACTS = ChipFacts(
    first_scan_ms=70,  # one loop of 63 ms
    stale_ms=500,  # three loops take 189 ms
    resting_stale_ms=2500,  # asleep it measures once a second
    over_current_delay_ms=400,  # its longest is 425 ms
    longest_cell_delay_ms=6700,  # 2047 steps of 3.3 ms
    lowest_cell_mv=1012,  # 20 steps of 50.6 mV
    fet_follows_ms=500,  # it decides every 250 ms whether a FET may go on
)
"""TI SLUUBY2B, chapters 4, 5 and 7."""
ALARM_BITS = 0xF882
"""Alarm Enable: safety and permanent failures, FULLSCAN and ADSCAN; the scan bits prove freshness."""

THERMISTOR_CELL = 0x07
THERMISTOR_SWITCH = 0x0F
INTERLOCK_PIN = 0xAA
"""DCHG and DDSG: alternate function, driven high from REG1, active low: high means permitted."""

FET_OPTIONS = 0x2C
"""FET_INIT_OFF, FET_CTRL_EN, HOST_FET_EN: a chip that restarts permits nothing by itself.

SFET is off: its body-diode rule would permit charging again while discharging, and contactors have
no body diode.
"""
OWN_FET_OPTIONS = FET_OPTIONS | 0x01
"""With SFET, where the chip's own FETs lie in series: a FET that the chip itself switched off goes on again while
current flows the other way. PDSG_EN stays off: the chip would close onto whatever load when its time is over.
"""

FIXED: tuple[tuple[MemoryRow, int], ...] = (
    (reg.POWER_CONFIG, 0x2882),  # default without SLEEP: it comes on command, never by itself
    (reg.REG12_CONFIG, 0x0D),  # REG1 on at 3.3 V: the high level of DCHG and DDSG
    (reg.REG0_CONFIG, 0x01),  # pre-regulator of REG1
    (reg.HWD_REGULATOR, 0x00),  # the watchdog acts on the switches, not on the supply
    (reg.SLEEP_CURRENT, 500),  # with the contactors open nothing flows but noise
    (reg.VOLTAGE_TIME, 1),  # asleep the chip measures once a second, its shortest
    (reg.WAKE_CURRENT, 500),
    (reg.PROTECTION_CONFIG, 0x0002),
    (reg.ENABLED_A, 0xFC),  # SCD OCD2 OCD1 OCC COV CUV
    (reg.ENABLED_B, 0xF7),  # OTF OTINT OTD OTC UTINT UTD UTC
    (reg.ENABLED_C, 0x02),  # host watchdog
    (reg.CHG_FET_A, 0x98),
    (reg.CHG_FET_B, 0xD5),
    (reg.CHG_FET_C, 0x56),
    (reg.DSG_FET_A, 0xE4),
    (reg.DSG_FET_B, 0xE6),
    (reg.DSG_FET_C, 0xE2),
    (reg.ALARM_MASK, ALARM_BITS),
    (reg.CUV_HYSTERESIS, 2),
    (reg.COV_HYSTERESIS, 2),
    (reg.COVL_LATCH, 0),
    (reg.COVL_DECREMENT, 10),
    (reg.COVL_RECOVERY, 15),
    (reg.OCC_RECOVERY, 500),  # at about no current: an open contactor carries none to recover by
    (reg.OCD3_THRESHOLD, -32768),  # not enabled; out of reach if it were
    (reg.OCD3_DELAY, 255),
    (reg.OCD_RECOVERY, -3500),  # the same for discharging, beside a heater on the pack, which takes up to 3 A
    (reg.OCDL_LATCH, 0),
    (reg.OCDL_DECREMENT, 10),
    (reg.OCDL_RECOVERY, 15),
    (reg.OCDL_CURRENT, 200),
    (reg.SCD_RECOVERY, 5),
    (reg.SCDL_LATCH, 0),
    (reg.SCDL_DECREMENT, 10),
    (reg.SCDL_RECOVERY, 15),
    (reg.SCDL_CURRENT, 200),
    (reg.OTF_DELAY, 2),
    (reg.OTINT_THRESHOLD, 85),
    (reg.OTINT_DELAY, 2),
    (reg.OTINT_RECOVERY, 80),
    (reg.UTINT_THRESHOLD, -40),  # the chip's own range; a cold pack may still discharge
    (reg.UTINT_DELAY, 2),
    (reg.UTINT_RECOVERY, -35),
    (reg.RECOVERY_TIME, 3),
    (reg.OCC_PACK_TOS, 200),
    (reg.CFETOFF_PIN, 0),
    (reg.DFETOFF_PIN, 0),
    (reg.ALERT_PIN, 0),
    (reg.HDQ_PIN, 0),
    (reg.DCHG_PIN, INTERLOCK_PIN),
    (reg.DDSG_PIN, INTERLOCK_PIN),
    (reg.CC3_SAMPLES, 80),
    (reg.OPEN_WIRE_TIME, 5),
    (reg.BALANCING_CONFIG, 0),  # only on command
    (reg.BALANCE_MIN_T, -20),
    (reg.BALANCE_MAX_T, 60),
    (reg.BALANCE_MAX_INTERNAL, 70),
    (reg.BALANCE_INTERVAL, 20),  # a dead daemon stops balancing
    (reg.BALANCE_MAX_CELLS, 8),
)

CONTACTOR_ROWS: tuple[tuple[MemoryRow, int], ...] = ((reg.FET_OPTIONS, FET_OPTIONS),)
"""Where the chip's outputs are an interlock of contactors."""

OWN_FET_ROWS: tuple[tuple[MemoryRow, int], ...] = (
    (reg.FET_OPTIONS, OWN_FET_OPTIONS),
    (reg.BODY_DIODE, 1000),  # the default of 50 mA is near the noise of a small shunt
    (reg.CHARGE_PUMP, 0x01),  # on, at 11 V: half-open FETs burn
    (reg.PRECHARGE_START, 0),  # never: pre-charge is the daemon's, proved by voltage
)
"""Where the chip's own FETs are the switches."""
