"""One cycle from the chip's registers to the output edge: poll, decide, switch, read back.

The daemon runs it in real time, the bench in virtual time; neither the chip nor the outputs can tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Protocol, TypeVar

from bmsd.afe.chips import CHIPS
from bmsd.afe.session import AfeSession
from bmsd.afe.silence import WatchedPort
from bmsd.afe.switching import OwnFets
from bmsd.afe.transfers import BusCounter, Port, Procedure, run
from bmsd.control.chip_protection import HOST_WATCHDOG_S, Wired, afe_settings
from bmsd.core import sleep
from bmsd.core.settings import Settings
from bmsd.core.state import Outputs, State
from bmsd.core.step import step
from bmsd.core.types import ALL_OFF, AfeReport, AfeState, Commands, Inputs, Levels, Request
from bmsd.hardware import outputs
from bmsd.hardware.outputs import Lines
from bmsd.tables.configuration import OWN_FETS
from bmsd.tables.parameters import Parameters

T = TypeVar("T")

_of_switches = attrgetter("charge", "discharge", "main", "precharge")
BALANCE_REFRESH_MS = 5000
"""The chip stops balancing by itself after 20 s unless it is told again."""
LATE_MS = 1000 * (HOST_WATCHDOG_S - 1)
"""After a longer silence the chip's watchdog may have taken its permits back, and any word gives them again."""


class Controlled(Wired, Protocol):
    """What of a configuration the control of a pack needs."""

    def settings(self, parameters: Parameters) -> Settings:
        """Give what the core decides by, with a set of parameters."""
        ...


@dataclass(slots=True)
class Board:
    """What one pack is attached to: its bus, its lines, and how to wait."""

    port: Port
    lines: Lines
    sleep_ms: Callable[[int], None]
    heater_ma: Callable[[], int | None] = field(default=lambda: None)
    clock_ms: Callable[[], int] | None = None
    """The monotonic clock; None: time stands still within a cycle, as on the bench."""


class Controller:
    """The running control of one pack; `state`, `out`, `inputs` and `levels` are of the last cycle."""

    def __init__(self, config: Controlled, parameters: Parameters, board: Board, state: State) -> None:
        self._config = config
        self._board = board
        self._counter = BusCounter()
        self._wanted = self._programmed = afe_settings(config, parameters)
        self._session = self._new_session()
        self._balance = (0, 0)
        self._permitted: bool | None = None
        self._resting = False
        self._beat = False
        self._cycle_ms = 0
        self._silent = False
        self._switched_ms = 0
        self._port = WatchedPort(
            board.port, board.clock_ms or (lambda: self._cycle_ms), LATE_MS, self._all_off_first
        )
        self._fets = OwnFets() if config.topology == OWN_FETS else None
        self.parameters = parameters
        self.settings: Settings = config.settings(parameters)
        self.state = state
        self.levels: Levels = outputs.all_off(board.lines)
        self.inputs: Inputs | None = None
        self.out: Outputs | None = None
        self.guarded: bool | None = True
        """Whether the guard process listens; None is not known, and a bench needs none."""

    @property
    def backstop_is_old(self) -> bool:
        """Tell whether the chip still holds the backstop of earlier parameters."""
        return self._programmed is not self._wanted and self._programmed != self._wanted

    @property
    def period_ms(self) -> int:
        """Give the time to the next cycle: longer asleep."""
        return sleep.period_ms(self.parameters, self.state.sleep)

    @property
    def wire_bytes(self) -> int:
        """Count the bytes the bus carried since start."""
        return self._counter.wire_bytes

    def use(self, parameters: Parameters) -> None:
        """Decide with another checked set from the next cycle on.

        The chip's backstop follows when the contactors are next open: programming it switches its
        protection off for a moment (S6). Until then both layers hold, with another margin between them.
        """
        self.parameters = parameters
        self.settings = self._config.settings(parameters)
        self._wanted = afe_settings(self._config, parameters)

    @property
    def contactors_open(self) -> bool:
        """Tell whether contactors and pre-charge are commanded off and nothing reads otherwise."""
        return self._contactors_open(self._contacts())

    def cycle(self, now_ms: int, requests: tuple[Request, ...] = ()) -> Outputs:
        """Run one complete cycle."""
        self._begin(now_ms)
        # Read before the chip is: what it opened until here, it then says.
        contacts, after_ms = self._contacts(), self._time_ms(now_ms) - self._switched_ms
        is_open = self._contactors_open(contacts)
        if self.backstop_is_old and is_open:
            self._programmed = self._wanted
            self._session = self._new_session()
            self._permitted = None
            self._resting = False
        report = self._run(self._session.cycle(now_ms, is_open))
        if self._fets is not None:
            self._fets.take(report)
            contacts = self._contacts()
        if self._silent:
            # Rests count from when everything went off, not from when this cycle was due.
            now_ms = self._time_ms(now_ms)
        self.inputs = Inputs(
            now_ms,
            report,
            self.levels,
            contacts,
            self._board.heater_ma(),
            requests,
            outputs.is_pressed(self._board.lines),
            self._silent,
            self.guarded,
            after_ms,
        )
        self._silent = False
        self.state, self.out = step(self.settings, self.state, self.inputs)
        self._rest_chip(report, is_open)
        self._look()
        # What was decided before a silence is too old to close anything: the next cycle begins again.
        self._switch(ALL_OFF if self._silent else self.out.commands, now_ms)
        if self._fets is not None and not self._silent:
            self._run(self._fets.follow(self._session, self.out.commands))
        self._tell_chip(now_ms, report)
        if report.measurement is not None and report.state is AfeState.READY:
            self._beat = not self._beat
            outputs.beat(self._board.lines, self._beat)
        outputs.show(self._board.lines, self.out.led)
        self._run(self._session.check())
        return self.out

    def _switch(self, commands: Commands, now_ms: int) -> None:
        """Drive the lines, and note when one of them really moved."""
        before, self.levels = self.levels, outputs.apply(self._board.lines, commands)
        if _of_switches(before) != _of_switches(self.levels):
            self._switched_ms = self._time_ms(now_ms)

    def _time_ms(self, now_ms: int) -> int:
        """Give the time by now: a cycle may be late, or long."""
        return now_ms if self._board.clock_ms is None else max(now_ms, self._board.clock_ms())

    def stop(self) -> bool:
        """Switch everything off and let go of the lines; tell whether every line, and each FET, then read off."""
        self.levels = outputs.all_off(self._board.lines)
        if self._fets is None:
            self._run(self._session.permit(False))
            fets_off = True
        else:
            fets_off = self._run(self._fets.switch_off(self._session))
        self._board.lines.close()
        return fets_off and all(getattr(self.levels, name) is False for name in self.settings.wired)

    def _new_session(self) -> AfeSession:
        chip = CHIPS[self._config.afe.chip]
        return AfeSession(chip.driver(self._programmed), chip.facts, self._counter)

    def _contacts(self) -> Levels:
        """Read the auxiliary contacts; the chip's own FETs read as its status register last told."""
        contacts = outputs.contacts(self._board.lines)
        if self._fets is None:
            return contacts
        levels = self._fets.levels
        return contacts._replace(charge=levels.charge, discharge=levels.discharge)

    def _begin(self, now_ms: int) -> None:
        """Begin a cycle; after a silence everything goes off first."""
        self._cycle_ms = now_ms
        self._port.begin_cycle()
        self._look()

    def _look(self) -> None:
        """Let everything go off after a silence, though nothing is to be said to the chip now."""
        try:
            self._port.look()
        except OSError:
            pass  # told by the transfer that fails for it

    def _all_off_first(self, is_new: bool) -> bool:
        """Switch all lines off, then forbid the chip its switches; tell whether it may hear other words now (S13)."""
        if is_new:
            self._silent = True
            self._permitted = None
            self._balance = (0, 0)
            self.levels = outputs.all_off(self._board.lines)
            self._switched_ms = self._time_ms(self._cycle_ms)
        if self._session.state is not AfeState.READY:
            return True  # the first word of who brings a chip up is the same
        if self._fets is not None:
            return self._run(self._fets.switch_off(self._session))
        return self._run(self._session.permit(False))

    def _contactors_open(self, contacts: Levels) -> bool:
        """Tell whether contactors and pre-charge are commanded off and nothing reads otherwise."""
        commands = self.state.commands
        return not (
            commands.charge
            or commands.discharge
            or commands.precharge
            or self.levels.precharge
            or self.levels.charge
            or self.levels.discharge
            or contacts.charge
            or contacts.discharge
            or commands.main
            or commands.charge_diode
            or commands.discharge_diode
            or self.levels.main
            or contacts.main
        )

    def _rest_chip(self, report: AfeReport, is_open: bool) -> None:
        """Let the chip rest while the pack sleeps with everything open; wake it before anything closes (S6)."""
        if report.state is not AfeState.READY:
            self._resting = False
            return
        commands = self.state.commands
        closes = commands.charge or commands.discharge or commands.main or commands.precharge
        wanted = self.state.sleep.asleep and is_open and not closes
        if wanted != self._resting and (self._run(self._session.rest(wanted)) or not wanted):
            self._resting = wanted

    def _tell_chip(self, now_ms: int, report: AfeReport) -> None:
        """Set the chip's interlock and its balancing; both are renewed after the chip was lost."""
        if report.state is not AfeState.READY or report.measurement is None or self.out is None:
            self._permitted = None
            return
        if self._fets is None and self._permitted is not True and self._run(self._session.permit(True)):
            self._permitted = True
        mask, told_ms = self.out.commands.balance_mask, self._balance[1]
        is_due = mask != self._balance[0] or (mask and now_ms - told_ms >= BALANCE_REFRESH_MS)
        if is_due and self._run(self._session.balance(mask)):
            self._balance = (mask, now_ms)

    def _run(self, procedure: Procedure[T]) -> T:
        return run(
            procedure,
            self._port,
            self._config.afe.address,
            self._board.sleep_ms,
            counter=self._counter,
        )


def sleep_ms(duration_ms: int) -> None:
    """Wait in real time."""
    time.sleep(duration_ms / 1000)
