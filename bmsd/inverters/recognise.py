"""Which protocol an inverter speaks, judged by what it says before it was told anything (protocol "auto").

A sign is a content that only one kind of inverter is known to send. Signs of two kinds, or of none, are no answer.
Each frame must have come twice: once may be noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from bmsd.errors import PeerError
from bmsd.inverters import heard
from bmsd.inverters.heard import Received

WINDOW_MS = 3000
"""How long is listened for one judgement: known inverters say each of their frames once a second."""
_LEAST = 2
_ALIVE, _GX = 0x305, 0x307
_BATTERY = 0x351
_OF_INVERTERS = range(0x300, 0x310)


class Sample(NamedTuple):
    """One data frame as heard."""

    id: int
    extended: bool
    data: bytes


class Recognised(NamedTuple):
    """What was made of the samples: a protocol or none, and the reason in words."""

    protocol: str | None
    reason: str


Frames = Mapping[int, list[bytes]]
"""Contents by identifier, 11-bit ones."""


class _Sign(NamedTuple):
    protocol: str
    reason: str
    there: Callable[[Frames], bool]


def _fits(row: Received, contents: Iterable[bytes]) -> bool:
    """Tell whether there are contents and all of them are plausible for a row."""
    told = list(contents)
    try:
        for data in told:
            heard.read(row, data)
    except PeerError:
        return False
    return bool(told)


def _is_gx(frames: Frames) -> bool:
    return _fits(heard.GX_SIGN, frames.get(_GX, ()))


def _is_growatt(frames: Frames) -> bool:
    return _fits(heard.GROWATT[0], frames.get(0x301, ()))


def _is_sma(frames: Frames) -> bool:
    """Look for what it measures; zeros would fit the row as well, and are another's."""
    there = _fits(heard.SMA[0], frames.get(_ALIVE, ())) and _fits(heard.SMA[1], frames.get(0x306, ()))
    return there and all(any(data[:2]) for data in frames[_ALIVE]) and not _is_gx(frames)


def _is_deye(frames: Frames) -> bool:
    contents = frames.get(_ALIVE, ())
    told = _fits(heard.DEYE[0], contents) and all(all(data[3:6]) and not any(data[6:]) for data in contents)
    return told and not _is_gx(frames)


def _is_luxpower(frames: Frames) -> bool:
    inverters = {number for number in frames if number in _OF_INVERTERS}
    return inverters == {0x300, _ALIVE} and _all_zero(frames) and all(d[0] < 2 for d in frames[0x300] if d)


def _all_zero(frames: Frames) -> bool:
    return _ALIVE in frames and all(len(data) == 8 and not any(data) for data in frames[_ALIVE])


def _is_plain(frames: Frames) -> bool:
    return _all_zero(frames) and not any(number in _OF_INVERTERS for number in frames if number != _ALIVE)


_SIGNS = (
    _Sign("victron", 'a Victron GX: 0x307 says "VIC"', _is_gx),
    _Sign("growatt", "a Growatt: 0x301 counts 11 22 33 to 88", _is_growatt),
    _Sign("sma", "a Sunny Island: 0x305 and 0x306 tell what it measures", _is_sma),
    _Sign("deye", "a Deye or Sunsynk: 0x305 tells the time", _is_deye),
    _Sign("luxpower", "a LuxPower or EG4: 0x300 beside zeros in 0x305", _is_luxpower),
    _Sign(
        "pylontech", "an inverter of the Pylontech family: 0x305 is zero and nothing else is said", _is_plain
    ),
)
_NOT_SPOKEN = {
    (0x605, False): "a Sofar in its own protocol (0x605): set it to Pylontech",
    (0x705, False): "a Sofar in its own protocol (0x705): set it to Pylontech",
    (0x4200, True): "an inverter that polls a Pylontech high-voltage pack (0x4200): bmsd does not answer",
    (0x8200, True): "an inverter that wakes a Pylontech high-voltage pack (0x8200): bmsd does not answer",
}


def recognise(samples: Iterable[Sample]) -> Recognised:
    """Judge what was heard in one window."""
    frames, wide = _often(samples)
    found = [sign for sign in _SIGNS if sign.there(frames)]
    other = [
        text for (number, extended), text in _NOT_SPOKEN.items() if number in (wide if extended else frames)
    ]
    if len(found) == 1 and not other:
        return Recognised(found[0].protocol, found[0].reason)
    if found:
        return Recognised(None, f"ambiguous: {'; and '.join([s.reason for s in found] + other)}")
    if other:
        return Recognised(None, f"heard {other[0]}")
    if not frames and not wide:
        return Recognised(None, "")
    battery = ", but another battery (0x351)" if _BATTERY in frames else ""
    return Recognised(None, f"no known inverter{battery}: heard {_listed(frames, wide)}")


_KIN = {
    "victron": {"victron"},
    "growatt": {"growatt"},
    "sma": {"sma"},
    "deye": {"deye", "sunsynk", "solark", "solark-10mv"},
    "luxpower": {"luxpower"},
}
"""By what is recognised, the protocols that it does not speak against."""
_UNMISTAKABLE = {"victron", "growatt", "sma"}
"""Who says more than zeros in 0x305, as all others of the Pylontech family may."""


def doubt(protocol: str, samples: Iterable[Sample]) -> str:
    """Say what speaks against the protocol that is spoken; empty when nothing does."""
    verdict = recognise(samples)
    if verdict.protocol is None:
        return (
            f"{verdict.reason[0].upper()}{verdict.reason[1:]}." if verdict.reason.startswith("heard") else ""
        )
    fits = _KIN.get(verdict.protocol)
    if protocol in fits if fits else protocol not in _UNMISTAKABLE:
        return ""
    return f'What is heard looks like {verdict.reason}; for that write protocol = "{verdict.protocol}".'


def _often(samples: Iterable[Sample]) -> tuple[dict[int, list[bytes]], set[int]]:
    """Sort the samples by identifier, without those that came too rarely."""
    counts: dict[tuple[bool, int], list[bytes]] = {}
    for sample in samples:
        counts.setdefault((sample.extended, sample.id), []).append(sample.data)
    often = {key: data for key, data in counts.items() if len(data) >= _LEAST}
    frames = {number: data for (extended, number), data in often.items() if not extended}
    return frames, {number for extended, number in often if extended}


def _listed(frames: Frames, wide: set[int]) -> str:
    names = [f"0x{number:03X}" for number in sorted(frames)] + [f"0x{number:08X}" for number in sorted(wide)]
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
