"""Write docs/reaction-times.md: the table of all protections, what was not measured, and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bmsd.tables.alarms import BY_NAME
from tests.benchmarks.reaction_measure import QUICK, Series
from tests.benchmarks.reaction_pack import TICK_MS
from tests.benchmarks.reaction_trips import NOT_MEASURED, TRIPS
from tests.benchmarks.rig import PERIOD_MS, median, percentile

DOCUMENT = Path("docs/reaction-times.md")
PICTURE = Path("docs/images/reaction-times.png")
QUICK_MS = round(QUICK["period_s"] * 1000)
KINDS = {
    "slow": ("100 kHz", PERIOD_MS),
    "fast": ("400 kHz", PERIOD_MS),
    "idle": ("idle", QUICK_MS),
    "loaded": ("loaded", QUICK_MS),
}
"""Each kind of time: its title, and its period."""
ALLOWED_MS = 10
ENOUGH = 1000
"""Trips of each protection; a p99.9 of fewer says nothing."""
Results = Mapping[str, Mapping[str, Series]]


def budget_ms(kind: str) -> int:
    """Give what the design allows beyond the protection's own delay: one period and 10 ms."""
    return KINDS[kind][1] + ALLOWED_MS


def figures(series: Series | None, *, short: bool = False) -> str:
    """Give median, p99.9 and worst of one row; of few trips only median and worst."""
    if series is None or not series.late_ms:
        return ""
    late = series.late_ms
    middle, most, worst = (f"{value:.0f}" for value in (median(late), percentile(late, 999), max(late)))
    return f"{middle} / {worst}" if short else f"{middle} / {most} / {worst}"


def verdict(rows: Mapping[str, Series]) -> str:
    """Say whether the budget is kept; an idle machine is not asked."""
    evaluation = {kind: one for kind, one in rows.items() if kind != "idle"}
    if not all(one.late_ms for one in evaluation.values()):
        return "**nothing measured**"
    over = {kind: percentile(one.late_ms, 999) - budget_ms(kind) for kind, one in evaluation.items()}
    missed = [f"{KINDS[kind][0]} by {ms:.1f} ms" for kind, ms in over.items() if ms > 0]
    return f"**missed**: {', '.join(missed)}" if missed else "kept"


def seconds(series: Series | None) -> str:
    """Give the own delay of a row."""
    if series is None:
        return ""
    return f"{series.own_ms / 1000:g} s" if series.own_ms else "none"


def table(results: Results) -> list[str]:
    """Give one row per protection, with a column for each kind of time that was measured."""
    given = [kind for kind in KINDS if kind in results]
    heads = ["protection", "opens"]
    for kind in given:
        heads += [*_own_delay(given, kind, "own delay"), KINDS[kind][0]]
    heads.append("p99.9 in budget")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, trip in TRIPS.items():
        rows = {kind: results[kind][name] for kind in given if name in results[kind]}
        if not rows:
            continue
        cells = [name.replace(trip.alarm, f"`{trip.alarm}`", 1), ", ".join(trip.lines)]
        for kind in given:
            one = rows.get(kind)
            cells += [*_own_delay(given, kind, seconds(one)), figures(one, short=kind == "idle")]
        lines.append(f"| {' | '.join((*cells, verdict(rows)))} |")
    return lines


def _own_delay(given: list[str], kind: str, text: str) -> list[str]:
    """Put a column before the first kind of each period: its parameters are those of the next."""
    first = next(other for other in given if KINDS[other][1] == KINDS[kind][1])
    return [text] if kind == first else []


def shortfall(results: Results) -> list[str]:
    """Tell what this run has not measured, and where it has fewer trips than it should."""
    absent = [title for kind, (title, _) in KINDS.items() if kind not in results]
    few = [
        KINDS[kind][0]
        for kind, rows in results.items()
        if kind != "idle" and any(len(one.late_ms) < ENOUGH for one in rows.values())
    ]
    lines = [f"**Not measured in this run:** {', '.join(absent)}."] if absent else []
    if few:
        lines.append(
            f"**Stopped early:** {', '.join(few)} with fewer than {ENOUGH} trips of each protection; the p99.9 of"
            " so few is their worst."
        )
    return [*lines, ""] if lines else []


def together(results: Results) -> list[str]:
    """Give all protections as one series for each kind of time."""
    lines = [
        "| | protections | trips of each | trips | median | p99 | p99.9 | worst | one period + 10 ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, late in _pooled(results).items():
        shares = (median(late), percentile(late, 990), percentile(late, 999), max(late))
        cells = " | ".join(f"{ms:.1f} ms" for ms in shares)
        counts = sorted({len(one.late_ms) for one in results[kind].values()})
        each = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        title, rows = KINDS[kind][0], len(results[kind])
        lines.append(f"| {title} | {rows} | {each} | {len(late)} | {cells} | {budget_ms(kind)} ms |")
    return lines


def _pooled(results: Results) -> dict[str, list[float]]:
    given = [kind for kind in KINDS if kind in results]
    pooled = {kind: [ms for one in results[kind].values() for ms in one.late_ms] for kind in given}
    return {kind: late for kind, late in pooled.items() if late}


def strange(results: Results) -> list[str]:
    """Tell the trips that were not the protection's own."""
    found = [
        f"{KINDS[kind][0]}: {text}"
        for kind, rows in results.items()
        for one in rows.values()
        for text in one.strange
    ]
    if not found:
        return ["Every trip was the protection's own."]
    lines = [f"- {found.count(text)} times {text}" for text in sorted(set(found))]
    return [f"{len(found)} trips were not the protection's own and are in no figure:", "", *lines]


def not_measured() -> list[str]:
    return [f"| `{name}` | {BY_NAME[name].title} | {why} |" for name, why in NOT_MEASURED.items()]


def write(root: Path, results: Results, about: Mapping[str, str]) -> None:
    """Write document and picture."""
    drawn = picture(root / PICTURE, results)
    today = datetime.now(UTC).date().isoformat()
    image = [f"![All trips by how late they were](images/{PICTURE.name})", ""] if drawn else []
    text = [
        INTRODUCTION, "", "## All together", "", *together(results), "",
        *image, *shortfall(results), *strange(results), "",
        f"Measured on {today}:", "",
        *(f"- {KINDS[kind][0]}: {words}." for kind, words in about.items()), "",
        "## Each protection", "", EACH, "", *table(results), "", NOTES, "",
        "## Not measured", "", "| alarm | | why |", "|---|---|---|", *not_measured(), "", LIMITS, "",
    ]  # fmt: skip
    (root / DOCUMENT).write_text("\n".join(text))


def picture(path: Path, results: Results) -> bool:
    """Draw how the lateness of all trips is spread; tell whether there was something to draw with."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pooled = _pooled(results)
    figure, axes = pyplot.subplots(1, len(pooled), figsize=(3 * len(pooled), 2.6), squeeze=False)
    for axis, (kind, late) in zip(axes[0], pooled.items(), strict=True):
        axis.hist(late, bins=60, color="#4477aa")
        axis.axvline(budget_ms(kind), color="#cc3311", linestyle="--", label=f"budget {budget_ms(kind)} ms")
        axis.set_yscale("log")
        axis.set_title(f"{KINDS[kind][0]}: {len(late)} trips", fontsize=9)
        axis.set_xlabel("ms beyond their own delay", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=7, loc="lower left")
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=80, metadata={"Software": None})
    pyplot.close(figure)
    return True


INTRODUCTION = f"""\
# Reaction times

How long after its own delay each protection switches off: from the moment at which the chip's register shows the
value to the edge of the output line. Written by `./run reaction --write` (`tests/benchmarks/reaction.py`), which takes
about an hour; do not edit. A few of them, printed only: `./run reaction --only cell_ovp short_circuit --trips 50`.

Each trip begins with a fresh pack in normal operation: the simulated chip at register level; driver, decision and
outputs with read-back as they run on hardware; the daemon's arithmetic of cycles. The cause appears at a random moment
of the period, with the chip's own loop at a random place in it, and the next check of the chip's settings at a random
number of cycles from there. A trip counts only when its alarm was raised in the cycle that opened, less the wait for
little current, or when its value was unknown. Both moments are exact: a register of the simulated chip changes only
when the chip is moved on (every {TICK_MS} ms while a value is awaited), a line inside the call that drives it.

- **100 kHz** and **400 kHz**: virtual time, period {PERIOD_MS} ms, delays of the default preset. Time passes only
  where something waits, and in the wire of the I2C bus, 9 bits a byte, at the clock [the guide](raspberry-pi.md) sets
  and at the fastest. Computing takes no time here; [its share](benchmarks.md) is half a millisecond.
- **idle** and **loaded**: real time, period {QUICK_MS} ms (the shortest), the shortest delay of each parameter or
  0.1 s, every cycle published, the real-time class of bmsd.service. Each transfer sleeps for as long as the wire takes
  at 400 kHz. Only the trip is real; its pack is brought into normal operation in virtual time. Several packs run at
  once, each in a process of its own and all in the real-time class: they delay each other, so the figures are rather
  too high.
- **loaded** means, all at once: CAN frames as fast as the CAN link reads them, Modbus requests and noise likewise, the
  journal link writing to a pipe that nobody reads (the links follow one of the packs), and one process per processor
  that never rests.

Most of a reaction is waiting for the next cycle: half a period for a value that arrives at a random moment, one at
most. A shorter period is what makes it faster."""

EACH = """\
Milliseconds beyond the protection's own delay: median / p99.9 / worst, for idle median / worst. *Under current* the
inverter takes nothing back, so that the contacts wait for it as long as their alarm lets them (S12); the wait is then
part of the own delay, as for the over-currents. Own delays in real time are shorter, where the parameter allows it."""

NOTES = """\
- A cycle decides after the 131 bytes of a poll: 12 ms of wire at 100 kHz, 3 ms at 400 kHz. It looks at the chip's
  settings (S6) only once the outputs are driven.
- Where a value is lost (`cell_lost`, `temperature_lost`, `switch_temperature_lost`, `current_lost`, `stack_lost`,
  `afe_lost`) the line goes off because the value is unknown, after `value_max_age_s` from its last good reading; the
  alarm that names it follows after `unknown_grace_s`.
- `afe_lost, bus held low` pays for the adapter's time-outs (20 ms, twice) in the cycle that decides, and only
  by these it is beyond the budget.
- `output_fault` has one period of its own: what a cycle reads back is judged in the next.
- `charge_limit_enforced` and `discharge_limit_enforced` were measured with 20 s of the preset's 60 s and 300 s.
- `current_implausible` needs the whole window of readings after the fourth jump, its own delay here;
  `current_reversed` is measured with `physics_step_v = 0.004`, so that one reading shows the jump.
- `cell_frozen`, `cells_frozen` and these two count movements; measured is the one that completes the proof. How long
  a pack takes to make so many is no reaction time ([S2](SAFETY.md#s2-unknown-is-not-good)).
- `short_circuit` and both trips of the chip: the chip has withdrawn its permit before its register shows it. Where the
  permits are wired the contactor is open already; measured is the daemon's own line behind it.
- Contactor alarms are measured from the auxiliary contact's input, `output_fault` and `heater_stuck_on` from the line
  and from a current sensor, `afe_lost` and `afe_reset` from the fault itself: no register shows them.
- Everything is measured in the topology `split`, apart from what only `common` has. There, an alarm that leaves time
  tells the inverter zero in the same cycle and opens nothing by itself; `charge_not_stopped` and
  `discharge_not_stopped` do."""

LIMITS = """\
## What the figures leave out

- From the pin to the register: the chip converts a cell every 63 ms, less often while it balances.
- From the line to the contacts: driver and contactor, 15 ms on the bench; the maker of yours states it.
- The processor of a Raspberry Pi: this was measured on the machine named above.
- A kernel that is busy with something that cannot be interrupted."""
