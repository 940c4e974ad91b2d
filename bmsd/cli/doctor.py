"""bmsctl doctor: look at the machine, say what is good, what is not, and what to write where.

It reads files and asks programs that only tell. It opens no bus, requests no line and switches nothing.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bmsd.afe.chips import CHIPS
from bmsd.cli import doctor_links as links
from bmsd.cli import doctor_pins as pins
from bmsd.cli import doctor_system as system
from bmsd.cli import doctor_units as units
from bmsd.cli.console import Console, wrapped
from bmsd.cli.doctor_boot import Boot
from bmsd.cli.doctor_machine import CheckResult, CheckState, Machine, bad, good, unknown
from bmsd.cli.doctor_pins import Case
from bmsd.cli.show import print_json
from bmsd.config.load import Config, load
from bmsd.errors import ConfigError


class Check(NamedTuple):
    """One thing to look at: its name, what it is, why it matters, and the function that looks."""

    name: str
    title: str
    why: str
    look: Callable[[Case], CheckResult]


class Group(NamedTuple):
    """Checks that belong together."""

    title: str
    checks: tuple[Check, ...]


def configuration(case: Case) -> CheckResult:
    """Say whether the configuration is there and good."""
    if case.config and not case.problems:
        c = case.config
        return good(f"{case.path}: {c.cells} cells {c.chemistry}, {c.afe.chip}")
    if not case.readable:
        return unknown(f"{case.path} may not be read by you", "Run it again as root: sudo bmsctl doctor.")
    if not case.path.exists():
        return bad(f"there is no {case.path}", "Write one: sudo bmsctl setup.")
    return bad("; ".join(case.problems), f"Then check it: bmsd --check-config --config {case.path}")


# fmt: off
GROUPS: tuple[Group, ...] = (
    Group("Machine", (
        Check("machine", "machine", "what the other answers are about", system.machine),
        Check("supply", "power supply", "a board with too little voltage resets while contactors are closed",
              system.supply),
        Check("watchdog", "watchdog", "a machine that hangs must be reset, which lets its lines go", system.watchdog),
        Check("clock", "clock", "time stamps of events", system.clock),
        Check("disk", "free space", "the state and the journal need room", system.disk),
        Check("journal", "journal", "alarms shall be readable after a reboot", system.journal),
    )),
    Group("Configuration and service", (
        Check("configuration", "configuration", "without a good one nothing starts", configuration),
        Check("users", "daemon's user", "it needs the lines, the bus and the port", system.users),
        Check("you", "you", "who may look and who may ask", system.you),
        Check("service", "service", "it must start at boot", system.service),
        Check("daemon", "daemon", "only a running one protects the pack", system.daemon),
        Check("safe_off", "safe-off", "the second hand that switches off after a crash", system.safe_off),
        Check("state", "state", "latched alarms and the charge count must survive a power cut", system.state),
    )),
    Group("GPIO lines", (
        Check("strict_gpio", "lines let go", "a kernel that keeps lines leaves contactors closed and the heater on"
              " when bmsd is killed", pins.strict_gpio),
        Check("power_up", "at power-up", "an output must be off before any program runs", pins.power_up),
        Check("boot_level", "while booting", "an output must be off until bmsd takes it", pins.boot_level),
        Check("contacts", "feedback", "a welded contactor is only seen by its auxiliary contact", pins.contacts),
        Check("line_clash", "used twice", "a line that a board uses too cannot be had", pins.taken),
        Check("gpio_chip", "chip and lines", "the lines must be there, and free", pins.chip),
        Check("output_library", "library", "it drives the lines", system.output_library),
    )),
    Group("Front-end chip", (
        Check("i2c", "I2C bus", "the chip is on it", links.i2c),
        Check("i2c_rights", "its rights", "the daemon must be allowed to use it", links.i2c_rights),
        Check("i2c_clock", "its clock", "too fast loses bytes, too slow loses cycles", links.i2c_clock),
    )),
    Group("Links", (
        Check("links_start", "their start", "a link that nobody starts says nothing: an inverter without limits",
              units.started),
        Check("can", "CAN", "the inverter must hear the limits", links.can),
        Check("can_rate", "CAN bit rate", "a wrong one disturbs the whole bus", links.can_rate),
        Check("modbus", "serial port", "somebody else on it spoils every answer", links.modbus),
        Check("modbus_rights", "its rights", "the link must be allowed to use it", links.modbus_rights),
        Check("network", "on a network", "a link's sandbox lets no network through by itself", units.network),
        Check("modbus_writes", "Modbus writes", "who may write may switch the pack off", units.writes),
        Check("meter_library", "meter reader", "meters and other packs are read with it", units.meter_library),
        Check("journal_library", "journal fields", "alarms can be found by name", system.journal_library),
    )),
)
# fmt: on
CHECKS = tuple(check for group in GROUPS for check in group.checks)
_LOOKS = {
    CheckState.GOOD: ("✓", "+", "green"),
    CheckState.WARN: ("!", "!", "yellow"),
    CheckState.BAD: ("✗", "x", "red"),
    CheckState.UNKNOWN: ("?", "?", "cyan"),
    CheckState.SKIPPED: ("-", "-", "dim"),
}
_LABEL = 18


def doctor(directory: Path, options: Namespace, console: Console) -> int:
    """Run every check and tell."""
    machine = Machine(options.root)
    case = case_of(machine, Path(options.config), directory)
    findings = {check.name: examined(check, case) for check in CHECKS}
    counts = Counter(finding.verdict for finding in findings.values())
    if options.json:
        print_json(console, {**document(findings, counts), "thermistors": thermistors(case)})
    else:
        _tell(findings, counts, console)
        console.say()
        console.paragraph(thermistors(case))
    return 1 if counts[CheckState.BAD] else 0


def case_of(machine: Machine, path: Path, directory: Path) -> Case:
    """Read the configuration, and put together what the checks look at."""
    where = machine.at(str(path)) if not machine.real else path
    config: Config | None = None
    problems: tuple[str, ...] = ()
    readable = True
    try:
        _must_be_readable(where)
        config = load(where, dangers=False)
        load(where, on_chip=True)
    except PermissionError:
        readable = False
    except ConfigError as error:
        problems = tuple(error.problems)
    except (OSError, ValueError) as error:
        config, problems = None, (str(error),)
    return Case(machine, Boot(machine), directory, where, config, problems, readable)


def _must_be_readable(path: Path) -> None:
    """Raise PermissionError where part of the configuration would be missed: half of it is another one."""
    drop_ins = path.parent / "conf.d"
    files = [path, *drop_ins.glob("*.toml")] if path.exists() else []
    hidden = [file for file in files if not os.access(file, os.R_OK)]
    if hidden or (drop_ins.exists() and not os.access(drop_ins, os.R_OK | os.X_OK)):
        raise PermissionError(hidden)


def thermistors(case: Case) -> str:
    """Say which thermistors belong on the chip, and how to find out: no program can see what was mounted."""
    kinds = CHIPS[case.config.afe.chip] if case.config else next(iter(CHIPS.values()))
    return (
        f"No program can see which thermistors are fitted. Each must be an {kinds.thermistor}. Put each into ice"
        " water: it must read 0 °C, within 1 °C. Then hold all beside a second thermometer in the warm. How:"
        " 'Temperature sensors' in docs/raspberry-pi.md."
    )


def examined(check: Check, case: Case) -> CheckResult:
    """Run one check; one that stumbles over a strange machine has seen nothing."""
    try:
        return check.look(case)
    except Exception as error:
        return unknown(f"the check itself failed: {type(error).__name__}: {error}")


def document(findings: dict[str, CheckResult], counts: Counter[CheckState]) -> dict[str, object]:
    """Give the findings for programs."""
    checks = [
        {"name": check.name, "group": group.title, "title": check.title, "why": check.why,
         "verdict": findings[check.name].verdict.value, "finding": findings[check.name].text,
         "step": findings[check.name].step or None}
        for group in GROUPS for check in group.checks
    ]  # fmt: skip
    return {
        "schema": 1,
        "counts": {verdict.value: counts[verdict] for verdict in CheckState},
        "checks": checks,
    }


def _tell(findings: dict[str, CheckResult], counts: Counter[CheckState], console: Console) -> None:
    plain = not _shows(console)
    for group in GROUPS:
        console.say(console.paint(group.title, "bold"))
        for check in group.checks:
            _line(check, findings[check.name], console, plain)
        console.say()
    told = [f"{counts[verdict]} {verdict.value}" for verdict in CheckState if counts[verdict]]
    look = "red" if counts[CheckState.BAD] else "yellow" if counts[CheckState.WARN] else "green"
    console.say(console.paint(", ".join(told), look))


def _line(check: Check, finding: CheckResult, console: Console, plain: bool) -> None:
    symbol, letter, look = _LOOKS[finding.verdict]
    head = f"{letter if plain else symbol} {check.title:<{_LABEL - 3}} "
    indent = " " * _LABEL
    lines = wrapped(console.encodable(finding.text), console.width - _LABEL)
    console.say(f"{console.paint(head, look)}{lines[0]}")
    for line in lines[1:]:
        console.say(f"{indent}{line}")
    if finding.verdict in {CheckState.BAD, CheckState.WARN}:
        console.paragraph(console.paint(f"Why: {check.why}.", "dim"), indent)
    if finding.step:
        console.paragraph(f"-> {finding.step}", indent)


def _shows(console: Console) -> bool:
    """Tell whether the marks can be written; a replaced one would be a question mark."""
    try:
        "✓✗".encode(console.stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
