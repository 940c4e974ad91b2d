"""A simulated BQ76952, BQ76942 or BQ769142 at register level (TI SLUUBY2B); deterministic, no clock.

The bench feeds the pins by `sense` and time by `advance`; a driver talks to it by `transfer`.
Registers change only when the chip scans, its comparators act by themselves, and `fault` makes it
misbehave. `dsg_permit` and `chg_permit` are the levels of the DDSG and DCHG pins.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

from bmsd.sim.chips.bq769x2_commands import FULL_ACCESS, SEALED
from bmsd.sim.chips.bq769x2_engine import Engine
from bmsd.sim.chips.bq769x2_link import ChipLink
from bmsd.sim.chips.bq769x2_memory import DataMemory
from bmsd.sim.chips.bq769x2_protection import Protection
from bmsd.sim.chips.bq769x2_switches import Switches

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
    "fets_deaf": "Commands to the FETs are taken and not carried out.",
    "open_wire": "The sense wire at the top of one cell is broken; give the cell, from 1.",
}

_ONCE = {"config_flip": 0x9278, "gain_flip": 0x91AA}
_WATCHDOG = 0x02
"""HWDF, in Safety Status C, and HWD in Enabled Protections C."""
_SSA, _SSBC = 0x4000, 0x8000
_WORD = struct.Struct("<H")


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
        self.device_number: int = device_number
        self.registers = bytearray(0x200)
        """Direct commands; above 0x7F is what a read beyond the end runs into."""
        self.faults: dict[str, int] = {}
        self.memory: DataMemory = DataMemory()
        self._wired = (*inputs[: cells - 1], inputs[-1])
        self.engine = Engine(self.registers, self.memory, self.faults, self._wired, shunt_uohm)
        self.protection = Protection(self.memory, shunt_uohm)
        self.switches: Switches = Switches(self.memory)
        self.link = ChipLink(self, address)
        self.powered = True
        self.config_update = False
        self.security = FULL_ACCESS
        self.last_key_word = -1
        self.otp_writes = 0
        self._active = False
        self._por = True
        self._status_c = 0
        self._now_ms = self._fed_ms = 0
        self._watchdog_ms = 0
        self._balancing = self._balance_start_ms = self._balance_until_ms = 0
        self.power_cycle()

    @property
    def dsg_permit(self) -> bool:
        """Tell whether the DDSG pin lets the discharge contactor close."""
        return self.switches.dsg_permit

    @property
    def chg_permit(self) -> bool:
        """Tell whether the DCHG pin lets the charge contactor close."""
        return self.switches.chg_permit

    @property
    def charge_fet(self) -> bool:
        """Tell whether its own charge FET is on."""
        return self.switches.chg

    @property
    def discharge_fet(self) -> bool:
        """Tell whether its own discharge FET is on."""
        return self.switches.dsg

    @property
    def balanced_cells(self) -> tuple[int, ...]:
        """Number the cells that are balanced now, from 1."""
        mask = self.balancing_mask
        return tuple(n for n, pin in enumerate(self._wired, 1) if mask >> pin & 1) if mask else ()

    @property
    def balancing_mask(self) -> int:
        """Show the inputs being balanced now, bit 0 the lowest."""
        return self._balancing if self._now_ms < self._balance_until_ms else 0

    @property
    def balancing_s(self) -> int:
        """Count the seconds the present balancing has run."""
        return (self._now_ms - self._balance_start_ms) // 1000 if self.balancing_mask else 0

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
        stack_mv: float | None = None,
    ) -> None:
        """Set what the pins carry from now on; positive current charges, temperatures TS1 to TS3."""
        self.engine.sense(
            cell_mv, current_ma, charger_mv, load_mv, temperatures_decic, internal_decic, stack_mv
        )
        self.switches.current_ma = current_ma
        if self._active and self.protection.sense(self._now_ms, self.engine.pins()):
            self._status_changed()

    def advance(self, now_ms: int) -> None:
        """Let the chip run until `now_ms`, on the pin values of the last `sense`."""
        self._now_ms = now_ms
        if not self._active:
            return
        if self.protection.advance(now_ms):
            self._status_changed()
        if self._watchdog_ms and now_ms - self._fed_ms >= self._watchdog_ms and not self._status_c:
            self._status_c = _WATCHDOG
            self._status_changed()
        asleep = self.engine.asleep
        flags = self.engine.advance(now_ms)
        if flags:
            self._latch(flags)
        self.switches.asleep = self.engine.asleep
        changed = self.switches.evaluate(now_ms, self.protection.status, self._status_c)
        if self.engine.asleep != asleep:
            self.evaluate_switches()
        elif changed:
            self.show_status()

    def leave_on(self, chg: bool, dsg: bool) -> None:
        """Begin with FETs that an earlier host left on: the chip outlives it."""
        self.switches.fet_enabled = True
        self.switches.force(not dsg, not chg)
        self.switches.dsg, self.switches.chg = dsg, chg
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
        self.security = FULL_ACCESS
        self.last_key_word = -1
        self._por = True
        self.switches.fet_enabled = False
        self.switches.force(False, False)
        _WORD.pack_into(self.registers, 0x66, self.memory.unsigned(0x926D, 2))
        self._restart()

    def shut_down(self) -> None:
        """Stop answering and permitting until the next power cycle."""
        self.powered = self._active = False
        self.switches.dsg = self.switches.chg = False

    def enter_config_update(self) -> None:
        """Stop measuring and protecting, with everything forbidden; a sealed chip refuses."""
        if self.security == SEALED:
            return
        self.config_update = True
        self._active = False
        self._balancing = 0
        self.switches.dsg = self.switches.chg = False
        self.show_status()

    def leave_config_update(self) -> None:
        """Take over the settings and start again; POR is cleared."""
        if self.config_update:
            self.config_update = False
            self._por = False
            self._restart()

    def balance(self, mask: int) -> None:
        """Balance these inputs for the programmed time."""
        if self._active and not self.memory.unsigned(0x9335) & 0x10:
            used = self.memory.unsigned(0x9304, 2) or 0xFFFF
            self._balancing = mask & used
            self._balance_start_ms = self._now_ms
            self._balance_until_ms = self._now_ms + 1000 * self.memory.unsigned(0x9339)

    def allow_sleep(self, on: bool) -> None:
        """Carry out SLEEP_ENABLE and SLEEP_DISABLE."""
        self.engine.sleep_enabled = on
        if not on:
            self.engine.wake(self._now_ms)
            self.switches.asleep = False
        self.show_status()

    def feed_watchdog(self) -> None:
        """Take note of valid communication; an expired watchdog recovers by it."""
        self._fed_ms = self._now_ms
        if self._status_c:
            self._status_c = 0
            self._status_changed()

    def evaluate_switches(self) -> None:
        """Switch off what is no longer wanted; switching on waits for the next evaluation."""
        self.switches.forbid(self.protection.status, self._status_c)
        self.show_status()

    def show_status(self) -> None:
        """Write status bits into their registers."""
        status, alert, registers = self.protection.status, self.protection.alert, self.registers
        registers[0x02:0x08] = bytes(
            (alert & 0xFF, status & 0xFF, alert >> 8, status >> 8, 0, self._status_c)
        )
        unsafe = bool(status or self._status_c)
        battery = self.config_update | self.engine.may_sleep << 2 | self._por << 3
        battery |= self.security << 8 | unsafe << 11 | self.engine.asleep << 15
        _WORD.pack_into(registers, 0x12, battery)
        switches = self.switches
        registers[0x7F] = (
            switches.chg | switches.dsg << 2 | switches.chg_permit << 4 | switches.dsg_permit << 5
        )

    def _load(self) -> None:
        """Take settings out of data memory, as after a reset and on leaving CONFIG_UPDATE."""
        self.protection.reset()
        self.engine.load()
        self.switches.load()
        watched = self.memory.unsigned(0x9263) & _WATCHDOG
        self._watchdog_ms = 1000 * self.memory.unsigned(0x92B2, 2) if watched else 0

    def _restart(self) -> None:
        """Begin measuring and protecting again."""
        self._load()
        self._active = True
        self._status_c = 0
        self._balancing = 0
        self._fed_ms = self._now_ms
        self.switches.restart()
        self.engine.restart(self._now_ms)
        self.protection.sense(self._now_ms, self.engine.pins())
        self.show_status()

    def _status_changed(self) -> None:
        """React to a comparator that tripped or recovered."""
        self.evaluate_switches()
        status = self.protection.status
        flags = (_SSA if status & 0xFF else 0) | (_SSBC if status >> 8 or self._status_c else 0)
        if flags:
            self._balancing = 0
            self.engine.wake(self._now_ms)
            self._latch(flags)

    def _latch(self, flags: int) -> None:
        """Set alarm bits: raw for now, and latched where enabled."""
        registers = self.registers
        enabled = registers[0x66] | registers[0x67] << 8
        latched = registers[0x62] | registers[0x63] << 8 | flags & enabled
        _WORD.pack_into(registers, 0x62, latched)
        _WORD.pack_into(registers, 0x64, flags)
