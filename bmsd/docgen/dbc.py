"""Inverter protocols as DBC files, so that other programs can decode what bmsd sends.

Values are in the inside units of the tables, told by the ending of the name: `_mv`, `_ma`, `_decic`, `_permille`.
The format knows no texts: they are no signals, and a comment says where they stand. A number that means that there is
nothing to tell, and a flag that says nothing, fine or raised, name these values.
"""

from __future__ import annotations

from collections.abc import Iterator

from bmsd.inverters.frames import Bit, Coding, Frame, Signal, Text
from bmsd.inverters.protocols import Protocol

_EXTENDED = 1 << 31
_UNITS = {
    "_mv": "mV", "_ma": "mA", "_decic": "0.1 degC", "_permille": "0.1 %", "_mah": "mAh", "_ms": "ms", "_wh": "Wh",
    "_milli": "0.001",
}  # fmt: skip
_WORDS = {
    Coding.FLAG: "",
    Coding.PAIR: '3 "nothing" 2 "fine" 1 "raised" 0 "nothing"',
    Coding.LEVEL: '3 "mild" 2 "important" 1 "serious" 0 "none"',
}


def dbc(protocol: Protocol) -> str:
    """Write one protocol as a DBC file."""
    lines = ['VERSION ""', "", "NS_ :", "", "BS_:", "", "BU_: BMS", ""]
    for frame in protocol.frames:
        lines.append(f"BO_ {_number(frame)} {_title(frame)}: {frame.length} BMS")
        lines += [f" SG_ {field}" for field in _fields(frame)]
        lines.append("")
    lines.append(f'CM_ "{protocol.title}, {protocol.bitrate} bit/s; made from the tables of bmsd.";')
    lines += [f'CM_ BO_ {_number(frame)} "{_texts(frame)}";' for frame in protocol.frames if frame.texts]
    lines += ['BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;', 'BA_DEF_DEF_ "GenMsgCycleTime" 0;']
    for frame in protocol.frames:
        lines.append(f'BA_ "GenMsgCycleTime" BO_ {_number(frame)} {protocol.period_of(frame)};')
    for frame in protocol.frames:
        gaps = (signal for signal in frame.signals if signal.absent is not None)
        lines += [f'VAL_ {_number(frame)} {gap.name} {gap.absent} "absent" ;' for gap in gaps]
        named = (bit for bit in frame.bits if _WORDS[bit.coding])
        lines += [f"VAL_ {_number(frame)} {bit.name} {_WORDS[bit.coding]} ;" for bit in named]
    return "\n".join(lines) + "\n"


def _number(frame: Frame) -> int:
    return frame.id | _EXTENDED * frame.extended


def _title(frame: Frame) -> str:
    return f"FRAME_{frame.id:03X}"


def _fields(frame: Frame) -> Iterator[str]:
    yield from map(_signal, frame.signals)
    yield from map(_bit, frame.bits)


def _signal(signal: Signal) -> str:
    factor = signal.denominator / signal.numerator
    low, high = sorted((step - signal.offset) * factor for step in signal.range)
    unit = next((unit for ending, unit in _UNITS.items() if signal.name.endswith(ending)), "")
    place = f"{_start(signal)}|{signal.width}@{0 if signal.big else 1}{'-' if signal.signed else '+'}"
    scale = f"({factor:.10g},{-signal.offset * factor:.10g}) [{low:.10g}|{high:.10g}]"
    return f'{signal.name} : {place} {scale} "{unit}" Vector__XXX'


def _start(signal: Signal) -> int:
    """Give the first bit as the format counts: the lowest, or for a high byte first the highest."""
    if not signal.big:
        return 8 * signal.byte + signal.bit
    top = signal.bit + signal.width - 1
    return 8 * (signal.byte + signal.size - 1 - top // 8) + top % 8


def _bit(bit: Bit) -> str:
    return f'{bit.name} : {8 * bit.byte + bit.bit}|{bit.width}@1+ (1,0) [0|{(1 << bit.width) - 1}] "" Vector__XXX'


def _texts(frame: Frame) -> str:
    return "; ".join(map(_text, frame.texts))


def _text(text: Text) -> str:
    first, last = text.byte, text.byte + text.size - 1
    where = f"byte {first}" if first == last else f"bytes {first} to {last}"
    return f"{where}: {text.name}, ASCII"
