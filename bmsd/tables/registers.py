"""The Modbus registers of bmsd's own map, one row each, at addresses that never move.

Addresses are 0-based, the same for functions 03 and 04. A number wider than 16 bits has its high word first. The
unknown value of each type is SunSpec's; a known value that does not fit is clamped, never wrapped. An address in
a block that no row uses reads as unknown, so that a master can take a block with one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bmsd.tables import remote
from bmsd.tables.points import SWITCHES

LAYOUT_VERSION = 1
MOST_CELLS, MOST_SENSORS = 32, 8
ALARM_WORDS = 8
"""Words of alarm bits: room for the codes 0 to 127."""


class RegisterWord(Enum):
    """How a value is laid out: words, lowest and highest known value, unknown value."""

    U16 = (1, 0, 0xFFFE, 0xFFFF)
    S16 = (1, -0x7FFF, 0x7FFF, -0x8000)
    U32 = (2, 0, 0xFFFF_FFFE, 0xFFFF_FFFF)
    S32 = (2, -0x7FFF_FFFF, 0x7FFF_FFFF, -0x8000_0000)
    BITS = (1, 0, 0xFFFF, 0)
    """Sixteen flags; always known, since alarms that are not raised are not there."""

    @property
    def words(self) -> int:
        """Count the registers of one value."""
        return int(self.value[0])

    def encode(self, value: int | None) -> list[int]:
        """Give the registers of a value, high word first."""
        words, low, high, unknown = self.value
        number = unknown if value is None else min(max(value, low), high)
        return [number >> 16 * place & 0xFFFF for place in reversed(range(words))]


U16, S16, U32, S32, BITS = RegisterWord.U16, RegisterWord.S16, RegisterWord.U32, RegisterWord.S32, RegisterWord.BITS


@dataclass(frozen=True, slots=True)
class RegisterBlock:
    """A stretch of addresses that one request can take as a whole."""

    name: str
    start: int
    length: int
    help: str
    always: bool = False
    """Answered also while the core's data is old; every other block then gives exception 04."""


@dataclass(frozen=True, slots=True)
class Register:
    """One value: `value * numerator / denominator` at an address. `point` is a point or a name below."""

    address: int
    point: str
    word: RegisterWord
    numerator: int = 1
    denominator: int = 1
    unit: str = ""
    """What one step is worth."""
    index: int | None = None
    """Which one of a list, from 0."""


STATES = {"starting": 0, "fault": 1, "heating": 2, "charging": 3, "discharging": 4, "idle": 5, "sleeping": 6}
"""The state of the pack as a number."""
PHASES = {"bulk": 0, "absorption": 1, "float": 2, "rest": 3}
"""The phase of a charge as a number."""
REASONS = {
    "": 0, "forbidden": 1, "unknown": 2, "recovering": 3, "cell": 4, "cold": 5, "hot": 6, "state of charge": 7,
    "resting": 8, "override": 9, "pack": 10, "reserve": 11,
}  # fmt: skip
"""What holds a current limit down, as a number; 0 is nothing."""
NUMBERS = {
    "state": STATES, "charge_phase": PHASES, "charge_limit_reason": REASONS, "discharge_limit_reason": REASONS,
}  # fmt: skip
"""The numbers of every point that is a word."""
CORE_FRESH, CORE_OLD, CORE_ABSENT = 0, 1, 2

DERIVED = {
    "counter": "Low bits of the snapshot's number; the same at both ends means one snapshot.",
    "balancing_mask": "Which cells are being balanced: bit 0 is cell 1.",
    "alarm_bits": "Active alarms by code: code 16 w + b is bit b of word w.",
    "latched_bits": "Alarms that wait for the operator, likewise.",
    "layout_version": "Version of this map; it rises when a register changes its meaning.",
    "core_state": "0 the data is present, 1 it is old, 2 there is none.",
    "age_ms": "Age of the core's data.",
    "cells": "Cells in series.",
    "battery_sensors": "Battery temperature sensors.",
    "simulated": "1 if the pack is simulated.",
    "version": "Version of bmsd: major, minor, patch.",
    "requests": "Requests answered since the link started.",
    "lock": "Writes: 0 not taken on this line, 1 locked, 2 unlocked, 3 locked out after wrong PINs.",
    "unlocked_ms": "For how long writes are still taken.",
    "locked_out_ms": "For how long no PIN is looked at.",
    "last_refusal": "Why the last write was refused: 0 none was, 1 locked, 2 wrong PIN, 3 locked out, 4 too many in a"
                    " minute, 5 there is no PIN, 6 no such register, 7 no such value, 8 the core refused it, 9 the core"
                    " is not there.",
    "writes_taken": "Writes carried out since the link started.",
    "writes_refused": "Writes refused since the link started.",
    "pin": "Write the PIN here, both registers at once; it is never read back.",
    "lock_order": "Write 1 to lock at once; never read back.",
    "remote_charge": "Writable: 0 forbids charging remotely, 1 withdraws that; reads what was written.",
    "remote_discharge": "The same for discharging.",
    "remote_balance": "The same for balancing.",
}
"""Values that are no points of the core, with their meaning."""

BLOCKS = (
    RegisterBlock("status", 0, 20, "About this device and the age of its data.", always=True),
    RegisterBlock("live", 100, 125, "Everything that is measured, decided and switched."),
    RegisterBlock("wires", 300, 32, "Sense-wire resistance per cell."),
    RegisterBlock("cycle", 400, 20, "How the control loop does."),
    RegisterBlock("wear", 500, 20, "How often contactors and relays closed in their life."),
    RegisterBlock("writes", 600, 20, "Whether this line takes writes, and the way in.", always=True),
    RegisterBlock("switches", 700, 10, "What remote masters may let happen."),
    RegisterBlock("limits", 800, 20, "Why the limits stand where they stand."),
)

# One value per line, by address.
# fmt: off
REGISTERS: tuple[Register, ...] = (
    # Status.
    Register(0, "layout_version", U16),
    Register(1, "core_state", U16),
    Register(2, "age_ms", U32, unit="ms"),
    Register(4, "counter", U16),
    Register(5, "cells", U16),
    Register(6, "battery_sensors", U16),
    Register(7, "simulated", U16),
    Register(8, "version", U16, index=0),
    Register(9, "version", U16, index=1),
    Register(10, "version", U16, index=2),
    Register(11, "requests", U32),
    # Live: what the pack does and may do.
    Register(100, "counter", U16),
    Register(101, "state", U16),
    Register(102, "charge_allowed", U16),
    Register(103, "discharge_allowed", U16),
    Register(104, "heater_demanded", U16),
    Register(105, "emergency_active", U16),
    Register(106, "emergency_remaining_ms", U16, 1, 1000, "1 s"),
    Register(107, "full_charges", U16),
    Register(108, "pack_mv", U16, 1, 10, "0.01 V"),
    Register(109, "current_ma", S32, unit="0.001 A"),
    Register(111, "power_mw", S32, 1, 1000, "1 W"),
    Register(113, "soc_permille", U16, unit="0.1 %"),
    Register(114, "soc_error_permille", U16, unit="0.1 %"),
    Register(115, "soh_permille", U16, unit="0.1 %"),
    Register(116, "balance_ma", S16, unit="0.001 A"),
    Register(117, "capacity_mah", U32, unit="0.001 Ah"),
    Register(119, "remaining_mah", U32, unit="0.001 Ah"),
    Register(121, "cycles_milli", U32, unit="0.001"),
    Register(123, "discharged_mah", U32, 1, 100, "0.1 Ah"),
    Register(125, "uptime_ms", U32, 1, 1000, "1 s"),
    Register(127, "runtime_ms", U32, 1, 1000, "1 s"),
    Register(129, "charge_limit_mv", U16, 1, 10, "0.01 V"),
    Register(130, "charge_limit_ma", U16, 1, 100, "0.1 A"),
    Register(131, "discharge_limit_ma", U16, 1, 100, "0.1 A"),
    Register(132, "discharge_limit_mv", U16, 1, 10, "0.01 V"),
    Register(133, "heater_ma", U16, unit="0.001 A"),
    Register(134, "heater_mw", U16, 1, 100, "0.1 W"),
    *(Register(135 + n, f"{name}_commanded", U16) for n, name in enumerate(SWITCHES)),
    *(Register(141 + n, f"{name}_actual", U16) for n, name in enumerate(SWITCHES)),
    *(Register(147 + n, "alarm_bits", BITS, index=n) for n in range(ALARM_WORDS)),
    *(Register(155 + n, "latched_bits", BITS, index=n) for n in range(ALARM_WORDS)),
    # Live: cells and temperatures.
    Register(163, "cell_min_mv", U16, unit="0.001 V"),
    Register(164, "cell_max_mv", U16, unit="0.001 V"),
    Register(165, "cell_average_mv", U16, unit="0.001 V"),
    Register(166, "cell_difference_mv", U16, unit="0.001 V"),
    Register(167, "min_cell", U16),
    Register(168, "max_cell", U16),
    Register(169, "balancing_mask", U32),
    Register(171, "switch_decic", S16, unit="0.1 °C"),
    *(Register(172 + n, "battery_decic", S16, unit="0.1 °C", index=n) for n in range(MOST_SENSORS)),
    *(Register(180 + n, "cell_mv", U16, unit="0.001 V", index=n) for n in range(MOST_CELLS)),
    Register(220, "force_charge", U16),
    Register(224, "counter", U16),
    # Sense wires.
    *(Register(300 + n, "wire_mohm", U16, unit="0.001 Ω", index=n) for n in range(MOST_CELLS)),
    # The control loop.
    Register(400, "period_ms", U16, unit="1 ms"),
    Register(401, "cycle_last_us", U32, unit="1 µs"),
    Register(403, "cycle_worst_us", U32, unit="1 µs"),
    Register(405, "cycle_overruns", U32),
    Register(407, "bus_errors", U32),
    Register(409, "disk_bytes", U32, unit="1 byte"),
    # Wear.
    Register(500, "charge_closings", U32),
    Register(502, "discharge_closings", U32),
    Register(504, "precharge_closings", U32),
    Register(506, "heater_closings", U32),
    # Writes.
    Register(600, "lock", U16),
    Register(601, "unlocked_ms", U16, 1, 1000, "1 s"),
    Register(602, "locked_out_ms", U16, 1, 1000, "1 s"),
    Register(603, "last_refusal", U16),
    Register(604, "writes_taken", U32),
    Register(606, "writes_refused", U32),
    Register(610, "pin", U32),
    Register(612, "lock_order", U16),
    *(Register(700 + n, f"remote_{name}", U16) for n, name in enumerate(remote.SWITCHES)),
    # Limits.
    Register(800, "charge_phase", U16),
    Register(801, "charge_limit_reason", U16),
    Register(802, "discharge_limit_reason", U16),
    Register(803, "full_charge", U16),
    Register(804, "heat_ma", U16, 1, 100, "0.1 A"),
)
# fmt: on


PIN_AT, LOCK_AT, SWITCHES_AT = (
    next(row.address for row in REGISTERS if row.point == name)
    for name in ("pin", "lock_order", "remote_charge")
)
"""Where it is written."""
PARAMETERS_AT = 1000
"""Parameter n is the S32 at this address + 2 n, in inside units; written, its unknown value leaves it as it is."""
PARAMETERS_LENGTH = 2 * (1 + max(row.number for row in remote.ROWS))


END = PARAMETERS_AT + PARAMETERS_LENGTH
"""The first address beyond this map."""


def is_parameters(address: int, count: int) -> bool:
    """Tell whether a range lies among the parameters."""
    return address >= PARAMETERS_AT and address + count <= END


def parameter_words(values: Mapping[str, Any]) -> list[int]:
    """Lay out the parameters by their numbers; a number that none has any more is unknown."""
    by_number = {row.number: values.get(row.name) for row in remote.ROWS}
    return [word for n in range(PARAMETERS_LENGTH // 2) for word in S32.encode(by_number.get(n))]


def block_of(address: int, count: int) -> RegisterBlock | None:
    """Find the block that holds a whole range of addresses."""
    for block in BLOCKS:
        if block.start <= address and address + count <= block.start + block.length:
            return block
    return None


def words(block: RegisterBlock, values: Mapping[str, Any]) -> list[int]:
    """Lay out one block from values by name; what is missing is unknown."""
    out = [0xFFFF] * block.length
    for row in REGISTERS:
        if block.start <= row.address < block.start + block.length:
            place = row.address - block.start
            out[place : place + row.word.words] = row.word.encode(_scaled(row, values))
    return out


def _scaled(row: Register, values: Mapping[str, Any]) -> int | None:
    value = values.get(row.point)
    if row.index is not None:
        value = value[row.index] if value is not None and row.index < len(value) else None
    if value is None:
        return None
    number = NUMBERS[row.point].get(value) if isinstance(value, str) else int(value)
    if number is None:
        return None
    return (2 * number * row.numerator + row.denominator) // (2 * row.denominator)
