"""The one sentence on top of `bmsctl can`: why the inverter does what it does, or does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bmsd.cli.why import why_text
from bmsd.inverters.protocols import AUTO, LISTENING, PROTOCOLS, Protocol

RECENT_MS = 5000
_WIRES = "look for wiring, 120 ohm at both ends, ground, and the bit rate"


@dataclass(frozen=True, slots=True)
class Seen:
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


def sentence(seen: Seen) -> str:
    """Say what an installer has to know first: the first that holds, nearest to the wire first."""
    link, detail = seen.link, str(seen.link.get("detail") or "")
    if link.get("state") == "error":
        return f"There is no bus: {detail}."
    if link.get("protocol") == AUTO:
        return f"Nothing is sent yet: {detail}."
    if trouble := _bus_trouble(seen):
        return trouble
    if detail.startswith(("silent", "limits are zero")):
        return f"The inverter is told that nothing is allowed: {detail}."
    if unheard := _unheard(seen):
        return unheard
    return " ".join([_presence(seen), *_limits(seen), *_asks(seen)])


def _bus_trouble(seen: Seen) -> str:
    errors = list(seen.link.get("bus_errors") or ())
    dropped_ms = seen.link.get("dropped_age_ms")
    if dropped_ms is not None and dropped_ms <= RECENT_MS:
        told = f" (reported: {', '.join(errors)})" if errors else ""
        why = f"which is so when nobody acknowledges them{told}"
        return f"Frames cannot be sent, {why}: is the inverter on? Else {_WIRES}."
    return f"The bus has errors: {', '.join(errors)}: {_WIRES}." if errors else ""


def _unheard(seen: Seen) -> str:
    """Say that an inverter that should say something says nothing."""
    if not seen.protocol.alive_ids:
        return ""
    expected = " or ".join(f"0x{number:03X}" for number in seen.protocol.alive_ids)
    age_ms = seen.link.get("inverter_age_ms")
    if age_ms is None:
        others = seen.link.get("frames_received")
        other = f" {others} other frames were heard: does it speak another protocol?" if others else ""
        return (
            f"Frames go out, but the inverter was never heard ({expected}).{other} Some inverters never say anything;"
            f" if it does nothing, choose lithium over CAN on it, and {_WIRES}."
        )
    if age_ms > RECENT_MS:
        silent = f"the inverter is silent for {age_ms / 1000:.0f} s ({expected})"
        return f"Frames go out, but {silent}: is it on? Else {_WIRES}."
    return ""


def _presence(seen: Seen) -> str:
    return "Inverter heard." if seen.protocol.alive_ids else "Frames go out; nothing is expected back."


def _limits(seen: Seen) -> list[str]:
    """Say what it is allowed, and why it is not."""
    if not seen.protocol.has_limits:
        return ["This protocol carries no limits: an inverter cannot be controlled with it."]
    if seen.snapshot is None:
        return ["The core is not there to ask why."]
    found, share = [], int(seen.link.get("share_percent", 100))
    for way in ("charge", "discharge"):
        limit_ma = (seen.snapshot["points"].get(f"{way}_limit_ma") or 0) * share // 100
        if seen.snapshot["points"].get(f"{way}_allowed") is True and limit_ma:
            found.append(f"It may {way} with up to {limit_ma / 1000:.1f} A.")
        else:
            found.append(f"Its {way} limit is 0 A. {why_text(way, seen.snapshot, seen.parameters)}")
    return found


def _asks(seen: Seen) -> list[str]:
    return [
        f"It asks {asked}; bmsd does not do that by itself." for asked in seen.link.get("inverter_asks") or ()
    ]
