"""One contactor or relay: time to move, welded and stuck contacts, auxiliary contact, wear counts."""

from __future__ import annotations

UNDER_LOAD_A = 1.0
"""An opening that breaks more than this counts as one under load."""

BOUNCE_MS = 400
"""How long a bouncing auxiliary contact reads wrong after each move [est]; contacts themselves settle in 10 ms."""


class Contactor:
    """A contactor or relay: what is commanded, where the armature is, what the contacts do."""

    def __init__(self, pull_in_ms: int, drop_out_ms: int) -> None:
        self.commanded = False
        self.permit = True
        self.welded = False
        self.stuck_open = False
        self.bounces = False
        self.closed = False
        self.operations = 0
        self.openings_under_load = 0
        self.worst_break_a = 0.0
        self.left_ms = 0
        """Time until the armature has moved; 0 when at rest."""
        self._pull_in_ms = pull_in_ms
        self._drop_out_ms = drop_out_ms
        self._driven = False
        self._armature = False
        self._shown: bool | None = None
        self._unsettled_ms = 0

    @property
    def feedback(self) -> bool:
        """Show the auxiliary contact: follows the main contact, unless it is stuck or still bounces."""
        shown = self.closed if self._shown is None else self._shown
        return shown is not (self.bounces and self._unsettled_ms > 0)

    @property
    def feedback_stuck(self) -> bool:
        """Tell whether the auxiliary contact is stuck."""
        return self._shown is not None

    @feedback_stuck.setter
    def feedback_stuck(self, stuck: bool) -> None:
        """Freeze the auxiliary contact where it is, or free it."""
        self._shown = self.feedback if stuck else None

    @property
    def is_moving(self) -> bool:
        """Tell whether the armature is on its way, or the auxiliary contact still bounces."""
        return self.left_ms > 0 or self._unsettled_ms > 0

    def drive(self) -> None:
        """Look at command and permit; start the armature if they ask for the other place."""
        want = self.commanded and self.permit
        if want != self._driven:
            self._driven = want
            self.left_ms = self._pull_in_ms if want else self._drop_out_ms
        if self.left_ms <= 0:
            self._armature = want

    def elapse(self, dt_ms: int) -> None:
        """Move the armature on by a time that never passes its arrival."""
        if self.left_ms > 0:
            self.left_ms -= dt_ms
        if self._unsettled_ms > 0:
            self._unsettled_ms -= dt_ms

    def settle(self, through_a: float) -> bool:
        """Bring the contacts where armature and faults put them; true if they moved."""
        closed = (self._armature or self.welded) and not self.stuck_open
        if closed == self.closed:
            return False
        self.closed = closed
        self._unsettled_ms = BOUNCE_MS
        if closed:
            self.operations += 1
        elif abs(through_a) > UNDER_LOAD_A:
            self.openings_under_load += 1
            self.worst_break_a = max(self.worst_break_a, abs(through_a))
        return True
