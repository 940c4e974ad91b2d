"""The page of the SunSpec models: what of each point is filled in, and from what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bmsd.docgen.markdown import code, page, table
from bmsd.links import sunspec_values
from bmsd.tables import alarms, sunspec
from bmsd.tables.sunspec import PAD, SunspecPoint


def sunspec_page() -> str:
    """Describe every model of the chain."""
    parts = [
        f"The chain begins at register {sunspec.BASE}, address counted from 0. Where a model starts depends on those"
        " before it, and so on the number of cells; clients find their way by id and length. Types, sizes and scale"
        " factors are SunSpec's. A point without a value carries SunSpec's value for *not implemented*, as does one"
        " whose value is unknown. A current or power of these models is **positive when it discharges**, the other way"
        " round than in bmsd's own registers.",
    ]
    for model in sunspec.MODELS:
        parts += [f"## Model {model.id}: {model.title}", _points(model.points)]
        if model.block:
            often = f"for each of the {model.repeats}" if isinstance(model.repeats, str) else "once"
            parts += [f"Then, {often}:", _points(model.block)]
    bits = ([str(bit), _names(names)] for bit, names in sorted(sunspec_values._EVENTS))
    rest = [
        f"{sunspec_values.OTHER_ALARM}, {sunspec_values.OTHER_WARNING}",
        "all other alarms; all other warnings",
    ]
    parts += [
        "## Events",
        "Bits of `Evt1`. `EvtVnd1` has the alarms of code 1 to 31 as bits 0 to 30, `EvtVnd2` those of code 32 to 62;"
        " the codes are in [alarms](alarms.md).",
        table(("Bit", "Alarms"), [*bits, rest]),
    ]
    return page("SunSpec models", "`bmsd/tables/sunspec.py`", *parts)


def _points(rows: Iterable[SunspecPoint]) -> str:
    return table(("Point", "Type", "Scale", "Value"), _rows(rows))


def _rows(rows: Iterable[SunspecPoint]) -> Iterator[list[str]]:
    for row in rows:
        if row.type is not PAD:
            size = f", {row.size} registers" if row.size else ""
            yield [
                code(row.name),
                f"{row.type.value[0]}{size}",
                code(row.scale) if row.scale else "",
                _value(row),
            ]


def _value(row: SunspecPoint) -> str:
    if row.value is None:
        return ""
    return code(row.value) if isinstance(row.value, str) else str(row.value)


def _names(names: Iterable[str]) -> str:
    return ", ".join(code(name) for name in names if name in alarms.BY_NAME)
