"""How the state looks in lines of text: the same lines serve `status`, `cells`, `alarms` and the live screen.

A view takes the status document and gives (label, text) rows or plain lines; it never prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bmsd.cli.console import Console, cut, wrapped
from bmsd.cli.reading import Now
from bmsd.ipc.sentences import alarm_text, duration_text, event_text, listed, since_text
from bmsd.tables import alarms
from bmsd.tables.points import SWITCHES

Document = Mapping[str, Any]
Row = tuple[str, str]
LABEL = 11
SEVERITY_LOOKS = {"warning": "yellow", "protection": "red", "fault": "red"}
TROUBLE = {"error", "stale"}
"""States of a link that somebody has to look at."""
CELL_ROWS = 8
MOST_REASONS = 3


def number(value: float | None, digits: int, unit: str = "", *, signed: bool = False) -> str:
    """Write a number of the document; unknown is a question mark."""
    if value is None:
        return f"? {unit}".rstrip()
    return f"{value:{'+' if signed else ''}.{digits}f} {unit}".rstrip()


def several(values: Iterable[float | None], digits: int, unit: str) -> str:
    """Write some numbers of one unit; none at all is unknown."""
    return f"{', '.join(number(value, digits) for value in values) or '?'} {unit}"


def what_it_does(now: Now) -> str:
    """Say in a word or two what the pack does, and on what."""
    bench = " (simulated bench)" if now.document["simulated"] else ""
    return f"{now.document['state'] or '?'}{bench}"


def rows(now: Now, console: Console) -> list[Row]:
    """Give the state of the pack, one subject per row."""
    pack, heater, limits = now.document["pack"], now.document["heater"], now.document["limits"]
    soc = pack["soc_percent"]
    temperatures = now.document["temperatures"]
    return [
        *_override_row(now),
        ("pack", f"{number(pack['voltage_v'], 3, 'V')}   {number(pack['current_a'], 2, 'A', signed=True)}"
                 f"   {number(pack['power_w'], 0, 'W', signed=True)}"),
        ("charge", f"{console.bar(None if soc is None else soc / 100, 20)} {number(soc, 1)}"
                   f" ± {number(pack['soc_error_percent'], 1, '%')}, {number(pack['remaining_ah'], 1)} of"
                   f" {number(pack['capacity_ah'], 1, 'Ah')}"),
        ("cells", _cells_row(now.document["cells"])),
        ("warmth", f"battery {several(temperatures['battery_c'], 1, '°C')},"
                   f" switch board {number(temperatures['switch_c'], 1, '°C')}"),
        ("switches", switches_text(now.document["switches"])),
        ("allowed", f"charging {_allowed(now, 'charge')}; discharging {_allowed(now, 'discharge')}"),
        ("heater", f"{_asked(heater['demanded'])}, {number(heater['current_a'], 2, 'A')},"
                   f" {number(heater['power_w'], 0, 'W')}"),
        ("limits", f"charge {number(limits['charge_current_a'], 1, 'A')}"
                   f" up to {number(limits['charge_voltage_v'], 1, 'V')};"
                   f" discharge {number(limits['discharge_current_a'], 1, 'A')}"
                   f" down to {number(limits['discharge_voltage_v'], 1, 'V')}"),
        ("links", links_text(now.document["links"])),
    ]  # fmt: skip


def more_rows(now: Now) -> list[Row]:
    """Give what matters less often: history of the pack, the override, and how the daemon itself does."""
    pack, cycle = (now.document[key] for key in ("pack", "cycle"))
    front_end = now.snapshot.get("afe") or "ready"
    override = [] if _override_row(now) else [("override", "off")]
    return [
        ("history", f"{number(pack['cycles'], 1)} cycles, {number(pack['full_charges'], 0)} full charges,"
                    f" {number(pack['discharged_ah'], 1, 'Ah')} discharged,"
                    f" health {number(pack['soh_percent'], 0, '%')}"),
        ("closings", ", ".join(
            f"{name.removesuffix('_closings')} {number(count, 0)}" for name, count in now.document["wear"].items())),
        ("front end", str(front_end)),
        *override,
        ("daemon", f"up {_span(now.document['uptime_s'])}; every {number(cycle['period_ms'], 0, 'ms')} it works"
                   f" {number(cycle['last_ms'], 1, 'ms')}, longest {number(cycle['worst_ms'], 1, 'ms')};"
                   f" overruns {number(cycle['overruns'], 0)}, bus errors {number(cycle['bus_errors'], 0)}"),
    ]  # fmt: skip


def _override_row(now: Now) -> list[Row]:
    """Put an emergency override first: whoever looks at anything sees it."""
    emergency = now.document["emergency"]
    if not emergency["active"]:
        return []
    left = _span(emergency["remaining_s"])
    return [("override", f"EMERGENCY OVERRIDE ON, {left} left: 'bmsctl emergency off' ends it")]


def laid_out(table: list[Row], console: Console) -> list[str]:
    """Set rows in two columns, wrapped to the width."""
    lines: list[str] = []
    for label, text in table:
        first, *later = wrapped(console.encodable(text), console.width - LABEL)
        lines.append(console.paint(f"{label:<{LABEL}}", "cyan") + _highlighted(first, console))
        lines += [" " * LABEL + _highlighted(line, console) for line in later]
    return lines


def one_line(row: Row, console: Console) -> str:
    """Set a row in exactly one line; two dots say that it goes on."""
    label, text = row
    text = cut(console.encodable(text), console.width - LABEL)
    return console.paint(f"{label:<{LABEL}}", "cyan") + _highlighted(text, console)


def _highlighted(text: str, console: Console) -> str:
    return text.replace(" ON", console.paint(" ON", "green")) if console.colour else text


def _cells_row(cells: Document) -> str:
    text = (
        f"{number(cells['min_v'], 3)} to {number(cells['max_v'], 3, 'V')},"
        f" {number(cells['difference_v'], 3, 'V')} apart, lowest {number(cells['min_cell'], 0)},"
        f" highest {number(cells['max_cell'], 0)}"
    )
    balanced = [str(n) for n, on in enumerate(cells["balancing"], 1) if on]
    return f"{text}, balancing {listed(balanced)}" if balanced else text


def switches_text(switches: Document) -> str:
    """Group the switches by how they stand: as commanded, and what they read where that differs."""
    groups: dict[str, list[str]] = {"ON": [], "off": []}
    for name in SWITCHES:
        groups.setdefault(_switch(switches[name]), []).append(name)
    return "; ".join(f"{', '.join(names)} {how}" for how, names in groups.items() if names)


def _switch(switch: Document) -> str:
    wanted, actual = switch["commanded"], switch["actual"]
    text = "?" if wanted is None else ("ON" if wanted else "off")
    if actual is None or wanted is None or actual == wanted:
        return text
    return f"{text} but reads {'ON' if actual else 'off'}"


def _allowed(now: Now, what: str) -> str:
    allowed = now.document["permissions"][what]
    if allowed is None:
        return "?"
    reasons = _short(now.snapshot.get("why", {}).get(what, ()))
    why = f" ({', '.join(reasons)})" if reasons else ""
    return f"{'yes' if allowed else 'no'}{why}"


def _short(reasons: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the first reasons; an unknown value only when no alarm tells about it yet."""
    alarmed = [reason["name"] for reason in reasons if reason["because"] == "alarm"]
    others = [_shortly(reason) for reason in reasons if reason["because"] not in {"alarm", "unknown"}]
    unknown = [] if alarmed else [_shortly(reason) for reason in reasons if reason["because"] == "unknown"]
    names = [*alarmed, *others, *unknown]
    more = len(names) - MOST_REASONS
    return [*names[:MOST_REASONS], f"{more} more"] if more > 0 else names


def _shortly(reason: Mapping[str, Any]) -> str:
    because, name = reason["because"], reason.get("name") or ""
    return f"{name} {because}" if because == "unknown" else because


def _asked(demanded: bool | None) -> str:
    return {None: "? whether heat is asked for", True: "heat asked for", False: "no heat asked for"}[demanded]


def links_text(links: Document) -> str:
    """Write the state of each link; an absent or silent one is named as such."""
    return ", ".join(f"{name} {link['state']}" for name, link in links.items())


def _span(seconds: float | None) -> str:
    return "?" if seconds is None else duration_text(round(seconds * 1000))


class AlarmLine(NamedTuple):
    """One active alarm or link in trouble: how it is painted, its line in full and in short, what to do about it."""

    look: str
    text: str
    short: str
    advice: str


def alarm_lines(now: Now, console: Console) -> list[AlarmLine]:
    """Give one line per active alarm, worst first."""
    public = {entry["name"]: entry for entry in now.document["alarms"]}
    order = list(SEVERITY_LOOKS)
    told: list[tuple[int, AlarmLine]] = []
    for entry in now.snapshot.get("alarms", ()):
        name, about = entry["name"], public[entry["name"]]
        severity = about["severity"] or "fault"
        since = since_text(round(about["since_s"] * 1000))
        latched = ", latched" if about["latched"] else ""
        said = console.encodable(alarm_text(entry))
        text = f"{severity.upper():<10} {said} ({name}, {since}{latched})"
        advice = alarms.BY_NAME[name].advice if name in alarms.BY_NAME else ""
        told.append((-order.index(severity), AlarmLine(SEVERITY_LOOKS[severity], text, f"! {said}", advice)))
    return [line for _, line in sorted(told, key=lambda pair: pair[0])] + _link_lines(now)


def _link_lines(now: Now) -> list[AlarmLine]:
    """Give one line per link in trouble: nothing of it reaches the core, and yet someone has to know."""
    return [
        AlarmLine(
            SEVERITY_LOOKS["warning"],
            f"{'WARNING':<10} link {name}: {link['detail']}",
            f"! link {name}: {link['detail']}",
            f"See {_look_at(name)}. The pack is protected without it; it is tried again by itself.",
        )
        for name, link in now.document["links"].items()
        if link["state"] in TROUBLE
    ]


def _look_at(link: str) -> str:
    """Name the command that tells more about a link."""
    kind, _, bus = link.partition("@")
    if kind == "can":
        return f"'bmsctl can --bus {bus}'" if bus else "'bmsctl can'"
    return f"'journalctl -u bmsd-link@{link}' and 'bmsctl doctor'"


def cell_lines(now: Now, console: Console) -> list[str]:
    """Draw every cell with its voltage and a bar between under- and over-voltage, in columns."""
    cells = now.document["cells"]
    count = len(cells["voltage_v"])
    across = max(-(-count // CELL_ROWS), 1)
    down = -(-count // across)
    width = console.width // across
    drawn = [_cell(n, now, console, width - 2) for n in range(1, count + 1)]
    return ["  ".join(drawn[line::down]).rstrip() for line in range(down)]


def _cell(n: int, now: Now, console: Console, width: int) -> str:
    cells = now.document["cells"]
    volts, balancing = cells["voltage_v"][n - 1], cells["balancing"][n - 1]
    mark = "lo" if n == cells["min_cell"] else "hi" if n == cells["max_cell"] else "  "
    low, high = (now.parameters.get(name, other) / 1000 for name, other in _SCALE)
    share = None if volts is None else (volts - low) / (high - low)
    outside = share is None or not 0 <= share <= 1
    head = f"{n:2d} {number(volts, 3):>5} {'b' if balancing else ' '}{mark}{'!' if outside else ' '}"
    bar = console.bar(share, max(width - len(head), 1))
    return head + console.paint(bar, "red" if outside else "cyan" if balancing else "green")


# The bar's ends, and what stands for them while the parameters cannot be read.
_SCALE = (("cell_uvp_mv", 2000), ("cell_ovp_mv", 4300))


def event_line(event: Mapping[str, Any]) -> str:
    """Write one event with the local time it happened."""
    from datetime import datetime

    at = datetime.fromtimestamp(event["time"]).astimezone()
    return f"{at:%Y-%m-%d %H:%M:%S}  {event_text(event)}"
