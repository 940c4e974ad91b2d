"""Close the loop: the limits of the core, inverters that follow them each in its own way, a healthy and an uneven pack.

`./run limits` lets a day happen to each of them; `--write` draws the pictures of docs/limits.md and writes its
table. The tests beside this take the last hours of a charge.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bmsd.config.load import CanConfig, Config, load
from bmsd.core.types import Event
from bmsd.sim import scenario
from bmsd.sim.commands import BENCH_CONFIG
from bmsd.sim.main import GARBAGE_EVERY
from bmsd.sim.runner import run
from bmsd.sim.scenario import Happening, Scenario

ROOT = Path(__file__).resolve().parents[2]
DAY = Path(__file__).parent / "day.toml"
PAGE, IMAGES = ROOT / "docs" / "limits.md", ROOT / "docs" / "images"
HEAD = (
    "| Inverter | Pack | Highest cell | Turns of CVL per hour | Charged | Alarms |",
    "| --- | --- | ---: | ---: | --- | --- |",
)
START, END = "<!-- measured -->\n", "<!-- end -->"
TURN_V = 0.2
"""A charge voltage that turns round by more than this counts as a change of direction."""
PERIOD_MS = 1000
"""Inverters are told once a second."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of inverter: how it differs from one that follows at once and exactly."""

    title: str
    settings: Mapping[str, float]
    fault: str = ""
    obedient: bool = True


INVERTERS = {
    "fast": Kind("fast: follows in 0.3 s", {"inverter_lag_s": 0.3}),
    "slow": Kind("slow: 10 s to follow (first order)", {"inverter_lag_s": 10}),
    "very-slow": Kind("very slow: 30 s to follow (first order)", {"inverter_lag_s": 30}),
    "coarse": Kind(
        "coarse: steps of 5 A and 1 V, 5 s", {"inverter_lag_s": 5, "inverter_step_a": 5, "inverter_step_v": 1}
    ),
    "greedy": Kind(
        "takes 10 % more than it is told, 2 s",
        {"inverter_lag_s": 2, "inverter_over_percent": 10},
        obedient=False,
    ),
    "deaf": Kind(
        "does not read the charge current, 2 s",
        {"inverter_lag_s": 2},
        "inverter_ignores_current",
        obedient=False,
    ),
}
AHEAD_PERCENT = 8
UNEVEN_CELL = 7
PACKS = {"healthy": "healthy (cells 1 % apart)", "runaway": f"cell {UNEVEN_CELL} is {AHEAD_PERCENT} % ahead"}


@dataclass(slots=True)
class Seen:
    """What was told and measured, sample by sample; it stands where the bench keeps its trace."""

    t_h: list[float] = field(default_factory=list)
    rows: dict[str, list[Any]] = field(default_factory=dict)
    raised: list[tuple[float, str]] = field(default_factory=list)
    fulls_h: list[float] = field(default_factory=list)
    """When the charge counter found full; a load takes the 100 % away again within a minute."""

    def add(self, at_ms: int, points: Mapping[str, Any]) -> None:
        """Take a sample."""
        self.t_h.append(at_ms / 3_600_000)
        for name in KEPT:
            self.rows.setdefault(name, []).append(points.get(name))

    def take(self, events: Iterable[Event]) -> None:
        """Note the alarms, and when the pack was full."""
        for event in events:
            if event.kind == "alarm" and event.state == "raised":
                self.raised.append((event.at_ms / 3_600_000, event.name))
            elif (event.kind, event.name) == ("soc", "full"):
                self.fulls_h.append(event.at_ms / 3_600_000)

    def series(self, name: str, scale: float = 1000) -> list[float]:
        """Give one value over time, in people's units; unknown as not a number."""
        return [float("nan") if value is None else value / scale for value in self.rows[name]]

    @property
    def turns_per_hour(self) -> float:
        """Count how often the charge voltage changes its direction by more than 0.2 V, per hour."""
        return turns(self.series("charge_limit_mv"), TURN_V) / (self.t_h[-1] - self.t_h[0])

    @property
    def full_at_h(self) -> float | None:
        """Give when the charge was over, float or rest, after the charge counter had found full."""
        phases = zip(self.t_h, self.rows["charge_phase"], strict=True)
        over = (
            t for t, phase in phases if phase in {"float", "rest"} and t >= min(self.fulls_h, default=t + 1)
        )
        return next(over, None)


KEPT = (
    "charge_limit_mv", "charge_limit_ma", "discharge_limit_ma", "pack_mv", "current_ma", "cell_max_mv", "cell_min_mv",
    "soc_permille", "charge_phase", "charge_limit_reason",
)  # fmt: skip


def turns(values: Iterable[float], by: float) -> int:
    """Count changes of direction of more than `by`."""
    count, direction, furthest = 0, 0, None
    for value in values:
        if furthest is None:
            furthest = value
        elif direction >= 0 and value < furthest - by:
            count, direction, furthest = count + (direction > 0), -1, value
        elif direction <= 0 and value > furthest + by:
            count, direction, furthest = count + (direction < 0), 1, value
        elif direction:
            furthest = max(furthest, value) if direction > 0 else min(furthest, value)
    return count


def config() -> Config:
    """Make the pack of the bench with an inverter that hears its limits once a second."""
    base = load(BENCH_CONFIG)
    parameters = replace(base.parameters, period_ms=PERIOD_MS)
    return replace(base, parameters=parameters, can=CanConfig("pylontech", 10.0, {}))


def live(inverter: str, pack: str, *, days_events: bool = True, **settings: float) -> Seen:
    """Let the day happen to one inverter and one pack, or only what the `settings` of the start bring."""
    kind, made = INVERTERS[inverter], config()
    wanted = scenario.parse(DAY, made)
    soc_percent = settings.pop("soc_percent", wanted.plant.initial_soc * 100)
    duration_s = settings.pop("duration_s", wanted.duration_ms / 1000)
    first = [Happening(0, "", {"set": {**kind.settings, **settings}})]
    if kind.fault:
        first.append(Happening(0, "", {"fault": kind.fault, "on": True}))
    if pack == "runaway":
        ahead = {"soc_percent": soc_percent + AHEAD_PERCENT}
        first.append(Happening(0, "", {"cell": UNEVEN_CELL, "values": ahead}))
    later = [one for one in wanted.happenings if days_events or not one.at_ms]
    wanted = replace(
        wanted,
        plant=replace(wanted.plant, initial_soc=soc_percent / 100),
        duration_ms=round(duration_s * 1000),
        happenings=tuple(sorted([*later, *first], key=lambda one: one.at_ms)),
    )
    return _run(made, wanted)


def _run(made: Config, wanted: Scenario) -> Seen:
    seen = Seen()
    run(made, wanted, lambda _at_ms, _what: None, trace=seen)  # type: ignore[arg-type]
    return seen


# --- The page -----------------------------------------------------------------------------------------------------


def row(inverter: str, pack: str, seen: Seen) -> str:
    """Write one line of the table."""
    trips = sorted({name for _, name in seen.raised})
    full = "not" if seen.full_at_h is None else f"after {seen.full_at_h:.1f} h"
    highest = max(value for value in seen.rows["cell_max_mv"] if value is not None) / 1000
    cells = (
        INVERTERS[inverter].title, PACKS[pack], f"{highest:.3f} V", f"{seen.turns_per_hour:.2f}", full,
        ", ".join(f"`{name}`" for name in trips) or "none",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def draw(inverter: str, days: Mapping[str, Seen], file: Path) -> None:
    """Draw both packs with one inverter: voltages, currents, cells."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        3, len(days), figsize=(10.5, 7.2), sharex=True, sharey="row", squeeze=False
    )
    for column, (pack, seen) in enumerate(days.items()):
        volts, amps, cells = (axes[place][column] for place in range(3))
        volts.set_title(PACKS[pack], fontsize=10)
        volts.plot(seen.t_h, seen.series("charge_limit_mv"), color="#b2182b", linewidth=1.3, label="CVL told")
        volts.plot(seen.t_h, seen.series("pack_mv"), color="#2166ac", linewidth=0.9, label="pack")
        amps.plot(seen.t_h, seen.series("charge_limit_ma"), color="#b2182b", linewidth=1.3, label="CCL told")
        amps.plot(seen.t_h, seen.series("current_ma"), color="#2166ac", linewidth=0.9, label="current")
        cells.axhline(3.6, color="#999999", linewidth=0.8, linestyle="--", label="over-voltage")
        cells.plot(seen.t_h, seen.series("cell_max_mv"), color="#b2182b", linewidth=1.1, label="highest cell")
        cells.plot(seen.t_h, seen.series("cell_min_mv"), color="#2166ac", linewidth=0.9, label="lowest cell")
        cells.set_xlabel("hours")
        cells.set_xticks(range(0, 25, 3))
        for axis in (volts, amps, cells):
            axis.grid(alpha=0.3, linewidth=0.5)
            axis.legend(fontsize=7.5, loc="lower center", ncols=3, frameon=False)
    for place, label in enumerate(("voltage (V)", "current (A)", "cells (V)")):
        axes[place][0].set_ylabel(label)
    axes[0][0].set_ylim(50.0, 55.8)
    axes[1][0].set_ylim(-75, 105)
    axes[2][0].set_ylim(3.0, 3.65)
    figure.suptitle(f"An inverter that is {INVERTERS[inverter].title}" if INVERTERS[inverter].obedient else
                    f"An inverter that {INVERTERS[inverter].title}", fontsize=11)  # fmt: skip
    figure.tight_layout()
    figure.savefig(file, dpi=80, pil_kwargs={"optimize": True})
    pyplot.close(figure)


def main() -> int:
    """Let the days happen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inverter", nargs="*", help="default: all: " + ", ".join(INVERTERS))
    parser.add_argument(
        "--write", action="store_true", help="draw the pictures and write the table of docs/limits.md"
    )
    options = parser.parse_args()
    gc.set_threshold(GARBAGE_EVERY)
    for inverter in options.inverter or INVERTERS:
        days = {pack: live(inverter, pack) for pack in PACKS}
        rows = [row(inverter, pack, seen) for pack, seen in days.items()]
        print("\n".join(rows), flush=True)
        if options.write:
            draw(inverter, days, IMAGES / f"limits-{inverter}.png")
            _write(rows)
    return 0


def _write(rows: list[str]) -> None:
    """Put lines in the place of those about the same inverter and pack, in the order of the table above."""
    page = PAGE.read_text()
    begins, ends = page.index(START) + len(START), page.index(END)
    known = {_key(line): line for line in [*page[begins:ends].splitlines()[2:], *rows]}
    order = [(kind.title, title) for kind in INVERTERS.values() for title in PACKS.values()]
    lines = [*HEAD, *(known[key] for key in order if key in known)]
    PAGE.write_text(page[:begins] + "\n".join(lines) + "\n" + page[ends:])


def _key(line: str) -> tuple[str, str]:
    _, inverter, pack, *_ = (cell.strip() for cell in line.split("|"))
    return inverter, pack


if __name__ == "__main__":
    sys.exit(main())
