"""One row of CHIPS on its simulated chip, behind the calls that the daemon makes; time is virtual."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bmsd.afe.chips import CHIPS, Chip, Maturity
from bmsd.afe.session import AfeSession
from bmsd.afe.transfers import BusCounter, Procedure, run
from bmsd.control.chip_protection import ChipWiring, afe_settings
from bmsd.core.types import AfeReport, AfeSettings, Measurement
from bmsd.hardware.board import AfeConfig
from bmsd.sim.chips.kinds import KINDS
from tests.support.bench_inputs import make_parameters

T = TypeVar("T")
Transfer = Callable[[int, bytes, int], bytes]
Wire = Callable[[Transfer, int, bytes, int], bytes]

HALF = [name for name, row in CHIPS.items() if row.maturity is Maturity.MEASURES and name in KINDS]
"""Chips that are only measured with."""
WHOLE = [name for name, row in CHIPS.items() if row.maturity is not Maturity.MEASURES and name in KINDS]
ENDS = [(name, cells) for name in WHOLE for cells in (CHIPS[name].min_cells, CHIPS[name].max_cells)]
OFF, BOTH = (False, False), (True, True)
"""Charge and discharge."""
PERIOD_MS = 250
ADDRESS = 0x08
SHUNT_UOHM = 250
CELL_MV, STACK_MV, SIDE_MV, CURRENT_MA, TEMPERATURE_DECIC = 5, 60, 100, 200, 10
"""How far a reading may lie from the pin: a chip's step and its rounding."""


@dataclass(frozen=True)
class Pins:
    """What a pack puts on the chip's pins; no two values are alike, so that none is taken for another."""

    cell_mv: tuple[float, ...]
    current_ma: float = 12_300
    charger_mv: float = 53_900
    load_mv: float = 50_100
    battery_decic: tuple[float, float] = (213, 187)
    switch_decic: float = 402


def ids(row: tuple[Any, ...]) -> str:
    """Name a case by its words."""
    return " ".join(map(str, row))


def straight(transfer: Transfer, address: int, out: bytes, read: int) -> bytes:
    """Carry a transfer as a good bus does."""
    return transfer(address, out, read)


def unanswered(*_: Any) -> bytes:
    """Let nobody answer."""
    raise OSError(errno.EREMOTEIO, "no acknowledge")


def _held_low(*_: Any) -> bytes:
    raise OSError(errno.ETIMEDOUT, "held low")


def _cut_short(transfer: Transfer, address: int, out: bytes, read: int) -> bytes:
    return transfer(address, out, read)[:-1]


def _wrong_checksum(transfer: Transfer, address: int, out: bytes, read: int) -> bytes:
    answer = transfer(address, out, read)
    return answer[:-1] + bytes((answer[-1] ^ 0x55,)) if answer else answer


def _turned_bit(transfer: Transfer, address: int, out: bytes, read: int) -> bytes:
    answer = transfer(address, out, read)
    return bytes((answer[0] ^ 0x10,)) + answer[1:] if answer else answer


def _zeros(transfer: Transfer, address: int, out: bytes, read: int) -> bytes:
    return bytes(len(transfer(address, out, read)))


def _ones(transfer: Transfer, address: int, out: bytes, read: int) -> bytes:
    return b"\xff" * len(transfer(address, out, read))


def swallowing(transfer: Transfer, address: int, out: bytes, read: int) -> bytes:
    """Acknowledge whatever is written, and let the chip know nothing of it."""
    return b"" if len(out) > 1 and not read else transfer(address, out, read)


ON_ANY_WIRE: dict[str, Wire] = {
    "unanswered": unanswered, "held low": _held_low, "cut short": _cut_short,
}  # fmt: skip
WITH_CHECKSUMS: dict[str, Wire] = {
    "wrong checksum": _wrong_checksum, "turned bit": _turned_bit, "zeros": _zeros, "ones": _ones,
}  # fmt: skip
"""What no driver can notice on a link without checksums."""


class ChipBench:
    """One chip, its driver in a session, and a pack at its pins."""

    def __init__(
        self, name: str, cells: int, *, topology: str = "split", crc: bool | None = None, chip: str = ""
    ) -> None:
        """Take a row, and the chip that really is on the board where that is another one."""
        self.row: Chip = CHIPS[name]
        self.cells = cells
        has_crc = self.row.crc if crc is None else crc
        afe = AfeConfig(name, 1, ADDRESS, has_crc, SHUNT_UOHM, self.row.max_thermistors, True, 20)
        self.wiring = ChipWiring(cells, topology, afe)
        self.parameters = make_parameters(cells=cells)
        self.settings: AfeSettings = afe_settings(self.wiring, self.parameters)
        self.chip = KINDS[chip or name](cells, SHUNT_UOHM, ADDRESS)
        self.wire: Wire = straight
        self.now_ms = 0
        self.session = self.new_session()
        self.pins = Pins(tuple(3200.0 + 9 * n for n in range(cells)))
        self.sense()

    def new_session(self) -> AfeSession:
        """Begin as a daemon does that has just started."""
        self.counter = BusCounter()
        return AfeSession(self.row.driver(self.settings), self.row.facts, self.counter)

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Carry one transfer over the wire as it is now."""
        return self.wire(self.chip.transfer, address, out, read)

    def sense(self, **changed: Any) -> None:
        """Change some of what is on the pins."""
        self.pins = now = replace(self.pins, **changed)
        temperatures = (*now.battery_decic, now.switch_decic)
        self.chip.sense(now.cell_mv, now.current_ma, now.charger_mv, now.load_mv, temperatures)

    def with_cell(self, number: int, cell_mv: float) -> tuple[float, ...]:
        """Give the cells with one of them changed, counted from 0."""
        return (*self.pins.cell_mv[:number], cell_mv, *self.pins.cell_mv[number + 1 :])

    def drift(self) -> None:
        """Move every value a little, so that an old reading is known by it."""
        now = self.pins
        self.sense(cell_mv=tuple(mv - 20 for mv in now.cell_mv), current_ma=now.current_ma - 1000)

    def pass_ms(self, milliseconds: int) -> None:
        """Let time pass for the chip."""
        self.now_ms += milliseconds
        self.chip.advance(self.now_ms)

    def run(self, procedure: Procedure[T]) -> T:
        """Carry out a procedure as the daemon does."""
        return run(procedure, self, ADDRESS, self.pass_ms, counter=self.counter)

    def cycle(self, *, contactors_open: bool = False, after_ms: int = PERIOD_MS) -> AfeReport:
        """Run one cycle of the session, a period later."""
        self.pass_ms(after_ms)
        report = self.run(self.session.cycle(self.now_ms, contactors_open))
        self.run(self.session.check())
        return report

    def cycles(self, count: int, *, contactors_open: bool = False) -> list[AfeReport]:
        """Run some cycles in which every value moves; give their reports."""
        found = []
        for _ in range(count):
            self.drift()
            found.append(self.cycle(contactors_open=contactors_open))
        return found

    def until_measured(self, *, contactors_open: bool = True, within: int = 12) -> Measurement:
        """Run cycles until there is a measurement."""
        for _ in range(within):
            report = self.cycle(contactors_open=contactors_open)
            if report.measurement is not None:
                return report.measurement
        raise AssertionError(f"no measurement: {report}")

    def permit(self) -> None:
        """Permit both switches, and wait until the chip lets them close."""
        assert self.run(self.session.permit(True))
        for _ in range(8):
            self.cycle()
        assert self.permits == (True, True)

    @property
    def permits(self) -> tuple[bool, bool]:
        """Tell what the chip lets close: charge and discharge."""
        return self.chip.chg_permit, self.chip.dsg_permit

    @property
    def fets(self) -> tuple[bool, bool]:
        """Tell which of the chip's own FETs are on: charge and discharge."""
        return self.chip.charge_fet, self.chip.discharge_fet

    def differences(self, told: Measurement) -> list[str]:
        """Name what was told otherwise than the pins are."""
        pins, sensors = self.pins, self.settings.thermistors
        if (len(told.cell_mv), len(told.battery_decic)) != (self.cells, sensors):
            return [f"{len(told.cell_mv)} cells and {len(told.battery_decic)} sensors"]
        cells = zip(told.cell_mv, pins.cell_mv, strict=True)
        battery = zip(told.battery_decic, pins.battery_decic[:sensors], strict=True)
        rows: list[tuple[str, int | None, float, float]] = [
            *((f"cell {n}", *pair, CELL_MV) for n, pair in enumerate(cells, 1)),
            ("stack", told.stack_mv, sum(pins.cell_mv), STACK_MV),
            ("charger", told.charger_mv, pins.charger_mv, SIDE_MV),
            ("load", told.load_mv, pins.load_mv, SIDE_MV),
            ("current", told.current_ma, pins.current_ma, CURRENT_MA),
            *((f"battery {n}", *pair, TEMPERATURE_DECIC) for n, pair in enumerate(battery, 1)),
            ("switch", told.switch_decic, pins.switch_decic, TEMPERATURE_DECIC),
        ]
        return [
            f"{name}: {read} for {on}" for name, read, on, by in rows if read is None or abs(read - on) > by
        ]
