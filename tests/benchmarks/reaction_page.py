"""Write docs/reaction-times.md: the table of all protections, what was not measured, and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from reaction_measure import QUICK, Series
from reaction_pack import TICK_MS
from reaction_trips import NOT_MEASURED, TRIPS
from rig import PERIOD_MS, median, percentile

from bmsd.afe.session import SIGNATURE_EVERY
from bmsd.tables.alarms import BY_NAME

DOCUMENT = Path("docs/reaction-times.md")
PICTURE = Path("docs/images/reaction-times.png")
PERIODS_MS = {"virtual": PERIOD_MS, "idle": round(QUICK["period_s"] * 1000), "loaded": round(QUICK["period_s"] * 1000)}
ALLOWED_MS = 10
Results = Mapping[str, Mapping[str, Series]]


def budget_ms(kind: str) -> int:
    """Give what the design allows beyond the protection's own delay: one period and 10 ms."""
    return PERIODS_MS[kind] + ALLOWED_MS


def figures(series: Series | None, *, short: bool = False) -> str:
    """Give median, p99.9 and worst of one row; of few trips the last two are the same."""
    if series is None:
        return ""
    late = series.late_ms
    if not late:
        return "none"
    middle, most, worst = (f"{value:.0f}" for value in (median(late), percentile(late, 999), max(late)))
    return f"{middle} / {worst}" if short else f"{middle} / {most} / {worst}"


def verdict(results: Results, name: str) -> str:
    """Say whether the budget is kept, in virtual time and under load."""
    missed = []
    for kind, rows in results.items():
        if kind != "idle" and name in rows and rows[name].late_ms:
            most = percentile(rows[name].late_ms, 999)
            if most > budget_ms(kind):
                missed.append(f"{kind} by {most - budget_ms(kind):.1f} ms")
    return f"**missed**: {', '.join(missed)}" if missed else "kept"


def seconds(ms: int) -> str:
    return f"{ms / 1000:g} s" if ms else "none"


def table(results: Results) -> list[str]:
    """Give one row per protection."""
    lines = [
        "| protection | opens | own delay | virtual | own delay | real, idle | real, loaded | budget |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, trip in TRIPS.items():
        rows = {kind: found[name] for kind, found in results.items() if name in found}
        if not rows:
            continue
        opens = ", ".join(trip.lines)
        short = rows.get("loaded") or rows.get("idle")
        virtual = rows.get("virtual")
        lines.append(
            f"| {name.replace(trip.alarm, f'`{trip.alarm}`', 1)} | {opens}"
            f" | {seconds(virtual.own_ms) if virtual else ''} | {figures(virtual)}"
            f" | {seconds(short.own_ms) if short else ''} | {figures(rows.get('idle'), short=True)}"
            f" | {figures(rows.get('loaded'))} | {verdict(results, name)} |"
        )
    return lines


def together(results: Results) -> list[str]:
    """Give all protections as one series for each kind of time."""
    lines = ["| | trips | median | p99 | p99.9 | worst | one period + 10 ms |", "|---|---|---|---|---|---|---|"]
    for kind, rows in results.items():
        late = [ms for one in rows.values() for ms in one.late_ms]
        cells = " | ".join(f"{ms:.1f} ms" for ms in (
            median(late), percentile(late, 990), percentile(late, 999), max(late)
        ))  # fmt: skip
        lines.append(f"| {kind} | {len(late)} | {cells} | {budget_ms(kind)} ms |")
    return lines


def strange(results: Results) -> list[str]:
    """Tell the trips that were not the protection's own."""
    texts = [f"{kind}: {text}" for kind, rows in results.items() for one in rows.values() for text in one.strange]
    if not texts:
        return ["Every trip was the protection's own."]
    return [f"{len(texts)} trips were not the protection's own and are not in the figures:", "",
            *(f"- {text}" for text in sorted(set(texts))[:20])]  # fmt: skip


def not_measured() -> list[str]:
    return [f"| `{name}` | {BY_NAME[name].title} | {why} |" for name, why in NOT_MEASURED.items()]


def write(root: Path, results: Results, about: Mapping[str, str], khz: Mapping[str, int]) -> None:
    """Write document and picture."""
    drawn = picture(root / PICTURE, results)
    today = datetime.now(UTC).date().isoformat()
    image = [f"![How late, of all trips together](images/{PICTURE.name})", ""] if drawn else []
    text = [
        INTRODUCTION.format(khz=khz, budget=budget_ms("virtual"), quick=budget_ms("loaded")), "",
        "## All together", "", *together(results), "", *image, *strange(results), "",
        f"Measured on {today}:", "", *(f"- {kind}: {text}." for kind, text in about.items()), "",
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

    figure, axes = pyplot.subplots(1, len(results), figsize=(4 * len(results), 2.8), squeeze=False)
    for axis, (kind, rows) in zip(axes[0], results.items(), strict=True):
        late = [ms for one in rows.values() for ms in one.late_ms]
        axis.hist(late, bins=60, color="#4477aa")
        axis.axvline(budget_ms(kind), color="#cc3311", linestyle="--", label=f"{budget_ms(kind)} ms")
        axis.set_yscale("log")
        axis.set_title(f"{kind}, {len(late)} trips", fontsize=9)
        axis.set_xlabel("ms beyond its own delay", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=7)
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=80, metadata={"Software": None})
    pyplot.close(figure)
    return True


INTRODUCTION = f"""\
# Reaction times

How long after its own delay each protection switches off: from the moment at which the chip's register shows the
value to the edge of the output line. Written by `./run reaction --write` (`tests/benchmarks/reaction.py`); do not
edit. A few of them: `./run reaction --only cell_ovp short_circuit --trips 50`.

Each trip begins with a fresh pack in normal operation: the simulated chip at register level, the driver, the
decision, the outputs with read-back, all of it the code that runs on hardware, and the daemon's arithmetic of cycles.
The cause appears at a random moment of the period, and the chip's own loop stands at a random place in it. A trip
counts only when the alarm was raised in the cycle that opened (less the wait for little current), or the value was
unknown; one that was opened by something else is told below and not counted. Both moments are exact: a register of
the simulated chip changes only when the chip is moved on (every {TICK_MS} ms while a value is awaited), and the line
changes inside the call that drives it.

- **virtual**: parameters of the default preset, period {PERIOD_MS} ms. Time passes only where something waits: the
  wire of the I2C bus at {{khz[virtual]}} kHz, as the [guide](raspberry-pi.md) sets it, and bus time-outs. Computing
  takes no time; [its share](benchmarks.md) is about half a millisecond. Budget: one period + 10 ms = {{budget}} ms.
- **idle** and **loaded**: real time, period 100 ms (the shortest), the shortest delay that each parameter may have
  or 0.1 s, the bus at {{khz[loaded]}} kHz (every transfer is a sleep as long as the wire takes), every cycle
  published, real-time class as in bmsd.service. Only the trip is real; the pack is brought into normal operation
  in virtual time before. Several packs run at once, each in a process of its own, all in the real-time class, so
  they delay each other too: the figures are rather too high. Budget: {{quick}} ms.
- **loaded** means, all at once: CAN frames as fast as the CAN link reads them, Modbus requests and noise likewise,
  the journal link writing to a pipe that nobody reads (these links follow one of the packs), and one process per
  processor that never rests.

Most of it is waiting for the next cycle: a value that arrives at a random moment waits half a period, at most one.
The core cannot be faster than that; a shorter period is."""

EACH = """\
Milliseconds beyond the protection's own delay, as median / p99.9 / worst; idle as median / worst. *Under current*
the inverter takes nothing back, so the contacts wait for it as long as their alarm lets them (S12): the wait is part
of the own delay then, and of that of the over-currents. An own delay in real time is shorter where the parameter
allows it."""

NOTES = f"""\
- Where a value is lost (`cell_lost`, `temperature_lost`, `switch_temperature_lost`, `current_lost`, `stack_lost`,
  `afe_lost`) the line goes off because the value is unknown, after `value_max_age_s` from its last good reading; the
  alarm that names it follows after `unknown_grace_s`.
- `afe_lost, bus held low` pays for the time-outs of the adapter (20 ms, twice) in the cycle that decides.
- `output_fault` has one period of its own: what a cycle reads back is judged in the next.
- `current_implausible` needs the whole window of readings after the fourth jump (its own delay here);
  `current_reversed` is measured with `physics_step_v = 0.004`, so that one reading shows the jump.
- `cell_frozen`, `cells_frozen` and the two above count movements; measured is the one that completes the proof. How
  long a pack takes to make so many is not a reaction time ([S2](SAFETY.md#s2-unknown-is-not-good)).
- `short_circuit` and both `chip_..._trip`: the chip has withdrawn its permit before its register shows it. Where the
  permits are wired, the contactor is already open; measured is the daemon's own line behind it.
- Contactor alarms are measured from the auxiliary contact's input, `output_fault` and `heater_stuck_on` from the line
  and the current sensor, `afe_lost` and `afe_reset` from the fault itself: no register shows them.
- The longest cycles read more of the chip's settings: its signature at every {SIGNATURE_EVERY}th poll and a block of
  them at every 16th, before the decision (S6)."""

LIMITS = """\
## What the figures leave out

- From the pin to the register: a cell is converted every 63 ms by the chip, longer while it balances.
- From the line to the contacts: driver and contactor, 15 ms on the bench, stated by the maker of yours.
- The processor of a Raspberry Pi. Decision and driver were measured on the machine named above.
- A kernel that is busy with something that cannot be interrupted."""
