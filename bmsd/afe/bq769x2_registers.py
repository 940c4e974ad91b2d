"""The BQ769x2 family as tables: direct commands, subcommands, status bits, data-memory rows.

From TI SLUUBY2B (BQ76952 Technical Reference Manual) and its siblings SLUUBY1B (BQ76942) and
SLUUCF2C (BQ769142). All multi-byte values are little-endian. `userA` is the current unit chosen in
DA Configuration.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Direct commands (chapter 12.1).
SAFETY_STATUS_A = 0x03
SAFETY_STATUS_B = 0x05
SAFETY_STATUS_C = 0x07
BATTERY_STATUS = 0x12
CELL_1 = 0x14
STACK = 0x34
PACK_PIN = 0x36
LD_PIN = 0x38
CC2_CURRENT = 0x3A
SUBCOMMAND = 0x3E
BUFFER = 0x40
CHECKSUM = 0x60
ALARM_STATUS = 0x62
ALARM_ENABLE = 0x66
TS1 = 0x70
TS2 = 0x72
TS3 = 0x74
FET_STATUS = 0x7F

# Battery Status bits.
CFGUPDATE = 0x0001
POR = 0x0008
OPEN_WIRE_TEST = 0x0020
SECURITY_SHIFT = 8
SEALED = 3
PERMANENT_FAIL = 0x1000
ASLEEP = 0x8000

# Alarm Status bits.
ADSCAN = 0x0002
FULLSCAN = 0x0080

# Subcommands (chapter 12.2).
DEVICE_NUMBER = 0x0001
STATIC_CFG_SIG = 0x0005
FET_ENABLE = 0x0022
MANUFACTURING_STATUS = 0x0057
CB_ACTIVE_CELLS = 0x0083
SET_CFGUPDATE = 0x0090
EXIT_CFGUPDATE = 0x0092
ALL_FETS_OFF = 0x0095
ALL_FETS_ON = 0x0096
FET_CONTROL = 0x0097
SLEEP_ENABLE = 0x0099
SLEEP_DISABLE = 0x009A
SWAP_COMM_MODE = 0x29BC
UNSEAL_KEYS = (0x0414, 0x3672)
FULL_ACCESS_KEYS = (0xFFFF, 0xFFFF)

FET_EN = 0x10
"""Manufacturing Status bit 4; 0x0022 toggles it."""

CHG_IS_ON, DSG_IS_ON = 0x01, 0x04
"""FET Status."""
DSG_OFF, CHG_OFF = 0x01, 0x04
"""FET_CONTROL, another order: 1 forces off. The manual's text gives the bits of FET Status here, its table is right."""

BLOCK = 32
"""Longest transfer: the buffer at 0x40, and the longest read any TI source states."""

_FORMATS = {"U1": "<B", "I1": "<b", "H1": "<B", "U2": "<H", "I2": "<h", "H2": "<H", "F4": "<f"}


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One value in data memory: type U unsigned, I signed, H bits, F float, then the byte count."""

    address: int
    name: str
    type: str
    unit: str = ""

    def pack(self, value: float) -> bytes:
        """Put a value into bytes; raises ValueError when it does not fit."""
        try:
            return struct.pack(_FORMATS[self.type], value)
        except struct.error as error:
            raise ValueError(f"{self.name}: {value} does not fit {self.type}") from error

    def unpack(self, data: bytes) -> float:
        """Take the value out of bytes."""
        value: float = struct.unpack(_FORMATS[self.type], data)[0]
        return value


# Data memory (chapter 13), the rows this driver sets.
CC_GAIN = MemoryRow(0x91A8, "CC Gain", "F4")
CAPACITY_GAIN = MemoryRow(0x91AC, "Capacity Gain", "F4")
POWER_CONFIG = MemoryRow(0x9234, "Power Config", "H2")
REG12_CONFIG = MemoryRow(0x9236, "REG12 Config", "H1")
REG0_CONFIG = MemoryRow(0x9237, "REG0 Config", "H1")
HWD_REGULATOR = MemoryRow(0x9238, "HWD Regulator Options", "H1")
COMM_TYPE = MemoryRow(0x9239, "Comm Type", "U1")
SLEEP_CURRENT = MemoryRow(0x9248, "Sleep Current", "I2", "mA")
VOLTAGE_TIME = MemoryRow(0x924A, "Voltage Time", "U1", "s")
WAKE_CURRENT = MemoryRow(0x924B, "Wake Comparator Current", "I2", "mA")
PROTECTION_CONFIG = MemoryRow(0x925F, "Protection Configuration", "H2")
ENABLED_A = MemoryRow(0x9261, "Enabled Protections A", "H1")
ENABLED_B = MemoryRow(0x9262, "Enabled Protections B", "H1")
ENABLED_C = MemoryRow(0x9263, "Enabled Protections C", "H1")
CHG_FET_A = MemoryRow(0x9265, "CHG FET Protections A", "H1")
CHG_FET_B = MemoryRow(0x9266, "CHG FET Protections B", "H1")
CHG_FET_C = MemoryRow(0x9267, "CHG FET Protections C", "H1")
DSG_FET_A = MemoryRow(0x9269, "DSG FET Protections A", "H1")
DSG_FET_B = MemoryRow(0x926A, "DSG FET Protections B", "H1")
DSG_FET_C = MemoryRow(0x926B, "DSG FET Protections C", "H1")
ALARM_MASK = MemoryRow(0x926D, "Default Alarm Mask", "H2")
BODY_DIODE = MemoryRow(0x9273, "Body Diode Threshold", "I2", "mA")
CUV_THRESHOLD = MemoryRow(0x9275, "CUV Threshold", "U1", "50.6 mV")
CUV_DELAY = MemoryRow(0x9276, "CUV Delay", "U2", "3.3 ms")
COV_THRESHOLD = MemoryRow(0x9278, "COV Threshold", "U1", "50.6 mV")
COV_DELAY = MemoryRow(0x9279, "COV Delay", "U2", "3.3 ms")
CUV_HYSTERESIS = MemoryRow(0x927B, "CUV Recovery Hysteresis", "U1", "50.6 mV")
COV_HYSTERESIS = MemoryRow(0x927C, "COV Recovery Hysteresis", "U1", "50.6 mV")
COVL_LATCH = MemoryRow(0x927D, "COVL Latch Limit", "U1")
COVL_DECREMENT = MemoryRow(0x927E, "COVL Counter Dec Delay", "U1", "s")
COVL_RECOVERY = MemoryRow(0x927F, "COVL Recovery Time", "U1", "s")
OCC_THRESHOLD = MemoryRow(0x9280, "OCC Threshold", "U1", "2 mV")
OCC_DELAY = MemoryRow(0x9281, "OCC Delay", "U1", "3.3 ms")
OCD1_THRESHOLD = MemoryRow(0x9282, "OCD1 Threshold", "U1", "2 mV")
OCD1_DELAY = MemoryRow(0x9283, "OCD1 Delay", "U1", "3.3 ms")
OCD2_THRESHOLD = MemoryRow(0x9284, "OCD2 Threshold", "U1", "2 mV")
OCD2_DELAY = MemoryRow(0x9285, "OCD2 Delay", "U1", "3.3 ms")
SCD_THRESHOLD = MemoryRow(0x9286, "SCD Threshold", "U1", "index")
SCD_DELAY = MemoryRow(0x9287, "SCD Delay", "U1", "15 µs")
OCC_RECOVERY = MemoryRow(0x9288, "OCC Recovery Threshold", "I2", "mA")
OCD3_THRESHOLD = MemoryRow(0x928A, "OCD3 Threshold", "I2", "userA")
OCD3_DELAY = MemoryRow(0x928C, "OCD3 Delay", "U1", "s")
OCD_RECOVERY = MemoryRow(0x928D, "OCD Recovery Threshold", "I2", "mA")
OCDL_LATCH = MemoryRow(0x928F, "OCDL Latch Limit", "U1")
OCDL_DECREMENT = MemoryRow(0x9290, "OCDL Counter Dec Delay", "U1", "s")
OCDL_RECOVERY = MemoryRow(0x9291, "OCDL Recovery Time", "U1", "s")
OCDL_CURRENT = MemoryRow(0x9292, "OCDL Recovery Threshold", "I2", "mA")
SCD_RECOVERY = MemoryRow(0x9294, "SCD Recovery Time", "U1", "s")
SCDL_LATCH = MemoryRow(0x9295, "SCDL Latch Limit", "U1")
SCDL_DECREMENT = MemoryRow(0x9296, "SCDL Counter Dec Delay", "U1", "s")
SCDL_RECOVERY = MemoryRow(0x9297, "SCDL Recovery Time", "U1", "s")
SCDL_CURRENT = MemoryRow(0x9298, "SCDL Recovery Threshold", "I2", "mA")
OTC_THRESHOLD = MemoryRow(0x929A, "OTC Threshold", "I1", "°C")
OTC_DELAY = MemoryRow(0x929B, "OTC Delay", "U1", "s")
OTC_RECOVERY = MemoryRow(0x929C, "OTC Recovery", "I1", "°C")
OTD_THRESHOLD = MemoryRow(0x929D, "OTD Threshold", "I1", "°C")
OTD_DELAY = MemoryRow(0x929E, "OTD Delay", "U1", "s")
OTD_RECOVERY = MemoryRow(0x929F, "OTD Recovery", "I1", "°C")
OTF_THRESHOLD = MemoryRow(0x92A0, "OTF Threshold", "U1", "°C")
OTF_DELAY = MemoryRow(0x92A1, "OTF Delay", "U1", "s")
OTF_RECOVERY = MemoryRow(0x92A2, "OTF Recovery", "U1", "°C")
OTINT_THRESHOLD = MemoryRow(0x92A3, "OTINT Threshold", "I1", "°C")
OTINT_DELAY = MemoryRow(0x92A4, "OTINT Delay", "U1", "s")
OTINT_RECOVERY = MemoryRow(0x92A5, "OTINT Recovery", "I1", "°C")
UTC_THRESHOLD = MemoryRow(0x92A6, "UTC Threshold", "I1", "°C")
UTC_DELAY = MemoryRow(0x92A7, "UTC Delay", "U1", "s")
UTC_RECOVERY = MemoryRow(0x92A8, "UTC Recovery", "I1", "°C")
UTD_THRESHOLD = MemoryRow(0x92A9, "UTD Threshold", "I1", "°C")
UTD_DELAY = MemoryRow(0x92AA, "UTD Delay", "U1", "s")
UTD_RECOVERY = MemoryRow(0x92AB, "UTD Recovery", "I1", "°C")
UTINT_THRESHOLD = MemoryRow(0x92AC, "UTINT Threshold", "I1", "°C")
UTINT_DELAY = MemoryRow(0x92AD, "UTINT Delay", "U1", "s")
UTINT_RECOVERY = MemoryRow(0x92AE, "UTINT Recovery", "I1", "°C")
RECOVERY_TIME = MemoryRow(0x92AF, "Recovery Time", "U1", "s")
OCC_PACK_TOS = MemoryRow(0x92B0, "OCC PACK-TOS Delta", "I2", "10 mV")
HWD_DELAY = MemoryRow(0x92B2, "HWD Delay", "U2", "s")
CFETOFF_PIN = MemoryRow(0x92FA, "CFETOFF Pin Config", "H1")
DFETOFF_PIN = MemoryRow(0x92FB, "DFETOFF Pin Config", "H1")
ALERT_PIN = MemoryRow(0x92FC, "ALERT Pin Config", "H1")
TS1_CONFIG = MemoryRow(0x92FD, "TS1 Config", "H1")
TS2_CONFIG = MemoryRow(0x92FE, "TS2 Config", "H1")
TS3_CONFIG = MemoryRow(0x92FF, "TS3 Config", "H1")
HDQ_PIN = MemoryRow(0x9300, "HDQ Pin Config", "H1")
DCHG_PIN = MemoryRow(0x9301, "DCHG Pin Config", "H1")
DDSG_PIN = MemoryRow(0x9302, "DDSG Pin Config", "H1")
DA_CONFIG = MemoryRow(0x9303, "DA Configuration", "H1")
VCELL_MODE = MemoryRow(0x9304, "Vcell Mode", "H2")
CC3_SAMPLES = MemoryRow(0x9307, "CC3 Samples", "U1")
FET_OPTIONS = MemoryRow(0x9308, "FET Options", "H1")
CHARGE_PUMP = MemoryRow(0x9309, "Charge Pump Control", "H1")
PRECHARGE_START = MemoryRow(0x930A, "Precharge Start Voltage", "I2", "mV")
OPEN_WIRE_TIME = MemoryRow(0x9314, "Open Wire Check Time", "U1", "s")
BALANCING_CONFIG = MemoryRow(0x9335, "Balancing Configuration", "H1")
BALANCE_MIN_T = MemoryRow(0x9336, "Balancing Min Cell Temp", "I1", "°C")
BALANCE_MAX_T = MemoryRow(0x9337, "Balancing Max Cell Temp", "I1", "°C")
BALANCE_MAX_INTERNAL = MemoryRow(0x9338, "Balancing Max Internal Temp", "I1", "°C")
BALANCE_INTERVAL = MemoryRow(0x9339, "Cell Balance Interval", "U1", "s")
BALANCE_MAX_CELLS = MemoryRow(0x933A, "Cell Balance Max Cells", "U1")
