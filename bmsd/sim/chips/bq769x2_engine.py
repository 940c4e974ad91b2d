"""The measurement engine of the simulated BQ769x2: pins into registers, one loop at a time.

Cells and pins change only when a loop ends (63 ms), current with every `advance`; asleep everything
waits for Voltage Time (TI SLUUBY2B, chapter 4). Temperatures in 0.1 °C, registers in 0.1 K.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from bmsd.sim.chips.bq769x2_memory import DataMemory
from bmsd.sim.chips.bq769x2_protection import Pins

LOOP_MS = 63
LOOPS_PER_SCAN = 3
ADSCAN, FULLSCAN, INITCOMP = 0x0002, 0x0080, 0x0200

_SLEEP_AFTER_MS = 10_000
_KELVIN_DECI = 2731
_ROOM_DECIC = (250.0,)
"""What a comparator sees without any thermistor set up for it."""

_WIRE_SHARE = 0.3
"""Part of its voltage a cell still seems to have with its upper sense wire broken."""

_USER_UNIT_MA = (0.1, 1, 10, 100)
_CELLS = struct.Struct("<16h")
_PINS = struct.Struct("<3h")
_CELLS_AND_PINS = struct.Struct("<19h")
_CURRENT = struct.Struct("<h")
_RAW = struct.Struct("<H")


class Engine:
    """Scans the pins; `wired` are the inputs that carry a cell on this board, from 0."""

    def __init__(
        self,
        registers: bytearray,
        memory: DataMemory,
        faults: dict[str, int],
        wired: tuple[int, ...],
        shunt_uohm: int,
    ) -> None:
        self._registers = registers
        self._memory = memory
        self._faults = faults
        self._wired = wired
        self._shunt_uohm = shunt_uohm
        self.older = bytes(registers)
        """The registers one scan earlier, kept for torn reads."""
        self.sleep_enabled = True
        self.asleep = False
        self._loops = 0
        self._next_loop_ms = 0
        self._idle_since_ms = 0
        self._cell_mv: Sequence[float] = [3300.0] * len(wired)
        self._input_mv: Sequence[float] = ()
        """The cells, and what all sixteen inputs carry of them."""
        self._current_ma = self._charger_mv = self._load_mv = 0.0
        self._temperatures_decic: Sequence[float] = (250.0, 250.0, 250.0)
        self._internal_decic = 250.0
        self._stack_mv: float | None = None
        self._pins = Pins()
        self.load()

    def load(self) -> None:
        """Take over the settings."""
        memory = self._memory
        used = memory.unsigned(0x9304, 2) or 0xFFFF
        self._used = tuple(number for number in range(16) if used >> number & 1)
        self._direct = self._wired == self._used == tuple(range(16))
        unit_ma = _USER_UNIT_MA[memory.unsigned(0x9303) & 3]
        self._per_ma = memory.real(0x91A8) * self._shunt_uohm / 7476.8 / unit_ma
        configs = [memory.unsigned(0x92FD + pin) for pin in range(3)]
        self._idle_pins = tuple(n for n, config in enumerate(configs) if config & 3 != 3)
        self._cell_pins = tuple(n for n, config in enumerate(configs) if config & 0x0F == 0x07)
        self._switch_pins = tuple(n for n, config in enumerate(configs) if config & 0x0F == 0x0F)
        self._input_mv = self._spread()

    @property
    def may_sleep(self) -> bool:
        """Tell whether SLEEP is allowed: Power Config says so at a start, the commands from then on."""
        return self.sleep_enabled

    def restart(self, now_ms: int) -> None:
        """Begin scanning from the first loop on."""
        self.asleep = False
        self.sleep_enabled = bool(self._memory.unsigned(0x9234, 2) & 0x0100)
        self._loops = 0
        self._next_loop_ms = now_ms + LOOP_MS
        self._idle_since_ms = now_ms

    def sense(
        self,
        cell_mv: Sequence[float],
        current_ma: float,
        charger_mv: float,
        load_mv: float,
        temperatures_decic: Sequence[float],
        internal_decic: float,
        stack_mv: float | None,
    ) -> None:
        """Apply new values to the pins; registers follow at the next loop.

        Positive current charges; no stack voltage is the sum of the cells.
        """
        self._cell_mv = cell_mv
        self._current_ma = current_ma
        self._charger_mv = charger_mv
        self._load_mv = load_mv
        self._temperatures_decic = temperatures_decic
        self._internal_decic = internal_decic
        self._stack_mv = stack_mv
        self._input_mv = self._spread()

    def pins(self) -> Pins:
        """Show what the comparators see; the same object each time, with what is seen now."""
        pins, seen = self._pins, self._input_mv
        if not self._direct:
            seen = [seen[number] for number in self._used]
        temperatures = self._temperatures_decic
        cells = [temperatures[pin] for pin in self._cell_pins] or _ROOM_DECIC
        switches = [temperatures[pin] for pin in self._switch_pins] or _ROOM_DECIC
        ordered = sorted(seen)
        pins.lowest_mv, pins.highest_mv = ordered[0], ordered[-1]
        pins.current_ma = self._current_ma
        pins.hottest_decic, pins.coldest_decic = max(cells), min(cells)
        pins.switch_decic = max(switches)
        pins.internal_decic = self._internal_decic
        return pins

    def advance(self, now_ms: int) -> int:
        """Finish the loops that fit into the time passed; return their alarm flags."""
        if "frozen" in self._faults:
            return 0
        flags = 0
        if now_ms >= self._next_loop_ms:
            flags = self._scan(now_ms)
        elif not self.asleep:
            self._show_current()
        if self.may_sleep:
            self._consider_sleep(now_ms)
        return flags

    def _scan(self, now_ms: int) -> int:
        if "torn" in self._faults:
            self.older = bytes(self._registers)
        loop_ms = max(1, 1000 * self._memory.unsigned(0x924A)) if self.asleep else LOOP_MS
        loops = (now_ms - self._next_loop_ms) // loop_ms + 1
        self._next_loop_ms += loops * loop_ms
        before = self._loops // LOOPS_PER_SCAN
        self._loops += loops
        self._show_values()
        if self._loops // LOOPS_PER_SCAN == before:
            return ADSCAN
        return ADSCAN | FULLSCAN | (0 if before else INITCOMP)

    def wake(self, now_ms: int) -> None:
        """Leave SLEEP and scan again."""
        self._idle_since_ms = now_ms
        if self.asleep:
            self.asleep = False
            self._next_loop_ms = now_ms + LOOP_MS

    def _consider_sleep(self, now_ms: int) -> None:
        if abs(self._current_ma) >= self._memory.signed(0x9248, 2):
            self.wake(now_ms)
        elif not self.asleep and now_ms - self._idle_since_ms >= _SLEEP_AFTER_MS:
            self.asleep = True
            self._next_loop_ms = now_ms + 1000 * self._memory.unsigned(0x924A)

    def _spread(self) -> Sequence[float]:
        """Put the cells on the sixteen inputs, with a broken sense wire if there is one."""
        cells = self._cell_mv
        broken = self._faults.get("open_wire")
        if broken is None and self._direct:
            return cells
        if broken is not None:
            cells = _with_open_wire(cells, broken)
        spread = [0.0] * 16
        for number, value in zip(self._wired, cells, strict=True):
            spread[number] = value
        return spread

    def _show_values(self) -> None:
        registers, cells = self._registers, self._input_mv
        stack_mv = sum(cells) if self._stack_mv is None else self._stack_mv
        sides = stack_mv / 10, self._charger_mv / 10, self._load_mv / 10
        try:
            _CELLS_AND_PINS.pack_into(registers, 0x14, *map(round, cells), *map(round, sides))
        except struct.error:
            self._show_limited(cells, sides)
        _RAW.pack_into(registers, 0x68, _deci_kelvin(self._internal_decic))
        raws = [_deci_kelvin(decic) for decic in self._temperatures_decic]
        for pin in self._idle_pins:
            raws[pin] = 0
        _PINS.pack_into(registers, 0x70, *raws)
        self._show_current()

    def _show_limited(self, cells: Sequence[float], sides: Sequence[float]) -> None:
        """Show what does not all fit: each value as far as its register goes."""
        try:
            _CELLS.pack_into(self._registers, 0x14, *map(round, cells))
        except struct.error:
            _CELLS.pack_into(self._registers, 0x14, *(_clamp(value, -200, 5500) for value in cells))
        _PINS.pack_into(self._registers, 0x34, *(_clamp(value, -32768, 32767) for value in sides))

    def _show_current(self) -> None:
        """Show the current, converted every 3 ms; 16 bits saturate."""
        value = round(self._current_ma * self._per_ma)
        if not -32768 <= value <= 32767:
            value = _clamp(value, -32768, 32767)
        _CURRENT.pack_into(self._registers, 0x3A, value)


def _with_open_wire(cells: Sequence[float], broken: int) -> list[float]:
    """Move voltage from a cell to its upper neighbour: the tap between them floats."""
    found = list(cells)
    kept = found[broken - 1] * _WIRE_SHARE
    if broken < len(found):
        found[broken] += found[broken - 1] - kept
    found[broken - 1] = kept
    return found


def _deci_kelvin(decic: float) -> int:
    raw = decic + _KELVIN_DECI
    return round(raw) if 0 <= raw <= 32767 else _clamp(raw, 0, 32767)


def _clamp(value: float, low: int, high: int) -> int:
    return round(value) if low <= value <= high else low if value < low else high
