"""Every inverter protocol, one row each, and what can be asked of any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bmsd.inverters import (
    byd,
    deye,
    goodwe,
    growatt,
    heard,
    jk,
    luxpower,
    pylontech,
    pylontech13,
    sma,
    sofar,
    solark,
    studer,
    victron,
)
from bmsd.inverters.frames import Frame, Signal, Value, encode, raised
from bmsd.inverters.heard import Received
from bmsd.inverters.view import View
from bmsd.tables.alarms import ALARMS, Condition

NAME_LENGTH = 8
NAME = "manufacturer"
"""Text that a setting replaces."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way of talking to inverters: the frames in sending order, their timing, and how it is told to stop."""

    name: str
    title: str
    frames: tuple[Frame, ...]
    alive_ids: tuple[int, ...] = (pylontech.ALIVE_ID,)
    """Identifiers by which the inverter shows that it is there; none: it sends nothing."""
    bitrate: int = 500_000
    period_ms: int = 1000
    spacing_ms: int = 5
    """Least pause between two frames."""
    above_pack_mv: int = 0
    """How far the charge voltage stays above the pack's while charging is forbidden, for who discharges down to it."""
    exports: bool = False
    """The inverter discharges the pack down to the charge voltage, into the grid or to its loads; that voltage then
    follows a resting pack down, and never leads."""
    least_ms: int = 0
    """Least time between two sets, urgent ones, too."""
    least_ma: int = 0
    """A current limit below this is told as zero, for who works in coarse steps or misreads a little one."""
    obeys_ms: int = 0
    """How long an inverter is known to need until it keeps a new limit; 0: its maker says nothing."""
    takes_mv: tuple[int, int] | None = None
    """Charge voltages that the inverters work with, where the frame could carry others."""
    untold: tuple[Condition, ...] = ()
    """What it has no word for: alarms of these conditions reach the inverter as limits alone."""
    heard: tuple[Received, ...] = heard.ALIVE_ONLY
    """What the inverter is known to say."""

    def period_of(self, frame: Frame) -> int:
        """Give the time after which a frame is due again."""
        return frame.period_ms or self.period_ms

    @property
    def has_limits(self) -> bool:
        """Tell whether an inverter can be controlled with it, or only shown something."""
        return any(signal.name == "charge_limit_ma" for frame in self.frames for signal in frame.signals)

    @property
    def has_enable_bits(self) -> bool:
        """Tell whether charging is allowed and forbidden by a bit, too."""
        return any(bit.name == "charge_enable" for frame in self.frames for bit in frame.bits)


# fmt: off
_ROWS = (
    Protocol("pylontech", "Pylontech low voltage 1.2", pylontech.FRAMES, untold=pylontech.UNTOLD),
    Protocol("pylontech13", "Pylontech low voltage 1.3", pylontech13.FRAMES),
    Protocol("deye", "Deye", deye.FRAMES, above_pack_mv=deye.ABOVE_PACK_MV, exports=True,
             least_ma=deye.LEAST_MA, heard=heard.DEYE, untold=deye.UNTOLD),
    Protocol("sunsynk", "Sunsynk", deye.FRAMES, above_pack_mv=deye.ABOVE_PACK_MV, exports=True,
             least_ma=deye.LEAST_MA, heard=heard.DEYE, untold=deye.UNTOLD),
    Protocol("solark", "Sol-Ark", solark.FRAMES, above_pack_mv=deye.ABOVE_PACK_MV, exports=True,
             least_ma=deye.LEAST_MA, untold=solark.UNTOLD),
    Protocol("solark-10mv", "Sol-Ark with the pack voltage in steps of 10 mV", solark.FRAMES_10MV,
             above_pack_mv=deye.ABOVE_PACK_MV, exports=True, least_ma=deye.LEAST_MA, untold=solark.UNTOLD),
    Protocol("victron", "Victron CAN-bms", victron.FRAMES, victron.ALIVE_IDS, exports=True, heard=heard.VICTRON),
    Protocol("sma", "SMA Sunny Island", sma.FRAMES, sma.ALIVE_IDS, period_ms=sma.PERIOD_MS,
             above_pack_mv=sma.ABOVE_PACK_MV, exports=True, least_ms=sma.LEAST_MS, obeys_ms=sma.OBEYS_MS,
             heard=heard.SMA),
    Protocol("goodwe", "GoodWe low voltage", goodwe.FRAMES, period_ms=goodwe.PERIOD_MS),
    Protocol("growatt", "Growatt low voltage", growatt.FRAMES, growatt.ALIVE_IDS, takes_mv=growatt.TAKES_MV,
             heard=heard.GROWATT, untold=growatt.UNTOLD),
    Protocol("sofar", "Sofar set to Pylontech", sofar.FRAMES, heard=heard.SOFAR, untold=sofar.UNTOLD),
    Protocol("luxpower", "LuxPower and EG4", luxpower.FRAMES, heard=heard.LUXPOWER, untold=luxpower.UNTOLD),
    Protocol("studer", "Studer Xcom-CAN set to Pylontech", studer.FRAMES, untold=studer.UNTOLD),
    Protocol("byd", "BYD LVL and Premium LV", byd.FRAMES, victron.ALIVE_IDS, exports=True, heard=heard.BYD),
    Protocol("jk", "JK V2.1, for displays", jk.FRAMES, (), 250_000, spacing_ms=2, heard=(), untold=jk.UNTOLD),
    Protocol("jk-v1", "JK V1, for displays", jk.FRAMES_V1, (), 250_000, spacing_ms=2, heard=(), untold=jk.UNTOLD_V1),
)
# fmt: on
PROTOCOLS = {row.name: row for row in _ROWS}
AUTO = "auto"
LISTENING = Protocol(AUTO, "what the inverter is heard to speak", (), (), exports=True, heard=())
"""Stands for the protocol until one is recognised, and sends nothing; every inverter that speaks runs at its rate.
It may be one that exports."""
NAMES = (*PROTOCOLS, AUTO)
"""What may stand in the configuration."""


def row_of(name: str) -> Protocol:
    """Give the row of a configured name."""
    return LISTENING if name == AUTO else PROTOCOLS[name]


def obeys_ms(name: str) -> int:
    """Give how long the inverters of a configured protocol may need to obey; unrecognised ones as long as any."""
    rows = PROTOCOLS.values() if name == AUTO else (PROTOCOLS[name],)
    return max(row.obeys_ms for row in rows)


def problems(name: str, bitrate: int | None) -> list[str]:
    """Say what is wrong with a configured protocol and bit rate; nothing when they fit."""
    if name not in NAMES:
        return [f"can.protocol {name!r} is not known; known are {', '.join(sorted(PROTOCOLS))}, and {AUTO}"]
    protocol = row_of(name)
    if bitrate is not None and bitrate != protocol.bitrate:
        return [f"can.bitrate is {bitrate}, but {protocol.title} runs at {protocol.bitrate}: write that"]
    return []


def voltage_problems(name: str, charge_mv: int) -> list[str]:
    """Say that a pack's charge voltage is outside what the inverter takes; it would be told the nearest it takes."""
    row = row_of(name)
    signals = [s for frame in row.frames for s in frame.signals if s.name == "charge_limit_mv"]
    ranges = [row.takes_mv] if row.takes_mv else [_carried(signal) for signal in signals]
    return [
        f"can.protocol {name!r} carries charge voltages of {low_mv / 1000:g} to {high_mv / 1000:g} V, and this pack is"
        f" charged to {charge_mv / 1000:g} V: pack.cells or the protocol is wrong"
        for low_mv, high_mv in ranges
        if not low_mv <= charge_mv <= high_mv
    ]


def _carried(signal: Signal) -> tuple[int, int]:
    """Give the least and the greatest value that a field carries."""
    low, high = (steps * signal.denominator // signal.numerator for steps in signal.range)
    return low, high


def fallback_problems(name: str, fallback: str) -> list[str]:
    """Say what is wrong with what is to be spoken when nothing is recognised; nothing when it fits."""
    if not fallback:
        return []
    if name != AUTO:
        return [f'can.fallback is only used with protocol = "{AUTO}": remove it']
    if fallback not in PROTOCOLS or PROTOCOLS[fallback].bitrate != LISTENING.bitrate:
        fitting = sorted(row.name for row in PROTOCOLS.values() if row.bitrate == LISTENING.bitrate)
        return [f"can.fallback {fallback!r} does not fit; fitting are {', '.join(fitting)}"]
    return []


def name_problems(name: str) -> list[str]:
    """Say what is wrong with a configured battery name; nothing when it fits its frame."""
    if len(name) <= NAME_LENGTH and name.isascii() and name.isprintable():
        return []
    return [f"can.battery_name {name!r} must be at most {NAME_LENGTH} printable ASCII characters"]


def named(protocol: Protocol, name: str) -> Protocol:
    """Give a protocol that tells another name for the battery's maker; an empty one changes nothing."""
    if not name:
        return protocol
    frames = (
        replace(frame, texts=tuple(replace(t, text=name) if t.name == NAME else t for t in frame.texts))
        for frame in protocol.frames
    )
    return replace(protocol, frames=tuple(frames))


def messages(protocol: Protocol, view: View) -> Iterator[tuple[Frame, bytes]]:
    """Yield every frame that can be told from a view, in sending order; others are left out."""
    told = {**view.values, **raised(protocol.frames, view.alarms, view.good), **_stopped(protocol, view)}
    told |= _in_proportion(protocol, view)
    for frame in protocol.frames:
        if frame.only_raised and not any(told.get(bit.name) for bit in frame.bits):
            continue
        data = encode(frame, told)
        if data is not None:
            yield frame, data


def _stopped(protocol: Protocol, view: View) -> dict[str, Value]:
    """Tell zero in place of a current that this kind of inverter does not take for so little; never the other way."""
    currents = {name: view.values.get(name) for name in ("charge_limit_ma", "discharge_limit_ma")}
    return {name: 0 for name, ma in currents.items() if isinstance(ma, int) and ma < protocol.least_ma}


def _in_proportion(protocol: Protocol, view: View) -> dict[str, Value]:
    """Tell what remains as its share of the capacity, where the frame cannot hold so large a capacity."""
    capacity_mah, remaining_mah = view.values.get("capacity_mah"), view.values.get("remaining_mah")
    if not isinstance(capacity_mah, int) or not isinstance(remaining_mah, int):
        return {}
    for frame in protocol.frames:
        signals = {signal.name: signal for signal in frame.signals}
        if signals.keys() >= {"capacity_mah", "remaining_mah"}:
            _, most_mah = _carried(signals["capacity_mah"])
            return {"remaining_mah": remaining_mah * most_mah // max(capacity_mah, most_mah)}
    return {}


def unexpressed(protocol: Protocol) -> tuple[str, ...]:
    """List the alarms that this protocol has no bit for; the limits still follow from all of them."""
    bits = [bit for frame in protocol.frames for bit in frame.bits]
    told = {name for bit in bits for name in bit.alarms + bit.mild}
    return tuple(alarm.name for alarm in ALARMS if alarm.name not in told)
