"""What a chemistry bears, and what makes a set of parameters a trap: limits beyond range and order (S8).

A range says what a parameter can be at all. Here stands what is usual for the cells, how far somebody may go who has a
reason and says so (`pack.i_know`), and which sets would leave a pack that never comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bmsd.tables.chemistries import CHEMISTRIES
from bmsd.tables.faults import Fault, by_name
from bmsd.tables.parameters import BY_NAME, ParameterRow

Values = Mapping[str, int | None]


class PackKind(NamedTuple):
    """What of a pack decides what its parameters may be."""

    chemistry: str
    preset: str
    cells: int
    capacity_mah: int
    i_know: frozenset[str] = frozenset()
    """Public names of the parameters that go beyond what is usual, on purpose."""


@dataclass(frozen=True, slots=True)
class Window:
    """How far one parameter may go to its dangerous side, per chemistry: what is usual, and the last with `i_know`."""

    name: str
    side: int
    """1: the bounds are upper ones; -1: lower ones."""
    bounds: Mapping[str, tuple[int, int]]
    """Per cell where the parameter is for the pack."""
    harm: str


_OVER = {"lifepo4": (3650, 3800), "li-ion": (4200, 4350), "lto": (2800, 2900)}
# LiFePO4 3.65 V: LF280K data sheet; 3.8 V: makers of older yttrium cells. Li-ion 4.2 V: NMC data sheets; 4.35 V: cells
# sold as high-voltage ones. LTO: SCiB data sheets. Floors: JK reference, 7.19. Graphite is charged from 0 °C (7.1 and
# 7.17 there), titanate from -30 °C. Heat: cell data sheets, 60 °C; what is above is what some cells bear shortly.
WINDOWS: tuple[Window, ...] = (
    Window("cell_ovp_mv", 1, _OVER, "over-charged cells gas and burn"),
    Window("pack_ovp_mv", 1, _OVER, "over-charged cells gas and burn"),
    Window("cell_floor_mv", -1, {"lifepo4": (2000, 1500), "li-ion": (2500, 2000), "lto": (1500, 1000)},
           "a cell that was below is damaged, and may short when it is charged"),
    Window("charge_utp_decic", -1, {"lifepo4": (0, -200), "li-ion": (0, -200), "lto": (-300, -300)},
           "charge plates lithium in cells that are colder"),
    Window("charge_otp_decic", 1, {"lifepo4": (600, 650), "li-ion": (600, 650), "lto": (650, 700)},
           "hotter cells age fast, and may burn"),
    Window("discharge_otp_decic", 1, {"lifepo4": (650, 700), "li-ion": (650, 700), "lto": (700, 750)},
           "hotter cells age fast, and may burn"),
)  # fmt: skip
KNOWABLE = tuple(BY_NAME[window.name].public_name for window in WINDOWS)
"""What may stand in `pack.i_know`."""


@dataclass(frozen=True, slots=True)
class ShareRule:
    """A parameter that may be no more than a share of another one; up to `least` it always may."""

    name: str
    of: str
    permille: int
    why: str
    least: int = 0


SHARES: tuple[ShareRule, ...] = (
    ShareRule("forbidden_charge_ma", "charge_ocp_ma", 50, "a full or cold pack is charged with it without end"),
    ShareRule("forbidden_discharge_ma", "discharge_ocp_ma", 50, "an empty pack is drained with it without end"),
    ShareRule("limit_tolerance_ma", "charge_ocp_ma", 150, "so much past an open contactor must be a fault"),
    ShareRule("weld_current_ma", "discharge_ocp_ma", 100, "so much past open contactors must be a fault", 2000),
    ShareRule("charge_ocp2_ma", "charge_ocp_ma", 3000, "the fast level would never come before the damage"),
    ShareRule("discharge_ocp2_ma", "discharge_ocp_ma", 3000, "the fast level would never come before the damage"),
    ShareRule("short_circuit_ma", "discharge_ocp_ma", 10_000, "a short over a long cable would be none"),
)  # fmt: skip
CAPPED = ("forbidden_charge_ma", "forbidden_discharge_ma")
"""Parameters that the capacity bounds, too."""
CAP_PERMILLE = 50
"""A twentieth of the capacity per hour: what cells that must not be charged or discharged bear for a while."""


@dataclass(frozen=True, slots=True)
class Trap:
    """Two limits of which the first must stay below the second, or the pack gets stuck or worse."""

    lower: str
    higher: str
    gap: int
    """Per cell, where one of the two is a voltage of the pack."""
    stuck: str


TRAPS: tuple[Trap, ...] = (
    Trap("cell_uvpr_mv", "cell_charge_mv", 5, "a charge would end before discharging returns"),
    Trap("pack_uvpr_mv", "cell_charge_mv", 5, "a charge would end before discharging returns"),
    Trap("cell_charge_mv", "pack_ovp_mv", 5, "every charge would end in a trip"),
    Trap("cell_discharge_mv", "cell_ovpr_mv", 5, "the inverter would stop before charging returns"),
    Trap("cell_discharge_mv", "pack_ovpr_mv", 5, "the inverter would stop before charging returns"),
    Trap("discharge_utp_decic", "charge_utp_decic", 0, "a pack that is heated and charged would not serve the house"),
    Trap("discharge_utpr_decic", "charge_utpr_decic", 0, "heat would end before discharging returns"),
    Trap("charge_otp_decic", "discharge_otp_decic", 0, "a pack too hot to discharge would be charged"),
    Trap("cell_uvpr_mv", "balance_start_mv", 0, "balancing would drain empty cells"),
)  # fmt: skip


def capped(values: Values, chosen: Collection[str], capacity_mah: int) -> dict[str, int | None]:
    """Give the set, with what nobody chose held to what the capacity allows."""
    held = dict(values)
    for name in CAPPED:
        now = held[name]
        if now is not None and name not in chosen:
            held[name] = min(now, _cap_ma(name, capacity_mah))
    return held


def _cap_ma(name: str, capacity_mah: int) -> int:
    return max(capacity_mah * CAP_PERMILLE // 1000, BY_NAME[name].low)


def problems(values: Values, pack: PackKind) -> dict[str, str]:
    """List what is dangerous in a complete set, by parameter name; what is missing is told elsewhere (S8)."""
    return by_name(faults(values, pack))


def faults(values: Values, pack: PackKind) -> Iterator[Fault]:
    """Give everything that is dangerous."""
    for window in WINDOWS:
        yield from _outside(window, values[window.name], pack)
    for share in SHARES:
        yield from _above(share, values, pack)
    for trap in TRAPS:
        yield from _caught(trap, values, pack.cells)


def _outside(window: Window, value: int | None, pack: PackKind) -> Iterator[Fault]:
    """Compare with what is usual for the chemistry; what the chosen preset says is that, too."""
    row, scale = BY_NAME[window.name], pack.cells if BY_NAME[window.name].per_cell else 1
    usual, last = window.bounds[pack.chemistry]
    preset = row.preset.value(pack.chemistry, pack.preset)
    if preset is not None and (preset - usual) * window.side > 0:
        usual = preset
    limit = last if row.public_name in pack.i_know else usual
    if value is None or (value - limit * scale) * window.side <= 0:
        return
    most, further = "at most" if window.side > 0 else "at least", ""
    if limit != last:
        further = (
            f"; or, if the data sheet of your cells allows more, write i_know = [\"{row.public_name}\"] in [pack]:"
            f" then it is {most} {row.unit.text(last * scale)}"
        )
    what = f"{_named(row, value)} is dangerous for {CHEMISTRIES[pack.chemistry].title}: {window.harm}"
    yield Fault(
        "window", (window.name,), what, f". Take {most} {row.unit.text(limit * scale)}", further
    )


def _above(share: ShareRule, values: Values, pack: PackKind) -> Iterator[Fault]:
    value, base = values[share.name], values[share.of]
    if value is None or base is None:
        return
    row, beside = BY_NAME[share.name], BY_NAME[share.of]
    most = max(base * share.permille // 1000, share.least, row.low)
    size = ""
    if share.name in CAPPED and pack.capacity_mah:
        most, size = min(most, _cap_ma(share.name, pack.capacity_mah)), f" and {pack.capacity_mah / 1000:g} Ah"
    if value > most:
        yield Fault(
            "share",
            (share.name, share.of),
            f"{_named(row, value)} is too much beside {beside.public_name} {beside.unit.text(base)}{size}:"
            f" {share.why}",
            f". Take at most {row.unit.text(most)}",
        )


def _caught(trap: Trap, values: Values, cells: int) -> Iterator[Fault]:
    lower, higher = values[trap.lower], values[trap.higher]
    low, high = BY_NAME[trap.lower], BY_NAME[trap.higher]
    if lower is None or higher is None:
        return
    pack = low.per_cell or high.per_cell
    wanted = cells if pack else 1
    if lower * _scale(low, wanted) + trap.gap * wanted <= higher * _scale(high, wanted):
        return
    need = f"must be at least {low.unit.text(trap.gap * wanted)} below" if trap.gap else "must not be above"
    times = f" times {cells} cells" if pack and not low.per_cell else ""
    other = f" times {cells} cells" if pack and not high.per_cell else ""
    yield Fault(
        "trap",
        (trap.lower, trap.higher),
        f"{_named(low, lower)}{times} {need} {high.public_name} ({high.unit.text(higher)}){other}: {trap.stuck}",
        ". Lower the first or raise the second",
    )


def _scale(row: ParameterRow, cells: int) -> int:
    return 1 if row.per_cell else cells


def _named(row: ParameterRow, value: int) -> str:
    return f"{row.public_name} ({row.unit.text(value)})"
