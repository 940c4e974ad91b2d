"""Check the lines of [outputs]: used twice, on at power-up, or somebody else's on a Raspberry Pi's header (S5)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from bmsd.config.files import Files
from bmsd.tables import configuration, header

_FEEDBACK = "_feedback"
_CONTACTORS = [name for names in configuration.CONTACTOR_LINES.values() for name in names]
_INPUTS = ("button", *(f"{name}{_FEEDBACK}" for name in _CONTACTORS))
_PULLED_DOWN = range(max(header.PULLED_UP) + 1, 28)
"""The header ends at 27."""


def free_line(given: Files) -> int:
    """Name a line of the header that is off at power-up and that nothing in the file uses."""
    raw = {f"{section}.{key}": one.value for section, keys in given.items() for key, one in keys.items()}
    used = {line for one in header.taken(_users(raw)) for line in one.lines}
    used |= {value for key, value in raw.items() if key.startswith("outputs.") and isinstance(value, int)}
    free = [line for line in (*header.FREE, *_PULLED_DOWN) if line not in used]
    return free[0] if free else header.FREE[0]


def check_lines(given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Refuse a line used twice, and active-low outputs where the library would pulse them."""
    used: dict[int, str] = {}
    for key in configuration.keys_of("outputs").values():
        line = values.get(f"outputs.{key.name}")
        if key.type is not int or line is None:
            continue
        if line in used:
            place = given["outputs"][key.name].place
            problems.append(
                f"{place}: outputs.{key.name} uses line {line}, which is outputs.{used[line]}."
                f" Take another, such as {free_line(given)}"
            )
        used[line] = key.name
    if values.get("outputs.active_low") and values.get("outputs.backend") == "gpiozero":
        problems.append(
            f"{given['outputs']['active_low'].place}: gpiozero pulses active-low outputs ON at every start:"
            ' use backend = "gpiod", or drivers that switch on with a high level'
        )


def check_header(given: Files, values: Mapping[str, Any], problems: list[str]) -> None:
    """Refuse lines of a Raspberry Pi's header that are on at power-up, and those that others use (S5)."""
    chip = values.get("outputs.gpio_chip")
    if chip and chip not in (*header.LABELS, *header.DEVICES) and values.get("outputs.backend") != "gpiozero":
        return
    others, known = [*header.taken(_users(values))], values.get("outputs.i_know") or ()
    strange = {*_CONTACTORS} - {*configuration.CONTACTOR_LINES.get(str(values.get("switches.topology")), ())}
    for key in configuration.keys_of("outputs").values():
        line = values.get(f"outputs.{key.name}")
        if key.type is not int or line is None or key.name.removesuffix(_FEEDBACK) in strange:
            continue
        free = (
            f"Take {free_line(given)}, which nothing else here uses; free beside most boards are"
            f" {', '.join(map(str, header.FREE))}"
        )
        low = bool(values.get("outputs.active_low"))
        text = _line_problem(key.name, line, others, known, free, active_low=low)
        if text:
            place = given["outputs"][key.name].place
            problems.append(f"{place}: outputs.{key.name} is GPIO {line}: {text}")


def _line_problem(
    name: str, line: int, others: list[header.Taken], known: Container[str], free: str, *, active_low: bool
) -> str:
    """Say why a line is no good one; empty when it is."""
    for one in others:
        if line in one.lines and one.always:
            return f"it belongs to {one.by}. {free}"
    if name in known:
        return ""
    i_know = f'write i_know = ["{name}"] in [outputs]'
    if line in header.PULLED_UP and name not in _INPUTS and not active_low:
        return (
            f"a Raspberry Pi pulls it up at power-up, which switches it on before bmsd runs. {free}; or, if a"
            f" pull-down of yours is stronger, {i_know}"
        )
    for one in others:
        if line in one.lines:
            return f"it is usually taken: {one.by}. {free}; or, if it is free on your board, {i_know}"
    return ""


def _users(values: Mapping[str, Any]) -> header.Users:
    """Collect what the configuration itself says of others on the header."""
    keys: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        keys.setdefault(section, {})[key] = value
    buses = [one for section, one in keys.items() if section.partition(".")[0] == "can"]
    ports = [one for section, one in keys.items() if section.partition(".")[0] in {"modbus", "meter"}]
    return header.Users(
        i2c_bus=bus if isinstance(bus := values.get("afe.bus", 1), int) else None,
        can_interfaces=frozenset(
            str(one.get("channel")) for one in buses if one.get("interface") == "socketcan"
        ),
        serial_ports=frozenset(
            str(port).partition("@")[0]
            for port in (*(one.get("port") for one in ports), *(one.get("channel") for one in buses))
        ),
        kernel_rts=frozenset(str(one.get("port")) for one in ports if one.get("direction") == "kernel"),
    )
