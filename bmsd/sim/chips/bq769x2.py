"""A simulated BQ76952, BQ76942 or BQ769142 at register level (TI SLUUBY2B); deterministic, no clock.

The bench feeds the pins by `sense` and time by `advance`; a driver talks to it by `transfer`. Registers
change only when the chip scans, its comparators act by themselves, and `fault` makes it misbehave.
`dsg_permit` and `chg_permit` are the levels of the DDSG and DCHG pins behind a pull-down.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

from bmsd.sim.chips.bq769x2_commands import FULL_ACCESS, SEALED
from bmsd.sim.chips.bq769x2_link import Link
from bmsd.sim.chips.bq769x2_memory import DataMemory
from bmsd.sim.chips.bq769x2_protection import Pins, Protection

FAULTS = {
    "nack": "The chip does not acknowledge.",
    "stuck": "The bus is held low: every transfer times out.",
    "crc": "Checksums the chip sends are wrong.",
    "flip": "One bit of every answer turns over on the wire, another one each time.",
    "torn": "A 16-bit value read in two transactions mixes two scans.",
    "reset": "The chip resets once and forgets its settings.",
    "frozen": "Scanning stops: values stay, the scan flags do not come back.",
    "zeros": "Every byte reads 0x00.",
    "ones": "Every byte reads 0xFF.",
    "config_flip": "One bit of the over-voltage threshold turns over, once.",
    "gain_flip": "One bit of the current calibration turns over, once.",
    "no_writes": "Data memory does not take what is written.",
    "open_wire": "The sense wire at the top of one cell is broken; give the cell, from 1.",
}

LOOP_MS = 63
LOOPS_PER_SCAN = 3
_EVALUATE_MS = 250
_SLEEP_AFTER_MS = 10_000
_KELVIN_DECI = 2731
_WIRE_SHARE = 0.3
"""Part of its voltage a cell still seems to have with its upper sense wire broken."""

_USER_UNIT_MA = (0.1, 1, 10, 100)
_ONCE = {"config_flip": 0x9278, "gain_flip": 0x91AA}

_CELLS = struct.Struct("<16h")
_PINS = struct.Struct("<3h")
_WORD = struct.Struct("<H")
_CURRENT = struct.Struct("<h")

_ADSCAN, _FULLSCAN, _INITCOMP, _SSA, _SSBC = 0x0002, 0x0080, 0x0200, 0x4000, 0x8000


class Bq769x2Chip:
    """One chip with its pins; `address` is the 7-bit one it starts with."""

    def __init__(
        self,
        cells: int = 16,
        shunt_uohm: int = 250,
        address: int = 0x08,
        inputs: Sequence[int] = tuple(range(16)),
        device_number: int = 0x7695,
    ) -> None:
        self.device_number = device_number
        self.registers = bytearray(0x200)
        """Direct commands; above 0x7F is what a read beyond the end runs into."""
        self.older = bytes(self.registers)
        """The registers one scan earlier, kept for torn reads."""
        self.memory = DataMemory()
        self.protection = Protection(self.memory, shunt_uohm)
        self.link = Link(self, address)
        self.faults: dict[str, int] = {}
        self.otp_writes = 0
        self._wired = (*inputs[: cells - 1], inputs[-1])
        self._shunt_uohm = shunt_uohm
        self._now_ms = self._fed_ms = 0
        self._cell_mv: Sequence[float] = [3300.0] * cells
        self._input_mv: Sequence[float] = [0.0] * 16
        self._current_ma = self._charger_mv = self._load_mv = 0.0
        self._temperatures: Sequence[float] = (250.0, 250.0, 250.0)
        self._internal_decic = 250.0
        self.power_cycle()

    # What the bench does with it.

    @property
    def dsg_permit(self) -> bool:
        """Tell whether the DDSG pin lets the discharge contactor close."""
        return self._dsg and self._dsg_pin

    @property
    def chg_permit(self) -> bool:
        """Tell whether the DCHG pin lets the charge contactor close."""
        return self._chg and self._chg_pin

    @property
    def balancing_mask(self) -> int:
        """Show the inputs being balanced now."""
        return self._balancing if self._now_ms < self._balance_until_ms else 0

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Answer one combined transaction; OSError EREMOTEIO is a missing acknowledge."""
        if self.faults:
            if "stuck" in self.faults:
                raise OSError(errno.ETIMEDOUT, "bus stuck (simulated)")
            if "nack" in self.faults:
                raise OSError(errno.EREMOTEIO, "no acknowledge (simulated)")
        return self.link.transfer(address, out, read)

    def sense(
        self,
        cell_mv: Sequence[float],
        current_ma: float,
        charger_mv: float,
        load_mv: float,
        temperatures_decic: Sequence[float],
        internal_decic: float = 250.0,
    ) -> None:
        """Set what the pins carry from now on; positive current charges, temperatures TS1 to TS3."""
        self._cell_mv = cell_mv
        self._current_ma = current_ma
        self._charger_mv = charger_mv
        self._load_mv = load_mv
        self._temperatures = temperatures_decic
        self._internal_decic = internal_decic
        self._input_mv = self._inputs()
        if self._active and self.protection.sense(self._now_ms, self._pins()):
            self._status_changed()

    def advance(self, now_ms: int) -> None:
        """Let the chip run until `now_ms`, on the pin values of the last `sense`."""
        self._now_ms = now_ms
        if not self._active:
            return
        if self.protection.advance(now_ms):
            self._status_changed()
        if self._watchdog_ms and now_ms - self._fed_ms >= self._watchdog_ms:
            self._trip_watchdog()
        if self._may_sleep:
            self._consider_sleep()
        if now_ms >= self._next_loop_ms:
            self._scan()
        elif not self._asleep and "frozen" not in self.faults:
            self._measure_current()
        if now_ms >= self._next_evaluate_ms:
            self._next_evaluate_ms = now_ms - now_ms % _EVALUATE_MS + _EVALUATE_MS
            self._dsg, self._chg = self._wanted()
            self.show_status()

    def fault(self, name: str, on: bool, cell: int = 1) -> None:
        """Switch one of FAULTS on or off; those that happen once need no switching off."""
        if name not in FAULTS:
            raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
        if name == "reset":
            if on:
                self.power_cycle()
        elif name in _ONCE:
            if on:
                self.memory.flip(_ONCE[name])
                self._load()
        elif on:
            self.faults[name] = cell
        else:
            self.faults.pop(name, None)

    def power_cycle(self) -> None:
        """Start as after power-up: default settings, plain link, POR set, nothing permitted."""
        self.memory.reset()
        self.link.reset()
        self.registers[:] = bytes(len(self.registers))
        self.powered = True
        self.config_update = False
        self.fet_enabled = False
        self.sleep_enabled = True
        self.security = FULL_ACCESS
        self.last_key_word = -1
        self._por = True
        self._status_c = 0
        self._load()
        self.dsg_forced_off = self.chg_forced_off = bool(self.memory.unsigned(0x9308) & 0x20)
        self._next_evaluate_ms = self._now_ms
        self._fed_ms = self._now_ms
        _WORD.pack_into(self.registers, 0x66, self.memory.unsigned(0x926D, 2))
        self._restart()

    # What subcommands do to it.

    def shut_down(self) -> None:
        """Stop answering and permitting until the next power cycle."""
        self.powered = self._active = False
        self._dsg = self._chg = False

    def count_otp_write(self) -> None:
        """Refuse to burn OTP, and remember that it was asked for."""
        self.otp_writes += 1

    def enter_config_update(self) -> None:
        """Stop measuring and protecting, with everything forbidden."""
        if self.security == SEALED:
            return
        self.config_update = True
        self._active = False
        self._dsg = self._chg = False
        self.show_status()

    def leave_config_update(self) -> None:
        """Take over the settings and start again; POR is cleared."""
        if not self.config_update:
            return
        self.config_update = False
        self._por = False
        self._load()
        if self.memory.unsigned(0x9308) & 0x20:
            self.dsg_forced_off = self.chg_forced_off = True
        self._fed_ms = self._now_ms
        self._restart()

    def balance(self, mask: int) -> None:
        """Balance these inputs for the programmed time."""
        if self._active and not self.memory.unsigned(0x9335) & 0x10:
            self._balancing = mask & self._used_mask
            self._balance_start_ms = self._now_ms
            self._balance_until_ms = self._now_ms + 1000 * self.memory.unsigned(0x9339)

    @property
    def balancing_s(self) -> int:
        """Count the seconds the present balancing has run."""
        return (self._now_ms - self._balance_start_ms) // 1000 if self.balancing_mask else 0

    def feed_watchdog(self) -> None:
        """Take note of valid communication; an expired watchdog recovers by it."""
        self._fed_ms = self._now_ms
        if self._status_c:
            self._status_c = 0
            self._status_changed()

    def wake(self) -> None:
        """Leave SLEEP and scan again."""
        self._idle_since_ms = self._now_ms
        if self._asleep:
            self._asleep = False
            self._next_loop_ms = self._now_ms + LOOP_MS

    def evaluate_switches(self) -> None:
        """Switch off what is no longer wanted; switching on waits for the next evaluation (A.7)."""
        dsg, chg = self._wanted()
        self._dsg, self._chg = self._dsg and dsg, self._chg and chg
        self.show_status()

    def show_status(self) -> None:
        """Write status bits into their registers."""
        status, registers = self.protection.status, self.registers
        alert = self.protection.alert
        registers[0x02:0x08] = bytes(
            (alert & 0xFF, status & 0xFF, alert >> 8, status >> 8, 0, self._status_c)
        )
        unsafe = bool(status or self._status_c)
        sleep_enabled = self.sleep_enabled and self._sleep_configured
        battery = self.config_update | sleep_enabled << 2 | self._por << 3
        battery |= self.security << 8 | unsafe << 11 | self._asleep << 15
        _WORD.pack_into(registers, 0x12, battery)
        registers[0x7F] = self._chg | self._dsg << 2 | self.chg_permit << 4 | self.dsg_permit << 5

    # How it works inside.

    def _load(self) -> None:
        """Take settings out of data memory."""
        memory = self.memory
        self.protection.reset()
        used = memory.unsigned(0x9304, 2) or 0xFFFF
        self._used_mask = used
        self._used = tuple(number for number in range(16) if used >> number & 1)
        self._direct = self._wired == self._used == tuple(range(16))
        unit_ma = _USER_UNIT_MA[memory.unsigned(0x9303) & 3]
        self._per_ma = memory.real(0x91A8) * self._shunt_uohm / 7476.8 / unit_ma
        watched = memory.unsigned(0x9263) & 0x02
        self._watchdog_ms = 1000 * memory.unsigned(0x92B2, 2) if watched else 0
        self._sleep_configured = bool(memory.unsigned(0x9234, 2) & 0x0100)
        configs = [memory.unsigned(0x92FD + pin) for pin in range(3)]
        self._thermistors = tuple(config & 3 == 3 for config in configs)
        self._cell_pins = tuple(n for n, config in enumerate(configs) if config & 0x0F == 0x07)
        self._switch_pins = tuple(n for n, config in enumerate(configs) if config & 0x0F == 0x0F)
        self._chg_blocks = memory.unsigned(0x9265) | memory.unsigned(0x9266) << 8
        self._dsg_blocks = memory.unsigned(0x9269) | memory.unsigned(0x926A) << 8
        self._chg_blocks_c, self._dsg_blocks_c = memory.unsigned(0x9267), memory.unsigned(0x926B)
        regulator = memory.unsigned(0x9236) & 1 and memory.unsigned(0x9237) & 1
        self._chg_pin, self._dsg_pin = (
            config & 0x83 == 0x82 and bool(regulator or not config & 0x20)
            for config in (memory.unsigned(0x9301), memory.unsigned(0x9302))
        )

    def _restart(self) -> None:
        """Begin measuring and protecting from nothing."""
        self._active = True
        self._asleep = False
        self._dsg = self._chg = False
        self._balancing = self._balance_until_ms = self._balance_start_ms = 0
        self._idle_since_ms = self._now_ms
        self._loops = 0
        self._next_loop_ms = self._now_ms + LOOP_MS
        self._input_mv = self._inputs()
        self.protection.sense(self._now_ms, self._pins())
        self.show_status()

    @property
    def _may_sleep(self) -> bool:
        return self._sleep_configured and self.sleep_enabled

    def _inputs(self) -> Sequence[float]:
        """Spread the cells over the sixteen inputs, with a broken wire if there is one."""
        if self._direct and "open_wire" not in self.faults:
            return self._cell_mv
        cells = list(self._cell_mv)
        broken = self.faults.get("open_wire")
        if broken:
            kept = cells[broken - 1] * _WIRE_SHARE
            if broken < len(cells):
                cells[broken] += cells[broken - 1] - kept
            cells[broken - 1] = kept
        inputs = [0.0] * 16
        for number, value in zip(self._wired, cells, strict=True):
            inputs[number] = value
        return inputs

    def _pins(self) -> Pins:
        inputs = self._input_mv
        seen = inputs if self._direct else [inputs[number] for number in self._used]
        temperatures = self._temperatures
        cells = [temperatures[pin] for pin in self._cell_pins] or [250.0]
        switches = [temperatures[pin] for pin in self._switch_pins] or [250.0]
        return Pins(
            max(seen),
            min(seen),
            self._current_ma,
            max(cells),
            min(cells),
            max(switches),
            self._internal_decic,
        )

    def _scan(self) -> None:
        """Finish the loops that fit into the time passed, and show what the last one found."""
        if "frozen" in self.faults:
            return
        if "torn" in self.faults:
            self.older = bytes(self.registers)
        loop_ms = 1000 * self.memory.unsigned(0x924A) if self._asleep else LOOP_MS
        loops = (self._now_ms - self._next_loop_ms) // loop_ms + 1
        self._next_loop_ms += loops * loop_ms
        before = self._loops // LOOPS_PER_SCAN
        self._loops += loops
        flags = _ADSCAN
        if self._loops // LOOPS_PER_SCAN > before:
            flags |= _FULLSCAN | (_INITCOMP if before == 0 else 0)
        self._show_values()
        self._latch(flags)

    def _show_values(self) -> None:
        """Write what was measured into the registers."""
        inputs, registers = self._input_mv, self.registers
        try:
            _CELLS.pack_into(registers, 0x14, *map(round, inputs))
        except struct.error:
            _CELLS.pack_into(registers, 0x14, *(_clamp(value, -200, 5500) for value in inputs))
        stack = _clamp(sum(inputs) / 10, 0, 32767)
        charger = _clamp(self._charger_mv / 10, -32768, 32767)
        _PINS.pack_into(registers, 0x34, stack, charger, _clamp(self._load_mv / 10, -32768, 32767))
        _WORD.pack_into(registers, 0x68, _clamp(self._internal_decic + _KELVIN_DECI, 0, 32767))
        for pin, measured in enumerate(self._thermistors):
            raw = _clamp(self._temperatures[pin] + _KELVIN_DECI, 0, 32767) if measured else 0
            _WORD.pack_into(registers, 0x70 + 2 * pin, raw)
        self._measure_current()

    def _measure_current(self) -> None:
        """Show the current, which is converted every 3 ms; 16 bits saturate."""
        value = round(self._current_ma * self._per_ma)
        _CURRENT.pack_into(self.registers, 0x3A, min(32767, max(-32768, value)))

    def _latch(self, flags: int) -> None:
        """Set alarm bits: raw for now, and latched where enabled."""
        registers = self.registers
        enabled = registers[0x66] | registers[0x67] << 8
        latched = registers[0x62] | registers[0x63] << 8 | flags & enabled
        _WORD.pack_into(registers, 0x62, latched)
        _WORD.pack_into(registers, 0x64, flags)

    def _wanted(self) -> tuple[bool, bool]:
        """Decide DSG and CHG as the chip does, delays apart."""
        if not (self._active and self.fet_enabled):
            return False, False
        status, c = self.protection.status, self._status_c
        dsg_blocked = status & self._dsg_blocks or c & self._dsg_blocks_c or self.dsg_forced_off
        chg_blocked = status & self._chg_blocks or c & self._chg_blocks_c or self.chg_forced_off
        return not dsg_blocked, not chg_blocked

    def _status_changed(self) -> None:
        self.evaluate_switches()
        status = self.protection.status
        flags = (_SSA if status & 0xFF else 0) | (_SSBC if status >> 8 or self._status_c else 0)
        if flags:
            self._balancing = 0
        self._latch(flags)

    def _trip_watchdog(self) -> None:
        if not self._status_c:
            self._status_c = 0x02
            self._status_changed()

    def _consider_sleep(self) -> None:
        """Fall asleep after a while without current, wake with it (A.9)."""
        if abs(self._current_ma) >= self.memory.signed(0x9248, 2):
            self.wake()
        elif not self._asleep and self._now_ms - self._idle_since_ms >= _SLEEP_AFTER_MS:
            self._asleep = True
            self._next_loop_ms = self._now_ms + 1000 * self.memory.unsigned(0x924A)
            self.show_status()


def _clamp(value: float, low: int, high: int) -> int:
    return min(high, max(low, round(value)))
