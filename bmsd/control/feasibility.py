"""Everything that a set of parameters is held to: range, order, dangers, the heater, and what the chip can do."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

from bmsd.afe.chips import CHIPS
from bmsd.control.chip_protection import MADE_FROM, ChipWiring, Wired, afe_settings
from bmsd.core.heater import misfit
from bmsd.core.settings import heater_max_mw
from bmsd.errors import Unfit, UnfitError
from bmsd.tables import envelopes, parameters
from bmsd.tables.faults import Fault
from bmsd.tables.parameters import BY_NAME, Parameters
from bmsd.tables.rows import AMPERE

Values = Mapping[str, int | None]
Key = tuple[str, tuple[str, ...]]
RANGE, NEVER, HEATER, CHIP = "range", "never", "heater", "chip"
"""The rules: a value's own range, a pack that serves, the limits of a heater, and what the chip can do."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that a set of parameters is held to in one pack."""

    pack: envelopes.PackKind
    complete: Callable[[Mapping[str, int]], Values]
    """Fills a set around the written values."""
    chip: ChipWiring | None = None
    """None: it is not known, and nothing is tried on it."""
    heater_mohm: int | None = None
    dangers: bool = True
    for_good: bool = True
    """The set is a file's: there a largest current of zero would be for ever."""
    whole: bool = True
    """Nothing more will be written: what is missing is a fault."""

    def faults(self, written: Mapping[str, int]) -> dict[Key, Fault]:
        """Give every broken rule of the set, by its key."""
        return {fault.key: fault for fault in self._faults(self.complete(written), written)}

    def _faults(self, values: Values, written: Container[str]) -> Iterator[Fault]:
        for fault in parameters.faults(values, self.pack.cells):
            if self.whole or values[fault.names[0]] is not None:
                yield fault
        if self.dangers:
            yield from envelopes.faults(values, self.pack)
            yield from _never(values) if self.for_good else ()
        yield from self._too_strong(values)
        yield from self._unfit(values, written)

    def _too_strong(self, values: Values) -> Iterator[Fault]:
        """Hold the heater to its limits at full pack voltage (S4)."""
        names = ("cell_ovp_mv", "heater_max_ma", "heater_max_mw")
        cells = self.pack.cells
        if self.heater_mohm is None:
            return
        # What is out of its range is told as that, and may be no number to reckon with.
        ovp_mv, max_ma, max_mw = (_in_range(name, values[name], cells) for name in names)
        text = misfit(self.heater_mohm, ovp_mv * cells, max_ma, heater_max_mw(cells, max_mw))
        if text:
            yield Fault(HEATER, names, f"the heater of {self.heater_mohm / 1000:g} ohm: {text}")

    def _unfit(self, values: Values, written: Container[str]) -> Iterator[Fault]:
        """Try the chip's driver on the set (S6); it needs a whole one, so what is missing is made up, and not told."""
        if self.chip is None:
            return
        whole = {name: _in_range(name, value, self.pack.cells) for name, value in values.items()}
        try:
            CHIPS[self.chip.afe.chip].driver(afe_settings(self.chip, Parameters(**whole)))
        except UnfitError as error:
            for one in error.unfit:
                if all(values[name] is not None for name in MADE_FROM.get(one.field, ())):
                    yield _of_chip(one, values, written, self.chip)


def _in_range(name: str, value: int | None, cells: int) -> int:
    """Give the nearest value that the chip may be tried with; what is out of range is told as that."""
    low, high = BY_NAME[name].bounds(cells)
    return low if value is None else min(max(value, low), high)


def _never(values: Values) -> Iterator[Fault]:
    """Refuse a largest current of zero in a file; at run time somebody may have a reason, and takes it back."""
    for name in ("charge_max_ma", "discharge_max_ma"):
        if values[name] == 0:
            yield Fault(
                NEVER, (name,), f"{BY_NAME[name].public_name} is 0: the pack would never serve",
                ". Leave it out, or write what the pack bears",
            )  # fmt: skip


def _of_chip(one: Unfit, values: Values, written: Container[str], chip: ChipWiring) -> Fault:
    """Say in people's words what the chip cannot do; too much and too little are two rules."""
    names = MADE_FROM.get(one.field, ())
    rule = f"{CHIP}, {'too much' if one.value > one.high else 'too little'}"
    if not names or not one.field.endswith("_ma"):
        return Fault(rule, names, one.text)
    told = next((name for name in names if name in written), names[0])
    row, shunt = BY_NAME[told], f"a shunt of {chip.afe.shunt_uohm / 1000:g} mohm"
    what = (
        f"{row.public_name} ({row.unit.text(values[told] or 0)}) does not fit {chip.afe.chip}: its own"
        f" {one.what.partition(' with ')[0]} limit, which follows, would be {AMPERE.text(one.value)};"
        f" with {shunt} the chip can do {AMPERE.text(one.low)} to {AMPERE.text(one.high)}"
    )
    return Fault(rule, names, what)


def afe_settings_fit(config: Wired, wanted: Parameters) -> None:
    """Raise ValueError when the front-end chip cannot be programmed with these parameters."""
    CHIPS[config.afe.chip].driver(afe_settings(config, wanted))
