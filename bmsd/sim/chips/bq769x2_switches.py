"""The switch outputs of the simulated BQ769x2: what permits and forbids DSG and CHG (TI SLUUBY2B).

Forbidding acts at once; permitting waits for the next evaluation, every 250 ms. A pin is high only
where its configuration says "driven, active low" and its high-level supply is on; else the pull-down
holds it.
"""

from __future__ import annotations

from bmsd.sim.chips.bq769x2_memory import DataMemory

_EVALUATE_MS = 250
_FET_INIT_OFF, _SLEEPCHG, _SFET = 0x20, 0x02, 0x01
_PIN_KIND, _PIN_INTERLOCK = 0x83, 0x82
"""Function bits and the active-low bit: together they make "high" mean "permitted"."""
_PIN_FROM_REG1 = 0x20


class Switches:
    """DSG and CHG with everything that bears on them."""

    def __init__(self, memory: DataMemory) -> None:
        self._memory = memory
        self.fet_enabled = False
        self.dsg_forced_off = False
        self.chg_forced_off = False
        self.dsg = False
        self.chg = False
        self.asleep = False
        self.current_ma = 0.0
        """At the shunt; positive charges."""
        self._next_evaluate_ms = 0
        self.load()

    @property
    def dsg_permit(self) -> bool:
        """Tell the level of the DDSG pin."""
        return self.dsg and self._dsg_pin

    @property
    def chg_permit(self) -> bool:
        """Tell the level of the DCHG pin."""
        return self.chg and self._chg_pin

    def load(self) -> None:
        """Take over the settings."""
        memory = self._memory
        self._chg_blocks = memory.unsigned(0x9265) | memory.unsigned(0x9266) << 8
        self._dsg_blocks = memory.unsigned(0x9269) | memory.unsigned(0x926A) << 8
        self._chg_blocks_c = memory.unsigned(0x9267)
        self._dsg_blocks_c = memory.unsigned(0x926B)
        self._chg_pin = self._pin_drives(memory.unsigned(0x9301))
        self._dsg_pin = self._pin_drives(memory.unsigned(0x9302))
        self._charges_asleep = bool(memory.unsigned(0x9308) & _SLEEPCHG)
        self._in_series = bool(memory.unsigned(0x9308) & _SFET)
        self._diode_ma = memory.signed(0x9273, 2)

    def restart(self) -> None:
        """Begin with everything off, and forced off where the settings say so."""
        self.dsg = self.chg = self.asleep = False
        if self._memory.unsigned(0x9308) & _FET_INIT_OFF:
            self.dsg_forced_off = self.chg_forced_off = True

    def force(self, dsg_off: bool | None = None, chg_off: bool | None = None) -> None:
        """Force outputs off, or stop doing so; None leaves one as it is."""
        if dsg_off is not None:
            self.dsg_forced_off = dsg_off
        if chg_off is not None:
            self.chg_forced_off = chg_off

    def forbid(self, status: int, status_c: int) -> None:
        """Switch off what is not wanted now."""
        dsg, chg = self._wanted(status, status_c)
        self.dsg, self.chg = self.dsg and dsg, self.chg and chg

    def evaluate(self, now_ms: int, status: int, status_c: int) -> bool:
        """Switch on what is wanted, when it is time; tell whether anything changed."""
        if now_ms < self._next_evaluate_ms:
            return False
        self._next_evaluate_ms = now_ms - now_ms % _EVALUATE_MS + _EVALUATE_MS
        before = self.dsg, self.chg
        self.dsg, self.chg = self._wanted(status, status_c)
        return (self.dsg, self.chg) != before

    def _wanted(self, status: int, status_c: int) -> tuple[bool, bool]:
        if not self.fet_enabled:
            return False, False
        dsg_blocked = status & self._dsg_blocks or status_c & self._dsg_blocks_c
        chg_blocked = status & self._chg_blocks or status_c & self._chg_blocks_c
        dsg_off = bool(dsg_blocked or self.dsg_forced_off)
        chg_off = bool(chg_blocked or self.chg_forced_off or (self.asleep and not self._charges_asleep))
        if not self._in_series:
            return not dsg_off, not chg_off
        # A FET that the host forces off stays off; one that the chip itself switched off spares its body diode.
        dsg = not dsg_off or (not chg_off and not self.dsg_forced_off and self.current_ma > self._diode_ma)
        chg = not chg_off or (not dsg_off and not self.chg_forced_off and self.current_ma < -self._diode_ma)
        return dsg, chg

    def _pin_drives(self, config: int) -> bool:
        if config & _PIN_KIND != _PIN_INTERLOCK:
            return False
        reg1_on = self._memory.unsigned(0x9236) & 1 and self._memory.unsigned(0x9237) & 1
        return bool(reg1_on or not config & _PIN_FROM_REG1)
