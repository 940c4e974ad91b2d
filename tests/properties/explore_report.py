"""Explore every model and write what was found into docs/exploration.md: `./run explore`, or `./run explore --big`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tests.properties.explore import Found, Model, explore
from tests.properties.explored_models import models

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "exploration.md"
HEAD = (
    "| Model | Rules | Inputs per cycle | States | Transitions | Farthest state | Way back | Alone |"
    " States that wait for a person | CPU time |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |\n"
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
        f" {end} | {found.back} cycles | {found.alone} cycles | {_waits(found)} | {found.seconds:.0f} s |"
    )


def put(size: str, rows: list[str]) -> None:
    """Put rows into the table of one size; those of models that were not explored now stay, the sum is made again."""
    text = DOCUMENT.read_text(encoding="utf-8")
    start = text.index(f"<!-- {size} -->")
    end = text.index("<!-- end -->", start)
    written = {
        _name(row): row for row in text[start:end].splitlines() if row.startswith("| ") and "**" not in row
    }
    written |= {_name(row): row for row in rows}
    kept = [written[model.name] for model in models(big=size == "big") if model.name in written]
    table = "\n".join([*kept, _sum(kept)]) + "\n"
    DOCUMENT.write_text(f"{text[:start]}<!-- {size} -->\n{HEAD}{table}{text[end:]}", encoding="utf-8")


def _name(row: str) -> str:
    return row.split("|")[1].strip()


def _sum(rows: list[str]) -> str:
    columns = [[int(row.split("|")[n].replace(",", "")) for row in rows] for n in (4, 5)]
    return f"| **all** | | | **{sum(columns[0]):,}** | **{sum(columns[1]):,}** | | | | | |"


def _waits(found: Found) -> str:
    return ", ".join(f"{count:,} for {name}" for name, count in sorted(found.waits.items())) or "none"


def main() -> None:
    """Explore; a rule that is broken ends it with the sequence that breaks it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--big", action="store_true", help="the big models: takes long")
    parser.add_argument("models", nargs="*", help="names of models; all when none is named")
    chosen = parser.parse_args()
    for model in models(chosen.big):
        if chosen.models and model.name not in chosen.models:
            continue
        row = line(model, explore(model))
        print(row, flush=True)
        put("big" if chosen.big else "small", [row])


if __name__ == "__main__":
    main()
