"""Say what is wrong in a set of parameters, and which value would be accepted instead.

Nothing is worked out backwards here: values are tried on the rules themselves, so that no advice is refused again.
Every rule has one good side, so halving finds its edge.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from bmsd.control.feasibility import CHIP, NEVER, RANGE, Key, Trial
from bmsd.tables.faults import Fault
from bmsd.tables.parameters import BY_NAME

_MOST_STEPS = 8
"""Rules that one value can break at once are fewer."""
_PROBES = 40
_SHUNTS_UOHM = (10, 10_000)
Found = Mapping[Key, Fault]
Written = Mapping[str, int]


class Advice(NamedTuple):
    """What is wrong at one parameter, and what to write."""

    name: str
    text: str


def told(trial: Trial, written: Written, elsewhere: Collection[str] = ()) -> list[Advice]:
    """Say what is wrong with the written values, each at its parameter, with what would be accepted.

    The rules in `elsewhere` are told by somebody else; advice keeps them all the same.
    """
    found = trial.faults(written)
    at: dict[str, list[Fault]] = {}
    for fault in found.values():
        if fault.rule not in elsewhere:
            at.setdefault(_told_at(trial, written, found, fault), []).append(fault)
    return [Advice(name, _text(trial, written, found, name, faults)) for name, faults in at.items()]


def _culprits(fault: Fault) -> list[str]:
    """Name who can mend a fault: its parameters, and those that they follow where they are not written."""
    bases = [BY_NAME[name].share_of for name in fault.names]
    return [*dict.fromkeys([*fault.names, *(base for base in bases if base)])]


def _told_at(trial: Trial, written: Written, found: Found, fault: Fault) -> str:
    """Choose the written parameter that mends it by itself, or else the first written one, or the first."""
    names = [name for name in _culprits(fault) if name in written]
    able = (name for name in names if len(names) == 1 or _best(trial, written, found, name) is not None)
    return next(able, (names or fault.names)[0])


def _text(trial: Trial, written: Written, found: Found, name: str, faults: list[Fault]) -> str:
    """Join what is wrong with one value; out of its range it is wrong whatever else follows."""
    row, now = BY_NAME[name], trial.complete(written)[name]
    if out := [fault for fault in faults if fault.key == (RANGE, (name,))]:
        faults = out
    what = "; ".join(fault.what for fault in faults)
    further = "".join(dict.fromkeys(fault.further for fault in faults))
    if now is None:
        ends = accepted(trial, written, name)
        text = row.unit.text
        both = f" With the rest of the file {text(ends[0])} to {text(ends[1])} are accepted" if ends else ""
        return f"{what}{both}"
    if all(fault.rule == NEVER for fault in faults):
        return f"{what}{faults[0].remedy}"
    ways = _ways(trial, written, found, name, faults)
    if not ways:
        return "; ".join(fault.text for fault in faults)
    if what.startswith(f"{row.public_name} "):  # the sentence is about it already
        ways[0] = ways[0].replace(f"Take {row.public_name} of ", "Take ")
    other = f", or {ways[1].removeprefix('Take ').replace('Fit', 'fit')}" if len(ways) > 1 else ""
    return f"{what}. {ways[0]}{other}{further}"


def _ways(trial: Trial, written: Written, found: Found, name: str, faults: list[Fault]) -> list[str]:
    """Name values that would each do; first of what was written, then of anything else that can help."""
    involved = [*dict.fromkeys([name, *(other for fault in faults for other in _culprits(fault))])]
    mine = [other for other in involved if other in written]
    ways = [*_alone(trial, written, found, mine)]
    if not ways and (pair := _together(trial, written, found, mine, {fault.key for fault in faults})):
        ways = [pair]
    if not ways:
        ways = [*_alone(trial, written, found, [other for other in involved if other not in written])]
    if not ways and (without := _left_out(trial, written, found, mine)):
        ways = [without]
    if all(fault.rule.startswith(CHIP) for fault in faults):
        ways += _other_shunt(trial, written, found)
    return ways


def _alone(trial: Trial, written: Written, found: Found, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        now, best = trial.complete(written)[name], _best(trial, written, found, name)
        if now is not None and best is not None:
            yield _way(name, now, best)


def _best(trial: Trial, written: Written, found: Found, name: str) -> int | None:
    """Find the nearest value that mends all that this parameter has a part in."""
    now = trial.complete(written)[name]
    wanted = {key for key, fault in found.items() if name in _culprits(fault)}
    if now is None:
        return None
    best = _nearest(_at(trial, written, name), now, _bounds(trial, name), wanted, {*found})
    return None if best == now else best


def _way(name: str, now: int, best: int) -> str:
    row = BY_NAME[name]
    return f"Take {row.public_name} of {'at most' if best < now else 'at least'} {row.unit.text(best)}"


def _together(trial: Trial, written: Written, found: Found, names: Iterable[str], keys: set[Key]) -> str:
    """Change one value although that breaks another rule, and then the one that mends that."""
    for name in names:
        now = written[name]
        best = _nearest(_at(trial, written, name), now, _bounds(trial, name), keys, {*found}, alone=False)
        if best is None or best == now:
            continue
        then = {**written, name: best}
        after = {key: fault for key, fault in trial.faults(then).items() if key not in found or key in keys}
        others = dict.fromkeys(
            other for fault in after.values() for other in _culprits(fault) if other != name
        )
        for way in _alone(trial, then, after, others):
            return f"{_way(name, now, best)} and {way.removeprefix('Take ')}"
    return ""


def _left_out(trial: Trial, written: Written, found: Found, names: list[str]) -> str:
    """Go back to the preset, where no value of one or two parameters would do."""
    for gone in ([names[0]] if names else [], names):
        left = trial.faults({name: value for name, value in written.items() if name not in gone})
        mended = [key for key, fault in found.items() if {*gone} & {*_culprits(fault)}]
        if gone and not any(key in mended or key not in found for key in left):
            return f"Leave out {' and '.join(BY_NAME[name].public_name for name in gone)}: the preset fits"
    return ""


def _other_shunt(trial: Trial, written: Written, found: Found) -> Iterator[str]:
    if trial.chip is None:
        return
    wanted = {key for key, fault in found.items() if fault.rule.startswith(CHIP)}
    now = trial.chip.afe.shunt_uohm
    best = _nearest(_with_shunt(trial, written), now, _SHUNTS_UOHM, wanted, {*found})
    if best is not None:
        yield f"Fit a shunt (afe.shunt_mohm) of {'at most' if best < now else 'at least'} {best / 1000:g} mohm"


def _with_shunt(trial: Trial, written: Written) -> Callable[[int], set[Key]]:
    def at(uohm: int) -> set[Key]:
        chip = trial.chip and trial.chip._replace(afe=replace(trial.chip.afe, shunt_uohm=uohm))
        return {*replace(trial, chip=chip).faults(written)}

    return at


def fitting_shunts(trial: Trial, written: Written) -> tuple[int, int] | None:
    """Give the smallest and the largest shunt, in microohm, with which the chip can do what is written."""
    at, (low, high) = _with_shunt(trial, written), _SHUNTS_UOHM

    def good(uohm: int) -> bool:
        return not any(rule.startswith(CHIP) for rule, _ in at(uohm))

    tries = (low + round((high - low) * (number / _PROBES) ** 3) for number in range(_PROBES + 1))
    start = next((uohm for uohm in tries if good(uohm)), None)
    return None if start is None else (_edge(good, start, low), _edge(good, start, high))


def accepted(trial: Trial, written: Written, name: str) -> tuple[int, int] | None:
    """Give the lowest and the highest value of one parameter that the rest of the set bears."""
    rest = {other: value for other, value in written.items() if other != name}
    before = {key for key, fault in trial.faults(rest).items() if name not in _culprits(fault)}
    low, high = _bounds(trial, name)
    at = _at(trial, rest, name)

    def good(value: int) -> bool:
        return at(value) <= before

    start = next((value for value in _probes(trial, rest, name, low, high) if good(value)), None)
    return None if start is None else (_edge(good, start, low), _edge(good, start, high))


def _probes(trial: Trial, rest: Written, name: str, low: int, high: int) -> Iterator[int]:
    """Give values to begin with: what a preset says, then all over the range, closer where numbers are small."""
    preset = trial.complete(rest)[name]
    if preset is not None:
        yield preset
    for number in range(_PROBES + 1):
        yield low + round((high - low) * (number / _PROBES) ** 3)


def _at(trial: Trial, written: Written, name: str) -> Callable[[int], set[Key]]:
    return lambda value: {*trial.faults({**written, name: value})}


def _bounds(trial: Trial, name: str) -> tuple[int, int]:
    return BY_NAME[name].bounds(trial.pack.cells)


def _nearest(
    at: Callable[[int], set[Key]],
    now: int,
    bounds: tuple[int, int],
    wanted: set[Key],
    before: set[Key],
    *,
    alone: bool = True,
) -> int | None:
    """Find the value next to `now` that breaks none of the wanted rules, and no further one; None: there is none."""
    value, side = now, 0
    for _ in range(_MOST_STEPS):
        broken = {key for key in at(value) if key in wanted or (alone and key not in before)}
        if not broken:
            return value
        key = min(broken)
        end = next((end for end in bounds if key not in at(end)), None)
        if end is None or (side and (end > now) != (side > 0)):
            return None  # it is of no use, or one rule wants it lower and another one higher
        side = 1 if end > now else -1
        value = _edge(partial(_lacks, at, key), end, value)
    return None


def _lacks(at: Callable[[int], set[Key]], key: Key, value: int) -> bool:
    return key not in at(value)


def _edge(good: Callable[[int], bool], inside: int, outside: int) -> int:
    """Halve the way between a good value and one that is perhaps bad; give the last good one."""
    if good(outside):
        return outside
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if good(middle) else (inside, middle)
    return inside
