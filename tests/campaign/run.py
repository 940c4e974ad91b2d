"""Live many random lives on all processors and write what came of them into docs/campaign.md: `./run campaign`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.campaign.lives import draw
from tests.campaign.outcome import Outcome
from tests.campaign.player import Player

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "campaign.md"
MARK, END = "<!-- figures -->", "<!-- end -->"
KINDS = ("topology", "cells", "chemistry", "supply", "inverter", "start_c", "soc")


def live(number: int) -> Outcome:
    """Live one life."""
    return Player(draw(number)).live()


def figures(outcomes: list[Outcome], first: int) -> str:
    """Write the tables: all lives, and by each kind of pack, place and inverter."""
    lines = [
        f"`./run campaign --lives {len(outcomes)} --first {first}`: {len(outcomes):,} lives,"
        f" {sum(len(draw(o.number).breaks) for o in outcomes):,} faults.\n".replace(
            "--lives 2,", "--lives 2"
        ),
        "| | Lives | A rule broken | Back by itself | Half were back within | Latched, with a reason |"
        " Cold, nobody feeds the heater | Not back |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        _row("all", outcomes),
    ]
    for kind in KINDS:
        groups: dict[object, list[Outcome]] = {}
        for outcome in outcomes:
            groups.setdefault(getattr(draw(outcome.number), kind), []).append(outcome)
        for name in sorted(groups, key=str):
            lines.append(_row(f"{kind.replace('_', ' ')} {name}", groups[name]))
    return "\n".join([*lines, "", *_latches(outcomes)])


def _row(name: str, outcomes: list[Outcome]) -> str:
    times = sorted(o.back_s for o in outcomes if o.back_s is not None)
    middle = f"{times[len(times) // 2] / 60:.1f} min" if times else "-"
    counts = (sum(bool(o.broken) for o in outcomes), len(times), middle)
    return (
        f"| {name} | {len(outcomes)} | {counts[0]} | {counts[1]} | {counts[2]} |"
        f" {sum(o.is_latched for o in outcomes)} | {sum(o.is_gap for o in outcomes)} |"
        f" {sum(o.is_stuck for o in outcomes)} |"
    )


def _latches(outcomes: Iterable[Outcome]) -> list[str]:
    counted = Counter(name for o in outcomes if o.is_latched for name in o.latched)
    return [
        "| Latch | Lives |",
        "| --- | ---: |",
        *[f"| `{name}` | {n} |" for name, n in counted.most_common()],
        "",
    ]


def write(text: str) -> None:
    """Put the figures into the document."""
    old = DOCUMENT.read_text(encoding="utf-8")
    head, tail = old.partition(MARK)[0], old.partition(END)[2]
    DOCUMENT.write_text(f"{head}{MARK}\n\n{text}\n{END}{tail}", encoding="utf-8")


def main() -> int:
    """Live them; 1 when a rule was broken or a pack did not come back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lives", type=int, default=2000)
    parser.add_argument("--first", type=int, default=1, help="number of the first life: its seed")
    parser.add_argument("--write", action="store_true", help="the figures into docs/campaign.md")
    chosen = parser.parse_args()
    began, outcomes = time.monotonic(), []
    numbers = range(chosen.first, chosen.first + chosen.lives)
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for outcome in pool.imap_unordered(live, numbers):
            outcomes.append(outcome)
            if outcome.is_bad:
                print(f"\r{outcome.told}", flush=True)
            if sys.stderr.isatty() or len(outcomes) % 100 == 0:
                passed = time.monotonic() - began
                print(
                    f"\r{len(outcomes)} of {chosen.lives} lives, {passed:.0f} s ",
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
    print(file=sys.stderr)
    outcomes.sort(key=lambda one: one.number)
    text = figures(outcomes, chosen.first)
    print(text)
    if chosen.write:
        write(text)
    return int(any(one.is_bad for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
