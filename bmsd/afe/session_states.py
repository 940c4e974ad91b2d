"""Where the front end is, and what leads on: the table that the session follows."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from bmsd.core.transitions import PlainMachine
from bmsd.core.types import AfeState


class Happened(Enum):
    """What a session met in a cycle."""

    FOUND = "found"
    HOLDS = "holds its settings, as read back"
    UNSET = "measures, may not be set up while a contactor is closed"
    LOST = "lost its settings"
    REFUSED = "another chip, or settings that do not read back"
    GIVEN_UP = "no answer, or no new measurement, for too many cycles"


def _on(what: Happened) -> Callable[[Happened], bool]:
    return lambda happened: happened is what


STATES = PlainMachine[AfeState, Happened](
    *[
        (place, _on(what), what.value, target)
        for place in (AfeState.ABSENT, AfeState.CONFIGURING, AfeState.REFUSED, AfeState.WATCHING)
        for what, target in (
            (Happened.FOUND, AfeState.CONFIGURING),
            (Happened.HOLDS, AfeState.READY),
            (Happened.UNSET, AfeState.WATCHING),
            (Happened.LOST, AfeState.CONFIGURING),
            (Happened.REFUSED, AfeState.REFUSED),
            (Happened.GIVEN_UP, AfeState.ABSENT),
        )
        if target is not place
    ],
    (AfeState.READY, _on(Happened.LOST), Happened.LOST.value, AfeState.CONFIGURING),
    (AfeState.READY, _on(Happened.GIVEN_UP), Happened.GIVEN_UP.value, AfeState.ABSENT),
)
"""A chip that measures for the daemon is refused by nothing: what cannot be read then is a bad cycle."""
