"""Write or give the golden frames: `python -m tests.inverters.golden` writes them again; read the difference then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bmsd.inverters.protocols import PROTOCOLS
from bmsd.tables.alarms import ALARMS
from tests.inverters.packs import STATES, document, told

FOLDER = Path(__file__).parent / "golden"


def golden(protocol: str) -> str:
    """Give every state in full, then for each alarm the frames by which it differs from a healthy pack."""
    return "".join(f"{line}\n" for line in _lines(protocol))


def _lines(protocol: str) -> Iterator[str]:
    for state, snapshot in STATES.items():
        yield f"{state}:"
        yield from (f"  {number} {data}" for number, data in told(protocol, snapshot).items())
    healthy = told(protocol, document())
    for alarm in ALARMS:
        yield from _difference(healthy, alarm.name, told(protocol, document([alarm.name])))
        if alarm.overridable:
            yield from _difference(
                healthy, f"{alarm.name}, lifted", told(protocol, document(lifted=[alarm.name]))
            )


def _difference(healthy: dict[str, str], title: str, frames: dict[str, str]) -> Iterator[str]:
    yield f"{title}:"
    yield from (f"  {number} {data}" for number, data in frames.items() if healthy.get(number) != data)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in PROTOCOLS:
        (FOLDER / f"{name}.txt").write_text(golden(name))
