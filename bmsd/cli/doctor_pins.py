"""Checks of the GPIO lines: what they are when nobody drives them, and who holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bmsd.cli.doctor_boot import Boot
from bmsd.cli.doctor_machine import CheckResult, GpioChip, Machine, bad, good, skipped, unknown, warn
from bmsd.config.load import Config
from bmsd.ipc.sentences import listed
from bmsd.tables import header
from bmsd.tables.configuration import CONTACTOR_LINES

PULLED_DOWN = range(header.PULLED_UP.stop, 28)
HEADER = range(28)
_HOLDERS = {"gpiod": "bmsd", "gpiozero": "lg"}
_TEST = "Test it without coil supply: kill -9 the daemon, and see every line go off."


@dataclass(frozen=True)
class Case:
    """What every check is given."""

    machine: Machine
    boot: Boot
    directory: Path
    """The runtime directory."""
    path: Path
    """The configuration file."""
    config: Config | None
    problems: tuple[str, ...] = ()
    readable: bool = True
    """The configuration may be read by whoever asks."""

    def no_config(self) -> CheckResult:
        """Say that a check has to wait for a configuration."""
        return unknown("needs a configuration that can be read")


def strict_gpio(case: Case) -> CheckResult:
    """Find whether the kernel lets go of lines whose process is gone."""
    add = f"Write the line dtparam=strict_gpiod to {case.boot.path}, and reboot. {_TEST}"
    if not case.boot.is_pi:
        return unknown("no Raspberry Pi: what this kernel does is not known", _TEST)
    module = "pinctrl_rp1" if case.boot.is_pi5 else "pinctrl_bcm2835"
    kept = case.machine.text(f"/sys/module/{module}/parameters/persist_gpio_outputs")
    written = "strict_gpiod" in case.boot.params
    if kept == "N":
        return good(f"lines are let go when their process is gone ({module})")
    if kept == "Y":
        text = f"the running kernel keeps a line as it is when its process is gone ({module})"
        reboot = f"Reboot: {case.boot.path} has strict_gpiod, this kernel was started without. {_TEST}"
        return bad(text, reboot if written else add)
    if written:
        return unknown(f"{case.boot.path} asks for it; this kernel does not tell whether it does", _TEST)
    return unknown(f"this kernel has no {module}.persist_gpio_outputs to ask", add)


def power_up(case: Case) -> CheckResult:
    """Find outputs that are on before anybody drives them."""
    if case.config is None:
        return case.no_config()
    if not case.boot.is_pi:
        return unknown("no Raspberry Pi: the pull of its lines at power-up is not known")
    outputs = case.config.outputs
    if not outputs.lines:
        return skipped("no output has a line")
    if outputs.gpio_chip and outputs.gpio_chip not in header.LABELS:
        return unknown(f"the lines are on {outputs.gpio_chip}, not on the header")
    strange = {name: line for name, line in outputs.lines.items() if line not in HEADER}
    if strange:
        return bad(f"the header has no {_lines(strange)}", f"Change [outputs] in {case.path}.")
    if outputs.active_low:
        on = {name: line for name, line in outputs.lines.items() if line in PULLED_DOWN}
        step = "Use drivers that switch on with a high level, or lines 0 to 8, and pull-ups at the drivers."
    else:
        on = {name: line for name, line in outputs.lines.items() if line not in PULLED_DOWN}
        step = f"Move them to GPIO 9 to 27, in the wiring and in [outputs] of {case.path}."
    if on:
        return bad(f"{_lines(on)}: on at power-up, by the Pi's own pull", step)
    return good(f"off by the Pi's own pull: {_lines(outputs.lines)}")


def boot_level(case: Case) -> CheckResult:
    """Find what the firmware does with the outputs until bmsd takes them."""
    if case.config is None:
        return case.no_config()
    if not case.boot.is_pi:
        return skipped("no Raspberry Pi")
    outputs = case.config.outputs
    if not outputs.lines:
        return skipped("no output has a line")
    off, on = ("dh", {"dl", "pd"}) if outputs.active_low else ("dl", {"dh", "pu"})
    at_rest = {"dh", "pu"} if outputs.active_low else {"dl", "pd"}
    want = f"gpio={','.join(map(str, outputs.lines.values()))}=op,{off}"
    told = case.boot.gpio
    high = {name: line for name, line in outputs.lines.items() if _level(told.get(line, ())) in on}
    if high:
        return bad(f"{case.boot.path} switches on at boot: {_lines(high)}", f"Write the line {want} instead.")
    silent = {name: line for name, line in outputs.lines.items() if _level(told.get(line, ())) not in at_rest}
    if silent:
        text = f"nothing drives them off between power-up and bmsd: {_lines(silent)}"
        return warn(
            text, f"Write the line {want} to {case.boot.path}. The drivers need pull-downs all the same."
        )
    return good("the firmware keeps the outputs off")


def _level(words: tuple[str, ...]) -> str:
    """Say what gpio= words make of a line: dl or dh of an output, else its pull; empty where they say nothing."""
    mode = next((word for word in reversed(words) if word in {"ip", "op"}), "ip")
    levels = {"dl", "dh"} if mode == "op" else {"pd", "pu", "pn", "np"}
    return next((word for word in reversed(words) if word in levels), "")


def contacts(case: Case) -> CheckResult:
    """Find auxiliary contacts that a broken wire would make read closed."""
    if case.config is None:
        return case.no_config()
    feedback, contactors = case.config.outputs.feedback, CONTACTOR_LINES[case.config.topology]
    if not contactors:
        return skipped("the front-end chip's own FETs switch the pack, and it tells what they do")
    missing = [name for name in contactors if name not in feedback]
    if missing:
        text = f"none wired for {listed(missing)}: a contactor that is welded shut is not seen"
        return warn(text, f"Wire auxiliary contacts, and write outputs.{missing[0]}_feedback in {case.path}.")
    if not case.boot.is_pi:
        return unknown("no Raspberry Pi: the pull of its lines is not known")
    told = case.boot.gpio
    pulled = {
        name: line for name, line in feedback.items()
        if (_level(told.get(line, ())) or ("pd" if line in PULLED_DOWN else "pu")) != "pd"
    }  # fmt: skip
    if pulled:
        want = f"gpio={','.join(map(str, pulled.values()))}=ip,pd"
        step = (
            f"Write the line {want} to {case.boot.path}, or use GPIO 12 and 13; and wire 4.7 kohm to ground."
        )
        return warn(f"{_lines(pulled)}: pulled up, a broken wire reads closed", step)
    return good(f"pulled down, a broken wire reads open: {_lines(feedback)}")


def taken(case: Case) -> CheckResult:
    """Find lines that an overlay or a bus wants too."""
    if case.config is None:
        return case.no_config()
    if not case.boot.is_pi:
        return skipped("no Raspberry Pi")
    outputs = case.config.outputs
    used = outputs.keys
    others = case.boot.taken()
    both = [f"{name} on GPIO {line} with {others[line]}" for name, line in used.items() if line in others]
    if both:
        text = "; ".join(both)
        return bad(
            text, f"Move the line in [outputs] of {case.path}: 17, 27, 22, 23, 16, 26, 12 and 13 are free."
        )
    return good(f"no line of bmsd is in {case.boot.path} for something else")


def chip(case: Case) -> CheckResult:
    """Find the GPIO chip, and who holds the lines."""
    chips = case.machine.gpio_chips()
    if chips is None:
        return unknown("the GPIO chips may not be asked by you", "Run it again as root: sudo bmsctl doctor.")
    wanted = case.config.outputs.gpio_chip if case.config else ""
    found = [
        one for one in chips if one.path == wanted or one.label in ((wanted,) if wanted else header.LABELS)
    ]
    if not found:
        present = listed(f"{one.path} ({one.label})" for one in chips) or "none"
        text = f"no chip {wanted or 'of a Raspberry Pi header'}; present: {present}"
        return bad(text, f"Write outputs.gpio_chip in {case.path}, or use another kernel.")
    if case.config is None:
        return good(f"{found[0].path} is {found[0].label}")
    return _held(case.config, found[0])


def _held(config: Config, chip: GpioChip) -> CheckResult:
    outputs = config.outputs
    used = outputs.keys
    absent = {name: line for name, line in used.items() if line >= chip.lines}
    if absent:
        return bad(
            f"{chip.label} has lines 0 to {chip.lines - 1}, but not {_lines(absent)}",
            f"Change [outputs] in {config.path}.",
        )
    ours = _HOLDERS[outputs.backend]
    others = {n: line for n, line in used.items() if chip.holders.get(line, ours) != ours}
    if others:
        who = listed(sorted({chip.holders[line] for line in others.values()}))
        return bad(
            f"{_lines(others)}: held by {who}",
            "End that program or overlay, or move the lines: gpioinfo shows them.",
        )
    count = sum(line in chip.holders for line in used.values())
    return good(
        f"{chip.label}: {f'bmsd holds {count} of its' if count else 'free are all'} {len(used)} lines"
    )


def _lines(lines: Mapping[str, int] | Iterable[tuple[str, int]]) -> str:
    pairs = lines.items() if isinstance(lines, Mapping) else lines
    return listed(f"{name} on GPIO {line}" for name, line in pairs)
