"""Manual pages about what is decided: the configuration file, and the alarms."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from bmsd.docgen import inside, phrases, roff
from bmsd.docgen.roff import bold, paragraph, section, tagged
from bmsd.tables import alarms, configuration, parameters
from bmsd.tables.alarms import Alarm
from bmsd.tables.chemistries import CHEMISTRIES
from bmsd.tables.configuration import Key
from bmsd.tables.parameters import ParameterRow

_PROGRAMS = (("bmsd", 8), ("bmsctl", 1))


def configuration_page() -> str:
    """Write bmsd.toml(5): every key and every parameter."""
    return roff.page(
        "bmsd.toml",
        5,
        "configuration of bmsd",
        "bmsd/tables/configuration.py and bmsd/tables/parameters.py",
        section("synopsis", ".I /etc/bmsd/bmsd.toml", ".br", r".I /etc/bmsd/conf.d/*.toml"),
        section("description", *_description()),
        section("keys", *_keys()),
        section("parameters", *_parameters()),
        section("rules of order", *(tagged(r"\(bu", f"{inside.order_text(o)}.") for o in parameters.ORDERS)),
        roff.see_also([*_PROGRAMS, ("bmsd-alarms", 7)]),
    )


def _description() -> Iterator[str]:
    yield paragraph(
        "The files are TOML: `[section]`, then lines of `key = value`.",
        "Drop-ins are read after the main file, in order of name, and win key by key.",
        "Anything unknown, wrong or contradictory is refused with file, line and what to do; then nothing is"
        " started.",
        "`bmsd --check-config` only checks.",
    )
    yield paragraph("A key that is marked `required` has no default.")


def _keys() -> Iterator[str]:
    for name, keys in groupby(configuration.KEYS, key=lambda key: key.section):
        yield roff.part(f"[{name}]")
        if name in configuration.OPTIONAL_SECTIONS:
            yield paragraph("The section may be left out: then there is no such thing.")
        if name in configuration.OPEN_SECTIONS:
            yield paragraph("Further keys go to the library behind it (python-can) as they are.")
        if name in configuration.NAMED_SECTIONS:
            yield paragraph(inside.named_section(name))
        yield from map(_key, keys)


def _key(key: Key) -> str:
    ending = "Required." if key.required is configuration.MUST else f"Default: {inside.default(key)}."
    return tagged(bold(key.name), key.help, f"Allowed: {inside.allowed(key)}.", ending)


def _parameters() -> Iterator[str]:
    yield paragraph(
        "These stand in the section `[parameters]`, and can be changed at run time by `bmsctl params`.",
        "Where the configuration gives none, the preset for the chemistry applies; `pack.chemistry` and"
        " `pack.preset` choose it.",
        "Where the preset `jk-compatible` differs from `default`, its value follows as jk.",
        "`choose` has no preset: the configuration must give it.",
        "What is told per cell is multiplied by the number of cells.",
    )
    for group, rows in groupby(parameters.ROWS, key=lambda row: row.group):
        yield roff.part(group.capitalize())
        yield from map(_parameter, rows)


def _parameter(row: ParameterRow) -> str:
    name, unit, bounds, *presets, help_text = inside.parameter(row)
    same = len({*presets}) == 1
    titles = [chemistry.title for chemistry in CHEMISTRIES.values()]
    told = presets[0] if same else ", ".join(map(" ".join, zip(presets, titles, strict=True)))
    size = f"{bounds} {unit}".strip()
    return tagged(bold(name.strip("`")), f"{help_text.rstrip('.')}.", f"{size}; preset {told}.")


def alarms_page() -> str:
    """Write bmsd-alarms(7): every alarm."""
    return roff.page(
        "bmsd-alarms",
        7,
        "alarms of bmsd, and what to do about each",
        "bmsd/tables/alarms.py",
        section("description", *_about_alarms()),
        section("alarms", *map(_alarm, sorted(alarms.ALARMS, key=lambda alarm: alarm.name))),
        roff.see_also([*_PROGRAMS, ("bmsd.toml", 5), ("journalctl", 1)]),
    )


def _about_alarms() -> Iterator[str]:
    yield paragraph(
        "`bmsctl alarms` shows what is active, `bmsctl why` what it means for charging, discharging, heating and"
        " balancing.",
        "Limits and delays are parameters, see bmsd.toml(5).",
    )
    yield paragraph(
        "`journalctl -x BMSD_ALARM=cell_ovp` finds the lines of an alarm in the journal, and so does"
        " `MESSAGE_ID=` with its message id.",
    )


def _alarm(alarm: Alarm) -> str:
    return "\n".join(
        [
            tagged(
                bold(alarm.name),
                f"{alarm.title}.",
                f"Code {alarm.code}, {alarm.severity.value}.",
            ),
            roff.indented(
                [
                    tagged("When:", f"{phrases.when(alarm)}."),
                    tagged("Blocks:", f"{phrases.blocks(alarm)}."),
                    tagged("Ends:", f"{phrases.ends(alarm)}."),
                    tagged("To do:", alarm.advice),
                    tagged("Message id:", alarm.message_id),
                ]
            ),
        ]
    )
