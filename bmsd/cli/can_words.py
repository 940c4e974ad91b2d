"""The one sentence on top of `bmsctl can`: why the inverter does what it does, or does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bmsd.cli.why import why_text
from bmsd.inverters.protocols import AUTO, LISTENING, PROTOCOLS, Protocol
from bmsd.inverters.recognise import Sample, doubt

RECENT_MS = 5000
_STEP_MA = 100
"""What the wire says of a limit; less is rounded down."""
_WIRES = "look for wiring, 120 ohm at both ends, ground, and the bit rate"


@dataclass(frozen=True, slots=True)
class LinkView:
    """One look at a link: its state file, its frames, and the core behind it."""

    name: str
    link: Mapping[str, Any]
    frames: Mapping[str, Any]
    snapshot: Mapping[str, Any] | None
    """None: the core is not there, or old."""
    parameters: Mapping[str, int]
    now_ms: int

    @property
    def protocol(self) -> Protocol:
        """Give the protocol that is spoken."""
        return PROTOCOLS.get(str(self.link.get("protocol")), LISTENING)


def sentence(seen: LinkView) -> str:
    """Say what an installer has to know first: the first that holds, nearest to the wire first."""
    link, detail = seen.link, str(seen.link.get("detail") or "")
    if link.get("state") == "error":
        return _no_bus(detail)
    if link.get("protocol") == AUTO:
        return f"Nothing is sent yet: {detail}."
    if trouble := _bus_trouble(seen):
        return trouble
    before = _others(seen)
    if detail.startswith(("silent", "limits are zero")):
        return " ".join([*before, f"The inverter is told that nothing is allowed: {detail}."])
    if unheard := _unheard(seen):
        # Some inverters say nothing and obey all the same: what they are told is the other half of the answer.
        return " ".join([*before, unheard, *_limits(seen)])
    return " ".join([*before, _presence(seen), *_limits(seen), *_asks(seen)])


def _no_bus(detail: str) -> str:
    if not detail.startswith("no CAN bus"):
        return f"The link has failed: {detail}. It is started again by itself."
    return (
        f"There is {detail}. Is the adapter plugged in, and is can.channel its name?"
        " 'bmsctl doctor' tells more. The link tries again by itself."
    )


def _others(seen: LinkView) -> list[str]:
    """Say who else talks as we do: an inverter follows whichever battery spoke last."""
    others = list(seen.link.get("other_senders") or ())
    if not others:
        return []
    return [
        f"Another sender uses our {', '.join(others)}: a second battery on this bus? The inverter follows whichever"
        " spoke last. Take one of them off this bus, or give it a bus of its own."
    ]


def _bus_trouble(seen: LinkView) -> str:
    errors = list(seen.link.get("bus_errors") or ())
    told = f" (reported: {', '.join(errors)})" if errors else ""
    dropped_ms, heard_ms = seen.link.get("dropped_age_ms"), _heard_age_ms(seen)
    if dropped_ms is not None and dropped_ms <= RECENT_MS:
        what = f"Frames could not be sent {dropped_ms / 1000:.1f} s ago{told}"
        if heard_ms is None:
            return (
                f"Frames cannot be sent, which is so when nobody acknowledges them{told}: is the inverter on?"
                f" Else {_WIRES}."
            )
    elif errors:
        what = f"The bus has errors: {', '.join(errors)}"
        if heard_ms is None:
            return f"{what}: {_WIRES}."
    else:
        return ""
    # Who is heard acknowledges: to say that nobody does would send an installer to the wrong end.
    return (
        f"{what}, though frames of others arrive ({heard_ms / 1000:.1f} s ago): the bus is too busy, was away for a"
        f" moment, or is disturbed. If it goes on, {_WIRES}, and for a second sender."
    )


def _heard_age_ms(seen: LinkView) -> int | None:
    """Give how long ago anybody was heard; None when nobody was lately."""
    ages = [seen.now_ms - row["at_ms"] for row in seen.frames.get("frames") or () if not row["sent"]]
    least_ms = min(ages, default=RECENT_MS + 1)
    return max(least_ms, 0) if least_ms <= RECENT_MS else None


def _unheard(seen: LinkView) -> str:
    """Say that an inverter that should say something says nothing."""
    if not seen.protocol.alive_ids:
        return ""
    expected = " or ".join(f"0x{number:03X}" for number in seen.protocol.alive_ids)
    age_ms, doubts = seen.link.get("inverter_age_ms"), _doubts(seen)
    if age_ms is None:
        others = seen.link.get("frames_received")
        other = f" {others} other frames were heard: does it speak another protocol?" if others else ""
        other = f" {doubts}" if doubts else other
        return (
            f"Frames go out, but the inverter was never heard ({expected}).{other} Some inverters never say anything;"
            f" if it does nothing, choose lithium over CAN on it, and {_WIRES}."
        )
    if age_ms > RECENT_MS:
        silent = f"the inverter is silent for {age_ms / 1000:.0f} s ({expected})"
        return f"Frames go out, but {silent}: {doubts or f'is it on? Else {_WIRES}.'}"
    return ""


def _doubts(seen: LinkView) -> str:
    """Judge as protocol "auto" would what was heard lately, and more than once."""
    rows = (row for row in seen.frames.get("frames") or () if not row["sent"] and not row["remote"])
    recent = (row for row in rows if row["count"] > 1 and seen.now_ms - row["at_ms"] <= RECENT_MS)
    samples = [Sample(row["id"], row["extended"], bytes.fromhex(row["data"])) for row in recent]
    return doubt(seen.protocol.name, samples * 2) if seen.protocol.alive_ids else ""


def _presence(seen: LinkView) -> str:
    if not seen.protocol.alive_ids:
        return "Frames go out; nothing is expected back."
    return " ".join(filter(None, ["Inverter heard.", _doubts(seen)]))


def _limits(seen: LinkView) -> list[str]:
    """Say what it is allowed, and why it is not."""
    if not seen.protocol.has_limits:
        return ["This protocol carries no limits: an inverter cannot be controlled with it."]
    if seen.snapshot is None:
        return ["The core is not there to ask why."]
    found, share = [], int(seen.link.get("share_percent", 100))
    for way in ("charge", "discharge"):
        limit_ma = (seen.snapshot["points"].get(f"{way}_limit_ma") or 0) * share // 100
        if seen.snapshot["points"].get(f"{way}_allowed") is True and limit_ma:
            found.append(_told(way, limit_ma, max(seen.protocol.least_ma, _STEP_MA)))
        else:
            found.append(f"Its {way} limit is 0 A. {why_text(way, seen.snapshot, seen.parameters)}")
    return found


def _told(way: str, limit_ma: int, least_ma: int) -> str:
    if limit_ma >= least_ma:
        return f"It may {way} with up to {limit_ma // _STEP_MA * _STEP_MA / 1000:.1f} A."
    least = f"less than {least_ma / 1000:g} A is told as none"
    return f"Its {way} limit is 0 A: the pack allows {limit_ma} mA, and {least}."


def _asks(seen: LinkView) -> list[str]:
    return [
        f"It asks {asked}; bmsd does not do that by itself." for asked in seen.link.get("inverter_asks") or ()
    ]
