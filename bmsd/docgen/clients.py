"""Files for programs that read bmsd over Modbus, from the one table: CSV, Home Assistant, Telegraf, evcc."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

from bmsd.tables import parameters, points, registers, remote
from bmsd.tables.registers import Register, RegisterBlock, RegisterWord

MADE = "Made from the tables of bmsd; unit 1, map bmsd, see docs/modbus.md."
SHOWN_CELLS, SHOWN_SENSORS = 16, 2
"""How many of a list a program is set up to show: a usual pack."""
_TYPES = {
    RegisterWord.U16: "uint16",
    RegisterWord.S16: "int16",
    RegisterWord.U32: "uint32",
    RegisterWord.S32: "int32",
    RegisterWord.BITS: "uint16",
}
_CLASSES = {
    "V": "voltage",
    "A": "current",
    "W": "power",
    "°C": "temperature",
    "s": "duration",
    "ms": "duration",
}
_COUNTED_UP = ("cycles_milli", "discharged_mah", "full_charges", "runtime_ms")
_LIVE = ("status", "live", "limits")
"""Blocks that a program reads all the time."""
_LEFT_OUT = ("counter", "layout_version", "requests", "version", "cells", "battery_sensors")
_BATTERY = "soc_permille"


@dataclass(frozen=True, slots=True)
class ClientRow:
    """One value as a program reads it."""

    address: int
    name: str
    word: RegisterWord
    scale: float
    """People's units in one step."""
    unit: str
    help: str
    point: str
    block: str
    writable: bool = False

    @property
    def type(self) -> str:
        """Name the type as programs do."""
        return _TYPES[self.word]

    @property
    def unknown(self) -> int | None:
        """Give the raw word or words that mean unknown, without a sign; flags are always known."""
        if self.word is RegisterWord.BITS:
            return None
        return int(self.word.value[3]) & (1 << 16 * self.word.words) - 1

    @property
    def digits(self) -> int:
        """Count the decimals of one step."""
        return next(n for n in range(7) if round(self.scale * 10**n, 9) == int(round(self.scale * 10**n, 9)))


def rows() -> Iterator[ClientRow]:
    """Yield every register and parameter, by address."""
    for block in registers.BLOCKS:
        for register in registers.REGISTERS:
            if block.start <= register.address < block.start + block.length:
                yield _row(block, register)
    for row in remote.ROWS:
        parameter = parameters.BY_NAME.get(row.name)
        if parameter is not None:
            yield ClientRow(
                registers.PARAMETERS_AT + 2 * row.number, parameter.public_name, RegisterWord.S32,
                1 / parameter.unit.scale,
                parameter.unit.symbol, parameter.help, row.name, "parameters", row.way is not remote.Way.NEVER,
            )  # fmt: skip


def _row(block: RegisterBlock, register: Register) -> ClientRow:
    point = points.BY_NAME.get(register.point)
    factor = register.denominator / register.numerator
    if point is None:
        number, _, symbol = register.unit.rpartition(" ")
        unit, scale, name = symbol, float(number or 1), register.point
        meaning = registers.DERIVED[register.point]
    else:
        unit, scale, name = point.unit.symbol, factor / point.unit.scale, point.unit.public_name(point.name)
        meaning = point.help
    place = "" if register.index is None else f"_{register.index + 1}"
    writable = register.point in ("pin", "lock_order") or register.point.startswith("remote_")
    return ClientRow(
        register.address, f"{name}{place}", register.word, scale, unit, meaning, register.point, block.name, writable
    )  # fmt: skip


def shown() -> list[ClientRow]:
    """List what a program shows: no counters of the map itself, no bits, the cells of a usual pack."""
    found = []
    for row in rows():
        place = int(row.name.rpartition("_")[2]) if row.name.rpartition("_")[2].isdigit() else 1
        most = SHOWN_CELLS if row.point == "cell_mv" else SHOWN_SENSORS
        if (
            row.block in _LIVE
            and row.word is not RegisterWord.BITS
            and row.point not in _LEFT_OUT
            and place <= most
        ):
            found.append(row)
    return found


def registers_csv() -> str:
    """List every register."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(
        ("address", "words", "type", "name", "unit", "scale", "unknown", "block", "writable", "meaning")
    )
    for row in rows():
        unknown = "" if row.unknown is None else f"0x{row.unknown:0{4 * row.word.words}X}"
        out.writerow((
            row.address, row.word.words, row.type, row.name, row.unit, f"{row.scale:g}", unknown, row.block,
            "yes" if row.writable else "", row.help,
        ))  # fmt: skip
    return text.getvalue()


def home_assistant() -> str:
    """Write the part of a configuration.yaml; each sensor is one line, which is YAML too."""
    lines = [
        f"# {MADE}", "# For a serial line take the key type: serial with port, baudrate, bytesize: 8, parity: N,",
        "# stopbits: 1 and method: rtu instead of tcp, host and port.", "modbus:", "  - name: bmsd", "    type: tcp",
        "    host: 192.0.2.7", "    port: 1502", "    sensors:",
    ]  # fmt: skip
    return (
        "\n".join([*lines, *(f"      - {json.dumps(_sensor(row), ensure_ascii=False)}" for row in shown())])
        + "\n"
    )


def _sensor(row: ClientRow) -> dict[str, object]:
    told: dict[str, object] = {
        "name": f"bmsd {row.name}", "unique_id": f"bmsd_{row.name}", "slave": 1, "address": row.address,
        "input_type": "holding", "data_type": row.type, "scale": row.scale, "precision": row.digits,
        "scan_interval": 10, "state_class": "total_increasing" if row.point in _COUNTED_UP else "measurement",
    }  # fmt: skip
    if row.unknown is not None:
        told["nan_value"] = row.unknown
    if row.unit:
        told["unit_of_measurement"] = row.unit
    device_class = "battery" if row.point == _BATTERY else _CLASSES.get(row.unit)
    return told | ({"device_class": device_class} if device_class else {})


def telegraf() -> str:
    """Write an input of Telegraf, and what takes unknown values out of it: it has no word for them."""
    lines = [
        f"# {MADE}", "[[inputs.modbus]]", 'name = "bmsd"', 'timeout = "2s"', 'controller = "tcp://192.0.2.7:1502"',
        '# For a serial line: controller = "file:///dev/ttyUSB0", baud_rate, parity, and transmission_mode = "RTU".',
        'configuration_type = "request"',
    ]  # fmt: skip
    for block in _LIVE:
        lines += ["", "[[inputs.modbus.request]]", "slave_id = 1", 'byte_order = "ABCD"', 'register = "holding"',
                  'measurement = "bmsd"', "fields = ["]  # fmt: skip
        lines += [f"  {_field(row)}," for row in shown() if row.block == block]
        lines.append("]")
    lines += ["", "[[processors.starlark]]", 'namepass = ["bmsd"]', "source = '''", "limits = {"]
    lines += [
        f"    {json.dumps(row.name)}: ({low!r}, {high!r})," for row in shown() for low, high in [limits(row)]
    ]
    lines += ["}", "def apply(metric):", "    for name in metric.fields.keys():", "        if name in limits:",
              "            low, high = limits[name]", "            value = metric.fields[name]",
              "            if value < low or value > high:", "                metric.fields.pop(name)",
              "    return metric", "'''"]  # fmt: skip
    return "\n".join(lines) + "\n"


def _field(row: ClientRow) -> str:
    name, kind = json.dumps(row.name), row.type.upper()
    return f'{{address = {row.address}, name = {name}, type = "{kind}", scale = {row.scale!r}, output = "FLOAT64"}}'


def limits(row: ClientRow) -> tuple[float, float]:
    """Give what a known value lies between: half a step beyond the lowest and the highest."""
    _, low, high, _ = row.word.value
    return (low - 0.5) * row.scale, (high + 0.5) * row.scale


def evcc() -> str:
    """Write a template of a battery meter; evcc wants a power that discharges positive, and takes unknown for 0."""
    by_point = {row.point: row for row in rows() if row.block == "live"}
    power, charge = by_point["power_mw"], by_point["soc_permille"]
    return "\n".join([
        f"# {MADE}", "template: bmsd", "products:", "  - brand: bmsd", "    description:",
        "      generic: battery management system", "params:", "  - name: usage", '    choice: ["battery"]',
        "  - name: modbus", '    choice: ["tcpip", "rs485"]', "    port: 1502", "    id: 1", "  - name: capacity",
        "    advanced: true", "render: |", "  type: custom", *_evcc_source("power", power, -power.scale),
        *_evcc_source("soc", charge, charge.scale), "  capacity: {{ .capacity }} # kWh",
    ]) + "\n"  # fmt: skip


def _evcc_source(name: str, row: ClientRow, scale: float) -> list[str]:
    return [
        f"  {name}:", "    source: modbus", '    {{- include "modbus" . | indent 2 }}', "    register:",
        f"      address: {row.address} # {row.point}", "      type: holding", f"      decode: {row.type}nan",
        f"    scale: {scale:g}",
    ]  # fmt: skip


def files() -> dict[str, str]:
    """Give every file by its name."""
    return {
        "registers.csv": registers_csv(),
        "home-assistant.yaml": home_assistant(),
        "telegraf.conf": telegraf(),
        "evcc.yaml": evcc(),
    }
