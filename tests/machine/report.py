"""The report of runs on the test machine: what was expected, what was seen, and how the lines moved.

tests/machine/report.py KEEP/trixie KEEP/bookworm > docs/machine.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROWS = "rows.json"
"""What a run leaves in the folder of its Debian release."""
COMPLETE = "complete"
"""Beside it: what the run was complete and good for, as `extent.py` names it; empty when it was not."""

HEAD = """# The machine test: what was expected, what was seen

<!-- Made by `tests/machine/run.py` and `tests/machine/report.py`. Changes here are lost. -->

bmsd's Debian package on a real Linux kernel (user-mode Linux 6.12), with Debian's user space and systemd, installed
with apt. The front-end chip is simulated at register level behind a real `/dev/i2c-0`; contactors are lines of a real
GPIO chip (gpio-sim), recorded every 4 ms by a program that is not bmsd; `can0` and `can1` are vcan interfaces, heard
with `candump`; `can2` is a CAN device of the kernel's slcan driver, with a bit rate, a state and a queue, at the other
end of whose serial line the host plays the controller. RS485 lines are serial ports with `mbpoll` or a simulated meter
at their other ends. The cases run after each other in the order of the table on three machines, which begin with the
same installation, so that each of them begins with a machine that has been through something; one that was run again,
alone, had only the installation before it. Times are of an emulated machine that other work held up.

What is *not* real: the bus's timing; the Raspberry Pi's own GPIO driver (the simulated chip keeps the level of a line
whose process is gone, or lets it fall, as that driver can be told); RS485 direction control; the FETs of the topology
`afe`, which are the simulated chip's. **Of CAN a virtual machine cannot show** what happens on a wire: acknowledgement,
arbitration, error frames, how a wrong bit rate disturbs the others, termination. Here nobody acknowledges because the
controller takes nothing more from the driver, and it is off the bus because it says so. The drivers of an MCP2515 and
of USB adapters are not here, nor is the kernel's own restart after bus-off (`restart-ms`): slcan's driver has none.

Run it as root on an x86-64 Debian: `.venv/bin/python tests/machine/run.py`; it says what it needs, and builds kernel,
image and package itself. Case by case it is in `tests/machine/guest/`. Continuous integration runs all cases on Debian
13, and on Debian 12 those that show the whole (`--smoke`); all of them on both when what decides has changed
(`tests/machine/extent.py` has the list).
"""
TRACED = 14
"""Longer traces are cut."""


def gathered(folders: list[Path]) -> str:
    """Write the page from what runs left, with what all of them were complete for."""
    keys = {(folder / COMPLETE).read_text() for folder in folders}
    rows = {folder.name: json.loads((folder / ROWS).read_text()) for folder in folders}
    return page(rows, keys.pop() if len(keys) == 1 and len(folders) > 1 else "")


def page(found: dict[str, list[dict[str, Any]]], complete: str = "") -> str:
    """Write the page for one or more Debian releases."""
    parts = [HEAD, f"<!-- Both releases complete for {complete}. -->\n"] if complete else [HEAD]
    for suite, rows in found.items():
        good = sum(row["good"] for row in rows)
        parts.append(f"## Debian {suite}: {good} of {len(rows)} cases as expected\n")
        parts.append(table(rows))
    first = next(iter(found.values()))
    parts.append(f"## Levels over time\n\n{TRACE_HEAD}\n")
    parts += [trace(row) for row in first if row["trace"]]
    return "\n".join(parts)


TRACE_HEAD = (
    "Output lines by the second since the case began, the heartbeat left out; `+` is on, `-` is off."
    " Contacts and pack follow the lines."
)


def table(rows: Iterable[dict[str, Any]]) -> str:
    lines = ["| Case | Rules | Expected | Seen | |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        cells = (
            row["name"],
            row["rules"] or "-",
            row["expected"],
            row["seen"],
            "good" if row["good"] else "**BAD**",
        )
        lines.append("| " + " | ".join(clean(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def clean(text: str) -> str:
    """Keep a text in its cell."""
    return " ".join(text.replace("|", "/").split())


def trace(row: dict[str, Any]) -> str:
    moved = []
    for line in row["trace"][:TRACED]:
        at, name, level = line.split()
        moved.append(f"{at} {'+' if level == '1' else '-'}{name}")
    rest = len(row["trace"]) - TRACED
    more = f" ... and {rest} more" if rest > 0 else ""
    return f"- {row['name']}: `{'`, `'.join(moved)}`{more}"


if __name__ == "__main__":
    print(gathered([Path(word) for word in sys.argv[1:]]))
