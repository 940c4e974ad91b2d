"""The program `bmsd-link NAME`: run one link to the outside, until it is told to end.

Exit codes: 0 good (also: not configured), 1 failed, 2 wrong usage, 78 configuration refused.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bmsd import __version__
from bmsd.arguments import Help
from bmsd.errors import ConfigError
from bmsd.links.link import ERROR, Link
from bmsd.tables.configuration import FILE, NAMED_SECTIONS, section_of

if TYPE_CHECKING:
    from bmsd.config.load import Config

EXIT_CONFIG = 78
RUNTIME_DIR = Path("/run/bmsd")


class LinkRow(NamedTuple):
    """One link: where its `run(link)` is, the configuration section it needs, and what it does."""

    module: str
    section: str | None
    """None: it works without a configuration, and reads none."""
    help: str


LINKS = {
    "can": LinkRow("bmsd.links.can", "can", "inverter CAN"),
    "modbus": LinkRow("bmsd.links.modbus", "modbus", "Modbus slave on RS485 or TCP"),
    "meter": LinkRow("bmsd.links.meter", "meter", "reader of energy meters and other packs"),
    "journal": LinkRow("bmsd.links.journal", None, "events to the systemd journal"),
}
_HELP = "; ".join(f"{name}: {row.help}" for name, row in LINKS.items())
_FURTHER = "/".join(f"{name}@NAME" for name, row in LINKS.items() if row.section in NAMED_SECTIONS)


def main(arguments: list[str] | None = None) -> int:
    """Run the named link; give the exit code."""
    given = _parser().parse_args(arguments)
    try:
        row = LINKS[given.name.partition("@")[0]]
        loaded = _loaded(given.config) if row.section is not None else None
        return _run(Link(given.name, loaded, given.runtime_dir), row)
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return EXIT_CONFIG


def _loaded(path: Path) -> Config:
    """Read and check the configuration; what is dangerous to switch is refused by the core."""
    from bmsd.config.load import load

    return load(path, dangers=False)


def _run(link: Link, row: LinkRow) -> int:
    if row.section is not None and link.config.of_link(link.name) is None:
        section = section_of(link.name)
        link.report("off", f"not configured: {link.config.path} has no section [{section}]")
        print(f"bmsd-link {link.name}: nothing to do, [{section}] is not configured")
        return 0
    link.end_on_signals()
    with _alone(link) as alone:
        if not alone:
            # Its file stays the first one's.
            link.say(
                ERROR,
                f"another one serves {link.runtime_dir} already: see 'bmsctl status', or end that first",
            )
            return 1
        return _serve(link, row)


@contextlib.contextmanager
def _alone(link: Link) -> Iterator[bool]:
    """Tell whether no other process serves this link; two would both talk on its bus or line."""
    try:
        # Not removed at the end: the next one may hold it by then.
        lock = os.open(
            link.runtime_dir / f"link-{link.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640
        )
    except OSError:
        yield True  # it may be another user's, from a start by hand: no reason to leave the inverter untold
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


def _serve(link: Link, row: LinkRow) -> int:
    try:
        import_module(row.module).run(link)
    except ConfigError:
        raise
    except Exception as error:
        # Whatever it was: peers time out, systemd starts the link again, the state file says why.
        import traceback  # memory of every link, for an error that ends it

        traceback.print_exc()
        link.say(ERROR, f"ends after an error: {error}")
        link.report("error", f"{type(error).__name__}: {error}")
        return 1
    link.report("stopped", "ended by request")
    return 0


def _name(text: str) -> str:
    """Check the name of a link. ArgumentTypeError: there is none of that name."""
    kind, at, further = text.partition("@")
    row = LINKS.get(kind)
    if row is None or (at and (row.section not in NAMED_SECTIONS or not further)):
        raise argparse.ArgumentTypeError(
            f"there is no link {text!r}; known are {', '.join(LINKS)}, {_FURTHER}"
        )
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bmsd-link",
        description="Run one link between bmsd and the outside, in a process of its own.",
        epilog="Exit: 0 good or not configured, 1 failed, 2 wrong usage, 78 configuration refused.",
        formatter_class=Help,
    )
    parser.add_argument(
        "name",
        type=_name,
        metavar="NAME",
        help=f"{_HELP}; {_FURTHER}: that of a section [can.NAME] or [modbus.NAME]",
    )
    parser.add_argument("--config", type=Path, default=Path(FILE), metavar="FILE",
                        help="configuration file (default: %(default)s)")  # fmt: skip
    parser.add_argument("--runtime-dir", type=Path, default=RUNTIME_DIR, metavar="DIR",
                        help="where the core publishes (default: %(default)s)")  # fmt: skip
    parser.add_argument("--version", action="version", version=f"bmsd-link {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
