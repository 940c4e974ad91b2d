"""Write or give the golden frames: `python -m tests.inverters.golden` writes them again; read the difference then.

A file for each protocol holds the states of a pack; `alarms.txt` holds what every protocol tells of each alarm, so that
a new alarm is one place in one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bmsd.inverters.protocols import PROTOCOLS
from bmsd.tables.alarms import ALARMS
from tests.inverters.packs import STATES, document, told

FOLDER = Path(__file__).parent / "golden"
ALARM_FILE = "alarms"


def files() -> dict[str, str]:
    """Give the text of every golden file by its name without the ending."""
    return {**{name: states(name) for name in PROTOCOLS}, ALARM_FILE: alarms()}


def states(protocol: str) -> str:
    """Give the frames of every state in full."""
    blocks = [
        _block(state, [f"{number} {data}" for number, data in told(protocol, snapshot).items()])
        for state, snapshot in STATES.items()
    ]
    return "".join(blocks)


def alarms() -> str:
    """Give for each alarm alone the frames of every protocol that differ from those of a healthy pack."""
    healthy = {protocol: told(protocol, document()) for protocol in PROTOCOLS}
    blocks = [
        _block(
            title,
            [
                f"{protocol} {number} {data}"
                for protocol, frames in healthy.items()
                for number, data in told(protocol, snapshot).items()
                if frames.get(number) != data
            ],
        )
        for title, snapshot in _alarm_snapshots()
    ]
    return "".join(blocks)


def _alarm_snapshots() -> Iterator[tuple[str, dict]]:
    for alarm in ALARMS:
        yield alarm.name, document([alarm.name])
        if alarm.overridable:
            yield f"{alarm.name}, lifted", document(lifted=[alarm.name])


def _block(title: str, lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in (f"{title}:", *(f"  {line}" for line in lines)))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / f"{name}.txt").write_text(text)
