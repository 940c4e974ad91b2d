"""bmsctl: the command line, its exit codes, and nothing else; each command lives in a file of its group.

Exit codes: 0 good, 1 failed or refused, 2 wrong usage, 69 daemon not running or its data stale.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bmsd import __version__
from bmsd.errors import BmsdError, StaleError

GOOD, FAILED, USAGE, UNAVAILABLE = 0, 1, 2, os.EX_UNAVAILABLE
DEFAULT_EVENTS = 20
KEPT = 256
THINGS = ("charge", "discharge", "heater", "balance")

Fill = Callable[[argparse.ArgumentParser], None]


class Command(NamedTuple):
    """One command: where its function is (loaded only when used), its help, and its arguments."""

    name: str
    run: str
    help: str
    fill: Fill = lambda parser: None


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")


def _what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=THINGS, help="default: all four")
    _json(parser)


def _events(parser: argparse.ArgumentParser) -> None:
    last = f"how many of the last ones, 1 to {KEPT}; default {DEFAULT_EVENTS}"
    parser.add_argument("-n", dest="count", type=_count, default=DEFAULT_EVENTS, metavar="N", help=last)
    follow = "go on until Ctrl-C; with --json one object per line"
    parser.add_argument("--follow", "-f", action="store_true", help=follow)
    _json(parser)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= KEPT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {KEPT}")
    return int(text)


def _switch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=("charge", "discharge", "balance"))
    _position(parser)


def _charge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=("full", "force"))
    _position(parser)


def _position(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("position", choices=("on", "off"), metavar="on|off")


def _factory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _emergency(parser: argparse.ArgumentParser) -> None:
    _position(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _alarm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alarm", metavar="ALARM", help="its name, as 'bmsctl alarms' shows it in parentheses")


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    _json(parser)


def _assignments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "assignments", nargs="+", metavar="NAME=VALUE", help="several are one set, all or nothing"
    )


def _set(parser: argparse.ArgumentParser) -> None:
    _assignments(parser)
    _json(parser)


def _preset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=("default", "jk-compatible"))
    _json(parser)


def _cell(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", type=int, metavar="N", help="number of the cell, from 1")
    _assignments(parser)


def _fault(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="as 'bmsctl sim list' shows it")
    _position(parser)
    parser.add_argument("--cell", type=int, metavar="N", help="the cell, for a fault of one cell")


def _config(parser: argparse.ArgumentParser) -> None:
    default = "/etc/bmsd/bmsd.toml"
    parser.add_argument("--config", metavar="FILE", default=default, help="default %(default)s")


def _can(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bus", metavar="NAME", default="", help="the bus [can.NAME]; default: the first one"
    )
    parser.add_argument(
        "--once", action="store_true", help="show it once and end; with --dump only what is kept"
    )
    dump = "write every frame as 'candump -L' does, until Ctrl-C; without FILE to the screen"
    parser.add_argument("--dump", metavar="FILE", nargs="?", const="-", help=dump)
    _json(parser)


def _setup(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    answer = "answer a question, e.g. pack.cells=16, can.protocol=none; for every key and parameter"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=answer)
    parser.add_argument(
        "--yes", action="store_true", help="ask nothing: defaults for what is not set, and write"
    )
    parser.add_argument("--replace", action="store_true", help="with --yes: replace a file that is there")
    parser.add_argument("--dry-run", action="store_true", help="print the file, write nothing")


def _doctor(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--root", metavar="DIR", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    _json(parser)


def _unlock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "time", type=_span, metavar="TIME", help="for how long, such as 10m or 90s; 60m at most"
    )
    _one_link(parser)


def _one_link(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--link", metavar="LINK", default="", help="such as modbus@garage; default: all of them"
    )


def _span(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdigit() or unit not in _SPANS:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 10m or 90s")
    return int(number) * _SPANS[unit]


_SPANS = {"s": 1, "m": 60, "h": 3600}


def _line(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--link", metavar="LINK", default="modbus", help="such as modbus@garage; default %(default)s"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", default=3.0, help="listen so long at each speed; default 3"
    )
    _config(parser)
    _json(parser)


def _pin(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--remove", action="store_true", help="no PIN: writes are unlocked at the pack alone")


PARAMS = (
    Command(
        "list", "params.show_list", "all of them: value, range, configured value where it differs", _json
    ),
    Command("get", "params.show_one", "one of them, with its help", _name),
    Command("set", "params.change", "change some, e.g. cell_ovp_v=3.55", _set),
    Command("preset", "params.preset", "take all values of a preset", _preset),
    Command("reset", "params.reset", "go back to the configuration files", _json),
)
MODBUS = (
    Command("show", "modbus.show", "each line, whether it takes writes, and how many it took", _json),
    Command("unlock", "modbus.unlock", "let masters write for a time", _unlock),
    Command("lock", "modbus.lock", "take no writes any more", _one_link),
    Command("pin", "modbus.set_pin", "choose the PIN that unlocks writes over the line", _pin),
    Command(
        "test", "modbus_line.test", "what is heard on a serial line, and at which speed it would fit", _line
    ),
)
SIM = (
    Command("set", "asks.sim_set", "set quantities, e.g. ambient_c=-12 charger_a=40", _assignments),
    Command("cell", "asks.sim_cell", "set quantities of one cell, e.g. 7 offset_mv=80", _cell),
    Command("fault", "asks.sim_fault", "break something, or mend it", _fault),
    Command("list", "asks.sim_list", "what can be set and broken"),
)


def _group(commands: tuple[Command, ...], default: str = "") -> Fill:
    def fill(parser: argparse.ArgumentParser) -> None:
        if default:
            parser.set_defaults(run=default)
            _json(parser)
        _add(parser, commands, required=not default)

    return fill


COMMANDS = (
    Command("status", "show.show_status", "the whole state", _json),
    Command("cells", "show.show_cells", "every cell, with a bar", _json),
    Command("alarms", "show.show_alarms", "what is wrong, and what to do about it", _json),
    Command("why", "show.show_why", "why something is not allowed, and what has to happen", _what),
    Command("params", "", "look at parameters and change them", _group(PARAMS, "params.show_list")),
    Command("events", "show.show_events", "what happened", _events),
    Command("watch", "watch.watch", "the state as a live screen"),
    Command("can", "can.can", "what goes over the inverter's bus, decoded, and why nothing happens", _can),
    Command("switch", "asks.switch", "let charging, discharging or balancing happen, or forbid it", _switch),
    Command("charge", "asks.charge", "ask the inverter for a full charge, or to charge by force", _charge),
    Command("reset", "asks.reset", "reset a latched alarm", _alarm),
    Command("emergency", "asks.emergency", "for 30 minutes, use an empty pack all the same", _emergency),
    Command(
        "factory-reset", "asks.factory_reset", "go back to the configured parameters and switches", _factory
    ),
    Command("wake", "asks.wake", "wake a pack that sleeps"),
    Command("setup", "setup.setup", "write a first configuration, by asking", _setup),
    Command("doctor", "doctor.doctor", "check this machine, and say what to change", _doctor),
    Command("devices", "devices.devices", "what energy meters and other packs say", _json),
    Command("modbus", "", "who may write over Modbus, and until when", _group(MODBUS, "modbus.show")),
    Command("sim", "", "move and break the simulated bench", _group(SIM)),
)


def parser() -> argparse.ArgumentParser:
    """Build the command line; the command reference derives from it, too."""
    top = argparse.ArgumentParser(prog="bmsctl", description="See and ask what bmsd does.", epilog=_EPILOG)
    top.add_argument("--version", action="version", version=f"bmsctl {__version__}")
    top.set_defaults(json=False)
    _runtime_dir(top)
    _add(top, COMMANDS, required=True)
    return top


_EPILOG = "Exit codes: 0 good, 1 failed or refused, 2 wrong usage, 69 daemon not running or its data stale."


def _add(parent: argparse.ArgumentParser, commands: tuple[Command, ...], *, required: bool) -> None:
    choices = parent.add_subparsers(metavar="COMMAND", required=required, title="commands")
    for command in commands:
        made = choices.add_parser(
            command.name, help=command.help, description=f"{command.help.capitalize()}."
        )
        if command.run:
            made.set_defaults(run=command.run)
        _runtime_dir(made)
        command.fill(made)


def _runtime_dir(target: argparse.ArgumentParser) -> None:
    target.add_argument(
        "--runtime-dir", metavar="DIR", default=argparse.SUPPRESS,
        help="where bmsd keeps its state; default $BMSD_RUNTIME_DIR or /run/bmsd",
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    try:
        return _run(parser().parse_args(arguments))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has seen enough. Python flushes once more at its end, so give it somewhere to.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD


def _run(options: argparse.Namespace) -> int:
    from importlib import import_module

    from bmsd.cli.console import Console
    from bmsd.cli.params import UsageError
    from bmsd.cli.reading import runtime_dir

    module, name = options.run.split(".")
    directory: Path = runtime_dir(getattr(options, "runtime_dir", None))
    try:
        code: int = getattr(import_module(f"bmsd.cli.{module}"), name)(directory, options, Console())
        sys.stdout.flush()
    except UsageError as error:
        return _fail(str(error), USAGE)
    except StaleError as error:
        return _fail(str(error), UNAVAILABLE)
    except BmsdError as error:
        return _fail(f"refused: {error}", FAILED)
    return code


def _fail(text: str, code: int) -> int:
    sys.stdout.flush()
    print(f"bmsctl: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
