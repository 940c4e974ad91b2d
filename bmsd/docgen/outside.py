"""Pages about what others see: Modbus registers, journal fields, and what the bench can do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby

from bmsd.docgen.markdown import code, page, table
from bmsd.sim.faults import CELL_SETTABLES, CHIP_FAULTS, FAULTS, SETTABLES, Settable
from bmsd.tables import alarms, events, parameters, points, registers, remote
from bmsd.tables.registers import Register, RegisterBlock, RegisterWord
from bmsd.tables.remote import Remote, Way


def modbus_page() -> str:
    """Describe bmsd's own register map."""
    parts = [
        f"Layout {registers.LAYOUT_VERSION}. Addresses count from 0 and are the same for functions 03 and 04. What can"
        " be written, and when, is in [modbus.md](../modbus.md#writing). A value of two words has its high word"
        " first. A value that does not fit is clamped. An address inside a block that no row names reads as unknown.",
        "## Types",
        table(("Type", "Words", "Range", "Unknown"), map(_word, RegisterWord)),
        "## Blocks",
        "One request may not cross the end of a block, nor ask for more than 125 registers. While the data"
        " of the core is old or missing, blocks other than `status` are answered with exception 04.",
        table(("Block", "Addresses", "Answered", "Content"), map(_block, registers.BLOCKS)),
    ]
    for block in registers.BLOCKS:
        heads = ("Address", "Name", "Type", "One step", "Meaning")
        parts += [f"## Block {block.name}", table(heads, _registers(block))]
    heads = ("Address", "Parameter", "One step", "Remotely", "Meaning")
    parts += ["## Parameters", _PARAMETERS, table(heads, map(_parameter, remote.ROWS))]
    parts += ["## Words", "Points that are words, as numbers:"]
    parts += ["\n".join(f"- `{point}`: {_numbered(known)}." for point, known in registers.NUMBERS.items())]
    parts += ["## Alarm bits"]
    parts += ["Of the words from `alarm_bits` and, for latched ones, from `latched_bits`:", _alarm_bits()]
    return page("Modbus registers", "`bmsd/tables/registers.py`", *parts)


def _numbered(words: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {word or 'nothing'}" for word, number in words.items())


def _word(word: RegisterWord) -> list[str]:
    words, low, high, unknown = word.value
    if word is RegisterWord.BITS:
        return [word.name, "1", "16 flags", "never"]
    return [word.name, str(words), f"{low} to {high}", f"0x{unknown & (1 << 16 * words) - 1:0{4 * words}X}"]


def _block(block: RegisterBlock) -> list[str]:
    answered = "always" if block.always else "while the data is present"
    return [code(block.name), f"{block.start} to {block.start + block.length - 1}", answered, block.help]


def _registers(block: RegisterBlock) -> Iterator[list[str]]:
    """Write the rows of a block, lists as one row."""
    inside = [r for r in registers.REGISTERS if block.start <= r.address < block.start + block.length]
    for (name, _), rows in groupby(inside, key=lambda row: (row.point, row.index is not None)):
        group = list(rows)
        first, last = group[0], group[-1]
        end = last.address + last.word.words - 1
        addresses = str(first.address) if end == first.address else f"{first.address} to {end}"
        shown = code(name) + (f", {len(group)} of them" if len(group) > 1 else "")
        yield [addresses, shown, first.word.name, first.unit, _meaning(first)]


def _meaning(row: Register) -> str:
    return registers.DERIVED[row.point] if row.point in registers.DERIVED else points.BY_NAME[row.point].help


_PARAMETERS = (
    "Each is an S32: two registers, written together with function 16. One request takes up to 61 of them as one"
    " set, all or nothing; 0x80000000 leaves one as it is. *Down* and *up*: remotely only to that side of the value"
    " that was set at the pack, and back to it. While the data of the core is old or missing, exception 04."
)


def _parameter(row: Remote) -> list[str]:
    parameter = parameters.BY_NAME[row.name]
    unit = parameter.unit
    step = f"{1 / unit.scale:g} {unit.symbol}".strip()
    at = registers.PARAMETERS_AT + 2 * row.number
    way = "read only" if row.way is Way.NEVER else row.way.value
    return [f"{at} to {at + 1}", code(parameter.public_name), step, way, parameter.help]


def _alarm_bits() -> str:
    rows = ([f"{a.code // 16}", f"{a.code % 16}", code(a.name), a.title] for a in alarms.ALARMS)
    return table(("Word", "Bit", "Alarm", "Title"), rows)


def bench_page() -> str:
    """List what can be set and broken on the bench."""
    chip = ([code(name), text] for name, (_, text) in CHIP_FAULTS.items())
    heads = ("Name", "Unit", "Range", "Meaning")
    return page(
        "The bench",
        "`bmsd/sim/faults.py` and `bmsd/sim/bench.py`",
        "What `bmsctl sim` and scenario files can move. `bmsctl sim list` prints the same.",
        "## Set: `bmsctl sim set NAME=VALUE`",
        table(heads, (_settable(name, row) for name, row in SETTABLES.items())),
        "## Set for one cell: `bmsctl sim cell N NAME=VALUE`",
        table(heads, (_settable(name, row) for name, row in CELL_SETTABLES.items())),
        "## Break: `bmsctl sim fault NAME on`",
        "Those marked *cell* need `--cell N`.",
        table(
            ("Name", "What breaks"),
            (
                [code(name), row.meaning + (" (*cell*)" if row.needs_cell else "")]
                for name, row in FAULTS.items()
            ),
        ),
        "## Break the front-end chip",
        table(("Name", "What breaks"), chip),
    )


def _settable(name: str, row: Settable) -> list[str]:
    return [code(name), row.unit, f"{row.low:.9g} to {row.high:.9g}", row.meaning]


def journal_page() -> str:
    """List the journal's fields, and the events that are no alarms."""
    kinds = (
        [code(row.kind), code(row.state), _plain(row.title), str(row.priority), code(row.message_id)]
        for row in events.KINDS
    )
    return page(
        "Journal fields and message ids",
        "`bmsd/tables/events.py`",
        "What the journal has for each line of bmsd; how to ask for it is in [journal.md](../journal.md).",
        "## Fields",
        "From `BMSD_CELL` on a field is there only where it applies.",
        table(("Field", "Meaning"), ([code(name), text] for name, text in events.FIELDS)),
        "## Events",
        "Alarms have ids of their own, [one by one](alarms.md#one-by-one). A MESSAGE_ID never changes its meaning.",
        table(("BMSD_EVENT", "BMSD_STATE", "About", "Priority", "MESSAGE_ID"), kinds),
    )


def _plain(title: str) -> str:
    """Write a catalog title without the marks around its fields."""
    return re.sub("@([A-Z_]+)@", "*\\1*", title)
