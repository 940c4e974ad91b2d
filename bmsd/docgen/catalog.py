"""The message catalog of the journal: what `journalctl -x` says under a line of bmsd."""

from __future__ import annotations

import textwrap

from bmsd.docgen import phrases
from bmsd.tables.alarms import ALARMS, Alarm
from bmsd.tables.events import KINDS, EventKind

COLUMNS = 79
HEAD = """\
# Message catalog of bmsd, for journalctl -x.
# Made by './run docs' from bmsd/tables/alarms.py and bmsd/tables/events.py.
"""


def catalog() -> str:
    """Give the whole file, in the format of systemd.io/CATALOG."""
    return "\n".join([HEAD, *map(_alarm, ALARMS), *map(_kind, KINDS)])


def _alarm(alarm: Alarm) -> str:
    value = ""
    if alarm.value:
        # Every raise and every end of such an alarm carries these; a field that is absent would leave its name.
        value = " This line tells @BMSD_VALUE@ @BMSD_UNIT@ against @BMSD_LIMIT@ @BMSD_UNIT@."
    return _entry(
        alarm.message_id,
        f"{alarm.title}: @BMSD_STATE@",
        "bmsd-alarms(7)",
        f"What happened: {phrases.when(alarm)}.{value} 'raised' begins the alarm, 'cleared' ends it.",
        f"What bmsd does: {phrases.blocks(alarm)}.",
        f"What to do: {alarm.advice}",
        f"What ends it: {phrases.ends(alarm)}.",
    )


def _kind(row: EventKind) -> str:
    return _entry(
        row.message_id,
        row.title,
        "bmsd(8)",
        f"What happened: {row.happened}",
        f"What bmsd does: {row.did}",
        f"What to check: {row.check}",
        f"What ends it: {row.clears}",
    )


def _entry(message_id: str, subject: str, manual: str, *paragraphs: str) -> str:
    heads = [
        f"-- {message_id}",
        f"Subject: {subject}",
        "Defined-By: bmsd",
        "Support: man:bmsctl(1)",
        f"Documentation: man:{manual}",
        "",
    ]
    texts = (
        textwrap.fill(text, COLUMNS, break_long_words=False, break_on_hyphens=False) for text in paragraphs
    )
    return "\n".join([*heads, *texts, ""])
