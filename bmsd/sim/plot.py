"""Draw a run as one picture: cells, current, temperature, charge, switches and alarms over the same time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bmsd.core.settings import Settings
from bmsd.errors import BmsdError
from bmsd.sim.recorder import SWITCHES, Span, Trace
from bmsd.tables import alarms
from bmsd.tables.alarms import Severity

INCHES, DOTS_PER_INCH = (12.0, 9.0), 100
MOST_ALARMS = 8
"""More rows of alarms than this would leave no room for the rest; the last row says how many there are."""
BLUE, LIGHT, ORANGE, GREEN, RED, GREY = "#1f5fa8", "#a9c8ea", "#d9730d", "#2e8b57", "#c0392b", "#666666"
SWITCH_COLOURS = dict(zip(SWITCHES, (GREEN, BLUE, "#8e6bbf", ORANGE), strict=True))
SEVERITY_COLOURS = {Severity.WARNING: "#e0b000", Severity.PROTECTION: ORANGE, Severity.FAULT: RED}
TIME_UNITS = ((7200.0, 3600.0, "h"), (180.0, 60.0, "min"), (0.0, 1.0, "s"))
"""Runs longer than the first, in s, are drawn in units of the second."""
Line = tuple[float, str, str]
"""A limit: its value, its label, its colour."""


def prepare(path: Path) -> None:
    """Make sure that a picture can be drawn; raise BmsdError with what to do where it cannot."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise BmsdError(
            "--plot needs matplotlib, which is not installed: pip install matplotlib,"
            " or apt install python3-matplotlib"
        ) from None
    if path.suffix.lower() != ".png":
        raise BmsdError(f"--plot {path}: the picture is a PNG; give a name that ends in .png")
    mpl.use("Agg")


def draw(trace: Trace, settings: Settings, title: str, path: Path) -> None:
    """Draw a trace into a PNG file; call `prepare` before."""
    from matplotlib import pyplot

    _, unit_s, unit = next(row for row in TIME_UNITS if trace.t_s and trace.t_s[-1] - trace.t_s[0] >= row[0])
    t = [t_s / unit_s for t_s in trace.t_s]
    names = list(dict.fromkeys(span.name for span in trace.spans))
    rows = min(max(len(names), 1), MOST_ALARMS)
    with pyplot.rc_context({"font.size": 9.5, "axes.titlesize": 14, "font.family": "DejaVu Sans"}):
        heights = (2.1, 1.4, 1.8, 1.4, 1.3, 0.25 + 0.28 * rows)
        figure, axes = pyplot.subplots(
            6, 1, sharex=True, figsize=INCHES, gridspec_kw={"height_ratios": heights}, layout="constrained"
        )
        axes[0].set_title(title, loc="left", fontweight="bold")
        _draw_cells(axes[0], t, trace, settings)
        _draw_current(axes[1], t, trace)
        _draw_temperature(axes[2], t, trace, settings)
        _draw_charge(axes[3], t, trace)
        _draw_switches(axes[4], t, trace)
        _draw_alarms(axes[5], t, trace, names, unit_s)
        axes[5].set_xlabel(f"time ({unit})")
        axes[5].set_xlim(t[0], max(t[-1], t[0] + 1e-9))
        figure.align_ylabels(axes)
        # No version or date in the file: the same run gives the same picture.
        figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
        pyplot.close(figure)


def _series(trace: Trace, name: str) -> list[float]:
    """Give a series to draw; unknown values are gaps."""
    return [math.nan if value is None else value for value in trace.series.get(name, [])]


def _furnish(axis: Any, label: str, lines: Sequence[Line] = ()) -> None:
    """Label an axis, and draw limits with their names at the right, outside the curves."""
    axis.set_ylabel(label)
    axis.grid(True, color="#e6e6e6", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    for value, name, colour in lines:
        axis.axhline(value, color=colour, linewidth=1, linestyle="--")
        axis.annotate(
            name,
            (1.005, value),
            xycoords=("axes fraction", "data"),
            color=colour,
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )


def _legend(axis: Any) -> None:
    axis.legend(loc="upper left", ncols=3, fontsize=8.5, frameon=True, framealpha=0.85, edgecolor="none")


def _draw_cells(axis: Any, t: list[float], trace: Trace, settings: Settings) -> None:
    low, high = _series(trace, "cell_min_v"), _series(trace, "cell_max_v")
    p = settings.parameters
    axis.fill_between(t, low, high, color=LIGHT, linewidth=0)
    axis.plot(t, high, color=BLUE, linewidth=1.3, label="highest cell")
    axis.plot(t, low, color="#0b2f57", linewidth=1.3, label="lowest cell")
    over, under = p.cell_ovp_mv / 1000, p.cell_uvp_mv / 1000
    _furnish(
        axis,
        "cells (V)",
        [(over, f"over-voltage {over:g} V", RED), (under, f"under-voltage {under:g} V", RED)],
    )
    known = [value for value in (*low, *high, over, under) if not math.isnan(value)]
    margin = 0.08 * (max(known) - min(known))
    axis.set_ylim(min(known) - margin, max(known) + 3.5 * margin)
    _legend(axis)


def _draw_current(axis: Any, t: list[float], trace: Trace) -> None:
    axis.plot(t, _series(trace, "current_a"), color=BLUE, linewidth=1.2)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.margins(y=0.15)
    _furnish(axis, "current (A)")


def _draw_temperature(axis: Any, t: list[float], trace: Trace, settings: Settings) -> None:
    """Draw the sensors, and of the charge limits those near enough to matter."""
    low, high = _series(trace, "coldest_c"), _series(trace, "warmest_c")
    axis.plot(t, high, color=ORANGE, linewidth=3.0, label="warmest sensor")
    axis.plot(t, low, color=BLUE, linewidth=1.3, label="coldest sensor")
    p = settings.parameters
    known = [value for value in (*low, *high) if not math.isnan(value)] or [20.0]
    lines = [
        (value / 10, f"{name} {value / 10:g} °C", colour)
        for value, name, colour in (
            (p.charge_utp_decic, "no charge below", RED),
            (p.charge_utpr_decic, "charge returns", GREEN),
            (p.charge_otpr_decic, "charge returns", GREEN),
            (p.charge_otp_decic, "no charge above", RED),
        )
        if min(known) - 6 <= value / 10 <= max(known) + 6
    ]
    _furnish(axis, "battery (°C)", lines)
    shown = [*known, *(value for value, _, _ in lines)]
    margin = max(1.0, 0.1 * (max(shown) - min(shown)))
    axis.set_ylim(min(shown) - margin, max(shown) + 3.5 * margin)
    _legend(axis)


def _draw_charge(axis: Any, t: list[float], trace: Trace) -> None:
    soc, error = _series(trace, "soc_percent"), _series(trace, "soc_error_percent")
    low = [max(value - wide, 0.0) for value, wide in zip(soc, error, strict=True)]
    high = [min(value + wide, 100.0) for value, wide in zip(soc, error, strict=True)]
    axis.fill_between(t, low, high, color=LIGHT, linewidth=0, label="stated error")
    axis.plot(t, soc, color=BLUE, linewidth=1.3, label="estimate")
    if any(value is not None for value in trace.series.get("reference_percent", [])):
        axis.plot(
            t, _series(trace, "reference_percent"), color=RED, linewidth=1, linestyle="--", label="reference"
        )
    axis.set_ylim(-4, 104)
    axis.set_yticks((0, 25, 50, 75, 100))
    _furnish(axis, "charge (%)")
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8.5, frameon=False)


def _draw_switches(axis: Any, t: list[float], trace: Trace) -> None:
    """Draw a bar wherever a switch reads as on; grey where it cannot be read."""
    for row, name in enumerate(SWITCHES):
        states = trace.series.get(name, [])
        axis.broken_barh(_bars(t, states, 1.0), (row - 0.36, 0.72), color=SWITCH_COLOURS[name], linewidth=0)
        axis.broken_barh(_bars(t, states, None), (row - 0.1, 0.2), color="#bbbbbb", linewidth=0)
    axis.set_yticks(range(len(SWITCHES)), SWITCHES)
    axis.set_ylim(len(SWITCHES) - 0.4, -0.6)
    _furnish(axis, "switches on")


def _bars(t: list[float], states: list[float | None], wanted: float | None) -> list[tuple[float, float]]:
    """Join samples in one state into bars (start, length); each sample lasts to the next."""
    bars: list[tuple[float, float]] = []
    start: float | None = None
    for at, state in zip(t, states, strict=True):
        if (state == wanted) == (start is not None):
            continue
        if start is None:
            start = at
        else:
            bars.append((start, at - start))
            start = None
    if start is not None:
        bars.append((start, t[-1] - start))
    return bars


def _draw_alarms(axis: Any, t: list[float], trace: Trace, names: list[str], unit_s: float) -> None:
    """Draw a row of spans per alarm, in the order they came, with the alarm's title beside it."""
    shown = names if len(names) <= MOST_ALARMS else names[: MOST_ALARMS - 1]
    for row, name in enumerate(shown):
        colour = SEVERITY_COLOURS[alarms.BY_NAME[name].severity]
        spans = [_span(span, t[-1], unit_s) for span in trace.spans if span.name == name]
        # A thin edge of the same colour keeps a short alarm visible in a long run.
        axis.broken_barh(spans, (row - 0.34, 0.68), facecolor=colour, edgecolor=colour, linewidth=0.8)
    labels = list(shown)
    if len(shown) < len(names):
        labels.append(f"and {len(names) - len(shown)} more")
    axis.set_yticks(range(len(labels)), labels, fontsize=8.5)
    axis.set_ylim(max(len(labels), 1) - 0.4, -0.6)
    _furnish(axis, "alarms")
    if not names:
        axis.text(0.5, 0.5, "none", transform=axis.transAxes, ha="center", va="center", color=GREY)


def _span(span: Span, end: float, unit_s: float) -> tuple[float, float]:
    start = span.from_s / unit_s
    return start, (end if span.to_s is None else span.to_s / unit_s) - start
