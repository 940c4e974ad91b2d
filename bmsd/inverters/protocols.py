"""Every inverter protocol, one row each, and what can be asked of any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bmsd.inverters import pylontech
from bmsd.inverters.frames import Frame, encode, raised
from bmsd.inverters.view import View
from bmsd.tables.alarms import ALARMS


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way of talking to inverters: the frames in sending order, and their timing."""

    name: str
    title: str
    bitrate: int
    period_ms: int
    spacing_ms: int
    """Least pause between two frames."""
    alive_id: int
    """Identifier by which the inverter shows that it is there."""
    frames: tuple[Frame, ...]


PROTOCOLS = {
    row.name: row
    for row in (
        Protocol(
            "pylontech", "Pylontech low voltage 1.2", 500_000, 1000, 5, pylontech.ALIVE_ID, pylontech.FRAMES
        ),
    )
}


def problems(name: str, bitrate: int | None) -> list[str]:
    """Say what is wrong with a configured protocol and bit rate; nothing when they fit."""
    protocol = PROTOCOLS.get(name)
    if protocol is None:
        return [f"can.protocol {name!r} is not known; known are {', '.join(sorted(PROTOCOLS))}"]
    if bitrate is not None and bitrate != protocol.bitrate:
        return [f"can.bitrate is {bitrate}, but {protocol.title} runs at {protocol.bitrate}: write that"]
    return []


def messages(protocol: Protocol, view: View) -> Iterator[tuple[Frame, bytes]]:
    """Yield every frame that can be told from a view, in sending order; others are left out."""
    told = {**view.values, **raised(protocol.frames, view.alarms)}
    for frame in protocol.frames:
        data = encode(frame, told)
        if data is not None:
            yield frame, data


def unexpressed(protocol: Protocol) -> tuple[str, ...]:
    """List the alarms that this protocol has no bit for; the limits still follow from all of them."""
    told = {name for frame in protocol.frames for bit in frame.bits for name in bit.alarms}
    return tuple(alarm.name for alarm in ALARMS if alarm.name not in told)
