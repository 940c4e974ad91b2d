"""Tables of transitions: the first row that holds, none that begins elsewhere, and no row that cannot be reached."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from bmsd.core.transitions import PlainMachine, StateMachine
from bmsd.docgen.state_machines import MACHINES, diagram


class Lamp(Enum):
    """A lamp."""

    OFF = "off"
    ON = "lit up"


LAMP = PlainMachine[Lamp, int](
    (Lamp.OFF, lambda n: n > 1, "pressed", Lamp.ON),
    (Lamp.OFF, lambda n: n > 0, "touched", Lamp.OFF),
    (Lamp.ON, lambda n: n > 2, "pressed long", Lamp.OFF),
)


@pytest.mark.parametrize(
    ("place", "n", "text", "target"),
    [
        (Lamp.OFF, 0, None, Lamp.OFF), (Lamp.OFF, 1, "touched", Lamp.OFF), (Lamp.OFF, 2, "pressed", Lamp.ON),
        (Lamp.ON, 2, None, Lamp.ON), (Lamp.ON, 3, "pressed long", Lamp.OFF),
    ],
)  # fmt: skip
def test_the_first_row_that_holds_leads_on(place: Lamp, n: int, text: str | None, target: Lamp) -> None:
    row = LAMP.find(place, n)
    assert (None if row is None else row.text) == text
    assert LAMP.follow(place, n) is target


def test_a_row_says_itself_in_a_line() -> None:
    assert LAMP.rows[0].words() == "off to lit up: pressed"
    assert LAMP.rows[0].act is None


def test_a_diagram_has_an_arrow_for_each_way_and_none_for_a_reason_to_stay() -> None:
    assert diagram(LAMP.rows).splitlines()[3:-1] == [
        '    state "lit up" as lit_up',
        "    lit_up --> off: pressed long",
        "    off --> lit_up: pressed",
    ]


@pytest.mark.parametrize("machine", [row[3] for row in MACHINES], ids=[row[0] for row in MACHINES])
def test_every_place_of_a_machine_is_come_to_and_left(machine: StateMachine[Any, Any, Any]) -> None:
    """S15."""
    places = set(type(machine.rows[0].source))
    moving = [row for row in machine.rows if row.source is not row.target]
    assert {row.source for row in moving} == {row.target for row in moving} == places
    words = [row.words() for row in machine.rows]
    assert len(set(words)) == len(words)
