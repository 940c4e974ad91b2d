"""State machines as tables: of the rows that start at the present place, the first whose condition holds is taken.

One table is what the core follows, what the tests count through, and what the diagrams of the documents are drawn
from.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

Place = TypeVar("Place", bound=Enum)
At = TypeVar("At")
Act = TypeVar("Act")


class Transition(NamedTuple, Generic[Place, At, Act]):
    """One row: its start, its condition, the condition in words, its end, and its action.

    A row that ends where it begins is a reason to stay.
    """

    source: Place
    when: Callable[[At], bool]
    text: str
    target: Place
    act: Act

    def words(self) -> str:
        """Say it in a line."""
        return f"{self.source.value} to {self.target.value}: {self.text}"


class StateMachine(Generic[Place, At, Act]):
    """A table of transitions; of those with the same start the most urgent comes first."""

    def __init__(self, *rows: tuple[Place, Callable[[At], bool], str, Place, Act]) -> None:
        """Take the rows in their order."""
        self.rows = tuple(Transition(*row) for row in rows)
        # Found by `is`: a key that is a member of an enum is hashed by a function of its class, which costs more.
        self._of = tuple(
            (place, tuple(row for row in self.rows if row.source is place))
            for place in dict.fromkeys(row.source for row in self.rows)
        )

    def find(self, place: Place, at: At) -> Transition[Place, At, Act] | None:
        """Give the row that holds in this cycle; None when none does."""
        for source, rows in self._of:
            if source is place:
                for row in rows:
                    if row.when(at):
                        return row
        return None


class PlainMachine(StateMachine[Place, At, None]):
    """A table whose transitions have no action."""

    def __init__(self, *rows: tuple[Place, Callable[[At], bool], str, Place]) -> None:
        """Take the rows in their order."""
        super().__init__(*[(*row, None) for row in rows])

    def follow(self, place: Place, at: At) -> Place:
        """Give the place of this cycle."""
        row = self.find(place, at)
        return place if row is None else row.target
