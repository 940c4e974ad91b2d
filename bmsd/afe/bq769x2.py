"""Driver of the TI BQ76952, BQ76942 and BQ769142 (TI SLUUBY2B, SLUUBY1B, SLUUCF2C).

Rules: the first write ever is ALL_FETS_OFF; CONFIG_UPDATE, which switches the chip's protection off, only
happens in `start` and `configure`; no value of more than one byte is split over two transactions; a
value is only reported when the chip has measured since the last poll. Thermistors: battery on TS1 and TS2,
switches on TS3.
"""

from __future__ import annotations

from dataclasses import dataclass

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.bq769x2_fets import drive_fets, forbid_fets, read_fets
from bmsd.afe.bq769x2_fixed import ALARM_BITS
from bmsd.afe.bq769x2_link import (
    command,
    enter_config_update,
    leave_config_update,
    read_buffer,
    read_word,
    word,
    write_buffer,
)
from bmsd.afe.bq769x2_measure import Plan
from bmsd.afe.bq769x2_settings import (
    MemoryBlock,
    MemorySetting,
    blocks,
    data_memory,
    programmed,
    user_unit_ma,
)
from bmsd.afe.contract import NoNewScanError, SettingsLostError
from bmsd.afe.transfers import Procedure, Read, Write
from bmsd.core.types import AfeSettings, Measurement
from bmsd.errors import CrcError, VerifyError, WrongChipError

_I2C_FAST_CRC = 0x12
_WRITE_ATTEMPTS = 3
_SWAP_MS = 5

_LOST = (
    (reg.POR, "the chip was reset and lost its settings"),
    (reg.CFGUPDATE, "the chip is in CONFIG_UPDATE, its protection is off"),
    (reg.ASLEEP, "the chip sleeps and measures only every few seconds"),
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One member of the family: the numbers it answers with, and the inputs its cells are on."""

    name: str
    device_numbers: frozenset[int]
    inputs: tuple[int, ...]

    def used_inputs(self, cells: int) -> tuple[int, ...]:
        """Choose the inputs for `cells` cells: from the lowest on, and the topmost for the last cell.

        The top input must carry a cell; those left over are shorted on the board (Vcell Mode).
        """
        if not 3 <= cells <= len(self.inputs):
            raise ValueError(f"{cells} cells: {self.name} measures 3 to {len(self.inputs)} cells")
        return (*self.inputs[: cells - 1], self.inputs[-1])


BQ76952 = Variant("bq76952", frozenset({0x7695}), tuple(range(16)))
BQ76942 = Variant("bq76942", frozenset({0x7694, 0x7642}), tuple(range(10)))
BQ769142 = Variant("bq769142", frozenset({0x7691}), (*range(12), 13, 15))


def _is_in(image: dict[int, int], setting: MemorySetting) -> bool:
    """Tell whether a setting stands in the bytes read."""
    wanted = setting.row.pack(setting.value)
    return wanted == bytes(image.get(setting.row.address + n, ~byte & 0xFF) for n, byte in enumerate(wanted))


class Bq769x2:
    """One chip of the family, set from AfeSettings; raises ValueError for settings it cannot do."""

    def __init__(self, settings: AfeSettings, variant: Variant = BQ76952) -> None:
        inputs = variant.used_inputs(settings.cells)
        memory = data_memory(settings, inputs)
        self.programmed = programmed(memory)
        """What the chip really does, by the names of AfeSettings."""
        self._settings = settings
        self._variant = variant
        self._inputs = inputs
        self._memory = memory
        self._blocks = blocks(memory)
        self._plans = tuple(
            Plan(inputs, settings.thermistors, user_unit_ma(settings), crc, settings.own_fets)
            for crc in (False, True)
        )
        self._crc = settings.crc
        self._plan = self._plans[self._crc]
        self._signature = b""
        self._next_check = 0
        self._first_scan = True
        self._resting = False
        self._observed = 0
        """The status in which the chip was last observed."""

    def start(self) -> Procedure[None]:
        """Find the chip in whatever state it is, forbid its switches, and make the link as wanted."""
        yield from self._find()
        if (yield from read_word(reg.BATTERY_STATUS, self._crc)) & reg.CFGUPDATE:
            yield from leave_config_update(self._crc)
        yield from self._identify()
        yield from self._unseal()
        if self._settings.crc and not self._crc:
            yield from self._switch_to_crc()

    def configure(self) -> Procedure[None]:
        """Write every setting, compare every one, then start measuring (S6).

        Raises VerifyError when the chip does not keep a setting after three attempts, or its own FETs stay on.
        """
        if self._settings.own_fets:
            yield from self._await_fets_off()
        yield from enter_config_update(self._crc)
        try:
            yield from self._write_all()
        except VerifyError:
            # Only here: after a bus failure the next start() leaves CONFIG_UPDATE, in its own time.
            yield from leave_config_update(self._crc)
            raise
        yield from leave_config_update(self._crc)
        if (yield from read_word(reg.BATTERY_STATUS, self._crc)) & reg.POR:
            raise VerifyError("the chip still reports a reset after CONFIG_UPDATE")
        yield from self._enable_fets()
        yield from self._begin_measuring()

    def observe(self) -> Procedure[bool]:
        """Find the chip, forbid its switches, and compare every setting; nothing of it is written.

        Tell whether the chip is as `configure` leaves it. Measuring slowly and CONFIG_UPDATE are ended, because
        neither protects.
        """
        yield from self._find()
        if (yield from read_word(reg.BATTERY_STATUS, self._crc)) & reg.CFGUPDATE:
            yield from leave_config_update(self._crc)
        yield from self._identify()
        image: dict[int, int] = {}
        for block in self._blocks:
            found = yield from read_buffer(block.address, self._crc)
            image.update(enumerate(found[: len(block.data)], block.address))
        held = frozenset(setting.row.address for setting in self._memory if _is_in(image, setting))
        self._plan.trust(held)
        yield from self._begin_measuring()
        status = yield from read_word(reg.BATTERY_STATUS, self._crc)
        enabled = (yield from read_buffer(reg.MANUFACTURING_STATUS, self._crc))[0] & reg.FET_EN
        self._observed = status
        return len(held) == len(self._memory) and bool(enabled) and not status & reg.POR

    def glance(self) -> Procedure[Measurement]:
        """Read one set of values: cells and stack, and what the settings found allow to believe."""
        answer = yield self._plan.alarms
        if not answer[0] & (reg.FULLSCAN if self._first_scan else reg.ADSCAN):
            raise NoNewScanError("the chip has measured nothing new since the last poll")
        yield self._plan.clear
        image = yield from self._image()
        if image[reg.BATTERY_STATUS] & ~self._observed & (reg.CFGUPDATE | reg.POR):
            raise SettingsLostError("the chip is no longer as it was found")
        self._first_scan = False
        return self._plan.glimpse(image)

    def poll(self) -> Procedure[Measurement]:
        """Read one complete new set of values.

        Raises NoNewScanError when nothing was measured since the last poll, SettingsLostError when the
        chip was reset, sleeps, or has its protection off.
        """
        plan = self._plan
        try:
            answer = yield plan.alarms
        except CrcError:
            yield from self._check_plain_reset()
            raise
        # The first set needs a full scan: stack and pins are measured only once in three loops.
        wanted = reg.FULLSCAN if self._first_scan else reg.ADSCAN
        if not answer[0] & wanted:
            self._check_status((yield from read_word(reg.BATTERY_STATUS, self._crc)))
            raise NoNewScanError("the chip has measured nothing new since the last poll")
        yield plan.clear
        image = yield from self._image()
        self._check_status(image[reg.BATTERY_STATUS] | image[reg.BATTERY_STATUS + 1] << 8)
        self._first_scan = False
        return plan.decode(image)

    def fingerprint(self) -> Procedure[None]:
        """Compare the chip's signature and one block of its settings, another one each time (S6).

        The signature covers the static configuration only; the blocks bring in calibration too.
        """
        yield from self.signature()
        block = self._blocks[self._next_check]
        self._next_check = (self._next_check + 1) % len(self._blocks)
        if not (yield from self._holds(block)):
            raise SettingsLostError(f"the chip no longer holds what was set in: {block.names}")

    def signature(self) -> Procedure[None]:
        """Compare the signature the chip computes over its static configuration (S6)."""
        if (yield from read_buffer(reg.STATIC_CFG_SIG, self._crc)) != self._signature:
            raise SettingsLostError("the signature of the chip's settings has changed")

    def permit(self, on: bool) -> Procedure[None]:
        """Permit or forbid the DCHG and DDSG outputs, a hardware interlock of the contactors."""
        yield from command(reg.ALL_FETS_ON if on else reg.ALL_FETS_OFF, self._crc)

    def fets(self, charge: bool, discharge: bool) -> Procedure[tuple[bool, bool]]:
        """Command the chip's own FETs and read their status: off follows at once, on within 250 ms."""
        yield from drive_fets(charge, discharge, self._crc)
        return (yield from read_fets(self._crc))

    def rest(self, on: bool) -> Procedure[None]:
        """Let the chip sleep, which measures only once a second, or keep it awake. Contactors must be open.

        Its own protection works on; current or a trip wakes it for a while by itself (TI SLUUBY2B, chapter 7).
        """
        self._resting = on
        yield from command(reg.SLEEP_ENABLE if on else reg.SLEEP_DISABLE, self._crc)

    def balance(self, mask: int) -> Procedure[None]:
        """Balance the cells in `mask` (bit 0 is cell 1) for 20 s; repeat within 10 s, 0 stops.

        Raises ValueError for a cell that is not there, and for neighbours: their currents add up.
        """
        if mask >> self._settings.cells or mask < 0:
            raise ValueError(f"balancing mask 0x{mask:X}: there are {self._settings.cells} cells")
        if mask & mask << 1:
            raise ValueError(f"balancing mask 0x{mask:X}: two neighbours at once")
        chosen = sum(1 << n for cell, n in enumerate(self._inputs) if mask >> cell & 1)
        yield from write_buffer(reg.CB_ACTIVE_CELLS, word(chosen), self._crc)

    def _begin_measuring(self) -> Procedure[None]:
        """Keep the chip awake, let it say when it has measured, and note the signature of what it holds."""
        yield from self.rest(False)
        yield Write(reg.ALARM_ENABLE, word(ALARM_BITS), self._crc)
        yield Write(reg.ALARM_STATUS, word(0xFFFF), self._crc)
        self._signature = yield from read_buffer(reg.STATIC_CFG_SIG, self._crc)
        self._first_scan = True

    def _image(self) -> Procedure[bytearray]:
        """Read the registers of one poll."""
        image = bytearray(0x80)
        for block in self._plan.reads:
            image[block.register : block.register + block.length] = yield block
        return image

    def _set_mode(self, crc: bool) -> None:
        self._crc = crc
        self._plan = self._plans[crc]

    def _find(self) -> Procedure[None]:
        """Send ALL_FETS_OFF in the link mode the chip is in.

        A chip found in CRC mode stays so even where it is not asked for: stricter is fine.
        """
        self._set_mode((yield from forbid_fets()))

    def _identify(self) -> Procedure[None]:
        """Compare the device number; raises WrongChipError."""
        answer = yield from read_buffer(reg.DEVICE_NUMBER, self._crc)
        number = int.from_bytes(answer[:2], "little")
        if number not in self._variant.device_numbers:
            raise WrongChipError(
                f"the chip answers with device number 0x{number:04X}, "
                f"not as a {self._variant.name}; check [afe] chip and the wiring"
            )

    def _unseal(self) -> Procedure[None]:
        """Unseal with the factory keys where needed: a sealed chip takes no settings."""
        if (yield from self._security()) != reg.SEALED:
            return
        for key in (*reg.UNSEAL_KEYS, *reg.FULL_ACCESS_KEYS):
            yield from command(key, self._crc)
        if (yield from self._security()) == reg.SEALED:
            raise VerifyError("the chip is sealed with keys of its own and takes no settings")

    def _security(self) -> Procedure[int]:
        status = yield from read_word(reg.BATTERY_STATUS, self._crc)
        return status >> reg.SECURITY_SHIFT & 3

    def _switch_to_crc(self) -> Procedure[None]:
        """Make the chip speak with checksums from here on; raises VerifyError when it does not."""
        yield from enter_config_update(self._crc)
        yield from write_buffer(reg.COMM_TYPE.address, bytes((_I2C_FAST_CRC,)), self._crc)
        yield from leave_config_update(self._crc)
        yield from command(reg.SWAP_COMM_MODE, self._crc, wait_ms=_SWAP_MS)
        self._set_mode(True)
        try:
            yield Read(reg.BATTERY_STATUS, 2, True)
        except CrcError as error:
            raise VerifyError("the chip did not switch to checksums on the link") from error

    def _write_all(self) -> Procedure[None]:
        pending = self._blocks
        for _ in range(_WRITE_ATTEMPTS):
            for block in pending:
                yield from write_buffer(block.address, block.data, self._crc)
            wrong: list[MemoryBlock] = []
            for block in self._blocks:
                if not (yield from self._holds(block)):
                    wrong.append(block)
            if not wrong:
                return
            pending = tuple(wrong)
        names = "; ".join(block.names for block in pending)
        raise VerifyError(f"the chip does not keep, after {_WRITE_ATTEMPTS} attempts: {names}")

    def _holds(self, block: MemoryBlock) -> Procedure[bool]:
        found = yield from read_buffer(block.address, self._crc)
        return found[: len(block.data)] == block.data

    def _await_fets_off(self) -> Procedure[None]:
        """Make sure by the status that nothing is closed before protection stops for a moment (S6)."""
        if True in (yield from self.fets(False, False)):
            raise VerifyError("the chip's FETs do not go off")

    def _enable_fets(self) -> Procedure[None]:
        """Set FET_EN, without which the chip's outputs stay in test mode; the command toggles it."""
        for _ in range(2):
            answer = yield from read_buffer(reg.MANUFACTURING_STATUS, self._crc)
            if answer[0] & reg.FET_EN:
                return
            yield from command(reg.FET_ENABLE, self._crc)
        raise VerifyError("the chip does not leave FET test mode")

    def _check_plain_reset(self) -> Procedure[None]:
        """Recognise a reset by its other effect: the chip speaks without checksums again.

        The low status byte comes first and alone in both modes, so a plain read of it is valid in both.
        """
        if self._crc:
            status = yield Read(reg.BATTERY_STATUS, 1, False)
            if not status[0] & reg.CFGUPDATE:  # both bits: a line held high, not a reset
                self._check_status(status[0] & reg.POR)

    def _check_status(self, status: int) -> None:
        for bit, text in _LOST:
            if status & bit and not (self._resting and bit == reg.ASLEEP):
                raise SettingsLostError(text)
