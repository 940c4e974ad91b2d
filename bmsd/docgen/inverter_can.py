"""The page about inverter CAN: per protocol its frames and fields, and which alarm is told where."""

from __future__ import annotations

from collections.abc import Iterator

from bmsd.docgen.markdown import code, codes, page, table
from bmsd.inverters.frames import Bit, Coding, Frame, Signal, Text
from bmsd.inverters.heard import Received
from bmsd.inverters.protocols import NAME, PROTOCOLS, Protocol, unexpressed
from bmsd.inverters.view import Configured, view
from bmsd.tables.rows import AMPERE

_TOLD = view(None, Configured(0, 0)).values
"""What a view tells besides alarms."""
_CODINGS = {
    Coding.PAIR: "1 raised, 2 fine, 0 nothing",
    Coding.LEVEL: "1 serious, 3 mild, 0 none",
}


def can_page() -> str:
    """Describe every inverter protocol with its frames."""
    parts = [
        "Which value goes into which bytes. Values come from the present snapshot. When there is none, or a"
        " measurement in it is unknown, both current limits are sent as zero at once, measured values are"
        " not sent at all, and after `can.silence_after_s` nothing is (rule S7). A frame that needs an"
        " unknown value without a stand-in is left out. The ending of a name is its unit: `_mv`, `_ma`, `_decic`."
        " Which inverter takes which protocol is told in [inverters](../inverters.md). Limits and enable bits follow"
        " from every alarm, with a bit or without.",
        table(("`protocol`", "Name", "bit/s", "Period", "Frames", "DBC"), map(_row, PROTOCOLS.values())),
    ]
    seen: dict[tuple[Frame, ...], str] = {}
    for protocol in PROTOCOLS.values():
        parts += _protocol(protocol, seen.get(protocol.frames))
        seen.setdefault(protocol.frames, protocol.title)
    return page("Inverter CAN", "`bmsd/inverters/`", *parts)


def _row(protocol: Protocol) -> list[str]:
    kinds = sorted({"29-bit" if frame.extended else "11-bit" for frame in protocol.frames})
    return [
        code(protocol.name),
        protocol.title,
        str(protocol.bitrate),
        f"{protocol.period_ms} ms",
        f"{len(protocol.frames)}, {' and '.join(kinds)}",
        f"[{protocol.name}.dbc](dbc/{protocol.name}.dbc)",
    ]


def _protocol(protocol: Protocol, same: str | None) -> Iterator[str]:
    yield f"## {protocol.title}"
    yield f'`protocol = "{protocol.name}"`, {protocol.bitrate} bit/s. {_timing(protocol)} {_stop(protocol)}'
    yield from _heard(protocol)
    if same:
        yield f"Frames, bits and alarms as in {same}."
        return
    for frame in protocol.frames:
        yield f"### Frame 0x{frame.id:03X}, {frame.length} bytes"
        yield from _frame(frame, protocol)
    missing = unexpressed(protocol)
    yield "### Alarms without a bit"
    yield f"{codes(missing)}." if missing else "None."


def _heard(protocol: Protocol) -> Iterator[str]:
    """List what the inverter is known to say; it is shown and changes nothing."""
    if not protocol.heard:
        return
    yield "The inverter says, and `bmsctl can` shows:"
    yield table(
        ("Frame", "What", "Fields"), ([_number(row.frame), row.title, _fields(row)] for row in protocol.heard)
    )


def _number(frame: Frame) -> str:
    return f"0x{frame.id:03X}"


def _fields(row: Received) -> str:
    frame = row.frame
    names = [s.name for s in frame.signals] + [b.name for b in frame.bits] + [t.name for t in frame.texts]
    asks = f"; asks {row.meaning}, which is told and not done" if row.asks else ""
    always = f"always {row.fixed.hex(' ').upper()}" if row.fixed else ""
    return (", ".join(filter(None, (codes(names), always))) or "none known") + asks


def _timing(protocol: Protocol) -> str:
    alive = " or ".join(f"0x{number:03X}" for number in protocol.alive_ids)
    least = f", but never within {protocol.least_ms} ms of the last set" if protocol.least_ms else ""
    return (
        f"Every frame each {protocol.period_ms} ms unless it says otherwise, at least {protocol.spacing_ms} ms apart;"
        f" a limit that goes to zero or back is sent at once{least}."
        + (
            f" The inverter is taken for present while {alive} arrives."
            if alive
            else " Nothing is expected back."
        )
    )


def _stop(protocol: Protocol) -> str:
    if not protocol.has_limits:
        return "It carries no limits: nothing can be stopped with it."
    above = (
        f"{protocol.above_pack_mv} mV above the pack's own" if protocol.above_pack_mv else "the pack's own"
    )
    bits = ", and its enable bit is zero" if protocol.has_enable_bits else ""
    least = (
        f" A current limit below {AMPERE.text(protocol.least_ma)} is told as 0 A."
        if protocol.least_ma
        else ""
    )
    return (
        f"Where charging is forbidden its limit is 0 A, the charge voltage is at most {above}{bits}.{least}"
    )


def _frame(frame: Frame, protocol: Protocol) -> Iterator[str]:
    if frame.period_ms and frame.period_ms != protocol.period_ms:
        yield f"Every {frame.period_ms} ms."
    if frame.only_raised:
        yield "Sent only while one of its alarms is there."
    if frame.signals:
        heads = ("Bytes", "Value", "Type", "One step in inside units", "Rounded", "If unknown")
        yield table(heads, map(_signal, frame.signals))
    if frame.bits:
        yield table(("Byte", "Bit", "Flag", "Set by"), map(_bit, frame.bits))
    yield from map(_text, frame.texts)
    if not (frame.signals or frame.bits or frame.texts):
        yield "All zero."


def _signal(signal: Signal) -> list[str]:
    last = signal.byte + signal.size - 1
    place = str(signal.byte) if last == signal.byte else f"{signal.byte} to {last}"
    if signal.bits:
        place += f", from bit {signal.bit}"
    kind = (
        f"{'signed' if signal.signed else 'unsigned'}, {signal.width} bit" + ", high byte first" * signal.big
    )
    unknown = "no frame"
    if signal.unknown is not None:
        unknown = f"{signal.unknown} is sent"
    elif signal.absent is not None:
        unknown = f"0x{signal.absent:X} is sent"
    step = f"{signal.denominator / signal.numerator:.4g}" + (
        f", {signal.offset} is 0" if signal.offset else ""
    )
    return [place, code(signal.name), kind, step, signal.rounding.value, unknown]


def _bit(bit: Bit) -> list[str]:
    coding = _CODINGS.get(bit.coding)
    if coding and bit.quiet:
        coding = "1 raised, 0 otherwise"
    place = str(bit.bit) + (f" to {bit.bit + bit.width - 1}" if bit.width > 1 else "")
    mild = f"mild: {codes(bit.mild)}" if bit.mild else ""
    by = "; ".join(filter(None, (codes(bit.alarms), mild)))
    if not by:
        by = "what the core allows" if bit.name in _TOLD else "nothing yet"
    return [str(bit.byte), place, code(bit.name) + (f" ({coding})" if coding else ""), by]


def _text(text: Text) -> str:
    place = f"Bytes {text.byte} to {text.byte + text.size - 1}"
    if text.text is None:
        return f"{place}: the text {code(text.name)}; no frame where there is none."
    other = ", or that of `can.battery_name`" if text.name == NAME else ""
    return f"{place}: the text `{text.text}`{other}."
