"""Explore every model and write what was found into docs/exploration.md: `./run explore`, or `./run explore --big`."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "core"), str(HERE.parents[1])]

from explore import Found, Model, explore  # noqa: E402 - found by the path above
from explored_models import models  # noqa: E402

DOCUMENT = HERE.parents[1] / "docs" / "exploration.md"
HEAD = (
    "| Model | Rules | Inputs per cycle | States | Transitions | Farthest state | Way back | Time |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
)


def documented(name: str) -> tuple[int, int]:
    """Read states and transitions of a small model from the document."""
    part = DOCUMENT.read_text(encoding="utf-8").partition("<!-- small -->")[2].partition("<!-- end -->")[0]
    row = re.search(rf"^\| {re.escape(name)} \|(.*)\|$", part, re.MULTILINE)
    if row is None:
        return 0, 0
    columns = [column.strip().replace(",", "") for column in row[1].split("|")]
    return int(columns[2]), int(columns[3])


def line(model: Model, found: Found) -> str:
    """Write what was found of one model as a row."""
    end = f"{found.longest} cycles" if found.complete else f"{found.longest} cycles, then ended"
    return (
        f"| {model.name} | {model.rules} | {len(model.inputs)} | {found.states:,} | {found.transitions:,} |"
        f" {end} | {found.back} cycles | {found.seconds:.0f} s |"
    )


def total(all_found: list[Found]) -> str:
    """Write the sum of all models as a row."""
    states, transitions = sum(f.states for f in all_found), sum(f.transitions for f in all_found)
    return f"| together | | | **{states:,}** | **{transitions:,}** | | | {sum(f.seconds for f in all_found):.0f} s |"


def put(size: str, rows: list[str]) -> None:
    """Put the rows of one size into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    start, end = text.index(f"<!-- {size} -->"), text.index("<!-- end -->", text.index(f"<!-- {size} -->"))
    text = f"{text[:start]}<!-- {size} -->\n{HEAD}" + "\n".join(rows) + "\n" + text[end:]
    DOCUMENT.write_text(text, encoding="utf-8")


def main() -> None:
    """Explore; a rule that is broken ends it with the sequence that breaks it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--big", action="store_true", help="the big models: takes long")
    chosen = parser.parse_args()
    rows, all_found = [], []
    for model in models(chosen.big):
        all_found.append(explore(model))
        rows.append(line(model, all_found[-1]))
        print(rows[-1], flush=True)
    put("big" if chosen.big else "small", [*rows, total(all_found)])


if __name__ == "__main__":
    main()
