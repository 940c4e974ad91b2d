"""The program `bmsd`: check the configuration, take the directories, run the core until it is asked to stop."""

from __future__ import annotations

import argparse
import faulthandler
import sys
from pathlib import Path

from bmsd import __version__
from bmsd.arguments import Help
from bmsd.config.load import DEFAULT_PATH, Config, load
from bmsd.daemon.loop import Daemon
from bmsd.daemon.process import complain, keep_in_memory, lock, tell_terminal
from bmsd.errors import BmsdError, ConfigError, OutputError

EXIT_GOOD, EXIT_FAILED, EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_CONFIG = 0, 1, 2, 69, 78


def checked_config(path: Path) -> Config:
    """Load the configuration; raise ConfigError with every problem, what the chip cannot do among them."""
    return load(path, on_chip=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the program `bmsd`."""
    options = _parser().parse_args(arguments)
    try:
        config = checked_config(options.config)
    except ConfigError as error:
        for problem in error.problems:
            complain(problem)
        count = len(error.problems)
        complain(f"configuration refused: {count} problem{'s' if count > 1 else ''}; nothing was started")
        return EXIT_CONFIG
    if options.check_config:
        print(f"{options.config}: good; {config.cells} cells {config.chemistry}, {config.afe.chip}")
        return EXIT_GOOD
    return _run(config, options)


def _run(config: Config, options: argparse.Namespace) -> int:
    faulthandler.enable()
    keep_in_memory()
    try:
        for directory in (options.runtime_dir, options.state_dir):
            directory.mkdir(parents=True, exist_ok=True)
        held = lock(options.runtime_dir)
    except BlockingIOError:
        complain(f"another bmsd runs with --runtime-dir {options.runtime_dir}; only one may own a pack")
        return EXIT_UNAVAILABLE
    except OSError as error:
        complain(
            f"cannot use a directory: {error}. Run as the user bmsd, or choose --runtime-dir, --state-dir"
        )
        return EXIT_UNAVAILABLE
    try:
        with held:
            daemon = Daemon(config, options.runtime_dir, options.state_dir, options.simulate)
            tell_terminal(config, options.runtime_dir, simulated=options.simulate)
            daemon.run()
    except (OutputError, BmsdError) as error:
        complain(str(error))
        return EXIT_UNAVAILABLE
    if sys.stdout.isatty():
        print("bmsd: ended; all outputs are off", flush=True)
    return EXIT_GOOD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bmsd",
        description="The core of bmsd: measures, protects, heats and switches one battery pack.",
        epilog="Exit: 0 good, 1 failed, 2 wrong usage, 69 hardware or directory not available,"
        " 78 configuration refused.",
        formatter_class=Help,
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help="default %(default)s")
    parser.add_argument("--runtime-dir", type=Path, default=Path("/run/bmsd"), help="default %(default)s")
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/bmsd"), help="default %(default)s")
    parser.add_argument("--simulate", action="store_true", help="take chip, outputs and pack from the bench")
    parser.add_argument("--check-config", action="store_true", help="only say whether the configuration fits")
    parser.add_argument("--version", action="version", version=f"bmsd {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
