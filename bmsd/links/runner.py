"""The program `bmsd-link NAME`: run one link to the outside, until it is told to end.

A further CAN bus, `[can.NAME]` in the configuration, has a link of its own, `can-NAME`: a stuck one stops no other.

Exit codes: 0 good (also: not configured), 1 failed, 2 wrong usage, 78 configuration refused.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from bmsd import __version__, config
from bmsd.errors import ConfigError
from bmsd.links.link import ERROR, Link
from bmsd.tables.configuration import MORE_OF

EXIT_CONFIG = 78
RUNTIME_DIR = Path("/run/bmsd")


class Row(NamedTuple):
    """One link: where its `run(link)` is, the configuration section it needs, and what it does."""

    module: str
    section: str | None
    help: str


LINKS = {
    "can": Row("bmsd.links.can", "can", "inverter CAN, the first bus; can-NAME: a further one"),
    "modbus": Row("bmsd.links.modbus", "modbus", "Modbus RTU slave on RS485"),
    "journal": Row("bmsd.links.journal", None, "events to the systemd journal"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the named link; give the exit code."""
    given = _parser().parse_args(arguments)
    try:
        loaded = config.load(given.config)
        link = Link(given.name, loaded, given.runtime_dir)
        return _run(link, LINKS[_kind(given.name)])
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return EXIT_CONFIG


def _kind(name: str) -> str:
    """Name the row of a link: `can` for that of a further bus."""
    return MORE_OF if name.startswith(f"{MORE_OF}-") else name


def _name(text: str) -> str:
    """Take a name that has a row; whether such a bus is configured shows later."""
    if _kind(text) in LINKS and "/" not in text:
        return text
    raise argparse.ArgumentTypeError(f"there is no link {text!r}; there are {', '.join(LINKS)}, and can-NAME")


def _is_configured(link: Link, row: Row) -> bool:
    if row.section == MORE_OF:
        return link.name in link.config.buses
    return row.section is None or getattr(link.config, row.section) is not None


def _run(link: Link, row: Row) -> int:
    if not _is_configured(link, row):
        section = link.name.replace("-", ".")
        link.report("off", f"not configured: {link.config.path} has no section [{section}]")
        print(f"bmsd-link {link.name}: nothing to do, [{section}] is not configured")
        return 0
    link.end_on_signals()
    try:
        import_module(row.module).run(link)
    except ConfigError:
        raise
    except Exception as error:
        # Whatever it was: peers time out, systemd starts the link again, the state file says why.
        traceback.print_exc()
        link.say(ERROR, f"ends after an error: {error}")
        link.report("error", f"{type(error).__name__}: {error}")
        return 1
    link.report("stopped", "ended by request")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bmsd-link",
        description="Run one link between bmsd and the outside, in a process of its own.",
        epilog="Exit: 0 good or not configured, 1 failed, 2 wrong usage, 78 configuration refused.",
    )
    parser.add_argument(
        "name",
        type=_name,
        metavar="NAME",
        help="; ".join(f"{name}: {row.help}" for name, row in LINKS.items()),
    )
    parser.add_argument("--config", type=Path, default=config.DEFAULT_PATH, metavar="FILE",
                        help="configuration file (default: %(default)s)")  # fmt: skip
    parser.add_argument("--runtime-dir", type=Path, default=RUNTIME_DIR, metavar="DIR",
                        help="where the core publishes (default: %(default)s)")  # fmt: skip
    parser.add_argument("--version", action="version", version=f"bmsd-link {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
