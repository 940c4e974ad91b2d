"""The scenarios that ship, each run once and asked by many tests: what it printed, wrote, told, and how it ended."""

from __future__ import annotations

import contextlib
import csv
import io
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from bmsd.core.types import Event
from bmsd.sim import commands
from bmsd.sim.main import main
from tests.support.kept import kept, source


class Run(NamedTuple):
    """One run; the rows hold what is a number, None else."""

    code: int
    text: str
    errors: str
    rows: list[dict[str, float | None]]
    events: list[Event]


def shipped(name: str) -> Run:
    """Give the run of a scenario, by `bmsim run NAME --csv FILE`."""
    found = kept(f"scenario-{name}", source("bmsd"), lambda: _run(name))
    rows = [
        {key: _number(value) for key, value in row.items()}
        for row in csv.DictReader(io.StringIO(found["csv"]))
    ]
    events = [Event(**event) for event in found["events"]]
    return Run(found["code"], found["text"], found["errors"], rows, events)


def _run(name: str) -> dict[str, Any]:
    events: list[dict[str, Any]] = []
    printing = commands._teller

    def teller(quiet: bool) -> Any:
        tell = printing(quiet)

        def both(at_ms: int, what: Any) -> None:
            tell(at_ms, what)
            if isinstance(what, Event):
                events.append(asdict(what))

        return both

    out, errors = io.StringIO(), io.StringIO()
    commands._teller = teller
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(errors),
        ):
            table = Path(folder) / "rows.csv"
            code = main(["run", name, "--csv", str(table)])
            written = table.read_text(encoding="utf-8")
    finally:
        commands._teller = printing
    told = {"code": code, "text": out.getvalue(), "errors": errors.getvalue()}
    return {**told, "csv": written, "events": events}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
