"""The journal link: one line a person understands per event of the core, with fields for machines.

Only this process ever waits for journald. Without systemd, or without its Python module, the same lines go to
stderr. Where it had got to is kept in the link's own file, so that a restart repeats nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bmsd.arguments import marked
from bmsd.errors import StaleError
from bmsd.ipc.sentences import event_text
from bmsd.ipc.shared_files import EVENTS, boot_id, monotonic_ms, read_document
from bmsd.ipc.status import place_kind
from bmsd.links.link import REPORT_MS, Link
from bmsd.links.snapshots import SharedFile, Snapshots
from bmsd.links.watcher import NoticeWatcher
from bmsd.tables import alarms, events, parameters
from bmsd.tables.rows import COUNT, PERCENT, Unit

JOURNAL_SOCKET = Path("/run/systemd/journal/socket")
TICK_MS = 250
"""How often the core's files are looked at where nobody gives notice."""
START_MS = 5000
"""How long after its own start the link waits for a first snapshot before it calls the core lost."""

Send = Callable[[str, Mapping[str, str]], None]


class Mark(NamedTuple):
    """The last event told. Both parts rise within a boot; the number starts again with the core."""

    at_ms: int = -1
    n: int = 0


def run(link: Link) -> None:
    """Tell events until the link is told to end."""
    follower, notices = Follower(link, sender()), NoticeWatcher(link.runtime_dir)
    while not link.stopping:
        follower.look(now_ms := monotonic_ms())
        notices.wait(link, follower.pause_ms(now_ms), TICK_MS)
    follower.look(monotonic_ms())


class Follower:
    """Follows the event ring and the health of the core."""

    def __init__(self, link: Link, send: Send) -> None:
        self._link = link
        self._send = send
        self._mark = remembered(link.runtime_dir / f"link-{link.name}.json")
        self._snapshots = Snapshots(link.runtime_dir)
        self._events = SharedFile(link.runtime_dir / EVENTS)
        self._started_ms = monotonic_ms()
        self._present: bool | None = None
        self._told = 0
        self._failed = 0

    def look(self, now_ms: int) -> None:
        """Tell everything that is new."""
        # Judged before anything is sent: a journal that stalls makes now_ms old, and every snapshot younger than it.
        present = self._snapshots.fresh(now_ms) is not None
        found = new_events(self._events.last() or {}, self._mark)
        self._tell_of_gap(found)
        for event in found:
            self._tell(event_text(event), fields(event))
            self._mark = Mark(event["at_ms"], event["n"])
        self._watch_core(present, now_ms)
        state = "running" if self._present else "waiting"
        detail = "follows events" if self._present else self._snapshots.trouble
        mark = {"last_at_ms": self._mark.at_ms, "last_n": self._mark.n}
        self._link.report(state, detail, at_once=bool(found), told=self._told, failed=self._failed, **mark)

    def pause_ms(self, now_ms: int) -> int:
        """Tell when to look again though nobody gives notice: to report, and when the snapshot gets old."""
        old_ms = self._snapshots.old_ms() if self._present else None
        return REPORT_MS if old_ms is None else min(REPORT_MS, max(old_ms - now_ms, 0))

    def _tell_of_gap(self, found: list[Mapping[str, Any]]) -> None:
        """Say how many events were overwritten before they could be told; each run of the core counts from 1."""
        first = found[0]["n"] if found else 0
        missed = first - 1 - (self._mark.n if first > self._mark.n else 0)
        if missed > 0:
            text = f"{missed} {events.line('link', 'missed')}"
            self._tell(text, {**_plain("link", "missed"), "BMSD_VALUE": str(missed)})

    def _watch_core(self, present: bool, now_ms: int) -> None:
        if not present and self._present is None and now_ms - self._started_ms < START_MS:
            return
        if present != self._present:
            if not present:
                line = "bmsd core is not there" if self._present is None else events.line("core", "lost")
                text = f"{line}: {self._snapshots.trouble}"
                self._tell(text, _plain("core", "lost"))
            elif self._present is not None:
                self._tell(events.line("core", "back"), _plain("core", "back"))
        self._present = present

    def _tell(self, message: str, with_fields: Mapping[str, str]) -> None:
        try:
            self._send(message, with_fields)
            self._told += 1
        except OSError:
            self._failed += 1  # the event itself is in the core's ring


def remembered(path: Path) -> Mark:
    """Read how far an earlier run in this boot had got."""
    try:
        document = read_document(path)
        if document["boot"] == boot_id():
            return Mark(int(document["last_at_ms"]), int(document["last_n"]))
    except (StaleError, KeyError, TypeError, ValueError):
        pass  # a first run, or nothing usable: begin with the oldest event of the ring
    return Mark()


def new_events(document: Mapping[str, Any], mark: Mark) -> list[Mapping[str, Any]]:
    """Give the events after a mark, oldest first; those of another boot are history."""
    if document.get("boot") != boot_id():
        return []
    found = [event for event in document.get("events", ()) if (event["at_ms"], event["n"]) > mark]
    return sorted(found, key=lambda event: (event["at_ms"], event["n"]))


def fields(event: Mapping[str, Any]) -> dict[str, str]:
    """Give the journal fields of one event: all text, values in people's units."""
    found = {**_plain(event["kind"], event["state"]), "BMSD_NAME": _name(event["kind"], event["name"])}
    row = alarms.BY_NAME.get(event["name"]) if event["kind"] == "alarm" else None
    if row:
        found |= {"BMSD_ALARM": row.name, "MESSAGE_ID": row.message_id}
        if event["state"] == "raised":
            found["PRIORITY"] = str(row.severity.priority)
    if event.get("where") is not None:
        found[f"BMSD_{place_kind(event['name']).upper()}"] = str(event["where"])
    if event.get("who"):
        found["BMSD_WHO"] = str(event["who"])
    return found | _finding(event)


def _name(kind: str, name: str) -> str:
    """Name what an event is about; a parameter as people write it, since its value is in their units."""
    row = parameters.BY_NAME.get(name) if kind == "parameter" else None
    return row.public_name if row else name


def _plain(kind: str, state: str) -> dict[str, str]:
    """Give the fields that every line has; an event that no row knows is a notice without an id."""
    row = events.kind_of(kind, state)
    found = {
        "BMSD_EVENT": kind,
        "BMSD_STATE": state,
        "PRIORITY": str(row.priority if row else events.NOTICE),
        "SYSLOG_IDENTIFIER": "bmsd",
    }
    return {**found, "MESSAGE_ID": row.message_id} if row else found


def _finding(event: Mapping[str, Any]) -> dict[str, str]:
    unit = _unit(event["kind"], event["name"])
    found = {}
    for field, key in (("BMSD_VALUE", "value"), ("BMSD_LIMIT", "limit")):
        if event.get(key) is not None:
            found[field] = str(unit.to_public(event[key]))
    if found and unit.symbol:
        found["BMSD_UNIT"] = unit.symbol
    return found


def _unit(kind: str, name: str) -> Unit:
    """Find what an event's value is counted in."""
    if kind == "soc":
        return PERCENT
    table: Mapping[str, Any] = parameters.BY_NAME if kind == "parameter" else alarms.BY_NAME
    unit: Unit = table[name].unit if name in table else COUNT
    return unit


def sender() -> Send:
    """Choose where lines go: the journal where there is one and its module, else stderr."""
    try:
        from systemd.journal import send
    except ImportError:
        return _to_stderr
    if not JOURNAL_SOCKET.exists():
        return _to_stderr

    def to_journal(message: str, with_fields: Mapping[str, str]) -> None:
        # CODE_FILE: without it the library walks the stack for every line.
        send(message, CODE_FILE=__file__, **with_fields)

    return to_journal


def _to_stderr(message: str, with_fields: Mapping[str, str]) -> None:
    print(marked(int(with_fields["PRIORITY"]), message), file=sys.stderr, flush=True)
