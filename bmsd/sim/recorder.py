"""What a run leaves behind: the CSV file, and the trace that a picture is drawn from."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bmsd.core.types import Event
from bmsd.ipc import status
from bmsd.tables import alarms

SWITCHES = ("charge", "discharge", "precharge", "heater")


class CsvFile:
    """The CSV file of a run: `t_s`, then the keys of the status document."""

    def __init__(self, path: Path, cells: int, sensors: int) -> None:
        self._cells = cells
        self._sensors = sensors
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(["t_s", *status.columns(cells, sensors)])

    def write(self, t_ms: int, points: Mapping[str, Any]) -> None:
        """Write one row."""
        self._writer.writerow([t_ms / 1000, *status.row(points, self._cells, self._sensors)])

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


@dataclass(slots=True)
class Span:
    """From when to when an alarm was active; `to_s` None: to the end."""

    name: str
    from_s: float
    to_s: float | None = None


@dataclass(slots=True)
class Trace:
    """The series of a run that a picture shows, in people's units; None is unknown."""

    series: dict[str, list[float | None]] = field(default_factory=dict)
    t_s: list[float] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def add(self, t_ms: int, points: Mapping[str, Any], reference_percent: float | None = None) -> None:
        """Take one sample; `reference_percent` is a state of charge known from elsewhere."""
        self.t_s.append(t_ms / 1000)
        sensors = points["battery_decic"]
        whole = bool(sensors) and None not in sensors
        for name, value, scale in (
            ("cell_min_v", points["cell_min_mv"], 1000),
            ("cell_max_v", points["cell_max_mv"], 1000),
            ("current_a", points["current_ma"], 1000),
            ("coldest_c", min(sensors) if whole else None, 10),
            ("warmest_c", max(sensors) if whole else None, 10),
            ("soc_percent", points["soc_permille"], 10),
            ("soc_error_percent", points["soc_error_permille"], 10),
            ("reference_percent", reference_percent, 1),
            *((name, points[f"{name}_actual"], 1) for name in SWITCHES),
        ):
            self.series.setdefault(name, []).append(None if value is None else value / scale)

    def take(self, events: Sequence[Event], start_ms: int = 0) -> None:
        """Take the alarms of a cycle; times count from `start_ms`."""
        for event in events:
            if event.kind != "alarm" or event.name not in alarms.BY_NAME:
                continue
            at_s = (event.at_ms - start_ms) / 1000
            if event.state == "raised":
                self.spans.append(Span(event.name, at_s))
            else:
                for span in self.spans:
                    if span.name == event.name and span.to_s is None:
                        span.to_s = at_s
