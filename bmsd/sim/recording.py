"""Read recorded data row by row: find the columns, bring them to volts, amperes and seconds.

Columns have bmsd's names (`t_s`, `current_a`, `voltage_v` or `v1` to `vN`, `temp_c`), or common ones in
milli-units (`current_ma`, `cell07_mv`), or those the user maps. Everything else and lines with `#` are ignored.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from bmsd.errors import PeerError

ALIASES = {
    "t_s": (("t_s", 1.0), ("t_ms", 0.001)),
    "current_a": (("current_a", 1.0), ("current_ma", 0.001)),
    "voltage_v": (("voltage_v", 1.0), ("voltage_mv", 0.001), ("pack_mv", 0.001)),
    "temp_c": (("temp_c", 1.0),),
    "soc_ref": (("soc_ref", 1.0),),
}
_CELL = re.compile(r"(?:v|cell_?)0*(\d+)(_mv|_v)?")
_MAPPING = re.compile(r"(?P<new>[^=]+)=(?P<old>.+?)(?:\*(?P<factor>[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?))?")
ONE_CELL_MAX_V = 6.0
"""No cell bmsd knows reaches this: a higher `voltage_v` is that of a whole pack."""


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One row; `volts` has one value, or one per cell. What the recording does not have is None."""

    t_s: float
    current_a: float
    volts: tuple[float, ...]
    temp_c: float | None
    soc_ref: float | None


@dataclass(frozen=True, slots=True)
class _Column:
    """Where a value comes from."""

    index: int
    factor: float
    name: str


class Recording:
    """A file of recorded data; iterate over it once. A row's empty value keeps the one before it."""

    def __init__(self, path: Path, columns: str = "") -> None:
        """Open the file and read its heading and first row; raise PeerError for one that cannot be used."""
        self._path = path
        self.held = 0
        """How many values were empty or no numbers."""
        mapping = _parse_mapping(columns)
        self._file: IO[str] = path.open(encoding="utf-8-sig", newline="")
        try:
            self._lines = csv.reader(line for line in self._file if not line.startswith("#") and line.strip())
            self._find_columns([name.strip() for name in next(self._lines, [])], mapping)
            self._rows = self._read()
            first = next(self._rows, None)
            if first is None:
                raise PeerError(f"{path}: there is no row with numbers")
            self.first: RecordingRow = first
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[RecordingRow]:
        yield self.first
        yield from self._rows

    @property
    def cells(self) -> int | None:
        """Count the cells that have a column of their own; None where there is one voltage for all."""
        return len(self._volts) if self._own_cells else None

    @property
    def is_one_cell(self) -> bool:
        """Tell a voltage of one cell from that of a pack, by the first row."""
        return not self._own_cells and self.first.volts[0] <= ONE_CELL_MAX_V

    @property
    def told(self) -> str:
        """Say what was taken for what."""
        voltage = self._volts[0].name
        if self._own_cells:
            said = f"cells from {voltage} to {self._volts[-1].name}"
        elif self.is_one_cell:
            said = f"{voltage} of one cell stands for each"
        else:
            said = f"{voltage} of the pack is shared evenly"
        return said if self._temp else f"{said}; no temperature, 25 °C assumed"

    def _find_columns(self, header: list[str], mapping: dict[str, tuple[str, float]]) -> None:
        found = _named(header, mapping)
        cells = {
            int(name[1:]): column for name, column in found.items() if name[:1] == "v" and name[1:].isdigit()
        }
        self._own_cells = bool(cells)
        if cells and sorted(cells) != list(range(1, len(cells) + 1)):
            raise PeerError(
                f"{self._path}: cell columns must count from 1 without a gap; found {sorted(cells)}"
            )
        missing = [name for name in ("t_s", "current_a") if name not in found]
        if not cells and "voltage_v" not in found:
            missing.append("voltage_v or v1 to vN")
        if missing:
            raise PeerError(
                f"{self._path}: no column for {', '.join(missing)}; the file has {', '.join(header)}."
                " Name them with --columns NEW=OLD,... such as t_s=time,current_a=amps*-1"
            )
        self._t, self._current = found["t_s"], found["current_a"]
        self._volts = [cells[n] for n in sorted(cells)] if cells else [found["voltage_v"]]
        self._temp, self._reference = found.get("temp_c"), found.get("soc_ref")

    def _read(self) -> Iterator[RecordingRow]:
        """Yield rows; time must not go back."""
        last: dict[str, float] = {}
        before_s = -math.inf
        for fields in self._lines:
            t_s = self._value(self._t, fields, {})
            values = [self._value(column, fields, last) for column in (self._current, *self._volts)]
            if t_s is None or None in values:
                self.held += 1
                continue
            if t_s < before_s:
                raise PeerError(
                    f"{self._path}: time goes back from {before_s:g} s to {t_s:g} s: sort the rows"
                )
            before_s = t_s
            current_a, *volts = [value for value in values if value is not None]
            yield RecordingRow(
                t_s,
                current_a,
                tuple(volts),
                self._value(self._temp, fields, last),
                self._value(self._reference, fields, {}),
            )

    def _value(self, column: _Column | None, fields: list[str], last: dict[str, float]) -> float | None:
        """Read one number; where there is none, the one before it."""
        if column is None:
            return None
        try:
            value = float(fields[column.index]) * column.factor
        except (ValueError, IndexError):
            value = math.nan
        if math.isfinite(value):
            last[column.name] = value
            return value
        self.held += column.name in last
        return last.get(column.name)


def _parse_mapping(text: str) -> dict[str, tuple[str, float]]:
    """Take --columns apart: new name, old name and factor; `*` in both names counts cells."""
    mapping = {}
    for part in filter(None, text.replace(" ", "").split(",")):
        match = _MAPPING.fullmatch(part)
        if match is None:
            raise PeerError(f"--columns: {part!r} is not NEW=OLD or NEW=OLD*FACTOR")
        mapping[match["new"]] = (match["old"], float(match["factor"] or 1))
    unknown = [name for name in mapping if name not in ALIASES and not re.fullmatch(r"v(\d+|\*)", name)]
    if unknown:
        raise PeerError(
            f"--columns: cannot use {', '.join(unknown)}; known are {', '.join(ALIASES)}, v1 to vN, v*"
        )
    return mapping


def _named(header: list[str], mapping: dict[str, tuple[str, float]]) -> dict[str, _Column]:
    """Find columns by our name: the user's mapping first, then the names we know ourselves."""
    found: dict[str, _Column] = {}
    for new, (old, factor) in mapping.items():
        pattern = re.escape(old).replace(r"\*", r"0*(\d+)")
        hits = [(re.fullmatch(pattern, name), index) for index, name in enumerate(header)]
        matched = [(match, index) for match, index in hits if match]
        if not matched:
            raise PeerError(f"--columns: there is no column {old}; the file has {', '.join(header)}")
        for match, index in matched:
            name = new.replace("*", match[1]) if "*" in new and match.groups() else new
            found[name] = _Column(index, factor, header[index])
    for new, aliases in ALIASES.items():
        for old, factor in aliases:
            if old in header:
                found.setdefault(new, _Column(header.index(old), factor, old))
    for index, name in enumerate(header):
        if cell := _CELL.fullmatch(name):
            factor = 0.001 if cell[2] == "_mv" else 1.0
            found.setdefault(f"v{int(cell[1])}", _Column(index, factor, name))
    return found
