"""The state machines: a diagram and the rows of each table of transitions."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from itertools import groupby
from typing import Any

from bmsd.afe import session_states
from bmsd.core import charging, contactors, sleep
from bmsd.core.transitions import StateMachine, Transition
from bmsd.docgen.markdown import page, table

_CHIP = "How far the front-end chip is; only a ready one closes anything (S6)."

MACHINES: tuple[tuple[str, str, str, StateMachine[Any, Any, Any]], ...] = (
    ("Charge", "bmsd/core/charging.py",
     "What the inverter is asked for while a pack is charged, and afterwards.", charging.PHASES),
    ("Load side", "bmsd/core/contactors.py",
     "How the discharge contactor, or the one that both directions share, is closed behind a pre-charge.",
     contactors.LOAD_SIDE),
    ("Front-end chip", "bmsd/afe/session_states.py", _CHIP, session_states.STATES),
    ("Sleep", "bmsd/core/sleep.py", "When a pack that nobody uses goes to low power, and what wakes it.", sleep.PHASES),
)  # fmt: skip


def state_machines_page() -> str:
    """Draw each machine, and list its rows in the order in which they are asked."""
    parts = [
        "Each table is what runs: from where a thing is, the first row that holds leads on, and a thing that no row"
        " moves stays. A row that ends where it begins is a reason to wait."
    ]
    for title, file, text, machine in MACHINES:
        rows = ((_word(row.source), row.text, _word(row.target)) for row in machine.rows)
        parts += [
            f"## {title}",
            f"{text} [Source](../../{file}).",
            diagram(machine.rows),
            table(("From", "When", "To"), rows),
        ]
    return page("State machines", "the tables of transitions in `bmsd/core` and `bmsd/afe`", *parts)


def diagram(rows: Iterable[Transition[Any, Any, Any]]) -> str:
    """Draw what moves; several reasons for one way stand on one arrow."""
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR"]
    rows = tuple(rows)
    places = dict.fromkeys(place for row in rows for place in (row.source, row.target))
    lines += [
        f'    state "{_word(place)}" as {_name(place)}' for place in places if _name(place) != _word(place)
    ]
    moving = sorted(
        (_name(row.source), _name(row.target), row.text) for row in rows if row.source is not row.target
    )
    for (source, target), ways in groupby(moving, key=lambda way: way[:2]):
        reasons = "<br>".join(
            text.replace("`", "").replace(";", ",").replace(":", " -") for _, _, text in ways
        )
        lines.append(f"    {source} --> {target}: {reasons}")
    return "\n".join([*lines, "```"])


def _name(place: Enum) -> str:
    return _word(place).replace("-", "_").replace(" ", "_")


def _word(place: Enum) -> str:
    return place.value if isinstance(place.value, str) else place.name.lower()
