"""A family of winters: a pack at -8 °C of every size, at every charge, beside every charger, with both kinds of heater.

`./run winter` lets each of them happen until the pack is charged; `--write` draws the picture of docs/winter.md and
writes its table. The tests beside this take a few of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from bmsd.config.load import CanConfig, Config, load
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from bmsd.sim.runner import Virtual

ROOT = Path(__file__).resolve().parents[2]
PAGE, PICTURE = ROOT / "docs" / "winter.md", ROOT / "docs" / "images" / "winter.png"
START, END = "<!-- measured -->\n", "<!-- end -->"
COLD_C = -8.0
CAPACITY_AH = 50
OHM_PER_CELL = 1.5
"""5 W a cell at 3.45 V a cell and more: 127 W for 16, 32 W for 4."""
LOAD_W_PER_CELL = 2.0
CHARGER_A = 20.0
OWN_V_PER_CELL = 3.45
"""Our own charge voltage, that of the parameter cell_charge_v."""
GENERATOR_S = 1200
"""A generator runs for so long, and stands still for as long."""
LONGEST_H = 6.0
GIVEN_UP_H = 1.5
"""A heater that is off for so long, longer than any pause, stays off."""
CHARGING_A = 1.0
CELLS = (4, 8, 16)
CHARGES = {"empty": -0.01, "low": 0.10, "half full": 0.50, "nearly full": 0.95}
HEATERS = {
    "charger": ("charger", "split"),
    "pack": ("pack", "common"),
    "pack, two contactors": ("pack", "split"),
    "pack, the chip's FETs": ("pack", "afe"),
}
"""What feeds the heater, and the topology that goes with it."""
CHARGERS = {
    "own": "at our own charge voltage",
    "above": "1 V above it",
    "generator": "a generator, 20 minutes on, 20 off",
}
OUTPUTS = {"split": "charge = 17\ndischarge = 27\n", "common": "main = 17\n", "afe": ""}
FILE = """
[pack]
chemistry = "lifepo4"
cells = {cells}
capacity_ah = {capacity}
[afe]
chip = "bq76952"
shunt_mohm = 0.5
[switches]
topology = "{topology}"
[outputs]
{outputs}precharge = 22
heater = 23
[heater]
resistance_ohm = {ohm}
supply = "{supply}"
[parameters]
charge_ocp_a = 50
discharge_ocp_a = 50
period_s = 1
"""


@dataclass(frozen=True, slots=True)
class Winter:
    """One winter."""

    cells: int
    charge: str
    heater: str
    charger: str


@dataclass(slots=True)
class Told:
    """What came of it."""

    charged_h: float | None = None
    """When charge current first flowed."""
    heat_wh: float = 0.0
    spent_percent: float = 0.0
    """What the pack had lost by then, house and heat."""
    t_h: list[float] = field(default_factory=list)
    pack_c: list[float] = field(default_factory=list)
    heats: list[bool] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    against: str = ""
    """Why the heater was off at the end."""


def winters() -> list[Winter]:
    """List them all, in the order of the table."""
    return [Winter(*one) for one in product(CELLS, CHARGES, HEATERS, CHARGERS)]


def config_of(winter: Winter) -> Config:
    """Make the configuration of one; its inverter hears its limits."""
    supply, topology = HEATERS[winter.heater]
    text = FILE.format(
        cells=winter.cells, capacity=CAPACITY_AH, topology=topology, outputs=OUTPUTS[topology],
        ohm=OHM_PER_CELL * winter.cells, supply=supply,
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        file = Path(folder) / "winter.toml"
        file.write_text(text)
        return replace(load(file), can=CanConfig("pylontech", 10.0, {}))


def plant_of(winter: Winter) -> PlantSettings:
    """Build the pack of one."""
    supply, topology = HEATERS[winter.heater]
    return PlantSettings(
        cells=winter.cells, capacity_ah=CAPACITY_AH, initial_soc=CHARGES[winter.charge], ambient_c=COLD_C, seed=7,
        heater_resistance_ohm=OHM_PER_CELL * winter.cells, heater_supply=supply,  # type: ignore[arg-type]
        common=topology == "common", own_fets=topology == "afe",
    )  # fmt: skip


def live(winter: Winter, longest_h: float = LONGEST_H) -> Told:
    """Let one happen until the pack is charged."""
    config = config_of(winter)
    bench = Bench(config, plant_of(winter), happenings=())
    virtual, told, plant = Virtual(config, bench), Told(), bench.plant
    begun = plant.cells.mean_soc
    volts = OWN_V_PER_CELL * winter.cells + (winter.charger == "above")
    bench.request({"set": {"charger_v": volts, "load_w": LOAD_W_PER_CELL * winter.cells}})
    due_ms = last_ms = heated_ms = 0
    while due_ms <= longest_h * 3_600_000 and due_ms - heated_ms <= GIVEN_UP_H * 3_600_000:
        stands = winter.charger == "generator" and due_ms // 1000 // GENERATOR_S % 2
        plant.set("charger_a", 0.0 if stands else CHARGER_A)
        out = virtual.cycle(due_ms)
        bench.tell_inverter(out.limits)
        told.heat_wh += plant.element.power_w * (due_ms - last_ms) / 3_600_000
        told.raised += [e.name for e in out.events if e.kind == "alarm" and e.state == "raised"]
        told.t_h.append(due_ms / 3_600_000)
        told.pack_c.append(plant.heat.pack_c)
        told.heats.append(out.commands.heater)
        told.spent_percent = (begun - plant.cells.mean_soc) * 100
        told.against = ", ".join(reason.because.value for reason in out.heater_inhibits)
        if out.charge_allowed and plant.current_a > CHARGING_A:
            told.charged_h = due_ms / 3_600_000
            break
        heated_ms = due_ms if out.commands.heater else heated_ms
        last_ms, due_ms = due_ms, max(due_ms + config.parameters.period_ms, virtual.now_ms)
    return told


def cell(told: Told) -> str:
    """Write what came of one."""
    if told.charged_h is None:
        return f"never: {told.against}; {told.heat_wh:.0f} Wh"
    return f"{told.charged_h:.2f} h, {told.heat_wh:.0f} Wh, {told.spent_percent:.1f} %"


def rows(found: Mapping[Winter, Told]) -> list[str]:
    """Write the table: a row for each pack, a column for each charger."""
    lines = [
        "| Cells | Charge | Heater on | " + " | ".join(CHARGERS.values()) + " |",
        "| ---: | --- | --- | " + " | ".join("---" for _ in CHARGERS) + " |",
    ]
    for cells, charge, heater in product(CELLS, CHARGES, HEATERS):
        told = [found[Winter(cells, charge, heater, charger)] for charger in CHARGERS]
        lines.append(f"| {cells} | {charge} | {heater} | " + " | ".join(map(cell, told)) + " |")
    return lines


def draw(found: Mapping[Winter, Told], file: Path) -> None:
    """Draw the pack's temperature until it is charged: a field for each charger and each heater."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        len(HEATERS), len(CHARGERS), figsize=(10.5, 3 * len(HEATERS)), sharex=True, sharey=True, squeeze=False
    )
    colours = dict(zip(CHARGES, ("#b2182b", "#ef8a62", "#67a9cf", "#2166ac"), strict=True))
    styles = dict(zip(CELLS, (":", "--", "-"), strict=True))
    for (row, heater), (column, charger) in product(enumerate(HEATERS), enumerate(CHARGERS)):
        axis = axes[row][column]
        for cells, charge in product(CELLS, CHARGES):
            told = found[Winter(cells, charge, heater, charger)]
            label = charge if cells == CELLS[-1] else None
            axis.plot(
                told.t_h,
                told.pack_c,
                color=colours[charge],
                linestyle=styles[cells],
                linewidth=1.1,
                label=label,
            )
            if told.charged_h is not None:
                axis.plot(told.t_h[-1], told.pack_c[-1], "o", color=colours[charge], markersize=4)
        axis.axhline(0, color="#999999", linewidth=0.8, linestyle="--")
        if row == 0:
            axis.set_title(CHARGERS[charger], fontsize=9)
        axis.grid(alpha=0.3, linewidth=0.5)
        if row == len(HEATERS) - 1:
            axis.set_xlabel("hours")
        if column == 0:
            axis.set_ylabel(f"heater on the {heater}\npack (°C)", fontsize=9)
    axes[0][0].legend(fontsize=7.5, loc="lower right", frameon=False)
    figure.suptitle("From -8 °C to the first charge (dot); 4 cells dotted, 8 dashed, 16 solid", fontsize=11)
    figure.tight_layout()
    figure.savefig(file, dpi=80, metadata={"Software": None}, pil_kwargs={"optimize": True})
    pyplot.close(figure)


def main() -> int:
    """Let the winters happen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="draw the picture and write the table of docs/winter.md"
    )
    options = parser.parse_args()
    found = {}
    with ProcessPoolExecutor() as pool:
        for winter, told in zip(winters(), pool.map(live, winters()), strict=True):
            found[winter] = told
            print(f"{winter.cells} cells, {winter.charge}, heater on the {winter.heater}, {CHARGERS[winter.charger]}:"
                  f" {cell(told)}", flush=True)  # fmt: skip
    if options.write:
        draw(found, PICTURE)
        _write(rows(found))
    return 0


def _write(lines: Iterable[str]) -> None:
    page = PAGE.read_text()
    begins, ends = page.index(START) + len(START), page.index(END)
    PAGE.write_text(page[:begins] + "\n".join(lines) + "\n" + page[ends:])


if __name__ == "__main__":
    sys.exit(main())
