"""The chip's own FETs as the switches of the pack: told when something changes, and again until they read as told.

What they read comes with every poll; only a command costs transfers of its own, two or three (S9).
"""

from __future__ import annotations

from bmsd.afe.session import AfeSession
from bmsd.afe.transfers import Procedure
from bmsd.core.types import AfeReport, AfeState, Commands, Levels

Pair = tuple[bool, bool]
"""Charge and discharge."""
BOTH_OFF: Pair = (False, False)
_NOT_FOUND = frozenset({AfeState.ABSENT, AfeState.REFUSED})
"""The session begins again, and its first word is ALL_FETS_OFF."""


class OwnFets:
    """The two FETs of one chip."""

    def __init__(self) -> None:
        self._told: Pair | None = None
        self.levels = Levels()
        """What charge and discharge last read; None is unknown."""

    def take(self, report: AfeReport) -> None:
        """Take what this cycle's poll read."""
        measured = report.measurement
        self.levels = Levels()
        if measured is not None:
            self.levels = Levels(charge=measured.charge_fet, discharge=measured.discharge_fet)

    def follow(self, session: AfeSession, commands: Commands) -> Procedure[None]:
        """Bring the FETs where they are commanded."""
        wanted = (commands.charge or commands.charge_diode, commands.discharge or commands.discharge_diode)
        is_astray = (self.levels.charge and not wanted[0]) or (self.levels.discharge and not wanted[1])
        if session.state in _NOT_FOUND or (wanted == self._told and not is_astray):
            return
        yield from self._tell(session, wanted)

    def switch_off(self, session: AfeSession) -> Procedure[bool]:
        """Switch both off whatever is known of the chip; tell whether they then read off (S5)."""
        yield from self._tell(session, BOTH_OFF)
        return (self.levels.charge, self.levels.discharge) == BOTH_OFF

    def _tell(self, session: AfeSession, wanted: Pair) -> Procedure[None]:
        read = yield from session.fets(*wanted)
        self._told = None if read is None else wanted
        self.levels = Levels() if read is None else Levels(charge=read[0], discharge=read[1])
