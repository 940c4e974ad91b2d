"""Pages about what is decided: parameters, published values, alarms, configuration keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from bmsd.afe.chips import CHIPS, usable
from bmsd.docgen.markdown import code, codes, figure, page, table
from bmsd.inverters.protocols import NAMES
from bmsd.ipc.sentences import DOING
from bmsd.tables import alarms, configuration, envelopes, parameters, points
from bmsd.tables.alarms import Alarm, Release
from bmsd.tables.chemistries import CHEMISTRIES
from bmsd.tables.configuration import Key, Required
from bmsd.tables.devices import DEVICES
from bmsd.tables.envelopes import ShareRule, Trap, Window
from bmsd.tables.parameters import ParameterOrder, ParameterRow
from bmsd.tables.points import Point, PointKind

_KNOWN: Mapping[tuple[str, str], Iterable[str]] = {
    ("afe", "chip"): usable(),
    ("can", "protocol"): NAMES,
    ("meter", "devices"): DEVICES,
}
"""Texts whose choices are rows of another table."""


def parameters_page() -> str:
    """List every parameter by group, and the rules of order between them."""
    heads = ("Name", "Unit", "Range", *(c.title for c in CHEMISTRIES.values()), "Meaning")
    parts = [
        "These are the names for `[parameters]` in the configuration and for `bmsctl params`. A preset value"
        " applies where the configuration gives none; `pack.chemistry` and `pack.preset` choose it. Where the"
        " preset `jk-compatible` differs from `default`, its value follows as *jk*. **choose** has no preset:"
        " the configuration must give it. *per cell* is multiplied by the number of cells, range and preset"
        " alike; what you write yourself is for the whole pack."
    ]
    for group, rows in groupby(parameters.ROWS, key=lambda row: row.group):
        parts += [f"## {group.capitalize()}", table(heads, map(parameter, rows))]
    parts += [
        "## Rules of order",
        "A set that breaks one of these is refused as a whole, whether it comes from a file or from"
        " `bmsctl params set` (rule S8).",
        "\n".join(f"- {order_text(order)}" for order in parameters.ORDERS),
        "## What the cells bear",
        "Beyond these a set is refused, too, unless the name stands in `pack.i_know`, because the data sheet of the"
        " cells says so; then up to the figure behind it. What the preset named in `pack.preset` says itself is good.",
        table(
            ("Name", "Unit", *(c.title for c in CHEMISTRIES.values()), "Why"), map(_window, envelopes.WINDOWS)
        ),
        "## Shares and traps",
        "A set that breaks one of these is refused as well: nobody has a reason for it.",
        "\n".join(map(_share, envelopes.SHARES)),
        "\n".join(map(_trap, envelopes.TRAPS)),
    ]
    return page("Parameters", "`bmsd/tables/parameters.py`", *parts)


def _window(window: Window) -> list[str]:
    """Give how far a parameter may go: usual, and with i_know."""
    row = parameters.BY_NAME[window.name]
    side = "at most" if window.side > 0 else "at least"
    per_cell = " per cell" if row.per_cell else ""
    bounds = [
        f"{side} {figure(row.unit, usual)}{per_cell}, *{figure(row.unit, last)}*"
        for usual, last in (window.bounds[chemistry] for chemistry in CHEMISTRIES)
    ]
    return [code(row.public_name), row.unit.symbol, *bounds, window.harm]


def _share(share: ShareRule) -> str:
    row, base = parameters.BY_NAME[share.name], parameters.BY_NAME[share.of]
    parts = [f"{share.permille / 10:g} % of {code(base.public_name)}"]
    parts += [f"or {row.unit.text(share.least)}"] if share.least else []
    parts += (
        [f"and {envelopes.CAP_PERMILLE / 10:g} % of the capacity per hour"]
        if share.name in envelopes.CAPPED
        else []
    )
    return f"- {code(row.public_name)} at most {', '.join(parts)}: {share.why}"


def _trap(trap: Trap) -> str:
    low, high = parameters.BY_NAME[trap.lower], parameters.BY_NAME[trap.higher]
    gap = f" by {low.unit.text(trap.gap)} per cell" if trap.gap else " or equal to it"
    return f"- {code(low.public_name)} below {code(high.public_name)}{gap}, else {trap.stuck}"


def parameter(row: ParameterRow) -> list[str]:
    """Give the cells of a parameter's row: name, unit, range, preset per chemistry, meaning."""
    per_cell = " per cell" if row.per_cell else ""
    bounds = f"{figure(row.unit, row.low)} to {figure(row.unit, row.high)}{per_cell}"
    presets = [_presets(row, chemistry) + per_cell for chemistry in CHEMISTRIES]
    return [code(row.public_name), row.unit.symbol, bounds, *presets, row.help]


def _presets(row: ParameterRow, chemistry: str) -> str:
    ours, theirs = (row.preset.value(chemistry, preset) for preset in ("default", "jk-compatible"))
    if ours is None or theirs is None:
        return "**choose**"
    if row.share_of:
        return f"{ours / 10:g} % of `{parameters.BY_NAME[row.share_of].public_name}`"
    text = figure(row.unit, ours)
    return text if ours == theirs else f"{text}; jk {figure(row.unit, theirs)}"


def order_text(order: ParameterOrder) -> str:
    """Write a rule of order as a sentence."""
    low, high = parameters.BY_NAME[order.lower], parameters.BY_NAME[order.higher]
    rule = f"at least {low.unit.text(order.gap)} below" if order.gap else "not above"
    return f"`{low.public_name}` must be {rule} `{high.public_name}`"


def points_page() -> str:
    """List every published value."""
    heads = ("Key", "Unit", "Kind", "Inside name", "Meaning")
    return page(
        "Published values",
        "`bmsd/tables/points.py`",
        "The keys of `bmsctl status --json`, joined with dots; also the CSV columns of `bmsim`. There a list"
        " is counted from 1 (`cells.voltage_v.7`) and a switch is one column, as read back"
        " (`switches.charge`). Unknown is `null` in JSON and empty in CSV. The inside name is the one in"
        " the snapshot, with the value as an integer in the unit its ending names.",
        table(heads, map(_point, points.POINTS)),
    )


def _point(point: Point) -> list[str]:
    kind = "yes or no" if point.kind is PointKind.FLAG else point.kind.value
    many = "" if point.count is points.Count.ONE else f", {point.count.value}"
    return [code(point.path), point.unit.symbol, kind + many, code(point.name), point.help]


def alarms_page() -> str:
    """List every alarm: an overview, then one section each."""
    heads = ("Code", "Name", "Title", "Severity", "Blocks", "Ends")
    rows = (
        [str(a.code), f"[`{a.name}`](#{a.name})", a.title, a.severity.value, _blocks(a), _ends(a)]
        for a in alarms.ALARMS
    )
    details = "\n\n".join(_alarm(alarm) for alarm in alarms.ALARMS)
    return page(
        "Alarms",
        "`bmsd/tables/alarms.py`",
        "Codes and MESSAGE_IDs never change their meaning. An alarm that ends by itself does so when its"
        " cause is gone, for its release time where it has one. The others wait for `bmsctl reset NAME`,"
        " which is refused while the cause is there; they survive restarts and power cuts (rule S13)."
        " Delays and limits are names of [parameters](parameters.md).",
        f"While an [emergency override](../SAFETY.md#s10-the-emergency-override-has-limits) is in force it lifts"
        f" {_lifted()}. Whatever else an alarm blocks stays blocked (rule S10).",
        table(heads, rows),
        "## One by one",
        details,
    )


def _alarm(alarm: Alarm) -> str:
    lines = [
        f"- Code {alarm.code}, {alarm.severity.value}, blocks {_blocks(alarm)}, ends {_ends(alarm)}",
        f"- Raised: {_trip(alarm)}{_after(alarm.delay, ', after ')}",
        f"- Cause gone: {_release(alarm)}{_after(alarm.release_delay, ', for ')}",
        *_opening(alarm),
        f"- What to do: {alarm.advice}",
        f"- MESSAGE_ID `{alarm.message_id}`",
    ]
    return f"### {alarm.name}\n\n**{alarm.title}.**\n\n" + "\n".join(lines)


def _lifted() -> str:
    """Name what the override lifts, by what is done through it."""
    ways = {
        block: codes(a.name for a in alarms.ALARMS if a.overridable & block)
        for block in alarms.Block
        if block
    }
    return " and ".join(
        f"for {DOING[str(block.name).lower()]} {names}" for block, names in ways.items() if names
    )


def _opening(alarm: Alarm) -> list[str]:
    """Say whether the contactor may wait for little current before it opens (S12)."""
    if not alarm.blocks & alarms.BOTH:
        return []
    if not alarm.opening_ms:
        return ["- The contactor opens at once"]
    bound = f"`{parameters.BY_NAME['opening_wait_ms'].public_name}`, {alarm.opening_ms / 1000:g} s at most"
    return [f"- The contactor waits for little current before it opens: {bound}"]


def _blocks(alarm: Alarm) -> str:
    names = alarm.blocks.names
    return "everything" if alarm.blocks is alarms.EVERYTHING else ", ".join(names) or "nothing"


def _ends(alarm: Alarm) -> str:
    if alarm.kept:
        return "by itself, also after a restart"
    return "by itself" if alarm.ends is Release.ITSELF else "by the operator"


def _trip(alarm: Alarm) -> str:
    if not alarm.value:
        return "by a check in `bmsd/core/checks.py`"
    return f"`{alarm.value}` {alarm.sense.value} {_after(alarm.trip)}"


def _release(alarm: Alarm) -> str:
    if not alarm.value:
        return "the check no longer finds it"
    back = "below" if alarm.sense is alarms.Sense.ABOVE else "above"
    return f"`{alarm.value}` {back} {_after(alarm.release)}"


def _after(name: str, before: str = "") -> str:
    return f"{before}`{parameters.BY_NAME[name].public_name}`" if name else ""


def configuration_page() -> str:
    """List every key of the configuration besides the parameters."""
    parts = [
        "`/etc/bmsd/bmsd.toml`, then every `conf.d/*.toml` beside it in order of name; what comes later wins,"
        " key by key. Anything unknown, wrong or contradictory is refused with file, line and what to do."
        " `bmsd --check-config --config FILE` only checks. Parameters are [on their own page](parameters.md)."
    ]
    for section, keys in groupby(configuration.KEYS, key=lambda key: key.section):
        parts += [f"## [{section}]"]
        if section in configuration.OPTIONAL_SECTIONS:
            parts.append("The section may be left out: then there is no such thing.")
        if section in configuration.OPEN_SECTIONS:
            parts.append("Further keys go to the library behind it (python-can) as they are.")
        if section in configuration.NAMED_SECTIONS:
            parts.append(named_section(section))
        parts.append(table(("Key", "Allowed", "Default", "Meaning"), map(_key, keys)))
        if section == "afe":
            parts += ["Chips:", table(_CHIP_HEADS, map(_chip, CHIPS))]
    return page("Configuration", "`bmsd/tables/configuration.py`", *parts)


def named_section(section: str) -> str:
    """Say how there may be more of a section."""
    return (
        f"There may be more of them: `[{section}.NAME]` has the same keys, and is served by a link of its own."
        f" `systemctl add-wants bmsd.service bmsd-link@{section}@NAME.service` starts that with bmsd."
    )


def _key(key: Key) -> list[str]:
    return [code(key.name), allowed(key), default(key), key.help]


def allowed(key: Key) -> str:
    """Say what may stand for a key."""
    if known := _KNOWN.get((key.section, key.name)):
        return f"{'a table with' if key.type is dict else 'one of'} {codes(known)}"
    if key.name == "address":
        return f"0x{key.low:02X} to 0x{key.high:02X}"
    return key.allowed if key.low is None else f"{key.low:.9g} to {key.high:.9g}"


_CHIP_HEADS = ("Chip", "Cells", "Battery sensors", "Checksums", "How far")


def _chip(name: str) -> list[str]:
    chip = CHIPS[name]
    cells = f"{chip.min_cells} to {chip.max_cells}"
    return [
        code(name),
        cells,
        f"up to {chip.max_thermistors}",
        "yes" if chip.crc else "no",
        chip.maturity.value,
    ]


def default(key: Key) -> str:
    """Say what a key is when it is left out."""
    if key.required is Required.YES:
        return "**required**"
    if key.default is None:
        return "not fitted"
    if isinstance(key.default, tuple):
        return codes(f'"{item}"' for item in key.default)
    if isinstance(key.default, bool):
        return code(str(key.default).lower())
    if key.name == "address":
        return code(f"0x{key.default:02X}")
    return code(f'"{key.default}"' if isinstance(key.default, str) else key.default)
