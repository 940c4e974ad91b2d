"""bmsctl can: what the inverter is told and what it says, frame by frame, with one plain sentence on top.

Only files in the runtime directory are read: the link is asked nothing, and is not delayed.
"""

from __future__ import annotations

import contextlib
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from bmsd.cli import can_view
from bmsd.cli.can_words import LinkView, sentence
from bmsd.cli.console import Console, wrapped
from bmsd.cli.params import UsageError
from bmsd.cli.reading import optional
from bmsd.cli.show import print_json
from bmsd.cli.watch import live
from bmsd.errors import BmsdError, StaleError
from bmsd.ipc import shared_files
from bmsd.ipc.frame_ring import RingReader
from bmsd.ipc.snapshot import fresh_snapshot
from bmsd.ipc.status import FINAL_STATES, LINK_FRESH_MS
from bmsd.tables.configuration import link_of

FOLLOW_S = 0.1
CHECK_S = 2.0
"""How often a dump looks whether the link still lives."""


def can(directory: Path, options: Namespace, console: Console) -> int:
    """Show the bus live, once, for programs, or write it down."""
    name = link_of(f"can.{options.bus}") if options.bus else "can"
    if options.dump:
        return _dump(directory, name, options, console)
    if options.json or options.once:
        seen = look(directory, name)
        if options.json:
            print_json(console, can_view.document(seen, sentence(seen)))
        else:
            _say(seen, console)
        return 0
    if not console.is_terminal:
        raise UsageError("can needs a terminal; for a pipe use 'bmsctl can --once', --json or --dump")
    live(lambda: frame(directory, name, console), console)
    return 0


def look(directory: Path, name: str) -> LinkView:
    """Read what a link published; StaleError when it is not there or does not live."""
    link = optional(directory / f"link-{name}.json")
    unit = f"'systemctl status bmsd-link@{name}' tells more"
    if link is None or link.get("boot") != shared_files.boot_id():
        raise StaleError(
            f"the link {name} has written nothing: it is not configured, or does not run; {unit}"
        )
    age_ms = shared_files.monotonic_ms() - int(link["at_ms"])
    state, detail = link.get("state"), link.get("detail")
    if state in FINAL_STATES:
        raise StaleError(f"the link {name} has ended ({state}): {detail}")
    if not 0 <= age_ms <= LINK_FRESH_MS:
        raise StaleError(
            f"the link {name} is silent for {age_ms / 1000:.0f} s, was {state}: {detail}; {unit}"
        )
    frames = optional(directory / f"frames-{name}.json") or {}
    try:
        snapshot = fresh_snapshot(directory).document
    except StaleError:
        snapshot = None
    values = (optional(directory / shared_files.PARAMETERS) or {}).get("values")
    return LinkView(
        name, link, frames, snapshot, values if isinstance(values, dict) else {}, shared_files.monotonic_ms()
    )


def frame(directory: Path, name: str, console: Console) -> list[str]:
    """Compose one screen."""
    try:
        seen = look(directory, name)
    except StaleError as error:
        told = [
            console.paint(line, "alert") for line in wrapped(console.encodable(str(error)), console.width)
        ]
        return [*told, "", "Waiting for the link. q ends."]
    return [*can_view.head(seen, sentence(seen), console), *can_view.lines(seen, console)]


def _say(seen: LinkView, console: Console) -> None:
    for line in (*can_view.head(seen, sentence(seen), console), *can_view.lines(seen, console)):
        console.say(line)


def _dump(directory: Path, name: str, options: Namespace, console: Console) -> int:
    """Write the frames that are kept, then each that comes; say at the end how many, and what was lost."""
    channel = Path(str(look(directory, name).frames.get("channel") or name)).name or name
    reader, written = RingReader(directory / f"frames-{name}.ring"), 0
    with _opened(options.dump, console.stream) as file, contextlib.suppress(KeyboardInterrupt):
        next_check = time.monotonic()
        while True:
            try:
                found = reader.take()
            except OSError as error:
                raise StaleError(f"the frames of link {name} cannot be read: {error}") from error
            file.write("".join(f"{record.candump(channel)}\n" for record in found))
            file.flush()
            written += len(found)
            if options.once:
                break
            if time.monotonic() >= next_check:
                look(directory, name)
                next_check = time.monotonic() + CHECK_S
            time.sleep(FOLLOW_S)
    lost = f", {reader.lost} lost" if reader.lost else ", none lost"
    print(f"{written} frames written{lost}", file=sys.stderr)
    return 0


@contextlib.contextmanager
def _opened(name: str, stream: TextIO) -> Iterator[TextIO]:
    if name == "-":
        yield stream
        return
    try:
        with Path(name).open("w", encoding="ascii") as file:
            yield file
    except OSError as error:
        raise BmsdError(f"{name} cannot be written: {error}") from error
