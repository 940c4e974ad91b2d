"""Subcommands of the simulated BQ769x2 (TI SLUUBY2B, chapter 12.2): what each does to the chip."""

from __future__ import annotations

from collections.abc import Callable

from bmsd.sim.chips.bq769x2_inside import Inside

SEALED, UNSEALED, FULL_ACCESS = 3, 2, 1
_KEYS = ((0x9257, 0x9259, UNSEALED), (0x925B, 0x925D, FULL_ACCESS))
"""Addresses of the two words of a key, and what they open."""


def _word(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _toggle_fets(chip: Inside) -> None:
    chip.switches.fet_enabled = not chip.switches.fet_enabled
    chip.evaluate_switches()


def _force(chip: Inside, dsg_off: bool | None, chg_off: bool | None) -> None:
    if "fets_deaf" in chip.faults:
        return
    chip.switches.force(dsg_off, chg_off)
    chip.evaluate_switches()


def _seal(chip: Inside) -> None:
    chip.security = SEALED
    chip.show_status()


def _refuse_otp(chip: Inside) -> None:
    """Burn nothing, but remember that it was asked for: no driver may."""
    chip.otp_writes += 1


def _swap_link(chip: Inside) -> None:
    kind, address = chip.memory.unsigned(0x9239), chip.memory.unsigned(0x923A)
    chip.link.crc = kind in (0x11, 0x12)
    chip.link.address = (address or 0x10) >> 1


COMMANDS: dict[int, Callable[[Inside], None]] = {
    0x0010: lambda chip: chip.shut_down(),
    0x0012: lambda chip: chip.power_cycle(),
    0x0022: _toggle_fets,
    0x0030: _seal,
    0x0090: lambda chip: chip.enter_config_update(),
    0x0092: lambda chip: chip.leave_config_update(),
    0x0093: lambda chip: _force(chip, True, None),
    0x0094: lambda chip: _force(chip, None, True),
    0x0095: lambda chip: _force(chip, True, True),
    0x0096: lambda chip: _force(chip, False, False),
    0x0099: lambda chip: chip.allow_sleep(True),
    0x009A: lambda chip: chip.allow_sleep(False),
    0x00A1: _refuse_otp,
    0x29BC: _swap_link,
}

ANSWERS: dict[int, Callable[[Inside], bytes]] = {
    0x0001: lambda chip: _word(chip.device_number),
    0x0002: lambda chip: chip.device_number.to_bytes(2, "big") + b"\x00\x36\x00\x01",
    0x0003: lambda chip: _word(0x0001),
    0x0005: lambda chip: _word(chip.memory.signature()),
    0x0057: lambda chip: _word(0x0040 | (0x10 if chip.switches.fet_enabled else 0)),
    0x0083: lambda chip: _word(chip.balancing_mask),
    0x0085: lambda chip: _word(chip.balancing_s),
}


def _switch_control(chip: Inside, data: bytes) -> None:
    _force(chip, bool(data[0] & 0x01), bool(data[0] & 0x04))


def _regulators(chip: Inside, data: bytes) -> None:
    chip.memory.write(0x9236, data[:1])


WRITES: dict[int, Callable[[Inside, bytes], None]] = {
    0x0083: lambda chip, data: chip.balance(int.from_bytes(data[:2], "little")),
    0x0097: _switch_control,
    0x0098: _regulators,
}


def execute(chip: Inside, code: int) -> bytes | None:
    """Carry out a subcommand; return its answer, None for one without."""
    if code in COMMANDS:
        COMMANDS[code](chip)
        return None
    if code in ANSWERS:
        return ANSWERS[code](chip)
    if chip.memory.holds(code):
        return chip.memory.block(code) if chip.security != SEALED else None
    _try_key(chip, code)
    return None


def write(chip: Inside, code: int, data: bytes) -> None:
    """Take a payload whose checksum and length were right."""
    if code in WRITES:
        WRITES[code](chip, data)
    elif chip.memory.holds(code) and chip.config_update and "no_writes" not in chip.faults:
        chip.memory.write(code, data)


def _try_key(chip: Inside, code: int) -> None:
    """Open the chip when this word completes a key."""
    for first, second, opens in _KEYS:
        key = (chip.memory.unsigned(first, 2), chip.memory.unsigned(second, 2))
        if (chip.last_key_word, code) == key and chip.security == opens + 1:
            chip.security = opens
            chip.last_key_word = -1
            chip.show_status()
            return
    chip.last_key_word = code
