"""The comparators of the simulated BQ769x2: thresholds, delays and recovery (TI SLUUBY2B, chapter 5).

They see the pins, not the registers, and act without the host. Times in milliseconds, never a clock:
a comparator trips at the first `advance` at or after its delay.
"""

from __future__ import annotations

from dataclasses import dataclass

from bmsd.sim.chips.bq769x2_memory import DataMemory

_SCD_MV = (10, 20, 40, 60, 80, 100, 125, 150, 175, 200, 250, 300, 350, 400, 450, 500)

_B = 8
"""Status B lies above status A in one 16-bit word."""
SCD, OCD2, OCD1, OCC, COV, CUV = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04
OTF, OTINT, OTD, OTC = 0x80 << _B, 0x40 << _B, 0x20 << _B, 0x10 << _B
UTINT, UTD, UTC = 0x04 << _B, 0x02 << _B, 0x01 << _B

_STEP_DELAYS = ((COV, 0x9279, 2), (CUV, 0x9276, 2), (OCC, 0x9281, 1), (OCD1, 0x9283, 1), (OCD2, 0x9285, 1))
_TEMPERATURES = (OTF, 0x92A0), (OTINT, 0x92A3), (OTD, 0x929D), (OTC, 0x929A)
_COLD = (UTINT, 0x92AC), (UTD, 0x92A9), (UTC, 0x92A6)


@dataclass(slots=True)
class Pins:
    """What the comparators see at one moment: extremes over the inputs set up for each purpose."""

    highest_mv: float = 0.0
    lowest_mv: float = 0.0
    current_ma: float = 0.0
    hottest_decic: float = 0.0
    coldest_decic: float = 0.0
    switch_decic: float = 0.0
    internal_decic: float = 0.0


class Protection:
    """All comparators of one chip; `status` holds Safety Status A, and B shifted left by 8."""

    def __init__(self, memory: DataMemory, shunt_uohm: int) -> None:
        self._memory = memory
        self._shunt_uohm = shunt_uohm
        self.status = 0
        self.alert = 0
        self._since: dict[int, int] = {}
        self._clear_since: dict[int, int] = {}
        self._clear = 0
        self.load()

    def load(self) -> None:
        """Take over the settings, as on leaving CONFIG_UPDATE."""
        memory = self._memory
        self._enabled = memory.unsigned(0x9261) | memory.unsigned(0x9262) << _B
        self._load_voltages()
        self._load_currents()
        self._over_decic = {bit: 10 * memory.signed(at) for bit, at in _TEMPERATURES}
        self._under_decic = {bit: 10 * memory.signed(at) for bit, at in _COLD}
        self._back_decic = {bit: 10 * memory.signed(at + 2) for bit, at in (*_TEMPERATURES, *_COLD)}
        self._delay_ms = {
            bit: 3.3 * (memory.unsigned(address, size) + 2) for bit, address, size in _STEP_DELAYS
        }
        for bit, address in (*_TEMPERATURES, *_COLD):
            self._delay_ms[bit] = 1000.0 * memory.unsigned(address + 1)
        self._delay_ms[SCD] = 0.0
        self._recovery_ms = dict.fromkeys(self._delay_ms, 1000 * memory.unsigned(0x92AF))
        self._recovery_ms[SCD] = 1000 * memory.unsigned(0x9294)
        self._bound()

    def _bound(self) -> None:
        """Work out between what bounds no comparator acts, which is where pins are nearly always."""
        over, under = self._over_decic, self._under_decic
        self._least_ma = max(self._ocd1_ma, self._ocd2_ma, self._scd_ma)
        self._hottest_decic = min(over[OTC], over[OTD])
        self._coldest_decic = max(under[UTC], under[UTD])

    def _load_voltages(self) -> None:
        memory = self._memory
        self._cov_mv = 50.6 * memory.unsigned(0x9278)
        self._cuv_mv = 50.6 * memory.unsigned(0x9275)
        self._cov_back_mv = self._cov_mv - 50.6 * memory.unsigned(0x927C)
        self._cuv_back_mv = self._cuv_mv + 50.6 * memory.unsigned(0x927B)

    def _load_currents(self) -> None:
        memory, per_mv = self._memory, 1_000_000 / self._shunt_uohm
        self._occ_ma = 2 * memory.unsigned(0x9280) * per_mv
        self._ocd1_ma = -2 * memory.unsigned(0x9282) * per_mv
        self._ocd2_ma = -2 * memory.unsigned(0x9284) * per_mv
        self._scd_ma = -_SCD_MV[memory.unsigned(0x9286) & 15] * per_mv
        self._occ_back_ma = memory.signed(0x9288, 2)
        self._ocd_back_ma = memory.signed(0x928D, 2)

    def reset(self) -> None:
        """Forget trips and timers, and take over the settings."""
        self.status = self.alert = self._clear = 0
        self._since.clear()
        self._clear_since.clear()
        self.load()

    def sense(self, now_ms: int, pins: Pins) -> bool:
        """Take new pin values; tell whether a short circuit tripped: its delay is microseconds."""
        violated = self._violated(pins) & self._enabled
        if violated or self._since or self.status:
            self._start_timers(now_ms, violated)
            self._clear = self._recoverable(pins) & ~violated
        self.alert = violated
        if violated & SCD and not self.status & SCD:
            self.status |= SCD
            return True
        return False

    def _start_timers(self, now_ms: int, violated: int) -> None:
        self._since = {bit: self._since.get(bit, now_ms) for bit in self._delay_ms if violated & bit}

    def advance(self, now_ms: int) -> bool:
        """Let delays run; tell whether the status changed."""
        if not self._since and not self.status:
            return False
        before = self.status
        for bit, since in self._since.items():
            if now_ms - since >= self._delay_ms[bit]:
                self.status |= bit
        if self.status:
            self._recover(now_ms)
        return self.status != before

    def _recover(self, now_ms: int) -> None:
        for bit, recovery_ms in self._recovery_ms.items():
            if not self.status & self._clear & bit:
                self._clear_since.pop(bit, None)
            elif now_ms - self._clear_since.setdefault(bit, now_ms) >= recovery_ms:
                self.status &= ~bit
                del self._clear_since[bit]

    def _violated(self, pins: Pins) -> int:
        if (
            pins.lowest_mv > self._cuv_mv
            and pins.highest_mv < self._cov_mv
            and pins.current_ma > self._least_ma
            and pins.current_ma < self._occ_ma
            and pins.coldest_decic > self._coldest_decic
            and pins.hottest_decic < self._hottest_decic
            and pins.switch_decic < self._over_decic[OTF]
            and self._under_decic[UTINT] < pins.internal_decic < self._over_decic[OTINT]
        ):
            return 0
        found = COV if pins.highest_mv >= self._cov_mv else 0
        if pins.lowest_mv <= self._cuv_mv:
            found |= CUV
        current_ma = pins.current_ma
        if current_ma >= self._occ_ma:
            found |= OCC
        if current_ma <= self._ocd1_ma:
            found |= OCD1
        if current_ma <= self._ocd2_ma:
            found |= OCD2
        if current_ma <= self._scd_ma:
            found |= SCD
        over, under = self._over_decic, self._under_decic
        hottest, coldest, internal = pins.hottest_decic, pins.coldest_decic, pins.internal_decic
        if hottest >= over[OTC]:
            found |= OTC
        if hottest >= over[OTD]:
            found |= OTD
        if coldest <= under[UTC]:
            found |= UTC
        if coldest <= under[UTD]:
            found |= UTD
        if pins.switch_decic >= over[OTF]:
            found |= OTF
        if internal >= over[OTINT]:
            found |= OTINT
        if internal <= under[UTINT]:
            found |= UTINT
        return found

    def _recoverable(self, pins: Pins) -> int:
        """Find the comparators whose recovery condition holds."""
        back = self._back_decic
        conditions = (
            (SCD, True),
            (COV, pins.highest_mv <= self._cov_back_mv),
            (CUV, pins.lowest_mv >= self._cuv_back_mv),
            (OCC, pins.current_ma <= self._occ_back_ma),
            (OCD1 | OCD2, pins.current_ma >= self._ocd_back_ma),
            (OTC, pins.hottest_decic <= back[OTC]),
            (OTD, pins.hottest_decic <= back[OTD]),
            (UTC, pins.coldest_decic >= back[UTC]),
            (UTD, pins.coldest_decic >= back[UTD]),
            (OTF, pins.switch_decic <= back[OTF]),
            (OTINT, pins.internal_decic <= back[OTINT]),
            (UTINT, pins.internal_decic >= back[UTINT]),
        )
        return sum(bits for bits, holds in conditions if holds)
